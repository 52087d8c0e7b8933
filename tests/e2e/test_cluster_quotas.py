# SPDX-License-Identifier: Apache-2.0
"""A quota that nodes share, counted by each of them while Redis is away: a node that is restarted, killed
or replaced in that time goes on from what it had counted, and Redis hears of all of it."""
import pytest

from harness.wait import until

pytestmark = pytest.mark.long

QUOTA = 200
PART = QUOTA // 2  # of each of two nodes


def use(node, most):
    """How many of so many requests are let in; nothing but 200 and 429 is answered."""
    statuses = [node.get("/").status for _ in range(most)]
    assert set(statuses) <= {200, 429}, statuses
    return statuses.count(200)


def is_saved(node, count):
    """In the file `counters`: so many were counted, of which Redis knows none."""
    return f" {count} 0 {QUOTA}".encode() in (node.folder / "state" / "counters").read_bytes()


def knows(node, other):
    path = node.folder / "state" / "members"
    return path.exists() and other.name in path.read_text()


def divided(node):
    return node.metrics()['gatewayd_limit_mode{mode="divided"}']


def restart(node):
    node.restart()


def kill(node):
    # What was counted in the last second may be lost.
    until(lambda: is_saved(node, PART), what="the count in the file")
    node.kill()
    node.start()


def upgrade(node):
    assert node.upgrade().status == 200


@pytest.mark.parametrize("again", [restart, kill, upgrade])
def test_a_quota_used_up_while_redis_is_away_stays_used_up(redis, make_cluster, again):
    cluster = make_cluster(redis)
    a, b = cluster
    a.route("r", respond={"status": 200, "body": "ok"},
            limits=[{"name": "q", "quota": QUOTA, "period": "month", "by": "route"}])
    cluster.agree()
    # By how many it is divided is known to the next process from the file of members.
    for node, other in ((a, b), (b, a)):
        until(lambda n=node, o=other: knows(n, o), what=f"{other.name} in the file of {node.name}")
    redis.pause()
    cluster.connected(False)
    assert use(a, PART + 20) == PART
    again(a)
    assert use(a, 5) == 0
    if again is restart:
        again(a)  # also when nothing was counted in between
        assert use(a, 5) == 0
    assert use(b, 30) == 30
    redis.go_on()
    cluster.connected()
    until(lambda: divided(a) == divided(b) == 0, what="a shared quota")
    # Redis knows of 130: those 70 that are left are let in, wherever they are asked for.
    rest = sum(use(node, 60) for node in (a, b, a, b))
    assert 0.97 * QUOTA <= PART + 30 + rest <= QUOTA
