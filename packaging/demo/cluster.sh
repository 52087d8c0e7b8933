#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# packaging/demo/cluster.sh BUILD - two gateways that share a Redis, and two demo services, on
# loopback, to play with. Prints lines to paste into another shell; ends everything it started on
# Ctrl-C. What it makes is in BUILD/cluster-demo, begun anew each time.
set -euo pipefail

build=$(cd "${1:?usage: cluster.sh BUILD}" && pwd)
demo=cluster-demo
# shellcheck source=packaging/demo/nodes.sh
. "$(dirname "$(readlink -f "$0")")/nodes.sh"

free_port 6390 && redis_port=$port
free_port 8080 && a_port=$port
free_port 8090 && b_port=$port
free_port 9080 && a_admin=$port
free_port 9090 && b_admin=$port
free_port 8081 && one_port=$port
free_port 8082 && two_port=$port
free_port 9081 && one_admin=$port
free_port 9082 && two_admin=$port

# ---- Redis, with a user of its own for the gateways (cluster/redis.acl) ----

mkdir "$folder/redis"
password=$(openssl rand -hex 24)
printf '%s\n' "$password" >"$folder/redis-password"
openssl rand -hex 32 >"$folder/cluster.secret"
acl=$(dirname "$(readlink -f "$0")")/../../cluster/redis.acl
{
    echo "user default on nopass ~* &* +@all"
    grep '^user ' "$acl" | sed "s/>PASSWORD/>$password/"
} >"$folder/redis/users.acl"
cat >"$folder/redis/redis.conf" <<END
bind 127.0.0.1
port $redis_port
dir $folder/redis
aclfile $folder/redis/users.acl
appendonly yes
save ""
END
redis-server "$folder/redis/redis.conf" >"$folder/redis.log" 2>&1 8>&- 9>&- &
redis_pid=$!
pids+=("$redis_pid")

# ---- nodes ----

shared() { # NAME PORT ADMIN-PORT
    start "$1" "$2" "$3" \
        "state     = { store = \"redis\"; dir = \"$folder/$1\";
              redis = { servers = (\"127.0.0.1:$redis_port\"); user = \"gatewayd\"; password_file = \"$folder/redis-password\"; }; };" \
        "cluster   = { secret_file = \"$folder/cluster.secret\"; };" \
        "bootstrap = \"$folder/resources.conf\";"
}

resources "both gateways do" 10 >"$folder/resources.conf"

service one "$one_port" "$one_admin"
service two "$two_port" "$two_admin"
shared gw-a "$a_port" "$a_admin"
shared gw-b "$b_port" "$b_admin"
b_pid=$!
wait_ready one "$one_admin"
wait_ready two "$two_admin"
wait_ready gw-a "$a_admin"
wait_ready gw-b "$b_admin"
ports_bound

# They hear of each other once a second.
for server in "$a_admin" "$b_admin"; do
    for _ in $(seq 100); do
        seen=$("$build/gatewayctl" -s "http://127.0.0.1:$server" --token-file "$folder/token" nodes </dev/null)
        [ "$(grep -c ' ready ' <<<"$seen")" = 2 ] && break
        sleep 0.1
    done
done

# ---- what to try ----

a=http://127.0.0.1:$a_port
b=http://127.0.0.1:$b_port
cat <<END

gw-a is running: $a, its admin API: http://127.0.0.1:$a_admin
gw-b is running: $b, its admin API: http://127.0.0.1:$b_admin
they share:      the Redis at 127.0.0.1:$redis_port
admin token:     $token   (in $folder/token)

In another shell, this first:

    export GATEWAYCTL_SERVER=http://127.0.0.1:$a_admin GATEWAYCTL_TOKEN="\$(cat '$folder/token')" PATH="$build:\$PATH"

Then, in any order:

  1. Both nodes, and a route that gw-a is told of and gw-b serves:
    gatewayctl nodes; gatewayctl put route new match.paths=/new respond.status=200 --wait; curl -si $b/new | head -1

  2. A key made on one node is known to the other; one limit of 10 for both; it ends in 429:
    KEY=\$(gatewayctl keys create acme --quiet --wait); for i in \$(seq 12); do curl -s -o /dev/null -w '%{http_code}\n' -H "X-API-Key: \$KEY" $a/orders; curl -s -o /dev/null -w '%{http_code}\n' -H "X-API-Key: \$KEY" $b/orders; done

  3. Redis stops: the nodes serve on, and a key can be revoked all the same, on both at once:
    ID=\$(gatewayctl keys create acme -o json --wait | sed -n 's/.*"id": "\([0-9a-f]*\)".*/\1/p'); kill -STOP $redis_pid; sleep 4; gatewayctl status --all; gatewayctl keys revoke \$ID; gatewayctl -s http://127.0.0.1:$b_admin get key \$ID; kill -CONT $redis_pid; sleep 4; gatewayctl status --all

  4. A node that dies is missed, and is there again when it comes back (here it only sleeps):
    kill -STOP $b_pid; sleep 5; gatewayctl nodes; kill -CONT $b_pid; sleep 2; gatewayctl nodes

Ctrl-C ends it all. Also: gatewayctl watch, gatewayctl health hello, redis-cli -p $redis_port hgetall '{gatewayd}:members'
END

wait -n "${pids[@]}" || true
echo "A node ended by itself; its log is in $folder:" >&2
tail -n 3 "$folder"/*.log >&2
exit 1
