# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 from clients, byte for byte: what two parsers could read differently never passes."""
import time

import pytest

from harness.client import Cut, exchange
from harness.wait import until

pytestmark = pytest.mark.sanitize


@pytest.fixture
def open_node(node, origin):
    node.upstream("o", origin)
    node.route("all", "o")
    node.origin = origin
    return node


def head(*lines, start="GET / HTTP/1.1", host="Host: a"):
    return ("\r\n".join([start, *([host] if host else []), *lines]) + "\r\n\r\n").encode()


REFUSED = {
    "obs-fold": head("X: a\r\n b"),
    "folded first line": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "space before colon": head("X : a"),
    "tab before colon": head("X\t: a"),
    "no colon": head("X a"),
    "empty name": head(": a"),
    "name with a space": head("X Y: a"),
    "name with a control": head("X\x01: a"),
    "bare LF ends a line": b"GET / HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF in headers": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "bare CR in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "NUL in a value": head("X: a\0b"),
    "NUL in a target": head(start="GET /\0 HTTP/1.1"),
    "control in a value": head("X: a\x7fb"),
    "two content lengths": head("Content-Length: 1", "Content-Length: 1", start="POST / HTTP/1.1"),
    "a list of content lengths": head("Content-Length: 1, 1", start="POST / HTTP/1.1"),
    "different content lengths": head("Content-Length: 1", "Content-Length: 2",
                                      start="POST / HTTP/1.1"),
    "negative length": head("Content-Length: -1", start="POST / HTTP/1.1"),
    "signed length": head("Content-Length: +1", start="POST / HTTP/1.1"),
    "hex length": head("Content-Length: 0x1", start="POST / HTTP/1.1"),
    "empty length": head("Content-Length:", start="POST / HTTP/1.1"),
    "length past 64 bits": head("Content-Length: 18446744073709551617", start="POST / HTTP/1.1"),
    "length and chunked": head("Content-Length: 1", "Transfer-Encoding: chunked",
                               start="POST / HTTP/1.1"),
    "chunked and length": head("Transfer-Encoding: chunked", "Content-Length: 1",
                               start="POST / HTTP/1.1"),
    "unknown coding": head("Transfer-Encoding: gzip", start="POST / HTTP/1.1"),
    "coding before chunked": head("Transfer-Encoding: gzip, chunked", start="POST / HTTP/1.1"),
    "chunked twice": head("Transfer-Encoding: chunked, chunked", start="POST / HTTP/1.1"),
    "chunked in two lines": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked",
                                 start="POST / HTTP/1.1"),
    "chunked and identity": head("Transfer-Encoding: chunked, identity", start="POST / HTTP/1.1"),
    "almost chunked": head("Transfer-Encoding: xchunked", start="POST / HTTP/1.1"),
    "chunked with a vertical tab": head("Transfer-Encoding: \x0bchunked", start="POST / HTTP/1.1"),
    "empty coding": head("Transfer-Encoding:", start="POST / HTTP/1.1"),
    "chunked in HTTP/1.0": head("Transfer-Encoding: chunked", start="POST / HTTP/1.0"),
    "no host": head(host=None),
    "two hosts": head("Host: b"),
    "host with a user": head(host="Host: u@a"),
    "host with a path": head(host="Host: a/b"),
    "host with a space": head(host="Host: a b"),
    "host with a bad port": head(host="Host: a:99999"),
    "host with letters for a port": head(host="Host: a:x"),
    "half an IPv6 host": head(host="Host: [::1"),
    "two spaces in the request line": head(start="GET  / HTTP/1.1"),
    "tab in the request line": head(start="GET\t/ HTTP/1.1"),
    "trailing space in the request line": head(start="GET / HTTP/1.1 "),
    "space in the target": head(start="GET /a b HTTP/1.1"),
    "no version": head(start="GET /"),
    "lower case version": head(start="GET / http/1.1"),
    "long version": head(start="GET / HTTP/1.10"),
    "method with a slash": head(start="G/T / HTTP/1.1"),
    "relative target": head(start="GET a HTTP/1.1"),
    "backslash in the target": head(start="GET /a\\b HTTP/1.1"),
    "fragment in the target": head(start="GET /a#b HTTP/1.1"),
    "escaped NUL": head(start="GET /a%00 HTTP/1.1"),
    "escaped backslash": head(start="GET /a%5cb HTTP/1.1"),
    "half an escape": head(start="GET /a%4 HTTP/1.1"),
    "no hex in an escape": head(start="GET /a%zz HTTP/1.1"),
    "dot segment with a parameter": head(start="GET /a/..;x/b HTTP/1.1"),
    "byte outside ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "authority-form for GET": head(start="GET a:80 HTTP/1.1"),
    "asterisk for GET": head(start="GET * HTTP/1.1"),
}


def test_what_could_be_misread_is_refused_and_never_forwarded(open_node):
    for name, data in REFUSED.items():
        with open_node.connect() as c:
            c.send(data + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = c.read()
            assert answer.status in (400, 501), (name, answer)
            assert answer.header("Connection") == "close", (name, answer)
            assert answer.header("Content-Type") == "application/problem+json", (name, answer)
            assert answer.json["status"] == answer.status
            assert c.is_closed(), name
    assert open_node.origin.requests == []


def test_the_same_bytes_one_by_one(open_node):
    """What is decided does not depend on how the bytes arrive."""
    for name in ("obs-fold", "two hosts", "length and chunked", "bare LF in headers"):
        with open_node.connect() as c:
            for byte in REFUSED[name]:
                try:
                    c.send(bytes([byte]))
                except OSError:
                    break
            assert c.read().status == 400, name
    assert open_node.origin.requests == []


def test_other_refusals_have_their_own_status(open_node):
    n = open_node
    assert exchange(n.address, head(start="GET / HTTP/2.0")).status == 505
    assert exchange(n.address, head(start="GET / HTTP/3.0")).status == 505
    assert exchange(n.address, head("Expect: 200-ok")).status == 417
    assert exchange(n.address, head(start="GET /" + "a" * 40000 + " HTTP/1.1")).status == 414
    assert exchange(n.address, head("X: " + "a" * 40000)).status == 431
    assert exchange(n.address, head(*[f"X{i}: a" for i in range(150)])).status == 431
    assert exchange(n.address, head(start="CONNECT a:80 HTTP/1.1")).status in (400, 405, 501)


def test_paths_cannot_walk_round_a_rule(node, make_origin):
    """What is matched is what the upstream gets."""
    origin = make_origin()
    node.upstream("o", origin)
    node.route("all", "o")
    node.route("secret", paths=["/secret"], respond={"status": 403})
    for path in ("/secret", "/secret/x", "/a/../secret", "/%73ecret", "//secret", "/./secret",
                 "/a/%2e%2e/secret", "/a/.%2E/secret", "/../secret", "/secret/", "/x//..//secret",
                 "/%2e/secret", "/secret?x=/../public"):
        assert node.get(path).status == 403, path
    assert node.get("/a%2Fb").status == 400
    assert node.get("/a//b/./c/../d?x=//y").status == 200
    assert origin.last.target == "/a/b/d?x=//y"
    assert node.get("/%7Ejoe/%e2%82%ac").status == 200
    assert origin.last.target == "/~joe/%E2%82%AC"


def test_encoded_slashes_where_a_route_keeps_them(node, origin):
    node.upstream("o", origin)
    node.route("keep", "o", paths=["/files/{id}"], encoded_slash="keep")
    node.route("refuse", "o", paths=["/other"])
    assert node.get("/files/a%2fb").status == 200
    assert origin.last.target == "/files/a%2Fb"
    assert node.get("/other/a%2Fb").status == 400


def test_forms_of_targets(open_node):
    n = open_node
    assert exchange(n.address, head(start="OPTIONS * HTTP/1.1"), method="OPTIONS").status == 204
    answer = exchange(n.address, head(start="GET http://real.test/x?y HTTP/1.1", host="Host: b"))
    assert answer.status == 200
    assert n.origin.last.target == "/x?y"
    assert n.origin.last.header("Host") == "real.test"


def test_connection_lines_and_hop_by_hop_headers_stop_here(open_node):
    answer = open_node.get("/", {"Connection": "X-Drop, close", "X-Drop": "1", "Keep-Alive": "x",
                                 "TE": "gzip", "Proxy-Authorization": "x", "X-Stay": "1",
                                 "Upgrade": "h2c", "Proxy-Connection": "keep-alive"})
    assert answer.status == 200
    assert answer.header("Connection") == "close"
    got = open_node.origin.last
    for name in ("X-Drop", "Keep-Alive", "TE", "Proxy-Authorization", "Upgrade",
                 "Proxy-Connection"):
        assert got.header(name) is None, name
    assert got.header("X-Stay") == "1"


def test_connection_cannot_nominate_what_everybody_needs(open_node):
    open_node.get("/", {"Connection": "Host, Authorization", "Authorization": "Basic eA=="})
    got = open_node.origin.last
    assert got.header("Authorization") == "Basic eA=="
    assert got.header("Host") == "gateway.test"


def test_keep_alive_and_pipelining(open_node):
    with open_node.connect() as c:
        for i in range(5):
            assert c.request("GET", f"/{i}").status == 200
        c.send(b"".join(head(start=f"GET /p{i} HTTP/1.1") for i in range(20)))
        assert [c.read().status for _ in range(20)] == [200] * 20
    targets = [r.target for r in open_node.origin.requests]
    assert targets == [f"/{i}" for i in range(5)] + [f"/p{i}" for i in range(20)]


def test_http_1_0_clients(open_node):
    with open_node.connect() as c:
        c.send(b"GET / HTTP/1.0\r\n\r\n")
        answer = c.read()
        assert answer.status in (200, 404)
        assert c.is_closed()
    with open_node.connect() as c:
        c.send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        answer = c.read()
        assert (answer.status, answer.header("Connection").lower()) == (200, "keep-alive")
        c.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        assert c.read().status == 200
        assert c.is_closed()


def test_a_client_of_http_1_0_gets_no_chunks(node, make_origin):
    def chunked(peer, request):
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

    node.upstream("o", make_origin(chunked))
    node.route("all", "o")
    answer = exchange(node.address, b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    assert (answer.body, answer.header("Transfer-Encoding")) == (b"abc", None)


def test_request_bodies_of_every_framing(open_node):
    n = open_node
    n.request("POST", "/", body="abc")
    assert n.origin.last.body == b"abc"
    assert n.origin.last.header("Content-Length") == "3"
    with n.connect() as c:
        c.send(head("Transfer-Encoding: chunked", "Trailer: X-T", start="POST / HTTP/1.1"))
        c.send(b"3;name=value\r\nabc\r\n")
        c.send(b"A\r\n0123456789\r\n0\r\nX-T: end\r\n\r\n")
        assert c.read().status == 200
        assert n.origin.last.body == b"abc0123456789"
        assert c.request("POST", "/", body=b"").status == 200
        assert n.origin.last.header("Content-Length") == "0"


BAD_CHUNKS = [b"xyz\r\n", b"-1\r\na\r\n", b"3\r\nabcd\r\n", b"3\nabc\r\n", b"3 \r\nabc\r\n0\r\n\r\n",
              b"FFFFFFFFFFFFFFFFF\r\n", b"3\r\nabc\n", b"0x3\r\nabc\r\n", b"3;" + b"a" * 20000]


def test_bad_chunks_end_the_request_visibly(open_node):
    for data in BAD_CHUNKS:
        with open_node.connect() as c:
            c.send(head("Transfer-Encoding: chunked", start="POST / HTTP/1.1") + data)
            try:
                answer = c.read()
                assert answer.status == 400, (data, answer)
                assert c.is_closed()
            except Cut:
                pass
    assert all(not r.body for r in open_node.origin.requests)


def test_expect_100_continue(open_node):
    with open_node.connect() as c:
        c.send(head("Expect: 100-continue", "Content-Length: 3", start="POST / HTTP/1.1"))
        version, status, _, _ = c.head()
        assert status == 100
        c.send(b"abc")
        assert c.read().status == 200
    assert open_node.origin.last.body == b"abc"


def test_an_early_refusal_needs_no_body(node, origin):
    node.upstream("o", origin)
    node.route("all", "o", max_body=10)
    with node.connect() as c:
        c.send(head("Expect: 100-continue", "Content-Length: 300", start="POST / HTTP/1.1"))
        answer = c.read()
        assert answer.status == 413
        assert answer.interim == []
    with node.connect() as c:
        c.send(head("Transfer-Encoding: chunked", start="POST / HTTP/1.1"))
        c.send(b"64\r\n" + b"a" * 100 + b"\r\n0\r\n\r\n")
        assert c.read().status == 413


def test_slow_heads_and_bodies_are_408(make_node, origin):
    node = make_node(timeouts={"header": "300ms", "body": "300ms", "drain": "2s"})
    node.upstream("o", origin)
    node.route("all", "o")
    with node.connect() as c:
        c.send(b"GET / HT")
        assert c.read().status == 408
        assert c.is_closed()
    with node.connect() as c:
        c.send(head("Content-Length: 5", start="POST / HTTP/1.1") + b"ab")
        assert c.read().status == 408
        assert c.is_closed()


def test_idle_connections_end_quietly(make_node, origin):
    node = make_node(timeouts={"idle": "300ms", "drain": "2s"})
    node.upstream("o", origin)
    node.route("all", "o")
    with node.connect() as c:
        assert c.request("GET", "/").status == 200
        assert c.is_closed()


def test_forwarded_headers_are_never_forged(open_node):
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Consumer": "root",
              "X-Forwarded-Host": "evil", "Forwarded": "for=6.6.6.6", "X-Request-Id": "mine"}
    answer = open_node.get("/", forged)
    got = open_node.origin.last
    assert got.header("X-Forwarded-Proto") == "http"
    assert got.header("X-Consumer") is None
    assert got.header("Via") is not None
    assert answer.header("X-Request-Id") == got.header("X-Request-Id")


def test_forwarded_headers_from_an_untrusted_client(make_node, origin):
    node = make_node(trusted_proxies=["10.0.0.0/8"])
    node.upstream("o", origin)
    node.route("all", "o")
    node.get("/", {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https",
                   "X-Forwarded-Host": "evil", "Forwarded": "for=6.6.6.6",
                   "X-Request-Id": "mine"})
    got = origin.last
    assert got.all("X-Forwarded-For") == ["127.0.0.1"]
    assert got.all("X-Forwarded-Host") == ["gateway.test"]
    assert "6.6.6.6" not in got.header("Forwarded")
    assert got.header("X-Request-Id") != "mine"


def test_traceparent_is_passed_on_or_begun(open_node):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    open_node.get("/", {"traceparent": trace})
    assert open_node.origin.last.header("traceparent").split("-")[1] == trace.split("-")[1]
    open_node.get("/")
    parts = open_node.origin.last.header("traceparent").split("-")
    assert [len(p) for p in parts] == [2, 32, 16, 2]


def test_a_client_that_leaves_frees_the_upstream(node, make_origin):
    ended = []

    def wait(peer, request):
        try:
            peer.sock.settimeout(100)
            ended.append(peer.sock.recv(1))
        except OSError as error:
            ended.append(error)
        return False

    node.upstream("o", make_origin(wait))
    node.route("all", "o")
    c = node.connect()
    c.send(head())
    until(lambda: node.status()["exchanges"] == 1)
    c.close()
    until(lambda: ended, timeout=10)
    until(lambda: node.status()["exchanges"] == 0)


def test_a_slow_reader_slows_only_itself(node, make_origin):
    size = 32 * 1024 * 1024

    def big(peer, request):
        peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        for _ in range(size // 65536):
            peer.send(b"x" * 65536)

    def serve(peer, request):
        if request.target == "/big":
            return big(peer, request)
        return peer.respond(200, b"small")

    node.upstream("o", make_origin(serve))
    node.route("all", "o")
    before = node.memory()
    slow = node.connect(timeout=30)
    slow.send(head(start="GET /big HTTP/1.1"))
    time.sleep(0.3)
    for _ in range(20):
        assert node.get("/small").status == 200
    assert node.memory() - before < 8 * 1024 * 1024
    assert len(slow.read().body) == size
    slow.close()


# ---- answers before the end of a request ----

BIG = 40 << 20


def send_all_then_read(connection, head, body):
    """As many clients do: what is answered meanwhile is read at the end only."""
    connection.send(head)
    for at in range(0, len(body), 1 << 20):
        connection.send(body[at:at + (1 << 20)])
    return connection.read()


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("path,status", [("/locked", 401), ("/small", 413), ("/early", 403)])
def test_an_answer_that_comes_early_reaches_who_still_sends(make_node, make_origin, framing, path,
                                                            status):
    def early(peer, request):
        peer.respond(403, b"no", {"Connection": "close"})
        return False

    node = make_node()
    node.upstream("o", make_origin(early, reads_body=False), retries={"attempts": 0})
    node.route("locked", "o", paths=["/locked"], auth={"methods": ["key"]})
    node.route("small", "o", paths=["/small"], max_body=1000)
    node.route("early", "o", paths=["/early"], max_body="1024M")
    body = b"x" * BIG
    if framing == "chunked":
        body = b"%x\r\n" % BIG + body + b"\r\n0\r\n\r\n"
    how = f"Content-Length: {BIG}" if framing == "length" else "Transfer-Encoding: chunked"
    with node.connect() as c:
        answer = send_all_then_read(c, f"POST {path} HTTP/1.1\r\nHost: a\r\n{how}\r\n\r\n", body)
        assert (answer.status, answer.header("Connection")) == (status, "close")
        assert c.is_closed()


def test_a_short_rest_of_a_body_does_not_cost_the_connection(make_node):
    node = make_node()
    node.route("r", paths=["/"], respond={"status": 200, "body": "here"})
    with node.connect() as c:
        for _ in range(3):
            c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + "x" * 50000)
            assert c.read().header("Connection") is None


def test_dropping_what_is_still_sent_has_an_end(make_node):
    node = make_node()
    node.route("r", paths=["/"], respond={"status": 200, "body": "here"})
    with node.connect() as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n")
        assert c.read().header("Connection") == "close"
        with pytest.raises(OSError):
            for _ in range(200):
                c.send(b"x" * (1 << 20))
