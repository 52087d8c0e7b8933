# SPDX-License-Identifier: Apache-2.0
"""What a node does for addresses that keepalived moves, and the programs beside it, without
keepalived: stories say what it would (NAME.state). The loopback interface has the addresses. With
the real keepalived: test_ha_moves.py, test_ha_failures.py."""
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

from harness import lab as labs
from harness.client import Connection, Cut
from harness.node import BUILD, ROOT, TOKENS
from harness.wait import SLOWNESS, Clock, best_is_below, until
from harness.websocket import UPGRADE, frame, read_frame

FAULT, YIELDS, SERVES = -254, -100, 0
ADDRESSES = """# two addresses of the loopback interface
va 127.0.0.2/8 lo home
vb 127.0.0.3/8 lo guest   # the other node's
"""


class Site:
    """A folder as tmpfiles makes it, and a node that uses it."""

    def __init__(self, folder, make_node, **settings):
        self.folder = folder / "run"
        self.folder.mkdir()
        self.file = folder / "ha.addresses"
        self.file.write_text(ADDRESSES)
        self.node = make_node(start=False, ha={"addresses": str(self.file),
                                               "folder": str(self.folder)},
                              **{"timeouts": {"drain": "3s"}, **settings})
        self.node.config["listeners"] = [{"name": "http",
                                          "address": f"0.0.0.0:{self.node.port}"}]
        self.node.write_config()
        self.programs = []

    def say(self, name, state):
        """As keepalived's notify script does it."""
        path = self.folder / f".{name}.new"
        path.write_text(f"{state} {int(time.time())}\n")
        path.rename(self.folder / f"{name}.state")

    def track(self, name):
        text = (self.folder / f"{name}.track").read_text()
        assert re.fullmatch(r" *-?\d+\n", text), repr(text)
        return int(text)

    def tracks(self):
        return self.track("va"), self.track("vb")

    def probe(self, path):
        with Connection(str(self.folder / "probe.sock"), 10 * SLOWNESS) as c:
            return c.request("GET", path)

    def watch(self, *more):
        log = open(self.folder / "watch.log", "ab")
        process = subprocess.Popen([BUILD / "gatewayd-watch", "-a", self.file, "-d", self.folder,
                                    *more], stderr=log)
        self.programs.append(process)
        return process

    def ctl(self, *words):
        server = f"http://127.0.0.1:{self.node.admin_port}"
        return subprocess.run([BUILD / "gatewayctl", "--server", server, *words], text=True,
                              check=True, stdout=subprocess.PIPE, timeout=60 * SLOWNESS,
                              env={**os.environ, "GATEWAYCTL_TOKEN": TOKENS["viewer"]}).stdout

    def connect(self, host):
        return Connection((host, self.node.port), 10 * SLOWNESS)

    def place(self, name):
        return next(a for a in self.node.status()["addresses"] if a["name"] == name)

    def serve(self):
        """Both addresses are here."""
        for name in ("va", "vb"):
            self.say(name, "MASTER")
        self.node.start()
        until(lambda: [a["phase"] for a in self.node.status()["addresses"]] == ["serving"] * 2,
              what="both addresses in service")
        return self

    def end(self):
        for process in self.programs:
            process.kill()
            process.wait()


@pytest.fixture
def make_site(tmp_path, make_node):
    sites = []

    def make(**settings):
        sites.append(Site(tmp_path, make_node, **settings))
        return sites[-1]

    yield make
    for site in sites:
        site.end()


@pytest.fixture
def site(make_site):
    return make_site()


# ---- weights and probes ------------------------------------------------------------------------


@pytest.mark.sanitize
def test_weights_follow_readiness_and_what_keepalived_says(site):
    site.say("vb", "BACKUP")
    site.node.start()
    assert site.tracks() == (YIELDS, SERVES), "at home somebody else may have it: it is not taken"
    site.say("va", "MASTER")
    until(lambda: site.track("va") == SERVES, what="service of what keepalived has put here")
    answer = site.probe("/ha")
    assert answer.status == 200 and answer.text == "va 0\nvb 0\n"
    status = site.node.status()
    assert status["vrrp"] == {"va": "master", "vb": "backup"}
    assert site.node.admin("GET", "/v1/nodes").json["items"][0]["vrrp"] == status["vrrp"]
    assert "va master, vb backup" in site.ctl("nodes")
    metrics = site.node.metrics()
    assert metrics['gatewayd_vrrp_state{address="va"}'] == 2
    assert metrics['gatewayd_vrrp_state{address="vb"}'] == 1
    assert metrics['gatewayd_vrrp_conflict{address="va"}'] == 0
    site.say("vb", "FAULT")
    until(lambda: site.node.status()["vrrp"]["vb"] == "fault", what="the fault in the status")
    # Lost to a node that keepalived likes better: what it did not hold it is not given by asking.
    site.say("va", "BACKUP")
    until(lambda: site.node.status()["vrrp"]["va"] == "backup", what="the loss in the status")
    assert site.track("va") == SERVES
    # Lost with a cable: it is not taken from under who has it now.
    site.say("va", "MASTER")
    until(lambda: site.node.status()["vrrp"]["va"] == "master", what="it is back")
    site.say("va", "FAULT")
    until(lambda: site.track("va") == YIELDS, what="waiting for it")


def test_the_probe_socket_answers_probes_only(site):
    site.node.start()
    assert site.probe("/livez").text == "ok\n"
    assert (site.probe("/readyz").status, site.probe("/readyz").text) == (200, "ready\n")
    assert site.probe("/v1/status").status == 404
    with Connection(str(site.folder / "probe.sock"), 10) as c:
        assert c.request("POST", "/ha").status == 405
    assert site.node.admin("POST", "/v1/drain", {}).status == 200
    assert site.probe("/readyz").status == 503
    assert site.probe("/ha").status == 200


def test_errors_of_the_addresses_name_file_line_and_field(site):
    site.file.write_text("va 127.0.0.2/8 lo home\nvb 127.0.0.300/8 lo guest\n")
    done = subprocess.run([BUILD / "gatewayd", "-t", "-c", site.node.config_path], text=True,
                          stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert f"{site.file}:2: address: The address must be an IP address and the length of its " \
           "network" in done.stderr, done.stderr
    site.file.write_text(ADDRESSES)
    shutil.rmtree(site.folder)
    done = subprocess.run([BUILD / "gatewayd", "-t", "-c", site.node.config_path], text=True,
                          stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and "ha.folder: There must be a folder" in done.stderr
    site.folder.mkdir()


def test_changed_addresses_count_after_a_live_upgrade(site):
    """A reload says so, and changes nothing."""
    site.serve()
    site.file.write_text(ADDRESSES + "vc 127.0.0.4/8 lo guest\n")
    site.node.signal(signal.SIGHUP)
    until(lambda: "ha.addresses has changed: it counts after" in site.node.log(), what="a word on it")
    assert site.probe("/ha").text == "va 0\nvb 0\n"
    assert site.node.upgrade().status == 200
    until(lambda: site.probe("/ha").text == "va 0\nvb 0\nvc 0\n", what="the new address")
    site.file.write_text("va what lo home\n")
    site.node.signal(signal.SIGHUP)
    until(lambda: "ha.addresses:1: " in site.node.log(), what="errors in the log")


def test_without_the_group_nothing_is_there(node):
    status = node.status()
    assert "vrrp" not in status and "addresses" not in status
    assert not any("vrrp" in name for name in node.metrics())


# ---- the watcher -------------------------------------------------------------------------------


@pytest.mark.sanitize
def test_the_watcher_tells_a_dead_and_a_hung_node_and_one_that_is_back(site):
    site.serve()
    site.watch()

    def serves():
        until(lambda: site.tracks() == (SERVES, SERVES), what="both in service")

    def is_at_fault_after(what, begin):
        """How long it took."""
        serves()
        with Clock() as clock:
            begin()
            until(lambda: site.tracks() == (FAULT, FAULT), what=f"the fault of a {what} node")
            return clock.seconds()

    def hung():
        took = is_at_fault_after("hung", lambda: site.node.signal(signal.SIGSTOP))
        site.node.signal(signal.SIGCONT)
        return took

    def dead():
        took = is_at_fault_after("dead", site.node.kill)
        site.node.start()
        return took

    best_is_below(0.45, hung)
    best_is_below(0.2, dead)
    serves()


def test_the_watcher_leaves_moves_to_the_node(site):
    """A weight that the node lowers itself is not put back by an answer from before."""
    site.serve()
    site.watch()
    until(lambda: site.tracks() == (SERVES, SERVES))
    seen = []
    assert site.node.admin("POST", "/v1/drain", {"address": "va"}).status == 200
    until(lambda: seen.append(site.track("va")) or site.place("va")["phase"] == "moving",
          what="the move")
    site.say("va", "BACKUP")
    until(lambda: seen.append(site.track("va")) or site.place("va")["phase"] == "drained")
    first = next(i for i, weight in enumerate(seen) if weight != SERVES)
    assert SERVES not in seen[first:], seen
    # What somebody else writes is put right.
    (site.folder / "vb.track").write_text("-7\n")
    until(lambda: site.track("vb") == SERVES)


def ptrace(request, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return libc.ptrace(request, tid, None, None)


def test_a_worker_that_hangs_is_a_fault(site):
    site.serve()
    site.watch()
    tasks = f"/proc/{site.node.process.pid}/task"
    worker = next(int(tid) for tid in os.listdir(tasks)
                  if open(f"{tasks}/{tid}/comm", encoding="ascii").read().strip() == "worker-1")
    if ptrace(0x4206, worker) != 0:  # SEIZE
        pytest.skip("a thread cannot be traced here")
    try:
        assert ptrace(0x4207, worker) == 0  # INTERRUPT
        os.waitpid(worker, 0x40000000)
        until(lambda: site.tracks() == (FAULT, FAULT), what="the fault")
        assert site.probe("/readyz").status == 503
    finally:
        ptrace(17, worker)  # DETACH
    until(lambda: site.tracks() == (SERVES, SERVES), what="the end of it")
    until(lambda: "a worker hangs" in site.node.log())


def test_one_reads_what_keepalived_says(tmp_path):
    """Of three that were started, one after the other: two would take bytes of one line from each other."""
    program, fifo, parents = tmp_path / "ha-notify", tmp_path / "fifo", []
    shutil.copy(ROOT / "ha/ha-notify.sh", program)
    shutil.copy("/bin/sh", tmp_path / "keepalived")
    os.mkfifo(fifo)
    keepalived = os.open(fifo, os.O_RDWR)

    def start():
        parent = subprocess.Popen([tmp_path / "keepalived", "-c",
                                   f"{program} {tmp_path} {fifo} >&2 & echo $!; wait"],
                                  stdout=subprocess.PIPE, text=True)
        parents.append(parent)
        return parent.stdout.readline().strip()

    def reads(pid):
        until(lambda: (tmp_path / ".notify.pid").exists() and
              (tmp_path / ".notify.pid").read_text().strip() == pid, timeout=20, what="the reader")

    def is_gone(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] in "ZX"
        except OSError:
            return True

    try:
        first = start()
        reads(first)
        lost = start()
        parents[-1].kill()
        last = start()
        reads(last)
        until(lambda: is_gone(first) and is_gone(lost), timeout=20, what="the end of the others")
        for i in range(50):
            os.write(keepalived, f'INSTANCE "va" {("BACKUP", "FAULT")[i % 2]} 100\n'.encode())
        os.write(keepalived, b'INSTANCE "va" MASTER 200\n')
        until(lambda: (tmp_path / "va.state").exists() and
              (tmp_path / "va.state").read_text().startswith("MASTER "), timeout=20, what="the last word")
    finally:
        parents[-1].kill()
        os.close(keepalived)
        for parent in parents:
            parent.wait(20)
    until(lambda: (tmp_path / "va.state").read_text().startswith("STOP "), what="the end")


def test_fault_and_check_of_the_command_line(site):
    site.serve()
    check = [BUILD / "gatewayd-watch", "--check", "-d", site.folder]
    assert subprocess.run(check, check=False).returncode == 0
    assert site.node.admin("POST", "/v1/drain", {}).status == 200
    assert subprocess.run(check, check=False).returncode == 0, "it must not move before it may"
    assert site.node.stop() == 0
    assert subprocess.run(check, check=False).returncode == 1
    subprocess.run([BUILD / "gatewayd-watch", "--fault", "-a", site.file, "-d", site.folder],
                   check=True)
    assert site.tracks() == (FAULT, FAULT)


# ---- draining one address ----------------------------------------------------------------------


@pytest.mark.sanitize
def test_one_address_is_drained_and_the_others_do_not_notice(make_site, make_origin):
    site = make_site(timeouts={"drain": "100s"})
    site.serve()
    site.node.upstream("o", make_origin())
    site.node.route("r", "o")
    with site.connect("127.0.0.2") as moved, site.connect("127.0.0.3") as kept:
        assert moved.request("GET", "/").header("Connection") is None
        assert kept.request("GET", "/").header("Connection") is None
        assert site.place("va")["connections"] == 1
        assert site.node.admin("POST", "/v1/drain", {"address": "127.0.0.2"}).status == 200
        assert site.place("va")["phase"] == "closing" and site.track("va") == SERVES
        with site.connect("127.0.0.2") as late:
            assert late.request("GET", "/").header("Connection") == "close"
        # An idle connection is left until its next request.
        until(lambda: site.place("va")["connections"] == 1, what="the end of the late one")
        assert moved.request("GET", "/").header("Connection") == "close"
        until(lambda: site.place("va")["phase"] == "moving", what="the move")
        assert site.track("va") in (YIELDS, FAULT)
        site.say("va", "BACKUP")
        until(lambda: site.place("va")["phase"] == "drained")
        assert site.tracks() == (YIELDS, SERVES)
        assert kept.request("GET", "/").header("Connection") is None
        assert site.node.is_ready() and site.place("vb")["phase"] == "serving"
    # There is no helper here: it is said once, and goes without.
    until(lambda: "new handshakes cannot be held back" in site.node.log(), what="a word on it")
    assert site.node.log().count("new handshakes cannot be held back") == 1
    assert site.node.admin("DELETE", "/v1/drain?address=va").status == 204
    assert site.place("va")["phase"] == "waiting" and site.track("va") == YIELDS
    site.say("va", "MASTER")
    until(lambda: site.tracks() == (SERVES, SERVES))
    with site.connect("127.0.0.2") as again:
        assert again.request("GET", "/").header("Connection") is None
    # Nobody takes the addresses when the node ends: it shall not wait for that.
    site.node.signal(signal.SIGTERM)
    until(lambda: not site.node.is_ready())


def test_what_is_in_flight_ends_before_the_address_moves(make_site, make_origin):
    site = make_site(timeouts={"drain": "20s"})
    site.serve()
    origin = make_origin()
    site.node.upstream("o", origin)
    site.node.route("r", "o")
    with site.connect("127.0.0.2") as slow:
        slow.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        until(lambda: site.place("va")["exchanges"] == 1, what="the request in the status")
        assert site.node.admin("POST", "/v1/drain", {"address": "va"}).status == 200
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert site.place("va")["phase"] == "closing" and site.track("va") == SERVES
        slow.send("cde")
        answer = slow.read()
        assert answer.status == 200 and answer.header("Connection") == "close"
    with Clock() as clock:
        until(lambda: site.place("va")["phase"] == "moving", what="the move")
        assert clock.seconds() < 2 * SLOWNESS


def test_kept_connections_end_at_half_of_the_time_and_the_rest_at_its_end(make_site, make_origin):
    site = make_site(timeouts={"drain": "2s"})
    site.serve()
    site.node.upstream("o", make_origin())
    site.node.route("r", "o")
    with site.connect("127.0.0.2") as kept, site.connect("127.0.0.2") as slow, \
            site.connect("127.0.0.2") as silent:
        assert kept.request("GET", "/").status == 200
        slow.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        until(lambda: site.place("va")["exchanges"] == 1)
        with Clock() as clock:
            begin = time.monotonic()
            assert site.node.admin("POST", "/v1/drain", {"address": "va"}).status == 200
            assert kept.is_closed() and silent.is_closed()
            assert 0.9 < time.monotonic() - begin
            assert clock.seconds() < 1.9
            assert site.track("va") == SERVES or time.monotonic() - begin > 1.9
            until(lambda: site.place("va")["phase"] == "moving", what="the move at the deadline")
            assert 1.9 < time.monotonic() - begin
            assert clock.seconds() < 3
        until(lambda: "connections were not over at the end of the drain" in site.node.log())
        site.say("va", "BACKUP")
        until(lambda: site.place("va")["connections"] == 0, what="the rest to be cut")
        with pytest.raises((Cut, OSError)):
            slow.send("cde")
            slow.read()


def open_tunnel(site, host):
    c = site.connect(host)
    c.send(UPGRADE.format(path="/ws", more=""))
    assert c.read().status == 101
    return c


def test_tunnels_of_the_address_are_told_to_go_away(make_site, make_origin):
    def echo(peer, request):
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                  "Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
        while True:
            opcode, payload = read_frame(peer.take)
            peer.send(frame(payload, opcode))
            if opcode == 8:
                return False

    site = make_site()
    site.serve()
    site.node.upstream("o", make_origin(echo))
    site.node.route("r", "o")
    tunnels = [open_tunnel(site, "127.0.0.2") for _ in range(20)]
    with open_tunnel(site, "127.0.0.3") as other:
        until(lambda: site.place("va")["streams"] == 20)
        assert site.node.admin("POST", "/v1/drain", {"address": "va"}).status == 200
        for tunnel in tunnels:
            opcode, payload = read_frame(tunnel.take)
            assert (opcode, struct.unpack(">H", payload[:2])[0]) == (8, 1001)
            tunnel.close()
        until(lambda: site.place("va")["streams"] == 0)
        other.send(frame(b"here", masked=True))
        assert read_frame(other.take) == (2, b"here")


@pytest.mark.sanitize
def test_a_node_that_ends_gives_its_addresses_away_first(site, origin):
    site.serve()
    site.node.upstream("o", origin)
    site.node.route("r", "o")
    site.node.signal(signal.SIGTERM)
    until(lambda: site.track("va") != SERVES and site.track("vb") != SERVES, what="the move")
    assert site.node.process.poll() is None, "it waits for the move"
    for name in ("va", "vb"):
        site.say(name, "BACKUP")
    with Clock() as clock:
        assert site.node.wait() == 0
        assert clock.seconds() < 1.5 * SLOWNESS


def test_nobody_who_takes_it_does_not_hold_up_the_end(site):
    site.serve()
    with Clock() as clock:
        assert site.node.stop() == 0
        assert clock.seconds() < 3.5 * SLOWNESS
    assert "no other node takes it" in site.node.log()


def test_an_address_is_yielded_to_nodes_only(site):
    site.serve()
    for token in (None, "admin"):
        answer = site.node.admin("POST", "/v1/cluster/yield", {"address": "vb"}, token=token)
        assert answer.status == 401, answer
    assert site.node.admin("POST", "/v1/drain", {"address": "vx"}).status == 422


# ---- the helper --------------------------------------------------------------------------------


class Helper:
    """gatewayd-hold in a namespace of its own, beside a client's."""

    def __init__(self, folder):
        self.space = f"gwt{os.getpid()}-hold"
        self.client = f"gwt{os.getpid()}-ask"
        self.folder = folder
        self.socket = folder / "hold.sock"
        self.pid_file = folder / "keepalived.pid"
        self.process = None
        (folder / "ha.addresses").write_text("va 10.98.0.100/24 eth0 home\n"
                                             "v6 fd00:98::100/64 eth0 guest\n")
        for space in (self.space, self.client):
            labs.run("ip", "netns", "add", space)
        labs.run("ip", "-n", self.space, "link", "add", "eth0", "type", "veth", "peer", "name",
                 "eth0", "netns", self.client)
        self.batch(self.space, "link set lo up\nlink set eth0 up\naddress add 10.98.0.1/24 dev eth0\n"
                               "address add 10.98.0.100/24 dev eth0\n"
                               "address add fd00:98::100/64 dev eth0 nodad\n")
        self.batch(self.client, "link set lo up\nlink set eth0 up\n"
                                "address add 10.98.0.2/24 dev eth0\n"
                                "address add fd00:98::2/64 dev eth0 nodad\n")
        self.server = subprocess.Popen(
            ["ip", "netns", "exec", self.space, "/usr/bin/python3", "-c",
             "import socket\n"
             "s = socket.create_server(('::', 80), family=socket.AF_INET6, dualstack_ipv6=True)\n"
             "print('listens', flush=True)\n"
             "while True: s.accept()[0].close()\n"], stdout=subprocess.PIPE, text=True)
        assert self.server.stdout.readline() == "listens\n"

    @staticmethod
    def batch(space, lines):
        labs.run("ip", "-n", space, "-batch", "-", stdin=lines)

    def start(self, *more):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.space, BUILD / "gatewayd-hold", "-a",
             self.folder / "ha.addresses", "-s", self.socket, "-u", "nobody", *more])
        until(self.socket.exists, what="its socket")
        until(lambda: "gatewayd_hold" in self.rules(), what="its table")
        return self

    def rules(self):
        return labs.run("ip", "netns", "exec", self.space, "nft", "list", "ruleset")

    def ask(self, line, timeout=5):
        """What it answers; empty if it hangs up."""
        with socket.socket(socket.AF_UNIX) as s:
            # Who waits in vain for a place in the queue waits as long, and is not told at once that it is full.
            for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                s.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", timeout * SLOWNESS, 0))
            s.connect(str(self.socket))
            s.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")
            try:
                return s.recv(1000).decode()
            except ConnectionResetError:
                return ""

    def can_connect(self, host, timeout=0.1):
        code = ("import socket,sys\n"
                f"socket.create_connection(({host!r}, 80), {timeout})\n")
        return subprocess.run(["ip", "netns", "exec", self.client, "/usr/bin/python3", "-c", code],
                              stderr=subprocess.DEVNULL, check=False).returncode == 0

    def has(self, address):
        return f" {address}/" in labs.run("ip", "-n", self.space, "-o", "address", "show")

    def end(self):
        for process in (self.process, self.server):
            if process is not None:
                process.kill()
                process.wait()
        for space in (self.space, self.client):
            for pid in labs.run("ip", "netns", "pids", space, check=False).split():
                os.kill(int(pid), signal.SIGKILL)
            labs.run("ip", "netns", "del", space, check=False)


@pytest.fixture
def helper():
    why = labs.missing()
    if why is not None:
        pytest.skip(f"no namespaces here: {why}")
    # Another user, who is to be refused, has to get so far.
    with tempfile.TemporaryDirectory(dir="/run", prefix="gatewayd-hold-") as folder:
        os.chmod(folder, 0o755)
        made = Helper(pathlib.Path(folder))
        try:
            yield made
        finally:
            made.end()


def holds(helper, address):
    """Is its element there, and not over?"""
    return re.search(rf"{address} timeout", helper.rules()) is not None


@pytest.mark.sanitize
def test_handshakes_are_held_back_and_that_ends_by_itself(helper):
    helper.start("-k", helper.pid_file)
    for name, address in (("va", "10.98.0.100"), ("v6", "fd00:98::100")):
        assert helper.can_connect(address, 2)
        assert helper.ask(f"hold {name} 300") == "ok\n"
        end = time.monotonic() + 0.3
        assert holds(helper, address) or time.monotonic() > end
        until(lambda a=address: not holds(helper, a), timeout=2, what="the end of it")
        assert helper.can_connect(address, 2)
    # Asked again it is longer, released it is over, killed it ends.
    assert helper.ask("hold va 300") == "ok\n" and helper.ask("hold va 300") == "ok\n"
    assert helper.ask("release va") == "ok\n" and not holds(helper, "10.98.0.100")
    assert helper.ask("release va") == "ok\n"
    assert helper.ask("hold va 300") == "ok\n"
    helper.process.kill()
    until(lambda: not holds(helper, "10.98.0.100"), timeout=2, what="the end without the helper")


ATTEMPTS = """
import socket, time
made = other = 0
input()
end = time.monotonic() + 0.5
while time.monotonic() < end:
    for host in ('10.98.0.100', '10.98.0.1'):
        try:
            socket.create_connection((host, 80), 0.03).close()
            made += host == '10.98.0.100'
            other += host == '10.98.0.1'
        except OSError:
            pass
print(made, other)
"""


def attempts_while_held(helper):
    """Of a client, while the helper is asked again and again: those that were made, to the address
    and to another, and the longest time from one answer to the next."""
    with subprocess.Popen(["ip", "netns", "exec", helper.client, "/usr/bin/python3", "-c", ATTEMPTS],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        asked = time.monotonic()
        assert helper.ask("hold va 300") == "ok\n"
        client.stdin.write("go\n")
        client.stdin.flush()
        longest = 0
        while client.poll() is None:
            assert helper.ask("hold va 300") == "ok\n"
            longest = max(longest, time.monotonic() - asked)
            asked = time.monotonic()
        return *map(int, client.stdout.read().split()), longest


def test_syns_are_dropped_while_it_holds(helper):
    """Many short attempts while it is asked again and again: none begins, but on another address.
    It has to be asked before the time is over, which a busy machine may not allow at once."""
    helper.start()
    longest = 1
    for _ in range(20):
        made, other, longest = attempts_while_held(helper)
        if longest < 0.25:
            break
    assert longest < 0.25, "asked too late all the time"
    assert made == 0 and other > 0


WAITING = """
import socket
moved = socket.create_connection(('10.98.0.100', 80), 10)
moved6 = socket.create_connection(('fd00:98::100', 80), 10)
other = socket.create_connection(('10.98.0.1', 80), 10)
print('made', flush=True)
for one in moved, moved6, other:
    one.settimeout(0.5 if one is other else 10)
    try:
        print(one.recv(1), flush=True)
    except OSError as why:
        print(type(why).__name__, flush=True)
"""


@pytest.mark.sanitize
def test_who_waits_for_a_node_that_hangs_is_told(helper):
    """The server's kernel has accepted three connections that nobody serves. Those to the addresses
    that move are reset; for a moment nobody comes to them, and then it is over."""
    helper.start()
    until(lambda: helper.can_connect("10.98.0.100", 2), what="the server")
    helper.server.send_signal(signal.SIGSTOP)
    client = ["ip", "netns", "exec", helper.client, "/usr/bin/python3", "-c"]
    with subprocess.Popen([*client, WAITING], stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout.readline() == "made\n"
        assert helper.ask("reset") == "ok\n"
        said = waiting.stdout.read().split()
    assert said == ["ConnectionResetError", "ConnectionResetError", "TimeoutError"]
    assert helper.ask("reset") == "ok\n" and helper.can_connect("10.98.0.1", 2)
    until(lambda: helper.can_connect("10.98.0.100", 2), what="the end of it")
    # Others are refused meanwhile: a timeout would be another error.
    refused = ("import socket\n"
               "try: socket.create_connection(('10.98.0.100', 80), 10)\n"
               "except ConnectionRefusedError: print('refused')\n")

    def is_refused():
        with subprocess.Popen([*client, "input()\n" + refused], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as late:
            assert helper.ask("reset") == "ok\n"
            return late.communicate("\n")[0] == "refused\n"

    until(is_refused, what="a refusal")


@pytest.mark.sanitize
def test_everything_else_is_refused(helper):
    helper.start("-k", helper.pid_file)
    before = helper.rules()
    for line, why in (("flush", "a request is hold NAME MILLISECONDS"),
                      ("hold va 301", "milliseconds are 1 to 300"),
                      ("hold va 0", "milliseconds are 1 to 300"),
                      ("hold vx 10", "there is no address of that name"),
                      ("hold 10.98.0.100 10", "there is no address of that name"),
                      ("hold va 10 }; flush ruleset", "more than one request"),
                      (b"hold va 10\nhold va 10\n", "more than one line"),
                      (b"x" * 200, "the line is too long"),
                      (b"x" * 5000 + b"\n", "the line is too long"),
                      (b"hold\0va 10\n", "a request is hold NAME MILLISECONDS")):
        answer = helper.ask(line)
        assert answer.startswith("error ") and why in answer, (line, answer)
    assert helper.rules() == before
    # Nobody but root and the user it was told of.
    os.chmod(helper.socket, 0o666)
    code = (f"import os, socket\nos.setgid(65533)\nos.setuid(65533)\ns = socket.socket(socket.AF_UNIX)\n"
            f"s.connect({str(helper.socket)!r})\ns.sendall(b'hold va 300\\n')\n"
            "try:\n    print(repr(s.recv(100)))\nexcept ConnectionResetError:\n    print(repr(b''))\n")
    done = subprocess.run(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    assert done.stdout.strip() in ("b''",) or "BrokenPipe" in done.stdout, done.stdout
    assert not holds(helper, "10.98.0.100")
    # Who says nothing does not stay, and does not keep others away for long.
    silent = [socket.socket(socket.AF_UNIX) for _ in range(12)]
    for s in silent:
        s.connect(str(helper.socket))
    assert helper.ask("release va", timeout=10) == "ok\n"
    for s in silent:
        s.close()


@pytest.mark.sanitize
def test_an_address_is_taken_off_only_while_keepalived_does_not_run(helper, tmp_path):
    keeper = tmp_path / "keepalived"
    shutil.copy("/bin/sleep", keeper)
    with subprocess.Popen([keeper, "60"]) as running:
        helper.pid_file.write_text(f"{running.pid}\n")
        helper.start("-k", helper.pid_file)
        assert helper.ask("remove va") == "error keepalived is running: it has the addresses\n"
        assert helper.has("10.98.0.100")
        running.kill()
    assert helper.ask("remove va") == "ok\n" and not helper.has("10.98.0.100")
    assert helper.ask("remove va") == "ok\n", "it is gone already"
    assert helper.has("10.98.0.1") and helper.has("fd00:98::100")
    assert helper.ask("remove v6") == "ok\n" and not helper.has("fd00:98::100")


def test_it_has_one_power_left(helper):
    helper.start()
    fields = dict(line.split(":\t") for line in
                  open(f"/proc/{helper.process.pid}/status", encoding="ascii").read().splitlines()
                  if line.startswith("Cap") or line.startswith("NoNewPrivs"))
    net_admin = 1 << 12
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == net_admin
    assert int(fields["CapBnd"], 16) == net_admin and fields["NoNewPrivs"].strip() == "1"
