#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""External symbols of foo_bar.o start with foo_bar_, or with foo_ (a module split over files).

So do those that start with a type which foo_bar.h defines; a plural is the same name (problem.c:
problems_add). Exceptions, with reasons: names.exceptions.
"""
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import source  # noqa: E402


def symbols(objects):
    """(object, name) of all that is defined and external."""
    out = subprocess.run(["nm", "-A", "-g", "--defined-only", "--format=posix", *objects],
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in out.splitlines():
        path, name = re.match(r"(\S+?\.o)(?:\[.*\])?: (\S+)", line).groups()
        yield path, name


def prefixes(stem):
    words = stem.split("_")
    return ["_".join(words[:n]) for n in range(len(words), 0, -1)]


def types_of(header):
    """The names of structs, unions and enums with a body in the file, if there is one."""
    if not header.exists():
        return []
    return re.findall(r"^(?:struct|union|enum) (\w+) \{", source.code_of(header), re.M)


def is_ours(file, name):
    for prefix in prefixes(file.stem) + types_of(file.with_suffix(".h")):
        if name == prefix or name.startswith((prefix + "_", prefix + "s_", prefix + "es_")):
            return True
    return False


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    rows = source.exceptions("tests/lint/names.exceptions")
    root = pathlib.Path(build) / "obj"
    objects = [str(root / p.with_suffix(".o")) for p in source.files(".c")]
    objects = [o for o in objects if pathlib.Path(o).exists()]
    if not objects:
        print("nothing is built")
        return 1
    bad = 0
    for path, name in symbols(objects):
        file = pathlib.Path(path).relative_to(root).with_suffix(".c")
        if name == "main" or name.startswith("__") or is_ours(file, name):
            continue
        if not source.is_excepted(rows, file, name):
            print(f"{file}: {name} should start with {file.stem}_")
            bad += 1
    return 1 if bad else 0


sys.exit(main())
