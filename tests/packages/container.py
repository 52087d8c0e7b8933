# SPDX-License-Identifier: Apache-2.0
"""A system that is booted by its own systemd, in namespaces, with a network of nothing but loopback, or with one that
several of them share."""
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


# What has to come comes later on a machine that does much else.
PATIENCE = 3


def wait_for(what, seconds, *, every=0.1):
    """The first true answer of what()."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what.__doc__ or what}"
        time.sleep(every)


class Switch:
    """A bridge in a namespace of its own, and a client at ADDRESS/LENGTH on it."""

    def __init__(self, client):
        need("ip", "nsenter")
        need_root()
        self.space = f"gwp{os.getpid()}-switch"
        self.client = f"gwp{os.getpid()}-client"
        for space in (self.space, self.client):
            if run("ip", "netns", "add", space, check=False).returncode != 0:
                self.remove()
                pytest.skip("no network namespace can be made here")
        run("ip", "-n", self.space, "-batch", "-",
            input="link add br0 type bridge forward_delay 0 mcast_snooping 0\nlink set br0 up\nlink set lo up\n"
                  f"link add client type veth peer name eth0 netns {self.client}\nlink set client master br0 up\n")
        run("ip", "-n", self.client, "-batch", "-",
            input=f"link set lo up\nlink set eth0 up\naddress add {client} dev eth0\n")

    def remove(self):
        for space in (self.space, self.client):
            run("ip", "netns", "del", space, check=False)

    @staticmethod
    def inside(space):
        return ["nsenter", f"--net=/run/netns/{space}", "--"]

    def http(self, *arguments):
        """curl of the client."""
        return run(*self.inside(self.client), "curl", "-sS", "--max-time", "10", *arguments, check=False).stdout

    def load(self, url, **options):
        return Load(self.inside(self.client), url, **options)


# The network of a machine at a switch, as its distribution would set it up.
NETWORK = """[Unit]
Description=Network of the test
DefaultDependencies=no
Wants=network.target network-online.target
Before=network.target network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'ip link set host0 name eth0; ip address add {address} dev eth0; ip link set lo up; ip link set eth0 up'

[Install]
WantedBy=multi-user.target
"""


def own_groups(name):
    """A control group of that name in each hierarchy that a systemd would make its own in: two that share one take
    each other's services away."""
    made_groups = []
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        mounts = {"": ("unified", "."), "name=systemd": ("systemd",)}.get(controllers, ())
        for mount in (pathlib.Path("/sys/fs/cgroup") / mount for mount in mounts):
            if (mount / "cgroup.procs").exists():
                group = mount / path.lstrip("/") / name
                try:
                    group.mkdir(exist_ok=True)
                    made_groups.append(group)
                except OSError:
                    pass  # it is tried without
                break
    return made_groups


class Container:
    def __init__(self, base, folder, switch=None, address=None):
        need("systemd-nspawn", "nsenter")
        need_root()
        self.switch = switch
        self.root = pathlib.Path(folder)
        shutil.rmtree(self.root, ignore_errors=True)
        run("cp", "-a", base, self.root)
        self.log = self.root.with_suffix(".log")
        self.process = None
        self.leader = None
        self.groups = []
        if address is not None:
            self.join(address)

    def join(self, address):
        units = self.root / "etc/systemd/system"
        (units / "network.service").write_text(NETWORK.format(address=address))
        (units / "multi-user.target.wants").mkdir(exist_ok=True)
        (units / "multi-user.target.wants/network.service").symlink_to("../network.service")
        (self.root / "etc/hostname").write_text(f"{self.root.name}\n")

    def boot(self):
        where = ["--private-network"]
        first = []
        if self.switch is not None:
            where = ["--network-bridge=br0"]
            # What is measured is how they stand in for each other, not who else has work to do here.
            first = ["nice", "-n", "-15", *self.switch.inside(self.switch.space)]
        self.leader = None
        self.groups = own_groups(f"gwp{os.getpid()}-{self.root.name}")
        join = "".join(f"echo $$ >{group}/cgroup.procs; " for group in self.groups)
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", join + 'exec "$@"', "sh", *first, "systemd-nspawn", "-D", str(self.root), "--register=no",
                 "--keep-unit", *where, "--console=passive", "--boot"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60 * PATIENCE
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
        raise AssertionError(f"it did not boot in time:\n{self.log.read_text(errors='replace')}")

    def find_leader(self):
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            # nspawn has a helper of its own for a moment; the leader is pid 1 of its namespace.
            try:
                program = os.readlink(f"/proc/{child}/exe")
            except FileNotFoundError:
                continue
            if os.path.basename(program) == "systemd":
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
        return Load(["nsenter", "--target", self.leader, "--net", "--"], url)

    def cut_off(self):
        """Its power is gone: nobody is told anything by its kernel."""
        run("ip", "-n", self.switch.space, "link", "del", f"vb-{self.root.name}")
        os.kill(int(self.leader), signal.SIGKILL)
        self.process.kill()
        self.process.wait(30)

    def shut_down(self):
        """As systemctl poweroff does it."""
        if self.leader and self.process.poll() is None:
            try:
                os.kill(int(self.leader), signal.SIGRTMIN + 4)  # systemd(1): power off
                self.process.wait(30)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    @staticmethod
    def remove_group(group):
        """What was killed in it takes a moment to be gone."""
        end = time.monotonic() + 10
        while group.exists() and time.monotonic() < end:
            for folder, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    time.sleep(0.1)

    def stop(self):
        if self.process is None:
            return
        if self.switch is not None and self.process.poll() is None:
            self.cut_off()  # with a pair of them, each would wait for the other to take what it has
        else:
            self.shut_down()
        for group in self.groups:
            self.remove_group(group)
        shutil.rmtree(self.root, ignore_errors=True)


class Load:
    """Requests on new and on kept connections, one after the other on each, until it is ended."""

    def __init__(self, inside, url, pause=0.005):
        self.process = subprocess.Popen(
            [*inside, "/usr/bin/python3", str(HERE / "load.py"), url, str(pause)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
        assert self.process.stdout.readline() == "running\n"

    def end(self):
        """{"requests", "failed", "errors", "longest_ms"}"""
        output, _ = self.process.communicate("", timeout=60)
        return json.loads(output)
