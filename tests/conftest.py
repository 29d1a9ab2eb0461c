# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import signal
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "tools"))

import server as server_module  # noqa: E402
from registry import Registry  # noqa: E402
from server import Server  # noqa: E402


def pytest_configure(config):
    # A shell ignores these for what it runs in the background; programs under test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    config.addinivalue_line("markers", "slow: takes more than ten seconds")


@pytest.fixture(scope="session")
def root():
    if os.getuid() != 0:
        pytest.skip("needs root: real containers")


@pytest.fixture(scope="session")
def python_image_tar(root):
    """A Debian root file system with python3, made once by mmdebstrap."""
    path = TOP / ".cache" / "debian-python.tar"
    subprocess.run([TOP / "tools" / "make-image", path], check=True)
    return path


@pytest.fixture(scope="session")
def busybox_tar(tmp_path_factory):
    """A root file system with nothing but busybox, small and quick."""
    folder = tmp_path_factory.mktemp("busybox")
    base = folder / "rootfs"
    for name in ("bin", "etc", "tmp", "root", "home"):
        (base / name).mkdir(parents=True)
    (base / "tmp").chmod(0o1777)
    subprocess.run(["cp", "/bin/busybox", base / "bin" / "busybox"], check=True)
    for applet in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        if applet != "busybox":
            (base / "bin" / applet).symlink_to("busybox")
    (base / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000::/home:/bin/sh\n")
    (base / "etc" / "group").write_text("root:x:0:\nworker:x:1000:\nextra:x:1001:worker\n")
    tar = folder / "busybox.tar"
    subprocess.run(["tar", "--owner=0", "--group=0", "--numeric-owner", "-C", base, "-cf", tar, "."], check=True)
    return tar


@pytest.fixture(scope="session")
def registry(root):
    registry = Registry()
    yield registry
    registry.stop()


@pytest.fixture(scope="module")
def make_server(root, busybox_tar):
    """Factory of servers that have the image `busybox`; all are destroyed at the end of the module."""
    servers = []

    def make(settings="", start=True, **more):
        server = Server(settings, **more)
        servers.append(server)
        if start:
            server.start()
            done = server.hearth("image", "import", busybox_tar, "busybox")
            assert done.returncode == 0, done.stderr
        return server
    yield make
    problems = []
    for server in servers:
        try:
            server.destroy()
        except Exception as error:  # the other servers must end all the same
            problems.append(repr(error))
    assert not problems, problems


@pytest.fixture(scope="module")
def server(make_server):
    """One server for the whole module, user alice, image `busybox`."""
    return make_server()


@pytest.fixture(scope="module")
def python_server(make_server, python_image_tar):
    """As `server`, with the image `python:3.12` (Debian's python3 under that name) besides."""
    server = make_server()
    done = server.hearth("image", "import", python_image_tar, "python:3.12")
    assert done.returncode == 0, done.stderr
    return server
