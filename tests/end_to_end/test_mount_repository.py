# SPDX-License-Identifier: Apache-2.0
"""hearth-mount alone with a repository of a Hub: what is fetched, what is kept, and what happens when the Hub breaks."""
import concurrent.futures
import errno
import hashlib
import os
import pathlib
import random
import threading
import time

import pytest
from hub_server import Hub
from mounter import Mounted
from server import wait_until

MIB = 1 << 20
pytestmark = pytest.mark.usefixtures("root")


def content(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.fixture(scope="module")
def contents():
    return {"config.json": b'{"a": 1}\n', "empty": b"", "big.bin": content(24 * MIB + 12345), "data/part one.bin": content(3 * MIB, 2),
            "data/deep/er/x.txt": b"x" * 1000, "data/\u00e9t\u00e9 #1%.txt": b"summer"}


@pytest.fixture
def hub(tmp_path, contents):
    top = tmp_path / "hub" / "models" / "org" / "m"
    for name, data in contents.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    hub = Hub(tmp_path / "hub").start()
    yield hub
    hub.stop()


@pytest.fixture
def mount(hub, tmp_path):
    mounted = []
    cache = tmp_path / "cache"
    cache.mkdir()

    def make(cache_bytes=0, timeout_s=6, **more):
        request = {"kind": "repository", "type": "model", "source": "org/m", "revision": "main", "path": "", "target": "/m",
                   "endpoint": hub.url, "token": "hf_upstream", "fetch": "lazy",
                   "limits": {"cache_bytes": cache_bytes, "timeout_s": timeout_s}, **more}
        one = Mounted(cache, request)
        mounted.append(one)
        return one
    yield make
    problems = []
    for one in mounted:
        status, text = one.stop()
        print(text)
        if (status != 0 and one.answer["type"] == "ready") or "Sanitizer" in text or "runtime error" in text:
            problems.append((status, text))
    assert not problems


def cached(tmp_path):
    return sum(p.stat().st_size for p in (tmp_path / "cache").glob("[0-9a-f][0-9a-f]/*"))


def tree(top):
    return {os.path.relpath(os.path.join(folder, name), top) for folder, _, names in os.walk(top) for name in names}


def test_everything_is_shown_as_it_is(mount, contents):
    m = mount()
    assert m.answer == {"type": "ready"}
    assert tree(m.target) == set(contents)
    for name, data in contents.items():
        assert os.stat(m.path(name)).st_size == len(data)
        assert pathlib.Path(m.path(name)).read_bytes() == data
    assert os.stat(m.path("data")).st_mode == 0o40555
    assert os.stat(m.path("config.json")).st_mode == 0o100444
    assert not os.path.exists(m.path("missing"))
    for action in (lambda: open(m.path("new"), "w"), lambda: os.unlink(m.path("config.json")), lambda: os.mkdir(m.path("d"))):
        with pytest.raises(OSError) as problem:
            action()
        assert problem.value.errno == errno.EROFS


def test_nothing_is_fetched_before_it_is_read(hub, mount, tmp_path):
    m = mount()
    tree(m.target)
    assert not hub.downloads and cached(tmp_path) == 0
    with open(m.path("big.bin"), "rb", buffering=0) as file:
        file.seek(20 * MIB + 5)
        assert file.read(10) == content(24 * MIB + 12345)[20 * MIB + 5:20 * MIB + 15]
    assert 0 < hub.sent <= 4 * MIB  # the kernel may read ahead; we do so only after reads in order


def test_a_token_goes_to_the_hub_and_nowhere_else(hub, mount):
    m = mount()
    pathlib.Path(m.path("big.bin")).read_bytes()
    assert all(headers["Authorization"] == "Bearer hf_upstream" for _, _, headers in hub.requests)
    assert hub.downloads and all("Authorization" not in headers for _, _, headers in hub.downloads)


def test_a_second_reader_is_served_from_the_cache(hub, mount, contents):
    first = mount()
    pathlib.Path(first.path("big.bin")).read_bytes()
    hub.downloads.clear()
    second = mount()
    assert pathlib.Path(second.path("big.bin")).read_bytes() == contents["big.bin"]
    assert not hub.downloads


def test_two_that_read_at_once_fetch_once(hub, mount, contents):
    both = [mount(), mount()]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for data in pool.map(lambda m: pathlib.Path(m.path("big.bin")).read_bytes(), both):
            assert data == contents["big.bin"]
    assert hub.sent <= 1.2 * len(contents["big.bin"])


def test_many_readers_at_random_places(hub, mount, contents):
    m = mount()
    data = contents["big.bin"]

    def reader(seed):
        chance = random.Random(seed)
        with open(m.path("big.bin"), "rb", buffering=0) as file:
            for _ in range(20):
                at, size = chance.randrange(len(data)), chance.randrange(1, 3 * MIB)
                file.seek(at)
                got = b""
                while len(got) < size and (piece := file.read(size - len(got))):
                    got += piece
                assert got == data[at:at + size]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(reader, range(8)))


def test_a_cache_smaller_than_a_file(hub, mount, contents, tmp_path):
    m = mount(cache_bytes=8 * MIB)
    for _ in range(2):
        assert hashlib.sha256(pathlib.Path(m.path("big.bin")).read_bytes()).digest() == hashlib.sha256(contents["big.bin"]).digest()
        with open(m.path("big.bin"), "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    wait_until(lambda: cached(tmp_path) <= 16 * MIB, what="eviction")


def test_a_sub_folder_is_the_root(mount, contents):
    m = mount(path="data/deep")
    assert tree(m.target) == {"er/x.txt"}
    assert pathlib.Path(m.path("er/x.txt")).read_bytes() == contents["data/deep/er/x.txt"]


def test_many_files_are_listed_as_they_are_looked_for(hub, mount):
    top = hub.folder / "models/org/m"
    for i in range(120):
        (top / f"many/{i % 3}").mkdir(parents=True, exist_ok=True)
        (top / f"many/{i % 3}/{i}").write_text(str(i))
    hub.page_size = 10
    m = mount()
    assert pathlib.Path(m.path("many/1/52")).read_text() == "1" * 0 + "52"
    assert not any("many/2" in path for path in hub.paths())
    assert len(os.listdir(m.path("many/2"))) == 40
    assert {int(os.path.basename(name)) for name in tree(m.path("many"))} == set(range(120))


def test_everything_first(hub, mount, contents):
    m = mount(fetch="prefetch")
    assert m.answer == {"type": "ready"}
    hub.stop()
    for name, data in contents.items():
        assert pathlib.Path(m.path(name)).read_bytes() == data


def test_everything_first_needs_room(mount):
    assert mount(fetch="prefetch", cache_bytes=8 * MIB).answer["type"] == "error"


@pytest.mark.parametrize("change,sentence", [
    ({"source": "org/none"}, "was not found"), ({"revision": "nope"}, "has no revision nope"), ({"path": "nope"}, "no such folder"),
    ({"token": "hf_wrong"}, "does not accept the token"), ({"type": "dataset"}, "was not found")])
def test_what_is_not_there_is_said(mount, change, sentence):
    answer = mount(**change).answer
    assert answer["type"] == "error" and sentence in answer["text"], answer


def test_private_and_gated_repositories_need_the_right(hub, mount):
    repository = hub.repository("models", "org/m")
    repository.private = True
    assert "was not found" in mount(token="hf_other").answer["text"]
    repository.readers = {"uma"}
    assert mount().answer["type"] == "ready"
    repository.private, repository.gated = False, "manual"
    answer = mount(token="hf_other").answer
    assert answer["code"] == "forbidden" and "is gated" in answer["text"]
    assert "is gated" in mount(token="").answer["text"]
    m = mount()
    assert pathlib.Path(m.path("config.json")).read_bytes()


def test_a_cache_gives_nothing_without_the_right(hub, mount, contents):
    """Whoever may not read the repository never gets as far as the cache."""
    pathlib.Path(mount().path("big.bin")).read_bytes()
    hub.repository("models", "org/m").private = True
    assert mount().answer["type"] == "error"


# Faults
def test_broken_connections_are_taken_up_again(hub, mount, contents):
    hub.faults.update(break_after=700 * 1024, break_after_count=30)
    assert pathlib.Path(mount().path("big.bin")).read_bytes() == contents["big.bin"]


def test_a_stalled_connection_is_replaced(hub, mount, contents):
    hub.faults.update(stall_after=300 * 1024, stall_after_count=2)
    assert pathlib.Path(mount(timeout_s=6).path("big.bin")).read_bytes() == contents["big.bin"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_errors_that_pass(hub, mount, contents, status):
    hub.faults.update(hub_status=status, hub_status_count=3)
    m = mount()
    assert m.answer["type"] == "ready"
    hub.faults.update(hub_status_count=2, cdn_status=status, cdn_status_count=3)
    assert pathlib.Path(m.path("big.bin")).read_bytes() == contents["big.bin"]


def test_redirects_that_expire(hub, mount, contents):
    m = mount()
    hub.faults.update(url_life_s=0.2)
    with open(m.path("big.bin"), "rb", buffering=0) as file:
        assert file.read(100) == contents["big.bin"][:100]
        time.sleep(0.4)  # the time that the redirect was good for
        file.seek(20 * MIB)
        assert file.read(100) == contents["big.bin"][20 * MIB:20 * MIB + 100]
    assert any(path.startswith("GET /org/m/resolve") for path in hub.paths())


def test_a_hub_that_is_gone_is_an_error_and_no_hang(hub, mount, contents):
    m = mount(timeout_s=2)
    with open(m.path("big.bin"), "rb", buffering=0) as file:
        assert file.read(1000) == contents["big.bin"][:1000]
        hub.stop()
        begin = time.monotonic()
        with pytest.raises(OSError) as problem:
            file.seek(20 * MIB)
            file.read(1000)
        assert problem.value.errno == errno.EIO
        assert time.monotonic() - begin < 15
        file.seek(0)
        assert file.read(1000) == contents["big.bin"][:1000]  # what is there stays


def test_a_hub_that_falls_silent_is_an_error_and_no_hang(hub, mount):
    m = mount(timeout_s=2)
    hub.faults.update(stall_after=1000)
    with pytest.raises(OSError) as problem:
        pathlib.Path(m.path("big.bin")).read_bytes()
    assert problem.value.errno == errno.EIO


def test_a_slow_hub_is_no_error(hub, mount):
    m = mount(timeout_s=2)
    hub.faults.update(bytes_per_second=MIB)
    assert len(pathlib.Path(m.path("data/part one.bin")).read_bytes()) == 3 * MIB


def test_wrong_contents_are_not_given_out_whole(hub, mount, contents):
    hub.faults.update(corrupt=True, corrupt_count=1)
    m = mount()
    with pytest.raises(OSError) as problem:
        pathlib.Path(m.path("big.bin")).read_bytes()
    assert problem.value.errno == errno.EIO
    assert pathlib.Path(m.path("big.bin")).read_bytes() == contents["big.bin"]


def test_a_reader_can_be_killed_while_it_waits(hub, mount):
    m = mount(timeout_s=60)
    hub.faults.update(stall_after=0)
    pid = os.fork()
    if pid == 0:
        try:
            pathlib.Path(m.path("big.bin")).read_bytes()
        finally:
            os._exit(1)
    wait_until(lambda: hub.downloads, what="download")
    os.kill(pid, 9)
    done = threading.Event()
    threading.Thread(target=lambda: (os.waitpid(pid, 0), done.set()), daemon=True).start()
    assert done.wait(10)


def test_a_process_that_is_killed_leaves_its_claims_to_others(hub, mount, contents):
    first = mount(timeout_s=60)
    hub.faults.update(stall_after=100)
    reader = threading.Thread(target=lambda: pytest.raises(OSError, pathlib.Path(first.path("big.bin")).read_bytes), daemon=True)
    reader.start()
    wait_until(lambda: hub.downloads, what="download")
    second = mount()
    hub.faults.clear()
    first.process.kill()
    first.answer = {"type": "killed"}
    assert pathlib.Path(second.path("big.bin")).read_bytes() == contents["big.bin"]
    reader.join(10)
