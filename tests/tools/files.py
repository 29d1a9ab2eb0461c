# SPDX-License-Identifier: Apache-2.0
"""hearth-files, run as hearthd runs it (src/hub/file_work.h)."""
import json
import os
import subprocess

from server import BUILD

PROGRAM = BUILD / "src" / "hub" / "hearth-files"


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer['code']}: {answer['error']}")
        self.code, self.text = answer["code"], answer["error"]


class Files:
    """A bucket, a store and a folder for temporary files below `top`."""

    def __init__(self, top):
        self.top, self.spool = top, top / "spool"  # spool: where bodies are, for hearthd on the same file system
        self.bucket, self.store, self.tmp = top / "bucket", top / "store", top / "tmp"
        for folder in (self.bucket, self.store, self.tmp, self.spool):
            folder.mkdir(parents=True)

    def start(self, operation, body=None, unnamed=True, **fields):
        """The process; its answer goes to a file like hearthd's."""
        request = {"bucket": str(self.bucket), "store": str(self.store), "tmp": str(self.tmp), **fields}
        request = {name: value for name, value in request.items() if value is not None}
        take, give = os.memfd_create("request"), os.memfd_create("answer")
        os.write(take, json.dumps(request).encode())
        os.lseek(take, 0, os.SEEK_SET)
        body_fd = None
        if body is not None and unnamed:
            body_fd = os.open(self.spool, os.O_TMPFILE | os.O_RDWR, 0o600)
            with open(body_fd, "wb", closefd=False) as file:
                file.write(body)
        elif body is not None:
            (self.spool / "body").write_bytes(body)
            body_fd = os.open(self.spool / "body", os.O_RDONLY)
        # Above 3, so that placing it never hits what Popen needs.
        above = None if body_fd is None else os.dup(body_fd) if body_fd > 9 else _lifted(body_fd)
        process = subprocess.Popen([PROGRAM, operation], stdin=take, stdout=give, stderr=subprocess.PIPE,
                                   pass_fds=() if above is None else (3,),
                                   preexec_fn=None if above is None else lambda: os.dup2(above, 3))
        for fd in (take, body_fd, above):
            if fd is not None:
                os.close(fd)
        process.answer_fd = give
        return process

    def finish(self, process):
        stderr = process.communicate(timeout=120)[1].decode()
        with open(process.answer_fd, "rb") as file:
            file.seek(0)
            lines = [json.loads(line) for line in file]
        assert process.returncode in (0, 1), (process.returncode, stderr)
        if process.returncode:
            assert len(lines) == 1
            raise Refused(lines[0])
        assert stderr == ""
        return lines

    def run(self, operation, body=None, **fields):
        return self.finish(self.start(operation, body, **fields))

    def upload(self, xorb):
        return self.run("xorb", xorb.body, hash=xorb.text)[0]

    def add(self, path, file, **more):
        return {"path": path, "hash": file.text, "size": len(file.data), "terms": file.wire_terms(), **more}

    def batch(self, *add, delete=()):
        return self.run("batch", add=list(add), delete=list(delete))

    def leftovers(self):
        return sorted(path.name for path in self.tmp.rglob("*"))

    def tree(self):
        """Every plain file of the bucket with its content."""
        return {str(path.relative_to(self.bucket)): path.read_bytes() for path in self.bucket.rglob("*") if path.is_file()}


def _lifted(fd):
    import fcntl
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
