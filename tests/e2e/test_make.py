# SPDX-License-Identifier: Apache-2.0
"""What make offers beside building: help, installing, the line that the tests end in."""
import os
import subprocess

from harness.node import BUILD, ROOT

TARGETS = ["all", "asan", "bench", "coverage", "debug", "format", "fuzz", "help", "install", "lint",
           "run", "test", "tsan"]


def make(*args):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(["make", "-s", f"BUILD={os.path.relpath(BUILD, ROOT)}", *args], cwd=ROOT, env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_help_names_every_target():
    lines = make("help").splitlines()
    named = {line.split()[1] for line in lines if line.startswith("  make ")}
    assert set(TARGETS) <= named


def test_install_puts_programs_manual_pages_and_documentation_in_place(tmp_path):
    os.umask(0o077)
    try:
        make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    finally:
        os.umask(0o022)
    files = {str(p.relative_to(tmp_path)): p.stat().st_mode & 0o777
             for p in tmp_path.rglob("*") if p.is_file()}
    programs = {"usr/sbin/gatewayd", "usr/bin/gatewayctl"}
    assert programs <= set(files)
    for name, mode in files.items():
        assert mode == (0o755 if name in programs else 0o644), (name, oct(mode))
    for page in ("man1/gatewayctl.1", "man5/gatewayd.conf.5", "man8/gatewayd.8"):
        assert (tmp_path / "usr/share/man" / page).read_text().startswith(".TH"), page
    for name in ("usr/share/bash-completion/completions/gatewayctl",
                 "usr/share/doc/gatewayd/openapi.yaml", "usr/share/doc/gatewayd/conf.md"):
        assert name in files
    assert (tmp_path / "etc/gatewayd").is_dir()
    said = subprocess.run([tmp_path / "usr/sbin/gatewayd", "-V"], capture_output=True, text=True,
                          check=True).stdout
    assert said.startswith("gatewayd ")


# The legs themselves take long: one that ends well and one that cannot be built.
TWO_LEGS = """
import sys
sys.path.insert(0, "tests")
import legs
def good():
    return legs.counts_of_line(0, "some: 3 passed, 0 failed\\n")
def broken():
    raise legs.Broken("no compiler")
legs.LEGS[:] = [("good", good), ("broken", broken)]
sys.exit(legs.main())
"""


def legs(*wanted):
    return subprocess.run(["/usr/bin/python3", "-B", "-c", TWO_LEGS, *wanted], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)


def test_the_tests_end_in_their_count():
    for wanted, count, status in ((["good"], "3 passed, 0 failed", 0),
                                  ([], "3 passed, 1 failed", 1)):
        done = legs(*wanted)
        assert (done.stdout.splitlines()[-1], done.returncode) == (count, status), done.stdout
    done = legs("nothing")
    assert done.returncode == 2 and "no such leg" in done.stdout
