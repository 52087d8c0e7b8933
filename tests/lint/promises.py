#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Is all there that tests/README.md names in its list of promises? `e2e/test_x.py`: `begin…` is a
file and a case in it whose name begins so; and every file of stories is named at least once."""
import pathlib
import re
import sys

TESTS = pathlib.Path("tests")
CASE = re.compile(r"^(?:static void| *def) (?:test_)?(\w+)\(", re.M)


def cases(path):
    return CASE.findall(path.read_text(errors="replace"))


def check_named(row, number):
    """What the cell names, file by file."""
    path = None
    for token in re.findall(r"`([^`]+)`", row.rstrip(" |").rsplit(" | ", 1)[-1]):
        if "/" in token:
            path = TESTS / token
            if not path.is_file():
                yield f"tests/README.md:{number}: there is no tests/{token}"
                path = None
        elif path is not None:
            begin = token.rstrip("…")
            if not any(name.startswith(begin) for name in cases(path)):
                yield f"tests/README.md:{number}: no case of {path} begins with {begin}"


def main():
    lines = (TESTS / "README.md").read_text().splitlines()
    first = lines.index("| promise | test |")
    bad = []
    for number, row in enumerate(lines[first + 2:], first + 3):
        if row.startswith("| ") and not row.startswith("| **"):
            bad += check_named(row, number)
    text = "\n".join(lines[first:])
    for story in sorted([*(TESTS / "e2e").glob("test_*.py"), *(TESTS / "packages").glob("test_*.py")]):
        name = story.relative_to(TESTS)
        if f"`{name}`" not in text:
            bad.append(f"tests/README.md: names no promise that {name} holds")
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main())
