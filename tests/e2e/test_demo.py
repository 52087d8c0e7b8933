# SPDX-License-Identifier: Apache-2.0
"""`make run`: what it prints can be pasted, from any folder, and does what it says."""
import contextlib
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

import pytest

from harness.children import as_in_a_terminal
from harness.node import BUILD, ROOT
from harness.wait import until

pytestmark = pytest.mark.heavy


def group_of(pid):
    """Processes of that group that live; those whose end nobody has heard of yet do not."""
    stats = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # gone meanwhile
            stats.append(path.read_text().rsplit(")", 1)[1].split())
    return [stat for stat in stats if int(stat[2]) == pid and stat[0] not in "ZX"]


class Demo:
    def __init__(self, folder, script="run.sh"):
        self.out = folder / "out"
        self.folder = folder
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen([ROOT / "packaging/demo" / script, BUILD], stdout=out,
                                            stderr=out, stdin=subprocess.DEVNULL, cwd="/",
                                            start_new_session=True,
                                            preexec_fn=as_in_a_terminal)
        until(lambda: "Ctrl-C ends it all" in self.text() or self.process.poll() is not None,
              timeout=30, what="the demo")
        assert self.process.poll() is None, self.text()

    def text(self):
        return self.out.read_text()

    def lines(self):
        """What is to be pasted, in order."""
        return [line.strip() for line in self.text().splitlines() if line.startswith("    ")]

    def paste(self, *lines):
        """The lines in a fresh shell, somewhere else; what it prints."""
        done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              env={"PATH": os.environ["PATH"], "HOME": str(self.folder)})
        assert done.returncode == 0, done.stdout
        return done.stdout

    def stop(self, number=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)


@pytest.fixture(name="demo")
def fixture_demo(tmp_path):
    demo = Demo(tmp_path)
    yield demo
    demo.stop(signal.SIGTERM)


def test_every_line_works_when_it_is_pasted(demo):
    first, *tries = demo.lines()
    assert first.startswith("export GATEWAYCTL_SERVER=")
    assert len(tries) == 5
    assert re.findall(r"^  ([1-5])\. ", demo.text(), re.M) == list("12345")

    assert sorted(set(demo.paste(first, tries[0]).split("\n"))) == ["", "hello from one",
                                                                   "hello from two"]
    answer = demo.paste(first, tries[1])
    assert answer.startswith("HTTP/1.1 200 OK") and "RateLimit:" in answer
    begin = time.monotonic()
    statuses = demo.paste(first, tries[2]).split()
    # Five at once and one a second: a slow machine asks eight times without being denied.
    assert statuses[0] == "200" and (statuses[-1] == "429" or time.monotonic() - begin > 2)
    states = re.findall(r"127\.0\.0\.1:\d+ +gateway +(\w+)", demo.paste(first, tries[3]))
    assert states == ["down", "up", "up", "up"]
    answer = demo.paste(first, tries[4])
    assert "is answered 404" in answer and "+ route    new" in answer
    assert answer.endswith("new\n")


def test_the_token_is_for_its_owner_only(demo):
    path, = re.findall(r"admin token: +\w+ +\(in (\S+)\)", demo.text())
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_what_it_started(demo, number):
    first, *tries = demo.lines()
    stopped = int(re.search(r"kill -STOP (\d+)", tries[3]).group(1))
    os.kill(stopped, signal.SIGSTOP)
    assert demo.stop(number) == 0
    until(lambda: not group_of(demo.process.pid), what="the end of all of it")


def test_two_demos_do_not_meet(demo, tmp_path):
    (tmp_path / "second").mkdir()
    second = Demo(tmp_path / "second")
    try:
        pattern = r"gatewayd is running: (\S+), its admin API: (\S+)"
        assert not (set(re.search(pattern, demo.text()).groups()) &
                    set(re.search(pattern, second.text()).groups()))
        assert "hello from" in second.paste(*second.lines()[:2])
    finally:
        assert second.stop() == 0
    assert "hello from" in demo.paste(*demo.lines()[:2])


# ---- make cluster-demo ----

@pytest.fixture(name="cluster")
def fixture_cluster(tmp_path):
    demo = Demo(tmp_path, "cluster.sh")
    yield demo
    demo.stop(signal.SIGTERM)


def states(table):
    """NAME and STATE of each row."""
    return re.findall(r"^(gw-[ab]) +(\w+)", table, re.M)


@pytest.mark.long
def test_every_line_of_the_cluster_works_when_it_is_pasted(cluster):
    first, *tries = cluster.lines()
    assert len(tries) == 4
    answer = cluster.paste(first, tries[0])
    assert states(answer) == [("gw-a", "ready"), ("gw-b", "ready")]
    assert answer.splitlines()[-1].startswith("HTTP/1.1 200")
    begin = time.monotonic()
    statuses = cluster.paste(first, tries[1]).split()
    took = time.monotonic() - begin
    assert statuses[:2] == ["200", "200"] and (statuses[-1] == "429" or took > 3)
    assert 5 <= statuses.count("200") <= 12 + took  # one bucket of 10, and what comes in
    answer = cluster.paste(first, tries[2])
    assert len(re.findall(r"ready +\d+ +away", answer)) == 2
    assert len(re.findall(r"ready +\d+ +connected", answer)) == 2
    assert re.search(r"state +revoked", answer)
    assert states(cluster.paste(first, tries[3])) == [
        ("gw-a", "ready"), ("gw-b", "unseen"), ("gw-a", "ready"), ("gw-b", "ready")]


def test_ctrl_c_ends_all_of_the_cluster(cluster):
    assert cluster.stop() == 0
    until(lambda: subprocess.run(["pgrep", "-f", str(BUILD / "cluster-demo")], stdout=subprocess.PIPE,
                                 check=False).stdout == b"", what="the end of all of it")
