# SPDX-License-Identifier: Apache-2.0
"""The HTTP contract of hub-jobs-api sections 0, 1 and 2, call by call."""
import json
import re
import time

import pytest
import requests

from fake import events
from server import wait_until

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
NOBODY = "0" * 24


def error_of(answer, status):
    """The sentence of an error answer, after checking the shape of section 0.5."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["X-Request-Id"]
    body = answer.json()
    assert isinstance(body, dict) and answer.text.isascii()
    assert answer.headers["X-Error-Message"] == body["error"]
    return body["error"]


# Jobs

def test_create_answers_with_the_job(fake):
    answer = fake.call("POST", "/api/jobs/alice", json={
        "command": ["python", "-V"], "arguments": [], "environment": {"FOO": "bar", "N": 3, "B": False}, "flavor": "cpu-basic",
        "secrets": {"Z": "hidden-value", "HF_TOKEN": "hf_hidden"}, "timeoutSeconds": 7200, "labels": {"name": "n1"},
        "dockerImage": "python:3.12", "attempts": 2, "unknown": {"is": "ignored"}})
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("application/json")
    job = answer.json()
    assert re.fullmatch("[0-9a-f]{24}", job["id"]) and job["type"] == "job"
    assert job["command"] == ["python", "-V"] and job["arguments"] == []
    assert job["environment"] == {"FOO": "bar", "N": "3", "B": job["environment"]["B"]} and job["environment"]["B"].lower() == "false"
    assert job["secrets"] == ["HF_TOKEN", "Z"] and "hidden" not in answer.text
    assert job["timeout"] == job["timeoutSeconds"] == 7200 and job["attempts"] == 2 and job["retry"] == 1
    assert job["labels"] == {"name": "n1"} and job["flavor"] == "cpu-basic" and job["arch"] == "amd64"
    assert job["status"] == {"stage": "SCHEDULING", "message": job["status"]["message"], "failureCount": 0}
    assert job["owner"]["name"] == "alice" and job["owner"]["type"] == "user" and job["owner"]["avatarUrl"].startswith(fake.endpoint)
    assert job["createdBy"] == {"id": job["owner"]["id"], "name": "alice"}
    assert job["initiator"]["type"] == "user" and job["initiator"]["id"] == job["owner"]["id"]
    assert TIME.match(job["createdAt"]) and job["durations"] == {"totalSecs": 0}
    for absent in ("startedAt", "finishedAt", "endpoint", "spaceId", "volumes", "expose", "tags", "resourceGroupId"):
        assert absent not in job
    for absent in ("exposeUrls", "sshUrl", "cancelReason"):
        assert absent not in job["status"]


@pytest.mark.parametrize("change, field", [
    ({"dockerImage": "--format"}, "dockerImage"),
    ({"dockerImage": None}, "dockerImage"),
    ({"spaceId": "a/b"}, "spaceId"),
    ({"timeoutSeconds": 0}, "timeoutSeconds"),
    ({"timeoutSeconds": "10"}, "timeoutSeconds"),
    ({"flavor": "no-such"}, "flavor"),
    ({"flavor": None}, "flavor"),
    ({"labels": {"a b": "c"}}, "label"),
    ({"labels": {"a": "b c"}}, "label"),
    ({"environment": {"1X": "y"}}, "environment"),
    ({"environment": {"X": None}}, "environment"),
    ({"secrets": {"a-b": "y"}}, "secrets"),
    ({"command": "ls"}, "command"),
    ({"command": [""]}, "command"),
    ({"attempts": 0}, "attempts"),
    ({"arch": "sparc"}, "arch"),
])
def test_create_refuses_and_names_the_field(fake, change, field):
    body = {"command": ["true"], "flavor": "cpu-basic", "dockerImage": "busybox", **change}
    text = error_of(fake.call("POST", "/api/jobs/alice", json={k: v for k, v in body.items() if v is not None}), 400)
    assert field in text, text


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"null", b"{}x", b'{"a":1,"a":2}', b'{"a":"\xff"}', b'{"a":"\\u0000"}',
                                  b"[" * 100000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b""])
def test_create_refuses_what_is_not_a_job(fake, body):
    error_of(fake.call("POST", "/api/jobs/alice", data=body, headers={"Content-Type": "application/json"}), 400)


def test_create_refuses_a_body_that_is_too_large(fake):
    error_of(fake.call("POST", "/api/jobs/alice", data=b" " * (4 * 1024 * 1024 + 1)), 413)
    assert fake.call("GET", "/healthz").status_code == 200


def test_a_large_body_is_taken_and_shown(fake):
    script = "x" * (128 * 1024 - 10)
    job = fake.submit(environment={f"S{i}": script for i in range(8)})
    assert fake.job(job["id"])["environment"]["S7"] == script


def test_idempotency(fake):
    body = {"command": ["job"], "flavor": "cpu-basic", "dockerImage": "busybox"}

    def send(key, **change):
        return fake.call("POST", "/api/jobs/alice", json={**body, **change}, headers={"Idempotency-Key": key})
    first, again = send("k1"), send("k1")
    assert first.status_code == again.status_code == 200 and first.json()["id"] == again.json()["id"]
    assert again.headers["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first.headers
    assert "key" in error_of(send("k1", command=["other"]), 409)
    error_of(send("k" * 256), 400)
    labelled = [fake.submit(labels={"hearth.idempotency-key": "k9"})["id"] for _ in range(2)]
    plain = [fake.submit()["id"] for _ in range(2)]
    assert labelled[0] == labelled[1] and plain[0] != plain[1]
    other = fake.make_user("keyuser")
    job = fake.call("POST", "/api/jobs/keyuser", other, json=body, headers={"Idempotency-Key": "k1"}).json()
    assert job["id"] != first.json()["id"]


def test_shell_redirection_is_warned_of(fake):
    def warning(*command):
        body = {"command": list(command), "flavor": "cpu-basic", "dockerImage": "busybox"}
        return fake.call("POST", "/api/jobs/alice", json=body).headers.get("X-HF-Warning", "")
    assert warning("bash", "-c", "pip install torch>=2.1 && python x.py").startswith("jobs-command; ")
    assert "redirection" in warning("bash", "-c", "pip install torch >=2.1")
    assert warning("bash", "-c", "pip install 'torch>=2.1'") == ""


def test_inspect_of_a_finished_job(fake):
    job = fake.wait_job(fake.submit("run=1100", "exit=3")["id"])
    assert job["status"] == {"stage": "ERROR", "message": "Job failed with exit code: 3", "failureCount": 1}
    assert TIME.match(job["startedAt"]) and TIME.match(job["finishedAt"]) and job["startedAt"] <= job["finishedAt"]
    assert set(job["durations"]) == {"schedulingSecs", "runningSecs", "totalSecs"} and job["durations"]["runningSecs"] == 1
    done = fake.wait_job(fake.submit()["id"])
    assert done["status"] == {"stage": "COMPLETED", "message": None, "failureCount": 0}


@pytest.mark.parametrize("job_id", [NOBODY, "x", "687FB701029421AE5549D998", "0" * 23, "0" * 25, "%00", "..%2f..", "a%20b"])
def test_unknown_jobs(fake, job_id):
    answer = fake.call("GET", f"/api/jobs/alice/{job_id}")
    assert answer.status_code in (400, 404)
    if answer.status_code == 404:
        assert error_of(answer, 404) == "Job not found"


def test_a_job_is_found_in_its_own_namespace_only(fake):
    token = fake.make_user("frank")
    job = fake.submit()["id"]
    error_of(fake.call("GET", f"/api/jobs/frank/{job}", token), 404)
    assert fake.call("GET", f"/api/jobs/ALICE/{job}").json()["owner"]["name"] == "alice"


def test_cancel(fake):
    job = fake.submit("run=forever")["id"]
    fake.wait_job(job, ("RUNNING",))
    first = fake.call("POST", f"/api/jobs/alice/{job}/cancel")
    assert first.status_code == 200 and first.json()["status"]["stage"] == "CANCELED"
    again = fake.call("POST", f"/api/jobs/alice/{job}/cancel", headers={"Content-Type": "application/json"})
    assert again.json()["status"] == first.json()["status"] and again.json()["finishedAt"] == first.json()["finishedAt"]
    done = fake.wait_job(fake.submit()["id"])
    assert fake.call("POST", f"/api/jobs/alice/{done['id']}/cancel").json()["status"]["stage"] == "COMPLETED"
    error_of(fake.call("POST", f"/api/jobs/alice/{NOBODY}/cancel"), 404)


def test_duplicate(fake):
    source = fake.submit("exit=1", secrets={"S": "v"}, labels={"a": "b"}, attempts=2)
    copy = fake.call("POST", f"/api/jobs/alice/{source['id']}/duplicate").json()
    assert copy["id"] != source["id"] and copy["initiator"] == {"type": "duplicated-job", "id": source["id"]}
    for same in ("command", "secrets", "labels", "attempts", "dockerImage", "flavor", "timeout"):
        assert copy[same] == source[same]


def test_labels(fake):
    job = fake.submit(labels={"a": "1", "b": "2"})["id"]

    def put(body):
        return fake.call("PUT", f"/api/jobs/alice/{job}/labels", json=body)
    assert put({"labels": {"c": "", "name": "x" * 255}}).json()["labels"] == {"c": "", "name": "x" * 255}
    assert fake.job(job)["labels"] == {"c": "", "name": "x" * 255}
    assert "labels" in error_of(put({}), 400)
    assert "label" in error_of(put({"labels": {"a b": ""}}), 400)
    error_of(put({"labels": []}), 400)
    fake.wait_job(job)
    assert put({"labels": {}}).json()["labels"] == {}


def test_auth_check_and_count(fake):
    job = fake.submit()
    for path in ("/api/jobs/alice/auth-check/read", "/api/jobs/alice/auth-check/write", f"/api/jobs/alice/{job['id']}/auth-check/write"):
        answer = fake.call("POST", path)
        assert answer.json() == {"namespace": {"id": job["owner"]["id"], "name": "alice"}, "user": {"id": job["owner"]["id"], "name": "alice"}}
    error_of(fake.call("POST", f"/api/jobs/alice/{NOBODY}/auth-check/read"), 404)


# Lists

@pytest.fixture(scope="module")
def carol(fake):
    """A namespace with seven jobs: the token, and the ids from the newest to the oldest."""
    token = fake.make_user("carol")
    ids = [fake.submit(*(["exit=1"] if i % 2 else []), namespace="carol", token=token, labels={"n": str(i), "kind": "even" if i % 2 == 0 else "odd", "e": ""})["id"]
           for i in range(7)]
    for job in ids:
        wait_until(lambda: fake.call("GET", f"/api/jobs/carol/{job}", token).json()["status"]["stage"] in ("COMPLETED", "ERROR"), 20, "the end")
    return token, ids[::-1]


def listed(fake, token, query=""):
    answer = fake.call("GET", f"/api/jobs/carol{query}", token)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()]


def test_list_is_newest_first_with_whole_objects(fake, carol):
    token, ids = carol
    answer = fake.call("GET", "/api/jobs/carol", token)
    assert [job["id"] for job in answer.json()] == ids and "Link" not in answer.headers
    for shown in answer.json():
        inspected = fake.call("GET", f"/api/jobs/carol/{shown['id']}", token).json()
    assert inspected.pop("hearth") and shown == inspected  # what goes beyond the Hub's is left out of lists


def test_list_filters(fake, carol):
    token, ids = carol
    assert listed(fake, token, "?stage=ERROR") == [i for n, i in enumerate(ids) if n % 2 == 1]
    assert listed(fake, token, "?stage=completed&stage=ERROR") == ids
    assert listed(fake, token, "?stage=RUNNING") == []
    assert listed(fake, token, "?label=kind%3Deven&label=n%3D2") == [ids[4]]
    assert listed(fake, token, "?label=kind=even&stage=ERROR") == []
    assert listed(fake, token, "?label=e%3D") == ids
    assert listed(fake, token, "?label=missing%3D") == []
    assert fake.call("GET", "/api/jobs/carol/count?stage=ERROR", token).json() == {"count": 3}
    assert fake.call("GET", "/api/jobs/carol/count?label=kind%3Deven", token).json() == {"count": 4}


def test_list_pages(fake, carol):
    token, ids = carol
    seen, url = [], fake.endpoint + "/api/jobs/carol?limit=3&stage=COMPLETED&stage=ERROR&label=e%3D"
    pages = 0
    while url:
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        page = [job["id"] for job in answer.json()]
        assert 1 <= len(page) <= 3
        seen += page
        pages += 1
        link = answer.headers.get("Link")
        if link:
            match = re.fullmatch(r'<(http://127\.0\.0\.1:\d+/api/jobs/carol\?[^<>]*)>; rel="next"', link)
            assert match, link
            assert "limit=3&stage=COMPLETED&stage=ERROR&label=e%3D&cursor=" in link and link.count("cursor=") == 1
        url = answer.links.get("next", {}).get("url")
    assert seen == ids and pages == 3


def test_list_refuses_what_it_does_not_understand(fake, carol):
    token, _ = carol
    for query, word in (("?stage=BUSY", "stage"), ("?limit=0", "limit"), ("?limit=1001", "limit"), ("?limit=x", "limit"),
                        ("?cursor=abc", "cursor"), ("?label=%3Dx", "label"), ("?stage=", "stage")):
        assert word in error_of(fake.call("GET", f"/api/jobs/carol{query}", token), 400), query


def test_link_uses_the_address_that_the_client_sees(fake, carol):
    token, _ = carol
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hub.example"}
    answer = fake.call("GET", "/api/jobs/carol?limit=1", token, headers=headers)
    assert answer.headers["Link"].startswith("<https://hub.example/api/jobs/carol?limit=1&cursor=")


# Streams

def test_logs(fake):
    job = fake.submit("line=hello", "line=w\u00f6rld", "run=200")["id"]
    answer = fake.call("GET", f"/api/jobs/alice/{job}/logs")
    assert answer.headers["Cache-Control"] == "no-cache" and "Content-Length" not in answer.headers
    lines = [event["data"] for event in events(answer)]
    assert [line for line in lines if not line.startswith("=====")] == ["hello", "w\u00f6rld"]
    assert fake.call("GET", f"/api/jobs/alice/{job}/logs").content == answer.content
    for tail in ("-1", "x", "1.5", "", "9" * 30):
        assert "tail" in error_of(fake.call("GET", f"/api/jobs/alice/{job}/logs?tail={tail}"), 400)
    error_of(fake.call("GET", f"/api/jobs/alice/{NOBODY}/logs"), 404)


def test_events(fake):
    job = fake.submit("run=300")["id"]
    answer = fake.call("GET", f"/api/jobs/alice/{job}/events")
    seen = events(answer)
    assert all(event["id"] == job and TIME.match(event["timestamp"]) for event in seen)
    stages = [event["status"]["stage"] for event in seen]
    assert stages[-1] == "COMPLETED" and "RUNNING" in stages
    assert answer.text.startswith("event: status\ndata: {")
    again = events(fake.call("GET", f"/api/jobs/alice/{job}/events"))
    assert len(again) == 1 and again[0]["status"]["stage"] == "COMPLETED"


def test_events_show_labels(fake):
    job = fake.submit("run=forever")["id"]
    stream = fake.call("GET", f"/api/jobs/alice/{job}/events", stream=True)
    fake.call("PUT", f"/api/jobs/alice/{job}/labels", json={"labels": {"x": "y"}})
    fake.call("POST", f"/api/jobs/alice/{job}/cancel")
    seen = [json.loads(line[6:]) for line in stream.iter_lines(decode_unicode=True) if line.startswith("data: {")]
    assert any(event["labels"] == {"x": "y"} for event in seen) and seen[-1]["status"]["stage"] == "CANCELED"


def test_metrics_of_a_finished_job_close_at_once(fake):
    job = fake.wait_job(fake.submit()["id"])["id"]
    start = time.monotonic()
    answer = fake.call("GET", f"/api/jobs/alice/{job}/metrics")
    assert answer.status_code == 200 and answer.content == b"" and time.monotonic() - start < 4


def test_metrics_keep_a_queued_job_alive(make_fake):
    server = make_fake("scheduler.max_running=1")
    first = server.submit("run=forever")["id"]
    server.wait_job(first, ("RUNNING",))
    second = server.submit("run=10")["id"]
    stream = server.call("GET", f"/api/jobs/alice/{second}/metrics", stream=True)
    assert stream.status_code == 200
    start, seen = time.monotonic(), []
    for line in stream.iter_lines(decode_unicode=True):
        if line:
            seen.append((time.monotonic() - start, line))
        if len(seen) == 2:
            break
    assert [line for _, line in seen] == [": keep-alive"] * 2 and seen[0][0] < 5 and seen[1][0] - seen[0][0] < 12
    stream.close()
    server.call("POST", f"/api/jobs/alice/{first}/cancel")
    server.wait_job(second)


# Who is who

def test_whoami(fake):
    who = fake.call("GET", "/api/whoami-v2").json()
    assert who["name"] == "alice" and who["type"] == "user" and who["orgs"] == [] or who["orgs"]
    token = who["auth"]["accessToken"]
    assert who["auth"]["type"] == "access_token" and token["displayName"] == "laptop" and token["role"] == "write" and TIME.match(token["createdAt"])
    reader = fake.make_user("alice", "read")
    assert fake.call("GET", "/api/whoami-v2", reader).json()["auth"]["accessToken"]["role"] == "read"


def test_tokens_that_are_not_known(fake):
    for token in ("hf_wrong", "hf_" + "a" * 34, "x" * 3000, fake.token[:-1], fake.token + "x"):
        answer = fake.call("GET", "/api/whoami-v2", token)
        assert error_of(answer, 401) == "Invalid credentials in Authorization header"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for header in ("Basic YTpi", "Bearer", "Bearer ", fake.token, f"Bearer {fake.token} x"):
        answer = fake.call("GET", "/api/whoami-v2", "", headers={"Authorization": header})
        assert error_of(answer, 401) == "Invalid credentials in Authorization header", header
    assert error_of(fake.call("GET", "/api/whoami-v2", ""), 401) == "Invalid username or password."


def test_what_needs_no_token(fake):
    assert fake.call("GET", "/api/agent-harnesses", "").json() == {"standardEnvVars": [], "harnesses": {}}
    flavors = fake.call("GET", "/api/jobs/hardware", "").json()
    assert flavors[0]["name"] == "cpu-basic"
    assert fake.call("GET", "/api/jobs/hardware", "hf_wrong").json() == flavors
    for flavor in flavors:
        assert flavor["unitLabel"] == "minute" and flavor["accelerator"] is None and flavor["cpu"].endswith(" vCPU")
        assert isinstance(flavor["unitCostMicroUSD"], int) and abs(flavor["unitCostUSD"] * 1e6 - flavor["unitCostMicroUSD"]) < 1e-6
        assert all(isinstance(flavor[key], str) for key in ("prettyName", "ram", "ephemeralStorage"))


def test_roles_in_an_organization(fake):
    fake.admin("POST", "/admin/orgs", {"name": "acme"})
    tokens = {role: fake.make_user(f"org-{role}") for role in ("read", "write", "admin")}
    outsider = fake.make_user("outsider")
    for role in tokens:
        assert fake.admin("PUT", f"/admin/orgs/acme/members/org-{role}", {"role": role})[0] == 200
    body = {"command": ["job"], "flavor": "cpu-basic", "dockerImage": "busybox"}
    for role in ("write", "admin"):
        job = fake.call("POST", "/api/jobs/acme", tokens[role], json=body).json()
        assert job["owner"]["name"] == "acme" and job["owner"]["type"] == "org" and job["createdBy"]["name"] == f"org-{role}"
        assert fake.call("GET", f"/api/jobs/acme/{job['id']}", tokens["read"]).status_code == 200
    text = error_of(fake.call("POST", "/api/jobs/acme", tokens["read"], json=body), 403)
    assert "role read" in text and "write" in text and "acme" in text and not text.endswith(".")
    error_of(fake.call("POST", f"/api/jobs/acme/{job['id']}/cancel", tokens["read"]), 403)
    text = error_of(fake.call("POST", "/api/jobs/acme", outsider, json=body), 403)
    assert "not a member" in text
    error_of(fake.call("GET", "/api/jobs/acme", outsider), 403)
    assert error_of(fake.call("GET", f"/api/jobs/acme/{job['id']}", outsider), 404) == "Job not found"
    who = fake.call("GET", "/api/whoami-v2", tokens["write"]).json()
    assert [(org["name"], org["type"], org["roleInOrg"]) for org in who["orgs"]] == [("acme", "org", "write")]
    reader = fake.make_user("org-admin", "read")
    text = error_of(fake.call("POST", "/api/jobs/acme", reader, json=body), 403)
    assert "token" in text and "job.write" in text


# Administration

def test_admin_is_reached_by_the_socket_only(fake):
    for method, path in (("GET", "/admin/users"), ("POST", "/admin/users"), ("GET", "/admin/orgs/acme/members"), ("POST", "/admin/users/alice/tokens")):
        assert error_of(fake.call(method, path), 404)
        assert error_of(fake.call(method, path, ""), 404)


def test_admin_users_and_tokens(fake):
    assert fake.admin("POST", "/admin/users", {"name": "dora"})[1]["name"] == "dora"
    assert fake.admin("POST", "/admin/users", {"name": "DORA"})[0] == 409
    assert fake.admin("POST", "/admin/users", {"name": "no/good"})[0] == 400
    assert fake.admin("POST", "/admin/users", {"name": "hardware"})[0] == 400
    assert fake.admin("POST", "/admin/users", {})[0] == 400
    assert {user["name"] for user in fake.admin("GET", "/admin/users")[1]} >= {"alice", "dora"}
    status, token = fake.admin("POST", "/admin/users/dora/tokens", {"name": "laptop"})
    assert status == 200 and token["token"].startswith("hf_") and token["role"] == "write" and token["lastUsedAt"] is None
    assert fake.admin("POST", "/admin/users/dora/tokens", {"name": "laptop"})[0] == 409
    assert fake.admin("POST", "/admin/users/dora/tokens", {"name": "x", "role": "admin"})[0] == 400
    assert fake.call("GET", "/api/whoami-v2", token["token"]).json()["name"] == "dora"
    listed_tokens = fake.admin("GET", "/admin/users/dora/tokens")[1]
    assert [t["name"] for t in listed_tokens] == ["laptop"] and TIME.match(listed_tokens[0]["lastUsedAt"]) and "token" not in listed_tokens[0]
    assert fake.admin("DELETE", "/admin/users/dora/tokens/laptop")[0] == 200
    assert fake.admin("DELETE", "/admin/users/dora/tokens/laptop")[0] == 404
    assert fake.call("GET", "/api/whoami-v2", token["token"]).status_code == 401
    assert fake.admin("DELETE", "/admin/users/dora")[0] == 200
    assert fake.admin("DELETE", "/admin/users/dora")[0] == 404
    assert fake.admin("GET", "/admin/users/dora/tokens")[0] == 404


def test_admin_members(fake):
    fake.admin("POST", "/admin/orgs", {"name": "beta"})
    fake.make_user("erin")
    assert fake.admin("PUT", "/admin/orgs/beta/members/erin", {"role": "none"})[0] == 400
    assert fake.admin("PUT", "/admin/orgs/beta/members/nobody", {"role": "read"})[0] == 404
    assert fake.admin("PUT", "/admin/orgs/alice/members/erin", {"role": "read"})[0] == 404
    assert fake.admin("PUT", "/admin/orgs/beta/members/erin", {"role": "read"})[1] == {"org": "beta", "user": "erin", "role": "read"}
    assert fake.admin("GET", "/admin/orgs/beta/members")[1] == [{"org": "beta", "user": "erin", "role": "read"}]
    assert fake.admin("DELETE", "/admin/orgs/beta/members/erin")[0] == 200
    assert fake.admin("DELETE", "/admin/orgs/beta/members/erin")[0] == 404
    assert fake.admin("GET", "/admin/orgs/beta/members")[1] == []
    assert fake.admin("DELETE", "/admin/orgs/alice")[0] == 404
    assert fake.admin("DELETE", "/admin/orgs/beta")[0] == 200


# Everything else

def test_expose_and_repositories(fake):
    job = fake.submit()["id"]
    assert "ports" in error_of(fake.call("PUT", f"/api/jobs/alice/{job}/expose", json={"ports": [80]}), 501)
    error_of(fake.call("PUT", f"/api/jobs/alice/{NOBODY}/expose", json={"ports": [80]}), 404)
    assert "1.13" in error_of(fake.call("POST", "/api/repos/create", json={}), 404)
    assert "token" in error_of(fake.call("POST", "/oauth/device", "", data={"client_id": "x"}), 404)


def test_unknown_addresses(fake):
    for path in ("/api", "/api/nothing", "/api/jobs", f"/api/jobs/alice/{NOBODY}/nothing", "/nothing", "/api/models/x"):
        error_of(fake.call("GET", path), 404)
    answer = fake.call("DELETE", "/api/jobs/hardware")
    assert answer.status_code == 405 and "GET" in answer.headers["Allow"] and answer.json()["error"]


def test_pages_tell_nothing(fake):
    job = fake.submit("line=secret-line")["id"]
    known, unknown = fake.call("GET", f"/jobs/alice/{job}", ""), fake.call("GET", f"/jobs/alice/{NOBODY}", "")
    assert known.status_code == unknown.status_code == 200 and known.text.replace(job, NOBODY) == unknown.text
    nasty = fake.call("GET", "/jobs/%3Cscript%3Ealert(1)%3C%2Fscript%3E/%22%27%26", "")
    assert "<script" not in nasty.text and "&lt;script&gt;" in nasty.text and "&quot;&#39;&amp;" in nasty.text
    assert "script-src" in nasty.headers["Content-Security-Policy"] or "default-src 'none'" in nasty.headers["Content-Security-Policy"]
    assert "hearth admin token create" in fake.call("GET", "/settings/tokens", "").text
    assert "HF_ENDPOINT=" + fake.endpoint in fake.call("GET", "/", "").text
    assert fake.call("GET", "/avatars/alice.svg", "").headers["Content-Type"] == "image/svg+xml"


def test_health_and_metrics(fake):
    assert fake.call("GET", "/healthz", "").json()["status"] == "ok"
    fake.wait_job(fake.submit("exit=1")["id"])
    text = fake.call("GET", "/metrics", "").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values['hearth_jobs_ended_total{stage="ERROR"}']) >= 1
    assert float(values['hearth_http_requests_total{code="200"}']) > 3
    assert float(values["hearth_cpu_millicores_capacity"]) == 1000000
    buckets = [float(v) for k, v in values.items() if k.startswith("hearth_http_request_duration_seconds_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] == float(values["hearth_http_request_duration_seconds_count"])
    typed = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    for name in values:
        base = re.sub(r"(_bucket|_sum|_count)?(\{.*)?$", "", name)
        assert base in typed or name.split("{")[0] in typed, name


def test_images_without_any(fake):
    assert fake.call("GET", "/api/images").json() == []
    assert "store" in error_of(fake.call("GET", "/api/images/docker.io/library/python:3.12"), 404)
    error_of(fake.call("GET", "/api/images/-x"), 400)
    assert "reference" in error_of(fake.call("POST", "/api/images/pull", json={}), 400)
    assert "architecture" in error_of(fake.call("POST", "/api/images/pull", json={"reference": "a", "architecture": "x"}), 400)
    assert "reference" in error_of(fake.call("POST", "/api/images/import", data=b"x"), 400)
    assert "keepBytes" in error_of(fake.call("POST", "/api/images/prune", json={"keepBytes": -1}), 400)
    assert fake.admin("GET", "/api/images") == (200, [])
    answer = fake.call("POST", "/api/images/pull", json={"reference": "nothing"})
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines() if line]
    assert lines[-1]["status"] == "error" and lines[-1]["error"]


def test_images_belong_to_the_operator(fake):
    other, reader = fake.make_user("grace"), fake.make_user("grace", "read")
    assert fake.call("GET", "/api/images", reader).status_code == 200
    error_of(fake.call("POST", "/api/images/pull", reader, json={"reference": "a"}), 403)
    for method, path in (("POST", "/api/images/import?reference=a"), ("POST", "/api/images/prune"), ("DELETE", "/api/images/busybox")):
        assert "operator" in error_of(fake.call(method, path, other), 403)
        error_of(fake.call(method, path, reader), 403)


def test_an_upload_of_a_stranger_is_not_taken(fake):
    """The answer comes with the head: no byte of the body is read first."""
    import socket
    for token in (None, "hf_wrong", fake.make_user("heidi")):
        with socket.create_connection(("127.0.0.1", fake.port), 10) as s:
            head = "POST /api/images/import?reference=a HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\nExpect: 100-continue\r\n"
            s.sendall((head + (f"Authorization: Bearer {token}\r\n" if token else "") + "\r\n").encode())
            assert s.recv(100).split()[1] in (b"401", b"403")


def test_audit_lines(fake):
    job = fake.submit(secrets={"S": "very-secret-value"})["id"]
    fake.call("POST", f"/api/jobs/alice/{job}/cancel")
    fake.call("GET", "/api/whoami-v2", "hf_not-a-known-token")
    fake.call("GET", "/api/jobs/nobody")
    fake.call("POST", "/api/jobs/alice", fake.make_user("alice", "read"), json={})
    fake.call("GET", f"/api/jobs/alice/{job}", fake.make_user("nosy"))
    lines = fake.audit()
    assert any(f"subject={job}" in line and "user=alice" in line and "path=/api/jobs/alice " in line and "status=200" in line for line in lines)
    assert any(f"/{job}/cancel" in line for line in lines)
    assert any("status=401" in line and "/api/whoami-v2" in line for line in lines)
    assert any("status=404" in line and "/api/jobs/nobody" in line for line in lines)
    assert any("status=403" in line and "user=alice" in line for line in lines)
    assert any("status=404" in line and "user=nosy" in line and job in line for line in lines)
    log = fake.log.read_text()
    assert "very-secret-value" not in log and fake.token not in log and "hf_not-a-known-token" not in log
    before = len(fake.audit())
    fake.call("GET", "/api/jobs/alice")
    assert len(fake.audit()) == before
