# SPDX-License-Identifier: Apache-2.0
"""The Redis protocol over a raw socket, for tests that ask a server themselves."""
import socket


class RedisError(Exception):
    """An error that the server answered: its text."""


class RespConnection:
    def __init__(self, address, timeout=5.0, context=None, user=None, password=None):
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname=address[0])
        self.file = self.socket.makefile("rb")
        if password is not None:
            self.call("AUTH", *([user] if user else []), password)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) +
                            b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        assert kind == b"*", line
        return None if int(rest) < 0 else [self.read() for _ in range(int(rest))]

    def call(self, *words):
        """Bulk strings as bytes, statuses as str; an error is raised."""
        self.send(*words)
        answer = self.read()
        if isinstance(answer, RedisError):
            raise answer
        return answer
