# SPDX-License-Identifier: Apache-2.0
"""Nodes that know each other through Redis: who there is, who is waited for, what each one sees."""
import json
import signal
import subprocess
import time

import pytest

from harness.node import BUILD, TOKENS, Node
from harness.wait import SLOWNESS, until

pytestmark = pytest.mark.sanitize_long

MEMBERS = "{gatewayd}:members"


def settings_of(redis):
    state = redis.state()
    return state.pop("servers"), state


@pytest.fixture(name="make_pair")
def fixture_make_pair(redis, make_cluster):
    def make(count=2, cluster_settings=None, **settings):
        servers, rest = settings_of(redis)
        cluster = make_cluster(servers, count, redis_settings=rest,
                               cluster_settings=cluster_settings, **settings)
        until(lambda: put(cluster[0], "first").status in (200, 201), what="a first revision")
        cluster.agree()
        cluster.connected()
        for node in cluster:
            until(lambda n=node: len(nodes_of(n)) == count, what=f"{node.name} knowing {count} nodes")
        return cluster

    return make


@pytest.fixture(name="pair")
def fixture_pair(make_pair):
    return make_pair()


def nodes_of(node):
    return {item["name"]: item for item in node.admin("GET", "/v1/nodes").json["items"]}


def unseen(node, name, timeout=10):
    until(lambda: nodes_of(node).get(name, {}).get("unseen"), timeout=timeout,
          what=f"{name} not being seen by {node.name}")


def put(node, name="acme", query=""):
    return node.admin("PUT", f"/v1/consumers/{name}{query}", {"metadata": {"at": str(time.time())}})


# ---- who there is ----

def test_each_node_lists_all(pair):
    for node in pair:
        until(lambda n=node: {m["state"] for m in nodes_of(n).values()} == {"ready"},
              what="all being ready")
        known = nodes_of(node)
        assert list(known) == ["gw-a", "gw-b"]
        assert known[node.name]["self"]
        for other in pair:
            facts = known[other.name]
            assert facts["address"] == f"127.0.0.1:{other.admin_port}"
            assert not facts.get("unseen")
    incarnations = {nodes_of(pair[0])[n]["incarnation"] for n in ("gw-a", "gw-b")}
    assert len(incarnations) == 2
    until(lambda: pair[0].metrics()['gatewayd_nodes{state="seen"}'] == 2, what="the metric")


def test_a_node_that_stops_cleanly_leaves(pair):
    assert pair[1].stop() == 0
    until(lambda: list(nodes_of(pair[0])) == ["gw-a"], what="gw-b having left")
    assert put(pair[0], query="?wait=all").status == 201
    pair[1].start()
    until(lambda: list(nodes_of(pair[0])) == ["gw-a", "gw-b"], what="gw-b being back")


def test_a_node_that_vanishes_is_pending_until_it_is_forgotten(pair):
    pair[1].kill()
    unseen(pair[0], "gw-b")
    answer = put(pair[0], query="?wait=all&timeout=200ms")
    assert (answer.status, answer.header("Gatewayd-Pending")) == (202, "gw-b")
    assert answer.json["name"] == "acme"
    assert pair[0].admin("DELETE", "/v1/nodes/gw-b").status == 204
    assert list(nodes_of(pair[0])) == ["gw-a"]
    assert put(pair[0], query="?wait=all").status == 200
    assert pair[0].admin("DELETE", "/v1/nodes/gw-b").status == 404


def test_a_node_that_lives_cannot_be_forgotten(pair):
    for name in ("gw-a", "gw-b"):
        answer = pair[0].admin("DELETE", f"/v1/nodes/{name}")
        assert (answer.status, answer.json["type"]) == (409, "urn:gatewayd:problem:alive")


def test_who_was_forgotten_comes_back_if_it_lives(pair):
    pair[1].signal(signal.SIGSTOP)
    unseen(pair[0], "gw-b")
    assert pair[0].admin("DELETE", "/v1/nodes/gw-b").status == 204
    assert list(nodes_of(pair[0])) == ["gw-a"]
    pair[1].signal(signal.SIGCONT)
    until(lambda: list(nodes_of(pair[0])) == ["gw-a", "gw-b"], what="gw-b being back")


@pytest.mark.long
def test_unseen_for_forget_after_is_forgotten_by_all(make_pair):
    three = make_pair(3, cluster_settings={"forget_after": "6s"})
    three[2].kill()
    for node in three.nodes[:2]:
        until(lambda n=node: "gw-c" not in nodes_of(n), timeout=20, what="gw-c being forgotten")
    three[2].start()
    until(lambda: "gw-c" in nodes_of(three[0]), what="gw-c being back")


def test_a_redis_that_is_away_or_forgot_everything_forgets_no_node(make_pair, redis):
    # On a slow machine a heartbeat may be late for longer than it is waited for elsewhere.
    after = 2 * min(SLOWNESS, 3)
    pair = make_pair(cluster_settings={"forget_after": f"{after}s"})
    redis.pause()
    pair.connected(False)
    time.sleep(after + 1)  # what must not happen would have happened
    assert list(nodes_of(pair[0])) == ["gw-a", "gw-b"]
    redis.go_on()
    pair.connected()
    redis.cli("DEL", MEMBERS)
    assert list(nodes_of(pair[0])) == ["gw-a", "gw-b"]
    until(lambda: redis.cli("HLEN", MEMBERS) == 2, what="both having said that they live")


def test_the_known_nodes_are_known_after_a_start_without_redis(pair, redis):
    put(pair[0])
    pair.agree()
    known = pair[0].folder / "state" / "members"
    until(lambda: known.exists() and b"gw-b" in known.read_bytes(), what="the file of known nodes")
    assert pair[0].stop() == 0
    redis.pause()
    pair[0].start()
    known = nodes_of(pair[0])
    assert known["gw-b"]["unseen"]
    assert known["gw-b"]["address"] == f"127.0.0.1:{pair[1].admin_port}"
    redis.go_on()


# ---- waiting for all ----

def test_wait_all_answers_when_every_node_applies_it(pair):
    times = []
    for _ in range(50):
        began = time.monotonic()
        answer = put(pair[0], query="?wait=all")
        times.append(time.monotonic() - began)
        assert answer.status in (200, 201), answer
        assert pair[1].status()["revision"] >= int(answer.header("Gatewayd-Revision"))
    assert sorted(times)[25] < 0.1 * SLOWNESS, sorted(times)


def test_wait_all_works_for_every_write(pair, origin):
    a = pair[0]
    upstream = {"targets": [{"address": origin.address}]}
    before = a.status()["revision"]
    writes = [("PUT", "/v1/upstreams/u", upstream), ("PATCH", "/v1/upstreams/u", {"slow_start": "1s"}),
              ("POST", f"/v1/revisions/{before + 1}/restore", None), ("PUT", "/v1/consumers/acme", {}),
              ("POST", "/v1/consumers/acme/keys", {}),
              ("PUT", "/v1/config", {"upstreams": [{"name": "u", **upstream}],
                                     "consumers": [{"name": "acme", "metadata": {"a": "b"}}]}),
              ("DELETE", "/v1/upstreams/u", None)]
    pair[1].signal(signal.SIGSTOP)
    for method, path, body in writes:
        answer = a.admin(method, f"{path}?wait=all&timeout=100ms", body)
        assert answer.status == 202, (method, path, answer)
        assert answer.header("Gatewayd-Pending") == "gw-b"
        if method == "DELETE":
            assert answer.json == {}
        if path.endswith("/keys"):
            assert answer.json["key"].startswith("gwk_")
    pair[1].signal(signal.SIGCONT)
    pair.agree()


def test_with_the_embedded_store_wait_all_returns_at_once(node):
    began = time.monotonic()
    assert put(node, query="?wait=all&timeout=60s").status == 201
    assert time.monotonic() - began < 5 * SLOWNESS


# ---- what each node sees ----

def test_health_of_a_target_as_each_node_sees_it(pair, make_origin):
    origin = make_origin()
    pair[0].upstream("u", origin, health={"interval": "100ms", "timeout": "1s"})
    pair.agree()

    def views():
        items = pair[0].admin("GET", "/v1/upstreams/u/health").json["items"]
        return {item["node"]: item["state"] for item in items}

    until(lambda: views() == {"gw-a": "up", "gw-b": "up"}, what="both seeing it up")
    until(lambda: "unreachable" not in pair[0].admin("GET", "/v1/upstreams/u/health").json,
          what="nobody being called unreachable")


def test_a_node_that_cannot_be_asked_is_named(pair, origin):
    pair[0].upstream("u", origin)
    pair.agree()
    pair[1].signal(signal.SIGSTOP)
    began = time.monotonic()
    answer = pair[0].admin("GET", "/v1/upstreams/u/health").json
    assert time.monotonic() - began < 5 * SLOWNESS
    assert [item["node"] for item in answer["items"]] == ["gw-a"]
    assert answer["unreachable"] == [{"node": "gw-b", "because": "no answer in time"}]
    pair[1].signal(signal.SIGCONT)


def test_gatewayctl_shows_all_nodes(pair, tmp_path):
    env = {"HOME": str(tmp_path), "GATEWAYCTL_TOKEN": TOKENS["admin"],
           "GATEWAYCTL_SERVER": f"http://127.0.0.1:{pair[1].admin_port}"}

    def ctl(*words):
        return subprocess.run([BUILD / "gatewayctl", *words], env=env, text=True, check=True,
                              stdout=subprocess.PIPE, timeout=60).stdout

    until(lambda: {m["state"] for m in nodes_of(pair[1]).values()} == {"ready"}, what="all being ready")
    assert [line.split()[:2] for line in ctl("nodes").splitlines()[1:]] == [
        ["gw-a", "ready"], ["gw-b", "ready"]]
    assert sorted(line.split()[:2] for line in ctl("status", "--all").splitlines()[1:]) == [
        ["gw-a", "ready"], ["gw-b", "ready"]]
    pair[0].kill()
    unseen(pair[1], "gw-a")
    assert ctl("nodes").splitlines()[1].split()[:2] == ["gw-a", "unseen"]
    assert "unreachable" in ctl("status", "--all")


# ---- what is wrong ----

def test_two_processes_of_one_name_are_noticed(make_pair, redis):
    one = make_pair(1)[0]
    servers, rest = settings_of(redis)
    twin = Node(one.folder.parent / "twin", name=one.name,
                state={"store": "redis", "redis": {"servers": [servers] if isinstance(servers, str)
                                                   else servers, **rest}}).start()
    try:
        for node in (one, twin):
            until(lambda n=node: "warning" in nodes_of(n)["gw-a"], what="the warning")
            until(lambda n=node: n.metrics()["gatewayd_node_name_shared"] == 1, what="the metric")
            until(lambda n=node: "another process serves as node gw-a" in n.log(), what="the log")
    finally:
        assert twin.stop() == 0
    until(lambda: "warning" not in nodes_of(one)["gw-a"], timeout=15, what="the warning being over")


def test_a_restart_is_no_second_process(pair):
    pair[1].kill()
    pair[1].start()
    time.sleep(2.5)  # two heartbeats
    for node in pair:
        assert "another process serves" not in node.log()


def pretend(redis, name, **facts):
    """A member that is not of this version, or elsewhere."""
    said = {"name": name, "incarnation": "f" * 16, "version": "9", "address": "10.0.0.99:9080",
            "host": "elsewhere", "state": "ready", "schema": 1, "revision": 1 << 40, **facts}
    seconds, micros = redis.cli("TIME")
    now = int(seconds) * 1000 + int(micros) // 1000
    redis.cli("HSET", MEMBERS, name, f"{now} {'f' * 16} {json.dumps(said)}")


def test_a_loopback_address_with_a_node_on_another_host_is_an_alarm(make_pair, redis):
    node = make_pair(1)[0]
    assert node.metrics()["gatewayd_advertise_useless"] == 0
    pretend(redis, "gw-far")
    until(lambda: node.metrics()["gatewayd_advertise_useless"] == 1, what="the alarm")
    until(lambda: "gw-far on another host cannot reach" in node.log(), what="the log")


def test_nothing_is_set_that_an_older_node_does_not_know(make_pair, redis):
    node = make_pair(1)[0]
    pretend(redis, "gw-old", schema=0)
    until(lambda: "gw-old" in nodes_of(node), what="the older node being known")
    for method, path, body in (("PUT", "/v1/plans/p", {}), ("PUT", "/v1/config", {"plans": [{"name": "p"}]})):
        pretend(redis, "gw-old", schema=0)
        answer = node.admin(method, path, body)
        assert (answer.status, answer.json["type"]) == (409, "urn:gatewayd:problem:older-nodes")
        assert "gw-old" in answer.json["detail"]
    unseen(node, "gw-old")
    assert node.admin("DELETE", "/v1/nodes/gw-old").status == 204
    assert node.admin("PUT", "/v1/plans/p", {}).status == 201


def test_fields_that_a_newer_node_says_of_itself_do_no_harm(make_pair, redis):
    node = make_pair(1)[0]
    pretend(redis, "gw-new", schema=99, something={"new": [1, 2]}, tls="maybe")
    until(lambda: "gw-new" in nodes_of(node), what="the newer node being known")
    redis.cli("HSET", MEMBERS, "gw-bad", "nonsense")
    until(lambda: not redis.cli("HEXISTS", MEMBERS, "gw-bad"), what="nonsense being removed")
    assert put(node).status == 201
