# SPDX-License-Identifier: Apache-2.0
"""hearth-files alone: what it takes, what it refuses, and that no file is ever half of anything."""
import os
import pathlib
import random
import signal
import struct
import subprocess
import tempfile
import threading
import time

import pytest
import xet
from files import PROGRAM, Files, Refused
from intruder import has_landlock, intruder
from server import SANITIZED, wait_until

HELLO = b'print("hello from uv")\n'


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture(scope="module")
def example_c():
    data, pieces = xet.example_c(), []
    for length in xet.EXAMPLE_C_LENGTHS:
        pieces.append(data[sum(map(len, pieces)):][:length])
    xorb = xet.Xorb(pieces)
    assert xorb.text == xet.EXAMPLE_C_XORB
    return xorb


def small(*texts, scheme=0):
    return xet.Xorb([text if isinstance(text, bytes) else text.encode() for text in texts], scheme)


def refused(files, operation, code, words, **fields):
    with pytest.raises(Refused) as caught:
        files.run(operation, **fields)
    assert caught.value.code == code and words in caught.value.text, caught.value
    return caught.value.text


# Xorbs

@pytest.mark.parametrize("unnamed", [True, False])
def test_xorb_is_stored_once(files, unnamed):
    xorb = small(HELLO, b"x" * 5000, b"\0\1\2\3" * 3000, scheme=0)
    xorb.body = xet.chunk(xorb.pieces[0]) + xet.chunk(xorb.pieces[1], 1) + xet.chunk(xorb.pieces[2], 2)
    answer = {"bytes": len(xorb.body), "chunks": 3}
    assert files.run("xorb", xorb.body, hash=xorb.text, unnamed=unnamed) == [{"inserted": True, **answer}]
    assert files.run("xorb", xorb.body, hash=xorb.text, unnamed=unnamed) == [{"inserted": False, **answer}]
    stored = files.store / "xorbs" / xorb.text[:2] / xorb.text
    assert stored.read_bytes().startswith(xorb.body)
    assert [path.name for path in stored.parent.iterdir()] == [xorb.text]


def test_footer_of_a_client_is_dropped(files):
    xorb = small(HELLO)
    files.run("xorb", xorb.body + b"XETBLOB\x01" + bytes(128), hash=xorb.text)
    assert b"XETBLOB" not in (files.store / "xorbs" / xorb.text[:2] / xorb.text).read_bytes()
    item = xet.File((xorb, 0, 1))
    files.batch(files.add("a", item))
    assert files.tree() == {"a": HELLO}


def test_damaged_xorb_is_replaced(files):
    xorb = small(HELLO)
    files.upload(xorb)
    stored = files.store / "xorbs" / xorb.text[:2] / xorb.text
    stored.write_bytes(stored.read_bytes()[:20])
    assert files.upload(xorb)["inserted"]
    files.batch(files.add("a", xet.File((xorb, 0, 1))))
    assert files.tree() == {"a": HELLO}


LIES = {
    "other content": lambda body: body[:-1] + b"!",
    "cut": lambda body: body[:-1],
    "cut in a header": lambda body: body + b"\0\1",
    "empty": lambda body: b"",
    "only a footer": lambda body: b"XETBLOB\1" + bytes(100),
    "version": lambda body: b"\1" + body[1:],
    "scheme": lambda body: body[:4] + b"\3" + body[5:],
    "chunks swapped": lambda body: xet.chunk(b"second") + xet.chunk(HELLO),
    "too long a chunk": lambda body: xet.chunk(bytes(131073)),
    "no chunk data": lambda body: bytes(8),
    "lengths differ": lambda body: struct.pack("<I", 6 << 8) + struct.pack("<I", 7 << 8) + b"second",
    "8193 chunks": lambda body: xet.chunk(b"x") * 8193,
    "bad lz4": lambda body: xet.chunk(HELLO, 1, b"\x04\x22\x4d\x18" + bytes(20)),
    "lz4 with more behind": lambda body: xet.chunk(HELLO, 1, xet.lz4.frame.compress(HELLO) + b"x"),
    "lz4 of less": lambda body: xet.chunk(HELLO, 1, xet.lz4.frame.compress(HELLO[:-1])),
    "lz4 of more": lambda body: xet.chunk(HELLO, 1, xet.lz4.frame.compress(HELLO + b"x")),
    "skippable frame": lambda body: xet.chunk(HELLO, 1, b"\x50\x2a\x4d\x18" + struct.pack("<I", 23) + HELLO),
}


@pytest.mark.parametrize("lie", LIES)
def test_lying_xorb_is_refused(files, lie):
    xorb = small(HELLO, "second")
    refused(files, "xorb", "invalid", "", body=LIES[lie](xorb.body), hash=xorb.text)
    assert not list(files.store.rglob(xorb.text)) and not files.leftovers()


def test_xorb_under_another_hash_is_refused(files):
    refused(files, "xorb", "invalid", "", body=small(HELLO).body, hash="0" * 64)
    refused(files, "xorb", "invalid", "64 hexadecimal digits", body=small(HELLO).body, hash="../../../etc/passwd")
    refused(files, "xorb", "invalid", "body", hash="0" * 64)


# Shards

def test_shard_gives_terms(files, example_c):
    hello = small(HELLO)
    files.upload(hello)
    files.upload(example_c)
    example_d = xet.File((example_c, 3, 7), (hello, 0, 1), (example_c, 3, 4))
    empty = xet.File()
    answer = files.run("shard", xet.shard(example_d, empty))
    assert answer == [{"hash": "55a2c96643225e37e9bb73697ecf53905a3af3f2c0d7fc0c6b3d74654b8a0dc9", "size": 421164,
                       "terms": example_d.wire_terms()},
                      {"hash": "0" * 64, "size": 0, "terms": []}]
    files.batch(files.add("d", example_d), files.add("empty", empty))
    assert files.tree() == {"d": example_d.data, "empty": b""}


SHARD_LIES = {
    "tag": lambda item: xet.shard(item, tag=bytes(32)),
    "version": lambda item: xet.shard(item, version=3),
    "no end": lambda item: xet.shard(item, end=b""),
    "one end": lambda item: xet.shard(item, end=xet.BOOKEND),
    "no verification": lambda item: xet.shard(records=[xet.file_record(item, flags=0)]),
    "count": lambda item: xet.shard(records=[xet.file_record(item, count=0xffffffff)]),
    "count 0": lambda item: xet.shard(records=[xet.file_record(xet.File(), hash=item.hash)]),
    "zero hash": lambda item: xet.shard(records=[xet.file_record(item, hash=bytes(32))]),
    "file hash": lambda item: xet.shard(records=[xet.file_record(item, hash=b"\1" * 32)]),
    "end beyond": lambda item: xet.shard(records=[xet.file_record(item, term=lambda f: f[:4] + [f[4] + 1])]),
    "start at end": lambda item: xet.shard(records=[xet.file_record(item, term=lambda f: f[:3] + [f[4], f[4]])]),
    "bytes": lambda item: xet.shard(records=[xet.file_record(item, term=lambda f: f[:2] + [f[2] - 1] + f[3:])]),
    "range hash": lambda item: xet.shard(records=[xet.file_record(item, **{"range": bytes(32)})]),
    "unknown xorb": lambda item: xet.shard(records=[xet.file_record(item, term=lambda f: [b"\7" * 32] + f[1:])]),
    "empty": lambda item: b"",
    "cut": lambda item: xet.shard(item)[:-50],
}


@pytest.mark.parametrize("lie", SHARD_LIES)
def test_lying_shard_is_refused_as_a_whole(files, lie):
    xorb = small(HELLO, "second")
    files.upload(xorb)
    refused(files, "shard", "invalid", "", body=SHARD_LIES[lie](xet.File((xorb, 0, 2))))


def test_one_wrong_file_in_a_shard_spoils_the_others(files):
    xorb = small(HELLO, "second")
    files.upload(xorb)
    good = [xet.File((xorb, 0, 1)), xet.File((xorb, 1, 2))]
    records = [xet.file_record(item) for item in good] + [xet.file_record(good[0], hash=b"\1" * 32)]
    refused(files, "shard", "invalid", "another hash", body=xet.shard(records=records))


# Batches

def test_batch_builds_files(files, example_c):
    hello = small(HELLO, b"compressible " * 1000, scheme=1)
    files.upload(hello)
    files.upload(example_c)
    one, two = xet.File((hello, 0, 2)), xet.File((example_c, 0, 19), (hello, 0, 1))
    answer = files.batch(files.add("a/b/one", one, mtime_ns=1778597859000123456), files.add("two", two), delete=["none"])
    assert [line.get("hash") for line in answer] == [one.text, two.text, None]
    assert answer[0]["chunks"] == one.table().hex() and answer[1]["chunks"] == two.table().hex()
    assert answer[2] == {"path": "none", "deleted": False}
    assert files.tree() == {"a/b/one": one.data, "two": two.data}
    for line in answer[:2]:
        status = os.stat(files.bucket / line["path"])
        assert [line[key] for key in ("size", "mtime_ns", "ctime_ns", "inode")] == [
            status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    assert answer[0]["mtime_ns"] == 1778597859000123456
    assert not files.leftovers()


def test_pieces_of_many_xorbs(files):
    xorbs = [small(f"one {i}", f"two {i}") for i in range(30)]
    for xorb in xorbs:
        files.upload(xorb)
    rng = random.Random(5)
    items = [xet.File(*[(rng.choice(xorbs), *rng.choice([(0, 1), (1, 2), (0, 2)])) for _ in range(200)]) for _ in range(5)]
    assert [line["hash"] for line in files.run("shard", xet.shard(*items))] == [item.text for item in items]
    files.batch(*[files.add(f"f{i}", item) for i, item in enumerate(items)])
    assert files.tree() == {f"f{i}": item.data for i, item in enumerate(items)}


def test_long_table_goes_to_a_file(files):
    xorb = small(*[f"line {i}\n" for i in range(300)])
    files.upload(xorb)
    item = xet.File((xorb, 0, 300))
    answer = files.batch(files.add("a", item))[0]
    assert "chunks" not in answer
    assert (files.store / "tables" / item.text[:2] / item.text).read_bytes() == item.table()


@pytest.mark.parametrize("path", ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/..", "./a", "a\0b", "a\nb", ".hearth-x",
                                  "a/.hearth-x/b", "a" * 256, "/".join(["a" * 100] * 11)])
def test_bad_paths_are_refused_one_by_one(files, path):
    xorb = small(HELLO)
    files.upload(xorb)
    item = xet.File((xorb, 0, 1))
    if "\0" in path:
        refused(files, "batch", "invalid", "", add=[files.add(path, item)])
        return
    answer = files.batch(files.add(path, item), files.add("good", item), delete=[path])
    assert answer[0]["path"] == path and answer[0]["error"] and answer[1]["hash"] == item.text
    assert answer[2] == {"path": path, "deleted": False}
    assert files.tree() == {"good": HELLO}
    assert sorted(os.listdir(files.top)) == ["bucket", "spool", "store", "tmp"]


def test_names_at_their_limits(files):
    xorb = small(HELLO)
    files.upload(xorb)
    item = xet.File((xorb, 0, 1))
    paths = ["a" * 255, "é" * 127, "/".join(["d" * 100] * 10), "Case", "case", "CASE", "sp ace", "-x", "~", "b/-", "日本/語"]
    assert not [line for line in files.batch(*[files.add(path, item) for path in paths]) if "error" in line]
    assert sorted(files.tree()) == sorted(paths)
    assert [line["path"] for line in files.run("list", recursive=True)] == sorted(paths, key=str.encode)


def test_links_and_other_file_systems_are_not_followed(files, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (files.bucket / "link").symlink_to(outside)
    (files.bucket / "file").symlink_to(outside / "secret")
    os.mkfifo(files.bucket / "fifo")
    xorb = small(HELLO)
    files.upload(xorb)
    answer = files.batch(files.add("link/new", xet.File((xorb, 0, 1))), delete=["link/secret"])
    assert "error" in answer[0] and answer[1]["deleted"] is False
    assert all("error" in line for line in files.run("hash", paths=["link/secret", "file", "fifo"]))
    assert files.run("list", recursive=True, directories=True) == []
    assert files.run("stat", paths=["link/secret", "file", "fifo", "link"]) == []
    assert files.run("usage") == [{"size": 0, "files": 0}]
    assert os.listdir(outside) == ["secret"]
    # A link in the file's own place is replaced, not written through.
    files.batch(files.add("file", xet.File((xorb, 0, 1))))
    assert not (files.bucket / "file").is_symlink() and (outside / "secret").read_text() == "secret"


def test_file_and_folder_of_one_name(files):
    xorb = small("one", "two")
    files.upload(xorb)
    one, two = xet.File((xorb, 0, 1)), xet.File((xorb, 1, 2))
    answer = files.batch(files.add("a", one), files.add("a/b", two))
    assert answer[0]["hash"] == one.text and answer[1]["error"] == "a is a file, so nothing can be below it"
    answer = files.batch(files.add("d/e/f", one), files.add("d/e", two), files.add("d", two))
    assert [line.get("error") for line in answer[1:]] == ["d/e is a folder, so it cannot be a file", "d is a folder, so it cannot be a file"]
    assert files.tree() == {"a": b"one", "d/e/f": b"one"}
    # With the other one deleted in the same batch it works, both ways.
    answer = files.batch(files.add("a/b", two), files.add("d", two), delete=["a", "d/e/f"])
    assert not [line for line in answer if "error" in line] and answer[2]["deleted"] and answer[3]["deleted"]
    assert files.tree() == {"a/b": b"two", "d": b"two"}


def test_deleting_removes_what_is_empty_then(files):
    for path in ("a/b/c/one", "a/b/c/two", "a/other", "x/y/z"):
        (files.bucket / path).parent.mkdir(parents=True, exist_ok=True)
        (files.bucket / path).write_text("1")
    answer = files.batch(delete=["a/b/c/one", "a/b/c/two", "x/y/z", "a/b", "nope/x"])
    assert [line["deleted"] for line in answer] == [True, True, True, False, False]
    assert sorted(str(path.relative_to(files.bucket)) for path in files.bucket.rglob("*")) == ["a", "a/other"]
    files.batch(delete=["a/other"])
    assert files.bucket.is_dir() and not os.listdir(files.bucket)


def test_copy(files, tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    data = random.Random(1).randbytes(3_000_000)
    (source / "deep" / "file").write_bytes(data)
    put = files.run("put", data, path="here")[0]
    add = {"path": "copy", "hash": put["hash"], "from": str(source), "from_path": "deep/file", "mtime_ns": 5}
    answer = files.batch(add)[0]
    assert (files.bucket / "copy").read_bytes() == data
    assert answer["hash"] == put["hash"] and answer["chunks"] == put["chunks"] and answer["mtime_ns"] == 5
    # With facts that hold there is nothing to hash.
    status = os.stat(source / "deep" / "file")
    facts = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns, "inode": status.st_ino}
    answer = files.batch({**add, "source": facts}, {**add, "path": "two", "source": {**facts, "inode": 1}})
    assert "chunks" not in answer[0] and answer[1]["chunks"] == put["chunks"]
    (source / "deep" / "file").write_bytes(data[:-1] + b"x")
    answer = files.batch(add, {**add, "source": facts}, {**add, "from_path": "gone"}, {**add, "from_path": "../source/deep/file"})
    assert all("error" in line for line in answer) and "other content" in answer[0]["error"]
    assert (files.bucket / "copy").read_bytes() == data


def test_terms_that_do_not_give_the_file_are_refused(files):
    xorb = small("one", "two")
    files.upload(xorb)
    item = xet.File((xorb, 0, 2))
    good = files.add("a", item)
    (files.bucket / "a").write_text("old")
    wrong = [{**good, "hash": "1" * 64}, {**good, "size": 7}, {**good, "terms": good["terms"] * 2},
             {**good, "terms": [[xorb.text, 0, 3, 6]]}, {**good, "terms": [[xorb.text, 0, 2, 5]]}, {**good, "terms": [["7" * 64, 0, 1, 3]]},
             {**good, "terms": [[xorb.text, 1, 0, 6]]}, {**good, "terms": [[xorb.text, 0, 2 ** 40, 6]]}, {**good, "terms": ["x"]},
             {**good, "terms": {}}, {**good, "hash": "xyz"}, {"path": "a"}]
    for line in files.batch(*wrong):
        assert "error" in line, line
    assert files.tree() == {"a": b"old"} and not files.leftovers()


def test_damaged_store_never_becomes_a_file(files):
    xorb = small("one", "two")
    files.upload(xorb)
    stored = files.store / "xorbs" / xorb.text[:2] / xorb.text
    stored.write_bytes(stored.read_bytes().replace(b"one", b"One"))
    assert "error" in files.batch(files.add("a", xet.File((xorb, 0, 2))))[0]
    assert files.tree() == {}


@pytest.fixture
def files_in_memory():
    with tempfile.TemporaryDirectory(prefix="hearth-test.", dir="/dev/shm") as top:
        yield Files(pathlib.Path(top))


def test_ten_thousand_files(files_in_memory):
    files = files_in_memory  # some disks discard what is deleted piece by piece
    xorb = small(*[f"content {i}" for i in range(5000)])
    files.upload(xorb)
    items = [xet.File((xorb, i, i + 1)) for i in range(5000)]
    paths = [f"{i % 7}/{i % 40}/file {i}" for i in range(10000)]
    answer = files.batch(*[files.add(path, items[i % 5000]) for i, path in enumerate(paths)])
    assert len(answer) == 10000 and not [line for line in answer if "error" in line]
    assert files.run("usage")[0]["files"] == 10000
    assert (files.bucket / paths[9999]).read_text() == "content 4999" and not files.leftovers()
    assert all(line["deleted"] for line in files.batch(delete=paths))
    assert not os.listdir(files.bucket)


# Faults

@pytest.mark.parametrize("moment", ["building", "placing", "removing"])
def test_killed_in_a_batch_leaves_old_or_new_files(files, moment):
    xorb = small(*[bytes([i]) * 20_000 for i in range(100)])
    files.upload(xorb)
    items = {f"f{i % 5}/{i}": xet.File((xorb, i, i + 1), (xorb, 0, 20)) for i in range(60)}
    for path in items:
        (files.bucket / path).parent.mkdir(exist_ok=True)
        (files.bucket / path).write_text("old")
    (files.bucket / "gone").mkdir()
    gone = [f"gone/{i}" for i in range(300)]
    for path in gone:
        (files.bucket / path).write_text("old")
    last = list(items)[-1]
    reached = {
        "building": lambda: len(files.leftovers()) > 20,
        "placing": lambda: (files.bucket / "f0/0").stat().st_size > 3,
        "removing": lambda: (files.bucket / last).stat().st_size > 3,
    }[moment]
    process = files.start("batch", add=[files.add(path, item) for path, item in items.items()], delete=gone)
    while not reached() and process.poll() is None:
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    os.close(process.answer_fd)
    tree = files.tree()
    assert all(tree[path] in (b"old", item.data) for path, item in items.items())
    # The next run cleans up, and doing all of it again works.
    assert not [line for line in files.batch(*[files.add(path, item) for path, item in items.items()], delete=gone) if "error" in line]
    assert files.tree() == {path: item.data for path, item in items.items()} and not files.leftovers()


def test_a_run_leaves_the_folder_of_another_that_lives(files):
    xorb = small(*[bytes([i]) * 50_000 for i in range(60)])
    files.upload(xorb)
    items = [files.add(f"f{i}", xet.File((xorb, i, i + 1), (xorb, 0, 30))) for i in range(60)]
    process = files.start("batch", add=items)
    while not files.leftovers() and process.poll() is None:
        pass
    for i in range(5):
        files.batch(files.add(f"other{i}", xet.File((xorb, 0, 1))))
    assert not [line for line in files.finish(process) if "error" in line]
    assert len(files.tree()) == 65 and not files.leftovers()


def test_batches_that_make_and_remove_the_same_folders(files):
    xorb = small(HELLO)
    files.upload(xorb)
    item = xet.File((xorb, 0, 1))
    problems = []

    def work(number):
        for _ in range(25):
            problems.extend(line for line in files.batch(files.add(f"a/b/{number}", item)) if "error" in line)
            problems.extend(line for line in files.batch(delete=[f"a/b/{number}"]) if not line["deleted"])
    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems and not os.listdir(files.bucket)


@pytest.fixture
def tiny(root, tmp_path):
    """On a disk of 4 MiB."""
    top = tmp_path / "disk"
    top.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "hearth-test", top], check=True)
    try:
        yield Files(top / "state")
    finally:
        subprocess.run(["umount", "-l", top], check=True)


@pytest.mark.parametrize("count", [3, 40])
def test_full_disk_changes_nothing(tiny, count):
    xorb = small(*[bytes([i]) * 100_000 for i in range(10)], scheme=1)
    tiny.upload(xorb)
    item = xet.File((xorb, 0, 10), (xorb, 0, 10))
    paths = [f"d{i % 3}/{i}" for i in range(count)]
    tiny.batch(*[tiny.add(path, xet.File((xorb, 0, 1))) for path in paths[:2]])
    before = tiny.tree()
    refused(tiny, "batch", "unavailable", "disk is full", add=[tiny.add(path, item) for path in paths], delete=paths[:1])
    assert tiny.tree() == before and not tiny.leftovers()
    # Less of it fits, and deleting makes room.
    assert "error" not in tiny.batch(tiny.add("fits", item))[0]
    tiny.batch(delete=paths[:2] + ["fits"])
    assert tiny.tree() == {}


def test_full_disk_for_bodies(tiny, tmp_path):
    tiny.spool = tmp_path
    rng = random.Random(2)
    inserted = 0
    with pytest.raises(Refused) as caught:
        for _ in range(10):
            tiny.upload(small(*[rng.randbytes(100_000) for _ in range(10)]))
            inserted += 1
    assert caught.value.code == "unavailable" and "disk is full" in caught.value.text and inserted > 0
    assert len([path for path in tiny.store.rglob("*") if path.is_file()]) == inserted
    (tiny.bucket / "old").write_text("old")
    refused(tiny, "put", "unavailable", "disk is full", body=rng.randbytes(1_500_000), path="old")
    assert tiny.tree() == {"old": b"old"} and not tiny.leftovers()


# Put, hash

@pytest.mark.parametrize("unnamed", [True, False])
def test_put(files, example_c, unnamed):
    data = b"".join(example_c.pieces)
    answer = files.run("put", data, path="a/c.bin", mtime_ns=1_000_000_001, unnamed=unnamed)[0]
    assert answer["hash"] == xet.EXAMPLE_C_FILE and answer["chunks"] == xet.File((example_c, 0, 19)).table().hex()
    assert files.tree() == {"a/c.bin": data}
    status = os.stat(files.bucket / "a/c.bin")
    assert status.st_mtime_ns == 1_000_000_001 and status.st_mode & 0o777 == 0o640 and status.st_nlink == 1
    assert files.run("put", b"", path="a/c.bin")[0]["hash"] == "0" * 64
    assert files.tree() == {"a/c.bin": b""} and not files.leftovers()
    refused(files, "put", "conflict", "is a folder", body=b"x", path="a")
    refused(files, "put", "conflict", "is a file", body=b"x", path="a/c.bin/d")
    refused(files, "put", "invalid", "'..'", body=b"x", path="../d")


def test_hash_of_what_jobs_wrote(files, example_c):
    (files.bucket / "c").write_bytes(b"".join(example_c.pieces))
    (files.bucket / "empty").touch()
    (files.bucket / "constant").write_bytes(bytes([59]) * 1_000_000)
    answer = files.run("hash", paths=["c", "empty", "gone", "constant"])
    assert answer[0]["hash"] == xet.EXAMPLE_C_FILE and answer[1]["hash"] == "0" * 64
    assert "error" in answer[2]
    lengths = [struct.unpack_from("<I", bytes.fromhex(answer[3]["chunks"]), i + 32)[0] for i in range(0, len(answer[3]["chunks"]) // 2, 36)]
    assert lengths == [131072] * 7 + [82496]
    status = os.stat(files.bucket / "c")
    assert answer[0]["ctime_ns"] == status.st_ctime_ns and answer[0]["inode"] == status.st_ino


def test_hash_of_a_long_file(files):
    data = random.Random(3).randbytes(24_000_000)
    (files.bucket / "long").write_bytes(data)
    answer = files.run("hash", paths=["long"])[0]
    table = (files.store / "tables" / answer["hash"][:2] / answer["hash"]).read_bytes()
    nodes, offset = [], 0
    for i in range(0, len(table), 36):
        length = struct.unpack_from("<I", table, i + 32)[0]
        nodes.append((xet.keyed(xet.DATA, data[offset:offset + length]), length))
        assert nodes[-1][0] == table[i:i + 32]
        offset += length
    assert offset == len(data) and len(nodes) > 256 and xet.text(xet.file_hash(nodes)) == answer["hash"]


def test_file_that_changes_while_it_is_read(files):
    (files.bucket / "busy").write_bytes(b"x")
    ended = threading.Event()

    def write():
        with open(files.bucket / "busy", "ab", buffering=0) as file:
            while not ended.is_set():
                file.write(b"x")
                time.sleep(0.0005)
    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert files.run("hash", paths=["busy"]) == [{"path": "busy", "error": "it changes while it is read"}]
    finally:
        ended.set()
        thread.join()


# List, stat, usage, wipe, sync

def paged(files, limit, **query):
    out, after = [], None
    while True:
        lines = files.run("list", limit=limit, after=after, **query)
        more = lines and lines[-1] == {"more": True}
        out += lines[:-1] if more else lines
        assert len(lines) - bool(more) <= limit
        if not more:
            return out
        after = out[-1]["path"]


def test_list_is_in_order_of_whole_paths(files):
    rng = random.Random(4)
    parts = ["a", "a-b", "a0", "a.b", "A", "b", "é", "a b", "~", "ab"]
    paths = set()
    while len(paths) < 120:
        path = "/".join(rng.choice(parts) for _ in range(rng.randint(1, 4)))
        steps = path.split("/")
        if (files.bucket / path).exists() or any("/".join(steps[:i]) in paths for i in range(1, len(steps))):
            continue  # a folder already, or below a file
        (files.bucket / path).parent.mkdir(parents=True, exist_ok=True)
        (files.bucket / path).write_text(path)
        paths.add(path)
    (files.bucket / "hollow" / "folder").mkdir(parents=True)
    (files.bucket / ".hearth-temporary").write_text("x")
    (files.bucket / os.fsdecode(b"\xff\xfe")).write_text("x")
    wanted = sorted(paths, key=str.encode)
    for limit in (1, 7, 1000):
        assert [line["path"] for line in paged(files, limit, recursive=True)] == wanted
    # One level: folders once, in the same order.
    top = sorted({path.split("/")[0] for path in paths} | {"hollow"}, key=str.encode)
    for limit in (2, 1000):
        lines = paged(files, limit, directories=True)
        assert [line["path"] for line in lines] == top
        assert [line["path"] for line in lines if "directory" in line] == [name for name in top if (files.bucket / name).is_dir()]
    # A prefix ends at a component.
    below = [path for path in wanted if path.startswith("a/")]
    assert [line["path"] for line in paged(files, 3, recursive=True, prefix="a/")] == below
    assert [line["path"] for line in files.run("list", recursive=True, prefix="a")] == below
    assert files.run("list", recursive=True, prefix="nothing/here") == []
    assert [line["path"] for line in files.run("list", prefix=wanted[0])] == [wanted[0]]
    refused(files, "list", "invalid", "'..'", prefix="../..")
    refused(files, "list", "invalid", "limit", limit=0)


def test_stat_usage_wipe_sync(files):
    (files.bucket / "a").mkdir()
    (files.bucket / "a" / "b").write_text("12345")
    assert [(line["path"], line["size"]) for line in files.run("stat", paths=["a/b", "a", "none", "../bucket/a/b", "a/b/c"])] == [("a/b", 5)]
    assert files.run("usage") == [{"size": 5, "files": 1}]
    assert files.run("sync", folder=str(files.top)) == [{}]
    deep = files.bucket
    for _ in range(200):
        deep /= "deep"
    os.makedirs(deep)
    assert files.run("wipe", folder=str(files.bucket)) == [{}] and not files.bucket.exists()
    assert files.run("wipe", folder=str(files.bucket)) == [{}]
    for folder in ("/", "/tmp", "relative", "", "/tmp/..", "/tmp/x/../y"):
        refused(files, "wipe", "invalid", "folder", folder=folder)


def test_prune(files):
    xorbs = [small(f"xorb {i}") for i in range(3)]
    for xorb in xorbs:
        files.upload(xorb)
    long = small(*[f"line {i}\n" for i in range(300)])
    files.upload(long)
    items = [xet.File((long, 0, 300)), xet.File((long, 0, 299))]
    files.batch(*[files.add(f"{i}", item) for i, item in enumerate(items)])
    day = 24 * 3600

    def path(kind, hash_text):
        return files.store / kind / hash_text[:2] / hash_text

    def age(file, read, written):
        os.utime(file, (time.time() - read * day, time.time() - written * day))
    age(path("xorbs", xorbs[0].text), 0, 30)
    age(path("xorbs", xorbs[1].text), 30, 0)
    age(path("tables", items[0].text), 30, 30)
    age(path("tables", items[1].text), 1, 30)
    parts = [path("xorbs", xorbs[0].text).with_suffix(".123"), path("tables", items[0].text).with_name(f".{items[0].text}.0123456789abcdef")]
    for part in parts:
        part.write_text("part")
    before_ns = time.time_ns() - 25 * day * 10**9
    assert files.run("prune", before_ns=before_ns) == [{"xorb": xorbs[0].text}, {"removed": 1}]
    assert path("xorbs", xorbs[0].text).exists() and path("tables", items[1].text).exists() and not path("tables", items[0].text).exists()
    for part in parts:
        assert part.exists()
        age(part, 1, 1)
    assert files.run("prune", before_ns=before_ns) == [{"xorb": xorbs[0].text}, {"removed": 2}]
    assert not any(part.exists() for part in parts)
    # Hashing gives the table again.
    files.run("hash", paths=["0"])
    (files.bucket / "big").write_bytes(random.Random(6).randbytes(24_000_000))
    answer = files.run("hash", paths=["big"])[0]
    age(path("tables", answer["hash"]), 30, 30)
    files.run("prune", before_ns=before_ns)
    assert not path("tables", answer["hash"]).exists()
    assert files.run("hash", paths=["big"])[0] == answer and path("tables", answer["hash"]).exists()
    assert files.run("prune", before_ns=before_ns, store=str(files.top / "tmp")) == [{"removed": 0}]


@pytest.mark.skipif(SANITIZED, reason="sanitizers need what is taken away")
def test_sandbox(files):
    parent = subprocess.Popen(["sh", "-c", f"{PROGRAM} list <&3 & echo $!; wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              pass_fds=(3,), preexec_fn=lambda: os.dup2(0, 3))
    try:
        pid = int(parent.stdout.readline())
        status = {}
        while status.get("Name") != "hearth-files" or status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
            assert parent.poll() is None
            with open(f"/proc/{pid}/status") as file:
                status = dict(line.split(":", 1) for line in file.read().replace("\t", "").splitlines())
        with open(f"/proc/{pid}/limits") as file:
            limits = {line[:26].strip(): line[26:].split()[0] for line in file}
        assert limits["Max core file size"] == "0" and limits["Max address space"] == str(3 << 30)
        # Whoever has no parent any more has nobody who reads its answer.
        parent.kill()
        parent.wait()

        def is_dead():
            try:
                with open(f"/proc/{pid}/stat") as file:
                    return ") Z " in file.read()
            except OSError:
                return True
        wait_until(is_dead, 20, "its death")
    finally:
        parent.kill()
        parent.communicate()


@pytest.mark.skipif(SANITIZED, reason="sanitizers need what is taken away")
@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock")
def test_only_the_folders_of_the_request(files, monkeypatch):
    """Whoever takes it over finds the folders of the request and nothing else: not the database beside them."""
    (files.top / "db").mkdir()
    for path in (files.top / "db" / "seal.key", files.store / "inside", files.bucket / "inside"):
        path.write_text("x")
    folder = str(files.bucket)
    for path in (files.top / "db" / "seal.key", files.top / "db", files.top, "/etc/passwd", files.spool):
        for name, value in intruder(files.top, "int syncfs(int fd)", path).items():
            monkeypatch.setenv(name, value)
        refused(files, "sync", "internal", "Permission denied", folder=folder)
    for path in (files.store / "inside", files.bucket / "inside", files.tmp):
        intruder(files.top, "int syncfs(int fd)", path)
        assert files.run("sync", folder=folder) == [{}]


def test_bad_requests(files):
    refused(files, "nothing", "invalid", "no operation")
    refused(files, "batch", "not found", "cannot open the folder", bucket=str(files.top / "none"))
    refused(files, "batch", "invalid", "'bucket' must be text", bucket=None)
    refused(files, "batch", "invalid", "absolute", bucket="relative")
    refused(files, "batch", "invalid", "'add' must be an array", add={})
    refused(files, "batch", "invalid", "'delete' must have paths", delete=[1])
    refused(files, "shard", "invalid", "body")
    refused(files, "list", "too large", "larger than", filler="x" * (64 << 20))
    process = subprocess.run([PROGRAM, "list"], input=b"{", stdout=subprocess.PIPE, check=False)
    assert process.returncode == 1 and b'"code":"invalid"' in process.stdout
