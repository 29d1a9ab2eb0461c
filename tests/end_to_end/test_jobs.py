# SPDX-License-Identifier: Apache-2.0
"""The life of jobs, seen through the API, with real containers."""
import time

import pytest

from server import wait_until


def ended(server, *words, **fields):
    return server.wait_job(server.submit(list(words), **fields)["id"])


def test_the_answer_to_a_submission(server):
    job = server.submit(["echo", "hi"], environment={"A": "b", "N": 5, "B": True}, secrets={"S": "x"}, labels={"name": "n1"})
    assert job["status"]["stage"] == "SCHEDULING" and job["status"]["failureCount"] == 0
    assert "exposeUrls" not in job["status"] and "endpoint" not in job
    assert job["owner"]["name"] == "alice" and job["owner"]["type"] == "user"
    assert job["secrets"] == ["S"] and job["labels"] == {"name": "n1"}
    assert job["environment"]["N"] == "5" and job["timeoutSeconds"] == job["timeout"] == 1800
    assert job["attempts"] == 1 and job["retry"] == 0 and job["arch"] == "amd64"
    assert job["createdAt"].endswith("Z") and "startedAt" not in job
    end = server.wait_job(job["id"])
    assert end["status"]["stage"] == "COMPLETED" and end["status"]["message"] is None
    assert end["startedAt"] <= end["finishedAt"]


@pytest.mark.parametrize("command, message", [
    (["sh", "-c", "exit 1"], "Job failed with exit code: 1"),
    (["sh", "-c", "exit 137"], "Job failed with exit code: 137"),
    (["no-such-command"], "no-such-command"),
    (["/etc/passwd"], "/etc/passwd"),
    (["sh", "-c", "sh -c 'kill -SEGV $$'; exit 139"], "Job failed with exit code: 139"),
])
def test_failures_are_told_apart(server, command, message):
    job = ended(server, *command)
    assert job["status"]["stage"] == "ERROR"
    assert message in job["status"]["message"], job["status"]


def test_out_of_memory_is_told(server):
    job = ended(server, "sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done")
    assert job["status"]["stage"] == "ERROR", job["status"]
    assert job["status"]["message"].startswith("Out of memory: used ") and "64 MiB" in job["status"]["message"]


@pytest.mark.parametrize("script, at_most", [
    ("sleep 100", 4),				   # PID 1 without a handler: ends at once
    ("trap 'echo bye; exit 0' TERM; while true; do sleep 0.1; done", 5),
    # A shell that waits: its child hears of the end and may clean up.
    ("sh -c 'trap \"echo bye; exit 0\" TERM; while true; do sleep 0.1; done'; exit 3", 5),
    ("trap '' TERM; while true; do sleep 0.1; done", 16),	   # ignores: the grace, then the kill
    ("(trap '' TERM; setsid sleep 1000) & trap '' TERM; while true; do sleep 0.1; done", 16),
])
def test_timeout(server, script, at_most):
    start = time.monotonic()
    job = ended(server, "sh", "-c", script, timeoutSeconds=2)
    assert 1.9 < time.monotonic() - start < at_most + 5
    assert job["status"]["stage"] == "ERROR" and job["status"]["message"].startswith("Job timeout: reached its")
    if "bye" in script:
        assert "bye" in server.log_lines(job["id"])
    wait_until(lambda: not server.live_monitors(), 5, "no monitor left")


def test_attempts(server):
    job = ended(server, "sh", "-c", "echo try; exit 4", attempts=3)
    assert job["status"] == {**job["status"], "stage": "ERROR", "message": "Job failed with exit code: 4", "failureCount": 3}
    text = server.call("GET", f"/api/jobs/alice/{job['id']}/logs").text
    assert text.count("===== Job started at") == 3 and text.count('"try"') == 3


def test_a_timeout_is_not_retried(server):
    job = ended(server, "sleep", "50", attempts=3, timeoutSeconds=1)
    assert job["status"]["failureCount"] == 1 and job["status"]["message"].startswith("Job timeout")


def test_cancel_while_running_and_again(server):
    job = server.submit(["sleep", "300"])["id"]
    server.wait_job(job, ("RUNNING",))
    first = server.call("POST", f"/api/jobs/alice/{job}/cancel").json()
    assert first["status"]["stage"] == "CANCELED"
    second = server.call("POST", f"/api/jobs/alice/{job}/cancel").json()
    assert second["status"] == first["status"] and second["finishedAt"] == first["finishedAt"]
    wait_until(lambda: not server.live_monitors(), 10, "no monitor left")


def test_cancel_while_queued_with_an_open_log(server):
    blockers = [server.submit(["sleep", "300"], flavor="whole")["id"]]
    server.wait_job(blockers[0], ("RUNNING",))
    queued = server.submit(["echo", "never"], flavor="whole")["id"]
    shown = server.job(queued)
    assert shown["status"]["stage"] == "SCHEDULING" and "aiting" in shown["status"]["message"], shown["status"]
    stream = server.call("GET", f"/api/jobs/alice/{queued}/logs", stream=True, timeout=20)
    assert stream.status_code == 200
    server.call("POST", f"/api/jobs/alice/{queued}/cancel")
    assert b"data:" not in stream.raw.read()
    server.call("POST", f"/api/jobs/alice/{blockers[0]}/cancel")


def test_first_come_first_served(server):
    """`whole` takes all CPUs: the jobs run one after the other, in the order of submission."""
    ids = [server.submit(["sh", "-c", "sleep 0.2"], flavor="whole")["id"] for _ in range(4)]
    jobs = [server.wait_job(job) for job in ids]
    for before, after in zip(jobs, jobs[1:]):
        assert before["finishedAt"] <= after["startedAt"]


def test_image_not_found_is_told(server):
    job = ended(server, "true", image="127.0.0.1:1/nothing:here")
    assert job["status"]["stage"] == "ERROR" and "[registry 127.0.0.1:1]" in job["status"]["message"], job["status"]


def test_what_the_container_sees(server):
    job = ended(server, "env", environment={"FOO": "bar baz", "BOTH": "env"}, secrets={"BOTH": "secret"}, flavor="small")
    env = dict(line.split("=", 1) for line in server.log_lines(job["id"]) if "=" in line)
    assert env["JOB_ID"] == job["id"] and env["ACCELERATOR"] == "none"
    assert env["FOO"] == "bar baz" and env["BOTH"] == "secret"
    assert env["MEMORY"] and env["CPU_CORES"]
    assert "HF_TOKEN" not in env


def test_idempotency_key(server):
    body = {"command": ["true"], "flavor": "tiny", "dockerImage": "busybox"}
    answers = [server.call("POST", "/api/jobs/alice", json=body, headers={"Idempotency-Key": "k1"}) for _ in range(3)]
    assert {a.status_code for a in answers} == {200} and len({a.json()["id"] for a in answers}) == 1
    other = server.call("POST", "/api/jobs/alice", json={**body, "command": ["false"]}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 409, other.text
    labelled = [server.submit(["true"], labels={"hearth.idempotency-key": "k2"})["id"] for _ in range(2)]
    assert labelled[0] == labelled[1]
    plain = [server.submit(["true"])["id"] for _ in range(2)]
    assert plain[0] != plain[1]


def test_duplicate_copies_secrets(server):
    job = ended(server, "sh", "-c", "echo $S", secrets={"S": "value"}, labels={"a": "b"})
    copy = server.call("POST", f"/api/jobs/alice/{job['id']}/duplicate").json()
    assert copy["id"] != job["id"] and copy["initiator"] == {"type": "duplicated-job", "id": job["id"]}
    server.wait_job(copy["id"])
    assert server.log_lines(copy["id"]) == ["value"]


def test_events_stream(server):
    job = server.submit(["sleep", "0.5"])["id"]
    events = server.events(job, "events")
    stages = [event["status"]["stage"] for event in events]
    assert stages[-1] == "COMPLETED" and "RUNNING" in stages
    assert [e["status"]["stage"] for e in server.events(job, "events")][-1] == "COMPLETED"


def test_metrics_stream_ends_with_the_job(server):
    job = server.submit(["sh", "-c", "sleep 3"])["id"]
    samples = server.events(job, "metrics")
    assert samples, "no sample"
    for key in ("cpu_usage_pct", "cpu_millicores", "memory_used_bytes", "memory_total_bytes", "rx_bps", "tx_bps", "gpus"):
        assert key in samples[0]
    assert samples[0]["memory_total_bytes"] == 64 << 20
    start = time.monotonic()
    server.events(job, "metrics")
    assert time.monotonic() - start < 2


def test_secrets_are_nowhere_in_clear(server):
    secret = "very-secret-value-8841"
    ended(server, "true", secrets={"S": secret})
    wait_until(lambda: not server.live_monitors(), 5, "no monitor left")
    for path in server.state.rglob("*"):
        if path.is_file() and "layers" not in path.parts:
            assert secret.encode() not in path.read_bytes(), path
    assert secret not in server.log_text()
