# SPDX-License-Identifier: Apache-2.0
"""The running binary is replaced, under hostile neighbours: signals at the wrong time, a full disk,
files that went bad since the start, children that are killed while changes are made; and what many
replacements leave behind."""
import collections
import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness.adopted import Adopted, adopt
from harness.client import Connection, Cut
from harness.load import Load
from harness.node import BUILD, child_of, kill_unless_told
from harness.wait import SLOWNESS, scaled, until

pytestmark = pytest.mark.sanitize


@pytest.fixture
def replaceable(make_node, tmp_path):
    """A node whose binary is a file of its own."""
    node = make_node(start=False)
    node.binary = tmp_path / "gatewayd"
    shutil.copy(BUILD / "gatewayd", node.binary)
    node.start()
    node.route("r", paths=["/"], respond={"body": "here"})
    return node


def descriptors(pid):
    """What each is, numbers of sockets and the like left out; connections come and go."""
    found = []
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(link).split(":[")[0])
        except FileNotFoundError:
            continue
    return sorted(found)


def settled_descriptors(node):
    """Once they have been the same for a second: connections have ended, files are open."""
    seen = []

    def is_flat():
        seen.append(descriptors(node.process.pid))
        return len(seen) > 20 and all(one == seen[-1] for one in seen[-20:])

    until(is_flat, timeout=20, pause=0.05, what="descriptors that stay as they are")
    return seen[-1]


def memory_kb(pid):
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))


def test_the_new_program_gets_no_descriptor_but_the_link(replaceable, tmp_path):
    node = replaceable
    told = tmp_path / "told"
    real = tmp_path / "real"
    node.binary.rename(real)
    node.binary.write_text("#!/bin/sh\nfor fd in /proc/$$/fd/*; do readlink $fd; done | "
                           f"sort >{told}\nenv | grep GATEWAYD_ >>{told}\nexec {real} \"$@\"\n")
    node.binary.chmod(0o755)
    with node.connect() as kept:
        assert kept.request("GET", "/").status == 200
        assert node.upgrade().status == 200
    lines = told.read_text().splitlines()
    sockets = [line for line in lines if line.startswith("socket:")]
    # The shell's own are its script and three standard ones.
    assert len(sockets) == 1, lines
    assert not [line for line in lines if "state" in line or "anon_inode" in line], lines
    assert [line for line in lines if line.startswith("GATEWAYD_HANDOVER=")], lines


def test_many_replacements_leave_nothing_behind(replaceable):
    node = replaceable
    assert node.upgrade().status == 200
    until(lambda: node.predecessors[-1].poll() is not None, timeout=20)
    first, small = settled_descriptors(node), memory_kb(node.process.pid)
    for _ in range(scaled(25, 8)):
        assert node.upgrade().status == 200
        assert node.get("/").status == 200
    until(lambda: all(p.poll() == 0 for p in node.predecessors), timeout=20)
    last = settled_descriptors(node)
    assert len(last) <= len(first), collections.Counter(last) - collections.Counter(first)
    assert memory_kb(node.process.pid) < small * 1.3 + 1024
    assert node.child() is None


class Writing(threading.Thread):
    """Makes plans, one after the other, each once."""

    def __init__(self, node, name):
        super().__init__()
        self.node, self.name = node, name
        self.taken, self.open, self.count, self.wrong = [], [], 0, []
        self.ends = threading.Event()
        self.start()

    def run(self):
        while not self.ends.is_set():
            self.count += 1
            plan = f"{self.name}-{self.count}"
            try:
                answer = self.node.admin("PUT", f"/v1/plans/{plan}", {"limits": []})
            except (OSError, Cut, AssertionError) as error:
                self.wrong.append(repr(error))
                self.open.append(plan)
                continue
            if answer.status == 201:
                self.taken.append(plan)
            elif answer.status == 503:
                time.sleep(0.01)
            else:
                self.wrong.append((plan, answer.status, answer.text))


def all_plans(node):
    names, after = [], ""
    while True:
        page = node.admin("GET", f"/v1/plans?limit=1000&after={after}").json
        names += [item["name"] for item in page["items"]]
        if "next" not in page:
            return names
        after = page["next"]


def test_changes_are_made_once_whoever_dies_meanwhile(replaceable):
    """Replacements of which some are killed in their middle, while four clients write."""
    node = replaceable
    before = node.status()["revision"]
    writers = [Writing(node, f"w{i}") for i in range(4)]
    outcomes = set()
    tries, most = scaled(25, 8), 100
    while tries > 0 or outcomes != {200, 500}:
        tries, most = tries - 1, most - 1
        assert most > 0, f"only {outcomes} in all of the replacements"
        parent = node.process
        upgrading = threading.Thread(target=lambda: outcomes.add(node.upgrade().status))
        upgrading.start()
        pid = None
        while pid is None and upgrading.is_alive():
            pid = child_of(parent)
        time.sleep(random.random() * 0.04 * SLOWNESS)
        if pid is not None and random.random() < 0.6:
            os.kill(pid, signal.SIGSTOP)
            kill_unless_told(node, upgrading, pid)
        upgrading.join()
        node.signal(random.choice([signal.SIGHUP, signal.SIGUSR1]))
    for writer in writers:
        writer.ends.set()
        writer.join()
    assert [w.wrong for w in writers] == [[]] * 4
    taken = sorted(plan for w in writers for plan in w.taken)
    assert sorted(all_plans(node)) == taken
    assert node.status()["revision"] == before + len(taken)
    until(lambda: all(p.poll() == 0 for p in node.predecessors), timeout=20)
    node.kill()
    node.start()
    assert sorted(all_plans(node)) == taken
    assert node.status()["revision"] == before + len(taken)


class Growing(threading.Thread):
    """Puts one large route after the other in the place of itself, so that the journal is compacted
    again and again; `taken` is the last that was acknowledged."""

    def __init__(self, node):
        super().__init__()
        self.node, self.taken, self.tried, self.wrong = node, 0, 0, []
        self.ends = threading.Event()
        self.start()

    def route(self, number):
        return {"match": {"paths": ["/grown"]},
                "respond": {"status": 200, "body": f"{number} " + "x" * 400000}}

    def run(self):
        while not self.ends.is_set():
            self.tried += 1
            try:
                answer = self.node.admin("PUT", "/v1/routes/grown", self.route(self.tried))
            except (OSError, Cut):
                time.sleep(0.01)
                continue
            if answer.status in (200, 201):
                self.taken = self.tried
            elif answer.status != 503:
                self.wrong.append((answer.status, answer.text[:500]))
            time.sleep(0.01)


def kill_all(node, child):
    """Whoever there is of it, in any order."""
    pids = [pid for pid in {node.process.pid, child, node.child()} if pid is not None]
    random.shuffle(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.process.wait()
    for pid in pids:
        Adopted(pid).wait(10 * SLOWNESS)
    node.process = None


@pytest.mark.long
def test_both_processes_are_killed_at_any_point(replaceable):
    """While changes are made and the journal is compacted. Whoever supervises the node starts it
    anew: it starts, and has what was acknowledged, once, and nothing that nobody asked for."""
    node = replaceable
    adopt()
    before = node.status()["revision"]
    writers = [Writing(node, f"w{i}") for i in range(3)]
    growing = Growing(node)
    rounds, most = scaled(20, 6), 100
    while rounds > 0 or "journal compacted" not in node.log():
        rounds, most = rounds - 1, most - 1
        assert most > 0, "it was never compacted"

        def ask():
            with contextlib.suppress(OSError, Cut):
                node.admin("POST", "/v1/upgrade", timeout=120)

        asking = threading.Thread(target=ask)
        time.sleep(random.random() * 0.3)
        asking.start()
        child = None
        while child is None and asking.is_alive():
            child = node.child()
        time.sleep(random.random() * 0.08 * SLOWNESS)
        kill_all(node, child)
        asking.join()
        node.start()
    for thread in [*writers, growing]:
        thread.ends.set()
        thread.join()
    assert growing.wrong == []
    assert [w for writer in writers for w in writer.wrong if isinstance(w, tuple)] == []
    taken = {plan for w in writers for plan in w.taken}
    unsure = {plan for w in writers for plan in w.open}
    plans = all_plans(node)
    assert len(plans) == len(set(plans))
    assert taken <= set(plans) <= taken | unsure
    grown = int(node.get("/grown").text.split(" ")[0])
    assert growing.taken <= grown <= growing.tried
    # Each revision is one change that somebody asked for.
    revisions = node.status()["revision"] - before
    assert len(plans) < revisions <= len(plans) + growing.tried
    assert node.upgrade().status == 200
    assert sorted(all_plans(node)) == sorted(plans)


def test_a_process_that_begins_and_is_given_up(make_node):
    """It hears signals when it can, and none of them ends it; and it ends of its own when whoever
    started it does, before it has said what there is to inherit."""
    node = make_node(start=False)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, open(node.log_path, "ab") as log:
        process = subprocess.Popen([node.binary, "-c", node.config_path], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, pass_fds=[theirs.fileno()],
                                   env={**os.environ, "GATEWAYD_HANDOVER": str(theirs.fileno())})
        theirs.close()
        ours.settimeout(30 * SLOWNESS)
        assert ours.recv(65536).startswith(b"GWUP")
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            process.send_signal(number)
    try:
        assert process.wait(30 * SLOWNESS) == 1, node.log()
    finally:
        process.kill()
    assert "says nothing" in node.log()


def test_signals_all_along(replaceable):
    """SIGHUP and SIGUSR1 at any time, to both processes: an upgrade succeeds or the old one goes on."""
    node = replaceable
    load = Load(node.address, ["/"], connections=4, renew=0.1)
    over = threading.Event()

    def disturb():
        while not over.is_set():
            parent = node.process
            for number in (signal.SIGHUP, signal.SIGUSR1):
                child = None
                try:
                    child = child_of(parent)
                    os.kill(parent.pid, number)
                    if child is not None:
                        os.kill(child, number)
                except (ProcessLookupError, FileNotFoundError):
                    continue
                time.sleep(0.01 * random.random())

    disturber = threading.Thread(target=disturb)
    disturber.start()
    outcomes = [node.upgrade().status for _ in range(scaled(20, 5))]
    over.set()
    disturber.join()
    assert set(outcomes) <= {200, 500}
    assert node.upgrade().status == 200
    report = load.stop()
    assert report.failures == [], (report, outcomes)


@pytest.mark.parametrize("damage", ["empty", "words", "key of another"])
def test_a_certificate_that_went_bad_leaves_the_old_process_with_the_good_one(
        make_node, tmp_path, damage):
    from harness.certs import Authority
    from harness.ports import free_port
    cert, key = Authority(tmp_path / "ca").issue("a", "a.test")
    other = Authority(tmp_path / "cb").issue("b", "b.test")
    node = make_node(start=False)
    port = free_port()
    node.config["listeners"].append({"name": "s", "address": f"127.0.0.1:{port}",
                                     "tls": {"cert": str(cert), "key": str(key)}})
    node.write_config()
    node.start()
    node.route("r", paths=["/"], respond={"body": "here"})
    load = Load(("127.0.0.1", port), ["/"], connections=2, renew=0.1, tls=True)
    good = pathlib.Path(cert).read_text(), pathlib.Path(key).read_text()
    if damage == "key of another":
        shutil.copy(other[1], key)
    else:
        pathlib.Path(cert).write_text("" if damage == "empty" else "no certificate\n")
    process = node.process
    answer = node.upgrade()
    assert answer.status == 500, answer
    assert node.process is process and process.poll() is None
    pathlib.Path(cert).write_text(good[0])
    pathlib.Path(key).write_text(good[1])
    assert node.upgrade().status == 200
    report = load.stop()
    assert report.failures == [], report


@pytest.mark.skipif(os.geteuid() != 0, reason="it makes a small file system")
def test_a_full_disk(replaceable, tmp_path):
    """The new process serves, or the old one goes on; what was taken stays."""
    node = replaceable
    node.stop()
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", disk], check=True)
    try:
        state = node.folder / "state"
        shutil.copytree(state, disk / "state")
        shutil.rmtree(state)
        state.symlink_to(disk / "state")
        node.start()
        assert node.admin("PUT", "/v1/plans/before", {"limits": []}).status == 201
        filler = disk / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        load = Load(node.address, ["/"], connections=2, renew=0.1)
        for _ in range(3):
            assert node.upgrade().status in (200, 500)
            assert node.get("/").status == 200
            for i in range(300):
                answer = node.admin("PUT", f"/v1/plans/full{i}", {"limits": [
                    {"name": f"l{i}", "rate": i + 1} for i in range(32)]})
                assert answer.status in (201, 200, 507, 503), answer
                if answer.status == 507:
                    break
        filler.unlink()
        until(lambda: node.admin("PUT", "/v1/plans/after", {"limits": []}).status in (200, 201),
              timeout=20)
        assert node.upgrade().status == 200
        assert {"before", "after"} <= set(all_plans(node))
        report = load.stop()
        assert report.failures == [], report
    finally:
        node.kill()
        subprocess.run(["umount", "-l", disk], check=True)


def test_what_is_drained_meanwhile_is_so_in_the_new_process(make_node, tmp_path):
    """The operator does not know, and was answered: no word of his is lost because the new process
    takes its time."""
    begun, told = tmp_path / "begun", tmp_path / "told"
    node = make_node(start=False)
    node.config["listeners"].append({"name": "other", "address": f"127.0.0.2:{node.port}"})
    node.write_config()
    node.binary = tmp_path / "gatewayd"
    node.binary.symlink_to(BUILD / "gatewayd")
    node.start()
    node.route("r", respond={"body": "here"})
    assert node.admin("POST", "/v1/drain", {"address": "other"}).status == 200
    script = tmp_path / "slow"
    script.write_text(f"#!/bin/sh\ntouch {begun}\nwhile [ ! -e {told} ]; do sleep 0.02; done\n"
                      f"exec {BUILD}/gatewayd \"$@\"\n")
    script.chmod(0o755)
    node.binary.unlink()
    node.binary.symlink_to(script)
    answers = []
    upgrading = threading.Thread(target=lambda: answers.append(node.upgrade()))
    upgrading.start()
    until(begun.exists, what="the new process")
    assert node.status()["state"] == "ready"
    assert node.admin("POST", "/v1/drain", {"address": "http"}).status == 200
    assert node.admin("DELETE", "/v1/drain?address=other").status == 204
    told.touch()
    upgrading.join()
    assert answers[0].status == 200, answers
    until(lambda: node.get("/").header("Connection") == "close", what="the drain")
    with Connection(("127.0.0.2", node.port), 10 * SLOWNESS) as c:
        assert c.request("GET", "/").header("Connection") is None
    assert node.admin("DELETE", "/v1/drain").status == 204
