#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone, as the first include, and has a guard named after its path."""
import concurrent.futures
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import source  # noqa: E402


def flags():
    out = subprocess.run(["make", "-s", "print-cppflags"], stdout=subprocess.PIPE, text=True,
                         check=True).stdout
    return out.split()


def check(header, cppflags):
    problems = []
    guard = re.sub(r"[^A-Z0-9]", "_", str(header).upper())
    if f"#ifndef {guard}\n#define {guard}\n" not in header.read_text():
        problems.append(f"{header}: its guard should be {guard}")
    done = subprocess.run(["gcc", "-std=gnu11", "-fsyntax-only", "-Wall", "-Werror", "-x", "c", "-",
                           *cppflags], input=f'#include "{header}"\n#include "{header}"\n',
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        problems.append(f"{header} does not compile alone:\n{done.stdout}")
    return problems


def main():
    cppflags = flags()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = pool.map(lambda h: check(h, cppflags), source.files(".h"))
        problems = [p for found in results for p in found]
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
