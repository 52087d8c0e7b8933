# SPDX-License-Identifier: Apache-2.0
"""What a connection may be put through: floods of requests, silence at every point, ends on one
side, and that a node which waits for somebody uses no CPU for it."""
import os
import pathlib
import signal
import socket
import threading
import time

import pytest

from harness.client import Connection, Cut
from harness.wait import SLOWNESS, scaled, until

pytestmark = pytest.mark.sanitize


def pipelined(count, pad=""):
    return b"".join(b"GET /%d HTTP/1.1\r\nHost: gateway.test\r\nX-Pad: %s\r\n\r\n"
                    % (i, pad.encode()) for i in range(count))


def send_aside(connection, data):
    threading.Thread(target=connection.send, args=(data,), daemon=True).start()


# ---- pipelining ----------------------------------------------------------------------------

@pytest.mark.parametrize("pad", ["", "a" * 700, "a" * 20000], ids=["short", "middle", "long"])
def test_pipelined_requests_without_end_are_answered_in_order(make_node, make_origin, pad):
    """However the ends of buffers cut the heads."""
    origin = make_origin(lambda peer, request: peer.respond(200, request.target))
    node = make_node()
    node.upstream("o", origin)
    node.route("r", "o", paths=["/"])
    count = 2000000 // (2000 + len(pad))
    with node.connect() as c:
        send_aside(c, pipelined(count, pad))
        for i in range(count):
            answer = c.read()
            assert (answer.status, answer.text) == (200, f"/{i}")


def test_pipelined_requests_that_the_gateway_answers_itself(make_node):
    node = make_node()
    node.route("r", paths=["/"], respond={"status": 200, "body": "here"})
    with node.connect() as c:
        send_aside(c, pipelined(3000))
        for _ in range(3000):
            assert c.read().status == 200


# ---- deadlines -----------------------------------------------------------------------------

BIG = b"x" * (16 << 20)


def drink(peer, count):
    """Takes bytes of a body without keeping them."""
    while count > 0:
        data = peer.sock.recv(1 << 20)
        if not data:
            return
        count -= len(data)


def push(connection, seconds=0.3):
    """Sends until nothing is taken any more."""
    connection.sock.settimeout(seconds)
    try:
        while True:
            connection.sock.send(b"x" * 65536)
    except (TimeoutError, socket.timeout):
        pass
    except OSError:  # cut while this story was held up
        pass


def has_no_exchange(node):
    return node.status()["exchanges"] == 0


def test_a_client_that_takes_nothing_of_an_answer_is_cut(make_node, make_origin):
    """timeouts.body, counted from when it took the last byte, not from some event before."""
    origin = make_origin(lambda peer, request: peer.respond(200, BIG))
    node = make_node(timeouts={"body": "1s"})
    node.upstream("o", origin)
    node.route("r", "o")
    connections = [node.connect() for _ in range(20)]
    for c in connections:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: len(origin.requests) == 20)
    until(lambda: has_no_exchange(node), timeout=6)


def test_a_body_that_stops_after_a_slow_upstream_took_it_is_late(make_node, make_origin):
    """Its time begins when the gateway waits for the client, however long it waited for the
    upstream before."""
    goes_on = threading.Event()

    def slow(peer, request):
        goes_on.wait(10)
        drink(peer, 1 << 30)
        return False

    origin = make_origin(slow, reads_body=False)
    node = make_node(timeouts={"body": "1s"})
    node.upstream("o", origin, response_timeout="60s")
    node.route("r", "o", max_body="1024M")
    with node.connect() as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 600000000\r\n\r\n")
        push(c)
        time.sleep(1.5)
        goes_on.set()
        c.sock.settimeout(10 * SLOWNESS)
        assert c.read().status == 408
    until(lambda: has_no_exchange(node))


# ---- waiting uses no CPU -------------------------------------------------------------------

def cpu_share(node, seconds=0.3):
    def ticks():
        fields = pathlib.Path(f"/proc/{node.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    begin = ticks()
    time.sleep(seconds)
    return (ticks() - begin) / os.sysconf("SC_CLK_TCK") / seconds


def assert_rests(node):
    until(lambda: cpu_share(node) < 0.2, what="a node that uses no CPU")


@pytest.fixture
def still(make_node, make_origin):
    """A node and an origin that does with a request what it is told: nothing, by default."""
    ends = threading.Event()

    def handler(peer, request):
        if request.target == "/big":
            peer.respond(200, BIG)
        elif request.target == "/chunked":
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        elif request.target == "/early":
            peer.respond(200, BIG)
            ends.wait(30)
        elif request.target == "/half":
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            ends.wait(30)
        elif request.target == "/switch":
            peer.send("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            ends.wait(30)
        else:
            ends.wait(30)
        return False

    origin = make_origin(handler, reads_body=False)
    node = make_node()
    node.upstream("o", origin)
    node.route("r", "o", max_body="1024M")
    yield node
    ends.set()


UPGRADE = ("GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
FRAME = b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"\0\0\0\0"


@pytest.mark.parametrize("head,pushes,ends", [
    ("GET /never HTTP/1.1", False, False),
    ("GET /never HTTP/1.1", False, True),
    ("GET /never HTTP/1.1", True, False),
    ("GET /big HTTP/1.1", False, False),
    ("GET /big HTTP/1.1", True, False),
    ("GET /big HTTP/1.1", False, True),
    ("GET /chunked HTTP/1.1", False, False),
    ("GET /chunked HTTP/1.1", True, False),
    ("GET /half HTTP/1.1", False, False),
    ("GET /half HTTP/1.1", False, True),
    ("GET /half HTTP/1.1", True, False),
    ("POST /never HTTP/1.1\r\nContent-Length: 600000000", True, False),
    ("POST /never HTTP/1.1\r\nContent-Length: 600000000", False, False),
    ("POST /never HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20000000", True, False),
    ("POST /early HTTP/1.1\r\nContent-Length: 600000000", True, False),
    ("POST /early HTTP/1.1\r\nContent-Length: 600000000", False, False),
    ("POST /half HTTP/1.1\r\nContent-Length: 600000000", True, False),
    ("POST /half HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789GET / HTTP/1.1", True, False),
])
def test_who_waits_uses_no_cpu(still, head, pushes, ends):
    with still.connect() as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        begin, _, body = head.partition("\r\n\r\n")
        c.send(f"{begin}\r\nHost: a\r\n\r\n")
        if body:
            c.send(body + "\r\n")
        if pushes:
            push(c)
        if ends:
            c.half_close()
        assert_rests(still)


@pytest.mark.parametrize("ends", [False, True])
def test_a_tunnel_whose_upstream_reads_nothing_uses_no_cpu(still, ends):
    with still.connect() as c:
        c.send(UPGRADE)
        assert c.read().status == 101
        c.send(FRAME)
        push(c)
        if ends:
            c.half_close()
        assert_rests(still)


def test_an_unfinished_proxy_header_uses_no_cpu(make_node, tmp_path):
    """Neither when its sender ended its side, nor on a unix socket."""
    node = make_node(start=False)
    path = str(tmp_path / "p.sock")
    node.config["listeners"][0]["proxy_protocol"] = True
    node.config["listeners"].append({"name": "unix", "address": f"unix:{path}",
                                     "proxy_protocol": True})
    node.write_config()
    node.start()
    with node.connect() as c, Connection(path) as u:
        c.send("PROXY TCP4 192.0.2.7 ")
        u.send("PROXY TCP4 192.0.2.7 ")
        assert_rests(node)
        u.send("198.51.100.1 5555 ")
        u.send("80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert u.read().status == 404
        c.half_close()
        assert_rests(node)
        assert c.is_closed()


def test_a_flood_of_pipelined_requests_is_not_one_turn_of_the_loop(make_node):
    """Else all that 400 000 exchanges use is there at the same time."""
    node = make_node(workers=1, log={"level": "warn", "access": "off"})
    node.route("r", paths=["/"], respond={"status": 200, "body": "hi"})
    connections = [node.connect() for _ in range(50)]
    before = node.memory()
    os.kill(node.process.pid, signal.SIGSTOP)
    for c in connections:
        c.sock.setblocking(False)
        c.sock.send(b"GET / HTTP/1.1\r\nHost:a\r\n\r\n" * 4000)
    os.kill(node.process.pid, signal.SIGCONT)
    for _ in range(20):
        for c in connections:
            try:
                while c.sock.recv(1 << 20):
                    pass
            except BlockingIOError:
                pass
        # What was freed rests in the address sanitizer's quarantine (256 MiB) for a while.
        assert node.memory() - before < scaled(100 << 20, 400 << 20)
        time.sleep(0.02)
    for c in connections:
        c.close()
