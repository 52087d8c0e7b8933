# SPDX-License-Identifier: Apache-2.0
"""What upstreams answer: passed on as whole only if it is whole, and never into the next request."""
import threading
import time

import pytest

from harness.client import Cut
from harness.wait import until

pytestmark = pytest.mark.sanitize

OK = b"HTTP/1.1 200 OK\r\n"

# Refused before the first byte: 502.
LIES = {
    "length and chunked": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a list of lengths": OK + b"Content-Length: 3, 3\r\n\r\nabc",
    "unknown coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n",
    "folded header": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "bare CR splits a header": OK + b"X: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
    "bare LF": OK + b"X: a\nContent-Length: 0\r\n\r\n",
    "NUL": OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "space before colon": OK + b"X : a\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status out of range": b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "101 nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a flood of 1xx": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200 + OK + b"Content-Length: 0\r\n\r\n",
    "a head that never ends": OK + b"X: " + b"a" * 100000,
    "too many headers": OK + b"X: a\r\n" * 500 + b"\r\n",
}


def lying(data, close=True):
    def handler(peer, request):
        peer.send(data)
        return not close
    return handler


def test_lies_in_the_head_are_502_and_the_connection_goes(node, make_origin):
    for number, (name, data) in enumerate(LIES.items()):
        origin = make_origin(lying(data, close=False))
        node.upstream(f"o{number}", origin, retries={"attempts": 0})
        node.route(f"r{number}", f"o{number}", paths=[f"/{number}"])
        answer = node.get(f"/{number}")
        assert answer.status == 502, (name, answer)
        assert answer.header("Content-Type") == "application/problem+json"
        assert answer.header("Set-Cookie") is None
        until(lambda: not origin.open, what=f"the end of the connection that lied: {name}")


CUT_BODIES = {
    "shorter than its length": OK + b"Content-Length: 100\r\n\r\nabc",
    "a chunk cut short": OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\nabc",
    "no last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "a bad chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    "a chunk longer than its size": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
}


def test_a_cut_body_is_cut_visibly(node, make_origin):
    for number, (name, data) in enumerate(CUT_BODIES.items()):
        node.upstream(f"o{number}", make_origin(lying(data)), retries={"attempts": 0})
        node.route(f"r{number}", f"o{number}", paths=[f"/{number}"])
        with node.connect() as c:
            c.send(f"GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")
            try:
                answer = c.read()
            except Cut:
                continue
            assert answer.status == 502, (name, answer)


def test_bytes_nobody_asked_for_poison_nothing(node, make_origin):
    poison = OK + b"Content-Length: 6\r\n\r\npoison"

    def handler(peer, request):
        peer.send(OK + b"Content-Length: 2\r\n\r\nok" + poison)

    def late(peer, request):
        peer.send(OK + b"Content-Length: 2\r\n\r\nok")
        time.sleep(0.05)
        try:
            peer.send(poison)
        except OSError:
            pass

    for name, script in (("at-once", handler), ("late", late)):
        origin = make_origin(script)
        node.upstream(name, origin)
        node.route(name, name, paths=[f"/{name}"])
        for _ in range(6):
            answer = node.get(f"/{name}")
            assert (answer.status, answer.body) == (200, b"ok")
            # What comes behind the next request would be its answer.
            until(lambda o=origin: not o.open, what="the end of the poisoned connection")


def test_every_framing_of_a_response(node, make_origin):
    scripts = {
        "/length": OK + b"Content-Length: 3\r\n\r\nabc",
        "/chunked": OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x=y\r\nbc\r\n0\r\nX-T: end\r\n\r\n",
        "/close": OK + b"\r\nabc",
        "/old": b"HTTP/1.0 200 OK\r\n\r\nabc",
        "/empty": OK + b"Content-Length: 0\r\n\r\n",
        "/204": b"HTTP/1.1 204 No Content\r\n\r\n",
        "/304": b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 3\r\n\r\n",
    }

    def handler(peer, request):
        path = request.target
        peer.send(scripts[path])
        return path not in ("/close", "/old")

    node.upstream("o", make_origin(handler))
    node.route("all", "o")
    with node.connect() as c:
        assert c.request("GET", "/length").body == b"abc"
        answer = c.request("GET", "/chunked")
        assert answer.body == b"abc"
        assert c.request("GET", "/close").body == b"abc"
        assert c.request("GET", "/old").body == b"abc"
        assert c.request("GET", "/empty").body == b""
        assert c.request("GET", "/204").status == 204
        answer = c.request("GET", "/304")
        assert (answer.status, answer.header("ETag")) == (304, '"x"')


def test_a_chunk_of_a_stream_comes_whole_before_the_next_one(node, make_origin):
    seen = threading.Event()

    def handler(peer, request):
        peer.send(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
        seen.wait(20)  # an event stream: the next one comes when it comes
        peer.send(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")

    node.upstream("o", make_origin(handler))
    node.route("all", "o")
    with node.connect() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
        status = c.head()[1]
        assert status == 200
        assert c.take(3 + 9 + 2) == b"9\r\ndata: 1\n\n\r\n"
        seen.set()
        assert c.chunked()[0] == b"data: 2\n\n"


def test_head_has_no_body(node, make_origin):
    def handler(peer, request):
        if request.method == "HEAD":
            peer.send(OK + b"Content-Length: 5\r\n\r\n")
        else:
            peer.respond(200, b"hello")

    node.upstream("o", make_origin(handler))
    node.route("all", "o")
    with node.connect() as c:
        for _ in range(3):
            answer = c.request("HEAD", "/")
            assert (answer.status, answer.header("Content-Length")) == (200, "5")
            assert c.request("GET", "/").body == b"hello"


def test_interim_responses_are_passed_on(node, make_origin):
    def handler(peer, request):
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        peer.respond(200, b"done")

    node.upstream("o", make_origin(handler))
    node.route("all", "o")
    answer = node.get("/")
    assert (answer.status, answer.body) == (200, b"done")
    assert [status for status, _ in answer.interim] == [103]


def test_upstream_connections_are_kept_and_shared(node, origin):
    node.upstream("o", origin)
    node.route("all", "o")
    with node.connect() as c:
        for _ in range(20):
            assert c.request("GET", "/").status == 200
    assert origin.connections <= 2


def test_a_kept_connection_that_the_upstream_closed_costs_no_request(node, make_origin):
    """Every other request meets a connection that was closed while idle; none fails, POST neither."""
    origin = make_origin()
    node.upstream("o", origin)
    node.route("all", "o")
    for i in range(60):
        origin.close_connections()
        answer = node.request("POST" if i % 2 else "GET", "/", body=f"n{i}")
        assert answer.status == 200, (i, answer)


def test_timeouts_of_the_upstream(node, make_origin):
    def silent(peer, request):
        time.sleep(20)
        return False

    def stalls(peer, request):
        peer.send(OK + b"Content-Length: 10\r\n\r\nabc")
        time.sleep(20)
        return False

    node.upstream("silent", make_origin(silent), response_timeout="200ms",
                  retries={"attempts": 0})
    node.upstream("stalls", make_origin(stalls), idle_timeout="200ms", retries={"attempts": 0})
    node.route("silent", "silent", paths=["/silent"])
    node.route("stalls", "stalls", paths=["/stalls"])
    node.route("whole", "silent", paths=["/whole"], timeout="100ms")
    assert node.get("/silent").status == 504
    assert node.get("/whole").status == 504
    with pytest.raises(Cut):
        node.get("/stalls")


def test_nobody_listens(node, make_origin):
    node.upstream("none", "127.0.0.1:1", retries={"attempts": 0})
    node.route("all", "none")
    assert node.get("/").status in (502, 503)


def test_big_bodies_both_ways_in_bounded_memory(node, make_origin):
    size = 64 * 1024 * 1024
    seen = []

    def handler(peer, request):
        length = int(request.header("Content-Length"))
        got = 0
        while got < length:
            data = peer.buffer or peer.sock.recv(1 << 20)
            peer.buffer = b""
            got += len(data)
        seen.append(got)
        peer.send(OK + f"Content-Length: {size}\r\n\r\n".encode())
        for _ in range(size >> 16):
            peer.send(b"y" * 65536)

    node.upstream("o", make_origin(handler, reads_body=False))
    node.route("all", "o", max_body="100M")
    before = node.memory()
    answer = node.request("POST", "/", body=b"x" * size, timeout=60)
    assert (answer.status, len(answer.body), seen) == (200, size, [size])
    assert answer.body == b"y" * size
    assert node.memory() - before < 16 * 1024 * 1024
