#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Only the files named in libraries.list include a library's headers.

A line is "HEADER FILE…", both with *; a library's header that no line names may not be included.
What comes with the C library and the kernel is everybody's.
"""
import fnmatch
import pathlib
import re
import sys

sys.dont_write_bytecode = True
import source  # noqa: E402

SYSTEM = re.compile(r"^(sys|netinet|arpa|linux|net)/|^[a-z0-9]+\.h$")
LIBRARIES_WITHOUT_FOLDER = ("libconfig.h", "jansson.h", "pcre2.h", "ares.h", "jwt.h", "zlib.h")


def allowed_files():
    rows = []
    for line in pathlib.Path("tests/lint/libraries.list").read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            rows.append((words[0], words[1:]))
    return rows


def is_system(header):
    return header not in LIBRARIES_WITHOUT_FOLDER and SYSTEM.match(header)


def may_include(rows, path, header):
    return any(fnmatch.fnmatch(header, pattern) and
               any(fnmatch.fnmatch(str(path), f) for f in files)
               for pattern, files in rows)


def main():
    rows = allowed_files()
    bad = 0
    for path in source.files(".c", ".h"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
            if found and not is_system(found.group(1)) and \
                    not may_include(rows, path, found.group(1)):
                print(f"{path}:{number}: <{found.group(1)}> is another file's to know")
                bad += 1
    return 1 if bad else 0


sys.exit(main())
