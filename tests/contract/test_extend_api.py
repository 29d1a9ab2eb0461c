# SPDX-License-Identifier: Apache-2.0
"""POST …/extend and GET …/metrics/history, call by call."""
import datetime
import re

import pytest

from server import wait_until
from test_jobs_api import NOBODY, error_of
from webhook_receiver import Receiver

DAY = 24 * 3600


def extend(fake, job, body, **more):
    return fake.call("POST", f"/api/jobs/alice/{job}/extend", json=body, **more)


@pytest.fixture()
def running(fake):
    job = fake.submit("run=forever", timeoutSeconds=3600)["id"]
    fake.wait_job(job, ("RUNNING",))
    yield job
    fake.call("POST", f"/api/jobs/alice/{job}/cancel")


def test_time_is_added(fake, running):
    first = extend(fake, running, {"seconds": 7200})
    assert first.status_code == 200 and first.json()["id"] == running
    assert first.json()["timeoutSeconds"] == first.json()["timeout"] == 3 * 3600
    limit = fake.job(running)["hearth"]["timeLimit"]
    assert limit["extended"] is True and 3 * 3600 - 60 < limit["secondsLeft"] < 3 * 3600
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", limit["endsAt"])
    assert extend(fake, running, {"seconds": 1}).json()["timeoutSeconds"] == 3 * 3600 + 1


def test_a_limit_from_the_start(fake, running):
    assert fake.job(running)["hearth"]["timeLimit"]["extended"] is False
    assert extend(fake, running, {"timeoutSeconds": 600}).json()["timeoutSeconds"] == 600
    assert extend(fake, running, {"timeoutSeconds": 600}).json()["timeoutSeconds"] == 600
    assert extend(fake, running, {"timeoutSeconds": 30 * DAY}).json()["timeoutSeconds"] == 30 * DAY


def test_jobs_that_wait(make_fake):
    fake = make_fake("scheduler.max_running=1")
    first = fake.submit("run=forever")["id"]
    fake.wait_job(first, ("RUNNING",))
    waiting = fake.submit("run=forever", timeoutSeconds=60)["id"]
    shown = extend(fake, waiting, {"seconds": 40}).json()
    assert shown["timeoutSeconds"] == 100 and shown["status"]["stage"] == "SCHEDULING"
    assert shown["hearth"]["timeLimit"] == {"extended": True}
    fake.call("POST", f"/api/jobs/alice/{first}/cancel")
    fake.wait_job(waiting, ("RUNNING",))
    assert 90 < fake.job(waiting)["hearth"]["timeLimit"]["secondsLeft"] <= 100


@pytest.mark.parametrize("body, words", [
    ({}, "seconds"), ({"seconds": 1, "timeoutSeconds": 2}, "either seconds"),
    ({"seconds": 0}, "seconds must"), ({"seconds": -60}, "seconds must"), ({"seconds": "1h"}, "seconds must"),
    ({"seconds": 1.5}, "seconds must"), ({"seconds": True}, "seconds must"), ({"seconds": None}, "seconds must"),
    ({"timeoutSeconds": 0}, "timeoutSeconds must"), ({"timeoutSeconds": []}, "timeoutSeconds must"),
    ({"seconds": 30 * DAY}, "seconds: "), ({"seconds": 2**63 - 1}, "seconds: "),
    ({"timeoutSeconds": 30 * DAY + 1}, "30d (2592000 seconds) is the longest on this server"),
])
def test_what_is_refused(fake, running, body, words):
    text = error_of(extend(fake, running, body), 400)
    assert words in text, text
    assert fake.job(running)["timeoutSeconds"] == 3600


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"seconds":1,"seconds":2}', b'{"seconds":1e400}'])
def test_bodies_that_are_none(fake, running, data):
    error_of(fake.call("POST", f"/api/jobs/alice/{running}/extend", data=data), 400)


def test_jobs_that_are_over(fake):
    job = fake.submit()["id"]
    fake.wait_job(job)
    assert "over (COMPLETED)" in error_of(extend(fake, job, {"seconds": 5}), 409)
    canceled = fake.submit("run=forever")["id"]
    fake.call("POST", f"/api/jobs/alice/{canceled}/cancel")
    assert "over (CANCELED)" in error_of(extend(fake, canceled, {"seconds": 5}), 409)
    assert "timeLimit" not in fake.job(job).get("hearth", {})


def test_the_past(fake):
    job = fake.submit("run=forever", timeoutSeconds=2)["id"]
    fake.wait_job(job, ("RUNNING",))
    # The fake backend ends no job at its limit: this is the moment after it.
    refused = set()
    wait_until(lambda: refused.add(error_of(extend(fake, job, {"timeoutSeconds": 1}), 409) if
                                   fake.job(job)["hearth"]["timeLimit"]["secondsLeft"] == 0 else "") or
               any("reached its time limit of 2s" in text for text in refused), what="the limit")
    assert any("a time limit of 1s has passed already" in text for text in refused)
    assert "too late" in error_of(extend(fake, job, {"seconds": 3600}), 409)
    assert fake.job(job)["timeoutSeconds"] == 2
    fake.call("POST", f"/api/jobs/alice/{job}/cancel")


def test_nobody_elses_job(fake, running):
    token = fake.make_user("mallory")
    error_of(fake.call("POST", f"/api/jobs/mallory/{running}/extend", token, json={"seconds": 1}), 404)
    error_of(extend(fake, NOBODY, {"seconds": 1}), 404)
    assert fake.job(running)["timeoutSeconds"] == 3600


# History

def history(fake, job, query="", **more):
    return fake.call("GET", f"/api/jobs/alice/{job}/metrics/history{query}", **more)


def test_history_without_samples(fake, running):
    """The fake backend measures nothing."""
    answer = history(fake, running)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("application/json")
    assert answer.json() == {"attempt": 1, "stepSeconds": 1, "cpuMillicoresTotal": 0, "memoryTotalBytes": 0,
                             "gpus": {}, "samples": []}
    assert history(fake, running, "?step=60&attempt=1").json()["samples"] == []


@pytest.mark.parametrize("query, words", [
    ("?step=0", "step: "), ("?step=-1", "step: "), ("?step=abc", "step: "), ("?step=", "step: "),
    ("?step=1.5", "step: "), ("?step=99999999999999999999", "step: "), ("?attempt=0", "attempt: "), ("?attempt=x", "attempt: "),
])
def test_history_refuses(fake, running, query, words):
    assert words in error_of(history(fake, running, query), 400)


def test_history_of_no_attempt(fake, running):
    assert "attempt: the job has had 1 attempt so far" in error_of(history(fake, running, "?attempt=2"), 404)
    error_of(history(fake, running, "?attempt=9999999999"), 404)
    error_of(history(fake, NOBODY), 404)


def test_webhooks_follow_the_limit(make_fake):
    fake = make_fake("webhooks.private_addresses=yes")
    receiver = Receiver()
    try:
        answer = fake.call("POST", "/api/settings/webhooks", json={"url": receiver.url, "watched": [], "jobs": {"events": ["timeout-soon"]}})
        assert answer.status_code == 200, answer.text
        job = fake.submit("run=forever", timeoutSeconds=3600)["id"]
        shown = fake.wait_job(job, ("RUNNING",))
        assert extend(fake, job, {"timeoutSeconds": 2}).status_code == 200
        wait_until(lambda: receiver.received, 10, "the event")
        payload = receiver.payloads()[0]
        began, ends = (datetime.datetime.fromisoformat(text) for text in (shown["startedAt"], payload["timeoutAt"]))
        assert payload["event"]["action"] == "timeout-soon" and ends - began == datetime.timedelta(seconds=2)
        fake.call("POST", f"/api/jobs/alice/{job}/cancel")
    finally:
        receiver.stop()
