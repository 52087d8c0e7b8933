# SPDX-License-Identifier: Apache-2.0
"""Which route wins, and what is done then: match, rewrite, respond, redirect, split, headers."""
import pytest

from harness.client import exchange

pytestmark = pytest.mark.sanitize


def say(node, name, match, **fields):
    """A route that answers with its own name."""
    node.put("routes", name, {"match": match, "respond": {"status": 200, "body": name}, **fields})


def ask(node, path="/", host="x.test", method="GET", headers=()):
    answer = node.request(method, path, headers, host=host)
    return answer.text if answer.status == 200 else answer.status


def test_the_order_of_precedence(node):
    say(node, "any", {})
    say(node, "wild", {"hosts": ["*.example.com"]})
    say(node, "wilder", {"hosts": ["*.api.example.com"]})
    say(node, "exact", {"hosts": ["a.api.example.com"]})
    assert ask(node, host="other.test") == "any"
    assert ask(node, host="example.com") == "any"
    assert ask(node, host="b.example.com") == "wild"
    assert ask(node, host="b.c.example.com") == "wild"
    assert ask(node, host="b.api.example.com") == "wilder"
    assert ask(node, host="A.API.example.com.:8080") == "exact"


def test_paths(node):
    say(node, "root", {"paths": ["/"]})
    say(node, "prefix", {"paths": ["/p"]})
    say(node, "longer", {"paths": ["/p/q"]})
    say(node, "exact", {"paths": ["=/p/q/r"]})
    say(node, "template", {"paths": ["/p/{id}/edit"]})
    say(node, "regex", {"paths": ["~^/re/[0-9]+$"]})
    expected = {"/": "root", "/px": "root", "/p": "prefix", "/p/": "prefix", "/p/x": "prefix",
                "/p/q": "longer", "/p/q/x": "longer", "/p/q/r": "exact", "/p/7/edit": "template",
                "/p/q/edit": "longer", "/re/12": "regex", "/re/x": "root"}
    assert {path: ask(node, path) for path in expected} == expected


def test_methods_headers_and_query(node):
    say(node, "plain", {"paths": ["/m"]})
    say(node, "post", {"paths": ["/m"], "methods": ["POST"]})
    say(node, "header", {"paths": ["/m"], "headers": {"X-Kind": "a"}})
    say(node, "present", {"paths": ["/m"], "headers": {"X-Any": "*"}, "query": {"v": "~^[0-9]+$"}})
    assert ask(node, "/m") == "plain"
    assert ask(node, "/m", method="POST") == "post"
    assert ask(node, "/m", headers={"x-kind": "a"}) == "header"
    assert ask(node, "/m", headers={"X-Kind": "A"}) == "plain"
    assert ask(node, "/m?v=12", headers={"X-Any": ""}) == "present"
    assert ask(node, "/m?v=x", headers={"X-Any": "1"}) == "plain"
    assert ask(node, "/m?v=1&v=x", headers={"X-Any": "1"}) == "present"


def test_405_names_what_is_allowed(node):
    say(node, "a", {"paths": ["/only"], "methods": ["GET", "POST"]})
    say(node, "b", {"paths": ["/only"], "methods": ["PUT"]})
    answer = node.request("DELETE", "/only")
    assert answer.status == 405
    assert {m.strip() for m in answer.header("Allow").split(",")} >= {"GET", "HEAD", "POST", "PUT"}
    assert node.request("HEAD", "/only").status == 200
    assert node.get("/nowhere").status == 404
    assert node.get("/nowhere").json["status"] == 404


def test_trace_goes_nowhere_unless_a_route_lists_it(node, origin):
    node.upstream("u", origin)
    node.route("all", "u")
    answer = node.request("TRACE", "/", [("Authorization", "Bearer secret")])
    assert answer.status == 405 and "secret" not in answer.text and origin.requests == []
    assert {"GET", "POST", "OPTIONS"} <= {m.strip() for m in answer.header("Allow").split(",")}
    assert "TRACE" not in answer.header("Allow")
    node.route("traced", "u", match={"paths": ["/traced"], "methods": ["TRACE"]})
    assert node.request("TRACE", "/traced").status == 200
    assert [r.method for r in origin.requests] == ["TRACE"]
    assert node.admin("POST", "/v1/explain", {"method": "TRACE", "url": "http://h/x"}).json.get(
        "route") is None


def test_the_smaller_name_wins_the_rest(node):
    say(node, "b", {"paths": ["/same"]})
    say(node, "a", {"paths": ["/same"]})
    assert ask(node, "/same") == "a"


def test_a_change_is_in_force_when_the_write_returns(node):
    for i in range(100):
        say(node, "r", {"paths": [f"/v{i}"]})
        assert ask(node, f"/v{i}") == "r"
        if i > 0:
            assert ask(node, f"/v{i - 1}") == 404
    assert node.admin("DELETE", "/v1/routes/r").status == 204
    assert ask(node, "/v99") == 404


def test_rewrites(node, origin):
    node.upstream("o", origin)
    node.route("strip", "o", paths=["/api"], rewrite={"strip_prefix": True})
    node.route("template", "o", paths=["/users/{id}"], rewrite={"path": "/v2/u/{id}"})
    node.route("host", "o", paths=["/host"], rewrite={"host": "inner.test"})
    assert node.get("/api/x/y?q=1").status == 200
    assert origin.last.target == "/x/y?q=1"
    assert node.get("/api").status == 200
    assert origin.last.target == "/"
    node.get("/users/a%20b?x=1")
    assert origin.last.target == "/v2/u/a%20b?x=1"
    node.get("/host")
    assert origin.last.header("Host") == "inner.test"
    assert origin.last.header("X-Forwarded-Host") == "gateway.test"


def test_respond_and_redirect(node):
    node.put("routes", "teapot", {"match": {"paths": ["/tea"]}, "respond": {
        "status": 418, "headers": {"X-Pot": "1"}, "body": "short and stout"}})
    node.put("routes", "moved", {"match": {"paths": ["/old/{id}"]}, "redirect": {
        "status": 301, "location": "https://new.test/{id}"}})
    answer = node.get("/tea")
    assert (answer.status, answer.text, answer.header("X-Pot")) == (418, "short and stout", "1")
    head = node.request("HEAD", "/tea")
    assert (head.status, head.header("Content-Length")) == (418, "15")
    answer = node.get("/old/7")
    assert (answer.status, answer.header("Location")) == (301, "https://new.test/7")


def test_header_changes(node, make_origin):
    def handler(peer, request):
        peer.respond(200, b"", [("Server", "secret/1.0"), ("X-Keep", "1"), ("X-Old", "1")])

    origin = make_origin(handler)
    node.upstream("o", origin)
    node.route("r", "o",
               request_headers={"set": {"X-Set": "new"}, "add": {"X-Add": "2"}, "remove": ["X-Gone"]},
               response_headers={"set": {"X-Old": "new"}, "add": {"X-More": "1"},
                                 "remove": ["Server"]})
    answer = node.get("/", [("X-Set", "old"), ("X-Add", "1"), ("X-Gone", "1")])
    got = origin.last
    assert got.all("X-Set") == ["new"]
    assert got.all("X-Add") == ["1", "2"]
    assert got.header("X-Gone") is None
    assert answer.header("Server") is None
    assert (answer.all("X-Old"), answer.header("X-More"), answer.header("X-Keep")) == (
        ["new"], "1", "1")


def test_split_by_weight(node, make_origin):
    a, b = make_origin(), make_origin()
    node.upstream("a", a)
    node.upstream("b", b)
    node.route("r", split=[{"upstream": "a", "weight": 9}, {"upstream": "b", "weight": 1}])
    with node.connect() as c:
        for _ in range(500):
            assert c.request("GET", "/").status == 200
    assert 400 <= len(a.requests) <= 490
    assert len(a.requests) + len(b.requests) == 500


def test_explain_shows_the_order_at_work(node):
    say(node, "wide", {"paths": ["/"]})
    say(node, "narrow", {"paths": ["/n"]})
    answer = node.admin("POST", "/v1/explain", {"method": "GET", "url": "http://x.test/n/1"})
    assert answer.status == 200, answer
    text = answer.text
    assert text.index("narrow") < text.index("wide")


def test_a_route_that_can_never_win_is_warned_of(node):
    say(node, "a", {"paths": ["/same"]})
    answer = node.admin("PUT", "/v1/routes/b", {"match": {"paths": ["/same"]},
                                                "respond": {"status": 200}})
    assert answer.status == 201
    assert answer.json["warnings"]


def test_ports_of_hosts(node):
    say(node, "r", {"hosts": ["x.test"]})
    assert ask(node, host="x.test:65535") == "r"
    assert ask(node, host="x.test:65536") == 400


def test_an_empty_host_matches_only_routes_without_hosts(node):
    say(node, "any", {})
    say(node, "hosted", {"hosts": ["x.test"], "paths": ["/"]})
    assert exchange(node.address, b"GET / HTTP/1.1\r\nHost:\r\n\r\n").text == "any"
