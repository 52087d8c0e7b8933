# SPDX-License-Identifier: Apache-2.0
"""Several nodes, one history in Redis: what one accepts all serve, and nothing is lost."""
import concurrent.futures
import itertools
import json
import os
import shutil
import signal
import struct
import threading
import time

import pytest

from harness.client import Cut
from harness.wait import SLOWNESS, p99_is_below, scaled, until

pytestmark = pytest.mark.sanitize_long


@pytest.fixture
def pair(redis, make_cluster):
    return make_cluster(redis)


@pytest.fixture
def new_pair(redis, make_cluster):
    """Two nodes without a history: its revisions begin at 1."""
    return make_cluster(redis, is_new=True)


def respond(body):
    return {"match": {"paths": ["/"]}, "respond": {"status": 200, "body": body}}


def test_what_one_node_accepts_the_other_serves(new_pair, redis):
    pair = a, b = new_pair
    assert a.admin("PUT", "/v1/routes/all", respond("one")).status == 201
    until(lambda: b.get("/").body == b"one", what="the other node serving it")
    assert b.admin("PUT", "/v1/routes/all", respond("two")).status == 200
    until(lambda: a.get("/").body == b"two", what="the first one serving what the other took")
    assert new_pair.agree(2) == 2
    tags = {n.admin("GET", "/v1/routes/all").header("ETag") for n in pair}
    assert len(tags) == 1
    lists = [n.admin("GET", "/v1/revisions").json["items"] for n in pair]
    assert lists[0] == lists[1]
    assert [n.status()["store"]["kind"] for n in pair] == ["redis", "redis"]


@pytest.mark.ha
def test_a_201_is_served_by_the_other_within_ten_milliseconds(pair):
    """p99, from the answer on one node to the first answer of the other."""
    a, b = pair
    assert a.admin("PUT", "/v1/routes/all", respond("0")).status == 201
    pair.agree(2)
    numbers = itertools.count(1)
    with a.admin_connection() as writer, b.connect() as reader:

        def seen():
            return reader.request("GET", "/", host="gateway.test").body

        def measure():
            waits, plain = [], []
            for i in itertools.islice(numbers, scaled(200, 30)):
                assert writer.call("PUT", "/v1/routes/all", respond(str(i))).status == 200
                answered = time.monotonic()
                while seen() != str(i).encode():
                    assert time.monotonic() - answered < 10 * SLOWNESS
                waits.append(time.monotonic() - answered)
                begin = time.monotonic()
                seen()
                plain.append(time.monotonic() - begin)
            return waits, plain

        p99_is_below(0.010, measure)


def test_writers_on_two_nodes_lose_nothing(pair):
    """With If-Match a counter is right in the end; without, every write is a revision of its own."""
    assert pair[0].admin("PUT", "/v1/consumers/counter", {"metadata": {"n": "0"}}).status == 201
    begin = pair.agree(2)
    each = scaled(60, 15)
    refused = []

    def count(node):
        done = 0
        with node.admin_connection() as connection:
            while done < each:
                now = connection.call("GET", "/v1/consumers/counter")
                value = int(now.json["metadata"]["n"])
                answer = connection.call("PUT", "/v1/consumers/counter",
                                         {"metadata": {"n": str(value + 1)}},
                                         headers={"If-Match": now.header("ETag")})
                assert answer.status in (200, 412), answer
                done += answer.status == 200
                refused.append(answer.status == 412)

    def add(node):
        with node.admin_connection() as connection:
            for i in range(each):
                answer = connection.call("PUT", f"/v1/consumers/{node.name}-{i}", {})
                assert answer.status == 201, answer

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for task in [pool.submit(f, node) for f in (count, add) for node in pair]:
            task.result()
    revision = pair.agree()
    assert revision == begin + 4 * each
    for node in pair:
        assert node.admin("GET", "/v1/consumers/counter").json["metadata"]["n"] == str(2 * each)
        names = [i["name"] for i in node.admin("GET", "/v1/consumers?limit=1000").json["items"]]
        assert len(names) == 2 + 2 * each  # and "first"
    lists = [n.admin("GET", "/v1/revisions?limit=1000").json["items"] for n in pair]
    assert lists[0] == lists[1]
    assert sorted(r["revision"] for r in lists[0]) == list(range(1, revision + 1))


def test_fresh_nodes_bootstrap_once(redis, make_cluster, tmp_path):
    document = tmp_path / "resources.conf"
    document.write_text('routes = ( { name = "all"; match = { paths = ( "/" ); }; '
                        'respond = { body = "from the file"; }; } );\n')
    cluster = make_cluster(redis, count=4, is_new=True, bootstrap=str(document))
    assert cluster.agree(1) == 1
    for node in cluster:
        assert node.get("/").body == b"from the file"
        assert len(node.admin("GET", "/v1/revisions").json["items"]) == 1


def fill(node, count=3, first=0):
    """Consumers and a key for each, and a route; the keys."""
    keys = []
    node.route("open", respond={"body": "open"}, paths=["/open"])
    node.route("keyed", respond={"body": "keyed"}, paths=["/keyed"], auth={"methods": ["key"]})
    for i in range(first, first + count):
        node.consumer(f"c{i}")
        keys.append(node.key(f"c{i}"))
    return keys


def admits(node, key):
    return node.get("/keyed", {"X-API-Key": key["key"]}).status


def test_a_node_that_joins_has_all_of_it(pair, redis):
    keys = fill(pair[0])
    assert pair[0].admin("DELETE", f"/v1/keys/{keys[0]['id']}").status == 204
    late = pair.add().start()
    pair.agree()
    assert [admits(late, key) for key in keys] == [401, 200, 200]
    assert late.get("/open").body == b"open"
    lists = [n.admin("GET", "/v1/revisions").json["items"] for n in (pair[0], late)]
    assert lists[0] == lists[1]
    assert late.restart().get("/open").body == b"open"


def test_a_node_that_was_away_catches_up(pair):
    a, b = pair
    keys = fill(a)
    pair.agree()
    assert b.stop() == 0
    assert a.admin("DELETE", f"/v1/keys/{keys[0]['id']}").status == 204
    a.consumer("meanwhile")
    b.start()
    pair.agree()
    assert b.admin("GET", "/v1/consumers/meanwhile").status == 200
    assert [admits(b, key) for key in keys] == [401, 200, 200]


def test_a_log_that_was_trimmed_past_a_node(redis, make_cluster):
    pair = make_cluster(redis, state={"history": 20})
    a, b = pair
    keys = fill(a)
    pair.agree()
    b.kill()
    assert a.admin("DELETE", f"/v1/keys/{keys[0]['id']}").status == 204
    for i in range(60):
        a.consumer(f"later{i}")
    until(lambda: redis.cli("XLEN", "{gatewayd}:log") <= 20, what="a short log")
    b.start()
    pair.agree()
    assert b.admin("GET", "/v1/consumers/later59").status == 200
    assert [admits(b, key) for key in keys] == [401, 200, 200]
    until(lambda: "trimmed past this node" in b.log(), what="a word on it")
    assert b.status()["store"].get("conflicts", []) == []


def test_a_node_starts_while_redis_is_away(pair, redis):
    a, b = pair
    keys = fill(a)
    revision = pair.agree()
    assert b.stop() == 0
    redis.stop()
    pair.connected(False, nodes=[a])
    b.start()
    status = b.status()
    assert status["revision"] == revision and status["store"]["state"] == "away"
    until(lambda: b.status()["store"].get("reason"), what="the reason")
    assert [admits(b, key) for key in keys] == [200, 200, 200]
    assert b.admin("PUT", "/v1/consumers/x", {}).status == 503
    until(lambda: b.status()["store"]["staleness_seconds"] >= 1, what="an age")
    redis.start()
    pair.connected()
    assert a.admin("PUT", "/v1/consumers/x", {}).status == 201
    pair.agree(revision + 1)


@pytest.mark.parametrize("keep", [True, False], ids=["with its data", "without"])
def test_redis_is_killed_and_started(pair, redis, keep):
    a, b = pair
    keys = fill(a)
    assert a.admin("DELETE", f"/v1/keys/{keys[0]['id']}").status == 204
    revision = pair.agree()
    redis.restart(keep=keep, kill=True)
    for node in pair:
        assert node.get("/open").body == b"open"
    pair.connected(timeout=20)
    until(lambda: b.admin("PUT", "/v1/consumers/after", {}).status in (200, 201), timeout=20,
          what="writes")
    assert pair.agree(revision + 1) == revision + 1
    for node in pair:
        assert [admits(node, key) for key in keys] == [401, 200, 200]
    until(lambda: [redis.cli("HLEN", "{gatewayd}:" + name) for name in ("keys", "revoked")] == [2, 1],
          what="a folded state")


def test_flushall(pair, redis):
    a, b = pair
    keys = fill(a)
    revision = pair.agree()
    redis.cli("FLUSHALL")
    until(lambda: redis.cli("HGET", "{gatewayd}:head", "revision") == str(revision).encode(),
          timeout=15, what="the state in Redis again")
    pair.connected(timeout=15)
    until(lambda: b.admin("PUT", "/v1/consumers/after", {}).status in (200, 201), what="writes")
    assert pair.agree(revision + 1) == revision + 1
    assert [admits(n, keys[0]) for n in pair] == [200, 200]


def test_the_folded_state_is_mended(pair, redis):
    a, _ = pair
    fill(a)
    pair.agree()
    until(lambda: redis.cli("HLEN", "{gatewayd}:keys") == 3, what="a folded state")
    redis.cli("DEL", "{gatewayd}:keys")
    until(lambda: redis.cli("HLEN", "{gatewayd}:keys") == 3, timeout=15, what="the keys again")
    late = pair.add().start()
    pair.agree()
    assert len(late.admin("GET", "/v1/keys").json["items"]) == 3


@pytest.mark.long
def test_another_clusters_redis_is_never_merged(make_redis, make_cluster):
    mine, other = make_redis(), make_redis()
    pair, stranger = make_cluster(mine), make_cluster(other, count=1, is_new=True)
    fill(pair[0])
    pair[0].route("limited", paths=["/limited"], respond={"status": 200, "body": "ok"},
                  limits=[{"name": "l", "by": "route", "rate": 20, "per": "1h"}])
    stranger[0].consumer("strange")
    revision = pair.agree()
    node = pair[1]
    assert node.stop() == 0
    node.config["state"]["redis"] = other.state()
    node.write_config()
    other.cli("DEL", "{gatewayd}:members")
    node.start()
    until(lambda: "another cluster" in node.status()["store"].get("reason", ""),
          what="the reason")
    # Its limits are divided by two, and nothing of it is in that Redis: no bucket, no member.
    assert [node.get("/limited").status for _ in range(12)] == [200] * 10 + [429] * 2
    assert node.metrics()['gatewayd_limit_mode{mode="divided"}'] == 1
    until(lambda: "another cluster's state" in node.log(), what="the log")
    until(lambda: other.cli("HEXISTS", "{gatewayd}:members", stranger[0].name) == 1,
          what="a heartbeat of the stranger")
    assert other.cli("HLEN", "{gatewayd}:members") == 1
    assert other.cli("KEYS", "{gatewayd}:limit:*") == []
    assert node.get("/open").body == b"open"
    assert node.admin("GET", "/v1/consumers/strange").status == 404
    assert node.admin("PUT", "/v1/consumers/x", {}).status == 503
    assert stranger[0].admin("GET", "/v1/consumers/c0").status == 404
    assert node.status()["revision"] == revision


def test_kill_9_of_nodes_loses_nothing_that_was_answered(pair):
    """Writers on both nodes, which are killed in turn and started again."""
    answered, stop = [], threading.Event()

    def write(node):
        i = 0
        while not stop.is_set():
            i += 1
            name = f"{node.name}-{i}"
            try:
                if node.admin("PUT", f"/v1/consumers/{name}", {}, timeout=5).status == 201:
                    answered.append(name)
            except (OSError, Cut):
                time.sleep(0.01)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(write, node) for node in pair]
        for turn in range(scaled(6, 2)):
            before = len(answered)
            until(lambda: len(answered) > before + 20, timeout=20, what="writes")
            node = pair[turn % 2]
            node.kill()
            node.start()
        stop.set()
        for task in tasks:
            task.result()
    pair.agree()
    for node in pair:
        names, after = set(), ""
        while True:
            page = node.admin("GET", f"/v1/consumers?limit=1000&after={after}").json
            names.update(i["name"] for i in page["items"])
            if "next" not in page:
                break
            after = page["next"]
        assert set(answered) <= names


def test_histories_that_parted_converge(pair, redis):
    """Redis comes back as it was before some changes, and goes on with others."""
    a, b = pair
    keys = fill(a)
    a.consumer("both", metadata={"v": "0"})
    pair.agree()
    assert b.stop() == 0
    redis.cli("BGREWRITEAOF")
    until(lambda: "aof_rewrite_in_progress:0" in redis.cli("INFO", "persistence").decode(),
          what="a rewritten file")
    redis.stop()
    old = redis.folder / "old"
    shutil.copytree(redis.folder / "appendonlydir", old)
    redis.start()
    # What only a will know: its Redis loses it.
    pair.connected(nodes=[a])
    a.consumer("only-a")
    a.consumer("both", metadata={"v": "a"})
    new_key = a.key("only-a")
    assert a.admin("DELETE", f"/v1/keys/{keys[0]['id']}").status == 204
    a.kill()
    redis.stop()
    shutil.rmtree(redis.folder / "appendonlydir")
    shutil.copytree(old, redis.folder / "appendonlydir")
    redis.start()
    b.start()
    pair.connected(nodes=[b])
    b.consumer("both", metadata={"v": "b"})
    b.consumer("only-b")
    a.start()
    pair.connected(timeout=20)
    until(lambda: b.admin("GET", "/v1/consumers/only-a").status == 200, timeout=20,
          what="what only a had")
    until(lambda: [admits(n, keys[0]) for n in pair] == [401, 401], timeout=20,
          what="the revocation")
    until(lambda: [admits(n, new_key) for n in pair] == [200, 200], timeout=20, what="the new key")
    pair.agree()
    for node in pair:
        assert node.admin("GET", "/v1/consumers/both").json["metadata"] == {"v": "b"}
        assert node.admin("GET", "/v1/consumers/only-b").status == 200
        assert [admits(node, key) for key in keys] == [401, 200, 200]
    assert len(a.status()["store"]["conflicts"]) == 1
    until(lambda: "conflict" in a.log(), what="a line on it")


def test_redis_comes_back_with_as_many_other_entries(make_redis, make_cluster):
    """Two nodes hang; Redis is emptied, a third one puts an older history there and goes on: at the
    same number the ids are others."""
    redis = make_redis()
    trio = make_cluster(redis, count=3, is_new=True)
    a, b, c = trio
    a.consumer("old")
    trio.agree(1)
    c.kill()
    for i in range(3):
        a.consumer(f"a{i}")
    trio.agree(4)
    for node in (a, b):
        node.signal(signal.SIGSTOP)
    redis.cli("FLUSHALL")
    c.start()
    trio.connected(nodes=[c])
    for i in range(3):
        c.consumer(f"c{i}")
    assert c.status()["revision"] == 4
    for node in (a, b):
        node.signal(signal.SIGCONT)
    for node in trio:
        until(lambda n=node: {i["name"] for i in n.admin("GET", "/v1/consumers").json["items"]} ==
              {"old", "a0", "a1", "a2", "c0", "c1", "c2"}, timeout=20, what=f"all on {node.name}")
    trio.connected()
    assert trio.agree(7) == 7


def test_what_was_not_answered_in_time_never_happens(pair, redis):
    a, b = pair
    before = pair.agree(1)
    redis.pause()
    answer = a.admin("PUT", "/v1/consumers/late", {}, timeout=10)
    assert answer.status == 503
    problem = answer.json
    redis.go_on()
    pair.connected(timeout=20)
    if "outcome-unknown" in problem["type"]:
        ids = [r["id"] for r in a.admin("GET", "/v1/revisions").json["items"]]
        assert problem["entries"][0] not in ids
    for node in pair:
        assert node.admin("GET", "/v1/consumers/late").status == 404
    until(lambda: b.admin("PUT", "/v1/consumers/second", {}).status in (200, 201), what="writes")
    assert pair.agree(before + 1) == before + 1
    for node in pair:
        assert node.admin("GET", "/v1/consumers/late").status == 404


def item(kind, body):
    return bytes([kind]) + struct.pack("<I", len(body)) + body


def resource(kind, name, after):
    after = json.dumps(after).encode()
    return item(1, bytes([kind, 2]) + bytes(16) + bytes([len(name)]) + name.encode() +
                struct.pack("<I", 0) + struct.pack("<I", len(after)) + after)


def newer(redis, *items):
    """An entry as a newer version would make it."""
    script = """
        local head = redis.call('HMGET', KEYS[1], 'revision', 'id')
        local revision = string.format('%d', head[1] + 1)
        redis.call('XADD', KEYS[2], revision .. '-0', 'id', ARGV[1], 'prev', head[2], 'time',
            '1700000000000', 'author', 'newer', 'summary', 'from the future', 'parts', '0',
            'items', ARGV[2], 'colour', 'blue')
        redis.call('HSET', KEYS[1], 'revision', revision, 'id', ARGV[1])
        return revision"""
    return int(redis.cli("EVAL", script, 2, "{gatewayd}:head", "{gatewayd}:log",
                         os.urandom(16), b"".join(items)))


def test_a_node_of_an_older_version_keeps_following(pair, redis):
    a, b = pair
    fill(a)
    route = {"name": "open", "match": {"paths": ["/open"]},
             "respond": {"status": 200, "body": "newer"}, "sparkle": True}
    revision = newer(redis, item(99, b"what is that?"), resource(1, "open", route))
    pair.agree(revision)
    for node in pair:
        until(lambda n=node: n.get("/open").body == b"newer", what="the newer route")
        assert node.status()["state"] == "ready"
    assert b.restart().get("/open").body == b"newer"
    late = pair.add().start()
    pair.agree(revision)
    assert late.get("/open").body == b"newer"


def test_a_node_that_cannot_apply_a_revision_says_so_and_serves_on(pair, redis):
    a, b = pair
    keys = fill(a)
    pair.agree()
    bad = {"name": "open", "match": {"paths": ["/open"]}, "respond": {"status": "purple"}}
    revision = newer(redis, resource(1, "open", bad))
    for node in pair:
        until(lambda n=node: n.status()["state"] == "behind", what="a node that is behind")
        assert "open" in node.status()["reason"]
        assert node.get("/open").body == b"open"
        assert node.is_ready()
    # Keys and consumers go on; resources are not for this node to change.
    assert b.admin("DELETE", f"/v1/keys/{keys[0]['id']}").status == 204
    until(lambda: admits(a, keys[0]) == 401, what="a revocation")
    assert a.admin("PUT", "/v1/routes/x", respond("x")).status == 503
    b.restart()
    assert b.status()["state"] == "behind" and admits(b, keys[0]) == 401
    good = {"name": "open", "match": {"paths": ["/open"]}, "respond": {"body": "good"}}
    newer(redis, resource(1, "open", good))
    for node in pair:
        until(lambda n=node: n.status()["state"] == "ready", what="a node that is no longer behind")
        until(lambda n=node: n.get("/open").body == b"good", what="what the newer version wrote")
    assert a.admin("PUT", "/v1/routes/x", respond("x")).status == 201
    assert pair.agree() == revision + 3


def test_confirming_is_known_to_all(pair):
    a, b = pair
    assert a.admin("PUT", "/v1/routes/all?confirm=60s", respond("kept")).status == 201
    revision = pair.agree(2)
    assert b.admin("POST", f"/v1/revisions/{revision}/confirm").status in (200, 204)
    until(lambda: a.admin("GET", f"/v1/revisions/{revision}").json.get("confirmation") != "pending",
          what="the confirmation on the other node")
    assert a.admin("PUT", "/v1/routes/gone?confirm=1s",
                   {**respond("gone"), "match": {"paths": ["/gone"]}}).status == 201
    pair.agree()
    until(lambda: b.admin("GET", "/v1/routes/gone").status == 404, timeout=10, what="the undoing")
    pair.agree()
    assert a.admin("GET", "/v1/routes/all").status == 200
    undone = [r for r in a.admin("GET", "/v1/revisions").json["items"] if "undid" in r["summary"]]
    assert len(undone) == 1
