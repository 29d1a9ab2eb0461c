# SPDX-License-Identifier: Apache-2.0
"""A disk that is full: jobs end with a reason, and the server goes on when there is room again."""
import os
import pathlib
import subprocess

import pytest

from leftovers import check_one_end, wait_clean
from server import Server, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


@pytest.fixture
def small(tmp_path, busybox_tar):
    """A server whose state folder is a file system of 48 MiB."""
    server = Server()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48M,mode=755", "tmpfs", server.state], check=True)
    try:
        server.start()
        done = server.hearth("image", "import", busybox_tar, "busybox")
        assert done.returncode == 0, done.stderr
        yield server
    finally:
        (server.state / "filler").unlink(missing_ok=True)  # what runs is to end well
        server.destroy()
        subprocess.run(["umount", "-l", server.state], check=True)
        server.state.rmdir()


def test_a_job_that_fills_the_disk_ends_with_its_own_exit_code(small):
    """Its files are what fills the disk: they must not keep its end from being written."""
    job = small.submit(["sh", "-c", "dd if=/dev/zero of=/x bs=1M || exit 9"])
    ended = small.wait_job(job["id"], seconds=30)
    assert ended["status"]["message"] == "Job failed with exit code: 9"
    assert any("No space left on device" in line for line in small.log_lines(job["id"]))
    assert small.wait_job(small.submit(["true"])["id"])["status"]["stage"] == "COMPLETED"


def test_a_job_goes_on_when_there_is_room_again(small):
    """Full by somebody else: the log waits, nothing is lost."""
    job = small.submit(["sh", "-c", "until [ -e /dev/shm/go ]; do sleep 0.1; [ $((i=i+1)) -gt 30 ] && break; done; echo end; exit 3"])
    small.wait_job(job["id"], ("RUNNING",))
    filler = small.state / "filler"
    with open(filler, "wb") as f:
        try:
            while True:
                f.write(bytes(65536))
                f.flush()
        except OSError:
            pass
    wait_until(lambda: "exit.json: cannot write" in small.log_text(), 30, "the monitor's complaint")
    filler.unlink(missing_ok=True)
    if small.process.poll() is not None:
        small.start()
    ended = small.wait_job(job["id"], seconds=30)
    assert ended["status"]["message"] == "Job failed with exit code: 3"
    assert small.log_lines(job["id"]) == ["end"]


def fill(path):
    with open(path, "wb", buffering=0) as f:
        for size in (65536, 512):
            try:
                while True:
                    f.write(bytes(size))
            except OSError:
                pass


def test_a_full_disk_is_told_and_nothing_breaks(small, busybox_tar):
    """Submissions are refused with the reason; a cancel, an end and a restart still work; no line is lost (R17, R28)."""
    sleeper = small.submit(["sh", "-c", "echo up; exec sleep 600"])["id"]
    wait_until(lambda: small.log_lines_now(sleeper, 0.3) == ["up"], 10, "its line")
    talker = small.submit(["sh", "-c", "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done"])["id"]
    small.wait_job(talker, ("RUNNING",))
    waiting = [small.submit(["echo", "later"], flavor="whole")["id"] for _ in range(3)]  # for the sleeper's end
    fill(small.state / "filler")
    body = {"command": ["true"], "arguments": [], "environment": {}, "flavor": "tiny", "dockerImage": "busybox"}
    refused = small.call("POST", "/api/jobs/alice", json=body)
    assert refused.status_code == 503 and "disk" in refused.json()["error"] and "0 B of 48 MiB" in refused.json()["error"]
    done = small.hearth("image", "import", busybox_tar, "other")
    assert done.returncode != 0 and "the disk of this server is full" in done.stderr, done.stderr
    assert small.call("POST", f"/api/jobs/alice/{sleeper}/cancel").json()["status"]["stage"] == "CANCELED"
    for _ in range(2):
        small.kill9()
        small.start()
        assert small.job(sleeper)["status"]["stage"] == "CANCELED"
    for job_id in waiting:
        status = small.job(job_id)["status"]
        assert status["stage"] != "ERROR", status
        assert status["stage"] != "SCHEDULING" or status["message"] == "Waiting: the disk of this server is full", status
    (small.state / "filler").unlink()
    assert small.wait_job(talker)["status"]["stage"] == "COMPLETED"
    wait_clean(small)
    assert check_one_end(small, talker)[1] == [f"line {n}" for n in range(40000)]
    assert check_one_end(small, sleeper)[1] == ["up"]
    for job_id in waiting:
        assert small.wait_job(job_id)["status"]["stage"] == "COMPLETED"
    assert small.wait_job(small.submit(["echo", "on"])["id"])["status"]["stage"] == "COMPLETED"
