# SPDX-License-Identifier: Apache-2.0
"""/api/settings/webhooks, ingest and announce from outside (hub-jobs-api 4), on the fake backend: good and bad input, who may,
deliveries to a receiver that misbehaves, jobs that are started, loops, limits."""
import copy
import datetime
import hashlib
import hmac
import ipaddress
import json
import pathlib
import re
import socket
import textwrap
import threading
import time

import pytest

from server import wait_until
from webhook_receiver import Receiver

NOBODY = "0123456789abcdef01234567"
SECRET = "h00k secret!"
WEBHOOKS = "/api/settings/webhooks"
PAYLOAD = {"event": {"action": "update", "scope": "repo.content"},
           "repo": {"type": "dataset", "name": "alice/raw", "id": "6366c000a2abcdf2fd69a080", "private": False,
                    "url": {"web": "https://hub.example/datasets/alice/raw", "api": "https://hub.example/api/datasets/alice/raw"},
                    "headSha": "c379e821c9c95d613899e8c4343e4bfee2b0c600", "tags": ["license:other"],
                    "owner": {"id": "61d2000c3c2083e1c08af22d"}},
           "webhook": {"id": "654bbbc16f2ec14d77f109cc", "version": 3}}


@pytest.fixture(scope="module")
def hooks(make_fake, tmp_path_factory):
    secret = tmp_path_factory.mktemp("ingest") / "secret"
    secret.write_text("from-the-hub\n")
    return make_fake("webhooks.private_addresses=yes", f"webhooks.ingest_secret_file={secret}", "webhooks.daily_max=200",
                     "webhooks.timeout=60s")


@pytest.fixture
def receivers():
    made = []

    def make(*arguments, **more):
        made.append(Receiver(*arguments, **more))
        return made[-1]
    yield make
    for receiver in made:
        receiver.stop()


def create(fake, token=None, **fields):
    body = {"watched": [{"type": "user", "name": "alice"}], **fields}
    answer = fake.call("POST", WEBHOOKS, token, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["webhook"]


@pytest.fixture
def webhook(hooks):
    """Makes webhooks that are gone after the test, so that no test hears of another one's events."""
    made = []

    def make(token=None, **fields):
        made.append((create(hooks, token, **fields)["id"], token))
        return made[-1][0]
    yield make
    for name, token in made:
        hooks.call("DELETE", f"{WEBHOOKS}/{name}", token)


def event(number=0, name="alice/raw", **repo):
    payload = copy.deepcopy(PAYLOAD)
    payload["repo"].update(name=name, **repo)
    payload["updatedRefs"] = [{"ref": "refs/heads/main", "oldSha": "0" * 40, "newSha": f"{time.time_ns():040x}"}]
    payload["number"] = number
    return payload


def announce(fake, payload, token=None, **more):
    answer = fake.call("POST", "/api/webhooks/announce", token, json=payload, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def deliveries(fake, webhook_id, count=1, state=None, token=None):
    """The log, oldest first, once it has `count` entries (in that state) at least."""
    def reached():
        found = fake.call("GET", f"{WEBHOOKS}/{webhook_id}/deliveries", token).json()
        found = [entry for entry in found if state is None or entry["state"] == state]
        return found if len(found) >= count else None
    return wait_until(reached, 20, f"{count} deliveries of {webhook_id}", 0.02)[::-1]


def error_of(answer, status):
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"} and "\n" not in answer.headers["X-Error-Message"]
    return answer.json()["error"]


def refused(fake, status=400, **fields):
    body = {"watched": [{"type": "user", "name": "alice"}], "url": "https://receiver.example/hook", **fields}
    return error_of(fake.call("POST", WEBHOOKS, json={name: value for name, value in body.items() if value is not ...}), status)


# The object

def test_life_of_a_webhook(hooks):
    made = create(hooks, url="https://receiver.example/hook", secret=SECRET, domains=["repo", "discussions"])
    assert made["domains"] == ["repo", "discussion"] and made["disabled"] is False and made["hasSecret"] is True
    assert "secret" not in made and "job" not in made and SECRET not in json.dumps(made)
    one = f"{WEBHOOKS}/{made['id']}"
    assert hooks.call("GET", one).json() == {"webhook": made}
    assert made in hooks.call("GET", WEBHOOKS).json()
    changed = hooks.call("POST", one, json={"watched": [], "url": "https://other.example/"}).json()["webhook"]
    assert changed["watched"] == made["watched"] and changed["url"] == "https://other.example/" and changed["hasSecret"]
    changed = hooks.call("POST", one, json={"watched": [{"type": "bucket", "name": "alice/out"}], "domains": []}).json()["webhook"]
    assert changed["watched"] == [{"type": "bucket", "name": "alice/out"}] and changed["domains"] == ["repo", "discussion"]
    assert hooks.call("POST", f"{one}/disable").json()["webhook"]["disabled"] is True
    assert hooks.call("POST", f"{one}/enable").json()["webhook"]["disabled"] is False
    assert hooks.call("DELETE", one).json() == {}
    for method, path in (("GET", one), ("POST", one), ("DELETE", one), ("POST", f"{one}/enable"), ("GET", f"{one}/deliveries"),
                         ("POST", f"{one}/replay/{NOBODY}"), ("GET", f"{WEBHOOKS}/not-an-id")):
        error_of(hooks.call(method, path, json={} if method == "POST" else None), 404)


def test_of_others_nothing_is_seen(hooks, webhook):
    own = webhook(url="https://receiver.example/hook")
    mallory, reader = hooks.make_user("mallory"), hooks.make_user("alice", "read")
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", ""), ("POST", "/enable"), ("GET", "/deliveries")):
        error_of(hooks.call(method, f"{WEBHOOKS}/{own}{path}", mallory, json={} if method == "POST" else None), 404)
    assert hooks.call("GET", WEBHOOKS, mallory).json() == []
    assert hooks.call("GET", f"{WEBHOOKS}/{own}", reader).status_code == 200
    for method, path in (("POST", f"/{own}"), ("DELETE", f"/{own}"), ("POST", f"/{own}/disable"), ("POST", "")):
        assert "write" in error_of(hooks.call(method, WEBHOOKS + path, reader, json={} if method == "POST" else None), 403)
    error_of(hooks.call("GET", WEBHOOKS, ""), 401)


# Bad input

@pytest.mark.parametrize("fields, word", [
    ({"url": ...}, "target"),
    ({"job": {"dockerImage": "busybox", "command": ["true"], "flavor": "cpu-basic"}}, "only one"),
    ({"watched": []}, "watched"), ({"watched": ...}, "watched"), ({"watched": "alice"}, "watched"), ({"watched": [7]}, "watched[0].type"),
    ({"watched": [{"type": "user"}]}, "watched[0].name"), ({"watched": [{"type": "team", "name": "a"}]}, "watched[0].type"),
    ({"watched": [{"type": "user", "name": "alice"}, {"type": "dataset", "name": "al ice/raw"}]}, "watched[1].name"),
    ({"watched": [{"type": "dataset", "name": "a/b/c"}]}, "watched[0].name"), ({"watched": [{"type": "user", "name": "a/b"}]}, "without"),
    ({"watched": [{"type": "bucket", "name": "out"}]}, "NAMESPACE/NAME"), ({"watched": [{"type": "user", "name": ""}]}, "watched[0].name"),
    ({"watched": [{"type": "user", "name": "x" * 200}]}, "watched[0].name"),
    ({"watched": [{"type": "user", "name": "a"}] * 1001}, "1000"),
    ({"domains": ["repos"]}, "domains[0]"), ({"domains": "repo"}, "domains"), ({"domains": [1]}, "domains[0]"),
    ({"secret": "é"}, "ASCII"), ({"secret": "a\nb"}, "ASCII"), ({"secret": 5}, "string"), ({"secret": "x" * 1025}, "1024"),
    ({"url": "ftp://receiver.example/"}, "http"), ({"url": "file:///etc/passwd"}, "http"), ({"url": "gopher://x"}, "http"),
    ({"url": "receiver.example/hook"}, "http"), ({"url": "javascript:alert(1)"}, "http"), ({"url": "http://"}, "URL"),
    ({"url": "https://a b/"}, "spaces"), ({"url": "https://user:pw@receiver.example/"}, "password"), ({"url": 5}, "string"),
    ({"url": "https://receiver.example/" + "x" * 3000}, "2048"), ({"url": "https://receiver.example/é"}, "ASCII"),
    ({"url": "https://receiver.example/\r\nX-Evil: 1"}, "spaces"), ({"url": "http://[::1"}, "URL"), ({"url": "http://h:99999/"}, "URL"),
    ({"jobs": "all"}, "object"), ({"jobs": {"events": ["exploded"]}}, "jobs.events[0]"), ({"jobs": {"events": "failed"}}, "jobs.events"),
    ({"jobs": {"namespace": "nobody"}}, "nobody"), ({"jobs": {"labels": {"a": 1}}}, "jobs"),
    ({"secrets": {"A": "b"}}, "jobSourceId"),
])
def test_what_is_refused(hooks, fields, word):
    assert word in refused(hooks, **fields)


def test_bodies_that_are_no_bodies(hooks):
    for body in (b"", b"[]", b"{", b'{"watched":[{"type":"user","name":"a"}],"watched":[]}', b"\xff"):
        assert hooks.call("POST", WEBHOOKS, data=body, headers={"Content-Type": "application/json"}).status_code == 400
    error_of(hooks.call("POST", WEBHOOKS, data=b" " * (5 * 1024 * 1024)), 413)
    assert "job" in refused(hooks, 404, url=..., job={"dockerImage": "busybox", "command": ["true"], "flavor": "cpu-basic",
                                                      "volumes": [{"type": "bucket", "source": "alice/nothing", "mountPath": "/x"}]})
    assert "jobSourceId" in refused(hooks, 404, url=..., jobSourceId=NOBODY)
    assert "jobSourceId" in refused(hooks, 404, url=..., jobSourceId="x")
    assert "job: flavor" in refused(hooks, url=..., job={"dockerImage": "busybox", "command": ["true"], "flavor": "huge"})
    mine = hooks.submit()["id"]
    assert "only one" in refused(hooks, jobSourceId=mine)
    mallory = hooks.make_user("mallory")
    answer = hooks.call("POST", WEBHOOKS, mallory, json={"watched": [{"type": "user", "name": "alice"}], "jobSourceId": mine})
    error_of(answer, 404)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://127.1/", "http://0x7f.0.0.1:8080/x", "http://2130706433/", "http://localhost:1/",
                                 "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.8/",
                                 "http://192.168.1.1/", "http://172.16.0.1/", "http://100.100.100.200/", "http://[fd00::1]/", "http://0.0.0.0/"])
def test_private_addresses_are_refused(fake, url):
    text = error_of(fake.call("POST", WEBHOOKS, json={"watched": [{"type": "user", "name": "alice"}], "url": url}), 400)
    assert "webhooks.private_addresses" in text


def private_name():
    """A name that the checks of a URL do not know, and that leads to this machine."""
    for name in ("ip6-localhost", "ip6-loopback", socket.gethostname()):
        try:
            found = {ipaddress.ip_address(entry[4][0].split("%")[0]) for entry in socket.getaddrinfo(name, 80)}
        except OSError:
            continue
        if all(address.is_private for address in found):
            return name
    pytest.skip("no name on this machine leads to a private address")


def test_a_name_that_leads_to_a_private_address(fake, receivers):
    """Only known after DNS: refused when the connection is made, and not tried again."""
    receiver = receivers()
    name = create(fake, url=f"http://{private_name()}:{receiver.port}/hook")["id"]
    announce(fake, event())
    entry = deliveries(fake, name, 1, "failed")[0]
    assert entry["attempts"] == 1 and "status" not in entry
    assert "webhooks.private_addresses" in entry["error"] and receiver.connections == 0
    fake.call("DELETE", f"{WEBHOOKS}/{name}")


# Deliveries

def signature_is_right(received, secret=SECRET):
    fields = dict(part.split("=", 1) for part in received.headers["x-hearth-signature"].split(","))
    signed = fields["t"].encode() + b"." + received.body
    return abs(time.time() - int(fields["t"])) < 60 and \
        hmac.compare_digest(fields["v1"], hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest())


def test_a_delivery(hooks, webhook, receivers):
    receiver = receivers(lambda received: (200, {"X-Mine": "yes"}, b"thank you"))
    name = webhook(url=receiver.url, secret=SECRET)
    payload = event()
    announce(hooks, payload)
    entry = deliveries(hooks, name, 1, "delivered")[0]
    (received,) = receiver.received
    assert received.payload == {**payload, "webhook": {"id": name, "version": 3}}
    assert received.headers["x-webhook-secret"] == SECRET and received.headers["content-type"] == "application/json"
    assert received.headers["x-hearth-event"] == "repo.content.update" and received.headers["x-hearth-event-id"] == entry["eventId"]
    assert received.headers["x-hearth-delivery"] == entry["id"] and signature_is_right(received)
    assert entry["status"] == 200 and entry["attempts"] == 1 and entry["response"]["body"] == "thank you"
    assert entry["response"]["headers"]["X-Mine"] == "yes" and entry["request"]["url"] == receiver.url
    assert entry["request"]["headers"]["X-Webhook-Secret"] == "***" and SECRET not in json.dumps(entry)
    assert hooks.call("GET", f"{WEBHOOKS}/{name}").json()["webhook"]["lastTriggerAt"]


def test_the_check_that_the_guide_shows(hooks, webhook, receivers):
    guide = (pathlib.Path(__file__).resolve().parents[2] / "docs/guide.md").read_text()
    shown = {}
    exec(textwrap.dedent(re.search(r"(    import hashlib, hmac, time\n.*?\n)\n\S", guide, re.DOTALL).group(1)), shown)
    receiver = receivers()
    webhook(url=receiver.url, secret=SECRET)
    announce(hooks, event())
    wait_until(lambda: receiver.received, 10)
    header, body = receiver.received[0].headers["x-hearth-signature"], receiver.received[0].body
    assert shown["is_genuine"](SECRET, header, body) is True
    assert not shown["is_genuine"]("other", header, body) and not shown["is_genuine"](SECRET, header, body + b" ")
    assert not shown["is_genuine"](SECRET, header, body, tolerance=-1)


def test_without_a_secret_nothing_is_signed(hooks, webhook, receivers):
    receiver = receivers()
    webhook(url=receiver.url)
    announce(hooks, event())
    wait_until(lambda: receiver.received, 10)
    assert not {"x-webhook-secret", "x-hearth-signature"} & set(receiver.received[0].headers)


@pytest.mark.parametrize("watched, hears", [
    ({"type": "dataset", "name": "alice/raw"}, True), ({"type": "dataset", "name": "Alice/RAW"}, True), ({"type": "user", "name": "alice"}, True),
    ({"type": "org", "name": "alice"}, True), ({"type": "model", "name": "alice/raw"}, False), ({"type": "dataset", "name": "alice/raw2"}, False),
    ({"type": "user", "name": "bob"}, False), ({"type": "user", "name": "alic"}, False)])
def test_who_hears(hooks, webhook, receivers, watched, hears):
    receiver = receivers()
    webhook(url=receiver.url, watched=[watched, watched])
    all_hear = receivers()
    webhook(url=all_hear.url)
    announce(hooks, event(1))
    wait_until(lambda: all_hear.received, 10)
    if hears:
        wait_until(lambda: receiver.received, 10)
    assert len(receiver.received) == (1 if hears else 0)


def test_domains_and_disabled_ones(hooks, webhook, receivers):
    receiver, disabled = receivers(), receivers()
    webhook(url=receiver.url, domains=["discussion"])
    off = webhook(url=disabled.url)
    hooks.call("POST", f"{WEBHOOKS}/{off}/disable")
    announce(hooks, event(1))
    talk = {**event(2), "event": {"action": "create", "scope": "discussion.comment"},
            "discussion": {"id": "6366c000a2abcdf2fd69a081", "num": 3, "title": "Hm", "isPullRequest": False, "status": "open",
                           "author": {"id": "61d2000c3c2083e1c08af22d"}},
            "comment": {"id": "6366c000a2abcdf2fd69a082", "author": {"id": "61d2000c3c2083e1c08af22d"}, "content": "Hello"}}
    announce(hooks, talk)
    wait_until(lambda: receiver.received, 10)
    assert [payload["number"] for payload in receiver.payloads()] == [2] and disabled.received == []
    assert hooks.call("GET", f"{WEBHOOKS}/{off}/deliveries").json() == []


def test_private_repositories_are_told_to_members_only(hooks, webhook, receivers):
    bob = hooks.make_user("bob")
    seen, unseen = receivers(), receivers()
    webhook(url=seen.url)
    webhook(bob, url=unseen.url)
    announce(hooks, event(1, private=True))
    announce(hooks, event(2, private=False))
    wait_until(lambda: len(seen.received) == 2 and unseen.received, 10)
    assert [payload["number"] for payload in unseen.payloads()] == [2]
    secret_less = event(3)
    del secret_less["repo"]["private"]  # not said: taken as private
    announce(hooks, secret_less)
    wait_until(lambda: len(seen.received) == 3, 10)
    announce(hooks, event(4))
    wait_until(lambda: len(unseen.received) == 2, 10)
    assert [payload["number"] for payload in unseen.payloads()] == [2, 4]


def test_order_and_one_at_a_time(hooks, webhook, receivers):
    busy = []

    def answer(received):
        busy.append(1)
        overlap = len(busy)
        time.sleep(0.01)
        busy.pop()
        return 200 if overlap == 1 else 500
    receiver = receivers(answer)
    name = webhook(url=receiver.url)
    for number in range(20):
        announce(hooks, event(number))
    entries = deliveries(hooks, name, 20, "delivered")
    assert [payload["number"] for payload in receiver.payloads()] == list(range(20))
    assert [entry["payload"]["number"] for entry in entries] == list(range(20))
    assert receiver.connections == 1


def test_a_failure_is_tried_again_and_holds_the_others_back(hooks, webhook, receivers):
    answers = iter([500, 503, None, None, 200])  # a connection that breaks is made once more at once
    receiver = receivers(lambda received: next(answers, 200) if received.payload["number"] == 1 else 200)
    name = webhook(url=receiver.url)
    for number in (1, 2):
        announce(hooks, event(number))
    waiting = deliveries(hooks, name, 2, "waiting")
    assert waiting[1]["attempts"] == 0
    entry = wait_until(lambda: [e for e in deliveries(hooks, name) if e["attempts"] and "nextTryAt" in e], 10)[0]
    assert entry["state"] == "waiting" and str(entry["status"]) in entry["error"]
    for attempts in (2, 3, 4):  # a change of the webhook is a reason to try at once
        hooks.call("POST", f"{WEBHOOKS}/{name}", json={"domains": ["repo"]})
        wait_until(lambda: deliveries(hooks, name)[0]["attempts"] >= attempts, 10)
    entries = deliveries(hooks, name, 2, "delivered")
    assert [entry["attempts"] for entry in entries] == [4, 1]
    assert [payload["number"] for payload in receiver.payloads()] == [1, 1, 1, 1, 1, 2]
    assert len({received.headers["x-hearth-delivery"] for received in receiver.received}) == 2


def test_a_refusal_is_not_repeated(hooks, webhook, receivers):
    receiver = receivers(lambda received: (422, {}, b"no buckets, please \xff\xfe") if received.payload["number"] == 1 else 200)
    name = webhook(url=receiver.url)
    announce(hooks, event(1))
    announce(hooks, event(2))
    entries = deliveries(hooks, name, 2)
    entries = wait_until(lambda: (e := deliveries(hooks, name, 2)) and e[1]["state"] == "delivered" and e, 10)
    assert entries[0]["state"] == "failed" and entries[0]["status"] == 422 and entries[0]["response"]["body"].startswith("no buckets")
    assert hooks.call("GET", f"{WEBHOOKS}/{name}").json()["webhook"]["disabled"] is False


def test_lasting_failure_suspends(make_fake, receivers):
    fake = make_fake("webhooks.private_addresses=yes", "webhooks.retry=0s")
    receiver = receivers(lambda received: 500)
    name = create(fake, url=receiver.url)["id"]
    announce(fake, event(1))
    wait_until(lambda: fake.call("GET", f"{WEBHOOKS}/{name}").json()["webhook"]["disabled"] == "suspended-after-failure", 10)
    announce(fake, event(2))
    entries = deliveries(fake, name)
    assert [entry["state"] for entry in entries] == ["failed"] and len(receiver.received) == 1
    receiver.answer = lambda received: 200
    assert fake.call("POST", f"{WEBHOOKS}/{name}/enable").json()["webhook"]["disabled"] is False
    announce(fake, event(3))
    assert deliveries(fake, name, 1, "delivered")[0]["payload"]["number"] == 3


def test_fifty_refusals_in_a_row_suspend(hooks, webhook, receivers):
    receiver = receivers(lambda received: 410)
    name = webhook(url=receiver.url)
    for number in range(50):
        announce(hooks, event(number))
    wait_until(lambda: hooks.call("GET", f"{WEBHOOKS}/{name}").json()["webhook"]["disabled"] == "suspended-after-failure", 20)
    assert len(receiver.received) == 50


def test_redirects(hooks, webhook, receivers):
    target = receivers()
    first = receivers(lambda received: (308, {"Location": f"http://127.0.0.1:{target.port}/there"}, b""))
    name = webhook(url=first.url, secret=SECRET)
    payload = event(1)
    announce(hooks, payload)
    entry = deliveries(hooks, name, 1, "delivered")[0]
    assert target.received[0].path == "/there" and target.received[0].payload["number"] == 1
    assert target.received[0].headers["x-webhook-secret"] == SECRET  # the same host
    assert entry["response"]["url"].endswith("/there")
    elsewhere = receivers(lambda received: (307, {"Location": f"http://localhost:{target.port}/elsewhere"}, b""))
    hooks.call("POST", f"{WEBHOOKS}/{name}", json={"url": elsewhere.url})
    announce(hooks, event(2))
    wait_until(lambda: len(target.received) == 2, 10)
    assert "x-webhook-secret" not in target.received[1].headers and signature_is_right(target.received[1])


def test_redirects_that_lead_nowhere(hooks, webhook, receivers):
    around = receivers()
    around.answer = lambda received: (302, {"Location": around.url}, b"")
    name = webhook(url=around.url)
    announce(hooks, event(1))
    entry = wait_until(lambda: (e := deliveries(hooks, name)[0]) and e["attempts"] and e, 10)
    assert entry["status"] == 302 and entry["state"] == "waiting" and len(around.received) >= 4
    hooks.call("DELETE", f"{WEBHOOKS}/{name}")
    for location in ("file:///etc/passwd", "gopher://127.0.0.1:1/x", "ftp://127.0.0.1/"):
        other = receivers(lambda received, to=location: (301, {"Location": to}, b""))
        name = webhook(url=other.url)
        announce(hooks, event(2))
        entry = wait_until(lambda: (e := deliveries(hooks, name)[0]) and e["attempts"] and e, 10)
        assert "status" not in entry and entry["error"] and "root:" not in json.dumps(entry)
        hooks.call("DELETE", f"{WEBHOOKS}/{name}")


def test_answers_without_end_are_cut(hooks, webhook, receivers):
    receiver = receivers(lambda received: (200, {}, b"x" * 300000))
    name = webhook(url=receiver.url)
    announce(hooks, event(1))
    entry = deliveries(hooks, name, 1, "delivered")[0]
    assert entry["status"] == 200 and len(entry["response"]["body"]) == 4096 and entry["response"]["isCut"] is True


def test_a_slow_receiver_holds_nobody_else_up(make_fake, receivers):
    fake, gate = make_fake("webhooks.private_addresses=yes", "webhooks.timeout=1s"), threading.Event()
    slow, quick = receivers(lambda received: gate.wait(60) and 200 or 500), receivers()
    behind, ahead = create(fake, url=slow.url)["id"], create(fake, url=quick.url)["id"]
    for number in range(10):
        announce(fake, event(number))
    deliveries(fake, ahead, 10, "delivered")
    entry = wait_until(lambda: (e := deliveries(fake, behind)[0]) and e["attempts"] and e, 10)
    assert "status" not in entry and entry["state"] == "waiting" and entry["error"]
    assert {received.payload["number"] for received in slow.received} == {0}
    gate.set()
    assert [entry["payload"]["number"] for entry in deliveries(fake, behind, 10, "delivered")] == list(range(10))


def test_slow_receivers_of_one_take_nobody_elses_places(hooks, webhook, receivers):
    """Forty of bob's hang; alice's are delivered meanwhile, and of bob's all have their turn."""
    bob = hooks.make_user("bob")
    gate = threading.Event()
    slow, quick = receivers(lambda received: gate.wait(60) and 200 or 500), receivers()
    names = [webhook(bob, url=slow.url) for _ in range(40)]
    name = webhook(url=quick.url)
    for number in range(3):
        announce(hooks, event(number))
    deliveries(hooks, name, 3, "delivered")
    assert len(slow.received) <= 32
    gate.set()
    for waiting in (names[0], names[-1]):
        entries = deliveries(hooks, waiting, 3, token=bob)
        assert [entry["payload"]["number"] for entry in entries] == [0, 1, 2]
    wait_until(lambda: len(slow.received) >= 40, 20)


def test_what_the_log_shows(hooks, webhook, receivers):
    receiver = receivers()
    name = webhook(url=receiver.url)
    for number in range(12):
        announce(hooks, {**event(number), "padding": "x" * (500 * 1024)})
    wait_until(lambda: len(receiver.received) == 12, 20)
    entries = hooks.call("GET", f"{WEBHOOKS}/{name}/deliveries").json()
    assert len(entries) == 12 and "payload" in entries[0] and "payload" not in entries[-1]
    assert len(hooks.call("GET", f"{WEBHOOKS}/{name}/deliveries?limit=5").json()) == 5
    for limit in ("0", "x", "1001", "-1", "", "5x"):
        assert "limit" in error_of(hooks.call("GET", f"{WEBHOOKS}/{name}/deliveries?limit={limit}"), 400)


def test_replay(hooks, webhook, receivers):
    receiver = receivers(lambda received: 400)
    name = webhook(url=receiver.url, secret=SECRET)
    announce(hooks, event(1))
    entry = deliveries(hooks, name, 1, "failed")[0]
    new = receivers(lambda received: 202)
    hooks.call("POST", f"{WEBHOOKS}/{name}", json={"url": new.url, "secret": "another"})
    answer = hooks.call("POST", f"{WEBHOOKS}/{name}/replay/{entry['id']}")
    assert answer.status_code == 200 and answer.json()["status"] == 202
    (received,) = new.received
    assert received.payload["number"] == 1 and received.headers["x-webhook-secret"] == "another"
    assert received.headers["x-hearth-event-id"] == entry["eventId"] and received.headers["x-hearth-delivery"] != entry["id"]
    again = deliveries(hooks, name, 2)[1]
    assert again["replayOf"] == entry["id"] and again["state"] == "delivered"
    new.answer = lambda received: None
    answer = hooks.call("POST", f"{WEBHOOKS}/{name}/replay/{entry['id']}").json()
    assert answer["status"] == 0 and answer["error"]
    error_of(hooks.call("POST", f"{WEBHOOKS}/{name}/replay/{NOBODY}"), 404)


def test_the_log_keeps_a_hundred(hooks, webhook, receivers):
    receiver = receivers()
    name = webhook(url=receiver.url)
    for number in range(110):
        announce(hooks, event(number))
    wait_until(lambda: len(receiver.received) == 110, 20)
    entries = wait_until(lambda: (e := deliveries(hooks, name)) and len(e) == 100 and e, 10)
    assert [entry["payload"]["number"] for entry in entries] == list(range(10, 110))


def test_the_limit_of_a_day(make_fake, receivers):
    fake = make_fake("webhooks.private_addresses=yes", "webhooks.daily_max=3")
    receiver = receivers()
    name = create(fake, url=receiver.url)["id"]
    for number in range(6):
        announce(fake, event(number))
    entries = deliveries(fake, name, 4)
    entries = wait_until(lambda: (e := deliveries(fake, name)) and e[2]["state"] == "delivered" and e, 10)
    assert [entry["state"] for entry in entries] == ["delivered"] * 3 + ["dropped"]
    assert "webhooks.daily_max" in entries[3]["error"] and len(receiver.received) == 3


# Jobs that are started

def test_a_job_is_started(hooks, webhook):
    source = hooks.submit("exit=0", environment={"MINE": "1"}, secrets={"KEY": "hidden"}, labels={"team": "x"}, timeoutSeconds=77)
    name = webhook(jobSourceId=source["id"], secret=SECRET)
    shown = hooks.call("GET", f"{WEBHOOKS}/{name}").json()["webhook"]
    assert shown["jobSourceId"] == source["id"] and "url" not in shown
    assert shown["job"]["dockerImage"] == "busybox" and shown["job"]["secrets"] == ["KEY"] and shown["job"]["timeoutSeconds"] == 77
    payload = event(1)
    announce(hooks, payload)
    entry = deliveries(hooks, name, 1, "delivered")[0]
    job = hooks.job(entry["jobId"])
    assert job["initiator"] == {"type": "webhook", "id": name} and job["command"] == source["command"] and job["labels"] == {"team": "x"}
    environment = job["environment"]
    assert json.loads(environment["WEBHOOK_PAYLOAD"]) == {**payload, "webhook": {"id": name, "version": 3}}
    assert environment["WEBHOOK_REPO_ID"] == "alice/raw" and environment["WEBHOOK_REPO_TYPE"] == "dataset" and environment["MINE"] == "1"
    assert sorted(job["secrets"]) == ["KEY", "WEBHOOK_SECRET"] and "WEBHOOK_SECRET" not in environment
    again = hooks.call("POST", f"{WEBHOOKS}/{name}/replay/{entry['id']}").json()
    assert again["status"] == 200 and again["jobId"] != entry["jobId"]
    for text in ("hidden", SECRET):
        assert text not in json.dumps([shown, job, deliveries(hooks, name)])


def test_secrets_for_the_job(hooks, webhook):
    """What newer clients send: over those of the source job, and kept by later changes."""
    source = hooks.submit("exit=0", secrets={"KEY": "old"})
    name = webhook(jobSourceId=source["id"], secrets={"TOKEN": "t"})
    shown = hooks.call("POST", f"{WEBHOOKS}/{name}", json={"watched": [], "jobSourceId": source["id"], "secrets": {"MORE": "m"}}).json()["webhook"]
    assert sorted(shown["job"]["secrets"]) == ["KEY", "MORE", "TOKEN"]
    shown = hooks.call("POST", f"{WEBHOOKS}/{name}", json={"watched": [], "url": "https://receiver.example/"}).json()["webhook"]
    assert "job" not in shown and "jobSourceId" not in shown


def test_an_own_specification(hooks, webhook):
    name = webhook(job={"dockerImage": "busybox", "command": ["job", "exit=0"], "flavor": "cpu-basic", "secrets": {"A": "b"}})
    announce(hooks, event(1))
    job = hooks.job(deliveries(hooks, name, 1, "delivered")[0]["jobId"])
    assert job["secrets"] == ["A"] and job["command"] == ["job", "exit=0"]


@pytest.mark.parametrize("part", ["comment", "refs", "everything"])
def test_long_payloads_are_cut_for_the_environment(hooks, webhook, receivers, part):
    receiver = receivers()
    webhook(url=receiver.url)
    name = webhook(job={"dockerImage": "busybox", "command": ["job"], "flavor": "cpu-basic"})
    payload = event(1)
    if part == "comment":
        payload["comment"] = {"id": "6366c000a2abcdf2fd69a082", "content": "äx\U0001f600" * 40000}
    elif part == "refs":
        payload["updatedRefs"] = [{"ref": f"refs/heads/{i}", "oldSha": None, "newSha": f"{i + time.time_ns():040x}"} for i in range(5000)]
    else:
        payload["odd"] = {f"name {i}": ["\u2028" * 200] * 25 for i in range(30)}
        payload["odd"]["time"] = time.time_ns()
    announce(hooks, payload)
    job = hooks.job(deliveries(hooks, name, 1, "delivered")[0]["jobId"])
    text = job["environment"]["WEBHOOK_PAYLOAD"]
    cut = json.loads(text)
    assert len(text) < 128 * 1024 - 16 and cut["repo"]["name"] == "alice/raw" and cut["webhook"] == {"id": name, "version": 3}
    if part == "comment":
        assert payload["comment"]["content"].startswith(cut["comment"]["content"]) and len(text) > 100 * 1024
        assert {**cut, "comment": 0, "webhook": 0} == {**payload, "comment": 0, "webhook": 0}
    wait_until(lambda: receiver.received, 10)
    assert receiver.payloads()[0]["updatedRefs"] == payload["updatedRefs"]  # a URL gets all of it


def test_a_full_queue_is_waited_for(make_fake):
    fake = make_fake("webhooks.private_addresses=yes", "jobs.max_queued=1", "scheduler.max_running=1")
    running, waiting = fake.submit("run=forever"), fake.submit("run=forever")
    name = create(fake, job={"dockerImage": "busybox", "command": ["job"], "flavor": "cpu-basic"})["id"]
    announce(fake, event(1))
    entry = wait_until(lambda: (e := deliveries(fake, name)[0]) and e["attempts"] and e, 10)
    assert entry["state"] == "waiting" and "jobs.max_queued" in entry["error"]
    for job in (waiting, running):
        fake.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    assert fake.job(deliveries(fake, name, 1, "delivered")[0]["jobId"])["initiator"]["id"] == name


# Events of jobs

def test_job_events(hooks, webhook, receivers):
    receiver = receivers()
    name = webhook(url=receiver.url, secret=SECRET, watched=[], jobs={"labels": {"team": "blue"}})
    shown = hooks.call("GET", f"{WEBHOOKS}/{name}").json()["webhook"]
    assert shown["jobs"] == {"namespace": "alice", "labels": {"team": "blue"}, "events": []} and shown["watched"] == []
    hooks.submit("exit=0")
    done = hooks.submit("exit=0", labels={"team": "blue", "more": "1"}, secrets={"KEY": "hidden"}, environment={"PASSWORD": "hidden"})
    wait_until(lambda: len(receiver.received) == 2, 10)
    failed = hooks.submit("exit=3", labels={"team": "blue"})
    wait_until(lambda: len(receiver.received) == 4, 10)
    canceled = hooks.submit("run=forever", labels={"team": "blue"})
    hooks.wait_job(canceled["id"], ("RUNNING",))
    hooks.call("POST", f"/api/jobs/alice/{canceled['id']}/cancel")
    wait_until(lambda: len(receiver.received) == 6, 10)
    told = [(p["event"]["action"], p["job"]["id"], p["job"]["status"]["stage"]) for p in receiver.payloads()]
    assert told == [("started", done["id"], "RUNNING"), ("completed", done["id"], "COMPLETED"), ("started", failed["id"], "RUNNING"),
                    ("failed", failed["id"], "ERROR"), ("started", canceled["id"], "RUNNING"), ("canceled", canceled["id"], "CANCELED")]
    for received in receiver.received:
        assert signature_is_right(received) and "x-webhook-secret" not in received.headers and b"hidden" not in received.body
        assert received.headers["x-hearth-event"].startswith("job.") and received.payload["namespace"]["name"] == "alice"
    assert len({received.headers["x-hearth-event-id"] for received in receiver.received}) == 6


def test_about_to_time_out(hooks, webhook, receivers):
    receiver = receivers()
    webhook(url=receiver.url, watched=[], jobs={"events": ["timeout-soon"]})
    job = hooks.submit("run=forever", timeoutSeconds=2)
    wait_until(lambda: receiver.received, 10)
    payload = receiver.payloads()[0]
    told, ends, began = (datetime.datetime.fromisoformat(text) for text in (payload["event"]["at"], payload["timeoutAt"], payload["job"]["startedAt"]))
    assert payload["event"]["action"] == "timeout-soon" and payload["job"]["id"] == job["id"]
    assert ends - began == datetime.timedelta(seconds=2) and told - began > datetime.timedelta(seconds=1.7)
    hooks.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    short = hooks.submit("exit=0", timeoutSeconds=2)
    hooks.wait_job(short["id"])
    assert len(receiver.received) == 1


def test_holding_is_told(hooks, webhook, receivers):
    receiver = receivers()
    webhook(url=receiver.url, watched=[], jobs={"events": ["held", "released", "completed"]})
    job = hooks.submit("exit=0", labels={"hearth.hold": "yes"})["id"]
    assert hooks.admin("POST", f"/admin/queue/{job}/hold")[0] == 200
    assert hooks.admin("POST", f"/admin/queue/{job}/hold")[0] == 200, "which changes nothing"
    assert hooks.admin("POST", f"/admin/queue/{job}/release")[0] == 200
    wait_until(lambda: len(receiver.received) == 3, 10)
    assert [(p["event"]["action"], p["job"]["id"]) for p in receiver.payloads()] == [("held", job), ("released", job), ("completed", job)]


def test_who_may_hear_of_jobs(hooks, webhook, receivers):
    bob = hooks.make_user("bob")
    answer = hooks.call("POST", WEBHOOKS, bob, json={"url": "https://receiver.example/", "jobs": {"namespace": "alice"}})
    assert "alice" in error_of(answer, 400)
    hooks.admin("POST", "/admin/orgs", {"name": "acme"})
    hooks.admin("PUT", "/admin/orgs/acme/members/alice", {"role": "write"})
    hooks.admin("PUT", "/admin/orgs/acme/members/bob", {"role": "read"})
    receiver = receivers()
    webhook(bob, url=receiver.url, watched=[], jobs={"namespace": "acme", "events": ["completed"]})
    hooks.submit("exit=0", namespace="acme")
    wait_until(lambda: receiver.received, 10)
    assert hooks.admin("DELETE", "/admin/orgs/acme/members/bob")[0] == 200
    own = receivers()
    webhook(url=own.url, watched=[], jobs={"namespace": "acme", "events": ["completed"]})
    hooks.submit("exit=0", namespace="acme")
    wait_until(lambda: own.received, 10)
    assert len(receiver.received) == 1


def test_jobs_of_a_webhook_do_not_tell_it_of_themselves(hooks, webhook):
    name = webhook(watched=[], jobs={"events": ["completed"]}, job={"dockerImage": "busybox", "command": ["job"], "flavor": "cpu-basic"})
    first = hooks.submit("exit=0")
    entry = deliveries(hooks, name, 1, "delivered")[0]
    assert json.loads(hooks.job(entry["jobId"])["environment"]["WEBHOOK_PAYLOAD"])["job"]["id"] == first["id"]
    hooks.wait_job(entry["jobId"])
    second = hooks.submit("exit=0")
    entries = deliveries(hooks, name, 2, "delivered")
    assert [json.loads(hooks.job(e["jobId"])["environment"]["WEBHOOK_PAYLOAD"])["job"]["id"] for e in entries] == [first["id"], second["id"]]


# Events from outside

def ingest(fake, payload, secret="from-the-hub", **headers):
    headers = {**({"X-Webhook-Secret": secret} if secret is not None else {}), **headers}
    return fake.call("POST", "/api/webhooks/ingest", "", data=payload if isinstance(payload, bytes) else json.dumps(payload),
                     headers={"Content-Type": "application/json", **headers})


def test_ingest(hooks, webhook, receivers):
    receiver = receivers()
    webhook(url=receiver.url, watched=[{"type": "model", "name": "google/gemma"}])
    payload = event(1, "google/gemma", type="model")
    assert ingest(hooks, payload).json() == {"accepted": True, "duplicate": False}
    payload["webhook"]["id"] = NOBODY  # the same event by another webhook of ours
    assert ingest(hooks, payload).json() == {"accepted": True, "duplicate": True}
    wait_until(lambda: receiver.received, 10)
    assert ingest(hooks, event(2, "google/gemma", type="model"), **{"X-Hearth-Event-Id": "one"}).json()["duplicate"] is False
    assert ingest(hooks, event(3, "google/gemma", type="model"), **{"X-Hearth-Event-Id": "one"}).json()["duplicate"] is True
    wait_until(lambda: len(receiver.received) == 2, 10)
    assert [p["number"] for p in receiver.payloads()] == [1, 2] and receiver.payloads()[0]["webhook"]["id"] != NOBODY


def test_ingest_needs_the_secret(hooks, fake, webhook, receivers):
    name = webhook(job={"dockerImage": "busybox", "command": ["job"], "flavor": "cpu-basic"})
    before = len(hooks.audit())
    for secret in ("wrong", "from-the-hu", "from-the-hub\x20x", "", None):
        assert "X-Webhook-Secret" in error_of(ingest(hooks, event(1), secret), 401)
    assert "webhooks.ingest_secret_file" in error_of(ingest(fake, event(1)), 401)
    error_of(hooks.call("POST", "/api/webhooks/ingest", json=event(1)), 401)  # a token of ours is no secret of theirs
    assert hooks.call("GET", f"{WEBHOOKS}/{name}/deliveries").json() == []
    lines = hooks.audit()[before:]
    assert len([line for line in lines if "/api/webhooks/ingest" in line and "status=401" in line]) == 6


@pytest.mark.parametrize("change, word", [
    ({"event": None}, "event.action"), ({"event": {"action": "update"}}, "event.scope"), ({"repo": {"type": "model"}}, "repo.name"),
    ({"repo": {"name": "a/b"}}, "repo.type"), ({"event": {"action": "update", "scope": "galaxy"}}, "event.scope"),
    ({"webhook": {"version": 2}}, "version"), ({"repo": {"type": "model", "name": "a b"}}, "repo.name"),
    ({"repo": {"type": "model", "name": "x" * 300}}, "repo.name"), ({"repo": "alice/raw"}, "repo.type"), ({"event": {"action": 1, "scope": "repo"}}, "action")])
def test_payloads_that_are_refused(hooks, change, word):
    for answer in (ingest(hooks, {**event(1), **change}), hooks.call("POST", "/api/webhooks/announce", json={**event(1), **change})):
        if answer.status_code != 403:
            assert word in error_of(answer, 400)


def test_payloads_that_are_none(hooks):
    for body in (b"", b"[]", b"null", b"{", b'{"event":', b"\xff\xfe", b"[" * 5000):
        assert ingest(hooks, body).status_code == 400, body
    error_of(ingest(hooks, b" " * (5 * 1024 * 1024)), 413)
    lenient = {"event": {"action": "celebrate", "scope": "repo.party"}, "repo": {"type": "kernel", "name": "gpt2"}, "new": [1, None]}
    assert ingest(hooks, lenient).json()["accepted"] is True


def test_announcing_needs_the_right(hooks):
    mallory, reader = hooks.make_user("mallory"), hooks.make_user("alice", "read")
    for token, name in ((mallory, "alice/raw"), (mallory, "google/gemma"), (reader, "alice/raw"), (reader, "mallory/x")):
        assert "repo.name" in error_of(hooks.call("POST", "/api/webhooks/announce", token, json=event(1, name)), 403)
    error_of(hooks.call("POST", "/api/webhooks/announce", "", json=event(1)), 401)
    announce(hooks, event(1, "mallory/x"), mallory)
    announce(hooks, event(1, "google/gemma"))  # alice is the operator, and nobody here is called google
    error_of(hooks.call("POST", "/api/webhooks/announce", json=event(1, "mallory/x")), 403)
    key = {"headers": {"Idempotency-Key": "build 7"}}
    assert announce(hooks, event(1), **key)["duplicate"] is False and announce(hooks, event(2), **key)["duplicate"] is True
