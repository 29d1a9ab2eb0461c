# SPDX-License-Identifier: Apache-2.0
import pytest

from fake import FakeServer


@pytest.fixture(scope="module")
def make_fake():
    servers = []

    def make(*settings):
        servers.append(FakeServer("server.log_level=debug", "scheduler.cpus=1000", "scheduler.memory=10000G", *settings))
        return servers[-1]
    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def fake(make_fake):
    return make_fake()
