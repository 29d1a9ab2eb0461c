# SPDX-License-Identifier: Apache-2.0
"""Buckets by the unmodified clients: `hf buckets` of several releases, old and new hf_xet, and @huggingface/hub."""
import hashlib
import json
import os
import pathlib
import random
import shutil

import pytest

import clients
import xet

HERE = pathlib.Path(__file__).parent
VERSIONS = ["1.5", "newest"]
SIZE_LARGE = 300 * 1024 * 1024


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with what is special: nothing, little, the example of 19 chunks, the same content twice, strange names."""
    folder = tmp_path_factory.mktemp("data") / "data"
    (folder / "sub" / "deeper").mkdir(parents=True)
    (folder / "hello.py").write_bytes(b'print("hello from uv")\n')
    (folder / "empty").write_bytes(b"")
    (folder / "million.bin").write_bytes(xet.example_c())
    (folder / "sub" / "again.bin").write_bytes(xet.example_c())
    (folder / "sub" / "deeper" / "ünï cödé #1%.txt").write_text("strange\n")
    (folder / "text.csv").write_bytes(b"a,b,c\n" * 200_000)
    os.utime(folder / "hello.py", (1_600_000_000, 1_600_000_000.25))
    return folder


@pytest.fixture(params=VERSIONS)
def hf(request, server, tmp_path):
    program = clients.hf(request.param)

    def run(*words, status=0, **more):
        # A cache of its own: nothing is remembered from another test.
        environment = server.environment(home=tmp_path / "home", HF_XET_CACHE=str(tmp_path / "xet"))
        done = server.run(program, "buckets", *words, env=environment, **more)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + (done.stderr if status else "")
    run.version = request.param
    run.bucket = "b-" + request.param.replace(".", "-") + "-" + os.urandom(3).hex()
    run.program = program
    return run


def same(one, two):
    found = [{str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest() for path in top.rglob("*")
              if path.is_file() and ".cache" not in path.parts} for top in (one, two)]
    assert found[0] == found[1]


def test_a_day_with_buckets(hf, server, data, tmp_path):
    name, handle = hf.bucket, f"alice/{hf.bucket}"
    assert f"/buckets/alice/{name}" in hf("create", name)
    hf("create", name, "--exist-ok")
    hf("sync", data, f"hf://buckets/{handle}")
    on_disk = server.state / "buckets" / "alice" / name
    same(data, on_disk)
    assert abs((on_disk / "hello.py").stat().st_mtime - 1_600_000_000.25) < 0.001
    assert "hello.py" in hf("list", handle, "-R")
    info = json.loads(hf("info", handle))
    assert info["size"] == sum(path.stat().st_size for path in data.rglob("*") if path.is_file()), info
    back = tmp_path / "back"
    hf("sync", f"hf://buckets/{handle}", back)
    same(data, back)
    assert "Uploads: 0" in hf("sync", data, f"hf://buckets/{handle}")  # times are kept

    hf("rm", f"{handle}/million.bin", "--yes")
    assert not (on_disk / "million.bin").exists()
    (back / "hello.py").unlink()
    (back / "new.txt").write_text("new")
    hf("sync", back, f"hf://buckets/{handle}", "--delete")
    same(back, on_disk)
    hf("move", handle, handle + "-moved")
    assert "new.txt" in hf("list", handle + "-moved", "-R")
    hf("delete", handle + "-moved", "--yes")
    assert not on_disk.exists()


@pytest.mark.parametrize("hf", ["newest"], indirect=True)
def test_the_second_upload_sends_nothing(hf, server, data, tmp_path):
    """The client remembers its xorbs; a new bucket of the namespace takes them."""
    names = [hf.bucket + "-1", hf.bucket + "-2"]
    for name in names:
        hf("create", name)
    before = server.log_text().count("/v1/xorbs/")
    (tmp_path / "d").mkdir()
    content = os.urandom(2_000_000)
    (tmp_path / "d" / "f").write_bytes(content)
    hf("sync", tmp_path / "d", f"hf://buckets/alice/{names[0]}")
    sent = server.log_text().count("/v1/xorbs/")
    assert sent > before
    hf("sync", tmp_path / "d", f"hf://buckets/alice/{names[1]}")
    assert server.log_text().count("/v1/xorbs/") == sent
    assert (server.state / "buckets" / "alice" / names[1] / "f").read_bytes() == content


@pytest.mark.parametrize("hf", ["newest"], indirect=True)
def test_what_a_job_wrote_comes_down(hf, server, tmp_path):
    hf("create", hf.bucket)
    folder = server.state / "buckets" / "alice" / hf.bucket
    (folder / "out").mkdir()
    content = random.Random(3).randbytes(40_000_000)
    (folder / "out" / "model.bin").write_bytes(content)
    (folder / "out" / "log.txt").write_text("done\n")
    hf("sync", f"hf://buckets/alice/{hf.bucket}/out", tmp_path / "out")
    assert (tmp_path / "out" / "model.bin").read_bytes() == content and (tmp_path / "out" / "log.txt").read_text() == "done\n"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "large.bin"
    with open(path, "wb") as file:
        source = random.Random(11)
        for i in range(SIZE_LARGE // (1 << 20)):
            file.write(source.randbytes(1 << 20))
    yield path
    path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize("version", ["newest"])
def test_a_large_file(server, large, version, tmp_path):
    """More than one window of 256 MiB and many xorbs."""
    program = clients.hf(version)
    environment = server.environment(home=tmp_path / "home", HF_XET_CACHE=str(tmp_path / "xet"))
    bucket = "large-" + version.replace(".", "-")
    for words in (["create", bucket], ["cp", large, f"hf://buckets/alice/{bucket}/l.bin"],
                  ["cp", f"hf://buckets/alice/{bucket}/l.bin", tmp_path / "l.bin"]):
        done = server.run(program, "buckets", *words, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    assert hashlib.sha256((tmp_path / "l.bin").read_bytes()).digest() == hashlib.sha256(large.read_bytes()).digest()
    server.call("DELETE", f"/api/buckets/alice/{bucket}")
    (tmp_path / "l.bin").unlink()


@pytest.mark.parametrize("version, packages", [("1.21", ["hf-xet==1.5.2"]), ("1.13", []), ("1.5", ["hf-xet==1.2.0"])])
def test_versions_between(server, data, version, packages, tmp_path):
    """Wheels of their time as well: shards v1, and before 1.5.2 paths without a version."""
    program = clients.hf(version, *packages)
    environment = server.environment(home=tmp_path / "home", HF_XET_CACHE=str(tmp_path / "xet"))
    bucket = "between-" + version.replace(".", "-")
    for words in (["create", bucket], ["sync", data, f"hf://buckets/alice/{bucket}"], ["sync", f"hf://buckets/alice/{bucket}", tmp_path / "back"]):
        done = server.run(program, "buckets", *words, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    same(data, tmp_path / "back")


def test_the_javascript_client(server, data):
    folder = clients.javascript()
    done = server.run("node", HERE / "buckets_client.mjs", server.endpoint, server.token, folder, data / "million.bin")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    assert result["listed"] == ["dir/empty.txt", "dir/hello.txt", "million.bin"]
    assert result["hello"] == "hello" and result["info"]["size"] == 5
    for way in ("xet", "plain"):
        assert result[way] == hashlib.sha256(xet.example_c()).hexdigest(), way
    assert result["after"] == ["million.bin"] and result["exists"] == [True, False]


@pytest.fixture(scope="module", autouse=True)
def clean(server):
    yield
    shutil.rmtree(server.state.with_name(server.state.name + ".home"), ignore_errors=True)
