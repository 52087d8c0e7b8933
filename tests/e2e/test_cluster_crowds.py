# SPDX-License-Identifier: Apache-2.0
"""Much at once between nodes: ten thousand revocations without Redis, members that are none."""
import hashlib
import json
import socket
import threading

import pytest

from harness.peer import SECRET, ask
from harness.wait import Clock, until

MEMBERS, REVOKED = "{gatewayd}:members", "{gatewayd}:revoked"
MANY = 10_000


@pytest.fixture
def pair(redis, make_cluster, tmp_path):
    secret = tmp_path / "known.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    pair = make_cluster(redis, cluster={"secret_file": str(secret)})
    for node, other in (pair.nodes, pair.nodes[::-1]):
        known = node.folder / "state" / "members"
        until(lambda file=known, name=other.name: file.exists() and name in file.read_text(),
              what=f"{node.name} knowing the other, after a restart too")
    return pair


def unshared(node):
    return node.metrics().get("gatewayd_revocations_unshared", 0)


def test_ten_thousand_revocations_without_redis(pair, redis):
    """They come from another node, a thousand in a message. A restart later they are told on; when
    Redis is back all of it is history. No turn of a node takes long for it."""
    a, b = pair
    a.consumer("c0")
    pair.agree()
    redis.stop()
    pair.connected(False)
    b.kill()
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(MANY)]
    for first in range(0, MANY, 1000):
        items = [{"id": f"{first + i + 1:016x}", "digest": digests[first + i]} for i in range(1000)]
        assert ask(a, "POST", "/v1/cluster/revocations", {"items": items}).status == 204
    until(lambda: unshared(a) == MANY, what="the metric")
    too_many = [{"id": f"{i + 1:016x}", "digest": digests[i]} for i in range(1001)]
    assert ask(a, "POST", "/v1/cluster/revocations", {"items": too_many}).status in (400, 413, 422)
    assert a.stop() == 0
    b.start()
    a.start()
    until(lambda: unshared(b) == MANY, timeout=30, what="the other node being told")
    with Clock() as clock:
        assert a.get("/nothing").status == 404
        assert clock.seconds() < 0.5
    redis.start()
    pair.connected(timeout=30)
    until(lambda: [unshared(n) for n in pair] == [0, 0], timeout=60, what="all of it being history")
    until(lambda: redis.cli("HLEN", REVOKED) == MANY, timeout=20, what="a folded state")
    lines = [json.dumps({"consumer": "c0", "sha256": digests[i]}) for i in (0, MANY - 1)]
    for line in lines:
        answer = b.admin("POST", "/v1/keys/import", line.encode(),
                         headers={"Content-Type": "application/x-ndjson"})
        assert answer.status == 409, answer


def member_like(redis, name, address, like="gw-b", **more):
    """What b says of itself, as another node of that address."""
    said = redis.cli("HGET", MEMBERS, like)
    _, incarnation, fields = said.split(b" ", 2)
    fields = {**json.loads(fields), "name": name, "address": address, **more}
    seconds, micros = redis.cli("TIME")
    now = int(seconds) * 1000 + int(micros) // 1000
    redis.cli("HSET", MEMBERS, name, b" ".join([str(now).encode(), b"0" * len(incarnation),
                                                 json.dumps(fields).encode()]))


def test_a_member_is_no_way_to_a_socket_of_this_host(pair, redis, tmp_path):
    """Who can write to Redis says where members are: nothing but a host and a port is asked."""
    a, _ = pair
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.settimeout(0.5)
    met = []

    def accept():
        try:
            met.append(listener.accept())
        except TimeoutError:
            pass

    a.upstream("u", "127.0.0.1:1")
    member_like(redis, "gw-x", f"unix:{path}")
    until(lambda: "gw-x" in a.admin("GET", "/v1/nodes").text, what="the member being seen")
    taker = threading.Thread(target=accept)
    taker.start()
    answer = a.admin("GET", "/v1/upstreams/u/health")
    taker.join()
    listener.close()
    assert answer.status == 200
    assert "no host and port" in answer.text, answer.text
    assert met == []
