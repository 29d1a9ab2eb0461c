# SPDX-License-Identifier: Apache-2.0
"""What the devices of a job do, in its metrics: the monitor's own hearth-devices on cards that are not there
(tests/tools/fake_nvml.c)."""
import concurrent.futures
import json
import os
import re
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))
import attempt as attempt_module  # noqa: E402
import clients  # noqa: E402
import metrics  # noqa: E402
from devices import Devices  # noqa: E402
from fake_nvml import GIB, Card, FakeNvml  # noqa: E402
from server import wait_until  # noqa: E402

MONITOR = attempt_module.find_monitor()
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not MONITOR, reason="needs root and hearth-monitor")


@pytest.fixture()
def nvml():
    base = tempfile.mkdtemp(prefix="hearth-nvml.", dir="/var/tmp")  # a monitor covers /tmp
    os.chmod(base, 0o755)
    yield FakeNvml(os.path.join(base, "nvml"), [Card(utilization=40, used=3 * GIB), Card(utilization=70, used=5 * GIB)])
    shutil.rmtree(base)


@pytest.fixture()
def lab(nvml):
    lab = attempt_module.Lab(MONITOR, {"devices.nvml": nvml.library, "devices.probe_timeout": "2s"})
    yield lab
    lab.close()


def newest(attempt):
    path = attempt.path + "/metrics"
    samples = metrics.read(path)[1] if os.path.exists(path) and os.path.getsize(path) >= metrics.HEADER.size else []
    return samples[-1]["devices"] if samples else []


def watcher(attempt):
    """The process id of hearth-devices, a child of the monitor; None: there is none."""
    with open(f"/proc/{attempt.monitor_pid()}/task/{attempt.monitor_pid()}/children") as f:
        for pid in f.read().split():
            try:
                if open(f"/proc/{pid}/comm").read().strip() == "hearth-devices":
                    return int(pid)
            except OSError:
                pass
    return None


def test_readings(lab, nvml):
    first, second = nvml.cards
    a = lab.start(["sleep", "60"], metrics_devices=[second.uuid, first.uuid])
    a.running()
    wait_until(lambda: newest(a) == [(70, 5 * GIB), (40, 3 * GIB)], 20, "the readings")
    header, _ = metrics.read(a.path + "/metrics")
    assert header["uuids"] == [second.uuid, first.uuid] and header["device_memory"] == [141 * GIB, 141 * GIB]
    pid = watcher(a)
    facts = open(f"/proc/{pid}/status").read()
    assert "Uid:\t0" not in facts and "CapEff:\t0000000000000000" in facts and "NoNewPrivs:\t1" in facts
    assert lab.cgroup not in open(f"/proc/{pid}/cgroup").read()
    assert os.path.samefile(f"/proc/{pid}/cwd", "/"), "not in the stage"
    first.utilization = 99
    nvml.write()
    wait_until(lambda: newest(a)[1][0] == 99, 20, "the new reading")
    a.tell({"type": "cancel"})
    a.wait()
    assert not os.path.exists(f"/proc/{pid}"), "it ends with the monitor"


def test_what_dies_comes_back(lab, nvml):
    a = lab.start(["sleep", "60"], metrics_devices=[nvml.cards[0].uuid])
    a.running()
    wait_until(lambda: newest(a) == [(40, 3 * GIB)], 20, "the reading")
    before = watcher(a)
    os.kill(before, signal.SIGKILL)
    nvml.cards[0].utilization = 41
    nvml.write()
    wait_until(lambda: newest(a) == [(41, 3 * GIB)], 20, "the reading of the next one")
    assert watcher(a) not in (before, None)
    a.tell({"type": "cancel"})
    a.wait()


def test_a_driver_that_hangs_costs_its_figures_only(lab, nvml):
    nvml.hang = True
    nvml.write()
    a = lab.start(["sh", "-c", "sleep 5; echo done"], metrics_devices=[nvml.cards[0].uuid])
    a.running()
    a.wait()
    assert a.exit["outcome"] == "exited" and a.lines() == ["done"] and a.exit["running_us"] < 6e6
    _, samples = metrics.read(a.path + "/metrics")
    assert len(samples) >= 5 and all(sample["devices"] == [(-1, 0)] for sample in samples)


def test_a_program_that_is_not_there(lab, nvml, tmp_path):
    """The monitor alone in a folder, as after a broken installation."""
    shutil.copy(MONITOR, tmp_path / "hearth-monitor")
    lab.monitor = str(tmp_path / "hearth-monitor")
    a = lab.run(["sleep", "1"], metrics_devices=["GPU-1"])
    assert a.exit["outcome"] == "exited"
    _, samples = metrics.read(a.path + "/metrics")
    assert samples and samples[-1]["devices"] == [(-1, 0)]


def test_strange_names(lab, nvml):
    names = ["--nvml=/etc/passwd", "GPU-" + "x" * 500, "a,b", ""] + [f"GPU-{i}" for i in range(40)]
    a = lab.run(["sleep", "0.5"], metrics_devices=names)
    assert a.exit["outcome"] == "exited"
    header, samples = metrics.read(a.path + "/metrics")
    assert len(header["uuids"]) == 16 and samples


# From the card to the clients

@pytest.fixture(scope="module")
def devices():
    devices = Devices([Card("NVIDIA H200", 141 * GIB, utilization=37, used=12 * GIB)])
    yield devices
    devices.remove()


@pytest.fixture(scope="module")
def hearth(make_server, devices):
    return make_server(devices.settings() + "[flavor card]\nvcpu = 0.1\nmemory = 64M\ndevices = nvidia.com/gpu\n")


def streams(server):
    text = server.call("GET", "/metrics").text
    return int(float(re.search(r"^hearth_http_streams (\S+)$", text, re.M).group(1)))


def samples(server, job):
    return len(server.call("GET", f"/api/jobs/alice/{job}/metrics/history").json()["samples"])


def test_clients_see_the_card(hearth, devices):
    card = devices.nvml.cards[0]
    short = card.uuid[4:12]
    job = hearth.submit(["sleep", "60"], flavor="card")["id"]
    hearth.wait_job(job, ("RUNNING",))
    stream = hearth.call("GET", f"/api/jobs/alice/{job}/metrics", stream=True)
    for line in stream.iter_lines():
        if line.startswith(b"data: {") and json.loads(line[6:])["gpus"]:
            break
    stream.close()
    assert json.loads(line[6:])["gpus"] == {short: {"utilization": 37, "memory_used_bytes": 12 * GIB, "memory_total_bytes": 141 * GIB}}
    # The old client shows nothing of a stream that has ended: it looks on while the job ends.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        old = pool.submit(clients.on_terminal, [clients.hf("1.3"), "jobs", "stats", job], hearth.environment())
        wait_until(lambda: streams(hearth) == 1, 30, "its stream")
        seen = samples(hearth, job)
        wait_until(lambda: samples(hearth, job) >= seen + 3, 30, "samples for it")
        hearth.call("POST", f"/api/jobs/alice/{job}/cancel")
    wait_until(lambda: not hearth.live_monitors(), 20, "its end")
    for shown in (old.result(), clients.on_terminal([clients.hf("newest"), "jobs", "stats", job], hearth.environment())):
        assert "37%" in shown and "12.9GB / 151.4GB" in shown, shown
    done = hearth.hearth("stats", job)
    assert "37%" in done.stdout and "12.9GB / 151.4GB" in done.stdout, done.stdout + done.stderr
    done = hearth.hearth("stats", "--history", job)
    assert f"GPU {short} UTIL %" in done.stdout and "12.9GB" in done.stdout, done.stdout + done.stderr
    history = hearth.call("GET", f"/api/jobs/alice/{job}/metrics/history").json()
    assert history["gpus"] == {short: {"memoryTotalBytes": 141 * GIB}}
    assert history["samples"][-1]["gpus"] == {short: {"utilization": 37, "memoryBytes": 12 * GIB}}
