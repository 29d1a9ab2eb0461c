# SPDX-License-Identifier: Apache-2.0
"""Jobs that mount models and datasets of a Hub (test_mount_repository.py has the faults in detail)."""
import hashlib
import os
import random
import re
import socket
import tempfile
import time

import pytest
from hub_server import Hub
from server import wait_until

MIB = 1 << 20
BIG = random.Random(5).randbytes(6 * MIB + 99)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    top = tmp_path_factory.mktemp("hub") / "hub"
    for path, data in {"models/org/m/config.json": b'{"a": 1}\n', "models/org/m/sub/x.txt": b"below\n", "models/org/m/big.bin": BIG,
                       "models/org/m@v1/config.json": b"old\n", "datasets/org/d/data.csv": b"a,b\n", "models/org/private/p.txt": b"secret\n",
                       "models/org/gated/g.txt": b"gated\n", "models/uma/own/o.txt": b"own\n"}.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(data)
    hub = Hub(top).start()
    hub.repository("models", "org/private").private = True
    hub.repository("models", "org/private").readers = {"uma"}
    hub.repository("models", "org/gated").gated = "auto"
    hub.repository("models", "org/gated").readers = {"uma"}
    yield hub
    hub.stop()


@pytest.fixture(scope="module")
def lazy_server(make_server, hub):
    with tempfile.NamedTemporaryFile("w", dir="/var/tmp", prefix="hearth-test-secret.") as secret:  # the server reads it as the user hearth
        secret.write("from-the-hub")
        secret.flush()
        os.chmod(secret.name, 0o644)
        yield make_server(f"[auth]\nupstream_url = {hub.url}\n[hub]\ntimeout = 4s\n[webhooks]\ningest_secret_file = {secret.name}\n")


def volume(source="org/m", path="/m", **more):
    return {"type": "model", "source": source, "mountPath": path, **more}


def run(server, command, volumes, token=None, namespace="alice", **fields):
    answer = server.call("POST", f"/api/jobs/{namespace}", token, json={
        "command": ["sh", "-c", command], "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox",
        "volumes": volumes, **fields})
    assert answer.status_code == 200, answer.text
    job_id = answer.json()["id"]
    job = wait_until(lambda: (j := server.call("GET", f"/api/jobs/{namespace}/{job_id}", token).json())["status"]["stage"]
                     in ("COMPLETED", "ERROR") and j, 60, "end of the job")
    log = server.call("GET", f"/api/jobs/{namespace}/{job_id}/logs", token).text
    return job, log


def test_a_job_reads_a_model_and_a_dataset(lazy_server, hub):
    job, log = run(lazy_server, "cat /m/config.json /d/data.csv; wc -c < /m/big.bin; touch /m/x 2>&1; id -u; stat -c %u:%a /m/config.json", [
        volume(), {"type": "dataset", "source": "org/d", "mountPath": "/d"}])
    assert job["status"]["stage"] == "COMPLETED"
    assert '{\\"a\\": 1}' in log and "a,b" in log and f'"{len(BIG)}"' in log and "Read-only file system" in log and "0:444" in log
    assert job["volumes"][0]["commit"] == hub.commit(hub.folder / "models/org/m")
    assert job["volumes"][0]["readOnly"] is True


def test_revisions_and_folders(lazy_server):
    job, log = run(lazy_server, "cat /old/config.json; cat /sub/x.txt; ls /sub", [
        volume(path="/old", revision="v1"), {"type": "model", "source": "org/m", "mountPath": "/sub", "path": "sub"}])
    assert job["status"]["stage"] == "COMPLETED", log
    assert '"old"' in log and '"below"' in log and '"x.txt"' in log


def test_a_branch_that_moves_on_does_not_change_a_job(lazy_server, hub):
    (hub.folder / "models/org/moving").mkdir()
    (hub.folder / "models/org/moving/f").write_text("one")
    answer = lazy_server.submit(["sh", "-c", "sleep 1; cat /m/f"], volumes=[volume("org/moving")])
    assert answer["volumes"][0]["commit"] == hub.commit(hub.folder / "models/org/moving")


def test_jobs_share_what_was_fetched(lazy_server, hub):
    run(lazy_server, "cat /m/big.bin | wc -c", [volume()])
    hub.downloads.clear()
    _, log = run(lazy_server, "md5sum /m/big.bin", [volume()])
    assert hashlib.md5(BIG).hexdigest() in log and not hub.downloads


def submit(server, volumes, token=None, namespace="alice", **fields):
    return server.call("POST", f"/api/jobs/{namespace}", token, json={
        "command": ["true"], "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox", "volumes": volumes, **fields})


@pytest.mark.parametrize("what,status,sentence", [
    (volume("org/none"), 404, "was not found"), (volume(revision="nope"), 404, "has no revision nope"),
    (volume("org/private"), 404, "was not found"), (volume("org/gated"), 403, "is gated")])
def test_what_cannot_be_mounted_is_refused_at_once(lazy_server, what, status, sentence):
    answer = submit(lazy_server, [what])
    assert answer.status_code == status and sentence in answer.json()["error"], answer.text
    assert "volumes[0]" in answer.json()["error"]


def test_a_folder_that_is_not_there_is_a_sentence(lazy_server):
    job, _ = run(lazy_server, "true", [{**volume(), "path": "nope"}])
    assert job["status"]["stage"] == "ERROR" and "no such folder" in job["status"]["message"]


def test_a_user_of_the_hub_mounts_with_their_own_rights(lazy_server, hub):
    hub.clear()
    job, log = run(lazy_server, "cat /p/p.txt /g/g.txt; env", [volume("org/private", "/p"), volume("org/gated", "/g")],
                   token="hf_upstream", namespace="uma")
    assert job["status"]["stage"] == "COMPLETED", (job, log)
    assert '"secret"' in log and '"gated"' in log
    assert "hf_upstream" not in log and "hub-token" not in log and job["secrets"] == []
    assert submit(lazy_server, [volume("org/gated")], token="hf_other", namespace="otto").status_code == 403


def test_a_secret_token_of_the_job_counts(lazy_server, hub):
    job, log = run(lazy_server, "cat /p/p.txt", [volume("org/private", "/p")], secrets={"HF_TOKEN": "hf_upstream"})
    assert job["status"]["stage"] == "COMPLETED" and '"secret"' in log


def test_a_token_of_ours_never_goes_to_the_hub(lazy_server, hub):
    hub.clear()
    run(lazy_server, "cat /m/config.json", [volume()], secrets={"HF_TOKEN": lazy_server.token})
    assert hub.requests and all("Authorization" not in headers for _, _, headers in hub.requests)


def test_a_duplicate_has_the_same_rights(lazy_server):
    job, _ = run(lazy_server, "cat /p/p.txt", [volume("org/private", "/p")], token="hf_upstream", namespace="uma")
    again = lazy_server.call("POST", f"/api/jobs/uma/{job['id']}/duplicate", "hf_upstream").json()
    assert again["volumes"] == job["volumes"]
    wait_until(lambda: lazy_server.call("GET", f"/api/jobs/uma/{again['id']}", "hf_upstream").json()["status"]["stage"] == "COMPLETED",
               60, "end of the duplicate")


def started_by(server, initiator, namespace="alice", token=None):
    """The jobs, oldest first, that are over."""
    found = [job for job in server.call("GET", f"/api/jobs/{namespace}", token).json() if job["initiator"].get("id") == initiator]
    return [job for job in found if job["status"]["stage"] in ("COMPLETED", "ERROR")][::-1]


def log_text(server, job, namespace="alice", token=None):
    return server.call("GET", f"/api/jobs/{namespace}/{job['id']}/logs", token).text


def test_each_job_of_a_schedule_sees_its_repository_as_it_is(lazy_server, hub):
    for name in ("models/org/later", "models/org/private"):
        (hub.folder / name).mkdir(exist_ok=True)
    (hub.folder / "models/org/later/f").write_text("first")
    job = {"command": ["sh", "-c", "cat /m/f /p/p.txt"], "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox",
           "volumes": [volume("org/later"), volume("org/private", "/p")]}
    answer = lazy_server.call("POST", "/api/scheduled-jobs/uma", "hf_upstream", json={"jobSpec": job, "schedule": "@yearly"})
    assert answer.status_code == 200, answer.text
    schedule, jobs = answer.json(), []
    for count, content in enumerate(("first", "second and longer"), 1):
        (hub.folder / "models/org/later/f").write_text(content)
        ran = lazy_server.call("POST", f"/api/scheduled-jobs/uma/{schedule['id']}/run", "hf_upstream")
        assert ran.status_code == 200, ran.text
        jobs = wait_until(lambda: len(j := started_by(lazy_server, schedule["id"], "uma", "hf_upstream")) == count and j, 60, "the scheduled job")
        log = log_text(lazy_server, jobs[-1], "uma", "hf_upstream")
        assert jobs[-1]["status"]["stage"] == "COMPLETED" and content in log and "secret" in log, (jobs[-1], log)
    lazy_server.call("DELETE", f"/api/scheduled-jobs/uma/{schedule['id']}", "hf_upstream")


def watch(server, name, job=None, **fields):
    body = {"watched": [{"type": "model", "name": name}], **({"job": job} if job else {}), **fields}
    return server.call("POST", "/api/settings/webhooks", "hf_upstream", json=body)


def ingest(server, name, count):
    payload = {"event": {"action": "update", "scope": "repo.content"}, "repo": {"type": "model", "name": name, "id": "6" * 24, "private": False},
               "updatedRefs": [{"ref": "refs/heads/main", "oldSha": "0" * 40, "newSha": f"{count:040x}"}]}
    answer = server.call("POST", "/api/webhooks/ingest", token="", json=payload, headers={"X-Webhook-Secret": "from-the-hub"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("way", ["job", "jobSourceId"])
def test_each_job_of_a_webhook_sees_its_repository_as_it_is(lazy_server, hub, way):
    name = f"org/event-{way.lower()}"
    (hub.folder / "models" / name).mkdir()
    (hub.folder / "models" / name / "f").write_text("before")
    job = {"command": ["sh", "-c", "cat /m/f /p/p.txt"], "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox",
           "volumes": [volume(name), volume("org/private", "/p")]}
    if way == "job":
        answer = watch(lazy_server, name, job)
    else:
        source, log = run(lazy_server, "cat /m/f /p/p.txt", job["volumes"], "hf_upstream", "uma")
        assert source["status"]["stage"] == "COMPLETED" and "before" in log
        answer = watch(lazy_server, name, jobSourceId=source["id"])
    assert answer.status_code == 200, answer.text
    webhook = answer.json()["webhook"]["id"]
    assert "commit" not in str(answer.json()["webhook"].get("job"))
    for count, content in enumerate(("after the first event", "after the second event, longer"), 1):
        (hub.folder / "models" / name / "f").write_text(content)
        ingest(lazy_server, name, count)
        jobs = wait_until(lambda: len(j := started_by(lazy_server, webhook, "uma", "hf_upstream")) == count and j, 60, "the job of the webhook")
        log = log_text(lazy_server, jobs[-1], "uma", "hf_upstream")
        assert jobs[-1]["status"]["stage"] == "COMPLETED" and content in log and "secret" in log, (jobs[-1], log)
    assert lazy_server.call("DELETE", f"/api/settings/webhooks/{webhook}", "hf_upstream").status_code == 200


def test_schedules_and_webhooks_are_refused_what_cannot_be_mounted(lazy_server):
    job = {"command": ["true"], "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox", "volumes": [volume("org/none")]}
    for answer in (lazy_server.call("POST", "/api/scheduled-jobs/uma", "hf_upstream", json={"jobSpec": job, "schedule": "@hourly"}),
                   watch(lazy_server, "org/m", job)):
        assert answer.status_code == 404 and "was not found" in answer.json()["error"] and "volumes[0]" in answer.json()["error"], answer.text
    assert lazy_server.call("GET", "/api/settings/webhooks", "hf_upstream").json() == []


def test_a_repeated_submission_is_the_same_although_the_branch_moved(lazy_server, hub):
    (hub.folder / "models/org/again").mkdir()
    (hub.folder / "models/org/again/f").write_text("one")
    body = {"command": ["true"], "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox", "volumes": [volume("org/again")]}
    first = lazy_server.call("POST", "/api/jobs/alice", json=body, headers={"Idempotency-Key": "k1"})
    (hub.folder / "models/org/again/f").write_text("two and more")
    second = lazy_server.call("POST", "/api/jobs/alice", json=body, headers={"Idempotency-Key": "k1"})
    assert first.json()["id"] == second.json()["id"], second.text


def test_a_hub_that_is_gone_in_the_middle(make_server, tmp_path_factory):
    top = tmp_path_factory.mktemp("gone") / "hub"
    (top / "models/org/m").mkdir(parents=True)
    (top / "models/org/m/big.bin").write_bytes(BIG)
    (top / "models/org/m/other.bin").write_bytes(BIG)
    hub = Hub(top).start()
    server = make_server(f"[hub]\nendpoint = {hub.url}\ntimeout = 2s\n")
    job = server.submit(["sh", "-c", "head -c 10 /m/big.bin | wc -c; while [ ! -e /tmp/go ]; do cat /m/other.bin > /dev/null 2>&1 || exit 7; "
                         "echo 3 > /tmp/n; cat /m/big.bin > /dev/null || exit 8; sleep 0.1; exit 0; done"], volumes=[volume()])
    hub.faults.update(cdn_status=503, bytes_per_second=1)
    done = server.wait_job(job["id"], seconds=60)
    assert done["status"]["stage"] == "ERROR" and "exit code: " in done["status"]["message"]
    begin = time.monotonic()
    hub.stop()
    answer = submit(server, [volume()])
    assert answer.status_code == 503 and "does not answer" in answer.json()["error"]
    assert time.monotonic() - begin < 10


def test_a_job_tells_how_much_is_fetched(make_server, hub):
    server = make_server(f"[hub]\nendpoint = {hub.url}\nfetch = prefetch\n")
    hub.faults.update(bytes_per_second=2 * MIB)
    try:
        job = server.submit(["true"], volumes=[volume()])
        message = wait_until(lambda: (m := server.job(job["id"])["status"].get("message") or "").startswith("Fetching") and m, 30, "a message")
    finally:
        hub.faults.clear()
    assert re.fullmatch(r"Fetching the model org/m: \d+ %, [\d.]+ \w+ of 6(\.0)? MiB", message), message
    done = server.wait_job(job["id"])
    assert done["status"]["stage"] == "COMPLETED" and not done["status"].get("message")


def test_everything_before_the_start(make_server, hub):
    server = make_server(f"[hub]\nendpoint = {hub.url}\nfetch = prefetch\n")
    hub.clear()
    job, log = run(server, "wc -c < /m/big.bin", [volume()])
    assert job["status"]["stage"] == "COMPLETED" and f'"{len(BIG)}"' in log
    assert sum(1 for path, _, _ in hub.downloads if path.endswith("big.bin"))
    small = make_server(f"[hub]\nendpoint = {hub.url}\nfetch = prefetch\ncache_limit = 1M\n")
    job, _ = run(small, "true", [volume()])
    assert job["status"]["stage"] == "ERROR" and "hub.cache_limit" in job["status"]["message"]


def test_without_a_hub_repositories_are_refused(server):
    answer = submit(server, [volume()])
    assert answer.status_code == 400 and "hub.endpoint" in answer.json()["error"]


@pytest.fixture(scope="module")
def near_server(make_server):
    return make_server("[network]\ngive_endpoint = yes\n")


def test_jobs_reach_the_server_and_nothing_else_of_the_machine(near_server):
    gateway = near_server.config.read_text().split("subnet = ")[1].split("0.0/16")[0] + "0.1"
    with socket.create_server(("0.0.0.0", 0)) as other:
        job = near_server.submit(["sh", "-c", "echo $HF_ENDPOINT; a=${HF_ENDPOINT#http://}; "
                                  "printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${a%:*} ${a#*:} | head -n 1; "
                                  f"nc -w 1 {gateway} {other.getsockname()[1]} < /dev/null || echo closed"])
        near_server.wait_job(job["id"])
        log = near_server.log_lines(job["id"])
    assert log[0] == f"http://{gateway}:{near_server.port}" and "200 OK" in log[1] and log[-1] == "closed", log
    own = near_server.submit(["sh", "-c", "echo $HF_ENDPOINT"], environment={"HF_ENDPOINT": "https://huggingface.co"})
    near_server.wait_job(own["id"])
    assert near_server.log_lines(own["id"]) == ["https://huggingface.co"]


def test_jobs_do_not_reach_the_server_unless_told(server):
    gateway = server.config.read_text().split("subnet = ")[1].split("0.0/16")[0] + "0.1"
    with socket.create_server(("0.0.0.0", 0)) as other:
        job = server.submit(["sh", "-c", f"echo x$HF_ENDPOINT; nc -w 1 {gateway} {other.getsockname()[1]} < /dev/null || echo closed"])
        server.wait_job(job["id"])
    assert server.log_lines(job["id"])[0] == "x" and server.log_lines(job["id"])[-1] == "closed"
