# SPDX-License-Identifier: Apache-2.0
"""The ledger through kill -9 at any moment, lost monitors, other prices at a restart (R31, promise 7)."""
import json
import os
import random
import signal
import sqlite3
import time

from leftovers import check_ledger, check_one_end, wait_clean
from server import TERMINAL, wait_until

SETTINGS = """
[scheduler]
cpus = 64
memory = 64G
[flavor gold]
vcpu = 0.02
memory = 64M
storage = 0
price_per_hour = {price}
"""


def set_price(server, price):
    text = server.config.read_text()
    before = next(line for line in text.splitlines() if line.startswith("price_per_hour"))
    server.config.write_text(text.replace(before, f"price_per_hour = {price}"))


def truth(server, job_id, attempt):
    """The exit record that the attempt's monitor wrote; None if it was lost."""
    path = server.state / "attempts" / f"{job_id}.{attempt}" / "exit.json"
    return json.loads(path.read_text()) if path.exists() else None


def test_kills_between_any_two_writes(make_server):
    server = make_server(SETTINGS.format(price=3600))
    chance = random.Random(os.environ.get("HEARTH_SEED", "2026"))
    ids = []
    for turn in range(10):
        script = "sleep 0.{}; exit {}"
        ids += [server.submit(["sh", "-c", script.format(chance.randrange(1, 10), chance.choice([0, 0, 1]))], flavor="gold",
                              attempts=chance.randrange(1, 4), labels={"hearth.retry-delay": "0s"})["id"] for _ in range(5)]
        time.sleep(chance.random() * 0.6)
        for job_id in chance.sample(ids, 2):
            server.call("POST", f"/api/jobs/alice/{job_id}/cancel")
        victims = server.live_monitors()
        if victims and turn % 3 == 0:
            os.kill(victims[0], signal.SIGKILL)
        server.kill9()
        if turn % 2:
            set_price(server, chance.choice(["0.000001", "7.25", "3600"]))
        if victims and turn % 3 == 1:
            try:
                os.kill(victims[-1], signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(chance.random() * 0.5)
        server.start()
    stages = {job_id: server.wait_job(job_id)["status"]["stage"] for job_id in ids}
    wait_clean(server, 60)
    for job_id in ids:
        check_one_end(server, job_id)
    records = check_ledger(server)
    assert len(records) >= 40 and len({record["price_hour"] for record in records.values()}) > 1
    # and it is what the monitors themselves have measured
    exact = 0
    for (job_id, attempt), record in records.items():
        told = truth(server, job_id, attempt)
        if told and stages[job_id] != "CANCELED":
            assert record["used_ms"] == told["running_us"] // 1000, (job_id, attempt)
            exact += 1
        elif told:  # until CANCELED, which may have come while the end was on its way to hearthd
            assert record["used_ms"] <= told["running_us"] // 1000 + 200, (job_id, attempt)
    assert exact >= 20
    total = server.call("GET", "/api/usage").json()["total"]
    assert (total["attempts"], total["microUsd"]) == (len(records), sum(record["cost"] for record in records.values()))


def test_an_end_while_nobody_looked(make_server):
    """Exact, however much later hearthd comes back, and whatever the flavor costs by then."""
    server = make_server(SETTINGS.format(price=3600))
    job = server.submit(["sleep", "1"], flavor="gold")
    server.wait_job(job["id"], ("RUNNING",))
    server.kill9()
    set_price(server, 1)
    wait_until(lambda: truth(server, job["id"], 1), 20, "exit record")
    time.sleep(1)
    server.start()
    done = server.wait_job(job["id"])
    used = truth(server, job["id"], 1)["running_us"] // 1000
    assert done["hearth"]["cost"] == {"usedMilliseconds": used, "microUsd": used * 1000, "estimatedMicroUsd": used * 1000,
                                      "microUsdPerHour": 3_600_000_000}
    check_ledger(server)


def test_a_monitor_lost_while_nobody_looked(make_server):
    """Its time ends with its last metrics: never more than it lived, and not much less."""
    server = make_server(SETTINGS.format(price=3600))
    job = server.submit(["sleep", "100"], flavor="gold")
    server.wait_job(job["id"], ("RUNNING",))
    [monitor] = server.live_monitors()
    begin = time.monotonic()
    time.sleep(2.5)
    server.kill9()
    os.kill(monitor, signal.SIGKILL)
    lived = time.monotonic() - begin
    time.sleep(3)
    server.start()
    done = server.wait_job(job["id"])
    assert done["status"]["stage"] == "ERROR" and "lost" in done["status"]["message"]
    assert lived - 1.5 <= done["hearth"]["cost"]["usedMilliseconds"] / 1000 <= lived + 0.5
    check_ledger(server)


def test_a_monitor_lost_while_we_look(make_server):
    server = make_server(SETTINGS.format(price=3600))
    job = server.submit(["sleep", "100"], flavor="gold")
    server.wait_job(job["id"], ("RUNNING",))
    begin = time.monotonic()
    time.sleep(0.7)
    os.kill(server.live_monitors()[0], signal.SIGKILL)
    lived = time.monotonic() - begin
    done = server.wait_job(job["id"])
    assert lived <= done["hearth"]["cost"]["usedMilliseconds"] / 1000 <= lived + 1
    check_ledger(server)


def test_what_another_boot_left(make_server):
    """Its clock means nothing in this one; what is known of the end counts."""
    server = make_server(SETTINGS.format(price=3600))
    job = server.submit(["sleep", "100"], flavor="gold")
    server.wait_job(job["id"], ("RUNNING",))
    [monitor] = server.live_monitors()
    time.sleep(1.2)
    server.kill9()
    os.kill(monitor, signal.SIGKILL)
    db = sqlite3.connect(server.state / "db" / "hearth.db")
    db.execute("UPDATE server_facts SET value = 'before' WHERE name = 'attempts_boot'")
    assert db.execute("UPDATE attempts SET started_us = 9000000000000000").rowcount == 1
    db.commit()
    db.close()
    server.start()
    done = server.wait_job(job["id"])
    assert 0 <= done["hearth"]["cost"]["usedMilliseconds"] <= 2500
    check_ledger(server)


def test_a_limit_is_kept_through_a_restart(make_server):
    """The timer is set again, for the time that the jobs have really run, also while hearthd was away."""
    server = make_server(SETTINGS.format(price=3600))
    assert server.hearth("admin", "budget", "set", "alice", "--monthly", "3").returncode == 0
    job = server.submit(["sleep", "100"], flavor="gold")
    server.wait_job(job["id"], ("RUNNING",))
    time.sleep(0.5)
    server.kill9()
    time.sleep(0.5)
    server.start()
    assert server.job(job["id"])["status"]["stage"] == "RUNNING"
    done = server.wait_job(job["id"])
    assert done["status"]["cancelReason"] == "NO_CREDITS"
    assert 3_000_000 <= done["hearth"]["cost"]["microUsd"] <= 4_000_000
    assert done["status"]["stage"] in TERMINAL
    wait_clean(server)
    check_ledger(server)
