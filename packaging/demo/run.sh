#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# packaging/demo/run.sh BUILD - a gateway with two demo services on loopback, to play with. Prints
# lines to paste into another shell; ends everything it started on Ctrl-C. What it makes is in
# BUILD/demo, begun anew each time.
set -euo pipefail

build=$(cd "${1:?usage: run.sh BUILD}" && pwd)
demo=demo
# shellcheck source=packaging/demo/nodes.sh
. "$(dirname "$(readlink -f "$0")")/nodes.sh"

free_port 8080 && gateway_port=$port
free_port 9080 && admin_port=$port
free_port 8081 && one_port=$port
free_port 8082 && two_port=$port
free_port 9081 && one_admin=$port
free_port 9082 && two_admin=$port

service one "$one_port" "$one_admin"
one_pid=$!
service two "$two_port" "$two_admin"
start gateway "$gateway_port" "$admin_port"
wait_ready one "$one_admin"
wait_ready two "$two_admin"
wait_ready gateway "$admin_port"
ports_bound

# ---- what the gateway does ----

resources "the demo gateway does" 5 >"$folder/resources.conf"
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
