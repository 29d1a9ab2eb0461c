# SPDX-License-Identifier: Apache-2.0
"""Schedules of a real server: the API of hub-jobs-api, section 3, real jobs, and the ledger."""
import datetime

import pytest

from server import wait_until

SETTINGS = "[schedules]\nmin_interval = 1s\n[scheduler]\ncpus = 64\nmemory = 256G\n"


@pytest.fixture(scope="module")
def server(make_server):
    return make_server(SETTINGS)


def spec(command=("true",), **fields):
    return {"command": list(command), "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox", **fields}


def create(server, schedule="@hourly", status=200, command=("true",), job=None, **fields):
    body = {"jobSpec": {**spec(command), **(job or {})}, "schedule": schedule, **fields}
    answer = server.call("POST", "/api/scheduled-jobs/alice", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def get(server, schedule):
    answer = server.call("GET", f"/api/scheduled-jobs/alice/{schedule['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def post(server, made, action, status=200, **body):
    answer = server.call("POST", f"/api/scheduled-jobs/alice/{made['id']}/{action}", **({"json": body} if body else {}))
    assert answer.status_code == status, answer.text
    return answer.json()


def history(server, schedule, query=""):
    answer = server.call("GET", f"/api/scheduled-jobs/alice/{schedule['id']}/history{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def delete(server, schedule):
    answer = server.call("DELETE", f"/api/scheduled-jobs/alice/{schedule['id']}")
    assert answer.status_code == 200 and answer.json() == {}


def time_of(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


@pytest.fixture
def hourly(server):
    schedule = create(server, job={"labels": {"name": "n1", "team": "ml"}, "secrets": {"KEY": "value"}, "timeoutSeconds": 77})
    yield schedule
    server.call("DELETE", f"/api/scheduled-jobs/alice/{schedule['id']}")


def test_a_schedule_has_all_that_clients_read(server, hourly):
    assert hourly["type"] == "scheduled-job" and len(hourly["id"]) == 24
    assert hourly["schedule"] == "@hourly" and hourly["suspend"] is False and hourly["concurrency"] is False
    assert "suspendReason" not in hourly
    assert hourly["owner"]["name"] == "alice" and hourly["owner"]["type"] == "user" and len(hourly["owner"]["id"]) == 24
    assert hourly["initiator"]["name"] == "alice"
    job = hourly["jobSpec"]
    assert job["dockerImage"] == "busybox" and job["command"] == ["true"] and job["arguments"] == [] and job["environment"] == {}
    assert job["secrets"] == ["KEY"] and job["flavor"] == "tiny" and job["timeout"] == job["timeoutSeconds"] == 77
    assert job["labels"] == {"name": "n1", "team": "ml"} and job["attempts"] == 1
    assert hourly["status"]["lastJob"] is None
    following = time_of(hourly["status"]["nextJobRunAt"])
    now = datetime.datetime.now(datetime.timezone.utc)
    assert following.minute == following.second == 0 and now < following <= now + datetime.timedelta(hours=1)
    assert len(hourly["nextRuns"]) == 5 and hourly["nextRuns"][0] == hourly["status"]["nextJobRunAt"]
    assert hourly["createdAt"] == hourly["updatedAt"]
    assert get(server, hourly) == hourly


@pytest.mark.parametrize("given, kept", [("hourly", "@hourly"), ("@daily", "@daily"), ("Yearly", "@Yearly"), (" 0  9 * *\t1 ", "0 9 * * 1"),
                                         ("CRON_TZ=Europe/Paris 0 9 * * MON-FRI", "CRON_TZ=Europe/Paris 0 9 * * MON-FRI"),
                                         ("TZ=Asia/Kathmandu weekly", "TZ=Asia/Kathmandu @weekly"), ("30 0 0 1 1 * 2199", "30 0 0 1 1 * 2199")])
def test_expressions_are_kept_as_given(server, given, kept):
    schedule = create(server, given)
    assert schedule["schedule"] == kept
    delete(server, schedule)


@pytest.mark.parametrize("expression, sentence", [
    ("0 0 31 2 *", "never comes"), ("61 * * * *", "minute 61 is not from 0 to 59"), ("* 24 * * *", "hour 24 is not from 0 to 23"),
    ("* * 0 * *", "day of month 0 is not from 1 to 31"), ("* * * 13 *", "month 13"), ("* * * * 8", "day of week 8"),
    ("* * * FOO *", "month \"FOO\" is not a number or a name"), ("CRON_TZ=Mars/Olympus 0 0 * * *", "time zone \"Mars/Olympus\" is not known"),
    ("CRON_TZ=../../etc/passwd 0 0 * * *", "is not known"), ("CRON_TZ=right/UTC @daily", "is not known"), ("TZ= @daily", "no time zone"),
    ("CRON_TZ=UTC", "no expression"), ("* * * *", "it has 4 fields"), ("* * * * * * * *", "more than 7 fields"),
    ("0 0 0 1 1 * 2020", "last time is in the past"), ("0 0 0 1 1 * 1969", "year 1969"), ("@reboot", "neither a cron expression"),
    ("", "it is empty"), ("*/0 * * * *", "a step is a number from 1 on"), ("*/61 * * * *", "the step 61 is larger"), ("5-1 * * * *", "goes backwards"),
    ("1,,2 * * * *", "is not a number"), ("1- * * * *", "is not a number"), ("1.5 * * * *", "is not understood"), ("* * L * *", "day of month \"L\""),
    ("\u0661 * * * *", "printable ASCII"), ("* " * 300, "longer than 512")])
def test_a_wrong_expression_is_refused_with_a_sentence(server, expression, sentence):
    error = create(server, expression, status=400)["error"]
    assert error.startswith("Invalid schedule: ") and sentence in error


def test_a_schedule_every_second_is_refused_by_default(make_server):
    server = make_server()
    error = create(server, "* * * * * *", status=400)["error"]
    assert "comes every 1 s at times" in error and "schedules.min_interval" in error
    schedule = create(server, "*/5 * * * * *")
    error = post(server, schedule, "schedule", 400, schedule="* * * * * * *")["error"]
    assert "comes every 1 s at times" in error


@pytest.mark.parametrize("body, sentence", [
    ({}, "jobSpec is required"), ({"jobSpec": []}, "jobSpec is required"), ({"jobSpec": spec()}, "schedule is required"),
    ({"jobSpec": spec(), "schedule": 5}, "schedule must be a string"), ({"jobSpec": spec(), "schedule": None}, "schedule is required"),
    ({"jobSpec": spec(), "schedule": "@hourly", "suspend": "yes"}, "suspend must be true or false"),
    ({"jobSpec": spec(), "schedule": "@hourly", "concurrency": 1}, "concurrency must be true or false"),
    ({"jobSpec": spec(flavor="huge"), "schedule": "@hourly"}, "jobSpec: flavor \"huge\" is not known"),
    ({"jobSpec": spec(labels={"hearth.overlap": "maybe"}), "schedule": "@hourly"}, "labels.hearth.overlap must be skip"),
    ({"jobSpec": spec(labels={"hearth.catch-up": "-1"}), "schedule": "@hourly"}, "labels.hearth.catch-up must be latest"),
    ({"jobSpec": spec(labels={"name": "two words"}), "schedule": "@hourly"}, "may have only letters")])
def test_a_wrong_request_names_the_field(server, body, sentence):
    answer = server.call("POST", "/api/scheduled-jobs/alice", json=body)
    assert answer.status_code == 400 and sentence in answer.json()["error"], answer.text


def test_what_is_not_there_is_404(server, hourly):
    for method, rest in [("GET", ""), ("DELETE", ""), ("POST", "/suspend"), ("POST", "/resume"), ("POST", "/run"), ("GET", "/history")]:
        for wrong in ["0" * 24, "nonsense", hourly["id"].upper() if hourly["id"].upper() != hourly["id"] else "x"]:
            assert server.call(method, f"/api/scheduled-jobs/alice/{wrong}{rest}").status_code == 404


def test_suspend_and_resume(server, hourly):
    assert post(server, hourly, "suspend")["suspend"] is True
    assert post(server, hourly, "suspend")["suspend"] is True
    assert get(server, hourly)["status"]["nextJobRunAt"]  # as if it were resumed now
    assert post(server, hourly, "resume")["suspend"] is False
    assert post(server, hourly, "resume")["suspend"] is False
    assert create(server, suspend=True)["suspend"] is True


def test_change_of_labels_and_expression(server, hourly):
    answer = server.call("PUT", f"/api/scheduled-jobs/alice/{hourly['id']}/labels", json={"labels": {"name": "daily"}})
    assert answer.status_code == 200 and answer.json()["jobSpec"]["labels"] == {"name": "daily"}
    assert post(server, hourly, "schedule", schedule="0 9 * * 1")["schedule"] == "0 9 * * 1"
    assert "never comes" in post(server, hourly, "schedule", 400, schedule="0 0 30 2 *")["error"]
    assert get(server, hourly)["schedule"] == "0 9 * * 1"


def test_an_absent_reserved_label_means_unchanged(server):
    schedule = create(server, job={"labels": {"hearth.overlap": "queue", "a": "1"}})
    answer = server.call("PUT", f"/api/scheduled-jobs/alice/{schedule['id']}/labels", json={"labels": {}}).json()
    assert answer["jobSpec"]["labels"] == {"hearth.overlap": "queue"}
    answer = server.call("PUT", f"/api/scheduled-jobs/alice/{schedule['id']}/labels", json={"labels": {"hearth.overlap": "allow"}}).json()
    assert answer["jobSpec"]["labels"] == {"hearth.overlap": "allow"}
    delete(server, schedule)


def test_list_filters_by_label(server):
    made = [create(server, job={"labels": {"list": "x", "n": str(i)}}) for i in range(3)]
    ids = [schedule["id"] for schedule in server.call("GET", "/api/scheduled-jobs/alice?label=list%3Dx").json()]
    assert ids == [schedule["id"] for schedule in reversed(made)]
    assert len(server.call("GET", "/api/scheduled-jobs/alice?label=list%3Dx&label=n%3D1").json()) == 1
    assert server.call("GET", "/api/scheduled-jobs/alice?label=list%3Dnone").json() == []
    assert server.call("GET", "/api/scheduled-jobs/alice?label=list").status_code == 400
    path, seen = "/api/scheduled-jobs/alice?label=list%3Dx&limit=2", []
    while path:
        answer = server.call("GET", path)
        seen.append([schedule["id"] for schedule in answer.json()])
        path = answer.links["next"]["url"][len(server.endpoint):] if "next" in answer.links else None
    assert seen[0] == ids[:2] and sum(seen, []) == ids
    assert server.call("GET", "/api/scheduled-jobs/alice?limit=0").status_code == 400
    for schedule in made:
        delete(server, schedule)


def test_trigger_runs_now_with_secrets_and_labels(server):
    schedule = create(server, command=("sh", "-c", "echo $KEY $GREETING"),
                      job={"secrets": {"KEY": "opensesame"}, "environment": {"GREETING": "hello"}, "labels": {"name": "t1"}, "timeoutSeconds": 99})
    job = post(server, schedule, "run")
    assert job["type"] == "job" and job["initiator"] == {"type": "scheduled-job", "id": schedule["id"]}
    assert job["owner"]["name"] == "alice" and job["labels"] == {"name": "t1"} and job["timeoutSeconds"] == 99
    assert server.wait_job(job["id"])["status"]["stage"] == "COMPLETED"
    assert server.log_lines(job["id"]) == ["opensesame hello"]
    after = get(server, schedule)
    assert after["status"]["lastJob"]["id"] == job["id"] and after["status"]["nextJobRunAt"] == schedule["status"]["nextJobRunAt"]
    assert [(tick["outcome"], tick["job"]) for tick in history(server, schedule)] == [("triggered", {"id": job["id"]})]
    delete(server, schedule)


def test_trigger_is_409_while_a_job_runs_unless_concurrency(server):
    schedule = create(server, command=("sleep", "100"))
    job = post(server, schedule, "run")
    assert post(server, schedule, "run", 409)["error"].startswith("Another job is already running at the same time, set `concurrency`")
    server.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    wait_until(lambda: server.call("POST", f"/api/scheduled-jobs/alice/{schedule['id']}/run").status_code == 200, 30, "trigger after cancel")
    delete(server, schedule)
    schedule = create(server, command=("sleep", "100"), concurrency=True)
    assert post(server, schedule, "run")["id"] != post(server, schedule, "run")["id"]
    delete(server, schedule)


def test_trigger_works_while_suspended(server):
    schedule = create(server, suspend=True)
    job = post(server, schedule, "run")
    assert server.wait_job(job["id"])["status"]["stage"] == "COMPLETED"
    assert get(server, schedule)["suspend"] is True
    delete(server, schedule)


def test_ticks_start_jobs_and_fill_the_ledger(server):
    schedule = create(server, "* * * * * *", command=("true",), concurrency=True)
    rows = wait_until(lambda: (rows := history(server, schedule)) and len(rows) >= 3 and rows, 20, "three ticks")
    post(server, schedule, "suspend")
    rows = history(server, schedule)
    due = [time_of(row["dueAt"]) for row in reversed(rows)]
    assert all(b - a == datetime.timedelta(seconds=1) for a, b in zip(due, due[1:])) and due[0] > time_of(schedule["createdAt"])
    assert all(row["outcome"] == "ran" and row["count"] == 1 and row["untilAt"] == row["dueAt"] for row in rows)
    for row in rows:
        job = server.wait_job(row["job"]["id"])
        assert job["initiator"] == {"type": "scheduled-job", "id": schedule["id"]}
    assert len({row["job"]["id"] for row in rows}) == len(rows)
    assert history(server, schedule) == rows  # nothing more while it is suspended
    delete(server, schedule)
    assert server.call("GET", f"/api/scheduled-jobs/alice/{schedule['id']}/history").status_code == 404


def outcomes(server, schedule):
    return [row["outcome"] for row in reversed(history(server, schedule))]


def test_overlap_skip_says_which_job_was_running(server):
    schedule = create(server, "* * * * * *", command=("sleep", "100"))
    wait_until(lambda: len(outcomes(server, schedule)) >= 3, 20, "three ticks")
    post(server, schedule, "suspend")
    rows = history(server, schedule)
    assert rows[-1]["outcome"] == "ran" and all(row["outcome"] == "skipped" and row["job"] is None for row in rows[:-1])
    assert rows[0]["reason"] == f"job {rows[-1]['job']['id']} was still running"
    server.call("POST", f"/api/jobs/alice/{rows[-1]['job']['id']}/cancel")
    delete(server, schedule)


def test_overlap_queue_starts_one_after_the_other(server):
    schedule = create(server, "* * * * * *", command=("sleep", "100"), job={"labels": {"hearth.overlap": "queue"}})
    wait_until(lambda: "skipped" in outcomes(server, schedule), 20, "a skipped tick")
    first = history(server, schedule)[-1]["job"]["id"]
    waiting = [row["dueAt"] for row in history(server, schedule) if row["outcome"] == "waiting"]
    assert len(waiting) == 1
    server.call("POST", f"/api/jobs/alice/{first}/cancel")
    started = wait_until(lambda: [row for row in history(server, schedule) if row["dueAt"] == waiting[0] and row["outcome"] == "ran"], 20, "start")
    assert started[0]["job"]["id"] != first
    post(server, schedule, "suspend")
    server.call("POST", f"/api/jobs/alice/{started[0]['job']['id']}/cancel")
    assert "waiting" not in outcomes(server, schedule)
    delete(server, schedule)


def test_overlap_replace_cancels_the_older_job(server):
    schedule = create(server, "*/2 * * * * *", command=("sleep", "100"), job={"labels": {"hearth.overlap": "replace"}})
    wait_until(lambda: outcomes(server, schedule).count("ran") >= 2, 30, "a second start")
    jobs = [row["job"]["id"] for row in reversed(history(server, schedule)) if row["job"]]
    post(server, schedule, "suspend")
    first = server.job(jobs[0])
    assert first["status"]["stage"] == "CANCELED" and "Replaced" in first["status"]["message"]
    for job in jobs:
        server.call("POST", f"/api/jobs/alice/{job}/cancel")
    delete(server, schedule)


def test_history_is_paged(server):
    schedule = create(server, concurrency=True)
    jobs = [post(server, schedule, "run")["id"] for _ in range(5)]
    path, seen = f"/api/scheduled-jobs/alice/{schedule['id']}/history?limit=2", []
    while path:
        answer = server.call("GET", path)
        seen += [row["job"]["id"] for row in answer.json()]
        link = answer.links.get("next")
        path = link and link["url"][len(server.endpoint):]
    assert seen == list(reversed(jobs))
    for query in ["?limit=0", "?limit=x", "?limit=5000", "?cursor=-1"]:
        assert server.call("GET", f"/api/scheduled-jobs/alice/{schedule['id']}/history{query}").status_code == 400
    delete(server, schedule)


def test_deleting_leaves_the_running_job(server):
    schedule = create(server, command=("sleep", "100"))
    job = post(server, schedule, "run")
    delete(server, schedule)
    assert server.job(job["id"])["status"]["stage"] in ("SCHEDULING", "RUNNING")
    server.call("POST", f"/api/jobs/alice/{job['id']}/cancel")


def test_who_lost_the_right_starts_nothing_any_more(server):
    for words in [("user", "add", "bob"), ("org", "add", "acme"), ("org", "member", "acme", "bob", "write")]:
        assert server.hearth("admin", *words).returncode == 0
    token = server.hearth("admin", "token", "add", "bob", "--name", "t", "-q").stdout.split()[-1]
    body = {"jobSpec": spec(), "schedule": "* * * * * *", "concurrency": True}
    schedule = server.call("POST", "/api/scheduled-jobs/acme", token=token, json=body).json()
    path = f"/api/scheduled-jobs/acme/{schedule['id']}"
    wait_until(lambda: server.call("GET", path, token=token).json()["status"]["lastJob"], 20, "a first job")
    assert server.hearth("admin", "org", "member", "acme", "bob", "read").returncode == 0
    after = wait_until(lambda: (s := server.call("GET", path, token=token).json())["suspend"] and s, 20, "suspension")
    assert "bob, who created it, may not start jobs in acme any more" in after["suspendReason"]
    rows = server.call("GET", path + "/history", token=token).json()
    assert rows[0]["outcome"] == "failed" and "may not start" in rows[0]["reason"]
    assert server.hearth("admin", "org", "member", "acme", "bob", "write").returncode == 0
    resumed = server.call("POST", path + "/resume", token=token).json()
    assert resumed["suspend"] is False and "suspendReason" not in resumed
    assert server.call("DELETE", path, token=token).status_code == 200


def test_a_restart_forgets_nothing(server):
    schedule = create(server, job={"secrets": {"KEY": "kept"}, "labels": {"hearth.overlap": "skip"}}, command=("sh", "-c", "echo $KEY; sleep 100"))
    job = post(server, schedule, "run")
    server.wait_job(job["id"], ("RUNNING",))
    server.kill9()
    server.start()
    assert get(server, schedule)["status"]["lastJob"]["id"] == job["id"]
    assert post(server, schedule, "run", 409)  # it knows that the job is still running
    server.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    wait_until(lambda: server.call("POST", f"/api/scheduled-jobs/alice/{schedule['id']}/run").status_code == 200, 30, "trigger")
    delete(server, schedule)


def test_metrics_count_ticks(server):
    text = server.call("GET", "/metrics").text
    assert "hearth_schedules_active" in text and "hearth_schedule_ticks_total{outcome=\"ran\"}" in text


def test_a_missed_tick_is_told_to_webhooks(make_server):
    server = make_server(SETTINGS + "[webhooks]\nprivate_addresses = yes\n")
    hook = {"jobs": {"events": ["schedule-missed"]}, "url": "http://127.0.0.1:9/"}  # nobody there: the delivery is in the log all the same
    answer = server.call("POST", "/api/settings/webhooks", json=hook)
    assert answer.status_code == 200, answer.text
    hook_id = answer.json()["webhook"]["id"]
    schedule = create(server, "* * * * * *", job={"labels": {"hearth.catch-up": "none"}}, concurrency=True)
    server.kill9()
    due = wait_until(lambda: datetime.datetime.now(datetime.timezone.utc) > time_of(schedule["createdAt"]) + datetime.timedelta(seconds=8), 20, "time")
    assert due
    server.start()
    rows = wait_until(lambda: [row for row in history(server, schedule) if row["outcome"] == "missed"], 20, "missed ticks")
    assert "hearthd was not running" in rows[0]["reason"]
    log = wait_until(lambda: server.call("GET", f"/api/settings/webhooks/{hook_id}/deliveries").json(), 20, "a delivery")
    text = str(log)
    assert "schedule-missed" in text, text


def test_volumes_are_those_of_the_moment(server):
    volume = {"type": "bucket", "source": "alice/results", "mountPath": "/out", "readOnly": False}
    refused = create(server, status=404, job={"volumes": [volume]})
    assert refused["error"].startswith("jobSpec: ") and "alice/results" in refused["error"]
    assert server.call("POST", "/api/buckets/alice/results", json={"private": True}).status_code == 200
    schedule = create(server, command=("sh", "-c", "echo run >> /out/log; cat /out/log"), job={"volumes": [volume]})
    assert schedule["jobSpec"]["volumes"][0]["source"] == "alice/results"
    for n in (1, 2):  # the second one waits until the first has left
        path = f"/api/scheduled-jobs/alice/{schedule['id']}/run"
        job = wait_until(lambda: (answer := server.call("POST", path)).status_code == 200 and answer.json(), 20, "trigger")
        assert server.wait_job(job["id"])["status"]["stage"] == "COMPLETED"
        assert server.log_lines(job["id"]) == ["run"] * n
    wait_until(lambda: server.call("DELETE", "/api/buckets/alice/results").status_code in (200, 204), 20, "removal of the bucket")
    error = wait_until(lambda: "cannot run" in (text := post(server, schedule, "run", 409)["error"]) and text, 20, "the other refusal")
    assert "alice/results" in error
    delete(server, schedule)
