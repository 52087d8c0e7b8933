#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does the table of admin/README.md have every status and type of problem that the admin API
answers with, and no other?"""
import pathlib
import re
import sys

CALL = re.compile(r"reply_problem(?:s|_names)?\(\s*[\w>-]+,\s*(\d{3}),\s*\"([a-z-]+)\"")
# reply_invalid(); a key's state, when it is rotated.
OTHERS = {(422, "invalid"), (409, "expired")}


def used():
    for path in pathlib.Path("admin").glob("*.c"):
        for status, name in CALL.findall(path.read_text()):
            yield int(status), name


def described():
    lines = pathlib.Path("admin/README.md").read_text().splitlines()
    for row in lines[lines.index("| status | problem | meaning |") + 2:]:
        if not row.startswith("| "):
            return
        statuses, names = row.split(" | ")[:2]
        statuses = [int(s) for s in re.findall(r"\d+", statuses)]
        names = re.findall(r"`([a-z-]+)`", names)
        # Of a row with several statuses each name has its own.
        yield from zip(statuses if len(statuses) > 1 else statuses * len(names), names)


def main():
    code, table = set(used()) | OTHERS, set(described())
    bad = [f"admin/README.md: the table of problems lacks {s} {n}" for s, n in sorted(code - table)]
    bad += [f"admin/README.md: no call answers {s} {n}" for s, n in sorted(table - code)]
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main())
