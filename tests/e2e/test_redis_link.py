# SPDX-License-Identifier: Apache-2.0
"""A node's way to Redis: who it is there, whom it believes, and what an operator is told."""
import pathlib
import signal
import subprocess

import pytest

from harness.certs import Authority
from harness.history import give_history
from harness.node import BUILD, Node
from harness.redis import PASSWORD, acl_line
from harness.wait import until


LINKS = ("calls", "follow", "limits")


def connected(node):
    return node.status()["store"]["state"] == "connected"


def shared(redis_state):
    return {"store": "redis", "redis": redis_state}


def start(make_node, redis_state):
    """A node with a history: an empty one waits whether another node has something to bring."""
    node = make_node(state=shared(redis_state), start=False)
    give_history(node)
    node.start()
    until(lambda: connected(node), timeout=15, what="a node with Redis")
    node.upstream("u", {"address": "127.0.0.1:1"})
    return node


def check(folder, redis_state):
    """gatewayd -t: (status, what it says)"""
    node = Node(folder, state=shared(redis_state))
    done = subprocess.run([BUILD / "gatewayd", "-t", "-c", node.config_path], capture_output=True,
                          text=True, timeout=30, check=False)
    return done.returncode, done.stderr


def command_line(node):
    return pathlib.Path(f"/proc/{node.process.pid}/cmdline").read_bytes().decode()


def test_passwords_are_read_from_files_and_never_told(make_node, redis):
    node = start(make_node, redis.state())
    redis.write_acl()  # the user is gone
    redis.cli("ACL", "LOAD")
    until(lambda: not connected(node), what="a node without Redis")
    until(lambda: "WRONGPASS" in node.log(), what="the reason in the log")
    told = node.log() + command_line(node) + node.admin("GET", "/v1/status").text + \
        node.admin("GET", "/metrics", token=None).text
    assert PASSWORD not in told


def test_a_password_that_changes_is_read_again_on_sighup(make_node, redis):
    node = start(make_node, redis.state())
    redis.write_acl(acl_line(password="another-password"))
    redis.cli("ACL", "LOAD")
    redis.cli("CLIENT", "KILL", "USER", "gatewayd")
    until(lambda: not connected(node), what="a node without Redis")
    (redis.folder / "password").write_text("another-password\n")
    node.signal(signal.SIGHUP)
    until(lambda: connected(node), what="a node with Redis again")


def test_minus_t_looks_at_the_files_of_redis(tmp_path, make_redis):
    redis = make_redis(start=False)  # -t connects to nothing
    assert check(tmp_path / "right", redis.state()) == (0, "")
    (redis.folder / "password").chmod(0o646)
    status, said = check(tmp_path / "open", redis.state())
    assert status == 1 and "state.redis.password_file" in said and "chmod 0600" in said
    status, said = check(tmp_path / "none", redis.state(password_file="/nonexistent/password",
                                                        tls={"ca": "/nonexistent/ca.pem"}))
    assert status == 1 and "/nonexistent/password" in said and "/nonexistent/ca.pem" in said


def test_minus_v_names_hiredis():
    said = subprocess.run([BUILD / "gatewayd", "-V"], capture_output=True, text=True, timeout=30,
                          check=True).stdout
    assert "hiredis " in said


@pytest.mark.parametrize("settings, words", [
    ({"maxmemory_policy": "allkeys-lru"}, "set maxmemory-policy noeviction"),
    ({"replicaof": "127.0.0.1 1"}, "it is a replica"),
])
def test_a_redis_that_will_not_do_is_refused_with_a_sentence(make_node, make_redis, settings, words):
    redis = make_redis(**settings)
    node = make_node(state=shared(redis.state()), start=False)
    node.start(wait=False)
    until(lambda: words in node.log(), what="the sentence in the log")


def test_tls_with_certificates_on_both_sides(make_node, make_redis, tmp_path):
    authority = Authority(tmp_path / "ca")
    cert, key = authority.issue("redis", "127.0.0.1")
    client_cert, client_key = authority.issue("node", "gw-a")
    redis = make_redis(tls={"ca": authority.cert, "cert": cert, "key": key},
                       tls_auth_clients="yes")
    tls = {"ca": str(authority.cert), "cert": str(client_cert), "key": str(client_key)}
    node = start(make_node, redis.state(tls=tls))
    redis.restart()
    until(lambda: connected(node) and node.admin("PUT", "/v1/consumers/c", {}).status in (200, 201),
          what="a node with Redis again")


def test_a_fail_over_is_followed(make_node, make_sentinels):
    cluster = make_sentinels()
    node = start(make_node, cluster.state())
    cluster.sentinels[0].kill()
    before = cluster.master()
    before.kill()
    after = cluster.wait_for_other_master(before)
    until(lambda: connected(node) and f"connected to Redis {after.address}" in node.log(),
          timeout=15, what="a node with the other Redis")
    node.upstream("v", {"address": "127.0.0.1:1"})


def test_a_restart_is_told_once_each_way(make_node, redis):
    node = start(make_node, redis.state())
    until(lambda: {node.metrics()[f'gatewayd_redis_up{{link="{use}"}}'] for use in LINKS} == {1},
          what="all connections")
    assert node.metrics()['gatewayd_redis_calls_total{link="calls",outcome="answered"}'] > 0
    redis.kill()
    until(lambda: "Redis is away" in node.log(), what="a line that it is away")
    until(lambda: not any(node.metrics()[f'gatewayd_redis_up{{link="{use}"}}'] for use in LINKS),
          what="a metric that says so")
    assert node.metrics()['gatewayd_redis_lost_total{link="calls"}'] == 1
    redis.start()
    until(lambda: node.log().count("connected to Redis") == 2, what="a line that it is back")
    assert node.log().count("Redis is away") == 1


@pytest.mark.long
def test_what_hangs_is_noticed_and_what_flaps_does_not_flood_the_log(make_node, make_proxy, redis):
    proxy = make_proxy(redis)
    node = start(make_node, redis.state(servers=[proxy.address]))
    proxy.holding = True
    until(lambda: not connected(node), timeout=10, what="a node that notices")
    proxy.holding = False
    until(lambda: connected(node), timeout=10, what="a node with Redis again")
    before = node.log().count('"subject":"redis"')
    for _ in range(20):
        proxy.cut()
        until(lambda: connected(node), what="a node with Redis again")
    assert node.log().count('"subject":"redis"') - before <= 12


def test_a_redis_that_answers_late_still_takes_writes(make_node, make_proxy, redis):
    proxy = make_proxy(redis)
    node = start(make_node, redis.state(servers=[proxy.address], timeout="100ms"))
    proxy.delay = 0.2
    until(lambda: "no connection to Redis for limits" in node.log(), what="limits without Redis")
    until(lambda: connected(node), what="a node with Redis")
    node.upstream("v", {"address": "127.0.0.1:1"})
    assert connected(node)
    proxy.delay = 0
    until(lambda: f"connected to Redis {proxy.address} for limits again" in node.log(),
          what="limits with Redis")
