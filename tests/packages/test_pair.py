# SPDX-License-Identifier: Apache-2.0
"""Two machines that systemd boots, with the packages on them, become a pair by what ha/README.md says, word by word:
its commands and files are taken from there. The tests go on from where the one before left off."""
import re
import shutil
import subprocess

import pytest

import made
from container import Container, Switch, wait_for

RUNBOOK = made.ROOT / "ha/README.md"
# As the runbook has them.
ADDRESS = {"gw-a": "10.0.0.11", "gw-b": "10.0.0.12"}
REDIS = "10.0.0.20"
VIRTUAL = {"gw-a": "10.0.0.100", "gw-b": "10.0.0.101"}
ANSWERS = """
nodes = ( { name = "gw-a"; ipv4 = "10.0.0.11"; }, { name = "gw-b"; ipv4 = "10.0.0.12"; } );
addresses = ( { name = "vip-1"; address = "10.0.0.100/24"; home = "gw-a"; },
              { name = "vip-2"; address = "10.0.0.101/24"; home = "gw-b"; } );
"""
PAUSE = 0.02


def block(containing):
    """The one block of the runbook's first installation in which that stands."""
    text = RUNBOOK.read_text().split("\n## The first pair")[1].split("\n## ")[0]
    found = [part for part in re.findall(r"^```\n(.*?)^```$", text, re.M | re.S) if containing in part]
    assert len(found) == 1, f"{containing} is in {len(found)} blocks"
    return found[0]


def of(node, text):
    """What is said for the first node, for another one."""
    return text.replace("gw-a", node).replace(ADDRESS["gw-a"], ADDRESS[node])


class TestPair:
    @pytest.fixture(scope="class")
    def switch(self):
        made.need("redis-server", "curl")
        switch = Switch(f"{REDIS}/24")
        redis = None
        try:
            redis = subprocess.Popen([*switch.inside(switch.client), "redis-server", "--bind", REDIS, "--save", "",
                                      "--protected-mode", "no"], stdout=subprocess.DEVNULL, cwd="/")
            yield switch
        finally:
            if redis is not None:
                redis.kill()
                redis.wait()
            switch.remove()

    @pytest.fixture(scope="class")
    def machines(self, switch):
        name, release = made.this_release()
        if name != "debian":
            pytest.skip("machines are made from Debian's packages")
        old, new = made.debs(release, older=True), made.debs(release)
        both = ("gatewayd", "gatewayd-ha")
        needed = made.dependencies([made.deb(new, package) for package in both])
        base = made.system(release, "pair", sorted({*needed, "systemd-sysv", "curl", "openssl"}))
        machines = {}
        try:
            for node, address in ADDRESS.items():
                machine = machines[node] = Container(base, made.WORK / node, switch, f"{address}/24")
                for package in both:
                    shutil.copy(made.deb(old, package), machine.root / "root" / f"{package}.old.deb")
                    shutil.copy(made.deb(new, package), machine.root / "root" / f"{package}.new.deb")
                machine.boot()
            yield machines
        finally:
            for machine in machines.values():
                machine.stop()

    # ---- what is asked again and again --------------------------------------------------------

    def held(self, machine):
        there = machine.shell("ip -o -4 address show dev eth0")
        return {address for address in VIRTUAL.values() if f" {address}/" in there}

    def story(self, machines):
        said = "systemctl --no-pager --no-legend list-units 'gatewayd*' 'keepalived*'; ip -4 -br address; " \
               "tail -n +1 /run/gatewayd-ha/*.track /run/gatewayd-ha/*.state; journalctl --no-pager -n 60 " \
               "-u gatewayd -u gatewayd-watch -u gatewayd-hold -u keepalived"
        return "\n".join(f"==== {node}\n" + machine.run("sh", "-c", said, check=False).stdout
                         for node, machine in machines.items())

    def settle(self, machines, seconds=60):
        def is_settled():
            """every address at home, and answered there"""
            for node, machine in machines.items():
                states = machine.shell("cat /run/gatewayd-ha/*.state || true").split()
                if self.held(machine) != {VIRTUAL[node]} or sorted(states[::2]) != ["BACKUP", "MASTER"]:
                    return False
                if set(machine.shell("cat /run/gatewayd-ha/*.track || true").split()) != {"0"}:
                    return False
            return True
        try:
            wait_for(is_settled, seconds, every=0.3)
        except AssertionError as why:
            raise AssertionError(f"{why}\n{self.story(machines)}") from None

    def loads(self, switch):
        return [switch.load(f"http://{address}/hello", pause=PAUSE) for address in VIRTUAL.values()]

    def without_a_failure(self, loads, machines):
        for load in loads:
            counts = load.end()
            assert counts["failed"] == 0 and counts["requests"] > 100, f"{counts}\n{self.story(machines)}"

    # ---- the story ----------------------------------------------------------------------------

    def test_the_runbook(self, machines, switch):
        first = machines["gw-a"]
        for machine in machines.values():
            machine.run("dpkg", "--install", "/root/gatewayd.old.deb", "/root/gatewayd-ha.old.deb", timeout=180)
        first.shell("cat >/root/ha.conf", input=ANSWERS)
        # Its questions are asked of a terminal.
        asked = block("gatewayctl ha config --out pair")
        first.shell("set -e; " + asked.replace("ha config", "ha config ha.conf"))
        first.shell("set -e; " + block("openssl req -x509 -CA"))
        first.shell("set -e; cd /root/pair; " + block("scp -r").split("scp")[0])
        shutil.copytree(first.root / "root/pair", machines["gw-b"].root / "root/pair")
        for node, machine in machines.items():
            machine.shell("set -e; " + of(node, block("install -m 0644 keepalived.conf")))
            machine.shell("cat >/etc/gatewayd/gatewayd.conf", input=of(node, block("listeners = (")))
            machine.shell("mkdir -p /root/.config; cat >/root/.config/gatewayctl.conf",
                          input=of(node, block("token_file = ")))
            machine.shell("set -e; " + block("systemctl enable --now"))
        self.settle(machines)
        said = first.shell("set -e; export HOME=/root; " + block("gatewayctl nodes").replace(
            "resources.conf ", "resources.conf --yes "))
        assert len(re.findall(r"^gw-[ab] +ready ", said, re.M)) >= 2, said
        assert said.count("HTTP/1.1 200 OK") == 2 and said.count("\nhello\n") == 2, said
        for address in VIRTUAL.values():
            assert switch.http(f"http://{address}/hello") == "hello\n"

    def test_the_programs_beside_it(self, machines):
        for machine in machines.values():
            for unit in ("gatewayd", "gatewayd-watch", "gatewayd-hold", "keepalived"):
                assert machine.show(unit, "ActiveState") == "active" and machine.show(unit, "NRestarts") == "0", unit
            assert machine.show("gatewayd-watch", "User") == "gatewayd"
            pid = machine.show("gatewayd-hold", "MainPID")
            assert re.search(rf"^CapEff:\t{1 << 12:016x}$", machine.shell(f"cat /proc/{pid}/status"), re.M)

    def test_an_upgrade_of_both_moves_nothing(self, machines, switch):
        mastered = {node: self.times_master(machine) for node, machine in machines.items()}
        loads = self.loads(switch)
        for machine in machines.values():
            done = machine.run("nice", "-n", "19", "dpkg", "--install", "--force-confold", "/root/gatewayd.new.deb",
                               "/root/gatewayd-ha.new.deb", timeout=180)
            assert "has taken over" in done.stdout, done.stdout
        self.settle(machines)
        self.without_a_failure(loads, machines)
        assert {node: self.times_master(machine) for node, machine in machines.items()} == mastered
        for machine in machines.values():
            assert made.VERSION in machine.shell("HOME=/root gatewayctl status").split()

    @staticmethod
    def times_master(machine):
        return machine.shell("journalctl --no-pager -u keepalived").count("Entering MASTER STATE")

    def test_a_machine_that_is_shut_down_fails_nothing(self, machines, switch):
        machine = machines["gw-b"]
        loads = self.loads(switch)
        machine.shut_down()
        wait_for(lambda: self.held(machines["gw-a"]) == set(VIRTUAL.values()), 10)
        machine.boot()
        self.settle(machines)
        self.without_a_failure(loads, machines)

    def test_a_machine_that_dies_is_stood_in_for(self, machines, switch):
        dead, other = machines["gw-a"], machines["gw-b"]
        load = switch.load(f"http://{VIRTUAL['gw-b']}/hello", pause=PAUSE)
        dead.cut_off()

        def answers():
            """the address of the dead machine"""
            return switch.http("--connect-timeout", "1", f"http://{VIRTUAL['gw-a']}/hello") == "hello\n"
        wait_for(answers, 10)
        assert self.held(other) == set(VIRTUAL.values())
        dead.boot()
        self.settle(machines)
        wait_for(answers, 10)
        # Those of the one that lives notice nothing.
        self.without_a_failure([load], machines)
