#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the rooms. What was clean and has not changed since, headers included, is skipped."""
import concurrent.futures
import hashlib
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import source  # noqa: E402

SKIPPED = 77


def flags():
    out = subprocess.run(["make", "-s", "print-cppflags"], stdout=subprocess.PIPE, text=True,
                         check=True).stdout
    return ["-std=gnu11", *out.split()]


def fingerprint(path, build):
    """Of all of our files that the last compilation of `path` read, or None."""
    rule = pathlib.Path(build) / "obj" / path.with_suffix(".d")
    if not rule.exists():
        return None
    names = rule.read_text().replace("\\\n", " ").split("\n", 1)[0].split(":", 1)[1].split()
    state = hashlib.sha256(pathlib.Path(".clang-tidy").read_bytes())
    for name in sorted(set(names)):
        file = pathlib.Path(name)
        if not file.is_absolute() and file.exists():
            state.update(file.read_bytes())
    return state.hexdigest()


def check(path, build, cppflags):
    mark = pathlib.Path(build) / "lint" / "tidy" / (str(path).replace("/", ".") + ".clean")
    now = fingerprint(path, build)
    if now is not None and mark.exists() and mark.read_text() == now:
        return ""
    done = subprocess.run(["clang-tidy", "--quiet", str(path), "--", *cppflags],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    if done.returncode != 0:
        return done.stdout or f"{path}: clang-tidy cannot read it"
    if now is not None:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(now)
    return ""


def main():
    if shutil.which("clang-tidy") is None:
        return SKIPPED
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    cppflags = flags()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = pool.map(lambda p: check(p, build, cppflags), source.files(".c"))
        problems = [r for r in results if r]
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
