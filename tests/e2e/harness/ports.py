# SPDX-License-Identifier: Apache-2.0
"""Free ports on loopback, disjoint between parallel test processes."""
import itertools
import os
import socket

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw") or 0)
# Below the kernel's ephemeral range, so that no outgoing connection takes one meanwhile.
_candidates = itertools.cycle(range(10000 + _worker * 2000, 10000 + (_worker + 1) * 2000))


def free_port():
    for _ in range(2000):
        port = next(_candidates)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no free port")
