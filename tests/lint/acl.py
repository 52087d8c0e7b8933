#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Redis user that is documented (cluster/redis.acl) has every command that our scripts call, and
none that nothing sends."""
import pathlib
import re
import sys

sys.dont_write_bytecode = True


def granted():
    lines = [line for line in pathlib.Path("cluster/redis.acl").read_text().splitlines()
             if line.startswith("user ")]
    return set(re.findall(r"\+([a-z|]+)", " ".join(lines)))


def called_by_scripts():
    """command → the scripts that call it"""
    called = {}
    for path in sorted(pathlib.Path("cluster").glob("*.lua")):
        for word in re.findall(r"redis\.p?call\(\s*['\"](\w+)['\"]", path.read_text()):
            called.setdefault(word.lower(), set()).add(str(path))
    return called


def named_in_code():
    words = set()
    for path in pathlib.Path("cluster").glob("*.c"):
        words.update(w.lower() for w in re.findall(r"TEXT(?:_OF)?\(\"([A-Z]+)\"\)",
                                                   path.read_text()))
    return words


def main():
    bad = 0
    has, called = granted(), called_by_scripts()
    for command in sorted(set(called) - has):
        print(f"cluster/redis.acl: {', '.join(sorted(called[command]))} calls {command.upper()}, "
              f"which the user may not: add +{command}")
        bad += 1
    for command in sorted(has - set(called) - named_in_code()):
        print(f"cluster/redis.acl: nothing uses +{command}")
        bad += 1
    return 1 if bad else 0


sys.exit(main())
