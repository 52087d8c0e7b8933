# SPDX-License-Identifier: Apache-2.0
"""WebSocket, as little of it as the stories need."""
import os
import struct

UPGRADE = ("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n")


def frame(payload, opcode=2, masked=False, fin=True):
    head = bytes([(0x80 if fin else 0) | opcode])
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def read_frame(take):
    """(opcode, payload)"""
    first, second = take(2)
    length = second & 0x7F
    if length == 126:
        length, = struct.unpack(">H", take(2))
    elif length == 127:
        length, = struct.unpack(">Q", take(8))
    mask = take(4) if second & 0x80 else None
    payload = take(length)
    if mask:
        payload = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    return first & 0x0F, payload


def upgrade(node, path="/ws", more="", timeout=10):
    """A connection that has become a tunnel."""
    c = node.connect(timeout=timeout)
    c.send(UPGRADE.format(path=path, more=more))
    answer = c.read()
    assert answer.status == 101, answer
    assert answer.header("Upgrade").lower() == "websocket"
    return c
