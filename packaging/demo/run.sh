#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# packaging/demo/run.sh BUILD - a gateway with two demo services on loopback, to play with. Prints
# lines to paste into another shell; ends everything it started on Ctrl-C. What it makes is in
# BUILD/demo, begun anew each time.
set -euo pipefail

build=$(cd "${1:?usage: run.sh BUILD}" && pwd)
umask 077

# One demo at a time has BUILD/demo; another one gets a folder of its own.
folder=$build/demo
exec 9>"$build/.demo.lock"
flock -n 9 || folder=$build/demo.$$
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
    [ "$folder" = "$build/demo" ] || rm -rf "$folder"
}
trap stop EXIT
trap 'echo; echo "Stopped."; exit 0' INT TERM HUP

# ---- ports: the usual ones, else the next that nobody listens on ----

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
free_port 8080 && gateway_port=$port
free_port 9080 && admin_port=$port
free_port 8081 && one_port=$port
free_port 8082 && two_port=$port
free_port 9081 && one_admin=$port
free_port 9082 && two_admin=$port

# ---- nodes ----

token=$(openssl rand -hex 24)
printf '%s\n' "$token" >"$folder/token"
echo "demo admin $(printf %s "$token" | openssl dgst -sha256 -r | cut -d' ' -f1)" >"$folder/tokens"

start() { # NAME PORT ADMIN-PORT [SETTING…]
    local name=$1 port=$2 admin=$3
    shift 3
    mkdir "$folder/$name"
    {
        printf 'node      = "%s";\n' "$name"
        printf 'workers   = 1;\n'
        printf 'listeners = ( { name = "http"; address = "127.0.0.1:%s"; } );\n' "$port"
        printf 'admin     = { address = "127.0.0.1:%s"; tokens = "%s"; };\n' "$admin" "$folder/tokens"
        printf 'state     = { dir = "%s"; };\n' "$folder/$name"
        printf 'timeouts  = { drain = "2s"; };\n'
        printf 'log       = { access = "%s"; };\n' "$folder/$name-access.log"
        printf '%s\n' "$@"
    } >"$folder/$name.conf"
    "$build/gatewayd" -c "$folder/$name.conf" >"$folder/$name.log" 2>&1 9>&- &
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

wait_ready() { # NAME ADMIN-PORT
    for _ in $(seq 100); do
        curl -sf -o /dev/null "http://127.0.0.1:$2/readyz" && return
        sleep 0.1
    done
    echo "$1 did not become ready:" >&2
    cat "$folder/$1.log" >&2
    exit 1
}

service one "$one_port" "$one_admin"
one_pid=$!
service two "$two_port" "$two_admin"
start gateway "$gateway_port" "$admin_port"
wait_ready one "$one_admin"
wait_ready two "$two_admin"
wait_ready gateway "$admin_port"

# ---- what the gateway does ----

cat >"$folder/resources.conf" <<END
# What the demo gateway does. Change it and: gatewayctl apply $folder/resources.conf
upstreams = (
  { name = "hello";
    targets = ( { address = "127.0.0.1:$one_port"; }, { address = "127.0.0.1:$two_port"; } );
    balance = "round_robin";
    health = { path = "/up"; interval = "500ms"; timeout = "400ms"; unhealthy_after = 2; healthy_after = 2; }; }
);
plans = (
  { name = "free"; limits = ( { name = "free"; rate = 1; per = "1s"; burst = 5; } ); }
);
consumers = (
  { name = "acme"; plan = "free"; }
);
routes = (
  { name = "hello"; match = { paths = ("/hello"); }; upstream = "hello"; },
  { name = "orders"; match = { paths = ("/orders"); }; upstream = "hello"; auth = { methods = ("key"); }; }
);
END
# The same and one route more, for line 5.
sed '/^routes = (/a\
  { name = "new"; match = { paths = ("/new"); }; respond = { body = "new\\n"; }; },' \
    "$folder/resources.conf" >"$folder/next.conf"

export GATEWAYCTL_SERVER=http://127.0.0.1:$admin_port
"$build/gatewayctl" --token-file "$folder/token" apply "$folder/resources.conf" --yes </dev/null >"$folder/apply.log"

# ---- what to try ----

url=http://127.0.0.1:$gateway_port
cat <<END

gatewayd is running: $url, its admin API: http://127.0.0.1:$admin_port
two demo services:   http://127.0.0.1:$one_port, http://127.0.0.1:$two_port
admin token:         $token   (in $folder/token)

In another shell, this first:

    export GATEWAYCTL_SERVER=http://127.0.0.1:$admin_port GATEWAYCTL_TOKEN="\$(cat '$folder/token')" PATH="$build:\$PATH"

Then, in any order:

  1. A route, balanced over the two services:
    for i in 1 2 3 4; do curl -s $url/hello; done

  2. A key for the consumer acme, and a request with it (without one: 401):
    KEY=\$(gatewayctl keys create acme --quiet) && curl -si -H "X-API-Key: \$KEY" $url/orders

  3. The limit of its plan, 1 a second and 5 at once; it ends in 429:
    : "\${KEY:=\$(gatewayctl keys create acme --quiet)}"; for i in \$(seq 8); do curl -s -o /dev/null -w '%{http_code}\n' -H "X-API-Key: \$KEY" $url/orders; done

  4. A service that hangs is taken out, and comes back when it answers again:
    kill -STOP $one_pid; sleep 3; gatewayctl health hello; kill -CONT $one_pid; sleep 3; gatewayctl health hello

  5. Which route takes a request, and a change from a file, shown before it is made:
    gatewayctl explain GET /new; gatewayctl apply '$folder/next.conf' --yes; gatewayctl explain GET /new; curl -s $url/new

Ctrl-C ends it all. Also: gatewayctl top, gatewayctl revisions, gatewayctl --help
END

wait -n "${pids[@]}" || true
echo "A node ended by itself; its log is in $folder:" >&2
tail -n 3 "$folder"/*.log >&2
exit 1
