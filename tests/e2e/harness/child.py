# SPDX-License-Identifier: Apache-2.0
"""Helpers of a story that run as processes of their own, out of the way of the story's own work
and of the node's: they yield the processor to it."""
import json
import os
import pathlib
import subprocess
import sys


class Child:
    """Runs `module` with a line of JSON as its first input. It ends when its input does."""

    def __init__(self, module, settings):
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            ["nice", "-n", "10", sys.executable, "-m", module], env=env, text=True,
            cwd=pathlib.Path(__file__).resolve().parents[1], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self.process.stdin.write(json.dumps(settings) + "\n")
        self.process.stdin.flush()

    def line(self):
        line = self.process.stdout.readline()
        assert line, "a helper of the story ended by itself"
        return line

    def stop(self):
        """What it said last."""
        try:
            text, _ = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        return text
