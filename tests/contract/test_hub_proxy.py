# SPDX-License-Identifier: Apache-2.0
"""Requests for repositories over plain HTTP: what is passed on to the Hub, what comes back, and what the mirror answers."""
import os
import pathlib
import tempfile

import pytest
import requests
from hub_server import Hub

BIG = os.urandom(700_000)


def make(top):
    for name, data in {"models/org/m/a.txt": b"0123456789", "models/org/m/sub/b.txt": b"b", "models/org/m/big.bin": BIG,
                       "models/org/m@v1/a.txt": b"old", "models/org/secret/s.txt": b"s"}.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    top = tmp_path_factory.mktemp("hub")
    make(top)
    hub = Hub(top).start()
    hub.repository("models", "org/secret").private = True
    hub.repository("models", "org/secret").readers = {"uma"}
    yield hub
    hub.stop()


@pytest.fixture(autouse=True)
def calm(request):
    if "hub" in request.fixturenames:
        request.getfixturevalue("hub").clear()


@pytest.fixture(scope="module")
def proxy(make_server, hub):
    return make_server(f"[auth]\nupstream_url = {hub.url}\n[hub]\ntimeout = 3s\n")


@pytest.fixture(scope="module")
def mirror(make_server):
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="hearth-mirror.") as top:
        os.chmod(top, 0o755)
        make(pathlib.Path(top))
        outside = pathlib.Path(top).with_name(pathlib.Path(top).name + ".outside")
        outside.write_text("outside")
        (pathlib.Path(top) / "models/org/m/link.txt").symlink_to(outside)
        notes = pathlib.Path(top) / "models/org/m/.cache/huggingface"  # as `hf download --local-dir` leaves them
        notes.mkdir(parents=True)
        (notes / ".gitignore").write_text("*")
        yield make_server(f"[hub]\nmirror = {top}\n")
        outside.unlink()


def get(server, path, token=None, method="GET", **more):
    return server.call(method, path, token, allow_redirects=False, **more)


# Passed on
def test_json_comes_through_us(proxy, hub):
    assert get(proxy, "/api/models/org/m").json() == requests.get(hub.url + "/api/models/org/m").json()
    assert [m["id"] for m in get(proxy, "/api/models?search=m").json()] == ["org/m"]


def test_addresses_of_the_hub_become_ours(proxy, hub):
    answer = get(proxy, "/api/models/org/m/tree/main?recursive=true&limit=1")
    assert answer.links["next"]["url"].startswith(proxy.endpoint + "/api/models/org/m/tree/main")
    assert get(proxy, answer.links["next"]["url"].removeprefix(proxy.endpoint)).json()[0]["path"] == "big.bin"


def test_large_files_are_redirected(proxy, hub):
    answer = get(proxy, "/org/m/resolve/main/big.bin")
    assert answer.status_code == 302 and answer.headers["Location"].startswith(hub.cdn_url)
    assert requests.get(answer.headers["Location"]).content == BIG
    head = get(proxy, "/org/m/resolve/main/big.bin", method="HEAD")
    assert head.status_code == 302 and head.headers["X-Linked-Size"] == str(len(BIG)) and len(head.headers["X-Repo-Commit"]) == 40


def test_small_files_come_through_us(proxy):
    assert get(proxy, "/org/m/resolve/main/a.txt").content == b"0123456789"
    part = get(proxy, "/org/m/resolve/main/a.txt", headers={"Range": "bytes=2-4"})
    assert part.status_code == 206 and part.content == b"234" and part.headers["Content-Range"] == "bytes 2-4/10"
    head = get(proxy, "/org/m/resolve/main/a.txt", method="HEAD")
    assert head.headers["Content-Length"] == "10" and head.headers["ETag"] and head.content == b""


def test_refusals_keep_their_codes(proxy):
    for path, code in [("/org/none/resolve/main/x", "RepoNotFound"), ("/org/m/resolve/main/x", "EntryNotFound"), ("/api/models/org/m/revision/x", "RevisionNotFound")]:
        assert get(proxy, path, "hf_upstream").headers["X-Error-Code"] == code


def test_tokens(proxy, hub):
    assert get(proxy, "/api/models/org/secret", "hf_upstream").status_code == 200
    assert hub.requests[-1][2]["Authorization"] == "Bearer hf_upstream"
    assert get(proxy, "/api/models/org/secret").status_code in (401, 404)
    assert "Authorization" not in hub.requests[-1][2]
    count = len(hub.requests)
    assert get(proxy, "/api/models/org/m", "").status_code == 401
    assert len(hub.requests) == count


def test_only_users_of_the_hub_change_something_there(proxy, hub):
    count = len(hub.requests)
    answer = get(proxy, "/api/models/org/m/commit/main", method="POST", data=b"{}")
    assert answer.status_code == 403 and "token of the Hub" in answer.json()["error"]
    assert len(hub.requests) == count
    get(proxy, "/api/models/org/m/commit/main", "hf_upstream", method="POST", data=b"{}")
    assert hub.requests[-1][:2] == ("POST", "/api/models/org/m/commit/main")
    assert get(proxy, "/api/models/org/m/paths-info/main", method="POST", json={"paths": ["a.txt"]}).json()[0]["size"] == 10


def test_a_hub_that_does_not_answer(proxy, hub):
    hub.faults.update(latency_s=6, latency_s_count=1)
    answer = get(proxy, "/api/models/org/m")
    assert answer.status_code == 503 and "does not answer" in answer.json()["error"]
    assert get(proxy, "/api/models/org/m").status_code == 200


def test_a_client_that_leaves(proxy, hub):
    hub.faults.update(latency_s=1, latency_s_count=1)
    with pytest.raises(requests.Timeout):
        get(proxy, "/api/models/org/m", timeout=0.2)
    assert get(proxy, "/api/models/org/m").status_code == 200


# Mirror
def test_the_mirror_answers_itself(mirror):
    info = get(mirror, "/api/models/org/m").json()
    assert [s["rfilename"] for s in info["siblings"]] == ["a.txt", "big.bin", "sub/b.txt"]
    assert get(mirror, f"/api/models/org/m/revision/{info['sha']}").json()["sha"] == info["sha"]
    assert get(mirror, "/api/models/org/m/revision/v1").json()["sha"] != info["sha"]
    assert get(mirror, f"/org/m/resolve/{info['sha']}/a.txt").content == b"0123456789"
    assert get(mirror, "/org/m/resolve/v1/a.txt").content == b"old"
    assert get(mirror, "/api/models/org/m/refs").json()["branches"][0]["targetCommit"] == info["sha"]


def test_trees_of_the_mirror_come_in_pages(mirror):
    paths, url = [], "/api/models/org/m/tree/main?recursive=true&limit=2"
    while url:
        answer = get(mirror, url)
        paths += [(e["type"], e["path"]) for e in answer.json()]
        url = answer.links["next"]["url"].removeprefix(mirror.endpoint) if "next" in answer.links else None
    assert paths == [("file", "a.txt"), ("file", "big.bin"), ("directory", "sub"), ("file", "sub/b.txt")]
    assert [e["path"] for e in get(mirror, "/api/models/org/m/tree/main/sub").json()] == ["sub/b.txt"]
    assert get(mirror, "/api/models/org/m/tree/main/none").headers["X-Error-Code"] == "EntryNotFound"


def test_ranges_of_the_mirror(mirror):
    for asked, expected in [("bytes=0-0", b"0"), ("bytes=7-", b"789"), ("bytes=-2", b"89"), ("bytes=3-100", b"3456789")]:
        answer = get(mirror, "/org/m/resolve/main/a.txt", headers={"Range": asked})
        assert answer.status_code == 206 and answer.content == expected, asked
    assert get(mirror, "/org/m/resolve/main/a.txt", headers={"Range": "bytes=10-"}).status_code == 416
    assert get(mirror, "/org/m/resolve/main/a.txt", headers={"Range": "lines=1-2"}).status_code == 200


@pytest.mark.parametrize("path,code", [
    ("/org/m/resolve/main/link.txt", "EntryNotFound"), ("/org/m/resolve/main/..%2F..%2Forg%2Fsecret%2Fs.txt", "EntryNotFound"),
    ("/org/m/resolve/..%2Fsecret/s.txt", "RevisionNotFound"), ("/..%2Forg/secret/resolve/main/s.txt", "RepoNotFound"),
    ("/org/m/resolve/none/a.txt", "RevisionNotFound"), ("/org/none/resolve/main/a.txt", "RepoNotFound"),
    ("/api/datasets/org/m", "RepoNotFound")])
def test_nothing_outside_of_the_mirror(mirror, path, code):
    answer = get(mirror, path)
    assert answer.status_code == 404 and answer.headers["X-Error-Code"] == code, answer.text


def test_a_changed_file_is_a_new_commit(mirror):
    top = pathlib.Path(mirror.config.read_text().split("mirror = ")[1].split()[0])
    (top / "models/org/changing").mkdir()
    (top / "models/org/changing/f").write_text("one")
    first = get(mirror, "/org/changing/resolve/main/f").headers
    (top / "models/org/changing/f").write_text("two, longer")

    answer = get(mirror, "/org/changing/resolve/main/f")
    assert answer.content == b"two, longer"
    second = answer.headers
    assert first["X-Repo-Commit"] != second["X-Repo-Commit"] and first["ETag"] != second["ETag"]


def test_neither_hub_nor_mirror(server):
    answer = get(server, "/api/models/org/m")
    assert answer.status_code == 404 and "hub.endpoint" in answer.json()["error"] and answer.headers["X-Error-Code"] == "RepoNotFound"
    assert get(server, "/org/m/resolve/main/x").status_code == 404
