# SPDX-License-Identifier: Apache-2.0
"""The unmodified `hf` of an old and a new release on a server with accelerators (made-up cards: tests/tools/fake_nvml.c)."""
import re

import pytest

import clients
from devices import Card, Devices
from fake_nvml import GIB


@pytest.fixture(scope="module")
def devices():
    devices = Devices([Card("NVIDIA L40S", 45 * GIB), Card("NVIDIA GeForce RTX 4090", 24 * GIB)])
    yield devices
    devices.remove()


@pytest.fixture(scope="module")
def server(make_server, devices):
    return make_server(devices.settings() + "[flavor t4-small]\nvcpu = 1\nmemory = 1G\ndevices = nvidia.com/gpu\nallow = bob\n")


@pytest.fixture(scope="module", params=["1.5", "newest"])
def hf(request, server):
    program = clients.hf(request.param)

    def run(*words):
        return server.run(program, *words, timeout=60)
    return run


def test_hardware_lists_what_the_caller_may_use(hf):
    done = hf("jobs", "hardware")
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "l40sx1" in line)
    assert re.search(r"1x\s*L40S", row) and "$1.80" in row, row  # what is behind is cut off by some
    row = next(line for line in done.stdout.splitlines() if "rtx-4090" in line)
    assert "1x RTX" in row and ("free" in row or "$0.00 " in row), row
    assert "t4-small" not in done.stdout


def test_a_job_on_a_card(hf, server, devices):
    done = hf("jobs", "run", "--flavor", "l40sx1", "busybox", "ls", "/dev")
    assert done.returncode == 0, done.stderr
    assert "loop0" in done.stdout and "loop1" not in done.stdout
    job = re.search(r"\b[0-9a-f]{24}\b", done.stdout + done.stderr).group(0)
    shown = hf("jobs", "inspect", job)
    assert shown.returncode == 0 and "l40sx1" in shown.stdout, shown
    assert server.job(job)["status"]["stage"] == "COMPLETED"


def test_a_flavor_of_others_is_refused_with_a_sentence(hf):
    done = hf("jobs", "run", "--flavor", "t4-small", "busybox", "true")
    assert done.returncode == 1 and 'flavor "t4-small" is not open to alice' in done.stdout + done.stderr, done
    assert "l40sx1" in done.stdout + done.stderr
