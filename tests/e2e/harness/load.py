# SPDX-License-Identifier: Apache-2.0
"""Steady traffic from a process of its own: keep-alive connections, each asking again as soon as it
is answered, or now and then a new one. Every answer is looked at. `Load(...).stop()` reports."""
import asyncio
import json
import os
import random
import sys
import time

from .child import Child


class Report:
    def __init__(self, answers, failures, latencies):
        self.answers = answers
        self.failures = failures  # the first few, in words
        self.latencies = latencies  # {"p50": …, "p99": …, "max": …} in seconds

    def __repr__(self):
        return f"<{self.answers} answers, {self.latencies}, failures {self.failures}>"


class Load(Child):
    """`paths`: asked for at random. `renew`: the share of requests that open a connection anew.
    `pause`: seconds between an answer and the next request."""

    def __init__(self, address, paths, connections=16, headers=(), renew=0.0, pause=0.0,
                 expect=(200,)):
        super().__init__("harness.load", {
            "address": address, "paths": paths, "connections": connections,
            "headers": [list(h) for h in headers], "renew": renew, "pause": pause,
            "expect": list(expect)})
        assert self.line() == "started\n"

    def stop(self):
        told = json.loads(super().stop())
        return Report(told["answers"], told["failures"], told["latencies"])


class Client:
    def __init__(self, settings):
        self.settings = settings
        extra = "".join(f"{name}: {value}\r\n" for name, value in settings["headers"])
        self.requests = [f"GET {path} HTTP/1.1\r\nHost: load.test\r\n{extra}\r\n".encode()
                         for path in settings["paths"]]
        self.answers = 0
        self.failures = []
        self.took = []
        self.is_over = False

    def fail(self, what):
        if len(self.failures) < 20:
            self.failures.append(what)

    async def answer(self, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        at = head.lower().find(b"\r\ncontent-length: ")
        if at >= 0:
            await reader.readexactly(int(head[at + 18:].split(b"\r\n")[0]))
        if status not in self.settings["expect"]:
            self.fail(f"status {status}: {head[:300]!r}")

    async def talk(self):
        writer = None
        while not self.is_over:
            try:
                if writer is None:
                    reader, writer = await asyncio.open_connection(*self.settings["address"])
                writer.write(random.choice(self.requests))
                begin = time.monotonic()
                await asyncio.wait_for(self.answer(reader), 30)
                self.took.append(time.monotonic() - begin)
                self.answers += 1
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                self.fail(repr(error))
                if len(self.failures) >= 20:
                    return
                writer = None
            if writer is not None and random.random() < self.settings["renew"]:
                writer.close()
                writer = None
            if self.settings["pause"]:
                await asyncio.sleep(self.settings["pause"])

    async def run(self):
        loop = asyncio.get_running_loop()
        loop.add_reader(0, self.on_input)
        tasks = [loop.create_task(self.talk()) for _ in range(self.settings["connections"])]
        print("started", flush=True)
        await asyncio.gather(*tasks)
        self.took.sort()
        count = len(self.took)
        at = {"p50": count // 2, "p99": count * 99 // 100, "p999": count * 999 // 1000,
              "max": count - 1}
        print(json.dumps({"answers": self.answers, "failures": self.failures, "latencies":
                          {name: self.took[i] for name, i in at.items()} if count else {}}))

    def on_input(self):
        if not os.read(0, 4096):
            self.is_over = True
            asyncio.get_running_loop().remove_reader(0)


if __name__ == "__main__":
    asyncio.run(Client(json.loads(sys.stdin.readline())).run())
