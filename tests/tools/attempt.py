# SPDX-License-Identifier: Apache-2.0
"""Runs hearth-monitor on an attempt folder without hearthd: what hearthd and the spawner do, in Python.

    lab = Lab(monitor_program)
    attempt = lab.start(["sh", "-c", "echo hello"])
    attempt.wait()
    attempt.exit, attempt.lines()
"""
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BUSYBOX = "/bin/busybox"
GROUP = 4321  # in the place of hearthd's
FIRST_ID = 3_000_000_000 - 3_000_000_000 % 65536 - 65536 * 4096


def find_monitor():
    """The program under test: HEARTH_MONITOR, else that of the build folder HEARTH_BUILD."""
    if "HEARTH_MONITOR" in os.environ:
        return os.environ["HEARTH_MONITOR"]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for build in (os.environ.get("HEARTH_BUILD"), os.path.join(root, "build")):
        path = build and os.path.join(build, "src/container/hearth-monitor")
        if path and os.path.exists(path):
            return path
    return None


class Lab:
    """A state folder with one image: busybox, a few users, traps."""

    def __init__(self, monitor, settings=None):
        self.monitor = monitor
        self.state = tempfile.mkdtemp(prefix="hearth-lab.")
        os.chmod(self.state, 0o755)
        self.slot = 0
        self.cgroup = "hearth-lab-%d" % os.getpid()
        for name in ("images/layers", "attempts", "run"):
            os.makedirs(os.path.join(self.state, name))
        os.chmod(os.path.join(self.state, "images/layers"), 0o700)
        sections = {
            "server": {"state_dir": self.state},
            "container": {"runtime": "crun", "cgroup_parent": self.cgroup, "first_id": FIRST_ID},
        }
        for key, value in (settings or {}).items():
            section, name = key.split(".")
            sections.setdefault(section, {})[name] = value
        self.config = os.path.join(self.state, "run/effective.ini")
        with open(self.config, "w") as f:
            for section, keys in sections.items():
                f.write("[%s]\n" % section)
                for name, value in keys.items():
                    f.write("%s = %s\n" % (name, value))
        self.layers = [self.layer("base", self._fill_base)]

    def layer(self, name, fill):
        """Make a layer with fill(path) and return its name in the store."""
        digest = hashlib.sha256(name.encode()).hexdigest()
        path = os.path.join(self.state, "images/layers", digest)
        os.mkdir(path)
        fill(path)
        with open(path + ".json", "w") as f:
            json.dump({"size": 0, "digest": "sha256:" + digest}, f)
        return digest

    @staticmethod
    def _fill_base(path):
        for name in ("bin", "etc", "tmp", "home/user", "proc", "sys", "dev", "root"):
            os.makedirs(os.path.join(path, name))
        os.chmod(os.path.join(path, "tmp"), 0o1777)
        os.chown(os.path.join(path, "home/user"), 1000, 1000)
        shutil.copy(BUSYBOX, os.path.join(path, "bin/busybox"))
        applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
        for applet in applets.stdout.split():
            if applet != "busybox":
                os.symlink("busybox", os.path.join(path, "bin", applet))
        with open(os.path.join(path, "etc/passwd"), "w") as f:
            f.write("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
        with open(os.path.join(path, "etc/group"), "w") as f:
            f.write("root:x:0:\nuser:x:1000:\nstaff:x:50:user\naudio:x:29:root,user\n")
        os.symlink("/nowhere/at/all", os.path.join(path, "etc/resolv.conf"))

    def start(self, args, **changes):
        self.slot += 1
        return Attempt(self, self.slot, args, changes)

    def run(self, args, **changes):
        attempt = self.start(args, **changes)
        attempt.wait()
        return attempt

    def close(self):
        for part in ("", "memory", "cpu", "cpuacct", "pids", "devices"):
            parent = os.path.join("/sys/fs/cgroup", part, self.cgroup)
            for path, _, _ in os.walk(parent, topdown=False):  # of killed monitors, too
                os.rmdir(path)
        shutil.rmtree(self.state, ignore_errors=True)


class Attempt:
    def __init__(self, lab, number, args, changes):
        self.lab = lab
        self.job_id = "%024x" % number
        self.path = os.path.join(lab.state, "attempts", self.job_id + ".1")
        os.mkdir(self.path, 0o750)
        os.chown(self.path, 0, GROUP)
        spec = {
            "job_id": self.job_id, "attempt": 1, "slot": number % 512, "layers": lab.layers,
            "args": args, "env": ["PATH=/bin", "SECRET=hidden"], "cwd": "/", "user": "",
            "hostname": "job-host", "cpu_millis": 1000, "memory_bytes": 256 << 20,
            "storage_bytes": 0, "pids_limit": 256, "timeout_s": 60, "grace_s": 5,
            "log_limit_bytes": 0, "network": "none", "marker": True, "volumes": [], "mounts": [],
        }
        spec.update(changes)
        fd = os.open(os.path.join(self.path, "spec.json"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, json.dumps(spec).encode())
        os.close(fd)
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        self.started = time.monotonic()
        # unshare is the spawner's stand-in; when it dies, so does the monitor.
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount", "--kill-child", "--propagation", "unchanged",
             lab.monitor, "--config", lab.config],
            cwd=self.path, close_fds=False, preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()

    def message(self):
        data = self.socket.recv(65536)
        return json.loads(data) if data else None

    def running(self):
        message = self.message()
        assert message and message["type"] == "running", message
        return message

    def tell(self, message):
        self.socket.send(json.dumps(message).encode())

    def wait(self):
        """Until the monitor said "ended"; then until it is gone. Returns the exit record."""
        while True:
            message = self.message()
            assert message, "the monitor vanished"
            if message["type"] == "error":
                raise AssertionError(message)
            if message["type"] == "ended":
                break
        self.ended = time.monotonic()
        self.exit = json.load(open(os.path.join(self.path, "exit.json")))
        assert self.process.wait(30) == 0
        return self.exit

    def monitor_pid(self):
        """As the host sees it."""
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            return int(f.read().split()[0])

    def kill_monitor(self):
        os.kill(self.monitor_pid(), signal.SIGKILL)

    def log(self):
        """Records: [(kind, bytes)]"""
        path = os.path.join(self.path, "log")
        if os.path.exists(path):
            data = open(path, "rb").read()
        elif not os.path.exists(path + ".zst"):
            data = b""
        else:
            data = subprocess.run(["zstd", "-dc", path + ".zst"], capture_output=True,
                                  check=True).stdout
        records = []
        for line in data.split(b"\n")[:-1]:
            assert re.match(rb"\d{13} [ocs] ", line), line[:80]
            records.append((line[14:15].decode(), line[16:]))
        return records

    def lines(self):
        """Lines of the job as text, without the marker."""
        lines, partial = [], b""
        for kind, text in self.log():
            if kind == "s":
                continue
            partial += text
            if kind == "o":
                lines.append(partial.decode("utf-8", "replace"))
                partial = b""
        return lines
