# SPDX-License-Identifier: Apache-2.0
"""Webhooks with a real server: every documented kind of event, real jobs, changes of buckets, a loop that is stopped, and the commands."""
import json
import os
import tempfile

import pytest

import clients
from hub_events import samples
from server import wait_until
from webhook_receiver import Receiver

WEBHOOKS = "/api/settings/webhooks"
SECRET = "s3cret of the hook"


@pytest.fixture(scope="module")
def server(make_server):
    with tempfile.NamedTemporaryFile("w", dir="/var/tmp", prefix="hearth-test-secret.") as secret:  # the server reads it as the user hearth
        secret.write("from-the-hub")
        secret.flush()
        os.chmod(secret.name, 0o644)
        yield make_server(f"[webhooks]\nprivate_addresses = yes\ningest_secret_file = {secret.name}\n")


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def webhook(server):
    made = []

    def make(watched=("user:alice",), **fields):
        watched = [dict(zip(("type", "name"), word.split(":", 1))) for word in watched]
        answer = server.call("POST", WEBHOOKS, json={"watched": watched, **fields})
        assert answer.status_code == 200, answer.text
        made.append(answer.json()["webhook"]["id"])
        return made[-1]
    yield make
    for name in made:
        server.call("DELETE", f"{WEBHOOKS}/{name}")


def log_of(server, name, count=1, state=None):
    def reached():
        found = [e for e in server.call("GET", f"{WEBHOOKS}/{name}/deliveries").json() if state is None or e["state"] == state]
        return found[::-1] if len(found) >= count else None
    return wait_until(reached, 30, f"{count} deliveries of {name}")


def ingest(server, payload):
    answer = server.call("POST", "/api/webhooks/ingest", token="", json=payload, headers={"X-Webhook-Secret": "from-the-hub"})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", ["model", "dataset", "space", "kernel", "bucket"])
def test_every_kind_of_event(server, receiver, webhook, kind):
    name = webhook([f"{kind}:acme/raw"], url=receiver.url, secret=SECRET)
    events = samples("acme/raw", kind)
    for title, payload in events:
        assert ingest(server, payload) == {"accepted": True, "duplicate": False}, title
    for title, payload in events:
        assert ingest(server, payload) == {"accepted": True, "duplicate": True}, title
    wait_until(lambda: len(receiver.received) == len(events), 20)
    for (title, payload), received in zip(events, receiver.received):
        assert received.payload == {**payload, "webhook": {"id": name, "version": 3}}, title
        assert received.headers["x-webhook-secret"] == SECRET
        assert received.headers["x-hearth-event"] == f"{payload['event']['scope']}.{payload['event']['action']}"


def test_the_receiver_of_the_official_library(server, webhook):
    """huggingface_hub's own model of a payload takes what we send of models, datasets and Spaces."""
    check = "import sys, json; from huggingface_hub import WebhookPayload\n" \
            "for line in sys.stdin: WebhookPayload.model_validate_json(line)\nprint('fine')"
    receiver = Receiver()
    try:
        webhook(["dataset:acme/other"], url=receiver.url)
        events = [payload for title, payload in samples("acme/other") if title != "a new kind"]
        for payload in events:
            ingest(server, payload)
        wait_until(lambda: len(receiver.received) == len(events), 20)
        environment = server.environment(PYTHONPATH=str(clients.pydantic()))
        done = server.run(clients.python("newest"), "-c", check, env=environment, input="\n".join(received.body.decode() for received in receiver.received))
        assert done.returncode == 0 and done.stdout == "fine\n", done.stderr
    finally:
        receiver.stop()


def test_a_real_job(server, webhook):
    script = 'echo "$WEBHOOK_REPO_TYPE $WEBHOOK_REPO_ID"; echo "$WEBHOOK_PAYLOAD"; test "$WEBHOOK_SECRET" = "s3cret of the hook" && ' \
             'test "$KEY" = hidden && echo secrets are right'
    source = server.submit(["sh", "-c", "exit 0"], secrets={"KEY": "hidden"})
    server.wait_job(source["id"])
    name = webhook(job={"dockerImage": "busybox", "command": ["sh", "-c", script], "flavor": "tiny", "secrets": {"KEY": "hidden"}}, secret=SECRET)
    (payload,) = [payload for title, payload in samples("alice/raw", private=True) if title == "content"]
    ingest(server, payload)
    job = server.wait_job(log_of(server, name, 1, "delivered")[0]["jobId"])
    assert job["status"]["stage"] == "COMPLETED" and job["initiator"] == {"type": "webhook", "id": name}
    lines = server.log_lines(job["id"])
    assert lines[0] == "dataset alice/raw" and lines[2] == "secrets are right"
    assert json.loads(lines[1]) == {**payload, "webhook": {"id": name, "version": 3}}
    copied = webhook(jobSourceId=source["id"])
    assert server.call("GET", f"{WEBHOOKS}/{copied}").json()["webhook"]["job"]["secrets"] == ["KEY"]


def test_a_payload_that_is_too_long_for_a_job(server, webhook):
    script = 'echo ${#WEBHOOK_PAYLOAD}; echo "$WEBHOOK_PAYLOAD" | tail -c 60'
    name = webhook(job={"dockerImage": "busybox", "command": ["sh", "-c", script], "flavor": "tiny"})
    (payload,) = [payload for title, payload in samples("alice/raw") if title == "comment"]
    payload["comment"]["content"] = "word " * 150000
    ingest(server, payload)
    job = server.wait_job(log_of(server, name, 1, "delivered")[0]["jobId"])
    lines = server.log_lines(job["id"])
    assert job["status"]["stage"] == "COMPLETED" and 100000 < int(lines[0]) < 128 * 1024 and lines[1].endswith("}")


def bucket(server, name):
    answer = server.call("POST", f"/api/buckets/alice/{name}", json={})
    assert answer.status_code in (200, 201), answer.text


def test_changes_of_buckets(server, receiver, webhook):
    webhook(["user:alice"], url=receiver.url)
    bucket(server, "events")
    job = server.submit(["sh", "-c", "echo result > /out/result.txt"],
                        volumes=[{"type": "bucket", "source": "alice/events", "mountPath": "/out"}])
    assert server.wait_job(job["id"])["status"]["stage"] == "COMPLETED"
    wait_until(lambda: len(receiver.received) >= 2, 20)
    created, changed = receiver.payloads()[:2]
    assert created["event"] == {"action": "create", "scope": "repo"} and created["repo"]["type"] == "bucket"
    assert created["repo"]["name"] == "alice/events" and created["repo"]["url"]["api"].endswith("/api/buckets/alice/events")
    assert changed["event"] == {"action": "update", "scope": "repo.content"} and changed["paths"] == ["result.txt"]
    assert server.call("DELETE", "/api/buckets/alice/events").status_code == 200
    wait_until(lambda: receiver.payloads()[-1]["event"] == {"action": "delete", "scope": "repo"}, 20)


def test_a_loop_is_stopped(server, webhook):
    """The job of the webhook writes into the bucket that the webhook watches."""
    bucket(server, "round")
    volumes = [{"type": "bucket", "source": "alice/round", "mountPath": "/out"}]
    write = {"dockerImage": "busybox", "command": ["sh", "-c", "echo $JOB_ID >> /out/log.txt"], "flavor": "tiny", "volumes": volumes}
    name = webhook(["bucket:alice/round"], job=write)
    first = server.submit(["sh", "-c", "echo begin > /out/log.txt"], volumes=volumes)
    entries = log_of(server, name, 2)
    assert entries[0]["state"] == "delivered" and entries[0]["causedByJob"] == first["id"]
    assert entries[1]["state"] == "loop" and entries[1]["causedByJob"] == entries[0]["jobId"]
    assert "alice/round" in entries[1]["error"] and entries[0]["jobId"] in entries[1]["error"]
    second = server.submit(["sh", "-c", "echo again > /out/more.txt"], volumes=volumes)  # the webhook itself goes on
    entries = log_of(server, name, 4)
    assert [e["state"] for e in entries] == ["delivered", "loop", "delivered", "loop"] and entries[2]["causedByJob"] == second["id"]
    assert len([job for job in server.jobs() if job["initiator"].get("id") == name]) == 2


@pytest.fixture(scope="module")
def near_server(make_server):
    server = make_server("[network]\ngive_endpoint = yes\n")
    bucket(server, "near")
    return server


def posted(path, body):
    body = body.replace('"', '\\"')
    return f"wget -q -O - --header \"Authorization: Bearer $HF_TOKEN\" --header 'Content-Type: application/json' --post-data \"{body}\" $HF_ENDPOINT{path}"


@pytest.mark.parametrize("watched,change", [
    ("bucket:alice/near", posted("/api/buckets/alice/near/batch", '{"type":"addFile","path":"$JOB_ID","xetHash":"' + 64 * "0" + '"}')),
    ("user:alice", posted("/api/buckets/alice/made-$JOB_ID", "{}")),
    ("model:alice/said", posted("/api/webhooks/announce", '{"event":{"action":"update","scope":"repo.content"},"repo":{"type":"model",'
                                '"name":"alice/said","private":false},"updatedRefs":[{"ref":"$JOB_ID"}]}'))])
def test_a_loop_by_requests_is_stopped(near_server, watched, change):
    """The job does not mount the bucket: it speaks with the API, from its address in the jobs' network."""
    server = near_server
    job = {"dockerImage": "busybox", "command": ["sh", "-c", change], "flavor": "tiny", "secrets": {"HF_TOKEN": server.token}}
    watch = [dict(zip(("type", "name"), watched.split(":")))]
    answer = server.call("POST", WEBHOOKS, json={"watched": watch, "job": job})
    assert answer.status_code == 200, answer.text
    name = answer.json()["webhook"]["id"]
    first = server.submit(job["command"], secrets=job["secrets"])
    assert server.wait_job(first["id"])["status"]["stage"] == "COMPLETED", server.log_lines(first["id"])
    entries = log_of(server, name, 2)
    assert [e["state"] for e in entries] == ["delivered", "loop"]
    assert entries[0]["causedByJob"] == first["id"] and entries[1]["causedByJob"] == entries[0]["jobId"]
    if watched == "bucket:alice/near":
        assert server.call("PUT", "/api/buckets/alice/near/files/by-hand", data=b"x").status_code == 200
        assert log_of(server, name, 3)[2].get("causedByJob") is None, "nobody's job"
    assert server.call("DELETE", f"{WEBHOOKS}/{name}").status_code == 200
    wait_until(lambda: not server.jobs(all_stages=False), 30, "the end of all jobs")


def test_a_loop_through_another_webhook_is_stopped(server, webhook):
    jobs, names = {}, {}
    for here, there in (("ping", "pong"), ("pong", "ping")):
        bucket(server, here)
        jobs[here] = {"dockerImage": "busybox", "command": ["sh", "-c", "echo $JOB_ID >> /out/log.txt"], "flavor": "tiny",
                      "volumes": [{"type": "bucket", "source": f"alice/{there}", "mountPath": "/out"}]}
    for here, job in jobs.items():
        names[here] = webhook([f"bucket:alice/{here}"], job=job)
    server.submit(["sh", "-c", "echo begin > /out/log.txt"], volumes=[{"type": "bucket", "source": "alice/ping", "mountPath": "/out"}])
    pinged = log_of(server, names["ping"], 2)
    assert [entry["state"] for entry in pinged] == ["delivered", "loop"]
    assert [entry["state"] for entry in log_of(server, names["pong"])] == ["delivered"]


def test_the_commands(server, receiver, tmp_path):
    def hearth(*words, **more):
        return server.hearth("webhooks", *words, **more)

    made = hearth("create", "--url", receiver.url, "--watch", "user:alice", "--watch", "dataset:acme/raw", "--domain", "repo", "--secret", SECRET)
    assert made.returncode == 0 and "Webhook created" in made.stdout and SECRET not in made.stdout, made.stderr
    name = hearth("ls", "-q").stdout.strip()
    assert name in made.stdout
    listed = hearth("ls", "--no-truncate").stdout
    assert "user:alice, dataset:acme/raw" in " ".join(listed.split()) and receiver.url in listed
    info = json.loads(hearth("info", name, "--json").stdout)
    assert info["hasSecret"] is True and info["domains"] == ["repo"] and info["disabled"] is False
    for words, message in ((("disable", name), "disabled"), (("enable", name), "enabled"),
                           (("update", name, "--watch", "bucket:alice/commands", "--domain", "discussions", "--domain", "repo"), "updated")):
        done = hearth(*words)
        assert done.returncode == 0 and f"Webhook {message}" in done.stdout, done.stderr
    info = json.loads(hearth("info", name, "--json").stdout)
    assert info["watched"] == [{"type": "bucket", "name": "alice/commands"}] and info["domains"] == ["repo", "discussion"]
    bucket(server, "commands")
    wait_until(lambda: receiver.received, 20)
    log_of(server, name, 1, "delivered")
    shown = hearth("log", name)
    assert "repo.create" in shown.stdout and "delivered" in shown.stdout and "200" in shown.stdout
    entry = hearth("log", name, "-q").stdout.strip()
    assert json.loads(hearth("log", name, "--json").stdout)[0]["request"]["headers"]["X-Webhook-Secret"] == "***"
    done = hearth("replay", name, entry)
    assert done.returncode == 0 and "status: 200" in done.stdout and len(receiver.received) == 2
    receiver.answer = lambda received: 500
    done = hearth("replay", name, entry)
    assert done.returncode == 1 and "500" in done.stderr
    receiver.answer = lambda received: 200
    assert hearth("delete", name, input="n\n").returncode == 1
    done = hearth("delete", name, "--json")
    assert done.returncode == 1 and "--yes" in done.stderr
    done = hearth("delete", name, input="y\n")
    assert done.returncode == 0 and "Webhook deleted" in done.stdout
    assert hearth("info", name).returncode == 1


def test_the_commands_for_jobs(server, receiver, tmp_path):
    source = server.submit(["true"])
    secrets = tmp_path / "secrets"
    secrets.write_text("FILE_KEY=1\n")
    made = server.hearth("webhooks", "create", "--job-id", source["id"], "--watch", "bucket:alice/x", "-s", "KEY=2", "--secrets-file", secrets, "-q")
    assert made.returncode == 0, made.stderr
    name = made.stdout.strip()
    assert sorted(json.loads(server.hearth("webhooks", "info", name, "--json").stdout)["job"]["secrets"]) == ["FILE_KEY", "KEY"]
    assert "(job)" in server.hearth("webhooks", "ls").stdout
    server.hearth("webhooks", "delete", name, "-y")
    made = server.hearth("webhooks", "create", "--url", receiver.url, "--jobs", "completed,failed", "--label", "team=blue", "--secret", SECRET, "-q")
    assert made.returncode == 0, made.stderr
    name = made.stdout.strip()
    server.wait_job(server.submit(["true"])["id"])
    done = server.submit(["true"], labels={"team": "blue"})
    wait_until(lambda: receiver.received, 20)
    payload = receiver.payloads()[0]
    assert payload["event"]["action"] == "completed" and payload["job"]["id"] == done["id"] and "x-hearth-signature" in receiver.received[0].headers
    assert payload["job"]["url"]["web"].startswith("http") and "jobs:alice" in server.hearth("webhooks", "ls").stdout
    server.hearth("webhooks", "delete", name, "-y")


@pytest.mark.parametrize("words, sentence", [
    (["create", "--watch", "user:alice"], "--url or --job-id"), (["create", "--url", "http://x", "--job-id", "y", "--watch", "user:a"], "not both"),
    (["create", "--url", "http://x/"], "--watch"), (["create", "--url", "http://x/", "--watch", "alice"], "type:name"),
    (["create", "--url", "http://x/", "--watch", "user:a", "--domain", "all"], "--domain"),
    (["create", "--url", "http://x/", "--watch", "user:a", "-s", "A=b"], "--job-id"),
    (["create", "--url", "http://x/", "--watch", "user:a", "--label", "a=b"], "--jobs"), (["explode"], "explode")])
def test_usage_errors(server, words, sentence):
    done = server.hearth("webhooks", *words)
    assert done.returncode == 2 and sentence in done.stderr, done.stderr


def test_what_the_server_refuses(server):
    done = server.hearth("webhooks", "create", "--url", "ftp://x/", "--watch", "user:alice")
    assert done.returncode == 1 and "http" in done.stderr
    done = server.hearth("webhooks", "create", "--url", "http://x/", "--watch", "team:alice")
    assert done.returncode == 1 and "watched[0].type" in done.stderr
    done = server.hearth("webhooks", "create", "--url", "http://x/", "--jobs", "exploded")
    assert done.returncode == 1 and "jobs.events[0]" in done.stderr
