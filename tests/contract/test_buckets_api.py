# SPDX-License-Identifier: Apache-2.0
"""Buckets over HTTP (hub-jobs-api 7), by hand: shapes, rights, bad input."""
import json
import os
import re
import time

import pytest
import requests
import xet

from server import wait_until

EMPTY = "0" * 64
BUCKET = "/api/buckets/alice/"


@pytest.fixture(scope="module")
def others(fake):
    return {"reader": fake.make_user("alice", "read"), "mallory": fake.make_user("mallory")}


@pytest.fixture
def bucket(fake, request):
    """A fresh private bucket of alice: its name."""
    name = re.sub(r"[^A-Za-z0-9]", "-", request.node.name)[:60] + os.urandom(3).hex()
    assert fake.call("POST", BUCKET + name, json={"private": True}).status_code == 200
    return name


def put(fake, bucket, path, data, **query):
    answer = fake.call("PUT", f"{BUCKET}{bucket}/files/{path}", data=data, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def batch(fake, bucket, *operations, token=None, namespace="alice"):
    body = "\n".join(json.dumps(operation) for operation in operations)
    return fake.call("POST", f"/api/buckets/{namespace}/{bucket}/batch", token, data=body)


def tree(fake, bucket, prefix="", **query):
    answer = fake.call("GET", f"{BUCKET}{bucket}/tree" + (f"/{prefix}" if prefix else ""), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def paths(entries):
    return [entry["path"] for entry in entries]


# Buckets themselves

def test_create_show_delete(fake):
    made = fake.call("POST", "/api/buckets/me/first", json={"private": True})
    assert made.status_code == 200
    assert made.json()["url"] == f"{fake.endpoint}/buckets/alice/first" and made.json()["name"] == "alice/first"
    assert re.fullmatch("[0-9a-f]{24}", made.json()["id"])
    again = fake.call("POST", "/api/buckets/alice/First")  # the same, in any case
    assert again.status_code == 409
    assert again.json() == {"error": "You already created this bucket", "url": made.json()["url"], "id": made.json()["id"]}
    info = fake.call("GET", "/api/buckets/alice/first").json()
    assert info["id"] == "alice/first" and info["private"] is True and info["size"] == info["totalFiles"] == 0
    assert info["repoType"] == "bucket" and info["author"] == "alice" and info["cdnRegions"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", info["createdAt"])
    assert (fake.state / "buckets/alice/first").is_dir()
    put(fake, "first", "a/b.txt", b"x")
    assert fake.call("DELETE", "/api/buckets/alice/first").json() == {}
    gone = fake.call("GET", "/api/buckets/alice/first")
    assert gone.status_code == 404 and gone.headers["X-Error-Code"] == "RepoNotFound"
    assert not (fake.state / "buckets/alice/first").exists()
    wait_until(lambda: not list((fake.state / "buckets/.trash").iterdir()), 10, "an empty trash")
    assert fake.call("DELETE", "/api/buckets/alice/first").status_code == 404


def test_the_url_has_the_name_by_which_the_client_came(fake):
    made = fake.call("POST", BUCKET + "named", headers={"Host": "hub.example:1234"})
    assert made.json()["url"] == "http://hub.example:1234/buckets/alice/named"


@pytest.mark.parametrize("body, word", [({"private": 1}, "private"), ({"visibility": "secret"}, "visibility"), ([1], "object")])
def test_create_refuses(fake, body, word):
    answer = fake.call("POST", BUCKET + "refused", json=body)
    assert answer.status_code == 400 and word in answer.json()["error"]


@pytest.mark.parametrize("name", ["-x", ".x", "a b", "a%2Fb", "x" * 97, "%C3%A9"])
def test_bad_names(fake, name):
    assert fake.call("POST", BUCKET + name, json={}).status_code == 400


def test_visibility(fake):
    for name, body, private in [("v1", {}, False), ("v2", {"visibility": "private"}, True), ("v3", {"private": None}, False)]:
        assert fake.call("POST", BUCKET + name, json=body).status_code == 200
        assert fake.call("GET", BUCKET + name, "").status_code == (401 if private else 200)
    answer = fake.call("PUT", BUCKET + "v2/settings", json={"private": False, "cdnRegions": []})
    assert answer.json() == {"private": False, "cdnRegions": []}
    assert fake.call("GET", BUCKET + "v2", "").status_code == 200


def test_list(fake, others):
    for name, private in [("list-a", True), ("list-b", False), ("list-c%25", False)]:
        fake.call("POST", BUCKET + name, json={"private": private})
    def found(token=None, ns="alice", **query):
        answer = fake.call("GET", f"/api/buckets/{ns}", token, params={"search": "list-", **query})
        return [item["id"] for item in answer.json()]
    assert found() == found(ns="me") == ["alice/list-a", "alice/list-b"]
    assert found("") == found(others["mallory"]) == ["alice/list-b"]
    assert found(search="%") == found(search="_") == []
    assert found(search="T-B") == ["alice/list-b"]
    assert fake.call("GET", "/api/buckets/me", "").status_code == 401
    assert fake.call("GET", "/api/buckets/nobody").status_code == 404


def test_rename(fake, others):
    fake.call("POST", BUCKET + "old", json={"private": True})
    fake.call("POST", BUCKET + "taken")
    put(fake, "old", "kept.txt", b"kept")

    def move(to, token=None, source="alice/old"):
        return fake.call("POST", "/api/repos/move", token, json={"fromRepo": source, "toRepo": to, "type": "bucket"})
    assert move("alice/taken").status_code == 409
    assert move("mallory/old").status_code == 403
    assert move("alice/x/y").status_code == 400
    assert move("alice/..").status_code == 400
    assert move("alice/new", others["mallory"]).status_code == 404
    assert move("alice/new", others["reader"]).status_code == 403
    assert move("alice/new", "").status_code == 401
    assert move("alice/new", source="alice/absent").status_code == 404
    assert fake.call("POST", "/api/repos/move", json={"fromRepo": "a/b", "toRepo": "c/d"}).status_code == 404
    assert move("alice/new").status_code == 200
    assert (fake.state / "buckets/alice/new/kept.txt").read_bytes() == b"kept"
    assert fake.call("GET", BUCKET + "old").status_code == 404
    assert paths(tree(fake, "new")) == ["kept.txt"]
    assert move("me/NEW", source="alice/new").status_code == 200  # only the case
    assert paths(tree(fake, "NEW")) == ["kept.txt"]


def test_rights(fake, others, bucket):
    """A private bucket does not exist for strangers; a token with the role read changes nothing."""
    put(fake, bucket, "f.txt", b"secret")
    reads = [("GET", ""), ("GET", "/tree"), ("GET", "/tree/a"), ("POST", "/paths-info"), ("GET", "/xet-read-token")]
    writes = [("DELETE", ""), ("PUT", "/settings"), ("POST", "/batch"), ("PUT", "/files/x"), ("GET", "/xet-write-token")]
    for method, more in reads + writes:
        body = {"json": {"paths": []}} if "paths" in more else {"data": b""} if method != "GET" else {}
        path = BUCKET + bucket + more
        stranger = fake.call(method, path, others["mallory"], **body)
        assert (stranger.status_code, stranger.headers["X-Error-Code"]) == (404, "RepoNotFound"), path
        assert fake.call(method, path, "", **body).status_code == 401, path
        assert fake.call(method, path, "hf_wrong", **body).status_code == 401, path
        reader = fake.call(method, path, others["reader"], **body).status_code
        assert reader == (200 if (method, more) in reads else 403), path
    resolve = f"/buckets/alice/{bucket}/resolve/f.txt"
    assert fake.call("GET", resolve, "").status_code == 401
    assert fake.call("GET", resolve, others["mallory"]).status_code == 404
    assert fake.call("GET", resolve, others["reader"]).content == b"secret"
    fake.call("PUT", f"{BUCKET}{bucket}/settings", json={"private": False})
    for token in ("", others["mallory"]):
        for method, more in reads:
            body = {"json": {"paths": []}} if "paths" in more else {}
            assert fake.call(method, BUCKET + bucket + more, token, **body).status_code == 200
        for method, more in writes:
            body = {"data": b""} if method != "GET" else {}
            assert fake.call(method, BUCKET + bucket + more, token, **body).status_code == (403 if token else 401), more
        assert fake.call("GET", resolve, token).content == b"secret"


# Files

def test_put_and_tree(fake, bucket):
    entry = put(fake, bucket, "dir/a%20b.txt", b"hello", mtime=1234567890123)
    assert entry["path"] == "dir/a b.txt" and entry["size"] == 5 and entry["mtime"] == "2009-02-13T23:31:30.123Z"
    assert len(entry["xetHash"]) == 64 and entry["uploadedAt"] > "2026"
    put(fake, bucket, "top", b"")
    put(fake, bucket, "dir/sub/c", b"c")
    put(fake, bucket, "dir0", b"0")
    assert paths(tree(fake, bucket)) == sorted(["dir/a b.txt", "dir/sub/c", "dir0", "top"])
    flat = tree(fake, bucket, recursive="false")
    assert {(e["type"], e["path"]) for e in flat} == {("directory", "dir"), ("file", "dir0"), ("file", "top")}
    for prefix in ("dir", "dir/", "dir%2F"):
        assert paths(tree(fake, bucket, prefix)) == ["dir/a b.txt", "dir/sub/c"]
    assert paths(tree(fake, bucket, "dir%2Fsub")) == ["dir/sub/c"]
    assert paths(tree(fake, bucket, "top")) == ["top"]
    for prefix in ("di", "absent", "dir%2F..%2Fdir", "a%2f%2fb"):
        assert tree(fake, bucket, prefix) == [], prefix
    assert next(e for e in tree(fake, bucket) if e["path"] == "top")["xetHash"] == EMPTY
    info = fake.call("GET", BUCKET + bucket).json()
    assert (info["size"], info["totalFiles"]) == (7, 4)
    assert (fake.state / "buckets/alice" / bucket / "dir/a b.txt").read_bytes() == b"hello"


def test_pages(fake, bucket):
    for i in range(7):
        put(fake, bucket, f"é {i}/x", b"%d" % i)
    found, url, pages = [], f"{fake.endpoint}{BUCKET}{bucket}/tree?limit=3&recursive=true", 0
    while url:
        answer = requests.get(url, headers={"Authorization": f"Bearer {fake.token}"})
        found += paths(answer.json())
        link = answer.headers.get("Link")
        assert not link or re.fullmatch(r'<http[^>]+>; rel="next"', link)
        url = link and link[1:].split(">")[0]
        pages += 1
    assert pages == 3 and found == [f"é {i}/x" for i in range(7)]
    folders = fake.call("GET", f"{BUCKET}{bucket}/tree?recursive=false&limit=5")
    assert len(folders.json()) == 5 and "Link" in folders.headers
    for query in ("limit=0", "limit=5001", "limit=x", "recursive=maybe", "sort=size", "direction=up"):
        assert fake.call("GET", f"{BUCKET}{bucket}/tree?{query}").status_code == 400


def all_pages(fake, bucket, query):
    found, cursor = [], f"{BUCKET}{bucket}/tree?{query}"
    while cursor:
        page = fake.call("GET", cursor)
        assert page.status_code == 200, page.text
        found.append(paths(page.json()))
        cursor = page.headers["Link"][1:].split(">")[0][len(fake.endpoint):] if "Link" in page.headers else None
    return found


def test_other_orders(fake, bucket):
    """By time of upload, and backwards: whole pages with a cursor, folders as the oldest, and files that nobody has hashed yet."""
    times = {}
    for path in ("b", "dir/z", "a", "dir/a", "é :1"):
        times[path] = put(fake, bucket, path, path.encode(), mtime=1)["uploadedAt"]
    folder = fake.state / "buckets/alice" / bucket
    for path, second in (("dir/old", 1_000), ("left", 2_000), ("empty", 3_000)):
        (folder / path).write_bytes(b"" if path == "empty" else b"left by a job")
        os.utime(folder / path, (second, second))
    uploads = ["dir/old", "left", "empty", *sorted(times, key=lambda path: (times[path], path))]
    for limit in (1, 3, 8, 100):
        for query, expected in (("sort=uploadedAt", uploads[::-1]), ("sort=uploadedAt&direction=desc", uploads[::-1]),
                                ("sort=uploadedAt&direction=asc", uploads), ("direction=desc", sorted(uploads, reverse=True)),
                                ("sort=path&direction=asc", sorted(uploads))):
            pages = all_pages(fake, bucket, f"{query}&limit={limit}")
            assert sum(pages, []) == expected, (query, limit)
            assert len(pages) == -(-len(uploads) // limit)
    for entry in tree(fake, bucket, sort="uploadedAt"):
        assert len(entry["xetHash"]) == 64
    top = [path for path in uploads if "/" not in path]
    assert sum(all_pages(fake, bucket, "sort=uploadedAt&recursive=false&limit=2"), []) == top[::-1] + ["dir"]
    assert paths(tree(fake, bucket, "dir", sort="uploadedAt", direction="asc")) == [p for p in uploads if p.startswith("dir/")]
    assert fake.call("GET", f"{BUCKET}{bucket}/tree?sort=uploadedAt&cursor=ff").status_code == 200


def test_paths_info(fake, bucket):
    put(fake, bucket, "a.txt", b"abc")
    put(fake, bucket, "d/e", b"e")

    def ask(body):
        return fake.call("POST", f"{BUCKET}{bucket}/paths-info", json=body)
    answer = ask({"paths": ["d/e", "missing", "a.txt", "d", "../x", ""]})
    assert sorted(paths(answer.json())) == ["a.txt", "d/e"]
    assert paths(ask({"paths": "a.txt", "expand": True}).json()) == ["a.txt"]
    assert ask({"paths": []}).json() == []
    for body in ({}, {"paths": 3}, {"paths": [3]}, {"paths": ["x"] * 2001}):
        assert ask(body).status_code == 400


def test_files_that_others_wrote_are_hashed(fake, bucket):
    """What a job leaves in the folder is there with the hash that a client would compute."""
    folder = fake.state / "buckets/alice" / bucket
    (folder / "out").mkdir()
    (folder / "out/result.txt").write_bytes(b'print("hello from uv")\n')
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo")
    [entry] = tree(fake, bucket)
    assert entry["path"] == "out/result.txt" and entry["xetHash"] == "cc881fd4fc5703788f6aae9278150c82086d2b99e0edc9655a5619995b5eff35"
    (folder / "out/result.txt").write_bytes(b"another\n")
    [changed] = tree(fake, bucket)
    assert changed["size"] == 8 and changed["xetHash"] != entry["xetHash"]
    assert fake.call("GET", f"/buckets/alice/{bucket}/resolve/link").status_code == 404
    assert fake.call("GET", f"/buckets/alice/{bucket}/resolve/fifo").status_code == 404


@pytest.mark.parametrize("path", ["..", "a/../b", "../x", "a//b", "/a", "a/", "a%00b", "a%0Ab", "x" * 256, "%ff",
                                  "/".join(["y" * 200] * 6), ".hearth-x", "a/.hearth-tmp"])
def test_paths_that_cannot_be(fake, bucket, path):
    if path != "..":  # the client itself would follow that
        answer = fake.call("PUT", f"{BUCKET}{bucket}/files/{path.replace('/', '%2F')}", data=b"x")
        assert answer.status_code == 400, answer.text
    if "%" not in path:
        answer = batch(fake, bucket, {"type": "addFile", "path": path, "xetHash": EMPTY}, {"type": "deleteFile", "path": path})
        assert answer.status_code == 422 and answer.json()["succeeded"] == 0, answer.text
    assert tree(fake, bucket) == []


def test_long_and_twin_names(fake, bucket):
    for path in ("x" * 255, "Twin", "twin", "ünïcödé/文件"):
        put(fake, bucket, path, path.encode())
    assert {"Twin", "twin", "x" * 255, "ünïcödé/文件"} == set(paths(tree(fake, bucket)))
    assert fake.call("GET", f"/buckets/alice/{bucket}/resolve/Twin").content == b"Twin"


def test_put_is_limited_to_files(fake, bucket):
    put(fake, bucket, "file", b"x")
    put(fake, bucket, "dir/x", b"x")
    assert fake.call("PUT", f"{BUCKET}{bucket}/files/file/below", data=b"x").status_code in (400, 409)
    assert fake.call("PUT", f"{BUCKET}{bucket}/files/dir", data=b"x").status_code in (400, 409)
    for mtime in ("x", "-1", "99999999999999999999"):
        assert fake.call("PUT", f"{BUCKET}{bucket}/files/f?mtime={mtime}", data=b"x").status_code == 400


# Batches

def test_batch_shapes(fake, bucket):
    put(fake, bucket, "old", b"old")
    answer = batch(fake, bucket, {"type": "addFile", "path": "empty", "xetHash": EMPTY, "mtime": 1778597859123, "mtimeNanos": 456,
                                  "contentType": "text/x-empty"}, {"type": "deleteFile", "path": "old"})
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "processed": 2, "succeeded": 2, "failed": []}
    [entry] = tree(fake, bucket)
    assert entry["mtime"] == "2026-05-12T14:57:39.123Z" and entry["mtimeNanos"] == 456 and entry["contentType"] == "text/x-empty"
    answer = batch(fake, bucket, {"type": "deleteFile", "path": "never"}, {"type": "addFile", "path": "empty", "xetHash": EMPTY})
    assert answer.status_code == 200, "adding again and deleting what is missing succeed"
    assert fake.call("POST", f"{BUCKET}{bucket}/batch", data=b"").json() == {"success": True, "processed": 0, "succeeded": 0, "failed": []}


def test_batch_with_failures(fake, bucket):
    answer = batch(fake, bucket, {"type": "addFile", "path": "good", "xetHash": EMPTY}, {"type": "addFile", "path": "bad", "xetHash": "1" * 64},
                   {"type": "addFile", "path": "worse", "xetHash": "xyz"}, {"type": "rename", "path": "what"}, {"type": "addFile"},
                   {"type": "addFile", "path": "b", "xetHash": EMPTY[1:]}, {"path": 7})
    assert answer.status_code == 422
    body = answer.json()
    assert body["success"] is False and body["processed"] == 7 and body["succeeded"] == 1
    assert [item["path"] for item in body["failed"]] == ["bad", "worse", "what", "", "b", ""]
    assert "unknown xet hash" in body["failed"][0]["error"] and "and 5 more" in body["error"]
    assert paths(tree(fake, bucket)) == ["good"]


@pytest.mark.parametrize("body, word", [(b"{", "line 1"), (b'{"type":"deleteFile","path":"x"}\n[]', "line 2"), (b"\xff", "line 1")])
def test_batches_that_are_none(fake, bucket, body, word):
    answer = fake.call("POST", f"{BUCKET}{bucket}/batch", data=body)
    assert answer.status_code == 400 and word in answer.json()["error"]


def test_ten_thousand_files(fake, bucket):
    count = 10_000
    lines = [{"type": "addFile", "path": f"d{i % 100}/f{i}", "xetHash": EMPTY, "mtime": i} for i in range(count)]
    answer = batch(fake, bucket, *lines)
    assert answer.status_code == 200 and answer.json()["succeeded"] == count
    info = fake.call("GET", BUCKET + bucket).json()
    assert info["totalFiles"] == count
    found, cursor = 0, f"{BUCKET}{bucket}/tree?limit=5000"
    while cursor:
        page = fake.call("GET", cursor)
        found += len(page.json())
        cursor = page.headers["Link"][1:].split(">")[0][len(fake.endpoint):] if "Link" in page.headers else None
    assert found == count
    answer = batch(fake, bucket, *({"type": "deleteFile", "path": line["path"]} for line in lines))
    assert answer.status_code == 200
    assert fake.call("GET", BUCKET + bucket).json()["totalFiles"] == 0
    assert tree(fake, bucket) == []


def test_copies(fake, others, bucket):
    entry = put(fake, bucket, "source", b"copied content" * 1000)
    for name, private in (("copy-to", True), ("copy-secret", True)):
        fake.call("POST", BUCKET + name, json={"private": private})
    fake.call("POST", "/api/buckets/mallory/mine", others["mallory"], json={"private": True})

    def copy(to, path, source=f"alice/{bucket}", kind="bucket", namespace="alice", token=None, **more):
        return batch(fake, to, {"type": "copyFile", "path": path, "xetHash": entry["xetHash"], "sourceRepoType": kind, "sourceRepoId": source,
                                **more}, token=token, namespace=namespace)
    assert copy("copy-to", "a").status_code == 200
    assert copy(bucket, "b", mtime=5000).status_code == 200
    assert (fake.state / "buckets/alice/copy-to/a").read_bytes() == b"copied content" * 1000
    assert os.stat(fake.state / "buckets/alice" / bucket / "b").st_mtime == 5
    for kind in ("model", "dataset", "space", "?"):
        answer = copy("copy-to", "c", kind=kind)
        assert answer.status_code == 422 and "cannot be copied" in answer.json()["failed"][0]["error"]
    assert copy("copy-to", "d", source="alice/absent").status_code == 422
    assert copy("copy-to", "d", source="alice/copy-secret").status_code == 422  # has no such file
    # Another's private bucket is as if it did not exist; also not by a member of the line that is ours.
    source_id = fake.call("POST", BUCKET + bucket).json()["id"]
    for more in ({}, {"sourceBucketId": source_id}):
        answer = copy("mine", "e", namespace="mallory", token=others["mallory"], **more)
        assert answer.status_code == 422 and "there is no bucket" in answer.json()["failed"][0]["error"]
    answer = batch(fake, "mine", {"type": "addFile", "path": "f", "xetHash": entry["xetHash"], "sourceBucketId": source_id},
                   token=others["mallory"], namespace="mallory")
    assert answer.status_code == 422 and "unknown xet hash" in answer.json()["failed"][0]["error"]
    fake.call("PUT", f"{BUCKET}{bucket}/settings", json={"private": False})
    assert copy("mine", "g", namespace="mallory", token=others["mallory"]).status_code == 200
    # What the source held before is not there any more.
    put(fake, bucket, "source", b"new")
    put(fake, bucket, "b", b"new")
    assert copy("mine", "h", namespace="mallory", token=others["mallory"]).status_code == 422


def test_quotas(make_fake):
    fake = make_fake("buckets.quota=1M", "buckets.namespace_quota=1500K")
    for name in ("one", "two"):
        fake.call("POST", BUCKET + name)
    put(fake, "one", "a", b"a" * 900_000)
    answer = fake.call("PUT", BUCKET + "one/files/b", data=b"b" * 200_000)
    assert answer.status_code == 413 and "The bucket alice/one" in answer.json()["error"]
    answer = fake.call("PUT", BUCKET + "two/files/b", data=b"b" * 700_000)
    assert answer.status_code == 413 and "The namespace alice" in answer.json()["error"]
    entry = put(fake, "two", "b", b"b" * 500_000)
    answer = batch(fake, "two", {"type": "addFile", "path": "c", "xetHash": entry["xetHash"]})
    assert answer.status_code == 413
    batch(fake, "one", {"type": "deleteFile", "path": "a"})
    assert fake.call("GET", BUCKET + "one").json()["size"] == 0
    assert batch(fake, "two", {"type": "addFile", "path": "c", "xetHash": entry["xetHash"]}).status_code == 200


# Resolve

def test_resolve_ranges(fake, bucket):
    data = bytes(range(256)) * 40
    entry = put(fake, bucket, "f.bin", data)
    url = f"/buckets/alice/{bucket}/resolve/f.bin"
    whole = fake.call("GET", url)
    assert whole.status_code == 200 and whole.content == data and whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["ETag"] == f'"{entry["xetHash"]}"' and whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["X-Content-Type-Options"] == "nosniff" and "sandbox" in whole.headers["Content-Security-Policy"]
    size = len(data)
    for header, expected in [("0-0", (0, 0)), ("5-9", (5, 9)), ("10000-", (10000, size - 1)), ("-7", (size - 7, size - 1)),
                             ("0-99999999", (0, size - 1)), (f"-{size + 5}", (0, size - 1)), (f"{size - 1}-", (size - 1, size - 1))]:
        part = fake.call("GET", url, headers={"Range": "bytes=" + header})
        first, last = expected
        assert part.status_code == 206 and part.content == data[first:last + 1], header
        assert part.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
    for header in (f"{size}-", "-0", f"{size + 5}-{size + 9}"):
        part = fake.call("GET", url, headers={"Range": "bytes=" + header})
        assert part.status_code == 416 and part.headers["Content-Range"] == f"bytes */{size}", header
    for header in ("bytes=5-2", "bytes=a-b", "bytes=1-2,4-5", "items=1-2", "bytes=-"):
        assert fake.call("GET", url, headers={"Range": header}).status_code == 200, header
    assert fake.call("GET", url, headers={"Range": "bytes=0-0", "If-Range": '"other"'}).status_code == 200
    assert fake.call("GET", url, headers={"Range": "bytes=0-0", "If-Range": whole.headers["ETag"]}).status_code == 206
    assert fake.call("GET", url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_resolve_head_and_info(fake, bucket):
    entry = put(fake, bucket, "dir/a.txt", b"abc")
    for path in ("dir/a.txt", "dir%2Fa.txt"):
        head = fake.call("HEAD", f"/buckets/alice/{bucket}/resolve/{path}")
        assert head.status_code == 200 and head.headers["Content-Length"] == "3"
        assert head.headers["X-Xet-Hash"] == entry["xetHash"] and head.headers["X-Linked-Size"] == "3"
        assert f'<{fake.endpoint}{BUCKET}{bucket}/xet-read-token>; rel="xet-auth"' in head.headers["Link"]
        assert head.headers["X-Xet-Refresh-Route"] == f"{fake.endpoint}{BUCKET}{bucket}/xet-read-token"
    info = fake.call("GET", f"/buckets/alice/{bucket}/resolve/dir/a.txt",
                     headers={"Range": "bytes=0-0", "Accept": "application/vnd.xet-fileinfo+json, */*"})
    assert info.status_code == 200 and info.headers["Content-Type"] == "application/vnd.xet-fileinfo+json"
    body = info.json()
    assert body["hash"] == entry["xetHash"] and body["size"] == 3 and body["refreshUrl"].endswith("/xet-read-token")
    assert body["reconstructionUrl"].endswith("/v1/reconstructions/" + entry["xetHash"]) and "text/plain" in body["contentType"]
    for path in ("nope", "dir", "dir/a.txt/x", "..%2f..%2fetc%2fpasswd"):
        missing = fake.call("GET", f"/buckets/alice/{bucket}/resolve/{path}")
        assert missing.status_code == 404 and missing.headers["X-Error-Code"] == "EntryNotFound", path
    missing = fake.call("GET", "/buckets/alice/absent/resolve/x")
    assert missing.status_code == 404 and missing.headers["X-Error-Code"] == "RepoNotFound"


def test_users_pages_run_nothing(fake, bucket):
    put(fake, bucket, 'we"ird%0d.html'.replace("%0d", ""), b"<script>alert(1)</script>")
    url = f"/buckets/alice/{bucket}/resolve/we%22ird.html"
    page = fake.call("GET", url)
    assert page.headers["Content-Type"].startswith("text/html") and "sandbox" in page.headers["Content-Security-Policy"]
    assert page.headers["Content-Disposition"] == "inline; filename*=UTF-8''we%22ird.html; filename=\"we_ird.html\""
    assert fake.call("GET", url + "?download=true").headers["Content-Disposition"].startswith("attachment")
    assert "Content-Disposition" not in fake.call("GET", url + "?noContentDisposition=1").headers
    for kind in ("text/html\r\nX-Bad: 1", "x" * 300, "é/é", "nothing"):
        batch(fake, bucket, {"type": "addFile", "path": "typed.txt", "xetHash": EMPTY, "contentType": kind})
        answer = fake.call("GET", f"/buckets/alice/{bucket}/resolve/typed.txt")
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain") and "X-Bad" not in answer.headers


def test_an_empty_file(fake, bucket):
    put(fake, bucket, "empty", b"")
    url = f"/buckets/alice/{bucket}/resolve/empty"
    assert fake.call("GET", url).content == b""
    assert fake.call("HEAD", url).headers["Content-Length"] == "0"
    assert fake.call("GET", url, headers={"Range": "bytes=0-0"}).status_code == 416


def test_a_restart_keeps_everything(make_fake):
    """And nobody takes over the folder of an account that is gone."""
    fake = make_fake()
    fake.call("POST", BUCKET + "kept")
    entry = put(fake, "kept", "a/b", b"data")
    (fake.state / "buckets/alice/stray").mkdir()
    (fake.state / "buckets/alice/stray/secret").write_text("of somebody")
    fake.call("POST", BUCKET + "stray")
    assert tree(fake, "stray") == []
    assert [path.name.startswith("alice.stray.") for path in (fake.state / "buckets/.found").iterdir()] == [True]
    assert tree(fake, "kept") == [entry | {"type": "file"}]


def test_count_is_corrected(fake, bucket):
    """Files that somebody else removed are noticed some seconds after the next change."""
    put(fake, bucket, "a", b"aaaa")
    put(fake, bucket, "b", b"bb")
    (fake.state / "buckets/alice" / bucket / "a").unlink()
    put(fake, bucket, "c", b"c")
    begin = time.monotonic()
    wait_until(lambda: fake.call("GET", BUCKET + bucket).json()["size"] == 3, 20, "the right size")
    assert fake.call("GET", BUCKET + bucket).json()["totalFiles"] == 2 and time.monotonic() - begin < 20
