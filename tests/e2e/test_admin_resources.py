# SPDX-License-Identifier: Apache-2.0
"""The admin API's resources: made, read, replaced, merged, removed; conditions, errors, roles."""
import json

import pytest

from harness.client import Connection

ROUTE = {"match": {"paths": ["/r"]}, "respond": {"status": 200, "body": "r"}}


def call(node, method, path, body=None, **options):
    return node.admin(method, path, body, **options)


def revision(answer):
    return int(answer.header("Gatewayd-Revision"))


def pointers(answer):
    return [e["pointer"] for e in answer.json["errors"]]


# ---- the life of a resource ----


@pytest.mark.sanitize
def test_made_replaced_left_alone_removed(node):
    made = call(node, "PUT", "/v1/routes/r", ROUTE)
    assert made.status == 201
    assert made.json["name"] == "r"
    assert made.json["timeout"] == "0s", "defaults are filled in"
    tag = made.header("ETag")
    assert tag.startswith('"') and tag.endswith('"')

    same = call(node, "PUT", "/v1/routes/r", {"name": "r", **ROUTE})
    assert (same.status, same.header("ETag"), revision(same)) == (200, tag, revision(made))

    other = call(node, "PUT", "/v1/routes/r", {**ROUTE, "timeout": "3s"})
    assert other.status == 200 and other.json["timeout"] == "3s"
    assert other.header("ETag") != tag and revision(other) == revision(made) + 1

    read = call(node, "GET", "/v1/routes/r")
    assert read.json == other.json and read.header("ETag") == other.header("ETag")
    only_set = call(node, "GET", "/v1/routes/r?fields=set").json
    assert only_set == {"name": "r", **ROUTE, "timeout": "3s"}
    again = call(node, "GET", "/v1/routes/r", headers={"If-None-Match": read.header("ETag")})
    assert (again.status, again.body) == (304, b"")

    gone = call(node, "DELETE", "/v1/routes/r")
    assert (gone.status, gone.body) == (204, b"")
    assert call(node, "GET", "/v1/routes/r").status == 404
    assert call(node, "DELETE", "/v1/routes/r").status == 404


def test_in_force_when_the_write_returns(node):
    for i in range(20):
        call(node, "PUT", "/v1/routes/r", {**ROUTE, "respond": {"status": 200, "body": str(i)}})
        assert node.get("/r").text == str(i)


def test_merge_patch_goes_into_what_was_set(node):
    call(node, "PUT", "/v1/routes/r", {**ROUTE, "timeout": "3s", "auth": {"methods": ["key"]}})
    answer = call(node, "PATCH", "/v1/routes/r", {"timeout": None, "match": {"methods": ["GET"]},
                                                  "auth": {"optional": True}},
                  headers={"Content-Type": "application/merge-patch+json"})
    assert answer.status == 200
    assert call(node, "GET", "/v1/routes/r?fields=set").json == {
        "name": "r", "match": {"paths": ["/r"], "methods": ["GET"]}, "respond": ROUTE["respond"],
        "auth": {"methods": ["key"], "optional": True}}
    bad = call(node, "PATCH", "/v1/routes/r", {"timeout": "soon", "colour": "red"})
    assert bad.status == 422 and set(pointers(bad)) == {"/timeout", "/colour"}
    assert call(node, "PATCH", "/v1/routes/nope", {"timeout": "1s"}).status == 404
    assert call(node, "PATCH", "/v1/routes/r", {"name": "s"}).status == 409
    same = call(node, "PATCH", "/v1/routes/r", {"match": {"methods": ["GET"]}})
    assert revision(same) == revision(answer)


@pytest.mark.parametrize("kind, body", [
    ("upstreams", {"targets": [{"address": "127.0.0.1:9"}]}), ("routes", ROUTE),
    ("plans", {"limits": [{"name": "l", "rate": 5}]}), ("consumers", {"groups": ["a"]})])
def test_lists_go_on_page_by_page(node, kind, body):
    names = [f"x{i:02}" for i in range(7)]
    for name in reversed(names):
        if "match" in body:
            body = {**body, "match": {"paths": [f"/{name}"]}}
        assert call(node, "PUT", f"/v1/{kind}/{name}", body).status == 201
    seen, path = [], f"/v1/{kind}?limit=3"
    while True:
        page = call(node, "GET", path).json
        seen += [item["name"] for item in page["items"]]
        if "next" not in page:
            break
        path = f"/v1/{kind}?limit=3&after={page['next']}"
    assert seen == names
    assert call(node, "GET", f"/v1/{kind}?after=x03a&fields=set").json["items"][0]["name"] == "x04"
    assert call(node, "GET", f"/v1/{kind}?limit=7").json.get("next") is None
    for bad in ("limit=0", "limit=1001", "limit=x", "lmit=3", "limit=1&limit=2", "fields=some"):
        assert call(node, "GET", f"/v1/{kind}?{bad}").status == 400, bad


def test_long_lists_come_whole(node):
    document = {"plans": [{"name": f"p{i:04}", "limits": [{"name": f"l{j}", "rate": 5}
                                                        for j in range(20)]}
                          for i in range(1000)]}
    assert call(node, "PUT", "/v1/config", document).status == 200
    page = call(node, "GET", "/v1/plans?limit=1000").json
    assert [p["name"] for p in page["items"]] == [p["name"] for p in document["plans"]]
    assert "next" not in page
    got = call(node, "GET", "/v1/config?fields=set").json
    assert got == {"upstreams": [], "routes": [], **document, "consumers": []}


# ---- references ----


def test_what_others_refer_to_stays(node):
    node.upstream("u", "127.0.0.1:9")
    call(node, "PUT", "/v1/routes/a", {"match": {"paths": ["/a"]}, "upstream": "u"})
    call(node, "PUT", "/v1/routes/b", {"match": {"paths": ["/b"]},
                                       "split": [{"upstream": "u", "weight": 1}]})
    answer = call(node, "DELETE", "/v1/upstreams/u")
    assert answer.status == 409 and answer.json["referred_by"] == ["a", "b"]
    assert "a" in answer.json["detail"] and "b" in answer.json["detail"]
    call(node, "PUT", "/v1/plans/p", {})
    node.consumer("c", plan="p")
    answer = call(node, "DELETE", "/v1/plans/p")
    assert answer.status == 409 and answer.json["referred_by"] == ["c"]


def test_dangling_references_and_all_errors_at_once(node):
    answer = call(node, "PUT", "/v1/routes/r", {"match": {"paths": ["nope"]}, "upstream": "none",
                                                "timeot": "3s", "timeout": 3})
    assert answer.status == 422
    assert answer.header("Content-Type") == "application/problem+json"
    assert set(pointers(answer)) == {"/match/paths/0", "/upstream", "/timeot", "/timeout"}
    assert "timeout" in [e["message"] for e in answer.json["errors"]
                         if e["pointer"] == "/timeot"][0], "names the nearest"
    answer = call(node, "PUT", "/v1/routes/r", {"split": [{"upstream": "u1", "weight": 1},
                                                          {"upstream": "u2", "weight": 1}]})
    assert set(pointers(answer)) == {"/split/0/upstream", "/split/1/upstream"}
    assert call(node, "GET", "/v1/routes/r").status == 404


# ---- one target ----


def test_one_target(node):
    node.upstream("u", {"address": "127.0.0.1:9"}, {"address": "unix:/run/x.sock", "weight": 3})
    path = node.target_path("u", "unix:/run/x.sock")
    answer = call(node, "PATCH", path, {"weight": 7, "drain": True}, token="operator")
    assert answer.status == 200
    assert answer.json["targets"][1] == {"address": "unix:/run/x.sock", "weight": 7, "drain": True,
                                         "backup": False}
    answer = call(node, "PATCH", path, {"drain": None}, token="operator")
    assert answer.json["targets"][1]["drain"] is False
    assert call(node, "PATCH", path, {"weight": 257}, token="operator").status == 422
    assert call(node, "PATCH", path, {"address": "127.0.0.1:1"}, token="operator").status == 422
    assert call(node, "PATCH", path, {"weight": 1}, token="viewer").status == 403
    assert call(node, "PATCH", node.target_path("u", "127.0.0.1:1"), {"weight": 1}).status == 404
    assert call(node, "PATCH", node.target_path("v", "127.0.0.1:9"), {"weight": 1}).status == 404


# ---- conditions ----


def test_conditions(node):
    tag = call(node, "PUT", "/v1/routes/r", ROUTE, headers={"If-None-Match": "*"}).header("ETag")
    assert call(node, "PUT", "/v1/routes/r", ROUTE, headers={"If-None-Match": "*"}).status == 412
    other = {**ROUTE, "timeout": "9s"}
    answer = call(node, "PUT", "/v1/routes/r", other, headers={"If-Match": f'"zz", {tag}'})
    assert answer.status == 200
    for method, body in (("PUT", ROUTE), ("PATCH", {"timeout": "1s"}), ("DELETE", None)):
        assert call(node, method, "/v1/routes/r", body, headers={"If-Match": tag}).status == 412
    assert call(node, "PUT", "/v1/routes/new", ROUTE, headers={"If-Match": "*"}).status == 412
    assert call(node, "PUT", "/v1/routes/r", ROUTE, headers={"If-Match": "*"}).status == 200
    assert call(node, "PUT", "/v1/routes/r", ROUTE, headers={"If-Match": "bare"}).status == 400
    assert call(node, "PUT", "/v1/routes/r", ROUTE,
                headers={"If-None-Match": tag}).status == 400
    last = call(node, "GET", "/v1/routes/r").header("ETag")
    assert call(node, "DELETE", "/v1/routes/r", headers={"If-Match": last}).status == 204


def test_two_writers_and_one_tag(node):
    tag = call(node, "PUT", "/v1/plans/p", {}).header("ETag")
    answers = [call(node, "PUT", "/v1/plans/p", {"limits": [{"name": "a", "rate": n}]},
                    headers={"If-Match": tag}).status for n in (1, 2)]
    assert answers == [200, 412]


def test_dry_run_of_one(node):
    call(node, "PUT", "/v1/routes/r", ROUTE)
    answer = call(node, "PUT", "/v1/routes/r?dry_run=true", {**ROUTE, "timeout": "2s"})
    assert answer.status == 200
    (change,) = answer.json["changes"]
    assert (change["kind"], change["name"], change["change"]) == ("routes", "r", "changed")
    assert change["fields"] == [{"pointer": "/timeout", "after": "2s"}]
    assert call(node, "GET", "/v1/routes/r").json["timeout"] == "0s"
    assert call(node, "DELETE", "/v1/routes/r?dry_run=true").json["change_count"] == 1
    assert call(node, "GET", "/v1/routes/r").status == 200
    assert call(node, "PUT", "/v1/routes/r?dry_run=maybe", ROUTE).status == 400


def test_wait_for_all_on_one_node(node):
    answer = call(node, "PUT", "/v1/routes/r?wait=all&timeout=2s", ROUTE)
    assert answer.status == 201 and answer.header("Gatewayd-Pending") is None
    assert call(node, "DELETE", "/v1/routes/r?wait=all").status == 204
    assert call(node, "PUT", "/v1/routes/r?wait=some", ROUTE).status == 400
    assert call(node, "PUT", "/v1/routes/r?timeout=5", ROUTE).status == 400


# ---- who may ----

CALLS = [("PUT", "/v1/plans/p", {}, "admin"), ("PUT", "/v1/consumers/c", {}, "operator"),
         ("PATCH", "/v1/consumers/c", {"groups": []}, "operator"),
         ("DELETE", "/v1/consumers/c", None, "operator"),
         ("PUT", "/v1/config?dry_run=true", {}, "admin"), ("GET", "/v1/config", None, "viewer"),
         ("POST", "/v1/explain", {"url": "http://x/"}, "viewer"),
         ("GET", "/v1/keys", None, "viewer"), ("GET", "/v1/revisions", None, "viewer"),
         ("GET", "/v1/nodes", None, "viewer"), ("DELETE", "/v1/drain", None, "operator")]
RANKS = ["viewer", "operator", "admin"]


@pytest.mark.parametrize("method, path, body, least", CALLS)
def test_roles(node, method, path, body, least):
    if method in ("PATCH", "DELETE") and path.startswith("/v1/consumers"):
        node.consumer("c")
    for role in RANKS:
        status = call(node, method, path, body, token=role).status
        may = RANKS.index(role) >= RANKS.index(least)
        assert (status not in (401, 403)) == may, (role, status)
        if may:
            break


def test_tokens(node):
    for token in (None, "wrong"):
        answer = call(node, "GET", "/v1/status", token=token)
        assert answer.status == 401
        assert answer.header("WWW-Authenticate").startswith("Bearer")
        assert answer.header("Gatewayd-Revision") is None
    for path in ("/livez", "/readyz", "/metrics", "/openapi.yaml"):
        assert call(node, "GET", path, token=None).status == 200
        assert call(node, "GET", path, token="wrong").status == 200
        assert call(node, "HEAD", path, token=None).body == b""


def test_the_token_is_checked_before_the_body_is_read(node):
    with Connection(("127.0.0.1", node.admin_port)) as connection:
        connection.send("PUT /v1/config HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        assert connection.read().status == 401


# ---- requests that are none ----


def test_paths_and_methods(node):
    assert call(node, "GET", "/v1/nothing").status == 404
    assert call(node, "GET", "/v2/routes").status == 404
    assert call(node, "GET", "/").status == 404
    answer = call(node, "POST", "/v1/routes/r", {})
    assert answer.status == 405
    assert set(answer.header("Allow").split(", ")) == {"GET", "HEAD", "PUT", "PATCH", "DELETE"}
    assert call(node, "DELETE", "/v1/status").header("Allow") == "GET, HEAD"
    for status in (404, 405):
        assert answer.header("Content-Type") == "application/problem+json"
        assert answer.json["request_id"] == answer.header("X-Request-Id")
        assert status


def test_bodies(node):
    path = "/v1/routes/r"
    broken = call(node, "PUT", path, b'{\n "match": [}')
    assert broken.status == 400
    assert "line 2" in broken.text and "column" in broken.text
    for body in (b"", b"[]x", b'{"a":1,"a":2}', b"\xff"):
        assert call(node, "PUT", path, body).status == 400, body
    for body in (b"[]", b'"x"', b"null", b"7"):
        assert call(node, "PUT", path, body).status == 422, body
    kind = call(node, "PUT", path, json.dumps(ROUTE).encode(),
                headers={"Content-Type": "text/yaml"})
    assert kind.status == 415
    charset = call(node, "PUT", path, json.dumps(ROUTE).encode(),
                   headers={"Content-Type": "application/json; charset=utf-8"})
    assert charset.status == 201
    large = call(node, "PUT", path, b'{"respond":{"body":"' + b"x" * (1 << 20) + b'"}}')
    assert large.status == 413
    mismatch = call(node, "PUT", path, {**ROUTE, "name": "s"})
    assert mismatch.status == 409
    assert call(node, "PUT", "/v1/routes/Bad_Name", ROUTE).status == 422


def test_a_body_in_many_pieces(node):
    body = json.dumps(ROUTE).encode()
    with Connection(("127.0.0.1", node.admin_port)) as c:
        c.send("PUT /v1/routes/r HTTP/1.1\r\nHost: a\r\nAuthorization: bearer admin-token-for-tests"
               "\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in body:
            c.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        c.send("0\r\n\r\n")
        assert c.read().status == 201
        assert c.request("GET", "/livez").status == 200, "the connection is kept"


def test_warnings(node):
    call(node, "PUT", "/v1/routes/a", ROUTE)
    answer = call(node, "PUT", "/v1/routes/b", ROUTE)
    assert answer.status == 201 and len(answer.json["warnings"]) == 1
    assert "b" in answer.json["warnings"][0]
    assert "warnings" not in call(node, "GET", "/v1/routes/b").json
    assert "warnings" not in call(node, "PUT", "/v1/routes/b",
                                  {**ROUTE, "match": {"paths": ["/other"]}}).json


def test_the_audit_log_names_who_and_what_and_no_secret(node):
    call(node, "PUT", "/v1/consumers/c", {}, token="operator")
    call(node, "PUT", "/v1/plans/p", {}, token="viewer")
    key = node.key("c")
    call(node, "POST", "/v1/consumers/c/keys", {"key": "legacy-key-of-somebody"})
    node.stop()
    lines = [json.loads(line) for line in node.log().splitlines() if '"admin' in line]
    put = [line for line in lines if line.get("path") == "/v1/consumers/c"][0]
    assert (put["token"], put["method"], put["status"]) == ("operator-user", "PUT", 201)
    refused = [line for line in lines if line.get("path") == "/v1/plans/p"][0]
    assert (refused["level"], refused["status"]) == ("warn", 403)
    for secret in (key["key"], "legacy-key-of-somebody", "admin-token-for-tests"):
        assert secret not in node.log()
