# SPDX-License-Identifier: Apache-2.0
"""The unmodified `hf` of several releases against a real server and real containers."""
import json
import re
import time

import pytest

import clients
from server import wait_until

IMAGE = "python:3.12"


def at_least(version, wanted):
    return version == "newest" or tuple(map(int, version.split("."))) >= tuple(map(int, wanted.split(".")))


def need(version, wanted):
    if not at_least(version, wanted):
        pytest.skip(f"hf {version} has no such command (since {wanted})")


@pytest.fixture(scope="module", params=clients.HF_VERSIONS)
def version(request):
    return request.param


@pytest.fixture(scope="module")
def python_server(make_server, python_image_tar):
    """Wide: no job of a test waits for one that another test left."""
    server = make_server("[scheduler]\ncpus = 64\nmemory = 256G\n")
    done = server.hearth("image", "import", python_image_tar, IMAGE)
    assert done.returncode == 0, done.stderr
    return server


@pytest.fixture
def hf(version, python_server):
    program = clients.hf(version)

    def run(*words, terminal=False, **more):
        if terminal:
            return clients.on_terminal([program, *words], python_server.environment())
        return python_server.run(program, *words, timeout=60, **more)
    yield run
    for job in python_server.jobs(all_stages=False):
        python_server.call("POST", f"/api/jobs/alice/{job['id']}/cancel")


def started_id(text):
    return re.search(r"\b[0-9a-f]{24}\b", text).group(0)


def test_whoami(hf):
    done = hf("auth", "whoami")
    assert done.returncode == 0, done.stderr
    assert "alice" in done.stdout


def test_run_prints_the_log_and_succeeds(hf):
    done = hf("jobs", "run", IMAGE, "python", "-c", "print('Hello from my own machine')")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Hello from my own machine" in done.stdout


def test_a_failed_job_fails_the_command_and_says_why(hf, version):
    done = hf("jobs", "run", IMAGE, "python", "-c", "import sys; print('before'); sys.exit(3)")
    assert "before" in done.stdout
    if at_least(version, "1.21"):
        assert done.returncode == 1
        assert "Job failed with exit code: 3" in done.stdout + done.stderr


def test_hostile_output_does_not_break_the_client(hf, python_server, version):
    code = r"import sys; sys.stdout.buffer.write(b'A\xe2\x80\xa8B\x85\x0b\x00\xff\xc2\x85C\nlast without newline')"
    done = hf("jobs", "run", IMAGE, "python", "-c", code)
    assert "last without newline" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_detached_ps_logs_inspect_cancel(hf, python_server, version):
    done = hf("jobs", "run", "--detach", IMAGE, "python", "-c", "import time; print('up', flush=True); time.sleep(300)")
    assert done.returncode == 0, done.stderr
    job = started_id(done.stdout)
    python_server.wait_job(job, ("RUNNING",))
    assert job in hf("jobs", "ps", terminal=True)
    assert job in hf("jobs", "ps", "-a", terminal=True)
    if at_least(version, "1.13"):  # older ones ask for the size of a terminal that there must be
        assert job[:8] in hf("jobs", "ps").stdout
    wait_until(lambda: "up" in python_server.log_lines_now(job, 0.3), what="first line")
    if at_least(version, "1.21"):
        assert "up" in hf("jobs", "logs", job).stdout
    in_full = ["--format", "json"] if at_least(version, "1.21") else []  # else a table that cuts all it has
    shown = hf("jobs", "inspect", job, *in_full).stdout
    assert job in shown and "RUNNING" in shown
    assert hf("jobs", "cancel", job).returncode == 0
    assert python_server.wait_job(job)["status"]["stage"] == "CANCELED"
    assert "up" in hf("jobs", "logs", job).stdout
    assert job not in hf("jobs", "ps", terminal=True)


def test_environment_and_secrets(hf, python_server):
    code = "import os; print(os.environ['FOO'], os.environ['TOP'], os.environ['JOB_ID'])"
    done = hf("jobs", "run", "-e", "FOO=bar", "-s", "TOP=hidden", IMAGE, "python", "-c", code)
    assert "bar hidden " in done.stdout, done.stdout + done.stderr
    job = started_id(done.stdout)
    shown = python_server.job(job)
    assert shown["secrets"] == ["TOP"] and "hidden" not in json.dumps(shown)


def test_timeout_is_told(hf, python_server, version):
    done = hf("jobs", "run", "--timeout", "2s", IMAGE, "python", "-c", "import time; print('x', flush=True); time.sleep(60)")
    job = started_id(done.stdout)
    shown = python_server.wait_job(job)
    assert shown["status"]["stage"] == "ERROR" and shown["status"]["message"].startswith("Job timeout: reached its limit")


def test_wait(hf, python_server, version):
    need(version, "1.20")
    good = started_id(hf("jobs", "run", "-d", IMAGE, "true").stdout)
    bad = started_id(hf("jobs", "run", "-d", IMAGE, "false").stdout)
    assert hf("jobs", "wait", good).returncode == 0
    done = hf("jobs", "wait", good, bad)
    assert done.returncode == 1 and bad in done.stdout + done.stderr


def test_labels_and_filters(hf, python_server, version):
    need(version, "1.21")
    name = f"n{time.time_ns()}"
    job = started_id(hf("jobs", "run", "-d", "-l", "env=prod", IMAGE, "true").stdout)
    name_option = ["--name", name] if version == "newest" else ["-l", f"name={name}", "-l", "env=prod"]
    done = hf("jobs", "labels", job, *name_option)
    assert done.returncode == 0, done.stderr
    assert python_server.job(job)["labels"]["name"] == name
    assert python_server.job(job)["labels"]["env"] == "prod"
    assert job in hf("jobs", "ps", "-a", "-q", "-l", f"name={name}", "-l", "env=prod").stdout
    assert job not in hf("jobs", "ps", "-a", "-q", "-l", f"name={name}", "-l", "env=test").stdout


def test_hardware(hf, version):
    need(version, "1.4")
    done = hf("jobs", "hardware")
    assert done.returncode == 0, done.stderr
    assert "cpu-basic" in done.stdout and "$0.01" in done.stdout


def test_stats_of_a_running_job(hf, python_server):
    job = python_server.submit(["python", "-c", "import time; time.sleep(6)"], IMAGE, flavor="small")["id"]
    python_server.wait_job(job, ("RUNNING",))
    shown = hf("jobs", "stats", job, terminal=True)
    assert "256.0MB" in shown or "268.4MB" in shown, shown


def test_the_sentence_of_the_server_reaches_the_user(hf, python_server):
    done = hf("jobs", "run", "--flavor", "a100-large", IMAGE, "true")  # a name that old clients know, so that they send it
    assert done.returncode == 1, done
    assert "flavor" in done.stdout + done.stderr and "cpu-basic" in done.stdout + done.stderr


def test_an_option_that_became_the_image(hf, version):
    need(version, "1.21")
    option = "--no-such" if version == "newest" else "--format"  # the newest one knows --format
    done = hf("jobs", "run", option, "json", IMAGE, "true")
    assert done.returncode == 1
    assert "looks like an option" in done.stderr
