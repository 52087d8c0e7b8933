#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# ha-addresses prepare|remove [-a FILE] [-d FOLDER] [-u USER] - run by keepalived's unit, as root.
#
#   prepare   before keepalived starts: each address has a track file that USER may write. One that
#             is not there is made with the fault: nobody has said yet that gatewayd is well.
#   remove    after keepalived ended, however it ended: takes the addresses off this node. Killed, it
#             leaves them, and two nodes answer for one address; but not before another node has
#             missed it.
set -u
usage() {
    echo "usage: ha-addresses prepare|remove [-a FILE] [-d FOLDER] [-u USER]" >&2
    exit 2
}

what=${1:-}
case "$what" in prepare | remove) shift ;; *) usage ;; esac
file=/etc/gatewayd/ha.addresses
folder=/run/gatewayd-ha
user=gatewayd
while getopts a:d:u: option; do
    case "$option" in
    a) file=$OPTARG ;;
    d) folder=$OPTARG ;;
    u) user=$OPTARG ;;
    *) usage ;;
    esac
done

# As USER: root writes no file where others may have put a link.
prepare() { # NAME
    # shellcheck disable=SC2016 # expanded by the shell that is started
    setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups --inh-caps=-all -- \
        sh -c '[ -e "$1" ] || echo -254 >"$1"' sh "$folder/$1.track"
}

# The kernel knows it however it is written.
waited=
remove() { # ADDRESS/LENGTH INTERFACE
    [ -n "$(ip -o address show dev "$2" to "${1%/*}" 2>/dev/null)" ] || return
    [ -n "$waited" ] || sleep 0.25
    waited=yes
    ip address del "$1" dev "$2" && echo "ha-addresses: $1 was taken off $2" >&2
}

[ -r "$file" ] || {
    echo "ha-addresses: $file cannot be read" >&2
    exit 1
}
while read -r name address interface _ || [ -n "$name" ]; do
    case "$name" in "" | \#*) continue ;; esac
    case "$what" in
    prepare) prepare "$name" ;;
    remove) remove "$address" "$interface" ;;
    esac
done <"$file"
exit 0
