# SPDX-License-Identifier: Apache-2.0
"""hearth-devices alone: what it makes of specifications and of a driver, and how it tells changes. The driver is
tests/tools/fake_nvml.c; the nodes are loop devices, which exist on every machine and are only looked at."""
import json
import os
import stat
import subprocess
import threading

import pytest

from fake_nvml import GIB, Card, FakeNvml
from server import BUILD, wait_until

PROGRAM = BUILD / "src/container/hearth-devices"
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root: device nodes, files of root")


class Machine:
    """A folder of specifications, nodes to name in them, and cards."""

    def __init__(self, base, cards=()):
        self.nvml = FakeNvml(str(base / "nvml"), cards)
        self.cdi = base / "cdi"
        self.cdi.mkdir(mode=0o755)
        self.base = base
        self.minor = 0

    def node(self):
        """A node that is there for this test only: full, by a name of its own."""
        path = self.base / f"node{self.minor}"
        self.minor += 1
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        return str(path)

    def spec(self, kind, devices, name="spec.json"):
        """`devices`: name → paths of nodes."""
        path = self.cdi / name
        path.with_suffix(".new").write_text(json.dumps({"cdiVersion": "0.6.0", "kind": kind, "devices": [
            {"name": key, "containerEdits": {"deviceNodes": [{"path": f"/dev/hearth-test/{os.path.basename(node)}", "hostPath": node}
                                                             for node in nodes]}} for key, nodes in devices.items()]}))
        path.with_suffix(".new").chmod(0o644)
        path.with_suffix(".new").rename(path)

    def words(self, *words, nvml=True):
        return [PROGRAM, *words, "--cdi-dir", self.cdi, "--nvml", self.nvml.library if nvml else "off"]

    def list(self, nvml=True, left_out=()):
        done = subprocess.run(self.words("list", nvml=nvml), capture_output=True, text=True, timeout=30)
        warnings = [line.split("warning: ")[1] for line in done.stderr.splitlines()]
        assert done.returncode == 0 and warnings == [f"device {name} is left out: there is no {node}" for name, node in left_out], done
        return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


class Watch:
    """`hearth-devices watch`, read while it runs."""

    def __init__(self, words):
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.lines = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.kill()
        self.process.wait()

    def device(self, name):
        """The last word about it; None: never heard of; "gone"."""
        said = [line for line in self.lines if line.get("name") == name]
        return None if not said else "gone" if said[-1]["type"] == "gone" else said[-1]

    def wait(self, name, condition, what):
        def look():
            now = self.device(name)
            return now if now is not None and condition(now) else None
        return wait_until(look, 15, what)

    def samples(self):
        return [line for line in self.lines if line["type"] == "samples"]


@pytest.fixture
def machine(tmp_path):
    tmp_path.chmod(0o755)
    return Machine(tmp_path)


def test_a_machine_without_devices(machine):
    assert machine.list() == {} and machine.list(nvml=False) == {}


def test_one_device_has_one_name(machine):
    one, two = machine.node(), machine.node()
    uuids = ["GPU-11111111-2222-3333-4444-555555555555", "GPU-21111111-2222-3333-4444-555555555555"]
    machine.spec("nvidia.com/gpu", {"0": [one], uuids[0]: [one], "1": [two], uuids[1]: [two], "all": [one, two]})
    assert sorted(machine.list(nvml=False)) == [f"nvidia.com/gpu={uuid}" for uuid in uuids]
    # "all" of one device only is another name of it; a pair is a sum, whatever it is called.
    machine.spec("test.hearth/thing", {"all": [one], "first": [one], "second": [two], "pair": [one, two]})
    assert sorted(machine.list(nvml=False)) == ["test.hearth/thing=first", "test.hearth/thing=second"]
    machine.spec("test.hearth/thing", {"all": [one]})
    assert sorted(machine.list(nvml=False)) == ["test.hearth/thing=all"]
    # The same node in two kinds: two devices, as the specifications say.
    machine.spec("test.hearth/other", {"a": [one]}, "other.json")
    assert sorted(machine.list(nvml=False)) == ["test.hearth/other=a", "test.hearth/thing=all"]


def test_a_device_without_its_node_is_none(machine):
    node = machine.node()
    machine.spec("test.hearth/thing", {"a": [node], "b": [node + "-missing"]})
    listed = machine.list(left_out=[("test.hearth/thing=b", node + "-missing")])
    assert sorted(listed) == ["test.hearth/thing=a"]
    assert listed["test.hearth/thing=a"] == {
        "type": "device", "name": "test.hearth/thing=a", "kind": "test.hearth/thing", "model": "a", "slice": "", "uuid": "",
        "parent": "", "memory": 0, "numa": -1, "healthy": True, "fault": ""}


def test_what_the_driver_says(machine):
    cards = machine.nvml.cards = [Card("NVIDIA A100-SXM4-80GB", 80 * GIB), Card("NVIDIA L4", 24 * GIB, ecc=1), Card(remap="pending"),
                                  Card("NVIDIA L40S", lost=True), Card("NVIDIA T4", 16 * GIB)]
    machine.nvml.write()
    nodes = [machine.node() for _ in cards]
    # By uuid, by number, and one that nobody has specified.
    machine.spec("nvidia.com/gpu", {cards[0].uuid: nodes[:1], "1": nodes[1:2], cards[2].uuid: nodes[2:3], cards[3].uuid: nodes[3:4]})
    found = machine.list()
    assert list(found) == [f"nvidia.com/gpu={name}" for name in (cards[0].uuid, "1", cards[2].uuid, cards[4].uuid, cards[3].uuid)]
    rows = list(found.values())
    assert rows[0]["model"] == "NVIDIA A100-SXM4-80GB" and rows[0]["uuid"] == cards[0].uuid and rows[0]["memory"] == 80 * GIB
    assert rows[0]["healthy"] is True and rows[0]["fault"] == ""
    assert not rows[1]["healthy"] and "1 uncorrectable memory error;" in rows[1]["fault"] and rows[1]["uuid"] == cards[1].uuid
    assert not rows[2]["healthy"] and "bad memory" in rows[2]["fault"]
    assert not rows[3]["healthy"] and "no CDI specification names it" in rows[3]["fault"]
    assert not rows[4]["healthy"] and "the driver does not show it" in rows[4]["fault"] and rows[4]["uuid"] == ""


def test_a_lost_card_does_not_move_the_others(machine):
    lost, second, third = cards = [Card("NVIDIA T4"), Card("NVIDIA L4"), Card("NVIDIA A30")]
    names = {}
    for number, card in enumerate(cards):
        names[str(number)] = names[card.uuid] = [machine.node()]
    machine.spec("nvidia.com/gpu", names)
    machine.nvml.cards = [second, third]  # which are 0 and 1 now
    machine.nvml.write()
    found = machine.list()
    for card in (second, third):
        row = found[f"nvidia.com/gpu={card.uuid}"]
        assert (row["uuid"], row["model"], row["healthy"]) == (card.uuid, card.name, True)
    row = found[f"nvidia.com/gpu={lost.uuid}"]
    assert not row["healthy"] and "the driver does not show it" in row["fault"] and len(found) == 3


def test_a_card_whose_node_is_missing(machine):
    machine.nvml.cards = [Card()]
    machine.nvml.write()
    machine.spec("nvidia.com/gpu", {"0": [str(machine.base / "missing")]})
    (card,) = machine.list().values()
    assert not card["healthy"] and card["fault"].endswith("/missing is missing") and card["model"] == "NVIDIA H200"


def test_slices_take_the_place_of_their_card(machine):
    divided, whole = machine.nvml.cards = [Card("NVIDIA A100-SXM4-80GB"), Card("NVIDIA A100-SXM4-80GB")]
    first = divided.add_instance(3, "1g.10gb", 10 * GIB)
    second = divided.add_instance(5, "2g.20gb", 20 * GIB)
    third = divided.add_instance(7, "1g.10gb", 10 * GIB, compute=1)
    machine.nvml.write()
    card, caps = machine.node(), [machine.node() for _ in range(3)]
    # As nvidia-ctk, by number, and as cdi_nvidia.h; and the card itself, which a careless specification names.
    machine.spec("nvidia.com/gpu", {"0": [card], first: [card, caps[0]], "0:1": [card, caps[1]], f"{divided.uuid}:7:1": [card, caps[2]],
                                    "1": [machine.node()], "all": [card, *caps]})
    found = machine.list()
    prefix = "nvidia.com/gpu="
    assert list(found) == [prefix + first, prefix + "0:1", prefix + f"{divided.uuid}:7:1", prefix + "1"]
    row = found[prefix + "0:1"]
    assert (row["uuid"], row["parent"], row["slice"], row["memory"]) == (second, divided.uuid, "2g.20gb", 20 * GIB)
    assert row["model"] == "NVIDIA A100-SXM4-80GB" and row["healthy"]
    assert found[prefix + f"{divided.uuid}:7:1"]["uuid"] == third
    assert found[prefix + "1"]["uuid"] == whole.uuid and found[prefix + "1"]["slice"] == ""
    # What is wrong with the card is wrong with all of its slices.
    divided.ecc = 3
    machine.nvml.write()
    assert [row["healthy"] for row in machine.list().values()] == [False, False, False, True]
    # A card in this mode without any instance is nothing that a job could have.
    divided.instances = []
    machine.nvml.write()
    assert prefix + "0" not in machine.list()


def test_changes_are_told(machine):
    one, two = machine.nvml.cards = [Card("NVIDIA L4", 24 * GIB), Card("NVIDIA L4", 24 * GIB)]
    machine.nvml.write()
    nodes = {one.uuid: [machine.node()], two.uuid: [machine.node()]}
    thing = machine.node()
    machine.spec("nvidia.com/gpu", nodes)
    machine.spec("test.hearth/thing", {"a": [thing]}, "thing.json")
    first, second = (f"nvidia.com/gpu={card.uuid}" for card in (one, two))
    with Watch(machine.words("watch")) as watch:
        wait_until(watch.samples, 10, "samples")
        assert [line["type"] for line in watch.lines[:4]] == ["device", "device", "device", "samples"]
        assert watch.samples()[0]["devices"][0] == {"uuid": one.uuid, "utilization": 0, "memory_used": 0, "memory_total": 24 * GIB}
        one.utilization, one.used, one.ecc, two.xid = 77, 5 * GIB, 2, 48
        machine.nvml.write()
        os.unlink(thing)
        watch.wait(first, lambda device: "2 uncorrectable" in device["fault"], "errors of memory")
        watch.wait(second, lambda device: "XID 48" in device["fault"], "an error of the card")
        watch.wait("test.hearth/thing=a", lambda device: device == "gone", "the end of a node")
        wait_until(lambda: {"uuid": one.uuid, "utilization": 77, "memory_used": 5 * GIB, "memory_total": 24 * GIB}
                   in watch.samples()[-1]["devices"], 10, "a sample")
        # One falls off the bus and keeps its name, the other is what it was after its reset; a new one comes.
        one.ecc, one.lost = 0, True
        machine.nvml.cards.append(Card("NVIDIA T4"))
        machine.nvml.write()
        machine.spec("nvidia.com/gpu", {**nodes, machine.nvml.cards[2].uuid: [machine.node()]})
        watch.wait(first, lambda device: "does not show it any more" in device["fault"] and device["model"] == "NVIDIA L4", "a lost card")
        watch.wait(f"nvidia.com/gpu={machine.nvml.cards[2].uuid}", lambda device: device["healthy"], "a new card")
        assert "XID 48" in watch.device(second)["fault"]
        one.lost = False
        machine.nvml.write()
        watch.wait(first, lambda device: device["healthy"], "the card's return")
        # Only what has changed is told.
        told = [(line["name"], line.get("fault")) for line in watch.lines if line["type"] == "device"]
        assert len(told) == len(set(told)) + 1, told  # the first card was healthy twice


def test_errors_of_programs_say_nothing_about_the_card(machine):
    (card,) = machine.nvml.cards = [Card()]
    machine.nvml.write()
    machine.spec("nvidia.com/gpu", {card.uuid: [machine.node()]})
    with Watch(machine.words("watch")) as watch:
        wait_until(watch.samples, 10, "samples")
        card.xid = 31  # a wrong address in a program
        machine.nvml.write()
        wait_until(lambda: len(watch.samples()) >= 6, 15, "some seconds")
        assert [line["healthy"] for line in watch.lines if line["type"] == "device"] == [True]


def test_samples_of_some(machine):
    one, two = machine.nvml.cards = [Card(utilization=-1), Card()]
    slice_uuid = two.add_instance(1)
    machine.nvml.write()
    with Watch(machine.words("watch", f"{one.uuid},{slice_uuid},GPU-other")) as watch:
        wait_until(watch.samples, 10, "samples")
    # What the driver cannot tell is left out, not zero.
    assert watch.lines[0]["type"] == "samples" and [sorted(sample) for sample in watch.lines[0]["devices"]] == \
        [["memory_total", "memory_used", "uuid"]] * 2
    assert [sample["uuid"] for sample in watch.lines[0]["devices"]] == [one.uuid, slice_uuid]


def test_it_ends_with_its_reader(machine):
    process = subprocess.Popen(machine.words("watch"), stdout=subprocess.PIPE, text=True)
    assert json.loads(process.stdout.readline())["type"] == "samples"
    process.stdout.close()
    assert process.wait(10) in (0, -13)


def test_wrong_words(machine):
    for words in ((), ("look",), ("list", "more"), ("watch", "a", "b"), ("list", "--no-such")):
        done = subprocess.run([PROGRAM, *words], capture_output=True, text=True)
        assert done.returncode == 2 and "Usage: hearth-devices" in done.stderr, (words, done)
    done = subprocess.run([PROGRAM, "list", "--config", machine.base / "none.ini"], capture_output=True, text=True)
    assert done.returncode == 1 and "none.ini" in done.stderr
    done = subprocess.run(machine.words("list")[:-1] + [machine.base / "none.so"], capture_output=True, text=True)
    assert done.returncode == 0 and "none.so" in done.stderr


def test_a_driver_that_is_not_loaded(machine):
    machine.nvml.cards, machine.nvml.init = [Card()], 9
    machine.nvml.write()
    done = subprocess.run(machine.words("list"), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "") and "the NVIDIA driver cannot be used" in done.stderr
