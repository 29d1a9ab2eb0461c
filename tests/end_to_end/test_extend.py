# SPDX-License-Identifier: Apache-2.0
"""Deadlines that move, and what a job has used: a real server, real containers, the official client."""
import json
import os
import signal
import sqlite3
import time

import pytest

import clients
from server import wait_until

LOOP = "while :; do sleep 0.05; done"


@pytest.fixture(scope="module")
def hf(server):
    program = clients.hf("newest")
    return lambda *words: server.run(program, *words, timeout=60)


def events_of(server, job, kind):
    with sqlite3.connect(f"file:{server.state}/db/hearth.db?mode=ro", uri=True) as db:
        rows = db.execute("SELECT data FROM events WHERE job = (SELECT seq FROM jobs WHERE id = ?) AND kind = ? ORDER BY seq",
                          (job, kind)).fetchall()
    return [json.loads(data) for data, in rows]


def started(server, script, **fields):
    job = server.submit(["sh", "-c", script], **fields)["id"]
    server.wait_job(job, ("RUNNING",))
    return job


def test_a_warning_by_label(server):
    job = started(server, "trap 'echo saved; exit 0' USR1; " + LOOP, timeoutSeconds=3,
                  labels={"hearth.warning": "2s", "hearth.grace": "1s"})
    shown = server.wait_job(job)
    assert shown["status"]["stage"] == "COMPLETED", shown["status"]
    assert "saved" in server.log_lines(job)
    warned = [data for data in events_of(server, job, "attempt") if data["phase"] == "warned"]
    assert warned == [{"number": 1, "phase": "warned", "signal": 10, "secondsLeft": warned[0]["secondsLeft"]}]
    assert 1 <= warned[0]["secondsLeft"] <= 2


def test_extension_by_the_stock_client(server, hf):
    job = started(server, "sleep 4; echo done", timeoutSeconds=3, labels={"keep": "me"})
    done = hf("jobs", "labels", job, "--label", "hearth.timeout=1h", "--label", "keep=me")
    assert done.returncode == 0, done.stderr
    assert server.job(job)["timeoutSeconds"] == 3600
    shown = server.wait_job(job)
    assert shown["status"]["stage"] == "COMPLETED" and shown["durations"]["runningSecs"] >= 4
    assert events_of(server, job, "timeout") == [{"timeoutSeconds": 3600}]


def test_extension_by_our_client(server):
    job = started(server, LOOP, timeoutSeconds=60, labels={"hearth.grace": "0"})
    done = server.hearth("extend", job, "1h")
    assert done.returncode == 0 and job in done.stdout and "1h 1m" in done.stdout, done.stdout + done.stderr
    done = server.hearth("extend", job, "--to", "2s", "--json")
    assert json.loads(done.stdout)["id"] == job, done.stdout + done.stderr
    shown = server.wait_job(job)
    assert (shown["status"]["stage"], shown["status"]["message"]) == ("ERROR", "Job timeout: reached its limit of 2s")
    done = server.hearth("extend", job, "1h")
    assert done.returncode == 1 and "over (ERROR)" in done.stderr
    for words, said in ((["extend", job], "either the time to add"), (["extend", job, "1h", "--to", "2h"], "either the time to add"),
                        (["extend", job, "soon"], "soon"), (["extend", job, "0"], "at least one second")):
        done = server.hearth(*words)
        assert done.returncode != 0 and said in done.stderr, done.stderr


def test_a_kill_between_the_commit_and_the_telling(make_server):
    """The row is on disk and nobody has told the monitor: it hears of it when hearthd is back."""
    server = make_server()
    longer = started(server, "sleep 9; echo done", timeoutSeconds=6)
    shorter = started(server, LOOP, timeoutSeconds=3600, labels={"hearth.grace": "0"})
    server.kill9()
    with sqlite3.connect(server.state / "db/hearth.db") as db:
        db.execute("UPDATE jobs SET timeout_s = 600 WHERE id = ?", (longer,))
        db.execute("UPDATE jobs SET timeout_s = 5 WHERE id = ?", (shorter,))
    server.start()
    assert server.wait_job(longer)["status"]["stage"] == "COMPLETED"
    shown = server.wait_job(shorter)
    assert shown["status"]["message"].startswith("Job timeout: reached its limit of 5s"), shown["status"]


def test_an_extension_survives_restarts(make_server):
    server = make_server()
    job = started(server, "sleep 5; echo done", timeoutSeconds=4)
    assert server.call("POST", f"/api/jobs/alice/{job}/extend", json={"seconds": 60}).status_code == 200
    server.kill9()
    server.start()
    shown = server.wait_job(job)
    assert shown["status"]["stage"] == "COMPLETED" and shown["timeoutSeconds"] == 64


# What a job has used

@pytest.fixture(scope="module")
def finished(server):
    job = started(server, "x=$(head -c 3000000 /dev/zero | tr '\\0' x); end=$(($(date +%s) + 3)); "
                          "while [ $(date +%s) -lt $end ]; do :; done", flavor="small")
    server.wait_job(job)
    return job


def test_the_stream_of_a_finished_job(server, finished):
    before = time.monotonic()
    samples = server.events(finished, "metrics")
    assert len(samples) == 1 and time.monotonic() - before < 4
    assert samples[0]["cpu_millicores"] == 500 and samples[0]["memory_used_bytes"] > 0 and samples[0]["gpus"] == {}
    never = server.submit(["true"], image="no/such-image")["id"]
    server.wait_job(never)
    assert server.events(never, "metrics") == []


def test_history(server, finished):
    answer = server.call("GET", f"/api/jobs/alice/{finished}/metrics/history").json()
    assert (answer["attempt"], answer["stepSeconds"]) == (1, 1)
    assert (answer["cpuMillicoresTotal"], answer["memoryTotalBytes"]) == (500, 256 << 20)
    samples = answer["samples"]
    assert 2 <= len(samples) <= 9
    assert [s["at"] for s in samples] == sorted(s["at"] for s in samples)
    assert 200 < max(s["cpuMillicores"] for s in samples) < 1200  # in the first tenth of a second more than its share
    assert max(s["memoryBytes"] for s in samples) > 1 << 20
    assert set(samples[0]) == {"at", "cpuMillicores", "memoryBytes", "rxBps", "txBps", "storageBytes", "gpus"}
    job = server.job(finished)
    assert job["startedAt"] <= samples[0]["at"]
    coarse = server.call("GET", f"/api/jobs/alice/{finished}/metrics/history?step=3600").json()
    assert coarse["stepSeconds"] == 1, "too short for anything else"


def test_stats_of_a_finished_job(server, finished, hf):
    done = hf("jobs", "stats", finished)
    assert done.returncode == 0 and finished[:12] in done.stdout, done.stdout + done.stderr
    done = server.hearth("stats", finished)
    assert done.returncode == 0 and finished in done.stdout, done.stdout + done.stderr
    done = server.hearth("stats", "--json", finished)
    assert json.loads(done.stdout)["cpu_millicores"] == 500


def test_stats_of_a_job_that_ends(server, hf):
    job = started(server, "sleep 2")
    done = hf("jobs", "stats", job)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: server.job(job)["status"]["stage"] == "COMPLETED", 5, "its end")


def test_history_in_our_client(server, finished):
    done = server.hearth("stats", "--history", finished)
    assert done.returncode == 0, done.stderr
    for words in ("one per 1s", "\nCPU %", "\nMEM USAGE", "\nNET IN", "\nNET OUT", "\nSTORAGE"):
        assert words in done.stdout, done.stdout
    done = server.hearth("stats", "--history", "--json", "--attempt", "1", finished)
    assert json.loads(done.stdout)["samples"][0]["memoryBytes"] > 0
    for words, said in ((["--history"], "one job"), (["--history", finished, finished], "one job"), (["--step", "5", finished], "--history"),
                        (["--history", "--attempt", "2", finished], "has had 1 attempt"), (["--history", "--step", "0", finished], "step: ")):
        done = server.hearth("stats", *words)
        assert done.returncode == 1 and said in done.stderr, (words, done.stderr)
    never = server.submit(["true"], image="no/such-image")["id"]
    server.wait_job(never)
    assert "no figures" in server.hearth("stats", "--history", never).stdout


def test_figures_survive_their_monitor(make_server):
    server = make_server()
    job = started(server, "sleep 600")
    path = f"/api/jobs/alice/{job}/metrics/history"
    wait_until(lambda: len(server.call("GET", path).json()["samples"]) >= 2, 20, "two samples")
    monitor, = server.live_monitors()
    os.kill(monitor, signal.SIGKILL)
    assert "monitor was lost" in server.wait_job(job)["status"]["message"]
    before = server.call("GET", path).json()["samples"]
    server.restart()
    assert len(before) >= 2 and server.call("GET", path).json()["samples"] == before
    assert len(server.events(job, "metrics")) == 1
