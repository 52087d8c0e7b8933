# SPDX-License-Identifier: Apache-2.0
"""Nodes that ask and tell each other over TLS: each shows a certificate, and believes nobody that
cluster.ca has not vouched for."""
import signal
import subprocess

import pytest

from harness.certs import Authority
from harness.node import BUILD, TOKENS
from harness.wait import until

pytestmark = pytest.mark.sanitize_long


@pytest.fixture(name="authority")
def fixture_authority(tmp_path):
    return Authority(tmp_path / "ca")


@pytest.fixture(name="service")
def fixture_service(make_origin):
    return make_origin()


def secure(node, authority, issuer=None, name="127.0.0.1", asks=True):
    """The node's admin API speaks TLS, with a certificate of `issuer` for `name`, and asks for
    certificates of `authority`; what it asks others is checked with `authority` too."""
    cert, key = (issuer or authority).issue(node.name, name)
    tls = {"cert": str(cert), "key": str(key)}
    if asks:
        tls["client_ca"] = str(authority.cert)
    node.config["admin"]["tls"] = tls
    node.config["cluster"]["ca"] = str(authority.cert)
    node.write_config()
    mine = authority.issue("operator", "operator.test")
    context = (issuer or authority).client(check_hostname=False)
    context.load_cert_chain(str(mine[0]), str(mine[1]))
    node.admin_tls = context


def make_pair(make_cluster, redis, service, authority, second=None):
    """Two nodes over TLS; `second` are the settings of the other one's certificate."""
    pair = make_cluster(redis, start=False)
    secure(pair[0], authority)
    secure(pair[1], authority, **(second or {}))
    pair.start()
    pair.connected()
    until(lambda: pair[0].admin("PUT", "/v1/consumers/acme", {}).status in (200, 201),
          what="a first revision")
    pair.know_each_other()
    pair[0].upstream("u", service)
    pair[0].route("r", "u", auth={"methods": ["key"]})
    pair.agree()
    return pair


def use(node, key):
    return node.get("/", [("X-API-Key", key["key"])]).status


def new_key(pair):
    key = pair[0].key("acme")
    for node in pair:
        until(lambda n=node: use(n, key) == 200, what=f"{node.name} taking the key")
    return key


def revoke(node, key, query="?timeout=1s"):
    return node.admin("DELETE", f"/v1/keys/{key['id']}{query}")


def away(pair, redis):
    redis.pause()
    pair.connected(False)


def unreachable(node):
    """Of the others, with the reasons; whoever only is slow is asked again."""
    for _ in range(5):
        found = node.admin("GET", "/v1/upstreams/u/health").json.get("unreachable", [])
        if "no answer in time" not in [one["because"] for one in found]:
            break
    return found


@pytest.mark.parametrize("asks", [True, False], ids=["client certificates", "none asked for"])
def test_nodes_ask_and_tell_each_other_over_tls(make_cluster, redis, service, authority, asks):
    pair = make_cluster(redis, start=False)
    for node in pair:
        secure(node, authority, asks=asks)
    pair.start()
    pair.connected()
    until(lambda: pair[0].admin("PUT", "/v1/consumers/acme", {}).status in (200, 201),
          what="a first revision")
    pair[0].upstream("u", service)
    pair[0].route("r", "u", auth={"methods": ["key"]})
    pair.know_each_other()
    pair.agree()
    keys = [new_key(pair), new_key(pair)]
    assert unreachable(pair[0]) == []
    health = pair[0].admin("GET", "/v1/upstreams/u/health").json
    assert {item["node"] for item in health["items"]} == {"gw-a", "gw-b"}, health
    away(pair, redis)
    for key, here, there in ((keys[0], pair[0], pair[1]), (keys[1], pair[1], pair[0])):
        assert revoke(here, key, "?timeout=30s").status == 204
        assert use(there, key) == 401
    redis.go_on()


@pytest.mark.parametrize("how, words", [
    ("authority", "certificate"),
    ("name", "certificate"),
], ids=["a certificate of another authority", "a certificate of another name"])
def test_who_is_not_vouched_for_is_told_nothing_and_is_pending(
        make_cluster, redis, service, authority, tmp_path, how, words):
    other = {"issuer": Authority(tmp_path / "other")} if how == "authority" else \
        {"name": "10.9.8.7"}
    pair = make_pair(make_cluster, redis, service, authority, second=other)
    key = new_key(pair)
    silent = unreachable(pair[0])
    assert [s["node"] for s in silent] == ["gw-b"] and words in silent[0]["because"], silent
    away(pair, redis)
    answer = revoke(pair[0], key)
    assert (answer.status, answer.json) == (202, {"pending": ["gw-b"]})
    assert (use(pair[0], key), use(pair[1], key)) == (401, 200)
    until(lambda: "node gw-b has not confirmed" in pair[0].log() and words in pair[0].log(),
          what="the reason in the log")
    redis.go_on()
    until(lambda: use(pair[1], key) == 401, timeout=10, what="gw-b learning it from the history")


def test_who_shows_no_certificate_of_ours_is_not_let_in(
        make_cluster, redis, service, authority, tmp_path):
    """gw-b's certificate is of another authority, which gw-b's own friends know: what gw-b shows
    when it is asked for one does not do here."""
    stranger = Authority(tmp_path / "stranger")
    pair = make_pair(make_cluster, redis, service, authority, second={"issuer": stranger})
    key = new_key(pair)
    away(pair, redis)
    answer = revoke(pair[1], key)
    assert (answer.status, answer.json) == (202, {"pending": ["gw-a"]})
    assert (use(pair[1], key), use(pair[0], key)) == (401, 200)
    redis.go_on()
    until(lambda: use(pair[0], key) == 401, timeout=10, what="gw-a learning it from the history")


def test_gatewayctl_asks_all_nodes_over_tls(make_cluster, redis, service, authority, tmp_path):
    """It was told of one node; the others are asked as they advertise themselves, in the same way."""
    pair = make_pair(make_cluster, redis, service, authority)
    cert, key = authority.issue("ctl", "operator.test")
    done = subprocess.run(
        [BUILD / "gatewayctl", "-s", f"https://127.0.0.1:{pair[0].admin_port}", "--cacert",
         str(authority.cert), "--cert", str(cert), "--key", str(key), "cluster", "upgrade",
         "--dry-run", "--run", "deploy {node}"], text=True, capture_output=True, timeout=60,
        stdin=subprocess.DEVNULL, env={"HOME": str(tmp_path), "GATEWAYCTL_TOKEN": TOKENS["admin"]},
        check=False)
    assert done.returncode == 0, done.stderr
    assert "gw-a: would run: deploy gw-a" in done.stdout
    assert "gw-b: would run: deploy gw-b" in done.stdout


def test_renewed_certificates_are_shown_after_sighup(make_cluster, redis, service, tmp_path):
    """All of an old authority's certificates are replaced, the authority too: no restart."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    files = tmp_path / "files"
    files.mkdir()
    both = files / "ca.pem"
    pair = make_cluster(redis, start=False)
    for node in pair:
        secure(node, old)
        node.config["cluster"]["ca"] = str(both)
        node.config["admin"]["tls"]["client_ca"] = str(both)
        node.write_config()
    both.write_bytes(old.cert.read_bytes())
    pair.start()
    pair.connected()
    until(lambda: pair[0].admin("PUT", "/v1/consumers/acme", {}).status in (200, 201),
          what="a first revision")
    pair[0].upstream("u", service)
    pair[0].route("r", "u", auth={"methods": ["key"]})
    pair.know_each_other()
    pair.agree()
    key = new_key(pair)
    mine = new.issue("operator", "operator.test")
    both.write_bytes(new.cert.read_bytes())
    for node in pair:
        cert, issued = new.issue(node.name, "127.0.0.1")
        tls = node.config["admin"]["tls"]
        for at, made in ((tls["cert"], cert), (tls["key"], issued)):
            with open(at, "wb") as file:
                file.write(made.read_bytes())
        node.signal(signal.SIGHUP)
        node.admin_tls = new.client(check_hostname=False)
        node.admin_tls.load_cert_chain(str(mine[0]), str(mine[1]))
        until(node.is_ready, what="the new certificate")
    # Nobody has asked anybody before: no connection has been kept.
    assert [unreachable(node) for node in pair] == [[], []]
    away(pair, redis)
    assert revoke(pair[0], key, "?timeout=30s").status == 204
    assert use(pair[1], key) == 401
    redis.go_on()


def test_a_connection_that_is_kept_is_given_up_at_sighup(make_cluster, redis, service, authority):
    """It was made with what counted before; and who gives it up goes on."""
    pair = make_pair(make_cluster, redis, service, authority)
    for times in range(1, 4):
        assert [unreachable(node) for node in pair] == [[], []], "asked: a connection is kept now"
        for node in pair:
            node.signal(signal.SIGHUP)
            until(lambda n=node: n.log().count("gatewayd.conf again") == times,
                  what=f"{node.name} reading its configuration")
            assert node.is_ready()
