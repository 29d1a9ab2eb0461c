# SPDX-License-Identifier: Apache-2.0
"""A registry in Python that serves images from memory, does what tests tell it, and remembers all requests.

    registry = FaultyRegistry(); registry.add("library/x", "1", image)
    registry.fault = lambda request: ...   # called first with each Request; True: it has answered
"""
import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", length=None, **headers):
        """`length` may promise more than is sent; then the connection is cut."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()
        if length is not None:
            self.close_connection = True

    def error(self, status, code, message, **headers):
        self.answer(status, f'{{"errors":[{{"code":"{code}","message":"{message}"}}]}}'.encode(), Content_Type="application/json", **headers)

    def do_GET(self):
        registry = self.server.registry
        self.authorization = self.headers.get("Authorization")
        with registry.lock:
            registry.requests.append((self.command, self.path, self.authorization))
        try:
            if not (registry.fault and registry.fault(self)):
                registry.serve(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_HEAD = do_GET

    def do_POST(self):
        self.form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.do_GET()


class FaultyRegistry:
    def __init__(self, address="127.0.0.1", tls=None):
        """`tls`: an ssl.SSLContext for https."""
        self.server = ThreadingHTTPServer((address, 0), Request)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.daemon_threads = True
        self.server.registry = self
        self.host = f"{address}:{self.server.server_address[1]}"
        self.url = ("https://" if tls else "http://") + self.host
        self.lock = threading.Lock()
        self.requests, self.fault = [], None
        self.blobs, self.manifests = {}, {}
        self.credentials = None  # ("user", "password"): basic; see `bearer`
        self.bearer = None       # token that is asked for
        self.realm = self.url + "/token"
        self.ranges = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def add(self, name, tag, image):
        for digest, blob in image.blobs.items():
            self.blobs[digest] = blob
        for digest, manifest in image.manifests.items():
            self.manifests[name, digest] = manifest
        self.manifests[name, tag] = image.manifests[image.digest]
        self.manifests[name, tag, "digest"] = image.digest

    def basic(self):
        return "Basic " + base64.b64encode(":".join(self.credentials).encode()).decode()

    def is_allowed(self, request):
        if self.bearer:
            if request.authorization == "Bearer " + self.bearer:
                return True
            request.error(401, "UNAUTHORIZED", "authentication required",
                          WWW_Authenticate=f'Bearer realm="{self.realm}",service="test",scope="repository:library/x:pull"')
            return False
        if self.credentials and request.authorization != self.basic():
            request.error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="test"')
            return False
        return True

    def serve_token(self, request):
        if self.credentials and request.authorization != self.basic():
            return request.error(401, "UNAUTHORIZED", "incorrect username or password")
        return request.answer(200, f'{{"token":"{self.bearer}"}}'.encode(), Content_Type="application/json")

    def serve(self, request):
        path = request.path.partition("?")[0]
        if path == "/token":
            return self.serve_token(request)
        if not self.is_allowed(request):
            return None
        name, _, rest = path.removeprefix("/v2/").rpartition("/")
        name, _, kind = name.rpartition("/")
        if kind == "manifests" and (name, rest) in self.manifests:
            media_type, data = self.manifests[name, rest]
            digest = self.manifests.get((name, rest, "digest"), rest)
            return request.answer(200, data, Content_Type=media_type, Docker_Content_Digest=digest)
        if kind == "blobs" and rest in self.blobs:
            return self.serve_blob(request, self.blobs[rest])
        return request.error(404, "MANIFEST_UNKNOWN", "manifest unknown")

    def serve_blob(self, request, blob):
        start = request.headers.get("Range", "")
        if self.ranges and start.startswith("bytes="):
            at = int(start[6:].rstrip("-"))
            return request.answer(206, blob[at:], Content_Range=f"bytes {at}-{len(blob) - 1}/{len(blob)}")
        return request.answer(200, blob, Content_Type="application/octet-stream")

    def count(self, part):
        with self.lock:
            return sum(part in path for _, path, _ in self.requests)

    def stop(self):
        """Twice is fine."""
        self.server.shutdown()
        self.server.server_close()
