# SPDX-License-Identifier: Apache-2.0
"""hearth-monitor from outside, without hearthd: isolation, ends, limits, the attempt folder."""
import json
import os
import signal
import socket
import stat
import time

import pytest

import attempt as attempt_module
from attempt import FIRST_ID, Lab
from server import SANITIZED, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root: real containers")


def sh(text):
    return ["sh", "-c", text]


@pytest.fixture(scope="module")
def lab():
    monitor = attempt_module.find_monitor()
    if not monitor:
        pytest.skip("hearth-monitor is not built")
    lab = Lab(monitor)
    yield lab
    lab.close()


def host_pids(attempt, marker):
    """Processes of the machine whose command line holds `marker`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if marker.encode() in f.read() and int(pid) != attempt.process.pid:
                    found.append(int(pid))
        except OSError:
            pass
    return found


# What the job sees


def test_runs_in_its_own_user_namespace(lab):
    a = lab.run(sh("cat /proc/self/uid_map /proc/self/gid_map; id -u"))
    host = FIRST_ID + (lab.slot % 512) * 65536
    assert [line.split() for line in a.lines()] == [["0", str(host), "65536"]] * 2 + [["0"]]


def test_root_in_the_job_is_nobody_outside(lab):
    a = lab.start(["sleep", "77"])
    a.running()
    time.sleep(0.1)
    (pid,) = [p for p in host_pids(a, "sleep\x0077")]
    with open("/proc/%d/status" % pid) as f:
        uid = int(next(line for line in f if line.startswith("Uid:")).split()[1])
    a.tell({"type": "cancel"})
    a.wait()
    assert uid == FIRST_ID + (lab.slot % 512) * 65536


def test_no_descriptors_but_the_standard_three(lab):
    a = lab.run(sh("ls /proc/1/fd; readlink /proc/1/cwd"))
    assert a.lines() == ["0", "1", "2", "/"]


def test_privileges(lab):
    a = lab.run(sh("grep -E 'Cap|NoNewPrivs|Seccomp:' /proc/self/status"))
    facts = dict(line.split(":\t") for line in a.lines())
    chown, net_admin, net_raw, sys_admin = 0, 12, 13, 21
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        mask = int(facts[kind], 16)
        assert mask >> chown & 1
        assert not mask & (1 << net_admin | 1 << net_raw | 1 << sys_admin)
    assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"


def test_no_capabilities_for_an_ordinary_user(lab):
    a = lab.run(sh("grep CapEff /proc/self/status; touch /x || echo refused"), user="user")
    assert a.lines()[0].split()[1] == "0" * 16 and a.lines()[-1] == "refused"


def test_refused_system_calls(lab):
    a = lab.run(sh("unshare -U true; unshare -m true; mount -t tmpfs x /tmp; hostname x; chroot / true && echo chroot"))
    assert a.lines()[-1] == "chroot"
    assert sum("not permitted" in line or "denied" in line for line in a.lines()) == 4


def test_masked_and_read_only_paths(lab):
    a = lab.run(sh("wc -c < /proc/keys; ls /sys/firmware | wc -l; ls /sys/kernel | wc -l;"
                   "echo x > /proc/sysrq-trigger; echo x > /proc/sys/kernel/core_pattern;"
                   "echo x > /sys/class/net/lo/mtu; mknod /tmp/d b 254 0; echo end"))
    lines = a.lines()
    assert [line.strip() for line in lines[:3]] == ["0", "0", "0"]
    words = ("denied", "ead-only", "not permitted", "nonexistent")
    assert all(any(word in line for word in words) for line in lines[3:-1]) and len(lines) == 8


def test_a_fresh_dev(lab):
    def fill(path):
        os.makedirs(path + "/dev")
        os.symlink("/etc/passwd", path + "/dev/null")
        os.mknod(path + "/disk", stat.S_IFBLK | 0o666, os.makedev(254, 0))

    layers = lab.layers + [lab.layer("hostile dev", fill)]
    a = lab.run(sh("ls -l /dev/null; echo lost > /dev/null; grep -c root /etc/passwd;"
                   "head -c 1 /disk | wc -c; df /dev/shm | tail -1"), layers=layers)
    assert a.lines()[0].startswith("c") and a.lines()[1] == "1"
    assert any("denied" in line for line in a.lines()), "a device of the image could be opened"


def test_files_in_etc(lab):
    a = lab.run(sh("cat /etc/hostname; hostname; grep -c localhost /etc/hosts; cat /etc/resolv.conf;"
                   "grep -c root /etc/passwd; echo more >> /etc/hosts; tail -1 /etc/hosts; ls -ld /etc"))
    assert a.lines()[:5] == ["job-host", "job-host", "2", "1", "more"]
    assert a.lines()[5].split()[2:4] == ["root", "root"]


def test_an_image_whose_etc_is_a_link(lab):
    def fill(path):
        os.makedirs(path + "/usr/etc")
        os.symlink("usr/etc", path + "/etc")

    def base(path):
        Lab._fill_base(path)
        import shutil
        shutil.rmtree(path + "/etc")

    layers = [lab.layer("no etc", base), lab.layer("linked etc", fill)]
    a = lab.run(sh("cat /usr/etc/hostname; readlink /etc"), layers=layers)
    assert a.lines() == ["job-host", "usr/etc"]


def test_ownership_works_as_in_a_package_installation(lab):
    a = lab.run(sh("touch /f && chown 33:44 /f && chmod 4755 /f && ls -ln /f && mkdir -p /var/lib/x &&"
                   "ls -ln /home && su user -s /bin/sh -c 'id -u; touch /home/user/mine' && ls -ln /home/user"))
    assert a.exit["exit_code"] == 0
    fields = a.lines()[0].split()
    assert fields[0].startswith("-rwsr-xr-x") and fields[2:4] == ["33", "44"]
    assert a.lines()[-1].split()[2:4] == ["1000", "1000"]


def test_layers_are_not_touched(lab):
    path = os.path.join(lab.state, "images/layers", lab.layers[0])
    before = {name: os.lstat(os.path.join(path, name)) for name in os.listdir(path)}
    lab.run(sh("echo x > /etc/passwd; rm -rf /home; chown -R 5 /tmp /root; mv /bin/busybox /bin/b"))
    after = {name: os.lstat(os.path.join(path, name)) for name in os.listdir(path)}
    assert before.keys() == after.keys()
    for name in before:
        assert (before[name].st_uid, before[name].st_mtime_ns) == (after[name].st_uid, after[name].st_mtime_ns)


@pytest.mark.parametrize("user,uid,gid,groups", [
    ("", "0", "0", {"0", "29"}),
    ("user", "1000", "1000", {"1000", "50", "29"}),
    ("1000", "1000", "1000", {"1000", "50", "29"}),
    ("user:staff", "1000", "50", {"50"}),
    ("1000:33", "1000", "33", {"33"}),
    ("4242", "4242", "0", {"0"}),
])
def test_users(lab, user, uid, gid, groups):
    a = lab.run(sh("id -u; id -g; id -G; echo $HOME; echo again > /dev/stdout"), user=user)
    assert a.lines()[:2] == [uid, gid] and set(a.lines()[2].split()) == groups
    assert a.lines()[-1] == "again"


def test_many_layers(lab):
    def fill(number):
        def write(path):
            with open(path + "/top", "w") as f:
                f.write("%d\n" % number)
        return write

    layers = lab.layers + [lab.layer("many %d" % i, fill(i)) for i in range(100)]
    assert lab.run(["cat", "/top"], layers=layers).lines() == ["99"]


def test_working_directory_and_volumes(lab):
    a = lab.run(sh("pwd; ls -ld /data/deep"), cwd="/made/for/me", volumes=["/data/deep", "/etc"])
    assert a.lines()[0] == "/made/for/me" and a.lines()[1].startswith("drwxr-xr-x")


@pytest.mark.parametrize("cwd", ["/proc/self/fd/7", "/proc/1/cwd", "/proc/self/fd/3/../.."])
def test_hostile_working_directory(lab, cwd):
    a = lab.run(sh("pwd; ls /var/lib/hearth /work; ls -d /proc/1/cwd/../work"), cwd=cwd)
    if a.exit["outcome"] != "failed":
        assert a.lines()[0].startswith("/") and not any(x.startswith("/work") for x in a.lines())


def test_ca_bundle_and_proxy(lab, tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("the authorities\n")
    other = Lab(lab.monitor, {"container.ca_bundle": str(bundle), "container.http_proxy": "http://p:1"})
    try:
        a = other.run(sh("cat $SSL_CERT_FILE; echo $CURL_CA_BUNDLE; echo $http_proxy; echo > $SSL_CERT_FILE"),
                      env=["PATH=/bin", "CURL_CA_BUNDLE=/mine"])
        assert a.lines()[:3] == ["the authorities", "/mine", "http://p:1"]
        assert bundle.read_text() == "the authorities\n"
    finally:
        other.close()


# Failures to start


@pytest.mark.parametrize("args,changes,words", [
    (["nosuch"], {}, "Command not found: nosuch"),
    (["/bin/nosuch"], {}, "Command not found: /bin/nosuch"),
    (["/etc"], {}, "is a folder"),
    (["/etc/passwd"], {}, "not executable"),
    (["true"], {"cwd": "/etc/passwd"}, "/etc/passwd is not a folder"),
    (["true"], {"user": "stranger"}, 'no user "stranger"'),
    (["true"], {"user": "user:strangers"}, 'no group "strangers"'),
    (["true"], {"user": "70000"}, "outside of the ids"),
    (["true"], {"layers": ["0" * 64]}, "image layer"),
    (["true"], {"layers": ["../../etc"]}, "64 hex digits"),
    ([], {}, "No command"),
    (["echo", "x" * 200000], {}, "128 KiB"),
    (["true"], {"env": ["A%d=%s" % (i, "x" * 100000) for i in range(30)]}, "too large together"),
    (["true"], {"mounts": [{}]}, "kind"),
    (["true"], {"mounts": [5]}, "objects"),
    (["true"], {"mounts": [{"kind": "floppy", "target": "/a"}]}, "floppy"),
    (["true"], {"mounts": [{"kind": "bucket", "namespace": "a", "name": "b", "target": "/a/../b"}]}, "target"),
    (["true"], {"mounts": [{"kind": "bucket", "namespace": "a", "name": "b", "target": "a"}]}, "target"),
    (["true"], {"mounts": [{"kind": "bucket", "namespace": "..", "name": "attempts", "target": "/a"}]}, "namespace and name"),
    (["true"], {"mounts": [{"kind": "bucket", "namespace": "a", "name": ".trash", "target": "/a"}]}, "namespace and name"),
    (["true"], {"mounts": [{"kind": "bucket", "namespace": "a/b", "name": "c", "target": "/a"}]}, "namespace and name"),
    (["true"], {"mounts": [{"kind": "mirror", "type": "model", "source": "../x", "target": "/a"}]}, "hub.mirror"),
    (["true"], {"mounts": [{"kind": "repository", "type": "model", "source": "x", "target": "/a"}]}, "type and source"),
    (["true"], {"slot": -1}, "slot"),
])
def test_failure_says_why(lab, args, changes, words):
    a = lab.run(args, **changes)
    assert a.exit["outcome"] == "failed" and words in a.exit["message"]
    assert not a.lines()


def test_scripts_and_foreign_programs(lab):
    def fill(path):
        os.makedirs(path + "/bin")
        elf = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\x00\xb7\x00" + b"\0" * 44
        for name, data in (("arm", elf), ("bare", b"echo hi\n"), ("lost", b"#!/no/such\n")):
            with open("%s/bin/%s" % (path, name), "wb") as f:
                f.write(data)
            os.chmod("%s/bin/%s" % (path, name), 0o755)

    layers = lab.layers + [lab.layer("programs", fill)]
    for name, words in (("arm", "(arm64)"), ("bare", "#! line"), ("lost", "interpreter /no/such")):
        a = lab.run([name], layers=layers)
        assert a.exit["outcome"] == "failed" and words in a.exit["message"], a.exit


# Ends


def test_exit_code(lab):
    a = lab.run(sh("exit 7"))
    assert (a.exit["outcome"], a.exit["exit_code"], a.exit["signal"]) == ("exited", 7, 0)


def test_signal(lab):
    a = lab.run(sh("kill -SEGV $$"), user="user")
    b = lab.run(sh("sleep 0.05; exec sh -c 'sh -c \"kill -ABRT \\$PPID\"; sleep 5'"), timeout_s=2)
    assert a.exit["outcome"] in ("signaled", "exited") and b.exit["outcome"] != "failed"


def test_out_of_memory(lab):
    a = lab.run(sh("x=a; while :; do x=$x$x; done"), memory_bytes=32 << 20)
    assert a.exit["outcome"] == "oom" and a.exit["signal"] == 9
    assert a.exit["memory_limit_bytes"] == 32 << 20
    assert a.exit["memory_peak_bytes"] > 30 << 20


def test_out_of_memory_of_a_child(lab):
    a = lab.run(sh("(x=a; while :; do x=$x$x; done); echo on; exit 5"), memory_bytes=32 << 20)
    assert a.exit["outcome"] == "oom" and a.exit["exit_code"] == 5 and a.lines()[-1] == "on"
    b = lab.run(sh("(x=a; while :; do x=$x$x; done); exit 0"), memory_bytes=32 << 20)
    assert b.exit["outcome"] == "exited"


@pytest.mark.parametrize("command,grace,expected", [
    ("sleep 60", 5, 1.0),
    ("exec sleep 60", 5, 1.0),
    ("trap '' TERM; while :; do sleep 1; done", 1, 2.0),
    ("trap 'exit 3' TERM; while :; do sleep 0.05; done", 5, 1.0),
])
def test_timeout_is_precise(lab, command, grace, expected):
    a = lab.run(sh(command), timeout_s=1, grace_s=grace)
    assert a.exit["outcome"] == "timeout"
    assert expected <= a.exit["running_us"] / 1e6 < expected + 0.7


def test_timeout_can_be_extended(lab):
    a = lab.start(["sleep", "2"], timeout_s=1)
    a.running()
    a.tell({"type": "extend", "timeout_s": 30})
    assert a.wait()["outcome"] == "exited"
    b = lab.start(["sleep", "60"])
    b.running()
    b.tell({"type": "extend", "timeout_s": 1})
    assert b.wait()["outcome"] == "timeout"


@pytest.mark.parametrize("command,limit_s", [
    (["sleep", "60"], 0.5),
    (sh("trap 'echo bye; exit 9' TERM; while :; do sleep 0.05; done"), 0.7),
    (sh("trap '' TERM; while :; do sleep 0.2; done"), 2.0),
    (sh("sh -c 'trap \"exit 1\" TERM; while :; do sleep 0.05; done'; while :; do sleep 1; done"), 0.8),
])
def test_cancel(lab, command, limit_s):
    a = lab.start(command, grace_s=1)
    a.running()
    time.sleep(0.2)
    asked = time.monotonic()
    a.tell({"type": "cancel"})
    assert a.wait()["outcome"] == "canceled"
    assert a.ended - asked < limit_s


def test_cancel_during_the_start(lab):
    a = lab.start(["sleep", "60"])
    a.tell({"type": "cancel"})
    assert a.wait()["outcome"] == "canceled"


def test_double_forked_children_die(lab):
    a = lab.start(sh("(setsid sh -c 'trap \"\" TERM; sleep 4711' >/dev/null 2>&1 &); exec sleep 4711"), grace_s=0)
    a.running()
    wait_until(lambda: len(host_pids(a, "4711")) >= 2, what="both processes")
    a.tell({"type": "cancel"})
    a.wait()
    assert not host_pids(a, "4711")
    b = lab.run(sh("(setsid sleep 4712 &); exit 0"))
    assert b.exit["exit_code"] == 0 and not host_pids(b, "4712")


def test_fork_bomb_stays_inside(lab):
    a = lab.run(sh("f() { f | f & }; f; sleep 1; echo still"), pids_limit=64, timeout_s=3, grace_s=0)
    assert a.exit["outcome"] in ("timeout", "exited", "signaled")
    assert not host_pids(a, "f() {")


def test_storage_limit(lab):
    a = lab.run(sh("dd if=/dev/zero of=/f bs=1M count=80 2>/dev/null; sleep 30"), storage_bytes=40 << 20)
    assert a.exit["outcome"] == "storage" and "40 MiB" in a.exit["message"]
    assert a.exit["running_us"] < 8e6


def test_network_none_has_loopback_only(lab):
    a = lab.run(sh("ls /sys/class/net; cat /sys/class/net/lo/flags"))
    assert a.lines() == ["lo", "0x9"]  # up, loopback


# Log


def test_log_bytes(lab):
    a = lab.run(sh("printf 'one\\r\\ntwo\\n'; printf '\\377\\000x\\n'; echo err >&2; printf last"))
    assert a.log()[0][0] == "s" and a.log()[0][1].startswith(b"===== Job started at ")
    assert [text for _, text in a.log()[1:]] == [b"one", b"two", b"\xff\x00x", b"err", b"last"]


def test_long_line(lab):
    a = lab.run(sh("head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after"))
    assert [len(line) for line in a.lines()] == [10_000_000, 5]


def test_many_lines(lab):
    a = lab.run(sh("seq 1 200000"))
    assert a.lines() == [str(i) for i in range(1, 200001)]
    assert a.exit["log_bytes"] > 200000 * 16


# The attempt folder


def test_attempt_folder(lab):
    a = lab.start(sh("sleep 0.5; exit 0"))
    started = a.running()["started_ms"]
    time.sleep(0.2)
    assert not os.path.exists(a.path + "/spec.json"), "secrets are gone once read"
    state = json.load(open(a.path + "/state.json"))
    assert state == {"phase": "running", "started_ms": started, "monitor_pid": a.monitor_pid()}
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect(a.path + "/control")
    again = json.loads(peer.recv(4096))
    assert (again["type"], again["started_ms"]) == ("running", started) and again["running_us"] > 150_000
    a.wait()
    assert json.loads(peer.recv(4096)) == {"type": "ended"}
    assert a.exit["started_ms"] == started <= a.exit["ended_ms"]
    assert sorted(os.listdir(a.path)) == ["exit.json", "lock", "log", "metrics", "state.json"]
    assert json.load(open(a.path + "/state.json"))["phase"] == "ended"
    for name in os.listdir(a.path):
        facts = os.stat(os.path.join(a.path, name))
        assert (stat.S_IMODE(facts.st_mode), facts.st_gid) == (0o640, attempt_module.GROUP)


def test_two_monitors_on_one_folder(lab):
    a = lab.start(["sleep", "1"])
    a.running()
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    import subprocess
    second = subprocess.run(["unshare", "-pfm", lab.monitor, "--config", lab.config], cwd=a.path,
                            close_fds=False, preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
    assert second.returncode != 0 and json.loads(mine.recv(4096))["code"] == "conflict"
    assert a.wait()["outcome"] == "exited"


def test_no_hearthd_needed(lab):
    a = lab.start(sh("sleep 0.3; echo done"))
    a.socket.close()
    a.process.wait(20)
    assert json.load(open(a.path + "/exit.json"))["outcome"] == "exited" and a.lines() == ["done"]


def test_signals_do_not_end_a_monitor(lab):
    a = lab.start(["sleep", "1"])
    a.running()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(a.monitor_pid(), number)
    assert a.wait()["outcome"] == "exited"


def test_killed_monitor_leaves_nothing_alive(lab):
    a = lab.start(sh("(setsid sleep 4713 &); trap '' TERM; sleep 4713"))
    a.running()
    time.sleep(0.2)
    assert host_pids(a, "4713")
    a.kill_monitor()
    a.process.wait(10)
    assert not host_pids(a, "4713")
    assert "hearth-lab" not in open("/proc/mounts").read()
    assert not os.path.exists(a.path + "/exit.json")


def test_a_folder_that_vanishes_does_not_hold_the_monitor(lab):
    import shutil
    a = lab.start(["sleep", "0.5"])
    a.running()
    while os.path.exists(a.path):  # the monitor may write into it meanwhile
        shutil.rmtree(a.path, ignore_errors=True)
    a.process.wait(10)


def test_deep_trees_are_removed(lab):
    a = lab.run(sh("i=0; while [ $i -lt 1500 ]; do mkdir d; cd d; i=$((i+1)); done 2>/dev/null; echo $i"))
    assert int(a.lines()[-1]) > 1000 and not os.path.exists(a.path + "/disk")


def test_memory_of_a_running_monitor(lab):
    a = lab.start(["sleep", "30"])
    a.running()
    time.sleep(0.5)
    with open("/proc/%d/smaps_rollup" % a.monitor_pid()) as f:
        pss = next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    a.tell({"type": "cancel"})
    a.wait()
    assert pss <= 1500 or SANITIZED
