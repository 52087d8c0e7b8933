#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# ha-notify FOLDER FIFO - keepalived's notify script: writes FOLDER/NAME.state ("MASTER SECONDS")
# for each change that keepalived reports. It reads them from a FIFO, one after the other: notify
# scripts that keepalived starts for each change overtake one another. Each file is renamed into
# place, so that who reads it sees a whole one. When keepalived is gone, the states are STOP; one that
# only reads its configuration again has another reader begin, and the states are as they were.
set -u
folder=${1:?usage: ha-notify FOLDER FIFO}
fifo=${2:?usage: ha-notify FOLDER FIFO}
umask 022
# keepalived that stops ends this first; the last word is in the FIFO by then, and its end follows.
trap '' TERM HUP

# Our parent, unless it has ended.
has_keepalived() {
    case "$(cat "/proc/$PPID/stat" 2>/dev/null)" in *" (keepalived"*") "[!ZX]" "*) ;; *) false ;; esac
}

# Two readers would take bytes of one line from each other. The one before us, of a keepalived that was killed or
# reads its configuration again, has a second for its last word; and who lost its keepalived while it waited
# leaves it to the next one.
exec 9>"$folder/.notify.lock"
until flock -w 1 9; do
    has_keepalived || exit 0
    before=$(cat "$folder/.notify.pid" 2>/dev/null)
    case "$before" in "" | *[!0-9]*) continue ;; esac
    [ "$(cat "/proc/$before/comm" 2>/dev/null)" != ha-notify ] || kill -KILL "$before"
done
has_keepalived || exit 0
echo $$ >"$folder/.notify.pid"

state() { # NAME STATE
    printf '%s %s\n' "$2" "$(date +%s)" >"$folder/.$1.state.$$" &&
        mv -f "$folder/.$1.state.$$" "$folder/$1.state"
}

names=
# INSTANCE "NAME" STATE PRIORITY
while read -r type name to _; do
    [ "$type" = INSTANCE ] || continue
    name=${name#\"}
    name=${name%\"}
    case "$name" in "" | *[!a-z0-9-]*) continue ;; esac
    case "$to" in MASTER | BACKUP | FAULT | STOP) ;; *) continue ;; esac
    state "$name" "$to"
    case " $names " in *" $name "*) ;; *) names="$names $name" ;; esac
done <"$fifo"

# A process that ends lets go of its FIFO before it is gone.
for _ in 1 2 3 4; do
    has_keepalived || break
    sleep 0.05
done
has_keepalived && exit 0

for name in $names; do
    state "$name" STOP
done
