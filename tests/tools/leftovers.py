# SPDX-License-Identifier: Apache-2.0
"""What should not be on the machine once a server's jobs are over, and what a checker says about the jobs themselves."""
import json
import pathlib
import sqlite3
import subprocess

from server import TERMINAL, wait_until

HIERARCHIES = ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct")


def helpers(server):
    """{pid: name} of the monitors and pulls of this server, with all of their own children that did not exec."""
    found = {}
    settings = f"{server.state}/run/effective.ini".encode()
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if settings in (entry / "cmdline").read_bytes():
                    found[int(entry.name)] = (entry / "comm").read_text().strip()
            except OSError:
                pass
    return found


def left_overs(server):
    found = [f"process {pid} {name}" for pid, name in helpers(server).items()]
    for root in HIERARCHIES:
        folder = pathlib.Path(root) / server.cgroup
        if folder.is_dir():
            found += [str(path) for path in folder.iterdir() if path.is_dir()]
    mounts = pathlib.Path("/proc/self/mounts").read_text()
    found += [line for line in mounts.splitlines() if f" {server.state}/" in line]
    links = subprocess.run(["ip", "-o", "link", "show", "master", server.bridge], capture_output=True, text=True).stdout
    found += [line for line in links.splitlines() if line.strip()]
    for name in ("upper", "spec.json"):
        found += [f"{name} of {path.parent.name}" for path in (server.state / "attempts").glob(f"*/{name}")]
    return found


def wait_clean(server, seconds=20):
    found = ["not looked"]

    def nothing_left():
        found[:] = left_overs(server)
        return not found
    try:
        wait_until(nothing_left, seconds)
    except AssertionError:
        raise AssertionError(f"left on the machine: {found}\n{server.log_text()[-3000:]}") from None


def recorded(server, job_id):
    """The job's events [(kind, data)] and attempts [(number, started_ms, ended_ms, outcome)] as the database has them."""
    db = sqlite3.connect(server.state / "db" / "hearth.db")
    try:
        [seq] = db.execute("SELECT seq FROM jobs WHERE id = ?", (job_id,)).fetchone()
        events = [(kind, json.loads(data)) for kind, data in db.execute("SELECT kind, data FROM events WHERE job = ? ORDER BY seq", (seq,))]
        attempts = db.execute("SELECT number, started_ms, ended_ms, outcome FROM attempts WHERE job = ? ORDER BY number", (seq,)).fetchall()
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        return events, attempts
    finally:
        db.close()


def check_one_end(server, job_id):
    """One terminal event, and no stage after it; one end of each attempt; a log that reads the same twice. Returns (job, lines)."""
    job = server.job(job_id)
    assert job["status"]["stage"] in TERMINAL, job
    events, attempts = recorded(server, job_id)
    stages = [data["stage"] for kind, data in events if kind == "stage"]
    assert stages[-1] == job["status"]["stage"] and sum(stage in TERMINAL for stage in stages) == 1, (job_id, stages)
    ends = [data["number"] for kind, data in events if kind == "attempt" and data["phase"] == "ended"]
    assert ends == [number for number, *_ in attempts], (job_id, ends, attempts)
    assert all(ended_ms > 0 for _, _, ended_ms, _ in attempts), (job_id, attempts)
    lines = server.log_lines(job_id)
    assert server.log_lines(job_id) == lines, f"reading the log of {job_id} again gave other lines"
    return job, lines


def check_ledger(server):
    """R31: every attempt is charged once, for the time in which its job was RUNNING because of it, to the millisecond, at the price of its
    beginning; the sums of days add up to that. Returns {(job, attempt): record}."""
    db = sqlite3.connect(server.state / "db" / "hearth.db")
    db.row_factory = sqlite3.Row
    try:
        records = {(row["id"], row["attempt"]): dict(row) for row in db.execute("SELECT j.id, r.* FROM usage_records r JOIN jobs j ON j.seq = r.job")}
        expected = {}
        for job in db.execute("SELECT seq, id, stage, finished_ms FROM jobs").fetchall():
            canceled, running, over, live = False, set(), set(), set()
            for kind, data in db.execute("SELECT kind, data FROM events WHERE job = ? ORDER BY seq", (job["seq"],)):
                data = json.loads(data)
                if kind == "stage" and data["stage"] == "CANCELED":
                    canceled, live = True, running - over
                if kind == "attempt" and data["phase"] == "running" and not canceled:
                    running.add(data["number"])
                if kind == "attempt" and data["phase"] == "ended":
                    over.add(data["number"])
            for attempt in db.execute("SELECT * FROM attempts WHERE job = ?", (job["seq"],)).fetchall():
                if attempt["number"] not in running:
                    continue
                if canceled and attempt["number"] in live:
                    end_ms = job["finished_ms"]  # not the end of its grace
                else:
                    end_ms = attempt["ended_ms"]
                    assert end_ms > 0, dict(attempt)
                expected[job["id"], attempt["number"]] = (end_ms - attempt["started_ms"], attempt["price_hour"])
        charged = {key: (record["used_ms"], record["price_hour"]) for key, record in records.items()}
        assert charged == expected, {key: (charged.get(key), expected.get(key)) for key in charged.keys() | expected.keys()
                                     if charged.get(key) != expected.get(key)}
        for key, record in records.items():
            assert record["used_ms"] >= 0 and record["ended_ms"] == record["started_ms"] + record["used_ms"], (key, record)
            assert record["cost"] == (2 * record["used_ms"] * record["price_hour"] + 3600000) // 7200000, (key, record)
        for table in ("usage_days", "usage_months"):
            sums = tuple(db.execute(f"SELECT coalesce(sum(attempts), 0), coalesce(sum(used_ms), 0), coalesce(sum(cost), 0) FROM {table}").fetchone())
            assert sums == (len(records), sum(r["used_ms"] for r in records.values()), sum(r["cost"] for r in records.values())), table
        return records
    finally:
        db.close()
