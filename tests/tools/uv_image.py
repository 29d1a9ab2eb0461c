# SPDX-License-Identifier: Apache-2.0
"""A stand-in for ghcr.io/astral-sh/uv:python3.12-bookworm: Debian's python3 and PyPI's uv, pushed to a test registry
under that name. Servers with settings() ask that registry instead of ghcr.io."""
import fcntl
import os
import pathlib
import shutil
import subprocess
import tarfile
import zipfile

import oci

CACHE = pathlib.Path(__file__).resolve().parents[2] / ".cache" / "uv"
IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"


def settings(registry):
    """Of a server: images of ghcr.io come from the test registry."""
    return f"[registry ghcr.io]\nmirror = {registry.host}\nplain_http = yes\n"


def program():
    """Path of the `uv` program of PyPI's wheel, fetched once."""
    path = CACHE / "uv"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            wheels = CACHE / "wheels"
            shutil.rmtree(wheels, ignore_errors=True)
            subprocess.run(["/usr/bin/python3", "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check",
                            "--dest", wheels, "uv"], check=True)
            with zipfile.ZipFile(next(wheels.glob("uv-*.whl"))) as wheel:
                name = next(name for name in wheel.namelist() if name.endswith(".data/scripts/uv"))
                part = CACHE / "uv.part"
                part.write_bytes(wheel.read(name))
            part.chmod(0o755)
            part.rename(path)
            shutil.rmtree(wheels)
    return path


# What a uv job never touches: most of the files, and files are what pulling and removing cost.
LEFT_OUT = ("usr/share/", "usr/lib/x86_64-linux-gnu/perl", "usr/lib/x86_64-linux-gnu/gconv", "usr/lib/python3.11/test/",
            "usr/lib/python3.11/__pycache__/", "usr/lib/apt/", "usr/lib/systemd/", "var/lib/dpkg/", "var/lib/systemd/", "var/cache/")


def root_layer(root_tar):
    """The bytes of the smaller tar, made once."""
    path = CACHE / "root.tar"
    if not path.exists() or path.stat().st_mtime < pathlib.Path(root_tar).stat().st_mtime:
        CACHE.mkdir(parents=True, exist_ok=True)
        part = CACHE / f"root.{os.getpid()}.part"
        with tarfile.open(root_tar) as source, tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as target:
            for member in source:
                if not member.name.removeprefix("./").startswith(LEFT_OUT):
                    target.addfile(member, source.extractfile(member) if member.isreg() else None)
        part.rename(path)
    return path.read_bytes()


def make(root_tar, wrapper=None, **config):
    """`root_tar`: a Debian root with python3 (tools/make-image). `wrapper`: a script in place of uv, which is uv-real then."""
    programs = [oci.file("usr/local/bin/uv" if wrapper is None else "usr/local/bin/uv-real", program().read_bytes(), 0o755)]
    if wrapper is not None:
        programs.append(oci.file("usr/local/bin/uv", wrapper, 0o755))
    own = oci.Layer([oci.folder("usr/local"), oci.folder("usr/local/bin"), *programs,
                     oci.symlink("usr/local/bin/python", "/usr/bin/python3"), oci.symlink("usr/local/bin/python3", "/usr/bin/python3")],
                    compression="none")
    base = oci.Layer(root_layer(root_tar), compression="none")
    return oci.Image([base, own], config={"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "UV_TOOL_BIN_DIR=/usr/local/bin"],
                                          "Cmd": ["python3"], **config})


def push(registry, root_tar, tag="python3.12-bookworm", wrapper=None, **config):
    return oci.push(make(root_tar, wrapper, **config), f"http://{registry.host}", "astral-sh/uv", tag)
