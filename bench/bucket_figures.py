# SPDX-License-Identifier: Apache-2.0
"""The figures of buckets, uv scripts and volumes."""
import contextlib
import os
import random
import statistics
import subprocess
import time

import clients
import peers
import uv_image
from hub_server import Hub
from measuring import (ONE, PROBE, SCALE, Client, cpu_seconds, figure, first_instruction_ns, folder, percentile, row, running_server, timed,
                       wait_line)
from registry import Registry
from server import CACHE, TOP, free_port, wait_until

MIB = 1 << 20
ROOMY = "[scheduler]\ncpus = 64\nmemory = 256G\n" + ONE

# The client's own program: time from the first call to the answer of the last one, without the start of Python.
UPLOAD = """
import sys, time
from huggingface_hub import HfApi
import hf_xet
api = HfApi()
api.whoami()
print("ready", flush=True)
sys.stdin.readline()
print(time.time_ns(), flush=True)
api.batch_bucket_files("alice/bench", add=[(sys.argv[1], "big.bin")])
print(time.time_ns(), flush=True)
"""


def write_noise(path, size):
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))


def write_records(path, size):
    """16 bytes that are new and 48 that were there before: LZ4 makes it less than half, and no chunk comes twice."""
    chance = random.Random(3)
    phrases = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz _=\n", k=48)) for _ in range(256)]
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            noise = os.urandom(MIB // 4)
            file.write(b"".join(noise[i:i + 16] + phrases[noise[i]] for i in range(0, MIB // 4, 16)))


def flush(path):
    """Writing the test data is not to be part of what is measured."""
    subprocess.run(["sync", "-f", path], check=True)


def disk_write_seconds(source, near):
    target = near / "plain-copy"
    start = time.perf_counter()
    subprocess.run(["dd", f"if={source}", f"of={target}", "bs=1M", "conv=fsync", "status=none"], check=True)
    seconds = time.perf_counter() - start
    target.unlink()
    flush(near)
    return seconds


def quiet(one, home):
    return one.environment(home, HF_HUB_DISABLE_PROGRESS_BARS="1")


def upload_seconds(one, source, size):
    """Until the client's call returned, and until a job that has the bucket mounted read the last byte."""
    one.call("POST", "/api/buckets/alice/bench", json={"private": True})
    volume = {"type": "bucket", "source": "alice/bench", "mountPath": "/data"}
    job = one.submit([PROBE, "seen", str(size), "/data/big.bin"], flavor="one", volumes=[volume])["id"]
    wait_line(one, job, "waiting")
    before = cpu_seconds(one)
    with folder() as home, subprocess.Popen([clients.python("newest"), "-c", UPLOAD, source], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            text=True, env=quiet(one, home)) as process:
        assert process.stdout.readline() == "ready\n"
        flush(home)
        process.stdin.write("\n")
        process.stdin.close()
        start, end = int(process.stdout.readline()), int(process.stdout.readline())
    cpu = cpu_seconds(one) - before
    assert one.wait_job(job)["status"]["stage"] == "COMPLETED"
    seen = int(one.log_lines(job)[1])
    return (end - start) / 1e9, (seen - start) / 1e9, cpu


def upload(name, write):
    size = int(1024 * SCALE) * MIB
    with folder() as data, running_server(ROOMY) as one:
        source = data / "source.bin"
        write(source, size)
        flush(data)
        plain = [disk_write_seconds(source, data)]
        returned, seen, cpu = upload_seconds(one, source, size)
        plain.append(disk_write_seconds(source, data))
        with open(one.state / "buckets" / "alice" / "bench" / "big.bin", "rb") as ours, open(source, "rb") as theirs:
            while block := theirs.read(MIB):
                assert ours.read(MIB) == block
    disk = size / statistics.mean(plain) / 1e6
    rate = size / seen / 1e6
    return row(f"hf_xet upload of {size // MIB} MiB of {name} data, until a job reads it",
               f"{rate:.0f} MB/s ({seen:.1f} s; client done after {returned:.1f} s; server CPU {cpu:.1f} s), {rate / disk:.2f} of plain disk write "
               f"({disk:.0f} MB/s)", "≥ 1/2 of plain disk write", rate >= disk / 2)


@figure
def upload_noise():
    return upload("incompressible", write_noise)


@figure
def upload_records():
    return upload("compressible", write_records)


def write_small_files(top, count):
    """100 to a folder, 200 bytes to 8 KB, none like another."""
    chance = random.Random(5)
    for number in range(count):
        path = top / f"d{number // 100:03d}" / f"f{number:05d}.txt"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(chance.randbytes(chance.randrange(100, 4000)).hex().encode())


@contextlib.contextmanager
def rsync_daemon(top):
    port = free_port()
    config = top.with_name(top.name + ".rsyncd")
    config.write_text(f"use chroot = no\nport = {port}\naddress = 127.0.0.1\n[m]\npath = {top}\nread only = no\nuid = root\ngid = root\n")
    process = subprocess.Popen(["rsync", "--daemon", "--no-detach", "--config", config])
    try:
        wait_until(lambda: subprocess.run(["rsync", f"rsync://127.0.0.1:{port}/"], capture_output=True).returncode == 0, 10, "rsync")
        yield f"rsync://127.0.0.1:{port}/m/"
    finally:
        process.terminate()
        process.wait()
        config.unlink()


def rsync_seconds(data, top):
    """Up, up with each file flushed (as a bucket does it), and down."""
    for name in ("a", "b", "back"):
        (top / name).mkdir()
    with rsync_daemon(top) as url:
        up = timed(["rsync", "-a", f"{data}/", f"{url}a/"], 1)[0]
        flush(top)
        durable = timed(["rsync", "-a", "--fsync", f"{data}/", f"{url}b/"], 1)[0]
        flush(top)
        down = timed(["rsync", "-a", f"{url}a/", f"{top}/back/"], 1)[0]
    flush(top)
    return up, durable, down


def same_tree(a, b):
    return subprocess.run(["diff", "-rq", a, b], capture_output=True).returncode == 0


def hf_seconds(one, home, *words):
    """Seconds, CPU of the server, CPU of the client."""
    server_before, client_before = cpu_seconds(one), os.times()
    seconds = timed([clients.hf("newest"), *words], 1, quiet(one, home))[0]
    client_after = os.times()
    client = client_after.children_user + client_after.children_system - client_before.children_user - client_before.children_system
    return seconds, cpu_seconds(one) - server_before, client


@figure
def sync_small_files():
    """Whole processes, the start of Python included."""
    count = int(10000 * SCALE)
    with folder() as top, running_server(image=False) as one:
        data, back, home, peer = (top / name for name in ("data", "back", "home", "peer"))
        for path in (data, back, home, peer):
            path.mkdir()
        write_small_files(data, count)
        flush(top)
        one.call("POST", "/api/buckets/alice/many", json={"private": True})
        empty = hf_seconds(one, home, "buckets", "list")[0]
        up, up_cpu, up_client = hf_seconds(one, home, "buckets", "sync", data, "hf://buckets/alice/many")
        flush(top)
        down, down_cpu, down_client = hf_seconds(one, home, "buckets", "sync", "hf://buckets/alice/many", back)
        flush(top)
        complete = same_tree(data, back) and same_tree(data, one.state / "buckets" / "alice" / "many")
        rsync_up, rsync_durable, rsync_down = rsync_seconds(data, peer)
    measured = (f"up {up:.1f} s, {rsync_up / up:.2f} of rsync ({rsync_up:.1f} s; {rsync_durable:.1f} s with --fsync), server CPU {up_cpu:.1f} s, client "
                f"CPU {up_client:.1f} s; down {down:.1f} s, {rsync_down / down:.2f} of rsync ({rsync_down:.1f} s), server CPU {down_cpu:.1f} s, client "
                f"CPU {down_client:.1f} s; `hf buckets list` alone {empty:.1f} s{'' if complete else '; NOT THE SAME FILES'}")
    return row(f"{count:,} small files synced up and down with `hf buckets sync`", measured, "≥ 1/2 of rsync",
               complete and up <= 2 * rsync_up and down <= 2 * rsync_down)


SCRIPT = """# /// script
# dependencies = ["requests"]
# ///
import time
print(time.time_ns(), flush=True)
import requests
print(requests.__version__)
"""


def fetch_wheels(top):
    """So that neither side asks the Internet."""
    wheels = top / "wheels"
    subprocess.run(["/usr/bin/python3", "-m", "pip", "download", "-q", "--disable-pip-version-check", "--only-binary", ":all:", "--dest", wheels,
                    "requests"], check=True)
    return wheels


def host_uv_ms(top, wheels, times):
    """Start of plain `uv run` to the first line of the script."""
    script, found = top / "s.py", []
    script.write_text(SCRIPT)
    env = {**os.environ, "UV_FIND_LINKS": str(wheels), "UV_OFFLINE": "1", "UV_CACHE_DIR": str(top / "cache"), "UV_PYTHON": "/usr/bin/python3"}
    for _ in range(times + 2):
        start = time.time_ns()
        done = subprocess.run([uv_image.program(), "run", script], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found.append((int(done.stdout.split()[0]) - start) / 1e6)
    return found[2:]


def job_uv_ms(one, times):
    """As `hf jobs uv run s.py` submits it: the script in a folder of the bucket jobs-artifacts. Two runs build and warm."""
    one.call("POST", "/api/buckets/alice/jobs-artifacts", json={"private": True})
    client, found = Client(one), []
    for number in range(times + 2):
        stamp = f"20260101T000000-{number:06x}"
        answer = one.call("PUT", f"/api/buckets/alice/jobs-artifacts/files/{stamp}/s.py", data=SCRIPT)
        assert answer.status_code == 200, answer.text
        volume = {"type": "bucket", "source": "alice/jobs-artifacts", "mountPath": "/data", "readOnly": False, "path": stamp}
        sent = time.time_ns()
        job = client.submit(["uv", "run", "/data/s.py"], dockerImage=uv_image.IMAGE, volumes=[volume], flavor="two")
        ended = one.wait_job(job, seconds=180)
        assert ended["status"]["stage"] == "COMPLETED", (ended["status"], one.log_lines(job))
        clocks = [line for line in one.log_lines(job) if line.isdigit()]
        found.append((int(clocks[0]) - sent) / 1e6)
    return found[2:]


@figure
def uv_script():
    with folder() as top, contextlib.ExitStack() as stack:
        subprocess.run([TOP / "tools" / "make-image", CACHE / "debian-python.tar"], check=True, stdout=subprocess.DEVNULL)
        registry = Registry()
        stack.callback(registry.stop)
        uv_image.push(registry, CACHE / "debian-python.tar")
        wheels = fetch_wheels(top)
        host = statistics.median(host_uv_ms(top, wheels, 10))
        settings = uv_image.settings(registry) + f"[uv]\nwheels = {wheels}\noffline = yes\n[flavor two]\nvcpu = 2\nmemory = 2G\nstorage = 0\n"
        one = stack.enter_context(running_server(ROOMY + settings))
        found = job_uv_ms(one, 20)
        docker = peers.docker_first_instruction(10)
    ours = statistics.median(found)
    parts, met = [f"p50 {ours:.0f} ms, p90 {percentile(found, 0.9):.0f} ms"], ours <= 300
    if docker:
        peer = host + statistics.median(docker)
        parts.append(f"{ours / peer:.2f} of uv run on the host ({host:.0f} ms) + docker run ({statistics.median(docker):.0f} ms)")
        met = met and ours <= peer / 2
    else:
        parts.append(f"uv run on the host {host:.0f} ms; no docker here")
    return row("uv script whose dependencies were seen before: submit → its first line", ", ".join(parts),
               "≤ 300 ms, ≤ 1/2 of uv run on the host + docker run", met)


LARGE_FILE = 10 * 1000**3


def make_dataset(top, count):
    """Sparse files of 10 GB that the Hub takes for different ones; their hashes are not looked at, since nobody reads them all."""
    files = top / "datasets" / "org" / "ds"
    files.mkdir(parents=True)
    hub = Hub(top)
    for number in range(count):
        path = files / f"f{number}.bin"
        with open(path, "wb") as file:
            file.truncate(LARGE_FILE)
        status = path.stat()
        hub.hashes[str(path), status.st_size, status.st_mtime_ns] = os.urandom(32).hex()
    return hub


def first_bytes_ms(one, volumes, path):
    sent = time.time_ns()
    job = Client(one).submit([PROBE, "read", "1", path], volumes=volumes)
    assert one.wait_job(job)["status"]["stage"] == "COMPLETED", one.job(job)["status"]
    return (first_instruction_ns(one, job) - sent) / 1e6


def curl_rate(hub, name, count, target):
    seconds = timed(["curl", "-sfL", "-r", f"0-{count - 1}", "-o", target, f"{hub.url}/datasets/org/ds/resolve/main/{name}"], 1)[0]
    return count / seconds / 1e6


@figure
def lazy_dataset():
    """Each read has a file of its own, so that neither the volume's cache nor the kernel's helps one of them."""
    times, count = 20, int(2000 * SCALE) * MIB
    with folder() as top, contextlib.ExitStack() as stack:
        hub = make_dataset(top / "hub", times + 3).start()
        stack.callback(hub.stop)
        one = stack.enter_context(running_server(ROOMY + f"[hub]\nendpoint = {hub.url}\n"))
        volumes = [{"type": "dataset", "source": "org/ds", "mountPath": "/data"}]
        without, lazy = [], []
        for number in range(times):
            without.append(first_bytes_ms(one, [], PROBE))
            lazy.append(first_bytes_ms(one, volumes, f"/data/f{number}.bin"))
        flush(top)
        null = curl_rate(hub, f"f{times}.bin", count, "/dev/null")
        file = curl_rate(hub, f"f{times + 1}.bin", count, top / "copy")
        (top / "copy").unlink()
        flush(top)
        job = one.submit([PROBE, "read", str(count), f"/data/f{times + 2}.bin"], flavor="one", volumes=volumes)["id"]
        assert one.wait_job(job, seconds=300)["status"]["stage"] == "COMPLETED", one.job(job)["status"]
        begin, end = map(int, one.log_lines(job))
    rate = count / (end - begin) * 1000
    more = statistics.median(lazy) - statistics.median(without)
    return row("lazy dataset volume: submit → first byte of a 10 GB file; sequential read",
               f"p50 {statistics.median(lazy):.0f} ms, {more:.0f} ms more than without a volume; {rate:.0f} MB/s, {rate / file:.2f} of curl to a file "
               f"({file:.0f} MB/s), {rate / null:.2f} of curl to /dev/null ({null:.0f} MB/s)", "≤ 150 ms more; ≥ 70 % of direct HTTP download",
               more <= 150 and rate >= 0.7 * file)
