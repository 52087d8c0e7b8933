# SPDX-License-Identifier: Apache-2.0
"""The connection of a node to Redis is cut in the middle of a commit: what was answered is what
everybody sees afterwards, and goes on seeing."""
import itertools
import random
import socket
import threading
import time

import pytest

from harness.proxy import Proxy
from harness.wait import until

ROUNDS = 40


class Cutter(Proxy):
    """What has `marker` in it, on its way to Redis, meets `how`:
    request: it is cut before; reply: Redis makes it, and its answer is cut; unknown: the same, and
    Redis is not to be reached for longer than anybody waits; late: the node is cut off, and Redis
    gets it a little later."""

    def __init__(self, target):
        self.marker = self.how = self.victim = None
        self.met = 0
        super().__init__(target)

    def aim(self, how, marker):
        self.met, self.how, self.marker, self.victim = 0, how, marker, None

    def change(self, piece, source):
        if self.victim is not None and source is self.victim:
            self.victim = None
            self.ending.add(source)
            self._cut()
            return b""
        if self.marker is None or self.marker not in piece:
            return piece
        pair = next((p for p in self._pairs if p[0] is source), None)
        if pair is None:
            return piece  # what a node follows, on its way back
        self.met, self.marker = self.met + 1, None
        if self.how == "request":
            self.ending.add(source)
            self._cut()
            return b""
        if self.how == "late":
            source.shutdown(socket.SHUT_RDWR)
            time.sleep(0.3)
            return piece
        self.victim = pair[1]
        return piece

    def _cut(self):
        if self.how == "unknown":
            self.refusing = True
        threading.Thread(target=self.cut, daemon=True).start()


@pytest.fixture(name="place")
def fixture_place(redis, make_cluster):
    """Two nodes, each behind a proxy of its own."""
    cutters = [Cutter(redis.address), Cutter(redis.address)]
    cluster = make_cluster(redis, count=0)
    for cutter in cutters:
        cluster.add(state={"redis": {**cluster.redis_settings, "servers": [cutter.address]}})
    cluster.start()
    yield cluster, cutters
    for cutter in cutters:
        cutter.stop()


class Writer:
    """Changes something else at the other node all the while: the numbers move on."""

    def __init__(self, node):
        self.node, self.ended, self.last = node, threading.Event(), None
        self.thread = threading.Thread(target=self._write)

    def _write(self):
        for n in itertools.count():
            if self.ended.wait(0.01):
                return
            answer = self.node.admin("PUT", "/v1/consumers/other", {"metadata": {"n": str(n)}})
            if answer.status in (200, 201):
                self.last = str(n)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def value_of(node):
    answer = node.admin("GET", "/v1/consumers/w")
    return answer.json["metadata"]["n"] if answer.status == 200 else None


def ids_of(node):
    return {r["id"] for r in node.admin("GET", "/v1/revisions?limit=1000").json["items"]}


def expect_the_same(cluster, wanted, marker):
    """All nodes agree, on one of these values; which one."""
    for node in cluster:
        until(lambda n=node: n.status()["store"]["state"] == "connected", timeout=15,
              what=f"{node.name} being connected")
    until(lambda: value_of(cluster[0]) == value_of(cluster[1]), what="the same on both")
    value = value_of(cluster[0])
    assert value in wanted, (value, wanted, marker)
    return value


def try_one(cluster, cutter, node, how, n, stands):
    """What stands after a change whose connection was cut."""
    marker = f"marker-{n}-{how}"
    cutter.aim(how, marker.encode())
    answer = node.admin("PUT", "/v1/consumers/w", {"metadata": {"n": marker}}, timeout=15)
    met, cutter.marker = cutter.met, None
    cutter.refusing = False
    kind = answer.json.get("type", "") if answer.status >= 400 else ""
    assert answer.status in (200, 201, 503), answer
    if answer.status != 503:
        stands = expect_the_same(cluster, {marker}, answer)
    elif "outcome-unknown" not in kind:
        stands = expect_the_same(cluster, {stands}, answer)
    else:
        stands = expect_the_same(cluster, {stands, marker}, answer)
        entry = answer.json["entries"][0]
        assert [entry in ids_of(n) for n in cluster] == [stands == marker] * 2, answer
    return stands, met, "unknown" if "unknown" in kind else answer.status


def has_seen_all(tries, met, answers):
    """What was cut after Redis had made it was found by its id, and acknowledged. (The answer to
    something else may have come first, and have been cut: then it was not made.)"""
    made = [status for status in answers["reply"] if status in (200, 201)]
    return met >= tries * 9 // 10 and len(made) * 2 > len(answers["reply"]) and \
        503 in answers["late"] + answers["request"] and "unknown" in answers["unknown"]


@pytest.mark.long
def test_what_was_answered_is_what_is(place):
    """However it was cut. Nothing acknowledged is lost, and nothing refused happens later."""
    cluster, cutters = place
    random.seed(7)
    stands, met, answers = None, 0, {}
    with Writer(cluster[1]) as writer:
        for n in range(4 * ROUNDS):
            if n >= ROUNDS and has_seen_all(n, met, answers):
                break
            how = ("request", "reply", "late", "reply")[n % 4] if n % 10 else "unknown"
            at = 0 if how != "reply" else random.randrange(2)
            before = stands
            stands, was_met, status = try_one(cluster, cutters[at], cluster[at], how, n, stands)
            met += was_met
            answers.setdefault(how, []).append(status)
            if how in ("request", "late") and was_met:
                assert stands == before or status != 503
    print({how: {s: a.count(s) for s in set(a)} for how, a in answers.items()})
    assert has_seen_all(n, met, answers), (met, answers)
    time.sleep(3)
    cluster.agree()
    assert [value_of(node) for node in cluster] == [stands] * 2
    other = cluster[0].admin("GET", "/v1/consumers/other").json["metadata"]["n"]
    assert writer.last is not None and int(other) >= int(writer.last)
