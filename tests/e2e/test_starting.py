# SPDX-License-Identifier: Apache-2.0
"""A node that has much to load is alive from its first moment, says that it is not ready, and can be
stopped."""
import hashlib
import signal
import socket
import time

import pytest

from harness.client import Cut
from harness.wait import SLOWNESS, Clock, scaled, until

pytestmark = [pytest.mark.sanitize, pytest.mark.heavy]

NDJSON = {"Content-Type": "application/x-ndjson"}
KEYS = scaled(400000, 30000)


def foreign(i):
    return f"imported-key-{i:010}"


made = {}  # what is in its state folder: brought once


@pytest.fixture
def loaded(make_node):
    """A node, stopped, whose journal takes a while."""
    node = make_node(start=False, log={"level": "info", "access": "off"})
    state = node.folder / "state"
    if not made:
        node.start()
        node.route("r", respond={"body": "here"}, auth={"methods": ["key"]})
        node.consumer("acme")
        lines = "".join(f'{{"consumer":"acme","sha256":"'
                        f'{hashlib.sha256(foreign(i).encode()).hexdigest()}"}}\n'
                        for i in range(KEYS)).encode()
        answer = node.admin("POST", "/v1/keys/import", lines, headers=NDJSON, timeout=120)
        assert answer.status == 201, answer
        node.consumer("later")
        assert node.stop(60) == 0
        made.update((path.name, path.read_bytes()) for path in state.iterdir())
    for name, content in made.items():
        (state / name).write_bytes(content)
        (state / name).chmod(0o600)
    return node


def answers(node):
    """Once its admin address is served: a connection to it."""
    def is_served():
        try:
            return node.admin("GET", "/livez", token=None).status == 200
        except (OSError, Cut):
            return False
    until(is_served, pause=0.002)
    return node.admin_connection()


def start_and(loaded, look):
    """What look(caller) answers of the node while it loads: again, if it was ready before the end."""
    for _ in range(6):
        loaded.start(wait=False)
        with answers(loaded) as caller:
            seen = look(caller)
            if caller.call("GET", "/readyz").status == 503:
                return seen
        assert loaded.stop(60) == 0
    raise AssertionError("it was ready too soon each time")


def test_alive_and_not_ready_while_it_loads(loaded):
    def look(caller):
        return [caller.call("GET", "/livez"), caller.call("GET", "/readyz"),
                caller.call("GET", "/v1/keys?limit=1"), caller.call("PUT", "/v1/consumers/other", {}),
                caller.call("GET", "/v1/keys", token="nobody"),
                caller.call("GET", "/metrics", token=None), caller.call("GET", "/v1/status")]

    alive, ready, refused, put, unknown, metrics, status = start_and(loaded, look)
    assert (alive.status, put.status, unknown.status, metrics.status) == (200, 503, 401, 200)
    assert (ready.status, ready.text) == (503, "starting\n")
    assert ready.header("Retry-After") == "1"
    assert (refused.status, refused.header("Retry-After")) == (503, "1"), refused
    assert refused.json["type"].endswith("starting")
    assert status.json["state"] == "starting"
    assert "journal" in status.json["reason"], status
    times = []
    with loaded.admin_connection() as caller, Clock() as clock:
        while True:
            begin = time.monotonic()
            if caller.call("GET", "/readyz").status == 200:
                break
            times.append(time.monotonic() - begin)
        late = clock.late
    times.sort()
    # Once in a while the machine itself holds somebody up.
    if times:
        assert times[int(len(times) * 0.95)] < 0.2 * SLOWNESS + late
        assert times[-1] < 2 * SLOWNESS + late, times[-9:]
    assert loaded.get("/", {"X-API-Key": foreign(KEYS - 1)}).status == 200
    assert "reason" not in loaded.status()


def test_who_connects_while_it_loads_is_served_once_it_is_ready(loaded):
    link = start_and(loaded, lambda caller: loaded.connect(60))
    with link:
        assert link.request("GET", "/", {"X-API-Key": foreign(1)}).status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_while_it_loads(loaded, number):
    """Again, if it was ready before it was told."""
    for _ in range(6):
        loaded.start(wait=False)
        with answers(loaded):
            begin = time.monotonic()
            loaded.signal(number)
            assert loaded.wait(20) == 0
        assert time.monotonic() - begin < 5 * SLOWNESS
        if "ready:" not in loaded.log().rpartition(" starts\"")[2]:
            break
    else:
        raise AssertionError("it was ready too soon each time")
    loaded.start(timeout=60)
    assert loaded.get("/", {"X-API-Key": foreign(KEYS - 1)}).status == 200


def test_the_supervisor_gives_it_time(loaded, tmp_path, monkeypatch):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(path)
        supervisor.settimeout(60 * SLOWNESS)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        loaded.start(wait=False)
        said = []
        end = time.monotonic() + 60 * SLOWNESS
        while "READY=1" not in said and time.monotonic() < end:
            said += supervisor.recv(4096).decode().split("\n")
    assert "READY=1" in said
    assert any(word.startswith("EXTEND_TIMEOUT_USEC=") for word in said)
    assert any(word.startswith("STATUS=starting: ") for word in said)
    assert "WATCHDOG=1" in said


def test_damage_found_while_it_loads_ends_it(loaded):
    journal = loaded.folder / "state" / "journal"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 1
    journal.write_bytes(content)
    loaded.start(wait=False)
    assert loaded.wait(30) == 1
    assert "Damaged at offset" in loaded.log()
