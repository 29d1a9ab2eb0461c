# SPDX-License-Identifier: Apache-2.0
"""Buckets in jobs: real containers, files on disk, and every way in which a job can end."""
import os
import pathlib
import pwd
import re
import signal
import subprocess

import pytest

import oci
from server import wait_until

MIB = 1 << 20


@pytest.fixture(scope="module")
def hearth(make_server):
    return make_server("[buckets]\nquota = 0\n")


def bucket(server, name, namespace="alice", **fields):
    """Make a bucket; its folder on the server's disk."""
    answer = server.call("POST", f"/api/buckets/{namespace}/{name}", json=fields)
    assert answer.status_code in (200, 201), answer.text
    folder = server.state / "buckets" / namespace / name
    assert folder.is_dir()
    return folder


def own(path):
    user = pwd.getpwnam("hearth")
    os.chown(path, user.pw_uid, user.pw_gid)
    return path


def volume(name, at="/out", **more):
    return {"type": "bucket", "source": name if "/" in name else f"alice/{name}", "mountPath": at, **more}


def run(server, script, volumes, stages=("COMPLETED",), **fields):
    """The ended job and its log."""
    job = server.submit(["sh", "-c", script], volumes=volumes, **fields)
    job = server.wait_job(job["id"])
    log = server.log_lines(job["id"])
    assert job["status"]["stage"] in stages, (job["status"], log)
    return job, log


def mounts_of(server):
    """Processes that serve volumes of this server's jobs."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() == "hearth-mount" and \
                        str(server.state) in os.readlink(entry / "fd" / "4"):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def process_of(job, command_line):
    """Process id of that command of the job, as the host sees it."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes() == command_line and job["id"] in (entry / "cgroup").read_text():
                    return int(entry.name)
            except OSError:
                pass
    return None


def test_read_and_write(hearth):
    folder = bucket(hearth, "plain")
    own_file = folder / "before"
    own_file.write_text("was here\n")
    own(own_file)
    job, log = run(hearth, "cat /out/before; mkdir -p /out/a/b; echo result > /out/a/b/r; mv /out/before /out/after; stat -c %u:%g:%a /out/a/b/r",
                   [volume("plain")])
    assert log == ["was here", "0:0:644"]
    assert (folder / "a/b/r").read_text() == "result\n" and (folder / "after").read_text() == "was here\n"
    user = pwd.getpwnam("hearth")
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.rglob("*")} == {(user.pw_uid, user.pw_gid)}
    assert job["volumes"] == [{"type": "bucket", "source": "alice/plain", "mountPath": "/out", "readOnly": False}]
    assert mounts_of(hearth) == []


def test_read_only(hearth):
    folder = bucket(hearth, "readonly")
    (folder / "f").write_text("x")
    job, log = run(hearth, "cat /data/f; echo; echo y > /data/f; rm /data/f; touch /data/g; cat /data/f", [volume("readonly", "/data", readOnly=True)])
    assert log[0] == "x" and log[-1] == "x" and sum("Read-only file system" in line for line in log) == 3
    assert job["volumes"][0]["readOnly"] is True
    assert os.listdir(folder) == ["f"]


def test_folders_and_several_volumes(hearth):
    one, two = bucket(hearth, "one"), bucket(hearth, "two")
    (one / "sub" / "deep").mkdir(parents=True)
    own(one / "sub"), own(one / "sub" / "deep")
    _, log = run(hearth, "echo 1 > /a/f; echo 2 > /b/f; cp /a/f /b/copy; ls /a /b /c/d; ls -d /c/e || true; cat /c/d/deep/f",
                 [volume("one", "/a", path="sub/deep"), volume("two", "/b"), volume("one", "/c/d", path="sub")])
    assert log[:6] == ["/a:", "f", "", "/b:", "copy", "f"] and log[-1] == "1"
    assert (one / "sub/deep/f").read_text() == (two / "copy").read_text() == "1\n" and (two / "f").read_text() == "2\n"


def test_missing_folder(hearth):
    bucket(hearth, "empty")
    job, _ = run(hearth, "true", [volume("empty", path="no/such")], stages=("ERROR",))
    assert job["status"]["message"] == 'There is no folder "no/such" in the bucket alice/empty, to mount at /out'


def test_links_lead_nowhere(hearth):
    """Somebody with access to the server's disk put links there; nothing follows them."""
    folder = bucket(hearth, "links")
    (folder / "etc").symlink_to("/etc")
    (folder / "up").symlink_to("..")
    job, _ = run(hearth, "true", [volume("links", path="etc")], stages=("ERROR",))
    assert "no folder" in job["status"]["message"]
    _, log = run(hearth, "ls -a /out; cat /out/etc/passwd || echo no; ln -s /etc /out/mine || echo refused; ls /out/../out/up || echo no", [volume("links")])
    assert log[:2] == [".", ".."] and "no" in log and "refused" in log and not any("root:" in line for line in log)


def test_other_users_in_the_image(hearth):
    """Whoever the job's processes are, the files are theirs to use, and are plain ones on disk."""
    folder = bucket(hearth, "users")
    _, log = run(hearth, "echo root > /out/r; su worker -c 'id -u; echo w > /out/w; rm /out/r; mkdir /out/d; chmod 700 /out/d; touch /out/d/x'", [volume("users")])
    assert log == ["1000"] and sorted(os.listdir(folder)) == ["d", "w"]
    user = pwd.getpwnam("hearth")
    assert (folder / "w").stat().st_uid == user.pw_uid and (folder / "d" / "x").exists()


def test_image_user(make_server, registry, busybox_tar):
    """In an image with a user of its own, files seem to belong to that user, and the mount point is made for it."""
    server = make_server(f"[registry {registry.host}]\nplain_http = yes\n")
    oci.push_image(registry.host, "volumes/worker", "1", [busybox_tar.read_bytes()], {"User": "worker"})
    folder = bucket(server, "imageuser")
    _, log = run(server, "id -u; stat -c %u:%g:%a /very/deep/out; echo x > /very/deep/out/x; stat -c %u /very/deep/out/x",
                 [volume("imageuser", "/very/deep/out")], image=f"{registry.host}/volumes/worker:1")
    assert log == ["1000", "1000:1000:755", "1000"] and (folder / "x").read_text() == "x\n"


def test_many_files_and_large_ones(hearth):
    folder = bucket(hearth, "many")
    _, log = run(hearth, "mkdir /out/m; i=0; while [ $i -lt 500 ]; do echo $i > /out/m/$i; i=$((i+1)); done; ls /out/m | wc -l; "
                 "dd if=/dev/zero of=/out/big bs=1M count=100 2>/dev/null; dd if=/dev/urandom of=/out/big bs=1M count=3 seek=50 conv=notrunc 2>/dev/null; md5sum /out/big",
                 [volume("many")], flavor="small")
    assert log[0] == "500" and {(folder / "m" / str(i)).read_text() for i in range(500)} == {f"{i}\n" for i in range(500)}
    assert subprocess.run(["md5sum", folder / "big"], capture_output=True, text=True).stdout.split()[0] == log[1].split()[0]
    assert (folder / "big").stat().st_size == 100 * MIB


@pytest.mark.parametrize("ending", ["exit", "timeout", "cancel", "kill", "oom"])
def test_results_are_there_at_the_end(hearth, ending):
    """As soon as the stage is terminal, what was written is complete on disk, and nothing serves the volume any more."""
    folder = bucket(hearth, f"ending-{ending}")
    write = "dd if=/dev/zero bs=1M count=20 2>/dev/null | tr '\\0' x > /out/data; echo done > /out/done; echo written; "
    after = {"exit": "exit 3", "timeout": "sleep 1000", "cancel": "sleep 1000", "kill": "exec sleep 1000", "oom": "tail -c 200M /dev/zero"}[ending]
    more = {"timeoutSeconds": 3} if ending == "timeout" else {}
    job = hearth.submit(["sh", "-c", write + after], volumes=[volume(f"ending-{ending}")], flavor="tiny" if ending == "oom" else "whole", **more)
    if ending == "kill":
        os.kill(wait_until(lambda: process_of(job, b"sleep\0001000\0"), what="the job's process"), signal.SIGKILL)
    if ending == "cancel":
        wait_until(lambda: "written" in hearth.log_lines_now(job["id"]), what="the job's data")
        assert hearth.call("POST", f"/api/jobs/alice/{job['id']}/cancel").status_code == 200
    job = hearth.wait_job(job["id"])
    if ending == "cancel":  # the stage is told at once; the end of the attempt settles it
        wait_until(lambda: not mounts_of(hearth), what="end of the volume")
    assert job["status"]["stage"] == ("CANCELED" if ending == "cancel" else "ERROR"), job["status"]
    assert mounts_of(hearth) == []
    assert (folder / "done").read_text() == "done\n" and (folder / "data").read_bytes() == b"x" * 20 * MIB


def test_monitor_killed(hearth):
    """What was written before is there; nothing is left of the job; the bucket is free again."""
    folder = bucket(hearth, "lost")
    job = hearth.submit(["sh", "-c", "echo partial > /out/f; echo written; sleep 1000"], volumes=[volume("lost")])
    wait_until(lambda: "written" in hearth.log_lines_now(job["id"]), what="the job's data")
    assert len(mounts_of(hearth)) == 1
    for pid in hearth.live_monitors():
        os.kill(pid, signal.SIGKILL)
    job = hearth.wait_job(job["id"])
    assert job["status"]["stage"] == "ERROR" and "monitor was lost" in job["status"]["message"]
    wait_until(lambda: not mounts_of(hearth), what="end of the volume")
    assert (folder / "f").read_text() == "partial\n"
    assert hearth.call("DELETE", "/api/buckets/alice/lost").status_code in (200, 204)


def test_server_of_the_volume_killed(hearth):
    """The job gets errors at once and no hang, and its owner can read why."""
    folder = bucket(hearth, "broken")
    job = hearth.submit(["sh", "-c", "echo 1 > /out/f; echo written; while echo 2 > /out/g; do sleep 0.1; done; ls /out; exit 7"], volumes=[volume("broken")])
    wait_until(lambda: "written" in hearth.log_lines_now(job["id"]), what="the job's data")
    for pid in mounts_of(hearth):
        os.kill(pid, signal.SIGKILL)
    job = hearth.wait_job(job["id"], seconds=20)
    assert job["status"]["stage"] == "ERROR"
    assert job["status"]["message"].startswith("Job failed with exit code: 7; the volume /out (bucket alice/broken) broke")
    assert any("not connected" in line for line in hearth.log_lines(job["id"]))
    assert (folder / "f").read_text() == "1\n"


def test_server_of_the_volume_hangs(make_server):
    """A job that waits for it can be cancelled all the same, and comes to an end."""
    server = make_server("[jobs]\ngrace = 0\n")
    bucket(server, "hangs")
    job = server.submit(["sh", "-c", "echo started; while ls /out; do sleep 0.05; done"], volumes=[volume("hangs")])
    wait_until(lambda: "started" in server.log_lines_now(job["id"]), what="the job's start")
    served = mounts_of(server)
    for pid in served:
        os.kill(pid, signal.SIGSTOP)
    server.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    wait_until(lambda: not mounts_of(server) and not server.live_monitors(), 30, "end of the attempt")
    assert len(served) == 1 and server.call("DELETE", "/api/buckets/alice/hangs").status_code in (200, 204)


MAP = """
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	int fd = open("/out/map", O_RDWR | O_CREAT, 0644);
	if (ftruncate(fd, 1 << 20) < 0)
		return 1;
	char *map = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	memset(map, 'y', 1 << 20);
	write(1, "dirty\\n", 6);
	for (;;)
		pause();
}
"""


def start_map(server, name, tmp_path):
    """A job with pages to flush; its first process (which flushes them as it ends) and the bucket's folder."""
    folder = bucket(server, name)
    (tmp_path / "map.c").write_text(MAP)
    subprocess.run(["cc", "-static", "-o", folder / "map.bin", tmp_path / "map.c"], check=True)
    job = server.submit(["sh", "-c", "cp /out/map.bin /tmp/map; chmod 755 /tmp/map; exec /tmp/map"], volumes=[volume(name)])
    wait_until(lambda: "dirty" in server.log_lines_now(job["id"]), what="pages to flush")
    return job, process_of(job, b"/tmp/map\0"), folder


def test_maps_are_flushed_at_the_end(hearth, tmp_path):
    job, process, folder = start_map(hearth, "maps", tmp_path)
    os.kill(process, signal.SIGKILL)
    assert hearth.wait_job(job["id"])["status"]["stage"] == "ERROR"
    assert (folder / "map").read_bytes() == b"y" * MIB and not mounts_of(hearth)


def test_maps_that_nobody_takes(make_server, tmp_path):
    """A process that ends waits, and cannot be killed, until the server of the volume has its pages."""
    server = make_server("[jobs]\ngrace = 0\n")
    job, process, _ = start_map(server, "maps", tmp_path)
    served = mounts_of(server)
    for pid in served:
        os.kill(pid, signal.SIGSTOP)
    os.kill(process, signal.SIGKILL)
    server.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    wait_until(lambda: not mounts_of(server) and not server.live_monitors(), 30, "end of the attempt")
    assert len(served) == 1


def test_mounted_buckets_stay(hearth):
    """A bucket that a live job uses can be neither deleted nor moved, also after a restart of the server."""
    bucket(hearth, "busy")
    job = hearth.submit(["sh", "-c", "echo started; sleep 1000"], volumes=[volume("busy")])
    wait_until(lambda: "started" in hearth.log_lines_now(job["id"]), what="the job's start")
    for again in (False, True):
        if again:
            hearth.restart()
        answer = hearth.call("DELETE", "/api/buckets/alice/busy")
        assert answer.status_code == 409 and job["id"] in answer.text
    hearth.call("POST", f"/api/jobs/alice/{job['id']}/cancel")
    wait_until(lambda: hearth.call("DELETE", "/api/buckets/alice/busy").status_code in (200, 204), what="deletion")


def test_deleted_while_it_waits(hearth):
    """Nothing is made in its place: the job fails with a sentence."""
    bucket(hearth, "gone")
    block = hearth.submit(["sleep", "1000"], flavor="whole")
    hearth.wait_job(block["id"], ("RUNNING",))
    job = hearth.submit(["true"], volumes=[volume("gone")], flavor="whole")
    assert hearth.call("DELETE", "/api/buckets/alice/gone").status_code in (200, 204)
    hearth.call("POST", f"/api/jobs/alice/{block['id']}/cancel")
    job = hearth.wait_job(job["id"])
    assert job["status"] == {**job["status"], "stage": "ERROR", "message": "The bucket alice/gone does not exist any more"}


def test_refused_at_submission(hearth):
    bucket(hearth, "there")
    assert hearth.hearth("admin", "user", "add", "mallory").returncode == 0
    made = hearth.hearth("admin", "token", "add", "mallory", "--name", "laptop")
    token = re.search(r"hf_\w+", made.stdout).group()
    bucket(hearth, "private", private=True)

    def post(volumes, token=None, namespace="alice"):
        body = {"command": ["true"], "flavor": "tiny", "dockerImage": "busybox", "environment": {}, "volumes": volumes}
        answer = hearth.call("POST", f"/api/jobs/{namespace}", token=token, json=body)
        return answer.status_code, answer.json().get("error", "")
    for volumes, status, word in (
            ([volume("nix")], 404, "no bucket alice/nix"),
            ([volume("there", "/")], 400, "mountPath"),
            ([volume("there", "/proc/x")], 400, "/proc"),
            ([volume("there", revision="main")], 400, "revision"),
            ([volume("there", path="../x")], 400, "path"),
            ([volume("there", "/a"), volume("there", "/a/b")], 400, "volumes[1].mountPath"),
            ([volume("there", f"/{i}") for i in range(33)], 400, "at most 32"),
            ([{"type": "kernel", "source": "a/b", "mountPath": "/k"}], 400, "kernel"),
            ([{"type": "model", "source": "a/b", "mountPath": "/m"}], 400, "no Hub is configured")):
        assert post(volumes)[0] == status and word in post(volumes)[1], (volumes, post(volumes))
    assert post([volume("alice/there")], token, "mallory") == (403, post([volume("alice/there")], token, "mallory")[1])
    assert "role write" in post([volume("alice/there")], token, "mallory")[1]
    assert post([volume("alice/there", readOnly=True)], token, "mallory")[0] == 200
    assert post([volume("alice/private", readOnly=True)], token, "mallory")[0] == 404


def test_duplicates_ask_again(hearth):
    bucket(hearth, "twice")
    job, _ = run(hearth, "echo x >> /out/f", [volume("twice")])
    answer = hearth.call("POST", f"/api/jobs/alice/{job['id']}/duplicate")
    assert answer.status_code == 200 and answer.json()["volumes"] == job["volumes"]
    hearth.wait_job(answer.json()["id"], ("COMPLETED",))
    assert (hearth.state / "buckets/alice/twice/f").read_text() == "x\nx\n"
    assert hearth.call("DELETE", "/api/buckets/alice/twice").status_code in (200, 204)
    assert hearth.call("POST", f"/api/jobs/alice/{job['id']}/duplicate").status_code == 404


def test_two_jobs_in_one_bucket(hearth):
    """They see each other's files, one after the other."""
    folder = bucket(hearth, "shared")
    one = hearth.submit(["sh", "-c", "echo hello > /out/1; mv /out/1 /out/from-one; until [ -e /out/from-two ]; do sleep 0.1; done; cat /out/from-two"], volumes=[volume("shared")])
    two = hearth.submit(["sh", "-c", "until [ -e /out/from-one ]; do sleep 0.1; done; cat /out/from-one; echo world > /out/2; mv /out/2 /out/from-two"], volumes=[volume("shared")])
    assert hearth.wait_job(one["id"])["status"]["stage"] == hearth.wait_job(two["id"])["status"]["stage"] == "COMPLETED"
    assert hearth.log_lines(one["id"]) == ["world"] and hearth.log_lines(two["id"]) == ["hello"] and len(os.listdir(folder)) == 2


def test_written_files_are_counted_and_can_be_fetched(hearth):
    bucket(hearth, "fetch")
    run(hearth, "mkdir /out/d; echo result > /out/d/r", [volume("fetch")])
    tree = hearth.call("GET", "/api/buckets/alice/fetch/tree?recursive=true").json()
    assert [(entry["path"], entry.get("size")) for entry in tree if entry["type"] == "file"] == [("d/r", 7)]
    wait_until(lambda: hearth.call("GET", "/api/buckets/alice/fetch").json().get("totalFiles") == 1, what="the count of files")


@pytest.fixture(scope="module")
def small_disk(make_server, tmp_path_factory):
    """A server whose buckets lie on a small disk of their own, with a quota."""
    server = make_server("[buckets]\nquota = 4M\n", start=False)
    image = tmp_path_factory.mktemp("disk") / "image"
    with open(image, "wb") as file:
        file.truncate(24 * MIB)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    place = server.state / "buckets"
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    own(place)
    server.start()
    yield server
    server.stop()
    subprocess.run(["umount", "-l", place], check=True)


def test_mirror(make_server, tmp_path_factory):
    """A folder in the place of the Hub: models, datasets and Spaces, at revisions, only to read."""
    mirror = tmp_path_factory.mktemp("mirror")
    for top in (mirror, *mirror.parents[:3]):
        top.chmod(0o755)
    for name, text in (("models/acme/net", "weights"), ("datasets/acme/rows/data", "rows"), ("datasets/acme/rows@v1/data", "old rows"),
                       ("spaces/acme/app", "app")):
        (mirror / name).mkdir(parents=True)
        (mirror / name / "file").write_text(text + "\n")
    (mirror / "models/acme/net/link").symlink_to("/etc/passwd")
    server = make_server(f"[hub]\nmirror = {mirror}\n")

    def repository(kind, source, at, **more):
        return {"type": kind, "source": source, "mountPath": at, **more}
    job, log = run(server, "cat /m/file /d/data/file /v/file /s/file; touch /m/x; ls /m; id -u; stat -c %u /m/file",
                   [repository("model", "acme/net", "/m", readOnly=False), repository("dataset", "acme/rows", "/d"),
                    repository("dataset", "acme/rows", "/v", revision="v1", path="data"), repository("space", "acme/app", "/s")])
    assert log == ["weights", "rows", "old rows", "app", "touch: /m/x: Read-only file system", "file", "0", "0"]
    assert [(v.get("revision"), v["readOnly"]) for v in job["volumes"]] == [("main", True), ("main", True), ("v1", True), ("main", True)]
    for wrong in (repository("model", "acme/nix", "/m"), repository("model", "acme/net", "/m", revision="v9"), repository("dataset", "acme/net", "/m")):
        answer = server.call("POST", "/api/jobs/alice", json={"command": ["true"], "flavor": "tiny", "dockerImage": "busybox", "volumes": [wrong]})
        assert answer.status_code == 404 and "mirror of this server has no" in answer.text, answer.text
    job, _ = run(server, "true", [repository("model", "acme/net", "/m", path="nix")], stages=("ERROR",))
    assert job["status"]["message"] == 'There is no folder "nix" in the model acme/net, to mount at /m'


def test_quota(make_server):
    server = make_server("[buckets]\nquota = 4M\nnamespace_quota = 6M\n")
    bucket(server, "q")
    job, log = run(server, "dd if=/dev/zero of=/out/f bs=1M count=3 && dd if=/dev/zero of=/out/g bs=1M count=3; df -k /out | tail -1", [volume("q")])
    assert any("Disk quota exceeded" in line or "quota" in line for line in log), log
    job, _ = run(server, "dd if=/dev/zero of=/out/h bs=1M count=3", [volume("q")], stages=("ERROR",))
    assert "The bucket alice/q is full: its quota is 4" in job["status"]["message"]


def test_full_disk(small_disk, busybox_tar):
    server = small_disk
    assert server.hearth("image", "import", busybox_tar, "busybox").returncode == 0
    for i in range(7):
        folder = bucket(server, f"b{i}")
        job, log = run(server, "echo kept > /out/small; dd if=/dev/zero of=/out/f bs=64k count=60", [volume(f"b{i}")], stages=("COMPLETED", "ERROR"))
        if job["status"]["stage"] == "ERROR":
            break
    assert f"The disk that holds the bucket alice/b{i} is full" in job["status"]["message"]
    assert any("No space left on device" in line for line in log) and (folder / "small").read_text() == "kept\n"
