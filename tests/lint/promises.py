#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Is all there that tests/README.md names in its list of promises, and cluster/README.md in its
tables of failures? `e2e/test_x.py`: `begin…` is a file and a case in it whose name begins so (in
cluster/README.md stories stand without their folder); and every file of stories is named at least once."""
import pathlib
import re
import sys

TESTS = pathlib.Path("tests")
FAILURES = pathlib.Path("cluster/README.md")
CASE = re.compile(r"^(?:static void| *def) (?:test_)?(\w+)\(", re.M)


def cases(path):
    return CASE.findall(path.read_text(errors="replace"))


def file_of(token):
    for path in (TESTS / token, TESTS / "e2e" / token):
        if path.is_file():
            return path
    return None


def check_named(doc, row, number):
    """What the last cell names, file by file."""
    path = None
    for token in re.findall(r"`([^`]+)`", row.rstrip(" |").rsplit(" | ", 1)[-1]):
        if re.search(r"\.\w+$", token):
            path = file_of(token)
            if path is None:
                yield f"{doc}:{number}: there is no tests/{token}"
        elif path is not None:
            begin = token.split("…")[0]
            if not any(name.startswith(begin) for name in cases(path)):
                yield f"{doc}:{number}: no case of {path} begins with {begin}"


def check_failures():
    """Every row of a table whose last column is `test` names one."""
    is_table = False
    for number, row in enumerate(FAILURES.read_text().splitlines(), 1):
        if not row.startswith("| "):
            is_table = False
        elif row.endswith(" | test |"):
            is_table = True
        elif is_table and not row.startswith("| ---"):
            if "`" not in row.rstrip(" |").rsplit(" | ", 1)[-1]:
                yield f"{FAILURES}:{number}: names no test"
            yield from check_named(FAILURES, row, number)


def main():
    lines = (TESTS / "README.md").read_text().splitlines()
    first = lines.index("| promise | test |")
    bad = []
    for number, row in enumerate(lines[first + 2:], first + 3):
        if row.startswith("| ") and not row.startswith("| **"):
            bad += check_named(TESTS / "README.md", row, number)
    text = "\n".join(lines[first:])
    for story in sorted([*(TESTS / "e2e").glob("test_*.py"), *(TESTS / "packages").glob("test_*.py")]):
        name = story.relative_to(TESTS)
        if f"`{name}`" not in text:
            bad.append(f"tests/README.md: names no promise that {name} holds")
    bad += check_failures()
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main())
