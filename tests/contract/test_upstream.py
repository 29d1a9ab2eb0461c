# SPDX-License-Identifier: Apache-2.0
"""Tokens of an upstream Hub: asked once, remembered shortly, and never more than what they are there."""
import concurrent.futures
import http.server
import json
import threading
import time

import pytest

BODY = {"command": ["job"], "flavor": "cpu-basic", "dockerImage": "busybox"}


def person(name, role="write", orgs=(), **token):
    return {"type": "user", "name": name, "orgs": [{"type": "org", "name": o, "roleInOrg": r} for o, r in orgs],
            "auth": {"type": "access_token", "accessToken": {"displayName": "cli", "role": role, "createdAt": "2026-01-05T09:00:00.000Z", **token}}}


class Hub:
    """Answers whoami-v2 from a dictionary of tokens."""

    def __init__(self):
        self.people, self.asked, self.delay, self.status = {}, [], 0, None
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                token = self.headers.get("Authorization", "")[7:]
                hub.asked.append(token)
                time.sleep(hub.delay)
                who = hub.people.get(token)
                status = hub.status or (200 if who else 401)
                body = json.dumps(who or {"error": "Invalid credentials"}).encode() if not isinstance(who, bytes) else who
                self.send_response(status if self.path == "/api/whoami-v2" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def hub():
    hub = Hub()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture(scope="module")
def fake(make_fake, hub):
    return make_fake(f"auth.upstream_url={hub.url}/", "auth.upstream_cache=2s")


def test_a_user_of_the_hub_runs_jobs(fake, hub):
    hub.people["hf_zoe12"] = person("zoe", orgs=[("lab", "write"), ("club", "contributor"), ("gone", "no_access")])
    who = fake.call("GET", "/api/whoami-v2", "hf_zoe12").json()
    assert who["name"] == "zoe" and who["auth"]["accessToken"] == {"displayName": "cli", "role": "write", "createdAt": "2026-01-05T09:00:00.000Z"}
    assert sorted((org["name"], org["roleInOrg"]) for org in who["orgs"]) == [("club", "read"), ("lab", "write")]
    for namespace, status in (("zoe", 200), ("lab", 200), ("club", 403), ("alice", 403)):
        assert fake.call("POST", f"/api/jobs/{namespace}", "hf_zoe12", json=BODY).status_code == status, namespace
    assert fake.call("GET", "/api/jobs/club", "hf_zoe12").status_code == 200


def test_a_local_token_is_not_shown_to_the_hub(fake, hub):
    assert fake.call("GET", "/api/whoami-v2").json()["name"] == "alice"
    assert fake.token not in hub.asked


def test_the_hub_is_asked_once(fake, hub):
    hub.people["hf_many1"] = person("many")
    hub.delay = 0.5
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: fake.call("GET", "/api/whoami-v2", "hf_many1"), range(20)))
    hub.delay = 0
    assert {answer.status_code for answer in answers} == {200}
    assert hub.asked.count("hf_many1") == 1
    time.sleep(2.2)
    assert fake.call("GET", "/api/whoami-v2", "hf_many1").status_code == 200
    assert hub.asked.count("hf_many1") == 2


def test_a_revoked_token_ends_with_the_memory(fake, hub):
    hub.people["hf_brief1"] = person("brief")
    assert fake.call("GET", "/api/whoami-v2", "hf_brief1").status_code == 200
    del hub.people["hf_brief1"]
    time.sleep(2.2)
    assert fake.call("GET", "/api/whoami-v2", "hf_brief1").status_code == 401


def test_refusals_are_remembered(fake, hub):
    for _ in range(3):
        answer = fake.call("GET", "/api/whoami-v2", "hf_nobody1")
        assert answer.status_code == 401 and answer.json()["error"] == "Invalid credentials in Authorization header"
    assert hub.asked.count("hf_nobody1") == 1


def test_what_cannot_be_a_token_is_not_asked(fake, hub):
    before = len(hub.asked)
    for token in ("x", "hf_" + "y" * 600):
        assert fake.call("GET", "/api/whoami-v2", token).status_code == 401
    assert len(hub.asked) == before


def test_a_read_token_of_the_hub(fake, hub):
    hub.people["hf_reader1"] = person("rita", "read")
    assert fake.call("GET", "/api/jobs/rita", "hf_reader1").status_code == 200
    assert "role write" in fake.call("POST", "/api/jobs/rita", "hf_reader1", json=BODY).json()["error"]


def test_a_fine_grained_token(fake, hub):
    scoped = [{"entity": {"name": "lab", "type": "org"}, "permissions": ["job.write"]}, {"entity": {"name": "fay", "type": "user"}, "permissions": ["repo.write"]}]
    hub.people["hf_fine1234"] = person("fay", "fineGrained", [("lab", "write")], fineGrained={"scoped": scoped})
    assert fake.call("POST", "/api/jobs/lab", "hf_fine1234", json=BODY).status_code == 200
    answer = fake.call("POST", "/api/jobs/fay", "hf_fine1234", json=BODY)
    assert answer.status_code == 403 and "job.write" in answer.json()["error"]
    assert fake.call("GET", "/api/whoami-v2", "hf_fine1234").json()["auth"]["accessToken"]["role"] == "fineGrained"


def test_a_name_of_ours_is_never_taken_over(fake, hub):
    hub.people["hf_evil1234"] = person("Alice", orgs=[("home", "admin"), ("lab", "read")])
    answer = fake.call("GET", "/api/jobs/alice", "hf_evil1234")
    assert answer.status_code == 403 and "another account" in answer.json()["error"]
    fake.admin("POST", "/admin/orgs", {"name": "home"})
    hub.people["hf_else1234"] = person("else", orgs=[("home", "admin")])
    assert fake.call("GET", "/api/jobs/home", "hf_else1234").status_code == 403
    assert fake.call("GET", "/api/whoami-v2", "hf_else1234").json()["orgs"] == []


def test_leaving_an_organization(fake, hub):
    hub.people["hf_leaver12"] = person("lea", orgs=[("lab", "write")])
    assert fake.call("GET", "/api/jobs/lab", "hf_leaver12").status_code == 200
    hub.people["hf_leaver12"] = person("lea")
    time.sleep(2.2)
    assert fake.call("GET", "/api/jobs/lab", "hf_leaver12").status_code == 403


def test_a_client_that_leaves_while_the_hub_thinks(fake, hub):
    hub.people["hf_slow1234"] = person("slow")
    hub.delay = 1
    with pytest.raises(Exception):
        fake.call("GET", "/api/whoami-v2", "hf_slow1234", timeout=0.3)
    hub.delay = 0
    time.sleep(1.2)
    assert fake.call("GET", "/api/whoami-v2", "hf_slow1234").json()["name"] == "slow"


@pytest.mark.parametrize("status, who", [(500, None), (404, None), (302, None), (200, b"not json"), (200, b"[]"), (200, b'{"orgs":[]}')])
def test_a_hub_that_does_not_answer(fake, hub, status, who):
    token = f"hf_odd{status}{len(who or b'')}xx"
    hub.people[token], hub.status = who, status
    answer = fake.call("GET", "/api/whoami-v2", token)
    assert answer.status_code == 503 and answer.headers["Retry-After"] and answer.json()["error"]
    hub.people[token], hub.status = person("odd"), None
    assert fake.call("GET", "/api/whoami-v2", token).status_code == 200


def test_no_hub_at_all(make_fake):
    server = make_fake("auth.upstream_url=http://127.0.0.1:1")
    assert server.call("GET", "/api/whoami-v2", "hf_whatever").status_code == 503
    assert server.call("GET", "/api/whoami-v2").status_code == 200
