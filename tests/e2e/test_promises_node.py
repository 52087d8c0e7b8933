# SPDX-License-Identifier: Apache-2.0
"""What the node file and signals promise, where no other story tells it."""
import hashlib
import hmac
import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

import pytest

from harness.client import Connection
from harness.many_keys import NDJSON
from harness.node import BUILD
from harness.ports import free_port
from harness.wait import until

pytestmark = pytest.mark.sanitize


def threads(node):
    """Names of its threads."""
    tasks = pathlib.Path(f"/proc/{node.process.pid}/task").iterdir()
    return [(task / "comm").read_text().strip() for task in tasks]


# ---- signals ----

def test_sigint_drains_too(make_node):
    node = make_node()
    node.signal(signal.SIGINT)
    assert node.wait() == 0
    assert "drain" in node.log()


def test_an_idle_connection_is_kept_until_the_end_of_the_window(make_node, origin):
    node = make_node(timeouts={"drain": "1500ms"})
    node.upstream("o", origin)
    node.route("r", "o")
    with node.connect() as c:
        assert c.request("GET", "/").status == 200
        begin = time.monotonic()
        node.signal(signal.SIGTERM)
        assert c.is_closed(timeout=20)
        assert time.monotonic() - begin > 1.2
    assert node.wait() == 0


def test_sighup_takes_over_what_can_change_and_names_the_rest(make_node, origin):
    node = make_node(timeouts={"idle": "60s"})
    node.upstream("o", origin)
    node.route("r", "o")
    before = node.process.pid
    node.config["timeouts"]["idle"] = "300ms"
    node.config["workers"] = 3
    node.config["listeners"][0]["address"] = f"127.0.0.1:{free_port()}"
    node.write_config()
    node.signal(signal.SIGHUP)
    until(lambda: "timeouts.idle has changed" in node.log(), what="the new configuration")
    for name in ("workers", "listeners[0].address"):
        until(lambda: f"{name} cannot change while the node runs" in node.log(), what=name)
    with node.connect() as c:
        assert c.request("GET", "/").status == 200
        assert c.is_closed()
    assert sum("worker" in name for name in threads(node)) == 2
    good = node.config_path.read_text()
    node.config_path.write_text(good + "nonsense = 1;\n")
    node.signal(signal.SIGHUP)
    until(lambda: "the node configuration is left as it was" in node.log())
    until(lambda: f"{node.config_path}:" in node.log(), what="the place of the error")
    assert (node.get("/").status, node.process.pid) == (200, before)


def test_new_tokens_by_sighup(make_node):
    node = make_node()
    tokens = node.folder / "tokens"
    tokens.write_text("\n".join(line for line in tokens.read_text().splitlines()
                                if " viewer " not in line) + "\n")
    node.signal(signal.SIGHUP)
    until(lambda: node.admin("GET", "/v1/status", token="viewer").status == 401)
    assert node.admin("GET", "/v1/status").status == 200


# ---- the file ----

def test_a_node_without_a_name_has_the_hosts_and_a_worker_for_each_cpu(make_node):
    node = make_node(start=False)
    del node.config["node"]
    node.config["workers"] = 0
    node.write_config()
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        node.start()
    finally:
        os.sched_setaffinity(0, mine)
    assert node.status()["node"] == socket.gethostname().lower()
    assert sum("worker" in name for name in threads(node)) == 1


def test_connections_are_bounded_by_the_descriptors_there_may_be(make_node):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (1200, 1200))

    node = make_node(start=False)
    with open(node.log_path, "ab") as log:
        node.process = subprocess.Popen([BUILD / "gatewayd", "-c", node.config_path], stdout=log,
                                        stderr=log, preexec_fn=limit)
    until(node.is_ready, what="a ready node")
    assert node.metrics()["gatewayd_connections_max"] == (1200 - 200) // 2


def test_ipv6_and_unix_listeners(make_node, origin, tmp_path):
    stale = tmp_path / "in.sock"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(stale))
    port = free_port()
    node = make_node(start=False)
    node.config["listeners"] += [{"name": "six", "address": f"[::1]:{port}"},
                                 {"name": "unix", "address": f"unix:{stale}"}]
    node.write_config()
    node.start()
    node.upstream("o", origin)
    node.route("r", "o")
    with Connection(("::1", port)) as c:
        assert c.request("GET", "/").status == 200
    assert origin.last.header("X-Forwarded-For") == "::1"
    assert 'for="[::1]"' in origin.last.header("Forwarded")
    with Connection(str(stale)) as c:
        assert c.request("GET", "/").status == 200


def test_max_of_the_node(make_node, origin):
    node = make_node(max={"header_bytes": "4k", "headers": 20, "body_bytes": 100})
    node.upstream("o", origin)
    node.route("r", "o")
    node.route("large", "o", paths=["/large"], max_body="1k")
    assert node.get("/", {"X": "a" * 3500}).status == 200
    assert node.get("/", {"X": "a" * 4200}).status == 431
    assert node.get("/", [(f"X-{i}", "a") for i in range(19)]).status == 200
    assert node.get("/", [(f"X-{i}", "a") for i in range(20)]).status == 431
    assert node.request("POST", "/", body="a" * 100).status == 200
    assert node.request("POST", "/", body="a" * 101).status == 413
    assert node.request("POST", "/large", body="a" * 101).status == 200


def test_heads_of_upstreams_are_as_bounded(make_node, make_origin):
    node = make_node(max={"header_bytes": "4k", "headers": 20})

    def handler(peer, request):
        count, size = request.target.strip("/").split("-")
        peer.respond(200, b"x", [(f"X-{i}", "a" * int(size)) for i in range(int(count))])

    node.upstream("o", make_origin(handler), retries={"attempts": 0})
    node.route("r", "o")
    assert [node.get(f"/{what}").status for what in ("1-3500", "1-4200", "15-1", "30-1")] == [
        200, 502, 200, 502]


@pytest.mark.parametrize("access", ["stdout", "off"])
def test_where_the_access_log_goes(make_node, access):
    node = make_node(log={"access": access, "level": "error"})
    assert node.get("/nothing-here").status == 404
    if access == "stdout":
        until(lambda: '"path":"/nothing-here"' in node.log(), what="a line of the access log")
    assert node.stop() == 0
    assert ('"path":"/nothing-here"' in node.log()) == (access == "stdout")
    assert '"level":"info"' not in node.log()


def test_a_bootstrap_with_errors_or_an_unknown_token_role_is_no_start(make_node, tmp_path):
    bad = tmp_path / "resources.conf"
    bad.write_text('routes = ( { name = "r"; upstream = "none"; } );\n')
    node = make_node(start=False, bootstrap=str(bad))
    (node.folder / "tokens").write_text("me king " + "0" * 64 + "\n")
    done = subprocess.run([BUILD / "gatewayd", "-c", node.config_path], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"{bad}:1: " in done.stderr and f"{node.folder}/tokens:1: " in done.stderr


def test_a_wrong_command_line_is_said():
    done = subprocess.run([BUILD / "gatewayd", "-x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "usage" in done.stderr
    done = subprocess.run([BUILD / "gatewayd", "-c", "/none/such"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 1 and "/none/such" in done.stderr


@pytest.mark.parametrize("first", ["key", "sha256"])
def test_a_revoked_key_stays_revoked_whichever_way_it_is_brought_again(make_node, tmp_path, first):
    """Under a secret a key and its SHA-256 are kept as two."""
    secret = tmp_path / "secret"
    secret.write_text("a secret of the cluster\n")
    secret.chmod(0o600)
    node = make_node(cluster={"secret_file": str(secret)})
    node.route("r", respond={"body": "in"}, auth={"methods": ["key"]})
    node.consumer("acme")
    foreign = "legacy-key-0123456789"
    ways = {"key": foreign, "sha256": hashlib.sha256(foreign.encode()).hexdigest()}

    def bring(way):
        line = json.dumps({"consumer": "acme", way: ways[way]}).encode()
        return node.admin("POST", "/v1/keys/import", line, headers=NDJSON).status

    assert bring(first) == 201
    assert node.get("/", {"X-API-Key": foreign}).status == 200
    made = node.admin("GET", "/v1/keys").json["items"][0]
    assert node.admin("DELETE", f"/v1/keys/{made['id']}").status == 204
    assert bring(first) == 409 and bring("key") == 409
    assert bring("sha256") in (201, 409)
    assert node.get("/", {"X-API-Key": foreign}).json["type"].endswith(":key-revoked")
    answer = node.admin("POST", "/v1/consumers/acme/keys", {"key": foreign})
    assert answer.status == 409 and answer.json["type"].endswith(":revoked")


def test_imported_keys_are_digested_under_the_secret_of_the_cluster(make_node, origin, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a secret of the cluster\n")
    secret.chmod(0o600)
    node = make_node(cluster={"secret_file": str(secret)})
    node.upstream("o", origin)
    node.route("r", "o", auth={"methods": ["key"]})
    node.consumer("acme")
    foreign = "legacy-key-0123456789"
    assert node.admin("POST", "/v1/consumers/acme/keys", {"key": foreign}).status == 201
    assert node.get("/", {"X-API-Key": foreign}).status == 200
    own = node.key("acme")["key"]
    kept = b"".join(p.read_bytes() for p in (node.folder / "state").iterdir() if p.is_file())
    under = hmac.new(b"a secret of the cluster", foreign.encode(), hashlib.sha256)
    for digest, is_kept in ((hashlib.sha256(foreign.encode()), False), (under, True),
                            (hashlib.sha256(own.encode()), True)):
        assert (digest.digest() in kept or digest.hexdigest().encode() in kept) == is_kept
