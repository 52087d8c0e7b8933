# SPDX-License-Identifier: Apache-2.0
"""What a node says of itself: status, nodes, health, draining, explain, and its own description."""
import pathlib

import jsonschema
import pytest
import yaml

from harness.node import ROOT


def call(node, method, path, body=None, **options):
    return node.admin(method, path, body, **options)


@pytest.mark.sanitize
def test_status(node):
    status = call(node, "GET", "/v1/status", token="viewer").json
    assert status["node"] == "gw-test" and status["state"] == "ready"
    assert status["store"]["kind"] == "embedded" and status["store"]["state"] == "connected"
    assert status["store"]["staleness_seconds"] == 0
    assert status["memory_bytes"] > 1000000
    assert {"version", "revision", "connections", "exchanges", "streams"} <= set(status)
    with node.connect() as connection:
        connection.request("GET", "/")
        assert call(node, "GET", "/v1/status").json["connections"] == 1


def test_nodes_of_an_embedded_store(node):
    (one,) = call(node, "GET", "/v1/nodes").json["items"]
    assert one["name"] == "gw-test" and one["state"] == "ready"
    assert one["address"] == f"127.0.0.1:{node.admin_port}"
    assert call(node, "DELETE", "/v1/nodes/gw-test").status == 409
    assert call(node, "DELETE", "/v1/nodes/gw-other").status == 404
    before = one["incarnation"]
    node.restart()
    assert call(node, "GET", "/v1/nodes").json["items"][0]["incarnation"] != before


def test_draining_and_back(node):
    answer = call(node, "POST", "/v1/drain", token="operator")
    assert answer.status == 200 and answer.json["state"] == "draining"
    assert call(node, "GET", "/readyz", token=None).status == 503
    assert call(node, "GET", "/livez", token=None).status == 200
    assert call(node, "DELETE", "/v1/drain", token="operator").status == 204
    assert call(node, "GET", "/readyz", token=None).status == 200
    assert call(node, "POST", "/v1/drain", {"address": "nowhere"}).status == 422
    assert call(node, "POST", "/v1/drain", token="viewer").status == 403


def test_upgrade_says_how_it_ended(node):
    assert call(node, "POST", "/v1/upgrade", token="operator").status == 403
    answer = node.upgrade()
    assert answer.status == 200 and answer.json["outcome"] == "replaced"
    assert f"process {node.process.pid} (gatewayd " in answer.json["detail"]


def test_health_of_targets(node, origin):
    node.upstream("o", origin, {"address": "127.0.0.1:9", "drain": True})
    health = call(node, "GET", "/v1/upstreams/o/health", token="viewer").json
    states = {item["address"]: item["state"] for item in health["items"]}
    assert states == {origin.address: "up", "127.0.0.1:9": "draining"}
    assert {item["node"] for item in health["items"]} == {"gw-test"}
    assert call(node, "GET", "/v1/upstreams/nope/health").status == 404


# ---- explain ----


def explain(node, **request):
    answer = call(node, "POST", "/v1/explain", request, token="viewer")
    assert answer.status == 200, answer
    return answer.json


def test_explain(node):
    node.upstream("o", "127.0.0.1:9")
    node.route("all", "o", paths=["/"])
    node.route("orders", "o", match={"hosts": ["*.example.com"], "paths": ["/orders/{id}"],
                                     "methods": ["GET"]},
               auth={"methods": ["key"], "scopes": ["orders"]}, timeout="5s",
               limits=[{"name": "l", "rate": 5, "by": "ip"}])
    found = explain(node, method="GET", url="https://api.Example.com:8443/orders//7?x=1",
                    client="192.0.2.1")
    assert (found["outcome"], found["route"]) == ("route", "orders")
    assert found["host"] == "*.example.com" and found["path"] == "/orders/{id}"
    assert found["request"] == {"method": "GET", "host": "api.example.com", "path": "/orders/7",
                                "query": "x=1"}
    assert found["auth"]["scopes"] == ["orders"] and found["timeout"] == "5s"
    assert found["limits"][0]["counted_for"] == "the client 192.0.2.1"
    assert [o["route"] for o in found["others"]] == ["all"]
    assert "orders" in found["others"][0]["because"]
    other = explain(node, method="POST", url="/orders/7", headers={"Host": "api.example.com"})
    assert other["route"] == "all"
    assert [(o["route"], o["method_fits"]) for o in other["others"]] == [("orders", False)]


def test_explain_what_no_route_takes(node):
    node.put("routes", "r", {"match": {"paths": ["/r"], "methods": ["GET"]},
                             "respond": {"status": 204}})
    assert explain(node, url="http://x/nope")["status"] == 404
    post = explain(node, method="POST", url="http://x/r")
    assert (post["outcome"], post["status"]) == ("method-not-allowed", 405)
    assert set(post["allow"].split(", ")) == {"GET", "HEAD"}
    assert explain(node, url="http://x/%zz")["status"] == 400
    assert explain(node, url="http://x:99999/r")["status"] == 400
    assert explain(node, method="OPTIONS", url="*")["outcome"] == "options"
    for body in ({}, {"url": "http://x/", "method": "G T"}, {"url": "http://x/", "client": "me"}):
        assert call(node, "POST", "/v1/explain", body).status == 422


# ---- the description ----

DOCUMENT = yaml.safe_load((ROOT / "admin" / "openapi.yaml").read_text())


def test_the_description_is_the_one_in_the_sources(node):
    answer = call(node, "GET", "/openapi.yaml", token=None)
    assert answer.header("Content-Type") == "application/yaml"
    assert answer.body == pathlib.Path(ROOT / "admin" / "openapi.yaml").read_bytes()


def references(value):
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def find(reference):
    value = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        value = value[name]
    return value


def test_the_description_is_well_formed():
    assert DOCUMENT["openapi"].startswith("3.1")
    for reference in references(DOCUMENT):
        find(reference)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert name[0].isupper()
    ids = []
    for path, item in DOCUMENT["paths"].items():
        variables = [p["name"] for p in item.get("parameters", [])]
        assert [f"{{{v}}}" in path for v in variables] == [True] * path.count("{")
        for method, operation in item.items():
            if method != "parameters":
                ids.append(operation["operationId"])
                assert operation["responses"] and operation["summary"]
    assert len(ids) == len(set(ids))


def fits(answer, component):
    schema = {"$ref": f"#/components/schemas/{component}", "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json)


def test_answers_are_as_described(node, origin):
    fits(node.upstream("o", origin, health={"path": "/"}, outlier={}, tls=None), "Upstream")
    fits(node.route("r", "o", limits=[{"name": "l", "rate": 5}], auth={"methods": ["key"]}), "Route")
    fits(node.put("plans", "p", {"limits": [{"name": "q", "quota": 5, "period": "day"}]}), "Plan")
    fits(node.consumer("c", plan="p", metadata={"a": "b"}), "Consumer")
    made = call(node, "POST", "/v1/consumers/c/keys", {})
    fits(made, "NewKey")
    fits(call(node, "GET", f"/v1/keys/{made.json['id']}"), "Key")
    for kind, component in (("upstreams", "Upstream"), ("routes", "Route"), ("plans", "Plan"),
                            ("consumers", "Consumer"), ("keys", "Key"), ("nodes", "Node"),
                            ("revisions", "Revision")):
        fits(call(node, "GET", f"/v1/{kind}"), f"{component}List")
    fits(call(node, "GET", "/v1/config"), "Config")
    fits(call(node, "PUT", "/v1/config?dry_run=true", {"consumers": [{"name": "c"}]}), "Difference")
    for method, path, body in (("PUT", "/v1/routes/{name}", {"respond": {}}),
                               ("PATCH", "/v1/routes/{name}", {"timeout": "2s"}),
                               ("DELETE", "/v1/routes/{name}", None)):
        answer = call(node, method, path.format(name="r") + "?dry_run=true", body)
        fits(answer, "Difference")
        described = DOCUMENT["paths"][path][method.lower()]["responses"][str(answer.status)]
        assert "Difference" in str(described["content"])
    fits(call(node, "GET", "/v1/status?nodes=all"), "StatusList")
    fits(call(node, "GET", "/v1/revisions/2"), "RevisionDetail")
    fits(call(node, "GET", "/v1/status"), "Status")
    fits(call(node, "GET", "/v1/upstreams/o/health"), "Health")
    fits(call(node, "POST", "/v1/explain", {"url": "http://x/"}), "Explanation")
    fits(call(node, "PUT", "/v1/routes/r", {"colour": 1}), "Problem")


def test_every_call_of_the_description_is_served(node):
    for path, item in DOCUMENT["paths"].items():
        for method in item:
            if method == "parameters":
                continue
            real = path.replace("{", "").replace("}", "")
            if real == "/v1/upgrade":
                assert node.upgrade().status == 200
                continue
            answer = call(node, method.upper(), real, {} if method in ("put", "patch", "post")
                          else None)
            assert answer.status != 405 and answer.status < 600, (method, path)
            if answer.status == 404:
                assert "nothing at" not in answer.text, (method, path)
