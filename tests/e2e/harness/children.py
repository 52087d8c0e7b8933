# SPDX-License-Identifier: Apache-2.0
"""What programs that stories start find."""
import signal


def as_in_a_terminal():
    """Whoever started the tests may have these signals ignored (nohup, in the background): what is ignored is
    inherited, and a shell cannot unlearn it. For `preexec_fn`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
