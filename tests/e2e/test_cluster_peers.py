# SPDX-License-Identifier: Apache-2.0
"""What nodes take from each other: signed with the cluster secret, once, in time; and what the
secret is for besides."""
import hashlib
import socket
import ssl

import pytest

from harness.certs import Authority
from harness.ports import free_port
from harness.peer import SECRET, ask, sign

pytestmark = pytest.mark.sanitize

REVOCATIONS = "/v1/cluster/revocations"
STATUS = "/v1/cluster/status"


@pytest.fixture(name="make_peer")
def fixture_make_peer(make_node, tmp_path):
    secret = tmp_path / "cluster.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)

    def make(**settings):
        return make_node(cluster={"secret_file": str(secret)}, **settings)

    return make


@pytest.fixture(name="peer")
def fixture_peer(make_peer):
    return make_peer()


def revocation(key, digest):
    return {"items": [{"id": key["id"], "digest": digest}]}


def digest_of(key):
    return hashlib.sha256(key["key"].encode()).hexdigest()


def test_a_signed_request_is_answered(peer):
    answer = ask(peer, "GET", STATUS)
    assert answer.status == 200
    assert [item["node"] for item in answer.json["items"]] == [peer.name]


@pytest.mark.parametrize("how, because", [
    ({"secret": "another secret"}, "differ"),
    ({"signature": ""}, "malformed"),
    ({"signature": "v1 from=gw-x"}, "malformed"),
])
def test_who_does_not_know_the_secret_is_refused(peer, how, because):
    answer = ask(peer, "GET", STATUS, **how)
    assert answer.status == 401
    assert because in answer.json["detail"]


def test_a_request_is_good_once_and_for_a_minute(peer):
    signature = sign("GET", STATUS, b"", peer.name)
    assert ask(peer, "GET", STATUS, signature=signature).status == 200
    again = ask(peer, "GET", STATUS, signature=signature)
    assert (again.status, "seen before" in again.json["detail"]) == (401, True)
    late = ask(peer, "GET", STATUS, at=1_000_000_000)
    assert (late.status, "clocks" in late.json["detail"]) == (401, True)


def test_a_signature_is_for_one_request_only(peer):
    signature = sign("GET", "/v1/cluster/upstreams/a/health", b"", peer.name)
    assert ask(peer, "GET", STATUS, signature=signature).status == 401
    signature = sign("GET", STATUS, b"", "gw-other")
    assert ask(peer, "GET", STATUS, signature=signature).status == 401
    signature = sign("POST", REVOCATIONS, b'{"items":[]}', peer.name)
    answer = ask(peer, "POST", REVOCATIONS, {"items": [{"id": "1" * 16, "digest": "0" * 64}]},
                 signature=signature)
    assert (answer.status, "body" in answer.json["detail"]) == (401, True)


def test_a_token_does_not_help_and_a_signature_is_no_token(peer):
    assert peer.admin("GET", STATUS).status == 401
    signature = sign("GET", "/v1/keys", b"", peer.name)
    answer = peer.admin("GET", "/v1/keys", token=None,
                        headers=[("Gatewayd-Signature", signature)])
    assert answer.status == 401


def test_without_a_secret_nobody_is_a_node(node):
    assert ask(node, "GET", STATUS).status == 401
    assert ask(node, "GET", STATUS, secret="").status == 401


def test_a_revocation_from_another_node_is_in_force_and_stays(peer, origin):
    peer.upstream("u", origin)
    peer.route("r", "u", auth={"methods": ["key"]})
    peer.consumer("acme")
    key = peer.key("acme")
    used = [("X-API-Key", key["key"])]
    assert peer.get("/", used).status == 200
    revision = peer.status()["revision"]
    assert ask(peer, "POST", REVOCATIONS, revocation(key, digest_of(key))).status == 204
    assert peer.get("/", used).status == 401
    assert ask(peer, "POST", REVOCATIONS, revocation(key, digest_of(key))).status == 204
    assert peer.status()["revision"] == revision
    peer.kill()
    peer.start()
    assert peer.get("/", used).status == 401
    assert peer.admin("GET", f"/v1/keys/{key['id']}").json["state"] == "revoked"
    # And it cannot be brought again.
    answer = peer.admin("POST", "/v1/keys/import",
                        b'{"consumer":"acme","sha256":"%s"}\n' % digest_of(key).encode(),
                        headers=[("Content-Type", "application/x-ndjson")])
    assert answer.status == 409


def test_a_revocation_of_a_key_that_is_not_known_yet_counts(peer):
    peer.consumer("acme")
    digest = hashlib.sha256(b"a key of the other node").hexdigest()
    assert ask(peer, "POST", REVOCATIONS,
               {"items": [{"id": "00000000000000aa", "digest": digest}]}).status == 204
    peer.restart()
    answer = peer.admin("POST", "/v1/keys/import",
                        b'{"consumer":"acme","sha256":"%s"}\n' % digest.encode(),
                        headers=[("Content-Type", "application/x-ndjson")])
    assert answer.status == 409


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": [{"id": "x", "digest": "y"}]},
                                  {"items": [{"id": "00000000000000aa"}]}, [1]])
def test_what_is_no_list_of_revocations_is_refused(peer, body):
    assert ask(peer, "POST", REVOCATIONS, body).status == 400


def test_an_imported_key_is_kept_under_the_secret(peer, make_node, origin):
    """Its SHA-256 is nowhere: whoever copies the journal cannot guess keys without the secret."""
    key = "a-key-from-elsewhere-0123456789"
    peer.consumer("acme")
    assert peer.admin("POST", "/v1/consumers/acme/keys", {"key": key}).status == 201
    journal = (peer.folder / "state" / "journal").read_bytes()
    assert hashlib.sha256(key.encode()).digest() not in journal
    plain = make_node()
    plain.consumer("acme")
    assert plain.admin("POST", "/v1/consumers/acme/keys", {"key": key}).status == 201
    assert hashlib.sha256(key.encode()).digest() in \
        (plain.folder / "state" / "journal").read_bytes()


def test_nodes_of_one_secret_resume_each_others_sessions(make_peer, make_node, tmp_path):
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("pair", "one.test")
    tls = {"cert": str(cert), "key": str(key)}
    # With this version the session is there when hands have been shaken.
    context = authority.client(maximum_version=ssl.TLSVersion.TLSv1_2)

    def secure(make):
        port = free_port()
        make(listeners=[{"name": "https", "address": f"127.0.0.1:{port}", "tls": tls}])
        return port

    def handshake(port, session=None):
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            with context.wrap_socket(raw, server_hostname="one.test", session=session) as s:
                return s.session, s.session_reused

    first, second, stranger = secure(make_peer), secure(make_peer), secure(make_node)
    session, _ = handshake(first)
    assert handshake(second, session)[1]
    assert not handshake(stranger, session)[1]
