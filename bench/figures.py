# SPDX-License-Identifier: Apache-2.0
"""The figures of jobs, images and logs: one function each. It returns {"figure", "measured", "reach", "met"}."""
import asyncio
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import tempfile
import time

import requests

import peers
from measuring import (LARGE, ONE, PROBE, Client, exit_record, figure, first_instruction_ns, forget_shared, hearthd_pss_kib, new_server, percentile,
                       pss_kib, row, server, timed, wait_all_ended, wait_running)
from server import HEARTH, Server, wait_until


@figure
def start_latency():
    """From sending the POST (so the commit is in it) and from its answer to the clock that the job reads first."""
    one, from_post, from_answer = server(), [], []
    client = Client(one)
    for _ in range(50):
        sent = time.time_ns()
        job = client.submit([PROBE, "start"])
        answered = time.time_ns()
        one.wait_job(job)
        started = first_instruction_ns(one, job)
        from_post.append((started - sent) / 1e6)
        from_answer.append((started - answered) / 1e6)
    docker = peers.docker_first_instruction(10)
    ours = statistics.median(from_post)
    parts = [f"p50 {ours:.1f} ms, p90 {percentile(from_post, 0.9):.1f} ms after sending the POST (p50 {statistics.median(from_answer):.1f} ms after its answer)"]
    met = ours <= 20
    if docker:
        parts.append(f"1/{statistics.median(docker) / ours:.1f} of docker run ({statistics.median(docker):.0f} ms)")
        met = met and statistics.median(docker) >= 10 * ours
    else:
        parts.append("no docker here")
    return row("POST → first instruction of the user's process (image cached, user namespace, network, durable)", ", ".join(parts),
               "p50 ≤ 20 ms, ≤ 1/10 of docker run", met)


@figure
def run_true():
    one = server()
    ours = statistics.median(timed([HEARTH, "run", "--flavor", "one", "busybox", "true"], 20, one.environment()))
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
    """wrk with 64 connections posts jobs; the first one takes the whole server and waits for an image that never comes."""
    one = new_server("[jobs]\nmax_queued = 1000000\n[scheduler]\ncpus = 2\nmemory = 1G\n" + ONE)
    script = pathlib.Path(tempfile.mkstemp(suffix=".lua")[1])
    body = json.dumps({"command": ["true"], "arguments": [], "environment": {}, "flavor": "whole", "dockerImage": "busybox"})
    script.write_text(f"wrk.method='POST'\nwrk.body='{body}'\nwrk.headers['Authorization']='Bearer {one.token}'\n"
                      "wrk.headers['Content-Type']='application/json'\n")
    try:
        one.submit(["sleep", "1000"], flavor="whole")
        text = subprocess.run(["wrk", "-t1", "-c64", "-d8s", "--latency", "-s", script, f"{one.endpoint}/api/jobs/alice"],
                              capture_output=True, text=True, check=True).stdout
        lines = [line.split() for line in text.splitlines()]
        rate = float(next(line[1] for line in lines if line and line[0] == "Requests/sec:"))
        tail = next(line[1] for line in lines if line and line[0] == "99%")
        bad = [line for line in text.splitlines() if "Non-2xx" in line or "Socket errors" in line]
        one.kill9()  # what was acknowledged must be there
        one.start()
        total = Client(one).call("GET", "/api/jobs/alice/count")["count"]
        assert total >= rate * 8, (total, rate)
    finally:
        script.unlink()
        one.kill9()
        one.destroy()
    return row("durable submissions, 64 clients", f"{rate:,.0f}/s, p99 {tail}{' ' + bad[0].strip() if bad else ''}", "≥ 5,000/s",
               rate >= 5000 and not bad)


@figure
def trivial_jobs():
    """Two at a time on whole vCPUs leave the machine idle while a job ends; four are offered, as an operator would."""
    one = new_server("[scheduler]\ncpus = 4\nmemory = 16G\n" + ONE)
    try:
        count, client = 900, Client(one)
        ids = [client.submit(["true"]) for _ in range(count)]
        wait_all_ended(one)
        records = [exit_record(one, job) for job in ids]
        assert all(record["outcome"] == "exited" and record["exit_code"] == 0 for record in records)
        # Sustained: without the first and last hundred.
        ended = sorted(record["ended_ms"] for record in records)[100:-100]
        rate = (len(ended) - 1) / ((ended[-1] - ended[0]) / 1000)
    finally:
        one.destroy()
    return row("trivial jobs started and finished, sustained", f"{rate:.0f}/s over {count} jobs", "≥ 60/s on 2 cores", rate >= 60)


@figure
def end_to_next_start():
    """From the end of a job's process to the first instruction of the next one: commits, image, container are between them."""
    one = new_server("[scheduler]\ncpus = 2\nmemory = 16G\n" + ONE)
    try:
        client = Client(one)
        ids = [client.submit([PROBE, "start"], flavor="whole") for _ in range(250)]
        wait_all_ended(one)
        starts = [first_instruction_ns(one, job) / 1e6 for job in ids]
        ends = [exit_record(one, job)["ended_ms"] for job in ids]
        gaps = [start - end for start, end in zip(starts[1:], ends)]
    finally:
        one.destroy()
    return row("end of a job → first instruction of the next queued one",
               f"p50 {percentile(gaps, 0.5):.1f} ms, p99 {percentile(gaps, 0.99):.1f} ms", "p99 ≤ 20 ms", percentile(gaps, 0.99) <= 20)


@figure
def line_to_follower():
    """Each line is the clock when it was printed; the follower compares with its own when the line arrives."""
    one, found = server(), []
    job = one.submit([PROBE, "lines", "200", "20000"], flavor="one")["id"]
    answer = one.call("GET", f"/api/jobs/alice/{job}/logs", stream=True)
    for line in answer.iter_lines(chunk_size=1):
        if line.startswith(b"data: {") and b"=====" not in line:
            found.append((time.time_ns() - int(json.loads(line[6:])["data"])) / 1e6)
    assert len(found) == 200, len(found)
    return row("line printed → line at a follower", f"p50 {percentile(found, 0.5):.2f} ms, p99 {percentile(found, 0.99):.1f} ms", "p50 ≤ 5 ms",
               percentile(found, 0.5) <= 5)


@figure
def log_intake():
    """Until the job ended, and until its log was on disk and its end told; then every line is looked at."""
    one = new_server(LARGE + "[jobs]\nlog_limit = 0\n")
    lines = 12_000_000
    try:
        job = one.submit([PROBE, "noise", str(lines)], flavor="whole")["id"]
        assert one.wait_job(job, seconds=120)["status"]["stage"] == "COMPLETED"
        folder = one.state / "attempts" / f"{job}.1"
        record = exit_record(one, job)
        taken = (record["ended_ms"] - record["started_ms"]) / 1000
        durable = folder.joinpath("exit.json").stat().st_mtime - record["started_ms"] / 1000
        wait_until(lambda: not one.live_monitors(), 120, "end of the monitor", interval=0.5)
        log = folder / "log"
        command = f"{peers.probe()} check {lines} < {log}" if log.exists() else f"zstd -dcq {folder}/log.zst | {peers.probe()} check {lines}"
        checked = subprocess.run(command, shell=True, capture_output=True, text=True)
    finally:
        one.destroy()
    rate = lines * 100 / taken / 1e6
    complete = checked.returncode == 0
    return row("log intake of one noisy job, nothing lost",
               f"{rate:.0f} MB/s ({lines * 100 / durable / 1e6:.0f} MB/s until durable on disk), {checked.stdout.strip()}, "
               f"{'complete' if complete else 'INCOMPLETE'}", "≥ 300 MB/s", rate >= 300 and complete)


@figure
def image_pull():
    return peers.compare_pull(row)


@figure
def memory():
    """Both processes of hearthd; a job costs its monitor and what hearthd keeps about it (not the job's own pages). Another
    hearthd beside it would share its libraries and make it look smaller."""
    forget_shared()
    one = new_server()
    try:
        time.sleep(2)
        idle = hearthd_pss_kib(one)
        count, client = 100, Client(one)
        for _ in range(count):
            client.submit(["sleep", "1000"])
        wait_running(one, count)
        time.sleep(3)
        monitors = sum(map(pss_kib, one.live_monitors()))
        per_job = (monitors + hearthd_pss_kib(one) - idle) / count
    finally:
        one.destroy()
    return row("memory (PSS): hearthd idle / per running job", f"{idle / 1024:.1f} MB / {per_job / 1024:.2f} MB", "≤ 12 MB / ≤ 1.5 MB",
               idle <= 12 * 1024 and per_job <= 1536)


async def follow(one, job, results):
    reader, writer = await asyncio.open_connection("127.0.0.1", one.port, limit=1 << 14)
    writer.write(f"GET /api/jobs/alice/{job}/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {one.token}\r\n\r\n".encode())
    seen, text = 0, b""
    while data := await reader.read(1 << 14):
        text = text[-16:] + data
        seen += text.count(b'"data":"line ') - text[:16].count(b'"data":"line ')
        if text.endswith(b"\r\n0\r\n\r\n"):
            break
    results.append(seen)
    writer.close()


async def follow_all(one, job, count):
    """Answers lines seen by each, and the most memory that hearthd had while all were connected."""
    results, tasks, most = [], [], 0
    for _ in range(count):
        tasks.append(asyncio.create_task(follow(one, job, results)))
        if len(tasks) % 200 == 0:
            await asyncio.sleep(0.02)
    deadline = time.monotonic() + 60
    while f"hearth_http_streams {count}\n" not in requests.get(one.endpoint + "/metrics").text:
        assert time.monotonic() < deadline and not results, "not all followers at once"
        await asyncio.sleep(0.2)
    while not results:
        most = max(most, hearthd_pss_kib(one))
        await asyncio.sleep(0.5)
    await asyncio.gather(*tasks)
    return results, most


@figure
def followers():
    """All follow before the first line is printed."""
    one = server()
    count, lines = 10000, 50
    script = f"sleep 20; for i in $(seq 1 {lines}); do echo line $i; usleep 50000; done"
    job = one.submit(["sh", "-c", script], flavor="one")["id"]
    one.wait_job(job, ("RUNNING",))
    before = hearthd_pss_kib(one)
    results, during = asyncio.run(follow_all(one, job, count))
    each = (during - before) / count
    lost = sum(1 for seen in results if seen != lines)
    return row("10,000 followers of one log", f"{each:.1f} KB each, {lost} of {len(results)} followers with a lost line",
               "≤ 16 KB each, no line lost", each <= 16 and lost == 0 and len(results) == count)


@figure
def adoption():
    """From the start of hearthd until it speaks with the monitors of all 500."""
    one, count = new_server(), 500
    try:
        client = Client(one)
        ids = [client.submit(["sleep", "1000"]) for _ in range(count)]
        wait_running(one, count)
        time.sleep(3)
        one.kill9()
        start = time.perf_counter()
        one.start()

        def adopted():
            return f"hearth_attempts_heard {count}\n" in requests.get(one.endpoint + "/metrics").text
        wait_until(adopted, 20, "adoption of 500", interval=0.005)
        seconds = time.perf_counter() - start
        assert all(one.job(job)["status"]["stage"] == "RUNNING" for job in ids[::50])
        one.kill9()  # to cancel all of them would take longer than everything else
    finally:
        one.destroy()
    return row("hearthd killed with 500 jobs running, started again", f"all re-adopted in {seconds * 1000:.0f} ms", "≤ 1 s", seconds <= 1)


@figure
def ps_command():
    one = server()
    for _ in range(3):
        one.submit(["sleep", "20"])
    found = timed([HEARTH, "ps"], 100, one.environment())
    return row("`hearth ps`, whole process", f"p50 {statistics.median(found) * 1000:.1f} ms, p99 {percentile(found, 0.99) * 1000:.1f} ms", "≤ 10 ms",
               statistics.median(found) <= 0.010)


@figure
def million_jobs():
    one = new_server(image=False)
    count = 1_000_000
    one.stop()
    path = one.state / "db" / "hearth.db"
    ids = peers.fill_database(path, count)
    for file in path.parent.glob("hearth.db*"):
        shutil.chown(file, "hearth", "hearth")
    one.start(60)
    try:
        client, chance = Client(one), random.Random(1)
        paths = {"inspect": lambda: f"/{ids[chance.randrange(len(ids))]}", "first page of ps": lambda: "?stage=RUNNING&stage=SCHEDULING",
                 "first page of ps -a": lambda: "", "label filter": lambda: f"?label=team%3Dt{chance.randrange(1000)}&limit=10"}
        found = {name: [] for name in paths}
        for _ in range(300):
            for name, path in paths.items():
                target = "/api/jobs/alice" + path()
                start = time.perf_counter()
                client.call("GET", target)
                found[name].append((time.perf_counter() - start) * 1000)
    finally:
        one.destroy()
    worst = {name: percentile(values, 0.99) for name, values in found.items()}
    return row("1,000,000 finished jobs", "p99: " + ", ".join(f"{name} {value:.1f} ms" for name, value in worst.items()), "p99 ≤ 10 ms",
               max(worst.values()) <= 10)
