#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every source and script says its licence in its first three lines, once, and nothing longer."""
import pathlib
import subprocess
import sys

LINE = "SPDX-License-Identifier: Apache-2.0"
SUFFIXES = {".c", ".h", ".def", ".py", ".sh", ".mk", ".service", ".lua"}


def tracked():
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    return [pathlib.Path(p) for p in out.splitlines()]


def is_program(path):
    if path.suffix in SUFFIXES or path.name == "Makefile":
        return True
    with path.open("rb") as file:
        return path.suffix == "" and file.read(2) == b"#!"


def main():
    bad = 0
    for path in tracked():
        if not path.is_file() or "corpus" in path.parts or not is_program(path):
            continue
        head = path.read_text(errors="replace").splitlines()[:3]
        if not any(LINE in line for line in head):
            print(f"{path}: no \"{LINE}\" in its first lines")
            bad += 1
    return 1 if bad else 0


sys.exit(main())
