# SPDX-License-Identifier: Apache-2.0
"""Redis fails, in every way it knows, while two nodes are at work: no request fails for it, limits
hold, writes are answered, nothing that was acknowledged is lost, and all of it recovers by itself."""
import time

import pytest

from harness.cluster import Cluster
from harness.ordeal import Ordeal, admits, prepare
from harness.proxy import Proxy
from harness.redis import RedisServer
from harness.wait import SANITIZED, until

pytestmark = pytest.mark.skipif(SANITIZED, reason="rates need the plain build")


class Place:
    """Two nodes on one Redis, each behind a proxy of its own."""

    def __init__(self, folder):
        self.redis = RedisServer(folder / "redis").start()
        self.proxies = [Proxy(self.redis.address) for _ in range(2)]
        self.cluster = Cluster(folder / "nodes", self.redis, 2)
        self.cluster.settings["log"] = {"level": "info"}
        for node, proxy in zip(self.cluster, self.proxies):
            node.config["state"]["redis"]["servers"] = [proxy.address]
            node.write_config()
        self.key = None
        self.is_sound = True

    def start(self):
        self.cluster.start()
        self.key = prepare(self.cluster)
        return self

    def stop(self):
        statuses = self.cluster.stop()
        for proxy in self.proxies:
            proxy.stop()
        self.redis.stop()
        return statuses

    def ordeal(self, **options):
        return Ordeal(self.cluster, self.key, **options)


@pytest.fixture(name="shared_place", scope="module")
def fixture_shared_place(tmp_path_factory):
    """The same nodes go through all of it without a restart: that is what is promised. After a
    story that failed the next one gets new ones."""
    places = []

    def get():
        if not places or not places[-1].is_sound:
            if places:
                places[-1].stop()
            places.append(Place(tmp_path_factory.mktemp("place")))
            places[-1].start()
        return places[-1]

    yield get
    if places and places[-1].is_sound:
        statuses = places[-1].stop()
        assert set(statuses.values()) == {0}, statuses


@pytest.fixture(name="place")
def fixture_place(shared_place):
    place = shared_place()
    place.is_sound = False
    yield place


def done(place):
    place.is_sound = True


@pytest.mark.parametrize("keep", [True, False], ids=["with its data", "without"])
def test_redis_is_killed_and_started_again(place, keep):
    a, b = place.cluster
    with place.ordeal(losses=1) as ordeal:
        place.redis.kill()
        ordeal.refused()
        place.cluster.connected(False)
        assert ordeal.revoke(a).status == 204
        if not keep:
            place.redis.forget()
        place.redis.start()
        ordeal.written()
        assert ordeal.revoke(b).status == 204
    done(place)


def test_redis_stops_and_goes_on(place):
    a, b = place.cluster
    with place.ordeal() as ordeal:
        place.redis.pause()
        ordeal.refused()
        place.cluster.connected(False)
        assert ordeal.revoke(b).status == 204
        time.sleep(1)
        place.redis.go_on()
        ordeal.written()
        assert ordeal.revoke(a).status == 204
    done(place)


def test_flushall_under_load(place):
    with place.ordeal(losses=1) as ordeal:
        place.redis.cli("FLUSHALL")
        ordeal.revoke(place.cluster[1])
        until(lambda: place.redis.cli("EXISTS", "{gatewayd}:head") == 1, timeout=15,
              what="the state in Redis again")
        ordeal.written(timeout=20)
    done(place)


def test_one_node_is_cut_off_and_the_other_is_not(place):
    a, b = place.cluster
    with place.ordeal() as ordeal:
        place.proxies[1].refusing = True
        place.proxies[1].cut()
        ordeal.refused([b])
        ordeal.written([a])
        # What is revoked where Redis is known to the other, too, and the other way round.
        key = ordeal.spare[-1]
        ordeal.revoke(b)
        until(lambda: admits(a, key) == 401, what="the revocation being told")
        ordeal.written([a], count=10)
        place.proxies[1].refusing = False
        ordeal.written([b])
        assert ordeal.revoke(a).status == 204
    done(place)


def test_every_reply_comes_200_ms_late(place):
    """Later than `timeout`: limits are divided, while writes and following work."""
    a, b = place.cluster
    with place.ordeal() as ordeal:
        for proxy in place.proxies:
            proxy.delay = 0.2
        until(lambda: all(n.metrics()['gatewayd_limit_mode{mode="divided"}'] == 1
                          for n in place.cluster), what="divided limits")
        ordeal.written(count=3, timeout=20)
        place.cluster.connected()
        assert ordeal.revoke(b).status == 204
        for proxy in place.proxies:
            proxy.delay = 0.0
        ordeal.written()
    done(place)
