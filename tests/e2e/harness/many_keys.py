# SPDX-License-Identifier: Apache-2.0
"""Keys by the million: what they are, and how they are brought."""
import hashlib

NDJSON = {"Content-Type": "application/x-ndjson"}


def foreign(i):
    return f"imported-key-{i:010}"


def lines(count, consumers=None):
    """A key for each consumer, or so many consumers have them by turns."""
    of = consumers or max(count, 1)
    return "".join(f'{{"consumer":"c{i % of:07}","sha256":"'
                   f'{hashlib.sha256(foreign(i).encode()).hexdigest()}"}}\n'
                   for i in range(count)).encode()
