# SPDX-License-Identifier: Apache-2.0
"""Draining and giving back from every state, and what a crowd at the admin address keeps out."""
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness.children import as_in_a_terminal
from harness.client import Cut
from harness.lines import whole_lines
from harness.node import BUILD, TOKENS
from harness.offer import milliseconds
from harness.peer import SECRET, ask, sign
from harness.wait import SLOWNESS, until
from test_cluster_crowds import member_like
from test_ha_runtime import SERVES, YIELDS, Site

ROOM = 512  # connections of the admin API


# ---- who says nothing keeps nobody out ----------------------------------------------------------


@pytest.mark.sanitize
@pytest.mark.parametrize("said", [b"", b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /v1/sta"])
def test_a_crowd_without_a_token_does_not_shut_operators_out(node, said):
    """Connections that wait for something, more than there is room for, in each state of theirs."""
    with contextlib.ExitStack() as stack:
        with node.admin_connection() as working:
            assert working.call("GET", "/v1/status").status == 200
            waiting = stack.enter_context(node.admin_connection(timeout=60))
            waiting.send("GET /v1/revisions?after=999&wait=30s HTTP/1.1\r\nHost: a\r\n"
                         f"Authorization: Bearer {TOKENS['admin']}\r\n\r\n")
            for _ in range(ROOM + 100):
                s = stack.enter_context(socket.create_connection(("127.0.0.1", node.admin_port)))
                s.sendall(said)
        for _ in range(3):
            assert node.admin("GET", "/v1/status", timeout=5).status == 200
        # A call that is being answered is nobody's room.
        assert waiting.sock.gettimeout() and not waiting.is_closed(timeout=0.2)


# ---- draining, and back -------------------------------------------------------------------------


@pytest.fixture(name="site")
def fixture_site(tmp_path, make_node):
    secret = tmp_path / "cluster.secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    return Site(tmp_path, make_node, cluster={"secret_file": str(secret)},
                timeouts={"drain": "20s"})


def phases(site):
    return {a["name"]: a["phase"] for a in site.node.status()["addresses"]}


def test_undrain_without_a_name_ends_every_drain(site, origin):
    site.serve()
    node = site.node
    node.upstream("o", origin)
    node.route("r", "o")
    assert node.admin("POST", "/v1/drain", {"address": "va"}).status == 200
    assert phases(site)["va"] != "serving"
    assert node.admin("DELETE", "/v1/drain").status == 204
    until(lambda: phases(site) == {"va": "serving", "vb": "serving"}, what="both in service")
    with site.connect("127.0.0.2") as c:
        assert c.request("GET", "/").header("Connection") is None
    # Drained as a whole, one taken out of it, drained again: all of it.
    assert node.admin("POST", "/v1/drain", {}).status == 200
    assert node.admin("DELETE", "/v1/drain?address=va").status == 204
    assert phases(site)["va"] == "serving"
    assert node.admin("POST", "/v1/drain", {}).status == 200
    assert phases(site)["va"] != "serving"
    assert node.admin("DELETE", "/v1/drain").status == 204
    assert phases(site) == {"va": "serving", "vb": "serving"}


def test_undrain_without_a_name_ends_the_drain_of_a_listener(make_node, origin):
    node = make_node(start=False)
    node.config["listeners"].append({"name": "other", "address": f"127.0.0.2:{node.port}"})
    node.write_config()
    node.start()
    node.upstream("o", origin)
    node.route("r", "o")
    assert node.admin("POST", "/v1/drain", {"address": "http"}).status == 200
    assert node.get("/").header("Connection") == "close"
    assert node.admin("DELETE", "/v1/drain").status == 204
    assert node.get("/").header("Connection") is None


@pytest.mark.long
def test_what_is_drained_while_the_node_starts_stays_so(site, make_redis):
    """Maintenance does not end because something was slow to load."""
    redis = make_redis(start=False)
    site.node.config["state"].update({"store": "redis", "redis": redis.state()})
    site.node.write_config()
    site.say("va", "BACKUP")
    site.say("vb", "BACKUP")
    site.node.start(wait=False)
    until(lambda: os.path.exists(site.folder / "probe.sock"), what="a node that starts")

    def drained():
        try:
            return site.node.admin("POST", "/v1/drain", {"address": "vb"}).status == 200
        except OSError:
            return False

    until(drained, what="the drain")
    assert site.node.status()["state"] == "starting"
    redis.start()
    until(site.node.is_ready, timeout=30, what="a ready node")
    assert (site.track("vb"), phases(site)["vb"]) == (YIELDS, "drained")
    assert site.node.admin("DELETE", "/v1/drain?address=vb").status == 204
    assert site.track("vb") == SERVES


@pytest.mark.long
def test_an_upgrade_while_an_address_is_given_back_leaves_nothing_drained(site, origin):
    """Its home asked for it, no operator: it asks the new process, and nobody has to undrain."""
    site.serve()
    node = site.node
    node.upstream("o", origin)
    node.route("r", "o")
    answers = []
    with site.connect("127.0.0.3") as slow:
        slow.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        until(lambda: site.place("vb")["exchanges"] == 1, what="a request in flight")
        home = threading.Thread(target=lambda: answers.append(
            ask(node, "POST", "/v1/cluster/yield", {"address": "vb"}).status))
        home.start()
        until(lambda: phases(site)["vb"] == "closing", what="the address on its way")
        assert node.admin("POST", "/v1/drain", {"address": "va"}).status == 200
        assert node.upgrade().status == 200
        assert phases(site) == {"va": "drained", "vb": "serving"}, "what an operator drained, stays"
        with site.connect("127.0.0.3") as c:
            assert c.request("GET", "/").header("Connection") is None
        slow.send("cde")
        assert slow.read().status == 200
    home.join()
    assert answers == [202], "not yet: it is asked for again"
    assert ask(node, "POST", "/v1/cluster/yield", {"address": "vb"}).status == 200


# ---- whatever comes when ------------------------------------------------------------------------


def ask_for(node, is_cut):
    """As the home of "vb" does; a home that dies hangs up before it is answered."""
    body = json.dumps({"address": "vb"}).encode()
    lines = [("Content-Type", "application/json"),
             ("Gatewayd-Signature", sign("POST", "/v1/cluster/yield", body, node.name))]
    try:
        with node.admin_connection(timeout=30) as c:
            if is_cut:
                c.sock.settimeout(random.random() * 0.2)
            c.call("POST", "/v1/cluster/yield", body, token=None, headers=lines)
    except (OSError, Cut):
        pass  # the timeout, or a process that was replaced


def do_something(site, held):
    """One thing that an operator, keepalived, the other node or a client does."""
    node, name = site.node, random.choice(("va", "vb"))
    what = random.randrange(10)
    if what < 2:
        node.admin("POST", "/v1/drain", {} if random.random() < 0.3 else {"address": name})
    elif what < 4:
        node.admin("DELETE", "/v1/drain" + ("" if random.random() < 0.3 else f"?address={name}"))
    elif what < 6:
        site.say(name, random.choice(("MASTER", "MASTER", "BACKUP", "FAULT")))
    elif what == 6:
        thread = threading.Thread(target=ask_for, args=(node, random.random() < 0.5))
        thread.start()
        held.append(thread)
    elif what == 7:
        time.sleep(random.random() * 0.3)
    elif random.random() < 0.15:
        assert node.upgrade().status == 200
    else:
        c = site.connect(random.choice(("127.0.0.2", "127.0.0.3")))
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        held.append(c)


def in_service(site):
    status = site.node.status()
    return status["state"] == "ready" and site.tracks() == (SERVES, SERVES) and \
        [a["phase"] for a in status["addresses"]] == ["serving"] * 2


@pytest.mark.long
@pytest.mark.sanitize_long
def test_whatever_comes_in_whatever_order_ends_in_service(site, origin):
    site.node.config["timeouts"]["drain"] = "1s"
    site.node.write_config()
    site.serve()
    site.node.upstream("o", origin)
    site.node.route("r", "o")
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    random.seed(seed)
    for _ in range(20):
        held = []
        for _ in range(random.randint(3, 14)):
            do_something(site, held)
        for one in held:
            if not isinstance(one, threading.Thread):
                one.close()
        for name in ("va", "vb"):
            site.say(name, "MASTER")
        assert site.node.admin("DELETE", "/v1/drain").status == 204
        for one in held:
            if isinstance(one, threading.Thread):
                one.join()
        until(lambda: in_service(site), timeout=30, what="both addresses in service")
        for host in ("127.0.0.2", "127.0.0.3"):
            with site.connect(host) as c:
                answer = c.request("GET", "/")
                assert (answer.status, answer.header("Connection")) == (200, None)
        until(lambda: sum(a["connections"] + a["exchanges"]
                          for a in site.node.status()["addresses"]) == 0, what="nobody connected")


@pytest.mark.long
def test_a_node_that_refuses_an_address_is_asked_each_second(site, redis):
    """Wrong for half a minute, as clocks or secrets that differ are, it does not fill the log."""
    site.node.config["state"].update({"store": "redis", "redis": redis.state()})
    site.node.write_config()
    site.say("va", "BACKUP")
    site.node.start(timeout=30)
    begun = time.time()

    def refusals():
        """When, in seconds."""
        member_like(redis, "gw-x", "127.0.0.1:1", like="gw-test", vrrp="va=master")
        return [milliseconds(json.loads(line)["time"]) / 1000 for line in whole_lines(site.node.log())
                if "address va is not given back" in line]

    until(lambda: len(refusals()) >= 5, timeout=20, what="a refusal, and some more")
    times = refusals()
    assert times[4] - times[0] > 3, ("not at each look", times)
    assert times[0] - begun > 4 and phases(site)["va"] == "waiting"


# ---- cluster upgrade ----------------------------------------------------------------------------


@pytest.fixture(name="pair")
def fixture_pair(redis, make_cluster):
    cluster = make_cluster(redis)
    cluster.connected()
    until(lambda: cluster[0].admin("PUT", "/v1/consumers/acme", {}).status in (200, 201),
          what="a first revision")
    cluster.agree()
    cluster.know_each_other()
    return cluster


def begin_upgrade(node, *args):
    environment = {**os.environ, "HOME": "/nonexistent", "GATEWAYCTL_TOKEN": TOKENS["admin"],
                   "GATEWAYCTL_SERVER": f"http://127.0.0.1:{node.admin_port}"}
    return subprocess.Popen([BUILD / "gatewayctl", "cluster", "upgrade", *args], env=environment,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, preexec_fn=as_in_a_terminal)


def interrupt_before_its_command(pair, mark, number):
    with begin_upgrade(pair[0], "--run", f"touch {mark}") as upgrade:
        until(lambda: pair[0].status()["state"] == "draining", what="a node that is drained")
        upgrade.send_signal(number)
        said, complained = upgrade.communicate(timeout=30 * SLOWNESS)
    assert upgrade.returncode == 1 and not mark.exists(), (said, complained)
    assert [n.status()["state"] for n in pair] == ["ready", "ready"]
    assert "gw-a: The upgrade was interrupted. Its command was not run." in complained
    assert "gw-a: no longer draining" in said
    assert "To go on: gatewayctl cluster upgrade gw-a gw-b" in complained


def interrupt_its_command(pair, folder):
    running, told = folder / "running", folder / "told"
    line = f"touch {running}; while [ ! -e {told} ]; do sleep 0.05; done"
    with begin_upgrade(pair[0], "--drain-for", "0s", "--run", line) as upgrade:
        until(running.exists, what="the command")
        upgrade.send_signal(signal.SIGTERM)
        told.touch()
        said, complained = upgrade.communicate(timeout=30 * SLOWNESS)
    assert upgrade.returncode == 1, (said, complained)
    assert "gw-a: The upgrade was interrupted. It stays drained" in complained
    assert pair[1].status()["state"] == "ready" and "gw-b: draining" not in said
    assert pair[0].admin("DELETE", "/v1/drain").status == 204


def read_no_further(pair, mark):
    with begin_upgrade(pair[0], "gw-a", "--drain-for", "0s", "--run",
                       f"echo and more; touch {mark}; exit 3") as upgrade:
        upgrade.stdout.close()
        complained = upgrade.stderr.read()
        assert upgrade.wait(30 * SLOWNESS) == 1
    assert "It stays drained" in complained, complained
    assert pair[0].admin("DELETE", "/v1/drain").status == 204


@pytest.mark.long
def test_the_token_goes_to_no_member_beyond_this_host_in_the_clear(pair, redis):
    """Who can write to Redis says where members are: not where operators' tokens go."""
    member_like(redis, "gw-x", "192.0.2.1:9080")
    until(lambda: "gw-x" in pair[0].admin("GET", "/v1/nodes").text, what="the member being seen")
    with begin_upgrade(pair[0], "gw-a", "--dry-run", "--run", "true") as upgrade:
        complained = upgrade.communicate(timeout=30 * SLOWNESS)[1]
    assert upgrade.returncode == 1
    assert "The node gw-x is at 192.0.2.1:9080, beyond this host: the token is not sent there " \
           "without TLS." in complained, complained


@pytest.mark.long
def test_an_interrupted_upgrade_leaves_no_node_drained_unsaid(pair, tmp_path):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        interrupt_before_its_command(pair, tmp_path / "was-run", number)
    interrupt_its_command(pair, tmp_path)
    read_no_further(pair, tmp_path / "ran-on")
