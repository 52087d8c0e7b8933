# SPDX-License-Identifier: Apache-2.0
"""Fixtures: nodes and origins that end with their story."""
import os

import pytest

from harness import lab as labs
from harness.cluster import Cluster
from harness.node import BUILD, Node
from harness.origin import Origin
from harness.proxy import Proxy
from harness.redis import RedisServer, SentinelSet


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


@pytest.fixture
def make_cluster(tmp_path):
    """make_cluster(redis, count=2, **settings) starts nodes that share one Redis; all are stopped
    at the end, and must end cleanly."""
    clusters = []

    def make(redis, count=2, start=True, **settings):
        cluster = Cluster(tmp_path / f"cluster{len(clusters)}", redis, count, **settings)
        clusters.append(cluster)
        return cluster.start() if start else cluster

    yield make
    for cluster in clusters:
        for name, status in cluster.stop().items():
            log = next(n for n in cluster if n.name == name).log()
            assert status == 0, f"{name}: exit status {status}:\n{log[-6000:]}"


@pytest.fixture
def make_redis(tmp_path):
    """make_redis(**settings) starts a redis-server; all are ended with the story."""
    servers = []

    def make(start=True, **settings):
        server = RedisServer(tmp_path / f"redis{len(servers)}", **settings)
        servers.append(server)
        return server.start() if start else server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def redis(make_redis):
    return make_redis()


@pytest.fixture
def make_sentinels(tmp_path):
    """make_sentinels(**settings): a master, replicas and sentinels (harness/redis.py)."""
    sets = []

    def make(**settings):
        made = SentinelSet(tmp_path / f"set{len(sets)}", **settings)
        sets.append(made)
        return made.start()

    yield make
    for made in sets:
        made.stop()


@pytest.fixture
def make_proxy():
    """make_proxy("127.0.0.1:6379"): see harness/proxy.py."""
    proxies = []

    def make(target):
        proxies.append(Proxy(getattr(target, "address", target)))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.stop()


def site(kind, **options):
    """A site with keepalived in network namespaces (harness/lab.py), until its stories are over; each
    of them begins with restore()."""
    why = labs.missing()
    if why is not None:
        pytest.skip(f"no site with keepalived here: {why}")
    labs.sweep()
    made = labs.Lab(f"gwt{os.getpid()}{kind}", BUILD, **options)
    try:
        yield made.make().start()
    finally:
        made.remove()


@pytest.fixture(scope="session", name="lab")
def fixture_lab():
    """gw-a at home on "a" and its IPv6 address "a6", gw-b on "b". One for all stories."""
    yield from site("", addresses=[
        {"name": "a", "address": "10.99.0.100/24", "home": "gw-a"},
        {"name": "b", "address": "10.99.0.101/24", "home": "gw-b"},
        {"name": "a6", "address": "fd00:99::100/64", "home": "gw-a"}])


@pytest.fixture(scope="module", name="standby")
def fixture_standby():
    """One address, at home on gw-a; gw-b stands by."""
    yield from site("standby", addresses=[
        {"name": "va", "address": "10.99.0.100/24", "home": "gw-a"}])


@pytest.fixture(scope="module", name="three")
def fixture_three():
    """Three nodes; two addresses, at home on gw-a and gw-b."""
    yield from site("three", count=3, addresses=[
        {"name": "a", "address": "10.99.0.100/24", "home": "gw-a"},
        {"name": "b", "address": "10.99.0.101/24", "home": "gw-b"}])
