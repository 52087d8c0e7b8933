# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, never for luck."""
import os
import time

# Instrumented programs are several times slower; deadlines of the tests grow with them.
SLOWNESS = {"": 1, "address": 4, "thread": 8}.get(os.environ.get("GATEWAYD_SANITIZER", ""), 4)
SANITIZED = SLOWNESS > 1


# What has to come comes later on a machine that does much else. Waiting longer costs those nothing
# for whom it comes.
PATIENCE = 3


def until(condition, timeout=5.0, what="the condition", pause=0.01, is_promise=False):
    """The first true value of condition(); raises after the timeout, which is stretched unless it
    is itself what is promised."""
    timeout *= 1 if is_promise else PATIENCE
    end = time.monotonic() + timeout * SLOWNESS
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come within {timeout * SLOWNESS:g} s")
        time.sleep(pause)


def scaled(count, under_sanitizers):
    """The count in full on the plain build, reduced and named under sanitizers."""
    return under_sanitizers if SANITIZED else count
