# SPDX-License-Identifier: Apache-2.0
"""An origin in a process of its own, for stories with much traffic: answers everything at once,
echoes WebSocket frames. `python -m harness.busy_origin` reads its settings from a line of JSON and
prints its port; it ends with its standard input."""
import asyncio
import base64
import hashlib
import json
import ssl
import sys

from .child import Child

BODY = b"hello\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n" + BODY


class BusyOrigin(Child):
    """As the stories see it."""

    def __init__(self, tls=None):
        files = None if tls is None else [str(file) for file in tls]
        super().__init__("harness.busy_origin", {"tls": files})
        self.port = int(self.line())
        self.address = f"127.0.0.1:{self.port}"


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""
        self.is_tunnel = False

    def data_received(self, data):
        if self.is_tunnel:
            self.transport.write(unmasked(self, data))
            return
        self.buffer += data
        while not self.is_tunnel:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.buffer[:end].lower()
            length = 0
            at = head.find(b"\r\ncontent-length: ")
            if at >= 0:
                length = int(head[at + 18:].split(b"\r\n")[0])
            if len(self.buffer) < end + 4 + length:
                return
            whole, self.buffer = self.buffer[:end], self.buffer[end + 4 + length:]
            self.answer(whole, head)

    def answer(self, whole, head):
        at = head.find(b"\r\nsec-websocket-key: ")
        if at < 0:
            self.transport.write(ANSWER)
            return
        key = whole[at + 21:].split(b"\r\n")[0]
        accept = base64.b64encode(
            hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        self.is_tunnel = True
        self.frames, self.buffer = self.buffer, b""
        self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")


def unmasked(server, data):
    """Small masked frames as they go back."""
    server.frames += data
    out = b""
    while len(server.frames) >= 6:
        length = server.frames[1] & 0x7F
        if len(server.frames) < 6 + length:
            break
        mask, payload = server.frames[2:6], server.frames[6:6 + length]
        out += bytes([server.frames[0], length])
        out += bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
        server.frames = server.frames[6 + length:]
    return out


async def serve(settings):
    context = None
    if settings["tls"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*settings["tls"])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0, ssl=context, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    end = asyncio.Event()
    loop.add_reader(0, end.set)
    await end.wait()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.stdin.readline())))
