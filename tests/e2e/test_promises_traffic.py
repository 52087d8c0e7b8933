# SPDX-License-Identifier: Apache-2.0
"""What the fields of upstreams, routes and limits promise about requests, where no other story
tells it."""
import email.utils
import socket
import threading
import time

import pytest

from harness.client import Connection, Cut, exchange
from harness.ports import free_port
from harness.wait import SLOWNESS, until

pytestmark = pytest.mark.sanitize


def named(name):
    return lambda peer, request: peer.respond(200, name)


def reset(peer, request):
    peer.reset()
    return False


# ---- upstreams ----

@pytest.mark.parametrize("hash_on", ["client_ip", "consumer", "path", "header:X-User",
                                     "cookie:session"])
def test_hash_on(make_node, make_origin, hash_on):
    """One value stays where it is; many are spread."""
    node = make_node(trusted_proxies=["127.0.0.0/8"])
    origins = [make_origin(named(str(i))) for i in range(4)]
    node.upstream("o", *origins, balance="hash", hash_on=hash_on)
    node.route("r", "o", auth={"optional": True})
    keys = []
    for i in range(16 if hash_on == "consumer" else 0):
        node.consumer(f"c{i}")
        keys.append(node.key(f"c{i}")["key"])

    def ask(i):
        field = {"client_ip": {"X-Forwarded-For": f"192.0.2.{i}"}, "path": {},
                 "consumer": {"X-API-Key": keys[i]} if keys else {},
                 "header:X-User": {"X-User": f"u{i}"},
                 "cookie:session": {"Cookie": f"a=b; session=s{i}; c=d"}}[hash_on]
        return node.get(f"/p{i}" if hash_on == "path" else "/", field).text

    where = [ask(i) for i in range(16)]
    assert len(set(where)) > 1
    assert [ask(i) for i in range(16)] == where


def test_a_weight_of_zero_gets_nothing(node, make_origin):
    a, b = make_origin(named("a")), make_origin(named("b"))
    node.upstream("o", {"address": a.address, "weight": 0}, b)
    node.route("r", "o")
    assert {node.get("/").text for _ in range(20)} == {"b"}
    node.upstream("o", {"address": a.address, "weight": 0})
    assert node.get("/").status == 503


def test_kept_connections_end_after_their_requests_and_their_time(make_node, make_origin):
    node = make_node(workers=1)
    counted, timed, none = make_origin(), make_origin(), make_origin()
    node.upstream("counted", counted, keepalive={"requests": 3})
    node.upstream("timed", timed, keepalive={"timeout": "300ms"})
    node.upstream("none", none, keepalive={"idle": 0})
    for name in ("counted", "timed", "none"):
        node.route(name, name, paths=[f"/{name}"])
    for _ in range(9):
        assert node.get("/counted").status == 200
    assert counted.connections == 3
    for _ in range(3):
        assert node.get("/none").status == 200
    assert none.connections == 3
    begin = time.monotonic()
    assert node.get("/timed").status == 200
    assert len(timed.open) == 1 or time.monotonic() - begin > 0.3
    until(lambda: len(timed.open) == 0, what="the kept connection closed")


def test_a_connection_that_is_not_made_in_time_is_502_or_504(node):
    """A listener whose queue is full answers nobody."""
    with socket.socket() as full:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind(("127.0.0.1", free_port()))
        full.listen(0)
        waiting = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(full.getsockname())
            waiting.append(s)
        node.upstream("o", "127.0.0.1:%d" % full.getsockname()[1], connect_timeout="200ms",
                      retries={"attempts": 0})
        node.route("r", "o")
        begin = time.monotonic()
        answer = node.get("/")
        assert answer.status == 504, answer
        assert 0.15 < time.monotonic() - begin < 10
        for s in waiting:
            s.close()


def test_a_body_is_sent_again_only_if_all_of_it_was_kept(node, make_origin):
    bad, good = make_origin(reset), make_origin(named("good"))
    node.upstream("o", bad, good, balance="round_robin", retries={"budget": 100})
    node.route("r", "o")
    for _ in range(4):
        assert node.request("PUT", "/", body=b"x" * 30000).status == 200
    assert all(len(r.body) == 30000 for r in good.requests)
    statuses = [node.request("PUT", "/", body=b"x" * 200000).status for _ in range(4)]
    assert sorted(set(statuses)) == [200, 502]


def test_the_host_of_a_check(node, make_origin):
    origin = make_origin()
    node.upstream("o", origin, health={"interval": "100ms", "path": "/up?x=1", "host": "inner.test"})
    until(lambda: origin.requests)
    got = origin.requests[0]
    assert (got.method, got.target, got.header("Host")) == ("GET", "/up?x=1", "inner.test")


def test_who_is_back_in_service_gets_its_share_gradually(make_node, make_origin):
    node = make_node(workers=1)
    a, b = make_origin(named("a")), make_origin(named("b"))
    check = {"type": "tcp", "interval": "100ms", "healthy_after": 1, "unhealthy_after": 1}
    node.upstream("o", a, b, balance="round_robin", slow_start="2s", health=check)
    node.route("r", "o")

    def is_up(origin, expected):
        items = node.admin("GET", "/v1/upstreams/o/health").json["items"]
        return [i["state"] == "up" for i in items if i["address"] == origin.address] == [expected]

    def share(name):
        with node.connect() as c:
            return [c.request("GET", "/").text for _ in range(100)].count(name)

    until(lambda: is_up(a, True) and is_up(b, True))
    b.stop()
    until(lambda: is_up(b, False))
    until(lambda: share("a") == 100)
    time.sleep(2)
    begin = time.monotonic()
    back = make_origin(named("back"), port=b.port)
    until(lambda: is_up(back, True))
    count = share("back")
    assert 0 < count < 35 or time.monotonic() - begin > 1, count
    until(lambda: share("back") == 50, what="its whole share")


# ---- routes ----

def test_x_forwarded_host_never_chooses_a_route_and_the_authority_replaces_host(make_node):
    node = make_node(trusted_proxies=["127.0.0.0/8"])
    for name in ("a", "b"):
        node.put("routes", name, {"match": {"hosts": [f"{name}.test"]}, "respond": {"body": name}})
    assert node.get("/", {"X-Forwarded-Host": "b.test"}, host="a.test").text == "a"
    answer = exchange(node.address, b"GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n")
    assert answer.text == "b"


def test_query_and_header_matches_are_decoded_and_joined(node):
    node.put("routes", "q", {"match": {"paths": ["/q"], "query": {"a b": "c+d", "e": ""}},
                             "respond": {"body": "q"}})
    node.put("routes", "h", {"match": {"paths": ["/h"], "headers": {"X-L": "1, 2"}},
                             "respond": {"body": "h"}})
    assert node.get("/q?a+b=c%2Bd&e").text == "q"
    assert node.get("/q?e=&a%20b=c%2bd").text == "q"
    assert node.get("/q?a+b=c+d&e").status == 404
    assert node.get("/h", [("X-L", "1"), ("x-l", "2")]).text == "h"
    assert node.get("/h", {"X-L": "1,2"}).status == 404


def test_a_redirect_is_308_and_keeps_path_and_query(node):
    node.put("routes", "r", {"redirect": {"location": "https://{host}{path}{query}"}})
    answer = node.get("/a/%7eb?c=d")
    assert answer.status == 308
    assert answer.header("Location") == "https://gateway.test/a/~b?c=d"


def test_maps_may_be_lists_of_names_and_values(node, origin):
    def listed(**fields):
        return [{"name": name.replace("_", "-"), "value": value} for name, value in fields.items()]

    node.upstream("o", origin)
    node.route("r", "o", match={"paths": ["/"], "headers": listed(X_A="1"), "query": listed(q="2")},
               request_headers={"set": listed(X_Set="s"), "add": [{"name": "X-Add", "value": "1"},
                                                                  {"name": "X-Add", "value": "2"}]})
    node.put("routes", "page", {"match": {"paths": ["/page"]},
                                "respond": {"headers": listed(X_Page="p")}})
    assert node.get("/?q=2", {"X-A": "1"}).status == 200
    assert (origin.last.header("X-Set"), origin.last.all("X-Add")) == ("s", ["1", "2"])
    assert node.get("/page").header("X-Page") == "p"
    metadata = node.admin("PUT", "/v1/consumers/c", {"metadata": listed(owner="me")}).json["metadata"]
    assert metadata == {"owner": "me"}


def test_every_answer_of_the_gateways_own_is_a_problem_document(make_node, make_origin):
    node = make_node(timeouts={"header": "500ms", "drain": "2s"})
    origin = make_origin(lambda peer, request: time.sleep(1))
    node.upstream("none", "127.0.0.1:1", retries={"attempts": 0})
    node.upstream("slow", origin, response_timeout="200ms", retries={"attempts": 0})
    node.upstream("drained", {"address": origin.address, "drain": True})
    node.consumer("c")
    for name in ("none", "slow", "drained"):
        node.route(name, name, paths=[f"/{name}"])
    node.route("keyed", "none", paths=["/keyed"], auth={"scopes": ["x"]})
    node.route("small", "none", paths=["/small"], max_body=1)
    node.route("few", "slow", paths=["/few"], limits=[{"name": "l", "rate": 1, "per": "1h"}])
    node.route("post", "none", paths=["/post"], match={"paths": ["/post"], "methods": ["POST"]})
    key = node.key("c")["key"]
    node.get("/few")
    answers = [(400, exchange(node.address, b"GET / HTTP/1.1\r\n\r\n")),
               (401, node.get("/keyed")), (403, node.get("/keyed", {"X-API-Key": key})),
               (404, node.get("/nothing")), (405, node.get("/post")),
               (408, exchange(node.address, b"GET / HT")),
               (413, node.request("POST", "/small", body="xx")),
               (414, node.get("/" + "a" * 40000)), (417, node.get("/", {"Expect": "x"})),
               (429, node.get("/few")), (431, node.get("/", {"X": "a" * 40000})),
               (502, node.get("/none")), (503, node.get("/drained")), (504, node.get("/slow")),
               (505, exchange(node.address, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"))]
    for status, answer in answers:
        assert answer.status == status, answer
        assert answer.header("Content-Type") == "application/problem+json", answer
        problem = answer.json
        assert problem["status"] == status and problem["title"] and problem["type"], answer
        assert problem["request_id"] == answer.header("X-Request-Id"), answer


def test_a_request_id_of_a_trusted_proxy_is_sent_up_and_down_and_logged(make_node, origin):
    node = make_node(trusted_proxies=["127.0.0.0/8"])
    node.upstream("o", origin)
    node.route("r", "o")
    answer = node.get("/", {"X-Request-Id": "one-that-came"})
    assert (answer.header("X-Request-Id"), origin.last.all("X-Request-Id")) == (
        "one-that-came", ["one-that-came"])
    until(lambda: node.access())
    assert node.access()[0]["request_id"] == "one-that-came"


# ---- keys and limits ----

@pytest.fixture(name="limited")
def fixture_limited(make_node, origin):
    node = make_node(trusted_proxies=["127.0.0.0/8"])
    node.upstream("o", origin)
    node.consumer("a")
    node.consumer("b")

    def route(path, **limit):
        node.route(path[1:], "o", paths=[path], auth={"optional": True},
                   limits=[{"name": "l", "rate": 2, "per": "1h", "burst": 2, **limit}])
    node.limit = route
    return node


def statuses(node, path, *requests):
    return [node.get(path, headers).status for headers in requests]


def test_by_key_and_by_consumer(limited):
    one, two = ({"X-API-Key": limited.key("a")["key"]} for _ in range(2))
    limited.limit("/key", by="key")
    limited.limit("/consumer", by="consumer")
    assert statuses(limited, "/key", one, one, one, two, two, two) == [200, 200, 429] * 2
    assert statuses(limited, "/consumer", one, two, one, two) == [200, 200, 429, 429]


@pytest.mark.parametrize("by", ["ip", "consumer", "key", "header:X-Tenant"])
def test_by_address_and_what_falls_back_to_it(limited, by):
    """Without a consumer, a key or the header; IPv6 by /64."""
    limited.limit("/l", by=by)

    def from_address(address):
        return limited.get("/l", {"X-Forwarded-For": address}).status

    assert [from_address("192.0.2.1") for _ in range(3)] == [200, 200, 429]
    assert from_address("192.0.2.2") == 200
    assert [from_address(f"2001:db8::{i}") for i in range(3)] == [200, 200, 429]
    assert from_address("2001:db8:0:1::") == 200


def test_a_cost_is_taken_from_the_bucket(limited):
    limited.limit("/l", rate=10, burst=10, cost=4, by="route")
    assert statuses(limited, "/l", {}, {}, {}) == [200, 200, 429]


def test_a_limit_of_a_route_is_that_routes_own(limited):
    limited.limit("/one", by="ip")
    limited.limit("/two", by="ip")
    assert statuses(limited, "/one", {}, {}, {}) == [200, 200, 429]
    assert statuses(limited, "/two", {}, {}, {}) == [200, 200, 429]


def test_several_limits_say_the_tightest_first_and_the_longest_wait(limited):
    limited.route("r", "o", paths=["/r"], limits=[
        {"name": "wide", "rate": 100, "per": "1s", "by": "ip"},
        {"name": "day", "quota": 2, "period": "day", "by": "ip"},
        {"name": "hour", "rate": 2, "per": "1h", "burst": 2, "by": "ip"}])
    first = limited.get("/r")
    assert first.header("RateLimit-Policy").split(", ")[-1] == '"wide";q=100;w=1'
    assert '"day";q=2;w=86400' in first.header("RateLimit-Policy").split(", ")
    assert limited.get("/r").status == 200
    denied = limited.get("/r")
    waits = [int(item.split("t=")[1]) for item in denied.header("RateLimit").split(", ")
             if ";r=0;" in item]
    assert denied.status == 429 and len(waits) == 2
    assert int(denied.header("Retry-After")) == max(waits)


def test_an_answer_of_the_gateway_says_the_limits_too(limited):
    limited.upstream("none", "127.0.0.1:1", retries={"attempts": 0})
    limited.route("r", "none", paths=["/r"], limits=[{"name": "l", "rate": 9, "by": "ip"}])
    answer = limited.get("/r")
    assert (answer.status, answer.header("RateLimit-Policy")) == (502, '"l";q=9;w=1')


def test_an_optional_credential_that_is_wrong_is_401_and_a_foreign_one_passes(limited, origin):
    limited.route("r", "o", paths=["/r"], auth={"optional": True})
    assert statuses(limited, "/r", {"X-API-Key": "gwk_wrong"},
                    {"Authorization": "Bearer gwk_wrong"}) == [401, 401]
    assert limited.get("/r", {"Authorization": "Bearer some.other.token"}).status == 200
    assert origin.last.header("Authorization") == "Bearer some.other.token"


def test_revoking_a_key_cuts_the_long_answers_begun_with_it(node, make_origin):
    goes_on = threading.Event()

    def long(peer, request):
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        goes_on.wait(200)
        return False

    node.upstream("o", make_origin(long))
    node.route("r", "o", auth={"methods": ["key"]})
    node.consumer("acme")
    key = node.key("acme")
    with node.connect() as c:
        c.send(f"GET / HTTP/1.1\r\nHost: a\r\nX-API-Key: {key['key']}\r\n\r\n")
        assert c.head()[1] == 200
        assert c.line() == "1" and c.take(1) == b"a"
        assert node.admin("DELETE", f"/v1/keys/{key['id']}").status == 204
        with pytest.raises(Cut):
            c.take(10)
    goes_on.set()
    until(lambda: node.status()["exchanges"] == 0)


def test_a_stalled_tunnel_or_body_leaves_ten_other_clients_alone(make_node, origin):
    node = make_node(timeouts={"header": "100s", "body": "100s"})
    node.upstream("o", origin)
    node.route("r", "o")
    stalled = [node.connect() for _ in range(50)]
    for i, c in enumerate(stalled):
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345" if i % 2 else b"GET ")
    begin = time.monotonic()
    for _ in range(10):
        with Connection(node.address) as c:
            assert c.request("GET", "/").status == 200
    assert time.monotonic() - begin < 9 * SLOWNESS  # the stalled ones have a hundred


def test_every_answer_has_one_date(node, make_origin):
    """RFC 9110 section 6.6.1: who forwards an answer without one adds it."""
    dated = "Tue, 15 Nov 1994 08:12:31 GMT"

    def handler(peer, request):
        peer.respond(200, b"x", {"Date": dated} if request.target == "/dated" else {})

    node.upstream("o", make_origin(handler))
    node.route("r", "o")
    node.put("routes", "page", {"match": {"paths": ["/page"]}, "respond": {}})
    node.put("routes", "old", {"match": {"paths": ["/old"]}, "respond": {"headers": {"Date": dated}}})
    assert [node.get(path).all("Date") for path in ("/dated", "/old")] == [[dated]] * 2
    for path in ("/plain", "/page"):
        (date,) = node.get(path).all("Date")
        assert abs(time.time() - email.utils.parsedate_to_datetime(date).timestamp()) < 10
