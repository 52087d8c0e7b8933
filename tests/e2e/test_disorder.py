# SPDX-License-Identifier: Apache-2.0
"""Clients that leave at any moment, origins that fail in every way, operators that change things
meanwhile: nothing is left behind, and the node ends cleanly."""
import random
import signal
import socket
import struct
import threading
import time

import pytest

from harness.wait import until

pytestmark = pytest.mark.sanitize

SECONDS = 4


class Crowd:
    """Threads that repeat `visit(random)` until the end of the block."""

    def __init__(self, visit, count):
        self.visit = visit
        self.is_over = False
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(count)]

    def run(self, seed):
        chance = random.Random(seed)
        while not self.is_over:
            try:
                self.visit(chance)
            except OSError:
                pass

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join()


def unreliable(peer, _request):
    dice = random.random()
    if dice < 0.1:
        return False
    if dice < 0.15:
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc")
        return False
    if dice < 0.2:
        peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno")
    elif dice < 0.25:
        peer.send("garbage\r\n\r\n")
        return False
    elif dice < 0.35:
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    else:
        if dice < 0.45:
            time.sleep(0.3)
        body = b"x" * random.choice([0, 10, 1000, 70000, 300000])
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return True


def request(chance, key):
    """(head, body) of one request."""
    method = chance.choice(["GET", "POST", "PUT", "HEAD", "DELETE"])
    path = chance.choice(["/", "/t", "/k", "/x%2Fy", "/nope/../a"])
    body = b"y" * chance.choice([0, 5, 5000, 100000]) if method in ("POST", "PUT") else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\n"
    if body and chance.random() < 0.3:
        head += "Transfer-Encoding: chunked\r\n"
        body = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    elif body:
        head += f"Content-Length: {len(body)}\r\n"
    if chance.random() < 0.1:
        head += "Expect: 100-continue\r\n"
    return (head + "\r\n").encode(), body


def visit(address, key, chance):
    with socket.create_connection(address, timeout=5) as sock:
        for _ in range(chance.randint(1, 20)):
            head, body = request(chance, key)
            sock.sendall(head)
            if chance.random() < 0.05:
                return
            sock.sendall(body)
            if chance.random() < 0.05:
                return
            sock.settimeout(3)
            if not sock.recv(65536) or chance.random() < 0.6:
                return


def is_quiet(node):
    metrics = node.metrics()
    return metrics["gatewayd_exchanges"] == 0 and metrics["gatewayd_connections"] == 0


def configure(node, origins):
    node.upstream("o", *origins, response_timeout="200ms", retries={"attempts": 2})
    node.route("r", "o")
    node.route("t", "o", paths=["/t"], timeout="50ms")
    node.consumer("c")
    node.route("k", "o", paths=["/k"], auth={"methods": ["key"]},
               limits=[{"name": "l", "rate": 1000, "burst": 100, "by": "consumer"}])
    return node.key("c")["key"]


def change_something(node, origins, round_number):
    node.route(f"r{round_number % 5}", "o", paths=[f"/z{round_number}"])
    if round_number % 7 == 0:
        node.signal(signal.SIGHUP)
    if round_number % 11 == 0:
        node.upstream("o", *origins[:1 + round_number % 3], response_timeout="200ms",
                      retries={"attempts": 2})
    if round_number % 13 == 0:
        node.admin("DELETE", f"/v1/keys/{node.key('c')['id']}")


def test_requests_in_disorder(make_node, make_origin):
    node = make_node(log={"level": "info"}, timeouts={"drain": "3s"})
    origins = [make_origin(unreliable) for _ in range(3)]
    key = configure(node, origins)
    with Crowd(lambda chance: visit(node.address, key, chance), 10):
        end = time.monotonic() + SECONDS
        round_number = 0
        while time.monotonic() < end:
            round_number += 1
            change_something(node, origins, round_number)
            time.sleep(0.05)
    until(lambda: is_quiet(node), timeout=10, what="nothing left behind")


def test_a_drain_in_disorder(make_node, make_origin):
    node = make_node(log={"level": "info"}, timeouts={"drain": "3s"})
    key = configure(node, [make_origin(unreliable)])
    with Crowd(lambda chance: visit(node.address, key, chance), 10):
        time.sleep(1)
        node.signal(signal.SIGTERM)
        assert node.wait(10) == 0


def frame(data, mask):
    size = len(data)
    bit = 0x80 if mask else 0
    if size < 126:
        length = bytes([bit | size])
    elif size < 65536:
        length = bytes([bit | 126]) + struct.pack(">H", size)
    else:
        length = bytes([bit | 127]) + struct.pack(">Q", size)
    return b"\x82" + length + (bytes(4) if mask else b"") + data


def talk(peer, _request):
    peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
              "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
    try:
        for _ in range(random.randint(1, 200)):
            peer.send(frame(b"z" * random.choice([0, 5, 200, 70000]), False))
            time.sleep(random.random() * 0.05)
            if random.random() < 0.02:
                peer.send(frame(b"q" * 1000, False)[:500])
    except OSError:
        pass
    return False


def open_tunnel(address, keys, chance):
    with socket.create_connection(address, timeout=3) as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nX-API-Key: {chance.choice(keys)['key']}\r\n"
                     "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: x\r\n\r\n".encode())
        end = time.monotonic() + chance.random() * 2
        while time.monotonic() < end:
            if chance.random() < 0.5:
                sock.sendall(frame(b"y" * chance.choice([0, 100, 100000]), True))
            if chance.random() < 0.02:
                sock.sendall(b"\xff\xff\xff\xff")
            sock.settimeout(0.05)
            try:
                if not sock.recv(chance.choice([10, 65536])):
                    return
            except TimeoutError:
                pass


def test_tunnels_in_disorder(make_node, make_origin):
    node = make_node(log={"level": "info"}, timeouts={"drain": "3s"})
    node.upstream("o", make_origin(talk), idle_timeout="500ms")
    node.consumer("c")
    node.route("r", "o", auth={"methods": ["key"]})
    keys = [node.key("c") for _ in range(5)]
    with Crowd(lambda chance: open_tunnel(node.address, keys, chance), 10):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(0.3)
            keys.append(node.key("c"))
            node.admin("DELETE", f"/v1/keys/{keys.pop(0)['id']}")
            if random.random() < 0.2:
                node.admin("POST", "/v1/drain", {})
                time.sleep(0.1)
                node.admin("DELETE", "/v1/drain")
    until(lambda: is_quiet(node), timeout=10, what="nothing left behind")
    until(lambda: node.metrics()["gatewayd_tunnels"] == 0, what="the metric")
