# SPDX-License-Identifier: Apache-2.0
"""What a usual request costs a worker: no lock, no allocation, four system calls beside the waiting.
The first two are counted by a library that is loaded before the program (harness/calls.c)."""
import os
import pathlib
import shutil
import signal
import struct
import subprocess

import pytest

from harness.node import Node
from harness.wait import until

NAMES = ("allocations", "locks")
REQUESTS = 1000


@pytest.fixture(name="counted")
def fixture_counted(tmp_path, monkeypatch):
    """A node with one worker, and a function that says what that has called so far."""
    library, counters = tmp_path / "calls.so", tmp_path / "calls"
    source = pathlib.Path(__file__).parent / "harness" / "calls.c"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-fno-builtin", "-shared", "-fPIC", "-o",
                    library, source, "-ldl", "-lpthread"], check=True)
    counters.write_bytes(bytes(8 * len(NAMES)))
    node = Node(tmp_path / "node", workers=1, log={"level": "info"})
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("CALLS_FILE", str(counters))
    node.start()
    monkeypatch.delenv("LD_PRELOAD")

    def read():
        return dict(zip(NAMES, struct.unpack(f"{len(NAMES)}Q", counters.read_bytes())))

    yield node, read
    assert node.stop() == 0


def ask(node, count, headers=()):
    with node.connect() as c:
        for _ in range(count):
            assert c.request("GET", "/", headers).status == 200


def cost(counted, headers=()):
    """Of each of many requests on one connection."""
    node, read = counted
    ask(node, 100, headers)
    before = read()
    ask(node, REQUESTS, headers)
    after = read()
    return {name: (after[name] - before[name]) / REQUESTS for name in NAMES}


def test_a_request_takes_no_lock_and_allocates_nothing(counted, origin):
    node, read = counted
    node.upstream("o", origin)
    node.route("r", "o")
    found = cost(counted)
    # What a connection needs, or the loop now and then, is not of a request.
    assert found["allocations"] < 0.05 and found["locks"] < 0.05, found
    assert read()["allocations"] > 0  # they are counted


def test_nor_does_one_with_a_key_and_limits(counted, origin):
    """But for libcrypto, which takes a block for each digest."""
    node, _ = counted
    node.upstream("o", origin)
    node.put("plans", "p", {"limits": [{"name": "second", "rate": 1000000},
                                       {"name": "day", "quota": 1000000, "period": "day"}]})
    node.consumer("acme", plan="p")
    node.route("r", "o", auth={"methods": ["key"]},
               limits=[{"name": "route", "rate": 1000000, "by": "ip"}])
    found = cost(counted, {"X-API-Key": node.key("acme")["key"]})
    assert found["allocations"] < 1.05 and found["locks"] < 0.05, found


def traced(task, folder, work):
    """Counts of the system calls of one thread while work() runs."""
    table = folder / "strace"
    tracer = subprocess.Popen(["strace", "-c", "-p", task, "-o", table], stderr=subprocess.PIPE)

    def is_attached():
        status = pathlib.Path(f"/proc/{task}/status").read_text()
        return tracer.poll() is not None or "TracerPid:\t0\n" not in status

    until(is_attached)
    if tracer.poll() is not None:
        pytest.skip(f"no thread may be traced here: {tracer.stderr.read().decode()}")
    work()
    tracer.send_signal(signal.SIGINT)
    tracer.wait(20)
    rows = [line.split() for line in table.read_text().splitlines()]
    return {row[-1]: int(row[3]) for row in rows if len(row) > 4 and row[3].isdigit()
            and row[-1] != "total"}


def test_a_request_is_four_system_calls_beside_the_waiting(make_node, origin, tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    node = make_node(workers=1, log={"level": "info"})
    node.upstream("o", origin)
    node.route("r", "o")
    ask(node, 100)
    (task,) = [path.name for path in pathlib.Path(f"/proc/{node.process.pid}/task").iterdir()
               if (path / "comm").read_text().startswith("worker")]
    calls = traced(task, tmp_path, lambda: ask(node, REQUESTS))
    waits = sum(calls.pop(name, 0) for name in ("epoll_wait", "epoll_pwait", "epoll_pwait2"))
    calls.pop("clock_gettime", 0)  # a call only where the clock cannot be read without one
    assert sum(calls.values()) / REQUESTS < 4.1, calls
    assert waits / REQUESTS < 2.2, waits
