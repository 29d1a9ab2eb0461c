# SPDX-License-Identifier: Apache-2.0
"""The Xet formats as a client makes them (xet-cas.md 3 and 4), written apart from ours; BLAKE3 and LZ4 come from PyPI."""
import fcntl
import shutil
import struct
import subprocess
import sys

from clients import CACHE

DATA = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
NODE = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
VERIFY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")
ZERO = bytes(32)
TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
BOOKEND = b"\xff" * 32 + bytes(16)


def _packages():
    folder = CACHE / "xet"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-warn-script-location",
                            "--root-user-action=ignore", "--target", folder / "lib", "blake3", "lz4"], check=True)
            (folder / "complete").touch()
    return str(folder / "lib")


try:
    import blake3
    import lz4.frame
except ImportError:
    sys.path.append(_packages())
    import blake3
    import lz4.frame


def keyed(key, data):
    return blake3.blake3(data, key=key).digest()


def text(raw):
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))


def raw(hash_text):
    return struct.pack("<4Q", *(int(hash_text[i:i + 16], 16) for i in range(0, 64, 16)))


def root(nodes):
    """Of (hash, length) pairs."""
    if not nodes:
        return ZERO
    while len(nodes) > 1:
        above = []
        while nodes:
            size = len(nodes)
            if size > 2:
                last = min(9, size)
                size = next((i + 1 for i in range(2, last) if nodes[i][0][24] & 3 == 0), last)
            group, nodes = nodes[:size], nodes[size:]
            above.append((keyed(NODE, "".join(f"{text(h)} : {n}\n" for h, n in group).encode()), sum(n for _, n in group)))
        nodes = above
    return nodes[0][0]


def file_hash(nodes):
    return keyed(ZERO, root(nodes)) if nodes else ZERO


def range_hash(nodes):
    return keyed(VERIFY, b"".join(h for h, _ in nodes))


def grouped(data):
    return b"".join(data[i::4] for i in range(4))


def chunk(data, scheme=0, compressed=None):
    """One serialized chunk."""
    if compressed is None:
        compressed = data if scheme == 0 else lz4.frame.compress(grouped(data) if scheme == 2 else data)
    return struct.pack("<I", len(compressed) << 8) + struct.pack("<I", len(data) << 8 | scheme) + compressed


class Xorb:
    def __init__(self, pieces, schemes=0):
        self.pieces = pieces
        self.nodes = [(keyed(DATA, piece), len(piece)) for piece in pieces]
        self.hash = root(self.nodes)
        self.text = text(self.hash)
        schemes = [schemes] * len(pieces) if isinstance(schemes, int) else schemes
        self.body = b"".join(chunk(piece, scheme) for piece, scheme in zip(pieces, schemes))


class File:
    """Consists of `terms`: (xorb, first, end)."""

    def __init__(self, *terms):
        self.terms = terms
        self.nodes = [node for xorb, first, end in terms for node in xorb.nodes[first:end]]
        self.data = b"".join(piece for xorb, first, end in terms for piece in xorb.pieces[first:end])
        self.hash = file_hash(self.nodes)
        self.text = text(self.hash)

    def wire_terms(self):
        """As hearth-files takes and gives them."""
        return [[xorb.text, first, end, sum(n for _, n in xorb.nodes[first:end])] for xorb, first, end in self.terms]

    def table(self):
        """Chunk table, 36 bytes each."""
        return b"".join(h + struct.pack("<I", n) for h, n in self.nodes)


def file_record(item, **lies):
    """The records of a file in a shard; `lies`: flags, count, hash, or "term": function of the term's fields, "range": bytes."""
    out = lies.get("hash", item.hash) + struct.pack("<IIQ", lies.get("flags", 0x80000000), lies.get("count", len(item.terms)), 0)
    for xorb, first, end in item.terms:
        fields = [xorb.hash, 0, sum(n for _, n in xorb.nodes[first:end]), first, end]
        fields = lies.get("term", lambda f: f)(fields)
        out += struct.pack("<32sIIII", *fields)
    for xorb, first, end in item.terms:
        out += lies.get("range", range_hash(xorb.nodes[first:end])) + bytes(16)
    return out


def shard(*files, tag=TAG, version=2, records=None, end=BOOKEND + BOOKEND):
    return tag + struct.pack("<QQ", version, 0) + b"".join(records or [file_record(item) for item in files]) + end


def example_c():
    """1,000,000 bytes of SplitMix64 (xet-cas.md 6.3)."""
    mask, s, out = 2**64 - 1, 0, []
    for _ in range(125000):
        s = s + 0x9e3779b97f4a7c15 & mask
        z = (s ^ s >> 30) * 0xbf58476d1ce4e5b9 & mask
        z = (z ^ z >> 27) * 0x94d049bb133111eb & mask
        out.append(z ^ z >> 31)
    return struct.pack("<125000Q", *out)


EXAMPLE_C_LENGTHS = [84493, 49928, 10432, 98465, 28475, 64664, 131072, 27052, 87419, 14735, 20080, 36349, 25038, 46308, 91081, 12169,
                     131072, 32260, 8908]
EXAMPLE_C_FILE = "3d17b2d7d64a0e011b6717a52d9a16bd2c3f05b743fa8adf52a7d75dafab6d89"
EXAMPLE_C_XORB = "6f2ce16ca5e317f0100ff0e7e5bf40a0de9032e9ee1ad04b6b8ff4e36cdfbf6c"
