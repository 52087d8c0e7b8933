# SPDX-License-Identifier: Apache-2.0
"""Other sites than a pair with an address on each node: one node that stands by, and three nodes."""
import time

import pytest

from harness.gaps import GONE, KILLED, best
from harness.lab import Load
from harness.wait import until

pytestmark = pytest.mark.ha

PATHS = ("/fast", "/wait/50", "/wait/400")


def test_the_node_that_stands_by_takes_the_address_and_gives_it_back(standby):
    best(standby, lambda: standby.a.kill("gatewayd"), KILLED, "standby: gatewayd killed", spared=())
    assert standby.b.held() == {"va"} and standby.a.held() == set()
    load = Load(standby, paths=PATHS)
    standby.a.start()
    standby.settle()
    load.stop_without_a_failure("standby: node back")


def test_the_only_address_is_drained(standby):
    standby.restore()
    load = Load(standby, paths=PATHS)
    standby.a.ctl("drain")
    until(lambda: standby.b.held() == {"va"} and standby.a.held() == set(), timeout=20,
          what="the address at the other node")
    time.sleep(0.5)
    standby.a.ctl("undrain")
    standby.settle()
    load.stop_without_a_failure("standby: drain and undrain")


def test_the_third_node_takes_what_two_have_lost(three):
    names = set(three.addresses())

    def lose_two():
        three.a.power_off()
        until(lambda: three.b.held() == names, what="both addresses at the second node")
        time.sleep(0.3)
        three.b.power_off()

    best(three, lose_two, GONE, "three nodes: two are gone", spared=())
    assert three.nodes[2].held() == names
    load = Load(three, paths=PATHS)
    three.a.power_on()
    three.b.power_on()
    three.settle()
    load.stop_without_a_failure("three nodes: two back")
