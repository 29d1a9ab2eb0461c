# SPDX-License-Identifier: Apache-2.0
"""Jobs that mount models and datasets of a Hub (test_mount_repository.py has the faults in detail)."""
import hashlib
import random
import socket
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
    return make_server(f"[auth]\nupstream_url = {hub.url}\n[hub]\ntimeout = 4s\n")


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
