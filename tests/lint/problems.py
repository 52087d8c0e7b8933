#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does the table of admin/README.md have every status and type of problem that the admin API
answers with, and that of gatewayd/README.md every row of failures.def, and no other?"""
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


FAILURE = re.compile(r"^FAILURE\(\w+, (\".*\")\)$", re.M)
BLAMED = {"CLIENT": "client", "GATEWAY": "gateway", "UPSTREAM": "upstream"}


def failures():
    """The rows of failures.def as they are to be described."""
    text = pathlib.Path("gatewayd/exchange/failures.def").read_text()
    for row in FAILURE.findall(text):
        name, status, who, later, _, _, sentence = re.findall(r'"[^"]*"|\w+', row)
        later = {"true": "yes", "false": "no"}[later]
        yield f"| `{name[1:-1]}` | {status} | {BLAMED[who]} | {later} | {sentence[1:-1]} |"


def check_failures():
    lines = pathlib.Path("gatewayd/README.md").read_text().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("| failure | status |"))
    table = lines[first + 2:]
    table = table[:next(i for i, line in enumerate(table) if not line.startswith("| "))]
    wanted = list(failures())
    assert wanted
    return [f"gatewayd/README.md: the table of failures lacks: {row}"
            for row in wanted if row not in table] + \
           [f"gatewayd/README.md: not in failures.def: {row}" for row in table if row not in wanted]


def main():
    code, table = set(used()) | OTHERS, set(described())
    bad = [f"admin/README.md: the table of problems lacks {s} {n}" for s, n in sorted(code - table)]
    bad += [f"admin/README.md: no call answers {s} {n}" for s, n in sorted(table - code)]
    bad += check_failures()
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main())
