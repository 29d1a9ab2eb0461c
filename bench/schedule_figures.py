# SPDX-License-Identifier: Apache-2.0
"""The figures of schedules."""
import pathlib
import shutil
import sqlite3
import subprocess
import threading
import time

from filler import copy_schedule
from measuring import LARGE, ONE, SCALE, Client, figure, hearthd_pids, percentile, row, running_server
from server import BUILD, wait_until

FOUR = "[scheduler]\ncpus = 4\nmemory = 16G\n" + ONE
EXPRESSIONS = ["*/5 * * * *", "0 9 * * 1-5", "0 0 1 * *", "30 2 * * *", "0 0 29 2 *", "CRON_TZ=Europe/Paris 30 2 * * *",
               "CRON_TZ=America/New_York */10 9-17 * * 1-5", "CRON_TZ=Australia/Lord_Howe 15 1,13 * * *", "0 0 13 * 5"]


def fill_schedules(one, expression, count):
    """One by the API, the others by copying its rows."""
    spec = {"command": ["true"], "arguments": [], "environment": {}, "flavor": "one", "dockerImage": "busybox"}
    first = Client(one).call("POST", "/api/scheduled-jobs/alice", {"jobSpec": spec, "schedule": expression})["id"]
    one.stop()
    path = one.state / "db" / "hearth.db"
    database = sqlite3.connect(path)
    copy_schedule(database, first, count)
    database.close()
    for file in path.parent.glob("hearth.db*"):
        shutil.chown(file, "hearth", "hearth")
    one.start(60)


def ask_until(one, stop, found):
    """As a user's tools: inspect, list, submit; 50 a second."""
    client = Client(one)
    job = client.submit(["true"])
    calls = [lambda: client.call("GET", f"/api/jobs/alice/{job}"), lambda: client.call("GET", "/api/jobs/alice?limit=20"),
             lambda: client.call("GET", "/api/scheduled-jobs/alice?limit=20"), lambda: client.submit(["true"])]
    number = 0
    while not stop.is_set():
        start = time.perf_counter()
        calls[number % len(calls)]()
        found.append((time.perf_counter() - start) * 1000)
        number += 1
        time.sleep(0.02)


def decided_after_ms(one, due_ms):
    database = sqlite3.connect(f"file:{one.state}/db/hearth.db?mode=ro", uri=True)
    try:
        return [when - due_ms for (when,) in database.execute("SELECT decided_ms FROM ticks WHERE due_ms = ?", (due_ms,))]
    finally:
        database.close()


@figure
def schedules_same_minute():
    """The jobs start meanwhile, four at a time. A row counts from its commit at the latest: they are polled from outside."""
    count = int(10000 * SCALE)
    with running_server(FOUR) as one:
        due = (int(time.time()) // 60 + (1 if time.time() % 60 < 25 else 2)) * 60
        fill_schedules(one, f"{time.gmtime(due).tm_min} * * * *", count)
        time.sleep(max(0, due - 2 - time.time()))
        stop, calls = threading.Event(), []
        asker = threading.Thread(target=ask_until, args=(one, stop, calls))
        asker.start()
        try:
            time.sleep(max(0, due - time.time()))
            wait_until(lambda: len(decided_after_ms(one, due * 1000)) >= count, 60, "all rows of the tick", 0.02)
            committed = time.time() - due
            time.sleep(max(0, 3 - committed))
        finally:
            stop.set()
            asker.join()
        after = decided_after_ms(one, due * 1000)
        one.kill9()  # to cancel thousands of jobs would take longer than everything else
    return row(f"{count:,} schedules due in the same minute",
               f"{len(after):,} rows, p99 {percentile(after, 0.99):.0f} ms after the tick, all committed after {committed * 1000:.0f} ms; API p99 "
               f"{percentile(calls, 0.99):.1f} ms of {len(calls)} calls meanwhile", "p99 ≤ 1 s, API p99 ≤ 50 ms",
               len(after) == count and percentile(after, 0.99) <= 1000 and committed <= 1.2 and percentile(calls, 0.99) <= 50)


def running_ns(one):
    """CPU time of hearthd, more finely than in clock ticks."""
    return sum(int(path.read_text().split()[0]) for pid in hearthd_pids(one) for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


@figure
def schedules_idle():
    count = int(100000 * SCALE)
    with running_server(LARGE + f"[schedules]\nmax = {count * 2}\n", image=False) as one:
        fill_schedules(one, f"CRON_TZ=Europe/Paris 30 3 {(time.gmtime().tm_mday + 5) % 28 + 1} * *", count)
        time.sleep(5)
        before, start = running_ns(one), time.monotonic()
        time.sleep(30)
        share = (running_ns(one) - before) / 1e9 / (time.monotonic() - start) * 100
        memory = Client(one).call("GET", "/api/scheduled-jobs/alice?limit=1")
        assert memory
    lines = "".join(f"{text}\t{int(time.time())}\n" for text in EXPRESSIONS)
    program = BUILD / "tests" / "tools" / "cron_alone"
    each = list(map(int, subprocess.run([program, "--speed"], input=lines, capture_output=True, text=True, check=True).stdout.split()))
    assert len(each) == len(EXPRESSIONS)
    return row(f"{count:,} schedules: idle CPU; next-run computation",
               f"{share:.3f} % of one core; mean {sum(each) / len(each) / 1000:.2f} µs, slowest of {len(each)} expressions {max(each) / 1000:.2f} µs",
               "≤ 0.1 %; ≤ 5 µs each", share <= 0.1 and max(each) <= 5000)
