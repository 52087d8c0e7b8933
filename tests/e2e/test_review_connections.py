# SPDX-License-Identifier: Apache-2.0
"""What a connection may be put through: floods of requests, silence at every point, ends on one
side, and that a node which waits for somebody uses no CPU for it."""
import threading

import pytest

pytestmark = pytest.mark.sanitize


def pipelined(count, pad=""):
    return b"".join(b"GET /%d HTTP/1.1\r\nHost: gateway.test\r\nX-Pad: %s\r\n\r\n"
                    % (i, pad.encode()) for i in range(count))


def send_aside(connection, data):
    threading.Thread(target=connection.send, args=(data,), daemon=True).start()


# ---- pipelining ----------------------------------------------------------------------------

@pytest.mark.parametrize("pad", ["", "a" * 700, "a" * 20000], ids=["short", "middle", "long"])
def test_pipelined_requests_without_end_are_answered_in_order(make_node, make_origin, pad):
    """However the ends of buffers cut the heads."""
    origin = make_origin(lambda peer, request: peer.respond(200, request.target))
    node = make_node()
    node.upstream("o", origin)
    node.route("r", "o", paths=["/"])
    count = 2000000 // (2000 + len(pad))
    with node.connect() as c:
        send_aside(c, pipelined(count, pad))
        for i in range(count):
            answer = c.read()
            assert (answer.status, answer.text) == (200, f"/{i}")


def test_pipelined_requests_that_the_gateway_answers_itself(make_node):
    node = make_node()
    node.route("r", paths=["/"], respond={"status": 200, "body": "here"})
    with node.connect() as c:
        send_aside(c, pipelined(3000))
        for _ in range(3000):
            assert c.read().status == 200
