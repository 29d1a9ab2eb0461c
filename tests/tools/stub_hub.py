# SPDX-License-Identifier: Apache-2.0
"""A small Hub for tests of clients: it answers the jobs API as shared/reference/hub-jobs-api.md says.

It runs no jobs. What a submitted job does is said by its command: ["exit", "3"] ends with exit code 3,
["lines", "100"] prints lines, ["sleep"] stays RUNNING until it is cancelled. `StubHub.faults` makes
connections break at chosen places; `StubHub.requests` records what clients sent.

As a program: stub_hub.py [PORT]
"""

import http.server
import json
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse

USER = {"id": "5e9ecfc04957053f60648a3e", "name": "alice"}
OWNER = {**USER, "type": "user", "avatarUrl": "http://hub.example/avatars/alice.svg"}
WHOAMI = {
    "type": "user", **USER, "fullname": "Alice", "email": None, "emailVerified": True, "canPay": True,
    "isPro": False, "avatarUrl": "http://hub.example/avatars/alice.svg", "periodEnd": None,
    "orgs": [{"type": "org", "id": "6790aa0c1b2f3d4e5f607182", "name": "acme", "roleInOrg": "write"},
             {"type": "org", "id": "6790aa0c1b2f3d4e5f607183", "name": "beta", "roleInOrg": "read"}],
    "auth": {"type": "access_token", "accessToken": {"displayName": "laptop", "role": "write",
                                                     "createdAt": "2026-01-05T09:00:00.000Z"}}}
HARDWARE = [
    {"name": "cpu-basic", "prettyName": "CPU Basic", "cpu": "2 vCPU", "ram": "16 GB", "ephemeralStorage": "50 GB",
     "accelerator": None, "unitCostMicroUSD": 167, "unitCostUSD": 0.000167, "unitLabel": "minute"},
    {"name": "a10g-small", "prettyName": "Nvidia A10G - small", "cpu": "4 vCPU", "ram": "15 GB",
     "ephemeralStorage": "110 GB", "unitCostMicroUSD": 16667, "unitCostUSD": 0.016667, "unitLabel": "minute",
     "accelerator": {"type": "gpu", "model": "A10G", "quantity": "1", "vram": "24 GB", "manufacturer": "Nvidia"}},
    {"name": "mine", "prettyName": "Free box", "cpu": "8 vCPU", "ram": "32 GB", "accelerator": None,
     "unitCostMicroUSD": 0, "unitCostUSD": 0.0, "unitLabel": "minute"}]
SAMPLE = {"cpu_usage_pct": 8, "cpu_millicores": 3500, "memory_used_bytes": 1306624,
          "memory_total_bytes": 15032385536, "rx_bps": 0, "tx_bps": 0, "gpus": {}, "replica": "57vr7"}
GPU = {"utilization": 5, "memory_used_bytes": 25900000000, "memory_total_bytes": 81200000000}
TERMINAL = ("COMPLETED", "ERROR", "CANCELED", "DELETED")


def job_id(number):
    return "687fb701029421ae%08x" % number


def make_job(number, stage="RUNNING", message=None, labels=None, **more):
    job = {"type": "job", "id": job_id(number), "createdAt": "2025-07-22T16:06:25.079Z",
           "dockerImage": "python:3.12", "command": ["python", "-c", "print(1)"], "arguments": [],
           "environment": {}, "secrets": [], "flavor": "cpu-basic", "arch": "amd64", "timeout": 1800,
           "timeoutSeconds": 1800, "retry": 0, "attempts": 1, "labels": {"name": "n1"} if labels is None else labels,
           "status": {"stage": stage, "message": message, "failureCount": 0}, "durations": {"totalSecs": 95},
           "owner": OWNER, "createdBy": USER, "initiator": OWNER}
    if stage != "SCHEDULING":
        job["startedAt"] = "2025-07-22T16:06:28.000Z"
        job["durations"].update(schedulingSecs=3, runningSecs=92)
    if stage in TERMINAL:
        job["finishedAt"] = "2025-07-22T16:08:00.500Z"
    job.update(more)
    return job


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that leaves in the middle is no event."""


class StubHub:
    def __init__(self):
        self.lock = threading.RLock()
        self.reset()

    def reset(self):
        with self.lock:
            self.jobs = {}
            self.logs = {}       # id -> lines
            self.metrics = {}    # id -> samples
            self.requests = []   # (method, path, headers, body)
            self.faults = {}     # see uses of fault()
            self.answers = {}    # "METHOD path" -> (status, body, headers) instead of the usual one
            self.keys = {}       # Idempotency-Key -> job id
            self.page_size = 100
            self.next = 1000

    def add(self, job, lines=()):
        with self.lock:
            self.jobs[job["id"]] = job
            self.logs[job["id"]] = list(lines)
        return job["id"]

    def fault(self, name):
        """Takes one from the counter of a fault; true while some are left."""
        with self.lock:
            left = self.faults.get(name, 0)
            if left:
                self.faults[name] = left - 1
            return left > 0

    def bodies(self, method, path):
        return [r[3] for r in self.requests if r[0] == method and r[1].split("?")[0] == path]

    def paths(self):
        return [f"{r[0]} {r[1]}" for r in self.requests if "agent-harnesses" not in r[1]]

    def submit(self, body):
        with self.lock:
            self.next += 1
            command = body.get("command") or []
            job = make_job(self.next, "COMPLETED", labels=body.get("labels", {}))
            job.update({k: body[k] for k in ("command", "arguments", "environment", "flavor") if k in body})
            job.pop("dockerImage")
            for key in ("dockerImage", "spaceId", "volumes"):
                if key in body:
                    job[key] = body[key]
            job["secrets"] = sorted(body.get("secrets", {}))
            job["createdAt"] = "2026-05-12T14:57:40.079Z"
            if body.get("expose"):
                job["status"]["exposeUrls"] = [f"https://{job['id']}--{p}.jobs.example" for p in body["expose"]["ports"]]
            if body.get("ssh"):
                job["status"]["sshUrl"] = f"ssh://{job['id']}@ssh.jobs.example:2222"
            lines = ["Hello from the stub"]
            if command[:1] == ["exit"]:
                code = int(command[1])
                job["status"].update(stage="ERROR", message=f"Job failed with exit code: {code}")
            elif command[:1] == ["timeout"]:
                job["status"].update(stage="ERROR", message="Job timeout")
            elif command[:1] == ["lines"]:
                lines = [f"line {i}" for i in range(int(command[1]))]
            elif command[:1] == ["sleep"]:
                job["status"]["stage"] = "RUNNING"
            elif command[:1] == ["queue"]:
                job["status"].update(stage="SCHEDULING", message="Pulling image: 2 of 5 layers, 43 %")
            self.add(job, lines)
            return job

    def start(self, tls=None):
        """`tls`: file names of a certificate and its key."""
        hub = self

        class Bound(Handler):
            stub = hub

        self.server = Server(("127.0.0.1", 0), Bound)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            accept = self.server.get_request

            def get_request():
                connection, address = accept()
                return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address
            self.server.get_request = get_request
            self.url = self.url.replace("http:", "https:")
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def answer(self, body, status=200, headers=()):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Request-Id", "Root=1-deadbeef")
        if status >= 400:
            self.send_header("X-Error-Message", body.get("error", ""))
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def refuse(self, status, text):
        self.answer({"error": text}, status)

    def drop(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def start_stream(self, kind="text/event-stream"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def do_GET(self):
        self.route("GET")

    def do_POST(self):
        self.route("POST")

    def do_PUT(self):
        self.route("PUT")

    def do_DELETE(self):
        self.route("DELETE")

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                data += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def route(self, method):
        raw = self.read_body()
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        self.stub.requests.append((method, self.path, dict(self.headers), body))
        url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        path = urllib.parse.unquote(url.path)
        canned = self.stub.answers.get(f"{method} {path}")
        if canned:
            return self.answer(canned[1], canned[0], canned[2] if len(canned) > 2 else ())
        for pattern, name in ROUTES:
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                return getattr(self, name)(*match.groups(), body) if method != "GET" else getattr(self, name)(*match.groups())
        self.refuse(404, f"No route {method} {path}")

    def token_is_good(self):
        if self.headers.get("Authorization") == "Bearer hf_good":
            return True
        self.refuse(401, "Invalid credentials in Authorization header")
        return False

    def harnesses(self):
        self.answer({"standardEnvVars": [], "harnesses": {}})

    def whoami(self):
        if self.token_is_good():
            self.answer(WHOAMI)

    def hardware(self):
        self.answer(HARDWARE)

    def find(self, job):
        found = self.stub.jobs.get(job)
        if not found:
            self.refuse(404, "Job not found")
        return found

    def create(self, namespace, body):
        if not self.token_is_good():
            return
        if self.stub.fault("drop_before_create"):
            return self.drop()
        if body.get("dockerImage", "").startswith("-"):
            return self.refuse(400, f"dockerImage: '{body['dockerImage']}' is not an image reference")
        key = self.headers.get("Idempotency-Key")
        with self.stub.lock:
            job = self.stub.jobs[self.stub.keys[key]] if key in self.stub.keys else self.stub.submit(body)
            if key:
                self.stub.keys[key] = job["id"]
        if self.stub.fault("drop_after_create"):
            return self.drop()
        self.answer(job)

    def list(self, namespace):
        if not self.token_is_good():
            return
        jobs = sorted(self.stub.jobs.values(), key=lambda j: j["id"], reverse=True)
        stages = self.query.get("stage")
        if stages:
            jobs = [j for j in jobs if j["status"]["stage"] in stages]
        for label in self.query.get("label", []):
            key, value = label.split("=", 1)
            jobs = [j for j in jobs if j["labels"].get(key) == value]
        start = int(self.query.get("cursor", ["0"])[0])
        end = start + self.stub.page_size
        headers = []
        if end < len(jobs):
            query = [(k, v) for k, vs in self.query.items() if k != "cursor" for v in vs] + [("cursor", str(end))]
            headers = [("Link", f"<{self.stub.url}/api/jobs/{namespace}?{urllib.parse.urlencode(query)}>; rel=\"next\"")]
        self.answer(jobs[start:end], headers=headers)

    def inspect(self, namespace, job):
        if self.token_is_good() and self.find(job):
            self.answer(self.stub.jobs[job])

    def cancel(self, namespace, job, body):
        if self.token_is_good() and self.find(job):
            status = self.stub.jobs[job]["status"]
            if status["stage"] not in TERMINAL:
                status["stage"] = "CANCELED"
            self.answer(self.stub.jobs[job])

    def labels(self, namespace, job, body):
        if self.token_is_good() and self.find(job):
            self.stub.jobs[job]["labels"] = body["labels"]
            self.answer(self.stub.jobs[job])

    def logs(self, namespace, job):
        if not self.token_is_good() or not self.find(job):
            return
        self.start_stream()
        while self.stub.jobs[job]["status"]["stage"] == "SCHEDULING":
            if self.log_may_end():
                return self.chunk(b"")
            time.sleep(0.02)
        lines = self.stub.logs[job]
        tail = self.query.get("tail")
        first = max(0, len(lines) - int(tail[0])) if tail else 0
        break_after = self.stub.faults.get("break_log_after", -1)
        sent = 0
        while True:
            is_over = self.stub.jobs[job]["status"]["stage"] in TERMINAL
            events = ["===== Job started at 2026-05-12 14:57:43 ====="] + self.stub.logs[job][first:]
            for i in range(sent, len(events)):
                if i == break_after:
                    self.stub.faults["break_log_after"] = self.stub.faults.get("then_break_log_after", -1)
                    self.stub.faults["then_break_log_after"] = -1
                    return self.drop()
                self.log_event(first + i, events[i])
            sent = len(events)
            if is_over or self.stub.fault("clean_end_while_running") or self.log_may_end():
                return self.chunk(b"")
            time.sleep(0.02)

    def log_event(self, number, line):
        timestamp = "2026-05-12T14:57:%02d.%03dZ" % (43 + number // 1000 % 17, number % 1000)
        event = line if isinstance(line, bytes) else json.dumps({"data": line, "timestamp": timestamp}).encode()
        self.chunk(b"data: " + event + b"\n\n")

    def log_may_end(self):
        """hearthd's extension: without follow the stream ends with the stored lines."""
        return self.query.get("follow") == ["false"] and not self.stub.faults.get("ignore_follow")

    def metrics(self, namespace, job):
        if not self.token_is_good() or not self.find(job):
            return
        self.start_stream()
        for sample in self.stub.metrics.get(job, []):
            self.chunk(b"event: metric\ndata: " + json.dumps(sample).encode() + b"\n\n")
            time.sleep(0.15)
        self.chunk(b"")

    IMAGE = {"reference": "docker.io/library/python:3.12", "digest": "sha256:" + "ab" * 32, "architecture": "amd64",
             "size": 52428800, "layerCount": 4, "pulledAt": "2026-05-12T14:57:43.000Z", "local": False}

    def images(self):
        self.answer([self.IMAGE])

    def image(self, reference):
        self.answer({**self.IMAGE, "reference": reference})

    def image_remove(self, reference, body):
        self.answer({"freed_bytes": 1048576, "removed": [reference]})

    def image_prune(self, body):
        self.answer({"freed_bytes": 2097152, "removed": ["a:1", "b:2"]})

    def image_import(self, body):
        self.answer({**self.IMAGE, "reference": self.query["reference"][0], "size": len(body or b"")})

    def image_pull(self, body):
        self.start_stream("application/x-ndjson")
        self.chunk(b'{"status":"progress","message":"Pulling image: 1 of 4 layers"}\n\n{"sta')
        time.sleep(0.05)
        if "missing" in body["reference"]:
            self.chunk(b'tus":"error","code":"not found","error":"Image not found: missing; the registry said 404"}\n')
        else:
            self.chunk(b'tus":"done","image":' + json.dumps(self.IMAGE).encode() + b"}\n")
        self.chunk(b"")


ROUTES = [
    (r"GET /api/agent-harnesses", "harnesses"),
    (r"GET /api/whoami-v2", "whoami"),
    (r"GET /api/jobs/hardware", "hardware"),
    (r"POST /api/jobs/([^/]+)", "create"),
    (r"GET /api/jobs/([^/]+)", "list"),
    (r"GET /api/jobs/([^/]+)/([^/]+)", "inspect"),
    (r"POST /api/jobs/([^/]+)/([^/]+)/cancel", "cancel"),
    (r"PUT /api/jobs/([^/]+)/([^/]+)/labels", "labels"),
    (r"GET /api/jobs/([^/]+)/([^/]+)/logs", "logs"),
    (r"GET /api/jobs/([^/]+)/([^/]+)/metrics", "metrics"),
    (r"GET /api/images", "images"),
    (r"POST /api/images/pull", "image_pull"),
    (r"POST /api/images/import", "image_import"),
    (r"POST /api/images/prune", "image_prune"),
    (r"GET /api/images/(.+)", "image"),
    (r"DELETE /api/images/(.+)", "image_remove"),
]


def main():
    hub = StubHub()
    hub.url = ""

    class Bound(Handler):
        stub = hub

    port = int(sys.argv[1]) if len(sys.argv) > 1 else 7440
    server = Server(("127.0.0.1", port), Bound)
    hub.url = f"http://127.0.0.1:{port}"
    hub.add(make_job(1))
    hub.add(make_job(2, "ERROR", "Job failed with exit code: 1"), ["one", "two"])
    print(f"export HF_ENDPOINT={hub.url} HF_TOKEN=hf_good", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
