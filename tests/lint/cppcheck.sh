#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# cppcheck over the rooms; unchanged files are remembered in the build folder.
set -euo pipefail
command -v cppcheck >/dev/null || exit 77
cache=${1:-build}/lint/cppcheck
mkdir -p "$cache"
rooms=()
for room in conf gatewayd cluster admin ha; do
    [ ! -d "$room" ] || rooms+=("$room")
done
exec cppcheck --quiet -j2 --std=c11 --cppcheck-build-dir="$cache" --error-exitcode=1 \
    --enable=warning,portability,performance --inline-suppr -I. -D_GNU_SOURCE \
    --suppress=missingIncludeSystem --suppress=unusedFunction \
    "${rooms[@]}"
