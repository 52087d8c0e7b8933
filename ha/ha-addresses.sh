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

prepare() { # NAME
    [ -e "$folder/$1.track" ] && return
    echo -254 >"$folder/$1.track" && chown "$user:" "$folder/$1.track"
}

waited=
remove() { # ADDRESS/LENGTH INTERFACE
    case " $(ip -o address show dev "$2" 2>/dev/null) " in
    *" $1 "*)
        [ -n "$waited" ] || sleep 0.25
        waited=yes
        ip address del "$1" dev "$2" && echo "ha-addresses: $1 was taken off $2" >&2
        ;;
    esac
}

[ -r "$file" ] || {
    echo "ha-addresses: $file cannot be read" >&2
    exit 1
}
while read -r name address interface _; do
    case "$name" in "" | \#*) continue ;; esac
    case "$what" in
    prepare) prepare "$name" ;;
    remove) remove "$address" "$interface" ;;
    esac
done <"$file"
