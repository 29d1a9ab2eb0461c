# SPDX-License-Identifier: Apache-2.0
"""What all figures need: the list of them, servers to measure, clients that cost little, and counting."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import peers
from server import Server, wait_until

ALL = {}
_servers = {}
ONE = "[flavor one]\nvcpu = 1\nmemory = 64M\nstorage = 0\n"
LARGE = "[scheduler]\ncpus = 1000\nmemory = 1000G\n" + ONE
PROBE = "/bin/probe"
SCALE = float(os.environ.get("HEARTH_BENCH_SCALE", "1"))  # below 1: to try a figure out; the table is not published then


def figure(function):
    assert function.__name__ not in ALL, function.__name__
    ALL[function.__name__] = function
    return function


def row(name, measured, reach, met):
    return {"figure": name, "measured": measured, "reach": reach, "met": bool(met)}


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def start_quietly(one, image=True):
    """As quiet as in production, perhaps with the image `busybox` (and bench/probe.c in it)."""
    one.config.write_text(one.config.read_text().replace("log_level = debug", "log_level = info"))
    one.start()
    if image:
        done = one.hearth("image", "import", peers.busybox_tar(), "busybox")
        assert done.returncode == 0, done.stderr
        one.wait_job(one.submit(["true"], flavor="one")["id"])
    return one


def new_server(settings=LARGE, image=True):
    one = Server(settings)
    try:
        return start_quietly(one, image)
    except BaseException:
        one.destroy()
        raise


@contextlib.contextmanager
def running_server(settings=LARGE, image=True):
    """One for a single figure, gone afterwards whatever happens."""
    one = Server(settings)
    try:
        yield start_quietly(one, image)
    finally:
        one.destroy()


@contextlib.contextmanager
def folder():
    """An empty one on the disk that servers use."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="hearth-bench.", dir="/var/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def server():
    """One for the figures that can share it."""
    if "shared" not in _servers:
        _servers["shared"] = new_server()
    return _servers["shared"]


def forget_shared():
    """Another hearthd would disturb; the next figure that asks gets a new one."""
    if "shared" in _servers:
        _servers.pop("shared").destroy()


def clean_up():
    for one in _servers.values():
        try:
            one.destroy()
        except Exception as error:  # the peers must end all the same
            print(f"cleaning up: {error!r}", file=sys.stderr)
    peers.clean_up()


def timed(command, times, env=None):
    found = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        found.append(time.perf_counter() - start)
    return found


class Client:
    """A keep-alive connection, cheaper than requests."""

    def __init__(self, one):
        self.connection = http.client.HTTPConnection("127.0.0.1", one.port)
        self.headers = {"Authorization": f"Bearer {one.token}"}

    def call(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        data = answer.read()
        assert answer.status == 200, (answer.status, data)
        return json.loads(data)

    def submit(self, command, **fields):
        return self.call("POST", "/api/jobs/alice", {"command": command, "arguments": [], "environment": {}, "flavor": "one",
                                                     "dockerImage": "busybox", **fields})["id"]


def wait_all_ended(one, seconds=180):
    """Rarely asked: a poll is not to cost what is measured."""
    client = Client(one)
    wait_until(lambda: client.call("GET", "/api/jobs/alice/count?stage=SCHEDULING&stage=RUNNING")["count"] == 0, seconds, "end of all jobs",
               interval=0.5)


def exit_record(one, job):
    return json.loads((one.state / "attempts" / f"{job}.1" / "exit.json").read_text())


def first_instruction_ns(one, job):
    return int(one.log_lines(job)[0])


def pss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def hearthd_pids(one):
    children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(one.process.pid)], capture_output=True, text=True).stdout
    return [one.process.pid] + [int(line.split()[0]) for line in children.splitlines() if line.split()[1] == "hearthd"]


def hearthd_pss_kib(one):
    return sum(map(pss_kib, hearthd_pids(one)))


def wait_running(one, count, seconds=120):
    wait_until(lambda: len(Client(one).call("GET", f"/api/jobs/alice?stage=RUNNING&limit={count}")) >= count, seconds,
               f"{count} running jobs", interval=0.2)


def cpu_seconds(one):
    """Used so far by both processes of hearthd and by what they started and saw end, hearth-files above all."""
    ticks = 0
    for pid in hearthd_pids(one):
        ticks += sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def wait_line(one, job, line, seconds=30):
    wait_until(lambda: line in one.log_lines_now(job, 0.2), seconds, f"the line {line} of {job}", interval=0.1)
