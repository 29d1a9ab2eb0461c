# SPDX-License-Identifier: Apache-2.0
"""Finished jobs straight into the tables, in the form in which hearthd leaves them (src/store/sql)."""
import json
import time


def fill(database, count):
    namespace = database.execute("SELECT seq FROM accounts ORDER BY seq LIMIT 1").fetchone()[0]
    now = int(time.time() * 1000)
    spec = json.dumps({"dockerImage": "busybox", "command": ["true"], "arguments": [], "environment": {}, "arch": "amd64",
                       "secrets": [], "volumes": []})
    jobs, specs, labels, attempts, events = [], [], [], [], []
    for n in range(count):
        created = now - (count - n) * 100
        stage = 2 if n % 10 else 3
        message = None if stage == 2 else "Job failed with exit code: 1"
        jobs.append((n + 1, f"{created // 1000:08x}{n:016x}", namespace, namespace, stage, created, created + 20, created + 80, created + 80,
                     stage - 2, 1, 1800, "cpu-basic", message))
        specs.append((n + 1, spec, json.dumps({"team": f"t{n % 1000}"}), json.dumps({"type": "user", "id": "0" * 24, "name": "alice"})))
        labels.append((namespace, "team", f"t{n % 1000}", n + 1))
        attempts.append((n + 1, 1, 0, created, created + 20, created + 80, stage - 2, "exited"))
        events.append((n + 1, "created", "{}", created))
    with database:
        database.executemany("INSERT INTO jobs (seq, id, namespace, created_by, stage, created_ms, started_ms, finished_ms, updated_ms, "
                             "failure_count, attempts, timeout_s, flavor, message) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", jobs)
        database.executemany("INSERT INTO job_specs (job, spec, labels, initiator) VALUES (?,?,?,?)", specs)
        database.executemany("INSERT INTO labels (namespace, key, value, job) VALUES (?,?,?,?)", labels)
        database.executemany("INSERT INTO attempts (job, number, slot, created_ms, started_ms, ended_ms, exit_code, outcome) "
                             "VALUES (?,?,?,?,?,?,?,?)", attempts)
        database.executemany("INSERT INTO events (job, kind, data, at_ms) VALUES (?,?,?,?)", events)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
