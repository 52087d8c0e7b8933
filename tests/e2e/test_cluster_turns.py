# SPDX-License-Identifier: Apache-2.0
"""A change that takes long to plan, beside another node that writes all the time: it gets a turn."""
import hashlib
import json
import threading
import time

import pytest

from harness.client import Cut
from harness.wait import until
from harness.writers import Writers

pytestmark = pytest.mark.ha  # how long others wait is looked at where nobody else has the machine

KEYS = 100_000
HEAD = "{gatewayd}:head"


@pytest.fixture
def pair(redis, make_cluster):
    return make_cluster(redis)


def lines_of(consumer, count, first=0):
    lines = [json.dumps({"consumer": consumer, "sha256": hashlib.sha256(str(i).encode()).hexdigest()})
             for i in range(first, first + count)]
    return "\n".join(lines).encode()


def import_keys(node, body, timeout=60):
    return node.admin("POST", "/v1/keys/import", body, timeout=timeout,
                      headers={"Content-Type": "application/x-ndjson"})


def test_an_import_beside_busy_writers_is_taken(pair):
    """And they hardly notice: what was planned and sent is only looked at again in its turn."""
    a, b = pair
    a.consumer("c0")
    pair.agree()
    body = lines_of("c0", KEYS)
    with Writers(b, 2) as writers:
        began = time.monotonic()
        answer = import_keys(a, body)
        took = time.monotonic() - began
        assert answer.status == 201, answer
    writers.expect_served(2, took)
    pair.agree()
    for node in pair:
        page = node.admin("GET", "/v1/keys?consumer=c0&limit=1000").json
        assert len(page["items"]) == 1000 and page["next"]
    assert answer.json["revision"] > 20


def test_a_whole_configuration_beside_busy_writers_is_taken(pair):
    """What it depends on may have changed: it is planned anew, while the others wait."""
    a, b = pair
    routes = [{"name": f"r{i}", "match": {"paths": [f"/r{i}"]}, "respond": {"body": f"r{i}"}}
              for i in range(5000)]
    with Writers(b) as writers:
        config = {"routes": routes, "upstreams": [], "plans": [],
                  "consumers": [{"name": f"w{i}"} for i in range(1)]}
        answer = a.admin("PUT", "/v1/config", config, timeout=60)
        assert answer.status == 200, answer
    writers.expect_served(5)
    pair.agree()
    assert [node.get("/r4999").text for node in pair] == ["r4999", "r4999"]


def test_imports_on_both_nodes_at_once(pair):
    """Each has its turn, one after the other."""
    a, b = pair
    a.consumer("c0")
    b.consumer("c1")
    pair.agree()
    answers = {}

    def bring(node, consumer, first):
        answers[consumer] = import_keys(node, lines_of(consumer, 40_000, first)).status

    threads = [threading.Thread(target=bring, args=(a, "c0", 0)),
               threading.Thread(target=bring, args=(b, "c1", 40_000))]
    with Writers(b) as writers:
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
    assert answers == {"c0": 201, "c1": 201}
    writers.expect_served(5, took)
    pair.agree()


def test_an_import_of_what_others_bring_meanwhile_is_refused(pair):
    """What was looked at before its turn is looked at again in it."""
    a, b = pair
    a.consumer("c0")
    pair.agree()
    with Writers(b):
        first = import_keys(b, lines_of("c0", 1, KEYS - 1))
        assert first.status == 201
        answer = import_keys(a, lines_of("c0", KEYS))
    assert answer.status == 409, answer
    pair.agree()
    assert len(a.admin("GET", "/v1/keys?consumer=c0").json["items"]) == 1


def test_a_turn_of_a_node_that_died_ends(pair, redis):
    """Others wait for a second, not longer, and nothing fails."""
    a, b = pair
    a.consumer("c0")
    pair.agree()
    with Writers(b) as writers:
        bodies = [lines_of("c0", KEYS, first) for first in range(0, 4 * KEYS, KEYS)]
        importing = threading.Thread(target=lambda: [_try(a, body) for body in bodies])
        importing.start()
        try:
            until(lambda: redis.cli("HGET", HEAD, "turn"), timeout=30, pause=0.001, what="a turn")
        finally:
            a.kill()
        importing.join()
        seen = len(writers.answers)
        until(lambda: len(writers.answers) > seen + 50, what="writers going on")
    writers.expect_served(3)
    a.start()
    pair.agree()


def _try(node, body):
    try:
        import_keys(node, body)
    except (OSError, Cut):
        pass
