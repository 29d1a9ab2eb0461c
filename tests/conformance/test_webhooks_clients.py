# SPDX-License-Identifier: Apache-2.0
"""Webhooks by the unmodified Python client of several releases: the functions, and `hf webhooks` where there is one."""
import json

import pytest

import clients
from server import wait_until
from webhook_receiver import Receiver

WEBHOOKS = "/api/settings/webhooks"
# All calls of the library, in one process per release: importing it takes longer than everything else.
PROGRAM = """
import json, sys
from huggingface_hub import HfApi, WebhookWatchedItem
api, (url, job), seen = HfApi(), sys.argv[1:], {}
def note(name, webhook):
    seen[name] = {"id": webhook.id, "url": webhook.url, "watched": [[w.type, w.name] for w in webhook.watched], "domains": webhook.domains,
                  "disabled": webhook.disabled, "secret": webhook.secret}
first = api.create_webhook(url=url, watched=[{"type": "user", "name": "alice"}, WebhookWatchedItem(type="dataset", name="acme/raw")],
                           domains=["repo"], secret="s3cret")
note("created", first)
note("shown", api.get_webhook(first.id))
note("updated", api.update_webhook(first.id, url=url + "2"))
note("watching", api.update_webhook(first.id, watched=[{"type": "model", "name": "acme/gemma"}], domains=["repo"]))
note("disabled", api.disable_webhook(first.id))
note("enabled", api.enable_webhook(first.id))
second = api.create_webhook(job_id=job, watched=[{"type": "user", "name": "alice"}])
note("job", second)
seen["spec"] = [second.job.docker_image, second.job.command, second.job.secrets, second.job.flavor] if hasattr(second, "job") else None
note("switched", api.update_webhook(second.id, url=url))
seen["listed"] = [w.id for w in api.list_webhooks()]
for webhook in (first, second):
    api.delete_webhook(webhook.id)
try:
    api.get_webhook(first.id)
except Exception as error:
    seen["gone"] = error.response.status_code
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def server(make_server):
    return make_server("[webhooks]\nprivate_addresses = yes\n")


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.mark.parametrize("version", clients.HF_VERSIONS)
def test_the_library(server, receiver, version):
    source = server.submit(["true"], secrets={"KEY": "hidden"})["id"]
    clients.hf(version)
    done = server.run(clients.python(version), "-c", PROGRAM, receiver.url, source, timeout=100)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    first, watched = seen["created"]["id"], [["user", "alice"], ["dataset", "acme/raw"]]
    expected = {"id": first, "url": receiver.url, "watched": watched, "domains": ["repo"], "disabled": False, "secret": None}
    assert seen["created"] == seen["shown"] == expected
    assert seen["updated"] == {**expected, "url": receiver.url + "2"}
    expected = {**seen["updated"], "watched": [["model", "acme/gemma"]]}
    assert seen["watching"] == seen["enabled"] == expected and seen["disabled"] == {**expected, "disabled": True}
    assert seen["job"]["url"] is None and seen["job"]["domains"] == ["repo", "discussion"]
    assert seen["spec"] == ["busybox", ["true"], ["KEY"], "tiny"]
    assert seen["switched"]["url"] == receiver.url and seen["switched"]["watched"] == [["user", "alice"]]
    assert seen["listed"] == [first, seen["job"]["id"]] and seen["gone"] == 404


@pytest.mark.parametrize("version", [version for version in clients.HF_VERSIONS if version not in ("1.3", "1.5")])
def test_the_commands(server, receiver, version):
    program = clients.hf(version)

    def hf(*words, **more):
        return server.run(program, "webhooks", *words, timeout=60, **more)

    domain = "discussion" if version == "newest" else "discussions"
    watched = "bucket:alice/out" if version == "newest" else "model:acme/gemma"
    made = hf("create", "--url", receiver.url, "--watch", "user:alice", "--watch", watched, "--domain", "repo", "--domain", domain, "--secret", "s3cret")
    assert made.returncode == 0, made.stderr
    (webhook,) = server.call("GET", WEBHOOKS).json()
    name = webhook["id"]
    assert name in made.stdout and webhook["domains"] == ["repo", "discussion"] and webhook["hasSecret"] is True
    assert hf("ls", "--format", "quiet").stdout.split() == [name]
    if version == "newest":  # the others would say the same, and each call takes seconds
        info = hf("info", name)
        assert info.returncode == 0 and receiver.url in info.stdout, info.stderr
        assert hf("disable", name).returncode == 0 and server.call("GET", f"{WEBHOOKS}/{name}").json()["webhook"]["disabled"] is True
        assert hf("enable", name).returncode == 0 and server.call("GET", f"{WEBHOOKS}/{name}").json()["webhook"]["disabled"] is False
    done = hf("update", name, "--watch", "org:acme")
    assert done.returncode == 0 and server.call("GET", f"{WEBHOOKS}/{name}").json()["webhook"]["watched"] == [{"type": "org", "name": "acme"}]
    assert hf("delete", name, "--yes").returncode == 0 and server.call("GET", WEBHOOKS).json() == []


def test_what_jobs_are_watched_does_not_disturb_the_client(server, receiver):
    """`jobs` is ours; a client that does not know it shows the rest, and keeps it when it changes something."""
    made = server.call("POST", WEBHOOKS, json={"url": receiver.url, "jobs": {"events": ["failed"]}, "secret": "s3cret"}).json()["webhook"]
    program = clients.hf("newest")
    listed = server.run(program, "webhooks", "ls", "--format", "json")
    assert listed.returncode == 0 and json.loads(listed.stdout)[0]["watched"] == [], listed.stderr
    assert server.run(program, "webhooks", "update", made["id"], "--secret", "another").returncode == 0
    assert server.call("GET", f"{WEBHOOKS}/{made['id']}").json()["webhook"]["jobs"] == made["jobs"]
    server.call("DELETE", f"{WEBHOOKS}/{made['id']}")


def test_secrets_of_the_newest(server):
    source = server.submit(["true"], secrets={"KEY": "of the job"})["id"]
    program = clients.hf("newest")
    script = 'echo "$KEY/$MORE"'
    source = server.submit(["sh", "-c", script], secrets={"KEY": "of the job"})["id"]
    made = server.run(program, "webhooks", "create", "--job-id", source, "--watch", "dataset:alice/raw", "--secrets", "MORE=given")
    assert made.returncode == 0, made.stderr
    (webhook,) = server.call("GET", WEBHOOKS).json()
    assert sorted(webhook["job"]["secrets"]) == ["KEY", "MORE"]
    event = {"event": {"action": "update", "scope": "repo.content"}, "repo": {"type": "dataset", "name": "alice/raw", "id": "0" * 24, "private": False}}
    assert server.call("POST", "/api/webhooks/announce", json=event).status_code == 200
    jobs = wait_until(lambda: [j for j in server.jobs() if j["initiator"].get("id") == webhook["id"]], 20)
    server.wait_job(jobs[0]["id"])
    assert server.log_lines(jobs[0]["id"]) == ["of the job/given"]
    server.call("DELETE", f"{WEBHOOKS}/{webhook['id']}")
