# SPDX-License-Identifier: Apache-2.0
"""Origins that do what a script says, byte by byte: slow, resetting, lying about lengths."""
import socket
import struct
import threading

from .ports import free_port


class Received:
    """A request as an origin got it."""

    def __init__(self, method, target, headers, body, connection):
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.connection = connection  # number of the connection it came on
        self.trailers = []

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def __repr__(self):
        return f"<{self.method} {self.target} {self.headers} {self.body[:200]!r}>"


class Peer:
    """The origin's end of one connection, for handlers that write what they like."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def respond(self, status=200, body=b"", headers=(), reason="OK"):
        body = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} {reason}"]
        names = {name.lower() for name, _ in _pairs(headers)}
        if "content-length" not in names and "transfer-encoding" not in names:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in _pairs(headers)]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the gateway closed the connection")
        self.buffer += data

    def line(self):
        while b"\r\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def take(self, length):
        while len(self.buffer) < length:
            self._fill()
        piece, self.buffer = self.buffer[:length], self.buffer[length:]
        return piece

    def read_head(self):
        method, target, _ = self.line().split(" ")
        headers = []
        while True:
            line = self.line()
            if not line:
                return Received(method, target, headers, b"", self.number)
            name, value = line.split(":", 1)
            headers.append((name, value.strip()))

    def read_body(self, request):
        if request.header("Transfer-Encoding") == "chunked":
            while True:
                size = int(self.line().split(";")[0], 16)
                if size == 0:
                    break
                request.body += self.take(size)
                assert self.take(2) == b"\r\n"
            while True:
                line = self.line()
                if not line:
                    return request
                name, value = line.split(":", 1)
                request.trailers.append((name, value.strip()))
        length = request.header("Content-Length")
        if length:
            request.body = self.take(int(length))
        return request


def _pairs(headers):
    return list(headers.items() if isinstance(headers, dict) else headers)


def hello(peer, request):
    peer.respond(200, b"hello\n", {"Content-Type": "text/plain"})


class Origin:
    """handler(peer, request) answers each request; False from it ends the connection. With
    reads_body=False it gets only the head and reads what it likes."""

    def __init__(self, handler=hello, port=None, reads_body=True, unix=None, tls=None):
        self.handler = handler
        self.reads_body = reads_body
        self.tls = tls
        self.requests = []
        self.errors = []
        self.connections = 0
        self.open = {}
        self.lock = threading.Lock()
        self.is_stopped = False
        self.unix = unix
        if unix:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(unix)
            self.address = f"unix:{unix}"
            self.port = 0
        else:
            self.port = port or free_port()
            self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", self.port))
            self.address = f"127.0.0.1:{self.port}"
        self.listener.listen(1024)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while not self.is_stopped:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                number = self.connections
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock, number):
        try:
            if not self.unix:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            peer = Peer(sock, number)
            with self.lock:
                self.open[number] = peer
            while not self.is_stopped:
                request = peer.read_head()
                if self.reads_body:
                    peer.read_body(request)
                with self.lock:
                    self.requests.append(request)
                if self.handler(peer, request) is False:
                    peer.close()
                    return
        except (OSError, ConnectionError, ValueError):
            pass
        except Exception as error:  # a fault of the script: shown when the story ends
            self.errors.append(error)
        finally:
            with self.lock:
                self.open.pop(number, None)
            sock.close()

    @property
    def last(self):
        return self.requests[-1]

    def close_connections(self):
        with self.lock:
            peers = list(self.open.values())
        for peer in peers:
            peer.close()

    def stop(self):
        self.is_stopped = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.close_connections()
        self.thread.join(5)
        if self.errors:
            raise self.errors[0]
