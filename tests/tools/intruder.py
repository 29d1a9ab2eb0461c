# SPDX-License-Identifier: Apache-2.0
"""Code of an intruder inside one of our programs: what can it open once the program has confined itself?"""
import ctypes
import subprocess

LANDLOCK_CREATE_RULESET = 444


def has_landlock():
    return ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, 1) >= 2


def intruder(folder, call, path):
    """Environment in which `call` (a declaration of libc's function) opens `path` for reading, and fails with that."""
    (folder / "intruder.c").write_text(f"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

{call}
{{
	int found = open("{path}", O_RDONLY);
	return found < 0 ? -1 : close(found);
}}
""")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "intruder.so", folder / "intruder.c"], check=True)
    return {"LD_PRELOAD": str(folder / "intruder.so")}
