# SPDX-License-Identifier: Apache-2.0
"""hearth-mount alone, as the monitor starts it: a volume mounted on a folder of the host."""
import ctypes
import json
import os
import pathlib
import select
import socket
import subprocess

from server import BUILD

PROGRAM = BUILD / "src/hub/hearth-mount"
LIBC = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_NOSUID, MS_NODEV, MNT_DETACH = 1, 2, 4, 2


class Mounted:
    """One volume; messages() are what it told, finish() unmounts and gives the exit status."""

    def __init__(self, folder, point, user=65534, environment=None, **request):
        self.point = pathlib.Path(point)
        fuse = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={fuse},rootmode=40755,user_id=0,group_id=0,allow_other,max_read=1048576"
        flags = MS_NOSUID | MS_NODEV | (MS_RDONLY if request.get("read_only") else 0)
        if LIBC.mount(b"hearth", os.fsencode(self.point), b"fuse.hearth", flags, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        link, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        text = {"kind": "bucket", "namespace": "alice", "name": "out", "path": "", "target": "/out", "read_only": False,
                "quota_bytes": 0, "owner_uid": 0, "owner_gid": 0, "limits": {}, **request}

        def place():
            high = [os.dup2(fd, number, inheritable=True) for fd, number in ((fuse, 103), (folder_fd, 104), (far.fileno(), 105))]
            for number, fd in enumerate(high, 3):
                os.dup2(fd, number, inheritable=True)
            os.closerange(103, 106)
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, preexec_fn=place, close_fds=False, env=environment)
        os.close(fuse)
        os.close(folder_fd)
        far.close()
        self.link = link
        self.process.stdin.write(json.dumps(text).encode())
        self.process.stdin.close()

    def message(self, seconds=20):
        """The next message, or None at the end."""
        if not select.select([self.link], [], [], seconds)[0]:
            raise AssertionError("hearth-mount says nothing")
        text = self.link.recv(65536)
        return json.loads(text) if text else None

    def ready(self):
        message = self.message()
        assert message == {"type": "ready"}, message
        return self

    def finish(self):
        if LIBC.umount2(os.fsencode(self.point), 0) != 0:
            code = ctypes.get_errno()
            LIBC.umount2(os.fsencode(self.point), MNT_DETACH)
            self.process.kill()
            self.process.wait()
            raise OSError(code, "umount")
        self.link.setblocking(True)
        return self.process.wait(60)

    def destroy(self):
        LIBC.umount2(os.fsencode(self.point), MNT_DETACH)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.link.close()
