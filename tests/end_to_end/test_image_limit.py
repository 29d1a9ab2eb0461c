# SPDX-License-Identifier: Apache-2.0
"""images.disk_limit: the least recently used images go, never one that a job uses."""
import os
import subprocess

import pytest

from faulty_registry import FaultyRegistry
from oci import Image, Layer, file, folder
from server import wait_until


@pytest.fixture(scope="module")
def registry_of_three():
    registry = FaultyRegistry()
    busybox = open("/bin/busybox", "rb").read()
    for name in "abc":
        base = [folder("bin"), file("bin/busybox", busybox, mode=0o755), file(f"only-in-{name}", os.urandom(1 << 20))]
        registry.add(f"lab/{name}", "1", Image([Layer(base)]))
    yield registry
    registry.server.shutdown()


def test_the_least_recently_used_goes(make_server, registry_of_three):
    host = registry_of_three.host
    limit = (os.stat("/bin/busybox").st_size + (1 << 20)) * 5 // 2  # two of the images fit, three do not
    server = make_server(f"[registry {host}]\nplain_http = yes\n[images]\ndisk_limit = {limit}\n")
    names = {letter: f"{host}/lab/{letter}:1" for letter in "abc"}

    def images():
        return {image["reference"] for image in server.call("GET", "/api/images").json()}

    server.call("DELETE", "/api/images/busybox")
    used = server.submit(["/bin/busybox", "sleep", "60"], image=names["a"])["id"]
    server.wait_job(used, ("RUNNING",))
    server.wait_job(server.submit(["/bin/busybox", "true"], image=names["b"])["id"])
    assert images() == {names["a"], names["b"]}
    # The third does not fit: b goes, although a is older, because a is in use.
    server.wait_job(server.submit(["/bin/busybox", "true"], image=names["c"])["id"])
    wait_until(lambda: images() == {names["a"], names["c"]}, 20, "eviction of b")
    stored = subprocess.run(["du", "-sb", server.state / "images/layers"], capture_output=True, text=True, check=True).stdout
    assert int(stored.split()[0]) < limit
    # And b comes back when it is wanted.
    assert server.wait_job(server.submit(["/bin/busybox", "true"], image=names["b"])["id"])["status"]["stage"] == "COMPLETED"
    server.call("POST", f"/api/jobs/alice/{used}/cancel")
