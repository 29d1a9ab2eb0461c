# SPDX-License-Identifier: Apache-2.0
"""The figures of webhooks."""
import contextlib
import pathlib
import subprocess
import threading
import time

from measuring import ONE, SCALE, Client, cpu_seconds, figure, forget_shared, row, running_server
from server import wait_until

SETTINGS = "[webhooks]\nprivate_addresses = yes\ndaily_max = 100000000\n" + ONE
WEBHOOKS, SENDERS = 20, 4


@contextlib.contextmanager
def sink():
    """A receiver in a process of its own; gives its URL and a function that says how many deliveries have come."""
    program = subprocess.Popen(["/usr/bin/python3", pathlib.Path(__file__).with_name("webhook_sink.py")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)

    def received():
        program.stdin.write("\n")
        program.stdin.flush()
        return int(program.stdout.readline())
    try:
        yield f"http://127.0.0.1:{int(program.stdout.readline())}/hook", received
    finally:
        program.kill()
        program.wait()


def announce(one, numbers):
    client = Client(one)
    for number in numbers:
        client.call("POST", "/api/webhooks/announce",
                    {"event": {"action": "update", "scope": "repo.content"},
                     "repo": {"type": "dataset", "name": "alice/raw", "id": "6366c000a2abcdf2fd69a080", "private": False},
                     "updatedRefs": [{"ref": "refs/heads/main", "oldSha": None, "newSha": f"{number:040x}"}]})


@figure
def webhook_deliveries():
    """Each event goes to 20 webhooks with a secret; from the first announcement to the last delivery, with the commits of both."""
    forget_shared()
    events = int(1000 * SCALE)
    with running_server(SETTINGS, image=False) as one, sink() as (url, received):
        client = Client(one)
        for _ in range(WEBHOOKS):
            client.call("POST", "/api/settings/webhooks", {"watched": [{"type": "user", "name": "alice"}], "url": url, "secret": "s3cret"})
        announce(one, [10 ** 9])
        wait_until(lambda: received() == WEBHOOKS, 20)
        cpu, start = cpu_seconds(one), time.monotonic()
        senders = [threading.Thread(target=announce, args=(one, range(sender, events, SENDERS))) for sender in range(SENDERS)]
        for sender in senders:
            sender.start()
        wait_until(lambda: received() == WEBHOOKS * (events + 1), 300, "all deliveries", interval=0.02)
        seconds = time.monotonic() - start
        used = (cpu_seconds(one) - cpu) / seconds
        rate = WEBHOOKS * events / seconds
    return row("Deliveries of webhooks to a receiver on loopback, signed and logged", f"{rate:,.0f}/s, hearthd {used:.2f} cores, "
               f"{used / rate * 1e6:.0f} µs of CPU each", "≥ 1,000/s, below 1 core", rate >= 1000 and used < 1)
