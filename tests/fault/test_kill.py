# SPDX-License-Identifier: Apache-2.0
"""kill -9 of hearthd and of monitors at random moments under load, with a checker (R1–R5, R26, R27)."""
import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest
import requests

from server import TERMINAL, wait_until


def left_overs(server):
    """What of a server's jobs is still on the machine, apart from attempt folders."""
    found = []
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu"):
        folder = pathlib.Path(root) / server.cgroup
        if folder.is_dir():
            found += [str(path) for path in folder.iterdir() if path.is_dir()]
    mounts = pathlib.Path("/proc/self/mounts").read_text()
    found += [line for line in mounts.splitlines() if str(server.state) in line]
    ports = subprocess.run(["ip", "-o", "link", "show", "master", server.bridge], capture_output=True, text=True).stdout
    found += [line for line in ports.splitlines() if line.strip()]
    found += [f"upper of {path.parent.name}" for path in (server.state / "attempts").glob("*/upper")]
    return found


def check_every_job_has_one_end(server, ids, lines_per_job):
    for job_id in ids:
        job = server.job(job_id)
        assert job["status"]["stage"] in TERMINAL, job
        lines = server.log_lines(job_id)
        if job["status"]["stage"] == "COMPLETED":
            assert lines == [f"line {n}" for n in range(lines_per_job)], (job_id, lines[:3], len(lines))
        else:
            assert "lost" in job["status"]["message"], job
            assert lines == [f"line {n}" for n in range(len(lines))], (job_id, lines[:3])
        again = server.log_lines(job_id)
        assert again == lines, "reading the log again gave other events"


def test_random_kills_under_load(make_server):
    server = make_server("[scheduler]\ncpus = 64\nmemory = 64G\n")
    chance = random.Random(2026)
    script = "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); [ $((i % 20)) -eq 0 ] && sleep 0.05; done; true"
    ids, refused = [], 0
    for turn in range(6):
        for _ in range(10):
            try:
                ids.append(server.submit(["sh", "-c", script])["id"])
            except (AssertionError, requests.RequestException):
                refused += 1
        time.sleep(chance.random())
        victims = server.live_monitors()
        if victims and turn % 2:
            os.kill(chance.choice(victims), signal.SIGKILL)
        server.kill9()
        time.sleep(chance.random() * 0.3)
        server.start()
    for job_id in ids:
        server.wait_job(job_id, seconds=120)
    wait_until(lambda: not server.live_monitors(), 20, "end of all monitors")
    wait_until(lambda: not left_overs(server), 20, f"clean machine, left: {left_overs(server)}")
    assert refused == 0
    check_every_job_has_one_end(server, ids, 200)


def test_an_acknowledged_submission_survives(server):
    """R1: the kill comes as soon as the answer is here."""
    ids = []
    for _ in range(5):
        ids.append(server.submit(["echo", "kept"])["id"])
        server.kill9()
        server.start()
    for job_id in ids:
        assert server.wait_job(job_id)["status"]["stage"] in ("COMPLETED", "ERROR")


def test_a_killed_monitor_is_told_and_reaped(server):
    sleep = f"sleep {os.getpid()}1"  # not that of another run on this machine
    job = server.submit(["sh", "-c", f"setsid {sleep} & echo started; {sleep}"])["id"]
    server.wait_job(job, ("RUNNING",))
    [monitor] = server.live_monitors()
    wait_until(lambda: len(subprocess.run(["pgrep", "-f", sleep], capture_output=True).stdout.split()) >= 2, 5, "both sleeps")
    os.kill(monitor, signal.SIGKILL)
    shown = server.wait_job(job, seconds=15)
    assert shown["status"]["stage"] == "ERROR" and "lost" in shown["status"]["message"]
    assert subprocess.run(["pgrep", "-f", sleep], capture_output=True).returncode == 1
    wait_until(lambda: not left_overs(server), 10, f"clean machine, left: {left_overs(server)}")


def test_the_next_attempt_starts_when_the_monitor_is_lost(server):
    script = "echo attempt; [ -n \"$SECOND\" ] || sleep 3"
    job = server.submit(["sh", "-c", script], attempts=2)["id"]
    server.wait_job(job, ("RUNNING",))
    [monitor] = server.live_monitors()
    log = pathlib.Path(server.state) / "attempts" / f"{job}.1" / "log"
    wait_until(lambda: b"attempt" in log.read_bytes(), 5, "the line of the first attempt")
    os.kill(monitor, signal.SIGKILL)
    shown = server.wait_job(job, seconds=30)
    assert shown["status"]["stage"] == "COMPLETED" and shown["status"]["failureCount"] == 1
    assert server.log_lines(job).count("attempt") == 2


def test_a_running_job_does_not_notice_a_restart(server):
    job = server.submit(["sh", "-c", "for i in 1 2 3 4 5 6; do echo tick $i; sleep 0.5; done"])["id"]
    server.wait_job(job, ("RUNNING",))
    server.kill9()
    time.sleep(1)
    server.start()
    assert server.job(job)["status"]["stage"] == "RUNNING"
    assert server.wait_job(job)["status"]["stage"] == "COMPLETED"
    assert server.log_lines(job) == [f"tick {n}" for n in range(1, 7)]


def test_an_end_while_hearthd_was_down_is_found(server):
    job = server.submit(["sh", "-c", "sleep 1; echo bye; exit 7"])["id"]
    server.wait_job(job, ("RUNNING",))
    server.kill9()
    wait_until(lambda: not server.live_monitors(), 10, "end of the monitor")
    server.start()
    shown = server.wait_job(job)
    assert shown["status"]["message"] == "Job failed with exit code: 7"
    assert server.log_lines(job) == ["bye"]
    assert shown["durations"]["runningSecs"] in (1, 2)


def test_a_canceled_job_stays_canceled_through_a_kill(server):
    job = server.submit(["sh", "-c", "trap '' TERM; while true; do sleep 1; done"])["id"]
    server.wait_job(job, ("RUNNING",))
    assert server.call("POST", f"/api/jobs/alice/{job}/cancel").json()["status"]["stage"] == "CANCELED"
    server.kill9()
    server.start()
    assert server.job(job)["status"]["stage"] == "CANCELED"
    wait_until(lambda: not server.live_monitors(), 30, "end of the canceled job's monitor")


def test_a_second_server_on_the_same_state_refuses(server):
    done = subprocess.run([server.process.args[0], "--config", server.config, "--state-dir", server.state,
                           "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    assert str(server.process.pid) in done.stderr or "another" in done.stderr
