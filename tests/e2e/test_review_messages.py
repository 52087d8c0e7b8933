# SPDX-License-Identifier: Apache-2.0
"""Messages that try to mean one thing here and another behind."""
import pathlib
import signal
import threading
import time

import pytest

from harness.wait import until

pytestmark = pytest.mark.sanitize


@pytest.fixture
def proxied(make_node, origin):
    node = make_node(workers=1)
    node.upstream("o", origin)
    node.route("r", "o")
    return node


def test_names_that_a_cgi_takes_for_ours_are_dropped(proxied, origin):
    proxied.get("/", {"X_Consumer": "root", "X-Forwarded_For": "192.0.2.1", "X_Request_Id": "evil",
                      "Content_Length": "5", "Transfer_Encoding": "chunked", "My_Field": "stays"})
    names = [name for name, _ in origin.last.headers if "_" in name]
    assert names == ["My_Field"]


def test_a_trailer_is_no_way_around_that(proxied, origin):
    with proxied.connect() as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
               "X-Consumer: root\r\nX_Consumer: root\r\nX-Forwarded-For: 192.0.2.1\r\n"
               "Content-Length: 7\r\nX-Sum: 1\r\n\r\n")
        assert c.read().status == 200
    assert origin.last.trailers == [("X-Sum", "1")]


def test_a_body_that_came_without_waiting_for_100_keeps_the_connection(proxied, origin):
    with proxied.connect() as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"
               "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = c.read()
        assert (answer.status, answer.header("Connection")) == (200, None)
        assert c.read().status == 200
    assert [(r.target, r.body) for r in origin.requests] == [("/", b"abc"), ("/next", b"")]


FRESH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfresh"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(EVIL)


@pytest.mark.parametrize("method,answer", [
    ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + EVIL),
    ("HEAD", b"HTTP/1.1 200 OK\r\n" + LENGTH + EVIL),
    ("GET", b"HTTP/1.1 204 No Content\r\n" + LENGTH + EVIL),
    ("GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n" + EVIL),
    ("GET", b"HTTP/1.1 304 Not Modified\r\n" + LENGTH + EVIL),
    ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n" + EVIL),
    ("GET", b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + EVIL),
    ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
     + EVIL),
    ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + EVIL),
    ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + EVIL),
], ids=range(10))
def test_what_stands_behind_an_answer_is_nobodys_answer(make_node, make_origin, method, answer):
    def handler(peer, request):
        peer.send(FRESH if request.target == "/next" else answer)

    origin = make_origin(handler)
    node = make_node(workers=1)
    node.upstream("o", origin, retries={"attempts": 0})
    node.route("r", "o")
    node.request(method, "/")
    assert node.get("/next").body == b"fresh"
    assert origin.connections == 2


@pytest.mark.parametrize("length", [60000, 5000000])
def test_a_connection_that_answered_early_is_not_used_again(make_node, make_origin, length):
    """What the upstream has not read of the body would be its next request."""
    def handler(peer, request):
        peer.respond(413 if request.method == "POST" else 200, b"said")

    origin = make_origin(handler, reads_body=False)
    node = make_node(workers=1)
    node.upstream("o", origin)
    node.route("r", "o")
    with node.connect() as c:
        c.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nGET /evil")
        assert c.read().status == 413
        assert node.get("/").status == 200
    assert [r.target for r in origin.requests] == ["/", "/"]
    assert origin.connections == 2


@pytest.mark.parametrize("seconds", [0, 0.01])
def test_a_reset_does_not_mean_that_nobody_read_the_request(make_node, make_origin, seconds):
    """On a kept connection the upstream takes a few bytes of a payment and dies: its reset says
    nothing of what it has read, so the payment is not made again."""
    def handler(peer, request):
        peer.respond(200, b"done")
        if request.target == "/warm":
            peer.sock.recv(4)
            time.sleep(seconds)
            peer.reset()
            return False

    origin = make_origin(handler)
    node = make_node(workers=1)
    node.upstream("o", origin)
    node.route("r", "o")
    for _ in range(5):
        assert node.get("/warm").status == 200
        assert node.request("POST", "/pay", body=b"1" * 100).status == 502
    assert [r.method for r in origin.requests] == ["GET"] * 5


def is_stopped(node):
    tasks = pathlib.Path(f"/proc/{node.process.pid}/task").glob("*/stat")
    return all(stat.read_text().rsplit(") ", 1)[1].startswith("T") for stat in tasks)


def test_a_kept_connection_that_was_closed_is_replaced_whatever_the_method(make_node, make_origin):
    def handler(peer, request):
        peer.respond(200, b"done")
        if request.target == "/warm":
            closed.wait(5)
            return False

    closed = threading.Event()
    origin = make_origin(handler)
    node = make_node(workers=1)
    node.upstream("o", origin)
    node.route("r", "o")
    assert node.get("/warm").status == 200
    node.signal(signal.SIGSTOP)  # so that the end and the request pass each other
    until(lambda: is_stopped(node))
    with node.connect() as c:
        c.send("POST /pay HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1")
        closed.set()
        until(lambda: not origin.open, what="the end of the connection")
        node.signal(signal.SIGCONT)
        assert c.read().status == 200
    assert [r.target for r in origin.requests] == ["/warm", "/pay"]
