# SPDX-License-Identifier: Apache-2.0
"""Money with real containers, the command line and the official client."""
import csv
import io
import json
import time

import pytest

import clients
from leftovers import check_ledger

SETTINGS = """
[flavor gold]
vcpu = 0.02
memory = 64M
storage = 0
price_per_hour = 36000
"""
DOLLAR = 1_000_000


@pytest.fixture(scope="module")
def gold(make_server):
    return make_server(SETTINGS)


def hearth(server, *words, status=0):
    done = server.hearth(*words)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def test_a_budget_really_stops(gold):
    """A budget of some micro-dollars, and a flavor of a cent per millisecond."""
    hearth(gold, "admin", "budget", "set", "alice", "--monthly", "0.000005")
    begin = time.monotonic()
    job = gold.submit(["sh", "-c", "trap '' TERM; sleep 60"], flavor="gold")
    done = gold.wait_job(job["id"])
    assert time.monotonic() - begin < 10
    assert done["status"] == {"stage": "CANCELED", "message": "Stopped: the monthly budget of $0.000005 is used up",
                              "cancelReason": "NO_CREDITS", "failureCount": 0}
    assert done["hearth"]["cost"]["usedMilliseconds"] < 1000  # and nothing for the grace in which it goes on
    text = gold.run(clients.hf("newest"), "jobs", "run", "--flavor", "gold", "--detach", "busybox", "true")
    assert text.returncode != 0 and "alice has used up its budget of $0.000005" in text.stderr, text.stderr
    assert "402" in text.stderr
    [inspected] = json.loads(hearth(gold, "inspect", job["id"], "--json"))
    assert inspected["status"]["cancel_reason"] == "NO_CREDITS" and inspected["hearth"]["cost"] == done["hearth"]["cost"]
    shown = hearth(gold, "inspect", job["id"])
    assert f"{job['id']}: CANCELED: Stopped: the monthly budget of" in shown
    assert f"{job['id']}: cancelled by the server: NO_CREDITS" in shown and f"{job['id']}: cost $" in shown
    hearth(gold, "admin", "budget", "set", "alice", "--monthly", "default")
    assert "used up" not in hearth(gold, "run", "--flavor", "gold", "busybox", "true")


def test_a_job_is_charged_for_what_it_ran(gold):
    job = gold.submit(["sleep", "0.5"], flavor="gold", labels={"team": "red"})
    done = gold.wait_job(job["id"])
    cost = done["hearth"]["cost"]
    # Counted from when the runtime says that the command runs, which on a busy machine is a moment later.
    assert 100 < cost["usedMilliseconds"] < 10000 and cost["microUsd"] == cost["usedMilliseconds"] * 10000
    assert abs(done["durations"]["runningSecs"] - cost["usedMilliseconds"] / 1000) < 1
    failed = gold.wait_job(gold.submit(["no-such-program"], flavor="gold")["id"])
    assert failed["status"]["stage"] == "ERROR" and failed["hearth"]["cost"]["microUsd"] == 0


def test_usage_for_people_and_programs(gold):
    gold.wait_job(gold.submit(["true"], flavor="gold", labels={"team": "blue"})["id"])
    lines = hearth(gold, "usage").splitlines()
    assert lines[0].split() == ["FLAVOR", "ATTEMPTS", "SECONDS", "COST"] and lines[2].split()[0] == "gold"
    assert lines[-2].split()[0] == "total" and lines[-1].startswith("Spent in 20")
    answer = json.loads(hearth(gold, "usage", "--json"))
    seconds, usd = lines[2].split()[2:]
    sums = {line["key"]: line for line in answer["usage"]}
    assert round(float(seconds) * 1000) == sums["gold"]["usedMilliseconds"]
    assert round(float(usd.removeprefix("$")) * DOLLAR) == sums["gold"]["microUsd"]
    rows = list(csv.DictReader(io.StringIO(hearth(gold, "usage", "--csv"))))
    assert [row["flavor"] for row in rows] == [line["key"] for line in answer["usage"]]
    assert round(float(rows[0]["usd"]) * DOLLAR) == answer["usage"][0]["microUsd"]
    assert "red" in hearth(gold, "usage", "--label", "team")
    jobs = list(csv.DictReader(io.StringIO(hearth(gold, "usage", "--by", "job", "--csv"))))
    assert len(jobs) == answer["total"]["attempts"] and {row["user"] for row in jobs} == {"alice"}
    assert sum(round(float(row["usd"]) * DOLLAR) for row in jobs) == answer["total"]["microUsd"]
    assert "alice" in hearth(gold, "admin", "usage")
    for by in ("user", "day", "month", "group", "namespace"):
        assert "total" in hearth(gold, "usage", "--by", by)
    assert "--by must be flavor, user, day, month, label, group, namespace or job" in hearth(gold, "usage", "--by", "color", status=1)
    assert "from must not be after today" in hearth(gold, "usage", "--from", "2999-01-01", status=1)
    table = hearth(gold, "usage", "--by", "job")  # in 80 columns, with whole ids
    assert all(job["job"] in table for job in jobs) and all(f"{job['started'][:10]} {job['started'][11:16]}" in table for job in jobs)
    assert "from must be a date" in hearth(gold, "usage", "--from", "monday", status=1)
    check_ledger(gold)


def test_credits_by_the_command_line(gold):
    assert "Credits granted" in hearth(gold, "admin", "credits", "grant", "alice", "12.5", "--expires", "30d", "--note", "welcome")
    [credit] = json.loads(hearth(gold, "admin", "credits", "ls", "alice", "--json"))["credits"]
    assert credit["amountMicroUsd"] == 12_500_000 and credit["note"] == "welcome"
    text = hearth(gold, "admin", "credits", "ls", "alice")
    assert "$12.50" in text and "Left, running jobs taken off: $12.50" in text
    assert "credits left: $12.50" in hearth(gold, "usage")
    hearth(gold, "admin", "credits", "revoke", "alice", credit["id"])
    assert "Nothing is left" in hearth(gold, "usage")
    assert "there is no credit" in hearth(gold, "admin", "credits", "revoke", "alice", "x", status=1)
    assert "amount: \"x\" is not an amount" in hearth(gold, "admin", "credits", "grant", "alice", "x", status=1)
    hearth(gold, "admin", "budget", "set", "alice", "--unlimited", "yes")
    shown = hearth(gold, "admin", "budget", "show", "alice")
    assert "unlimited: yes" in shown and "monthly: default" in shown
    hearth(gold, "run", "--flavor", "gold", "busybox", "true")
    assert "without any limit: --unlimited yes" in hearth(gold, "admin", "budget", "set", "alice", "--monthly", "none", status=1)
    assert "must be yes, no or default" in hearth(gold, "admin", "budget", "set", "alice", "--unlimited", "perhaps", status=1)
