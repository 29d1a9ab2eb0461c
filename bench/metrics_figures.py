# SPDX-License-Identifier: Apache-2.0
"""What it costs to know what jobs use."""
import os
import pathlib
import time

from figures import wait_running
from measuring import SCALE, Client, figure, row, running_server

SMALL = "[scheduler]\ncpus = 1000\nmemory = 1000G\nmax_running = 1000\n[flavor one]\nvcpu = 1\nmemory = 64M\nstorage = 1G\n"
SECONDS = 30


def spent_ns(pid):
    """By the process, and by the children that it has waited for (they measure the storage)."""
    base = pathlib.Path(f"/proc/{pid}")
    own = int((base / "schedstat").read_text().split()[0])
    fields = (base / "stat").read_text().rsplit(")", 1)[1].split()
    return own + (int(fields[13]) + int(fields[14])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@figure
def sampling():
    """All that the monitors of jobs that do nothing spend: one sample a second each, of CPU, memory, network and storage, with a limit
    of the latter. Nobody looks on: a follower costs hearthd, not the monitors."""
    count = int(500 * SCALE)
    with running_server(SMALL) as one:
        client = Client(one)
        for _ in range(count):
            client.submit(["sleep", "1000"])
        wait_running(one, count)
        time.sleep(5)
        monitors = one.live_monitors()
        before, start = sum(map(spent_ns, monitors)), time.monotonic()
        time.sleep(SECONDS)
        spent, seconds = sum(map(spent_ns, monitors)) - before, time.monotonic() - start
        one.kill9()  # and then the monitors: to cancel all jobs would take longer than everything else
    share = spent / 1e9 / seconds * 100
    return row(f"metrics of {count} running jobs, a sample per second each", f"{share:.1f} % of one core ({spent / 1e3 / seconds / count:.0f} µs per job "
               "and second)", "≤ 5 % of one core", len(monitors) == count and share <= 5)
