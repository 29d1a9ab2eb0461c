# SPDX-License-Identifier: Apache-2.0
"""Money over HTTP: usage, credits, budgets and 402 (hub-jobs-api 0.5, 2.11), on the fake backend."""
import datetime
import re

import pytest

from server import wait_until

GOLD = ("flavor gold.vcpu=0.1", "flavor gold.memory=1M", "flavor gold.price_per_hour=3600",  # a dollar per second
        "flavor free.vcpu=0.1", "flavor free.memory=1M", "flavor free.price_per_hour=0")
TODAY = datetime.datetime.now(datetime.timezone.utc).date()


@pytest.fixture(scope="module")
def gold(make_fake):
    return make_fake(*GOLD)


def usage(server, query="", token=None):
    answer = server.call("GET", "/api/usage" + query, token)
    assert answer.status_code == 200, answer.text
    return answer.json()


def error(answer, status):
    assert answer.status_code == status, answer.text
    text = answer.json()["error"]
    assert answer.headers["X-Error-Message"] == text and text.isascii()
    return text


def cost(job):
    return job["hearth"]["cost"]


def test_a_job_says_what_it_costs(gold):
    job = gold.submit("run=300", flavor="gold", timeoutSeconds=100)
    assert cost(job) == {"usedMilliseconds": 0, "microUsd": 0, "estimatedMicroUsd": 100_000_000, "microUsdPerHour": 3_600_000_000}
    assert "endpoint" not in job
    gold.wait_job(job["id"], ("RUNNING",))
    wait_until(lambda: cost(gold.job(job["id"]))["microUsd"] > 0, 5)
    done = gold.wait_job(job["id"])
    assert 290 <= cost(done)["usedMilliseconds"] < 2000  # timers round
    assert cost(done)["microUsd"] == cost(done)["estimatedMicroUsd"] == cost(done)["usedMilliseconds"] * 1000
    listed = gold.call("GET", "/api/jobs/alice").json()[0]
    assert listed["id"] == job["id"] and "hearth" not in listed  # lists stay fast


def test_waiting_and_pulling_are_free(gold):
    job = gold.submit("pull=1000", "run=20", flavor="gold")
    done = gold.wait_job(job["id"])
    assert cost(done)["usedMilliseconds"] < 700
    failed = gold.wait_job(gold.submit("pull=50", "fail=no", flavor="gold")["id"])
    assert failed["status"]["stage"] == "ERROR" and cost(failed)["microUsd"] == 0


def test_every_attempt_counts(gold):
    job = gold.wait_job(gold.submit("run=100", "exit=3", flavor="gold", attempts=3, labels={"hearth.retry-delay": "0s"})["id"])
    assert job["status"]["failureCount"] == 3
    records = [record for record in gold.call("GET", "/api/usage/records").json() if record["jobId"] == job["id"]]
    assert [record["attempt"] for record in records] == [3, 2, 1]
    assert cost(job)["usedMilliseconds"] == sum(record["usedMilliseconds"] for record in records) >= 280


def test_usage_by_everything(make_fake):
    server = make_fake(*GOLD)
    bob = server.make_user("bob")
    assert server.admin("POST", "/admin/orgs", {"name": "lab"})[0] == 200
    assert server.admin("PUT", "/admin/orgs/lab/members/bob", {"role": "write"})[0] == 200
    first = server.submit("run=50", flavor="gold", labels={"team": "red"})
    second = server.submit("run=50", flavor="cpu-basic", labels={"team": "blue"}, namespace="lab", token=bob)
    third = server.submit("run=50", flavor="free")
    ms = [cost(server.wait_job(job["id"]))["usedMilliseconds"] for job in (first, third)]
    wait_until(lambda: server.call("GET", f"/api/jobs/lab/{second['id']}", bob).json()["status"]["stage"] == "COMPLETED", 10)

    def keys(query="", token=None):
        return {line["key"]: (line["attempts"], line["usedMilliseconds"], line["microUsd"]) for line in usage(server, query, token)["usage"]}
    assert keys() == {"gold": (1, ms[0], ms[0] * 1000), "free": (1, ms[1], 0)}
    assert keys("?by=user") == {"alice": (2, sum(ms), ms[0] * 1000)}
    assert keys(f"?by=day&from={TODAY}&to={TODAY}") == {str(TODAY): (2, sum(ms), ms[0] * 1000)}
    assert keys("?by=month") == {f"{TODAY:%Y-%m}": (2, sum(ms), ms[0] * 1000)}
    assert keys("?by=label&label=team") == {"red": (1, ms[0], ms[0] * 1000)}
    assert keys("?by=label&label=none") == {}
    assert keys("?from=2026-01-01&to=2026-01-31") == {}
    assert set(keys("?namespace=lab", bob)) == {"cpu-basic"}
    whole = usage(server, "?by=group")
    assert [line["key"] for line in whole["usage"]] == [""] and whole["total"]["attempts"] == 2
    assert whole["from"] == f"{TODAY:%Y-%m}-01" and whole["to"] == str(TODAY) and whole["namespace"] == "alice"
    assert whole["month"]["spentMicroUsd"] == ms[0] * 1000 and whole["month"]["budgetMicroUsd"] is None

    status, every = server.admin("GET", "/api/usage?by=namespace")
    assert status == 200 and {line["key"] for line in every["usage"]} == {"alice", "lab"} and "month" not in every
    assert {line["key"] for line in server.admin("GET", "/api/usage?by=label&label=team")[1]["usage"]} == {"red", "blue"}
    assert server.admin("GET", "/api/usage?namespace=lab")[1]["namespace"] == "lab"

    # who may see it
    assert "not a member of the organization lab" in error(server.call("GET", "/api/usage?namespace=lab"), 403)
    assert "belongs to another user" in error(server.call("GET", "/api/usage?namespace=alice", bob), 403)
    assert "belongs to another user" in error(server.call("GET", "/api/usage/records?namespace=alice", bob), 403)
    error(server.call("GET", "/api/usage?namespace=nobody"), 404)
    error(server.call("GET", "/api/usage", ""), 401)
    assert usage(server, token=server.make_user("alice", "read"))["total"]["attempts"] == 2


@pytest.mark.parametrize("query, words", [
    ("?by=color", "by must be namespace, user, flavor"),
    ("?by=label", "label is required with by=label"),
    ("?label=x", "label goes with by=label only"),
    ("?from=yesterday", "from must be a date such as 2026-05-01"),
    ("?to=2026-5-1", "to must be a date"),
    ("?from=2026-02-30", "from must be a date"),
    ("?from=2026-05-02&to=2026-05-01", "to must not be before from"),
])
def test_bad_questions(gold, query, words):
    assert words in error(gold.call("GET", "/api/usage" + query), 400)


@pytest.mark.parametrize("query, words", [
    ("?limit=0", "limit must be a number from 1 to 1000"),
    ("?limit=x", "limit must be a number"),
    ("?cursor=x", "cursor is not one of this server"),
    ("?cursor=1.2.3", "cursor is not one of this server"),
    ("?cursor=1." + "0" * 24 + ".1x", "cursor is not one of this server"),
    ("?cursor=1." + "0" * 24 + ".", "cursor is not one of this server"),
])
def test_bad_pages(gold, query, words):
    assert words in error(gold.call("GET", "/api/usage/records" + query), 400)


def test_records_come_in_pages(make_fake):
    server = make_fake(*GOLD)
    ids = [server.submit("run=5", flavor="gold")["id"] for _ in range(7)]
    for job_id in ids:
        server.wait_job(job_id)
    seen, path = [], "/api/usage/records?limit=3"
    while path:
        answer = server.call("GET", path)
        assert len(answer.json()) <= 3
        seen += answer.json()
        path = answer.links["next"]["url"].removeprefix(server.endpoint) if "next" in answer.links else None
    assert sorted(record["jobId"] for record in seen) == sorted(ids)
    assert [record["startedAt"] for record in seen] == sorted((record["startedAt"] for record in seen), reverse=True)
    assert set(seen[0]) == {"jobId", "attempt", "user", "group", "flavor", "microUsdPerHour", "startedAt", "endedAt", "usedMilliseconds",
                            "microUsd"}
    assert "namespace is required" in server.admin("GET", "/api/usage/records")[1]["error"]


def test_the_billing_route(make_fake):
    server = make_fake(*GOLD)
    jobs = [server.wait_job(server.submit("run=40", flavor="gold")["id"]) for _ in range(2)]
    twice = server.wait_job(server.submit("run=40", "exit=1", flavor="gold", attempts=2, labels={"hearth.retry-delay": "0s"})["id"])
    running = server.submit("run=forever", flavor="gold")
    server.wait_job(running["id"], ("RUNNING",))
    answer = server.call("GET", "/api/settings/billing/usage/jobs").json()
    assert answer["hasAccess"] is True
    month = answer["usage"]
    assert month["periodStart"] == f"{TODAY:%Y-%m}-01T00:00:00.000Z" and month["periodEnd"] > month["periodStart"]
    details = {detail["jobId"]: detail for detail in month["jobDetails"]}
    assert set(details) == {jobs[0]["id"], jobs[1]["id"], twice["id"], running["id"]} and len(month["jobDetails"]) == 4
    for job in [*jobs, twice]:
        detail = details[job["id"]]
        assert detail["totalCostMicroUsd"] == cost(job)["microUsd"] and detail["totalMinutes"] == 1
        assert detail["hardwareFlavor"] == "gold" and detail["startedAt"] < detail["completedAt"]
        assert set(detail) == {"jobId", "hardwareFlavor", "totalMinutes", "totalCostMicroUsd", "startedAt", "completedAt"}
    assert details[running["id"]]["completedAt"] is None
    assert month["usedMicroUsd"] >= sum(cost(job)["microUsd"] for job in [*jobs, twice]) and month["totalMinutes"] == 1
    error(server.call("GET", "/api/settings/billing/usage/jobs", ""), 401)
    assert server.call("GET", "/api/settings/billing/usage/jobs", server.make_user("bob")).json()["usage"]["jobDetails"] == []


def test_credits_end_and_jobs_are_stopped(make_fake):
    server = make_fake(*GOLD)
    status, credit = server.admin("POST", "/admin/credits/alice", {"amount": "0.25", "expires": "30d", "note": "for tests"})
    assert status == 200 and credit["amountMicroUsd"] == credit["leftMicroUsd"] == 250_000
    job = server.submit("run=forever", flavor="gold")
    free = server.submit("run=forever", flavor="free")
    done = server.wait_job(job["id"])
    assert done["status"]["stage"] == "CANCELED" and done["status"]["cancelReason"] == "NO_CREDITS"
    assert done["status"]["message"] == "Stopped: no credits are left"
    assert 250 <= cost(done)["usedMilliseconds"] <= 1250  # within a second of the limit
    assert server.job(free["id"])["status"]["stage"] == "RUNNING"
    text = error(server.call("POST", "/api/jobs/alice", json={"dockerImage": "x", "command": ["job"], "flavor": "gold"}), 402)
    assert text.startswith("alice has no credits left: the balance is ") and "a minute of gold costs $60.00" in text
    error(server.call("POST", f"/api/jobs/alice/{job['id']}/duplicate"), 402)
    assert server.call("GET", "/api/settings/billing/usage/jobs").json()["hasAccess"] is False
    server.submit("run=0", flavor="free")
    _, listed = server.admin("GET", "/admin/credits/alice")
    assert [c["leftMicroUsd"] for c in listed["credits"]] == [0]
    assert listed["debtMicroUsd"] == cost(done)["microUsd"] - 250_000 == -listed["month"]["balanceMicroUsd"]
    # the next credit pays the debt first
    status, credit = server.admin("POST", "/admin/credits/alice", {"amount": "10"})
    assert credit["leftMicroUsd"] == 10_000_000 - listed["debtMicroUsd"] and credit["expiresAt"] is None
    done = server.wait_job(server.submit("run=10", flavor="gold")["id"])
    assert done["status"]["stage"] == "COMPLETED"
    assert server.admin("DELETE", f"/admin/credits/alice/{credit['id']}") == (200, {"revoked": credit["id"]})
    assert usage(server)["month"]["balanceMicroUsd"] == 0
    error(server.call("POST", "/api/jobs/alice", json={"dockerImage": "x", "command": ["job"], "flavor": "gold"}), 402)


def test_a_budget_stops_what_runs_and_what_waits(make_fake):
    server = make_fake(*GOLD, "scheduler.max_running=1", "billing.monthly_budget=100", "webhooks.private_addresses=yes")
    hook = server.call("POST", "/api/settings/webhooks", json={"url": "http://127.0.0.1:9/", "watched": [],
                                                               "jobs": {"namespace": "alice", "events": ["budget-80", "budget-100"]}})
    assert hook.status_code == 200, hook.text
    running = server.submit("run=forever", flavor="gold")
    waiting = [server.submit("run=forever", flavor="gold")["id"] for _ in range(120)]
    server.wait_job(running["id"], ("RUNNING",))
    status, budget = server.admin("PUT", "/admin/budgets/alice", {"monthly": "0.5"})
    assert status == 200 and budget["monthlyMicroUsd"] == 500_000 == budget["month"]["budgetMicroUsd"] and budget["unlimited"] is None
    done = server.wait_job(running["id"])
    assert done["status"]["cancelReason"] == "NO_CREDITS" and done["status"]["message"] == "Stopped: the monthly budget of $0.50 is used up"
    for job_id in waiting:
        job = server.wait_job(job_id)
        assert job["status"]["cancelReason"] == "NO_CREDITS" and cost(job)["microUsd"] == 0
    text = error(server.call("POST", "/api/jobs/alice", json={"dockerImage": "x", "command": ["job"], "flavor": "gold"}), 402)
    assert text.startswith("alice has used up its budget of $0.50 for ") and "jobs can run again on 20" in text
    events = [log["event"] for log in server.call("GET", f"/api/settings/webhooks/{hook.json()['webhook']['id']}/deliveries").json()]
    assert sorted(events) == ["budget.budget-100", "budget.budget-80"], events
    # more, and it goes on
    assert server.admin("PUT", "/admin/budgets/alice", {"monthly": None})[1]["month"]["budgetMicroUsd"] == 100_000_000
    assert server.wait_job(server.submit("run=10", flavor="gold")["id"])["status"]["stage"] == "COMPLETED"
    assert server.admin("PUT", "/admin/budgets/alice", {"monthly": "0"})[1]["month"]["exhausted"] is True
    assert server.admin("PUT", "/admin/budgets/alice", {"unlimited": True})[1]["month"] | {"spentMicroUsd": 0} == {
        **server.admin("GET", "/admin/budgets/alice")[1]["month"], "spentMicroUsd": 0, "unlimited": True, "limited": False, "exhausted": False}
    assert server.wait_job(server.submit("run=10", flavor="gold")["id"])["status"]["stage"] == "COMPLETED"


def test_prepaid(make_fake):
    server = make_fake(*GOLD, "billing.prepaid=yes")
    text = error(server.call("POST", "/api/jobs/alice", json={"dockerImage": "x", "command": ["job"], "flavor": "gold"}), 402)
    assert text.startswith("alice has no credits left: the balance is $0.00")
    server.wait_job(server.submit("run=0", flavor="free")["id"])
    assert server.admin("POST", "/admin/credits/alice", {"amount": "1"})[0] == 200
    assert server.wait_job(server.submit("run=0", flavor="gold")["id"])["status"]["stage"] == "COMPLETED"
    bob = server.make_user("bob")
    error(server.call("POST", "/api/jobs/bob", bob, json={"dockerImage": "x", "command": ["job"], "flavor": "gold"}), 402)


def test_a_tick_that_nobody_pays_for(make_fake):
    server = make_fake(*GOLD, "billing.prepaid=yes")
    body = {"jobSpec": {"dockerImage": "x", "command": ["job"], "flavor": "gold"}, "schedule": "0 0 1 1 *"}
    schedule = server.call("POST", "/api/scheduled-jobs/alice", json=body)
    assert schedule.status_code == 200, schedule.text
    path = f"/api/scheduled-jobs/alice/{schedule.json()['id']}"
    for _ in range(7):
        error(server.call("POST", path + "/run"), 402)
    assert server.call("GET", path).json()["suspend"] is False  # it says nothing about the schedule
    server.admin("POST", "/admin/credits/alice", {"amount": "1"})
    assert server.call("POST", path + "/run").status_code == 200


@pytest.mark.parametrize("body, words", [
    ({}, "amount"),
    ({"amount": 5}, "amount"),
    ({"amount": "-5"}, "is negative"),
    ({"amount": "0"}, "amount: must be more than 0"),
    ({"amount": "1e9"}, "is not an amount in USD"),
    ({"amount": "1000000001"}, "is too much"),
    ({"amount": "1", "expires": "2020-01-01"}, "expires: must be a time to come"),
    ({"amount": "1", "expires": "soon"}, "write for example 2026-12-31 or 30d"),
    ({"amount": "1", "expires": "0"}, "expires: must be a time to come"),
    ({"amount": "1", "expires": "9223372036854775807d"}, "write for example"),
    ({"amount": "1", "note": "x" * 256}, "note: at most 255 bytes"),
])
def test_bad_grants(gold, body, words):
    status, answer = gold.admin("POST", "/admin/credits/alice", body)
    assert status == 400 and words in answer["error"], answer


@pytest.mark.parametrize("body, words", [
    ({}, "is required"),
    ({"monthly": 5}, "monthly must be text"),
    ({"monthly": "five"}, "is not an amount in USD"),
    ({"monthly": "-1"}, "is negative"),
    ({"unlimited": "yes"}, "unlimited must be true, false or null"),
])
def test_bad_budgets(gold, body, words):
    status, answer = gold.admin("PUT", "/admin/budgets/alice", body)
    assert status == 400 and words in answer["error"], answer


def test_nobody_to_give_it_to(gold):
    for method, path, body in (("GET", "credits/x", None), ("POST", "credits/x", {"amount": "1"}), ("DELETE", "credits/x/y", None),
                               ("GET", "budgets/x", None), ("PUT", "budgets/x", {"monthly": "1"})):
        status, answer = gold.admin(method, "/admin/" + path, body)
        assert status == 404 and "no user or organization x" in answer["error"], answer
    assert gold.admin("DELETE", "/admin/credits/alice/nothing")[0] == 404


def test_an_answer_nobody_waits_for(gold):
    """The report is made in later turns; a client that left meanwhile must not be answered."""
    import socket
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", gold.port)) as s:
            s.sendall(f"GET /api/usage?by=day&from=1970-01-01 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gold.token}\r\n\r\n".encode())
    assert usage(gold, "?by=day&from=1970-01-01")["total"]["attempts"] >= 0


def test_an_array_costs_what_its_elements_cost(make_fake):
    server = make_fake(*GOLD)
    array = server.submit("run=50", flavor="gold", timeoutSeconds=10, labels={"hearth.array": "1-4"})
    assert cost(array)["microUsd"] == 0 and cost(array)["estimatedMicroUsd"] == 4 * 10_000_000
    done = server.wait_job(array["id"])
    records = server.call("GET", "/api/usage/records").json()
    assert len(records) == 4 and array["id"] not in [record["jobId"] for record in records]
    assert cost(done)["usedMilliseconds"] == sum(record["usedMilliseconds"] for record in records)
    assert cost(done)["microUsd"] == cost(done)["estimatedMicroUsd"] == sum(record["microUsd"] for record in records)
    running = server.submit("run=forever", flavor="gold", labels={"hearth.array": "1-2"})
    wait_until(lambda: cost(server.job(running["id"]))["microUsd"] > 0, 10)
    server.call("POST", f"/api/jobs/alice/{running['id']}/cancel")


def test_an_array_that_money_ends(make_fake):
    server = make_fake(*GOLD, "scheduler.max_running=3")
    server.admin("PUT", "/admin/budgets/alice", {"monthly": "0.3"})
    array = server.submit("run=forever", flavor="gold", labels={"hearth.array": "1-200"})
    done = server.wait_job(array["id"])
    assert done["status"]["stage"] in ("CANCELED", "ERROR"), done["status"]

    def over():
        elements = server.call("GET", f"/api/jobs/alice?label=hearth.array-of={array['id']}&limit=1000").json()
        return all(element["status"]["stage"] == "CANCELED" for element in elements) and elements
    wait_until(over, 20)
    assert 300_000 <= usage(server)["total"]["microUsd"] <= 3_300_000


def test_an_event_that_nobody_pays_for(make_fake):
    server = make_fake(*GOLD)
    source = server.wait_job(server.submit("run=0", flavor="gold")["id"])
    hook = server.call("POST", "/api/settings/webhooks", json={"jobSourceId": source["id"], "watched": [{"type": "user", "name": "alice"}]})
    assert hook.status_code == 200, hook.text
    path = f"/api/settings/webhooks/{hook.json()['webhook']['id']}"
    server.admin("PUT", "/admin/budgets/alice", {"monthly": "0"})
    count = 60  # more than refusals in a row suspend
    for number in range(count):
        assert server.call("POST", f"/api/buckets/alice/b{number}", json={}).status_code == 200

    def logged():
        log = server.call("GET", path + "/deliveries").json()
        return len(log) == count and all(line["state"] == "failed" for line in log) and log
    log = wait_until(logged, 20, "deliveries")
    assert all("has used up its budget of $0.00" in line["error"] for line in log)
    assert server.call("GET", path).json()["webhook"]["disabled"] is False  # it says nothing about the webhook
    server.admin("PUT", "/admin/budgets/alice", {"monthly": None})
    server.call("POST", "/api/buckets/alice/last", json={})
    wait_until(lambda: server.call("GET", path + "/deliveries").json()[0]["state"] == "delivered", 20)


def test_a_warning_before_it_ends(make_fake):
    server = make_fake(*GOLD)
    body = {"dockerImage": "x", "command": ["job", "run=50"], "flavor": "gold"}
    first = server.call("POST", "/api/jobs/alice", json=body)
    assert first.status_code == 200 and "X-HF-Warning" not in first.headers
    spent = cost(server.wait_job(first.json()["id"]))["microUsd"]
    server.admin("PUT", "/admin/budgets/alice", {"monthly": f"{spent * 1.2 / 1e6:.6f}"})
    warning = server.call("POST", "/api/jobs/alice", json={**body, "flavor": "free"}).headers["X-HF-Warning"]
    assert re.fullmatch(r"budget; \$0\.\d+ of the budget of \$0\.\d+ for this month are spent", warning)
    server.admin("PUT", "/admin/budgets/alice", {"monthly": "100"})
    server.admin("POST", "/admin/credits/alice", {"amount": "2.45"})
    body["command"] = ["job", "run=2000"]
    server.wait_job(server.call("POST", "/api/jobs/alice", json=body).json()["id"])
    warning = server.call("POST", "/api/jobs/alice", json={**body, "flavor": "free"}).headers["X-HF-Warning"]
    assert re.fullmatch(r"budget; only -?\$0\.\d+ of credits are left", warning)
