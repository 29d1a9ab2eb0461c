# SPDX-License-Identifier: Apache-2.0
"""Debian's docker-registry on a loopback port, with its files in a temporary folder."""
import pathlib
import shutil
import subprocess
import tempfile

import requests

from server import free_port, wait_until


class Registry:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hearth-registry.", dir="/var/tmp"))
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        config = self.folder / "config.yml"
        config.write_text(f"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {self.folder}/data}}\n"
                          f"  delete: {{enabled: true}}\nhttp: {{addr: '{self.host}'}}\n")
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL,
                                        stderr=open(self.folder / "log", "ab"))

        def answers():
            try:
                return requests.get(f"http://{self.host}/v2/", timeout=2).status_code == 200
            except requests.ConnectionError:
                return False
        wait_until(answers, 20, "docker-registry")

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)
