# SPDX-License-Identifier: Apache-2.0
"""Free ports on loopback, disjoint between test processes that run at the same time."""
import itertools
import os
import pathlib
import socket

FIRST, BLOCK = 10000, 200


def _end():
    """Below the kernel's ephemeral range, so that no outgoing connection takes one meanwhile; and
    below 32000, where the unit tests have theirs."""
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return 32000 if low < FIRST + 20 * BLOCK else min(32000, low)


def _claim_block():
    """The first port of a block is kept bound by the process that the block belongs to."""
    starts = list(range(FIRST, _end() - BLOCK + 1, BLOCK))
    turn = os.getpid() % len(starts)
    for start in starts[turn:] + starts[:turn]:
        anchor = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            anchor.bind(("127.0.0.1", start))
            anchor.listen(1)
        except OSError:
            anchor.close()
            continue
        return anchor, itertools.cycle(range(start + 1, start + BLOCK))
    raise AssertionError("no free block of ports")


_anchor, _candidates = None, None


def free_port():
    global _anchor, _candidates
    if _candidates is None:
        _anchor, _candidates = _claim_block()
    for _ in range(BLOCK):
        port = next(_candidates)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("no free port")
