# SPDX-License-Identifier: Apache-2.0
"""Connections to upstreams that are kept for the next request: never past the target's time, never
under TLS settings of before, and never with bytes of one request in the answer of another."""
import shutil
import signal
import threading

import pytest

from harness.certs import Authority
from harness.still import Still
from harness.wait import until

pytestmark = pytest.mark.sanitize

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def ask(node, path="/", count=8):
    """On as many connections, so that every worker has some."""
    for _ in range(count):
        assert node.get(path).status == 200


def is_let_go(origin):
    return lambda: not origin.open


# ---- targets that leave ----

@pytest.mark.parametrize("change", ["replaced", "drained", "deleted"])
def test_idle_connections_of_a_target_that_leaves_are_closed(make_node, make_origin, change):
    leaves, stays = make_origin(), make_origin()
    node = make_node()
    node.upstream("o", leaves)
    node.upstream("other", stays)
    node.route("r", "o")
    node.route("other", "other", paths=["/other"])
    ask(node), ask(node, "/other")
    assert leaves.open and stays.open
    kept = set(stays.open)
    if change == "replaced":
        node.upstream("o", stays)
    elif change == "drained":
        node.admin("PATCH", node.target_path("o", leaves.address), {"drain": True})
    else:
        for path in ("/v1/routes/r", "/v1/upstreams/o"):
            assert node.admin("DELETE", path).status == 204
    until(is_let_go(leaves), what="the end of idle connections to a target that left")
    assert kept <= set(stays.open)


def test_a_connection_at_work_when_its_target_leaves_is_closed_after(make_node, make_origin):
    goes_on = threading.Event()

    def slow(peer, request):
        goes_on.wait(20)
        peer.respond(200, b"whole")

    leaves, stays = make_origin(slow), make_origin()
    node = make_node()
    node.upstream("o", leaves)
    node.route("r", "o")
    with node.connect() as c:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: leaves.requests)
        node.upstream("o", stays)
        goes_on.set()
        assert c.read().body == b"whole"
        until(is_let_go(leaves), what="the end of the connection")


def test_a_target_that_comes_back_has_connections_kept_again(make_node, make_origin):
    origin, other = make_origin(), make_origin()
    node = make_node(workers=1)
    node.upstream("o", origin)
    node.route("r", "o")
    ask(node)
    node.upstream("o", other)
    until(is_let_go(origin))
    node.upstream("o", origin)
    before = origin.connections
    ask(node)
    assert origin.connections == before + 1


# ---- TLS settings that change ----

def test_other_tls_settings_let_kept_connections_go(make_node, make_origin, authority):
    cert, key = authority.issue("settings", "inner.test", "127.0.0.1")
    origin = make_origin(tls=authority.server(cert, key))
    node = make_node()
    node.upstream("o", origin, tls={"verify": False}, retries={"attempts": 0})
    node.route("r", "o")
    ask(node)
    kept = set(origin.open)
    assert kept
    node.upstream("o", origin, tls={"ca": str(authority.cert), "server_name": "inner.test"})
    until(lambda: not kept & set(origin.open), what="the end of unverified connections")
    ask(node)
    node.upstream("o", origin, tls={"ca": str(authority.cert), "server_name": "other.test"},
                  retries={"attempts": 0})
    assert node.get("/").status == 502


def test_files_that_are_read_again_let_kept_connections_go(make_node, make_origin, authority,
                                                           tmp_path):
    """Neither a connection nor a TLS session that was verified by the authorities of before is
    used under those of now."""
    cert, key = authority.issue("files", "inner.test")
    origin = make_origin(tls=authority.server(cert, key))
    ca = tmp_path / "ca.pem"
    shutil.copy(authority.cert, ca)
    node = make_node()
    node.upstream("o", origin, tls={"ca": str(ca), "server_name": "inner.test"},
                  retries={"attempts": 0})
    node.route("r", "o")
    ask(node)
    kept = set(origin.open)
    assert kept
    shutil.copy(Authority(tmp_path / "others").cert, ca)
    node.signal(signal.SIGHUP)
    until(lambda: not kept & set(origin.open), what="the end of connections under the old files")
    assert node.get("/").status == 502


def test_files_that_have_not_changed_cut_nobody_off(make_node, make_origin, tmp_path):
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("files", "inner.test")
    ours = authority.issue("ours", "gateway.test")
    origins = [make_origin(tls=authority.server(cert, key)) for _ in range(2)]
    node = make_node(workers=1)
    for name, origin in zip("ab", origins):
        mine = [tmp_path / f"{name}.{end}" for end in ("pem", "key")]
        for made, file in zip(ours, mine):
            shutil.copy(made, file)
        node.upstream(name, origin, tls={"ca": str(authority.cert), "server_name": "inner.test",
                                         "cert": str(mine[0]), "key": str(mine[1])})
        node.route(name, name, paths=[f"/{name}"])
    for path in ("/a", "/b"):
        assert node.get(path).status == 200
    kept = [set(origin.open) for origin in origins]
    assert all(kept)
    for end in ("pem", "key"):  # the same bytes, another file
        shutil.copy(tmp_path / f"b.{end}", tmp_path / f"new.{end}")
        (tmp_path / f"new.{end}").rename(tmp_path / f"b.{end}")
    node.signal(signal.SIGHUP)
    until(lambda: not kept[1] & set(origins[1].open), what="the end of what b's files verified")
    for path in ("/a", "/b"):
        assert node.get(path).status == 200
    assert kept[0] == set(origins[0].open) and origins[0].connections == len(kept[0])


# ---- bytes that nobody asked for ----

class Script:
    """An origin whose connections send exactly what they are told, when they are told."""

    def __init__(self, make_origin):
        self.peers = {}
        self.ends = threading.Event()
        self.origin = make_origin(self.handle)

    def handle(self, peer, request):
        self.peers[request.target] = peer
        if request.target.startswith("/wait"):
            return
        peer.respond(200, request.target)


@pytest.fixture
def script(make_node, make_origin):
    script = Script(make_origin)
    script.node = make_node(workers=1)
    script.node.upstream("o", script.origin, retries={"attempts": 0})
    script.node.route("r", "o")
    return script


def test_bytes_behind_an_answer_are_not_the_next_answer_of_the_same_turn(script):
    """The answer fills what was read to the last byte, so what follows it is not seen with it."""
    head = "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    length = 16384 - len(head % 16000)
    with script.node.connect() as first, script.node.connect() as second:
        second.request("GET", "/warm")
        first.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: "/wait" in script.peers)
        with Still(script.node):
            script.peers["/wait"].send((head % length).encode() + b"x" * length + POISON)
            second.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
        assert first.read().body == b"x" * length
        answer = second.read()
        assert (answer.status, answer.text) == (200, "/second")


def test_bytes_that_come_to_an_idle_connection_are_not_an_answer(script):
    """The node sees the next request and then them, in one turn."""
    with script.node.connect() as c:
        assert c.request("GET", "/first").text == "/first"
        with Still(script.node):
            c.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
            script.peers["/first"].send(POISON)
        answer = c.read()
        # 200, if the node came to see them the other way round: on another connection.
        assert answer.status == 502 or answer.text == "/second"
        assert c.request("GET", "/third").text == "/third"


def test_bytes_before_a_request_is_written_are_not_its_answer(script):
    """Its head waits for the first byte of its body."""
    with script.node.connect() as c:
        assert c.request("GET", "/first").text == "/first"
        with Still(script.node):
            c.send("POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
            script.peers["/first"].send(POISON)
        until(lambda: script.origin.connections == 2, what="another connection")
        c.send("ok")
        answer = c.read()
        assert (answer.status, answer.text) == (200, "/second")


def test_many_requests_at_once_reuse_connections(script):
    """Those that were released in the same turn too, after a look."""
    links = [script.node.connect() for _ in range(8)]
    for link in links:
        link.request("GET", "/warm")
    for _ in range(20):
        with Still(script.node):
            for link in links:
                link.send("GET /again HTTP/1.1\r\nHost: a\r\n\r\n")
        for link in links:
            assert link.read().text == "/again"
    assert script.origin.connections <= 16
    for link in links:
        link.close()
