#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The distribution of lengths, branches and parameters; what is past a hard limit fails.

Past a budget is only named: splitting a function to satisfy a number is worse than the number.
Exceptions to the limits, with reasons: sizes.exceptions (NAME is the function, or "file").
"""
import re
import sys

sys.dont_write_bytecode = True
import source  # noqa: E402

LIMITS = {"lines": 120, "branches": 25, "parameters": 6, "depth": 5}
FILE_LIMIT = 1000
WIDE_HEADER = 150  # lines; a header of more may be included by at most half of the sources


def row(title, values):
    return (f"{title:<22} p50 {source.at_share(values, .5):>4}  p95 {source.at_share(values, .95):>4}"
            f"  p99 {source.at_share(values, .99):>4}  max {max(values, default=0):>4}")


def past_limits(functions, lengths):
    for f in functions:
        for what, limit in LIMITS.items():
            if getattr(f, what) > limit:
                yield f.path, f.name, f"{f.path}:{f.line}: {f.name} has {getattr(f, what)} {what}, at most {limit}"
    for path, lines in lengths.items():
        if lines > FILE_LIMIT:
            yield path, "file", f"{path}: {lines} lines, at most {FILE_LIMIT}"


def wide_headers(sources):
    counts = {}
    for path in sources:
        for name in set(re.findall(r'^\s*#\s*include\s*"([^"]+)"', path.read_text(), re.M)):
            counts[name] = counts.get(name, 0) + 1
    for header in source.files(".h"):
        lines = header.read_text().count("\n")
        share = counts.get(str(header), 0) / max(1, len(sources))
        if share > 0.5 and lines > WIDE_HEADER:
            yield f"{header}: {lines} lines, included by {share:.0%} of the sources"


def main():
    sources = source.files(".c")
    functions = [f for path in sources for f in source.functions_of(path)]
    lengths = {p: p.read_text().count("\n") for p in source.files(".c", ".h", ".def")}
    tests = source.files(".c", ".h", ".py", folders=("tests",))

    print(f"{len(sources)} sources, {len(functions)} functions, {sum(lengths.values())} lines, "
          f"{sum(p.read_text().count(chr(10)) for p in tests)} lines of tests")
    print(row("file lines", list(lengths.values())))
    for what in LIMITS:
        print(row("function " + what, [getattr(f, what) for f in functions]))
    for note in wide_headers(sources):
        print("note: " + note)
    for f in sorted(functions, key=lambda f: -f.lines)[:5]:
        print(f"longest: {f.path}:{f.line} {f.name} ({f.lines} lines, {f.branches} branches)")

    rows = source.exceptions("tests/lint/sizes.exceptions")
    bad = [text for path, name, text in past_limits(functions, lengths)
           if not source.is_excepted(rows, path, name)]
    print("\n".join("PAST A LIMIT: " + text for text in bad))
    return 1 if bad else 0


sys.exit(main())
