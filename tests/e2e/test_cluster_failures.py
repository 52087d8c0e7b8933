# SPDX-License-Identifier: Apache-2.0
"""Redis fails, in every way it knows, while two nodes are at work: no request fails for it, limits
hold, writes are answered, nothing that was acknowledged is lost, and all of it recovers by itself."""
import contextlib
import random
import threading
import time

import pytest

from harness.cluster import Cluster
from harness.ordeal import Ordeal, admits, prepare
from harness.proxy import Proxy
from harness.redis import ADMIN_PASSWORD, PASSWORD, RedisError, RedisServer
from harness.redis_keys import look_at
from harness.wait import SANITIZED, until

pytestmark = [pytest.mark.long,
              pytest.mark.skipif(SANITIZED, reason="rates need the plain build")]


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
    if places:
        statuses = places[-1].stop()
        assert not places[-1].is_sound or set(statuses.values()) == {0}, statuses


@pytest.fixture(name="place")
def fixture_place(shared_place):
    place = shared_place()
    place.is_sound = False
    yield place


def done(place):
    look_at(place.redis, [place.key["key"], PASSWORD])
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


@pytest.mark.parametrize("seconds", [1, pytest.param(30, marks=pytest.mark.long)])
def test_redis_stops_and_goes_on(place, seconds):
    a, b = place.cluster
    with place.ordeal() as ordeal:
        place.redis.pause()
        ordeal.refused()
        place.cluster.connected(False)
        assert ordeal.revoke(b).status == 204
        time.sleep(seconds)
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
        # The other is not told by the history; it is as soon as it is missed.
        assert ordeal.revoke(a, told_within=12).status == 204
        ordeal.refused([b])
        ordeal.written([a])
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
    _, b = place.cluster
    with place.ordeal(pause=0.9) as ordeal:
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


def test_connections_are_cut_in_the_middle_of_replies(place):
    with place.ordeal() as ordeal:
        for _ in range(12):
            for proxy in place.proxies:
                proxy.cut_after = random.randint(1, 300)
            time.sleep(0.15)
        for proxy in place.proxies:
            proxy.cut_after = None
        ordeal.written()
        ordeal.revoke(place.cluster[0])
    done(place)


def test_redis_comes_and_goes_each_half_second(place):
    with place.ordeal() as ordeal:
        for turn in range(8):
            for proxy in place.proxies:
                proxy.refusing = turn % 2 == 0
                proxy.cut()
            if turn == 4:
                ordeal.revoke(place.cluster[1])
            time.sleep(0.5)
        ordeal.written()
    done(place)


# ---- Redis that answers, but not with what was asked for ----

@contextlib.contextmanager
def read_only(redis):
    """-READONLY, on the connections there are."""
    redis.cli("REPLICAOF", "127.0.0.1", "1")
    yield
    redis.cli("REPLICAOF", "NO", "ONE")


@contextlib.contextmanager
def unknown_user(redis):
    """The user is gone: its connections end, and no new one is let in."""
    redis.cli("ACL", "DELUSER", "gatewayd")
    yield
    redis.cli("ACL", "LOAD")


@contextlib.contextmanager
def no_permission(redis):
    """-NOPERM, on the connections there are."""
    redis.cli("ACL", "SETUSER", "gatewayd", "-@all")
    yield
    redis.cli("ACL", "LOAD")


@contextlib.contextmanager
def logged_out(redis):
    """-NOAUTH: a password where there was none, for connections that come."""
    redis.cli("ACL", "SETUSER", "gatewayd", "off")
    redis.cli("CLIENT", "KILL", "USER", "gatewayd")
    yield
    redis.cli("ACL", "LOAD")


@contextlib.contextmanager
def busy(redis):
    """-BUSY: somebody's script does not end."""
    redis.cli("CONFIG", "SET", "lua-time-limit", "100")

    def run():
        with contextlib.suppress(RedisError):
            redis.cli("EVAL", "while true do end", "0", timeout=30)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.3)
    yield
    until(lambda: redis.cli("SCRIPT", "KILL") == "OK", what="an end of the script")
    thread.join()


@pytest.mark.parametrize("how", [read_only, unknown_user, no_permission, logged_out, busy])
def test_redis_answers_with_an_error(place, how):
    a, b = place.cluster
    with place.ordeal() as ordeal:
        with how(place.redis):
            ordeal.refused()
            assert ordeal.revoke(a).status in (202, 204)
            time.sleep(0.5)
        ordeal.written()
        assert ordeal.revoke(b).status == 204
    done(place)


def test_redis_is_loading(place):
    """-LOADING, for some seconds."""
    redis = place.redis
    redis.cli("DEBUG", "POPULATE", "40000", "filling", "100")
    redis.cli("BGREWRITEAOF")
    until(lambda: redis.info("persistence")["aof_rewrite_in_progress"] == "0" and
          redis.info("persistence")["aof_rewrite_scheduled"] == "0", timeout=20, what="a new file")
    path = redis.folder / "redis.conf"
    before = path.read_text()
    path.write_text(before + "key-load-delay 1000\nloading-process-events-interval-bytes 1024\n")
    with place.ordeal(losses=1) as ordeal:
        redis.kill()
        redis.start(wait=False)
        ordeal.refused()

        with pytest.raises(RedisError, match="LOADING"):
            redis.cli("PING")
        ordeal.revoke(place.cluster[0])
        redis.cli("CONFIG", "SET", "key-load-delay", "0")  # it would take a minute
        ordeal.written(timeout=30)
    path.write_text(before)
    redis.cli("EVAL", "for i = 0, 39999 do redis.call('UNLINK', 'filling:' .. i) end", "0")
    done(place)


def test_redis_is_full(place):
    """maxmemory: writes are refused and say so, revocations work."""
    a, b = place.cluster
    with place.ordeal() as ordeal:
        place.redis.cli("CONFIG", "SET", "maxmemory", "1mb")
        ordeal.refused()
        assert a.admin("PUT", "/v1/consumers/full", {}).status in (503, 507)
        ordeal.revoke(a)
        time.sleep(1)
        place.redis.cli("CONFIG", "SET", "maxmemory", "0")
        ordeal.written()
        assert ordeal.revoke(b).status == 204
    done(place)


# ---- other histories ----

def test_a_log_trimmed_past_a_node_that_was_cut_off(place):
    a, b = place.cluster
    with place.ordeal() as ordeal:
        place.proxies[1].refusing = True
        place.proxies[1].cut()
        ordeal.written([a], count=5)
        until(lambda: a.metrics()['gatewayd_nodes{state="unseen"}'] == 1, timeout=10,
              what="a node that is missed")
        assert ordeal.revoke(a).status == 204  # and the other is told

        def trim():
            folded = int(place.redis.cli("HGET", "{gatewayd}:head", "folded"))
            place.redis.cli("XTRIM", "{gatewayd}:log", "MINID", f"{folded}-0")
            return folded > b.status()["revision"] + 2

        until(trim, what="a log that begins after what the node has")
        place.proxies[1].refusing = False
        ordeal.written([b])
    done(place)


def copy_all(source, to):
    for key in source.cli("KEYS", "*"):
        to.cli("RESTORE", key, "0", source.cli("DUMP", key), "REPLACE")


def test_another_cluster_in_this_redis(place, make_redis, make_cluster):
    """FLUSHALL, and as many entries as there were, of another cluster: never merged, and said."""
    a, b = place.cluster
    other = make_redis()
    stranger = make_cluster(other, count=1, is_new=True)[0]
    revision = place.cluster.agree()
    stranger.consumer("strange")
    until(lambda: stranger.consumer("strange", metadata={"n": str(time.time())}) and
          stranger.status()["revision"] >= revision + 5, timeout=30, pause=0,
          what="as many entries")
    assert stranger.stop() == 0
    with place.ordeal(losses=2) as ordeal:
        for proxy in place.proxies:
            proxy.holding = True
        place.redis.cli("FLUSHALL")
        copy_all(other, place.redis)
        for proxy in place.proxies:
            proxy.holding = False
        for node in (a, b):
            until(lambda n=node: "another cluster" in n.status()["store"].get("reason", ""),
                  timeout=10, what="the reason")
        ordeal.refused()
        ordeal.revoke(a)
        for node in (a, b):
            assert node.admin("GET", "/v1/consumers/strange").status == 404
        assert place.redis.cli("HEXISTS", "{gatewayd}:consumers", "acme") == 0
        place.redis.cli("FLUSHALL")
        ordeal.written(timeout=20)
    done(place)


# ---- a node that starts meanwhile ----

def test_a_node_started_while_redis_is_away_says_so_and_catches_up(place):
    a, b = place.cluster
    with place.ordeal(losses=1, nodes=[a]) as ordeal:
        place.proxies[1].refusing = True
        place.proxies[1].cut()
        cut = time.monotonic()
        place.cluster.connected(False, nodes=[b])
        revision = b.status()["revision"]
        ordeal.written([a], count=3)
        place.redis.kill()
        size = len(b.log())
        assert b.stop() == 0
        time.sleep(max(0, cut + 2.1 - time.monotonic()))
        b.start()
        status = b.status()
        assert (status["state"], status["revision"]) == ("ready", revision)
        assert status["store"]["state"] == "away" and status["store"]["reason"]
        assert b.metrics()["gatewayd_store_connected"] == 0
        # Of what it has, not of the process.
        assert b.metrics()["gatewayd_state_staleness_seconds"] >= 2
        assert b.status()["store"]["staleness_seconds"] >= 2
        until(lambda: "this node serves what its journal has" in b.log()[size:], what="a word on it")
        until(lambda: "Redis is away" in b.log()[size:], what="a line on it")
        assert admits(b, place.key) == 200
        assert b.admin("PUT", "/v1/consumers/never", {}).status == 503
        ordeal.revoke(b)
        place.proxies[1].refusing = False
        place.redis.start()
        ordeal.written([a])
        place.cluster.agree(revision + 3)
    done(place)


# ---- fail-over ----

@pytest.fixture(name="guarded")
def fixture_guarded(make_sentinels, make_cluster):
    servers = make_sentinels()
    state = servers.state()
    cluster = make_cluster(state.pop("servers"), redis_settings=state, log={"level": "info"})
    return servers, cluster, prepare(cluster)


def test_fail_over_under_load(guarded):
    servers, cluster, key = guarded
    with Ordeal(cluster, key, losses=1) as ordeal:
        before = servers.master()
        before.kill()
        ordeal.revoke(cluster[0])
        servers.wait_for_other_master(before)
        ordeal.written(timeout=20)
        assert ordeal.revoke(cluster[1]).status == 204


def test_fail_over_to_a_replica_that_lags(guarded):
    """What the new master never got is put back by the nodes, which acknowledged it."""
    servers, cluster, key = guarded
    before = servers.master()
    replica = next(s for s in servers.servers if s is not before)
    with Ordeal(cluster, key, losses=1) as ordeal:
        replica.cli("CONFIG", "SET", "masterauth", "wrong")
        replica.cli("CLIENT", "KILL", "TYPE", "master")
        assert ordeal.revoke(cluster[0]).status == 204
        ordeal.written(count=5)
        before.kill()
        ordeal.revoke(cluster[1])
        replica.cli("CONFIG", "SET", "masterauth", ADMIN_PASSWORD)
        servers.wait_for_other_master(before)
        ordeal.written(timeout=20)
    until(lambda: "were put back" in cluster[0].log() + cluster[1].log(), what="a line on it")
