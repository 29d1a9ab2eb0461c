# SPDX-License-Identifier: Apache-2.0
"""Finished jobs and schedules straight into the tables, in the form in which hearthd leaves them (src/store/sql)."""
import json
import time

SPEC = {"dockerImage": "busybox", "command": ["true"], "arguments": [], "environment": {}, "arch": "amd64", "secrets": [], "volumes": []}
INITIATOR = {"type": "user", "id": "0" * 24, "name": "alice"}

# One job each 100 ms until now; each tenth failed; a thousand teams.
STEPS = """
CREATE TEMP TABLE made AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :count)
    SELECT n AS seq, :now - (:count - n) * 100 AS at, n % 10 = 0 AS failed FROM n;
INSERT INTO jobs (seq, id, namespace, created_by, stage, created_ms, started_ms, finished_ms, updated_ms, failure_count, attempts,
    timeout_s, flavor, message)
    SELECT seq, printf('%08x%016x', at / 1000, seq), :namespace, :namespace, 2 + failed, at, at + 20, at + 80, at + 80, failed, 1,
    1800, 'cpu-basic', CASE WHEN failed THEN 'Job failed with exit code: 1' END FROM made;
INSERT INTO job_specs (job, spec, labels, initiator)
    SELECT seq, :spec, printf('{"team":"t%d"}', seq % 1000), :initiator FROM made;
INSERT INTO labels (namespace, key, value, job) SELECT :namespace, 'team', 't' || (seq % 1000), seq FROM made ORDER BY 3, 4 DESC;
INSERT INTO attempts (job, number, slot, created_ms, started_ms, ended_ms, exit_code, outcome)
    SELECT seq, 1, 0, at, at + 20, at + 80, failed, 'exited' FROM made;
INSERT INTO events (job, kind, data, at_ms) SELECT seq, 'stage', '{"stage":"SCHEDULING"}', at FROM made;
DROP TABLE made
"""


def fill(database, count):
    values = {"count": count, "now": int(time.time() * 1000), "spec": json.dumps(SPEC), "initiator": json.dumps(INITIATOR),
              "namespace": database.execute("SELECT seq FROM accounts ORDER BY seq LIMIT 1").fetchone()[0]}
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA temp_store = MEMORY")
    database.execute("PRAGMA cache_size = -500000")
    with database:
        for step in STEPS.split(";"):
            database.execute(step, {name: value for name, value in values.items() if ":" + name in step})
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def columns(database, table, without):
    return [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})") if name not in without]


def copy_schedule(database, first, count):
    """So that there are `count` schedules like the one with the id `first`, whose next run is to come."""
    copied = ", ".join(columns(database, "schedules", ("seq", "id")))
    rest = ", ".join(columns(database, "schedule_specs", ("schedule",)))
    with database:
        database.execute(f"WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < :count) INSERT INTO schedules (id, {copied}) "
                         f"SELECT printf('%024x', n), {copied} FROM n, schedules WHERE id = :first", {"first": first, "count": count})
        database.execute(f"INSERT INTO schedule_specs (schedule, {rest}) SELECT seq, {rest} FROM schedules, schedule_specs WHERE id <> :first",
                         {"first": first})
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
