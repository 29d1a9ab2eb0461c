# SPDX-License-Identifier: Apache-2.0
"""hearthd as a program: command line, first start, rights, signals, the state folder. Needs root."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest
import requests

from server import HEARTHD, Server, free_port, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


def run(*arguments, **more):
    return subprocess.run([HEARTHD, *arguments], capture_output=True, text=True, timeout=30, **more)


def status_field(pid, name):
    return re.search(rf"^{name}:\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1).split()


def http_process(server):
    text = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(server.process.pid)], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in text.splitlines() if line.split()[1] == "hearthd"][0]


@pytest.fixture(scope="module")
def server():
    s = Server(flags=["--set", "server.organization=lab"])
    s.start()
    yield s
    s.destroy()


# ---- what is only printed

def test_texts():
    assert run("--version").stdout.startswith("hearthd ")
    for option in ("--config", "--state-dir", "--listen", "--public-url", "--set", "--user", "--show-config"):
        assert option in run("--help").stdout
    assert ".TH HEARTHD 8" in run("--print-manual", "hearthd.8").stdout
    assert ".TH HEARTH.CONF 5" in run("--print-manual=hearth.conf.5").stdout
    assert "max_timeout" in run("--print-manual=hearth.conf.5").stdout
    assert "/api/jobs/{ns}" in json.loads(run("--print-manual=openapi.json").stdout)["paths"]
    shown = run("--show-config", "--listen", "127.0.0.1:1", "--listen", "[::1]:2", "--set", "jobs.grace=3s").stdout
    assert "# --listen\nlisten = 127.0.0.1:1,[::1]:2\n" in shown
    assert "# --set\ngrace = 3s\n" in shown


@pytest.mark.parametrize("arguments, sentence", [
    (["--nonsense"], "unknown option --nonsense"),
    (["--listen"], "--listen needs a value"),
    (["--help=x"], "--help takes no value"),
    (["--set", "x"], "--set x must be SECTION.KEY=VALUE"),
    (["--set", "jobs.unknown=1"], 'unknown setting "unknown"'),
    (["--set", "jobs.grace=soon"], "grace"),
    (["--config", "/nonexistent"], "/nonexistent"),
    (["--print-manual", "x"], "hearthd.8"),
])
def test_wrong_command_lines(arguments, sentence):
    result = run(*arguments)
    assert result.returncode != 0 and result.stdout == ""
    assert result.stderr.startswith("hearthd: ") and result.stderr.count("\n") == 1
    assert sentence in result.stderr


def test_a_state_folder_that_the_http_process_cannot_enter(tmp_path):
    closed = tmp_path / "closed"
    (closed / "state").mkdir(parents=True)
    os.chmod(tmp_path, 0o755)
    closed.chmod(0o700)
    result = run("--state-dir", closed / "state", "--listen", f"127.0.0.1:{free_port()}", "--set", "network.mode=none")
    assert result.returncode != 0 and "HF_TOKEN" not in result.stdout
    # pytest's own folder above is closed as well: the first one on the way is named.
    assert re.search(r"the user hearth, .* cannot enter /\S+; open it with: chmod a\+x /", result.stderr)


def test_two_servers_do_not_share_a_network(server, tmp_path):
    os.chmod(tmp_path, 0o755)
    for key, value in (("bridge", server.bridge), ("subnet", f"10.{int(server.bridge[6:-1]) + 20}.0.0/16")):
        result = run("--state-dir", tmp_path / key, "--listen", f"127.0.0.1:{free_port()}", "--set", "network.bridge=hearth-other",
                     "--set", "network.subnet=10.19.0.0/16", "--set", f"network.{key}={value}")
        assert result.returncode != 0 and "HF_TOKEN" not in result.stdout
        assert f"another hearthd on this machine uses network.{key} {value}" in result.stderr


def test_a_relative_state_folder():
    """Monitors have another working directory: the path must not depend on it."""
    server = Server()
    try:
        server.state, whole = pathlib.Path(server.state.name), server.state
        here = os.getcwd()
        os.chdir(whole.parent)
        try:
            server.start()
        finally:
            os.chdir(here)
            server.state = whole
        assert f"state in {whole}\n" in server.log_text()
        assert (whole / "run/effective.ini").exists()
    finally:
        server.destroy()


def test_unknown_key_is_told_with_file_and_line(tmp_path):
    path = tmp_path / "c.conf"
    path.write_text("[server]\n\nlisten = 127.0.0.1:1\nlisen = 2\n")
    assert f"{path}:4: " in run("--config", path, "--show-config").stderr


@pytest.mark.parametrize("arguments, sentence", [
    (["--listen", "nonsense"], "listen address nonsense must be"),
    (["--listen", "::1:80"], "write IPv6 as [ADDRESS]:PORT"),
    (["--listen", "http://127.0.0.1:80"], "without http://"),
    (["--listen", "192.0.2.77:7440"], "is not an address of this machine"),
    (["--user", "nobody-of-that-name"], "useradd"),
    (["--user", "root"], "must not be root"),
    (["--tls-certificate", "/etc/passwd"], "need each other"),
    (["--tls-certificate", "/etc/passwd", "--tls-key", "/nonexistent"], "/nonexistent cannot be read"),
    (["--set", "container.runtime=nonsense-runtime"], "container runtime nonsense-runtime was not found"),
])
def test_what_is_wrong_is_one_sentence(tmp_path, arguments, sentence):
    result = run("--state-dir", tmp_path / "state", "--listen", f"127.0.0.1:{free_port()}", *arguments)
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("hearthd: ") and sentence in last, result.stderr


def test_old_runtime_is_refused(tmp_path):
    old = tmp_path / "crun"
    old.write_text("#!/bin/sh\necho crun version 1.4.5\n")
    old.chmod(0o755)
    result = run("--state-dir", tmp_path / "state", "--set", f"container.runtime={old}")
    assert result.returncode != 0 and "older than 1.8.1" in result.stderr


def test_an_ordinary_user_is_told_what_is_missing(tmp_path):
    # The program may lie where only root can go.
    program = pathlib.Path("/var/tmp") / f"hearthd-{os.getpid()}"
    program.write_bytes(HEARTHD.read_bytes())
    program.chmod(0o755)
    try:
        result = subprocess.run([program, "--state-dir", tmp_path / "state"], user=65534, group=65534, extra_groups=[], capture_output=True,
                                text=True)
        assert result.returncode != 0 and "sudo hearthd" in result.stderr
        assert not (tmp_path / "state").exists()
    finally:
        program.unlink()


# ---- a running server

def test_first_start(server):
    assert f"export HF_ENDPOINT={server.endpoint}\n" in server.first_start
    assert re.search(r"^\s*export HF_TOKEN=hf_[A-Za-z0-9]{34}$", server.first_start, re.M)
    who = requests.get(server.endpoint + "/api/whoami-v2", headers={"Authorization": f"Bearer {server.token}"}).json()
    assert who["name"] == "alice" and [o["name"] for o in who["orgs"]] == ["lab"]
    for path in server.state.rglob("*"):
        if path.is_file():
            assert server.token.encode() not in path.read_bytes(), path


def test_the_http_process_has_no_rights(server):
    pid = http_process(server)
    assert status_field(pid, "Uid") == status_field(pid, "Uid")[:1] * 4 and status_field(pid, "Uid")[0] != "0"
    assert "0" not in status_field(pid, "Gid") + status_field(pid, "Groups")
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status_field(pid, name)[0], 16) == 0
    assert status_field(pid, "NoNewPrivs") == ["1"]
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    soft, hard = re.search(r"Max open files\s+(\d+)\s+(\d+)", limits).groups()
    assert soft == hard
    # The sockets belong to this process alone: the spawner listens to nobody but it.
    assert status_field(server.process.pid, "Uid")[0] == "0"
    inodes = {os.readlink(f"/proc/{server.process.pid}/fd/{n}") for n in os.listdir(f"/proc/{server.process.pid}/fd")}
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True).stdout
    assert f":{server.port} " in listening and f"pid={server.process.pid}," not in listening, inodes


def test_modes_of_the_state_folder(server):
    def mode(name):
        st = (server.state / name).stat()
        return st.st_uid == 0, st.st_mode & 0o7777
    assert mode("db") == (False, 0o700) and mode("images") == (True, 0o755)
    assert mode("run") == (True, 0o700) and mode("run/effective.ini") == (True, 0o600)
    assert mode("attempts") == (True, 0o1770) and mode("hearth.sock")[1] & 0o077 == 0
    assert (server.state / "db/seal.key").stat().st_mode & 0o777 == 0o400


def test_second_server_is_refused(server):
    result = run("--state-dir", server.state, "--listen", f"127.0.0.1:{free_port()}", "--config", server.config)
    assert result.returncode != 0
    assert f"another hearthd (process {server.process.pid}) uses the state folder" in result.stderr
    requests.get(server.endpoint + "/healthz").raise_for_status()
    assert (server.state / "hearth.sock").exists()


def test_port_in_use_is_told(server, tmp_path):
    result = run("--state-dir", tmp_path / "other", "--listen", f"127.0.0.1:{server.port}", "--config", server.config)
    assert f"127.0.0.1:{server.port} is in use by another program; choose another with --listen" in result.stderr


def test_unix_socket_serves(server):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(server.state / "hearth.sock"))
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert s.recv(1000).startswith(b"HTTP/1.1 200")


def test_hangup_reads_the_log_level(server):
    text = server.config.read_text()
    server.config.write_text(text.replace("log_level = debug", "log_level = info"))
    os.chmod(server.config, 0o644)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "log level: info" in server.log_text(), 5, "the new log level")
    server.config.write_text(text)


def test_readiness_is_told(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        os.chmod(path, 0o666)
        os.chmod(tmp_path, 0o755)
        for parent in tmp_path.parents:
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
                os.chmod(parent, 0o755)
        manager.settimeout(10)
        s = Server()
        os.environ["NOTIFY_SOCKET"] = path
        try:
            s.start()
            assert manager.recv(100) == b"READY=1"
            s.stop()
            assert manager.recv(100) == b"STOPPING=1"
        finally:
            del os.environ["NOTIFY_SOCKET"]
            s.destroy()


@pytest.mark.parametrize("victim, number", [("main", signal.SIGTERM), ("main", signal.SIGINT), ("main", signal.SIGKILL),
                                            ("http", signal.SIGKILL), ("http", signal.SIGTERM)])
def test_both_processes_end_together(victim, number):
    s = Server()
    try:
        s.start()
        child = http_process(s)
        begin = time.monotonic()
        os.kill(s.process.pid if victim == "main" else child, number)
        code = s.process.wait(10)
        wait_until(lambda: not os.path.exists(f"/proc/{child}"), 5, "end of the HTTP process")
        assert time.monotonic() - begin < 8
        if number != signal.SIGKILL:
            assert code == 0
        s.start()
    finally:
        s.destroy()
