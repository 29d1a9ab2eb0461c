# SPDX-License-Identifier: Apache-2.0
import pytest

from leftovers import wait_clean


@pytest.fixture(autouse=True)
def quiet(request):
    """A test that uses the module's server finds it up and without jobs, whatever the one before it did."""
    if "server" not in request.fixturenames:
        return
    server = request.getfixturevalue("server")
    if server.process.poll() is not None:
        server.start()
    for job in server.jobs(all_stages=False):
        server.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    wait_clean(server)
