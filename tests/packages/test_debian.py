# SPDX-License-Identifier: Apache-2.0
"""The life of the .deb on a clean system that systemd booted: install, serve, change, upgrade, hang, remove,
purge. The tests of a class go on from where the one before left off."""
import re
import shutil
import time

import pytest

import made
from container import Container, wait_for

TOKEN = "/etc/gatewayd/admin.token"
URL = "http://127.0.0.1:8080/hello"
EXAMPLES = "/usr/share/doc/gatewayd/examples"

# What is left by others than the package: package manager, user database, logs, keepalived's own names.
NOT_OURS = re.compile(r"^/(proc|sys|dev|run|tmp|var/(lib/(dpkg|apt|systemd|logrotate|misc|private)|cache|tmp|log)|root|"
                      r"etc/(passwd|group|shadow|gshadow|subuid|subgid|ld\.so\.cache|iproute2))")


SITE = """
nodes = ( { name = "gw-a"; ipv4 = "10.77.0.1"; }, { name = "gw-b"; ipv4 = "10.77.0.2"; } );
addresses = ( { name = "a"; address = "10.77.0.100/24"; home = "gw-a"; } );
"""


class Life:
    release = None

    @pytest.fixture(scope="class")
    def packages(self):
        folder = made.WORK / f"packages-{self.release}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, older in (("new", False), ("old", True)):
            source = made.debs(self.release, older=older)
            for package in ("gatewayd", "gatewayd-ha"):
                shutil.copy(made.deb(source, package), folder / f"{package}.{name}.deb")
        return folder

    @pytest.fixture(scope="class")
    def machine(self, packages):
        made.need("curl")
        needed = made.dependencies([packages / "gatewayd.new.deb", packages / "gatewayd-ha.new.deb"])
        base = made.system(self.release, "clean", sorted({*needed, "systemd-sysv", "logrotate"}))
        machine = Container(base, made.WORK / f"machine-{self.release}")
        for file in packages.glob("*.deb"):
            shutil.copy(file, machine.root / "root")
        try:
            machine.boot()
            machine.before = self.files(machine)
            yield machine
        finally:
            machine.stop()

    # ---- what is asked again and again --------------------------------------------------------

    def files(self, machine):
        every = machine.shell("find / -xdev").splitlines()
        return {path for path in every if not NOT_OURS.match(path)}

    def install(self, machine, *names):
        return machine.run("dpkg", "--install", "--force-confold", *[f"/root/{name}.deb" for name in names],
                           check=False, timeout=180)

    def ctl(self, machine, *arguments, **options):
        return machine.run("gatewayctl", "--token-file", TOKEN, *arguments, **options).stdout

    def pid(self, machine):
        return machine.show("gatewayd", "MainPID")

    def status_of(self, machine):
        return machine.http("-o", "/dev/null", "-w", "%{http_code}", URL, check=False)[-3:]

    def wait_serving(self, machine, seconds=20):
        def serves():
            """the route is served"""
            return machine.show("gatewayd", "ActiveState") == "active" and self.status_of(machine) == "200"
        wait_for(serves, seconds)

    # ---- the story ----------------------------------------------------------------------------

    def test_installing_starts_it(self, machine):
        done = self.install(machine, "gatewayd.old")
        assert done.returncode == 0, done.stdout
        assert f"gatewayctl --token-file {TOKEN} status" in done.stdout, "how to read the token is said"
        assert machine.show("gatewayd", "ActiveState") == "active", machine.shell("journalctl -u gatewayd")
        assert machine.run("systemctl", "is-enabled", "gatewayd").stdout.strip() == "enabled"
        assert made.OLDER in machine.run("gatewayd", "-V").stdout

    def test_user_and_folders(self, machine):
        entry = machine.shell("getent passwd gatewayd").strip().split(":")
        assert entry[5] == "/var/lib/gatewayd" and entry[6].endswith("nologin"), entry
        assert int(entry[2]) < 1000, "a system user"
        modes = machine.shell("stat -c '%n %U:%G %a' /var/lib/gatewayd /var/log/gatewayd /run/gatewayd "
                              f"/etc/gatewayd/gatewayd.conf /etc/gatewayd/tokens {TOKEN}")
        assert modes.splitlines() == [
            "/var/lib/gatewayd gatewayd:gatewayd 700", "/var/log/gatewayd gatewayd:adm 750",
            "/run/gatewayd gatewayd:gatewayd 750", "/etc/gatewayd/gatewayd.conf root:root 644",
            "/etc/gatewayd/tokens root:gatewayd 640", f"{TOKEN} root:root 600"]

    def test_the_token_is_kept_as_a_digest(self, machine):
        token = machine.shell(f"cat {TOKEN}").strip()
        assert re.fullmatch(r"[0-9a-f]{64}", token)
        tokens = machine.shell("cat /etc/gatewayd/tokens")
        digest = machine.shell(f"printf %s {token} | sha256sum").split()[0]
        assert f"admin admin {digest}" in tokens and token not in tokens
        assert token not in machine.shell("journalctl --boot; cat /var/log/dpkg.log")

    def test_the_token_works_and_a_request_is_routed(self, machine):
        assert re.search(r"^state +ready$", self.ctl(machine, "status"), re.M)
        assert "401" in machine.http("-i", "http://127.0.0.1:9080/v1/status").splitlines()[0]
        self.ctl(machine, "apply", f"{EXAMPLES}/resources.conf", "--yes")
        assert machine.http(URL) == "hello\n"

    def test_what_the_process_may(self, machine):
        status = machine.shell(f"cat /proc/{self.pid(machine)}/status")
        have = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        only_bind = f"{1 << 10:016x}"
        assert have["CapEff"] == have["CapBnd"] == have["CapAmb"] == only_bind
        assert have["NoNewPrivs"].strip() == "1" and have["Seccomp"].strip() == "2"
        limits = machine.shell(f"grep 'open files' /proc/{self.pid(machine)}/limits").split()
        assert limits[3] == limits[4], "as many descriptors as there may be"

    def test_documentation(self, machine):
        # Where systems leave documentation out, what is in the package counts.
        listed = machine.shell("dpkg --listfiles gatewayd")
        for file in ("man8/gatewayd.8.gz", "man5/gatewayd.conf.5.gz", "man1/gatewayctl.1.gz", "doc/gatewayd/README.md",
                     "examples/resources.conf", "examples/redis.acl", "completions/gatewayctl"):
            assert file in listed, file

    def test_a_port_below_1024_and_a_reload(self, machine):
        machine.shell(r"""sed -i 's|^listeners = (|&\n  { name = "low"; address = "127.0.0.1:80"; },|' """
                      "/etc/gatewayd/gatewayd.conf")
        machine.run("systemctl", "restart", "gatewayd")
        assert machine.http("http://127.0.0.1/hello") == "hello\n"
        machine.shell("cp /etc/gatewayd/gatewayd.conf /root/kept; echo 'what = is this' >>/etc/gatewayd/gatewayd.conf")
        assert machine.run("systemctl", "reload", "gatewayd", check=False).returncode != 0
        assert machine.http(URL) == "hello\n"
        machine.shell("cp /root/kept /etc/gatewayd/gatewayd.conf; "
                      "echo 'timeouts = { drain = \"20s\"; };' >>/etc/gatewayd/gatewayd.conf")
        machine.run("systemctl", "reload", "gatewayd")

    def test_logs_are_rotated(self, machine):
        machine.http(f"{URL}/before")
        wait_for(lambda: "before" in machine.shell("cat /var/log/gatewayd/access.log"), 5)
        machine.run("logrotate", "--force", "/etc/logrotate.d/gatewayd")

        def is_reopened():
            """the new file is written"""
            machine.http(f"{URL}/after")
            return "after" in machine.shell("cat /var/log/gatewayd/access.log || true")
        wait_for(is_reopened, 5)
        assert "before" in machine.shell("cat /var/log/gatewayd/access.log.1")

    def test_an_upgrade_serves_on_and_keeps_what_was_changed(self, machine):
        conf = machine.shell("cat /etc/gatewayd/gatewayd.conf")
        tokens = machine.shell("cat /etc/gatewayd/tokens")
        before = self.pid(machine)
        load = machine.load(URL)
        try:
            done = self.install(machine, "gatewayd.new")
        finally:
            counts = load.end()
        assert done.returncode == 0, done.stdout
        assert counts["failed"] == 0 and counts["requests"] > 100, (counts, done.stdout)
        assert "has taken over" in done.stdout, done.stdout
        assert self.pid(machine) != before
        assert machine.shell("cat /etc/gatewayd/gatewayd.conf") == conf
        assert machine.shell("cat /etc/gatewayd/tokens") == tokens
        version = re.search(r"^version +(\S+)$", self.ctl(machine, "status"), re.M)
        assert version[1] == made.VERSION
        assert machine.show("gatewayd", "ActiveState") == "active"
        assert machine.http("http://127.0.0.1/hello") == "hello\n"

    def test_a_version_that_refuses_the_configuration_is_not_put_in_place(self, machine):
        machine.shell("cp /etc/gatewayd/gatewayd.conf /root/kept; echo 'what = 1;' >>/etc/gatewayd/gatewayd.conf")
        before = self.pid(machine)
        done = self.install(machine, "gatewayd.new")
        assert done.returncode == 0 and "the old one goes on" in done.stdout and "what" in done.stdout
        assert self.pid(machine) == before and machine.http(URL) == "hello\n"
        machine.shell("cp /root/kept /etc/gatewayd/gatewayd.conf")
        assert "has taken over" in machine.run("/usr/libexec/gatewayd/replace-running").stdout
        assert machine.http(URL) == "hello\n"

    def test_the_watchdog_is_fed_by_the_one_that_took_over(self, machine):
        seconds = int(re.match(r"(\d+)s", machine.show("gatewayd", "WatchdogUSec"))[1])
        before = self.pid(machine)
        time.sleep(seconds + 2)
        assert self.pid(machine) == before and machine.show("gatewayd", "NRestarts") == "0"

    def test_one_that_took_over_is_waited_for_when_it_stops(self, machine):
        """It was not systemd that started it: once it was killed where it stood."""
        load = machine.load(URL)
        since = machine.shell("date +%s").strip()
        machine.run("systemctl", "restart", "gatewayd")
        counts = load.end()
        self.wait_serving(machine)
        said = machine.shell(f"journalctl --no-pager -u gatewayd --since @{since}")
        assert not [error for error in counts["errors"] if "Refused" not in error], f"{counts}\n{said}"
        assert '"draining: ' in said and '"message":"stopped"' in said and "status=9/KILL" not in said, said

    def test_one_that_hangs_or_dies_is_started_again(self, machine):
        for signal, seconds in (("STOP", 25), ("KILL", 10)):
            before = self.pid(machine)
            machine.shell(f"kill -{signal} {before}")

            def is_another():
                """another process"""
                return self.pid(machine) not in ("0", before)
            wait_for(is_another, seconds)
            self.wait_serving(machine)
        assert "Watchdog timeout" in machine.shell("journalctl -u gatewayd")

    def test_a_socket_of_systemd(self, machine):
        machine.shell(f"zcat -f {EXAMPLES}/gatewayd.socket* >/etc/systemd/system/gatewayd.socket; "
                      "systemctl daemon-reload; systemctl stop gatewayd; systemctl start gatewayd.socket")
        # Nobody listens but systemd: the first request starts the gateway.
        assert machine.http(URL) == "hello\n"
        load = machine.load(URL)
        machine.run("systemctl", "restart", "gatewayd")
        counts = load.end()
        assert not [error for error in counts["errors"] if "Refused" in error], counts
        machine.shell("systemctl stop gatewayd.socket gatewayd; rm /etc/systemd/system/gatewayd.socket; "
                      "systemctl daemon-reload; systemctl start gatewayd")
        self.wait_serving(machine)

    def test_the_pair_beside_systemd(self, machine):
        """One node of a pair whose other is not there: it holds the address, and nobody holds it while
        what should be behind it is dead."""
        done = self.install(machine, "gatewayd-ha.new")
        assert done.returncode == 0, done.stdout
        assert self.status_of(machine) == "200"
        machine.shell("ip link add eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up; "
                      "ip address add 10.77.0.1/24 dev eth0")
        machine.shell("cat >/root/ha.conf", input=SITE)
        machine.shell("cp -a /etc/gatewayd/gatewayd.conf /root; cd /root && "
                      "gatewayctl ha config ha.conf --node gw-a --out pair && "
                      "cp pair/keepalived.conf /etc/keepalived/ && cp pair/ha.addresses /etc/gatewayd/ && "
                      "echo 'ha = { addresses = \"/etc/gatewayd/ha.addresses\"; };' >>/etc/gatewayd/gatewayd.conf && "
                      "systemctl restart gatewayd && "
                      "systemctl enable --now gatewayd-hold gatewayd-watch && systemctl restart keepalived")
        self.wait_held(machine)
        assert machine.http("http://10.77.0.100:8080/hello") == "hello\n"
        assert machine.show("gatewayd-watch", "User") == "gatewayd"

        mastered = self.times_master(machine)
        machine.run("systemctl", "kill", "-s", "KILL", "gatewayd", check=False)
        self.wait_said(machine, "keepalived", "Entering FAULT STATE")
        # systemd started it again. (What is there just after the fault is what was there before it.)
        wait_for(lambda: self.times_master(machine) > mastered, 20)
        self.wait_held(machine)

        before = machine.show("keepalived", "MainPID")
        # Its child would take the address off when the parent dies before it: all at once.
        for signal in ("STOP", "KILL"):
            machine.run("systemctl", "kill", "-s", signal, "keepalived", check=False)
        self.wait_said(machine, "keepalived", "10.77.0.100/24 was taken off eth0", "gatewayd-hold")
        self.wait_held(machine)
        assert machine.show("keepalived", "MainPID") != before

        machine.run("systemctl", "stop", "gatewayd")
        wait_for(lambda: "10.77.0.100" not in machine.shell("ip address show dev eth0"), 5)
        assert machine.shell("cat /run/gatewayd-ha/a.track").strip() == "-254"
        machine.shell("systemctl start gatewayd")
        self.wait_held(machine)
        machine.shell("systemctl stop keepalived gatewayd-watch gatewayd-hold; "
                      "cp -a /root/gatewayd.conf /etc/gatewayd/; "
                      "rm /etc/gatewayd/ha.addresses /etc/keepalived/keepalived.conf; "
                      "systemctl restart gatewayd")
        assert "10.77.0.100" not in machine.shell("ip address show dev eth0")
        self.wait_serving(machine)

    def wait_held(self, machine):
        def is_held():
            """the address is here"""
            return ("10.77.0.100/24" in machine.shell("ip address show dev eth0") and
                    machine.shell("cat /run/gatewayd-ha/a.state 2>/dev/null || true").startswith("MASTER"))
        try:
            wait_for(is_held, 20)
        except AssertionError as why:
            raise AssertionError(f"{why}\n" + machine.shell(
                "ip address show dev eth0; systemctl --no-pager status gatewayd-watch gatewayd-hold keepalived; "
                "journalctl --no-pager -n 60 -u keepalived -u gatewayd-watch -u gatewayd-hold -u gatewayd",
                check=False)) from None

    @staticmethod
    def times_master(machine):
        return machine.shell("journalctl --no-pager -u keepalived").count("Entering MASTER STATE")

    def wait_said(self, machine, unit, what, *others):
        units = " ".join(f"-u {name}" for name in (unit, *others))
        wait_for(lambda: what in machine.shell(f"journalctl --no-pager {units}"), 10)

    def test_the_package_of_the_pair(self, machine):
        assert machine.run("dpkg", "--purge", "gatewayd-ha").returncode == 0
        assert self.status_of(machine) == "200"
        left = machine.run("systemctl", "list-unit-files", "gatewayd-*", "--no-legend", check=False).stdout
        assert left == "", left

    def test_removing_keeps_what_was_made(self, machine):
        machine.run("dpkg", "--remove", "gatewayd")
        assert self.status_of(machine) == "000"
        assert machine.run("pgrep", "gatewayd", check=False).returncode != 0
        left = {path for path in self.files(machine) - machine.before if "gatewayd" in path}
        # That it was enabled is configuration too.
        kept = ("/etc/gatewayd", "/var/lib/gatewayd", "/etc/logrotate.d/", "/etc/systemd/system/multi-user.target.wants/")
        assert {path for path in left if not path.startswith(kept)} == set()
        machine.shell(f"test -s {TOKEN} && test -s /var/lib/gatewayd/journal && test -s /etc/gatewayd/gatewayd.conf")

    def test_purging_leaves_nothing(self, machine):
        machine.run("dpkg", "--purge", "gatewayd")
        assert self.files(machine) - machine.before == set()
        left = machine.shell("find /var/log /var/lib /run -name '*gatewayd*' ! -path '/var/lib/dpkg/*' -print")
        assert left == "", left
        # The user stays, as Debian's policy would have it: locked, without a file.
        assert machine.shell("find / -xdev -user gatewayd ! -path '/proc/*'") == ""
        assert machine.run("systemctl", "--failed", "--no-legend").stdout.strip() == ""


class TestDebian12(Life):
    release = "bookworm"


class TestDebian13(Life):
    release = "trixie"
