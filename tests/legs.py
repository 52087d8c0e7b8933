# SPDX-License-Identifier: Apache-2.0
"""The legs of `make test`, one after the other; the counts of all are added.

  tests/run [LEG…]   without a leg: all but the long ones and the packages

Each leg is commands to run and a way to count: JUnit reports, or the line "name: N passed, N failed"
that our own runners end in. A leg that cannot be built, crashes, hangs or counts nothing is one
failure more, so that a broken leg can never look like a green one.
"""
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

JOBS = str(os.cpu_count() or 2)
ASAN = ["BUILD=build-asan", "OPT=-O1", "SAN=address,undefined"]
TSAN = ["BUILD=build-tsan", "OPT=-O1", "SAN=thread"]
LINE = re.compile(r"^\w+: (\d+) passed, (\d+) failed$", re.M)
STORIES = pathlib.Path("tests/e2e")


class Counts:
    def __init__(self):
        self.passed = self.failed = 0
        self.failures = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.failures += other.failures


class Broken(Exception):
    """A leg that could not be run to its end."""


def run(command, timeout, env=None, log=None):
    """(status, output); the whole process group ends with the command or the timeout."""
    full = dict(os.environ, **(env or {}))
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        full.pop(name, None)
    process = subprocess.Popen(command, env=full, stdin=subprocess.DEVNULL, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                               start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(2)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        output, _ = process.communicate()
        raise Broken(f"{' '.join(command)}: still running after {timeout} s\n{output[-4000:]}") from None
    if log is not None:
        log.write_text(output)
    return process.returncode, output


def make(*args, timeout=900):
    status, output = run(["make", "-s", "-j" + JOBS, *args], timeout)
    if status != 0:
        raise Broken(f"make {' '.join(args)} failed:\n{output[-6000:]}")


class Ahead:
    """Builds that a later leg needs, while the stories wait more than they compute: it yields the
    processors to all else. What fails is said by the leg, which makes the same again."""

    def __init__(self, *argses):
        script = " && ".join(shlex.join(["make", "-s", "-j" + JOBS, *args]) for args in argses)
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        self.process = subprocess.Popen(
            ["nice", "-n", "19", "sh", "-c", script], env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def end(self):
        """Two makes in one folder would disturb each other."""
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        self.process.wait()


def counts_of_line(status, output):
    """Of a runner of ours."""
    counts = Counts()
    lines = LINE.findall(output)
    if not lines:
        raise Broken(f"it ended without counting, with status {status}:\n{output[-6000:]}")
    counts.passed, counts.failed = map(int, lines[-1])
    if counts.failed or status:
        counts.failures.append(output[-12000:])
        counts.failed = max(counts.failed, 1)
    return counts


def gist_of_case(bad):
    """Where it failed and what was said, short enough to be read among many; the rest is in the log of
    the leg. What the nodes logged is left out, but for the last that was amiss."""
    lines = (bad.text or bad.get("message") or "").splitlines()
    logged = [line for line in lines if '{"time":' in line]
    told = [line for line in lines if '{"time":' not in line]
    amiss = [line for line in logged if '"level":"error"' in line or '"level":"warn"' in line]
    if len(told) > 24:
        told = told[:8] + ["[…]"] + told[-16:]
    return "\n".join(line[:300] for line in told + amiss[-4:])


def gist_of_report(text):
    """Of a sanitizer: the kind, and the frames in our own code."""
    lines = text.splitlines()
    kept = [line for line in lines if re.search(r"WARNING|ERROR|SUMMARY|runtime error|^  \w", line)
            or re.search(r"^ +#\d+ .*(gatewayd|admin|cluster|conf|ha)/\S+\.[ch]:\d+", line)]
    return "\n".join(line[:200] for line in (kept or lines)[:40])


def counts_of_junit(report, status, output):
    """Of pytest; skipped cases count as neither."""
    counts = Counts()
    if not report.exists():
        raise Broken(f"no report, status {status}:\n{output[-6000:]}")
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        bad = [e for e in case if e.tag in ("failure", "error")]
        if bad:
            counts.failed += 1
            counts.failures.append(f"{case.get('classname')}.{case.get('name')}\n" + gist_of_case(bad[0]))
        elif case.find("skipped") is None:
            counts.passed += 1
    if status != 0 and counts.failed == 0:
        counts.failed = 1
        counts.failures.append(f"pytest ended with status {status}:\n{output[-4000:]}")
    return counts


def has_module(name):
    return subprocess.run(["/usr/bin/python3", "-c", f"import {name}"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def sanitizer_environment(reports):
    """Whatever a program of ours does wrong is written to a file in `reports`."""
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    suppressions = pathlib.Path("tests/tsan.supp").resolve()
    return {
        "ASAN_OPTIONS": f"detect_leaks=1:log_path={reports}/asan",
        "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={reports}/ubsan",
        "TSAN_OPTIONS": f"second_deadlock_stack=1:suppressions={suppressions}:log_path={reports}/tsan",
    }


def counts_of_reports(reports):
    """Each report is a failure, whether or not a story noticed."""
    counts = Counts()
    for path in sorted(reports.iterdir()):
        counts.failed += 1
        counts.failures.append(f"{path}\n{gist_of_report(path.read_text(errors='replace'))}")
    return counts


def stories(build, sanitizer, *, marked=None, timeout=1200, is_alone=False):
    """tests/e2e against the programs in `build`; `marked` keeps those with that mark."""
    if not list(STORIES.glob("test_*.py")):
        return Counts()
    name = "stories-" + "-".join(re.findall(r"\w+", marked or "all"))  # one leg leaves another's be
    report = pathlib.Path(build) / f"{name}.xml"
    report.unlink(missing_ok=True)
    reports = (pathlib.Path(build) / f"{name}.reports").resolve()
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider",
               f"--junitxml={report}", "--tb=short", str(STORIES)]
    if has_module("xdist") and not is_alone:
        # They wait more than they compute: three at a time keep two processors busy.
        command += ["-n", str(min(6, 1 + int(JOBS))), "--dist", "load"]
    if marked:
        command += ["-m", marked]
    env = {"GATEWAYD_BUILD_DIR": build, "GATEWAYD_SANITIZER": sanitizer,
           "PYTHONDONTWRITEBYTECODE": "1", **sanitizer_environment(reports)}
    status, output = run(command, timeout, env, report.with_suffix(".log"))
    if status == 5 and marked:  # nothing is marked
        return Counts()
    counts = counts_of_junit(report, status, output)
    counts.add(counts_of_reports(reports))
    return counts


def unit(build):
    return counts_of_line(*run(["tests/unit/run", "--build", build], 900))


def leg_build():
    make("all", "unit-build")
    counts = Counts()
    counts.passed = 1
    return counts


def leg_unit():
    return unit("build")


def leg_lint():
    return counts_of_line(*run(["tests/lint/run", "--fast"], 120))


def leg_stories():
    ahead = Ahead([*ASAN, "all", "unit-build", "fuzz-replay-build"], [*TSAN, "all", "unit-build"])
    try:
        return stories("build", "", marked="not long and not ha", timeout=1200)
    finally:
        ahead.end()


def leg_stories_long():
    make("all")
    return stories("build", "", marked="long", timeout=1500)


def leg_stories_ha():
    make("all")
    return stories("build", "", marked="ha", timeout=1500, is_alone=True)


def leg_unit_asan():
    make(*ASAN, "all", "unit-build")
    return unit("build-asan")


def leg_fuzz():
    make(*ASAN, "fuzz-replay-build")
    return counts_of_line(*run(["tests/fuzz/run-replay", "build-asan"], 300))


def leg_stories_long_asan():
    make(*ASAN, "all")
    return stories("build-asan", "address", marked="sanitize_long and not ha", timeout=1500)


def leg_stories_long_tsan():
    make(*TSAN, "all")
    return stories("build-tsan", "thread", marked="sanitize_long and not ha", timeout=1500)


def leg_packages():
    """Says what it skips: without root, namespaces or package sources there is little to install on."""
    report = pathlib.Path("build/packages.xml")
    report.unlink(missing_ok=True)
    report.parent.mkdir(exist_ok=True)
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "-rs", f"--junitxml={report}", "--tb=short", "tests/packages"]
    if has_module("xdist"):
        command += ["-n", "3", "--dist", "loadscope"]
    status, output = run(command, 2400, {"PYTHONDONTWRITEBYTECODE": "1"}, report.with_suffix(".log"))
    for line in sorted(set(re.findall(r"^SKIPPED \[\d+\] (.*)$", output, re.M))):
        print(f"     skipped: {line}")
    return counts_of_junit(report, status, output)


def leg_stories_asan():
    return stories("build-asan", "address", marked="sanitize and not long")


def leg_unit_tsan():
    make(*TSAN, "all", "unit-build")
    return unit("build-tsan")


def leg_stories_tsan():
    return stories("build-tsan", "thread", marked="sanitize and not long")


LEGS = [
    ("build", leg_build), ("unit", leg_unit), ("lint", leg_lint), ("stories", leg_stories),
    ("unit-asan", leg_unit_asan), ("fuzz", leg_fuzz), ("stories-asan", leg_stories_asan),
    ("unit-tsan", leg_unit_tsan), ("stories-tsan", leg_stories_tsan),
]
# `make test` has to end within 15 minutes on two cores; these are `make test-long`.
LONG_LEGS = [
    ("stories-long", leg_stories_long), ("stories-long-asan", leg_stories_long_asan),
    ("stories-long-tsan", leg_stories_long_tsan), ("stories-ha", leg_stories_ha),
]
PACKAGE_LEGS = [("packages", leg_packages)]  # make test-packages


def run_leg(name, leg):
    begin = time.monotonic()
    try:
        counts = leg()
    except Broken as why:
        counts = Counts()
        counts.failed = 1
        counts.failures.append(str(why))
    word = "FAIL" if counts.failed else "ok  "
    print(f"{word} {name}: {counts.passed} passed, {counts.failed} failed"
          f" ({time.monotonic() - begin:.0f} s)", flush=True)
    for text in counts.failures:
        print("\n".join("     " + line for line in text.rstrip().splitlines()), flush=True)
    return counts


def main():
    wanted = sys.argv[1:]
    every = LEGS + LONG_LEGS + PACKAGE_LEGS
    unknown = set(wanted) - {name for name, _ in every}
    if unknown:
        print(f"no such leg: {', '.join(sorted(unknown))}; there are "
              + ", ".join(name for name, _ in every))
        return 2
    shutil.rmtree("tests/e2e/__pycache__", ignore_errors=True)
    total = Counts()
    for name, leg in every:
        if name in wanted or (not wanted and (name, leg) in LEGS):
            total.add(run_leg(name, leg))
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
