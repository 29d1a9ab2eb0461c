# SPDX-License-Identifier: Apache-2.0
"""The command line against a stub Hub: what it sends, prints and exits with, and that `hf` does the same.

Needs neither root nor a server. The comparison installs huggingface_hub from PyPI: the version that the
reference describes (1.28) and the newest.
"""
import json
import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
import threading
import time

import pytest

import clients
from server import HEARTH
from stub_hub import GPU, SAMPLE, StubHub, job_id, make_job

TOKEN = "hf_good"


@pytest.fixture(scope="module")
def hub():
    stub = StubHub().start()
    yield stub
    stub.stop()


def fill(hub):
    hub.reset()
    hub.add(make_job(1))
    hub.add(make_job(2, "ERROR", "Job failed with exit code: 1", labels={"name": "n2", "env": "prod"}),
            ["one", "two", "drei \u2028 x"])
    hub.add(make_job(3, "COMPLETED", labels={}), ["x"])
    hub.add(make_job(4, "SCHEDULING", "Waiting for room", labels={"a": ""}))
    hub.add(make_job(5, expose={"ports": [8000]}, environment={"A": "b"}, secrets=["S"],
                     command=["sh", "-c", "echo a\n\tb ünïcode " + "z" * 100],
                     volumes=[{"type": "bucket", "source": "alice/b", "mountPath": "/data", "readOnly": False, "path": "x"}]))


@pytest.fixture(autouse=True)
def fresh(hub):
    fill(hub)


@pytest.fixture
def env(hub, tmp_path):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "COLUMNS", "CLAUDE", "AI_AGENT"))}
    return {**kept, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hf"), "NO_COLOR": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HUB_DISABLE_EXPERIMENTAL_WARNING": "1", "FOO": "foo value"}


@pytest.fixture
def hearth(env):
    def run(*words, input=None, check=None, text=True, **more):
        done = subprocess.run([HEARTH, *words], env={**env, **more}, input=input, capture_output=True, text=text, timeout=60)
        if check is not None:
            assert done.returncode == check, done
        return done
    return run


# The same as hf ------------------------------------------------------------------------------------------

JOB = job_id
SAME = f"""
ps
ps -a
jobs ls -a --no-truncate
ps -a --json
ps -a -q
ps --status completed,error
ps --status running --status Scheduling
ps --status foo
ps -a --status running
ps --name n2 -a
ps -l env=prod -a
ps -l env=nope -a
ps -l bad
ps --limit 2 -a
ps --limit 0 -a
ps --limit x
ps --name x -l name=y
ps --status canceled
ps --namespace acme
ps --json -q
inspect a/b/c
inspect a/b --namespace c
inspect /b
inspect {JOB(2)} -q
logs {JOB(2)}
logs -f {JOB(2)}
logs -n 1 {JOB(2)}
logs --tail 0 {JOB(2)}
logs {JOB(2)} --json
logs -f -q alice/{JOB(2)}
hardware
hardware --json
hardware -q
hardware --format agent
cancel {JOB(1)}
cancel {JOB(1)} -q
cancel {JOB(1)} --json
cancel alice/{JOB(1)} --format agent
cancel a b
wait {JOB(3)}
wait {JOB(2)} {JOB(3)}
wait {JOB(3)} --json
wait {JOB(1)} --timeout 1
wait a/{JOB(1)} b/{JOB(2)}
labels {JOB(2)} --name zz
labels {JOB(2)} -l a=b -l c
labels {JOB(2)} -l a=b --name d
labels {JOB(2)} -l name=b --name d
labels {JOB(2)} --clear
labels {JOB(2)}
labels {JOB(2)} --clear --name x
run
run img
run -d img --flavor
run -d --detach=1 img x
run --name a -l name=b img x
""".strip().splitlines()

# huggingface_hub 2 names jobs in another way and prints the configuration first.
SAME_AS_REFERENCE = """
run python:3.12 python -V
run -d python:3.12 python -V
run -d -e A=1 -e FOO -e UNSET -s HF_TOKEN -s S=1 --timeout 1.5h --name nn -l x=y -l z img cmd -u
run -d img ls -la
run -d img -- ls -la --env
run -d img sh -c 'echo hi there'
run -d img prog -xl k=v -Q --long=1 --other
run -d --flavor a100-large --namespace acme --expose 80 --expose 81 --ssh img x
run -d -v hf://datasets/a/b@main/sub:/data:ro -v hf://buckets/a/b:/x:rw -v hf://m/n:/y img x
run -d hf.co/spaces/a/b-c x
run -d https://huggingface.co/spaces/a/b x
run -d --timeout 90 img x
run -d --timeout 0 img x
run -d -l name=b img x
run -d -e A=b=c -e "export B='q u'" -e 'C="a\\nb"' img x
run -d registry:5000/ns/ímg:ü x
uv run -d https://x.y/z/s.py?x=1 --epochs 3
uv run -d --with rich --with torch -p 3.11 python -c 1
uv run -d --image my:uv lighteval
""".strip().splitlines()

# These columns are in the newest answers only.
SAME_AS_NEWEST = f"""
ps -a --format agent
inspect {JOB(1)}
inspect {JOB(1)} {JOB(2)}
inspect {JOB(5)} --no-truncate
inspect {JOB(5)} --json
inspect {JOB(2)} --format agent
inspect alice/{JOB(2)} --json {JOB(3)}
""".strip().splitlines()


def normal_stderr(text):
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("hf jobs ", "hearth ")
    # The last is said by the newest only, whether the job still runs or not.
    unwanted = ("HF_DEBUG", "hf-cli", "If the job is still running")
    lines = [line for line in text.splitlines() if not any(u in line for u in unwanted)]
    if lines and lines[0].startswith("Usage:"):  # usage errors: what was wrong matters
        return lines[-1]
    return "\n".join(lines)


def normal_path(path):
    return re.sub(r"[?&]follow=false", "", path)


def outcome(program, hub, env, words):
    done = subprocess.run([*program, *words], env=env, capture_output=True, text=True, timeout=60)
    out = done.stdout
    try:
        out = json.loads(out)
    except ValueError:
        if out.startswith("Usage:"):
            out = "help"
    sent = [(r[0], normal_path(r[1]), r[3]) for r in hub.requests if r[0] != "GET"]
    asked = []
    for r in hub.requests:  # how often we look does not matter
        path = normal_path(r[1])
        if r[0] == "GET" and "agent-harnesses" not in path and path not in asked:
            asked.append(path)
    return {"status": done.returncode, "stdout": out, "stderr": normal_stderr(done.stderr), "sent": sent, "asked": asked}


def check_same(version, hub, env, line, columns):
    words = shlex.split(line)
    env = {**env, "COLUMNS": columns}
    results = []
    for program in ([clients.hf(version), "jobs"], [HEARTH]):
        fill(hub)
        results.append(outcome(program, hub, env, words[1:] if words[0] == "jobs" else words))
    theirs, ours = results
    assert ours == theirs


@pytest.mark.parametrize("line", SAME)
def test_does_what_hf_does(line, hub, env):
    check_same("newest", hub, env, line, "80" if line.startswith("ps") else "200")


@pytest.mark.parametrize("line", SAME_AS_REFERENCE)
def test_submits_what_hf_submits(line, hub, env):
    check_same("1.28", hub, env, line, "120")


@pytest.mark.parametrize("line", SAME_AS_NEWEST)
def test_shows_what_the_newest_hf_shows(line, hub, env):
    check_same("newest", hub, env, line, "160")


DOTENV = """# comment
A=1
export B = two words  # c
C="q\\n\\"x\\" $y \\$z \\t\\\\ \\q" # c
D='s\\n # q'
FOO
UNSET
E=
F=#x
G= #x
H=a#b
bad line here
1X=3
I="unclosed
J='it''s'
K = "x" y
export L
exportM=1
M="two" # comment
N="tight"#comment
HF_TOKEN
A=2
"""


def test_dotenv_files_mean_the_same(hub, env, tmp_path, hearth):
    path = tmp_path / "env"
    path.write_text(DOTENV)
    path.chmod(0o600)
    words = ["run", "-d", "--env-file", str(path), "-e", "H=override", "--secrets-file", str(path), "img", "x"]
    subprocess.run([clients.hf("newest"), "jobs", *words], env=env, capture_output=True, check=True)
    hearth(*words, check=0)
    theirs, ours = hub.bodies("POST", "/api/jobs/alice")
    assert ours["environment"] == theirs["environment"]
    assert ours["secrets"] == theirs["secrets"]
    assert ours["environment"]["H"] == "override" and ours["secrets"]["HF_TOKEN"] == TOKEN


def test_env_file_from_standard_input(hub, hearth):
    hearth("run", "-d", "--env-file", "-", "img", "x", input="A=1\n", check=0)
    assert hub.bodies("POST", "/api/jobs/alice")[0]["environment"] == {"A": "1"}


# Where we differ on purpose ------------------------------------------------------------------------------

@pytest.mark.parametrize("words, status", [(["exit", "3"], 3), (["exit", "255"], 255), (["timeout"], 1), (["true"], 0)])
def test_run_exits_like_the_job(hearth, words, status):
    done = hearth("run", "img", *words, check=status)
    assert "Hello from the stub\n" in done.stdout


def test_output_modes_of_run_stand_before_the_image(hub, hearth):
    done = hearth("run", "-q", "-d", "img", "grep", "-q", "--json", "x", check=0)
    assert re.fullmatch(r"[0-9a-f]{24}\n", done.stdout) and not done.stderr
    assert hub.bodies("POST", "/api/jobs/alice")[0]["command"] == ["grep", "-q", "--json", "x"]
    done = hearth("run", "--json", "img", "exit", "4", check=4)
    assert set(json.loads(done.stdout)) == {"id", "name", "url"}


def test_errors_are_one_line_with_the_request(hearth, hub):
    done = hearth("inspect", "nope", check=1)
    assert done.stderr == "Error: Job not found (request Root=1-deadbeef)\n" and not done.stdout
    hub.answers["POST /api/jobs/alice"] = (402, {"error": "Pre-paid credit balance is \x1b[31minsufficient"})
    done = hearth("run", "img", "x", check=1)
    assert re.fullmatch(r"Error: Pre-paid credit balance is [^\x1b]+insufficient \(request Root=1-deadbeef\)\n", done.stderr)
    hub.answers["POST /api/jobs/alice"] = (500, {"error": ["a", "b"]})
    assert hearth("run", "img", "x", check=1).stderr.startswith("Error: a (request")


def test_not_logged_in(hearth, hub):
    done = hearth("ps", check=1, HF_TOKEN="")
    assert done.stderr.startswith("Error: Not logged in.") and not hub.paths()
    done = hearth("ps", check=1, HF_TOKEN="hf_bad")
    assert "does not accept the token from HF_TOKEN" in done.stderr
    assert "Not logged in" in hearth("whoami", check=1, HF_TOKEN="").stderr


def test_no_server(hearth):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        done = hearth("ps", check=1, HF_ENDPOINT=f"http://127.0.0.1:{s.getsockname()[1]}/")
    assert "Cannot reach http://127.0.0.1:" in done.stderr and "nothing listens there" in done.stderr
    assert "HF_ENDPOINT" in hearth("ps", check=1, HF_ENDPOINT="ftp://x").stderr
    assert "not running here" in hearth("admin", "user", "ls", check=1, HEARTH_SOCKET="/nonexistent/x.sock").stderr


def test_plain_http_to_a_server_of_https(hearth):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        threading.Thread(target=lambda: s.accept()[0].close(), daemon=True).start()
        done = hearth("ps", check=1, HF_ENDPOINT=f"http://127.0.0.1:{s.getsockname()[1]}")
    assert "it hung up; if it speaks HTTPS, write https:// in HF_ENDPOINT" in done.stderr


def test_https_by_libcurl(hearth):
    """libcurl is loaded on demand; here it meets a server that speaks no TLS."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        s.settimeout(30)
        port = s.getsockname()[1]
        process = subprocess.Popen([HEARTH, "ps"], env={**os.environ, "HF_ENDPOINT": f"https://127.0.0.1:{port}", "HF_TOKEN": TOKEN},
                                   stderr=subprocess.PIPE, text=True)
        peer, _ = s.accept()
        assert peer.recv(1) == b"\x16"  # a TLS hello
        peer.close()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1 and f"Cannot reach https://127.0.0.1:{port}" in err


@pytest.fixture(scope="module")
def tls_hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    names = [str(folder / "certificate.pem"), str(folder / "key.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-out", names[0], "-keyout", names[1], "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    stub = StubHub().start(names)
    stub.certificate = names[0]
    yield stub
    stub.stop()


def test_tls(tls_hub, env):
    fill(tls_hub)
    env = {**env, "HF_ENDPOINT": tls_hub.url}

    def run(*words, check=0, **more):
        done = subprocess.run([HEARTH, *words], env={**env, **more}, capture_output=True, text=True, timeout=60)
        assert done.returncode == check, done
        return done

    assert "certificate" in run("ps", check=1).stderr
    assert not tls_hub.paths()
    env["SSL_CERT_FILE"] = tls_hub.certificate
    assert run("ps", "-q").stdout.split() == [JOB(5), JOB(4), JOB(1)]
    assert "Hello from the stub\n" in run("run", "img", "exit", "3", check=3).stdout
    assert "Job not found" in run("inspect", "nope", check=1).stderr
    lines = [f"line {i}" for i in range(3000)] + ["z" * 5_000_000]
    tls_hub.logs[JOB(3)] = lines
    tls_hub.faults = {"break_log_after": 500}
    assert run("logs", "-f", JOB(3)).stdout.splitlines() == lines
    tls_hub.logs[JOB(1)] = ["a"]
    tls_hub.faults = {"ignore_follow": True}
    assert run("logs", JOB(1)).stdout == "a\n"
    tls_hub.metrics[JOB(1)] = [SAMPLE] * 2
    assert len(run("stats", JOB(1)).stdout.splitlines()) == 4
    assert "Image imported" in run("image", "import", str(HEARTH), "me:1").stdout
    assert [r for r in tls_hub.requests if "import" in r[1]][0][3] == HEARTH.read_bytes()


def test_proxy_by_libcurl(hearth, hub):
    """With a proxy in the environment every http request goes through libcurl: the same results."""
    proxied = {"http_proxy": hub.url, "HF_ENDPOINT": "http://hub.example"}
    assert hearth("ps", "-q", "--name", "n1", check=0, **proxied).stdout.split() == [JOB(5), JOB(1)]
    done = hearth("run", "img", "exit", "6", check=6, **proxied)
    assert "Hello from the stub\n" in done.stdout
    assert all(r[1].startswith("http://hub.example/api/") for r in hub.requests)  # as a proxy sees them
    sent = [r for r in hub.requests if r[0] == "POST"][-1]
    assert sent[3]["dockerImage"] == "img" and sent[2]["Idempotency-Key"]
    assert "Job not found" in hearth("logs", "-f", "nope", check=1, **proxied).stderr


# A bad network -------------------------------------------------------------------------------------------

def test_a_submission_is_repeated_safely(hub, hearth):
    hub.faults = {"drop_before_create": 1, "drop_after_create": 2}
    done = hearth("run", "-d", "-q", "img", "x", check=0)
    keys = {r[2]["Idempotency-Key"] for r in hub.requests if r[0] == "POST"}
    assert len(keys) == 1
    assert len(hub.bodies("POST", "/api/jobs/alice")) == 4
    assert len([j for j in hub.jobs.values() if j["dockerImage"] == "img"]) == 1
    assert done.stdout.strip() in hub.jobs


@pytest.mark.parametrize("tail", [[], ["--tail", "800"]])
def test_a_broken_log_is_taken_up_again(hub, hearth, tail):
    lines = [f"line {i}" for i in range(3000)]
    hub.logs[JOB(3)] = lines
    hub.faults = {"break_log_after": 500, "then_break_log_after": 501}
    done = hearth("logs", "-f", *tail, JOB(3), check=0)
    assert done.stdout.splitlines() == (lines[-800:] if tail else lines)


def test_a_clean_end_of_a_running_job_is_not_the_end(hub, hearth):
    hub.logs[JOB(1)] = ["a", "b"]
    hub.faults = {"clean_end_while_running": 1}
    process = subprocess.Popen([HEARTH, "logs", "-f", JOB(1)], env={**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN},
                               stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    hub.logs[JOB(1)] = ["a", "b", "c"]
    hub.jobs[JOB(1)]["status"]["stage"] = "COMPLETED"
    assert process.communicate(timeout=20)[0] == "a\nb\nc\n"


def test_without_follow_a_running_job_does_not_hold_us(hub, hearth):
    hub.logs[JOB(1)] = ["a", "b"]
    times = []
    for _ in range(5):  # the quickest: the machine may be busy
        start = time.monotonic()
        assert hearth("logs", JOB(1), check=0).stdout == "a\nb\n"
        times.append(time.monotonic() - start)
    assert min(times) < 0.9
    hub.faults = {"ignore_follow": True}  # another Hub
    start = time.monotonic()
    assert hearth("logs", JOB(1), check=0).stdout == "a\nb\n"
    assert 0.9 < time.monotonic() - start < 8


# Bytes ---------------------------------------------------------------------------------------------------

def test_log_lines_of_any_kind(hub, hearth):
    raw = [b'{"data":"nul \\u0000 here","timestamp":"2026-05-12T14:57:43Z"}',
           b'{"timestamp":"2026-05-12T14:57:43Z","more":[1,{"data":"no"},"}"],"data":"pair \\ud83d\\ude00 lone \\ud83d x \\udc00"}',
           b'{"data":"\\u2028\\u0085\\u000b\\f\\/\\"\\\\\\b\\t\\r"}']
    hub.logs[JOB(3)] = raw + ["z" * 10_000_000, ""]
    done = hearth("logs", JOB(3), check=0, text=False)
    lines = done.stdout.split(b"\n")
    assert lines[0] == b"nul \0 here"
    assert lines[1] == "pair \U0001f600 lone \ufffd x \ufffd".encode()
    assert lines[2] == '\u2028\x85\x0b\x0c/"\\\b\t\r'.encode()
    assert lines[3] == b"z" * 10_000_000 and lines[4:] == [b"", b""]


def test_a_damaged_event_is_an_error(hub, hearth):
    hub.logs[JOB(3)] = ["ok", b'{"data": 5}']
    done = hearth("logs", JOB(3), check=1)
    assert done.stdout == "ok\n" and "log event" in done.stderr


def test_agent_mode_has_no_colour(hub, hearth):
    hub.logs[JOB(3)] = ["\x1b[1;31mred\x1b[0m plain"]
    assert hearth("logs", JOB(3), check=0).stdout == "\x1b[1;31mred\x1b[0m plain\n"
    assert hearth("logs", "--format", "agent", JOB(3), check=0).stdout == "red plain\n"


def test_a_full_output_is_an_error(hub, env):
    hub.logs[JOB(3)] = ["x"] * 100000
    with open("/dev/full", "w") as full:
        done = subprocess.run([HEARTH, "logs", JOB(3)], env=env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1 and "Error" in done.stderr


# Terminals -----------------------------------------------------------------------------------------------

class Terminal:
    """Runs hearth on a pseudo-terminal."""

    def __init__(self, words, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(HEARTH, [str(HEARTH), *words], {**env, "TERM": "xterm", "COLUMNS": "120"})
        self.text = ""

    def read_until(self, wanted, seconds=10):
        end = time.monotonic() + seconds
        while wanted not in self.text:
            assert time.monotonic() < end, self.text
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode()
                except OSError:
                    break
        assert wanted in self.text, self.text

    def wait(self, seconds=30):
        end = time.monotonic() + seconds
        while True:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"did not end: {self.text}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_the_terminal_shows_why_a_job_waits(hub, env):
    terminal = Terminal(["run", "img", "queue"], {k: v for k, v in env.items() if k != "NO_COLOR"})
    terminal.read_until("Pulling image: 2 of 5 layers, 43 %")
    job = [j for j in hub.jobs.values() if j["command"] == ["queue"]][0]
    job["status"].update(stage="COMPLETED", message=None)
    assert terminal.wait() == 0
    assert "\x1b[32m✓ Job started" in terminal.text and "completed" in terminal.text


def test_no_color_is_honoured(hub, env):
    terminal = Terminal(["cancel", JOB(1)], env)
    assert terminal.wait() == 0 and "\x1b[3" not in terminal.text


def test_interrupt_leaves_the_job(hub, env):
    terminal = Terminal(["run", "img", "sleep"], env)
    terminal.read_until("Hello from the stub")
    os.kill(terminal.pid, signal.SIGINT)
    assert terminal.wait() == 1
    job = [j for j in hub.jobs.values() if j["command"] == ["sleep"]][0]
    assert f"hearth cancel alice/{job['id']}" in terminal.text and "goes on" in terminal.text
    assert job["status"]["stage"] == "RUNNING"
    terminal = Terminal(["logs", "-f", job["id"]], env)
    terminal.read_until("Hello from the stub")
    os.kill(terminal.pid, signal.SIGINT)
    assert terminal.wait() == 0 and "Error" not in terminal.text and "the job goes on" in terminal.text


def test_stats_draws_a_live_table(hub, env):
    hub.metrics[JOB(1)] = [SAMPLE, {**SAMPLE, "gpus": {"b": GPU, "a": GPU}}]
    terminal = Terminal(["stats", JOB(1)], env)
    assert terminal.wait() == 0
    assert re.search(r"JOB ID +CPU % NUM CPU MEM %", terminal.text)
    assert "-- / --" in terminal.text and "\x1b[1A\x1b[2K" in terminal.text
    assert "1.3MB / 15.0GB" in terminal.text and "0.0bps / 0.0bps" in terminal.text


def test_stats_in_a_pipe(hub, hearth):
    hub.metrics[JOB(1)] = [SAMPLE, {**SAMPLE, "gpus": {"b": GPU, "a": GPU}}]
    done = hearth("stats", JOB(1), check=0)
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["JOB", "ID", "CPU"] and len(lines) == 5 and "\x1b" not in done.stdout
    assert lines[2].split() == [JOB(1), "8%", "3.5", "0.01%", "1.3MB", "/", "15.0GB", "0.0bps", "/", "0.0bps", "N/A", "N/A", "N/A"]
    done = hearth("stats", "--json", JOB(1), check=0)
    assert [json.loads(line)["job_id"] for line in done.stdout.splitlines()] == [JOB(1)] * 2
    hub.jobs.clear()
    assert hearth("stats", check=0).stdout == "No running jobs found\n"


# Everything else -----------------------------------------------------------------------------------------

def test_login_keeps_the_token_where_hf_does(hub, env, hearth, tmp_path):
    hearth("login", "--token", "hf_bad", check=1, HF_TOKEN="")
    assert not (tmp_path / "hf" / "token").exists()
    done = hearth("login", check=0, HF_TOKEN="", input=TOKEN + "\n")
    assert TOKEN not in done.stdout + done.stderr
    kept = tmp_path / "hf" / "token"
    assert kept.read_text() == TOKEN and kept.stat().st_mode & 0o777 == 0o600
    assert "user: alice" in hearth("whoami", check=0, HF_TOKEN="").stdout
    theirs = subprocess.run([clients.hf("newest"), "auth", "token"], env={**env, "HF_TOKEN": ""}, capture_output=True, text=True)
    assert theirs.stdout.split()[0] == TOKEN


def test_images(hub, hearth, tmp_path):
    assert "docker.io/library/python:3.12" in hearth("image", "ls", "--no-truncate", check=0).stdout
    assert json.loads(hearth("image", "inspect", "a/b:c", "--json", check=0).stdout)["reference"] == "a/b:c"
    assert "2 MiB" in hearth("image", "prune", "--keep", "1G", check=0).stdout
    assert hub.bodies("POST", "/api/images/prune") == [{"keepBytes": 1 << 30}]
    assert "Image removed" in hearth("image", "rm", "a/b:c", check=0).stdout
    assert "Image ready" in hearth("image", "pull", "python:3.12", check=0).stdout
    assert hearth("image", "pull", "missing", check=1).stderr == "Error: Image not found: missing; the registry said 404\n"
    archive = tmp_path / "image.tar"
    archive.write_bytes(os.urandom(3_000_000))
    assert "Image imported" in hearth("image", "import", str(archive), "me:1", check=0).stdout
    sent = [r for r in hub.requests if "import" in r[1]][0]
    assert sent[1] == "/api/images/import?reference=me%3A1" and sent[3] == archive.read_bytes()
    assert "Cannot read" in hearth("image", "import", "/nonexistent", "me:1", check=1).stderr


def test_what_is_not_built_yet_says_so(hearth):
    assert "not built yet" in hearth("ssh", "x", check=1).stderr


def test_local_files_that_are_none(hearth):
    assert "not an existing local directory" in hearth("run", "-v", "./x:/y", "img", "x", check=1).stderr
    assert "Missing mount path" in hearth("run", "-v", "./x", "img", "x", check=1).stderr
    assert "not a local file" in hearth("uv", "run", "nope.py", check=1).stderr
    done = hearth("uv", "run", "-v", "hf://buckets/me/x:/data", __file__, check=1)
    assert "Mount path '/data' is reserved" in done.stderr


def test_help_and_usage(hearth):
    assert hearth("--help", check=0).stdout.startswith("Usage: hearth")
    assert hearth(check=2).stderr.startswith("Usage: hearth")
    assert hearth("jobs", check=2).stderr.startswith("Usage: hearth")
    assert "image pull" in hearth("image", check=2).stderr
    assert "No such command 'nope'" in hearth("nope", check=2).stderr
    assert "No such option: --nope" in hearth("ps", "--nope", check=2).stderr
    assert "hearth" in hearth("--version", check=0).stdout
    # As with hf: an option is an option also inside the command, unless it stands behind --.
    assert "Usage: hearth run" in hearth("run", "img", "ls", "-h", check=0).stdout


def test_completion_scripts(hearth, tmp_path):
    bash = tmp_path / "hearth.bash"
    bash.write_text(hearth("completion", "bash", check=0).stdout)

    def complete(*words):
        script = f"source {bash}; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _hearth; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()

    assert complete("hearth", "in") == ["inspect"]
    assert "--env-file" in complete("hearth", "run", "--")
    assert complete("hearth", "jobs", "logs", "--fo") == ["--follow", "--format"]
    assert "pull" in complete("hearth", "image", "")
    assert complete("hearth", "ps", "--format", "js") == ["json"]
    assert "--socket" in complete("hearth", "admin", "user", "add", "--")
    assert hearth("completion", "zsh", check=0).stdout.startswith("#compdef hearth")
    assert "complete -c hearth" in hearth("completion", "fish", check=0).stdout
    assert "SHELL" in hearth("completion", "csh", check=1).stderr


def test_the_manual_is_good_troff(hearth):
    page = hearth("manual", check=0).stdout
    for word in ("\\-\\-env\\-file", "hearth image pull", "EXIT STATUS"):
        assert word in page
    assert not [line for line in page.splitlines() if line.startswith((".", "'")) and not re.match(r"\.(TH|SH|SS|TP|PP|B|BR)\b", line)]
