# SPDX-License-Identifier: Apache-2.0
"""hearth-mount alone, without a server or a job: plays the monitor's part of base/volume.h."""
import ctypes
import json
import os
import socket
import subprocess
import tempfile

from server import BUILD

MOUNT = BUILD / "src/hub/hearth-mount"
libc = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_NOSUID, MS_NODEV, MNT_DETACH = 1, 2, 4, 2


class Mounted:
    """One volume below `target`; `folder` is what descriptor 4 shows."""

    def __init__(self, folder, request, read_only=True, wait=True):
        self.target = tempfile.mkdtemp(prefix="hearth-mount.")
        self.folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fuse = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,max_read=1048576".encode()
        flags = MS_NOSUID | MS_NODEV | (MS_RDONLY if read_only else 0)
        if libc.mount(b"hearth", self.target.encode(), b"fuse.hearth", flags, options) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Numbers beyond 5 first, so that none of the three is overwritten while they are put in place.
        high = [os.dup2(fd, 100 + i) for i, fd in enumerate((fuse, self.folder_fd, theirs.fileno()))]
        self.process = subprocess.Popen(
            ["bash", "-c", f"exec {MOUNT} 3<&{high[0]} 4<&{high[1]} 5<&{high[2]} 100<&- 101<&- 102<&-"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=high, text=True)
        for fd in (*high, fuse, self.folder_fd):
            os.close(fd)
        theirs.close()
        self.process.stdin.write(json.dumps({"owner_uid": 0, "owner_gid": 0, "read_only": read_only, **request}))
        self.process.stdin.close()
        self.messages = []
        if wait:
            self.answer = self.wait_answer()

    def wait_answer(self, seconds=30):
        """The first message that is not progress: "ready" or "error"."""
        self.link.settimeout(seconds)
        while True:
            data = self.link.recv(65536)
            if not data:
                return {"type": "gone"}
            message = json.loads(data)
            self.messages.append(message)
            if message["type"] != "progress":
                return message

    def path(self, name=""):
        return os.path.join(self.target, name)

    def stop(self):
        """Unmount, as the monitor does, and the exit status with what was written on standard error."""
        libc.umount2(self.target.encode(), MNT_DETACH)
        try:
            status = self.process.wait(20)
        finally:
            self.process.kill()
            self.link.close()
            os.rmdir(self.target)
        return status, self.process.stderr.read()
