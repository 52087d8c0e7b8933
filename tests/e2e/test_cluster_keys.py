# SPDX-License-Identifier: Apache-2.0
"""Nothing is in Redis that cluster/README.md does not name, nothing without an end that should have
one, and no key or token in the clear."""
import pathlib

from harness.node import TOKENS
from harness.redis import PASSWORD
from harness.redis_keys import documented, look_at
from harness.wait import until

LONG = {"rate": 6, "per": "1m", "burst": 3}  # a bucket that is not full again at once


def limits(by):
    return [{"name": "rate", **LONG, "by": by}, {"name": "quota", "quota": 100, "period": "day", "by": by}]


def big_document(count):
    """An entry too big for the log: its items are kept aside."""
    return {"upstreams": [], "plans": [], "consumers": [{"name": "acme", "plan": "p"}], "routes": [
        {"name": f"r{i}", "match": {"paths": [f"/big/{i}"]},
         "respond": {"status": 200, "body": "x" * 900}} for i in range(count)]}


def test_what_is_in_redis_is_named_ends_and_says_no_secret(redis, make_cluster):
    cluster = make_cluster(redis, log={"level": "info"})
    a, b = cluster
    a.put("plans", "p", {"limits": limits("consumer")})
    a.consumer("acme", plan="p")
    keys = [a.key("acme") for _ in range(3)]
    brought = "a-key-from-elsewhere-0123456789"
    assert a.admin("POST", "/v1/consumers/acme/keys", {"key": brought}).status == 201
    header = "a-secret-in-a-header"
    for by in ("consumer", "key", "ip", "route", "header:X-Secret"):
        name = by.split(":", maxsplit=1)[0]
        a.route(name, paths=[f"/{name}"], respond={"body": "ok"}, limits=limits(by),
                auth={"methods": ["key"]})
    cluster.agree()
    for node in cluster:
        for name in ("consumer", "key", "ip", "route", "header"):
            for key in (keys[0]["key"], brought):
                assert node.get(f"/{name}", [("X-API-Key", key), ("X-Secret", header)]).status in (200, 429)
    assert b.admin("DELETE", f"/v1/keys/{keys[1]['id']}").status == 204
    secrets = [k["key"] for k in keys] + [brought, header, PASSWORD, *TOKENS.values()]
    secrets.append(pathlib.Path(cluster.cluster_settings["secret_file"]).read_text().strip())
    seen = look_at(redis, secrets)
    # An answer that is lost, an entry that is big, a state that is brought back.
    redis.pause()
    refused = a.admin("PUT", "/v1/consumers/late", {})
    assert refused.status == 503
    redis.go_on()
    cluster.connected(timeout=15)
    plan = a.admin("GET", "/v1/config?fields=set").json
    document = {**big_document(1500), "plans": plan["plans"]}
    until(lambda: a.admin("PUT", "/v1/config", document).status == 200, what="a store that takes changes")
    until(lambda: redis.cli("HGET", "{gatewayd}:head", "folded") ==
          redis.cli("HGET", "{gatewayd}:head", "revision"), timeout=15, what="a folded state")
    seen |= look_at(redis, secrets)
    redis.cli("FLUSHALL")

    def is_back():
        nonlocal seen
        seen |= look_at(redis, secrets)
        return redis.cli("EXISTS", "{gatewayd}:head") == 1

    until(is_back, timeout=20, pause=0.02, what="the state in Redis again")
    cluster.connected(timeout=15)
    seen |= look_at(redis, secrets)
    missed = {row.name for row in documented()} - seen
    assert missed <= {"refused:ID", "new:TOKEN:…", "lock"}, missed  # there for a moment only
