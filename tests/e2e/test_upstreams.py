# SPDX-License-Identifier: Apache-2.0
"""Balancing, health, retries: a target that dies hurts nobody who can be helped."""
import collections
import resource
import threading
import time

import pytest

from harness.ports import free_port
from harness.wait import SLOWNESS, Clock, scaled, until

pytestmark = pytest.mark.sanitize

CHECK = {"type": "http", "path": "/health", "interval": "100ms", "timeout": "10s",
         "healthy_after": 1, "unhealthy_after": 2}


def named(name):
    def handler(peer, request):
        peer.respond(200, name)
    return handler


def ask_many(node, count, path="/", headers=()):
    with node.connect() as c:
        return collections.Counter(
            c.request("GET", path, headers).text for _ in range(count))


def health(node, upstream):
    return node.admin("GET", f"/v1/upstreams/{upstream}/health").json


def states(node, upstream):
    """address → state, as this node sees it."""
    found = {}

    def walk(value):
        if isinstance(value, dict):
            if "address" in value and "state" in value:
                found[value["address"]] = value["state"]
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(health(node, upstream))
    return found


@pytest.mark.parametrize("balance", ["round_robin", "least_requests", "random_two"])
def test_weights_are_kept(node, make_origin, balance):
    a, b = make_origin(named("a")), make_origin(named("b"))
    node.upstream("o", {"address": a.address, "weight": 3}, {"address": b.address, "weight": 1},
                  balance=balance)
    node.route("r", "o")
    counts = ask_many(node, 400)
    if balance == "least_requests":
        assert counts["a"] >= counts["b"] > 0
    else:
        assert 240 <= counts["a"] <= 360, counts


def test_consistent_hash(node, make_origin):
    origins = [make_origin(named(str(i))) for i in range(4)]
    targets = [{"address": o.address} for o in origins]
    node.put("upstreams", "o", {"targets": targets, "balance": "hash", "hash_on": "header:X-User"})
    node.route("r", "o")
    users = [f"user{i}" for i in range(200)]

    def where():
        with node.connect() as c:
            return {u: c.request("GET", "/", {"X-User": u}).text for u in users}

    before = where()
    assert before == where()
    assert len(set(before.values())) == 4
    node.put("upstreams", "o", {"targets": targets[:3], "balance": "hash",
                                "hash_on": "header:X-User"})
    after = where()
    moved = [u for u in users if before[u] != after[u]]
    assert all(before[u] == "3" for u in moved)


def test_backup_targets_only_when_no_other_is_left(node, make_origin):
    main, spare = make_origin(named("main")), make_origin(named("spare"))
    node.upstream("o", main, {"address": spare.address, "backup": True}, health=CHECK)
    node.route("r", "o")
    until(lambda: set(states(node, "o").values()) == {"up"}, what="healthy targets")
    assert ask_many(node, 50) == {"main": 50}
    main.stop()
    until(lambda: states(node, "o")[main.address] == "down")
    assert ask_many(node, 20) == {"spare": 20}


def test_drained_and_weightless_targets_get_nothing(node, make_origin):
    a, b = make_origin(named("a")), make_origin(named("b"))
    node.upstream("o", a, b)
    node.route("r", "o")
    answer = node.admin("PATCH", node.target_path("o", a.address), {"drain": True},
                        token="operator")
    assert answer.status == 200, answer
    assert ask_many(node, 30) == {"b": 30}
    node.admin("PATCH", node.target_path("o", a.address), {"drain": False, "weight": 1})
    assert set(ask_many(node, 60)) == {"a", "b"}


def test_a_dead_target_costs_no_request_and_is_said_to_be_down(node, make_origin):
    a, b = make_origin(named("a")), make_origin(named("b"))
    node.upstream("o", a, b, health=CHECK, retries={"attempts": 2, "budget": 100})
    node.route("r", "o")
    until(lambda: set(states(node, "o").values()) == {"up"}, what="healthy targets")
    stop, failed = threading.Event(), []

    def load():
        while not stop.is_set():
            answer = node.get("/")
            if answer.status != 200:
                failed.append(answer)

    thread = threading.Thread(target=load)
    thread.start()
    time.sleep(0.3)
    a.stop()
    until(lambda: states(node, "o")[a.address] == "down", what="the dead target down")
    stop.set()
    thread.join()
    assert failed == []
    text = node.admin("GET", "/v1/upstreams/o/health").text
    assert "because" in text and "since" in text
    assert ask_many(node, 20) == {"b": 20}


def test_it_comes_back(node, make_origin):
    port = free_port()
    spare = make_origin(named("spare"))
    node.upstream("o", {"address": f"127.0.0.1:{port}"}, spare, health=CHECK)
    node.route("r", "o")
    until(lambda: states(node, "o").get(f"127.0.0.1:{port}") == "down")
    make_origin(named("back"), port=port)
    until(lambda: states(node, "o")[f"127.0.0.1:{port}"] == "up")
    assert "back" in ask_many(node, 40)


def test_all_down_is_503_at_once(node):
    node.upstream("o", f"127.0.0.1:{free_port()}", health=CHECK)
    node.route("r", "o")
    until(lambda: set(states(node, "o").values()) == {"down"})
    with Clock() as clock:
        assert [node.get("/").status for _ in range(10)] == [503] * 10
        assert clock.seconds() < 5 * SLOWNESS  # not one timeout each


def test_health_survives_a_change_of_configuration(node, make_origin):
    dead = f"127.0.0.1:{free_port()}"
    live = make_origin(named("live"))
    body = {"targets": [{"address": dead}, {"address": live.address}],
            "health": {**CHECK, "interval": "10s"}}
    node.put("upstreams", "o", {**body, "health": CHECK})
    node.route("r", "o")
    until(lambda: states(node, "o").get(dead) == "down")
    node.put("upstreams", "o", body)
    assert states(node, "o")[dead] == "down"
    assert ask_many(node, 20) == {"live": 20}


def test_checks_expect_statuses(node, make_origin):
    def handler(peer, request):
        peer.respond(500 if request.target == "/health" else 200, b"x")

    origin = make_origin(handler)
    node.upstream("o", origin, health={**CHECK, "expect": ["200-299"]})
    node.route("r", "o")
    until(lambda: states(node, "o")[origin.address] == "down")
    assert "500" in node.admin("GET", "/v1/upstreams/o/health").text
    node.upstream("o", origin, health={**CHECK, "expect": ["500"]})
    until(lambda: states(node, "o")[origin.address] == "up")


def test_tcp_checks(node, make_origin):
    origin = make_origin()
    node.upstream("o", origin, health={**CHECK, "type": "tcp"})
    until(lambda: states(node, "o").get(origin.address) == "up")
    origin.stop()
    until(lambda: states(node, "o")[origin.address] == "down")


def test_outliers_are_ejected_and_taken_back(node, make_origin):
    broken = {"is": True}

    def flaky(peer, request):
        peer.respond(500 if broken["is"] else 200, "flaky")

    a, b = make_origin(flaky), make_origin(named("good"))
    node.upstream("o", a, b, balance="round_robin",
                  outlier={"failures": 3, "window": "60s", "max_ejected": 50,
                           "eject_for": scaled("3s", "6s")})
    node.route("r", "o")
    ask_many(node, 20)
    assert ask_many(node, 20) == {"good": 20}
    broken["is"] = False
    until(lambda: "flaky" in ask_many(node, 4), timeout=10)


def test_retries_go_elsewhere(node, make_origin):
    def reset(peer, request):
        peer.reset()
        return False

    bad, good = make_origin(reset), make_origin(named("good"))
    node.upstream("o", bad, good, balance="round_robin", retries={"attempts": 1, "budget": 100})
    node.route("r", "o")
    assert ask_many(node, 20) == {"good": 20}


def test_what_is_not_idempotent_is_not_repeated(node, make_origin):
    def reset(peer, request):
        peer.reset()
        return False

    bad = make_origin(reset)
    node.upstream("o", bad, retries={"attempts": 3, "budget": 100})
    node.route("r", "o")
    assert node.request("POST", "/", body="x").status == 502
    assert len(bad.requests) == 1
    assert node.request("PUT", "/", body="x").status == 502
    assert len(bad.requests) == 5


def test_a_refused_connection_is_retried_whatever_the_method(node, make_origin):
    good = make_origin(named("good"))
    node.upstream("o", f"127.0.0.1:{free_port()}", good, balance="round_robin",
                  retries={"attempts": 1, "budget": 100})
    node.route("r", "o")
    for _ in range(6):
        assert node.request("POST", "/", body="x").status == 200


def test_statuses_are_retried_as_configured(node, make_origin):
    def busy(peer, request):
        peer.respond(503, "busy")

    bad, good = make_origin(busy), make_origin(named("good"))
    node.upstream("o", bad, good, balance="round_robin",
                  retries={"attempts": 1, "on": ["503"], "budget": 100})
    node.route("r", "o")
    assert ask_many(node, 20) == {"good": 20}


def test_the_budget_bounds_retries(node, make_origin):
    def reset(peer, request):
        peer.reset()
        return False

    bad = make_origin(reset)
    node.upstream("o", bad, retries={"attempts": 3, "budget": 10})
    node.route("r", "o")
    for _ in range(200):
        node.get("/")
    assert len(bad.requests) < 300


def test_connection_limits(node, make_origin):
    release = threading.Event()

    def slow(peer, request):
        release.wait(10)
        peer.respond(200, b"ok")

    origin = make_origin(slow)
    node.upstream("o", origin, max_connections=2, retries={"attempts": 0})
    node.route("r", "o")
    results = []
    threads = [threading.Thread(target=lambda: results.append(node.get("/").status))
               for _ in range(2)]
    for t in threads:
        t.start()
    until(lambda: len(origin.requests) == 2)
    assert node.get("/").status == 503
    release.set()
    for t in threads:
        t.join()
    assert results == [200, 200]


def test_unix_sockets_as_targets(node, make_origin, tmp_path):
    origin = make_origin(named("unix"), unix=str(tmp_path / "o.sock"))
    node.upstream("o", origin)
    node.route("r", "o")
    assert ask_many(node, 3) == {"unix": 3}


def test_a_name_without_an_address_is_shown_as_down_and_why(node, make_origin):
    origin = make_origin(named("local"))
    node.upstream("o", {"address": "nowhere.invalid:80"}, origin)
    node.route("r", "o")
    assert ask_many(node, 5) == {"local": 5}
    until(lambda: states(node, "o").get("nowhere.invalid:80") == "down", timeout=15)
    items = {i["address"]: i for i in health(node, "o")["items"]}
    assert items["nowhere.invalid:80"]["because"].startswith("its name has no address: ")
    assert "since" in items["nowhere.invalid:80"] and "resolved" not in items["nowhere.invalid:80"]
    assert items[origin.address]["state"] == "up"


def test_names_as_targets(node, make_origin):
    origin = make_origin(named("local"))
    node.upstream("o", {"address": f"localhost:{origin.port}"})
    node.route("r", "o")
    until(lambda: node.get("/").status == 200, what="the name resolved")


def test_what_this_node_lacks_is_not_the_targets_fault(make_node, make_origin):
    """Out of descriptors: 503, said and counted, and the target stays in service."""
    origin = make_origin()
    node = make_node()
    node.upstream("o", origin, health={"type": "tcp", "interval": "100ms", "unhealthy_after": 1},
                  outlier={"failures": 1, "max_ejected": 100}, retries={"attempts": 0})
    node.route("r", "o")
    until(lambda: states(node, "o")[origin.address] == "up")
    count = 6
    links = [node.connect() for _ in range(count)]
    # Accepted, so they need no descriptor any more.
    until(lambda: node.status()["connections"] >= count)
    watching = node.admin_connection()
    watching.call("GET", "/livez")
    pid, most = node.process.pid, resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, most[1]))
    try:
        answers = [link.request("GET", "/") for link in links]
        until(lambda: node.metrics(watching)["gatewayd_connects_without_resources_total"] > count,
              what="a check that could not be made")
    finally:
        watching.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
    assert {answer.status for answer in answers} == {503}
    assert answers[0].json["type"].endswith("no-resources")
    assert states(node, "o")[origin.address] == "up"
    assert node.get("/").status == 200
    metrics = node.metrics()
    assert metrics["gatewayd_connects_without_resources_total"] > count
    assert metrics['gatewayd_failures_total{failure="no-resources"}'] == count
    said = until(lambda: node.log().count("could be made: out of desc"), what="a word in the log")
    assert said <= 2  # one a worker
    assert not any(value for name, value in metrics.items()
                   if name.startswith(("gatewayd_target_failures", "gatewayd_target_ejections",
                                       "gatewayd_target_connect_failures")))
