# SPDX-License-Identifier: Apache-2.0
"""The HTTP side of hearthd on the fake backend (tests/unit/api/fake_server.c): quick, and without root."""
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import requests

from server import BUILD, TERMINAL, wait_until

PROGRAM = BUILD / "tests/unit/api/api_fake_server"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


class FakeServer:
    def __init__(self, *settings):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="hearth-fake."))
        self.log = self.state.with_name(self.state.name + ".log")
        self.process = subprocess.Popen([PROGRAM, self.state, *settings], stdout=subprocess.PIPE,
                                        stderr=open(self.log, "wb"), text=True)
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        first = json.loads(line)
        self.endpoint = f"http://127.0.0.1:{first['port']}"
        self.port = first["port"]
        self.token = first["token"]

    def stop(self):
        self.process.terminate()
        status = self.process.wait(30)
        self.process.stdout.close()
        shutil.rmtree(self.state, ignore_errors=True)
        text = self.log.read_text()
        self.log.unlink()
        assert status == 0, text[-20000:]

    def call(self, method, path, token=None, timeout=20, **more):
        """As `token`; None: alice's, "": none."""
        token = self.token if token is None else token
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
        return requests.request(method, self.endpoint + path, headers=headers, timeout=timeout, **more)

    def admin(self, method, path, body=None, token=None):
        """Over the Unix socket: (status, answer)."""
        connection = UnixConnection(self.state / "hearth.sock")
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def make_user(self, name, role="write"):
        """The text of a new token; the user is made if needed."""
        status, _ = self.admin("POST", "/admin/users", {"name": name})
        assert status in (200, 409)
        self.admin("DELETE", f"/admin/users/{name}/tokens/t-{role}")
        status, token = self.admin("POST", f"/admin/users/{name}/tokens", {"name": f"t-{role}", "role": role})
        assert status == 200, token
        return token["token"]

    def submit(self, *words, namespace="alice", token=None, **fields):
        body = {"dockerImage": "busybox", "command": ["job", *words], "flavor": "cpu-basic", **fields}
        answer = self.call("POST", f"/api/jobs/{namespace}", token, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def job(self, job_id, namespace="alice"):
        return self.call("GET", f"/api/jobs/{namespace}/{job_id}").json()

    def wait_job(self, job_id, stages=TERMINAL, namespace="alice"):
        def reached():
            job = self.job(job_id, namespace)
            return job if job["status"]["stage"] in stages else None
        return wait_until(reached, 20, f"job {job_id} in {stages}", 0.02)

    def audit(self):
        return [line for line in self.log.read_text().splitlines() if " audit " in line]


def events(answer):
    """The parsed `data:` lines of a stream that was read to its end."""
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/event-stream"
    text = answer.content.decode("ascii")
    return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]
