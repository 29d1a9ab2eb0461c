# SPDX-License-Identifier: Apache-2.0
"""Schedules through huggingface_hub of several releases, the newest `hf`, and @huggingface/hub."""
import json
import pathlib
import re

import pytest

import clients

HERE = pathlib.Path(__file__).parent


@pytest.mark.parametrize("version", clients.HF_VERSIONS)
def test_the_python_client(server, version):
    done = server.run(clients.python(version), HERE / "hub_schedules.py")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    made = result["made"]
    assert made["schedule"] == "CRON_TZ=Europe/Paris 0 9 * * 1" and made["suspend"] is False and made["concurrency"] is False
    assert made["owner"] == "alice" and made["next"] and made["last"] is None
    assert made["image"] == "busybox" and made["command"] == ["echo", "hello"] and made["timeout"] == 3600
    assert made["id"] in result["listed"] and result["suspended"] is True and result["resumed"] is False
    assert result.get("labels", {"name": "daily"}) == {"name": "daily"} and result.get("rescheduled", "@daily") == "@daily"
    assert result.get("last") == result.get("job")
    assert "404" in result["gone"] and "never comes" in result["refused"]
    if version == "newest":
        assert {"labels", "rescheduled", "job"} <= set(result)


def ids(text):
    return re.findall(r"\b[0-9a-f]{24}\b", text)


def test_the_command_line_client(server):
    def hf(*words):
        return server.run(clients.hf("newest"), "jobs", "scheduled", *words, timeout=60)
    done = hf("run", "@hourly", "busybox", "sleep", "50")
    assert done.returncode == 0 and "Scheduled Job created" in done.stdout, done.stdout + done.stderr
    schedule = ids(done.stdout)[0]
    assert hf("ps", "-q").stdout.split() == [schedule]
    done = hf("trigger", schedule)
    assert done.returncode == 0 and "Scheduled Job triggered" in done.stdout, done.stdout + done.stderr
    again = hf("trigger", schedule)
    assert again.returncode == 1 and "409 Conflict" in again.stderr and "set `concurrency`" in again.stderr
    server.call("POST", f"/api/jobs/alice/{ids(done.stdout)[0]}/cancel")
    assert hf("delete", schedule).returncode == 0
    done = hf("run", "61 * * * *", "busybox", "true")
    assert done.returncode == 1 and "Invalid schedule: minute 61 is not from 0 to 59" in done.stderr


def test_the_javascript_client(server):
    done = server.run("node", HERE / "hub_schedules.mjs", server.endpoint, server.token, clients.javascript())
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["made"]["type"] == "scheduled-job" and result["made"]["schedule"] == "@hourly" and result["made"]["suspend"] is False
    assert result["listed"] and result["suspended"] is True and result["resumed"] is False
    assert result["job"]["initiator"] == {"type": "scheduled-job", "id": result["made"]["id"]}
    assert result["busy"] is None  # its way to say 409
    assert result["gone"]


@pytest.mark.parametrize("version", ["1.3", "newest"])
def test_a_local_script_goes_along(server, tmp_path, version):
    script = tmp_path / "report.py"
    script.write_text("print('hello')\n")
    done = server.run(clients.hf(version), "jobs", "scheduled", "uv", "run", "--flavor", "cpu-basic", "@daily", script, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    path = f"/api/scheduled-jobs/alice/{ids(done.stdout)[0]}"
    spec = server.call("GET", path).json()["jobSpec"]
    assert "uv run" in " ".join(spec["command"])
    if version == "newest":  # older ones put the script into the environment
        assert spec["volumes"][0]["source"] == "alice/jobs-artifacts"
    assert server.call("DELETE", path).status_code == 200
