# SPDX-License-Identifier: Apache-2.0
"""Schedules over the real clock with kill -9, SIGSTOP and restarts: each due tick has exactly one row, each job one tick (R19, R21, R24)."""
import collections
import datetime
import os
import random
import signal
import subprocess
import time

import pytest

from server import wait_until

SETTINGS = "[schedules]\nmin_interval = 1s\n[scheduler]\ncpus = 64\nmemory = 256G\n"
# period in seconds, overlap, catch-up
PLANS = [(1, "allow", "latest"), (1, "skip", "latest"), (2, "allow", "all"), (2, "queue", "none"), (3, "skip", "3"), (5, "allow", "none"),
         (1, "replace", "latest"), (10, "queue", "all")]


@pytest.fixture(scope="module")
def server(make_server):
    return make_server(SETTINGS)


def seconds(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def create(server, period, overlap, catch_up):
    spec = {"command": ["sleep", "1"], "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox",
            "labels": {"hearth.overlap": overlap, "hearth.catch-up": catch_up}}
    schedule = "*/%d * * * * *" % period if period > 1 else "* * * * * *"
    answer = server.call("POST", "/api/scheduled-jobs/alice", json={"jobSpec": spec, "schedule": schedule})
    assert answer.status_code == 200, answer.text
    return answer.json()


def history(server, schedule):
    rows, path = [], f"/api/scheduled-jobs/alice/{schedule['id']}/history?limit=1000"
    while path:
        answer = server.call("GET", path)
        rows += answer.json()
        path = answer.links["next"]["url"][len(server.endpoint):] if "next" in answer.links else None
    return rows


def children(pid):
    text = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in text.splitlines() if line.split()[1] == "hearthd"]


def pause(server, duration):
    pids = [server.process.pid, *children(server.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(duration)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def check(schedule, period, rows, jobs):
    """Returns how often each outcome came."""
    first, last = seconds(schedule["createdAt"]), max(seconds(row["untilAt"]) for row in rows)
    due = {at for at in range(int(first) + 1, int(last) + 1) if at % 60 % period == 0}
    seen = collections.Counter()
    for row in rows:
        assert row["count"] == 1 and row["untilAt"] == row["dueAt"], row
        seen[int(seconds(row["dueAt"]))] += 1
        assert row["outcome"] != "failed", row
        assert (row["job"] is not None) == (row["outcome"] in ("ran", "caught-up")), row
        if row["outcome"] == "ran" and row["reason"] is None:
            assert seconds(row["decidedAt"]) >= seconds(row["dueAt"]), row
    assert set(seen) == due, (schedule["schedule"], sorted(due - set(seen)), sorted(set(seen) - due))
    assert max(seen.values()) == 1, seen.most_common(3)
    started = [row["job"]["id"] for row in rows if row["job"]]
    assert len(set(started)) == len(started)
    assert set(started) == jobs[schedule["id"]]
    return collections.Counter(row["outcome"] for row in rows)


def test_kills_and_pauses(server):
    chance = random.Random(os.environ.get("HEARTH_SEED", "2026"))
    schedules = [(create(server, *plan), plan[0]) for plan in PLANS]
    for _ in range(int(os.environ.get("HEARTH_ROUNDS", "4"))):
        time.sleep(chance.random() * 2)
        if chance.random() < 0.3:
            pause(server, chance.random() * 3)
            continue
        server.kill9()
        time.sleep(chance.choice([0, 0.5, 7]))
        server.start()
    # a pause that is longer than what counts as in time
    pause(server, 6.5)
    for schedule, _ in schedules:
        wait_until(lambda: server.call("POST", f"/api/scheduled-jobs/alice/{schedule['id']}/suspend").status_code == 200, 20, "suspension")
    jobs, path = collections.defaultdict(set), "/api/jobs/alice?limit=1000"
    while path:
        answer = server.call("GET", path)
        for job in answer.json():
            jobs[job["initiator"]["id"]].add(job["id"])
        path = answer.links["next"]["url"][len(server.endpoint):] if "next" in answer.links else None
    total = collections.Counter()
    for schedule, period in schedules:
        total += check(schedule, period, history(server, schedule), jobs)
    assert all(total[outcome] for outcome in ("ran", "caught-up", "missed", "skipped")), total
