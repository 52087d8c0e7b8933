# SPDX-License-Identifier: Apache-2.0
"""What Redis holds is not what any node wrote, or not any more: nodes live, serve, and start again."""
import json
import time

import pytest

from harness.wait import until

pytestmark = [pytest.mark.long, pytest.mark.sanitize_long]

HEAD, LOG = "{gatewayd}:head", "{gatewayd}:log"


@pytest.fixture
def pair(redis, make_cluster):
    return make_cluster(redis)


def fill(node, count=3):
    node.route("keyed", respond={"body": "keyed"}, paths=["/keyed"], auth={"methods": ["key"]})
    keys = []
    for i in range(count):
        node.consumer(f"c{i}")
        keys.append(node.key(f"c{i}"))
    return keys


def admits(node, key):
    return node.get("/keyed", {"X-API-Key": key["key"]}).status


def folded(redis):
    return redis.cli("HGET", HEAD, "folded") == redis.cli("HGET", HEAD, "revision")


def test_records_that_are_none(pair, redis):
    """They are left out, and what this node keeps of it on its disk can be read."""
    a, _ = pair
    keys = fill(a)
    pair.agree()
    until(lambda: folded(redis), what="a folded state")
    garbage = [b"", b"x", b"\xff" * 100, b"\x01\xff\xff\xff\xff", b"\x02\x04\0\0\0abcd",
               b"\x01\x05\0\0\0\x02\x02abc"]
    hashes = ["{gatewayd}:" + name for name in ("resources", "consumers", "keys", "revoked")]
    redis.cli("EVAL", """
        for i = 1, #ARGV do
            for k = 2, #KEYS do
                redis.call('HSET', KEYS[k], 'strange' .. i, ARGV[i])
                redis.call('HINCRBY', KEYS[1], 'count', 1)
            end
        end""", 5, HEAD, *hashes, *garbage)
    late = pair.add().start()
    pair.agree()
    assert [admits(late, key) for key in keys] == [200, 200, 200]
    until(lambda: "cannot be read" in late.log(), what="a word on it")
    assert late.stop() == 0
    late.start()
    assert [admits(late, key) for key in keys] == [200, 200, 200]
    a.consumer("after")
    pair.agree()


def strange_entry(redis, is_there=True, **fields):
    """The next entry, as a commit would write it, but for some fields."""
    revision = int(redis.cli("HGET", HEAD, "revision")) + 1
    entry_id = revision.to_bytes(16, "little")
    entry = {"id": entry_id, "prev": redis.cli("HGET", HEAD, "id"), "time": "1", "author": "x",
             "summary": "x", "parts": "0", "items": b"", **fields}
    if is_there:
        redis.cli("XADD", LOG, f"{revision}-0", *[w for pair in entry.items() for w in pair])
    redis.cli("HSET", HEAD, "revision", revision, "id", entry_id)
    return revision


def test_an_entry_whose_items_are_none(pair, redis):
    """It is followed, as far as it can be read, and outlives a restart."""
    a, b = pair
    keys = fill(a)
    pair.agree()
    revision = strange_entry(redis, items=b"\x01\xff\xff\xff\xff strange")
    assert pair.agree(revision) == revision
    assert [admits(n, keys[0]) for n in pair] == [200, 200]
    assert b.stop() == 0
    b.start()
    assert pair.agree(revision) == revision
    assert [admits(n, keys[0]) for n in pair] == [200, 200]


def expect_passed(pair, redis, keys, count=1):
    """Whatever it was: what nodes wrote is there, and they write on."""
    for i, node in enumerate(pair):
        until(lambda n=node: n.status()["store"]["state"] == "connected", timeout=30,
              what=f"{node.name} going on")
        until(lambda n=node, i=i: n.admin("PUT", f"/v1/consumers/after{i}", {}).status in (200, 201),
              what=f"{node.name} taking changes")
    pair.agree(timeout=30)
    for node in pair:
        assert [admits(node, key) for key in keys] == [200] * len(keys)
        assert node.admin("GET", "/v1/consumers/after0").status == 200
    until(lambda: folded(redis), timeout=20, what="a folded state")
    late = pair.add().start(timeout=30)
    pair.agree(timeout=30)
    assert [admits(late, key) for key in keys] == [200] * len(keys)
    until(lambda: 
          any(n.metrics()["gatewayd_history_passed_over_total"] == count for n in pair),
          what="the metric")


@pytest.mark.parametrize("fields", [{"parts": str(2**60)}, {"parts": "40"}, {"prev": b"strange"},
                                    {"id": b""}, {"time": "never"}, {"prev": b"0123456789012345"},
                                    {"is_there": False}])
def test_an_entry_that_is_none(pair, redis, fields):
    """It is passed over, with a word on it; nobody dies of it, or does nothing else any more."""
    a, b = pair
    keys = fill(a)
    pair.agree()
    until(lambda: folded(redis), what="a folded state")
    strange_entry(redis, **fields)
    before = [n.log().count("looking again") for n in pair]
    begin = time.monotonic()
    time.sleep(3)
    assert [n.process.poll() for n in pair] == [None, None]
    assert [admits(n, keys[0]) for n in pair] == [200, 200]
    looked = [n.log().count("looking again") - was for n, was in zip(pair, before)]
    assert max(looked) < 13 * (time.monotonic() - begin)
    expect_passed(pair, redis, keys)
    until(lambda: any("it was passed over" in n.log() for n in pair), what="a word on it")


@pytest.mark.parametrize("entry_id", ["1000000-0", "{head}-7", "{next}-0"])
def test_what_stands_behind_the_end_of_the_log(pair, redis, entry_id):
    """Whoever wrote it: it is removed, and changes are taken."""
    a, b = pair
    keys = fill(a)
    head = pair.agree()
    for _ in range(3):
        redis.cli("XADD", LOG, entry_id.format(head=head, next=head + 1), "some", "thing")
        a.consumer("more", metadata={"at": str(time.time())})
        b.consumer("more", metadata={"at": str(time.time())})
        head = pair.agree()
    expect_passed(pair, redis, keys, 0)


def test_what_an_entry_changed_has_ended(pair, redis):
    """Large bodies stay an hour. Who was away for longer reads the state instead."""
    a, b = pair
    fill(a)
    pair.agree()
    assert b.stop() == 0
    lines = [json.dumps({"consumer": "c0", "sha256": f"{i:064x}"}) for i in range(6000)]
    answer = a.admin("POST", "/v1/keys/import", "\n".join(lines).encode(),
                     headers={"Content-Type": "application/x-ndjson"})
    assert answer.status < 300, answer
    until(lambda: folded(redis), timeout=20, what="a folded state")
    bodies = redis.cli("KEYS", "{gatewayd}:body:*")
    assert len(bodies) == 1
    redis.cli("DEL", bodies[0])
    b.start()
    pair.agree(a.status()["revision"])
    pair.connected()
    assert len(b.admin("GET", "/v1/keys?consumer=c0&limit=1000").json["items"]) == 1000
    b.consumer("after")
    pair.agree()


def config(count, letter):
    """Routes of six megabytes each."""
    return {"routes": [{"name": f"large{i}", "match": {"paths": [f"/large{i}"]},
                        "respond": {"status": 200, "body": letter * 6_000_000}}
                       for i in range(count)], "consumers": [], "upstreams": [], "plans": []}


def test_more_than_one_reply_may_hold(redis, make_cluster):
    """Entries and resources that are large: a node follows them, and another one reads them all."""
    pair = make_cluster(redis, is_new=True)
    a, b = pair
    assert b.stop() == 0
    for letter in "abcdefghijkl":
        assert a.admin("PUT", "/v1/config", config(1, letter)).status == 200
    b.start()
    pair.agree(12, timeout=30)
    assert a.admin("PUT", "/v1/config", config(25, "z"), timeout=60).status == 200
    pair.agree(13, timeout=30)
    until(lambda: folded(redis), timeout=20, what="a folded state")
    late = pair.add().start(timeout=30)
    pair.agree(13, timeout=30)
    assert late.get("/large24").status == 200
