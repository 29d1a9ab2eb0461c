# SPDX-License-Identifier: Apache-2.0
"""hearth-mount alone: what a job's programs can do with files of a bucket, and what happens when it goes wrong."""
import ctypes
import errno
import fcntl
import hashlib
import mmap
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import pytest

from intruder import has_landlock, intruder
from mounted import Mounted
from server import SANITIZED, wait_until

USER = 65534


@pytest.fixture
def mounted(root):
    """Factory of volumes, with `.folder` (on disk) and `.point` (as a job sees it)."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="hearth-mount.", dir="/var/tmp"))
    top.chmod(0o755)
    made = []

    def make(folder=None, **request):
        number = len(made)
        folder = folder or top / f"folder{number}"
        point = top / f"point{number}"
        folder.mkdir(exist_ok=True)
        os.chown(folder, USER, USER)
        point.mkdir()
        volume = Mounted(folder, point, user=USER, **request)
        volume.folder = folder
        made.append(volume)
        return volume.ready()
    yield make
    for volume in made:
        volume.destroy()
    shutil.rmtree(top)


@pytest.fixture
def volume(mounted):
    return mounted()


def fails_with(code, call, *args, **more):
    with pytest.raises(OSError) as caught:
        call(*args, **more)
    assert caught.value.errno == code, caught.value


def test_plain_files(volume):
    point, folder = volume.point, volume.folder
    (point / "a").write_text("hello")
    (point / "deep" / "er").mkdir(parents=True)
    (point / "deep" / "er" / "b").write_bytes(b"x" * 3_000_000)
    assert (folder / "a").read_text() == "hello" and (folder / "deep/er/b").stat().st_size == 3_000_000
    assert (folder / "a").stat().st_uid == USER and (point / "a").stat().st_uid == 0
    assert sorted(os.listdir(point)) == ["a", "deep"]
    os.rename(point / "deep" / "er", point / "moved")
    assert (point / "moved" / "b").stat().st_size == 3_000_000 and os.listdir(point / "deep") == []
    fails_with(errno.ENOTEMPTY, os.rmdir, point / "moved")
    os.unlink(point / "moved" / "b")
    os.rmdir(point / "moved")
    assert sorted(os.listdir(folder)) == ["a", "deep"]
    assert volume.finish() == 0


def test_what_is_refused(volume):
    point = volume.point
    (point / "a").write_text("x")
    fails_with(errno.EPERM, os.symlink, "a", point / "link")
    fails_with(errno.EPERM, os.link, point / "a", point / "hard")
    fails_with(errno.EPERM, os.mkfifo, point / "fifo")
    fails_with(errno.EPERM, os.mknod, point / "null", 0o20666, os.makedev(1, 3))
    fails_with(errno.EOPNOTSUPP, os.setxattr, point / "a", "user.x", b"1")
    fails_with(errno.EINVAL, os.mkdir, os.fsencode(point) + b"/\xff\xfe")
    fails_with(errno.EINVAL, os.mkdir, point / "new\nline")
    fails_with(errno.ENAMETOOLONG, os.mkdir, point / ("n" * 256))
    fails_with(errno.EPERM, (point / ".hearth-x").write_text, "")
    fails_with(errno.EPERM, os.rename, point / "a", point / ".hearth-x")
    deep = "/".join(["d" * 100] * 12)
    fails_with(errno.ENAMETOOLONG, os.makedirs, point / deep)
    assert (point / "a").read_text() == "x"
    (point / ("n" * 255)).mkdir()
    (point / "häßlich ☃").write_text("")


def test_what_others_put_there(volume):
    """Links and devices in the folder, whoever made them, are not there; nor are our own temporary files."""
    folder, point = volume.folder, volume.point
    (folder / "real").mkdir()
    (folder / "real" / "f").write_text("in")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "folder").symlink_to("real")
    (folder / ".hearth-tmp").write_text("")
    os.mkfifo(folder / "fifo")
    assert os.listdir(point) == ["real"]
    for name in ("link", "folder", "folder/f", ".hearth-tmp", "fifo"):
        assert not (point / name).exists() and not (point / name).is_symlink()
    fails_with(errno.EPERM, (point / "link").write_text, "owned")
    assert pathlib.Path("/etc/passwd").read_text() != "owned"


def test_modes_and_times(volume):
    file = volume.point / "a"
    file.write_text("#!/bin/sh\necho ran\n")
    assert file.stat().st_mode == 0o100644
    file.chmod(0o700)
    assert file.stat().st_mode == 0o100755 and (volume.folder / "a").stat().st_mode == 0o100755
    assert subprocess.run([file], capture_output=True).stdout == b"ran\n"
    file.chmod(0o600)
    assert file.stat().st_mode == 0o100644
    os.chown(file, 1234, 5678)
    assert file.stat().st_uid == 0
    os.utime(file, ns=(1_000_000_001, 1_234_567_890_123_456_789))
    assert file.stat().st_mtime_ns == (volume.folder / "a").stat().st_mtime_ns == 1_234_567_890_123_456_789
    os.utime(volume.point, ns=(1, 2_000_000_000))
    assert volume.point.stat().st_mtime_ns == 2_000_000_000


def test_any_user_may(volume):
    """All users of a job have the same rights in it."""
    script = f"echo 1 > {volume.point}/f && mkdir {volume.point}/d && rm {volume.point}/f && touch {volume.point}/d/x && test -w {volume.point}"
    subprocess.run(["sh", "-c", script], user=1000, group=1000, extra_groups=[], check=True)
    assert (volume.folder / "d" / "x").stat().st_uid == USER


def test_unlinked_and_replaced_while_open(volume):
    point = volume.point
    with open(point / "u", "w+b") as file:
        file.write(b"abc")
        file.flush()
        os.unlink(point / "u")
        assert os.fstat(file.fileno()).st_size == 3 and os.fstat(file.fileno()).st_nlink == 0
        file.write(b"def")
        file.seek(0)
        assert file.read() == b"abcdef"
        os.ftruncate(file.fileno(), 2)
        assert open(f"/proc/self/fd/{file.fileno()}", "rb").read() == b"ab"
    (point / "old").write_text("old content")
    (point / "new").write_text("new content")
    with open(point / "old") as file:
        os.rename(point / "new", point / "old")
        assert file.read() == "old content" and (point / "old").read_text() == "new content"


def test_the_server_replaces_a_file(volume):
    """As an upload does: readers keep what they have open, the next one sees the new file at once."""
    (volume.point / "f").write_text("one")
    with open(volume.point / "f") as file:
        (volume.folder / ".hearth-new").write_text("second")
        os.rename(volume.folder / ".hearth-new", volume.folder / "f")
        assert (volume.point / "f").read_text() == "second"
        assert file.read() == "one"
    os.unlink(volume.folder / "f")
    fails_with(errno.ENOENT, open, volume.point / "f")


def test_open_sees_what_others_wrote(mounted):
    """Whoever opens a file reads what is in it then, also right after having seen it empty."""
    volume = mounted()
    other = mounted(folder=volume.folder)
    for i in range(20):
        file = volume.point / f"{i}"
        file.touch()
        assert (other.point / f"{i}").stat().st_size == 0
        file.write_text("written")
        assert (other.point / f"{i}").read_text() == "written"
        (volume.folder / f"{i}").write_text("on the server")
        assert (other.point / f"{i}").read_text() == file.read_text() == "on the server"
        os.truncate(volume.folder / f"{i}", 2)
        assert (other.point / f"{i}").read_text() == file.read_text() == "on"


def test_exchange_and_no_replace(volume):
    libc = ctypes.CDLL(None, use_errno=True)
    at = os.fsencode(volume.point)
    (volume.point / "a").write_text("A")
    (volume.point / "b").mkdir()
    (volume.point / "b" / "in").write_text("B")
    assert libc.renameat2(-100, at + b"/a", -100, at + b"/b", 2) == 0
    assert (volume.point / "a" / "in").read_text() == "B" and (volume.point / "b").read_text() == "A"
    assert libc.renameat2(-100, at + b"/b", -100, at + b"/a", 1) == -1 and ctypes.get_errno() == errno.EEXIST


def test_append_truncate_seek(volume):
    file = volume.point / "f"
    with open(file, "ab", buffering=0) as one, open(file, "ab", buffering=0) as two:
        for i in range(50):
            one.write(b"1" * 10)
            two.write(b"2" * 10)
    assert file.read_bytes() == (b"1" * 10 + b"2" * 10) * 50
    os.truncate(file, 5)
    assert file.read_bytes() == b"11111"
    os.truncate(file, 1 << 40)
    assert file.stat().st_size == 1 << 40 and (volume.folder / "f").stat().st_blocks < 1000
    with open(file, "r+b") as handle:
        handle.seek(1 << 39)
        handle.write(b"end")
        handle.flush()
        assert os.lseek(handle.fileno(), 4096 * 16, os.SEEK_DATA) in ((1 << 39), (1 << 39) - (1 << 39) % 4096)


def test_memory_maps(volume):
    with open(volume.point / "m", "w+b") as file:
        file.truncate(1 << 20)
        with mmap.mmap(file.fileno(), 1 << 20) as memory:
            memory[4096:4101] = b"first"
            memory[1 << 19:(1 << 19) + 6] = b"second"
            memory.flush()
            assert (volume.folder / "m").read_bytes()[4096:4101] == b"first"
            memory[0:4] = b"last"  # written back when it is unmapped and closed
    assert volume.finish() == 0
    data = (volume.folder / "m").read_bytes()
    assert data[:4] == b"last" and data[1 << 19:(1 << 19) + 6] == b"second" and len(data) == 1 << 20


def test_a_map_of_a_file_that_is_appended_to(volume):
    """Pages go to their own place, also through a handle that appends."""
    (volume.point / "f").write_bytes(b"." * 8192)
    with open(volume.point / "f", "a+b", buffering=0) as file:
        with mmap.mmap(file.fileno(), 8192) as memory:
            memory[0:4] = b"head"
            memory.flush()
            file.write(b"tail")
            memory[4096:4100] = b"page"
            memory.flush()
    data = (volume.folder / "f").read_bytes()
    assert len(data) == 8196 and data[:4] == b"head" and data[4096:4100] == b"page" and data[8192:] == b"tail"


def test_sqlite(volume):
    for mode in ("delete", "wal"):
        with sqlite3.connect(volume.point / f"{mode}.db") as db:
            db.execute(f"pragma journal_mode={mode}")
            db.execute("create table t(x)")
            for part in range(5):
                db.executemany("insert into t values(?)", [(i,) for i in range(1000)])
                db.commit()
            assert db.execute("select count(*), sum(x) from t").fetchone() == (5000, 5 * 499500)
        db.close()
        with sqlite3.connect(volume.folder / f"{mode}.db") as db:
            assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        db.close()


def test_locks_within_a_job(volume):
    (volume.point / "lock").write_text("")
    with open(volume.point / "lock", "r+") as one, open(volume.point / "lock", "r+") as two:
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fails_with(errno.EAGAIN, fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_git(volume):
    at = volume.point
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "safe.directory=*", "-C", at]
    subprocess.run([*git, "init", "-q"], check=True)
    for i in range(50):
        (at / f"file{i}").write_text(f"content {i}\n" * 100)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    subprocess.run([*git, "gc", "-q"], check=True)
    subprocess.run(["git", "-c", "safe.directory=*", "clone", "-q", at, at / "clone"], check=True)
    assert (at / "clone" / "file7").read_text() == (at / "file7").read_text()
    assert subprocess.run([*git, "fsck"], capture_output=True).returncode == 0


def test_many_names(volume):
    names = {f"name-{i:05d}" for i in range(3000)}
    for name in names:
        (volume.folder / name).touch()
    assert set(os.listdir(volume.point)) == names
    with os.scandir(volume.point) as entries:  # forgets half while it reads on
        for i, entry in enumerate(entries):
            if i % 2:
                os.unlink(entry.path)
    assert len(os.listdir(volume.folder)) == 1500
    shutil.rmtree(volume.point, ignore_errors=True)
    assert os.listdir(volume.folder) == []


def test_random_operations_as_on_disk(volume, tmp_path):
    """The same operations on a volume and on a plain folder leave the same tree."""
    def apply(top, seed):
        rng, told = random.Random(seed), []
        names = [f"{a}{b}" for a in ("", "d/", "d/e/", "g/") for b in "xyz"]
        for step in range(600):
            one, two = top / rng.choice(names), top / rng.choice(names)
            kind, data, at = rng.randrange(9), rng.randbytes(rng.randrange(20000)), rng.randrange(30000)
            try:
                if kind == 0:
                    one.write_bytes(data)
                elif kind == 1:
                    with open(one, "r+b") as file:
                        file.seek(at)
                        file.write(data)
                elif kind == 2:
                    with open(one, "ab") as file:
                        file.write(data)
                elif kind == 3:
                    os.truncate(one, at)
                elif kind == 4:
                    os.rename(one, two)
                elif kind == 5:
                    os.unlink(one)
                elif kind == 6:
                    (one.parent if rng.random() < 0.5 else one).mkdir()
                elif kind == 7:
                    told.append(hashlib.sha1(one.read_bytes()).hexdigest())
                else:
                    os.rmdir(one) if rng.random() < 0.3 else shutil.copyfile(one, two)
            except OSError as error:
                told.append((kind, error.errno))
            except shutil.SameFileError:
                told.append("same")
        return told, sorted((str(path.relative_to(top)), path.read_bytes() if path.is_file() else None) for path in top.rglob("*"))
    for seed in (1, 2, 3):
        plain = tmp_path / str(seed)
        plain.mkdir()
        (volume.point / str(seed)).mkdir()
        assert apply(volume.point / str(seed), seed) == apply(plain, seed)


def test_read_only(mounted):
    volume = mounted(read_only=True)
    (volume.folder / "f").write_text("x")
    assert (volume.point / "f").read_text() == "x"
    fails_with(errno.EROFS, (volume.point / "g").write_text, "")
    fails_with(errno.EROFS, os.unlink, volume.point / "f")
    fails_with(errno.EROFS, os.truncate, volume.point / "f", 0)


def test_quota(mounted):
    volume = mounted(quota_bytes=1_000_000)
    (volume.point / "a").write_bytes(b"x" * 900_000)
    fails_with(errno.EDQUOT, (volume.point / "b").write_bytes, b"x" * 200_000)
    message = volume.message()
    assert message["type"] == "full" and "The bucket alice/out is full: its quota is" in message["text"]
    fails_with(errno.EDQUOT, os.truncate, volume.point / "a", 1_100_000)
    with open(volume.point / "a", "r+b") as file:
        file.write(b"y" * 900_000)  # in place
        fails_with(errno.EDQUOT, os.posix_fallocate, file.fileno(), 0, 1_100_000)
    os.unlink(volume.point / "a")
    (volume.point / "c").write_bytes(b"x" * 990_000)
    size = os.statvfs(volume.point)
    assert size.f_blocks * size.f_frsize <= 1_000_000 and size.f_bavail * size.f_frsize <= 10_000
    with open(volume.point / "c", "r+b") as file:  # its room comes back when nobody has it open any more
        os.unlink(volume.point / "c")
        fails_with(errno.EDQUOT, (volume.point / "d").write_bytes, b"x" * 100_000)
    (volume.point / "d").write_bytes(b"x" * 100_000)


def test_quota_counts_what_is_there(mounted):
    volume = mounted()
    (volume.folder / "d").mkdir()
    (volume.folder / "d" / "old").write_bytes(b"x" * 600_000)
    limited = mounted(folder=volume.folder, quota_bytes=1_000_000)
    fails_with(errno.EDQUOT, (limited.point / "new").write_bytes, b"x" * 500_000)
    told = mounted(folder=volume.folder, quota_bytes=1_000_000, used_bytes=0)  # by an old count
    fails_with(errno.EDQUOT, (told.point / "new").write_bytes, b"x" * 500_000)


def test_full_disk(mounted, tmp_path):
    """The job sees it at once, and what it had written stays."""
    image = tmp_path / "disk"
    with open(image, "wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    disk = tmp_path / "mounted"
    disk.mkdir()
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        (disk / "out").mkdir()
        volume = mounted(folder=disk / "out")
        (volume.point / "small").write_text("kept")
        fails_with(errno.ENOSPC, (volume.point / "large").write_bytes, b"x" * (32 << 20))
        assert volume.message() == {"type": "full", "text": "The disk that holds the bucket alice/out is full"}
        os.unlink(volume.point / "large")
        (volume.point / "again").write_bytes(b"x" * 1_000_000)
        assert (volume.point / "small").read_text() == "kept" and volume.finish() == 0
    finally:
        subprocess.run(["umount", disk], check=True)


def test_the_folder_goes_away(volume):
    (volume.point / "f").write_text("x")
    with open(volume.point / "f") as file:
        shutil.rmtree(volume.folder)
        fails_with(errno.ESTALE, os.listdir, volume.point)
        fails_with(errno.ESTALE, (volume.point / "g").write_text, "")
        assert file.read() == "x"
    volume.folder.mkdir()


def test_its_death_is_seen(volume):
    (volume.point / "f").write_text("x")
    volume.process.send_signal(signal.SIGKILL)
    volume.process.wait()
    wait_until(lambda: volume.message() is None, what="end of the link")
    fails_with(errno.ENOTCONN, os.listdir, volume.point)


def test_told_to_end_while_held(volume):
    """SIGTERM: it flushes and goes, whoever has a file open."""
    (volume.point / "f").write_text("x")
    with open(volume.point / "f"):
        volume.process.send_signal(signal.SIGTERM)
        assert volume.process.wait(20) == 0


@pytest.mark.skipif(SANITIZED, reason="sanitizers need what is taken away")
@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock")
def test_only_its_folder(mounted):
    """Whoever takes it over finds the files of the volume and nothing else."""
    volume = mounted()
    (volume.folder / "inside").write_text("x")
    top = volume.folder.parent
    (top / "key").write_text("x")
    call = "int fstatvfs64(int fd, void *ret)"
    for path, code in ((top / "key", errno.EACCES), (top, errno.EACCES), ("/etc/passwd", errno.EACCES), (volume.folder / "inside", 0)):
        other = mounted(volume.folder, environment={**os.environ, **intruder(top, call, path)})
        if code:
            fails_with(code, os.statvfs, other.point)
        else:
            os.statvfs(other.point)


def test_bad_requests(root, tmp_path):
    (tmp_path / "point").mkdir()
    for request, word in (({"kind": "floppy"}, "floppy"),):
        volume = Mounted(tmp_path, tmp_path / "point", user=USER, **request)
        try:
            message = volume.message()
            assert message["type"] == "error" and word in message["text"]
            assert volume.process.wait(20) == 1
        finally:
            volume.destroy()
