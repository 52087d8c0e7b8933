# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy on loopback between a node and a server, to delay, cut, hold and refuse."""
import socket
import threading
import time

from .ports import free_port


class _Pump(threading.Thread):
    """One direction of one connection: each piece leaves `delay()` after it came."""

    def __init__(self, proxy, source, sink, delay):
        super().__init__(daemon=True)
        self.proxy, self.source, self.sink, self.delay = proxy, source, sink, delay

    def run(self):
        try:
            while True:
                piece = self.source.recv(65536)
                if not piece:
                    break
                came = time.monotonic()
                while not self.proxy.closing and \
                        (self.proxy.holding or time.monotonic() < came + self.delay()):
                    time.sleep(0.002)
                piece = self.proxy.change(piece, self.source)
                self.sink.sendall(piece)
                if self.source in self.proxy.ending:
                    break
        except OSError:
            pass
        for end in (self.source, self.sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Proxy:
    """.delay: seconds on everything that the server sends. .holding: nothing passes, connections
    stay (a black hole). .refusing: no new connections. .cut(): ends all there are."""

    def __init__(self, target):
        host, _, port = target.rpartition(":")
        self.target = (host, int(port))
        self.delay = 0.0
        self.holding = False
        self.closing = False
        self.accepted = 0
        self.cut_after = None  # bytes from the server, then everything is cut
        self.ending = set()  # ends from which no byte more passes: none go missing in between
        self._pairs = []
        self._lock = threading.Lock()
        self._refusing = False
        # Not one that the kernel gives to others while nobody listens here (.refusing).
        self.port = free_port()
        self._listener = self._listen(self.port)
        self._start_accepting()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @staticmethod
    def _listen(port):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        return listener

    def _start_accepting(self):
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                far = socket.create_connection(self.target, 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if listener is not self._listener or self._refusing:  # let in just before the end
                    near.close()
                    far.close()
                    continue
                self._pairs.append((near, far))
            _Pump(self, near, far, lambda: 0.0).start()
            _Pump(self, far, near, lambda: self.delay).start()

    def change(self, piece, source):
        """Called for each piece; cuts in the middle of a reply if .cut_after says so."""
        if self.cut_after is None or all(source is not far for _, far in self._pairs):
            return piece
        kept = piece[:self.cut_after]
        self.cut_after -= len(kept)
        if self.cut_after <= 0:
            self.cut_after = None
            self.ending.add(source)
            threading.Thread(target=self.cut, daemon=True).start()
        return kept

    def cut(self):
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()

    @property
    def refusing(self):
        return self._refusing

    @refusing.setter
    def refusing(self, refusing):
        if refusing == self._refusing:
            return
        self._refusing = refusing
        if refusing:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            return
        self._listener = self._listen(self.port)
        self._start_accepting()

    def stop(self):
        self.closing = True
        self.refusing = True
        self.cut()
