# SPDX-License-Identifier: Apache-2.0
"""The running binary is replaced: nobody notices, whatever becomes of the new one."""
import contextlib
import fcntl
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness.adopted import adopt
from harness.certs import Authority
from harness.client import Connection, Cut
from harness.load import Load
from harness.node import BUILD, TOKENS, child_of, kill_unless_told
from harness.ports import free_port
from harness.offer import Admitted
from harness.wait import SANITIZED, SLOWNESS, ends, scaled, until
from harness.websocket import read_frame, upgrade

pytestmark = pytest.mark.sanitize


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca")).issue("load", "load.test")


class Asking(threading.Thread):
    """Calls the admin API without a pause, on kept connections and on new ones."""

    def __init__(self, node):
        super().__init__()
        self.node = node
        self.reads = 0
        self.writes = 0
        self.wrong = []
        self.ends = threading.Event()
        self.start()

    def run(self):
        kept = None
        while not self.ends.is_set():
            try:
                kept = kept or self.node.admin_connection()
                answer = kept.call("GET", "/v1/status")
                if answer.status != 200 or answer.json["state"] != "ready":
                    self.wrong.append(answer)
                if answer.header("Connection") == "close":
                    kept.close()
                    kept = None
                self.reads += 1
                if self.node.admin("GET", "/readyz", token=None).status != 200:
                    self.wrong.append("not ready")
                answer = self.node.admin("PUT", f"/v1/plans/p{self.writes % 7}",
                                         {"limits": [{"name": "l", "rate": self.writes + 1}]})
                # While one process lets go and the other takes, writes may be put off.
                if answer.status == 503:
                    assert answer.header("Retry-After") is not None
                elif answer.status not in (200, 201):
                    self.wrong.append(answer)
                else:
                    self.writes += 1
            except (OSError, Cut, AssertionError) as error:
                self.wrong.append(repr(error))
                kept = None
            time.sleep(0.005)

    def has_asked(self):
        return self.wrong or (self.reads > 0 and self.writes > 0)

    def stop(self):
        self.ends.set()
        self.join()
        assert not self.wrong, self.wrong[:5]


def listeners(node, tmp_path, certificate):
    cert, key = certificate
    unix, secure = str(tmp_path / "in.sock"), free_port()
    node.config["listeners"] += [
        {"name": "unix", "address": f"unix:{unix}"},
        {"name": "https", "address": f"127.0.0.1:{secure}",
         "tls": {"cert": str(cert), "key": str(key)}}]
    node.write_config()
    return unix, ("127.0.0.1", secure)


def upgrade_often(node, origin, count, tmp_path, certificate, change=lambda i: None):
    unix, secure = listeners(node, tmp_path, certificate)
    node.start()
    node.upstream("o", origin)
    node.route("r", "o")
    node.route("here", paths=["/here"], respond={"body": "here"})
    paths = ["/", "/here"]
    loads = [Load(node.address, paths, connections=4, renew=0.2),
             Load(node.address, paths, connections=8, pause=0.05),
             Load(unix, paths, connections=2, renew=0.1),
             Load(secure, paths, connections=2, renew=0.1, tls=True, pause=0.01)]
    asking = Asking(node)
    try:
        for i in range(count):
            change(i)
            answer = node.upgrade()
            assert answer.status == 200, answer
            time.sleep(random.random() * 0.2)
        until(asking.has_asked, timeout=20, what="the admin API being used")
        for load in loads:
            load.reaches(count)
    finally:
        reports = [load.stop() for load in loads]
        asking.ends.set()
    asking.stop()
    for report in reports:
        assert report.failures == [], report
    until(lambda: all(p.poll() == 0 for p in node.predecessors), timeout=20,
          what="the end of the processes before")


def test_a_dozen_upgrades_under_load(make_node, origin, tmp_path, certificate):
    upgrade_often(make_node(start=False), origin, scaled(12, 4), tmp_path, certificate)


@pytest.mark.long
@pytest.mark.sanitize_long
def test_a_hundred_upgrades_under_load(make_node, origin, tmp_path, certificate):
    upgrade_often(make_node(start=False), origin, scaled(100, 30), tmp_path, certificate)


def test_another_number_of_workers(make_node, origin, tmp_path, certificate):
    node = make_node(start=False, workers=4)

    def change(i):
        node.config["workers"] = (2, 4, 1, 4)[i % 4]
        node.write_config()

    upgrade_often(node, origin, scaled(8, 4), tmp_path, certificate, change)


def test_signal(make_node):
    node = make_node()
    adopt()
    node.signal(signal.SIGUSR2)
    until(lambda: "has taken over" in node.log())
    pid = int(node.log().split("has taken over")[0].rsplit("process ", 1)[1].split(" ")[0])
    node.is_replaced_by(pid)
    assert node.predecessors[0].wait(10 * SLOWNESS) == 0
    assert node.admin("GET", "/readyz", token=None).status == 200


def test_what_is_under_way_ends_where_it_began(make_node, make_origin):
    goes_on = threading.Event()

    def slow(peer, request):
        if request.header("Upgrade") is not None:
            peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
            goes_on.wait(60)
            return False
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + "x" * 100000)
        goes_on.wait(60)
        peer.send("y" * 100000)
        return True

    node = make_node()
    node.upstream("o", make_origin(slow))
    node.route("r", "o")
    tunnel = upgrade(node, path="/ws")
    download = node.connect()
    download.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
    download.take(50000)
    first = node.process
    upload = node.connect()
    upload.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + "x" * 40000)
    until(lambda: node.status()["exchanges"] >= 2)
    assert node.upgrade().status == 200
    # It is the node that has it, in whatever process.
    status = node.status()
    assert status["connections"] == 3 and status["exchanges"] >= 2, status
    opcode, payload = read_frame(tunnel.take)
    assert (opcode, payload[:2]) == (8, (1001).to_bytes(2, "big"))
    assert first.poll() is None
    goes_on.set()
    download.take(150000)
    upload.send("x" * 60000)
    assert upload.read().status == 200
    upload.close()
    download.close()
    tunnel.close()
    assert first.wait(20 * SLOWNESS) == 0
    until(lambda: node.status()["connections"] == 0)


def test_a_kept_connection_ends_with_its_next_answer(make_node, make_origin):
    """That one goes by the configuration of the hand-over, whoever comes anew by the present one."""
    goes_on = threading.Event()

    def slow(peer, request):
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx")
        goes_on.wait(20)
        peer.send("yyyy")
        return True

    node = make_node()
    node.upstream("o", make_origin(slow))
    node.route("slow", "o", paths=["/slow"])
    node.route("r", paths=["/"], respond={"body": "before"})
    with node.connect() as kept, node.connect() as busy:
        assert kept.request("GET", "/").body == b"before"
        busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        begun = busy.head()
        assert node.upgrade().status == 200
        node.route("r", paths=["/"], respond={"body": "after"})
        assert node.get("/").body == b"after"
        answer = kept.request("GET", "/")
        assert (answer.body, answer.header("Connection")) == (b"before", "close")
        assert kept.is_closed()
        # What had begun without saying so says it with the one after.
        assert ("Connection", "close") not in begun[3]
        goes_on.set()
        assert busy.take(5) == b"xyyyy"
        answer = busy.request("GET", "/")
        assert (answer.body, answer.header("Connection")) == (b"before", "close")
        assert busy.is_closed()
    assert node.predecessors[0].wait(10 * SLOWNESS) == 0


def test_a_socket_that_systemd_gave(make_node, tmp_path):
    node = make_node(start=False)
    adopt()
    unix = str(tmp_path / "given.sock")
    with socket.create_server(("127.0.0.1", 0), backlog=100) as tcp, \
            socket.socket(socket.AF_UNIX) as local:
        local.bind(unix)
        local.listen(100)
        node.address = tcp.getsockname()
        node.config["listeners"] = [
            {"name": "http", "address": f"127.0.0.1:{node.address[1]}"},
            {"name": "local", "address": f"unix:{unix}"}]
        node.write_config()

        def give():
            high = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 100) for one in (tcp, local)]
            for place, fd in enumerate(high, 3):
                os.dup2(fd, place)
                os.close(fd)

        with open(node.log_path, "ab") as log:
            node.process = subprocess.Popen(
                ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', str(BUILD / "gatewayd"), "-c",
                 str(node.config_path)],
                stdout=log, stderr=log, close_fds=False, preexec_fn=give,
                env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http:local"})
        until(node._is_ready_or_ended)
        node.route("r", paths=["/"], respond={"body": "here"})
        loads = [Load(node.address, ["/"], connections=4, renew=0.3),
                 Load(unix, ["/"], connections=4, renew=0.3)]
        for _ in range(scaled(6, 3)):
            assert node.upgrade().status == 200
            time.sleep(0.05)
        for load in loads:
            load.reaches(1)
            report = load.stop()
            assert report.failures == [], report
        # They outlive the last process, too.
        assert node.stop() == 0
        socket.create_connection(node.address).close()


def test_a_listener_goes_and_another_comes(make_node):
    node = make_node(start=False)
    old, new = free_port(), free_port()
    node.config["listeners"].append({"name": "other", "address": f"127.0.0.1:{old}"})
    node.write_config()
    node.start()
    node.route("r", paths=["/"], respond={"body": "here"})
    with Connection(("127.0.0.1", old)) as kept:
        assert kept.request("GET", "/").status == 200
        node.config["listeners"][1]["address"] = f"127.0.0.1:{new}"
        node.write_config()
        assert node.upgrade().status == 200
        with Connection(("127.0.0.1", new)) as link:
            assert link.request("GET", "/").status == 200
        assert kept.request("GET", "/").status == 200
    assert node.predecessors[0].wait(10 * SLOWNESS) == 0
    with pytest.raises(OSError):
        Connection(("127.0.0.1", old))


def test_tls_sessions_are_resumed_by_the_new_process(make_node, tmp_path, certificate):
    node = make_node(start=False)
    _, address = listeners(node, tmp_path, certificate)
    node.start()
    node.route("r", paths=["/"], respond={"body": "here"})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(socket.create_connection(address)) as link:
        session = link.session
    assert node.upgrade().status == 200
    with context.wrap_socket(socket.create_connection(address), session=session) as link:
        assert link.session_reused


def test_what_the_operator_drained_stays_drained(make_node):
    node = make_node()
    assert node.admin("POST", "/v1/drain", {}).status == 200
    assert node.upgrade().status == 200
    assert node.status()["state"] == "draining"
    assert node.admin("DELETE", "/v1/drain").status == 204
    assert node.status()["state"] == "ready"


# ---- a new process that cannot ----


@pytest.fixture
def replaceable(make_node, tmp_path):
    """A node whose binary is a file of its own."""
    node = make_node(start=False)
    node.binary = tmp_path / "gatewayd"
    shutil.copy(BUILD / "gatewayd", node.binary)
    node.start()
    node.route("r", paths=["/"], respond={"body": "here"})
    return node


def put_in_place(path, content, mode=0o755):
    beside = path.with_suffix(".new")
    if isinstance(content, pathlib.Path):
        shutil.copy(content, beside)
    else:
        beside.write_bytes(content)
    beside.chmod(mode)
    beside.rename(path)


def goes_on(node, number=[0]):
    """It serves, takes changes and keeps them."""
    assert node.get("/").status == 200
    assert node.status()["state"] == "ready"
    number[0] += 1
    assert node.admin("PUT", f"/v1/plans/q{number[0]}", {"limits": []}).status == 201


def fails(node, words):
    process = node.process
    answer = node.upgrade()
    assert answer.status == 500, answer
    for word in words if isinstance(words, tuple) else (words,):
        assert word in answer.json["detail"], answer
        until(lambda w=word: w in node.log(), what=word)
    assert node.process is process and process.poll() is None
    goes_on(node)


def test_a_new_binary_that_does_not_start(replaceable):
    node = replaceable
    node.binary.unlink()
    fails(node, "No such file")
    for content, mode, words in (
            (b"\x7fELF this is none", 0o755, "cannot be started"),
            (b"#!/bin/sh\nexit 3\n", 0o755, "ended with status 3"),
            (b"#!/bin/sh\nkill -SEGV $$\n", 0o755, "killed by signal 11"),
            (b"#!/no/such/interpreter\n", 0o755, "cannot be started")):
        put_in_place(node.binary, content, mode)
        fails(node, words)
    put_in_place(node.binary, BUILD / "gatewayd")
    assert node.upgrade().status == 200
    goes_on(node)


def test_a_new_process_that_refuses_its_configuration(replaceable, tmp_path):
    node = replaceable
    right = node.config_path.read_text()
    node.config_path.write_text(right + "\nworkerz = 3;\n")
    fails(node, ("refuses its configuration", "workerz"))
    node.config_path.write_text(right.replace("listeners", "listeners = ();\nlisteners_"))
    fails(node, "refuses its configuration")
    # What only shows when it is bound.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        node.config["listeners"].append(
            {"name": "taken", "address": f"127.0.0.1:{taken.getsockname()[1]}"})
        node.write_config()
        fails(node, ("cannot listen on", "Address already in use"))
    node.config_path.write_text(right.replace(str(node.folder / "state"),
                                              str(tmp_path / "nowhere")))
    fails(node, "nowhere")
    node.config_path.write_text(right)
    assert node.upgrade().status == 200
    goes_on(node)


class Upgrading(threading.Thread):
    """An upgrade in the background; its child is found, and the answer kept."""

    def __init__(self, node):
        super().__init__()
        self.node = node
        self.parent = node.process
        self.answer = None
        self.start()

    def run(self):
        self.answer = self.node.upgrade()

    def stop_child(self, after=0):
        """The child, stopped so many seconds after it began; None: it had the node already."""
        pid = None
        while pid is None and self.is_alive():
            pid = child_of(self.parent)
        if pid is not None:
            time.sleep(after)
            os.kill(pid, signal.SIGSTOP)
        return pid


def test_a_new_process_that_dies_at_any_point(replaceable):
    """Stopped first, so that it is known whether it had been told that all is its own."""
    node = replaceable
    load = Load(node.address, ["/"], connections=4, renew=0.2)
    tries, failed = 0, 0
    while tries < scaled(20, 8) or failed == 0:
        tries += 1
        assert tries < 100, "it was never killed in time"
        upgrading = Upgrading(node)
        pid = upgrading.stop_child(after=random.random() * 0.03 * SLOWNESS)
        is_killed = kill_unless_told(node, upgrading, pid)
        upgrading.join()
        if is_killed:
            assert upgrading.answer.status == 500
            assert "killed by signal 9" in upgrading.answer.json["detail"]
            failed += 1
        else:
            assert upgrading.answer.status == 200
        goes_on(node)
    report = load.stop()
    assert report.failures == [], report


def holds_the_folder(node, pid):
    """The lock of state.dir is that process's: the one before has said its last but YOURS."""
    inode = (node.folder / "state" / "lock").stat().st_ino
    return any(line.split()[4] == str(pid) and line.split()[5].endswith(f":{inode}")
               for line in pathlib.Path("/proc/locks").read_text().splitlines()
               if "->" not in line)


def comes(condition):
    """Whether it comes: not if the process before was stopped when more was to be done."""
    with contextlib.suppress(AssertionError):
        return until(condition, timeout=4)
    return False


def listening(port):
    """How many sockets of it listen."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def test_a_new_process_that_dies_before_it_is_told_that_all_is_its_own(make_node):
    """It has sockets of its own beside those it was given, for it has more workers. Who comes while
    it waits for the last word of the process before, and it dies, is answered by that one."""
    node = make_node(workers=1)
    node.route("r", paths=["/"], respond={"body": "here"})
    hits = 0
    for _ in range(100):
        node.config["workers"] = 6
        node.write_config()
        log = len(node.log())
        upgrading = Upgrading(node)
        pid = until(lambda: node.child() or not upgrading.is_alive())
        while upgrading.is_alive() and not holds_the_folder(node, pid):
            pass
        before = upgrading.parent
        before.send_signal(signal.SIGSTOP)
        try:
            is_there = comes(lambda log=log, u=upgrading: "waiting for the word" in node.log()[log:] or
                             listening(node.port) > 1 or not u.is_alive())
            links = [node.connect() for _ in range(40)]
            for link in links:
                link.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            is_told = listening(node.port) > 1
            is_killed = is_there and not is_told and upgrading.is_alive()
            if is_killed:
                os.kill(pid, signal.SIGKILL)
        finally:
            before.send_signal(signal.SIGCONT)
        assert [link.read().status for link in links] == [200] * 40
        for link in links:
            link.close()
        upgrading.join()
        assert upgrading.answer.status in ([500] if is_killed else [200, 500]), upgrading.answer
        hits += is_killed
        if hits == 5:
            return
        node.config["workers"] = 1
        node.write_config()
        if upgrading.answer.status == 200:
            node.restart()
    raise AssertionError(f"only {hits} died where they were to die")


@pytest.mark.long
def test_a_new_process_that_hangs(replaceable):
    node = replaceable
    load = Load(node.address, ["/"], connections=4, renew=0.2)
    for _ in range(20):
        upgrading = Upgrading(node)
        pid = upgrading.stop_child()
        if not ends(upgrading, 1) and f"process {pid} could serve" not in node.log():
            break
        if pid is not None:
            os.kill(pid, signal.SIGCONT)  # it was stopped too late: it had the node already
        upgrading.join()
    upgrading.join(60 * SLOWNESS)
    assert upgrading.answer.status == 500
    assert "neither served nor ended" in upgrading.answer.json["detail"]
    put_in_place(node.binary, b"#!/bin/sh\nexec sleep 1000\n")
    fails(node, "neither served nor ended")
    report = load.stop()
    assert report.failures == [], report


def stopped_at_its_birth(node):
    """(upgrade, pid): a child that was stopped before it runs any program but its parent's."""
    put_in_place(node.binary, b"#!/bin/sh\nexec sleep 1000\n")
    for _ in range(300):
        upgrading = Upgrading(node)
        pid = upgrading.stop_child()
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        if b"GATEWAYD_HANDOVER=" not in environment:
            return upgrading, pid
        os.kill(pid, signal.SIGKILL)
        upgrading.join()
    raise AssertionError("each child runs its program before it can be seen")


@pytest.mark.long
def test_a_child_that_is_stopped_at_its_birth_holds_up_nobody(replaceable):
    node = replaceable
    upgrading, pid = stopped_at_its_birth(node)
    begin, slowest = time.monotonic(), 0
    while upgrading.is_alive():
        asked = time.monotonic()
        goes_on(node)
        slowest = max(slowest, time.monotonic() - asked)
        assert time.monotonic() < begin + 20 * SLOWNESS
        time.sleep(0.05)
    assert upgrading.answer.status == 500
    assert "neither served nor ended in 10 s" in upgrading.answer.json["detail"]
    assert slowest < 2 * SLOWNESS
    until(lambda: not pathlib.Path(f"/proc/{pid}").exists())
    put_in_place(node.binary, BUILD / "gatewayd")
    assert node.upgrade().status == 200
    goes_on(node)


def test_told_to_end_beside_a_child_that_is_stopped_at_its_birth(replaceable):
    node = replaceable
    upgrading, pid = stopped_at_its_birth(node)
    assert node.admin("POST", "/v1/upgrade").status == 409
    goes_on(node)
    assert node.stop() == 0
    upgrading.join()
    assert upgrading.answer.status == 500
    assert not pathlib.Path(f"/proc/{pid}").exists()


def test_one_upgrade_at_a_time(replaceable):
    node = replaceable
    put_in_place(node.binary, b"#!/bin/sh\nexec sleep 1000\n")
    upgrading = Upgrading(node)
    pid = until(node.child)
    answer = node.admin("POST", "/v1/upgrade")
    assert answer.status == 409 and "already" in answer.json["detail"]
    node.signal(signal.SIGUSR2)
    until(lambda: "it is being replaced already" in node.log())
    goes_on(node)
    os.kill(pid, signal.SIGKILL)
    upgrading.join()
    assert upgrading.answer.status == 500
    goes_on(node)


def test_told_to_end_during_an_upgrade(replaceable):
    node = replaceable
    put_in_place(node.binary, b"#!/bin/sh\nexec sleep 1000\n")
    upgrading = Upgrading(node)
    pid = until(node.child)
    assert node.stop() == 0
    upgrading.join()
    assert upgrading.answer.status == 500
    assert not pathlib.Path(f"/proc/{pid}").exists()


def test_told_to_end_after_an_upgrade(make_node):
    """The old process ends what is left; the new one is another matter."""
    node = make_node()
    node.route("r", paths=["/"], respond={"body": "here"})
    kept = node.connect()
    assert kept.request("GET", "/").status == 200
    first = node.process
    assert node.upgrade().status == 200
    first.send_signal(signal.SIGTERM)
    assert kept.request("GET", "/").status == 200
    assert first.wait(10 * SLOWNESS) == 0
    assert node.get("/").status == 200


def test_told_to_end_while_the_process_before_has_work(make_node, make_origin):
    goes_on = threading.Event()

    def slow(peer, request):
        goes_on.wait(60)
        peer.respond(200, b"finished")

    node = make_node()
    node.upstream("o", make_origin(slow))
    node.route("r", "o")
    with node.connect() as busy:
        busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: node.status()["exchanges"] == 1)
        assert node.upgrade().status == 200
        node.signal(signal.SIGTERM)
        until(lambda: "draining: at most" in node.log())
        goes_on.set()
        assert busy.read().body == b"finished"
    assert node.stop() == 0


# ---- what the new process knows ----


def admitted(node, count, headers=()):
    with node.connect() as link:
        return sum(link.request("GET", "/", headers).status == 200 for _ in range(count))


@pytest.mark.parametrize("limit", [{"name": "l", "rate": 1, "per": "1h", "burst": 40, "by": "ip"},
                                   {"name": "l", "quota": 40, "period": "month", "by": "ip"}],
                         ids=["rate", "quota"])
def test_a_limit_is_one_for_both_processes(make_node, limit):
    node = make_node()
    node.route("r", paths=["/"], respond={"body": "here"}, limits=[limit])
    count = admitted(node, 10)
    assert count == 10
    for _ in range(3):
        with node.connect() as kept:
            count += kept.request("GET", "/").status == 200
            assert node.upgrade().status == 200
            # Of the part that the old process kept.
            count += kept.request("GET", "/").status == 200
        count += admitted(node, 2)
        assert node.predecessors[-1].wait(10 * SLOWNESS) == 0
    assert count == 22
    # What was not spent there came back, of each.
    until(lambda: node.log().count("the process before this one has ended") == 3)
    assert count + admitted(node, 40) == 40
    assert admitted(node, 5) == 0


def test_a_limit_after_an_upgrade_that_failed(replaceable):
    node = replaceable
    node.route("r", paths=["/"], respond={"body": "here"},
               limits=[{"name": "l", "rate": 1, "per": "1h", "burst": 30, "by": "ip"}])
    assert admitted(node, 10) == 10
    put_in_place(node.binary, b"#!/bin/sh\nexit 1\n")
    assert node.upgrade().status == 500
    assert admitted(node, 40) == 20


def test_targets_are_as_they_were(make_node, make_origin):
    good = make_origin()
    node = make_node()
    node.upstream("o", good, {"address": f"127.0.0.1:{free_port()}"},
                  health={"interval": "1h", "timeout": "60s"}, outlier={"failures": 3})
    node.route("r", "o")

    def states():
        items = node.admin("GET", "/v1/upstreams/o/health").json["items"]
        return {item["address"]: (item["state"], item["since"]) for item in items}

    until(lambda: sorted(s for s, _ in states().values()) == ["down", "up"])
    before = states()
    assert node.upgrade().status == 200
    assert states() == before
    assert admitted(node, 20) == 20


def test_a_revoked_key_is_refused_by_both(make_node, make_origin):
    goes_on = threading.Event()

    def slow(peer, request):
        if request.target == "/slow":
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
            goes_on.wait(60)
        peer.respond(200, b"here")

    node = make_node()
    node.upstream("o", make_origin(slow))
    node.route("r", "o", auth={"methods": ["key"]})
    node.consumer("acme")
    key = node.key("acme")
    header = [("X-API-Key", key["key"])]
    with node.connect() as kept, node.connect() as download:
        assert kept.request("GET", "/", header).status == 200
        download.send(f"GET /slow HTTP/1.1\r\nHost: a\r\nX-API-Key: {key['key']}\r\n\r\n")
        download.take(30)
        assert node.upgrade().status == 200
        assert node.get("/", header).status == 200
        assert node.admin("DELETE", f"/v1/keys/{key['id']}").status == 204
        assert kept.request("GET", "/", header).status == 401
        assert node.get("/", header).status == 401
        with pytest.raises(Cut):
            download.take(100000)
    goes_on.set()


def listen(sock, said):
    with sock:
        while True:
            said.append(sock.recv(4096).decode())


def test_the_supervisor_hears_of_it(make_node, tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        said = []
        # As a supervisor does, all the time: only so many words wait in the queue of the socket.
        threading.Thread(target=listen, args=(sock.dup(), said), daemon=True).start()
        node = make_node()
        first = node.process.pid
        assert node.upgrade().status == 200
        mine = f"MAINPID={node.process.pid}"
        words = until(lambda: [word for word in said if mine in word], what="a word on who it is now")
        assert "READY=1" in words[0]
        assert node.predecessors[0].wait(10 * SLOWNESS) == 0
        count = len(said)
        until(lambda: said[count:].count("WATCHDOG=1") >= 3, what="a watchdog that is fed")
        assert not [word for word in said[count:] if "STOPPING" in word]
        assert node.process.pid != first


# ---- with a shared store ----


def incarnation_of(node, name):
    """Of the node of that name, as `node` knows it."""
    items = node.admin("GET", "/v1/nodes").json["items"]
    return next((item["incarnation"] for item in items if item["name"] == name), None)


def test_a_cluster_does_not_notice(make_cluster, redis):
    """One member, whatever its process: no alarm, all changes, on both nodes, all the time."""
    cluster = make_cluster(redis)
    cluster.connected()
    first, second = cluster
    first.route("r", paths=["/"], respond={"body": "here"})
    cluster.agree()
    loads = [Load(node.address, ["/"], connections=4, renew=0.2) for node in cluster]
    incarnations = set()
    for i in range(scaled(6, 3)):
        node = cluster[i % 2]
        other = cluster[1 - i % 2]
        assert node.upgrade().status == 200
        assert node.status()["store"]["state"] == "connected"
        assert other.put("plans", f"p{i}", {"limits": []}).status == 201
        assert node.put("plans", f"q{i}", {"limits": []}).status == 201
        cluster.agree()
        mine = incarnation_of(node, node.name)
        until(lambda n=node, o=other, i=mine: incarnation_of(o, n.name) == i,
              what="the other node knowing the process")
        items = other.admin("GET", "/v1/nodes").json["items"]
        assert len(items) == 2
        incarnations |= {item["incarnation"] for item in items}
        assert all(p.wait(20 * SLOWNESS) == 0 for p in node.predecessors)
    for load in loads:
        load.reaches(1)
        report = load.stop()
        assert report.failures == [], report
    assert len(incarnations) > 4 if scaled(True, False) else True
    for node in cluster:
        assert node.metrics()["gatewayd_node_name_shared"] == 0
        assert "another process serves" not in node.log()
        assert "cannot be written" not in node.log()


def test_a_failed_upgrade_in_a_cluster(make_cluster, redis, tmp_path):
    """The new process is stopped when it has the folder, and killed: what others changed is kept."""
    cluster = make_cluster(redis, start=False)
    node, other = cluster
    node.binary = tmp_path / "gatewayd"
    shutil.copy(BUILD / "gatewayd", node.binary)
    cluster.start()
    cluster.connected()
    other.route("r", paths=["/"], respond={"body": "here"})
    cluster.agree()
    tries, failed = 0, 0
    while tries < scaled(8, 4) or failed == 0:
        tries += 1
        assert tries < 100, "it was never killed in time"
        upgrading = Upgrading(node)
        pid = upgrading.stop_child(after=random.random() * 0.04 * SLOWNESS)
        assert other.put("plans", f"p{tries}", {"limits": []}).status == 201
        failed += kill_unless_told(node, upgrading, pid)
        upgrading.join()
        goes_on(node)
        cluster.agree()
    revision = cluster.agree()
    assert node.stop() == 0
    node.start()
    cluster.agree(revision)
    assert "another process serves" not in node.log() + other.log()


def test_a_key_revoked_elsewhere_during_an_upgrade(make_cluster, redis):
    cluster = make_cluster(redis)
    cluster.connected()
    node, other = cluster
    other.consumer("acme")
    other.route("r", paths=["/"], respond={"body": "here"}, auth={"methods": ["key"]})
    keys = [other.key("acme") for _ in range(scaled(8, 3))]
    cluster.agree()
    for key in keys:
        header = [("X-API-Key", key["key"])]
        kept = [node.connect() for _ in range(40)]
        for link in kept:
            assert link.request("GET", "/", header).status == 200
        upgrading = Upgrading(node)
        time.sleep(random.random() * 0.05 * SLOWNESS)
        revision = other.admin("DELETE", f"/v1/keys/{key['id']}")
        assert revision.status == 204
        upgrading.join()
        assert upgrading.answer.status == 200
        cluster.agree()
        assert node.get("/", header).status == 401
        # The process before is told. Each of its connections asks once more, and ends.
        until(lambda k=kept, h=header: k.pop().request("GET", "/", h).status == 401, pause=0.1,
              what="the process before refusing it")
        for link in kept:
            link.close()


@pytest.mark.skipif(SANITIZED, reason="rates need the plain build")
def test_a_shared_limit_is_never_passed_by_an_upgrade(make_cluster, redis):
    cluster = make_cluster(redis)
    cluster.connected()
    rate, burst = 200, 100
    body = {"match": {"paths": ["/"]}, "respond": {"status": 200, "body": "ok"},
            "limits": [{"name": "all", "by": "route", "rate": rate, "burst": burst}]}
    assert cluster[0].admin("PUT", "/v1/routes/r", body).status == 201
    cluster.agree()
    begin = time.monotonic()
    loads = [Load(node.address, ["/"], connections=6, renew=0.1, expect=(200, 429))
             for node in cluster]
    for i in range(6):
        assert cluster[i % 2].upgrade().status == 200
        time.sleep(0.3)
    reports = [load.stop() for load in loads]
    seconds = time.monotonic() - begin
    for report in reports:
        assert report.failures == [], report
    count = sum(report.statuses.get(200, 0) for report in reports)
    assert count <= burst + rate * seconds, (count, seconds)
    assert Admitted(cluster).used(rate, burst) >= 0.5


def test_the_command(replaceable):
    node = replaceable
    adopt()

    def run():
        return subprocess.run(
            [BUILD / "gatewayctl", "upgrade"], capture_output=True, text=True, check=False,
            env={**os.environ, "GATEWAYCTL_SERVER": f"http://127.0.0.1:{node.admin_port}",
                 "GATEWAYCTL_TOKEN": TOKENS["admin"], "HOME": str(node.folder)})

    done = run()
    assert done.returncode == 0, done.stderr
    pid = int(done.stdout.split("process ")[1].split(" ")[0])
    node.is_replaced_by(pid)
    goes_on(node)
    put_in_place(node.binary, b"#!/bin/sh\nexit 3\n")
    done = run()
    assert done.returncode == 1
    assert "ended with status 3" in done.stderr
    goes_on(node)


def test_virtual_addresses_stay_as_they_are(make_node, tmp_path):
    """No weight changes on the way, and probes are answered."""
    folder = tmp_path / "ha"
    folder.mkdir()
    (tmp_path / "ha.addresses").write_text("va 127.0.0.2/8 lo home\nvb 127.0.0.3/8 lo guest\n")
    (folder / "va.state").write_text("MASTER 1\n")
    (folder / "vb.state").write_text("BACKUP 1\n")
    node = make_node(ha={"addresses": str(tmp_path / "ha.addresses"), "folder": str(folder)})
    node.route("r", paths=["/"], respond={"body": "here"})

    def weights():
        with Connection(str(folder / "probe.sock")) as link:
            answer = link.request("GET", "/ha")
            assert answer.status == 200
            return answer.text

    assert node.admin("POST", "/v1/drain", {"address": "vb"}).status == 200
    until(lambda: "vb -100" in weights())
    before = weights()
    assert "va 0" in before
    # keepalived hears of each write, however soon the next one follows.
    def written():
        return re.findall(r"address (va|vb): weight (-?\d+)", node.log())

    until(lambda: ("vb", "-100") in written(), what="what was written in the log")
    begun = len(written())
    wrong, ends = [], threading.Event()

    def look():
        while not ends.is_set():
            for name, weight in (("va", "0"), ("vb", "-100")):
                text = (folder / f"{name}.track").read_text().strip()
                if text != weight:
                    wrong.append((name, text))
            try:
                if weights() != before:
                    wrong.append(weights())
            except (OSError, Cut) as error:
                wrong.append(repr(error))

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(scaled(5, 3)):
        assert node.upgrade().status == 200
        time.sleep(0.1)
    ends.set()
    thread.join()
    assert not wrong, wrong[:5]
    assert set(written()[begun:]) <= {("va", "0"), ("vb", "-100")}, written()
    assert node.admin("DELETE", "/v1/drain?address=vb").status == 204
    until(lambda: "vb 0" in weights())
