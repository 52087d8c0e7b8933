# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# packaging/demo/nodes.sh - what the demos have in common; read by them with $build (the folder of
# the programs) and $demo (a name) set. Gives $folder, $token, free_port, start, service,
# resources, wait_ready, ports_bound, and ends everything that was put into $pids.

umask 077

# One demo of a name at a time has BUILD/NAME; another one gets a folder of its own.
# shellcheck disable=SC2154 # the demo sets them
folder=$build/$demo
exec 9>"$build/.$demo.lock"
flock -n 9 || folder=$build/$demo.$$
rm -rf "$folder"
mkdir -p "$folder"

pids=()
# shellcheck disable=SC2317 # the trap calls it
stop() {
    trap - EXIT INT TERM HUP
    # A service that line 4 stopped must go on to be able to end.
    for pid in "${pids[@]}"; do kill -CONT "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    wait
    [ "$folder" = "$build/$demo" ] || rm -rf "$folder"
}
trap stop EXIT
trap 'echo; echo "Stopped."; exit 0' INT TERM HUP

# ---- ports: the usual ones, else the next that nobody listens on ----

# Two demos that begin at once would find the same ones: one looks when those of the other are bound.
exec 8>"$build/.ports.lock"
flock -w 60 8 || true
ports_bound() { exec 8>&-; }

taken=" "
is_free() {
    case "$taken" in *" $1 "*) return 1 ;; esac
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
free_port() { # FIRST; the answer is in $port
    port=$1
    until is_free "$port"; do port=$((port + 1)); done
    taken="$taken$port "
}
# ---- nodes ----

token=$(openssl rand -hex 24)
printf '%s\n' "$token" >"$folder/token"
echo "demo admin $(printf %s "$token" | openssl dgst -sha256 -r | cut -d' ' -f1)" >"$folder/tokens"

start() { # NAME PORT ADMIN-PORT [SETTING…]
    local name=$1 port=$2 admin=$3
    local state="state     = { dir = \"$folder/$name\"; };"
    shift 3
    case "$*" in *"state "*) state= ;; esac
    mkdir "$folder/$name"
    {
        printf 'node      = "%s";\n' "$name"
        printf 'workers   = 1;\n'
        printf 'listeners = ( { name = "http"; address = "127.0.0.1:%s"; } );\n' "$port"
        printf 'admin     = { address = "127.0.0.1:%s"; tokens = "%s"; };\n' "$admin" "$folder/tokens"
        printf '%s\n' "$state"
        printf 'timeouts  = { drain = "2s"; };\n'
        printf 'log       = { access = "%s"; };\n' "$folder/$name-access.log"
        printf '%s\n' "$@"
    } >"$folder/$name.conf"
    # shellcheck disable=SC2154 # the demo sets it
    "$build/gatewayd" -c "$folder/$name.conf" >"$folder/$name.log" 2>&1 8>&- 9>&- &
    pids+=($!)
}

# A demo service is a gatewayd too, one that answers by itself.
service() { # NAME PORT ADMIN-PORT
    cat >"$folder/$1.resources" <<END
routes = (
  { name = "up"; match = { paths = ("=/up"); }; respond = { body = "up\n"; }; },
  { name = "all"; respond = { headers = ( { name = "Content-Type"; value = "text/plain"; } ); body = "hello from $1\n"; }; }
);
END
    start "$1" "$2" "$3" "bootstrap = \"$folder/$1.resources\";"
}

# What the gateways of a demo do, with the services at $one_port and $two_port.
resources() { # "WHO DOES" BURST
    # shellcheck disable=SC2154 # the demo sets the ports
    cat <<END
# What $1. Change it and: gatewayctl apply $folder/resources.conf
upstreams = (
  { name = "hello";
    targets = ( { address = "127.0.0.1:$one_port"; }, { address = "127.0.0.1:$two_port"; } );
    balance = "round_robin";
    health = { path = "/up"; interval = "500ms"; timeout = "400ms"; unhealthy_after = 2; healthy_after = 2; }; }
);
plans = (
  { name = "free"; limits = ( { name = "free"; rate = 1; per = "1s"; burst = $2; } ); }
);
consumers = (
  { name = "acme"; plan = "free"; }
);
routes = (
  { name = "hello"; match = { paths = ("/hello"); }; upstream = "hello"; },
  { name = "orders"; match = { paths = ("/orders"); }; upstream = "hello"; auth = { methods = ("key"); }; }
);
END
}

wait_ready() { # NAME ADMIN-PORT
    for _ in $(seq 100); do
        curl -sf -o /dev/null "http://127.0.0.1:$2/readyz" && return
        sleep 0.1
    done
    echo "$1 did not become ready:" >&2
    cat "$folder/$1.log" >&2
    exit 1
}

