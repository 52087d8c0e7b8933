# SPDX-License-Identifier: Apache-2.0
"""Crowds of clients that are slow, idle, greedy or gone: the others do not notice, memory is
bounded and given back, nothing leaks."""
import contextlib
import random
import socket
import struct
import threading
import time

import pytest

from harness.busy_origin import BusyOrigin
from harness.load import Load
from harness.wait import SANITIZED, scaled, until

pytestmark = [pytest.mark.sanitize, pytest.mark.heavy]

MIB = 1024 * 1024
QUIET = {"level": "warn", "access": "off"}


@pytest.fixture
def busy():
    origin = BusyOrigin()
    yield origin
    origin.stop()


@contextlib.contextmanager
def others(node):
    """Well-behaved clients meanwhile; none of them may notice."""
    load = Load(node.address, ["/"], connections=4, renew=0.1, pause=0.005)
    begin = time.monotonic()
    yield
    # What they meet may be over in no time: they go on for two seconds in all.
    time.sleep(max(0, 2 - (time.monotonic() - begin)))
    load.reaches(10)
    report = load.stop()
    assert report.failures == []
    assert report.p99() < 0.5 or SANITIZED, report


def crowd(node, count):
    """So many connections, opened as fast as they are accepted."""
    socks = []
    for _ in range(count):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(30)
        sock.connect(node.address)
        socks.append(sock)
    return socks


def leave(socks):
    for sock in socks:
        sock.close()


def is_back(node, before, spare=10 * MIB):
    """An eighth and 8 MiB more than before are not worth a trim (gatewayd/memory.c)."""
    if SANITIZED:
        return
    most = before + before // 8 + spare
    until(lambda: node.memory() < most, timeout=45, pause=0.25, what="the memory of before")


def answer_of(sock):
    """The status, or 0 when it was cut."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            more = sock.recv(4096)
            if not more:
                break
            data += more
    except OSError:
        pass
    return int(data[9:12]) if len(data) > 12 else 0


def test_slow_heads_and_slow_bodies(make_node, busy):
    node = make_node(log=QUIET, timeouts={"header": "2s", "body": "2s"})
    node.upstream("o", busy)
    node.route("r", "o")
    count = scaled(500, 40)
    before = node.memory()
    with others(node):
        heads = crowd(node, count)
        bodies = crowd(node, count)
        for sock in bodies:
            with contextlib.suppress(OSError):  # this story was held up
                sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        for byte in b"GET / HTTP":
            for sock in heads:
                with contextlib.suppress(OSError):
                    sock.send(bytes([byte]))
            time.sleep(0.1)
        if not SANITIZED:
            assert node.memory() - before < 2 * count * 48 * 1024
        # A byte now and then does not keep a head alive past its time.
        assert {answer_of(sock) for sock in heads} <= {408}
        assert {answer_of(sock) for sock in bodies} <= {408}
        leave(heads + bodies)
    until(lambda: node.status()["exchanges"] == 0)
    is_back(node, before)


def test_floods_of_headers(make_node, busy):
    node = make_node(log=QUIET)
    node.upstream("o", busy)
    node.route("r", "o")
    before = node.memory()
    with others(node):
        for _ in range(scaled(5, 1)):
            socks = crowd(node, scaled(200, 20))
            for i, sock in enumerate(socks):
                flood = (b"X: " + b"a" * 60000 + b"\r\n" if i % 2 else
                         b"".join(b"X-%d: a\r\n" % n for n in range(2000)))
                with contextlib.suppress(OSError):
                    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + flood)
            assert {answer_of(sock) for sock in socks} <= {431, 0}
            leave(socks)
    is_back(node, before)


def test_thousands_of_idle_connections(make_node, busy):
    node = make_node(log=QUIET, timeouts={"idle": "60s"})
    node.upstream("o", busy, keepalive={"idle": 16})
    node.route("r", "o")
    count = scaled(9000, 400)
    bare = node.memory()
    sockets = node.sockets()
    with others(node):
        socks = crowd(node, count)
        until(lambda: node.status()["connections"] >= count, timeout=20)
        fresh = node.memory() - bare
        for first in range(0, count, 200):
            for sock in socks[first:first + 200]:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            for sock in socks[first:first + 200]:
                assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        print(f"{fresh / count:.0f} bytes a fresh connection")
        # Idle again: nobody holds a buffer.
        if not SANITIZED:
            until(lambda: (node.memory() - bare) / count < 4096, timeout=45, pause=0.25,
                  what="idle connections without buffers")
        leave(socks)
        until(lambda: node.status()["connections"] <= 10, timeout=15)
    until(lambda: node.sockets() <= sockets + 80, timeout=15)
    is_back(node, bare, spare=16 * MIB)


def test_more_clients_than_there_is_room_for(make_node, busy):
    """Accepting pauses, is counted, and goes on when others leave."""
    node = make_node(log=QUIET, max={"connections": 100})
    node.upstream("o", busy)
    node.route("r", "o")
    socks = crowd(node, 150)
    until(lambda: node.status()["connections"] >= 100)
    until(lambda: node.metrics()['gatewayd_accept_pauses_total{reason="connections"}'] > 0)
    time.sleep(0.3)
    assert node.status()["connections"] <= 104
    leave(socks[:100])
    for sock in socks[100:]:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer_of(sock) == 200
    leave(socks[100:])


# ---- chaos ----


class Moody:
    """An upstream that misbehaves at random."""

    def __init__(self, seed):
        self.chance = random.Random(seed)

    def __call__(self, peer, request):
        mood = self.chance.choice([self.whole, self.whole, self.whole, self.slow, self.chunked,
                                   self.cut, self.reset, self.half_head, self.garbage, self.long])
        return mood(peer)

    def whole(self, peer):
        peer.respond(200, b"fine")

    def slow(self, peer):
        time.sleep(self.chance.uniform(0, 0.2))
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")
        time.sleep(self.chance.uniform(0, 0.2))
        peer.send(b"ngth: 4\r\n\r\nslow")

    def chunked(self, peer):
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(self.chance.randrange(20)):
            peer.send(b"400\r\n" + b"c" * 1024 + b"\r\n")
        peer.send(b"0\r\n\r\n")

    def long(self, peer):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + b"l" * 1048576)

    def cut(self, peer):
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")
        return False

    def reset(self, peer):
        peer.reset()
        return False

    def half_head(self, peer):
        peer.send(b"HTTP/1.1 200 OK\r\nX: ")
        return False

    def garbage(self, peer):
        peer.send(bytes(self.chance.randrange(256) for _ in range(200)))
        return False


REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + b"b" * 20000,
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
    b"1000\r\n" + b"c" * 4096 + b"\r\n0\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
]


def vanish(node, seed, end):
    """A client that sends part of something, reads some of an answer, and is gone."""
    chance = random.Random(seed)
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            with socket.create_connection(node.address, 5) as sock:
                data = chance.choice(REQUESTS)
                sock.sendall(data[:chance.randrange(1, len(data) + 1)])
                sock.settimeout(chance.choice([0.001, 0.01, 0.1, 0.5]))
                for _ in range(chance.randrange(4)):
                    if not sock.recv(chance.choice([1, 100, 65536])):
                        break
                if chance.random() < 0.5:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_chaos_leaves_nothing_behind(make_node, make_origin):
    node = make_node(log=QUIET, timeouts={"header": "1s", "body": "1s", "idle": "2s"})
    origins = [make_origin(Moody(seed)) for seed in range(3)]
    node.upstream("o", *origins, connect_timeout="500ms", response_timeout="1s",
                  idle_timeout="1s", retries={"attempts": 2, "budget": 100},
                  keepalive={"timeout": "1s"}, outlier={"failures": 20, "eject_for": "200ms"})
    node.route("r", "o", limits=[{"name": "l", "rate": 100000, "per": "1s", "by": "ip"}])
    sockets = node.sockets()

    def rage(seconds, seed):
        end = time.monotonic() + seconds
        clients = [threading.Thread(target=vanish, args=(node, seed + i, end)) for i in range(32)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        until(lambda: node.status()["exchanges"] == 0, timeout=15, what="no exchange left")
        until(lambda: node.status()["connections"] == 0, timeout=15, what="no connection left")
        until(lambda: node.sockets() <= sockets, timeout=15, what="no socket left")

    rage(scaled(4, 2), 1000)
    before = node.memory()
    rage(scaled(9, 3), 2000)
    print({k: v for k, v in node.metrics().items() if k.startswith("gatewayd_failures") and v})
    if not SANITIZED:
        until(lambda: node.memory() - before < 4 * MIB, timeout=15, pause=0.25, what="the memory of before")
    assert node.status()["streams"] == 0
    fine = make_origin()
    node.upstream("o", fine)
    assert node.get("/").status == 200
