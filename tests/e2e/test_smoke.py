# SPDX-License-Identifier: Apache-2.0
"""The shortest story: an operator makes a route, a client uses it at once."""
import pytest

pytestmark = pytest.mark.sanitize


def test_a_route_works_when_the_write_returns(node, origin):
    node.upstream("hello", origin)
    assert node.route("hello", "hello", paths=["/hello"]).status == 201
    answer = node.get("/hello")
    assert (answer.status, answer.body) == (200, b"hello\n")
    assert node.get("/other").status == 404


def test_nothing_is_lost_over_a_restart(node, origin):
    node.upstream("hello", origin)
    node.route("hello", "hello")
    node.restart()
    assert node.get("/").status == 200
