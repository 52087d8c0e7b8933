# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, never for luck."""
import os
import threading
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
        end += held_up(pause)


def held_up(pause):
    """Sleeps, and says how much too long it was if that was long: nobody else ran meanwhile either."""
    begin = time.monotonic()
    time.sleep(pause)
    late = time.monotonic() - begin - pause
    return late if late > 0.05 else 0.0


class Clock:
    """with Clock() as clock: … clock.seconds(): how long it took, without the time in which this
    machine held everybody up. Promises about time are looked at with it."""

    def __init__(self):
        self.late, self.is_over = 0.0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self.is_over.is_set():
            self.late += held_up(0.005)

    def __enter__(self):
        self.thread.start()
        self.begin = time.monotonic()
        return self

    def seconds(self):
        return time.monotonic() - self.begin - self.late

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


def p99(times):
    return sorted(times)[len(times) * 99 // 100]


def p99_is_below(bound, measure, rounds=5):
    """measure() answers two lists: how long what is promised took, each time, and as many plain
    exchanges beside it, which say how fast this machine is just now. The best of a few rounds counts."""
    found = []
    for _ in range(rounds):
        times, plain = measure()
        found.append((p99(times), p99(plain)))
        print(f"median {sorted(times)[len(times) // 2] * 1e3:.2f} ms, p99 {found[-1][0] * 1e3:.2f} ms, "
              f"p99 of a plain exchange {found[-1][1] * 1e3:.2f} ms")
        if found[-1][0] < bound * SLOWNESS + 2 * found[-1][1]:
            return
    raise AssertionError(f"p99 of each round, and of plain exchanges: {found}")


def best_is_below(bound, measure, tries=3):
    """measure() answers how long what is promised took. The machine may hold it up once."""
    found = []
    while not found or found[-1] >= bound * SLOWNESS:
        assert len(found) < tries, f"{found}, each is to be below {bound * SLOWNESS}"
        found.append(measure())


def ends(thread, seconds):
    """Whether it ends in that time. A pause of the whole machine counts as one slice of it."""
    for _ in range(20):
        thread.join(seconds / 20)
        if not thread.is_alive():
            return True
    return False


def scaled(count, under_sanitizers):
    """The count in full on the plain build, reduced and named under sanitizers."""
    return under_sanitizers if SANITIZED else count
