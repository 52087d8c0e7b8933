# SPDX-License-Identifier: Apache-2.0
"""gatewayctl cluster upgrade: two nodes are replaced one after the other while somebody uses them,
and whatever is not sure ends it."""
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from harness.client import Cut
from harness.deployer import Deployer
from harness.load import Load
from harness.node import BUILD, TOKENS
from harness.wait import SLOWNESS, until

pytestmark = pytest.mark.sanitize_long


@pytest.fixture(name="pair")
def fixture_pair(redis, make_cluster, make_origin):
    cluster = make_cluster(redis)
    cluster.connected()
    until(lambda: cluster[0].admin("PUT", "/v1/consumers/acme", {}).status in (200, 201),
          what="a first revision")
    cluster[0].upstream("u", make_origin())
    cluster[0].route("r", "u")
    cluster.agree()
    cluster.know_each_other()
    return cluster


@pytest.fixture(name="deployer")
def fixture_deployer(pair, tmp_path):
    deployer = Deployer(tmp_path / "deploy", {node.name: node for node in pair})
    deployer.start()
    yield deployer
    deployer.stop()


def upgrade(node, *args, expect=0, **options):
    environment = {**os.environ, "HOME": "/nonexistent", "GATEWAYCTL_TOKEN": TOKENS["admin"],
                   "GATEWAYCTL_SERVER": f"http://127.0.0.1:{node.admin_port}"}
    done = subprocess.run([BUILD / "gatewayctl", "cluster", "upgrade", *args], env=environment,
                          stdin=subprocess.DEVNULL, text=True, capture_output=True,
                          timeout=120 * SLOWNESS, check=False, **options)
    assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
    return done


def incarnations(pair):
    """Each by its own word."""
    return [item["incarnation"] for node in pair
            for item in node.admin("GET", "/v1/nodes").json["items"] if item.get("self")]


def states(pair):
    return [node.status()["state"] for node in pair]


class Balancer(threading.Thread):
    """Sends to nodes that say they are ready, as a load balancer does: looks each 100 ms."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes = list(nodes)
        self.is_over = threading.Event()
        self.served, self.failures, self.least_ready = 0, [], len(self.nodes)

    def is_ready(self, node):
        try:
            return node.is_ready()
        except AttributeError:  # the story starts it at this moment
            return False

    def run(self):
        ready, looked = [], 0.0
        while not self.is_over.is_set():
            if time.monotonic() - looked > 0.1:
                ready = [n for n in self.nodes if self.is_ready(n)]
                self.least_ready = min(self.least_ready, len(ready))
                looked = time.monotonic()
            for node in ready:
                self.send(node)
            time.sleep(0.005)

    def send(self, node):
        try:
            status = node.get("/").status
            self.served += 1
            if status != 200:
                self.failures.append((node.name, status))
        except (OSError, Cut) as error:
            self.failures.append((node.name, repr(error)))

    def stop(self):
        self.is_over.set()
        self.join(20 * SLOWNESS)


def test_node_by_node_while_somebody_uses_them(pair, deployer):
    before = incarnations(pair)
    balancer = Balancer(pair)
    balancer.start()
    done = upgrade(pair[0], "--run", deployer.command)
    until(lambda: balancer.served > 50, timeout=20, what="requests")
    balancer.stop()
    assert deployer.asked == ["gw-a", "gw-b"] and deployer.statuses == [0, 0]
    assert balancer.failures == [] and balancer.least_ready == 1
    after = incarnations(pair)
    assert not set(before) & set(after) and len(set(after)) == 2
    assert states(pair) == ["ready", "ready"]
    said = [line for line in done.stdout.splitlines() if line]
    for name in ("gw-a", "gw-b"):
        mine = [line for line in said if line.startswith(name + ":")]
        assert [re.sub(r"[0-9./]+.*", "", line.split(": ", 1)[1]) for line in mine] == [
            "draining", "nothing is in flight", "running: ", "ready again, at revision "], said
    assert "deploying gw-a" in said and said[-1] == "2 of 2 nodes were upgraded."
    assert said.index("gw-b: draining") > said.index("deploying gw-a")


def test_a_dry_run_changes_nothing(pair, deployer):
    before = incarnations(pair)
    done = upgrade(pair[1], "--dry-run", "--run", "deploy {node} at {host}, {address}")
    assert deployer.asked == [] and incarnations(pair) == before
    assert states(pair) == ["ready", "ready"]
    for node in pair:
        assert f"{node.name}: would be drained\n" in done.stdout
        assert f"{node.name}: would run: deploy {node.name} at 127.0.0.1, " \
               f"127.0.0.1:{node.admin_port}\n" in done.stdout


def test_what_a_command_is_told(pair, tmp_path):
    """By its line, by its environment; and what it says is shown."""
    line = 'echo "$GATEWAYD_NODE $GATEWAYD_HOST $GATEWAYD_ADDRESS" {node} "{x}"; exit 9'
    done = upgrade(pair[0], "gw-b", "--drain-for", "0s", "--run", line, expect=1)
    assert f"gw-b 127.0.0.1 127.0.0.1:{pair[1].admin_port} gw-b {{x}}\n" in done.stdout
    assert "The command ended with status 9" in done.stderr


@pytest.mark.parametrize("how", ["draining", "stopped", "killed", "without Redis"])
def test_nothing_is_done_unless_the_other_node_is_sound(redis, make_cluster, make_proxy, tmp_path,
                                                        how):
    proxy = make_proxy(redis)
    pair = make_cluster(redis, start=False)
    pair[1].config["state"]["redis"]["servers"] = [proxy.address]
    pair[1].write_config()
    pair.start()
    pair.connected()
    until(lambda: pair[0].admin("PUT", "/v1/consumers/acme", {}).status in (200, 201),
          what="a first revision")
    until(lambda: len(pair[0].admin("GET", "/v1/nodes").json["items"]) == 2, what="both nodes")
    mark = tmp_path / "was-run"
    if how == "draining":
        assert pair[1].admin("POST", "/v1/drain", {}).status == 200
    elif how == "stopped":
        pair[1].signal(signal.SIGSTOP)
    elif how == "killed":
        pair[1].kill()
    else:
        proxy.refusing = True
        proxy.cut()
        until(lambda: pair[1].status()["store"]["state"] == "away", what="gw-b without Redis")
    done = upgrade(pair[0], "gw-a", "--run", f"touch {mark}", expect=1)
    words = {"draining": "gw-b is draining", "without Redis": "gw-b has a store that is away"}
    assert words.get(how, "cannot be reached") in done.stderr
    assert "Nothing was done with this node." in done.stderr
    assert not mark.exists() and pair[0].status()["state"] == "ready"


def test_a_command_that_fails_ends_it_and_it_goes_on_later(pair, deployer):
    line = f'if [ {{node}} = gw-b ]; then exit 7; fi; {deployer.command}'
    done = upgrade(pair[0], "--run", line, expect=1)
    assert deployer.asked == ["gw-a"]
    assert states(pair) == ["ready", "draining"]
    assert "gw-b: The command ended with status 7. It stays drained; " \
           f"`gatewayctl -s http://127.0.0.1:{pair[1].admin_port} undrain`" in done.stderr
    assert "Done: gw-a. To go on: gatewayctl cluster upgrade gw-b --run" in done.stderr
    upgrade(pair[0], "gw-b", "--run", deployer.command)
    assert deployer.asked == ["gw-a", "gw-b"]
    assert states(pair) == ["ready", "ready"]


def test_a_command_that_replaces_nothing_is_noticed(pair):
    done = upgrade(pair[0], "--run", "true", "--within", "1s", "--drain-for", "0s", expect=1)
    assert "It is the process that it was" in done.stderr
    assert "ready again" not in done.stdout and "gw-b: draining" not in done.stdout
    pair[0].admin("DELETE", "/v1/drain")


def test_a_node_that_does_not_come_back_ends_it_and_is_mended(pair, deployer):
    deployer.restart = lambda node: node.kill()
    done = upgrade(pair[1], "--run", deployer.command, "--within", "1s", expect=1)
    assert deployer.asked == ["gw-a"]
    assert "gw-a: The gateway at" in done.stderr and "cannot be reached" in done.stderr
    assert pair[1].status()["state"] == "ready"
    # Named, it is upgraded although it is down.
    deployer.restart = lambda node: node.start(wait=False)
    done = upgrade(pair[1], "gw-a", "--run", deployer.command)
    assert "gw-a: does not answer; its command is run all the same" in done.stdout
    assert states(pair) == ["ready", "ready"]


def test_a_version_that_is_there_already_is_passed_over(pair, deployer):
    version = pair[0].status()["version"]
    done = upgrade(pair[0], "--run", deployer.command, "--to", version)
    assert deployer.asked == [] and done.stdout.count(f"is version {version} already") == 2
    done = upgrade(pair[0], "--run", deployer.command, "--to", "99.0.0", expect=1)
    assert deployer.asked == ["gw-a"]
    assert f"It is version {version} now, not 99.0.0" in done.stderr


def test_what_is_in_flight_is_waited_for_but_not_for_ever(pair, make_origin, deployer):
    release = threading.Event()

    def restart(node):
        threading.Timer(0.5, release.set).start()  # the restart drains too
        Deployer.restart(deployer, node)

    def slow(peer, request):
        release.wait(60 * SLOWNESS)
        peer.respond(200, b"late")
        return False

    pair[0].upstream("slow", make_origin(slow))
    pair[0].route("slow", "slow", paths=["/slow"])
    pair.agree()
    answers = []
    client = threading.Thread(target=lambda: answers.append(
        pair[0].get("/slow", timeout=60 * SLOWNESS).status))
    client.start()
    until(lambda: pair[0].status()["exchanges"] > 0, what="a request in flight")
    deployer.restart = restart
    done = upgrade(pair[0], "gw-a", "--run", deployer.command, "--drain-for", "1s")
    client.join()
    assert "gw-a: 1 exchanges and streams are in flight still; going on" in done.stdout
    assert answers == [200]


def test_live_drains_nobody(pair, deployer):
    done = upgrade(pair[0], "--live", "--run", deployer.command)
    assert deployer.asked == ["gw-a", "gw-b"]
    assert "draining" not in done.stdout and states(pair) == ["ready", "ready"]


def test_live_replaces_the_binaries_and_nobody_notices(pair, deployer):
    """The command is `gatewayctl upgrade` on each node, as a package does it; clients stay."""
    before = incarnations(pair)
    deployer.restart = lambda node: deployer.statuses.append(node.upgrade().status)
    loads = [Load(node.address, ["/"], connections=4, renew=0.2, pause=0.01) for node in pair]
    done = upgrade(pair[0], "--live", "--run", deployer.command)
    for load in loads:
        load.reaches(50)
    reports = [load.stop() for load in loads]
    assert deployer.statuses == [200, 200]
    for report in reports:
        assert report.failures == [], report
    assert not set(before) & set(incarnations(pair))
    assert done.stdout.count("ready again") == 2 and states(pair) == ["ready", "ready"]


def test_the_only_node_is_not_drained(node):
    done = upgrade(node, "--run", "true", expect=1)
    assert "is the only node" in done.stderr and "--live" in done.stderr
    assert node.status()["state"] == "ready"


def test_misuse_is_told(pair):
    assert "--run says" in upgrade(pair[0], expect=2).stderr
    assert "no node gw-x" in upgrade(pair[0], "gw-x", "--run", "true", expect=1).stderr
    assert pair[1].stop() == 0
    until(lambda: len(pair[0].admin("GET", "/v1/nodes").json["items"]) == 1, what="gw-b leaving")
    assert "start it first" in upgrade(pair[0], "gw-b", "--run", "true", expect=1).stderr
    assert "duration" in upgrade(pair[0], "--run", "true", "--within", "soon", expect=2).stderr
