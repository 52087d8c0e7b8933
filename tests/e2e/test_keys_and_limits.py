# SPDX-License-Identifier: Apache-2.0
"""Keys, consumers, plans, limits and quotas as clients and operators see them."""
import binascii
import concurrent.futures
import hashlib
import json
import threading
import time

import pytest

from harness.wait import scaled, until

pytestmark = pytest.mark.sanitize

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def keyed(node, origin):
    node.upstream("o", origin)
    node.route("r", "o", auth={"methods": ["key"]})
    node.consumer("acme")
    node.origin = origin
    return node


def test_a_key_opens_and_its_absence_closes(keyed):
    answer = keyed.get("/")
    assert answer.status == 401
    assert answer.header("WWW-Authenticate")
    key = keyed.key("acme")
    assert keyed.get("/", {"X-API-Key": key["key"]}).status == 200
    got = keyed.origin.last
    assert got.header("X-Consumer") == "acme"
    assert got.header("X-API-Key") is None
    assert keyed.get("/", {"Authorization": f"Bearer {key['key']}"}).status == 200
    assert keyed.origin.last.header("Authorization") is None
    assert keyed.get("/", {"X-API-Key": "gwk_" + "x" * 40}).status == 401


def test_the_form_of_a_key(keyed):
    key = keyed.key("acme")["key"]
    assert key.startswith("gwk_") and len(key) == 44
    body, check = key[4:38], key[38:]
    number = 0
    for digit in check:
        number = number * 62 + BASE62.index(digit)
    assert number in (binascii.crc32(body.encode()), binascii.crc32(key[:34].encode()))


def test_x_api_key_alone_counts_if_it_is_there(keyed):
    good = keyed.key("acme")["key"]
    assert keyed.get("/", {"X-API-Key": "wrong-key-of-some-length",
                           "Authorization": f"Bearer {good}"}).status == 401
    assert keyed.get("/", {"X-API-Key": good, "Authorization": "Basic eDp5"}).status == 200
    assert keyed.origin.last.header("Authorization") == "Basic eDp5"


def test_routes_without_auth_look_nothing_up(node, origin):
    node.upstream("o", origin)
    node.route("r", "o")
    assert node.get("/", {"X-API-Key": "anything at all", "Authorization": "Bearer gwk_x",
                          "X-Consumer": "root"}).status == 200
    got = origin.last
    assert got.header("X-API-Key") == "anything at all"
    assert got.header("Authorization") == "Bearer gwk_x"
    assert got.header("X-Consumer") is None


def test_revoked_at_once_and_for_good(keyed):
    key = keyed.key("acme")
    headers = {"X-API-Key": key["key"]}
    assert keyed.get("/", headers).status == 200
    assert keyed.admin("DELETE", f"/v1/keys/{key['id']}").status == 204
    assert keyed.get("/", headers).status == 401
    assert keyed.admin("DELETE", f"/v1/keys/{key['id']}").status == 204
    again = keyed.admin("POST", "/v1/consumers/acme/keys", {"key": key["key"]})
    assert again.status == 409
    keyed.restart()
    assert keyed.get("/", headers).status == 401


def test_imported_keys(keyed):
    foreign = "legacy-key-0123456789"
    answer = keyed.admin("POST", "/v1/consumers/acme/keys", {"key": foreign})
    assert answer.status == 201
    assert "key" not in answer.json
    assert keyed.get("/", {"X-API-Key": foreign}).status == 200
    assert keyed.get("/", {"Authorization": f"Bearer {foreign}"}).status == 200
    assert keyed.admin("POST", "/v1/consumers/acme/keys", {"key": "short"}).status == 422
    assert foreign not in keyed.admin("GET", "/v1/keys").text
    assert foreign.encode() not in b"".join(
        p.read_bytes() for p in (keyed.folder / "state").iterdir() if p.is_file())
    assert foreign not in keyed.log()


def test_expiry(keyed):
    end = int(time.time()) + 2
    key = keyed.key("acme", expires_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)))
    headers = {"X-API-Key": key["key"]}
    assert keyed.get("/", headers).status == 200 or time.time() >= end
    until(lambda: keyed.get("/", headers).status == 401, timeout=6)
    assert keyed.admin("GET", f"/v1/keys/{key['id']}").json["state"] == "expired"


def test_rotation_with_grace(keyed):
    old = keyed.key("acme", scopes=["read"])
    begin = time.monotonic()
    answer = keyed.admin("POST", f"/v1/keys/{old['id']}/rotate", {"grace": "1s"})
    assert answer.status == 201
    new = answer.json
    assert new["scopes"] == ["read"]
    assert keyed.get("/", {"X-API-Key": new["key"]}).status == 200
    assert keyed.get("/", {"X-API-Key": old["key"]}).status == 200 or time.monotonic() - begin > 1
    until(lambda: keyed.get("/", {"X-API-Key": old["key"]}).status == 401, timeout=6)
    assert keyed.get("/", {"X-API-Key": new["key"]}).status == 200


def test_groups_and_scopes(node, origin):
    node.upstream("o", origin)
    node.route("g", "o", paths=["/g"], auth={"methods": ["key"], "groups": ["staff", "ops"]})
    node.route("s", "o", paths=["/s"], auth={"methods": ["key"], "scopes": ["read", "write"]})
    node.consumer("in", groups=["ops"])
    node.consumer("out")
    inside = {"X-API-Key": node.key("in", scopes=["read", "write"])["key"]}
    outside = {"X-API-Key": node.key("out", scopes=["read"])["key"]}
    assert [node.get(p, inside).status for p in ("/g", "/s")] == [200, 200]
    assert [node.get(p, outside).status for p in ("/g", "/s")] == [403, 403]


def test_optional_auth(node, origin):
    node.upstream("o", origin)
    node.route("r", "o", auth={"methods": ["key"], "optional": True})
    node.consumer("acme")
    key = node.key("acme")["key"]
    assert node.get("/").status == 200
    assert origin.last.header("X-Consumer") is None
    assert node.get("/", {"X-API-Key": key}).status == 200
    assert origin.last.header("X-Consumer") == "acme"


def test_many_keys_in_one_revision_all_or_none(keyed):
    count = scaled(5000, 500)
    before = keyed.status()["revision"]
    lines = [json.dumps({"consumer": "acme", "sha256": hashlib.sha256(f"imported-key-no-{i:06}".encode())
                         .hexdigest()}) for i in range(count)]
    bad = lines + [json.dumps({"consumer": "nobody", "key": "x" * 20})]
    headers = {"Content-Type": "application/x-ndjson"}
    answer = keyed.admin("POST", "/v1/keys/import", "\n".join(bad).encode(), headers=headers)
    assert answer.status == 422, answer
    assert keyed.status()["revision"] == before
    answer = keyed.admin("POST", "/v1/keys/import", "\n".join(lines).encode(), headers=headers)
    assert answer.status in (200, 201), answer
    assert keyed.status()["revision"] == before + 1
    for i in (0, count // 2, count - 1):
        assert keyed.get("/", {"X-API-Key": f"imported-key-no-{i:06}"}).status == 200


# ---- limits ----


def test_a_limit_is_exact_and_says_when(node, origin):
    node.upstream("o", origin)
    node.route("r", "o", limits=[{"name": "few", "rate": 5, "per": "1h", "burst": 5, "by": "ip"}])
    remaining = []
    with node.connect() as c:
        for _ in range(5):
            answer = c.request("GET", "/")
            assert answer.status == 200
            assert answer.header("RateLimit-Policy") == '"few";q=5;w=3600'
            assert answer.header("RateLimit").startswith('"few";r=')
            remaining.append(int(answer.header("RateLimit").split("r=")[1].split(";")[0]))
        answer = c.request("GET", "/")
    assert remaining[:4] == [4, 3, 2, 1]
    # 0 exactly when denied: the last one admitted says 1.
    assert remaining[4] == 1
    assert answer.status == 429
    assert 600 <= int(answer.header("Retry-After")) <= 720
    assert '"few";r=0;t=' in answer.header("RateLimit")
    assert answer.json["status"] == 429


def test_a_limit_is_shared_by_all_workers_and_connections(make_node, origin):
    node = make_node(workers=4)
    node.upstream("o", origin)
    node.route("r", "o", limits=[{"name": "l", "rate": 60, "per": "1h", "burst": 60, "by": "route"}])

    def some(_):
        with node.connect() as c:
            return [c.request("GET", "/").status for _ in range(20)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = [s for batch in pool.map(some, range(8)) for s in batch]
    assert statuses.count(200) == 60
    assert statuses.count(429) == 100


def test_the_promised_moment_is_kept(node, origin):
    """After Retry-After a request is admitted."""
    node.upstream("o", origin)
    node.route("r", "o", limits=[{"name": "l", "rate": 2, "per": "1s", "burst": 1, "by": "ip"}])
    answer = until(lambda: (a := node.get("/")).status == 429 and a, what="a denial")
    time.sleep(int(answer.header("Retry-After")))
    assert node.get("/").status == 200


def test_sustained_rate(node, origin):
    node.upstream("o", origin)
    node.route("r", "o", limits=[{"name": "l", "rate": 100, "per": "1s", "burst": 20, "by": "ip"}])
    admitted, begin = 0, time.monotonic()
    last, idle = begin, 0.0
    with node.connect() as c:
        while time.monotonic() - begin < 3:
            admitted += c.request("GET", "/").status == 200
            now = time.monotonic()
            idle += max(0, now - last - 0.02)  # nobody asked: what comes in past the burst is lost
            last = now
    took = time.monotonic() - begin
    assert admitted <= 20 + 100 * took + 1
    assert admitted >= 0.9 * 100 * (took - idle)


def test_several_limits_take_from_all_or_none(node, origin):
    node.upstream("o", origin)
    node.put("plans", "p", {"limits": [{"name": "plan", "rate": 10, "per": "1h", "burst": 10}]})
    node.consumer("a", plan="p")
    node.consumer("b", plan="p")
    node.route("r", "o", auth={"methods": ["key"]},
               limits=[{"name": "route", "rate": 6, "per": "1h", "burst": 6, "by": "route"}])
    node.route("open", "o", paths=["/plan-only"], auth={"methods": ["key"]})
    a = {"X-API-Key": node.key("a")["key"]}
    b = {"X-API-Key": node.key("b")["key"]}
    assert [node.get("/", a).status for _ in range(8)] == [200] * 6 + [429] * 2
    # The denied ones took nothing from the plan: 4 of its 10 are left.
    assert [node.get("/plan-only", a).status for _ in range(5)] == [200] * 4 + [429]
    assert node.get("/", b).status == 429
    assert node.get("/plan-only", b).status == 200


def test_plan_limits_can_be_left_out(node, origin):
    node.upstream("o", origin)
    node.put("plans", "p", {"limits": [{"name": "l", "rate": 1, "per": "1h", "burst": 1}]})
    node.consumer("a", plan="p")
    node.route("r", "o", auth={"methods": ["key"]}, plan_limits=False)
    a = {"X-API-Key": node.key("a")["key"]}
    assert [node.get("/", a).status for _ in range(3)] == [200] * 3


def test_limits_by_header(node, origin):
    node.upstream("o", origin)
    node.route("r", "o", limits=[{"name": "l", "rate": 2, "per": "1h", "burst": 2,
                                  "by": "header:X-Tenant"}])
    for tenant in ("a", "b"):
        got = [node.get("/", {"X-Tenant": tenant}).status for _ in range(3)]
        assert got == [200, 200, 429]


def test_a_header_of_several_lines_is_one_value(node, make_origin):
    """Joined as it is where routes match it: for limits, and for balancing by it."""
    origins = [make_origin() for _ in range(4)]
    node.upstream("o", *origins, balance="hash", hash_on="header:X-Tenant")
    node.route("r", "o", limits=[{"name": "l", "rate": 2, "per": "1h", "burst": 2,
                                  "by": "header:X-Tenant"}])
    node.route("free", "o", paths=["/free"])
    lines = [("X-Tenant", "a"), ("X-Tenant", "b")]
    assert [node.get("/", lines).status for _ in range(2)] == [200] * 2
    assert node.get("/", [("X-Tenant", "a, b")]).status == 429
    assert node.get("/", lines).status == 429
    assert node.get("/", [("X-Tenant", "a")]).status == 200
    for i in range(12):
        before = [len(o.requests) for o in origins]
        node.get("/free", [("X-Tenant", "a"), ("X-Tenant", f"{i}")])
        node.get("/free", [("X-Tenant", f"a, {i}")])
        assert sorted(len(o.requests) - b for o, b in zip(origins, before)) == [0, 0, 0, 2]


def test_quotas_survive_kill_9_with_at_most_a_second_lost(node, origin):
    node.upstream("o", origin)
    node.route("r", "o", limits=[{"name": "q", "quota": 10, "period": "month", "by": "ip"}])
    assert [node.get("/").status for _ in range(4)] == [200] * 4
    answer = node.get("/")
    assert '"q"' in answer.header("RateLimit-Policy")
    counters = node.folder / "state" / "counters"
    until(lambda: counters.exists() and counters.read_bytes().endswith(b" 5"), what="the counters being written")
    node.kill()
    node.start()
    statuses = [node.get("/").status for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2


def test_changed_numbers_keep_the_bucket(node, origin):
    node.upstream("o", origin)
    limit = {"name": "l", "rate": 5, "per": "1h", "burst": 5, "by": "ip"}
    node.route("r", "o", limits=[limit])
    assert [node.get("/").status for _ in range(6)] == [200] * 5 + [429]
    node.route("r", "o", limits=[{**limit, "rate": 6, "burst": 6}])
    assert [node.get("/").status for _ in range(3)].count(200) <= 1


# ---- consumers that move between plans ----

def move_from_plan_to_plan(node, consumers, rounds, upstreams=lambda i: []):
    """Each revision makes a plan, moves everyone to it, and removes the one before."""
    limit = {"name": "l", "rate": 1, "per": "1h", "burst": 1}

    def document(i):
        return {"upstreams": upstreams(i),
                "routes": [{"name": "r", "match": {"paths": ["/"]}, "respond": {"body": "here"},
                            "auth": {"methods": ["key"]}}],
                "plans": [{"name": f"p{i}", "limits": [limit]}],
                "consumers": [{"name": name, "plan": f"p{i}"} for name in consumers]}

    def put(i):
        answer = node.admin("PUT", "/v1/config", document(i), timeout=60)
        assert answer.status == 200, answer

    put(0)
    key = node.key("a")["key"]
    stop, seen = threading.Event(), []

    def ask():
        with node.connect() as c:
            while not stop.is_set():
                answer = c.request("GET", "/", {"X-API-Key": key})
                seen.append((answer.status, answer.header("RateLimit-Policy")))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(1, rounds + 1):
        put(i)
        asked = len(seen)
        until(lambda: len(seen) >= asked + 30, what="answers under the new plan", timeout=20)
    stop.set()
    for thread in threads:
        thread.join()
    assert not [answer for answer in seen if answer[1] is None]
    assert {status for status, _ in seen} == {200, 429}
    assert [status for status, _ in seen].count(200) <= rounds + 1


def test_a_consumer_that_moves_to_a_new_plan_is_never_without_one(make_node):
    """The configuration waits for the first check of a new target; the consumer has moved."""
    hole = "192.0.2.1:9"  # nobody answers there
    node = make_node()
    move_from_plan_to_plan(node, ["a"], 3, lambda i: [
        {"name": f"u{i}", "targets": [{"address": hole}],
         "health": {"type": "tcp", "timeout": "5s"}}])


def test_a_consumer_of_a_plan_that_goes_is_never_without_one(make_node):
    """The configuration is in force before all of its consumers are: "a" is the last of many."""
    node = make_node(log={"level": "warn"})
    move_from_plan_to_plan(node, [f"0{i:05}" for i in range(scaled(8000, 1000))] + ["a"], 4)
