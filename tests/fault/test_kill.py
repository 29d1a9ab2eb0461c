# SPDX-License-Identifier: Apache-2.0
"""kill -9 of hearthd and of monitors, at random and at chosen moments, with a checker (R1–R7, R9, R11–R13, R26, R27)."""
import json
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import requests

from leftovers import check_one_end, recorded, wait_clean
from server import TERMINAL, wait_until

WIDE = "[scheduler]\ncpus = 64\nmemory = 64G\n"


def processes_with(word):
    """Processes of jobs that have the word as an argument of their own, not within a script."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if word.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Memory:
    """Remembers each end that was shown; a second look must show the same (R11)."""

    def __init__(self):
        self.ends = {}

    def look(self, server):
        for job in server.jobs():
            if job["status"]["stage"] in TERMINAL:
                end = (job["status"]["stage"], job["status"]["message"], job["finishedAt"])
                assert self.ends.setdefault(job["id"], end) == end, job


def test_random_kills_under_load(make_server):
    server = make_server(WIDE)
    chance, memory = random.Random(os.environ.get("HEARTH_SEED", "2026")), Memory()
    script = "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); [ $((i % 20)) -eq 0 ] && sleep 0.05; done; true"
    ids = []
    for turn in range(8):
        ids += [server.submit(["sh", "-c", script], attempts=1 + turn % 3)["id"] for _ in range(8)]
        time.sleep(chance.random())
        victims = server.live_monitors()
        for pid in chance.sample(victims, min(len(victims), turn % 3)):
            kill(pid)
        server.kill9()
        for pid in chance.sample(victims, min(len(victims), turn % 2)):
            kill(pid)
        time.sleep(chance.random() * 0.3)
        server.start()
        memory.look(server)
    for job_id in ids:
        server.wait_job(job_id, seconds=60)
    wait_clean(server)
    memory.look(server)
    whole = [f"line {n}" for n in range(200)]
    for job_id in ids:
        job, lines = check_one_end(server, job_id)
        _, attempts = recorded(server, job_id)
        outcomes = [outcome for *_, outcome in attempts]
        assert outcomes.count("exited") <= 1 and set(outcomes) <= {"exited", "lost"}, (job_id, outcomes)
        for _ in outcomes[:-1]:  # what the lost ones wrote: each the beginning of the whole, nothing left out
            count = next((n for n, (line, wanted) in enumerate(zip(lines, whole)) if line != wanted), min(len(lines), 200))
            if count < len(lines):
                lines = lines[count:]
        if job["status"]["stage"] == "COMPLETED":
            assert lines == whole, (job_id, outcomes, len(lines))
        else:
            assert "lost" in job["status"]["message"] and lines == whole[:len(lines)], (job, lines[:3])


def test_a_start_interrupted_at_any_step_happens_once(server):
    """R3: kill -9 of hearthd so and so long after the submission; never two processes, and the job runs all the same."""
    words, most, done = {}, {}, threading.Event()

    def watch():
        while not done.wait(0.02):
            for job_id, word in list(words.items()):
                most[job_id] = max(most.get(job_id, 0), len(processes_with(word)))
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number, ms in enumerate((0, 3, 6, 10, 15, 20, 30, 45, 60, 80)):
            word = f"{os.getpid()}{number:02}"  # also how long the marker sleeps: for ever, as far as the test goes
            job_id = server.submit(["sh", "-c", f"echo once; sleep {word} & sleep 1; kill $!"])["id"]
            words[job_id] = word
            time.sleep(ms / 1000)
            server.kill9()
            server.start()
        for job_id in words:
            assert server.wait_job(job_id, seconds=30)["status"]["stage"] == "COMPLETED", server.job(job_id)
    finally:
        done.set()
        watcher.join()
    for job_id in words:
        assert check_one_end(server, job_id)[1] == ["once"]
    assert set(most.values()) == {1}, most
    wait_clean(server)


def test_a_monitor_killed_at_any_step(server):
    """R26: between its start and its end. A start that came to nothing is repeated; a job that had begun is lost."""
    for ms in (0, 1, 2, 4, 8, 12, 16, 20, 30, 40, 60, 100, 150):
        before = set(server.live_monitors())
        job_id = server.submit(["sh", "-c", "echo begun; sleep 0.1; echo ended"])["id"]
        victims = wait_until(lambda: set(server.live_monitors()) - before, 5, "a monitor", interval=0.0)
        time.sleep(ms / 1000)
        kill(victims.pop())
        server.wait_job(job_id, seconds=20)
        job, lines = check_one_end(server, job_id)
        if job["status"]["stage"] == "COMPLETED":
            assert lines == ["begun", "ended"], (ms, lines)  # never twice
        else:
            assert "lost" in job["status"]["message"] and lines in ([], ["begun"], ["begun", "ended"]), (ms, job, lines)
    wait_clean(server)


def test_an_acknowledged_submission_survives(server):
    """R1: the kill comes as soon as the answer is here."""
    ids = []
    for _ in range(5):
        ids.append(server.submit(["echo", "kept"])["id"])
        server.kill9()
        server.start()
    for job_id in ids:
        assert server.wait_job(job_id)["status"]["stage"] == "COMPLETED"
        assert check_one_end(server, job_id)[1] == ["kept"]


def test_an_answer_that_never_came_is_asked_for_again(server):
    """R2: the client lost the answer, so it sends the same key; one job, whether or not the first one arrived."""
    ids = []
    for ms in (0, 1, 2, 4, 8):
        body = {"command": ["true"], "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox"}
        key = {"Idempotency-Key": f"{os.getpid()}-{time.time_ns()}"}

        def send():
            try:
                server.call("POST", "/api/jobs/alice", json=body, headers=key)
            except requests.RequestException:
                pass
        before = len(server.jobs())
        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(ms / 1000)
        server.kill9()
        thread.join()
        server.start()
        first = server.call("POST", "/api/jobs/alice", json=body, headers=key).json()["id"]
        assert server.call("POST", "/api/jobs/alice", json=body, headers=key).json()["id"] == first
        assert len(server.jobs()) == before + 1
        ids.append(first)
    assert all(server.wait_job(job_id)["status"]["stage"] == "COMPLETED" for job_id in ids)


def test_a_killed_monitor_is_told_and_reaped(server):
    word = f"{os.getpid()}1"  # not that of another run on this machine
    job = server.submit(["sh", "-c", f"setsid sleep {word} & echo started; sleep {word}"])["id"]
    server.wait_job(job, ("RUNNING",))
    [monitor] = server.live_monitors()
    wait_until(lambda: len(processes_with(word)) == 2, 5, "both sleeps")
    os.kill(monitor, signal.SIGKILL)
    shown = server.wait_job(job, seconds=5)  # R4: seconds, not minutes
    assert shown["status"]["stage"] == "ERROR" and "lost" in shown["status"]["message"]
    assert processes_with(word) == []
    wait_clean(server)


def test_a_killed_first_process_is_told(server):
    """R5: not the monitor but the job itself is killed from outside."""
    word = f"{os.getpid()}2"
    job = server.submit(["sleep", word])["id"]
    [pid] = wait_until(lambda: processes_with(word), 5, "the job's process")
    os.kill(pid, signal.SIGKILL)
    assert server.wait_job(job)["status"]["message"] == "Job killed by signal 9 (SIGKILL)"
    wait_clean(server)


def test_the_next_attempt_starts_when_the_monitor_is_lost(server):
    script = "echo attempt; sleep 1"
    job = server.submit(["sh", "-c", script], attempts=2)["id"]
    server.wait_job(job, ("RUNNING",))
    [monitor] = server.live_monitors()
    log = server.state / "attempts" / f"{job}.1" / "log"
    wait_until(lambda: b"attempt" in log.read_bytes(), 5, "the line of the first attempt")
    os.kill(monitor, signal.SIGKILL)
    shown = server.wait_job(job, seconds=30)
    assert shown["status"]["stage"] == "COMPLETED" and shown["status"]["failureCount"] == 1
    assert check_one_end(server, job)[1].count("attempt") == 2


def test_a_running_job_does_not_notice_a_restart(server):
    job = server.submit(["sh", "-c", "for i in 1 2 3 4 5 6; do echo tick $i; sleep 0.5; done"])["id"]
    server.wait_job(job, ("RUNNING",))
    server.kill9()
    time.sleep(1)
    server.start()
    assert server.job(job)["status"]["stage"] == "RUNNING"
    assert server.wait_job(job)["status"]["stage"] == "COMPLETED"
    assert check_one_end(server, job)[1] == [f"tick {n}" for n in range(1, 7)]


def follow(server, job_id, seen):
    """As the official clients do: read, and after a break read again, skipping by index (R13). Returns at the clean end."""
    while True:
        try:
            answer = server.call("GET", f"/api/jobs/alice/{job_id}/logs", stream=True, timeout=10)
            index = 0
            for line in answer.iter_lines(chunk_size=1):
                if line.startswith(b"data: {"):
                    if index < len(seen):
                        assert seen[index] == line
                    else:
                        seen.append(line)
                    index += 1
            if server.job(job_id)["status"]["stage"] in TERMINAL:
                return
        except requests.RequestException:
            time.sleep(0.02)


def test_a_follower_through_kills_sees_every_line_once(server):
    count = 300
    job = server.submit(["sh", "-c", f"i=0; while [ $i -lt {count} ]; do echo line $i; i=$((i+1)); sleep 0.01; done"], flavor="small")["id"]
    followers = [[], [], []]
    threads = [threading.Thread(target=follow, args=(server, job, seen)) for seen in followers]
    for thread in threads:
        thread.start()
    for _ in range(4):
        time.sleep(0.5)
        server.kill9()
        server.start()
    server.wait_job(job)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "a stream did not end with the job"
    wanted = [f"line {n}" for n in range(count)]
    assert check_one_end(server, job)[1] == wanted
    for seen in followers:
        assert [json.loads(line[6:])["data"] for line in seen][1:] == wanted  # after the line that says when it started


def test_the_timeout_comes_while_hearthd_is_down(server):
    """R7: the monitor's clock, not the server's."""
    job = server.submit(["sh", "-c", "trap 'echo told; exit 0' TERM; echo up; while true; do sleep 0.1; done"], timeoutSeconds=2)["id"]
    server.wait_job(job, ("RUNNING",))
    server.kill9()
    wait_until(lambda: not server.live_monitors(), 6, "end of the monitor")
    server.start()
    shown = server.wait_job(job)
    assert shown["status"]["stage"] == "ERROR" and shown["status"]["message"].startswith("Job timeout: reached its")
    assert check_one_end(server, job)[1] == ["up", "told"]
    assert shown["durations"]["runningSecs"] in (2, 3)


def test_an_end_while_hearthd_was_down_is_found(server):
    job = server.submit(["sh", "-c", "sleep 2; echo bye; exit 7"])["id"]
    server.wait_job(job, ("RUNNING",))
    server.kill9()
    wait_until(lambda: not server.live_monitors(), 10, "end of the monitor")
    server.start()
    shown = server.wait_job(job)
    assert shown["status"]["message"] == "Job failed with exit code: 7"
    assert check_one_end(server, job)[1] == ["bye"]
    time.sleep(1)
    assert server.job(job)["durations"]["runningSecs"] in (1, 2, 3)  # its own time, not the server's


def test_a_canceled_job_stays_canceled_through_a_kill(server):
    job = server.submit(["sh", "-c", "trap 'sleep 2; echo last; exit 0' TERM; echo up; while true; do sleep 0.1; done"])["id"]
    server.wait_job(job, ("RUNNING",))
    wait_until(lambda: "up" in server.log_lines_now(job, 0.3), 5, "its first line")
    assert server.call("POST", f"/api/jobs/alice/{job}/cancel").json()["status"]["stage"] == "CANCELED"
    server.kill9()
    server.start()
    assert server.job(job)["status"]["stage"] == "CANCELED"
    wait_until(lambda: not server.live_monitors(), 30, "end of the canceled job's monitor")
    assert check_one_end(server, job)[1] == ["up", "last"]


def test_a_reboot(make_server):
    """R9: everything is gone at once, and so are bridge, rules and cgroups. What ran is told, what waited runs."""
    server = make_server("[scheduler]\nmax_running = 2\n")
    running = [server.submit(["sh", "-c", "echo up; sleep 600"], attempts=attempts)["id"] for attempts in (1, 2)]
    for job_id in running:
        server.wait_job(job_id, ("RUNNING",))
        wait_until(lambda: b" o up\n" in (server.state / "attempts" / f"{job_id}.1" / "log").read_bytes(), 5, "a line in the log")
    waiting = server.submit(["echo", "ran"])["id"]
    server.kill9()
    for pid in server.live_monitors():
        kill(pid)
    wait_until(lambda: not server.live_monitors(), 5, "end of all monitors")
    subprocess.run(["ip", "link", "del", server.bridge], check=True)
    subprocess.run(["nft", "delete", "table", "inet", server.bridge], check=True)
    server.start()
    shown = server.wait_job(running[0], seconds=10)
    assert shown["status"]["stage"] == "ERROR" and "lost" in shown["status"]["message"]
    assert check_one_end(server, running[0])[1] == ["up"]
    assert server.wait_job(waiting)["status"]["stage"] == "COMPLETED"
    wait_until(lambda: server.log_lines_now(running[1], 0.5) == ["up", "up"], 10, "the second attempt")
    assert server.job(running[1])["status"]["stage"] == "RUNNING"
    server.call("POST", f"/api/jobs/alice/{running[1]}/cancel")
    wait_clean(server)


def test_a_stopped_monitor_keeps_nobody_waiting(server):
    """SIGSTOP: hearthd goes on, a cancel is remembered, through a restart too; with SIGCONT everything comes to its end."""
    job = server.submit(["sh", "-c", "echo up; exec sleep 600"])["id"]
    wait_until(lambda: server.log_lines_now(job, 0.3) == ["up"], 5, "its first line")
    [monitor] = server.live_monitors()
    os.kill(monitor, signal.SIGSTOP)
    try:
        started = time.monotonic()
        other = server.submit(["echo", "other"])["id"]
        assert server.wait_job(other, seconds=10)["status"]["stage"] == "COMPLETED"
        assert server.call("POST", f"/api/jobs/alice/{job}/cancel").json()["status"]["stage"] == "CANCELED"
        server.kill9()
        server.start()
        assert server.job(job)["status"]["stage"] == "CANCELED"
        assert time.monotonic() - started < 10
    finally:
        os.kill(monitor, signal.SIGCONT)
    wait_clean(server)
    assert check_one_end(server, job)[1] == ["up"]


def test_a_stopped_spawner_keeps_no_client_waiting(server):
    """The HTTP process answers; what needs the spawner waits and goes on with it."""
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        job = server.submit(["echo", "late"])["id"]
        time.sleep(0.5)
        assert server.call("GET", "/healthz", timeout=2).status_code == 200
        assert server.job(job)["status"]["stage"] == "SCHEDULING"
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    assert server.wait_job(job)["status"]["stage"] == "COMPLETED"


def test_one_half_of_hearthd_does_not_live_alone(server):
    """Either half is killed: the other one ends too, the job goes on."""
    job = server.submit(["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.5; done"])["id"]
    server.wait_job(job, ("RUNNING",))
    for half in ("HTTP process", "spawner"):
        children = subprocess.run(["pgrep", "-P", str(server.process.pid), "-x", "hearthd"], capture_output=True, text=True).stdout.split()
        assert len(children) == 1
        os.kill(int(children[0]) if half == "HTTP process" else server.process.pid, signal.SIGKILL)
        server.process.wait(5)
        wait_until(lambda: not pathlib.Path("/proc", children[0]).exists(), 5, "end of the other half")
        server.start()
    assert server.wait_job(job)["status"]["stage"] == "COMPLETED"
    assert check_one_end(server, job)[1] == [str(n) for n in range(1, 9)]


def test_a_second_server_on_the_same_state_refuses(server):
    done = subprocess.run([server.process.args[0], "--config", server.config, "--state-dir", server.state,
                           "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    assert "another hearthd" in done.stderr and str(server.state) in done.stderr
    assert server.wait_job(server.submit(["echo", "on"])["id"])["status"]["stage"] == "COMPLETED"
