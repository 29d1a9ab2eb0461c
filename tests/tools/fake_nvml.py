# SPDX-License-Identifier: Apache-2.0
"""A machine with NVIDIA cards that are not there: a copy of the fake library and the text beside it.

    nvml = FakeNvml(folder, [Card(name="NVIDIA A100-SXM4-80GB"), Card()])
    settings = nvml.settings()          # "[devices]\\nnvml = …"
    nvml.cards[0].utilization = 80
    nvml.write()                        # programs that look see it within a second

What the text says stands in fake_nvml.c.
"""
import os
import shutil
import uuid

from server import BUILD

GIB = 1 << 30


class Card:
    def __init__(self, name="NVIDIA H200", memory=141 * GIB, **more):
        self.uuid = "GPU-" + str(uuid.uuid4())
        self.name, self.memory = name, memory
        self.used = self.utilization = self.ecc = self.xid = 0
        self.bus, self.remap = "", ""
        self.lost = self.hang = self.mig = False
        self.instances = []
        self.__dict__.update(more)

    def add_instance(self, gpu, profile="1g.18gb", memory=16 * GIB, compute=0):
        self.mig = True
        name = "MIG-" + str(uuid.uuid4())
        self.instances.append(f"{name} {gpu} {compute} {profile} {memory} 0")
        return name

    def text(self, number):
        lines = [f"card {self.uuid}", f" name {self.name}", f" memory {self.memory}", f" used {self.used}",
                 f" utilization {self.utilization}", f" minor {number}", f" bus {self.bus or f'00000000:{number + 16:02X}:00.0'}",
                 f" ecc {self.ecc}", f" xid {self.xid}"]
        lines += [f" remap {self.remap}"] if self.remap else []
        lines += [" mig on"] if self.mig else []
        lines += [f" mig {instance}" for instance in self.instances]
        lines += [" lost"] if self.lost else []
        lines += [" hang"] if self.hang else []
        return lines


class FakeNvml:
    def __init__(self, folder, cards=()):
        """`folder` is made readable for the user hearth."""
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.library = os.path.join(folder, "libnvidia-ml.so.1")
        shutil.copy(BUILD / "tests/tools/libnvidia-ml.so.1", self.library)
        os.chmod(self.library, 0o755)
        self.cards = list(cards)
        self.hang, self.init = False, 0
        self.write()

    def write(self):
        lines = ["driver 550.54.15"] + (["hang"] if self.hang else []) + ([f"init {self.init}"] if self.init else [])
        for number, card in enumerate(self.cards):
            lines += card.text(number)
        with open(self.library + ".new", "w") as file:
            file.write("\n".join(lines) + "\n")
        os.chmod(self.library + ".new", 0o644)
        os.rename(self.library + ".new", self.library + ".txt")

    def settings(self):
        return f"[devices]\nnvml = {self.library}\n"
