# SPDX-License-Identifier: Apache-2.0
"""Fixtures: nodes and origins that end with their story."""
import pytest

from harness.node import Node
from harness.origin import Origin


@pytest.fixture
def make_node(tmp_path):
    """make_node(**settings) starts a node; all are stopped at the end, and must end cleanly."""
    nodes = []

    def make(start=True, **settings):
        node = Node(tmp_path / f"node{len(nodes)}", **settings)
        nodes.append(node)
        return node.start() if start else node

    yield make
    for node in nodes:
        status = node.stop()
        assert status == 0, f"exit status {status}:\n{node.log()[-6000:]}"


@pytest.fixture
def node(make_node):
    return make_node()


@pytest.fixture
def make_origin():
    origins = []

    def make(*args, **options):
        origin = Origin(*args, **options)
        origins.append(origin)
        return origin

    yield make
    for origin in origins:
        origin.stop()


@pytest.fixture
def origin(make_origin):
    return make_origin()
