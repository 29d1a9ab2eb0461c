# SPDX-License-Identifier: Apache-2.0
"""A real hearthd in a state folder of its own, for tests and benchmarks."""
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import requests

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HEARTH_BUILD", TOP / "build"))
CACHE = TOP / ".cache"
HEARTHD = BUILD / "src/server/hearthd"
HEARTH = BUILD / "src/cli/hearth"
SANITIZED = HEARTHD.exists() and b"__asan_init" in HEARTHD.read_bytes()  # says nothing about memory and speed
CGROUPS = pathlib.Path("/sys/fs/cgroup")
TERMINAL = ("COMPLETED", "ERROR", "CANCELED", "DELETED")


SMALL_FLAVORS = """
[flavor small]
vcpu = 0.5
memory = 256M
storage = 1G
[flavor tiny]
vcpu = 0.02
memory = 64M
storage = 0
[flavor whole]
vcpu = 2
memory = 1G
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds=20, what="condition", interval=0.05):
    """Poll until the condition gives something true, and return that; fail loudly after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(interval)


def claim_number():
    """A number that no other test server on this machine uses now, and the lock that says so."""
    for number in range(1, 200):
        lock = open(f"/run/hearth-test-{number}.lock", "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, lock
        except BlockingIOError:
            lock.close()
    raise AssertionError("too many test servers")


def remove_cgroup(folder):
    """True once it is gone; the kernel may need a moment for what was killed."""
    for path in [*folder.glob("*/"), folder]:
        try:
            path.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return False
    return True


class Server:
    """One hearthd: start(), stop(), kill9(), restart; requests with the operator's token."""

    def __init__(self, settings="", flags=(), state=None, user="alice"):
        number, self.number_lock = claim_number()
        self.state = pathlib.Path(state or tempfile.mkdtemp(prefix="hearth-test.", dir="/var/tmp"))
        os.chmod(self.state, 0o755)
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.token = None
        self.process = None
        self.flags = list(flags)
        self.log_path = self.state.with_name(self.state.name + ".log")
        self.config = self.state.with_name(self.state.name + ".conf")
        own = f"[server]\noperator = {user}\nlog_level = debug\n[network]\nbridge = hearth{number}t\nsubnet = 10.{number + 20}.0.0/16\n" \
              f"[container]\ncgroup_parent = hearth-test-{number}\n"
        self.config.write_text(own + SMALL_FLAVORS + settings)
        self.bridge = f"hearth{number}t"
        self.cgroup = f"hearth-test-{number}"

    def start(self, seconds=30):
        log = open(self.log_path, "ab")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "SUDO_"))}
        self.process = subprocess.Popen(
            [HEARTHD, "--config", self.config, "--state-dir", self.state, "--listen", f"127.0.0.1:{self.port}", *self.flags],
            stdout=subprocess.PIPE, stderr=log, env=env, text=True, start_new_session=True)
        log.close()
        if self.token is None:
            text = ""
            end = time.monotonic() + seconds
            os.set_blocking(self.process.stdout.fileno(), False)
            while "HF_TOKEN" not in text or not text.endswith("\n"):
                try:
                    text += os.read(self.process.stdout.fileno(), 65536).decode()
                except BlockingIOError:
                    pass
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"hearthd did not start: {text}\n{self.log_text()[-4000:]}")
                time.sleep(0.02)
            self.first_start = text
            self.token = re.search(r"HF_TOKEN=(hf_\w+)", text).group(1)
        self.wait_healthy(seconds)
        return self

    def wait_healthy(self, seconds=30):
        def healthy():
            if self.process.poll() is not None:
                raise AssertionError(f"hearthd ended with {self.process.returncode}\n{self.log_text()[-4000:]}")
            try:
                return requests.get(self.endpoint + "/healthz", timeout=5).status_code == 200
            except requests.ConnectionError:
                return False
        wait_until(healthy, seconds, "healthz")

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill9()
                raise
        if self.process and self.process.stdout:
            self.process.stdout.close()

    def kill9(self):
        """As a crash: both processes of hearthd, monitors are left alone."""
        children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(self.process.pid)], capture_output=True, text=True).stdout
        os.kill(self.process.pid, signal.SIGKILL)
        for line in children.splitlines():
            pid, name = line.split(None, 1)
            if name.strip() == "hearthd":
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def destroy(self):
        """Stop and remove everything, and say what was left behind."""
        try:
            if self.process and self.process.poll() is None:
                for job in self.jobs(all_stages=False):
                    self.call("POST", f"/api/jobs/{job['owner']['name']}/{job['id']}/cancel")
                wait_until(lambda: not self.live_monitors(), 30, "end of all monitors")
            self.stop()
        finally:
            if self.process and self.process.poll() is None:  # or it keeps the bridge from the next server of this number
                self.kill9()
            for pid in self.live_monitors():
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self.live_monitors(), 30, "death of all monitors")
            subprocess.run(["ip", "link", "del", self.bridge], stderr=subprocess.DEVNULL)
            subprocess.run(["nft", "delete", "table", "inet", self.bridge], stderr=subprocess.DEVNULL)
            # v2: the folder itself; v1: one per controller. Not deeper: other servers' groups come and go meanwhile.
            for folder in [path / self.cgroup for path in (CGROUPS, *CGROUPS.iterdir()) if (path / self.cgroup).is_dir()]:
                wait_until(lambda: remove_cgroup(folder), 20, f"removal of {folder}")
            self.number_lock.close()
            # Of a process that cannot reach the folder of reports (tools/check), only this is to be seen.
            found = re.findall(r".*(?:Sanitizer|runtime error: |ERROR: Can't open file).*", self.log_text())
            if not os.environ.get("HEARTH_KEEP"):
                shutil.rmtree(self.state, ignore_errors=True)
                shutil.rmtree(self.state.with_name(self.state.name + ".home"), ignore_errors=True)
                for path in (self.log_path, self.config):
                    path.unlink(missing_ok=True)
        assert not found, found

    def live_monitors(self):
        """Process ids of the monitors of this server: its settings are on their command line."""
        found = []
        settings = f"{self.state}/run/effective.ini".encode()
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if settings in (entry / "cmdline").read_bytes() and (entry / "comm").read_text().startswith("hearth-monitor"):
                        found.append(int(entry.name))
                except OSError:
                    pass
        return found

    # HTTP
    def call(self, method, path, token=None, **more):
        headers = {"Authorization": f"Bearer {token or self.token}", **more.pop("headers", {})}
        if token == "":
            del headers["Authorization"]
        return requests.request(method, self.endpoint + path, headers=headers, timeout=more.pop("timeout", 60), **more)

    def submit(self, command=("true",), image="busybox", namespace="alice", **fields):
        body = {"command": list(command), "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": image, **fields}
        answer = self.call("POST", f"/api/jobs/{namespace}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def job(self, job_id, namespace="alice"):
        return self.call("GET", f"/api/jobs/{namespace}/{job_id}").json()

    def jobs(self, namespace="alice", all_stages=True):
        query = "" if all_stages else "?stage=RUNNING&stage=SCHEDULING"
        answer = self.call("GET", f"/api/jobs/{namespace}{query}")
        return answer.json() if answer.status_code == 200 else []

    def wait_job(self, job_id, stages=TERMINAL, seconds=60):
        def reached():
            job = self.job(job_id)
            return job if job["status"]["stage"] in stages else None
        return wait_until(reached, seconds, f"job {job_id} in {stages}")

    def events(self, job_id, route="logs", **more):
        """All events of a stream, read to its end."""
        answer = self.call("GET", f"/api/jobs/alice/{job_id}/{route}", stream=True, **more)
        assert answer.status_code == 200, answer.text
        return [json.loads(line[6:]) for line in answer.content.decode().split("\n") if line.startswith("data: {")]

    def log_lines(self, job_id, query=""):
        answer = self.call("GET", f"/api/jobs/alice/{job_id}/logs{query}")
        lines = [json.loads(line[6:])["data"] for line in answer.content.decode("ascii").split("\n") if line.startswith("data: {")]
        return [line for line in lines if not line.startswith("===== Job started")]

    def log_lines_now(self, job_id, seconds=1.0):
        """What a running job has logged so far: reads until `seconds` of silence."""
        lines = []
        try:
            answer = self.call("GET", f"/api/jobs/alice/{job_id}/logs", stream=True, timeout=seconds)
            for line in answer.iter_lines(chunk_size=1):
                if line.startswith(b"data: {") and b"===== Job started" not in line:
                    lines.append(json.loads(line[6:])["data"])
        except requests.RequestException:
            pass
        return lines

    # Programs
    def environment(self, home=None, **more):
        home = home or self.state.with_name(self.state.name + ".home")
        env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        env.update(HF_ENDPOINT=self.endpoint, HF_TOKEN=self.token, HF_HOME=str(home), HEARTH_SOCKET=str(self.state / "hearth.sock"),
                   NO_COLOR="1", HF_HUB_DISABLE_TELEMETRY="1", **more)
        return env

    def run(self, *command, timeout=120, env=None, **more):
        return subprocess.run([str(word) for word in command], env=env or self.environment(), capture_output=True, text=True,
                              timeout=timeout, **more)

    def hearth(self, *words, **more):
        return self.run(HEARTH, *words, **more)
