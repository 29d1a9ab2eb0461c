# SPDX-License-Identifier: Apache-2.0
"""Devices of a job by CDI, given by the monitor: what it sees, what it cannot open, what is refused."""
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest

import attempt as attempt_module
from attempt import Lab
from server import wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root: real containers")

LOOP = "/dev/loop7"


def sh(text):
    return ["sh", "-c", text]


class Folders:
    """Two CDI folders for a lab, and what a test puts there."""

    def __init__(self, base):
        self.paths = [str(base / "one"), str(base / "two")]
        for path in self.paths:
            os.mkdir(path, 0o755)

    def put(self, text, name="spec.json", folder=0, mode=0o644):
        path = os.path.join(self.paths[folder], name)
        with open(path, "w") as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        os.chmod(path, mode)
        return path

    def clear(self):
        for path in self.paths:
            for name in os.listdir(path):
                os.unlink(os.path.join(path, name))


def spec(kind="hearth.test/node", edits=None, **devices):
    """A specification whose devices are these edits, or the path of one node."""
    def edit(value):
        return {"deviceNodes": [{"path": value}]} if isinstance(value, str) else value
    return {"cdiVersion": "0.6.0", "kind": kind, "containerEdits": edits or {},
            "devices": [{"name": name, "containerEdits": edit(value)} for name, value in devices.items()]}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    monitor = attempt_module.find_monitor()
    if not monitor:
        pytest.skip("hearth-monitor is not built")
    base = tmp_path_factory.mktemp("cdi")
    folders = Folders(base)
    lab = Lab(monitor, {"devices.cdi_dirs": ",".join(folders.paths)})
    lab.cdi = folders
    yield lab
    lab.close()


@pytest.fixture(autouse=True)
def no_specifications(request):
    if "lab" in request.fixturenames:
        request.getfixturevalue("lab").cdi.clear()


def failure(attempt):
    assert attempt.exit["outcome"] == "failed", (attempt.exit, attempt.lines())
    return attempt.exit["message"]


# What a job gets


def test_a_node_of_its_own(lab):
    lab.cdi.put(spec(fuse="/dev/fuse"))
    a = lab.run(sh("ls -ln /dev/fuse; exec 3<>/dev/fuse && echo open"), devices=["hearth.test/node=fuse"])
    fields = a.lines()[0].split()
    assert fields[0] == "crw-------" and fields[2:4] == ["0", "0"] and fields[4:6] == ["10,", "229"]
    assert a.lines()[-1] == "open"


def test_the_node_belongs_to_the_user_of_the_job(lab):
    lab.cdi.put(spec(fuse={"deviceNodes": [{"path": "/dev/fuse", "fileMode": 0o640, "uid": 5, "gid": 6}]}))
    a = lab.run(sh("ls -ln /dev/fuse; exec 3<>/dev/fuse && echo open"), devices=["hearth.test/node=fuse"], user="user")
    fields = a.lines()[0].split()
    assert fields[0] == "crw-r-----" and fields[2:4] == ["1000", "1000"] and a.lines()[-1] == "open"


def test_yaml_other_names_and_folders(lab):
    lab.cdi.put("""
cdiVersion: "0.5.0"
kind: hearth.test/node
devices:
  - name: 0
    containerEdits: &edits
      deviceNodes:
        - {path: /dev/deep/er/device, hostPath: /dev/net/tun, permissions: rw, fileMode: 0666}
      env: ["FROM_YAML=yes"]
  - name: again
    containerEdits: *edits
""", "spec.yaml")
    for name in ("0", "again"):
        a = lab.run(sh("ls -ln /dev/deep/er/device; echo $FROM_YAML; exec 3<>/dev/deep/er/device && echo open"),
                    devices=["hearth.test/node=" + name])
        assert a.lines()[0].startswith("crw-rw-rw-") and a.lines()[1:] == ["yes", "open"]


def test_a_block_device_only_to_read(lab):
    lab.cdi.put(spec(loop={"deviceNodes": [{"path": LOOP, "permissions": "r"}]}))
    a = lab.run(sh(f"ls -ln {LOOP}; exec 3<{LOOP} && echo read; exec 4<>{LOOP} || echo refused"),
                devices=["hearth.test/node=loop"])
    assert a.lines()[0].startswith("b") and "read" in a.lines()
    assert any("not permitted" in line for line in a.lines())


def test_files_variables_and_links(lab, tmp_path):
    for name in ("lib", "lib/sub"):
        (tmp_path / name).mkdir()
    (tmp_path / "lib/libx.so.1.2").write_text("a library")
    (tmp_path / "lib/sub/inner").write_text("inner")
    lab.cdi.put(spec(edits={
        "env": ["NVIDIA_VISIBLE_DEVICES=0", "MINE=spec", "OTHER=x"],
        "mounts": [{"hostPath": f"{tmp_path}/lib/libx.so.1.2", "containerPath": "/opt/lib/libx.so.1.2", "options": ["ro", "bind"]},
                   {"hostPath": f"{tmp_path}/lib", "containerPath": "/opt/all"}],
        "hooks": [{"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk",
                   "args": ["nvidia-ctk", "hook", "create-symlinks", "--link", "libx.so.1.2::/opt/lib/libx.so", "--link=../all::/opt/lib/way"]},
                  {"hookName": "createContainer", "path": "/usr/bin/nvidia-cdi-hook",
                   "args": ["nvidia-cdi-hook", "update-ldcache", "--folder", "/opt/lib"]},
                  {"hookName": "createContainer", "path": "/bin/unknown", "args": ["unknown"]}],
    }, fuse="/dev/fuse"))
    a = lab.run(sh("cat /opt/lib/libx.so /opt/lib/way/sub/inner; echo; echo $MINE $OTHER $LD_LIBRARY_PATH $NVIDIA_VISIBLE_DEVICES;"
                   "echo x > /opt/lib/libx.so.1.2; echo x > /opt/all/new; grep ' /opt/all' /proc/self/mounts"),
                devices=["hearth.test/node=fuse"], env=["PATH=/bin", "MINE=user", "LD_LIBRARY_PATH=/a:/b", "NVIDIA_VISIBLE_DEVICES=all"])
    assert a.lines()[:2] == ["a libraryinner", "spec x /a:/b:/opt/lib void"]
    assert sum("ead-only" in line for line in a.lines()) == 2
    options = a.lines()[-1].split()[3].split(",")
    assert {"ro", "nosuid", "nodev"} <= set(options)


def test_a_program_of_the_driver_is_a_command(lab, tmp_path):
    shutil.copy("/bin/busybox", tmp_path / "tool")
    lab.cdi.put(spec(fuse={"deviceNodes": [{"path": "/dev/fuse"}], "mounts": [
        {"hostPath": f"{tmp_path}/tool", "containerPath": "/usr/local/nvidia/bin/echo"}]}))
    a = lab.run(["/usr/local/nvidia/bin/echo", "hello"], devices=["hearth.test/node=fuse"])
    assert a.lines() == ["hello"]
    a = lab.run(sh("echo $PATH"), devices=["hearth.test/node=fuse"])
    assert a.lines() == ["/bin:/usr/local/nvidia/bin"]


def test_two_devices_and_a_later_folder(lab):
    lab.cdi.put(spec(one="/dev/fuse", two="/dev/net/tun"))
    lab.cdi.put(spec(one=LOOP), folder=1)
    a = lab.run(sh(f"ls {LOOP} /dev/net/tun; ls /dev/fuse 2>/dev/null; echo $?"),
                devices=["hearth.test/node=one", "hearth.test/node=two"])
    assert sorted(a.lines()) == sorted([LOOP, "/dev/net/tun", "1"])


# What a job does not get (S14)


def test_nothing_without_devices(lab):
    lab.cdi.put(spec(fuse="/dev/fuse"))
    a = lab.run(sh("ls /dev; env | grep -c NVIDIA_; echo $NVIDIA_VISIBLE_DEVICES"), env=["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=all",
                                                                                       "NVIDIA_DRIVER_CAPABILITIES=all"])
    assert "fuse" not in a.lines() and "null" in a.lines()
    assert a.lines()[-1] == "void"


def test_no_nodes_can_be_made(lab):
    lab.cdi.put(spec(fuse="/dev/fuse"))
    a = lab.run(sh("mknod /tmp/a c 10 229 || echo refused; mknod /dev/b c 1 3 || echo refused; mknod /dev/shm/c b 7 7 || echo refused"),
                devices=["hearth.test/node=fuse"])
    assert a.lines().count("refused") == 3


def device_groups(attempt):
    """(folder of the attempt's group where devices are restricted, is it v1)"""
    name = os.path.basename(attempt.path)
    for base, is_v1 in (("/sys/fs/cgroup/devices", True), ("/sys/fs/cgroup", False)):
        path = os.path.join(base, attempt.lab.cgroup, name)
        if os.path.isdir(path):
            return path, is_v1
    raise AssertionError("no control group")


def open_all(folder, paths):
    """Which of these nodes of the host a root process in that control group can open."""
    script = "import os, sys\nopen(sys.argv[1] + '/cgroup.procs', 'w').write('0')\n" \
             "for path in sys.argv[2:]:\n    try:\n        os.close(os.open(path, os.O_RDWR)); print(path)\n    except PermissionError: pass\n"
    done = subprocess.run(["/usr/bin/python3", "-c", script, folder, *paths], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("devices,extra", [([], []), (["hearth.test/node=fuse"], ["/dev/fuse"])])
def test_the_control_group_allows_no_other_device(lab, devices, extra):
    """Even root of the host could open no other one there, so no trick of the job can."""
    lab.cdi.put(spec(fuse="/dev/fuse"))
    a = lab.start(["sleep", "60"], devices=devices)
    try:
        a.running()
        folder, is_v1 = device_groups(a)
        usual = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx"]
        assert open_all(folder, usual + ["/dev/fuse", "/dev/net/tun", LOOP, "/dev/loop-control"]) == usual + extra
        if is_v1:
            rules = open(folder + "/devices.list").read().split("\n")
            assert "a *:* rwm" not in rules and ("c 10:229 rw" in rules) == bool(extra)
    finally:
        a.tell({"type": "cancel"})
        a.wait()


def test_no_node_of_others_through_proc(lab):
    """A process of another job has a node open and in its root: neither can be reached."""
    lab.cdi.put(spec(fuse="/dev/fuse"))
    holder = lab.start(sh("exec 3<>/dev/fuse; echo held; sleep 60"), devices=["hearth.test/node=fuse"])
    try:
        holder.running()
        a = lab.run(sh("for p in /proc/[0-9]*; do ls -l $p/root/dev/ $p/fd/; done 2>&1 | grep -w fuse; ls /proc/1/fd | grep -c .; echo end"))
        assert len(a.lines()) == 2 and a.lines()[1] == "end", a.lines()
    finally:
        holder.tell({"type": "cancel"})
        holder.wait()


def test_an_inherited_node_of_an_image_is_useless(lab):
    def fill(path):
        os.mknod(path + "/mine", stat.S_IFCHR | 0o666, os.makedev(10, 229))

    lab.cdi.put(spec(fuse="/dev/fuse"))
    layers = lab.layers + [lab.layer("image with fuse", fill)]
    a = lab.run(sh("exec 3<>/mine"), layers=layers, devices=["hearth.test/node=fuse"])
    assert a.exit["exit_code"] != 0 and any("denied" in line for line in a.lines())


def test_the_host_keeps_its_node(lab):
    before = os.stat("/dev/fuse")
    lab.cdi.put(spec(fuse="/dev/fuse"))
    lab.run(sh("chmod 777 /dev/fuse; chown 7:7 /dev/fuse; rm -f /dev/fuse; umount /dev/fuse"), devices=["hearth.test/node=fuse"])
    after = os.stat("/dev/fuse")
    assert (before.st_mode, before.st_uid, before.st_gid, before.st_rdev) == (after.st_mode, after.st_uid, after.st_gid, after.st_rdev)


# Links of an image in the way


def test_links_of_the_image(lab, tmp_path):
    (tmp_path / "file").write_text("driver")

    def fill(path):
        os.makedirs(path + "/dev/net")
        os.symlink("/etc/passwd", path + "/dev/fuse")
        os.makedirs(path + "/usr/lib")
        os.symlink("../../../../../../etc", path + "/usr/lib/nvidia")
        os.symlink("/etc/passwd", path + "/usr/lib/link")
        os.symlink("/proc/1/root", path + "/magic")
        os.symlink("/usr/lib/dangling/x", path + "/usr/lib/broken")

    mounts = [{"hostPath": f"{tmp_path}/file", "containerPath": path}
              for path in ("/usr/lib/nvidia/driver", "/usr/lib/link", "/usr/lib/broken", "/usr/lib/nvidia/passwd")]
    lab.cdi.put(spec(fuse={"deviceNodes": [{"path": "/dev/fuse"}], "mounts": mounts}))
    layers = lab.layers + [lab.layer("hostile links", fill)]
    before = open("/etc/passwd").read()
    a = lab.run(sh("cat /etc/driver /usr/lib/link /usr/lib/broken /etc/passwd; readlink /usr/lib/link; ls -l /dev/fuse"),
                layers=layers, devices=["hearth.test/node=fuse"])
    assert a.lines()[0].startswith("driver" * 4 + "c"), a.lines()
    assert open("/etc/passwd").read() == before and not os.path.exists("/etc/driver")


@pytest.mark.parametrize("way", ["/proc", "/sys", "/dev", "/proc/1/attr"])
def test_links_of_the_image_to_what_every_container_has(lab, tmp_path, way):
    (tmp_path / "x").write_text("driver")
    def fill(path):
        for folder in ("/opt", way):
            os.makedirs(path + folder, exist_ok=True)
        os.symlink(way, path + "/opt/way")
    layers = lab.layers + [lab.layer("a way to " + way, fill)]
    for source, target in ((tmp_path, "/opt/way"), (tmp_path / "x", "/opt/way/x")):
        mount = {"hostPath": str(source), "containerPath": target, "options": ["ro", "bind"]}
        lab.cdi.put(spec(fuse={"deviceNodes": [{"path": "/dev/fuse"}], "mounts": [mount]}))
        a = lab.run(["true"], layers=layers, devices=["hearth.test/node=fuse"])
        assert f"a link of the image leads to {way}, where" in failure(a)


def test_a_folder_of_the_image_in_the_way(lab, tmp_path):
    (tmp_path / "file").write_text("driver")

    def fill(path):
        os.makedirs(path + "/usr/lib/libx.so")

    lab.cdi.put(spec(fuse={"deviceNodes": [{"path": "/dev/fuse"}],
                           "mounts": [{"hostPath": f"{tmp_path}/file", "containerPath": "/usr/lib/libx.so"}]}))
    a = lab.run(["true"], layers=lab.layers + [lab.layer("folder", fill)], devices=["hearth.test/node=fuse"])
    assert failure(a) == "Device: /usr/lib/libx.so is a folder in the image, but the device needs a file there"


# What fails, and with which words


def test_unknown_devices(lab):
    a = lab.run(["true"], devices=["hearth.test/node=none"])
    assert failure(a) == "Device: the device hearth.test/node=none is gone: no CDI specification and no driver knows it now"


def test_a_device_that_has_gone(lab, tmp_path):
    node = tmp_path / "node"
    os.mknod(node, stat.S_IFCHR | 0o600, os.makedev(10, 229))
    device = {"deviceNodes": [{"path": "/dev/it", "hostPath": str(node)}]}
    lab.cdi.put(spec(it=device))
    assert lab.run(sh("exec 3<>/dev/it"), devices=["hearth.test/node=it"]).exit["exit_code"] == 0
    os.unlink(node)
    a = lab.run(["true"], devices=["hearth.test/node=it"])
    assert failure(a) == f"Device: the device is gone: the host has no {node} (No such file or directory)"
    node.write_text("a file")
    assert "is no device node on the host" in failure(lab.run(["true"], devices=["hearth.test/node=it"]))


def test_a_stale_specification(lab, tmp_path):
    lab.cdi.put(spec(fuse={"deviceNodes": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 230}]},
                     block={"deviceNodes": [{"path": "/dev/fuse", "type": "b"}]},
                     file={"mounts": [{"hostPath": f"{tmp_path}/gone", "containerPath": "/x"}]},
                     right={"deviceNodes": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]}))
    a = lab.run(["true"], devices=["hearth.test/node=fuse"])
    assert "/dev/fuse is the device 10:229 now, but 10:230 in its CDI specification" in failure(a)
    assert "/dev/fuse is no block device" in failure(lab.run(["true"], devices=["hearth.test/node=block"]))
    assert "older than the driver" in failure(lab.run(["true"], devices=["hearth.test/node=file"]))
    assert lab.run(["true"], devices=["hearth.test/node=right"]).exit["exit_code"] == 0


def test_two_specifications_for_one_device(lab):
    lab.cdi.put(spec(fuse="/dev/fuse"), "a.json")
    lab.cdi.put(spec(fuse="/dev/net/tun", other=LOOP), "b.json")
    message = failure(lab.run(["true"], devices=["hearth.test/node=fuse"]))
    assert "is in two CDI specifications" in message and "a.json" in message and "b.json" in message
    assert lab.run(["true"], devices=["hearth.test/node=other"]).exit["exit_code"] == 0
    lab.cdi.put(spec(kind="hearth.test/more", x={"deviceNodes": [{"path": LOOP, "hostPath": "/dev/net/tun"}]}), "c.json")
    message = failure(lab.run(["true"], devices=["hearth.test/node=other", "hearth.test/more=x"]))
    assert "contradict each other" in message and LOOP in message


@pytest.mark.parametrize("device", [
    "/dev/../etc/shadow", "dev/fuse", "/etc/fuse", "/dev", "/dev/null", "/dev/pts/0", "/dev//fuse", "/dev/./fuse", "", "/dev/shm/x",
    {"deviceNodes": [{"path": "/dev/x", "hostPath": "../fuse"}]},
    {"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/fuse", "permissions": "rwx"}]},
    {"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/fuse", "type": "p"}]},
    {"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/fuse", "major": -1}]},
    {"mounts": [{"hostPath": "/etc", "containerPath": "/proc/x"}]},
    {"mounts": [{"hostPath": "/etc", "containerPath": "/sys"}]},
    {"mounts": [{"hostPath": "/etc", "containerPath": "/a/../.."}]},
    {"mounts": [{"hostPath": "/etc", "containerPath": "/"}]},
    {"mounts": [{"hostPath": "etc", "containerPath": "/x"}]},
    {"mounts": [{"hostPath": "/etc", "containerPath": "/x", "type": "tmpfs"}]},
    {"env": ["NO_VALUE"]},
    {"hooks": [{"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk",
                "args": ["nvidia-ctk", "hook", "create-symlinks", "--link", "x::../../etc/cron.d/x"]}]},
], ids=str)
def test_hostile_specifications_are_left_out(lab, device):
    lab.cdi.put(spec(bad=device))
    lab.cdi.put(spec(kind="hearth.test/good", fuse="/dev/fuse"), "good.json")
    assert "is gone" in failure(lab.run(["true"], devices=["hearth.test/node=bad"]))
    assert lab.run(["true"], devices=["hearth.test/good=fuse"]).exit["exit_code"] == 0


def test_specifications_that_others_can_write(lab):
    path = lab.cdi.put(spec(fuse="/dev/fuse"), mode=0o666)
    assert "is gone" in failure(lab.run(["true"], devices=["hearth.test/node=fuse"]))
    os.chmod(path, 0o644)
    os.chown(path, 1000, 1000)
    assert "is gone" in failure(lab.run(["true"], devices=["hearth.test/node=fuse"]))
    os.chown(path, 0, 0)
    assert lab.run(["true"], devices=["hearth.test/node=fuse"]).exit["exit_code"] == 0
    os.chmod(lab.cdi.paths[0], 0o777)
    assert "is gone" in failure(lab.run(["true"], devices=["hearth.test/node=fuse"]))
    os.chmod(lab.cdi.paths[0], 0o755)


def test_nothing_is_left(lab):
    lab.cdi.put(spec(fuse="/dev/fuse"))
    a = lab.run(["true"], devices=["hearth.test/node=fuse"])
    name = os.path.basename(a.path)
    for path, folders, _ in os.walk("/sys/fs/cgroup"):
        assert name not in folders, path
    assert "hearth" not in "".join(line for line in open("/proc/self/mounts") if "/devices" in line and line.startswith("hearth"))


@pytest.mark.skipif(not os.path.exists("/sys/fs/cgroup/devices/devices.list"), reason="cgroup v2 always has the hook for rules")
def test_a_kernel_without_rules_for_devices(lab, tmp_path):
    wrapper = tmp_path / "monitor"
    wrapper.write_text(f'#!/bin/sh -e\nmount --make-rprivate /\numount /sys/fs/cgroup/devices\nexec {lab.monitor} "$@"\n')
    wrapper.chmod(0o755)
    bare = Lab(str(wrapper), {"devices.cdi_dirs": ",".join(lab.cdi.paths)})
    try:
        lab.cdi.put(spec(fuse="/dev/fuse"))
        assert bare.run(["true"]).exit["exit_code"] == 0
        assert os.path.exists(bare.state + "/run/devices-unguarded")  # said once
        assert bare.run(["true"]).exit["exit_code"] == 0
        a = bare.run(["true"], devices=["hearth.test/node=fuse"])
        assert failure(a) == "Jobs with devices cannot run here: the kernel has no cgroup controller for devices"
    finally:
        bare.close()


@pytest.mark.skipif(not os.path.exists("/sys/fs/cgroup/devices/devices.list"), reason="rules are inherited in cgroup v1 only")
def test_a_parent_that_may_not_have_all(lab):
    poor = Lab(lab.monitor, {"devices.cdi_dirs": ",".join(lab.cdi.paths), "container.cgroup_parent": lab.cgroup + "-poor"})
    poor.cgroup = lab.cgroup + "-poor"
    try:
        lab.cdi.put(spec(fuse="/dev/fuse"))
        assert poor.run(["true"]).exit["exit_code"] == 0
        with open(f"/sys/fs/cgroup/devices/{poor.cgroup}/devices.deny", "w") as f:
            f.write("c 1:7 rw")
        a = poor.run(sh("for d in null zero full random urandom ptmx; do (exec 3<>/dev/$d) 2>&- && echo $d; done; true"))
        assert a.lines() == ["null", "zero", "random", "urandom", "ptmx"], "what it may have, it gets"
        a = poor.run(["true"], devices=["hearth.test/node=fuse"])
        assert "the job's cgroup may not have the device c 1:7 rw" in failure(a)
    finally:
        poor.close()


# An NVIDIA driver without a specification: what it shows is made up here, the rest is real

DRIVER = r"""#!/bin/sh -e
# A driver's files in the monitor's own mount namespace; its cards are nodes of devices that every machine has.
mount --make-rprivate /
mount -t tmpfs driver /proc/driver
mkdir -p /proc/driver/nvidia/gpus/0000:01:00.0 /proc/driver/nvidia/gpus/0000:02:00.0
echo 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024' > /proc/driver/nvidia/version
for n in 0 1; do
	printf 'Model: \t\t NVIDIA A100\nGPU UUID: \t GPU-card%s\nDevice Minor: \t %s\n' $n $n > /proc/driver/nvidia/gpus/0000:0$((n + 1)):00.0/information
	mig=/proc/driver/nvidia/capabilities/gpu$n/mig/gi1
	mkdir -p $mig/ci0
	echo "DeviceFileMinor: ${n}3" > $mig/access
	echo "DeviceFileMinor: ${n}4" > $mig/ci0/access
done
mount -t tmpfs dev /run
mkdir -p /run/dev/pts /run/dev/shm /run/dev/nvidia-caps /run/opengl-driver/lib
for name in null zero full random urandom tty ptmx; do cp -a /dev/$name /run/dev/; done
mknod -m 666 /run/dev/nvidiactl c 10 200
mknod -m 666 /run/dev/nvidia-uvm c 10 200
mknod -m 666 /run/dev/nvidia-modeset c 10 200
mknod -m 666 /run/dev/nvidia0 c 10 229
mknod -m 666 /run/dev/nvidia1 c 10 237
for n in 03 04 13 14; do mknod -m 444 /run/dev/nvidia-caps/nvidia-cap$n c 10 229; done
cp "$LIBRARY" /run/opengl-driver/lib/libcuda.so.535.183.01
mount -t tmpfs programs /usr/local/bin
cp /bin/busybox /usr/local/bin/nvidia-smi
mount --rbind /run/dev /dev
exec "$MONITOR" "$@"
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    monitor = attempt_module.find_monitor()
    if not monitor:
        pytest.skip("hearth-monitor is not built")
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip("this machine has a driver of its own")
    libraries = subprocess.run(["ldd", "/usr/bin/python3"], capture_output=True, text=True, check=True).stdout
    library = next(line.split()[2] for line in libraries.split("\n") if line.strip().startswith("libz.so.1"))
    wrapper = tmp_path_factory.mktemp("driver") / "monitor"
    wrapper.write_text(DRIVER.replace("$LIBRARY", library).replace("$MONITOR", monitor))
    wrapper.chmod(0o755)
    lab = Lab(str(wrapper), {"devices.cdi_dirs": "/nonexistent"})
    yield lab
    lab.close()


def test_a_card_of_nvidia(driver):
    a = driver.run(sh("ls /dev | grep nvidia; exec 3<>/dev/nvidia0 && echo open; ls -l /usr/local/nvidia/lib64; readlink /usr/local/nvidia/lib64/libz.so.1;"
                      "echo $PATH $LD_LIBRARY_PATH $NVIDIA_VISIBLE_DEVICES; nvidia-smi 2>&1; echo x > /usr/local/nvidia/lib64/libz.so.1"),
                   devices=["nvidia.com/gpu=GPU-card0"], env=["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=all"])
    lines = a.lines()
    assert lines[:4] == ["nvidia-uvm", "nvidia0", "nvidiactl", "open"], lines
    assert "libcuda.so.535.183.01" in lines and any(line.endswith("libcuda.so -> libcuda.so.1") for line in lines)
    assert "/bin:/usr/local/nvidia/bin /usr/local/nvidia/lib64 void" in lines
    assert any("applet not found" in line for line in lines), "nvidia-smi of the driver did not run"
    assert "ead-only" in lines[-1]


def test_a_program_of_nvidia_as_the_command(driver):
    a = driver.run(["nvidia-smi", "-L"], devices=["nvidia.com/gpu=1"])
    assert a.exit["exit_code"] == 127 and "applet not found" in a.lines()[0]


def test_a_card_and_no_other(driver):
    a = driver.start(["sleep", "60"], devices=["nvidia.com/gpu=1"])
    try:
        a.running()
        folder, _ = device_groups(a)
        assert open_all(folder, ["/dev/loop-control", "/dev/net/tun", "/dev/fuse", LOOP]) == ["/dev/loop-control", "/dev/net/tun"]
    finally:
        a.tell({"type": "cancel"})
        a.wait()


def test_a_slice_has_its_capabilities_only(driver):
    a = driver.run(sh("ls /dev/nvidia-caps /dev/nvidia0; ls /dev/nvidia1"), devices=["nvidia.com/gpu=GPU-card0:1:0"])
    assert a.lines()[:4] == ["/dev/nvidia0", "", "/dev/nvidia-caps:", "nvidia-cap03"] and "nvidia-cap04" in a.lines()
    assert not any("nvidia-cap1" in line for line in a.lines()) and a.exit["exit_code"] != 0
    a = driver.run(sh("ls /dev/nvidia-caps"), devices=["nvidia.com/gpu=GPU-card0"])
    assert a.exit["exit_code"] != 0


def test_no_card_without_asking(driver):
    a = driver.run(sh("ls /dev | grep nvidia; ls /usr/local/nvidia"), env=["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=all"])
    assert len(a.lines()) == 1 and "No such file" in a.lines()[0]


# Through a real server: from a flavor to the node in the job


@pytest.fixture(scope="module")
def node_server(make_server, request):
    cdi = pathlib.Path(tempfile.mkdtemp(prefix="hearth-cdi.", dir="/var/tmp"))  # hearthd's user has to read it, too
    request.addfinalizer(lambda: shutil.rmtree(cdi))
    cdi.chmod(0o755)
    (cdi / "node.json").write_text(json.dumps(spec(fuse="/dev/fuse", loop=LOOP)))
    flavors = "[flavor node]\nvcpu = 0.02\nmemory = 64M\ndevices = hearth.test/node\n" \
              "[flavor nodes]\nvcpu = 0.02\nmemory = 64M\ndevices = hearth.test/node\ndevice_count = 2\n"
    server = make_server(f"[devices]\ncdi_dirs = {cdi}\nnvml = off\n" + flavors)
    server.cdi = cdi
    wait_until(lambda: "hearth.test/node=fuse" in server.call("GET", "/api/devices").text, 20, "the inventory")
    return server


def test_a_flavor_gives_its_device(node_server):
    look = ["sh", "-c", f"ls /dev/fuse {LOOP} 2>/dev/null; echo $ACCELERATOR $NVIDIA_VISIBLE_DEVICES; sleep ${{1:-0}}"]
    first = node_server.submit(look + ["sh", "60"], flavor="node")
    node_server.wait_job(first["id"], ("RUNNING",))
    second = node_server.submit(look, flavor="node")
    node_server.wait_job(second["id"], ("COMPLETED",))
    node_server.call("POST", f"/api/jobs/alice/{first['id']}/cancel")
    node_server.wait_job(first["id"])
    lines = [node_server.log_lines(job["id"]) for job in (first, second)]
    assert sorted(lines) == [["/dev/fuse", "node void"], [LOOP, "node void"]]
    both = node_server.submit(look, flavor="nodes")
    node_server.wait_job(both["id"], ("COMPLETED",))
    assert sorted(node_server.log_lines(both["id"])) == sorted(["/dev/fuse", LOOP, "nodes void"])
    none = node_server.submit(look, environment={"NVIDIA_VISIBLE_DEVICES": "all", "ACCELERATOR": "mine"})
    node_server.wait_job(none["id"], ("COMPLETED",))
    assert node_server.log_lines(none["id"]) == ["mine void"]


def test_a_device_that_goes_while_a_job_waits(node_server):
    holder = node_server.submit(["sleep", "100"], flavor="nodes")
    node_server.wait_job(holder["id"], ("RUNNING",))
    job = node_server.submit(["true"], flavor="node")
    text = (node_server.cdi / "node.json").read_text()
    (node_server.cdi / "node.json").write_text("{")
    try:
        wait_until(lambda: node_server.call("GET", "/api/devices").json() == [], 20, "an empty inventory")
        told = [line for line in node_server.log_text().split("\n") if "hearth-devices: warning" in line and "node.json" in line]
        assert len(told) == 1 and "is not valid JSON" in told[0], told
        node_server.call("POST", f"/api/jobs/alice/{holder['id']}/cancel")
        node_server.wait_job(holder["id"])
        status = node_server.job(job["id"])["status"]
        assert status["stage"] == "SCHEDULING" and "none now" in status["message"], status
    finally:
        (node_server.cdi / "node.json").write_text(text)
    node_server.wait_job(job["id"], ("COMPLETED",))


def test_a_lost_monitor_leaves_nothing_of_its_devices(node_server):
    job = node_server.submit(["sleep", "100"], flavor="node")
    node_server.wait_job(job["id"], ("RUNNING",))
    (monitor,) = node_server.live_monitors()
    os.kill(monitor, signal.SIGKILL)
    node_server.wait_job(job["id"], ("ERROR",))
    groups = [base + "/" + node_server.cgroup for base in ("/sys/fs/cgroup", "/sys/fs/cgroup/devices", "/sys/fs/cgroup/memory")]
    wait_until(lambda: not any(job["id"] in name for group in groups if os.path.isdir(group) for name in os.listdir(group)), 20,
               "the removal of its control groups")
    again = node_server.submit(["ls", "/dev/fuse", LOOP], flavor="nodes")
    node_server.wait_job(again["id"], ("COMPLETED",))


# Where there is a real card


@pytest.mark.skipif(not os.path.exists("/dev/nvidiactl"), reason="no NVIDIA driver on this machine")
def test_a_real_card(lab):
    """nvidia-smi of the driver, in an image that has nothing but the C library, sees one card: the job's."""
    def fill(path):
        found = subprocess.run(["ldd", shutil.which("nvidia-smi")], capture_output=True, text=True, check=True).stdout
        for library in [word for word in found.split() if word.startswith("/")]:
            os.makedirs(path + os.path.dirname(library), exist_ok=True)
            shutil.copy(os.path.realpath(library), path + library)

    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout.split("\n")
    cards = [line.rsplit("UUID: ")[1].rstrip(")") for line in listed if line.startswith("GPU ")]
    layers = lab.layers + [lab.layer("C library", fill)]
    for card in cards[:2]:
        a = lab.run(["nvidia-smi", "-L"], layers=layers, devices=["nvidia.com/gpu=" + card])
        assert [line for line in a.lines() if line.startswith("GPU ")] == [line for line in a.lines() if card in line], a.lines()
        assert a.exit["exit_code"] == 0 and card in "".join(a.lines())
    a = lab.run(sh("nvidia-smi -L; ls /dev | grep nvidia"), layers=layers, env=["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=all"])
    assert not any(card in line for card in cards for line in a.lines()) and a.exit["exit_code"] != 0
