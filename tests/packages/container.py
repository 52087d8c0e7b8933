# SPDX-License-Identifier: Apache-2.0
"""A system that is booted by its own systemd, in namespaces, with a network of nothing but loopback."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from made import need, need_root, run

HERE = pathlib.Path(__file__).resolve().parent


def wait_for(what, seconds, *, every=0.1):
    """The first true answer of what()."""
    end = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what.__doc__ or what}"
        time.sleep(every)


class Container:
    def __init__(self, base, folder):
        need("systemd-nspawn", "nsenter")
        need_root()
        self.root = pathlib.Path(folder)
        shutil.rmtree(self.root, ignore_errors=True)
        run("cp", "-a", base, self.root)
        self.log = self.root.with_suffix(".log")
        self.process = None
        self.leader = None

    def boot(self):
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "-D", str(self.root), "--register=no", "--keep-unit", "--private-network",
                 "--console=passive", "--boot"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                text = self.log.read_text(errors="replace")
                if "ermission denied" in text or "not permitted" in text:
                    pytest.skip(f"no system can be booted here: {text.strip().splitlines()[-1]}")
                raise AssertionError(f"it did not boot:\n{text}")
            self.leader = self.find_leader()
            if self.leader and self.state() in ("running", "degraded"):
                return self
            time.sleep(0.1)
        raise AssertionError(f"it did not boot within a minute:\n{self.log.read_text(errors='replace')}")

    def find_leader(self):
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            # nspawn has a helper of its own for a moment; the leader is pid 1 of its namespace.
            if os.path.basename(os.path.realpath(f"/proc/{child}/exe")) == "systemd":
                return child
        return None

    def state(self):
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    def run(self, *command, **options):
        """In all its namespaces, as root."""
        return run("nsenter", "--target", self.leader, "--mount", "--uts", "--ipc", "--net", "--pid", "--",
                   "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive",
                   "LC_ALL=C.UTF-8", *command, **options)

    def shell(self, text, **options):
        return self.run("sh", "-c", text, **options).stdout

    def show(self, unit, what):
        return self.run("systemctl", "show", "--property", what, "--value", unit).stdout.strip()

    def http(self, *arguments, check=True):
        """curl of this machine, on the network of the container."""
        return run("nsenter", "--target", self.leader, "--net", "--", "curl", "-sS", "--max-time", "10", *arguments,
                   check=check).stdout

    def load(self, url):
        return Load(self.leader, url)

    def stop(self):
        if self.process is None:
            return
        if self.leader and self.process.poll() is None:
            try:
                os.kill(int(self.leader), signal.SIGRTMIN + 4)  # systemd(1): power off
                self.process.wait(30)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        shutil.rmtree(self.root, ignore_errors=True)


class Load:
    """Requests on new and on kept connections, one after the other on each, until it is ended."""

    def __init__(self, leader, url):
        self.process = subprocess.Popen(
            ["nsenter", "--target", leader, "--net", "--", "/usr/bin/python3", str(HERE / "load.py"), url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
        assert self.process.stdout.readline() == "running\n"

    def end(self):
        """{"requests", "failed", "errors", "longest_ms"}"""
        output, _ = self.process.communicate("", timeout=60)
        return json.loads(output)
