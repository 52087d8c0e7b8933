# SPDX-License-Identifier: Apache-2.0
"""What the admin API promises in single sentences, where no other story tells it."""
import json
import time

import pytest

from harness.wait import scaled, until

pytestmark = pytest.mark.sanitize

ROUTE = {"match": {"paths": ["/r"]}, "respond": {"body": "r"}}


def test_values_are_printed_as_they_were_set(node):
    node.upstream("o", "127.0.0.1:9", connect_timeout="1000ms", idle_timeout="5m")
    got = node.admin("GET", "/v1/upstreams/o").json
    assert (got["connect_timeout"], got["idle_timeout"], got["slow_start"]) == ("1000ms", "5m", "0s")
    got = node.admin("GET", "/v1/upstreams/o?fields=set").json
    assert got == {"name": "o", "targets": [{"address": "127.0.0.1:9"}],
                   "connect_timeout": "1000ms", "idle_timeout": "5m"}
    node.put("routes", "r", {**ROUTE, "max_body": "64k"})
    assert node.admin("GET", "/v1/routes/r").json["max_body"] == "64k"


@pytest.mark.parametrize("name, is_name", [("a" * 63, True), ("0a", True), ("a_b.c-d", True),
                                           ("a" * 64, False), ("A", False), ("-a", False),
                                           ("a%20b", False), ("a%2Fb", False)])
def test_names(node, name, is_name):
    assert node.admin("PUT", f"/v1/consumers/{name}", {}).status in ((201,) if is_name
                                                                    else (404, 422))


def test_the_name_in_a_body_may_be_absent_but_not_another(node):
    assert node.admin("PUT", "/v1/routes/r", {**ROUTE, "name": "r"}).status == 201
    assert node.admin("PUT", "/v1/routes/r", ROUTE).status == 200
    assert node.admin("PUT", "/v1/routes/r", {**ROUTE, "name": "s"}).status == 409
    assert node.admin("PATCH", "/v1/routes/r", {"name": "s"}).status == 409


def test_what_is_no_json_is_said_with_line_and_column(node):
    answer = node.admin("PUT", "/v1/routes/r", b'{"match":\n  {"paths": [}}')
    assert answer.status == 400
    assert "line 2, column 1" in answer.json["errors"][0]["message"]


def test_probes_need_no_token_and_ignore_one(node):
    for path in ("/livez", "/readyz", "/metrics"):
        for token in (None, "not-a-token", "viewer"):
            assert node.admin("GET", path, token=token).status == 200, path
    assert node.admin("HEAD", "/v1/status").status == 200
    assert node.admin("GET", "/v1/status", token=None).header("WWW-Authenticate")


def test_times_are_rfc_3339_in_utc(node):
    node.consumer("c")
    key = node.key("c", expires_at="2999-01-01T02:00:00+02:00")
    assert key["expires_at"] == "2999-01-01T00:00:00.000Z"
    for value in (key["created_at"], node.status()["started_at"],
                  node.admin("GET", "/v1/revisions").json["items"][0]["time"]):
        assert time.strptime(value.split(".")[0], "%Y-%m-%dT%H:%M:%S") and value.endswith("Z")


def test_a_key_may_be_given_once_16_to_256_visible_characters(node):
    node.consumer("c")
    path = "/v1/consumers/c/keys"
    for key, status in (("x" * 15, 422), ("x" * 16, 201), ("y" * 256, 201), ("y" * 257, 422),
                        ("space in the middle", 422), ("not-ascii-\u00e9-and-long", 422),
                        ("x" * 16, 409)):
        assert node.admin("POST", path, {"key": key}).status == status, key
    assert node.admin("POST", path, {"scopes": ["a"], "colour": 1}).status == 422


def test_revisions_page_backwards(node):
    for i in range(5):
        node.consumer(f"c{i}")
    first = node.admin("GET", "/v1/revisions?limit=2").json
    assert [i["revision"] for i in first["items"]] == [5, 4]
    second = node.admin("GET", f"/v1/revisions?limit=2&before={first['next']}").json
    assert [i["revision"] for i in second["items"]] == [3, 2]


def test_a_refused_document_changes_nothing_of_it(node):
    node.put("routes", "r", ROUTE)
    before = node.status()["revision"]
    document = {"routes": [{"name": "r", **ROUTE, "timeout": "9s"}, {"name": "s", "colour": 1},
                           {"name": "t", "upstream": "none"}]}
    answer = node.admin("PUT", "/v1/config", document)
    assert answer.status == 422 and len(answer.json["errors"]) >= 2
    pointers = {error["pointer"] for error in answer.json["errors"]}
    assert "/routes/1/colour" in pointers and "/routes/2/upstream" in pointers
    assert node.status()["revision"] == before
    assert node.admin("GET", "/v1/routes/r").json["timeout"] == "0s"


def test_a_file_that_this_node_lacks_is_a_warning_and_the_node_serves_on(node, origin):
    node.upstream("o", origin)
    node.route("r", "o")
    answer = node.admin("PUT", "/v1/upstreams/o", {"targets": [{"address": origin.address}],
                                                   "tls": {"ca": "/none/such.pem"}})
    assert answer.status == 202
    assert "/none/such.pem" in answer.json["warnings"][0]
    assert node.get("/").status == 200
    assert node.status()["state"] == "behind"
    assert node.is_ready()
    assert "/none/such.pem" in json.dumps(node.admin("GET", "/v1/nodes").json)
    node.upstream("o", origin)
    until(lambda: node.status()["state"] == "ready")


def test_series_of_routes_are_bounded_and_end_with_their_routes(node):
    count = scaled(2500, 2100)
    routes = [{"name": f"r{i}", "match": {"paths": [f"/r{i}"]}, "respond": {}} for i in range(count)]
    assert node.admin("PUT", "/v1/config", {"routes": routes}, timeout=60).status == 200

    def series():
        text = node.admin("GET", "/metrics", token=None, timeout=60).text
        return {line.split('route="')[1].split('"')[0] for line in text.splitlines()
                if 'route="' in line}

    with node.connect() as c:
        for i in range(count):
            assert c.request("GET", f"/r{i}").status == 200
    assert 1000 <= len(series()) <= 2001
    assert "_other" in series()
    assert node.admin("PUT", "/v1/config", {"routes": []}).status == 200
    until(lambda: series() <= {"_other"}, what="no series of routes that are gone")


def test_explain_says_what_is_required_and_limited(node, origin):
    node.upstream("o", origin)
    node.route("r", "o", auth={"groups": ["g"], "scopes": ["s"]}, timeout="5s", limits=[
        {"name": "a", "rate": 5, "by": "ip"}, {"name": "b", "quota": 9, "period": "day", "by": "key"},
        {"name": "c", "rate": 5, "by": "header:X-T"}, {"name": "d", "rate": 5, "by": "route"}])
    got = node.admin("POST", "/v1/explain", {"method": "GET", "url": "/x", "headers": {"x-t": "v"}})
    assert got.json["auth"] == {"methods": ["key"], "optional": False, "groups": ["g"],
                                "scopes": ["s"]}
    assert [limit["counted_for"] for limit in got.json["limits"]] == [
        "the client that asks", "the key that is sent", "X-T: v", "the route r"]
    assert (got.json["timeout"], got.json["plan_limits"]) == ("5s", True)
