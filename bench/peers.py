# SPDX-License-Identifier: Apache-2.0
"""The peers of the benchmarks: dockerd and podman started by hand, skopeo with umoci, and test data."""
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from registry import Registry
from server import TOP, Server, wait_until

_state = {}


def probe():
    """bench/probe.c, compiled for this run."""
    if "probe" not in _state:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-bench.", dir="/var/tmp"))
        subprocess.run(["gcc", "-O2", "-static", "-o", folder / "probe", TOP / "bench" / "probe.c"], check=True)
        _state["probe"] = folder / "probe"
    return _state["probe"]


def busybox_tar():
    """As the fixture of the tests, a root file system with busybox only, and the probe."""
    if "busybox" not in _state:
        base = pathlib.Path(tempfile.mkdtemp(prefix="hearth-bench.", dir="/var/tmp"))
        root = base / "rootfs"
        for name in ("bin", "etc", "tmp", "root"):
            (root / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", root / "bin")
        shutil.copy(probe(), root / "bin")
        for applet in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("busybox")
        (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        subprocess.run(["tar", "--owner=0", "--group=0", "-C", root, "-cf", base / "busybox.tar", "."], check=True)
        _state["busybox"] = base / "busybox.tar"
    return _state["busybox"]


def dockerd():
    """Environment for a docker client of a dockerd of our own, or None."""
    if "docker" in _state:
        return _state["docker"]
    _state["docker"] = None
    if not shutil.which("dockerd"):
        return None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-dockerd.", dir="/var/tmp"))
    socket = folder / "docker.sock"
    log = open(folder / "log", "ab")
    process = subprocess.Popen(
        ["dockerd", "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid", "-H", f"unix://{socket}"],
        stdout=log, stderr=log)
    env = {**os.environ, "DOCKER_HOST": f"unix://{socket}"}
    _state["dockerd"] = (process, folder)
    try:
        wait_until(lambda: subprocess.run(["docker", "info"], env=env, capture_output=True).returncode == 0, 30, "dockerd", 0.5)
        subprocess.run(["docker", "import", busybox_tar(), "busybox"], env=env, check=True, capture_output=True)
        subprocess.run(["docker", "run", "--rm", "busybox", "true"], env=env, check=True, capture_output=True)
        _state["docker"] = env
    except (AssertionError, subprocess.CalledProcessError) as error:
        print(f"no docker peer: {getattr(error, 'stderr', error)}", file=sys.stderr)
    return _state["docker"]


def timed(command, times, env=None):
    found = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=env)
        found.append(time.perf_counter() - start)
    return found


def docker_run(times):
    env = dockerd()
    return timed(["docker", "run", "--rm", "busybox", "true"], times, env) if env else None


def docker_first_instruction(times):
    """Milliseconds from starting `docker run` to the first instruction of the probe."""
    env, found = dockerd(), []
    for _ in range(times if env else 0):
        start = time.time_ns()
        done = subprocess.run(["docker", "run", "--rm", "busybox", "/bin/probe", "start"], env=env, check=True, capture_output=True)
        found.append((int(done.stdout) - start) / 1e6)
    return found


def podman_root():
    if "podman" not in _state:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-podman.", dir="/var/tmp"))
        _state["podman"] = folder
        _state["podman_command"] = ["podman", "--root", str(folder / "root"), "--runroot", str(folder / "run"), "--cgroup-manager", "cgroupfs",
                                    "--events-backend", "none"]
    return _state["podman_command"]


def podman_run(times):
    if not shutil.which("podman"):
        return None
    podman = podman_root()
    try:
        subprocess.run([*podman, "import", busybox_tar(), "busybox"], check=True, capture_output=True)
        # As podman works on the machine: crun first; it refuses cgroups in hybrid mode, runc does not. Without
        # CAP_SYS_RESOURCE podman's default limits are refused.
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
        for runtime, rest in ((["--runtime", "crun"], []), (["--runtime", "runc"], []), (["--runtime", "runc"], limits)):
            command = [*podman, *runtime, "run", "--rm", *rest, "localhost/busybox", "true"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                return timed(command, times)
        print(f"no podman peer: {done.stderr}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"no podman peer: {error.stderr}", file=sys.stderr)
    return None


def big_image(registry, layers=8, total=2 << 30):
    """Push an image like a Python stack: many files of compressible and incompressible data, gzip layers."""
    import gzip
    import io
    import tarfile
    from oci import push_image  # tests/tools/oci.py
    chance, contents = random.Random(7), []
    noise = chance.randbytes(8 << 20)
    for layer in range(layers):
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            written, number = 0, 0
            while written < total // layers:
                size = chance.choice([300, 2000, 9000, 60000, 700000])
                start = chance.randrange(len(noise) - size // 2 - 1)
                body = noise[start:start + size // 2] + b"import os  # text\n" * (size // 36)
                info = tarfile.TarInfo(f"usr/lib/p{layer}/d{number % 100}/f{number}.py")
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))
                written += len(body)
                number += 1
        contents.append(raw.getvalue())
    return push_image(registry.host, "bench/big", "1", contents)


def compare_pull(row):
    registry = Registry()
    try:
        big_image(registry)
        name = f"{registry.host}/bench/big:1"
        one = Server(f"[registry {registry.host}]\nplain_http = yes\n").start()
        try:
            start = time.perf_counter()
            done = one.hearth("image", "pull", name, timeout=600)
            ours = time.perf_counter() - start
            assert done.returncode == 0, done.stderr
        finally:
            one.destroy()
        parts, met = [f"{ours:.1f} s"], True
        if shutil.which("podman"):
            found = timed([*podman_root(), "pull", "--tls-verify=false", name], 1)[0]
            parts.append(f"1/{found / ours:.1f} of podman pull ({found:.1f} s)")
            met = met and found >= 2 * ours
        if shutil.which("skopeo") and shutil.which("umoci"):
            folder = tempfile.mkdtemp(prefix="hearth-umoci.", dir="/var/tmp")
            start = time.perf_counter()
            subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{folder}/oci:1"], check=True)
            subprocess.run(["umoci", "unpack", "--image", f"{folder}/oci:1", f"{folder}/bundle"], check=True, capture_output=True)
            found = time.perf_counter() - start
            shutil.rmtree(folder, ignore_errors=True)
            parts.append(f"1/{found / ours:.1f} of skopeo + umoci ({found:.1f} s)")
            met = met and found >= 2 * ours
        return row("pull + unpack of a 2 GB, 8-layer image from a registry on loopback", ", ".join(parts), "≤ 1/2 of podman pull, and of skopeo + umoci", met)
    finally:
        registry.stop()


def fill_database(path, count):
    """Finished jobs straight into the tables, as hearthd would have left them; answers their ids."""
    from filler import fill  # bench/filler.py knows the schema
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM jobs").fetchone()[0] == 0, "the database has jobs already"
    fill(database, count)
    ids = [row[0] for row in database.execute("SELECT id FROM jobs")]
    database.close()
    return ids


def clean_up():
    if _state.get("dockerd"):
        process, folder = _state["dockerd"]
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    if "podman" in _state:
        subprocess.run([*_state["podman_command"], "system", "reset", "--force"], capture_output=True)
        shutil.rmtree(_state["podman"], ignore_errors=True)
    for name in ("busybox", "probe"):
        if name in _state:
            shutil.rmtree(_state[name].parent, ignore_errors=True)
