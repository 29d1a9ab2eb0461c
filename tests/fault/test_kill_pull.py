# SPDX-License-Identifier: Apache-2.0
"""kill -9 while an image is pulled or imported: of hearth-pull, of its children, of hearthd. The store stays whole."""
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from faulty_registry import FaultyRegistry
from leftovers import check_one_end, helpers, wait_clean
from oci import Image, Layer, file, static_program
from server import HEARTH, wait_until

HELLO = Layer([file("hello", static_program('#include <stdio.h>\nint main(void) { puts("Hello from scratch"); return 0; }\n'), 0o755)])


class Slow(FaultyRegistry):
    """Stops in the middle of the large layer until `gate` is set."""

    def __init__(self):
        super().__init__()
        self.gate, self.halfway = threading.Event(), threading.Event()
        self.large = Layer([file("large", random.Random(1).randbytes(8 << 20))], "none")
        self.add("library/slow", "1", Image([HELLO, self.large], config={"Cmd": ["/hello"]}))
        self.fault = self.serve_half

        self.server.handle_error = lambda *_: None  # clients that are killed are what this is about

    def serve_half(self, request):
        if not request.path.endswith(self.large.digest) or self.gate.is_set():
            return False
        request.send_response(200)
        request.send_header("Content-Length", str(len(self.large.blob)))
        request.end_headers()
        request.wfile.write(self.large.blob[:4 << 20])
        request.wfile.flush()
        self.halfway.set()
        self.gate.wait(60)
        request.wfile.write(self.large.blob[4 << 20:])
        return True


@pytest.fixture
def slow():
    registry = Slow()
    yield registry
    registry.gate.set()
    registry.stop()


@pytest.fixture
def pulling(make_server, slow):
    """A server with a job that waits for the slow image, which is half there."""
    server = make_server(f"[registry {slow.host}]\nplain_http = yes\n")
    job = server.submit(["/hello"], f"{slow.host}/library/slow:1")["id"]
    assert slow.halfway.wait(20)
    return server, job


def check_store(server):
    """Nothing half-made is left once the next pull or import has been there."""
    done = server.hearth("image", "prune")
    assert done.returncode == 0, done.stderr
    left = [path.name for path in (server.state / "images" / "tmp").iterdir() if path.is_dir()]
    assert not left, left


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def test_hearthd_killed_during_a_pull_goes_on_with_it(pulling, slow):
    server, job = pulling
    server.kill9()
    wait_until(lambda: not helpers(server), 5, "end of hearth-pull, which nobody needs any more")
    slow.gate.set()
    server.start()
    assert server.wait_job(job, seconds=30)["status"]["stage"] == "COMPLETED", server.job(job)
    assert check_one_end(server, job)[1] == ["Hello from scratch"]
    wait_clean(server)
    check_store(server)


def test_hearth_pull_killed_is_tried_again(pulling, slow):
    """A helper that dies of something else than the image is no reason for the job to fail."""
    server, job = pulling
    all_pids = helpers(server)
    [first] = [pid for pid in all_pids if parent_of(pid) not in all_pids]
    slow.gate.set()
    os.kill(first, signal.SIGKILL)
    assert server.wait_job(job, seconds=30)["status"]["stage"] == "COMPLETED", server.job(job)
    wait_clean(server)
    check_store(server)


def test_every_child_of_hearth_pull_killed(pulling, slow):
    """Fetcher or unpacker: hearth-pull tells what happened, or does it again; nobody waits for ever."""
    server, job = pulling
    all_pids = helpers(server)
    kill_all(pid for pid in all_pids if parent_of(pid) in all_pids)
    slow.gate.set()
    shown = server.wait_job(job, seconds=30)["status"]
    assert shown["stage"] == "COMPLETED" or "Unpacking was ended by signal 9" in shown["message"], shown
    wait_clean(server)
    again = server.submit(["/hello"], f"{slow.host}/library/slow:1")["id"]
    assert server.wait_job(again, seconds=30)["status"]["stage"] == "COMPLETED", server.job(again)
    check_store(server)


def test_a_canceled_job_ends_its_pull(pulling, slow):
    server, job = pulling
    assert server.call("POST", f"/api/jobs/alice/{job}/cancel").json()["status"]["stage"] == "CANCELED"
    wait_clean(server, 5)
    slow.gate.set()
    again = server.submit(["/hello"], f"{slow.host}/library/slow:1")["id"]
    assert server.wait_job(again, seconds=30)["status"]["stage"] == "COMPLETED", server.job(again)
    check_store(server)


@pytest.mark.parametrize("victim", ["hearthd", "hearth-pull"])
def test_kill_during_an_import(make_server, tmp_path, victim):
    """The command fails with a sentence, the next one succeeds; at several moments."""
    server = make_server()
    archive = tmp_path / "image.tar"
    large = Layer([file(f"file{n}", random.Random(n).randbytes(1 << 20)) for n in range(24)])
    Image([HELLO, large], config={"Cmd": ["/hello"]}).write_layout(archive)
    for ms in (5, 30, 80, 150, 250):
        name = f"imported:{ms}"
        command = subprocess.Popen([HEARTH, "image", "import", archive, name], env=server.environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if victim == "hearth-pull":
            wait_until(lambda: helpers(server) or command.poll() is not None, 10, "hearth-pull", interval=0.0)
        time.sleep(ms / 1000)
        if victim == "hearthd":
            server.kill9()
        else:
            kill_all(helpers(server))
        out, errors = command.communicate(timeout=30)
        assert command.returncode == 0 or "rror" in errors, (out, errors)
        if victim == "hearthd":
            server.start()
        wait_clean(server, 10)
        done = server.hearth("image", "import", archive, name)
        assert done.returncode == 0, done.stderr
        job = server.submit(["/hello"], name)["id"]
        assert server.wait_job(job, seconds=30)["status"]["stage"] == "COMPLETED", server.job(job)
        assert server.log_lines(job) == ["Hello from scratch"]
    check_store(server)
