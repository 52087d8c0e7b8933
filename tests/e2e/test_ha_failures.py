# SPDX-License-Identifier: Apache-2.0
"""What breaks at a site with the real keepalived, under a steady load of new and kept connections
through all its addresses: how long an address is without an answer, and what fails."""
import re
import shutil
import time

import pytest

from harness.gaps import ANYTHING, GONE, HUNG, KILLED, PATIENCE_MS, best
from harness.lab import Load
from harness.wait import until

pytestmark = pytest.mark.ha


def test_nothing_fails_while_nothing_happens(lab):
    report = best(lab, lambda: None, KILLED, "nothing", spared=())
    assert report.failed() == 0, report.failures()


def test_gatewayd_is_killed(lab):
    best(lab, lambda: lab.a.kill("gatewayd"), KILLED, "gatewayd killed")
    assert lab.b.held() == set(lab.addresses()) and lab.a.held() == set()
    until(lambda: set(lab.a.states().values()) == {"FAULT"}, what="keepalived saying so")


def test_gatewayd_is_killed_under_tls(lab):
    best(lab, lambda: lab.a.kill("gatewayd"), KILLED, "gatewayd killed, TLS", spared=(),
         addresses=[lab.addresses()["a"]], tls=True)


def test_gatewayd_hangs(lab):
    """Its kernel goes on accepting connections that nobody answers. Before the addresses move they
    are reset; who came again in that moment has to give up by itself."""
    best(lab, lab.a.freeze, HUNG, "gatewayd hung")
    until(lambda: re.search(r"[1-9]\d* connections were reset", lab.a.log("hold")),
          what="the connections being reset")
    assert lab.b.held() == set(lab.addresses()) and lab.a.held() == set()


@pytest.mark.parametrize("which", [("parent",), ("child",), ("parent", "child")],
                         ids=["parent", "child", "both"])
def test_keepalived_is_killed(lab, which):
    """Where it does not come back its addresses are taken off the node, once others have them."""
    best(lab, lambda: lab.a.kill_keepalived(*which), HUNG, f"keepalived killed ({' and '.join(which)})")
    if "parent" in which:
        until(lambda: lab.a.held() == set(), what="the addresses being taken off")
        assert lab.b.held() == set(lab.addresses())
        until(lambda: set(lab.a.states().values()) == {"STOP"}, what="what is said of keepalived")


def test_a_node_is_cut_off(lab):
    """Its cable is pulled: it knows."""
    best(lab, lambda: lab.a.link(False), GONE, "cable pulled")


def test_a_node_is_cut_off_without_knowing(lab):
    """The switch passes nothing on. Both hold the addresses then; once they hear each other again
    the one at home, which never gave them up, has them: nobody could ask it to wait."""
    def event():
        lab.a.pass_on(False)
        until(lambda: lab.b.held() == set(lab.addresses()), what="the addresses at the other node")
        until(lambda: lab.a.held() == set(lab.addresses()), what="it hears nobody either")
        time.sleep(0.5)
        lab.a.pass_on(True)

    best(lab, event, GONE, "cut off by the switch, and back", spared=(), seconds=2)
    until(lambda: lab.b.held() == lab.homes(lab.b), what="one holder of each address")


def test_power_off_and_back(lab):
    best(lab, lab.a.power_off, GONE, "power off")
    load = Load(lab, paths=("/fast", "/wait/200"))
    lab.a.power_on()
    lab.settle()
    report = load.stop()
    print(f"node back: {report}")
    assert report.failed() == 0, f"{report}\n{report.failures()[:20]}"


def test_the_check_hangs(lab):
    """The backstop itself is broken on one node: its addresses move. On both: nobody is better,
    and they stay."""
    def hang(node):
        path = node.program("gatewayd-watch")
        path.rename(path.with_suffix(".away"))
        path.write_text("#!/bin/sh\nexec sleep 60\n")
        path.chmod(0o755)

    def put_back(node):
        away = node.program("gatewayd-watch").with_suffix(".away")
        if away.exists():
            shutil.move(away, node.program("gatewayd-watch"))

    try:
        lab.restore()
        load = Load(lab, timeout=PATIENCE_MS)
        hang(lab.a)
        until(lambda: lab.b.held() == set(lab.addresses()), timeout=10, what="the addresses moving")
        before = len(lab.a.log("gatewayd"))
        time.sleep(8)  # gw-a, whose check does not believe it, must not ask for them in vain
        assert lab.b.held() == set(lab.addresses())
        assert "asked to give it back" not in lab.a.log("gatewayd")[before:]
        hang(lab.b)
        time.sleep(4)
        report = load.stop()
        print(f"check hangs: {report}")
        assert lab.a.held() | lab.b.held() == set(lab.addresses())
        assert max(report.gap(address) for address in lab.addresses().values()) <= ANYTHING, \
            f"{report}\n{lab.story()}"
    finally:
        put_back(lab.a)
        put_back(lab.b)


def test_redis_is_cut_off_from_one_node(lab):
    """No address moves, no request fails: limits are divided, changes wait."""
    lab.restore()
    load = Load(lab, paths=("/fast", "/wait/200"))
    lab.part_redis(lab.a, True)
    until(lambda: lab.a.status()["store"]["state"] == "away", timeout=10, what="Redis being missed")
    time.sleep(1)
    assert lab.a.is_ready() and lab.a.held() == lab.homes(lab.a)
    lab.part_redis(lab.a, False)
    until(lambda: lab.a.status()["store"]["state"] == "connected", timeout=20, what="Redis being back")
    report = load.stop()
    print(f"Redis cut off from one node: {report}")
    assert report.failed() == 0, f"{report}\n{report.failures()[:20]}"


def test_nodes_that_no_longer_hear_each_other_say_so(lab):
    """Both hold every address then; clients hear one or the other. Both report it, and that it is
    over."""
    lab.restore()
    load = Load(lab, timeout=PATIENCE_MS)
    lab.part_nodes(True)
    names = set(lab.addresses())
    until(lambda: lab.a.held() == lab.b.held() == names, timeout=10, what="both holding all")
    for node in lab.nodes:
        until(lambda n=node: all(n.metric(f'gatewayd_vrrp_conflict{{address="{name}"}}') == 1
                                 for name in names), timeout=15, what=f"{node.node} reporting it")
        assert set(node.status()["vrrp"].values()) == {"master"}
    lab.part_nodes(False)
    lab.settle()
    for node in lab.nodes:
        until(lambda n=node: all(n.metric(f'gatewayd_vrrp_conflict{{address="{name}"}}') == 0
                                 for name in names), timeout=15, what=f"{node.node} reporting the end")
    report = load.stop()
    print(f"nodes cut off from each other: {report}")
    assert max(report.gap(address, "new") for address in lab.addresses().values()) <= ANYTHING, \
        f"{report}\n{lab.story()}"
