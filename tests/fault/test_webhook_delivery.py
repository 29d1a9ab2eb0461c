# SPDX-License-Identifier: Apache-2.0
"""Deliveries of webhooks while hearthd is killed: what was answered for is delivered, in order, at least once; jobs exactly once."""
import collections
import threading
import time

import pytest
import requests

from server import wait_until
from webhook_receiver import Receiver

WEBHOOKS = "/api/settings/webhooks"
EVENTS = 120


@pytest.fixture(scope="module")
def server(make_server):
    return make_server("[webhooks]\nprivate_addresses = yes\ndaily_max = 100000\n")


def event(number, name="alice/raw"):
    return {"event": {"action": "update", "scope": "repo.content"},
            "repo": {"type": "dataset", "name": name, "id": "6366c000a2abcdf2fd69a080", "private": False},
            "updatedRefs": [{"ref": "refs/heads/main", "oldSha": None, "newSha": f"{number:040x}"}], "number": number}


def create(server, **fields):
    answer = server.call("POST", WEBHOOKS, json={"watched": [{"type": "user", "name": "alice"}], **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["webhook"]["id"]


def announce_until_accepted(server, number):
    """As a careful sender does: the same event again until it is answered. Told twice it counts once."""
    while True:
        try:
            answer = server.call("POST", "/api/webhooks/announce", json=event(number), timeout=10)
            assert answer.status_code == 200, answer.text
            return
        except requests.RequestException:
            time.sleep(0.02)


def test_order_and_at_least_once_through_kills(server):
    receiver = Receiver(lambda received: time.sleep(0.004) or 200)
    other = Receiver()
    name, second = create(server, url=receiver.url), create(server, url=other.url)
    try:
        sender = threading.Thread(target=lambda: [announce_until_accepted(server, number) for number in range(EVENTS)])
        sender.start()
        for share in (0.15, 0.4, 0.6, 0.85):
            wait_until(lambda: len(set(p["number"] for p in receiver.payloads())) >= share * EVENTS, 60)
            server.kill9()
            server.start()
        sender.join(60)
        assert not sender.is_alive()
        for each in (receiver, other):
            wait_until(lambda: {payload["number"] for payload in each.payloads()} == set(range(EVENTS)), 60, "all events")
            numbers = [payload["number"] for payload in each.payloads()]
            first = list(dict.fromkeys(numbers))
            assert first == list(range(EVENTS))
            # Again only what was under way or not yet written when it was killed, and then by the same names.
            assert all(number <= EVENTS and numbers.index(number) + 60 > last for number, last in
                       {n: i for i, n in enumerate(numbers)}.items()), numbers
            names = collections.defaultdict(set)
            for received in list(each.received):
                names[received.payload["number"]].add(received.headers["x-hearth-delivery"])
            assert all(len(ids) == 1 for ids in names.values())
        for webhook in (name, second):
            wait_until(lambda: all(e["state"] == "delivered" for e in server.call("GET", f"{WEBHOOKS}/{webhook}/deliveries").json()), 10)
    finally:
        for webhook in (name, second):
            server.call("DELETE", f"{WEBHOOKS}/{webhook}")
        receiver.stop()
        other.stop()


def test_a_receiver_that_is_down_while_the_server_is_killed(server):
    receiver = Receiver()
    port = receiver.port
    receiver.stop()
    name = create(server, url=receiver.url)
    for number in (1000, 1001):
        announce_until_accepted(server, number)
    entries = f"{WEBHOOKS}/{name}/deliveries"
    wait_until(lambda: server.call("GET", entries).json()[-1]["attempts"] >= 1, 10)
    server.kill9()
    receiver = Receiver(port=port)
    try:
        server.start()
        wait_until(lambda: [p["number"] for p in receiver.payloads()] == [1000, 1001], 20)
        wait_until(lambda: [e["state"] for e in server.call("GET", entries).json()] == ["delivered"] * 2, 10)
    finally:
        server.call("DELETE", f"{WEBHOOKS}/{name}")
        receiver.stop()


def test_jobs_are_started_exactly_once_through_kills(server):
    name = create(server, job={"dockerImage": "busybox", "command": ["true"], "flavor": "tiny", "timeoutSeconds": 120})
    try:
        for number in range(2000, 2012):
            announce_until_accepted(server, number)
            if number % 3 == 0:
                server.kill9()
                server.start()
        entries = f"{WEBHOOKS}/{name}/deliveries"
        wait_until(lambda: [e["state"] for e in server.call("GET", entries).json()] == ["delivered"] * 12, 30)
        started = [e["jobId"] for e in server.call("GET", entries).json()]
        jobs = [job for job in server.jobs() if job.get("initiator", {}).get("id") == name]
        assert sorted(job["id"] for job in jobs) == sorted(started) and len(set(started)) == 12
        numbers = sorted(job["environment"]["WEBHOOK_PAYLOAD"].split('"number":')[1].split(",")[0] for job in jobs)
        assert numbers == [str(number) for number in range(2000, 2012)]
        for job in jobs:
            server.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    finally:
        server.call("DELETE", f"{WEBHOOKS}/{name}")
