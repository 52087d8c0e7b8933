# SPDX-License-Identifier: Apache-2.0
"""Logs that are read while they are written."""


def whole_lines(text):
    """Without what may be on its way yet."""
    return text[:text.rfind("\n") + 1].splitlines()
