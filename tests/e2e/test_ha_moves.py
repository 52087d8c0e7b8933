# SPDX-License-Identifier: Apache-2.0
"""Addresses that are moved on purpose: drains, restarts, nodes that come back. Under a steady load
of new and kept connections, with requests in flight all the time, nothing fails."""
import re
import signal
import time

import pytest

from harness.deployer import Deployer
from harness.lab import Load
from harness.wait import until

pytestmark = pytest.mark.ha

# A kept connection in three waits most of its time for a slow answer.
PATHS = ("/fast", "/wait/50", "/wait/400")


def test_a_node_is_drained_and_comes_back(lab):
    lab.restore()
    load = Load(lab, paths=PATHS)
    lab.a.ctl("drain")
    until(lambda: lab.b.held() == set(lab.addresses()) and lab.a.held() == set(), timeout=20,
          what="the addresses at the other node")
    time.sleep(0.5)
    lab.a.ctl("undrain")
    lab.settle()
    load.stop_without_a_failure("drain and undrain")


def test_one_address_is_drained(lab):
    lab.restore()
    load = Load(lab, paths=PATHS)
    lab.a.ctl("drain", "a")
    until(lambda: "a" in lab.b.held() and "a" not in lab.a.held(), timeout=20,
          what="the address at the other node")
    assert "a6" in lab.a.held() and lab.a.is_ready()
    time.sleep(0.5)
    lab.a.ctl("undrain", "a")
    lab.settle()
    load.stop_without_a_failure("one address")


def test_both_nodes_are_restarted_one_after_the_other(lab):
    """As an administrator does it: systemctl stop and start, the other one once all is well."""
    lab.restore()
    load = Load(lab, paths=PATHS)
    for node in lab.nodes:
        assert node.stop() == 0, node.log("gatewayd")[-3000:]
        assert node.held() == set()
        node.start()
        lab.settle()
    load.stop_without_a_failure("restarts")


@pytest.mark.parametrize("what", ["cable", "keepalived"])
def test_what_was_lost_is_asked_for_when_it_can_be_held_again(lab, what):
    """gatewayd never stopped serving; a cable is put back, keepalived is started again."""
    lab.restore()
    if what == "cable":
        lab.a.link(False)
    else:
        lab.a.kill_keepalived("parent", "child")
    until(lambda: lab.b.held() == set(lab.addresses()) and lab.a.held() == set(), timeout=10,
          what="the addresses at the other node")
    until(lambda: all(lab.a.track(name) == -100 for name in lab.homes(lab.a)), timeout=10,
          what="gatewayd having heard of it")
    load = Load(lab, paths=PATHS)
    time.sleep(0.3)
    lab.restore()
    load.stop_without_a_failure(f"{what} back")


@pytest.fixture(name="everyday")
def fixture_everyday(lab):
    """keepalived without real-time priority: without CAP_SYS_RESOURCE it cannot raise its limit again
    when it reads its configuration, and the kernel kills it."""
    lab.restore()
    confs = [node.folder / "keepalived.conf" for node in lab.nodes]
    kept = [conf.read_text() for conf in confs]

    def restart(texts):
        for node, conf, text in zip(lab.nodes, confs, texts):
            conf.write_text(text)
            node.end("keepalived")
            node.start()
        lab.settle()

    restart([re.sub(r"(?m)^ +vrrp_r(t_priority|limit_rttime).*\n", "", text) for text in kept])
    yield lab
    restart(kept)


def test_keepalived_reads_its_configuration_again(everyday):
    """Nothing moves, and what is said of the addresses stays true."""
    lab = everyday
    held = [node.held() for node in lab.nodes]
    load = Load(lab, paths=PATHS)
    time.sleep(0.3)
    for node in lab.nodes:
        node.signal("keepalived", signal.SIGHUP)
        until(lambda n=node: "Reload complete" in n.log("keepalived"), timeout=10, what="a reload")
    time.sleep(1)
    assert [node.held() for node in lab.nodes] == held, lab.story()
    for node, addresses in zip(lab.nodes, held):
        for name, said in node.states().items():
            assert said == ("MASTER" if name in addresses else "BACKUP"), f"{node.node}: {name} {said}"
    load.stop_without_a_failure("keepalived reloaded")


def test_keepalived_is_restarted(lab):
    """Ending politely it gives its addresses up before gatewayd could drain them: what is open
    breaks, and nobody waits for long."""
    lab.restore()
    load = Load(lab, timeout=600)  # what a node took with it is answered by nobody
    time.sleep(0.3)
    lab.a.end("keepalived")
    time.sleep(1)
    report = load.stop()
    print(f"keepalived stopped: {report}")
    assert lab.b.held() == set(lab.addresses()) and lab.a.held() == set()
    assert max(report.gap(address) for address in lab.addresses().values()) <= 1.0, f"{report}\n{lab.story()}"


def test_the_pair_is_upgraded(lab, tmp_path):
    """gatewayctl cluster upgrade: each node is drained, replaced, and has its addresses again before
    the next one."""
    lab.restore()
    deployer = Deployer(tmp_path / "deploy", {node.node: node for node in lab.nodes})

    def restart(node):
        deployer.statuses.append(node.end("gatewayd", timeout=60))
        node.start_gatewayd()

    deployer.restart = restart
    deployer.start()
    load = Load(lab, paths=PATHS)
    try:
        said = lab.a.ctl("cluster", "upgrade", "--yes", "--run", deployer.command, timeout=200)
    finally:
        deployer.stop()
    assert deployer.asked == ["gw-a", "gw-b"] and deployer.statuses == [0, 0], said
    lab.settle()
    load.stop_without_a_failure("the pair upgraded")


def test_a_node_is_drained_under_tls(lab):
    lab.restore()
    addresses = [lab.addresses()["a"]]
    load = Load(lab, addresses, paths=PATHS, tls=True)
    lab.a.ctl("drain")
    until(lambda: "a" in lab.b.held() and lab.a.held() == set(), timeout=20,
          what="the addresses at the other node")
    time.sleep(0.5)
    lab.a.ctl("undrain")
    lab.settle()
    load.stop_without_a_failure("drain and undrain under TLS")
