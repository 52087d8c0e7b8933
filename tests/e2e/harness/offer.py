# SPDX-License-Identifier: Apache-2.0
"""Offers requests at a rate, with wrk, and finds in access logs what nodes admitted of them: at no
time more than a burst and the rate."""
import datetime
import json
import pathlib
import subprocess
import tempfile

from .lines import whole_lines

SCRIPT = """
local pause = %f
function delay() return pause end
"""
MANY = """
local keys = { %s }
local n = math.random(#keys)
function request()
  n = n %% #keys + 1
  return wrk.format("GET", "/", { ["X-API-Key"] = keys[n] })
end
"""


class Offer:
    """`rate` a second on one node, for some seconds, as far as the machine can (None: all it can).
    `keys`: each request with the next of them. `script`: wrk's, instead."""

    def __init__(self, node, seconds, rate=None, connections=16, path="/", keys=(), headers=(),
                 script=None):
        text = ""
        if rate is not None:
            connections = max(1, min(connections, int(rate)))
            text += SCRIPT % (connections * 1000 / rate)
        if keys:
            text += MANY % ", ".join(f'"{key}"' for key in keys)
        if script is not None:
            text += script
        with tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False) as file:
            file.write(text)
        self.script = pathlib.Path(file.name)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        for name, value in headers:
            command += ["-H", f"{name}: {value}"]
        if text:
            command += ["-s", file.name]
        self.process = subprocess.Popen([*command, f"http://127.0.0.1:{node.port}{path}"],
                                        stdout=subprocess.PIPE, text=True)

    def wait(self):
        out, _ = self.process.communicate()
        self.script.unlink()
        assert self.process.returncode == 0, out
        assert "Socket errors" not in out, out
        return out


def offer(nodes, seconds, rate=None, **options):
    """The same on all of them at once."""
    running = [Offer(node, seconds, rate, **options) for node in nodes]
    for each in running:
        each.wait()


def milliseconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


class Admitted:
    """What the nodes let in, from their access logs: when (ms), in order. `ahead`: by how many
    seconds a node's clock is ahead; `since`: nothing from before (ms). Everything else must have been
    denied by a limit."""

    def __init__(self, nodes, ahead=None, where=None, since=0):
        self.times = []
        self.refused = []  # likewise
        for node in nodes:
            shift = (ahead or {}).get(node.name, 0) * 1000
            for line in whole_lines(node.access_path.read_text()):
                entry = json.loads(line)
                if where is not None and not where(entry):
                    continue
                if milliseconds(entry["time"]) - shift < since:
                    continue
                assert entry["status"] in (200, 429), line
                waited = entry.get("head_ms", 0) + entry.get("limit_ms", 0)
                kept = self.times if entry["status"] == 200 else self.refused
                kept.append(milliseconds(entry["time"]) + waited - shift)
        self.times.sort()

    @property
    def denied(self):
        return len(self.refused)

    def level_most(self, rate):
        """Of a level that sinks at the rate (a second) and rises by one with each. At most a burst,
        whatever the time looked at."""
        level, most, last = 0.0, 0.0, self.times[0] if self.times else 0
        for time in self.times:
            level = max(0.0, level - (time - last) * rate / 1000) + 1
            most, last = max(most, level), time
        return most

    def never_over(self, rate, burst, slack_ms=30):
        """The log says when a turn of a worker began, which may be a little before a request was
        let in."""
        most = self.level_most(rate)
        allowed = burst + rate * slack_ms / 1000 + 0.5
        assert most <= allowed, f"{most:.1f} at once, allowed: {allowed:.1f}"

    def between(self, start, end):
        return sum(start <= t < end for t in self.times)

    def used(self, rate, burst):
        """What part of all that one bucket would have let in of the same requests. (While nobody
        asks, since the machine is busy elsewhere, a full bucket gets no fuller.)"""
        left, admitted, last = burst, 0, None
        for time in sorted(self.times + self.refused):
            if last is not None:
                left = min(burst, left + (time - last) * rate / 1000)
            last = time
            if left >= 1:
                left, admitted = left - 1, admitted + 1
        return len(self.times) / admitted
