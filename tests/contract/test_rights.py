# SPDX-License-Identifier: Apache-2.0
"""Every route, by every kind of caller (S23): the list of routes comes from /openapi.json itself."""
import pytest

from fake import FakeServer

METHODS = ("get", "post", "put", "delete")


@pytest.fixture(scope="module")
def world(make_fake):
    server = make_fake()
    job = server.submit()
    tokens = {"none": "", "wrong": "hf_" + "z" * 34, "reader": server.make_user("alice", "read"), "other": server.make_user("mallory")}
    assert server.call("POST", "/api/buckets/alice/alice", json={"private": True}).status_code == 200
    document = server.call("GET", "/openapi.json", "").json()
    routes = [(method, path, operation) for path, item in document["paths"].items() for method, operation in item.items()]
    return server, job["id"], tokens, routes


def right_of(operation):
    return operation["description"].rsplit("Right: ", 1)[1]


def call(world, method, path, who, job=None):
    server, known, tokens, _ = world
    values = {"ns": "alice", "id": job or known, "name": "alice", "user": "alice", "token": "x", "reference": "busybox",
              "rest": "alice/x", "file": "alice.svg", "path": "x.txt", "prefix": "default", "hash": "0" * 64, "domain": "0" * 24,
              "epoch": "e1", "log": "0" * 24, "revision": "main", "repo": "x", "kind": "namespace", "group": "x", "credit": "x"}
    for name, value in values.items():
        path = path.replace("{" + name + "}", value)
    assert "{" not in path, path
    # a stream of a finished job ends; a body that is no job keeps every call harmless
    body = {"data": b"[]"} if method in ("post", "put") else {}
    return server.call(method.upper(), path, tokens.get(who, who), **body)


def test_there_are_routes(world):
    assert len(world[3]) > 50
    assert {method for method, _, _ in world[3]} == set(METHODS)


def test_anonymous_routes_answer_to_anybody(world):
    for method, path, operation in world[3]:
        if right_of(operation).startswith("none"):
            for who in ("none", "wrong"):
                assert call(world, method, path, who).status_code in (200, 404), path


@pytest.mark.parametrize("who", ["none", "wrong"])
def test_strangers_get_401_everywhere_else(world, who):
    for method, path, operation in world[3]:
        right = right_of(operation)
        if right.startswith("none"):
            continue
        answer = call(world, method, path, who)
        expected = 404 if path.startswith("/admin") and who == "none" else 401
        if path.startswith("/admin"):
            assert answer.status_code in (401, 404), path
        elif right.startswith("the address itself"):
            assert answer.status_code == 403, path
        elif right.startswith("anybody, who then sees") and who == "none":
            assert answer.status_code == 200 and answer.json() == [], path
        else:
            assert answer.status_code == expected, (method, path, answer.status_code, answer.text)


def test_a_read_token_changes_nothing(world):
    for method, path, operation in world[3]:
        right = right_of(operation)
        if "write token" in right:
            answer = call(world, method, path, "reader")
            assert answer.status_code == 403, (method, path, answer.status_code, answer.text)
            assert "role write" in answer.json()["error"]


def test_a_read_token_reads(world):
    for method, path, operation in world[3]:
        if right_of(operation).startswith("the user, or a member"):
            status = call(world, method, path, "reader").status_code
            # the id is that of a job: no schedule or webhook has it
            assert status == (404 if "{id}" in path and not path.startswith("/api/jobs") else 200), (method, path)


def test_another_user_sees_nothing(world):
    """Below a job id 404, whether the job exists or not; for the namespace itself 403."""
    for method, path, operation in world[3]:
        if "{ns}" not in path or not path.startswith("/api/jobs"):
            continue
        answer = call(world, method, path, "other")
        if "{id}" in path:
            nothing = call(world, method, path, "other", job="0" * 24)
            assert answer.status_code == nothing.status_code == 404, (method, path, answer.status_code)
            assert answer.json() == nothing.json() == {"error": "Job not found"}
        else:
            assert answer.status_code == 403, (method, path, answer.status_code)


def test_admin_over_tcp_is_404_for_everybody(world):
    server = world[0]
    for method, path, operation in world[3]:
        if path.startswith("/admin"):
            for who in ("reader", "other", server.token):
                assert call(world, method, path, who).status_code == 404, (method, path)


def test_operator_routes_refuse_other_users(world):
    for method, path, operation in world[3]:
        if "of the operator" in right_of(operation):
            assert call(world, method, path, "other").status_code == 403, (method, path)
