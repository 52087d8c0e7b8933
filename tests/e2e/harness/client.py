# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 client that hides nothing: exact bytes out, the answer as it came in."""
import json
import socket
import ssl

from .wait import PATIENCE, SLOWNESS


class Answer:
    def __init__(self, version, status, reason, headers, body, interim=(), trailers=(), raw=b""):
        self.version = version
        self.status = status
        self.reason = reason
        self.headers = headers  # list of (name, value), in order
        self.body = body
        self.interim = list(interim)
        self.trailers = list(trailers)
        self.raw = raw
        self.complete = True

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


class Cut(Exception):
    """The connection ended where the message did not."""

    def __init__(self, why, partial=b""):
        super().__init__(f"{why} after {partial[-200:]!r}")
        self.partial = partial


class Connection:
    """One connection to the gateway. send() bytes, read() answers."""

    def __init__(self, address, timeout=10.0 * SLOWNESS, tls=None, server_name=None, source=None):
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address, timeout, source_address=source)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError, BrokenPipeError) as error:
            raise Cut(type(error).__name__, self.buffer) from error
        if not data:
            raise Cut("end", self.buffer)
        self.buffer += data

    def take(self, length):
        if length <= len(self.buffer) + 65536:
            while len(self.buffer) < length:
                self.fill()
            piece, self.buffer = self.buffer[:length], self.buffer[length:]
            return piece
        # Megabytes are put together once, not with each piece.
        pieces, missing = [], length
        while missing > 0:
            if not self.buffer:
                self.fill()
            pieces.append(self.buffer[:missing])
            missing -= len(pieces[-1])
            self.buffer = self.buffer[len(pieces[-1]):]
        return b"".join(pieces)

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        piece, self.buffer = self.buffer.split(b"\r\n", 1)
        return piece.decode("latin-1")

    def head(self):
        version, status, *reason = self.line().split(" ", 2)
        headers = []
        while True:
            line = self.line()
            if not line:
                return version, int(status), reason[0] if reason else "", headers
            name, value = line.split(":", 1)
            headers.append((name, value.strip()))

    def chunked(self):
        body, trailers = b"", []
        while True:
            size = int(self.line().split(";")[0], 16)
            if size == 0:
                break
            body += self.take(size)
            assert self.take(2) == b"\r\n"
        while True:
            line = self.line()
            if not line:
                return body, trailers
            name, value = line.split(":", 1)
            trailers.append((name, value.strip()))

    def until_end(self):
        try:
            while True:
                self.fill()
        except Cut as cut:
            if str(cut).startswith("end"):
                body, self.buffer = self.buffer, b""
                return body
            raise

    def read(self, method="GET"):
        """The next final answer, with the interim ones before it."""
        interim = []
        while True:
            version, status, reason, headers = self.head()
            if status >= 200 or status == 101:
                break
            interim.append((status, headers))
        answer = Answer(version, status, reason, headers, b"", interim)
        if method == "HEAD" or status in (204, 304, 101):
            return answer
        coding = answer.header("Transfer-Encoding")
        length = answer.header("Content-Length")
        if coding is not None:
            assert coding == "chunked" and length is None
            answer.body, answer.trailers = self.chunked()
        elif length is not None:
            answer.body = self.take(int(length))
        else:
            answer.body = self.until_end()
        return answer

    def request(self, method, path, headers=(), body=None, host="gateway.test"):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in pairs(headers)]
        data = body.encode() if isinstance(body, str) else body
        if data is not None:
            lines.append(f"Content-Length: {len(data)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (data or b""))
        return self.read(method)

    def is_closed(self, timeout=5.0 * PATIENCE * SLOWNESS):
        """The peer ends the connection, with nothing more said."""
        self.sock.settimeout(timeout)
        try:
            return self.sock.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True
        except (TimeoutError, socket.timeout):
            return False


def pairs(headers):
    return headers.items() if isinstance(headers, dict) else headers


def exchange(address, data, timeout=10.0 * SLOWNESS, method="GET"):
    """Sends exact bytes on a fresh connection and reads one answer."""
    with Connection(address, timeout) as connection:
        connection.send(data)
        return connection.read(method)
