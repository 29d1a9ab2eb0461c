# SPDX-License-Identifier: Apache-2.0
"""kill -9 of hearthd while arrays are made, run and cancelled, and between an end and what waits for it."""
import os
import random
import time

from leftovers import wait_clean
from server import TERMINAL, wait_until

WIDE = "[scheduler]\ncpus = 64\nmemory = 64G\n"


def elements(server, array):
    return server.call("GET", f"/api/jobs/alice?limit=1000&label=hearth.array-of={array}").json()


def numbers(jobs, stage):
    return sorted(int(job["labels"]["hearth.array-index"]) for job in jobs if job["status"]["stage"] == stage)


def test_random_kills_of_an_array_and_only_the_failed_again(make_server):
    """Checklist 5.1 #12: elements fail, the server dies again and again, and what failed runs again alone."""
    server = make_server(WIDE)
    chance = random.Random(os.environ.get("HEARTH_SEED", "2026"))
    script = "[ -n \"$FIXED\" ] || [ $((HEARTH_ARRAY_INDEX % 20)) -ne 13 ]"
    array = server.submit(["sh", "-c", script], labels={"hearth.array": "0-199", "hearth.array-max": "16"})["id"]
    after = server.submit(labels={"hearth.after": array})["id"]
    for _ in range(8):
        time.sleep(chance.random() * 0.8)
        server.kill9()
        time.sleep(chance.random() * 0.2)
        server.start()
    job = server.wait_job(array, seconds=120)
    failed = list(range(13, 200, 20))
    assert job["status"]["message"] == f"10 of 200 elements failed: {', '.join(map(str, failed))}"
    ended = elements(server, array)
    assert numbers(ended, "ERROR") == failed and len(numbers(ended, "COMPLETED")) == 190
    assert server.wait_job(after)["status"]["stage"] == "CANCELED"
    lines = server.log_lines(array)
    for number in range(200):  # each is told of once, whatever happened
        stage = "ERROR" if number in failed else "COMPLETED"
        assert len([line for line in lines if line.startswith(f"Element {number} {stage} ")]) == 1
        assert len([line for line in lines if line.startswith(f"Element {number} started ")]) == 1
    again = server.submit(["sh", "-c", script], environment={"FIXED": "1"}, labels={"hearth.array-retry": array})["id"]
    server.kill9()
    server.start()
    assert server.wait_job(again)["status"]["stage"] == "COMPLETED"
    assert numbers(elements(server, again), "COMPLETED") == failed
    wait_clean(server)


def test_what_was_answered_is_made_whole(make_server):
    """The server dies right after the 2xx, and while it makes or cancels thousands of elements."""
    server = make_server(WIDE + "[jobs]\nmax_queued = 100000\n")
    labels = {"hearth.array": "0-4999", "hearth.hold": "yes"}
    array = server.submit(labels=labels)["id"]
    server.kill9()
    server.start()
    for _ in range(3):
        time.sleep(0.1)
        server.kill9()
        server.start()
    wait_until(lambda: waiting(server) == 5001, 60, "all elements waiting")
    assert server.call("POST", f"/api/jobs/alice/{array}/cancel").status_code == 200
    for _ in range(3):
        time.sleep(0.1)
        server.kill9()
        server.start()
    wait_until(lambda: waiting(server) == 0, 60, "the end of all elements")
    seen = server.job(array)
    assert seen["status"]["stage"] == "CANCELED" and seen["hearth"]["array"]["canceled"] == 5000


def waiting(server):
    return sum(float(line.split()[-1]) for line in server.call("GET", "/metrics").text.splitlines() if line.startswith("hearth_jobs_queued"))


def test_no_release_is_lost(make_server):
    """Many short chains; the server dies at random moments, so also between an end and the start of what waits for it."""
    server = make_server(WIDE)
    chance = random.Random(os.environ.get("HEARTH_SEED", "2026"))
    chains = []
    for number in range(8):
        chain = [server.submit(["sh", "-c", "sleep 0.1"], labels={"hearth.hold": "yes"})["id"]]
        for place in range(3):
            failing = number % 4 == 3 and place == 1
            chain.append(server.submit(["sh", "-c", "exit 5" if failing else "sleep 0.1"], labels={"hearth.after": chain[-1]})["id"])
        chains.append(chain)
    for chain in chains:  # none of it ends before all of it was submitted
        assert server.call("POST", f"/api/jobs/alice/{chain[0]}/release").status_code == 200
    for _ in range(6):
        time.sleep(chance.random() * 0.4)
        server.kill9()
        server.start()
    for number, chain in enumerate(chains):
        jobs = [server.wait_job(job, TERMINAL) for job in chain]
        stages = [job["status"]["stage"] for job in jobs]
        assert stages == (["COMPLETED", "COMPLETED", "ERROR", "CANCELED"] if number % 4 == 3 else ["COMPLETED"] * 4), stages
        started = [job for job in jobs if "startedAt" in job]
        for before, job in zip(started, started[1:]):
            assert before["finishedAt"] <= job["startedAt"]
    wait_clean(server)
