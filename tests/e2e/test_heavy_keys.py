# SPDX-License-Identifier: Apache-2.0
"""A million keys, and keys through crashes."""
import hashlib
import itertools
import json
import random
import threading
import time

import pytest

from harness.busy_origin import BusyOrigin
from harness.load import Load
from harness.many_keys import NDJSON, foreign, lines
from harness.wait import SANITIZED, Clock, best_is_below, scaled, until

pytestmark = [pytest.mark.sanitize, pytest.mark.heavy]


def has_stalled(node):
    """A turn of a thread has had the processor for more than 20 ms since the node started."""
    metrics = node.metrics()
    return not SANITIZED and any(metrics[f'gatewayd_loop_stalls_total{{thread="{thread}"}}'] > 0
                                 for thread in ("worker", "control"))


@pytest.mark.long
@pytest.mark.sanitize_long
def test_a_million_keys_of_as_many_consumers(make_node):
    """(A turn that the machine itself held up is not as long again.)"""
    stalled = bring_and_load(make_node)
    for _ in range(2):
        if stalled:
            stalled &= bring_and_load(make_node)
    assert not stalled


def bring_and_load(make_node):
    """What it was that took a turn of a thread long."""
    stalled = set()

    def look(what):
        if has_stalled(node):
            stalled.add(what)

    count = scaled(1000000, 20000)
    origin = BusyOrigin()
    node = make_node(log={"level": "warn", "access": "off"})
    config = {"upstreams": [{"name": "o", "targets": [{"address": origin.address}]}],
              "routes": [{"name": "keyed", "upstream": "o", "auth": {"methods": ["key"]}},
                         {"name": "open", "match": {"paths": ["/open"]}, "upstream": "o"}]}
    assert node.admin("PUT", "/v1/config", config).status == 200
    load = Load(node.address, ["/open"], connections=4, pause=0.002)
    bare = node.memory()
    config["consumers"] = [{"name": f"c{i:07}"} for i in range(count)]
    answer = node.admin("PUT", "/v1/config", config, timeout=120)
    assert answer.status == 200, answer
    answer = node.admin("POST", "/v1/keys/import", lines(count), headers=NDJSON, timeout=120)
    assert (answer.status, answer.json["imported"]) == (201, count), answer
    report = load.stop()
    print(report)
    assert report.failures == []
    look("bringing")
    assert report.p99() < 0.25 or SANITIZED

    # A consumer and its key together, their names included.
    if not SANITIZED:
        until(lambda: (node.memory() - bare) / count < 150 + 100, timeout=20, pause=0.5,
              what="memory given back")
    assert {node.get("/", {"X-API-Key": foreign(i)}).status
            for i in random.sample(range(count), 50)} == {200}
    spare = itertools.count(5)

    def revoke():
        i = next(spare)
        with Clock() as clock:
            key = node.admin("GET", f"/v1/keys?consumer=c{i:07}").json["items"][0]
            assert node.admin("DELETE", f"/v1/keys/{key['id']}").status == 204
            assert node.get("/", {"X-API-Key": foreign(i)}).status == 401
            return clock.seconds()

    best_is_below(0.5, revoke)
    answer = node.admin("PUT", "/v1/config?dry_run=true", config, timeout=120)
    assert (answer.status, answer.json["changes"]) == (200, []), answer
    look("comparing")

    assert node.stop(60) == 0
    begin = time.monotonic()
    node.start(timeout=60)
    print(f"loaded in {time.monotonic() - begin:.1f} s, {node.memory() >> 20} MiB")
    assert time.monotonic() - begin < 30 or SANITIZED
    look("loading")
    assert node.get("/", {"X-API-Key": foreign(5)}).status == 401
    assert node.get("/", {"X-API-Key": foreign(count - 1)}).status == 200
    assert node.stop(60) == 0
    origin.stop()
    return stalled


def test_keys_through_crashes(make_node, origin):
    """Somebody makes and revokes keys while the node is killed again and again. What was answered
    holds; what was revoked never comes back; what was not answered is there wholly or not at all."""
    node = make_node()
    node.upstream("o", origin)
    node.route("r", "o", auth={"methods": ["key"]})
    node.consumer("acme")
    live, revoked, uncertain = {}, {}, {}
    chance = random.Random(7)

    def write(stop):
        with node.admin_connection() as caller:
            while not stop.is_set():
                if live and chance.random() < 0.4:
                    name = chance.choice(list(live))
                    uncertain[name] = live.pop(name)
                    if caller.call("DELETE", f"/v1/keys/{name}").status == 204:
                        revoked[name] = uncertain.pop(name)
                else:
                    answer = caller.call("POST", "/v1/consumers/acme/keys", {})
                    if answer.status == 201:
                        live[answer.json["id"]] = answer.json["key"]

    def write_until_killed(stop):
        try:
            write(stop)
        except Exception:  # the node was killed under it
            pass

    def status(key):
        return node.get("/", {"X-API-Key": key}).status

    for _ in range(scaled(10, 3)):
        stop = threading.Event()
        writer = threading.Thread(target=write_until_killed, args=(stop,))
        before = len(live), len(revoked)
        writer.start()
        until(lambda b=before: len(live) > b[0] + 1 and len(revoked) > b[1] + 1, timeout=10,
              what="keys that were made and revoked")
        time.sleep(chance.uniform(0, 0.3))
        node.kill()
        stop.set()
        writer.join()
        node.start()
        assert {status(key) for key in live.values()} <= {200}
        assert {status(key) for key in revoked.values()} <= {401}
        for name, key in list(uncertain.items()):
            now = status(key)
            assert now == (200 if node.admin("GET", f"/v1/keys/{name}").json["state"] == "active"
                           else 401)
            (live if now == 200 else revoked)[name] = key
            del uncertain[name]
    node.restart()
    assert {status(key) for key in revoked.values()} <= {401}


def test_a_revoked_digest_is_never_taken_again(node, origin):
    """By whatever way it is brought: alone, in an import, by restoring an old revision."""
    node.upstream("o", origin)
    node.route("r", "o", auth={"methods": ["key"]})
    node.consumer("acme")
    made = node.admin("POST", "/v1/consumers/acme/keys", {"key": foreign(1)})
    before = node.status()["revision"]
    assert node.admin("DELETE", f"/v1/keys/{made.json['id']}").status == 204
    line = {"consumer": "acme", "sha256": hashlib.sha256(foreign(1).encode()).hexdigest()}
    other = {"consumer": "acme", "key": foreign(2)}
    body = "\n".join(json.dumps(item) for item in (other, line)).encode()
    assert node.admin("POST", "/v1/keys/import", body, headers=NDJSON).status == 409
    assert node.get("/", {"X-API-Key": foreign(2)}).status == 401
    assert node.admin("POST", f"/v1/revisions/{before}/restore", {}).status in (200, 204)
    assert node.get("/", {"X-API-Key": foreign(1)}).status == 401
