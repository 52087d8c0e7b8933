# SPDX-License-Identifier: Apache-2.0
"""Several nodes, one history in Redis: what one accepts all serve, and nothing is lost."""
import pytest

from harness.wait import until


@pytest.fixture
def pair(redis, make_cluster):
    return make_cluster(redis)


def respond(body):
    return {"match": {"paths": ["/"]}, "respond": {"status": 200, "body": body}}


def test_what_one_node_accepts_the_other_serves(pair, redis):
    a, b = pair
    assert a.admin("PUT", "/v1/routes/all", respond("one")).status == 201
    until(lambda: b.get("/").body == b"one", what="the other node serving it")
    assert b.admin("PUT", "/v1/routes/all", respond("two")).status == 200
    until(lambda: a.get("/").body == b"two", what="the first one serving what the other took")
    assert pair.agree(2) == 2
    tags = {n.admin("GET", "/v1/routes/all").header("ETag") for n in pair}
    assert len(tags) == 1
    lists = [n.admin("GET", "/v1/revisions").json["items"] for n in pair]
    assert lists[0] == lists[1]
    assert [n.status()["store"]["kind"] for n in pair] == ["redis", "redis"]
