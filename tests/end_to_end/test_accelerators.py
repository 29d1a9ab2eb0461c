# SPDX-License-Identifier: Apache-2.0
"""Accelerators from the inventory to the job: which flavors are offered and to whom, who gets which device, what happens when
a card fails, a driver hangs, or a job does nothing with what it holds. The cards are of tests/tools/fake_nvml.c."""
import json
import os
import pathlib
import signal
import sqlite3
import subprocess

import pytest

from devices import Card, Devices, name_of
from fake_nvml import GIB
from server import BUILD, wait_until

FLAVORS = """
[flavor fuse]
vcpu = 0.1
memory = 64M
devices = test.hearth/fuse
manufacturer = Linux
max_timeout = 10m
[flavor fuse-lab]
vcpu = 0.1
memory = 64M
devices = test.hearth/fuse
allow = lab
[flavor fuse-pair]
vcpu = 0.1
memory = 64M
devices = test.hearth/fuse
device_count = 2
[scheduler]
memory = 8G
cpus = 4
"""


@pytest.fixture(scope="module")
def devices():
    devices = Devices([Card("NVIDIA A100-SXM4-80GB", 80 * GIB), Card("NVIDIA A100-SXM4-80GB", 80 * GIB)])
    yield devices
    devices.remove()


@pytest.fixture(scope="module")
def hearth(make_server, devices):
    server = make_server(devices.settings("probe_timeout = 3s\n") + FLAVORS)
    for words in (("org", "add", "lab"), ("user", "add", "bob"), ("user", "add", "carol"), ("org", "member", "lab", "bob", "write")):
        done = server.hearth("admin", *words)
        assert done.returncode == 0, done.stderr
    server.others = {name: server.hearth("admin", "token", "add", name, "-q").stdout.strip() for name in ("bob", "carol")}
    server.devices = devices
    yield server


@pytest.fixture(autouse=True)
def end_jobs(request):
    """A test that fails keeps nothing from the next one."""
    yield
    for server in (request.node.funcargs.get(name) for name in ("hearth", "idle_server")):
        for job in server.jobs(all_stages=False) if server else ():
            server.call("POST", f"/api/jobs/{job['owner']['name']}/{job['id']}/cancel")
        if server:
            wait_until(lambda: not any(row["busy"] for row in server.call("GET", "/api/devices").json()), what="free devices")
            for card in server.devices.nvml.cards:
                card.utilization = 0
            server.devices.nvml.write()


def find(server, name):
    return next((row for row in server.call("GET", "/api/devices").json() if row["name"] == name), None)


def wait_device(server, name, condition, what="a change of the device", seconds=20):
    def look():
        row = find(server, name)
        return row if row and condition(row) else None
    return wait_until(look, seconds, what)


def names(server, token=None):
    return [flavor["name"] for flavor in server.call("GET", "/api/jobs/hardware", token).json()]


def submit(server, flavor, script="sleep 600", **more):
    return server.submit(["sh", "-c", script], flavor=flavor, **more)


def watcher(server):
    """The process id of the server's hearth-devices."""
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if str(server.devices.cdi).encode() in (path / "cmdline").read_bytes() and b"watch" in (path / "cmdline").read_bytes():
                return int(path.name)
        except OSError:
            pass
    return None


def test_what_is_offered(hearth, devices):
    flavors = {flavor["name"]: flavor for flavor in hearth.call("GET", "/api/jobs/hardware", "").json()}
    # Of the Hub's flavors of this card the machine has room for none: the smallest is offered with half of it.
    assert list(flavors)[-2:] == ["fuse", "a100-large"] and "a100x4" not in flavors
    assert flavors["a100-large"]["cpu"] == "2 vCPU" and flavors["a100-large"]["ram"] == "4 GB"
    assert flavors["a100-large"]["accelerator"] == {"type": "gpu", "model": "A100", "quantity": "1", "vram": "80 GB", "manufacturer": "Nvidia"}
    assert flavors["a100-large"]["unitCostMicroUSD"] == 41667
    assert flavors["fuse"]["accelerator"] == {"type": "gpu", "model": "fuse", "quantity": "1", "vram": "N/A", "manufacturer": "Linux"}
    assert "[flavor fuse-pair] is not offered: this machine has not 2 of test.hearth/fuse" in hearth.log_text()


def test_hand_written_specifications():
    """A number says nothing about a device, its class does; and of one that is left out the reason is said."""
    written = Devices(things=("0",))
    try:
        written.write("test.hearth/ghost", {"0": "/dev/no-such-node"}, "ghost.json")
        done = subprocess.run([BUILD / "src/container/hearth-devices", "list", "--cdi-dir", written.cdi, "--nvml", "off"],
                              capture_output=True, text=True, timeout=20)
        listed = {row["name"]: row["model"] for row in map(json.loads, done.stdout.splitlines())}
        assert listed == {"test.hearth/fuse=0": "fuse"}, listed
        assert "device test.hearth/ghost=0 is left out: there is no /dev/no-such-node" in done.stderr
    finally:
        written.remove()


def test_what_is_offered_to_whom(hearth):
    assert "fuse-lab" not in names(hearth) and "fuse-lab" not in names(hearth, "hf_wrong")
    assert "fuse-lab" in names(hearth, hearth.others["bob"]) and "fuse-lab" not in names(hearth, hearth.others["carol"])
    body = {"command": ["true"], "dockerImage": "busybox"}

    def refused(flavor, user="alice", namespace=None, **more):
        answer = hearth.call("POST", f"/api/jobs/{namespace or user}", hearth.others.get(user), json={**body, "flavor": flavor, **more})
        return answer.status_code, answer.json().get("error", "")
    status, text = refused("fuse-lab", "carol")
    assert status == 403 and text.startswith('flavor "fuse-lab" is not open to carol') and text.endswith("fuse, a100-large")
    status, text = refused("a1000", "bob", "lab")
    assert status == 400 and '"a1000" is not known; this server has: ' in text and "fuse-lab" in text
    status, text = refused("a1000", "bob")
    assert status == 400 and "fuse-lab" not in text
    status, text = refused("fuse-pair")
    assert status == 400 and "needs 2 test.hearth/fuse" in text
    status, text = refused("fuse", timeoutSeconds=601)
    assert status == 400 and text == "timeoutSeconds must be at most 600 (10m) with the flavor fuse"
    status, text = refused("fuse-lab", "bob", "lab")
    assert status == 200, text
    # Nor by a way around: a schedule, a webhook, the same job again for somebody else.
    answer = hearth.call("POST", "/api/scheduled-jobs/alice", json={"schedule": "@hourly", "jobSpec": {**body, "flavor": "fuse-lab"}})
    assert answer.status_code == 403 and "fuse-lab" in answer.json()["error"]
    answer = hearth.call("POST", "/api/settings/webhooks", json={"watched": [{"type": "bucket", "name": "alice/b"}],
                                                                 "job": {**body, "flavor": "fuse-lab"}})
    assert answer.status_code == 403 and "fuse-lab" in answer.json()["error"]


def test_the_longest_time_is_the_default(hearth):
    job = hearth.submit(["true"], flavor="fuse")
    assert job["timeout"] == 600


def test_a_job_sees_its_device_and_no_other(hearth, devices):
    nodes = {name_of(card): f"loop{number}" for number, card in enumerate(devices.nvml.cards)}
    nodes["test.hearth/fuse=fuse"] = "fuse"

    def look(job):
        hearth.wait_job(job["id"], ("RUNNING",))
        wait_until(lambda: "zero" in hearth.log_lines_now(job["id"]), what="the job's words")
        (device,) = hearth.job(job["id"])["hearth"]["devices"]
        assert {line for line in hearth.log_lines_now(job["id"]) if line.startswith(("loop", "fuse"))} == {nodes[device["name"]]}
        assert find(hearth, device["name"])["jobs"] == [job["id"]]
        return device["name"]
    fuse = submit(hearth, "fuse", "ls /dev; sleep 600")
    assert look(fuse) == "test.hearth/fuse=fuse"
    hearth.call("POST", f"/api/jobs/alice/{fuse['id']}/cancel")
    first, second = (submit(hearth, "a100-large", "ls /dev; sleep 600") for _ in range(2))
    held = {job["id"]: look(job) for job in (first, second)}
    assert sorted(held.values()) == sorted(map(name_of, devices.nvml.cards))
    # Everyone sees that they are busy; by which jobs, who may see those.
    rows = hearth.call("GET", "/api/devices", hearth.others["carol"]).json()
    assert [(row["busy"], row["jobs"]) for row in rows] == [(True, []), (True, []), (False, [])], rows
    assert hearth.call("GET", "/api/devices", "").status_code == 401
    metrics = hearth.call("GET", "/metrics", "").text
    assert "\nhearth_devices 3\n" in metrics and "\nhearth_devices_used 2\n" in metrics and "\nhearth_devices_unhealthy 0\n" in metrics
    shown = hearth.hearth("devices", "--format", "agent").stdout
    assert first["id"] in shown and "80 GiB" in shown and "ok" in shown
    assert hearth.hearth("devices", "-q").stdout.split() == [row["name"] for row in rows]
    # A third one waits for a card, and gets that of the one that ends.
    third = submit(hearth, "a100-large")
    message = wait_until(lambda: hearth.job(third["id"])["status"]["message"], what="why it waits")
    assert "A100" in message, message
    hearth.call("POST", f"/api/jobs/alice/{first['id']}/cancel")
    hearth.wait_job(third["id"], ("RUNNING",))
    assert [device["name"] for device in hearth.job(third["id"])["hearth"]["devices"]] == [held[first["id"]]]


def test_a_failing_card_takes_no_jobs(hearth, devices):
    bad, good = devices.nvml.cards
    bad.ecc = 1
    devices.nvml.write()
    wait_device(hearth, name_of(bad), lambda row: not row["healthy"] and "uncorrectable" in row["fault"])
    first = submit(hearth, "a100-large")
    hearth.wait_job(first["id"], ("RUNNING",))
    assert [device["name"] for device in hearth.job(first["id"])["hearth"]["devices"]] == [name_of(good)]
    second = submit(hearth, "a100-large")
    wait_until(lambda: hearth.job(second["id"])["status"]["message"], what="why it waits")
    assert hearth.job(second["id"])["status"]["stage"] == "SCHEDULING"
    assert "hearth_devices_unhealthy 1" in hearth.call("GET", "/metrics", "").text
    assert "fault: has had 1 uncorrectable memory error" in hearth.hearth("devices", "--format", "agent").stdout
    bad.ecc = 0
    devices.nvml.write()
    hearth.wait_job(second["id"], ("RUNNING",))


def test_a_driver_that_hangs_stops_nothing_else(hearth, devices):
    card = devices.nvml.cards[0]
    running = submit(hearth, "a100-large")
    hearth.wait_job(running["id"], ("RUNNING",))
    devices.nvml.hang = True
    devices.nvml.write()
    try:
        wait_device(hearth, name_of(card), lambda row: row["fault"] == "the driver does not answer")
        assert find(hearth, "test.hearth/fuse=fuse")["healthy"]
        done = hearth.submit(["true"], flavor="fuse")
        assert hearth.wait_job(done["id"])["status"]["stage"] == "COMPLETED"
        waiting = submit(hearth, "a100-large")
        wait_until(lambda: hearth.job(waiting["id"])["status"]["message"], what="why it waits")
        # A start in this state takes no longer than the patience with the driver, and forgets neither cards nor flavors.
        hearth.restart()
        assert "a100-large" in names(hearth)
        assert find(hearth, name_of(card))["fault"] == "the driver does not answer" and find(hearth, name_of(card))["model"].startswith("NVIDIA A100")
        assert hearth.job(running["id"])["status"]["stage"] == "RUNNING" and hearth.job(waiting["id"])["status"]["stage"] == "SCHEDULING"
        assert [device["name"] for device in hearth.job(running["id"])["hearth"]["devices"]] in ([name_of(each)] for each in devices.nvml.cards)
    finally:
        devices.nvml.hang = False
        devices.nvml.write()
    hearth.wait_job(waiting["id"], ("RUNNING",), 40)
    wait_device(hearth, name_of(card), lambda row: row["healthy"])


def test_a_watcher_that_dies_is_started_again(hearth, devices):
    pid = wait_until(lambda: watcher(hearth), what="hearth-devices")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: watcher(hearth) not in (None, pid), what="another hearth-devices")
    devices.nvml.cards[0].utilization = 55
    devices.nvml.write()
    wait_device(hearth, name_of(devices.nvml.cards[0]), lambda row: row.get("utilization") == 55)
    devices.nvml.cards[0].utilization = 0
    devices.nvml.write()


def test_cards_that_vanish_and_come_back(hearth, devices):
    cards = list(devices.nvml.cards)
    devices.nvml.cards = cards[:1]
    devices.nvml.write()
    devices.write_cards()
    wait_until(lambda: find(hearth, name_of(cards[1])) is None, 20, "the end of a card")
    # Once there is none left, the flavor is known, but not offered; who waits goes on waiting, also over a restart.
    waiting = [submit(hearth, "a100-large") for _ in range(2)]
    wait_until(lambda: any(hearth.job(job["id"])["status"]["stage"] == "RUNNING" for job in waiting), what="the one that runs")
    late = next(job for job in waiting if hearth.job(job["id"])["status"]["stage"] != "RUNNING")
    devices.nvml.cards = []
    devices.nvml.write()
    devices.write_cards()
    wait_until(lambda: find(hearth, name_of(cards[0])) is None, 20, "the end of the other card")
    assert "a100-large" not in names(hearth)
    refused = hearth.call("POST", "/api/jobs/alice", json={"command": ["true"], "dockerImage": "busybox", "flavor": "a100-large"})
    assert refused.status_code == 400 and "needs 1 A100" in refused.json()["error"]
    hearth.restart()
    assert "a100-large" not in names(hearth)
    assert hearth.job(late["id"])["status"]["stage"] == "SCHEDULING"
    (shown,) = hearth.job(next(job for job in waiting if job is not late)["id"])["hearth"]["devices"]
    assert shown == {"name": name_of(cards[0]), "healthy": False, "fault": "has gone"}
    devices.nvml.cards = cards
    devices.nvml.write()
    devices.write_cards()
    hearth.wait_job(late["id"], ("RUNNING",), 40)
    assert "a100-large" in names(hearth)


@pytest.fixture(scope="module")
def idle_server(make_server):
    devices = Devices([Card("NVIDIA L4", 24 * GIB), Card("NVIDIA L4", 24 * GIB), Card("NVIDIA L4", 24 * GIB)])
    server = make_server(devices.settings("idle_warn = 4s\nidle_stop = 9s\n") + "[scheduler]\nmemory = 3G\ncpus = 3\n[webhooks]\nprivate_addresses = yes\n")
    server.devices = devices
    yield server
    devices.remove()


def test_a_job_that_does_nothing_with_its_card(idle_server):
    server, devices = idle_server, idle_server.devices
    hook = server.call("POST", "/api/settings/webhooks", json={"jobs": {"events": ["idle"]}, "url": "http://127.0.0.1:9/"}).json()["webhook"]["id"]
    idle = submit(server, "l4x1")
    kept = submit(server, "l4x1", labels={"hearth.idle": "keep"})
    for job in (idle, kept):
        server.wait_job(job["id"], ("RUNNING",))
    # The third one's card is busy.
    used = {server.job(job["id"])["hearth"]["devices"][0]["name"] for job in (idle, kept)}
    (free,) = [card for card in devices.nvml.cards if name_of(card) not in used]
    free.utilization = 3
    devices.nvml.write()
    busy = submit(server, "l4x1")
    message = wait_until(lambda: server.job(idle["id"])["status"]["message"], 20, "the warning")
    assert message.startswith("Idle for ") and "cancelled after 9s unless it has the label hearth.idle=keep" in message
    ended = server.wait_job(idle["id"], seconds=30)
    assert ended["status"]["stage"] == "CANCELED" and ended["status"]["cancelReason"] == "IDLE"
    assert ended["status"]["message"].startswith("Cancelled because its accelerators, CPUs and network did nothing for ")
    told = [row["payload"] if isinstance(row["payload"], dict) else json.loads(row["payload"])
            for row in server.call("GET", f"/api/settings/webhooks/{hook}/deliveries").json()]
    assert [(payload["event"]["action"], payload["job"]["id"]) for payload in told] == [("idle", idle["id"])], told
    for job in (kept, busy):
        assert server.job(job["id"])["status"] == {"stage": "RUNNING", "message": None, "failureCount": 0}


def test_a_warning_is_given_once_and_taken_back(idle_server):
    server, devices = idle_server, idle_server.devices
    job = submit(server, "l4x1")
    server.wait_job(job["id"], ("RUNNING",))
    (name,) = [device["name"] for device in server.job(job["id"])["hearth"]["devices"]]
    (card,) = [card for card in devices.nvml.cards if name_of(card) == name]
    wait_until(lambda: server.job(job["id"])["status"]["message"], 20, "the warning")
    server.restart()
    wait_until(lambda: server.job(job["id"])["status"]["message"], 10, "the warning after a restart")
    card.utilization = 40
    devices.nvml.write()
    wait_until(lambda: server.job(job["id"])["status"]["message"] is None, 20, "the end of the warning")
    assert server.job(job["id"])["status"]["stage"] == "RUNNING"
    database = sqlite3.connect(f"file:{server.state}/db/hearth.db?mode=ro", uri=True)
    warnings = [row[0] for row in database.execute("SELECT data FROM events JOIN jobs ON jobs.seq = events.job WHERE kind = 'warning' "
                                                   "AND jobs.id = ?", (job["id"],))]
    database.close()
    assert len(warnings) == 1 and json.loads(warnings[0])["about"] == "idle", warnings


def test_a_job_that_computes_on_its_cpus_is_not_idle(idle_server):
    server = idle_server
    job = submit(server, "l4x1", "while :; do :; done")
    other = submit(server, "l4x1")
    ended = server.wait_job(other["id"], seconds=30)
    assert ended["status"]["cancelReason"] == "IDLE"
    assert server.job(job["id"])["status"] == {"stage": "RUNNING", "message": None, "failureCount": 0}
