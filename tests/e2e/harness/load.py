# SPDX-License-Identifier: Apache-2.0
"""Steady traffic from a process of its own: keep-alive connections, each asking again as soon as it
is answered, or now and then a new one (and when told that the connection closes). Every answer is
looked at; a connection that ends otherwise is a failure. `Load(...).stop()` reports."""
import asyncio
import json
import os
import random
import ssl
import sys
import time

from .child import Child
from .wait import until


class Report:
    def __init__(self, answers, failures, latencies, late=0.0):
        self.answers = answers
        self.late = late  # how long this helper itself had to wait for a processor: p99
        self.failures = failures  # the first few, in words
        self.latencies = latencies  # {"p50": …, "p99": …, "max": …} in seconds

    def p99(self):
        """Without what the machine is to blame for: an answer waits for a processor three times, at
        the origin, at the gateway and here."""
        return self.latencies["p99"] - 3 * self.late

    def __repr__(self):
        return f"<{self.answers} answers, {self.latencies}, late {self.late}, failures {self.failures}>"


class Load(Child):
    """`paths`: asked for at random. `renew`: the share of requests that open a connection anew.
    `pause`: seconds between an answer and the next request. `address`: (host, port), or the path of
    a unix socket. `tls`: whoever the server says it is. `expect`: {status: answers} is reported."""

    def __init__(self, address, paths, connections=16, headers=(), renew=0.0, pause=0.0,
                 expect=(200,), tls=False):
        super().__init__("harness.load", {
            "address": address, "paths": paths, "connections": connections,
            "headers": [list(h) for h in headers], "renew": renew, "pause": pause,
            "expect": list(expect), "tls": tls})
        assert self.line() == "started\n"

    def answered(self):
        """How many answers there have been."""
        self.process.stdin.write("?")
        self.process.stdin.flush()
        return int(self.line())

    def reaches(self, count):
        """Waits for so many more."""
        wanted = self.answered() + count
        until(lambda: self.answered() >= wanted, timeout=30, pause=0.05, what=f"{count} answers")

    def stop(self):
        told = json.loads(super().stop())
        report = Report(told["answers"], told["failures"], told["latencies"], told["late"])
        report.statuses = {int(status): count for status, count in told["statuses"].items()}
        return report


class Client:
    def __init__(self, settings):
        self.settings = settings
        extra = "".join(f"{name}: {value}\r\n" for name, value in settings["headers"])
        self.requests = [f"GET {path} HTTP/1.1\r\nHost: load.test\r\n{extra}\r\n".encode()
                         for path in settings["paths"]]
        self.answers = 0
        self.failures = []
        self.took = []
        self.delays = []
        self.statuses = {}
        self.is_over = False

    def fail(self, what):
        if len(self.failures) < 20:
            self.failures.append(what)

    async def connect(self):
        address = self.settings["address"]
        context = None
        if self.settings["tls"]:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if isinstance(address, str):
            return await asyncio.open_unix_connection(address, ssl=context)
        return await asyncio.open_connection(*address, ssl=context)

    async def answer(self, reader):
        """False: the connection closes."""
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        at = head.lower().find(b"\r\ncontent-length: ")
        if at >= 0:
            await reader.readexactly(int(head[at + 18:].split(b"\r\n")[0]))
        if status not in self.settings["expect"]:
            self.fail(f"status {status}: {head[:300]!r}")
        self.statuses[status] = self.statuses.get(status, 0) + 1
        return b"\r\nconnection: close" not in head.lower()

    async def talk(self):
        writer = None
        while not self.is_over:
            try:
                if writer is None:
                    reader, writer = await self.connect()
                writer.write(random.choice(self.requests))
                begin = time.monotonic()
                stays = await asyncio.wait_for(self.answer(reader), 30)
                self.took.append(time.monotonic() - begin)
                self.answers += 1
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                self.fail(repr(error))
                if len(self.failures) >= 20:
                    return
                writer = None
                stays = False
            if writer is not None and (not stays or random.random() < self.settings["renew"]):
                writer.close()
                writer = None
            if self.settings["pause"]:
                await asyncio.sleep(self.settings["pause"])

    async def watch(self):
        """How late a process like this one is woken."""
        while not self.is_over:
            begin = time.monotonic()
            await asyncio.sleep(0.01)
            self.delays.append(max(0.0, time.monotonic() - begin - 0.01))

    async def run(self):
        loop = asyncio.get_running_loop()
        loop.add_reader(0, self.on_input)
        tasks = [loop.create_task(self.talk()) for _ in range(self.settings["connections"])]
        tasks.append(loop.create_task(self.watch()))
        print("started", flush=True)
        await asyncio.gather(*tasks)
        self.took.sort()
        self.delays.sort()
        late = self.delays[len(self.delays) * 99 // 100] if self.delays else 0.0
        count = len(self.took)
        at = {"p50": count // 2, "p99": count * 99 // 100, "p999": count * 999 // 1000,
              "max": count - 1}
        print(json.dumps({"answers": self.answers, "failures": self.failures,
                          "statuses": self.statuses, "late": late, "latencies":
                          {name: self.took[i] for name, i in at.items()} if count else {}}))

    def on_input(self):
        told = os.read(0, 4096)
        for _ in told:
            print(self.answers, flush=True)
        if not told:
            self.is_over = True
            asyncio.get_running_loop().remove_reader(0)


if __name__ == "__main__":
    asyncio.run(Client(json.loads(sys.stdin.readline())).run())
