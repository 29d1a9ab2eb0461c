#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the numbers of the system calls that the compiler's kernel headers know, sorted by name.

    seccomp_numbers.py OUTPUT CC [ARGUMENT…]
"""
import re
import subprocess
import sys

# Newer than the headers of the oldest supported distribution; the same number on every architecture.
RECENT = {
    "cachestat": 451, "fchmodat2": 452, "map_shadow_stack": 453, "futex_wake": 454,
    "futex_wait": 455, "futex_requeue": 456, "mseal": 462,
}


def numbers(compiler, header):
    run = subprocess.run(compiler + ["-E", "-dM", "-x", "c", "-"], input="#include <%s>\n" % header,
                         capture_output=True, text=True)
    found = re.findall(r"^#define __NR_(\w+) (\d+)$", run.stdout, re.MULTILINE)
    return dict(RECENT, **{name: int(number) for name, number in found}) if found else {}


def main():
    output, compiler = sys.argv[1], sys.argv[2:]
    native = numbers(compiler, "asm/unistd_64.h") or numbers(compiler, "asm/unistd.h")
    compat = numbers(compiler, "asm/unistd_32.h")
    with open(output, "w") as f:
        for title, table in (("native", native), ("compat", compat)):
            f.write("static const struct call_number %s_numbers[] = {\n" % title)
            for name in sorted(table):
                if len(name) < 28:
                    f.write("\t{ \"%s\", %d },\n" % (name, table[name]))
            # No call has this name: an empty table is not C.
            f.write("\t{ \"~\", 0 },\n};\n")


main()
