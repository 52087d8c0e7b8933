# SPDX-License-Identifier: Apache-2.0
"""The running binary is replaced, with thousands of kept connections, behind a load balancer, while
the node drains, and to another admin address."""
import os
import resource
import signal

import pytest

from harness.client import Connection, Cut
from harness.ports import free_port
from harness.wait import SLOWNESS, scaled, until

pytestmark = pytest.mark.sanitize


@pytest.fixture
def descriptors():
    """As many as there may be, for this process and what it starts."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_thousands_of_kept_connections(descriptors, make_node):
    """Each is answered once more, says that it closes, and ends; whoever comes anew is the new
    process's."""
    count = scaled(5000, 500)
    if descriptors < 3 * count:
        pytest.skip(f"{descriptors} descriptors are too few")
    node = make_node(timeouts={"drain": "60s"})
    node.route("r", paths=["/"], respond={"body": "here"})
    links = [node.connect() for _ in range(count)]
    try:
        for link in links:
            assert link.request("GET", "/").status == 200
        assert node.upgrade().status == 200
        until(lambda: node.status()["connections"] == count, what="both processes' being counted")
        for link in links:
            answer = link.request("GET", "/")
            assert (answer.status, answer.header("Connection")) == (200, "close")
    finally:
        for link in links:
            link.close()
    assert node.predecessors[0].wait(20 * SLOWNESS) == 0
    until(lambda: node.status()["connections"] == 0)
    assert node.get("/").status == 200


def test_connections_that_begin_with_a_proxy_header(make_node):
    """One whose header has not come yet is the old process's, too."""
    node = make_node(start=False)
    node.config["listeners"][0]["proxy_protocol"] = True
    node.write_config()
    node.start()
    node.route("r", paths=["/"], respond={"body": "here"})
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n"
    with node.connect() as kept, node.connect() as silent:
        kept.send(header)
        assert kept.request("GET", "/").status == 200
        silent.send(header[:10])
        until(lambda: node.status()["connections"] == 2)
        assert node.upgrade().status == 200
        silent.send(header[10:])
        for link in kept, silent:
            answer = link.request("GET", "/")
            assert (answer.status, answer.header("Connection")) == (200, "close")
        with node.connect() as link:
            link.send(header)
            assert link.request("GET", "/").status == 200
    assert node.predecessors[0].wait(20 * SLOWNESS) == 0


def test_another_admin_address(make_node):
    node = make_node()
    node.route("r", paths=["/"], respond={"body": "here"})
    old, new = node.admin_port, free_port()
    node.config["admin"]["address"] = f"127.0.0.1:{new}"
    node.write_config()
    assert node.upgrade().status == 200
    node.admin_port = new
    assert node.status()["state"] == "ready"
    assert node.predecessors[0].wait(20 * SLOWNESS) == 0
    with pytest.raises((OSError, Cut)):
        Connection(("127.0.0.1", old)).request("GET", "/livez")
    assert node.get("/").status == 200


def test_a_node_that_ends_is_not_replaced(make_node, make_origin):
    """Told to end, and then to replace its binary: it ends, with what is in flight."""
    def slow(peer, request):
        until(lambda: "is about to end" in node.log())
        peer.respond(200, b"finished")

    node = make_node()
    node.upstream("o", make_origin(slow))
    node.route("r", "o")
    with node.connect() as busy:
        busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: node.status()["exchanges"] == 1)
        node.signal(signal.SIGTERM)
        until(lambda: "draining: at most" in node.log())
        os.kill(node.process.pid, signal.SIGUSR2)
        assert busy.read().body == b"finished"
    assert node.wait() == 0
