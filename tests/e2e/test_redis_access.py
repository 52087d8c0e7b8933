# SPDX-License-Identifier: Apache-2.0
"""Who a cluster is at Redis, and which Redis: replicas that must have a change, passwords that come
and change while it runs, sentinels with users and TLS of their own, lists of servers."""
import shutil
import signal
import time

import pytest

from harness.certs import Authority
from harness.ordeal import Ordeal, consumers, prepare
from harness.redis import ADMIN_PASSWORD, PASSWORD, ROOT, RedisServer
from harness.wait import SANITIZED, SLOWNESS, until

pytestmark = pytest.mark.long

plain_only = pytest.mark.skipif(SANITIZED, reason="rates need the plain build")


def put(node, name, **options):
    return node.admin("PUT", f"/v1/consumers/{name}", {}, **options)


def takes(node, name):
    until(lambda: put(node, name).status in (200, 201), timeout=20,
          what=f"{node.name} taking changes")


def in_sync(replica):
    return replica.info("replication").get("master_link_status") == "up"


# ---- state.redis.replicas ----

@pytest.fixture(name="replicated")
def fixture_replicated(make_redis, make_cluster):
    """(the master, its replica, two nodes that wait for one replica)"""
    master = make_redis()
    replica = make_redis(replica_of=master)
    until(lambda: in_sync(replica), timeout=15, what="a replica")
    cluster = make_cluster(master, redis_settings={"replicas": 1})
    cluster.connected()
    takes(cluster[0], "first")
    return master, replica, cluster


def test_a_change_is_answered_when_a_replica_has_it(replicated):
    _, replica, cluster = replicated
    for i in range(20):
        answer = put(cluster[i % 2], f"c{i}")
        assert answer.status == 201, answer
        head = replica.cli("HGET", "{gatewayd}:head", "revision")
        assert int(head) >= int(answer.header("Gatewayd-Revision"))


def test_without_the_replica_nobody_is_told_that_it_is_made(replicated):
    """It is made, and may be lost by a fail-over: outcome-unknown, with the id of the entry."""
    _, replica, cluster = replicated
    for node in cluster:
        node.route("open", respond={"body": "open"})
    cluster.agree()
    replica.pause()
    begin = time.monotonic()
    answer = put(cluster[0], "unsure")
    assert (answer.status, answer.json["type"].rsplit(":", 1)[-1]) == (503, "outcome-unknown")
    assert time.monotonic() - begin < 6 * SLOWNESS
    assert "state.redis.replicas" in answer.json["detail"]
    assert int(answer.header("Retry-After")) > 0
    assert [node.get("/").status for node in cluster] == [200, 200]
    # What it may be, it is: every node follows it, and the next change builds on it.
    for node in cluster:
        until(lambda n=node: "unsure" in consumers(n), what=f"{node.name} following")
    ids = [r["id"] for r in cluster[1].admin("GET", "/v1/revisions?limit=5").json["items"]]
    assert any(i in answer.text for i in ids), (ids, answer)
    replica.go_on()
    until(lambda: put(cluster[0], "sure").status in (200, 201), timeout=10,
          what="changes that a replica has")
    cluster.agree()
    cluster.connected()


def test_a_revocation_is_in_force_without_the_replica_too(replicated):
    _, replica, cluster = replicated
    cluster[0].route("keyed", respond={"body": "keyed"}, auth={"methods": ["key"]})
    takes(cluster[0], "acme")
    key = cluster[0].key("acme")
    used = [("X-API-Key", key["key"])]
    for node in cluster:
        until(lambda n=node: n.get("/", used).status == 200, what=f"{node.name} taking the key")
    replica.pause()
    answer = cluster[0].admin("DELETE", f"/v1/keys/{key['id']}")
    assert answer.status in (202, 204, 503), answer
    for node in cluster:
        until(lambda n=node: n.get("/", used).status == 401, what=f"{node.name} refusing the key")
    replica.go_on()
    until(lambda: cluster[0].admin("DELETE", f"/v1/keys/{key['id']}").status == 204, timeout=10,
          what="the revocation being answered")


def test_what_was_answered_outlives_the_master_and_all_nodes(make_sentinels, make_cluster):
    """The new master has it by itself: no journal of a node helps."""
    servers = make_sentinels(replicas=2)
    cluster = make_cluster(servers, redis_settings={"replicas": 1})
    cluster.connected(timeout=20)
    takes(cluster[0], "first")
    names = [f"c{i}" for i in range(30)]
    for i, name in enumerate(names):
        assert put(cluster[i % 2], name).status == 201
    before = servers.master()
    before.kill()
    for node in cluster:
        node.kill()
        shutil.rmtree(node.folder / "state")
    servers.wait_for_other_master(before)
    for node in cluster:
        node.write_config()
    cluster.start()
    cluster.connected(timeout=20)
    for node in cluster:
        assert set(names) <= consumers(node)
    takes(cluster[1], "next")  # the other replica follows the new master


@plain_only
def test_a_fail_over_with_replicas_loses_nothing(make_sentinels, make_cluster):
    servers = make_sentinels(replicas=2)
    cluster = make_cluster(servers, redis_settings={"replicas": 1})
    key = prepare(cluster)
    with Ordeal(cluster, key, losses=1) as ordeal:
        before = servers.master()
        before.kill()
        servers.wait_for_other_master(before)
        ordeal.written(timeout=20)


# ---- passwords ----

def open_to_all(redis):
    redis.cli("ACL", "SETUSER", "default", "nopass")


@plain_only
def test_a_password_that_appears_is_said_and_taken_without_a_restart(make_redis, make_cluster):
    """CONFIG SET requirepass on a Redis that asked for none: -NOAUTH."""
    redis = make_redis()
    open_to_all(redis)
    cluster = make_cluster(redis.address)  # no user, no password
    key = prepare(cluster)
    password = redis.folder / "new-password"
    password.write_text("a-new-password\n")
    password.chmod(0o600)
    with Ordeal(cluster, key) as ordeal:
        with redis.connect(password=None) as admin:
            admin.call("CONFIG", "SET", "requirepass", "a-new-password")
            admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        ordeal.refused()
        for node in cluster:
            until(lambda n=node: "set state.redis.password_file" in n.log(), what="what to do")
            until(lambda n=node: "asks for a password" in n.status()["store"].get("reason", ""),
                  what="the reason in the status")
        for node in cluster:
            node.config["state"]["redis"]["password_file"] = str(password)
            node.write_config()
            node.signal(signal.SIGHUP)
        ordeal.written(timeout=20)
    assert all("a-new-password" not in node.log() for node in cluster)
    redis.process.kill()  # its own PING knows the old password only


@plain_only
def test_a_password_that_changes_under_load_is_read_again(make_redis, make_cluster):
    """ACL SETUSER and CLIENT KILL; the nodes' file is changed later."""
    redis = make_redis()
    cluster = make_cluster(redis)
    key = prepare(cluster)
    with Ordeal(cluster, key) as ordeal:
        redis.cli("ACL", "SETUSER", "gatewayd", "resetpass", ">another-password")
        redis.cli("CLIENT", "KILL", "USER", "gatewayd")
        ordeal.refused()
        assert ordeal.revoke(cluster[0]).status == 204  # from node to node
        until(lambda: all("WRONGPASS" in node.log() for node in cluster), what="the reason")
        (redis.folder / "password").write_text("another-password\n")
        for node in cluster:
            node.signal(signal.SIGHUP)
        ordeal.written(timeout=20)
    assert all(word not in node.log() for node in cluster for word in (PASSWORD, "another-pass"))


@plain_only
def test_a_password_is_changed_without_anybody_noticing(make_redis, make_cluster):
    """Both are right for a while: no change is refused."""
    redis = make_redis()
    cluster = make_cluster(redis)
    key = prepare(cluster)
    with Ordeal(cluster, key) as ordeal:
        redis.cli("ACL", "SETUSER", "gatewayd", ">another-password")
        (redis.folder / "password").write_text("another-password\n")
        for node in cluster:
            node.signal(signal.SIGHUP)
            until(lambda n=node: "gatewayd.conf again" in n.log(), what="the file being read")
        ordeal.written()
        redis.cli("ACL", "SETUSER", "gatewayd", f"<{PASSWORD}")
        redis.cli("CLIENT", "KILL", "USER", "gatewayd")
        ordeal.written()
    assert all("WRONGPASS" not in node.log() for node in cluster)


def test_another_user_is_taken_over_by_sighup(make_redis, make_cluster):
    redis = make_redis()
    cluster = make_cluster(redis)
    cluster.connected()
    takes(cluster[0], "first")
    line = (ROOT / "cluster/redis.acl").read_text().splitlines()[-1]
    rules = line.split()[2:]
    redis.cli("ACL", "SETUSER", "other", *[r.replace(">PASSWORD", ">others") for r in rules])
    other = redis.folder / "others-password"
    other.write_text("others\n")
    other.chmod(0o600)
    for node in cluster:
        node.config["state"]["redis"].update({"user": "other", "password_file": str(other)})
        node.write_config()
        node.signal(signal.SIGHUP)
        until(lambda n=node: '"state.redis.user has changed"' in n.log() or
              "state.redis.user has changed" in n.log(), what="the change being named")
    redis.cli("ACL", "DELUSER", "gatewayd")  # ends its connections
    for node in cluster:
        takes(node, f"by-{node.name}")
    until(lambda: {line.split(" user=")[1].split()[0]
                   for line in redis.cli("CLIENT", "LIST").decode().splitlines()} ==
          {"other", "default"}, what="only its connections")


def test_how_long_requests_wait_is_taken_over_by_sighup(make_redis, make_proxy, make_cluster):
    """A Redis that answers later than `timeout` is away for limits; with a longer one it is not.
    What only a restart takes over is named."""
    redis = make_redis()
    proxy = make_proxy(redis)
    cluster = make_cluster(redis, 1, redis_settings=redis.state(servers=[proxy.address]))
    node = cluster[0]
    cluster.connected()
    takes(node, "first")
    node.route("limited", respond={"body": "ok"},
               limits=[{"name": "l", "by": "route", "rate": 1000, "per": "1s"}])

    def is_divided():
        node.get("/")
        return node.metrics()['gatewayd_limit_mode{mode="divided"}'] == 1

    proxy.delay = 0.3
    until(is_divided, timeout=10, what="limits that do without Redis")
    node.config["state"]["redis"].update({"timeout": "2s", "db": 1})
    node.write_config()
    node.signal(signal.SIGHUP)
    until(lambda: not is_divided(), timeout=20, what="shared limits")
    for words in ("state.redis.timeout has changed", "state.redis.db cannot change while the node runs"):
        until(lambda w=words: w in node.log(), what=words)
    node.config["state"]["redis"].update({"timeout": "100ms", "db": 0})
    node.write_config()
    node.signal(signal.SIGHUP)
    until(is_divided, timeout=10, what="limits that do without Redis again")


# ---- sentinels with users and TLS of their own ----

def sentinel_user(servers, password="password-at-sentinels"):
    """At every sentinel the user that cluster/sentinel.acl documents; the file of its password."""
    line = (ROOT / "cluster/sentinel.acl").read_text().splitlines()[-1]
    rules = [rule.replace(">PASSWORD", ">" + password) for rule in line.split()[2:]]
    for sentinel in servers.sentinels:
        sentinel.cli("ACL", "SETUSER", "gatewayd", *rules)
    path = servers.servers[0].folder / "sentinel-password"
    path.write_text(password + "\n")
    path.chmod(0o600)
    return str(path)


def test_sentinels_with_a_user_and_client_certificates(make_sentinels, make_cluster, tmp_path):
    """Servers and sentinels each with an authority's certificates, both ask for ours."""
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("redis", "127.0.0.1")
    ours = authority.issue("node", "node.test")
    servers = make_sentinels(tls={"ca": authority.cert, "cert": cert, "key": key},
                             tls_auth_clients="yes")
    tls = {"ca": str(authority.cert), "cert": str(ours[0]), "key": str(ours[1])}
    password = sentinel_user(servers)
    settings = servers.state(tls=tls, sentinel={
        "master": servers.name, "user": "gatewayd", "password_file": password, "tls": tls})
    addresses = settings.pop("servers")
    cluster = make_cluster(addresses, redis_settings=settings)
    cluster.connected(timeout=20)
    takes(cluster[0], "first")
    before = servers.master()
    before.kill()
    servers.wait_for_other_master(before)
    for node in cluster:
        takes(node, f"by-{node.name}")
    cluster.agree()


def test_who_shows_sentinels_no_certificate_is_told_what_is_missing(
        make_sentinels, make_cluster, tmp_path):
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("redis", "127.0.0.1")
    servers = make_sentinels(tls={"ca": authority.cert, "cert": cert, "key": key},
                             tls_auth_clients="yes", sentinels=1, replicas=0)
    settings = servers.state()
    cluster = make_cluster(settings.pop("servers"), count=1, redis_settings=settings, start=False)
    node = cluster[0].start(wait=False)
    until(lambda: "certificate" in node.log(), timeout=10, what="the reason in the log")


# ---- a list of servers ----

def test_the_first_server_that_will_do_is_used_and_kept(make_redis, make_cluster):
    """One that is dead and one that is a replica are passed over; when the one in use dies the nodes
    bring all they have to the next, and stay there."""
    first, second = make_redis(), make_redis()
    replica = make_redis(replica_of=first)
    dead = make_redis(start=False)
    until(lambda: in_sync(replica), timeout=15, what="a replica")
    cluster = make_cluster([first, dead, replica, second],
                           redis_settings={"servers": [s.address for s in
                                                       (dead, replica, first, second)]})
    cluster.connected()
    takes(cluster[0], "first")
    key_names = {f"c{i}" for i in range(10)}
    for name in key_names:
        assert put(cluster[1], name).status == 201
    cluster.agree()
    revision = cluster.revisions()[0]
    assert int(first.cli("HGET", "{gatewayd}:head", "revision")) == revision
    first.kill()
    for node in cluster:
        takes(node, f"after-{node.name}")
    assert int(second.cli("HGET", "{gatewayd}:head", "revision")) >= revision + 2
    first.start()
    for node in cluster:
        takes(node, f"later-{node.name}")
        assert key_names <= consumers(node)
    cluster.agree()
    assert int(first.cli("HGET", "{gatewayd}:head", "revision")) == revision
    until(lambda: f"connected to Redis {second.address}" in cluster[0].log(), what="a line on it")
