#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Checks every #include of ours: from the repository root, and only to the same room or a lower one.
# A private header (x_private.h) is for the files of its own stem only (x.c, x_*.c). Runs in every
# build, so it is one grep and one awk.
set -eu
cd "$(dirname "$0")/../.."

rooms=
for room in conf gatewayd cluster admin ha; do
    [ -d "$room" ] && rooms="$rooms $room"
done

# shellcheck disable=SC2086 # a list of folders
grep -rnE --include='*.[ch]' --include='*.def' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' $rooms |
awk -F'"' '
BEGIN {
    # Lowest first. A file may include what ranks at most as high as itself.
    split("conf/base conf gatewayd/core gatewayd/net gatewayd/http gatewayd/route " \
          "gatewayd/policy gatewayd/exchange gatewayd cluster admin ha", order, " ")
    for (i in order)
        rank[order[i]] = i + 0
}
# The room, or the ordered folder in it, that a path belongs to.
function place(path,    parts, n) {
    n = split(path, parts, "/")
    if (n > 2 && (parts[1] "/" parts[2]) in rank)
        return parts[1] "/" parts[2]
    return parts[1]
}
function stem(path) {
    sub(/.*\//, "", path)
    sub(/\.[a-z]*$/, "", path)
    return path
}
function refuse(why) {
    print where ": " why
    bad = 1
}
{
    split($1, head, ":")
    from = head[1]
    where = head[1] ":" head[2]
    to = $2
    if (!(place(to) in rank)) {
        refuse("include \"" to "\": write the path from the repository root")
        next
    }
    if ((from ~ /^ha\//) != (to ~ /^ha\//))
        refuse("the programs in ha/ stand alone: " to)
    if (from ~ /^admin\/ctl\// && to !~ /^(admin\/ctl|conf)\//)
        refuse("gatewayctl may include only conf/ and admin/ctl/, not " to)
    if (from !~ /^admin\/ctl\// && to ~ /^admin\/ctl\//)
        refuse("only gatewayctl may include " to)
    if (from == "gatewayd/main.c" && to ~ /^(cluster|admin)\//)
        refuse("main knows the other rooms by services.def only, not " to)
    if (rank[place(to)] > rank[place(from)])
        refuse(place(from) " may not include " to ": " place(to) " is above it")
    if (to ~ /_private\.h$/) {
        owner = stem(to)
        sub(/_private$/, "", owner)
        if (index(stem(from) "_", owner "_") != 1)
            refuse(to " is private to " owner "*.c")
    }
}
END { exit bad }
'
