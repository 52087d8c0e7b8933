#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every shell script, found by its first line, through shellcheck.
set -euo pipefail
command -v shellcheck >/dev/null || exit 77
git ls-files --cached --others --exclude-standard | while read -r file; do
    if [ -f "$file" ] && head -c 64 "$file" | head -1 | tr -d '\0' | grep -qE '^#!.*\b(sh|bash)$'; then
        echo "$file"
    fi
done | xargs -r shellcheck -x
