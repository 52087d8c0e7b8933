# SPDX-License-Identifier: Apache-2.0
"""The whole configuration as one document, the history, and going back in it."""
import json
import multiprocessing
import threading
import time

import pytest

from harness.client import Connection
from harness.wait import SLOWNESS, scaled, until

DOCUMENT = {
    "upstreams": [{"name": "u", "targets": [{"address": "127.0.0.1:9"}]}],
    "routes": [{"name": "r", "match": {"paths": ["/r"]}, "upstream": "u"}],
    "plans": [{"name": "p", "limits": [{"name": "l", "rate": 5}]}],
    "consumers": [{"name": "c", "plan": "p"}],
}


def call(node, method, path, body=None, **options):
    return node.admin(method, path, body, **options)


def revision(answer):
    return int(answer.header("Gatewayd-Revision"))


def short(answer):
    return [(c["kind"], c["name"], c["change"]) for c in answer.json["changes"]]


# ---- one document ----


@pytest.mark.sanitize
def test_replaced_as_a_whole_in_one_revision(node):
    before = node.status()["revision"]
    answer = call(node, "PUT", "/v1/config", DOCUMENT)
    assert answer.status == 200 and revision(answer) == before + 1
    assert short(answer) == [("upstreams", "u", "added"), ("routes", "r", "added"),
                             ("plans", "p", "added"), ("consumers", "c", "added")]
    tag = answer.header("ETag")
    got = call(node, "GET", "/v1/config?fields=set")
    assert got.json == DOCUMENT and got.header("ETag") == tag
    full = call(node, "GET", "/v1/config").json
    assert full["routes"][0]["timeout"] == "0s"
    for document in (DOCUMENT, full):
        same = call(node, "PUT", "/v1/config", DOCUMENT)
        assert (same.status, revision(same), same.json["changes"]) == (200, before + 1, [])
    left_out = call(node, "PUT", "/v1/config", {"upstreams": DOCUMENT["upstreams"]})
    assert short(left_out) == [("routes", "r", "removed"), ("plans", "p", "removed"),
                               ("consumers", "c", "removed")]
    assert call(node, "GET", "/v1/routes").json == {"items": []}
    stale = call(node, "PUT", "/v1/config", DOCUMENT, headers={"If-Match": tag})
    assert stale.status == 412


def test_the_tag_is_that_of_the_last_change_to_a_resource(node):
    tag = call(node, "PUT", "/v1/config", DOCUMENT).header("ETag")
    node.key("c")
    assert call(node, "GET", "/v1/config").header("ETag") == tag, "keys are no part of it"
    node.consumer("d")
    assert call(node, "GET", "/v1/config").header("ETag") != tag


def test_dry_run_says_what_would_change(node):
    call(node, "PUT", "/v1/config", DOCUMENT)
    before = node.status()["revision"]
    changed = json.loads(json.dumps(DOCUMENT))
    changed["routes"][0]["timeout"] = "5s"
    changed["consumers"] = [{"name": "c", "plan": "p", "groups": ["g"]}, {"name": "d"}]
    answer = call(node, "PUT", "/v1/config?dry_run=true", changed)
    assert answer.status == 200
    assert short(answer) == [("routes", "r", "changed"), ("consumers", "c", "changed"),
                             ("consumers", "d", "added")]
    assert node.status()["revision"] == before


def test_errors_all_at_once_and_nothing_applied(node):
    before = node.status()["revision"]
    answer = call(node, "PUT", "/v1/config", {
        "plans": [{"name": "p"}, {"name": "p"}],
        "routes": [{"name": "x", "upstream": "none", "colour": 1}, {"name": "y", "upstream": "no"}],
        "consumers": [{"name": "c", "plan": "zz"}, {"groups": []}]})
    assert answer.status == 422
    found = [e["pointer"] for e in answer.json["errors"]]
    assert set(found) == {"/plans/1", "/routes/0/colour", "/routes/0/upstream", "/routes/1/upstream",
                          "/consumers/0/plan", "/consumers/1"}
    assert node.status()["revision"] == before
    # What refers to nothing is pointed at field by field, also where nothing else is wrong.
    dangling = call(node, "PUT", "/v1/config", {
        "routes": [{"name": "w", "respond": {}}, {"name": "x", "upstream": "none"},
                   {"name": "y", "split": [{"upstream": "none", "weight": 1}]}]})
    assert dangling.status == 422
    assert {e["pointer"] for e in dangling.json["errors"]} == {"/routes/1/upstream",
                                                               "/routes/2/split/0/upstream"}
    dangling = call(node, "PUT", "/v1/config", {
        "plans": [{"name": "p"}],
        "consumers": [{"name": "b", "plan": "p"}, {"name": "a", "plan": "zz"}, {"name": "c"},
                      {"name": "d", "plan": "p2"}]})
    assert dangling.status == 422
    assert [e["pointer"] for e in dangling.json["errors"]] == ["/consumers/1/plan",
                                                               "/consumers/3/plan"]
    unknown = call(node, "PUT", "/v1/config", {"rotes": []})
    assert unknown.status == 422 and "rotes" in unknown.text
    broken = call(node, "PUT", "/v1/config", b'{"routes": [\n{"name": "x",}]}')
    assert broken.status == 400 and "line 2" in broken.text


def test_consumers_with_active_keys_are_not_lost(node):
    call(node, "PUT", "/v1/config", DOCUMENT)
    key = node.key("c")
    answer = call(node, "PUT", "/v1/config", {**DOCUMENT, "consumers": []})
    assert answer.status == 409 and answer.json["consumers"] == ["c"]
    call(node, "DELETE", f"/v1/keys/{key['id']}")
    assert call(node, "PUT", "/v1/config", {**DOCUMENT, "consumers": []}).status == 200


def ask_again_and_again(address, stop, times):
    """In a process of its own: reading a large document holds up every thread of this one."""
    while not stop.is_set():
        begin = time.monotonic()
        with Connection(address, 30) as connection:
            assert connection.request("GET", "/livez").status == 200
        times.put(time.monotonic() - begin)
        time.sleep(0.005)


def test_a_huge_document_does_not_hold_others_up(node):
    count = scaled(50000, 3000)
    document = {"plans": [{"name": "p"}],
                "consumers": [{"name": f"c{i}", "plan": "p", "metadata": {"n": str(i)}}
                              for i in range(count)]}
    fork = multiprocessing.get_context("fork")
    stop, queue, times = fork.Event(), fork.SimpleQueue(), []
    asker = fork.Process(target=ask_again_and_again,
                         args=(("127.0.0.1", node.admin_port), stop, queue))
    asker.start()
    reader = threading.Thread(target=lambda: times.extend(iter(queue.get, None)))
    reader.start()
    try:
        answer = call(node, "PUT", "/v1/config", document, timeout=120)
        assert answer.status == 200
        assert answer.json["change_count"] == count + 1
        got = call(node, "GET", "/v1/config?fields=set", timeout=120).json
        assert len(got["consumers"]) == count
        assert call(node, "PUT", "/v1/config", document, timeout=120).json["changes"] == []
        assert call(node, "PUT", "/v1/config", {}, timeout=120).status == 200
    finally:
        stop.set()
        asker.join()
        queue.put(None)
        reader.join()
    # Once in a while the machine itself holds somebody up.
    times.sort()
    assert times[int(len(times) * 0.95)] < 0.2 * SLOWNESS and times[-1] < 2 * SLOWNESS, times[-9:]


def test_readers_that_are_slow_or_go_away(node):
    document = {"plans": [{"name": f"p{i}", "limits": [{"name": f"l{j}", "rate": 5}
                                                       for j in range(30)]} for i in range(1500)]}
    assert call(node, "PUT", "/v1/config", document).status == 200
    ask = ("GET /v1/config HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer viewer-token-for-tests"
           "\r\n\r\n")
    for _ in range(5):
        with Connection(("127.0.0.1", node.admin_port)) as connection:
            connection.send(ask)
            connection.take(5000)
    with Connection(("127.0.0.1", node.admin_port)) as connection:
        connection.send(ask)
        time.sleep(0.3)
        assert len(connection.read().json["plans"]) == 1500
        connection.send(ask.replace("GET", "HEAD"))
        assert connection.read("HEAD").body == b""
        assert connection.request("GET", "/livez").status == 200, "nothing came behind the head"


# ---- history ----


def test_who_changed_what_newest_first(node):
    node.consumer("a")
    call(node, "PUT", "/v1/consumers/a", {"groups": ["g"]}, token="operator")
    last = call(node, "DELETE", "/v1/consumers/a")
    page = call(node, "GET", "/v1/revisions?limit=2").json
    assert [i["revision"] for i in page["items"]] == [revision(last), revision(last) - 1]
    assert [i["author"] for i in page["items"]] == ["admin-user", "operator-user"]
    assert all({"id", "time", "summary"} <= set(i) for i in page["items"])
    rest = call(node, "GET", f"/v1/revisions?before={page['next']}").json
    assert rest["items"][0]["revision"] == page["items"][-1]["revision"] - 1
    assert "next" not in rest
    one = call(node, "GET", f"/v1/revisions/{revision(last) - 1}").json
    (change,) = one["changes"]
    assert (change["kind"], change["name"], change["change"]) == ("consumers", "a", "changed")
    assert change["before"] == {"name": "a"}
    assert change["after"] == {"name": "a", "groups": ["g"]}
    assert call(node, "GET", "/v1/revisions/999999").status == 404
    assert call(node, "GET", "/v1/revisions/x").status == 404


def test_waiting_for_what_comes_after(node):
    now = revision(node.put("consumers", "a", {}))
    begin = time.monotonic()
    assert call(node, "GET", f"/v1/revisions?after={now}&wait=300ms").json == {"items": []}
    assert time.monotonic() - begin >= 0.3
    at_once = call(node, "GET", f"/v1/revisions?after={now - 1}&wait=30s").json
    assert [i["revision"] for i in at_once["items"]] == [now]
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(
        call(node, "GET", f"/v1/revisions?after={now}&wait=30s")))
    waiter.start()
    time.sleep(0.2)
    node.put("consumers", "b", {})
    waiter.join(60)
    assert [i["revision"] for i in answers[0].json["items"]] == [now + 1]
    assert call(node, "GET", "/v1/revisions?wait=1s").status == 400
    assert call(node, "GET", f"/v1/revisions?after={now}&wait=forever").status == 400


def test_a_waiting_client_may_go_and_a_node_that_ends_does_not_wait(make_node):
    node = make_node()
    for _ in range(5):
        with Connection(("127.0.0.1", node.admin_port)) as connection:
            connection.send("GET /v1/revisions?after=999&wait=30s HTTP/1.1\r\nHost: a\r\n"
                            "Authorization: Bearer viewer-token-for-tests\r\n\r\n")
            time.sleep(0.05)
    stays = Connection(("127.0.0.1", node.admin_port))
    stays.send("GET /v1/revisions?after=999&wait=30s HTTP/1.1\r\nHost: a\r\n"
               "Authorization: Bearer viewer-token-for-tests\r\n\r\n")
    time.sleep(0.05)
    begin = time.monotonic()
    assert node.stop() == 0, node.log()[-3000:]
    assert time.monotonic() - begin < 5 * SLOWNESS
    stays.close()


def test_back_to_an_old_revision(node):
    old = revision(call(node, "PUT", "/v1/config", DOCUMENT))
    call(node, "PUT", "/v1/config", {"plans": [{"name": "other"}]})
    would = call(node, "POST", f"/v1/revisions/{old}/restore?dry_run=true")
    assert ("routes", "r", "added") in short(would)
    answer = call(node, "POST", f"/v1/revisions/{old}/restore")
    assert answer.status == 200 and revision(answer) == old + 2
    assert call(node, "GET", "/v1/config?fields=set").json == DOCUMENT
    detail = call(node, "GET", f"/v1/revisions/{old + 2}").json
    assert detail["restores"] == old
    again = call(node, "POST", f"/v1/revisions/{old}/restore")
    assert again.status == 200 and revision(again) == old + 2, "nothing to change: no revision"
    assert call(node, "POST", "/v1/revisions/999/restore").status == 404


def test_restoring_touches_no_key(node):
    node.consumer("c")
    old = node.status()["revision"]
    node.put("plans", "p", {})
    key = node.key("c")
    node.put("plans", "q", {})
    assert call(node, "POST", f"/v1/revisions/{old}/restore").status == 200
    assert call(node, "GET", f"/v1/keys/{key['id']}").json["state"] == "active"
    assert call(node, "GET", "/v1/plans").json["items"] == []


def test_past_the_kept_history(make_node):
    node = make_node(state={"history": 10})
    for i in range(30):
        node.put("plans", "p", {"limits": [{"name": "l", "rate": i + 1}]})
    answer = until(lambda: (a := call(node, "POST", "/v1/revisions/2/restore")).status == 410 and a,
                   what="the end of the history")
    oldest = call(node, "GET", "/v1/revisions?limit=1000").json["items"][-1]["revision"]
    assert str(oldest) in answer.json["detail"]
    assert call(node, "GET", "/v1/revisions/2").status == 410


# ---- confirm ----


def test_unconfirmed_undoes_itself(node):
    node.put("plans", "p", {"limits": [{"name": "l", "rate": 1}]})
    answer = call(node, "PUT", "/v1/plans/p?confirm=2s", {"limits": [{"name": "l", "rate": 2}]})
    number = revision(answer)
    entry = call(node, "GET", f"/v1/revisions/{number}").json
    assert entry["confirmation"] == "pending" and "confirm_until" in entry
    until(lambda: call(node, "GET", "/v1/plans/p").json["limits"][0]["rate"] == 1)
    assert node.status()["revision"] == number + 1
    assert call(node, "GET", f"/v1/revisions/{number + 1}").json["undoes"] == number
    assert call(node, "POST", f"/v1/revisions/{number}/confirm").status == 410


def test_confirmed_stays(node):
    answer = call(node, "PUT", "/v1/config?confirm=2s", DOCUMENT)
    number = revision(answer)
    assert call(node, "POST", f"/v1/revisions/{number}/confirm").status == 200
    assert call(node, "POST", f"/v1/revisions/{number}/confirm").status == 200
    time.sleep(2.3)
    assert call(node, "GET", "/v1/routes/r").status == 200
    assert call(node, "POST", "/v1/revisions/999/confirm").status == 404
    assert call(node, "PUT", "/v1/plans/p?confirm=0s", {}).status == 400
