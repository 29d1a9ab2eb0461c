# SPDX-License-Identifier: Apache-2.0
"""Devices for a server under test: cards that are not there, whose nodes are those of loop devices, and /dev/fuse."""
import json
import pathlib
import shutil
import tempfile

from fake_nvml import Card, FakeNvml


class Devices:
    def __init__(self, cards=(), things=("fuse",)):
        # Neither in /tmp, which a monitor covers, nor closed to the user hearth.
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="hearth-devices.", dir="/var/tmp"))
        self.base.chmod(0o755)
        self.nvml = FakeNvml(str(self.base / "nvml"), cards)
        self.cdi = self.base / "cdi"
        self.cdi.mkdir(mode=0o755)
        self.write_cards()
        self.write("test.hearth/fuse", {name: "/dev/fuse" for name in things}, "fuse.json")

    def write_cards(self):
        """One loop device per card stands for its node."""
        self.write("nvidia.com/gpu", {card.uuid: f"/dev/loop{number}" for number, card in enumerate(self.nvml.cards)}, "nvidia.json")

    def write(self, kind, devices, name):
        fresh = self.cdi / (name + ".new")
        fresh.write_text(json.dumps({"cdiVersion": "0.6.0", "kind": kind, "devices": [
            {"name": key, "containerEdits": {"deviceNodes": [{"path": node}]}} for key, node in devices.items()]}))
        fresh.chmod(0o644)
        fresh.rename(self.cdi / name)

    def settings(self, more=""):
        return f"[devices]\nnvml = {self.nvml.library}\ncdi_dirs = {self.cdi}\n{more}"

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)


def name_of(card):
    return f"nvidia.com/gpu={card.uuid}"


__all__ = ["Card", "Devices", "name_of"]
