#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# clang-format would change nothing. Versions differ in details, so only the one that `make format`
# is run with (Debian 12's) is asked.
set -euo pipefail
clang-format --version 2>/dev/null | grep -q 'version 14\.' || exit 77
bad=$(git ls-files '*.c' '*.h' | xargs -r clang-format --dry-run 2>&1 | sed -n 's/:[0-9]*:[0-9]*: warning.*//p' |
    sort | uniq -c || true)
[ -z "$bad" ] && exit 0
echo "make format would change these (places, file):"
echo "$bad"
exit 1
