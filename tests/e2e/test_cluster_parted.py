# SPDX-License-Identifier: Apache-2.0
"""Redis comes back as it was before what one node did, and goes on with what another one does: what
becomes of what only the first one had."""
import shutil
import threading
import time

import pytest

from harness.wait import until

HEAD, LOG = "{gatewayd}:head", "{gatewayd}:log"


def fill(node):
    node.route("keyed", respond={"body": "keyed"}, paths=["/keyed"], auth={"methods": ["key"]})
    node.consumer("x", metadata={"v": "0"})
    node.consumer("y", metadata={"v": "0"})
    return [node.key("x"), node.key("y")]


def admits(node, key):
    return node.get("/keyed", {"X-API-Key": key["key"]}).status


def keep(redis):
    """What is in Redis now, on the side."""
    redis.cli("BGREWRITEAOF")
    until(lambda: "aof_rewrite_in_progress:0" in redis.cli("INFO", "persistence").decode(),
          what="a rewritten file")
    redis.stop()
    shutil.copytree(redis.folder / "appendonlydir", redis.folder / "old")
    redis.start()


def part(redis, pair, only_a, only_b):
    """a does something that its Redis loses, and is away; b goes on. Both results."""
    a, b = pair
    assert b.stop() == 0
    keep(redis)
    pair.connected(nodes=[a])
    first = only_a(a)
    a.kill()
    redis.stop()
    shutil.rmtree(redis.folder / "appendonlydir")
    (redis.folder / "old").rename(redis.folder / "appendonlydir")
    redis.start()
    b.start()
    pair.connected(nodes=[b])
    return first, only_b(b)


def conflicts_of(node):
    return node.status()["store"].get("conflicts", [])


def test_what_was_trimmed_cannot_be_merged_and_is_listed(redis, make_cluster):
    """Nobody knows any more what others did just after: all that is lost is named."""
    pair = make_cluster(redis, state={"history": 20})
    a, b = pair
    keys = fill(a)
    common = pair.agree()

    def only_a(node):
        node.consumer("only-a")
        node.consumer("both", metadata={"v": "same"})
        new = node.key("only-a")
        assert node.admin("DELETE", f"/v1/keys/{keys[0]['id']}").status == 204
        return new

    def only_b(node):
        node.consumer("both", metadata={"v": "same"})
        for i in range(60):
            node.consumer(f"later{i}")
        until(lambda: redis.cli("XLEN", LOG) <= 20, what="a short log")

    new, _ = part(redis, pair, only_a, only_b)
    a.start()
    pair.connected(timeout=20)
    until(lambda: [admits(n, keys[0]) for n in pair] == [401, 401], timeout=20,
          what="the revocation")
    # The consumer and its key; what both had done is no loss, and revocations never are.
    until(lambda: conflicts_of(a) == [common + 1, common + 3], what="the conflicts")
    pair.agree()
    for node in pair:
        assert node.admin("GET", "/v1/consumers/only-a").status == 404
        assert admits(node, new) == 401
        assert admits(node, keys[1]) == 200
        assert node.admin("GET", "/v1/consumers/later59").status == 200
    until(lambda: a.log().count("conflict: what revision") == 2, what="a word on each")
    until(lambda: not (a.folder / "state" / "parted").exists(), what="an end of it")
    # They are listed by whichever process comes next, for as long as the history is kept.
    for again in (a.kill, a.stop):
        again()
        a.start()
        pair.agree()
        assert conflicts_of(a) == [common + 1, common + 3]
    assert a.upgrade().status == 200
    assert conflicts_of(a) == [common + 1, common + 3]
    for i in range(60):
        b.consumer(f"much-later{i}")
    until(lambda: conflicts_of(a) == [], what="conflicts that are long ago")
    until(lambda: not (a.folder / "state" / "conflicts").exists(), what="no file of them")


def test_a_node_that_was_away_for_long_has_no_conflicts(redis, make_cluster):
    """What it has was accepted, and is where it belongs: it only has to read."""
    pair = make_cluster(redis, state={"history": 20})
    a, b = pair
    fill(a)
    b.consumer("mine")
    pair.agree()
    b.kill()
    assert a.admin("DELETE", "/v1/consumers/mine").status == 204
    for i in range(60):
        a.consumer(f"later{i}")
    until(lambda: redis.cli("XLEN", LOG) <= 20, what="a short log")
    b.start()
    pair.agree()
    assert conflicts_of(b) == []
    until(lambda: "trimmed past this node" in b.log(), what="a word on it")
    assert "conflict" not in b.log()


def test_a_key_goes_to_the_consumer_that_it_was_made_for(redis, make_cluster):
    """Not to another one of that name; to the same one though others changed it."""
    pair = make_cluster(redis)
    a, b = pair
    keys = fill(a)
    pair.agree()

    def only_a(node):
        return node.key("x"), node.key("y")

    def only_b(node):
        assert node.admin("DELETE", f"/v1/keys/{keys[0]['id']}").status == 204
        assert node.admin("DELETE", "/v1/consumers/x").status == 204
        node.consumer("x", metadata={"v": "0"})
        node.consumer("y", metadata={"v": "1"})

    (of_x, of_y), _ = part(redis, pair, only_a, only_b)
    a.start()
    pair.connected(timeout=20)
    until(lambda: [admits(n, of_y) for n in pair] == [200, 200], timeout=20, what="the key of y")
    pair.agree()
    assert [admits(n, of_x) for n in pair] == [401, 401]
    assert len(conflicts_of(a)) == 1
    until(lambda: "another one of that name" in a.log(), what="a word on it")
    # It looks as before, and is not what it was: so says its tag, on both.
    assert len({n.admin("GET", "/v1/consumers/x").header("ETag") for n in pair}) == 1


class Turn:
    """Keeps everybody from committing, as a node in its turn does."""

    def __init__(self, redis):
        self.redis, self.ended, self.at, self.longest = redis, threading.Event(), 0.0, 0.0
        self.thread = threading.Thread(target=self._renew)

    def _renew(self):
        while not self.ended.wait(0.05):
            self._set(900)

    def _set(self, ms):
        seconds, micros = self.redis.cli("TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        self.redis.cli("HSET", HEAD, "turn", "test", "until", now + ms)
        self.longest = max(self.longest, time.monotonic() - self.at)
        self.at = time.monotonic()

    def was_kept(self):
        """It was renewed in time, each time."""
        return max(self.longest, time.monotonic() - self.at) < 0.85

    def __enter__(self):
        self.at = time.monotonic()
        self._set(900)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self._set(0)


def test_a_restart_forgets_nothing_that_is_to_be_put_back(redis, make_cluster):
    pair = make_cluster(redis)
    a, b = pair
    keys = fill(a)
    pair.agree()

    def only_a(node):
        new = []
        for i in range(5):
            node.consumer(f"only{i}")
            new.append(node.key(f"only{i}"))
        node.route("only", respond={"body": "only"}, paths=["/only"])
        return new

    new, _ = part(redis, pair, only_a, lambda node: node.consumer("only-b"))
    parted = a.folder / "state" / "parted"
    with Turn(redis) as turn:
        a.start()
        until(lambda: "the shared state was read" in a.log(), timeout=20, what="a full read")
        pair.connected(nodes=[a])
        assert parted.exists() or not turn.was_kept()
        assert a.admin("GET", "/v1/consumers/only0").status == 404 or not turn.was_kept()
        a.kill()
    a.start()
    until(lambda: [admits(n, key) for n in pair for key in new] == [200] * 10, timeout=20,
          what="the new keys")
    until(lambda: not parted.exists(), what="an end of it")
    pair.agree()
    for node in pair:
        assert node.get("/only").body == b"only"
        assert [admits(node, key) for key in keys] == [200, 200]
    assert conflicts_of(a) == []
    # What was put back once is not put back again.
    assert a.admin("DELETE", "/v1/routes/only").status == 204
    a.kill()
    a.start()
    pair.agree()
    time.sleep(1.5)
    assert [n.admin("GET", "/v1/routes/only").status for n in pair] == [404, 404]
