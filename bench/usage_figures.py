# SPDX-License-Identifier: Apache-2.0
"""The figure of usage reports."""
import http.client
import json
import shutil
import socket
import sqlite3
import statistics
import threading
import time

from measuring import SCALE, Client, figure, percentile, row, running_server

BYS = ("namespace", "user", "flavor", "group", "day", "month", "label")
DAY_MS = 86400000

# Attempts of the last 365 days, all ended within their day: 20 namespaces with 5 users each, 6 flavors, 10 teams.
STEPS = """
INSERT INTO accounts (id, name, type, created_ms) WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 119)
    SELECT printf('%024x', n), 'bench-' || n, n > 100, 1 FROM n;
CREATE TEMP TABLE made AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :count)
    SELECT n AS job, :today - n % 365 AS day, CASE n / 365 % 20 WHEN 0 THEN :alice ELSE :first + 99 + n / 365 % 20 END AS namespace,
    :first + (n / 365 % 20) * 5 + n / 7300 % 5 AS user, 'flavor-' || (n / 36500 % 6) AS flavor, 'team-' || (n / 7 % 10) AS team,
    n * 7919 % 80000000 AS at, n * 104729 % 3600000 AS used_ms, 10000 * (1 + n / 36500 % 6) AS price FROM n;
INSERT INTO jobs (seq, id, namespace, created_by, stage, created_ms, started_ms, finished_ms, updated_ms, attempts, timeout_s, flavor)
    SELECT job, printf('%024x', job), namespace, user, 2, day * 86400000 + at, day * 86400000 + at, day * 86400000 + at + used_ms,
    day * 86400000 + at + used_ms, 1, 1800, flavor FROM made;
INSERT INTO usage_records (job, attempt, namespace, user, resource_group, flavor, price_hour, started_ms, ended_ms, used_ms, cost)
    SELECT job, 1, namespace, user, 0, flavor, price, day * 86400000 + at, day * 86400000 + at + used_ms, used_ms,
    (2 * used_ms * price + 3600000) / 7200000 FROM made;
INSERT INTO usage_days (day, namespace, user, resource_group, flavor, attempts, used_ms, cost)
    SELECT day, namespace, user, 0, made.flavor, count(*), sum(r.used_ms), sum(r.cost) FROM made JOIN usage_records r USING (job, namespace, user)
    GROUP BY 1, 2, 3, 5;
INSERT INTO usage_months (day, namespace, user, resource_group, flavor, attempts, used_ms, cost)
    SELECT unixepoch(day * 86400, 'unixepoch', 'start of month') / 86400, namespace, user, 0, flavor, sum(attempts), sum(used_ms), sum(cost)
    FROM usage_days GROUP BY 1, 2, 3, 5;
INSERT INTO usage_labels (key, day, namespace, value, attempts, used_ms, cost)
    SELECT 'team', day, namespace, team, count(*), sum(r.used_ms), sum(r.cost) FROM made JOIN usage_records r USING (job, namespace)
    GROUP BY 2, 3, 4;
DROP TABLE made
"""


def fill_usage(one, count, today):
    """Returns what all of it cost."""
    one.stop()
    path = one.state / "db" / "hearth.db"
    database = sqlite3.connect(path)
    [alice, last] = database.execute("SELECT min(seq), max(seq) FROM accounts").fetchone()
    values = {"count": count, "today": today, "alice": alice, "first": last + 1}
    for pragma in ("synchronous = OFF", "temp_store = MEMORY", "cache_size = -500000"):
        database.execute("PRAGMA " + pragma)
    with database:
        database.execute("DELETE FROM usage_records")
        database.execute("DELETE FROM attempts")
        database.execute("DELETE FROM usage_days")
        database.execute("DELETE FROM usage_months")
        database.execute("DELETE FROM jobs")
        for step in STEPS.split(";"):
            database.execute(step, {name: value for name, value in values.items() if ":" + name in step})
    [cost] = database.execute("SELECT sum(cost) FROM usage_records").fetchone()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    for file in path.parent.glob("hearth.db*"):
        shutil.chown(file, "hearth", "hearth")
    one.start(60)
    return cost


class Admin(http.client.HTTPConnection):
    def __init__(self, one):
        super().__init__("localhost")
        self.path = str(one.state / "hearth.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, path):
        begin = time.perf_counter()
        self.request("GET", path)
        answer = self.getresponse()
        text = answer.read()
        took_ms = (time.perf_counter() - begin) * 1000
        assert answer.status == 200, text
        return took_ms, json.loads(text)


def ask_for_health(one, stop, found):
    client = Client(one)
    while not stop.is_set():
        begin = time.perf_counter()
        client.call("GET", "/api/whoami-v2")
        found.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.002)


@figure
def usage_report():
    """Over a year and all namespaces, for each `by`, and what others wait meanwhile; then of one namespace and month."""
    count = int(1000000 * SCALE)
    today = int(time.time() * 1000) // DAY_MS
    begin = time.strftime("%Y-%m-%d", time.gmtime((today - 364) * 86400))
    with running_server() as one:
        cost = fill_usage(one, count, today)
        admin, stop, calls = Admin(one), threading.Event(), []
        asker = threading.Thread(target=ask_for_health, args=(one, stop, calls))
        asker.start()
        try:
            worst = {}
            for by in BYS:
                path = f"/api/usage?by={by}&from={begin}" + ("&label=team" if by == "label" else "")
                took = []
                for _ in range(5):
                    ms, answer = admin.ask(path)
                    assert answer["total"]["attempts"] == count and answer["total"]["microUsd"] == cost, answer["total"]
                    took.append(ms)
                worst[by] = statistics.median(took)
        finally:
            stop.set()
            asker.join()
        month = statistics.median(admin.ask("/api/usage?namespace=alice")[0] for _ in range(20))
    slowest = max(worst, key=worst.get)
    return row(f"usage report over {count:,} attempts (a year, 20 namespaces, 100 users, 6 flavors)",
               f"by {', '.join(f'{by} {ms:.0f}' for by, ms in worst.items())} ms; of one namespace this month {month:.1f} ms; other calls "
               f"meanwhile p99 {percentile(calls, 0.99):.1f} ms, worst {max(calls):.1f} ms", "≤ 200 ms", worst[slowest] <= 200)
