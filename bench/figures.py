# SPDX-License-Identifier: Apache-2.0
"""One function per published figure. Each returns {"figure", "measured", "reach", "met"}."""
import asyncio
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import threading
import time

import requests

import peers
from server import BUILD, HEARTH, Server, TOP, wait_until

ALL = {}
_servers = {}


def figure(function):
    ALL[function.__name__] = function
    return function


def row(name, measured, reach, met):
    return {"figure": name, "measured": measured, "reach": reach, "met": bool(met)}


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def server(kind="plain"):
    """A warm server with the image `busybox`, shared by the figures."""
    if kind not in _servers:
        settings = "[scheduler]\ncpus = 1000\nmemory = 1000G\n"
        one = Server(settings)
        one.config.write_text(one.config.read_text().replace("log_level = debug", "log_level = warning"))
        one.start()
        done = one.hearth("image", "import", peers.busybox_tar(), "busybox")
        assert done.returncode == 0, done.stderr
        one.wait_job(one.submit(["true"])["id"])
        _servers[kind] = one
    return _servers[kind]


def clean_up():
    for one in _servers.values():
        one.destroy()
    peers.clean_up()


def timed(command, times, env=None):
    found = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        found.append(time.perf_counter() - start)
    return found


@figure
def start_latency():
    """POST accepted → first instruction of the user's process: the job prints the clock of its start."""
    one, found = server(), []
    session = requests.Session()
    for _ in range(40):
        body = {"command": ["/bin/busybox", "date", "+%s.%N"], "flavor": "tiny", "dockerImage": "busybox"}
        # busybox date has no nanoseconds: /proc/uptime of the first read is taken instead.
        body["command"] = ["/bin/busybox", "cat", "/proc/uptime"]
        answer = session.post(f"{one.endpoint}/api/jobs/alice", json=body, headers={"Authorization": f"Bearer {one.token}"})
        accepted = time.time()
        job = answer.json()["id"]
        one.wait_job(job)
        event = [e for e in one.events(job) if not e["data"].startswith("=====")][0]
        from datetime import datetime
        printed = datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00")).timestamp()
        found.append(printed - accepted)
    ours = statistics.median(found)
    docker = peers.docker_run(10)
    ratio = f", 1/{statistics.median(docker) / ours:.1f} of docker run ({statistics.median(docker) * 1000:.0f} ms)" if docker else ", no docker here"
    return row("POST accepted → first output of the user's process (image cached, user namespace, network, durable)",
               f"p50 {ours * 1000:.1f} ms, p90 {percentile(found, 0.9) * 1000:.1f} ms{ratio}", "p50 ≤ 20 ms, ≤ 1/10 of docker run",
               ours <= 0.020 and (not docker or statistics.median(docker) >= 10 * ours))


@figure
def run_true():
    one = server()
    ours = statistics.median(timed([HEARTH, "run", "--flavor", "tiny", "busybox", "true"], 20, one.environment()))
    parts, met = [f"{ours * 1000:.0f} ms"], True
    for name, found in (("docker run", peers.docker_run(10)), ("podman run", peers.podman_run(10))):
        if found:
            parts.append(f"1/{statistics.median(found) / ours:.1f} of {name} ({statistics.median(found) * 1000:.0f} ms)")
            met = met and statistics.median(found) >= 5 * ours
        else:
            parts.append(f"no {name} here")
    return row("`hearth run IMAGE true`, whole process", ", ".join(parts), "≤ 1/5 of docker run and of podman run", met)


@figure
def durable_submissions():
    """wrk with 64 connections posts jobs that wait in the queue behind one that never ends."""
    one = Server("[scheduler]\ncpus = 1\nmemory = 1G\n")
    one.config.write_text(one.config.read_text().replace("log_level = debug", "log_level = warning"))
    one.start()
    script = pathlib.Path(tempfile.mkstemp(suffix=".lua")[1])
    body = json.dumps({"command": ["true"], "arguments": [], "environment": {}, "flavor": "whole", "dockerImage": "no.invalid/x:1"})
    script.write_text(f"wrk.method='POST'\nwrk.body='{body}'\nwrk.headers['Authorization']='Bearer {one.token}'\n"
                      "wrk.headers['Content-Type']='application/json'\n")
    try:
        text = subprocess.run(["wrk", "-t1", "-c64", "-d8s", "-s", script, f"{one.endpoint}/api/jobs/alice"], capture_output=True,
                              text=True, check=True).stdout
        rate = float(next(line.split(":")[1] for line in text.splitlines() if line.startswith("Requests/sec")))
        bad = [line for line in text.splitlines() if "Non-2xx" in line]
    finally:
        script.unlink()
        one.kill9()
        one.destroy()
    return row("durable submissions, 64 clients", f"{rate:,.0f}/s{' ' + bad[0].strip() if bad else ''}", "≥ 5,000/s", rate >= 5000 and not bad)


@figure
def trivial_jobs():
    one = Server("[scheduler]\ncpus = 4\nmemory = 16G\n[flavor one]\nvcpu = 1\nmemory = 128M\nstorage = 0\n")
    one.config.write_text(one.config.read_text().replace("log_level = debug", "log_level = warning"))
    one.start()
    assert one.hearth("image", "import", peers.busybox_tar(), "busybox").returncode == 0
    try:
        count, start = 600, time.perf_counter()
        ids = [one.submit(["true"], flavor="one")["id"] for _ in range(count)]
        one.wait_job(ids[-1], seconds=120)
        rate = count / (time.perf_counter() - start)
        database = sqlite3.connect(f"file:{one.state}/hearth.db?mode=ro", uri=True)
        rows = database.execute("SELECT started_ms, ended_ms FROM attempts ORDER BY started_ms").fetchall()
        database.close()
    finally:
        one.destroy()
    return row("trivial jobs started and finished, sustained", f"{rate:.0f}/s over {len(rows)} jobs", "≥ 60/s on 2 cores", rate >= 60)


@figure
def end_to_next_start():
    one = Server("[scheduler]\ncpus = 2\nmemory = 16G\n")
    one.config.write_text(one.config.read_text().replace("log_level = debug", "log_level = warning"))
    one.start()
    assert one.hearth("image", "import", peers.busybox_tar(), "busybox").returncode == 0
    try:
        ids = [one.submit(["true"], flavor="whole")["id"] for _ in range(100)]
        one.wait_job(ids[-1], seconds=120)
        gaps, last = [], None
        for job in ids:
            record = json.loads((one.state / "attempts" / f"{job}.1" / "exit.json").read_text())
            if last is not None:
                gaps.append(record["started_ms"] - last)
            last = record["ended_ms"]
    finally:
        one.destroy()
    return row("end of a job → start of the next queued one", f"p50 {percentile(gaps, 0.5)} ms, p99 {percentile(gaps, 0.99)} ms", "p99 ≤ 20 ms",
               percentile(gaps, 0.99) <= 20)


@figure
def line_to_follower():
    """The job prints /proc/uptime; the follower compares with its own reading when the line arrives."""
    one, found = server(), []
    job = one.submit(["sh", "-c", "for i in $(seq 1 200); do cat /proc/uptime; usleep 20000; done"])["id"]
    for line in one.call("GET", f"/api/jobs/alice/{job}/logs", stream=True).iter_lines(chunk_size=1):
        if line.startswith(b"data: {") and b"=====" not in line:
            now = time.clock_gettime(time.CLOCK_BOOTTIME)
            found.append(now - float(json.loads(line[6:])["data"].split()[0]))
    # /proc/uptime has hundredths of a second, cut: on average 5 ms are added to each sample.
    ours = max(0.0, statistics.median(found) - 0.005)
    return row("line printed → line at a follower", f"p50 {ours * 1000:.1f} ms", "p50 ≤ 5 ms", ours <= 0.005)


@figure
def log_intake():
    one = server()
    size = 2 << 30
    script = f"yes {'x' * 99} | head -c {size}"
    job = one.submit(["sh", "-c", script], flavor="whole")["id"]
    shown = one.wait_job(job, seconds=120)
    record = json.loads((one.state / "attempts" / f"{job}.1" / "exit.json").read_text())
    seconds = (record["ended_ms"] - record["started_ms"]) / 1000
    stored = record["log_bytes"]
    lines = size // 100
    complete = stored >= size + lines * 16 and shown["status"]["stage"] == "COMPLETED"
    return row("log intake of one noisy job, nothing lost", f"{size / seconds / 1e6:.0f} MB/s, {'complete' if complete else 'INCOMPLETE'}",
               "≥ 300 MB/s", size / seconds >= 300e6 and complete)


@figure
def image_pull():
    return peers.compare_pull(row)


def pss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def hearthd_pids(one):
    children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(one.process.pid)], capture_output=True, text=True).stdout
    return [one.process.pid] + [int(line.split()[0]) for line in children.splitlines() if line.split()[1] == "hearthd"]


@figure
def memory():
    one = Server("[scheduler]\ncpus = 1000\nmemory = 1000G\n")
    one.start()
    try:
        assert one.hearth("image", "import", peers.busybox_tar(), "busybox").returncode == 0
        time.sleep(1)
        idle = sum(map(pss_kib, hearthd_pids(one)))
        count = 50
        ids = [one.submit(["sleep", "1000"])["id"] for _ in range(count)]
        for job in ids:
            one.wait_job(job, ("RUNNING",))
        time.sleep(1)
        monitors = sum(map(pss_kib, one.live_monitors()))
        per_job = (monitors + sum(map(pss_kib, hearthd_pids(one))) - idle) / count
    finally:
        one.destroy()
    return row("memory (PSS): hearthd idle / per running job", f"{idle / 1024:.1f} MB / {per_job / 1024:.2f} MB", "≤ 12 MB / ≤ 1.5 MB",
               idle <= 12 * 1024 and per_job <= 1536)


@figure
def followers():
    one = server()
    count, lines = 10000, 50
    job = one.submit(["sh", "-c", f"sleep 25; for i in $(seq 1 {lines}); do echo line $i; usleep 50000; done"])["id"]
    pids = hearthd_pids(one)
    before = sum(map(pss_kib, pids))

    async def follow(results):
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port, limit=1 << 16)
        writer.write(f"GET /api/jobs/alice/{job}/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {one.token}\r\n\r\n".encode())
        seen = 0
        while True:
            line = await reader.readline()
            if not line or line == b"0\r\n":
                break
            if line.startswith(b"data: {") and b'"line ' in line:
                seen += 1
        results.append(seen)
        writer.close()

    async def all_of_them():
        results, tasks = [], []
        for _ in range(count):
            tasks.append(asyncio.create_task(follow(results)))
            if len(tasks) % 200 == 0:
                await asyncio.sleep(0.05)
        await asyncio.sleep(8)
        during = sum(map(pss_kib, pids))
        await asyncio.gather(*tasks)
        return results, during
    results, during = asyncio.run(all_of_them())
    each = (during - before) / count
    lost = sum(1 for seen in results if seen != lines)
    return row("10,000 followers of one log", f"{each:.1f} KB each, {lost} followers with a lost line", "≤ 16 KB each, no line lost",
               each <= 16 and lost == 0)


@figure
def adoption():
    one = Server("[scheduler]\ncpus = 1000\nmemory = 1000G\n")
    one.config.write_text(one.config.read_text().replace("log_level = debug", "log_level = warning"))
    one.start()
    try:
        assert one.hearth("image", "import", peers.busybox_tar(), "busybox").returncode == 0
        ids = [one.submit(["sleep", "1000"])["id"] for _ in range(500)]
        for job in ids:
            one.wait_job(job, ("RUNNING",), seconds=120)
        one.kill9()
        start = time.perf_counter()
        one.start()

        def adopted():
            text = requests.get(one.endpoint + "/metrics").text
            return "hearth_attempts_adopted 500" in text
        wait_until(adopted, 20, "adoption of 500", interval=0.005)
        seconds = time.perf_counter() - start
        assert all(one.job(job)["status"]["stage"] == "RUNNING" for job in ids[::50])
    finally:
        one.destroy()
    return row("hearthd killed with 500 jobs running, started again", f"all re-adopted in {seconds * 1000:.0f} ms", "≤ 1 s", seconds <= 1)


@figure
def ps_command():
    one = server()
    found = timed([HEARTH, "ps"], 50, one.environment())
    return row("`hearth ps`, whole process", f"p50 {statistics.median(found) * 1000:.1f} ms", "≤ 10 ms", statistics.median(found) <= 0.010)


@figure
def million_jobs():
    one = Server()
    one.start()
    one.stop()
    peers.fill_database(one.state / "hearth.db", 1_000_000)
    shutil.chown(one.state / "hearth.db", "hearth", "hearth")
    one.start(60)
    try:
        found = {"inspect": [], "first page": [], "label filter": []}
        ids = [job["id"] for job in one.jobs()]
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {one.token}"
        for n in range(200):
            for name, path in (("inspect", f"/{ids[n % len(ids)]}"), ("first page", "?stage=RUNNING&stage=SCHEDULING"),
                               ("label filter", f"?label=team%3Dt{n % 1000}&limit=10")):
                start = time.perf_counter()
                session.get(f"{one.endpoint}/api/jobs/alice{path}").raise_for_status()
                found[name].append(time.perf_counter() - start)
    finally:
        one.destroy()
    worst = {name: percentile(values, 0.99) * 1000 for name, values in found.items()}
    return row("1,000,000 finished jobs", ", ".join(f"{name} p99 {value:.1f} ms" for name, value in worst.items()), "p99 ≤ 10 ms",
               max(worst.values()) <= 10)
