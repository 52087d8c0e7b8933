# SPDX-License-Identifier: Apache-2.0
"""A node that is stopped for a moment, and sees at once, in one turn, what came meanwhile."""
import os
import pathlib
import signal

from .wait import until


class Still:
    def __init__(self, node):
        self.pid = node.process.pid

    def is_stopped(self):
        stats = pathlib.Path(f"/proc/{self.pid}/task").glob("*/stat")
        return all(stat.read_text().rsplit(")", 1)[1].split()[0] == "T" for stat in stats)

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        until(self.is_stopped, pause=0.001)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)
