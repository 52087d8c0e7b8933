# SPDX-License-Identifier: Apache-2.0
"""WebSocket through the gateway: a tunnel that knows where frames end."""
import base64
import hashlib
import os
import signal
import struct
import threading
import time

import pytest

from harness.wait import SLOWNESS, until
from harness.websocket import UPGRADE, frame, read_frame, upgrade

pytestmark = pytest.mark.sanitize

def in_halves(payload, goes_on):
    """An origin that sends one frame: half of it at once, half when it may go on."""
    def handler(peer, request):
        peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
        whole = frame(payload)
        peer.send(whole[:500])
        goes_on.wait(60)
        peer.send(whole[500:])
        time.sleep(60)
        return False

    return handler


def echo(peer, request):
    """A WebSocket origin that sends every frame back."""
    if request.header("Upgrade") is None:
        peer.respond(200, b"plain")
        return True
    accept = base64.b64encode(hashlib.sha1(
        (request.header("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()
    ).digest()).decode()
    peer.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              f"Sec-WebSocket-Accept: {accept}\r\n\r\n")
    while True:
        opcode, payload = read_frame(peer.take)
        peer.send(frame(payload, opcode))
        if opcode == 8:
            return False


@pytest.fixture
def tunnel(node, make_origin):
    node.upstream("o", make_origin(echo))
    node.route("r", "o", paths=["/ws"])
    return node


def test_frames_go_through_both_ways(tunnel):
    with upgrade(tunnel) as c:
        for size in (0, 1, 125, 126, 65535, 65536, 300000):
            payload = os.urandom(size)
            c.send(frame(payload, masked=True))
            assert read_frame(c.take) == (2, payload)
        assert tunnel.status()["streams"] == 1
        c.send(frame(struct.pack(">H", 1000), 8, masked=True))
        assert read_frame(c.take)[0] == 8
        assert c.is_closed()
    until(lambda: tunnel.status()["streams"] == 0)


def test_one_byte_at_a_time(tunnel):
    with upgrade(tunnel) as c:
        for byte in frame(b"slowly", masked=True):
            c.send(bytes([byte]))
        assert read_frame(c.take) == (2, b"slowly")


def test_a_refused_upgrade_is_an_ordinary_answer(node, make_origin):
    def no(peer, request):
        peer.respond(403, b"no")

    node.upstream("o", make_origin(no))
    node.route("r", "o")
    with node.connect() as c:
        c.send(UPGRADE.format(path="/", more=""))
        assert c.read().status == 403
        assert c.request("GET", "/").status == 403


def test_only_websocket_passes_in_upgrade(node, origin):
    node.upstream("o", origin)
    node.route("r", "o")
    answer = node.get("/", {"Connection": "Upgrade", "Upgrade": "h2c"})
    assert answer.status == 200
    assert origin.last.header("Upgrade") is None


def test_revoking_the_key_closes_the_stream_with_1008(node, make_origin):
    node.upstream("o", make_origin(echo))
    node.route("r", "o", auth={"methods": ["key"]})
    node.consumer("acme")
    key, other = node.key("acme"), node.key("acme")
    with upgrade(node, more=f"X-API-Key: {key['key']}\r\n") as c, \
            upgrade(node, more=f"X-API-Key: {other['key']}\r\n") as kept:
        c.send(frame(b"hello", masked=True))
        assert read_frame(c.take) == (2, b"hello")
        begin = time.monotonic()
        assert node.admin("DELETE", f"/v1/keys/{key['id']}").status == 204
        opcode, payload = read_frame(c.take)
        assert (opcode, struct.unpack(">H", payload[:2])[0]) == (8, 1008)
        assert c.is_closed()
        assert time.monotonic() - begin < 5 * SLOWNESS
        kept.send(frame(b"still", masked=True))
        assert read_frame(kept.take) == (2, b"still")


def test_draining_closes_with_1001(tunnel):
    c = upgrade(tunnel)
    tunnel.signal(signal.SIGTERM)
    opcode, payload = read_frame(c.take)
    assert (opcode, struct.unpack(">H", payload[:2])[0]) == (8, 1001)
    c.close()
    assert tunnel.wait() == 0


def test_the_close_never_splits_a_frame(node, make_origin):
    """The origin writes half a frame; the close waits for the other half."""
    go = threading.Event()

    node.upstream("o", make_origin(in_halves(b"x" * 1000, go)))
    node.route("r", "o", auth={"methods": ["key"]})
    node.consumer("acme")
    key = node.key("acme")
    with upgrade(node, more=f"X-API-Key: {key['key']}\r\n") as c:
        while len(c.buffer) < 500:
            c.fill()
        assert node.admin("DELETE", f"/v1/keys/{key['id']}").status == 204
        go.set()
        assert read_frame(c.take) == (2, b"x" * 1000)
        opcode, payload = read_frame(c.take)
        assert (opcode, struct.unpack(">H", payload[:2])[0]) == (8, 1008)


def test_an_idle_tunnel_ends(node, make_origin):
    node.upstream("o", make_origin(echo), idle_timeout="300ms")
    node.route("r", "o")
    with upgrade(node, path="/") as c:
        assert read_frame(c.take)[0] == 8
        assert c.is_closed()


def test_back_pressure(node, make_origin):
    """A client that does not read stops the origin, and memory stays bounded."""
    sent = []

    def flood(peer, request):
        peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
        data = frame(b"x" * 65000)
        for _ in range(1000):
            peer.send(data)
            sent.append(len(data))
        return False

    node.upstream("o", make_origin(flood))
    node.route("r", "o")
    before = node.memory()
    with upgrade(node, path="/") as c:
        time.sleep(1)
        stuck = len(sent)
        assert stuck < 1000
        assert node.memory() - before < 8 * 1024 * 1024
        for _ in range(1000):
            assert len(read_frame(c.take)[1]) == 65000


# ---- malformed frames ----

UNMASKED = frame(b"no mask")          # of a client
MASKED = frame(b"mask", masked=True)  # of a server
RESERVED = b"\x83\x00"


class Listener:
    """An origin that sends what it is told and keeps what it gets."""

    def __init__(self, *pieces):
        self.pieces, self.frames, self.peer = pieces, [], None
        self.ended = threading.Event()

    def __call__(self, peer, request):
        self.peer = peer
        peer.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")
        for piece in self.pieces:
            peer.send(piece)
            time.sleep(0.05)
        try:
            while True:
                self.frames.append(read_frame(peer.take))
        except ConnectionError:
            pass
        self.ended.set()
        return False


def code_of(seen):
    opcode, payload = seen
    assert opcode == 8
    return struct.unpack(">H", payload[:2])[0]


@pytest.fixture
def listened(node, make_origin):
    def make(*pieces):
        listener = Listener(*pieces)
        node.upstream("o", make_origin(listener))
        node.route("r", "o", paths=["/ws"])
        return listener
    return make


@pytest.mark.parametrize("bad", [UNMASKED, RESERVED, b"\x81\xfe\x00\x05" + b"mask" + b"hello"])
def test_a_client_that_breaks_the_protocol_is_closed_with_1002(node, listened, bad):
    listener = listened(frame(b"from the origin"))
    with upgrade(node) as c:
        assert read_frame(c.take) == (2, b"from the origin")
        c.send(frame(b"good", masked=True) + bad)
        assert code_of(read_frame(c.take)) == 1002
        assert c.is_closed()
    assert listener.ended.wait(15 * SLOWNESS)
    assert listener.frames[0] == (2, b"good")
    assert [code_of(seen) for seen in listener.frames[1:]] == [1001]
    until(lambda: [line for line in node.access() if line.get("failure") == "websocket-malformed"])


@pytest.mark.parametrize("bad", [MASKED, RESERVED], ids=["masked", "reserved"])
def test_an_upstream_that_breaks_the_protocol_is_closed_with_1002(node, listened, bad):
    listener = listened(frame(b"good") + bad)
    with upgrade(node) as c:
        assert read_frame(c.take) == (2, b"good")
        assert code_of(read_frame(c.take)) == 1001
        assert c.is_closed()
    assert listener.ended.wait(15 * SLOWNESS)
    assert [code_of(seen) for seen in listener.frames] == [1002]


def test_a_wrong_header_in_pieces_closes_its_sender_and_ends_the_other_side(node, listened):
    """A part of it was passed on, so no close frame fits behind it there."""
    listener = listened()
    with upgrade(node) as c:
        c.send(UNMASKED[:1])
        until(lambda: listener.peer.buffer == UNMASKED[:1], what="the part being passed on")
        c.send(UNMASKED[1:])
        assert code_of(read_frame(c.take)) == 1002
        assert c.is_closed()
    assert listener.ended.wait(15 * SLOWNESS)
    assert listener.frames == []


def test_the_close_for_a_malformed_frame_waits_for_the_end_of_another(node, make_origin):
    goes_on = threading.Event()

    node.upstream("o", make_origin(in_halves(b"y" * 1000, goes_on)))
    node.route("r", "o", paths=["/ws"])
    with upgrade(node) as c:
        while len(c.buffer) < 500:
            c.fill()
        c.send(UNMASKED)
        goes_on.set()
        assert read_frame(c.take) == (2, b"y" * 1000)
        assert code_of(read_frame(c.take)) == 1002
