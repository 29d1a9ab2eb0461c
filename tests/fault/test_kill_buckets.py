# SPDX-License-Identifier: Apache-2.0
"""Buckets through crashes: whatever happens in the middle, row and folder agree again, and what was answered holds."""
import os
import random
import shutil
import sqlite3
import threading
import time

import pytest
import requests
import xet

from server import Server, wait_until

BUCKET = "/api/buckets/alice/"


@pytest.fixture
def server(root):
    server = Server().start()
    yield server
    server.destroy()


def rows(server, sql, *values):
    """One statement on the database of a server that is stopped."""
    with sqlite3.connect(server.state / "db" / "hearth.db") as db:
        return db.execute(sql, values).fetchall()


def make(server, name, *files):
    answer = server.call("POST", BUCKET + name, json={"private": True})
    assert answer.status_code == 200, answer.text
    for path in files:
        assert server.call("PUT", f"{BUCKET}{name}/files/{path}", data=path.encode()).status_code == 200
    return answer.json()["id"]


def contents(server, name):
    entries = server.call("GET", f"{BUCKET}{name}/tree")
    if entries.status_code != 200:
        return None
    return {entry["path"]: server.call("GET", f"/buckets/alice/{name}/resolve/{entry['path']}").text for entry in entries.json()}


def test_what_was_interrupted_is_finished(server):
    folder = server.state / "buckets"
    ids = {name: make(server, name, "a", "b/c") for name in ("deleted", "gone", "moved", "renamed", "lost")}
    server.stop()
    # A delete before its commit: only the folder went.
    (folder / "alice/deleted").rename(folder / ".trash" / ids["deleted"])
    # A delete after its commit, before the files went.
    (folder / "alice/gone").rename(folder / ".trash" / ids["gone"])
    rows(server, "DELETE FROM buckets WHERE id = ?", ids["gone"])
    # Moves after their commit: one before its folder followed, one after it.
    rows(server, "UPDATE buckets SET name = 'moved-2', moved_from = 'alice/moved' WHERE id = ?", ids["moved"])
    rows(server, "UPDATE buckets SET name = 'renamed-2', moved_from = 'alice/renamed' WHERE id = ?", ids["renamed"])
    (folder / "alice/renamed").rename(folder / "alice/renamed-2")
    # A disk that lost the folder of a bucket, and files of a process that was killed.
    (folder / "alice/lost").rename(server.state / "elsewhere")
    (folder / ".tmp/left").write_text("half")
    server.start()
    whole = {"a": "a", "b/c": "b/c"}
    for name, expected in {"deleted": whole, "gone": None, "moved": None, "moved-2": whole, "renamed": None, "renamed-2": whole, "lost": {}}.items():
        assert contents(server, name) == expected, name
    wait_until(lambda: not list((folder / ".trash").iterdir()), 10, "an empty trash")
    assert not (folder / ".tmp/left").exists()
    assert sorted(path.name for path in (folder / "alice").iterdir()) == ["deleted", "lost", "moved-2", "renamed-2"]
    make(server, "moved", "new")
    assert contents(server, "moved") == {"new": "new"}


def test_uploads_that_a_reboot_lost(server):
    """Xorbs that were not flushed are forgotten, and clients are told by another address."""
    make(server, "b")
    xorbs = [xet.Xorb([os.urandom(1000)]) for _ in range(2)]

    def token():
        return server.call("GET", BUCKET + "b/xet-write-token").json()

    def put(xorb, told):
        return requests.post(f"{told['casUrl']}/v1/xorbs/default/{xorb.text}", data=xorb.body, headers={"Authorization": f"Bearer {told['accessToken']}"})
    first = token()
    for xorb in xorbs:
        assert put(xorb, first).json() == {"was_inserted": True}
    server.stop()
    rows(server, "UPDATE xorbs SET is_durable = hash = ?", xorbs[0].text)
    rows(server, "UPDATE server_facts SET value = 'another' WHERE name = 'boot_id'")
    server.start()
    second = token()
    assert "/xet/e1/" in first["casUrl"] and second["casUrl"] != first["casUrl"]
    assert put(xorbs[0], first).status_code == 404, "the old address"
    assert put(xorbs[0], second).json() == {"was_inserted": False}
    assert put(xorbs[1], second).json() == {"was_inserted": True}
    server.stop()
    rows(server, "UPDATE xorbs SET is_durable = 1")
    rows(server, "UPDATE server_facts SET value = 'a third' WHERE name = 'boot_id'")
    server.start()
    assert token()["casUrl"] == second["casUrl"], "nothing was lost"
    server.stop()
    shutil.rmtree(server.state / "xet")  # as a backup without it would be put back
    server.start()
    third = token()
    assert third["casUrl"] not in (first["casUrl"], second["casUrl"])
    assert put(xorbs[0], third).json() == {"was_inserted": True}


class Worker(threading.Thread):
    """Changes a bucket of its own until the server is gone; knows what was answered, and what is in the air."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server, self.random, self.number = server, random.Random(number), number
        self.bucket, self.held, self.step = None, {}, 0
        self.possible = []  # pairs of name and files that may be there

    def attempt(self, method, path, name, held, **body):
        self.possible = [(self.bucket, self.held), (name, held)]
        answer = self.server.call(method, path, **body)
        assert answer.status_code == 200, (method, path, answer.text)
        self.bucket, self.held = name, held
        self.possible = [(name, held)]

    def change(self):
        self.step += 1
        if self.bucket is None:
            name = f"w{self.number}-{self.step}"
            self.attempt("POST", BUCKET + name, name, {}, json={})
            return
        what = self.random.choice(["put", "put", "put", "delete file", "move", "delete"])
        if what == "put":
            path, text = f"d{self.random.randrange(3)}/f{self.random.randrange(3)}", f"{self.step}" * 500
            self.attempt("PUT", f"{BUCKET}{self.bucket}/files/{path}", self.bucket, {**self.held, path: text}, data=text)
        elif what == "delete file" and self.held:
            path = self.random.choice(sorted(self.held))
            left = {key: value for key, value in self.held.items() if key != path}
            line = '{"type":"deleteFile","path":"%s"}' % path
            self.attempt("POST", f"{BUCKET}{self.bucket}/batch", self.bucket, left, data=line)
        elif what == "move":
            name = f"w{self.number}-{self.step}"
            self.attempt("POST", "/api/repos/move", name, self.held,
                         json={"fromRepo": f"alice/{self.bucket}", "toRepo": f"alice/{name}", "type": "bucket"})
        elif what == "delete":
            self.attempt("DELETE", BUCKET + self.bucket, None, {})

    def run(self):
        try:
            while True:
                self.change()
        except requests.RequestException:
            pass


def test_kills_at_any_moment(server):
    source = random.Random(5)
    for turn in range(4):
        workers = [Worker(server, turn * 10 + i) for i in range(4)]
        for worker in workers:
            worker.start()
        wait_until(lambda: all(worker.step > 2 for worker in workers), 60, "some changes", 0.01)
        time.sleep(source.uniform(0, 0.5))  # chance is the point
        server.kill9()
        for worker in workers:
            worker.join(30)
            assert not worker.is_alive()
        server.start()
        there = {item["id"].split("/")[1] for item in server.call("GET", "/api/buckets/alice").json()}
        for worker in workers:
            found = [(name, contents(server, name)) for name in sorted(there) if name.startswith(f"w{worker.number}-")]
            found = found[0] if found else (None, {})
            assert found in worker.possible, (worker.number, found, worker.possible)
        folders = {path.name for path in (server.state / "buckets/alice").iterdir()}
        # A folder without a row is empty: a bucket that was never answered.
        assert there <= folders
        assert all(not list((server.state / "buckets/alice" / name).iterdir()) for name in folders - there), folders - there
        for name in there:
            assert server.call("DELETE", BUCKET + name).status_code == 200
