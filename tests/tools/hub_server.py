# SPDX-License-Identifier: Apache-2.0
"""A Hub for tests: serves a folder as huggingface.co serves repositories to its clients.

FOLDER/{models,datasets,spaces}/ORG/NAME is the revision main, NAME@REVISION beside it another one: the layout of
`[hub] mirror`. Large files are LFS files: GET answers with a redirect to a signed URL of a second server, the CDN,
which is another host and must never see a token. `Hub.faults` breaks things, `Hub.requests` and `Hub.downloads`
tell what was asked. As a program: hub_server.py FOLDER [PORT]
"""
import email.utils
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import secrets
import socket
import sys
import threading
import time
import urllib.parse

KINDS = ("models", "datasets", "spaces")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, *args):
        super().__init__(*args)
        self.connections = set()

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """A client that leaves in the middle is no event."""


class Repository:
    def __init__(self, kind, name):
        self.kind, self.name = kind, name
        self.private = False
        self.gated = False   # False, "auto", "manual"
        self.readers = set()  # users who may read it although it is private or gated


class Hub:
    def __init__(self, folder, lfs_size=256 * 1024, page_size=1000):
        self.folder = pathlib.Path(folder)
        self.lfs_size, self.page_size = lfs_size, page_size
        self.tokens = {"hf_upstream": "uma", "hf_other": "otto"}
        self.organizations = {}  # user -> [(organization, role)]
        self.repositories = {}
        self.hashes = {}
        self.key = secrets.token_bytes(16)
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.clear()

    def clear(self):
        self.requests = []   # (method, path, headers) of the Hub
        self.downloads = []  # (path, first, last, headers) of the CDN
        self.sent = 0        # bytes of file contents
        # bytes_per_second; stall_after, break_after: bytes of one answer; *_count: so many answers (default: all);
        # hub_status, cdn_status: answer with this; url_life_s: of a redirect; corrupt: flip a byte of contents;
        # latency_s: before each answer
        self.faults = {}
        self.released.set()
        self.released = threading.Event()

    def fault(self, name):
        """The value of a fault, if it happens now."""
        with self.lock:
            if name not in self.faults:
                return None
            left = self.faults.get(name + "_count")
            if left is not None:
                if left <= 0:
                    return None
                self.faults[name + "_count"] = left - 1
            return self.faults[name]

    # Repositories
    def repository(self, kind, name):
        with self.lock:
            return self.repositories.setdefault((kind, name), Repository(kind, name))

    def path(self, kind, name, revision):
        """The folder of a revision: a branch, or a commit."""
        base = self.folder / kind / name
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or ".." in name:
            return None
        if revision == "main":
            return base if base.is_dir() else None
        other = base.with_name(base.name + "@" + revision.replace("/", "%2F"))
        if other.is_dir():
            return other
        for candidate in [base, *base.parent.glob(base.name + "@*")]:
            if candidate.is_dir() and self.commit(candidate) == revision:
                return candidate
        return None

    @staticmethod
    def files(folder):
        return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())

    def commit(self, folder):
        text = "".join(f"{name} {(folder / name).stat().st_size} {(folder / name).stat().st_mtime_ns}\n" for name in self.files(folder))
        return hashlib.sha1(f"{folder}\n{text}".encode()).hexdigest()

    def digest(self, path):
        status = path.stat()
        key = (str(path), status.st_size, status.st_mtime_ns)
        if key not in self.hashes:
            is_large = status.st_size >= self.lfs_size
            hasher = hashlib.sha256() if is_large else hashlib.sha1(b"blob %d\0" % status.st_size)
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    hasher.update(block)
            self.hashes[key] = hasher.hexdigest()
        return self.hashes[key]

    def entry(self, folder, name, expand=False):
        path = folder / name
        if path.is_dir():
            entry = {"type": "directory", "oid": hashlib.sha1(name.encode()).hexdigest(), "size": 0, "path": name}
        else:
            size, digest = path.stat().st_size, self.digest(path)
            entry = {"type": "file", "oid": digest if len(digest) == 40 else hashlib.sha1(digest.encode()).hexdigest(),
                     "size": size, "path": name}
            if len(digest) == 64:
                entry["lfs"] = {"oid": digest, "size": size, "pointerSize": 134}
                entry["xetHash"] = hashlib.sha256(b"xet" + digest.encode()).hexdigest()  # not a real one: nobody should use it
        if expand:
            entry["lastCommit"] = {"id": self.commit(folder), "title": "all", "date": "2026-01-05T09:00:00.000Z"}
            if entry["type"] == "file":
                entry["securityFileStatus"] = {"status": "safe", "avScan": None, "pickleImportScan": None}
        return entry

    # Signed URLs
    def sign(self, path, expires):
        return hmac.new(self.key, f"{path} {expires}".encode(), "sha256").hexdigest()

    def cdn_link(self, path):
        expires = time.time() + self.faults.get("url_life_s", 3600)
        return f"{self.cdn_url}/{urllib.parse.quote(str(path.relative_to(self.folder)))}?expires={expires}&signature={self.sign(path, expires)}"

    # Life
    def start(self, port=0):
        hub = self

        class BoundHub(HubHandler):
            pass

        class BoundCdn(CdnHandler):
            pass
        BoundHub.hub = BoundCdn.hub = hub
        self.server = Server(("127.0.0.1", port), BoundHub)
        self.cdn = Server(("127.0.0.1", 0), BoundCdn)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.cdn_url = f"http://localhost:{self.cdn.server_port}"
        for server in (self.server, self.cdn):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        """As a crash: connections in use break, too."""
        self.released.set()
        for server in (self.server, self.cdn):
            server.shutdown()
            server.server_close()
            for connection in list(server.connections):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def paths(self):
        return [f"{method} {path}" for method, path, _ in self.requests]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = None

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self):
        self.serve()

    do_HEAD = do_POST = do_GET

    def serve(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if wait := self.hub.fault("latency_s"):
            time.sleep(wait)
        self.route()

    def begin(self, status, headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def answer(self, body, status=200, headers=()):
        text = json.dumps(body).encode()
        self.begin(status, [("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(text))), *headers])
        if self.command != "HEAD":
            self.wfile.write(text)

    def refuse(self, status, text, code=None):
        self.answer({"error": text}, status, [("X-Error-Message", text), *([("X-Error-Code", code)] if code else [])])

    def send_file(self, path, headers):
        """Contents with ranges, 200 or 206, and whatever is broken now."""
        size = path.stat().st_size
        first, last, status = 0, size - 1, 200
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        if asked and (asked[1] or asked[2]):
            first = int(asked[1]) if asked[1] else max(0, size - int(asked[2]))
            last = min(size - 1, int(asked[2])) if asked[1] and asked[2] else size - 1
            if first >= size or last < first:
                return self.begin(416, [("Content-Range", f"bytes */{size}"), ("Content-Length", "0")])
            status = 206
            headers = [*headers, ("Content-Range", f"bytes {first}-{last}/{size}")]
        self.begin(status, [("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes"),
                            ("Content-Length", str(last - first + 1)), *headers])
        if self.command != "HEAD":
            self.send_bytes(path, first, last + 1)

    def send_bytes(self, path, position, end):
        hub = self.hub
        stall, broken, rate = hub.fault("stall_after"), hub.fault("break_after"), hub.fault("bytes_per_second")
        limit = min([end - position] + [n for n in (stall, broken) if n is not None]) + position
        self.wfile.flush()
        with open(path, "rb") as file:
            while position < limit:
                step = min(limit - position, 65536 if rate else 1 << 24)
                if hub.fault("corrupt"):
                    data = bytearray(os.pread(file.fileno(), step, position))
                    data[len(data) // 2] ^= 1
                    self.wfile.write(data)
                    count = len(data)
                else:
                    count = os.sendfile(self.connection.fileno(), file.fileno(), position, step)
                if count == 0:
                    break
                position += count
                with hub.lock:
                    hub.sent += count
                if rate:
                    time.sleep(count / rate)
        if limit < end and stall is not None:
            hub.released.wait(600)
        if limit < end:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)


class HubHandler(Handler):
    def route(self):
        self.hub.requests.append((self.command, self.path, dict(self.headers)))
        url = urllib.parse.urlsplit(self.path)
        self.query = {k: v[-1] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        if status := self.hub.fault("hub_status"):
            return self.refuse(status, "broken on purpose")
        header = self.headers.get("Authorization")
        self.user = self.hub.tokens.get(header.removeprefix("Bearer ")) if header else None
        if header and not self.user:
            return self.refuse(401, "Invalid credentials in Authorization header")
        for pattern, name in ROUTES:
            match = re.fullmatch(pattern, url.path)
            if match:
                return getattr(self, name)(**{k: urllib.parse.unquote(v) if v else v for k, v in match.groupdict().items()})
        self.refuse(404, "Sorry, we can't find the page you are looking for.")

    def whoami(self):
        if not self.user:
            return self.refuse(401, "Invalid username or password.")
        self.answer({"type": "user", "id": hashlib.sha1(self.user.encode()).hexdigest()[:24], "name": self.user, "fullname": self.user,
                     "orgs": [{"type": "org", "id": hashlib.sha1(n.encode()).hexdigest()[:24], "name": n, "roleInOrg": role}
                              for n, role in self.hub.organizations.get(self.user, [])],
                     "auth": {"type": "access_token", "accessToken": {"displayName": "test", "role": "write",
                                                                      "createdAt": "2026-01-05T09:00:00.000Z"}}})

    def find(self, kind, name, revision, contents=False):
        """The folder of a revision that the caller may see; else the answer is given."""
        repository = self.hub.repository(kind, name)
        reads = self.user in repository.readers
        if not (self.hub.folder / kind / name).is_dir() or (repository.private and not reads):
            if self.user:
                self.refuse(404, "Repository not found", "RepoNotFound")
            else:
                self.refuse(401, "Invalid username or password.", "RepoNotFound")
            return None
        if contents and repository.gated and not reads:
            self.refuse(403 if self.user else 401, f"Access to {kind[:-1]} {name} is restricted and you are not in the authorized list. "
                        f"Visit {self.hub.url}/{name} to ask for access.", "GatedRepo")
            return None
        folder = self.hub.path(kind, name, revision)
        if not folder:
            self.refuse(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return folder

    def auth_check(self, kind, name):
        if self.find(kind, name, "main", contents=True):
            self.answer({})

    def info(self, kind, name, revision=None):
        folder = self.find(kind, name, revision or "main")
        if not folder:
            return
        repository = self.hub.repository(kind, name)
        siblings = [{"rfilename": f} for f in self.hub.files(folder)]
        if self.query.get("blobs") in ("true", "True", "1"):
            for sibling in siblings:
                entry = self.hub.entry(folder, sibling["rfilename"])
                sibling.update(size=entry["size"], blobId=entry["oid"])
                if "lfs" in entry:
                    sibling["lfs"] = {"sha256": entry["lfs"]["oid"], "size": entry["size"], "pointerSize": 134}
        self.answer({"_id": "6" * 24, "id": name, "modelId": name, "author": name.split("/")[0], "sha": self.hub.commit(folder),
                     "private": repository.private, "gated": repository.gated, "disabled": False, "tags": [], "downloads": 0, "likes": 0,
                     "lastModified": "2026-01-05T09:00:00.000Z", "createdAt": "2026-01-05T09:00:00.000Z", "siblings": siblings})

    def tree(self, kind, name, revision, path=None):
        folder = self.find(kind, name, revision)
        if not folder:
            return
        top = folder / (path or "").strip("/")
        if not top.is_dir():
            return self.refuse(404, f"{path} does not exist on \"{revision}\"", "EntryNotFound")
        recursive = self.query.get("recursive") in ("true", "True", "1")
        names = sorted(p.relative_to(folder).as_posix() for p in (top.rglob("*") if recursive else top.iterdir()))
        expand = self.query.get("expand") in ("true", "True", "1")
        limit = min(int(self.query.get("limit") or 1000), self.hub.page_size)
        start = int(self.query.get("cursor") or 0)
        headers = []
        if start + limit < len(names):
            query = urllib.parse.urlencode({**self.query, "cursor": start + limit})
            headers = [("Link", f'<{self.hub.url}{urllib.parse.urlsplit(self.path).path}?{query}>; rel="next"')]
        self.answer([self.hub.entry(folder, n, expand) for n in names[start:start + limit]], headers=headers)

    def paths_info(self, kind, name, revision):
        folder = self.find(kind, name, revision)
        if not folder:
            return
        if "json" in (self.headers.get("Content-Type") or ""):
            paths = json.loads(self.body)["paths"]
        else:
            paths = urllib.parse.parse_qs(self.body.decode()).get("paths", [])
        self.answer([self.hub.entry(folder, p) for p in paths if (folder / p).exists()])

    def refs(self, kind, name):
        folder = self.find(kind, name, "main")
        if folder:
            others = [p for p in folder.parent.glob(folder.name + "@*")]
            self.answer({"tags": [], "converts": [], "branches": [
                {"name": n, "ref": f"refs/heads/{n}", "targetCommit": self.hub.commit(p)}
                for n, p in [("main", folder), *[(o.name.split("@")[1], o) for o in others]]]})

    def resolve(self, prefix, name, revision, path):
        kind = prefix.rstrip("/") if prefix else "models"
        folder = self.find(kind, name, revision, contents=True)
        if not folder:
            return
        commit = self.hub.commit(folder)
        file = folder / path
        if not file.is_file() or ".." in path:
            return self.answer({"error": "Entry not found"}, 404, [("X-Error-Code", "EntryNotFound"), ("X-Error-Message", "Entry not found"),
                                                                   ("X-Repo-Commit", commit)])
        digest = self.hub.digest(file)
        headers = [("X-Repo-Commit", commit), ("ETag", f'"{digest}"'), ("Last-Modified", email.utils.formatdate(0, usegmt=True))]
        if len(digest) == 40:
            return self.send_file(file, headers)
        # As production: the redirect answers HEAD too, and its own size is not the file's.
        self.begin(302, [*headers, ("X-Linked-Size", str(file.stat().st_size)), ("X-Linked-ETag", f'"{digest}"'),
                         ("Location", self.hub.cdn_link(file)), ("Content-Length", "0")])

    def models(self, kind):
        names = [p.relative_to(self.hub.folder / kind).as_posix() for p in sorted((self.hub.folder / kind).glob("*/*")) if "@" not in p.name]
        self.answer([{"_id": "6" * 24, "id": n, "modelId": n, "private": False, "tags": []} for n in names
                     if not self.hub.repository(kind, n).private and self.query.get("search", "") in n])


class CdnHandler(Handler):
    def route(self):
        hub = self.hub
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        path = hub.folder / urllib.parse.unquote(url.path).lstrip("/")
        hub.downloads.append((urllib.parse.unquote(url.path), self.headers.get("Range"), dict(self.headers)))
        if status := hub.fault("cdn_status"):
            return self.refuse(status, "broken on purpose")
        if "Authorization" in self.headers:
            return self.refuse(400, "a token must not come here")
        expires = float(query.get("expires", ["0"])[0])
        if not hmac.compare_digest(hub.sign(path, expires), query.get("signature", [""])[0]) or time.time() > expires:
            return self.refuse(403, "Request has expired")
        self.send_file(path, [("ETag", f'"{hub.digest(path)}"')])


KIND = r"(?P<kind>models|datasets|spaces)"
NAME = r"(?P<name>[^/]+/[^/]+)"
ROUTES = [
    (r"/api/whoami-v2", "whoami"),
    (rf"/api/{KIND}", "models"),
    (rf"/api/{KIND}/{NAME}", "info"),
    (rf"/api/{KIND}/{NAME}/auth-check", "auth_check"),
    (rf"/api/{KIND}/{NAME}/refs", "refs"),
    (rf"/api/{KIND}/{NAME}/revision/(?P<revision>[^/]+)", "info"),
    (rf"/api/{KIND}/{NAME}/tree/(?P<revision>[^/]+)(?:/(?P<path>.*))?", "tree"),
    (rf"/api/{KIND}/{NAME}/paths-info/(?P<revision>[^/]+)", "paths_info"),
    (rf"/(?P<prefix>datasets/|spaces/)?{NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "resolve"),
]


def main():
    hub = Hub(sys.argv[1]).start(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"export HF_ENDPOINT={hub.url} HF_TOKEN=hf_upstream", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
