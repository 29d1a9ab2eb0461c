# SPDX-License-Identifier: Apache-2.0
"""The API of a real hearthd: what tests/contract cannot see on its fake backend."""
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import time

import requests

from server import SANITIZED, wait_until

ASK = """
import http.client, os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(int(sys.argv[2]))
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
c = http.client.HTTPConnection("localhost"); c.sock = s
c.request("GET", "/admin/users"); print(c.getresponse().status)
"""


def admin(server, method, path, body=None):
    import http.client
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(server.state / "hearth.sock"))
    connection.request(method, path, None if body is None else json.dumps(body))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def http_process_of(server):
    """hearthd's other half; a pull may come and go beside it."""
    listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(server.process.pid)], capture_output=True, text=True).stdout
    found = [int(line.split()[0]) for line in listed.splitlines() if line.split()[1] == "hearthd"]
    assert len(found) == 1, listed
    return found[0]


def test_the_process_that_talks_http_is_not_root(server):
    assert server.call("GET", "/healthz").status_code == 200
    listening = subprocess.run(["ss", "-ltnpH", f"sport = :{server.port}"], capture_output=True, text=True).stdout
    assert f"pid={http_process_of(server)}," in listening and f"pid={server.process.pid}," not in listening, listening
    assert os.stat(f"/proc/{http_process_of(server)}").st_uid != 0


def test_the_admin_socket_knows_who_asks(server):
    path = server.state / "hearth.sock"
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert admin(server, "GET", "/admin/users")[0] == 200
    asked = subprocess.run([sys.executable, "-c", ASK, path, "65534"], capture_output=True, text=True)
    assert asked.stdout.strip() == "404" or "PermissionError" in asked.stderr, asked
    assert server.call("GET", "/admin/users").status_code == 404


def test_tokens_survive_a_restart_and_are_hashed(make_server):
    server = make_server()
    admin(server, "POST", "/admin/users", {"name": "bob"})
    _, token = admin(server, "POST", "/admin/users/bob/tokens", {"name": "laptop", "role": "read"})
    assert server.call("GET", "/api/whoami-v2", token["token"]).json()["name"] == "bob"
    server.restart()
    assert server.call("GET", "/api/whoami-v2", token["token"]).json()["name"] == "bob"
    found = subprocess.run(["grep", "-rlaF", token["token"], server.state, server.log_path], capture_output=True, text=True).stdout
    assert found == ""


def test_what_was_answered_is_on_disk(make_server):
    """kill -9 right behind each answer; every job that was promised is there afterwards (R1)."""
    server = make_server("[scheduler]\nmax_running = 1\n")
    promised = []
    for _ in range(5):
        promised += [server.submit(["sleep", "0"], labels={"n": str(i)})["id"] for i in range(3)]
        server.kill9()
        server.start()
    assert {job["id"] for job in server.jobs()} == set(promised)
    for job in promised:
        assert server.wait_job(job)["status"]["stage"] == "COMPLETED"


def test_metrics_of_a_running_job(server):
    job = server.submit(["sh", "-c", "x=$(head -c 3000000 /dev/zero | tr '\\0' x); while true; do :; done"], flavor="small")["id"]
    server.wait_job(job, ("RUNNING",))
    answer = server.call("GET", f"/api/jobs/alice/{job}/metrics", stream=True, timeout=20)
    samples, times, event = [], [], None
    for line in answer.iter_lines(decode_unicode=True):
        if line.startswith("data: {"):
            assert event == "event: metric"
            samples.append(json.loads(line[6:]))
            times.append(time.monotonic())
        event = line
        if len(samples) == 4:
            break
    answer.close()
    server.call("POST", f"/api/jobs/alice/{job}/cancel")
    assert 2 < times[-1] - times[0] < 9
    for sample in samples:
        assert sample["cpu_millicores"] == 500 and sample["memory_total_bytes"] == 256 * 1024 * 1024
        assert 0 < sample["memory_used_bytes"] <= sample["memory_total_bytes"]
        assert sample["gpus"] == {} and sample["rx_bps"] >= 0 and sample["tx_bps"] >= 0 and sample["replica"]
        assert isinstance(sample["cpu_usage_pct"], int)
    assert 50 <= samples[-1]["cpu_usage_pct"] <= 130, samples[-1]


def test_images(server, busybox_tar):
    listed = {image["reference"]: image for image in server.call("GET", "/api/images").json()}
    image = listed["docker.io/library/busybox:latest"]
    assert image["local"] is True and image["digest"].startswith("sha256:") and image["size"] > 0 and image["layerCount"] == 1
    shown = server.call("GET", "/api/images/busybox").json()
    assert shown["digest"] == image["digest"] and shown["layers"] and "config" in shown
    assert server.call("GET", "/api/images/docker.io/library/busybox:latest").json() == shown
    with open(busybox_tar, "rb") as archive:
        again = server.call("POST", "/api/images/import?reference=example.com/copy:1", data=archive)
    assert again.status_code == 200 and again.json()["reference"] == "example.com/copy:1", again.text
    assert server.call("DELETE", "/api/images/example.com/copy:1").status_code == 200
    gone = server.call("DELETE", "/api/images/example.com/copy:1")
    assert gone.status_code == 404 and gone.json()["error"], gone.text
    bad = server.call("POST", "/api/images/import?reference=bad", data=b"this is no archive" * 1000)
    assert bad.status_code == 400 and bad.json()["error"], bad.text


def test_an_image_in_use_stays(server):
    job = server.submit(["sleep", "60"])["id"]
    server.wait_job(job, ("RUNNING",))
    answer = server.call("DELETE", "/api/images/busybox")
    assert answer.status_code == 409 and "in use" in answer.json()["error"], answer.text
    assert server.call("POST", "/api/images/prune", json={}).status_code == 200
    assert server.call("GET", "/api/images/busybox").status_code == 200
    server.call("POST", f"/api/jobs/alice/{job}/cancel")


def test_a_pull_says_how_it_ended(make_server, registry):
    server = make_server(f"[registry {registry.host}]\nplain_http = yes\n")
    missing = server.call("POST", "/api/images/pull", json={"reference": f"{registry.host}/no/thing:1"})
    lines = [json.loads(line) for line in missing.text.splitlines() if line]
    assert missing.status_code == 200 and lines[-1]["status"] == "error" and lines[-1]["code"] == "not found", lines
    assert f"{registry.host}/no/thing:1" in lines[-1]["error"]


def test_many_idle_followers_cost_little(server):
    job = server.submit(["sleep", "300"])["id"]
    server.wait_job(job, ("RUNNING",))
    http_process = http_process_of(server)

    def memory():
        return int(next(line.split()[1] for line in open(f"/proc/{http_process}/smaps_rollup") if line.startswith("Pss:")))
    before = memory()
    sockets = []
    for i in range(500):
        s = socket.create_connection(("127.0.0.1", server.port), 10)
        route = ("logs", "events", "metrics")[i % 3]
        s.sendall(f"GET /api/jobs/alice/{job}/{route} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode())
        sockets.append(s)
    assert all(b"200 OK" in s.recv(300) for s in sockets)
    assert SANITIZED or (memory() - before) / 500 < 24, "KiB for each follower"
    text = server.call("GET", "/metrics").text
    assert "hearth_http_streams 500" in text
    for s in sockets:
        s.close()
    wait_until(lambda: "hearth_http_streams 0" in server.call("GET", "/metrics").text, 20, "the end of all streams")
    start = time.monotonic()
    server.call("POST", f"/api/jobs/alice/{job}/cancel")
    assert time.monotonic() - start < 2


def test_the_operator_is_the_first_user(server):
    admin(server, "POST", "/admin/users", {"name": "second"})
    _, token = admin(server, "POST", "/admin/users/second/tokens", {"name": "x"})
    answer = server.call("POST", "/api/images/prune", token["token"], json={})
    assert answer.status_code == 403 and "operator" in answer.json()["error"]


def test_secrets_of_a_call_are_not_logged(server):
    server.submit(["true"], secrets={"S": "a-secret-that-nobody-sees"})
    answer = requests.get(server.endpoint + "/api/whoami-v2", headers={"Authorization": "Bearer hf_nobody-knows-this-one"}, timeout=5)
    assert answer.status_code == 401
    text = server.log_text()
    assert "audit user=alice" in text and "status=401" in text
    assert "a-secret-that-nobody-sees" not in text and "nobody-knows-this-one" not in text and server.token not in text
