# SPDX-License-Identifier: Apache-2.0
"""The queue over HTTP: reserved labels, who may see and change what, limits, resource groups. On the fake backend."""
import pytest

from server import wait_until


@pytest.fixture(scope="module")
def queue(make_fake):
    """A server with room for one job of the flavor `one`; the token of bob, who is nobody to alice."""
    server = make_fake("flavor one.vcpu=1000", "flavor one.memory=1G", "scheduler.max_priority=50", "jobs.retry_delay=0")
    server.bob = server.make_user("bob")
    return server


@pytest.fixture
def blocker(queue):
    """While it runs, every job of the flavor `one` waits."""
    job = queue.submit("run=600000", flavor="one")["id"]
    queue.wait_job(job, ["RUNNING"])
    yield job
    for job in queue.call("GET", "/api/jobs/alice?stage=RUNNING&stage=SCHEDULING&limit=1000").json():
        queue.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    wait_until(lambda: not queue.call("GET", "/api/queue").json(), 20, "an empty queue")


def waiting(queue, labels=None, *words, **fields):
    return queue.submit(*words, flavor="one", labels=labels or {}, **fields)["id"]


def order(queue, token=None):
    return [row["id"] for row in queue.call("GET", "/api/queue", token).json()]


def refused(answer, status, *words):
    assert answer.status_code == status, answer.text
    text = answer.json()["error"]
    for word in words:
        assert word in text, text
    return text


def put_labels(queue, job, **labels):
    return queue.call("PUT", f"/api/jobs/alice/{job}/labels",
                      json={"labels": {"hearth." + key.replace("_", "-"): value for key, value in labels.items()}})


# Labels

@pytest.mark.parametrize("label, value, right", [
    ("priority", "urgent", "high, normal, low"), ("hold", "perhaps", "yes or no"), ("after", "x", "24 hexadecimal digits"),
    ("array", "x", "1-100"), ("attempts", "0", "1 to 100"), ("retry", "often", "exit-N"), ("grace", "5h", "at most"),
    ("timeout", "soon", "duration"), ("warning-signal", "KILL", "USR1"), ("idle", "x", "keep"), ("prio", "1", "priority, hold"),
    ("array-of", "0" * 24, "set by the server"), ("array-index", "1", "set by the server"),
])
def test_wrong_labels_are_refused_everywhere(queue, label, value, right):
    labels = {"hearth." + label: value}
    spec = {"dockerImage": "busybox", "command": ["job"], "flavor": "cpu-basic", "labels": labels}
    refused(queue.call("POST", "/api/jobs/alice", json=spec), 400, f"labels.hearth.{label}", right)
    refused(queue.call("POST", "/api/scheduled-jobs/alice", json={"jobSpec": spec, "schedule": "@daily"}), 400, f"labels.hearth.{label}",
            right)
    refused(queue.call("POST", "/api/settings/webhooks", json={"watched": [{"type": "user", "name": "alice"}], "job": spec}), 400,
            f"labels.hearth.{label}", right)
    job = queue.submit(labels={"a": "b"})["id"]
    before = queue.job(job)["labels"]
    refused(queue.call("PUT", f"/api/jobs/alice/{job}/labels", json={"labels": labels}), 400, f"labels.hearth.{label}", right)
    assert queue.job(job)["labels"] == before
    schedule = queue.call("POST", "/api/scheduled-jobs/alice", json={"jobSpec": {**spec, "labels": {}}, "schedule": "@daily"}).json()["id"]
    refused(queue.call("PUT", f"/api/scheduled-jobs/alice/{schedule}/labels", json={"labels": labels}), 400, f"labels.hearth.{label}", right)
    queue.call("DELETE", f"/api/scheduled-jobs/alice/{schedule}")


def test_labels_are_attempts_and_time_limit(queue):
    job = queue.submit(labels={"hearth.attempts": "3", "hearth.timeout": "2h"}, attempts=2, timeoutSeconds=60)
    assert (job["attempts"], job["timeout"]) == (3, 7200)
    assert job["labels"] == {"hearth.attempts": "3", "hearth.timeout": "2h"}


def test_a_rule_for_repeating_needs_something_to_repeat(queue):
    spec = {"dockerImage": "busybox", "command": ["job"], "flavor": "cpu-basic", "labels": {"hearth.retry": "oom"}}
    refused(queue.call("POST", "/api/jobs/alice", json=spec), 400, "labels.hearth.retry", "hearth.attempts")
    assert queue.call("POST", "/api/jobs/alice", json={**spec, "labels": {"hearth.retry": "none"}}).status_code == 200


@pytest.mark.parametrize("label, value", [("attempts", "3"), ("retry", "none"), ("retry_delay", "5s"), ("timeout", "2h"), ("warning", "5m"),
                                          ("warning_signal", "HUP"), ("grace", "5s"), ("idle", "keep"), ("priority", "1"), ("hold", "no"),
                                          ("after", "")])
def test_what_a_finished_job_cannot_follow_any_more_is_refused(queue, label, value):
    job = queue.submit()["id"]
    queue.wait_job(job, ["COMPLETED"])
    refused(put_labels(queue, job, **{label: value}), 409, f"labels.hearth.{label.replace('_', '-')} cannot change", "is over")
    assert queue.job(job)["labels"] == {}


def test_time_limit_and_attempts_cannot_be_taken_back(queue, blocker):
    job = waiting(queue, {"hearth.timeout": "2h", "hearth.attempts": "2"})
    refused(put_labels(queue, job, timeout=""), 400, "labels.hearth.timeout cannot be taken back", "such as 8h")
    refused(put_labels(queue, job, attempts=""), 400, "labels.hearth.attempts cannot be taken back", "how many")
    shown = queue.job(job)
    assert (shown["timeout"], shown["attempts"]) == (7200, 2) and "" not in shown["labels"].values()


def test_reserved_labels_stay_when_others_are_replaced(queue, blocker):
    job = waiting(queue, {"hearth.priority": "5", "a": "b"})
    answer = queue.call("PUT", f"/api/jobs/alice/{job}/labels", json={"labels": {"c": "d"}})
    assert answer.json()["labels"] == {"c": "d", "hearth.priority": "5"}
    assert queue.job(job)["hearth"]["queue"]["priority"] == 5
    assert put_labels(queue, job, priority="").json()["hearth"]["queue"]["priority"] == 0


def test_an_error_changes_nothing(queue, blocker):
    job = waiting(queue, {"hearth.priority": "3"})
    for wrong in ({"timeout": "400d"}, {"hold": "perhaps"}, {"array": "1-2"}, {"after": "0" * 24}, {"after": job}):
        assert put_labels(queue, job, **{"priority": "7", **wrong}).status_code in (400, 404, 409)
        assert queue.job(job)["labels"] == {"hearth.priority": "3"} and queue.job(job)["hearth"]["queue"]["priority"] == 3
    refused(put_labels(queue, blocker, priority="7", hold="yes", timeout="20h"), 409, "labels.hearth.hold")
    refused(put_labels(queue, blocker, priority="7", after=job, timeout="20h"), 409, "labels.hearth.after", "has started already")
    assert queue.job(blocker)["labels"] == {} and queue.job(blocker)["timeout"] == 1800


def test_attempts_and_time_limit_of_a_waiting_job_can_change(queue, blocker):
    job = waiting(queue)
    assert put_labels(queue, job, attempts="5", timeout="2h").status_code == 200
    shown = queue.job(job)
    assert (shown["attempts"], shown["retry"], shown["timeout"]) == (5, 4, 7200)
    refused(put_labels(queue, job, attempts="500"), 400, "labels.hearth.attempts")


# The order

def test_priority_goes_before_age_and_can_change(queue, blocker):
    first, low, high = waiting(queue), waiting(queue, {"hearth.priority": "low"}), waiting(queue, {"hearth.priority": "high"})
    assert order(queue) == [high, first, low]
    assert put_labels(queue, low, priority="50").status_code == 200
    assert order(queue) == [low, high, first]
    assert [row["position"] for row in queue.call("GET", "/api/queue").json()] == [1, 2, 3]


def test_everyone_sees_the_order_but_not_what_jobs_are(queue, blocker):
    secret = "quite-secret-word"
    job = waiting(queue, {"name": secret, "hearth.hold": "yes"}, environment={"E": secret}, secrets={"S": secret})
    visible = waiting(queue, {"team": secret})
    answer = queue.call("GET", "/api/queue", queue.bob)
    assert {row["id"] for row in answer.json()} == {job, visible}
    assert secret not in answer.text and "busybox" not in answer.text
    row = next(row for row in answer.json() if row["id"] == visible)
    assert row["namespace"] == row["user"] == "alice" and row["flavor"] == "one" and row["priority"] == 0
    assert queue.call("GET", "/api/queue", "").status_code == 401
    assert len(queue.call("GET", "/api/queue?limit=1").json()) == 1


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "99999999999999999999"])
def test_a_wrong_limit_is_named(queue, limit):
    refused(queue.call("GET", f"/api/queue?limit={limit}"), 400, "limit must be a whole number from 1 to 1000")


def test_admins_move_jobs(queue, blocker):
    a, b, c = waiting(queue), waiting(queue), waiting(queue)
    assert queue.admin("POST", f"/admin/queue/{c}/first")[0] == 200 and order(queue) == [c, a, b]
    assert queue.admin("POST", f"/admin/queue/{b}/first")[0] == 200 and order(queue) == [b, c, a]
    assert queue.admin("POST", f"/admin/queue/{b}/last")[0] == 200 and order(queue) == [c, a, b]
    assert queue.admin("POST", f"/admin/queue/{c}/normal")[0] == 200 and order(queue) == [a, c, b]
    assert queue.admin("POST", f"/admin/queue/{a}/priority", {"priority": -7})[1]["priority"] == -7
    assert order(queue) == [c, a, b]
    assert queue.admin("POST", f"/admin/queue/{a}/priority", {"priority": 100})[0] == 200, "beyond what users may ask for"
    assert order(queue) == [a, c, b]
    for body, word in ({"priority": 101}, "-100 to 100"), ({"priority": "x"}, "priority"), ({}, "priority"):
        status, answer = queue.admin("POST", f"/admin/queue/{a}/priority", body)
        assert status == 400 and word in answer["error"], answer
    for action in "first", "last", "hold", "release":
        status, answer = queue.admin("POST", f"/admin/queue/{blocker}/{action}")
        assert status == 409 and "does not wait" in answer["error"]
        assert queue.admin("POST", f"/admin/queue/{'0' * 24}/{action}")[0] == 404
        assert queue.call("POST", f"/admin/queue/{a}/{action}").status_code == 404, "not over TCP"


# Holding

def test_a_held_job_waits_until_it_is_released(queue, blocker):
    job = waiting(queue, {"hearth.hold": "yes"})
    shown = queue.job(job)
    assert shown["status"] == {"stage": "SCHEDULING", "message": f"Held by its owner: hearth queue release {job}", "failureCount": 0}
    assert shown["hearth"]["queue"]["hold"] == "owner" and shown["hearth"]["queue"]["position"] is None
    other = waiting(queue)
    queue.call("POST", f"/api/jobs/alice/{blocker}/cancel")
    queue.wait_job(other)
    assert queue.job(job)["status"]["stage"] == "SCHEDULING"
    answer = queue.call("POST", f"/api/jobs/alice/{job}/release")
    assert answer.status_code == 200 and answer.json()["labels"] == {"hearth.hold": "no"}
    queue.wait_job(job, ["COMPLETED"])
    refused(queue.call("POST", f"/api/jobs/alice/{job}/hold"), 409, "does not wait", "COMPLETED")
    refused(put_labels(queue, job, hold="yes"), 409, "is over")


def test_holding_by_label_and_by_call_are_the_same(queue, blocker):
    job = waiting(queue)
    assert queue.call("POST", f"/api/jobs/alice/{job}/hold").json()["hearth"]["queue"]["hold"] == "owner"
    assert queue.job(job)["labels"] == {}
    assert put_labels(queue, job, hold="no").json()["hearth"]["queue"]["hold"] is None
    assert put_labels(queue, job, hold="yes").json()["hearth"]["queue"]["hold"] == "owner"
    queue.call("POST", f"/api/jobs/alice/{job}/release")
    labels = queue.job(job)["labels"]
    assert labels == {"hearth.hold": "no"}
    # a client that sends back what it has read does not hold it again
    queue.call("PUT", f"/api/jobs/alice/{job}/labels", json={"labels": {**labels, "name": "x"}})
    assert queue.job(job)["hearth"]["queue"]["hold"] is None
    refused(queue.call("POST", f"/api/jobs/alice/{blocker}/hold"), 409, "does not wait", "running")
    refused(put_labels(queue, blocker, hold="yes"), 409, "only a job that waits can be held")


def test_what_an_admin_holds_only_an_admin_releases(queue, blocker):
    job = waiting(queue)
    assert queue.admin("POST", f"/admin/queue/{job}/hold")[1]["hold"] == "admin"
    assert queue.job(job)["status"]["message"] == "Held by an admin of this server"
    refused(queue.call("POST", f"/api/jobs/alice/{job}/release"), 403, "held by an admin")
    refused(put_labels(queue, job, hold="no"), 403, "held by an admin")
    assert queue.call("POST", f"/api/jobs/alice/{job}/hold").json()["hearth"]["queue"]["hold"] == "admin"
    assert queue.admin("POST", f"/admin/queue/{job}/release")[1]["hold"] is None
    assert queue.call("POST", f"/api/jobs/alice/{job}/cancel").json()["status"]["stage"] == "CANCELED"


def test_a_held_job_can_be_cancelled_and_others_may_not_touch_it(queue, blocker):
    job = waiting(queue, {"hearth.hold": "yes"})
    reader = queue.make_user("alice", "read")
    for action in "hold", "release":
        refused(queue.call("POST", f"/api/jobs/alice/{job}/{action}", queue.bob), 404, "Job not found")
        refused(queue.call("POST", f"/api/jobs/alice/{job}/{action}", reader), 403, "role read")
        refused(queue.call("POST", f"/api/jobs/alice/{'0' * 24}/{action}"), 404, "Job not found")
    assert queue.call("POST", f"/api/jobs/alice/{job}/cancel").json()["status"]["stage"] == "CANCELED"


# Rights and limits

def test_priority_has_a_ceiling(queue, blocker):
    spec = {"dockerImage": "busybox", "command": ["job"], "flavor": "one", "labels": {"hearth.priority": "51"}}
    refused(queue.call("POST", "/api/jobs/alice", json=spec), 403, "51 is more than 50", "scheduler.max_priority")
    refused(queue.call("POST", "/api/scheduled-jobs/alice", json={"jobSpec": spec, "schedule": "@daily"}), 403, "51 is more than 50")
    refused(queue.call("POST", "/api/settings/webhooks", json={"watched": [{"type": "user", "name": "alice"}], "job": spec}), 403, "51 is more")
    plain = {"jobSpec": {**spec, "labels": {}}, "schedule": "@daily"}
    schedule = queue.call("POST", "/api/scheduled-jobs/alice", json=plain).json()["id"]
    refused(queue.call("PUT", f"/api/scheduled-jobs/alice/{schedule}/labels", json={"labels": spec["labels"]}), 403, "51 is more than 50")
    queue.call("DELETE", f"/api/scheduled-jobs/alice/{schedule}")
    job = waiting(queue, {"hearth.priority": "50"})
    refused(put_labels(queue, job, priority="51"), 403, "51 is more than 50")
    assert queue.job(job)["labels"] == {"hearth.priority": "50"}
    assert set_limits(queue, "namespace/alice", maxPriority=100)[0] == 200
    assert put_labels(queue, job, priority="100").status_code == 200
    assert set_limits(queue, "user/alice", maxPriority=-5)[0] == 200
    refused(put_labels(queue, job, priority="1"), 403, "1 is more than -5", "limit of the user")
    assert queue.job(waiting(queue))["hearth"]["queue"]["priority"] == -5, "who asks for nothing gets what there is"
    set_limits(queue, "user/alice", maxPriority=None)
    set_limits(queue, "namespace/alice", maxPriority=None)


def set_limits(queue, path, **limits):
    return queue.admin("PUT", "/admin/limits/" + path, limits)


@pytest.mark.parametrize("kind", ["namespace", "user"])
def test_limits_of_zero_are_said_at_once(queue, kind):
    spec = {"dockerImage": "busybox", "command": ["job"], "flavor": "cpu-basic"}
    for limit, word in ("maxRunning", "max-running to 0"), ("maxQueued", "max-queued to 0"):
        assert set_limits(queue, f"{kind}/alice", **{limit: 0})[0] == 200
        refused(queue.call("POST", "/api/jobs/alice", json=spec), 403, word)
        assert set_limits(queue, f"{kind}/alice", **{limit: None})[0] == 200
    assert queue.call("POST", "/api/jobs/alice", json=spec).status_code == 200


@pytest.mark.parametrize("kind, words", [("namespace", "for one namespace"), ("user", "the user alice has 2 waiting jobs")])
def test_a_full_queue_is_429(queue, blocker, kind, words):
    set_limits(queue, f"{kind}/alice", maxQueued=2)
    waiting(queue), waiting(queue, {"hearth.hold": "yes"})
    spec = {"dockerImage": "busybox", "command": ["job"], "flavor": "one"}
    answer = queue.call("POST", "/api/jobs/alice", json=spec)
    refused(answer, 429, words, "2 is the most", "max-queued")
    assert "Retry-After" in answer.headers
    set_limits(queue, f"{kind}/alice", maxQueued="none")
    assert queue.call("POST", "/api/jobs/alice", json=spec).status_code == 200
    set_limits(queue, f"{kind}/alice", maxQueued=None)


def test_only_so_many_run_at_once(queue):
    set_limits(queue, "namespace/alice", maxRunning=1)
    first, second = (queue.submit("run=600000")["id"] for _ in range(2))
    queue.wait_job(first, ["RUNNING"])
    assert queue.job(second)["status"]["stage"] == "SCHEDULING"
    set_limits(queue, "namespace/alice", maxRunning=None)
    queue.wait_job(second, ["RUNNING"])
    for job in first, second:
        queue.call("POST", f"/api/jobs/alice/{job}/cancel")


@pytest.mark.parametrize("body, word", [
    ({"maxRunning": -1}, "maxRunning must be a whole number from 0"), ({"maxRunning": "many"}, "maxRunning"), ({"maxRunning": 1.5}, "maxRunning"),
    ({"maxPriority": 101}, "maxPriority"), ({"maxPriority": "none"}, "maxPriority"), ({"weight": 0}, "weight"), ({"weight": 1001}, "weight"),
    ({"most": 1}, "most is not a limit"), ({"maxQueued": 10 ** 30}, ""), ({"maxDevices": True}, "maxDevices"),
])
def test_wrong_limits_are_named(queue, body, word):
    status, answer = set_limits(queue, "namespace/alice", **body)
    assert status == 400 and word in answer["error"], answer
    status, limits = queue.admin("GET", "/admin/limits/namespace/alice")
    assert status == 200 and all(limits[name] is None for name in ("maxRunning", "maxQueued", "maxDevices", "maxPriority", "weight"))


def test_limits_are_listed(queue):
    assert queue.admin("GET", "/admin/limits") == (200, [])
    set_limits(queue, "user/bob", maxRunning="none", weight=200)
    status, rows = queue.admin("GET", "/admin/limits")
    assert [(row["kind"], row["name"], row["maxRunning"], row["weight"], row["maxQueued"]) for row in rows] == [("user", "bob", "none", 200, None)]
    set_limits(queue, "user/bob", maxRunning=None, weight=None)
    for path in "namespace/nobody", "user/nobody", "group/nobody", "planet/alice":
        assert queue.admin("GET", "/admin/limits/" + path)[0] == 404


def test_settings_limit_those_without_limits_of_their_own(make_fake):
    server = make_fake("scheduler.max_running_per_namespace=2", "scheduler.max_running_per_user=3", "jobs.max_queued_per_user=2")
    server.admin("POST", "/admin/orgs", {"name": "lab"})
    server.admin("PUT", "/admin/orgs/lab/members/alice", {"role": "write"})
    mine = [server.submit("run=forever")["id"] for _ in range(3)]
    theirs = [server.submit("run=forever", namespace="lab")["id"]]
    server.wait_job(theirs[0], ["RUNNING"], "lab")
    for job in mine[:2]:
        server.wait_job(job, ["RUNNING"])
    assert server.job(mine[2])["status"]["stage"] == "SCHEDULING", "the namespace has two"
    theirs.append(server.submit("run=forever", namespace="lab")["id"])
    assert server.job(theirs[1], "lab")["status"]["stage"] == "SCHEDULING", "the user has three"
    spec = {"dockerImage": "busybox", "command": ["job"], "flavor": "cpu-basic"}
    refused(server.call("POST", "/api/jobs/lab", json=spec), 429, "jobs.max_queued_per_user")
    set_limits(server, "user/alice", maxRunning="none")
    server.wait_job(theirs[1], ["RUNNING"], "lab")
    assert server.job(mine[2])["status"]["stage"] == "SCHEDULING"
    set_limits(server, "namespace/alice", maxRunning=3)
    server.wait_job(mine[2], ["RUNNING"])


# Resource groups

def test_resource_groups(queue, blocker):
    assert queue.admin("POST", "/admin/orgs", {"name": "lab"})[0] == 200
    for user in "alice", "bob":
        assert queue.admin("PUT", f"/admin/orgs/lab/members/{user}", {"role": "write"})[0] == 200
    status, group = queue.admin("POST", "/admin/groups/lab", {"name": "vision"})
    assert status == 200 and group["name"] == "vision" and group["numUsers"] == 2
    assert queue.admin("POST", "/admin/groups/lab", {"name": "Vision"})[0] == 409
    assert queue.admin("POST", "/admin/groups/lab", {"name": "a b"})[0] == 400
    assert queue.admin("POST", "/admin/groups/nobody", {"name": "x"})[0] == 404
    assert queue.admin("GET", "/admin/groups/lab") == (200, [group])
    org = next(org for org in queue.call("GET", "/api/whoami-v2").json()["orgs"] if org["name"] == "lab")
    assert org["resourceGroups"] == [group]

    job = queue.submit(namespace="lab", flavor="one", resourceGroupId=group["id"].upper())
    assert job["resourceGroupId"] == group["id"].upper() and job["resourceGroup"] == group
    assert queue.call("GET", "/api/jobs/lab").json()[0]["resourceGroup"] == group
    spec = {"dockerImage": "busybox", "command": ["job"], "flavor": "one", "resourceGroupId": group["id"]}
    refused(queue.call("POST", "/api/jobs/alice", json=spec), 400, "resourceGroupId", "alice has no resource group")
    wrong = {**spec, "resourceGroupId": "0" * 24}
    refused(queue.call("POST", "/api/jobs/lab", json=wrong), 400, "resourceGroupId", "vision", group["id"])
    refused(queue.call("POST", "/api/scheduled-jobs/lab", json={"jobSpec": wrong, "schedule": "@daily"}), 400, "resourceGroupId")

    assert set_limits(queue, "group/" + group["id"], maxQueued=1)[1]["name"] == "lab/vision"
    refused(queue.call("POST", "/api/jobs/lab", json=spec), 429, "the resource group vision has 1 waiting job,")
    set_limits(queue, "group/" + group["id"], maxQueued=None, maxRunning=0)
    refused(queue.call("POST", "/api/jobs/lab", json=spec), 403, "the resource group vision", "max-running to 0")
    set_limits(queue, "group/" + group["id"], maxRunning=1)
    queue.call("POST", f"/api/jobs/alice/{blocker}/cancel")
    queue.wait_job(job["id"], namespace="lab")
    inside = [queue.submit("run=forever", namespace="lab", resourceGroupId=group["id"])["id"] for _ in range(2)]
    queue.wait_job(inside[0], ["RUNNING"], "lab")
    assert queue.job(inside[1], "lab")["status"]["stage"] == "SCHEDULING"
    queue.call("POST", f"/api/jobs/lab/{inside[0]}/cancel")
    queue.wait_job(inside[1], ["RUNNING"], "lab")
    queue.call("POST", f"/api/jobs/lab/{inside[1]}/cancel")
    assert queue.admin("DELETE", "/admin/groups/lab/vision")[0] == 200
    assert queue.admin("DELETE", "/admin/groups/lab/vision")[0] == 404
    refused(queue.call("POST", "/api/jobs/lab", json=spec), 400, "resourceGroupId")
    assert queue.job(job["id"], "lab")["resourceGroup"]["name"] == "vision", "the job stays as it was"


# Other ways to make jobs

def test_duplicates_ask_again(queue, blocker):
    job = waiting(queue, {"hearth.priority": "50", "hearth.hold": "yes", "hearth.idempotency-key": "k", "a": "b"})
    copy = queue.call("POST", f"/api/jobs/alice/{job}/duplicate").json()
    assert copy["labels"] == {"hearth.priority": "50", "hearth.hold": "yes", "a": "b"}
    assert copy["hearth"]["queue"] == {"position": None, "priority": 50, "hold": "owner"}
    set_limits(queue, "namespace/alice", maxPriority=0)
    refused(queue.call("POST", f"/api/jobs/alice/{job}/duplicate"), 403, "50 is more than 0")
    set_limits(queue, "namespace/alice", maxPriority=None)


def test_arrays_in_the_queue(queue, blocker):
    array = waiting(queue, {"hearth.array": "1-3", "hearth.array-max": "2", "hearth.priority": "5"})
    rows = wait_until(lambda: (rows := queue.call("GET", "/api/queue").json()) and len(rows) == 4 and rows, 20, "all elements")
    by_message = sorted(row["message"].split(":")[0] for row in rows)
    assert by_message == ["An array; its elements wait on their own", "Kept back by its array", "Waiting", "Waiting for 1000 vCPU and 1 GiB"]
    assert next(row["id"] for row in rows if row["message"].startswith("An array")) == array
    assert {row["priority"] for row in rows} == {5}
    assert put_labels(queue, array, priority="9").status_code == 200
    wait_until(lambda: {row["priority"] for row in queue.call("GET", "/api/queue").json()} == {9}, 20, "the new priority of all")
    queue.call("POST", f"/api/jobs/alice/{array}/hold")
    wait_until(lambda: {row["position"] for row in queue.call("GET", "/api/queue").json()} == {None}, 20, "that nothing may start")
    queue.call("POST", f"/api/jobs/alice/{array}/cancel")


def test_arrays_and_reserved_labels_that_cannot_change(queue, blocker):
    job = waiting(queue)
    refused(put_labels(queue, job, array="1-3"), 400, "labels.hearth.array cannot change")
    refused(put_labels(queue, job, array_of="0" * 24), 400, "labels.hearth.array-of is set by the server")


# Repeating

def runs(queue, *words, **fields):
    job = queue.submit(*words, **fields)["id"]
    return queue.wait_job(job)["status"]["failureCount"]


def test_attempts_are_repeated_by_cause(queue):
    rule = lambda causes: {"labels": {"hearth.attempts": "3", "hearth.retry": causes}}
    assert runs(queue, "exit=3", **rule("exit")) == 3
    assert runs(queue, "exit=3", **rule("exit-3,oom")) == 3
    assert runs(queue, "exit=4", **rule("exit-3.oom")) == 1
    assert runs(queue, "exit=3", **rule("none")) == 1
    assert runs(queue, "exit=3", **rule("any")) == 3
    assert runs(queue, "signal=9", **rule("exit")) == 1
    assert runs(queue, "signal=9", **rule("signal")) == 3
    assert runs(queue, "exit=3", labels={"hearth.attempts": "2"}) == 2
    assert runs(queue, "exit=3", attempts=2) == 2


def test_who_waits_again_says_for_what(queue):
    job = queue.submit("exit=1", labels={"hearth.attempts": "2", "hearth.retry-delay": "1h"})["id"]
    wait_until(lambda: queue.job(job)["status"]["failureCount"] == 1, 20, "the first failure")
    assert queue.job(job)["status"]["message"] == "Job failed with exit code: 1; attempt 2 of 2 in 60 min"
    assert queue.job(job)["status"]["stage"] == "RUNNING"
    queue.call("POST", f"/api/jobs/alice/{job}/hold")
    assert queue.job(job)["status"]["message"] == f"Held by its owner: hearth queue release {job}"
    queue.call("POST", f"/api/jobs/alice/{job}/release")
    queue.call("POST", f"/api/jobs/alice/{job}/cancel")
    wide = queue.submit("run=300", "exit=1", flavor="one", labels={"hearth.attempts": "2", "hearth.retry-delay": "0"})["id"]
    queue.wait_job(wide, ["RUNNING"])
    ahead = waiting(queue, {"hearth.priority": "high"}, "run=forever")
    wait_until(lambda: queue.job(ahead)["status"]["stage"] == "RUNNING", 20, "the other job")
    message = queue.job(wide)["status"]["message"]
    assert message.startswith("Job failed with exit code: 1; attempt 2 of 2: Waiting"), message
    for job in wide, ahead:
        queue.call("POST", f"/api/jobs/alice/{job}/cancel")
