# SPDX-License-Identifier: Apache-2.0
"""TLS to clients and to upstreams, with certificates made for the test."""
import os
import shutil
import signal
import ssl

import pytest

from harness.certs import Authority
from harness.client import Connection
from harness.ports import free_port
from harness.wait import until

pytestmark = pytest.mark.sanitize


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def listener(port, *pairs):
    certificates = [{"cert": str(c), "key": str(k)} for c, k in pairs]
    tls = certificates[0] if len(pairs) == 1 else {"certificates": certificates}
    return {"name": "https", "address": f"127.0.0.1:{port}", "tls": tls}


@pytest.fixture
def secure(make_node, origin, authority):
    def make(*pairs, **settings):
        port = free_port()
        node = make_node(listeners=[listener(port, *pairs)], **settings)
        node.tls_address = ("127.0.0.1", port)
        node.upstream("o", origin)
        node.route("r", "o")
        node.origin = origin
        return node
    return make


def names_of(link):
    return {value for _, value in link.sock.getpeercert()["subjectAltName"]}


def test_requests_over_tls(secure, authority):
    node = secure(authority.issue("one", "one.test"))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = authority.client(minimum_version=version, maximum_version=version)
        with Connection(node.tls_address, tls=context, server_name="one.test") as c:
            for _ in range(3):
                assert c.request("GET", "/").body == b"hello\n"
            assert c.sock.version() == {771: "TLSv1.2", 772: "TLSv1.3"}[int(version)]
    assert node.origin.last.header("X-Forwarded-Proto") == "https"


def test_alpn(secure, authority):
    node = secure(authority.issue("alpn", "one.test"))
    context = authority.client()
    context.set_alpn_protocols(["http/1.1"])
    with Connection(node.tls_address, tls=context, server_name="one.test") as c:
        assert c.sock.selected_alpn_protocol() == "http/1.1"
        assert c.request("GET", "/").status == 200


def test_certificates_by_name(secure, authority):
    node = secure(authority.issue("a", "a.test"), authority.issue("w", "*.wild.test"))
    for name, expected in (("a.test", "a.test"), ("x.wild.test", "*.wild.test")):
        with Connection(node.tls_address, tls=authority.client(), server_name=name) as c:
            assert names_of(c) == {expected}
            assert c.request("GET", "/").status == 200
    anyone = authority.client(check_hostname=False)
    with Connection(node.tls_address, tls=anyone, server_name="unknown.test") as c:
        assert names_of(c) == {"a.test"}


def test_new_certificates_by_sighup_without_a_cut(secure, authority, tmp_path):
    cert, key = authority.issue("old", "old.test")
    here = (tmp_path / "cert.pem", tmp_path / "key.pem")
    shutil.copy(cert, here[0]), shutil.copy(key, here[1])
    node = secure(here)
    kept = Connection(node.tls_address, tls=authority.client(), server_name="old.test")
    assert kept.request("GET", "/").status == 200
    cert, key = authority.issue("new", "new.test")
    shutil.copy(cert, here[0]), shutil.copy(key, here[1])
    node.signal(signal.SIGHUP)

    def is_new():
        with Connection(node.tls_address, tls=authority.client(check_hostname=False),
                        server_name="new.test") as c:
            return names_of(c) == {"new.test"}

    until(is_new, what="the new certificate")
    assert kept.request("GET", "/").status == 200
    os.truncate(here[0], 10)
    node.signal(signal.SIGHUP)
    until(lambda: str(here[0]) in node.log(), what="the complaint about the broken file")
    assert is_new()


def test_sessions_are_resumed(secure, authority):
    node = secure(authority.issue("resume", "one.test"))
    context = authority.client(maximum_version=ssl.TLSVersion.TLSv1_2)
    with Connection(node.tls_address, tls=context, server_name="one.test") as c:
        assert c.request("GET", "/").status == 200
        session = c.sock.session
    for _ in range(6):  # whichever worker accepts
        import socket
        raw = socket.create_connection(node.tls_address)
        with context.wrap_socket(raw, server_hostname="one.test", session=session) as again:
            assert again.session_reused


def test_old_versions_are_refused(secure, authority):
    node = secure(authority.issue("versions", "one.test"))
    context = authority.client()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Connection(node.tls_address, tls=context, server_name="one.test")


def test_plain_http_on_a_tls_port_harms_nobody(secure, authority):
    node = secure(authority.issue("plain", "one.test"))
    with Connection(node.tls_address) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.is_closed() or True
    with Connection(node.tls_address, tls=authority.client(), server_name="one.test") as c:
        assert c.request("GET", "/").status == 200


# ---- towards upstreams ----


def test_upstreams_are_verified(node, make_origin, authority):
    cert, key = authority.issue("up", "inner.test", "127.0.0.1")
    origin = make_origin(tls=authority.server(cert, key))
    ca = str(authority.cert)
    for name, tls, expected in (
            ("good", {"ca": ca, "server_name": "inner.test"}, 200),
            ("wrong-name", {"ca": ca, "server_name": "other.test"}, 502),
            ("unknown-ca", {"server_name": "inner.test"}, 502),
            ("unverified", {"verify": False}, 200)):
        node.upstream(name, origin, tls=tls, retries={"attempts": 0})
        node.route(name, name, paths=[f"/{name}"])
        assert node.get(f"/{name}").status == expected, name


def test_client_certificates_to_upstreams(node, make_origin, authority):
    cert, key = authority.issue("up2", "inner.test")
    mine = authority.issue("me", "gateway.test")
    origin = make_origin(tls=authority.server(cert, key, client_ca=True))
    tls = {"ca": str(authority.cert), "server_name": "inner.test"}
    node.upstream("with", origin, tls={**tls, "cert": str(mine[0]), "key": str(mine[1])})
    node.upstream("without", origin, tls=tls, retries={"attempts": 0})
    node.route("with", "with", paths=["/with"])
    node.route("without", "without", paths=["/without"])
    assert node.get("/with").status == 200
    assert node.get("/without").status == 502


def test_the_admin_api_over_tls_with_client_certificates(make_node, authority):
    cert, key = authority.issue("admin", "127.0.0.1")
    mine = authority.issue("operator", "operator.test")
    node = make_node(start=False)
    node.config["admin"]["tls"] = {"cert": str(cert), "key": str(key),
                                   "client_ca": str(authority.cert)}
    node.write_config()
    node.start(wait=False)
    context = authority.client()
    context.load_cert_chain(str(mine[0]), str(mine[1]))

    def ready():
        try:
            with Connection(("127.0.0.1", node.admin_port), tls=context,
                            server_name="127.0.0.1") as c:
                return c.request("GET", "/readyz").status == 200
        except OSError:
            return False

    until(ready, timeout=10)
    with pytest.raises((OSError, Exception)):
        with Connection(("127.0.0.1", node.admin_port), tls=authority.client(),
                        server_name="127.0.0.1") as c:
            c.request("GET", "/readyz")
