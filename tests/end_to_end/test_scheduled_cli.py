# SPDX-License-Identifier: Apache-2.0
"""hearth scheduled …: the grammar and the output of hf, and what Hearth adds."""
import json
import re

import pytest


@pytest.fixture(scope="module")
def server(make_server):
    return make_server("[scheduler]\ncpus = 64\nmemory = 256G\n")


@pytest.fixture
def hearth(server):
    return lambda *words: server.hearth("scheduled", *words)


def made(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return re.search(r"  id: ([0-9a-f]{24})", done.stdout).group(1)


@pytest.fixture
def schedule(server, hearth):
    schedule = made(hearth("run", "CRON_TZ=Europe/Paris 0 9 * * 1", "-l", "env=prod", "busybox", "sleep", "30"))
    yield schedule
    hearth("delete", schedule)


def test_run_tells_what_hf_tells(hearth):
    done = hearth("run", "@hourly", "--suspend", "busybox", "echo", "hello")
    schedule = made(done)
    name = re.search(r"  name: (\S+)", done.stdout).group(1)
    assert done.stdout.splitlines()[0] in ("✓ Scheduled Job created", "[OK] Scheduled Job created")
    assert f"Hint: Scheduled Job auto-named '{name}'. Pass `--name` or run `hearth scheduled labels alice/{schedule} --name NAME` to rename it." in done.stderr
    assert f"Hint: Use `hearth scheduled inspect alice/{schedule}` to view its details." in done.stderr
    shown = json.loads(hearth("inspect", schedule, "--json").stdout)[0]
    assert shown["suspend"] is True and shown["job_spec"]["command"] == ["echo", "hello"]
    assert hearth("delete", schedule).returncode == 0


def test_a_wrong_expression_is_one_sentence(hearth):
    done = hearth("run", "0 0 31 2 *", "busybox", "true")
    assert done.returncode == 1 and done.stdout == "" and "never comes" in done.stderr


def test_ps_shows_a_table_and_filters(hearth, schedule):
    lines = hearth("ps", "--no-truncate").stdout.splitlines()
    assert lines[0].split() == ["ID", "NAME", "SCHEDULE", "IMAGE/SPACE", "COMMAND", "LAST_RUN", "NEXT_RUN", "SUSPEND"]
    assert schedule in lines[2] and "CRON_TZ=Europe/Paris 0 9 * * 1" in lines[2] and "sleep 30" in lines[2] and "N/A" in lines[2]
    assert hearth("ls", "-q").stdout.split() == [schedule]
    row = json.loads(hearth("list", "--json").stdout)[0]
    assert row["id"] == schedule and row["image/space"] == "busybox" and row["suspend"] is False and row["last_run"] == "N/A"
    assert hearth("ps", "-q", "-l", "env=prod").stdout.split() == [schedule]
    assert "No scheduled jobs matched filters: label=env=test" in hearth("ps", "-l", "env=test").stdout
    assert hearth("ps", "-q", "-f", "command=SLEEP*", "-f", "suspend=false").stdout.split() == [schedule]
    assert hearth("ps", "-q", "-f", "id!=*").stdout == "" and hearth("ps", "-q", "-f", "colour=*").stdout == ""
    assert hearth("suspend", schedule).returncode == 0
    assert hearth("ps", "-q").stdout == "" and hearth("ps", "-q", "-a").stdout.split() == [schedule]
    assert hearth("ps", "-q", "--status", "suspended").stdout.split() == [schedule]
    assert hearth("ps", "--status", "odd").returncode == 1 and hearth("ps", "-a", "--status", "active").returncode == 1
    assert "No active scheduled jobs" in hearth("ps").stderr


def test_inspect_shows_the_next_five_runs(hearth, schedule):
    done = hearth("inspect", schedule)
    tail = done.stdout.splitlines()[-6:]
    assert tail[0] == "Next 5 runs (UTC):" and all(re.fullmatch(r"  20\d\d-\d\d-\d\d 0[78]:00:00", line) for line in tail[1:])
    shown = json.loads(hearth("inspect", f"alice/{schedule}", "--json").stdout)[0]
    assert list(shown) == ["name", "id", "created_at", "job_spec", "schedule", "suspend", "concurrency", "status", "owner", "next_runs"]
    assert len(shown["next_runs"]) == 5


def test_trigger_history_and_409(server, hearth, schedule):
    done = hearth("trigger", schedule)
    job = made(done)
    assert f"/jobs/alice/{job}" in done.stdout and f"Hint: Use `hearth logs -f alice/{job}` to stream logs." in done.stderr
    again = hearth("trigger", schedule)
    assert again.returncode == 1 and "set `concurrency`" in again.stderr
    rows = hearth("history", schedule).stdout.splitlines()
    assert rows[0].split() == ["DUE", "OUTCOME", "JOB", "REASON"] and "triggered" in rows[2] and job in rows[2]
    assert json.loads(hearth("history", schedule, "--json").stdout)[0]["job"] == job
    assert server.hearth("cancel", job).returncode == 0


def test_suspend_resume_reschedule_labels_delete(hearth, schedule):
    done = hearth("suspend", schedule)
    assert "Scheduled Job suspended" in done.stdout and f"Hint: Use `hearth scheduled resume {schedule}` to resume it." in done.stderr
    assert "Scheduled Job resumed" in hearth("resume", schedule).stdout
    done = hearth("reschedule", schedule, "@daily")
    assert "Scheduled Job rescheduled" in done.stdout and "  schedule: @daily" in done.stdout
    assert "Labels updated" in hearth("labels", schedule, "--name", "renamed").stdout
    assert json.loads(hearth("inspect", schedule, "--json").stdout)[0]["job_spec"]["labels"] == {"env": "prod", "name": "renamed"}
    assert hearth("labels", schedule).returncode == 1
    assert hearth("labels", schedule, "--clear").returncode == 0
    assert "Scheduled Job deleted" in hearth("delete", schedule).stdout
    assert "not found" in hearth("inspect", schedule).stderr.lower()


def test_uv_run_by_the_clock_sends_the_script_once(server, hearth, tmp_path):
    script = tmp_path / "report.py"
    script.write_text("print('hello')\n")
    done = hearth("uv", "run", "--suspend", "--with", "rich", "0 6 * * *", str(script), "--fast")
    schedule = made(done)
    spec = server.call("GET", f"/api/scheduled-jobs/alice/{schedule}").json()["jobSpec"]
    assert spec["command"] == ["uv", "run", "--with", "rich", "/data/report.py", "--fast"]
    volume = spec["volumes"][0]
    assert volume["type"] == "bucket" and volume["source"] == "alice/jobs-artifacts" and volume["mountPath"] == "/data"
    assert hearth("delete", schedule).returncode == 0
