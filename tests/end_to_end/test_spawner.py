# SPDX-License-Identifier: Apache-2.0
"""The spawner by itself: what it does, and above all what it refuses (base/spawner_link.h)."""
import array
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from server import BUILD, wait_until

ALONE = BUILD / "tests/tools/spawner_alone"
MONITOR, PULL, CLEAN, REMOVE = 1, 2, 3, 4
NAME = "0123456789abcdef01234567.1"
NOBODY = 65534

# Stands in for hearth-monitor and hearth-pull: writes down what it was started with, then waits for EOF.
FAKE = """#!/usr/bin/python3
import json, os, socket, sys
fds = {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")}
facts = dict(argv=sys.argv, env=dict(os.environ), cwd=os.getcwd(), pid=os.getpid(), sid=os.getsid(0), fds=fds,
             uid=os.getuid(), mnt=os.readlink("/proc/self/ns/mnt"), blocked=[l for l in open("/proc/self/status") if l.startswith("SigBlk")])
link = socket.socket(fileno=3)
link.send(json.dumps(facts).encode())
if os.path.exists("/proc/self/fd/4"):
    link.send(os.read(4, 100))
link.recv(100)
"""


class Spawner:
    def __init__(self, folder):
        self.state = folder / "state"
        self.bin = folder / "bin"
        self.bin.mkdir()
        shutil.copy(ALONE, self.bin / "spawner_alone")
        for name in ("hearth-monitor", "hearth-pull"):
            (self.bin / name).write_text(FAKE)
            (self.bin / name).chmod(0o755)
        config = folder / "hearth.conf"
        config.write_text(f"[server]\nstate_dir = {self.state}\nuser = nobody\n[network]\nmode = none\n"
                          "[container]\ncgroup_parent = hearth-test-spawner\n")
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = theirs.fileno()
        self.process = subprocess.Popen([self.bin / "spawner_alone", config], pass_fds=(3,),
                                        preexec_fn=lambda: os.dup2(fd, 3), env={"PATH": os.environ["PATH"], "SECRET": "x"})
        theirs.close()
        self.attempts = self.state / "attempts"
        wait_until(lambda: (self.state / "run/effective.ini").exists(), 10, "spawner")

    def send(self, data, fds):
        self.link.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])

    def ask(self, kind, name, extra=()):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(20)
        self.send(struct.pack("i40s", kind, name.encode()), [theirs.fileno(), *extra])
        theirs.close()
        return ours

    def answer(self, kind, name, extra=()):
        with self.ask(kind, name, extra) as pair:
            text = pair.recv(100000)
            return json.loads(text) if text else None

    def folder(self, name=NAME, owner=NOBODY, spec="{}"):
        path = self.attempts / name
        path.mkdir()
        if spec is not None:
            (path / "spec.json").write_text(spec)
            os.chown(path / "spec.json", owner, owner)
        os.chown(path, owner, owner)
        return path

    def is_alive(self):
        return self.answer(CLEAN, "ffffffffffffffffffffffff.1") == {"type": "done"}

    def stop(self):
        self.link.close()
        return self.process.wait(10)


@pytest.fixture
def spawner(root, tmp_path):
    tmp_path.chmod(0o755)
    s = Spawner(tmp_path)
    yield s
    s.stop()


def test_folders(spawner):
    def facts(name):
        st = (spawner.state / name).stat()
        return st.st_uid, st.st_gid, oct(st.st_mode & 0o7777)

    assert facts("attempts") == (0, NOBODY, "0o1770")
    assert facts("images") == (0, 0, "0o755")
    assert facts("run") == (0, 0, "0o700")
    assert facts("run/effective.ini") == (0, 0, "0o600")
    assert facts("db") == (NOBODY, NOBODY, "0o700")


def test_monitor(spawner):
    path = spawner.folder()
    pair = spawner.ask(MONITOR, NAME)
    facts = json.loads(pair.recv(100000))
    assert facts["cwd"] == str(path)
    assert facts["pid"] == 1 and facts["uid"] == 0
    assert facts["sid"] == 1
    assert facts["mnt"] != os.readlink("/proc/self/ns/mnt")
    assert facts["argv"][1:] == ["--config", str(spawner.state / "run/effective.ini")]
    assert set(facts["env"]) - {"LC_CTYPE"} == {"PATH"}
    assert set(facts["blocked"][0].split()[1]) == {"0"}
    others = {n: f for n, f in facts["fds"].items() if not (f.startswith("/proc/") or "pipe" in f and n == "2")}
    assert set(others) <= {"0", "1", "2", "3"}, others
    assert others["0"] == others["1"] == "/dev/null" and others["3"].startswith("socket:")
    st = path.stat()
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (0, NOBODY, 0o750)
    # Not a second one for the same attempt.
    error = spawner.answer(MONITOR, NAME)
    assert error["type"] == "error" and error["code"] == "conflict" and "started before" in error["text"]
    pair.close()


def test_pull_and_archive(spawner, tmp_path):
    facts = spawner.answer(PULL, "")
    assert facts["cwd"] == "/" and facts["pid"] != 1
    assert facts["argv"][1:] == ["--config", str(spawner.state / "run/effective.ini")]
    archive = tmp_path / "archive"
    archive.write_text("bytes of the archive")
    with open(archive) as file, spawner.ask(PULL, "", [file.fileno()]) as pair:
        assert json.loads(pair.recv(100000))["fds"]["4"] == str(archive)
        assert pair.recv(100) == b"bytes of the archive"
    with socket.socket() as other:
        error = spawner.answer(PULL, "", [other.fileno()])
    assert error["code"] == "invalid" and "archive" in error["text"]


@pytest.mark.parametrize("kind,name", [
    (0, NAME), (5, NAME), (-1, NAME), (MONITOR, ""), (MONITOR, "x"), (MONITOR, "../etc.1"), (MONITOR, NAME.upper()),
    (MONITOR, NAME[:-2]), (MONITOR, NAME + "0000"), (MONITOR, NAME[:-1] + "0"), (MONITOR, NAME[:-1] + "1/.."), (MONITOR, NAME + "\n"),
    (CLEAN, "."), (CLEAN, ".."), (REMOVE, ""), (REMOVE, "/etc"), (REMOVE, NAME + "/spec.json"), (PULL, NAME),
])
def test_wrong_names(spawner, kind, name):
    path = spawner.folder()
    error = spawner.answer(kind, name)
    assert error["type"] == "error" and error["code"] == "invalid"
    assert (path / "spec.json").exists() and path.stat().st_uid == NOBODY
    assert spawner.is_alive()


def test_garbage(spawner):
    path = spawner.folder()
    good = struct.pack("i40s", REMOVE, NAME.encode())
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(4)]
    ends = [b.fileno() for a, b in pairs]
    with open("/dev/null") as null, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        spawner.send(good, [])
        spawner.send(good[:-1], ends[:1])
        spawner.send(good + b"x", ends[:1])
        spawner.send(b"", ends[:1])
        spawner.send(os.urandom(44), [null.fileno()])
        spawner.send(good, [null.fileno()])
        spawner.send(good, [stream.fileno()])
        spawner.send(good, ends)
        spawner.send(good, ends * 10)
        spawner.send(good, ends[:2])
    assert spawner.is_alive()
    # A name without its NUL.
    assert spawner.answer(MONITOR, "a" * 40)["code"] == "invalid"
    assert (path / "spec.json").exists()
    for a, b in pairs:
        a.close()
        b.close()
    # Nothing is kept open for those who sent nonsense.
    assert len(os.listdir(f"/proc/{spawner.process.pid}/fd")) < 12


def test_missing_folder(spawner):
    assert spawner.answer(MONITOR, NAME)["code"] == "not found"
    assert spawner.answer(CLEAN, NAME) == {"type": "done"}
    assert spawner.answer(REMOVE, NAME) == {"type": "done"}


def test_linked_folder(spawner, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "spec.json").write_text("{}")
    os.chown(target, NOBODY, NOBODY)
    (spawner.attempts / NAME).symlink_to(target)
    for kind in (MONITOR, CLEAN, REMOVE):
        assert spawner.answer(kind, NAME)["type"] == "error"
    assert (target / "spec.json").exists() and target.stat().st_uid == NOBODY


def test_foreign_owner_and_no_folder(spawner):
    path = spawner.folder(owner=12345)
    for kind in (MONITOR, CLEAN, REMOVE):
        error = spawner.answer(kind, NAME)
        assert error["code"] == "forbidden" and "12345" in error["text"]
    assert path.stat().st_uid == 12345
    other = NAME[:-1] + "2"
    (spawner.attempts / other).write_text("a file")
    assert spawner.answer(MONITOR, other)["type"] == "error"


@pytest.mark.parametrize("make", ["missing", "link", "pipe", "folder", "hard link", "foreign", "extra"])
def test_wrong_contents(spawner, tmp_path, make):
    path = spawner.folder(spec=None if make != "extra" else "{}")
    spec = path / "spec.json"
    secret = spawner.state / "secret"
    secret.write_text("of root")
    if make == "link":
        spec.symlink_to("/etc/shadow")
    elif make == "pipe":
        os.mkfifo(spec)
    elif make == "folder":
        spec.mkdir()
    elif make == "hard link":
        os.link(secret, spec)
    elif make == "foreign":
        spec.write_text("{}")
        os.chown(spec, 12345, 12345)
    elif make == "extra":
        (path / "log").symlink_to("/etc/passwd")
    assert spawner.answer(MONITOR, NAME)["type"] == "error"
    assert spawner.answer(REMOVE, NAME) == {"type": "done"}
    assert not path.exists() and secret.read_text() == "of root"


def test_remove_and_clean(spawner):
    path = spawner.folder()
    (path / "deep/er").mkdir(parents=True)
    (path / "deep/er/link").symlink_to("/etc")
    # Given up: nobody can start it any more, and its secrets are gone.
    assert spawner.answer(CLEAN, NAME) == {"type": "done"}
    assert (path / "deep/er/link").is_symlink() and not (path / "spec.json").exists()
    assert spawner.answer(MONITOR, NAME)["type"] == "error"
    # The upper layer of a lost monitor.
    os.chown(path, 0, NOBODY)
    (path / "disk/upper/a").mkdir(parents=True)
    os.chown(path / "disk/upper/a", 1000000, 1000000)
    assert spawner.answer(CLEAN, NAME) == {"type": "done"}
    assert not (path / "disk").exists() and (path / "deep").exists()
    assert spawner.answer(REMOVE, NAME) == {"type": "done"}
    assert not path.exists()


def test_live_monitor_is_not_cleaned(spawner):
    path = spawner.folder()
    with open(path / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for kind in (CLEAN, REMOVE):
            assert spawner.answer(kind, NAME)["code"] == "conflict"
    assert (path / "spec.json").exists()
    assert spawner.answer(REMOVE, NAME) == {"type": "done"}


def test_end_of_the_link_leaves_monitors_alone(spawner):
    path = spawner.folder()
    pair = spawner.ask(MONITOR, NAME)
    pair.recv(100000)
    monitor = [int(p) for p in os.listdir("/proc") if p.isdigit() and cwd_of(p) == str(path)]
    assert len(monitor) == 1
    assert spawner.stop() == 0
    assert cwd_of(monitor[0]) == str(path)
    pair.close()
    wait_until(lambda: cwd_of(monitor[0]) is None, 10, "end of the monitor")


def cwd_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return None


def test_children_are_reaped(spawner):
    for i in range(20):
        assert spawner.answer(CLEAN, NAME[:-1] + str(i + 1)) == {"type": "done"}

    def children():
        return pathlib.Path(f"/proc/{spawner.process.pid}/task/{spawner.process.pid}/children").read_text().split()
    wait_until(lambda: not children(), 5, "no children")


def test_sigterm_ends_it(spawner):
    spawner.process.send_signal(signal.SIGTERM)
    assert spawner.process.wait(10) == 0
