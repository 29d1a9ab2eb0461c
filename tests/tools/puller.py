# SPDX-License-Identifier: Apache-2.0
"""hearth-pull, driven directly through its message pair as the spawner does it."""
import hashlib
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HEARTH_BUILD", TOP / "build"))
HEARTH_PULL = BUILD / "src/image/hearth-pull"


class PullError(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text


class Pull:
    """A running hearth-pull. `wait()` returns the record (or the answer) or raises PullError."""

    def __init__(self, config, request, archive=None, environment=None):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fds = [theirs.fileno()] + ([os.open(archive, os.O_RDONLY)] if archive else [])
        redirect = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(fds))
        self.process = subprocess.Popen(["bash", "-c", f'exec "$0" --config "$1" {redirect}', HEARTH_PULL, config],
                                        pass_fds=fds, env=environment, stderr=subprocess.PIPE)
        theirs.close()
        for fd in fds[1:]:
            os.close(fd)
        self.progress = []
        self.socket.send(json.dumps(request).encode())

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.socket], [], [], max(0, end - time.monotonic()))
            if not ready:
                self.kill()
                raise AssertionError("hearth-pull did not answer in time")
            data = self.socket.recv(1 << 18)
            if not data:
                _, log = self.process.communicate()
                raise AssertionError(f"hearth-pull ended without an answer: {log.decode()}")
            message = json.loads(data)
            if message["type"] == "progress":
                self.progress.append(message)
                continue
            _, self.log = self.process.communicate(timeout=20)
            self.socket.close()
            assert not any(word in self.log for word in (b"Sanitizer", b"runtime error", b"Can't open file")), self.log.decode()
            if message["type"] == "error":
                raise PullError(message["code"], message["text"])
            return message.get("image", message)

    def cancel(self):
        self.socket.close()
        self.process.communicate(timeout=20)

    def kill(self):
        self.process.kill()
        self.process.communicate()


class ImageStore:
    """A state folder with a configuration for hearth-pull, and a look into its images."""

    def __init__(self, settings=""):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="hearth-images.", dir="/var/tmp"))
        self.state.chmod(0o755)
        self.images = self.state / "images"
        self.config = self.state / "effective.ini"
        self.configure(settings)

    def configure(self, settings):
        self.config.write_text(f"[server]\nstate_dir = {self.state}\nuser = nobody\n{settings}\n")

    def start(self, action, archive=None, environment=None, **fields):
        return Pull(self.config, {"action": action} | fields, archive, environment)

    def pull(self, reference, architecture="amd64", **more):
        return self.start("pull", reference=reference, architecture=architecture).wait(**more)

    def record(self, reference):
        path = self.images / "records" / (hashlib.sha256(reference.encode()).hexdigest() + ".json")
        return json.loads(path.read_text()) if path.exists() else None

    def layer(self, diff_id):
        """The folder of an unpacked layer; None if it does not exist."""
        hexdigest = diff_id.removeprefix("sha256:")
        return self.images / "layers" / hexdigest if (self.images / "layers" / (hexdigest + ".json")).exists() else None

    def assert_clean(self, layers):
        """Exactly these layers, nothing half-done, nothing that lies outside."""
        names = sorted(path.name for path in (self.images / "layers").iterdir())
        hexes = [layer.diff_id[7:] for layer in layers]
        assert names == sorted(hexes + [name + ".json" for name in hexes])
        assert not [path for path in (self.images / "tmp").iterdir() if not path.name.endswith(".lock")]

    def destroy(self):
        shutil.rmtree(self.state)
