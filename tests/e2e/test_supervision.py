# SPDX-License-Identifier: Apache-2.0
"""What a supervisor and an operator see of a node: notifications, drains, numbers, the access log."""
import os
import signal
import socket
import threading

import pytest

from harness.client import Connection
from harness.ports import free_port
from harness.wait import SLOWNESS, until

pytestmark = pytest.mark.sanitize


@pytest.fixture
def supervisor(tmp_path, monkeypatch):
    """A socket as systemd's, named in the environment of nodes started after."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(10 * SLOWNESS)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield sock


def hear(supervisor, word):
    while True:
        said = supervisor.recv(4096).decode()
        if word in said.split("\n"):
            return


def test_the_supervisor_is_told(supervisor, make_node):
    node = make_node()
    hear(supervisor, "READY=1")
    assert node.stop() == 0
    hear(supervisor, "STOPPING=1")


def test_the_watchdog_is_fed(supervisor, make_node, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    make_node()
    for _ in range(3):
        hear(supervisor, "WATCHDOG=1")


def test_one_listener_drains(make_node, origin):
    other = free_port()
    node = make_node(start=False)
    node.config["listeners"].append({"name": "other", "address": f"127.0.0.1:{other}"})
    node.write_config()
    node.start()
    node.upstream("o", origin)
    node.route("r", "o")

    def connection_field(port):
        with Connection(("127.0.0.1", port)) as c:
            answer = c.request("GET", "/", [], None, "a")
            assert answer.status == 200
            return answer.header("Connection")

    assert node.admin("POST", "/v1/drain", {"address": f"127.0.0.1:{other}"}).status == 200
    until(lambda: connection_field(other) == "close")
    assert connection_field(node.port) is None
    assert node.is_ready()
    assert node.admin("DELETE", f"/v1/drain?address=127.0.0.1:{other}").status == 204
    until(lambda: connection_field(other) is None)
    assert node.admin("POST", "/v1/drain", {"address": "127.0.0.1:1"}).status == 422


def test_numbers_of_a_request(node, origin):
    node.upstream("o", origin)
    node.route("r", "o")
    node.get("/")
    node.get("/")
    until(lambda: node.metrics().get('gatewayd_route_responses_total{route="r",class="2xx"}') == 2)
    until(lambda: node.metrics()["gatewayd_exchanges"] == 0)
    metrics = node.metrics()
    assert metrics["gatewayd_ready"] == 1
    assert metrics["gatewayd_requests_total"] == 2
    assert metrics['gatewayd_upstream_requests_total{upstream="o"}'] == 2
    assert metrics['gatewayd_log_lost_total{log="access"}'] == 0
    node.admin("DELETE", "/v1/routes/r")
    assert node.get("/").status == 404
    until(lambda: node.metrics()['gatewayd_failures_total{failure="no-route"}'] == 1)


def test_an_exchange_is_one_line_of_the_access_log(node, origin):
    node.upstream("o", origin)
    node.route("r", "o", paths=["/r"])
    node.request("POST", "/r/a?token=secret", body=b"12345")
    until(lambda: node.access())
    line = node.access()[0]
    assert line["method"] == "POST" and line["path"] == "/r/a" and line["query"] is True
    assert line["route"] == "r" and line["upstream"] == "o" and line["status"] == 200
    assert line["bytes_in"] == 5 and line["target"] == origin.address
    assert line["duration_ms"] >= 0 and line["upstream_ms"] >= 0
    assert len(line["request_id"]) == 32 and len(line["trace_id"]) == 32
    assert "secret" not in node.access_path.read_text()


def test_the_access_log_says_who_went_away(node, make_origin):
    ends = threading.Event()

    def slow(peer, request):
        ends.wait(30)
        return False

    node.upstream("o", make_origin(slow))
    node.route("r", "o")
    with node.connect() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: node.metrics()["gatewayd_exchanges"] == 1)
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: node.access())
    ends.set()
    line = node.access()[0]
    assert (line["status"], line["failure"]) == (499, "client-gone")


def test_a_log_can_be_moved_away(node, origin):
    node.upstream("o", origin)
    node.route("r", "o")
    node.get("/")
    until(lambda: node.access())
    os.rename(node.access_path, str(node.access_path) + ".1")
    node.signal(signal.SIGUSR1)
    until(lambda: node.access_path.exists())
    node.get("/")
    until(lambda: len(node.access()) == 1)


def test_while_one_request_ends_others_are_still_served(make_node, make_origin):
    """Workers share the address: none may leave its socket behind while another one drains."""
    ends = threading.Event()

    def slow(peer, request):
        if request.target == "/slow":
            ends.wait(100)
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True

    node = make_node(workers=4, timeouts={"drain": "100s"})
    node.upstream("o", make_origin(slow))
    node.route("r", "o")
    with node.connect() as waiting:
        waiting.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: node.metrics()["gatewayd_exchanges"] == 1)
        node.signal(signal.SIGTERM)
        until(lambda: not node.is_ready())
        for _ in range(30):
            answer = node.get("/", timeout=5)
            assert (answer.status, answer.header("Connection")) == (200, "close")
        ends.set()
        assert waiting.read().status == 200
    assert node.wait(5) == 0
