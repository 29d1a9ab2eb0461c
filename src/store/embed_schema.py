#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the numbered schema steps as one C table: embed_schema.py OUTPUT STEP.sql..."""
import os
import re
import sys


def literal(line):
    return '"' + line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '\\n"'


def main():
    output, steps = sys.argv[1], sorted(sys.argv[2:], key=os.path.basename)
    text = '/* Made by embed_schema.py from sql/. */\n#include "store/schema.h"\n\n'
    text += "const struct schema_step schema_steps[] = {\n"
    for expected, path in enumerate(steps, start=1):
        name = os.path.basename(path)
        number = re.fullmatch(r"(\d{3})_[a-z_]+\.sql", name)
        if number is None or int(number.group(1)) != expected:
            sys.exit(f"{name}: schema steps are NNN_name.sql without gaps; expected {expected:03d}")
        with open(path, encoding="ascii") as file:
            lines = "\n\t  ".join(literal(line) for line in file.read().splitlines() if line)
        text += f'\t{{ "{name[:-4]}",\n\t  {lines} }},\n'
    text += f"}};\nconst int schema_step_count = {len(steps)};\n"
    with open(output, "w", encoding="ascii") as file:
        file.write(text)


main()
