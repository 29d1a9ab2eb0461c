# SPDX-License-Identifier: Apache-2.0
"""What the scheduler costs with a long queue (bench/scheduler_speed.c)."""
import functools
import json
import os
import subprocess

from measuring import SCALE, figure, row


@functools.cache
def measured():
    build = os.environ["HEARTH_BUILD"]
    subprocess.run(["ninja", "-C", build, "bench/scheduler_speed"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run([f"{build}/bench/scheduler_speed", str(int(10000 * SCALE)), str(int(1000 * SCALE))],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@figure
def scheduler_decision():
    """The time of the processor, not of the clock: each is a call that waits for nothing."""
    one = measured()
    decision, full = one["decision"], one["pass"]
    return row(f"scheduler, {one['waiting']:,} waiting jobs of {int(1000 * SCALE):,} namespaces, 7 flavors, with priorities and limits",
               f"decision p50 {decision['p50'] / 1000:.2f} ms, p99 {decision['p99'] / 1000:.2f} ms; full pass p50 {full['p50'] / 1000:.2f} ms, "
               f"p99 {full['p99'] / 1000:.2f} ms", "decision ≤ 1 ms, full pass ≤ 10 ms", decision["p99"] <= 1000 and full["p99"] <= 10000)


@figure
def scheduler_explanations():
    one = measured()
    explain = one["explain_1000"]
    return row("places, estimates and sentences for 1,000 of them", f"p50 {explain['p50'] / 1000:.1f} ms, p99 {explain['p99'] / 1000:.1f} ms",
               "≤ 10 ms", explain["p99"] <= 10000)
