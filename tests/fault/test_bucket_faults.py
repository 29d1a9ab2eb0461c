# SPDX-License-Identifier: Apache-2.0
"""Buckets on a full disk and under kill -9: each file is the old or the new one, and deleting always works."""
import contextlib
import json
import os
import random
import signal
import subprocess
import threading

import pytest
import requests
import xet

from server import Server, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")
BUCKET = "/api/buckets/alice/b"


class Bucket:
    def __init__(self, server):
        self.server = server
        assert server.call("POST", BUCKET).status_code == 200
        self.folder = server.state / "buckets" / "alice" / "b"
        self.tmp = server.state / "buckets" / ".tmp"
        self.cas = server.call("GET", BUCKET + "/xet-write-token").json()

    def post(self, path, body):
        return requests.post(self.cas["casUrl"] + path, data=body, headers={"Authorization": f"Bearer {self.cas['accessToken']}"}, timeout=60)

    def upload(self, xorb, *files):
        for answer in (self.post(f"/v1/xorbs/default/{xorb.text}", xorb.body), self.post("/v1/shards", xet.shard(*files))):
            assert answer.status_code == 200, answer.text

    def batch(self, add=(), delete=()):
        lines = [{"type": "addFile", "path": path, "xetHash": item.text, "mtime": 1778597859000} for path, item in add]
        lines += [{"type": "deleteFile", "path": path} for path in delete]
        return self.server.call("POST", BUCKET + "/batch", data="".join(json.dumps(line) + "\n" for line in lines))

    def put(self, path, data):
        return self.server.call("PUT", f"{BUCKET}/files/{path}", data=data)

    def listed(self):
        return {line["path"]: line for line in self.server.call("GET", BUCKET + "/tree?recursive=true").json()}

    def files(self):
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


def fill(path):
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 512):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass


def helpers_of(server):
    """Process ids of its hearth-files."""
    def children(pid):
        lines = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(pid)], capture_output=True, text=True, check=False).stdout
        return [(int(line.split()[0]), line.split()[1]) for line in lines.splitlines()]
    return [pid for http, _ in children(server.process.pid) for pid, name in children(http) if name == "hearth-files"]


@pytest.fixture
def small_disk():
    server = Server()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32M,mode=755", "tmpfs", server.state], check=True)
    try:
        server.start()
        yield Bucket(server)
    finally:
        server.destroy()
        subprocess.run(["umount", "-l", server.state], check=True)
        server.state.rmdir()


def test_full_disk(small_disk):
    rng = random.Random(1)
    old = rng.randbytes(1_000_000)
    assert small_disk.put("old", old).status_code == 200
    xorb = xet.Xorb([rng.randbytes(100_000) for _ in range(20)])
    item = xet.File((xorb, 0, 20))
    small_disk.upload(xorb, item)
    fill(small_disk.server.state / "filler")
    for answer in (small_disk.put("old", rng.randbytes(2_000_000)), small_disk.put("new", b"x" * 2_000_000),
                   small_disk.batch(add=[("old", item)]), small_disk.batch(add=[(f"many/{i}", item) for i in range(30)])):
        assert answer.status_code in (413, 503), answer.text
        assert "disk" in answer.json()["error"] or "space" in answer.json()["error"], answer.text
    assert small_disk.files() == {"old": old}
    assert list(small_disk.listed()) == ["old"]
    # Deleting works and makes room.
    answer = small_disk.batch(delete=["old"])
    assert answer.status_code == 200, answer.text
    assert small_disk.files() == {}
    assert small_disk.put("new", b"x" * 500_000).status_code == 200
    (small_disk.server.state / "filler").unlink()
    assert small_disk.batch(add=[("old", item)]).status_code == 200
    assert small_disk.files() == {"old": item.data, "new": b"x" * 500_000}
    assert not os.listdir(small_disk.tmp)


@pytest.fixture
def other_disks():
    """STATE/buckets and STATE/xet are disks of their own, with what a file system has at its top."""
    server = Server()
    folders = [server.state / "buckets", server.state / "xet"]
    try:
        server.start()
        server.stop()
        for folder in folders:
            owner = folder.stat()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=32M,mode={owner.st_mode & 0o7777:o},uid={owner.st_uid},gid={owner.st_gid}",
                            "tmpfs", folder], check=True)
            (folder / "lost+found").mkdir(mode=0o700)
        server.start()
        yield Bucket(server)
    finally:
        try:
            if server.process and server.process.poll() is None:
                server.stop()
        finally:
            for folder in folders:
                subprocess.run(["umount", "-l", folder], stderr=subprocess.DEVNULL, check=False)
            server.destroy()


def test_disks_of_their_own(other_disks):
    """Bodies are received on the disk of the database and cannot just get a name on another one."""
    rng = random.Random(2)
    bucket, server = other_disks, other_disks.server
    data = rng.randbytes(3_000_001)
    for content in (data, b"", data[:70_000], data):
        answer = bucket.put("put", content)
        assert answer.status_code == 200, answer.text
        assert bucket.files() == {"put": content}
    xorb = xet.Xorb([rng.randbytes(100_000) for _ in range(30)])
    item = xet.File((xorb, 0, 30))
    bucket.upload(xorb, item)
    assert bucket.batch(add=[("built", item)]).status_code == 200
    assert bucket.files() == {"put": data, "built": item.data}
    copy = {"type": "copyFile", "path": "copied", "xetHash": item.text, "sourceRepoType": "bucket", "sourceRepoId": "alice/b"}
    answer = server.call("POST", BUCKET + "/batch", data=json.dumps(copy))
    assert answer.status_code == 200 and (bucket.folder / "copied").read_bytes() == item.data, answer.text
    assert not os.listdir(bucket.tmp)
    assert (server.state / "spool").stat().st_dev != bucket.folder.stat().st_dev
    server.restart()
    assert set(bucket.listed()) == {"put", "built", "copied"}
    assert server.call("DELETE", BUCKET).status_code == 200
    wait_until(lambda: not bucket.folder.exists() and not os.listdir(server.state / "buckets/.trash"), 20, "an empty disk")
    found = sorted(path.name for path in (server.state / "buckets").iterdir())
    assert "lost+found" in found and server.call("GET", "/api/buckets/alice").json() == []


@pytest.fixture
def bucket():
    server = Server()
    try:
        server.start()
        yield Bucket(server)
    finally:
        server.destroy()


@pytest.mark.parametrize("moment", ["building", "placing"])
def test_server_killed_in_a_batch(bucket, moment):
    # Cut where hearthd cuts, too: after the crash it hashes again what it does not know.
    xorb = xet.Xorb([bytes([i]) * 131072 for i in range(62)], 1)
    items = {f"f{i % 5}/{i}": xet.File((xorb, i, i + 1), (xorb, 0, 3)) for i in range(60)}
    old = xet.File((xorb, 61, 62))
    bucket.upload(xorb, old, *items.values())
    assert bucket.batch([(path, old) for path in items]).status_code == 200
    first = bucket.folder / next(iter(items))
    reached = {"building": lambda: len(list(bucket.tmp.rglob("*"))) > 10, "placing": lambda: first.stat().st_size > 131072}[moment]
    answers = []

    def send():
        try:
            answers.append(bucket.batch(items.items()))
        except requests.RequestException:
            pass
    thread = threading.Thread(target=send)
    thread.start()
    while not reached() and not answers:
        pass
    helpers = helpers_of(bucket.server)
    bucket.server.kill9()
    thread.join()
    # hearth-files dies with its parent.
    wait_until(lambda: not [pid for pid in helpers if os.path.exists(f"/proc/{pid}")], 10, "the end of hearth-files")
    files = bucket.files()
    assert set(files) == set(items) and all(files[path] in (old.data, item.data) for path, item in items.items())
    bucket.server.start()
    wait_until(lambda: not os.listdir(bucket.tmp), 10, "an empty folder for temporary files")
    # What is listed is what is there, whichever it is.
    for path, line in bucket.listed().items():
        assert line["xetHash"] == (old if files[path] == old.data else items[path]).text
    assert bucket.batch(items.items()).status_code == 200
    assert bucket.files() == {path: item.data for path, item in items.items()}


def test_helper_killed_is_an_answer_and_not_an_outage(bucket):
    """The child alone dies: its client hears of it, and nobody else does."""
    xorb = xet.Xorb([bytes([i]) * 20_000 for i in range(100)])
    items = {f"{i}": xet.File((xorb, i, i + 1), (xorb, 0, 50)) for i in range(60)}
    bucket.upload(xorb, *items.values())
    answers = []
    thread = threading.Thread(target=lambda: answers.append(bucket.batch(items.items())))
    thread.start()
    while not answers and not os.listdir(bucket.tmp):
        pass
    for pid in helpers_of(bucket.server):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    thread.join()
    # 200: it was ready before we got there.
    assert answers[0].status_code in (500, 200), answers[0].text
    assert answers[0].status_code == 200 or bucket.files() == {} and "error" in answers[0].json()
    assert all(data == items[path].data for path, data in bucket.files().items())
    assert bucket.batch(items.items()).status_code == 200
    assert bucket.files() == {path: item.data for path, item in items.items()} and not os.listdir(bucket.tmp)
