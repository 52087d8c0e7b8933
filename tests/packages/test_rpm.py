# SPDX-License-Identifier: Apache-2.0
"""The .rpm: into an empty root, and on a booted system that has rpm. Its real home, RHEL or Fedora, cannot be
fetched by the package sources of a Debian; what the packages need is therefore compared, not resolved."""
import re
import shutil

import pytest

import made
from container import Container, wait_for

TOKEN = "/etc/gatewayd/admin.token"
URL = "http://127.0.0.1:8080/hello"
CONF = "/etc/gatewayd/gatewayd.conf"


def asked(file, *what):
    return made.run("rpm", "-qp", *what, file).stdout.splitlines()


def files_in(root):
    every = made.run("find", root, "-mindepth", "1", "-path", f"{root}/var/lib/rpm", "-prune", "-o", "-printf", "/%P\n")
    return set(every.stdout.splitlines())


@pytest.fixture(scope="module")
def new():
    return made.rpms_here()


def test_an_empty_root(new, tmp_path):
    made.need_root()
    root = tmp_path / "root"
    root.mkdir()
    both = [made.rpm(new, "gatewayd"), made.rpm(new, "gatewayd-ha")]
    rpm = ["rpm", "--root", root]
    made.run(*rpm, "--nodeps", "--noscripts", "--install", *both)
    expected = {line for file in both for line in asked(file, "-l")}
    assert expected <= files_in(root)
    for file in ("/usr/sbin/gatewayd", "/usr/bin/gatewayctl", "/usr/lib/systemd/system/gatewayd.service",
                 "/usr/lib/sysusers.d/gatewayd.conf", "/usr/lib/tmpfiles.d/gatewayd.conf", CONF,
                 "/etc/logrotate.d/gatewayd", "/usr/share/man/man8/gatewayd.8.gz",
                 "/usr/share/man/man5/gatewayd.conf.5.gz", "/usr/share/man/man1/gatewayctl.1.gz",
                 "/usr/share/bash-completion/completions/gatewayctl", "/usr/share/doc/gatewayd/README.md",
                 "/usr/share/doc/gatewayd/examples/resources.conf", "/usr/libexec/gatewayd/gatewayd-watch"):
        assert file in expected, file
    assert made.run(*rpm, "--verify", "--nodeps", "gatewayd", "gatewayd-ha").stdout == ""
    made.run(*rpm, "--noscripts", "--erase", "gatewayd", "gatewayd-ha")
    left = {path for path in files_in(root) if "gatewayd" in path}
    assert left == set()


def test_what_they_say_of_themselves(new):
    main, pair = made.rpm(new, "gatewayd"), made.rpm(new, "gatewayd-ha")
    assert set(asked(main, "-c")) == {CONF, "/etc/logrotate.d/gatewayd"}
    flags = asked(main, "--qf", "[%{FILENAMES} %{FILEFLAGS:fflags} %{FILEUSERNAME}:%{FILEGROUPNAME}\\n]")
    assert f"{CONF} cn root:root" in flags, "the configuration is kept as it was changed"
    requires = "\n".join(asked(main, "-R"))
    for need in ("systemd", "libevent_core-2.1.so.7", "libcrypto.so.3", "libconfig.so", "libjansson.so.4", "libcares.so.2",
                 "libpcre2-8.so.0", "libcurl.so.4", "libhiredis.so"):
        assert re.search(rf"^{re.escape(need)}", requires, re.M), need
    assert "/usr/bin/python" not in requires and "perl" not in requires
    requires = asked(pair, "-R")
    assert any(line.startswith("keepalived") for line in requires)
    version = asked(main, "--qf", "%{VERSION}-%{RELEASE}")[0]
    assert any(re.fullmatch(rf"gatewayd(\(.*\))? = {re.escape(version)}", line) for line in requires)
    scripts = made.run("rpm", "-qp", "--scripts", main).stdout
    for part in ("systemd-sysusers gatewayd.conf", "systemd-tmpfiles --create gatewayd.conf", "first-token", "replace-running"):
        assert part in scripts, part


@pytest.fixture(scope="module")
def machine(new):
    made.need("curl")
    older = made.older_rpms_here()
    name, release = made.this_release()
    if name != "debian":
        pytest.skip("a system with rpm is made from Debian's packages")
    needed = made.dependencies([made.deb(made.debs_here(), "gatewayd")])
    base = made.system(release, "rpm", sorted({*needed, "systemd-sysv", "rpm"}))
    machine = Container(base, made.WORK / "machine-rpm")
    shutil.copy(made.rpm(new, "gatewayd"), machine.root / "root/new.rpm")
    shutil.copy(made.rpm(older, "gatewayd"), machine.root / "root/old.rpm")
    try:
        yield machine.boot()
    finally:
        machine.stop()


def test_installing_upgrading_and_erasing(machine):
    # Debian's rpm asks for packages that only dpkg knows there.
    done = machine.run("rpm", "--nodeps", "--install", "/root/old.rpm")
    assert f"gatewayctl --token-file {TOKEN} status" in done.stdout
    assert machine.show("gatewayd", "ActiveState") == "inactive", "the administrator starts it"
    machine.run("systemctl", "start", "gatewayd")
    machine.run("gatewayctl", "--token-file", TOKEN, "apply", "/usr/share/doc/gatewayd/examples/resources.conf", "--yes")
    assert machine.http(URL) == "hello\n"
    assert machine.shell("stat -c '%U:%G %a' /var/lib/gatewayd /etc/gatewayd/tokens").split() == [
        "gatewayd:gatewayd", "700", "root:gatewayd", "640"]

    machine.shell(f"echo 'timeouts = {{ drain = \"20s\"; }};' >>{CONF}")
    conf, before = machine.shell(f"cat {CONF}"), machine.show("gatewayd", "MainPID")
    load = machine.load(URL)
    try:
        done = machine.run("rpm", "--nodeps", "--upgrade", "/root/new.rpm", timeout=180)
    finally:
        counts = load.end()
    assert counts["failed"] == 0 and counts["requests"] > 100, (counts, done.stdout)
    assert "has taken over" in done.stdout, done.stdout
    assert machine.show("gatewayd", "MainPID") != before
    assert machine.shell(f"cat {CONF}") == conf
    assert machine.shell(f"test -e {CONF}.rpmnew && echo there") == "there\n"
    assert made.VERSION in machine.run("gatewayctl", "--token-file", TOKEN, "status").stdout

    def is_ended():
        """the old process has ended"""
        return machine.shell("ls -d /proc/[0-9]*/exe | xargs -n1 readlink | grep -c gatewayd || true").strip() == "1"
    wait_for(is_ended, 40)

    machine.run("rpm", "--erase", "gatewayd")
    assert machine.http(URL, check=False).startswith("curl: (7)")
    assert machine.show("gatewayd", "LoadState") == "not-found"
    machine.shell(f"test -s {TOKEN} && test -s /var/lib/gatewayd/journal && test -s {CONF}.rpmsave")
