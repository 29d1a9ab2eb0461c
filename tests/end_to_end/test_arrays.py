# SPDX-License-Identifier: Apache-2.0
"""Jobs that wait for others and arrays, with the real client and real containers."""
import re

import pytest

import clients
from server import TERMINAL, wait_until

WIDE = "[scheduler]\ncpus = 64\nmemory = 64G\n"


@pytest.fixture(scope="module")
def server(make_server):
    return make_server(WIDE)


@pytest.fixture(scope="module")
def hf(server):
    program = clients.hf("newest")

    def run(*words, timeout=120):
        return server.run(program, "jobs", *words, timeout=timeout)
    return run


def detached(hf, *words):
    done = hf("run", "-d", "--flavor", "tiny", *words)
    assert done.returncode == 0, done.stderr
    return re.search(r"[0-9a-f]{24}", done.stdout).group(0)


def elements(server, array, **labels):
    query = "".join(f"&label={key}={value}" for key, value in {"hearth.array-of": array, **labels}.items())
    return server.call("GET", f"/api/jobs/alice?limit=1000{query}").json()


def test_a_chain_runs_in_its_order(server, hf):
    a = server.submit(labels={"hearth.hold": "yes"})["id"]
    b = detached(hf, "-l", f"hearth.after={a}", "busybox", "true")
    c = detached(hf, "-l", f"hearth.after={b}", "busybox", "true")
    waiting = server.job(c)["status"]
    assert waiting["stage"] == "SCHEDULING" and waiting["message"] == f"Waiting for job {b} (SCHEDULING)"
    assert server.job(c)["hearth"]["after"] == [{"id": b, "stage": "SCHEDULING"}]
    server.call("POST", f"/api/jobs/alice/{a}/release")
    jobs = [server.wait_job(job) for job in (a, b, c)]
    assert [job["status"]["stage"] for job in jobs] == ["COMPLETED"] * 3
    assert jobs[0]["finishedAt"] <= jobs[1]["startedAt"] and jobs[1]["finishedAt"] <= jobs[2]["startedAt"]
    assert hf("run", "--flavor", "tiny", "-l", f"hearth.after={a}.{b}", "busybox", "echo", "all done").stdout.count("all done") == 1


def test_a_failure_reaches_the_end_of_the_chain(server, hf):
    a = server.submit(["sh", "-c", "exit 7"], labels={"hearth.hold": "yes"})["id"]
    b = server.submit(labels={"hearth.after": a})["id"]
    c = detached(hf, "-l", f"hearth.after={b}", "busybox", "true")
    server.call("POST", f"/api/jobs/alice/{a}/release")
    done = hf("wait", c)
    assert done.returncode == 1
    job = server.job(c)
    assert job["status"]["stage"] == "CANCELED" and job["status"]["cancelReason"] == "DEPENDENCY_FAILED"
    assert job["status"]["message"] == (f"Job {b}, which it waits for, ended with CANCELED: Job {a}, which it waits for, "
                                        "ended with ERROR: Job failed with exit code: 7")
    assert "startedAt" not in job


@pytest.mark.parametrize("label, value, part", [
    ("hearth.after", "0123456789abcdef01234567", "labels.hearth.after: job 0123456789abcdef01234567 was not found"),
    ("hearth.after", "x", "labels.hearth.after: \"x\" is not right; write ids of jobs"),
    ("hearth.array", "5-3", "the first and the last number of the array, such as 1-100"),
    ("hearth.array", "a-b", "the first and the last number of the array, such as 1-100"),
    ("hearth.array", "0-999999", "an array has at most 10000 elements, not 1000000"),
    ("hearth.array-max", "3", "labels.hearth.array-max needs hearth.array"),
    ("hearth.array-retry", "0123456789abcdef01234567", "was not found"),
    ("hearth.array-of", "0123456789abcdef01234567", "is set by the server"),
])
def test_bad_labels_are_refused_with_a_sentence(server, label, value, part):
    body = {"command": ["true"], "flavor": "tiny", "dockerImage": "busybox", "labels": {label: value}}
    answer = server.call("POST", "/api/jobs/alice", json=body)
    assert answer.status_code in (400, 404) and part in answer.json()["error"], answer.text


def test_the_client_shows_the_sentence(hf):
    done = hf("run", "-d", "-l", "hearth.array=5-3", "busybox", "true")
    assert done.returncode != 0 and "such as 1-100" in done.stderr.replace("\n", " "), done.stderr


def test_cycles_are_refused(server):
    a = server.submit(labels={"hearth.hold": "yes"})["id"]
    b = server.submit(labels={"hearth.after": a})["id"]
    answer = server.call("PUT", f"/api/jobs/alice/{a}/labels", json={"labels": {"hearth.after": b}})
    assert answer.status_code == 400
    assert f"it for {b}, which waits for {a}" in answer.json()["error"]
    server.call("POST", f"/api/jobs/alice/{a}/cancel")
    server.wait_job(b)


def test_an_array_in_the_foreground(server, hf):
    script = 'echo "I am $HEARTH_ARRAY_INDEX of $HEARTH_ARRAY_FIRST to $HEARTH_ARRAY_LAST in $HEARTH_ARRAY_ID"'
    done = hf("run", "--flavor", "tiny", "-l", "hearth.array=0-3", "-l", "name=sweep", "busybox", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    array = next(job for job in server.jobs() if job["labels"].get("hearth.array") == "0-3")
    assert array["status"] == {"stage": "COMPLETED", "message": None, "failureCount": 0}
    assert "Array of 4 elements, 0 to 3" in done.stdout
    for number in range(4):
        assert re.search(f"Element {number} started .job [0-9a-f]{{24}}.", done.stdout)
        assert re.search(f"Element {number} COMPLETED after \\d+ s", done.stdout)
        element, = elements(server, array["id"], **{"hearth.array-index": number})
        assert server.log_lines(element["id"]) == [f"I am {number} of 0 to 3 in {array['id']}"]
        assert element["labels"]["name"] == "sweep" and "hearth.array" not in element["labels"]
    assert len(elements(server, array["id"])) == 4
    seen = server.job(array["id"])["hearth"]["array"]
    assert seen == {"first": 0, "last": 3, "elements": 4, "waiting": 0, "running": 0, "completed": 4, "failed": 0, "canceled": 0}
    assert server.job(elements(server, array["id"])[0]["id"])["hearth"]["array"]["of"] == array["id"]
    # Reading it again gives the same, also after a restart.
    before = server.call("GET", f"/api/jobs/alice/{array['id']}/logs").content
    server.restart()
    assert server.call("GET", f"/api/jobs/alice/{array['id']}/logs").content == before


def test_failed_elements_run_again_alone(server, hf):
    script = "[ $HEARTH_ARRAY_INDEX -ne 2 ] || [ -n \"$FIXED\" ]"
    done = hf("run", "--flavor", "tiny", "-l", "hearth.array=1-4", "-l", "hearth.array-max=2", "busybox", "sh", "-c", script)
    assert done.returncode == 1, done.stderr
    array = next(job for job in server.jobs() if job["labels"].get("hearth.array") == "1-4")
    assert array["status"]["stage"] == "ERROR" and array["status"]["message"] == "1 of 4 elements failed: 2"
    again = detached(hf, "-l", f"hearth.array-retry={array['id']}", "-e", "FIXED=1", "busybox", "sh", "-c", script)
    assert server.wait_job(again)["status"]["stage"] == "COMPLETED"
    element, = elements(server, again)
    assert element["labels"]["hearth.array-index"] == "2"
    refused = hf("run", "-d", "-l", f"hearth.array-retry={again}", "busybox", "true")
    assert "nothing to run again" in refused.stderr.replace("\n", " ")


def test_cancelling_an_array_cancels_its_elements(server, hf):
    array = detached(hf, "-l", "hearth.array=0-19", "-l", "hearth.array-max=3", "busybox", "sleep", "600")
    last = detached(hf, "-l", f"hearth.after={array}", "busybox", "true")
    wait_until(lambda: server.job(array)["hearth"]["array"]["running"] == 3, what="three elements running")
    assert server.job(array)["status"] == {"stage": "RUNNING", "message": "Elements: 17 waiting, 3 running", "failureCount": 0}
    assert hf("cancel", array).returncode == 0
    assert server.job(array)["status"]["stage"] == "CANCELED"
    ended = wait_until(lambda: (found := elements(server, array)) and len(found) == 20
                       and all(job["status"]["stage"] in TERMINAL for job in found) and found, what="end of all elements")
    assert {job["status"]["stage"] for job in ended} == {"CANCELED"}
    assert server.wait_job(last)["status"]["stage"] == "CANCELED"
    wait_until(lambda: not server.live_monitors(), what="end of all monitors")


def test_what_changes_an_array_changes_its_elements(server):
    array = server.submit(["sleep", "600"], labels={"hearth.array": "0-5", "hearth.array-max": "1"})["id"]
    wait_until(lambda: server.job(array)["status"]["stage"] == "RUNNING", what="the first element running")
    change = {"hearth.array-max": "2", "hearth.timeout": "3h", "hearth.priority": "low"}
    assert server.call("PUT", f"/api/jobs/alice/{array}/labels", json={"labels": change}).status_code == 200
    wait_until(lambda: server.job(array)["hearth"]["array"]["running"] == 2, what="two elements running")
    wait_until(lambda: all(job["timeout"] == 10800 for job in elements(server, array)), what="the new time limit")
    # Held: what runs goes on, nothing else begins.
    assert server.call("POST", f"/api/jobs/alice/{array}/hold").status_code == 200
    first = next(job["id"] for job in elements(server, array) if job["status"]["stage"] == "RUNNING")
    server.call("POST", f"/api/jobs/alice/{first}/cancel")
    wait_until(lambda: len(server.live_monitors()) == 1, what="the end of one element")
    assert server.job(array)["hearth"]["array"]["running"] == 1 and server.job(array)["hearth"]["array"]["waiting"] == 4
    assert server.call("POST", f"/api/jobs/alice/{array}/release").status_code == 200
    wait_until(lambda: server.job(array)["hearth"]["array"]["running"] == 2, what="two elements running again")
    server.call("POST", f"/api/jobs/alice/{array}/cancel")
    assert server.events(array, "metrics") == []
    wait_until(lambda: not server.live_monitors(), what="end of all monitors")


def test_the_same_key_makes_one_array(server):
    body = {"command": ["true"], "flavor": "tiny", "dockerImage": "busybox", "labels": {"hearth.array": "0-1"}}
    jobs = [server.call("POST", "/api/jobs/alice", headers={"Idempotency-Key": "sweep-1"}, json=body).json()["id"] for _ in range(2)]
    assert jobs[0] == jobs[1]
    assert server.wait_job(jobs[0])["status"]["stage"] == "COMPLETED"
    assert len(elements(server, jobs[0])) == 2
    copy = server.call("POST", f"/api/jobs/alice/{jobs[0]}/duplicate").json()["id"]
    assert server.wait_job(copy)["status"]["stage"] == "COMPLETED"
    assert len(elements(server, copy)) == 2


def test_forty_elements_with_failures(server):
    array = server.submit(["sh", "-c", "[ $((HEARTH_ARRAY_INDEX % 20)) -ne 7 ]"], labels={"hearth.array": "0-39"})["id"]
    assert server.wait_job(array)["status"]["message"] == "2 of 40 elements failed: 7, 27"
    lines = server.log_lines(array)
    assert len([line for line in lines if " started " in line]) == 40
    assert len([line for line in lines if " COMPLETED after " in line]) == 38
    assert server.log_lines(array, "?tail=3") == lines[-3:]


def test_our_own_command_line(server):
    done = server.hearth("run", "--array", "5-6", "--array-max", "1", "--flavor", "tiny", "busybox", "sh", "-c", "echo $HEARTH_ARRAY_INDEX --array")
    assert done.returncode == 0, done.stderr
    array = next(job["id"] for job in server.jobs() if job["labels"].get("hearth.array") == "5-6")
    assert server.hearth("wait", array).returncode == 0
    assert server.hearth("logs", "--element", "6", array).stdout == "6 --array\n"
    refused = server.hearth("logs", "--element", "7", array)
    assert refused.returncode != 0 and f"Job {array} has no element 7" in refused.stderr
    again = server.hearth("run", "-d", "--array-retry", array, "--flavor", "tiny", "busybox", "true")
    assert "nothing to run again" in again.stderr
    both = server.hearth("run", "--array", "0-1", "-l", "hearth.array=0-1", "busybox", "true")
    assert both.returncode != 0 and "--array and --label hearth.array=... cannot both be provided." in both.stderr
