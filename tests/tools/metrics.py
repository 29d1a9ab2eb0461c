# SPDX-License-Identifier: Apache-2.0
"""Reads `metrics` of an attempt folder (src/container/metrics_file.h)."""
import struct

RINGS = [(1, 3600), (15, 5760), (120, 5040), (3600, 1728)]
HEADER = struct.Struct("=II4Qqq" + "64s" * 16 + "16q")
SAMPLE, DEVICE = struct.Struct("=6q"), struct.Struct("=qii")


def read(path, ring=0):
    """(header, samples) as dictionaries; the oldest first."""
    with open(path, "rb") as f:
        data = f.read()
    fields = HEADER.unpack_from(data)
    n = fields[1]
    header = {"magic": fields[0], "counts": fields[2:6], "uuids": [fields[8 + i].rstrip(b"\0").decode() for i in range(n)],
              "device_memory": list(fields[24:24 + n])}
    size = SAMPLE.size + n * DEVICE.size
    base = HEADER.size + sum(length for _, length in RINGS[:ring]) * size
    count, length = header["counts"][ring], RINGS[ring][1]
    samples = []
    for number in range(max(0, count - length), count):
        at = base + number % length * size
        at_ms, cpu, memory, rx, tx, storage = SAMPLE.unpack_from(data, at)
        devices = [DEVICE.unpack_from(data, at + SAMPLE.size + i * DEVICE.size) for i in range(n)]
        samples.append({"at_ms": at_ms, "cpu": cpu, "memory": memory, "rx": rx, "tx": tx, "storage": storage,
                        "devices": [(utilization, used) for used, utilization, _ in devices]})
    return header, samples
