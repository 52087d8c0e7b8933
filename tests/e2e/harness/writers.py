# SPDX-License-Identifier: Apache-2.0
"""Somebody who changes things at one node all the time."""
import threading
import time

from .wait import Clock, until


class Writers:
    """Threads that change one consumer each, at one node, and never pause."""

    def __init__(self, node, count=1):
        self.node, self.ended = node, threading.Event()
        self.waits, self.answers, self.clock = [], [], Clock()
        self.threads = [threading.Thread(target=self._write, args=(f"w{i}",)) for i in range(count)]

    def _write(self, name):
        with self.node.admin_connection(timeout=300) as connection:
            n = 0
            while not self.ended.is_set():
                began = time.monotonic()
                answer = connection.call("PUT", f"/v1/consumers/{name}",
                                         {"metadata": {"n": str(n)}})
                self.waits.append(time.monotonic() - began)
                self.answers.append(answer.status)
                n += 1

    def __enter__(self):
        self.clock.__enter__()
        for thread in self.threads:
            thread.start()
        until(lambda: len(self.answers) > 20, what="writers at work")
        return self

    def __exit__(self, *_):
        self.clock.__exit__()
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def expect_served(self, most, took=0.0):
        """Each was answered with what it asked for, and after so many seconds, on a slow machine
        before the other's change was over, which `took` so long."""
        most = max(most, took)
        assert set(self.answers) <= {200, 201}, set(self.answers)
        print("longest wait", max(self.waits), "of", len(self.waits))
        assert max(self.waits) - self.clock.late < most
