# SPDX-License-Identifier: Apache-2.0
"""The Xet protocol over HTTP (xet-cas.md), with requests by hand: what is answered, and what is refused."""
import json
import os
import random
import socket
import threading
import time

import pytest
import requests
import xet

from server import wait_until

HELLO = b'print("hello from uv")\n'
EMPTY = "0" * 64
BUCKET = "/api/buckets/alice/"


class Cas:
    """One token and its address."""

    def __init__(self, fake, bucket, kind="write", token=None, namespace="alice"):
        answer = fake.call("GET", f"/api/buckets/{namespace}/{bucket}/xet-{kind}-token", token)
        assert answer.status_code == 200, answer.text
        self.answer = answer
        self.url, self.token = answer.json()["casUrl"], answer.json()["accessToken"]

    def call(self, method, path, token=None, **more):
        token = self.token if token is None else token
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=60, **more)

    def put_xorb(self, xorb, **more):
        return self.call("POST", f"/v1/xorbs/default/{xorb.text}", data=more.pop("data", xorb.body), **more)

    def put_shard(self, *files, path="/v1/shards", **more):
        return self.call("POST", path, data=more.pop("data", None) or xet.shard(*files), **more)

    def reconstruction(self, item, window=None, version=2, **more):
        headers = {"Range": f"bytes={window}"} if window else {}
        return self.call("GET", f"/v{version}/reconstructions/{item if isinstance(item, str) else item.text}", headers=headers, **more)


@pytest.fixture(scope="module")
def world(make_fake):
    fake = make_fake()
    fake.mallory = fake.make_user("mallory")
    fake.reader = fake.make_user("alice", "read")
    fake.call("POST", BUCKET + "b", json={"private": True})
    fake.call("POST", BUCKET + "second", json={"private": True})
    fake.call("POST", BUCKET + "public")
    fake.call("POST", "/api/buckets/mallory/m", fake.mallory, json={"private": True})
    return fake


@pytest.fixture
def cas(world):
    return Cas(world, "b")


@pytest.fixture
def read(world):
    return Cas(world, "b", "read")


def add(fake, bucket, path, content, namespace="alice", token=None, **more):
    line = {"type": "addFile", "path": path, "xetHash": content if isinstance(content, str) else content.text, **more}
    return fake.call("POST", f"/api/buckets/{namespace}/{bucket}/batch", token, data=json.dumps(line) + "\n")


def unique(size, pieces=1):
    return xet.Xorb([os.urandom(size) for _ in range(pieces)])


def download(answer, data=None):
    """What a client makes of a reconstruction: all its terms, decoded."""
    body, out = answer.json(), b""
    for term in body["terms"]:
        if "xorbs" in body:
            [entry] = body["xorbs"][term["hash"]]
            [part] = entry["ranges"]
            chunks, span = part["chunks"], part["bytes"]
        else:
            [entry] = body["fetch_info"][term["hash"]]
            chunks, span = entry["range"], entry["url_range"]
        got = requests.get(entry["url"], headers={"Range": f"bytes={span['start']}-{span['end']}"}, timeout=60)
        assert got.status_code == 206 and len(got.content) == span["end"] - span["start"] + 1
        assert got.headers["Content-Range"].startswith(f"bytes {span['start']}-{span['end']}/")
        pieces, at = [], 0
        while at < len(got.content):
            size = int.from_bytes(got.content[at + 1:at + 4], "little")
            assert got.content[at] == 0 and got.content[at + 4] == 0 and got.content[at + 5:at + 8] == got.content[at + 1:at + 4]
            pieces.append(got.content[at + 8:at + 8 + size])
            at += 8 + size
        assert len(pieces) == chunks["end"] - chunks["start"]
        wanted = pieces[term["range"]["start"] - chunks["start"]:term["range"]["end"] - chunks["start"]]
        assert sum(map(len, wanted)) == term["unpacked_length"]
        out += b"".join(wanted)
    return out[body["offset_into_first_range"]:]


# Tokens

def test_tokens_come_both_ways(world, cas, read):
    body = cas.answer.json()
    assert cas.answer.headers["X-Xet-Cas-Url"] == body["casUrl"] == read.url
    assert cas.answer.headers["X-Xet-Access-Token"] == body["accessToken"] != read.token
    assert int(cas.answer.headers["X-Xet-Token-Expiration"]) == body["exp"]
    assert 3500 < body["exp"] - time.time() < 3700
    assert body["casUrl"].startswith(world.endpoint + "/xet/e1/") and not body["casUrl"].endswith("/")


def test_who_gets_a_token(world):
    def ask(bucket, kind, token):
        return world.call("GET", f"{BUCKET}{bucket}/xet-{kind}-token", token).status_code
    assert [ask("b", "read", token) for token in (None, world.reader, world.mallory, "")] == [200, 200, 404, 401]
    assert [ask("b", "write", token) for token in (None, world.reader, world.mallory, "")] == [200, 403, 404, 401]
    assert [ask("public", "read", token) for token in (world.mallory, "")] == [200, 200]
    assert [ask("public", "write", token) for token in (world.mallory, "")] == [403, 401]


def test_bad_tokens(world, cas, read):
    xorb = unique(100)
    path = f"/v1/xorbs/default/{xorb.text}"
    foreign = Cas(world, "m", token=world.mallory, namespace="mallory")
    flipped = ("0" if cas.token[10] != "0" else "1")
    bad = {"": 401, world.token: 401, cas.token[:10] + flipped + cas.token[11:]: 401, cas.token[:-2]: 401, cas.token + "00": 401, "zz": 401,
           "00" * 400: 401, read.token: 403, foreign.token: 403}
    for token, status in bad.items():
        answer = cas.call("POST", path, token=token, data=xorb.body)
        assert answer.status_code == status, (token, answer.text)
        assert cas.put_shard(data=b"x", token=token).status_code == status
    assert foreign.call("GET", "/v1/chunks/default/" + EMPTY, token=cas.token).status_code == 403
    assert cas.call("GET", "/v1/chunks/default/" + EMPTY, token=foreign.token).status_code == 403
    assert read.reconstruction(xorb.text, token=world.token).status_code == 401
    other_epoch = requests.get(cas.url.replace("/e1/", "/e2/") + "/v1/chunks/default/" + EMPTY, headers={"Authorization": f"Bearer {cas.token}"})
    assert other_epoch.status_code == 404 and "begin the upload again" in other_epoch.json()["error"]


def test_rights_that_are_lost(world):
    world.admin("POST", "/admin/orgs", {"name": "acme"})
    world.admin("PUT", "/admin/orgs/acme/members/mallory", {"role": "write"})
    assert world.call("POST", "/api/buckets/acme/o", world.mallory, json={"private": True}).status_code == 200
    cas = Cas(world, "o", token=world.mallory, namespace="acme")
    assert cas.put_xorb(unique(10)).status_code == 200
    world.admin("PUT", "/admin/orgs/acme/members/mallory", {"role": "read"})
    assert cas.put_xorb(unique(10)).status_code == 403
    world.admin("DELETE", "/admin/orgs/acme/members/mallory")
    assert cas.reconstruction(EMPTY).status_code == 403
    world.call("POST", BUCKET + "short-lived")
    cas = Cas(world, "short-lived")
    world.call("DELETE", BUCKET + "short-lived")
    assert cas.put_xorb(unique(10)).status_code == 404


# Uploads

def test_an_upload_in_order(world, cas, read):
    """As hf_xet does it (2.2), with the vectors of 6.1."""
    xorb = xet.Xorb([HELLO])
    item = xet.File((xorb, 0, 1))
    assert cas.call("GET", f"/v1/chunks/default/{xorb.text}").status_code == 404
    assert add(world, "b", "hello.py", item).status_code == 422
    assert cas.put_xorb(xorb).json() == {"was_inserted": True}
    assert cas.put_xorb(xorb).json() == {"was_inserted": False}
    answer = cas.put_shard(item, path="/v2/shards")
    assert answer.status_code == 200 and json.loads(answer.text.strip().split("\n")[-1]) == {"type": "result", "result": 1}
    assert cas.put_shard(item).json()["result"] in (0, 1)
    assert cas.put_shard(item, path="/shards").json()["result"] in (0, 1)
    assert read.reconstruction(item).status_code == 404, "not in the bucket yet"
    assert add(world, "b", "hello.py", item, mtime=1778597859000, contentType="text/x-python").status_code == 200
    assert (world.state / "buckets/alice/b/hello.py").read_bytes() == HELLO
    for version in (1, 2):
        answer = read.reconstruction(item, "0-268435455", version)
        assert answer.status_code == 200 and download(answer) == HELLO
        term = answer.json()["terms"][0]
        assert term["hash"] == xorb.text and term["unpacked_length"] == 23 and term["range"] == {"start": 0, "end": 1}
    assert read.reconstruction(item, "268435456-805306367").status_code == 416, "the prefetch window"
    assert requests.post(world.endpoint + "/v1/telemetry", data=b"{}").status_code == 200
    assert world.call("GET", "/buckets/alice/b/resolve/hello.py").headers["Content-Type"] == "text/x-python"


def test_the_empty_file(world, cas, read):
    empty = xet.File()
    assert cas.put_shard(empty).status_code == 200
    assert add(world, "b", "empty", EMPTY).status_code == 200
    answer = read.reconstruction(EMPTY)
    assert answer.json() == {"offset_into_first_range": 0, "terms": [], "xorbs": {}}
    assert read.reconstruction(EMPTY, "1-").status_code == 416


def test_chunked_bodies(world, cas):
    xorb = unique(300_000 // 3, 3)
    answer = cas.put_xorb(xorb, data=iter([xorb.body[i:i + 50_000] for i in range(0, len(xorb.body), 50_000)]))
    assert answer.json() == {"was_inserted": True}


@pytest.mark.parametrize("name, lie", [
    ("a flipped byte", lambda x: x.body[:50] + bytes([x.body[50] ^ 1]) + x.body[51:]),
    ("cut in the data", lambda x: x.body[:-1]), ("cut in a header", lambda x: x.body + b"\0\0\0"),
    ("swapped chunks", lambda x: xet.Xorb(x.pieces[::-1]).body), ("nothing", lambda x: b""),
    ("no chunks", lambda x: b"XETBLOB\1" + bytes(100)), ("version 1", lambda x: b"\1" + x.body[1:]),
    ("scheme 3", lambda x: x.body[:4] + b"\3" + x.body[5:]), ("noise", lambda x: b"\xff" * 1000),
])
def test_lying_xorbs(cas, name, lie):
    xorb = xet.Xorb([b"a" * 100, os.urandom(100)])
    answer = cas.put_xorb(xorb, data=lie(xorb))
    assert answer.status_code == 400 and answer.json()["error"], (name, answer.text)
    assert cas.put_xorb(xorb).json() == {"was_inserted": True}


def test_a_wrong_name(cas):
    xorb = unique(100)
    assert cas.call("POST", f"/v1/xorbs/default/{'1' * 64}", data=xorb.body).status_code == 400
    for name in ("1" * 63, "1" * 65, "g" * 64, "x"):
        assert cas.call("POST", f"/v1/xorbs/default/{name}", data=xorb.body).status_code == 400
        assert cas.call("GET", f"/v1/chunks/default/{name}").status_code == 400
        assert cas.reconstruction(name).status_code == 400
    assert cas.call("POST", f"/v1/xorbs/default/{xorb.text.upper()}", data=xorb.body).json() == {"was_inserted": True}


def test_lying_shards(world, cas):
    xorb = unique(1000, 3)
    item = xet.File((xorb, 0, 2))
    assert cas.put_shard(item).status_code == 400, "the xorb is not there"
    assert cas.put_xorb(xorb).status_code == 200

    def record(**lies):
        return xet.shard(records=[xet.file_record(item, **lies)])
    good = xet.shard(item)
    lies = {"tag": xet.shard(item, tag=b"x" * 32), "version": xet.shard(item, version=3), "cut": good[:-1], "no end": good[:-48], "empty": b"",
            "count": record(count=0xffffffff), "flags": record(flags=0), "hash": record(hash=b"\1" * 32), "range": record(range=b"\1" * 32),
            "bytes": record(term=lambda f: [f[0], f[1], f[2] + 1, f[3], f[4]]), "end": record(term=lambda f: [f[0], f[1], f[2], f[3], 9]),
            "start": record(term=lambda f: [f[0], f[1], f[2], 2, 2]), "xorb": record(term=lambda f: [b"\2" * 32, *f[1:]])}
    for name, body in lies.items():
        for path in ("/v1/shards", "/v2/shards"):
            answer = cas.put_shard(data=body or b"", path=path) if body else cas.call("POST", path)
            assert answer.status_code == 400, (name, answer.text)
    assert add(world, "b", "lied", item).status_code == 422
    assert cas.put_shard(item).status_code == 200


def test_bodies_that_are_too_large(cas):
    """Answered with 413 whether or not the client looks before it has sent all."""
    answer = cas.call("POST", f"/v1/xorbs/default/{'1' * 64}", data=b"\0" * (65 * 1024 * 1024 + 1))
    assert answer.status_code == 413


def test_a_refused_upload_is_read_to_its_end(cas):
    """An answer before the end of the body would look like a broken connection (2.1)."""
    session = requests.Session()
    for _ in range(2):
        answer = session.post(f"{cas.url}/v1/xorbs/default/{'1' * 64}", data=b"\0" * (20 * 1024 * 1024), headers={"Authorization": "Bearer 00"})
        assert answer.status_code == 401


def test_truncated_uploads_leave_nothing(world, cas):
    xorb = unique(100_000)
    host = world.endpoint.split("//")[1].split(":")
    for sent in (0, 1, 50_000):
        with socket.create_connection((host[0], int(host[1]))) as connection:
            head = f"POST {cas.url[len(world.endpoint):]}/v1/xorbs/default/{xorb.text} HTTP/1.1\r\nHost: x\r\n" \
                   f"Authorization: Bearer {cas.token}\r\nContent-Length: {len(xorb.body)}\r\n\r\n"
            connection.sendall(head.encode() + xorb.body[:sent])
    assert cas.put_xorb(xorb).json() == {"was_inserted": True}


def test_many_at_once(world, cas, read):
    xorbs = [unique(100_000, 20) for _ in range(24)]
    results = []

    def work(part):
        for xorb in part:
            results.append(cas.put_xorb(xorb).json())
    threads = [threading.Thread(target=work, args=(xorbs[i::8],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [{"was_inserted": True}] * len(xorbs)
    item = xet.File(*((xorb, 0, 20) for xorb in xorbs))
    assert cas.put_shard(item).status_code == 200
    assert add(world, "b", "many", item).status_code == 200
    assert download(read.reconstruction(item)) == item.data
    [entry] = world.call("POST", BUCKET + "b/paths-info", json={"paths": ["many"]}).json()
    assert entry["size"] == len(item.data) and entry["xetHash"] == item.text


# Downloads

@pytest.fixture(scope="module")
def million(world):
    """Example C: 1,000,000 bytes in 19 chunks."""
    cas = Cas(world, "b")
    data, pieces = xet.example_c(), []
    for length in xet.EXAMPLE_C_LENGTHS:
        pieces.append(data[sum(map(len, pieces)):][:length])
    xorb = xet.Xorb(pieces, schemes=1)
    item = xet.File((xorb, 0, 19))
    assert (xorb.text, item.text) == (xet.EXAMPLE_C_XORB, xet.EXAMPLE_C_FILE)
    assert cas.put_xorb(xorb).status_code == 200 and cas.put_shard(item).status_code == 200
    assert add(world, "b", "c/million", item).status_code == 200
    return item


@pytest.mark.parametrize("version", [1, 2])
def test_windows(read, million, version):
    size, edges = 1_000_000, [sum(xet.EXAMPLE_C_LENGTHS[:i]) for i in range(20)]
    windows = [(0, size - 1), (100_000, 243_320), (0, 0), (size - 1, size - 1), (edges[1], edges[2] - 1), (edges[1] - 1, edges[2]),
               (5, 10**12)] + [tuple(sorted(random.sample(range(size), 2))) for _ in range(10)]
    for first, last in windows:
        answer = read.reconstruction(million, f"{first}-{last}", version)
        assert answer.status_code == 200
        got = download(answer)
        wanted = million.data[first:last + 1]
        assert got[:len(wanted)] == wanted and len(got) - len(wanted) <= 131072, (first, last)
        again = read.reconstruction(million, f"{first}-{last}", version).json()
        assert again["terms"] == answer.json()["terms"]
    assert download(read.reconstruction(million, f"{size - 5}-", version)) == million.data[-5:]
    term = read.reconstruction(million, "100000-243317", version).json()
    assert term["offset_into_first_range"] == 15507 and term["terms"][0]["range"] == {"start": 1, "end": 4}
    for window in (f"{size}-", f"{size}-{size + 5}", "268435456-805306367"):
        assert read.reconstruction(million, window, version).status_code == 416
    for window in ("5-2", "a-b", "-5", "1-2,3-4"):
        assert read.reconstruction(million, window, version).status_code == 400


def test_addresses_of_data(world, read, million):
    [entry] = read.reconstruction(million, "100000-243317", 1).json()["fetch_info"][xet.EXAMPLE_C_XORB]
    start, end = entry["url_range"]["start"], entry["url_range"]["end"]
    assert (start, end) == (84501, 243349)

    def get(url, header):
        return requests.get(url, headers={"Range": header} if header else {})
    assert get(entry["url"], f"bytes={start}-{end}").status_code == 206
    assert get(entry["url"], f"bytes={start + 8}-{start + 107}").content == million.data[84493:84593]
    for header in (f"bytes={start - 1}-{end}", f"bytes={start}-{end + 1}", "bytes=0-0"):
        assert get(entry["url"], header).status_code == 403, header
    for header in (None, "bytes=0-", "bytes=-5", f"bytes={start}-{start},{end}-{end}", "x"):
        assert get(entry["url"], header).status_code == 400, header
    changed = entry["url"][:-1] + ("0" if entry["url"][-1] != "0" else "1")
    assert get(changed, f"bytes={start}-{end}").status_code == 403
    assert get(entry["url"].split("?")[0], f"bytes={start}-{end}").status_code == 403
    foreign = Cas(world, "m", token=world.mallory, namespace="mallory").url
    assert get(foreign + "/data?" + entry["url"].split("?")[1], f"bytes={start}-{end}").status_code == 404


def test_what_a_token_opens(world, million):
    """Files of its bucket, nothing by guessing: a hash that is in another bucket is as unknown as one that is nowhere."""
    second = Cas(world, "second", "read")
    foreign = Cas(world, "m", "write", token=world.mallory, namespace="mallory")
    public = Cas(world, "public", "read", token="")
    for cas in (second, foreign, public):
        answers = [cas.reconstruction(text) for text in (million.text, "1" * 64)]
        assert [answer.status_code for answer in answers] == [404, 404] and answers[0].json() == answers[1].json()
    # Another namespace cannot name the file, nor build on the xorb, nor learn by an upload whether it is there.
    assert add(world, "m", "stolen", million, "mallory", world.mallory).status_code == 422
    assert foreign.put_shard(million).status_code == 400
    xorb = million.terms[0][0]
    assert foreign.put_xorb(xorb).json() == {"was_inserted": True}
    # The same namespace may.
    assert add(world, "second", "copy", million).status_code == 200
    assert download(second.reconstruction(million)) == million.data


def test_files_that_jobs_wrote(world, read):
    """Without any upload: the plain file and its chunk table."""
    data = random.Random(7).randbytes(20_000_000)
    folder = world.state / "buckets/alice/b/job"
    folder.mkdir()
    (folder / "out.bin").write_bytes(data)
    [entry] = world.call("GET", BUCKET + "b/tree/job").json()
    answer = read.reconstruction(entry["xetHash"])
    assert download(answer) == data
    assert download(read.reconstruction(entry["xetHash"], "15000000-15000100")).startswith(data[15_000_000:15_000_101])
    zeros = bytes(150_000_000)  # two groups with the same content, and a part of a third
    (folder / "zeros").write_bytes(zeros)
    [entry] = world.call("GET", BUCKET + "b/tree/job/zeros").json()
    assert download(read.reconstruction(entry["xetHash"])) == zeros
    assert len(download(read.reconstruction(entry["xetHash"], "60000000-140000000"))) >= 80_000_001


def test_a_file_that_changes(world, read):
    path = world.state / "buckets/alice/b/changing"
    path.write_bytes(b"first " * 1000)
    [entry] = world.call("GET", BUCKET + "b/tree/changing").json()
    answer = read.reconstruction(entry["xetHash"], version=1)
    [[fetch]] = answer.json()["fetch_info"].values()
    header = {"Range": f"bytes={fetch['url_range']['start']}-{fetch['url_range']['end']}"}
    assert requests.get(fetch["url"], headers=header).status_code == 206
    path.write_bytes(b"second" * 1000)
    assert requests.get(fetch["url"], headers=header).status_code == 404
    assert read.reconstruction(entry["xetHash"]).status_code == 404


def test_a_bucket_that_moves(world):
    """Its tables lie with the old namespace; they are made again."""
    world.call("POST", BUCKET + "moving")
    data = random.Random(8).randbytes(30_000_000)
    assert world.call("PUT", BUCKET + "moving/files/f", data=data).status_code == 200
    world.admin("POST", "/admin/orgs", {"name": "beta"})
    world.admin("PUT", "/admin/orgs/beta/members/alice", {"role": "admin"})
    move = {"fromRepo": "alice/moving", "toRepo": "beta/moved", "type": "bucket"}
    assert world.call("POST", "/api/repos/move", json=move).status_code == 200
    [entry] = world.call("GET", "/api/buckets/beta/moved/tree").json()
    read = Cas(world, "moved", "read", namespace="beta")
    assert download(read.reconstruction(entry["xetHash"])) == data


def test_a_namespace_quota(make_fake):
    fake = make_fake("buckets.namespace_quota=1M")
    fake.call("POST", BUCKET + "q")
    cas = Cas(fake, "q")
    assert cas.put_xorb(unique(100_000, 5)).status_code == 200
    answer = cas.put_xorb(unique(100_000, 6))
    assert answer.status_code == 413 and "The namespace alice" in answer.json()["error"]


def test_uploads_become_durable(world, cas):
    import sqlite3
    assert cas.put_xorb(unique(1000)).status_code == 200

    def durable():
        with sqlite3.connect(f"file:{world.state}/hearth.db?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM xorbs WHERE is_durable = 0").fetchone()[0] == 0
    wait_until(durable, 30, "all xorbs flushed")
