# SPDX-License-Identifier: Apache-2.0
"""Keys by the admin API: shapes, expiry, rotation, imports, and that they are shown once."""
import hashlib
import json
import re
import time

import pytest

from harness.client import Connection
from harness.wait import scaled, until

LINES = {"Content-Type": "application/x-ndjson"}


def call(node, method, path, body=None, **options):
    return node.admin(method, path, body, **options)


def later(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def import_lines(node, lines, **options):
    body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    return call(node, "POST", "/v1/keys/import", body, headers=LINES, **options)


@pytest.fixture
def keyed(node, origin):
    node.upstream("o", origin)
    node.route("r", "o", auth={"methods": ["key"]})
    node.consumer("acme")
    return node


def opens(node, key):
    return node.get("/", {"X-API-Key": key}).status == 200


@pytest.mark.sanitize
def test_shown_once(keyed):
    answer = call(keyed, "POST", "/v1/consumers/acme/keys",
                  {"scopes": ["a", "b"], "expires_at": later(3600)}, token="operator")
    assert answer.status == 201
    made = answer.json
    assert set(made) == {"id", "key", "consumer", "prefix", "created_at", "expires_at", "scopes"}
    assert re.fullmatch(r"gwk_[0-9A-Za-z]{40}", made["key"])
    assert made["key"].startswith(made["prefix"]) and made["consumer"] == "acme"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Location") == f"/v1/keys/{made['id']}"
    assert opens(keyed, made["key"])
    read = call(keyed, "GET", f"/v1/keys/{made['id']}", token="viewer")
    assert set(read.json) == {"id", "consumer", "prefix", "created_at", "expires_at", "scopes",
                              "state"}
    assert read.json["state"] == "active" and read.header("ETag") == answer.header("ETag")
    for path in ("/v1/keys", f"/v1/keys/{made['id']}", "/v1/config", "/v1/revisions"):
        assert made["key"] not in call(keyed, "GET", path).text
    plain = call(keyed, "POST", "/v1/consumers/acme/keys").json
    assert "expires_at" not in plain and plain["scopes"] == []


def test_what_cannot_be_made(keyed):
    path = "/v1/consumers/acme/keys"
    assert call(keyed, "POST", "/v1/consumers/nobody/keys", {}).status == 404
    assert call(keyed, "POST", path, {}, token="viewer").status == 403
    for body, pointer in (({"key": "short"}, "/key"), ({"key": "gwk_" + "x" * 40}, "/key"),
                          ({"expires_at": "tomorrow"}, "/expires_at"),
                          ({"expires_at": later(-60)}, "/expires_at"),
                          ({"scopes": ["two words"]}, "/scopes/0"), ({"colour": 1}, "/colour")):
        answer = call(keyed, "POST", path, body)
        assert answer.status == 422, body
        assert [e["pointer"] for e in answer.json["errors"]] == [pointer]
    secret = "legacy-key-0123456789"
    assert secret not in call(keyed, "POST", path, {"key": secret + " "}).text
    assert call(keyed, "POST", path, {"key": secret}).status == 201
    assert call(keyed, "POST", path, {"key": secret}).status == 409


def test_pages_of_keys(keyed):
    keyed.consumer("other")
    mine = sorted(keyed.key("acme")["id"] for _ in range(5))
    theirs = keyed.key("other")["id"]
    assert [k["id"] for k in call(keyed, "GET", "/v1/keys?consumer=acme").json["items"]] == mine
    assert [k["id"] for k in call(keyed, "GET", "/v1/keys?consumer=other").json["items"]] == [theirs]
    seen, after = [], ""
    while True:
        page = call(keyed, "GET", f"/v1/keys?limit=2{after}").json
        seen += [k["id"] for k in page["items"]]
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    assert seen == sorted(mine + [theirs])
    assert call(keyed, "GET", "/v1/keys?consumer=nobody").json == {"items": []}
    assert call(keyed, "GET", "/v1/keys?after=x").status == 400


def test_changing_a_key(keyed):
    key = keyed.key("acme", scopes=["a"], expires_at=later(3600))
    path = f"/v1/keys/{key['id']}"
    tag = call(keyed, "GET", path).header("ETag")
    earlier = call(keyed, "PATCH", path, {"expires_at": later(60), "scopes": ["b"]})
    assert earlier.status == 200 and earlier.json["scopes"] == ["b"]
    assert call(keyed, "PATCH", path, {"scopes": []}, headers={"If-Match": tag}).status == 412
    for when in (later(7200), None):
        answer = call(keyed, "PATCH", path, {"expires_at": when})
        assert answer.status == 422
        assert [e["pointer"] for e in answer.json["errors"]] == ["/expires_at"]
    assert call(keyed, "PATCH", path, {"consumer": "x"}).status == 422
    before = keyed.status()["revision"]
    assert call(keyed, "PATCH", path, {"scopes": ["b"]}).status == 200
    assert keyed.status()["revision"] == before
    assert call(keyed, "PATCH", path, {"expires_at": later(-5)}).json["state"] == "expired"
    assert not opens(keyed, key["key"])
    assert call(keyed, "DELETE", path).status == 204
    assert call(keyed, "PATCH", path, {"scopes": []}).status == 409
    for method in ("GET", "PATCH", "DELETE"):
        for unknown in ("0123456789abcdef", "x"):
            assert call(keyed, method, f"/v1/keys/{unknown}", {} if method == "PATCH" else None
                        ).status == 404


def test_rotation(keyed):
    old = keyed.key("acme", scopes=["a"], expires_at=later(3600))
    new = call(keyed, "POST", f"/v1/keys/{old['id']}/rotate", {}, token="operator").json
    assert new["key"] != old["key"] and new["scopes"] == ["a"]
    assert new["expires_at"] == old["expires_at"], "replacing gives no more time"
    left = call(keyed, "GET", f"/v1/keys/{old['id']}").json
    assert left["expires_at"] == old["expires_at"], "a day's grace would be later than its end"
    at_once = call(keyed, "POST", f"/v1/keys/{new['id']}/rotate", {"grace": "0s"})
    assert at_once.status == 201
    assert call(keyed, "GET", f"/v1/keys/{new['id']}").json["state"] == "revoked"
    assert not opens(keyed, new["key"]) and opens(keyed, at_once.json["key"])
    assert call(keyed, "POST", f"/v1/keys/{new['id']}/rotate", {}).status == 409
    assert call(keyed, "POST", f"/v1/keys/{old['id']}/rotate", {"grace": "soon"}).status == 422
    one_revision = keyed.status()["revision"]
    call(keyed, "POST", f"/v1/keys/{old['id']}/rotate", {"grace": "1h"})
    assert keyed.status()["revision"] == one_revision + 1


def test_a_revoked_key_stays_revoked_whichever_way_it_comes_back(keyed):
    secret = "legacy-key-0123456789"
    digest = hashlib.sha256(secret.encode()).hexdigest()
    assert import_lines(keyed, [{"consumer": "acme", "sha256": digest}]).status == 201
    (key,) = call(keyed, "GET", "/v1/keys").json["items"]
    assert opens(keyed, secret)
    call(keyed, "DELETE", f"/v1/keys/{key['id']}")
    assert call(keyed, "POST", "/v1/consumers/acme/keys", {"key": secret}).status == 409
    for line in ({"key": secret}, {"sha256": digest}):
        answer = import_lines(keyed, [{"consumer": "acme", **line}])
        assert answer.status == 409 and "Line 1" in answer.json["detail"]
    assert not opens(keyed, secret)


def test_an_import_is_all_or_none(keyed):
    before = keyed.status()["revision"]
    good = [{"consumer": "acme", "key": f"legacy-key-number-{i}", "scopes": ["s"],
             "expires_at": later(3600)} for i in range(50)]
    for bad, pointer in (({"consumer": "nobody", "key": "x" * 16}, ""), ({"consumer": "acme"}, ""),
                         ({"consumer": "acme", "key": "short"}, "/key"),
                         ({"consumer": "acme", "sha256": "zz"}, "/sha256"),
                         ({"consumer": "acme", "key": "y" * 16, "expires_at": later(-9)},
                          "/expires_at"), (good[3], "")):
        answer = import_lines(keyed, [*good, "", bad])
        assert answer.status == 422, answer
        assert [e["pointer"] for e in answer.json["errors"]] == [f"/51{pointer}"]
    syntax = import_lines(keyed, [*good, "{"])
    assert syntax.status == 400 and "Line 51" in syntax.json["detail"]
    assert import_lines(keyed, []).status == 422
    assert import_lines(keyed, good, token="viewer").status == 403
    assert keyed.status()["revision"] == before
    answer = import_lines(keyed, [json.dumps(line) + "\r" for line in good], token="operator")
    assert answer.status == 201 and answer.json["imported"] == 50
    assert keyed.status()["revision"] == before + 1
    assert len(call(keyed, "GET", "/v1/keys?limit=1000").json["items"]) == 50
    assert opens(keyed, "legacy-key-number-49")
    again = import_lines(keyed, good)
    assert again.status == 409 and "Line 1" in again.json["detail"]


def test_a_long_import_in_pieces_and_a_long_line(keyed):
    count = scaled(20000, 500)
    lines = "".join(json.dumps({"consumer": "acme", "key": f"legacy-key-number-{i}"}) + "\n"
                    for i in range(count)).encode()
    with Connection(("127.0.0.1", keyed.admin_port), 60) as c:
        c.send("POST /v1/keys/import HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
               "Authorization: Bearer admin-token-for-tests\r\n\r\n")
        for at in range(0, len(lines), 1777):
            piece = lines[at:at + 1777]
            c.send(b"%x\r\n" % len(piece) + piece + b"\r\n")
        c.send("0\r\n\r\n")
        assert c.read().json["imported"] == count
    assert opens(keyed, f"legacy-key-number-{count - 1}")
    long = call(keyed, "POST", "/v1/keys/import", b'{"key":"' + b"x" * 200000, headers=LINES)
    assert long.status == 413


def test_an_import_given_up_halfway(keyed):
    before = keyed.status()["revision"]
    with Connection(("127.0.0.1", keyed.admin_port)) as c:
        c.send("POST /v1/keys/import HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n"
               "Authorization: Bearer admin-token-for-tests\r\n\r\n"
               + json.dumps({"consumer": "acme", "key": "legacy-key-number-1"}) + "\n")
        time.sleep(0.1)
    time.sleep(0.1)
    assert keyed.status()["revision"] == before
    assert not opens(keyed, "legacy-key-number-1")


def test_unconfirmed_keys_are_revoked_and_what_cannot_be_undone_takes_no_confirm(keyed):
    made = call(keyed, "POST", "/v1/consumers/acme/keys?confirm=2s", {}).json
    assert opens(keyed, made["key"])
    for method, path, body in (("PATCH", f"/v1/keys/{made['id']}", {"scopes": []}),
                               ("POST", f"/v1/keys/{made['id']}/rotate", {}),
                               ("DELETE", f"/v1/keys/{made['id']}", None)):
        assert call(keyed, method, path + "?confirm=2s", body).status == 400
    until(lambda: not opens(keyed, made["key"]))


def test_a_mistyped_key_is_refused(node):
    """A key with our mark whose checksum is wrong would never be accepted: it is not taken either."""
    node.consumer("acme")
    good = node.key("acme")["key"]
    bad = good[:-1] + ("A" if good[-1] != "A" else "B")
    for answer in (node.admin("POST", "/v1/consumers/acme/keys", {"key": bad}),
                   node.admin("POST", "/v1/consumers/acme/keys", {"key": good[:-1]}),
                   node.admin("POST", "/v1/keys/import",
                              json.dumps({"consumer": "acme", "key": bad}).encode(),
                              headers={"Content-Type": "application/x-ndjson"})):
        assert answer.status == 422, answer
        error = answer.json["errors"][0]
        assert error["pointer"].endswith("/key")
        assert "begins with gwk_ but its checksum or length is wrong" in error["message"], error
        assert bad not in answer.text and good[:-1] not in answer.text
    assert len(node.admin("GET", "/v1/keys?consumer=acme").json["items"]) == 1
