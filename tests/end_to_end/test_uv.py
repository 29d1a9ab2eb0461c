# SPDX-License-Identifier: Apache-2.0
"""uv jobs: scripts of real clients, and the cache of environments, against a real server with real containers."""
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import clients
import uv_image
import wheels
from server import TERMINAL, wait_until

FLAVOR = "[flavor cpu-basic]\nvcpu = 1\nmemory = 1G\nstorage = 1G\n"
WIDE = "[scheduler]\ncpus = 64\nmemory = 256G\n"
SLOW_UV = b"""#!/bin/sh
# As uv, but with SLOW it leaves half an environment and takes its time.
if [ -n "$SLOW" ]; then
	mkdir -p "$UV_CACHE_DIR/environments-v2/half" && echo half >"$UV_CACHE_DIR/environments-v2/half/file"
	sleep "$SLOW"
fi
exec /usr/local/bin/uv-real "$@"
"""


@pytest.fixture(scope="module")
def wheel_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("alpha", "beta", "gamma"):
        wheels.make(folder, name)
    wheels.make(folder, "needy", requires=["alpha"])
    for number in range(6):
        wheels.make(folder, f"large{number}", size=4_000_000)
    for parent in (folder, *folder.parents):  # root in a job is nobody on the host
        if parent == pathlib.Path("/tmp"):
            break
        parent.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def images(registry, python_image_tar):
    """The registry that stands in for ghcr.io."""
    uv_image.push(registry, python_image_tar)
    uv_image.push(registry, python_image_tar, tag="user", User="1000:1000")
    uv_image.push(registry, python_image_tar, tag="slow", wrapper=SLOW_UV)
    return registry


def settings(images, wheel_folder, more="", offline=True):
    wheels_setting = f"[uv]\nwheels = {wheel_folder}\noffline = yes\n" if offline else ""
    return uv_image.settings(images) + "[container]\nca_bundle = /etc/ssl/certs/ca-certificates.crt\n" + FLAVOR + WIDE + wheels_setting + more


@pytest.fixture(scope="module")
def server(make_server, images, wheel_folder):
    """Without an index: packages come from a folder of wheels."""
    return make_server(settings(images, wheel_folder))


@pytest.fixture
def with_settings(server, images, wheel_folder):
    """The same server with other settings, for one test: it has the images already."""
    usual = server.config.read_text()

    def change(more="", offline=True):
        before, after = settings(images, wheel_folder), settings(images, wheel_folder, more, offline)
        server.config.write_text(usual.replace(before, after))
        return server.restart()
    yield change
    server.config.write_text(usual)
    server.restart()


class Uploads:
    number = 0


def put(server, path, text, bucket="alice/jobs-artifacts"):
    made = server.call("POST", f"/api/buckets/{bucket}", json={"private": True})
    assert made.status_code in (200, 409), made.text
    answer = server.call("PUT", f"/api/buckets/{bucket}/files/{path}", data=text.encode())
    assert answer.status_code == 200, answer.text


def submit(server, text, *arguments, name="train.py", namespace="alice", tag=None, options=(), **fields):
    """A local script as the newest client sends it."""
    Uploads.number += 1
    stamp = f"20260101T000000-{Uploads.number:06x}"
    put(server, f"{stamp}/{name}", text, f"{namespace}/jobs-artifacts")
    volume = {"type": "bucket", "source": f"{namespace}/jobs-artifacts", "mountPath": "/data", "readOnly": False, "path": stamp}
    image = uv_image.IMAGE if tag is None else uv_image.IMAGE.rpartition(":")[0] + ":" + tag
    return server.submit(["uv", "run", *options, f"/data/{name}", *arguments], image, namespace=namespace, flavor="cpu-basic",
                         volumes=[volume], **fields)["id"]


def end(server, job, stage="COMPLETED", namespace="alice"):
    """The job's log."""
    shown = wait_until(lambda: (found := server.job(job, namespace))["status"]["stage"] in TERMINAL and found, 120, f"end of {job}")
    answer = server.call("GET", f"/api/jobs/{namespace}/{job}/logs")
    lines = [json.loads(line[6:])["data"] for line in answer.text.split("\n") if line.startswith("data: {")]
    lines = [line for line in lines if not line.startswith("=====")]
    assert shown["status"]["stage"] == stage, (shown["status"], lines)
    return lines


def run(server, *arguments, **fields):
    return end(server, submit(server, *arguments, **fields))


def installed(lines):
    return [line for line in lines if line.startswith("Installed ")]


def keys(server):
    """Contents of the cache's records, by key."""
    return {path.name: path.read_text().split() for path in server.state.glob("uv/*/keys/*")}


def folders(server):
    return {path.name for path in server.state.glob("uv/*/data.*/keys/*")}


# -- clients --------------------------------------------------------------------------------------------

def test_newest_client(server, tmp_path):
    script = tmp_path / "my train.py"
    script.write_text(wheels.script("needy", body="import needy, alpha, sys, pathlib\nprint('HELLO', sys.argv)\n"
                                                  "print(open(sys.argv[2]).read())\npathlib.Path('/data/result.txt').write_text('kept')"))
    other = tmp_path / "other.txt"
    other.write_text("a second file")
    for turn in range(2):
        done = server.run(clients.hf("newest"), "jobs", "uv", "run", script, "--file", other)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "HELLO ['/data/my_train.py', '--file', '/data/other.txt']" in done.stdout
        assert "a second file" in done.stdout
        assert len(installed(done.stdout.splitlines())) == (1 if turn == 0 else 0)
    results = sorted(server.state.glob("buckets/alice/jobs-artifacts/*/result.txt"))
    assert [path.read_text() for path in results] == ["kept", "kept"]


@pytest.mark.parametrize("version", ["1.3", "1.5"])
def test_old_clients_send_the_script_in_the_environment(server, tmp_path, version):
    script = tmp_path / "old.py"
    script.write_text(wheels.script("beta", body="import beta, sys\nprint('HELLO', beta.VERSION, sys.argv[1:])"))
    logs = []
    for argument in ("one", "two"):
        done = server.run(clients.hf(version), "jobs", "uv", "run", script, argument)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"HELLO 1.0 ['{argument}']" in done.stdout
        logs.append(done.stdout.splitlines())
    assert len(installed(logs[0])) == 1 and not installed(logs[1])


def test_hearth_with_local_files_and_folders(server, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text").write_text("from here")
    (tmp_path / "out").mkdir()
    script = tmp_path / "work.py"
    script.write_text(wheels.script("alpha", body="import alpha, gamma\nopen('/out/text', 'w').write(open('/in/text').read())\nprint('done')"))
    done = server.hearth("uv", "run", "-v", "in:/in", "-v", "out:/out:rw", "--with", "gamma", script, cwd=tmp_path)
    assert done.returncode == 0 and "done" in done.stdout, done.stdout + done.stderr
    pull = re.search(r"hearth bucket sync (hf://\S+) (\S+)", done.stderr).groups()
    back = server.hearth("bucket", "sync", *pull, cwd=tmp_path)
    assert back.returncode == 0, back.stderr
    assert (tmp_path / "out" / "text").read_text() == "from here"
    # The same folder by the same name: what `hf` has sent is not sent again.
    with_hf = server.run(clients.hf("newest"), "jobs", "run", "-v", "in:/in", "busybox", "cat", "/in/text", cwd=tmp_path)
    assert "from here" in with_hf.stdout and "Uploads: 0" in with_hf.stdout, with_hf.stdout + with_hf.stderr


def test_the_servers_image_is_the_default(with_settings):
    server = with_settings("image = ghcr.io/astral-sh/uv:user\n")
    done = server.hearth("uv", "run", "python", "-c", "import os; print('uid', os.getuid())")
    assert "uid 1000" in done.stdout, done.stdout + done.stderr
    assert server.jobs()[0]["dockerImage"] == "ghcr.io/astral-sh/uv:user"
    assert server.submit(["true"], uv_image.IMAGE)["dockerImage"] == uv_image.IMAGE  # not a uv job: what was asked for


def test_package_from_the_real_index(with_settings):
    online = with_settings(offline=False)
    words = ["uv", "run", "--with", "six", "python", "-c", "import six, os; print('six', six.__version__, os.environ.get('UV_OFFLINE'))"]
    for turn in range(2):
        lines = end(online, online.submit(words, uv_image.IMAGE, flavor="cpu-basic")["id"])
        assert re.fullmatch(r"six [\d.]+ None", lines[-1]), lines
        assert len(installed(lines)) == (1 if turn == 0 else 0), lines


# -- the cache ------------------------------------------------------------------------------------------

def test_an_edited_script_keeps_its_environment(server):
    assert installed(run(server, wheels.script("alpha", body="print(1)"), name="edited.py"))
    lines = run(server, wheels.script("alpha", body="import alpha; print(2)"), name="edited.py")
    assert lines == ["2"]


def test_different_scripts_of_one_name_at_the_same_time(server):
    body = "import time, importlib.util as u\nprint([n for n in ('alpha', 'beta', 'gamma') if u.find_spec(n)], flush=True)\ntime.sleep(2)\n" \
           "print([n for n in ('alpha', 'beta', 'gamma') if u.find_spec(n)])"
    jobs = {name: submit(server, wheels.script(name, body=body), name="same.py") for name in ("alpha", "beta", "gamma")}
    for name, job in jobs.items():
        assert [line for line in end(server, job) if line.startswith("[")] == [f"['{name}']"] * 2


def test_many_identical_scripts_build_once(server):
    text = wheels.script("needy", body="import needy, alpha; print('ran')")
    jobs = [submit(server, text, name="many.py") for _ in range(20)]
    logs = [end(server, job) for job in jobs]
    assert all(lines[-1] == "ran" for lines in logs)
    assert sum(len(installed(lines)) for lines in logs) == 1


def test_namespaces_share_nothing(server):
    assert server.hearth("admin", "org", "add", "acme").returncode == 0
    assert server.hearth("admin", "org", "member", "acme", "alice", "admin").returncode == 0
    text = wheels.script("beta", body="import beta, os; print(sorted(os.listdir('/var/cache/hearth/uv/keys')))")
    run(server, text, name="mine.py")
    lines = end(server, submit(server, text, name="mine.py", namespace="acme"), namespace="acme")
    assert installed(lines), "the other namespace's environment was used"
    assert len(json.loads(lines[-1].replace("'", '"'))) == 1  # its own
    assert len(list(server.state.glob("uv/*/lock"))) == 2
    assert (server.state / "uv").stat().st_mode & 0o777 == 0o700


def test_an_image_with_a_user_of_its_own(server):
    body = "import alpha, os; print(os.getuid(), os.stat(alpha.__file__).st_uid)"
    for turn in range(2):
        lines = run(server, wheels.script("alpha", body=body), name="user.py", tag="user")
        assert lines[-1] == "1000 1000" and len(installed(lines)) == (1 if turn == 0 else 0), lines
    owned = next(server.state.glob("uv/*/data.1000/cache/archive-v0"))
    assert owned.stat().st_uid == 1000  # id-mapped: no host id of the job


def test_what_users_say_counts(server):
    body = "import alpha, os; print(os.environ['UV_CACHE_DIR'], os.environ['UV_FIND_LINKS'], os.path.exists('/var/cache/hearth/uv/keys'))"
    for _ in range(2):
        lines = run(server, wheels.script("alpha", body=body), name="own.py", environment={"UV_CACHE_DIR": "/tmp/mine"})
        assert lines[-1] == "/tmp/mine /var/cache/hearth/wheels False" and installed(lines)
    lines = run(server, wheels.script("alpha", body="import os; print(os.path.exists('/var/cache/hearth/uv/keys'))"), name="own.py", options=["--no-cache"])
    assert lines[-1] == "False"


def test_packages_are_linked_not_copied(server):
    body = "import alpha, os; print(os.stat(alpha.__file__).st_nlink)"
    assert int(run(server, wheels.script("alpha", body=body), name="linked.py")[-1]) > 1


def test_an_unfinished_script_is_built_again(server):
    """uv fails before the program starts: nothing of it is kept."""
    before = folders(server)
    job = submit(server, wheels.script("does-not-exist"), name="broken.py")
    assert any("does-not-exist" in line for line in end(server, job, "ERROR"))
    wait_until(lambda: folders(server) == before, what="removal of the unfinished environment")


# -- waiting for a builder ------------------------------------------------------------------------------

def slow_pair(server, name):
    """A job that builds slowly, and one that waits for it."""
    text = wheels.script("alpha", body="print('ran')")
    builder = submit(server, text, name=name, tag="slow", environment={"SLOW": "300"})
    server.wait_job(builder, ("RUNNING",))
    waiter = submit(server, text, name=name, tag="slow")
    wait_until(lambda: (server.job(waiter)["status"]["message"] or "") == f"Waiting for the environment that job {builder} builds",
               what="message of the waiting job")
    assert server.job(waiter)["status"]["stage"] == "SCHEDULING"
    return builder, waiter


def check_taken_over(server, builder, waiter):
    lines = end(server, waiter)
    assert lines[-1] == "ran" and installed(lines)
    assert not [words for words in keys(server).values() if builder in words[1]]
    wait_until(lambda: not [name for name in folders(server) if builder in name], what="removal of the half environment")


def test_a_killed_monitor_leaves_no_half_environment(server):
    builder, waiter = slow_pair(server, "killed.py")
    state = json.loads((server.state / "attempts" / f"{builder}.1" / "state.json").read_text())
    os.kill(state["monitor_pid"], signal.SIGKILL)
    check_taken_over(server, builder, waiter)


def test_a_cancelled_builder_hands_on(server):
    builder, waiter = slow_pair(server, "cancelled.py")
    assert server.call("POST", f"/api/jobs/alice/{builder}/cancel").status_code == 200
    check_taken_over(server, builder, waiter)


def test_a_waiting_job_can_be_cancelled(server):
    builder, waiter = slow_pair(server, "waiting.py")
    assert server.call("POST", f"/api/jobs/alice/{waiter}/cancel").status_code == 200
    assert server.wait_job(waiter)["status"]["stage"] == "CANCELED"
    server.call("POST", f"/api/jobs/alice/{builder}/cancel")
    server.wait_job(builder)


# -- settings -------------------------------------------------------------------------------------------

def disk_usage(folder):
    return int(subprocess.run(["du", "-sB1", folder], capture_output=True, text=True, check=True).stdout.split()[0])


def test_size_limit_removes_the_least_recently_used(with_settings):
    limit = 16 << 20
    server = with_settings(f"cache_limit = {limit}\n")
    texts = [wheels.script(f"large{number}", body="print('ran')") for number in range(6)]
    for text in texts:
        assert run(server, text, name="large.py")[-1] == "ran"
        wait_until(lambda: not server.live_monitors(), what="end of the clean-up")
        assert max(disk_usage(folder) for folder in server.state.glob("uv/*")) <= limit
    assert not installed(run(server, texts[5], name="large.py")), "the newest environment is gone"
    assert installed(run(server, texts[0], name="large.py")), "the oldest environment is still there"


def test_no_cache(with_settings):
    server = with_settings("cache = no\n")
    text = wheels.script("alpha", body="import os; print('UV_CACHE_DIR' in os.environ)")
    for _ in range(2):
        lines = run(server, text, name="edited.py")
        assert lines[-1] == "False" and installed(lines)


def test_index_setting(with_settings):
    server = with_settings("index_url = https://index.example/simple\n[network]\nmode = none\n")
    body = "import alpha, os; print(os.environ['UV_DEFAULT_INDEX'], os.environ['UV_OFFLINE'])"
    assert run(server, wheels.script("alpha", body=body))[-1] == "https://index.example/simple 1"
