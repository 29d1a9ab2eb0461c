# SPDX-License-Identifier: Apache-2.0
"""The queue with the real client and real containers: order, holding, repeating, and what a crash leaves of it."""
import datetime
import json
import os
import re
import signal

import pytest

import clients
from server import wait_until

# Room for one job of the flavor `whole` at a time, whatever the machine has.
NARROW = "[scheduler]\ncpus = 2\nmemory = 16G\n"


@pytest.fixture(scope="module")
def server(make_server):
    return make_server(NARROW)


@pytest.fixture(scope="module")
def hf(server):
    program = clients.hf("newest")

    def run(*words):
        return server.run(program, "jobs", *words)
    return run


@pytest.fixture
def blocker(server):
    """While it runs, every job of the flavor `whole` waits."""
    job = server.submit(["sleep", "600"], flavor="whole")["id"]
    server.wait_job(job, ["RUNNING"])
    yield job
    for job in server.jobs(all_stages=False):
        server.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    wait_until(lambda: not server.live_monitors(), 30, "end of all jobs")


def detached(hf, *words, flavor="whole"):
    done = hf("run", "-d", "--flavor", flavor, *words)
    assert done.returncode == 0, done.stderr
    return re.search(r"[0-9a-f]{24}", done.stdout).group(0)


def order(server):
    done = server.hearth("queue", "-q")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def at(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_priority_overtakes_and_can_be_changed_with_the_stock_client(server, hf, blocker):
    low = detached(hf, "-l", "hearth.priority=low", "busybox", "true")
    normal = detached(hf, "busybox", "true")
    high = detached(hf, "-l", "hearth.priority=high", "busybox", "true")
    assert order(server) == [high, normal, low]
    done = hf("labels", low, "-l", "hearth.priority=20", "-l", "a=b")
    assert done.returncode == 0, done.stderr
    assert order(server) == [low, high, normal]
    refused = hf("labels", low, "-l", "hearth.priority=top")
    assert refused.returncode == 1 and "labels.hearth.priority" in refused.stderr + refused.stdout
    assert server.job(low)["labels"]["a"] == "b"
    table = server.hearth("queue", "--no-truncate").stdout
    assert re.search(rf"1 +{low} +alice +alice +whole +20 ", table), table
    server.call("POST", f"/api/jobs/alice/{blocker}/cancel")
    ended = [server.wait_job(job) for job in (low, high, normal)]
    assert [job["status"]["stage"] for job in ended] == ["COMPLETED"] * 3
    assert ended[0]["finishedAt"] <= ended[1]["startedAt"] and ended[1]["finishedAt"] <= ended[2]["startedAt"]
    assert "No jobs are waiting." in server.hearth("queue").stdout


def test_a_held_job_is_released_by_label_and_by_command(server, hf):
    first = detached(hf, "-l", "hearth.hold=yes", "busybox", "true", flavor="tiny")
    second = detached(hf, "busybox", "sleep", "600", "-l", "hearth.hold=yes", flavor="tiny")
    assert server.job(first)["status"]["message"] == f"Held by its owner: hearth queue release {first}"
    assert re.search(rf"held +{first} ", server.hearth("queue", "--no-truncate").stdout)
    row = next(row for row in json.loads(server.hearth("queue", "--json").stdout) if row["job_id"] == first)
    assert row["position"] is None and row["hold"] == "owner" and row["flavor"] == "tiny"
    assert hf("labels", first, "-l", "hearth.hold=no").returncode == 0
    assert server.wait_job(first)["status"]["stage"] == "COMPLETED"
    done = server.hearth("queue", "release", second)
    assert done.returncode == 0 and second in done.stdout
    server.wait_job(second, ["RUNNING"])
    again = server.hearth("queue", "hold", second)
    assert again.returncode == 1 and "does not wait in the queue: it is running" in again.stderr
    server.call("POST", f"/api/jobs/alice/{second}/cancel")


def test_admins_order_the_queue_and_it_survives_a_crash(server, hf, blocker):
    a, b, c = (server.submit(flavor="whole")["id"] for _ in range(3))
    held = server.submit(flavor="whole", labels={"hearth.hold": "yes"})["id"]
    for words in (["first", c], ["hold", a], ["priority", b, "3"]):
        done = server.hearth("admin", "queue", *words)
        assert done.returncode == 0, done.stderr
    before = order(server)
    assert before[:2] == [c, b] and set(before[2:]) == {a, held}
    server.kill9()
    server.start()
    assert order(server)[:2] == [c, b]
    rows = {row["id"]: row for row in server.call("GET", "/api/queue").json()}
    assert rows[a]["hold"] == "admin" and rows[held]["hold"] == "owner" and rows[b]["priority"] == 3
    refused = server.hearth("queue", "release", a)
    assert refused.returncode == 1 and "held by an admin" in refused.stderr
    assert server.hearth("admin", "queue", "release", a).returncode == 0
    assert order(server) == [c, b, a, held]


def test_limits_and_groups_by_command(server):
    for words in (["org", "add", "lab"], ["org", "member", "lab", "alice", "write"]):
        assert server.hearth("admin", *words).returncode == 0
    group = server.hearth("admin", "groups", "create", "lab", "vision", "-q").stdout.split()[0]
    assert server.hearth("admin", "group", "ls", "lab", "-q").stdout.split() == [group]
    done = server.hearth("admin", "limits", "set", group, "--group", "--max-running", "0", "--max-devices", "none", "--no-truncate")
    assert done.returncode == 0 and "lab/vision" in done.stdout, done.stderr
    refused = server.hearth("run", "--namespace", "lab", "--resource-group-id", group, "--flavor", "tiny", "busybox", "true")
    assert refused.returncode == 1 and "the resource group vision may not run jobs" in refused.stderr
    assert "vision" in server.hearth("admin", "limits", "ls", "--no-truncate").stdout
    server.kill9()
    server.start()
    assert server.hearth("run", "--namespace", "lab", "--resource-group-id", group, "--flavor", "tiny", "busybox", "true").returncode == 1
    assert server.hearth("admin", "limits", "set", group, "--group", "--max-running", "default", "--max-devices", "default").returncode == 0
    assert server.hearth("run", "--namespace", "lab", "--resource-group-id", group, "--flavor", "tiny", "busybox", "true").returncode == 0
    for words, word in ((["limits", "set", "lab", "--weight", "none"], "--weight must be a whole number from 1 to 1000 or default"),
                        (["limits", "set", "lab", "--max-queued", "x"], "--max-queued must be a whole number, none or default"),
                        (["limits", "set", "nobody", "--weight", "5"], "no namespace nobody"), (["limits", "set", "lab"], "Nothing to set"),
                        (["limits", "set", "lab", "--weight", "heavy"], "--weight"), (["limits", "show", "lab", "--user"], "no user lab"),
                        (["queue", "priority", "0" * 24, "x"], "whole number"), (["queue", "first", "0" * 24], "Job not found")):
        done = server.hearth("admin", *words)
        assert done.returncode == 1 and word in done.stderr, done.stderr


def test_options_of_our_own_client_become_labels(server):
    def run(*words):
        done = server.hearth("run", "-d", "-q", "--flavor", "tiny", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
    first = run("--hold", "busybox", "true")
    job = run("--priority", "-5", "--after", f"alice/{first}", "--after", first, "--hold", "--attempts", "2", "--retry", "oom,exit-3",
              "--retry-delay", "1m", "--grace", "5", "--warning", "1m", "busybox", "echo", "--priority", "high")
    shown = server.job(job)
    assert {key: value for key, value in shown["labels"].items() if key != "name"} == {
        "hearth.priority": "-5", "hearth.after": f"{first},{first}", "hearth.hold": "yes", "hearth.retry": "oom,exit-3",
        "hearth.retry-delay": "1m", "hearth.grace": "5", "hearth.warning": "1m"}
    assert shown["command"] == ["echo", "--priority", "high"] and shown["attempts"] == 2
    both = server.hearth("run", "-d", "--hold", "-l", "hearth.hold=no", "busybox", "true")
    assert both.returncode == 1 and "--hold and --label hearth.hold" in both.stderr
    for job in job, first:
        server.call("POST", f"/api/jobs/alice/{job}/cancel")


def starts(server, job):
    """When the attempts of a job were made, as its log says."""
    answer = server.call("GET", f"/api/jobs/alice/{job}/logs").content.decode()
    return [at(found) for found in re.findall(r"Job started at [^\"]+\",\"timestamp\":\"([^\"]+)\"", answer)]


def test_the_pause_before_the_next_attempt_survives_a_crash(server, hf):
    job = detached(hf, "-l", "hearth.attempts=3", "-l", "hearth.retry=exit-9", "-l", "hearth.retry-delay=2", "busybox", "sh", "-c",
                   "echo try; exit 9", flavor="tiny")
    wait_until(lambda: server.job(job)["status"]["failureCount"] == 1, 20, "the first failure")
    assert server.job(job)["status"]["message"] == "Job failed with exit code: 9; attempt 2 of 3 in 2 s"
    server.kill9()
    server.start()
    wait_until(lambda: server.job(job)["status"]["failureCount"] == 2, 20, "the second failure")
    server.kill9()
    server.start()
    ended = server.wait_job(job)
    assert ended["status"] == {"stage": "ERROR", "message": "Job failed with exit code: 9", "failureCount": 3}
    assert server.log_lines(job) == ["try"] * 3
    first, second, third = starts(server, job)
    assert (second - first).total_seconds() >= 2 and (third - second).total_seconds() >= 4


@pytest.mark.parametrize("rule, failures", [("lost", 2), ("exit.oom", 1)])
def test_a_lost_monitor_is_repeated_if_asked(server, rule, failures):
    job = server.submit(["sh", "-c", "echo up; sleep 600"], labels={"hearth.attempts": "2", "hearth.retry": rule,
                                                                           "hearth.retry-delay": "0"})["id"]
    for attempt in range(1, failures + 1):
        log = server.state / "attempts" / f"{job}.{attempt}" / "log"
        wait_until(lambda: log.exists() and b" o up\n" in log.read_bytes(), 20, "a line in the log")
        for pid in server.live_monitors():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: server.job(job)["status"]["failureCount"] == attempt, 30, "the loss to be seen")
    assert server.job(job)["status"]["stage"] == "ERROR"
    assert "monitor was lost" in server.job(job)["status"]["message"]
