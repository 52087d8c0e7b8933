/* SPDX-License-Identifier: Apache-2.0 */
/* verb_rows.c - the rows: see verb.h. Lines of details are wrapped when they are printed. */
#include "admin/ctl/verb_rows.h"

#include "admin/ctl/option.h"

#define MANY 100000

#define WRITES     (OPTION_BIT(CONFIRM) | OPTION_BIT(WAIT) | OPTION_BIT(TIMEOUT))
#define WRITES_IF  (WRITES | OPTION_BIT(IF_MATCH))
#define WRITES_DRY (WRITES_IF | OPTION_BIT(DRY_RUN))
/* Of a key that is there: such a change cannot be undone. */
#define WRITES_OF_KEY (OPTION_BIT(WAIT) | OPTION_BIT(TIMEOUT))

#define FIELDS_HELP                                                                                \
    "FIELD=VALUE sets a field: balance=hash, connect_timeout=250ms. Fields inside others are "     \
    "parted by dots: match.paths=/orders, health.path=/up, targets.0.weight=5. A list has commas " \
    "between its items; of a list of groups the first field of each is enough: "                   \
    "targets=10.0.1.11:8080,10.0.1.12:8080. Anything can be written as JSON: "                     \
    "limits='[{\"name\":\"burst\",\"rate\":100}]'. The fields are described in the reference, "    \
    "gatewayd.conf(5), and completed by the shell."

#define WRITES_HELP                                                                                \
    "The change is in force on every worker of the node when the command returns; with --wait, "   \
    "on every known node. With --confirm 60s it undoes itself after a minute unless `gatewayctl "  \
    "confirm REVISION` keeps it: for changes that might lock you out."

const struct verb verb_rows[] = {
    /* ---- resources ---- */
    {
        .name = "get",
        .arguments = "KIND [NAME]",
        .least = 1,
        .most = 2,
        .takes = { VERB_ARGUMENT_KIND, VERB_ARGUMENT_NAME },
        .options = OPTION_BIT(SET) | OPTION_BIT(LIMIT) | OPTION_BIT(CONSUMER),
        .group = VERB_GROUP_RESOURCES,
        .run = verb_get,
        .summary = "Lists upstreams, routes, plans, consumers or keys, or shows one of them.",
        .details = "Without a name all of the kind are listed, as a table. With one, every field "
                   "of it is shown, defaults filled in; with --set only what was set. -o json "
                   "prints what the API answers, -o names only the names.",
        .examples = { { "gatewayctl get routes", "all routes" },
                      { "gatewayctl get upstream orders", "everything about one upstream" },
                      { "gatewayctl get route orders --set -o json > orders.json",
                        "what was set, to edit and `put` again" } },
    },
    {
        .name = "create",
        .arguments = "KIND NAME [FIELD=VALUE…]",
        .least = 2,
        .most = MANY,
        .takes = { VERB_ARGUMENT_KIND, VERB_ARGUMENT_OTHER, VERB_ARGUMENT_FIELD },
        .options = OPTION_BIT(FILE) | WRITES_DRY,
        .group = VERB_GROUP_RESOURCES,
        .run = verb_create,
        .summary = "Makes a resource that does not exist yet.",
        .details = FIELDS_HELP "\n\nWith --file the resource is read from a file, libconfig or "
                               "JSON; FIELD=VALUE is put over it.\n\n" WRITES_HELP,
        .examples = { { "gatewayctl create upstream orders "
                        "targets=10.0.1.11:8080,10.0.1.12:8080 health.path=/up",
                        "two targets, checked" },
                      { "gatewayctl create route orders match.paths=/orders upstream=orders "
                        "auth.methods=key",
                        "a route that asks for a key" },
                      { "gatewayctl create plan free "
                        "limits='[{\"name\":\"free\",\"rate\":10,\"burst\":20}]'",
                        "a plan with a limit" },
                      { "gatewayctl create consumer acme plan=free", "a consumer on that plan" } },
    },
    {
        .name = "put",
        .arguments = "KIND NAME [FIELD=VALUE…]",
        .least = 2,
        .most = MANY,
        .takes = { VERB_ARGUMENT_KIND, VERB_ARGUMENT_NAME, VERB_ARGUMENT_FIELD },
        .options = OPTION_BIT(FILE) | WRITES_DRY,
        .group = VERB_GROUP_RESOURCES,
        .run = verb_put,
        .summary = "Makes a resource, or replaces the whole of it.",
        .details =
            "What is not said is not set afterwards: `patch` changes single fields.\n\n" FIELDS_HELP
            "\n\n" WRITES_HELP,
        .examples = { { "gatewayctl put route orders -f orders.json", "from a file" },
                      { "gatewayctl put route closed match.paths=/ respond.status=503 "
                        "respond.body='Back at noon.'",
                        "an answer of the gateway itself" } },
    },
    {
        .name = "patch",
        .arguments = "KIND NAME FIELD=VALUE…",
        .least = 2,
        .most = MANY,
        .takes = { VERB_ARGUMENT_KIND, VERB_ARGUMENT_NAME, VERB_ARGUMENT_FIELD },
        .options = OPTION_BIT(FILE) | WRITES_DRY,
        .group = VERB_GROUP_RESOURCES,
        .run = verb_patch,
        .summary = "Changes single fields of a resource; the others stay.",
        .details = "An empty value takes a field away, so that its default applies again: "
                   "timeout=. A list is replaced as a whole. With --file the file is a merge patch "
                   "(RFC 7396).\n\n" FIELDS_HELP "\n\n" WRITES_HELP,
        .examples = { { "gatewayctl patch upstream orders connect_timeout=250ms", "one field" },
                      { "gatewayctl patch route orders timeout= --dry-run",
                        "what would taking one away change?" },
                      { "gatewayctl patch route login upstream=login-next --confirm 60s",
                        "undone in a minute unless it is confirmed" } },
    },
    {
        .name = "edit",
        .arguments = "KIND NAME",
        .least = 2,
        .most = 2,
        .takes = { VERB_ARGUMENT_KIND, VERB_ARGUMENT_NAME },
        .options = WRITES | OPTION_BIT(DRY_RUN) | OPTION_BIT(YES),
        .group = VERB_GROUP_RESOURCES,
        .run = verb_edit,
        .summary = "Opens a resource in an editor and makes it what was written there.",
        .details = "The editor is VISUAL, else EDITOR, else vi; it gets what was set of the "
                   "resource, as JSON (libconfig may be written instead). When it ends the gateway "
                   "checks what was written, the change is shown, and made if it is agreed to and "
                   "nobody else changed the resource meanwhile. What has errors can be edited "
                   "again, or is kept in a file. A file left as it was changes "
                   "nothing.\n\n" WRITES_HELP,
        .examples = { { "gatewayctl edit route orders", "one route, in $EDITOR" },
                      { "EDITOR='code --wait' gatewayctl edit upstream orders --confirm 5m",
                        "undone in five minutes unless it is confirmed" } },
    },
    {
        .name = "delete",
        .arguments = "KIND NAME…",
        .least = 2,
        .most = MANY,
        .takes = { VERB_ARGUMENT_KIND, VERB_ARGUMENT_NAME, VERB_ARGUMENT_NAME },
        .options = WRITES_DRY,
        .group = VERB_GROUP_RESOURCES,
        .run = verb_delete,
        .summary = "Removes resources.",
        .details = "What others still refer to is not removed: the answer names them. A consumer "
                   "with active keys is not removed either: `gatewayctl keys revoke` comes "
                   "first.\n\n" WRITES_HELP,
        .examples = { { "gatewayctl delete route orders", "one route" },
                      { "gatewayctl delete consumers acme globex",
                        "several, one after the other" } },
    },
    /* ---- keys ---- */
    {
        .name = "keys create",
        .arguments = "CONSUMER",
        .least = 1,
        .most = 1,
        .takes = { VERB_ARGUMENT_CONSUMER },
        .options = OPTION_BIT(EXPIRES) | OPTION_BIT(SCOPES) | OPTION_BIT(KEY_FILE) |
                   OPTION_BIT(QUIET) | WRITES,
        .group = VERB_GROUP_KEYS,
        .run = verb_keys_create,
        .summary = "Makes a key of a consumer. The key is shown this once.",
        .details = "Only a digest of the key is kept: what is not written down now cannot be had "
                   "again. Clients send it as X-API-Key or Authorization: Bearer. --key-file "
                   "brings a key from elsewhere (16 to 256 visible ASCII characters); it comes "
                   "from a file or standard input because the command line can be read by others.",
        .examples = { { "gatewayctl keys create acme", "a key that never ends" },
                      { "gatewayctl keys create acme --expires 30d --scopes orders:read",
                        "one for thirty days, that may only read orders" },
                      { "KEY=$(gatewayctl keys create acme -q)", "for a script" } },
    },
    {
        .name = "keys list",
        .arguments = "",
        .options = OPTION_BIT(CONSUMER) | OPTION_BIT(LIMIT),
        .group = VERB_GROUP_KEYS,
        .run = verb_keys_list,
        .summary = "Lists keys: whose they are, their state, when they end. Never the keys "
                   "themselves.",
        .details = "PREFIX is how a key begins: enough to recognise it in a log.",
        .examples = { { "gatewayctl keys list --consumer acme", "those of one consumer" } },
    },
    {
        .name = "keys get",
        .arguments = "ID",
        .least = 1,
        .most = 1,
        .group = VERB_GROUP_KEYS,
        .run = verb_keys_get,
        .summary = "Shows one key: consumer, state, scopes, times. Never the key itself.",
        .examples = { { "gatewayctl keys get 0123456789abcdef", "by its id" } },
    },
    {
        .name = "keys change",
        .arguments = "ID",
        .least = 1,
        .most = 1,
        .options = OPTION_BIT(EXPIRES) | OPTION_BIT(SCOPES) | WRITES_OF_KEY | OPTION_BIT(IF_MATCH),
        .group = VERB_GROUP_KEYS,
        .run = verb_keys_change,
        .summary = "Changes what a key may do, or lets it end earlier.",
        .details = "A key can be made to end earlier, never later: make a new one instead.",
        .examples = { { "gatewayctl keys change 0123456789abcdef --scopes orders:read",
                        "from now on it may only read orders" },
                      { "gatewayctl keys change 0123456789abcdef --expires 1h",
                        "it ends in an hour" } },
    },
    {
        .name = "keys revoke",
        .arguments = "ID…",
        .least = 1,
        .most = MANY,
        .options = WRITES_OF_KEY | OPTION_BIT(IF_MATCH),
        .group = VERB_GROUP_KEYS,
        .run = verb_keys_revoke,
        .summary = "Ends keys at once and for good.",
        .details = "Requests with the key are refused from now on, and open streams that began "
                   "with it (WebSocket, long responses) are closed. Revoking again is no error. "
                   "There is no way back: make a new key.",
        .examples = { { "gatewayctl keys revoke 0123456789abcdef", "one key" },
                      { "gatewayctl keys list --consumer acme -o names | xargs gatewayctl keys "
                        "revoke",
                        "all of a consumer" } },
    },
    {
        .name = "keys rotate",
        .arguments = "ID",
        .least = 1,
        .most = 1,
        .options = OPTION_BIT(GRACE) | OPTION_BIT(QUIET) | WRITES_OF_KEY,
        .group = VERB_GROUP_KEYS,
        .run = verb_keys_rotate,
        .summary = "Makes a new key in place of one; the old one ends after a while.",
        .details = "The new key has the scopes and the expiry of the old one, and is shown this "
                   "once. The old one goes on until --grace is over.",
        .examples = { { "gatewayctl keys rotate 0123456789abcdef --grace 24h",
                        "a day for the consumer to take the new one" } },
    },
    {
        .name = "keys import",
        .arguments = "FILE",
        .least = 1,
        .most = 1,
        .takes = { VERB_ARGUMENT_FILE },
        .options = OPTION_BIT(DRY_RUN) | WRITES,
        .group = VERB_GROUP_KEYS,
        .run = verb_keys_import,
        .summary = "Brings many keys from elsewhere, in one revision; all of them or none.",
        .details = "A line of JSON for each: {\"consumer\": \"acme\", \"key\": \"…\"} or with "
                   "\"sha256\" in hexadecimal digits instead of the key; also scopes and "
                   "expires_at. - is standard input.",
        .examples = { { "gatewayctl keys import keys.ndjson --dry-run", "would they be accepted?" },
                      { "gatewayctl keys import keys.ndjson", "all of them" } },
    },
    /* ---- the whole configuration ---- */
    {
        .name = "apply",
        .arguments = "FILE",
        .least = 0,
        .most = 1,
        .takes = { VERB_ARGUMENT_FILE },
        .options = OPTION_BIT(FILE) | OPTION_BIT(YES) | OPTION_BIT(KEEP) | WRITES_DRY,
        .group = VERB_GROUP_HISTORY,
        .run = verb_apply,
        .summary = "Makes the gateway do what a file says: the whole configuration, all or "
                   "nothing.",
        .details =
            "The file, libconfig or JSON, has lists of upstreams, routes, plans and "
            "consumers. It replaces all resources in one revision: what it does not name is "
            "removed, unless --keep says otherwise. Keys are no part of it and stay.\n\n"
            "What would change is shown first, a line for each resource (+ added, ~ "
            "changed, - removed) and each field. At a terminal it asks then; --yes goes on "
            "without. If somebody else changes the configuration in between, nothing is "
            "done. Errors are shown with the file's line, all of them at once.\n\n" WRITES_HELP,
        .examples = { { "gatewayctl apply resources.conf", "shows, asks, changes" },
                      { "gatewayctl apply -f resources.conf --dry-run", "only shows" },
                      { "gatewayctl apply resources.conf --yes --wait",
                        "in a script, on every node" },
                      { "gatewayctl apply orders.conf --keep",
                        "adds or changes what the file names and removes nothing" } },
    },
    {
        .name = "config export",
        .arguments = "",
        .options = OPTION_BIT(DEFAULTS),
        .group = VERB_GROUP_HISTORY,
        .run = verb_config_export,
        .summary = "Prints all resources as one JSON document, as `apply` takes it.",
        .details = "What was set, without defaults, so that applying it again changes nothing.",
        .examples = { { "gatewayctl config export > resources.json", "a copy" },
                      { "gatewayctl config export --defaults", "with every default" } },
    },
    {
        .name = "config diff",
        .arguments = "FILE",
        .least = 0,
        .most = 1,
        .takes = { VERB_ARGUMENT_FILE },
        .options = OPTION_BIT(FILE) | OPTION_BIT(KEEP),
        .group = VERB_GROUP_HISTORY,
        .run = verb_config_diff,
        .summary = "Shows what `apply` would change; changes nothing.",
        .examples = { { "gatewayctl config diff resources.conf", "before applying it" },
                      { "gatewayctl config diff resources.conf -o json", "for a script" } },
    },
    {
        .name = "revisions",
        .arguments = "",
        .options = OPTION_BIT(LIMIT),
        .group = VERB_GROUP_HISTORY,
        .run = verb_revisions,
        .summary = "Who changed what, and when; the newest first.",
        .details = "The last 20, unless --limit says how many.",
        .examples = { { "gatewayctl revisions --limit 5", "the last five" } },
    },
    {
        .name = "revision show",
        .arguments = "REVISION",
        .least = 1,
        .most = 1,
        .group = VERB_GROUP_HISTORY,
        .run = verb_revision_show,
        .summary = "Shows one revision and every field that it changed.",
        .examples = { { "gatewayctl revision show 17", "what did it change?" } },
    },
    {
        .name = "restore",
        .arguments = "REVISION",
        .least = 1,
        .most = 1,
        .options = WRITES_DRY,
        .group = VERB_GROUP_HISTORY,
        .run = verb_restore,
        .summary = "Brings the resources back as they were at a revision.",
        .details = "As a new revision: history is never rewritten. Keys are not touched: what was "
                   "revoked stays revoked.\n\n" WRITES_HELP,
        .examples = { { "gatewayctl restore 16 --dry-run", "what would change?" },
                      { "gatewayctl restore 16", "undoes everything after revision 16" } },
    },
    {
        .name = "confirm",
        .arguments = "REVISION",
        .least = 1,
        .most = 1,
        .group = VERB_GROUP_HISTORY,
        .run = verb_confirm,
        .summary = "Keeps a change that was made with --confirm.",
        .examples = { { "gatewayctl confirm 18", "it stays" } },
    },
    {
        .name = "watch",
        .arguments = "",
        .options = OPTION_BIT(COUNT_OF) | OPTION_BIT(AFTER),
        .group = VERB_GROUP_HISTORY,
        .run = verb_watch,
        .summary = "Prints revisions as they happen.",
        .details = "Until it is interrupted, or -n are printed.",
        .examples = { { "gatewayctl watch", "from now on" },
                      { "gatewayctl watch --after 17 -n 1", "waits for the one after 17" } },
    },
    /* ---- traffic ---- */
    {
        .name = "explain",
        .arguments = "[METHOD] URL",
        .least = 1,
        .most = 2,
        .options = OPTION_BIT(HEADER) | OPTION_BIT(CLIENT),
        .group = VERB_GROUP_TRAFFIC,
        .run = verb_explain,
        .summary = "Which route would take a request and why, what it asks for, how it is limited.",
        .details = "Nothing is sent anywhere but to the gateway's admin API. Routes that match too "
                   "are listed with the reason why they lose. A URL with a host chooses among "
                   "routes with hosts; a path alone matches routes for any host.",
        .examples = { { "gatewayctl explain GET /orders/17", "on any host" },
                      { "gatewayctl explain POST https://api.example.com/orders -H 'X-Tenant: a'",
                        "with a header" } },
    },
    {
        .name = "health",
        .arguments = "[UPSTREAM]",
        .least = 0,
        .most = 1,
        .takes = { VERB_ARGUMENT_UPSTREAM },
        .group = VERB_GROUP_TRAFFIC,
        .run = verb_health,
        .summary = "Every target of an upstream, or of all, as each node sees it.",
        .details = "Whether requests are sent to it, since when, and because of what.",
        .examples = { { "gatewayctl health orders", "one upstream" },
                      { "gatewayctl health", "all of them" } },
    },
    {
        .name = "target",
        .arguments = "UPSTREAM ADDRESS",
        .least = 2,
        .most = 2,
        .takes = { VERB_ARGUMENT_UPSTREAM, VERB_ARGUMENT_OTHER },
        .options = OPTION_BIT(WEIGHT) | OPTION_BIT(DRAIN) | OPTION_BIT(UNDRAIN) | WRITES_DRY,
        .group = VERB_GROUP_TRAFFIC,
        .run = verb_target,
        .summary = "Takes one target of an upstream out and in, or changes its share.",
        .details = "A drained target gets no new requests; those it has are finished. It stays "
                   "drained over restarts until --undrain.\n\n" WRITES_HELP,
        .examples = { { "gatewayctl target orders 10.0.1.11:8080 --drain", "before maintenance" },
                      { "gatewayctl target orders 10.0.1.11:8080 --undrain", "and after" },
                      { "gatewayctl target orders 10.0.1.12:8080 --weight 5",
                        "five times the share" } },
    },
    {
        .name = "top",
        .arguments = "",
        .options = OPTION_BIT(COUNT_OF) | OPTION_BIT(INTERVAL),
        .group = VERB_GROUP_TRAFFIC,
        .run = verb_top,
        .summary = "Requests a second and latencies of every route, live.",
        .details = "Numbers are of the last interval: answers a second by class of status, those "
                   "denied by limits (429), and the time that 50, 95 and 99 of 100 requests stayed "
                   "below. Ctrl-C ends it; without a terminal one table follows the other.",
        .examples = { { "gatewayctl top", "until Ctrl-C" },
                      { "gatewayctl top -n 1 -i 10s", "one look at ten seconds" } },
    },
    /* ---- nodes ---- */
    {
        .name = "status",
        .arguments = "",
        .options = OPTION_BIT(ALL),
        .group = VERB_GROUP_NODE,
        .run = verb_status,
        .summary = "The node that answers: state, version, revision, store, load.",
        .details = "With --all, each node of the cluster: the one that answers asks the others, "
                   "which takes cluster.secret_file. Who cannot be asked within a second is "
                   "unreachable.",
        .examples = { { "gatewayctl status", "is it ready?" },
                      { "gatewayctl status --all", "are all of them?" },
                      { "gatewayctl status -s http://10.0.0.12:9080 -o json",
                        "another node, for a script" } },
    },
    {
        .name = "nodes",
        .arguments = "",
        .group = VERB_GROUP_NODE,
        .run = verb_nodes,
        .summary = "Every node of the cluster: state, version, revision, when it was last seen.",
        .examples = { { "gatewayctl nodes", "all of them" } },
    },
    {
        .name = "nodes forget",
        .arguments = "NODE",
        .least = 1,
        .most = 1,
        .group = VERB_GROUP_NODE,
        .run = verb_nodes_forget,
        .summary = "Forgets a node that is gone for good.",
        .details = "Until then it counts as one that may come back, and --wait waits for it.",
        .examples = { { "gatewayctl nodes forget gw-c", "it was taken away" } },
    },
    {
        .name = "drain",
        .arguments = "[ADDRESS]",
        .least = 0,
        .most = 1,
        .options = OPTION_BIT(ADDRESS),
        .group = VERB_GROUP_NODE,
        .run = verb_drain,
        .summary = "The node stops being ready: /readyz says so, connections are ended politely.",
        .details = "Answers say Connection: close from now on; the node still accepts and serves. "
                   "Virtual addresses move to another node when nothing is in flight any more, at "
                   "the end of timeouts.drain at the latest; `gatewayctl status` shows what is "
                   "left. ADDRESS is that of a listener or a virtual one, or its name. It goes on "
                   "until `gatewayctl undrain`.",
        .examples = { { "gatewayctl drain", "before maintenance" },
                      { "gatewayctl drain https", "one listener only" },
                      { "gatewayctl drain 10.0.0.100", "a virtual address moves" } },
    },
    {
        .name = "undrain",
        .arguments = "[ADDRESS]",
        .least = 0,
        .most = 1,
        .options = OPTION_BIT(ADDRESS),
        .group = VERB_GROUP_NODE,
        .run = verb_undrain,
        .summary = "The node is ready again.",
        .details = "Virtual addresses that have their home here are asked back for after 5 s.",
        .examples = { { "gatewayctl undrain", "after maintenance" } },
    },
    {
        .name = "upgrade",
        .arguments = "",
        .group = VERB_GROUP_NODE,
        .run = verb_upgrade,
        .summary = "Starts the binary on disk in place of the running one; no connection is lost.",
        .examples = { { "gatewayctl upgrade", "after a new package was installed" } },
    },
    {
        .name = "ha config",
        .arguments = "[FILE]",
        .least = 0,
        .most = 1,
        .takes = { VERB_ARGUMENT_FILE },
        .options = OPTION_BIT(NODE) | OPTION_BIT(OUT),
        .group = VERB_GROUP_NODE,
        .run = verb_ha_config,
        .summary = "Makes keepalived's configuration for nodes that hold virtual addresses.",
        .details =
            "FILE, libconfig or JSON, names the nodes and the addresses; without it a few "
            "questions are asked on the terminal. No gateway is asked.\n\n"
            "nodes = ( { name = \"gw-a\"; interface = \"eth0\"; ipv4 = \"10.0.0.11\"; }, … ); "
            "addresses = ( { name = \"a\"; address = \"10.0.0.100/24\"; home = \"gw-a\"; }, … "
            ");\n\n"
            "An address for each node and all of them work; one alone and the others wait. IPv6 "
            "addresses are further ones, and each node then has an ipv6 too. All else is optional: "
            "router_id (the first VRRP number, 51), of the site or of an address; user (gatewayd); "
            "folder (/run/gatewayd-ha); programs (/usr/libexec/gatewayd); realtime (true).\n\n"
            "For each node two files are made: keepalived.conf and ha.addresses. With --out they "
            "are written, each node's into a folder of its own unless --node says one; else "
            "printed. The runbook is ha/README.md.",
        .examples = { { "gatewayctl ha config --out pair", "asks, and writes pair/gw-a/… and "
                                                           "pair/gw-b/…" },
                      { "gatewayctl ha config ha.conf --node gw-a | less",
                        "what gw-a would get" } },
    },
    {
        .name = "cluster upgrade",
        .arguments = "[NODE…]",
        .most = MANY,
        .options = OPTION_BIT(RUN) | OPTION_BIT(LIVE) | OPTION_BIT(TO) | OPTION_BIT(DRAIN_FOR) |
                   OPTION_BIT(WITHIN) | OPTION_BIT(DRY_RUN) | OPTION_BIT(YES),
        .group = VERB_GROUP_NODE,
        .run = verb_cluster_upgrade,
        .summary = "Upgrades all nodes, or those named, one after the other, while the others "
                   "serve.",
        .details =
            "For each node: looks whether all others are ready, connected to the store and at the "
            "same revision, and stops if not; drains the node and waits until nothing is in "
            "flight; runs the command; waits until another process answers there, is ready and "
            "has caught up; ends the draining. With virtual addresses it waits until those it "
            "had are back.\n\n"
            "Nothing is done that is not sure: whatever goes wrong ends it, and it says what was "
            "done, how the node is left and how to go on. A node whose command failed stays "
            "drained. Starting it again is always right; --to or the names of nodes leave out "
            "those that are done.\n\n"
            "Nodes are asked at the addresses that they advertise (`gatewayctl nodes`), as "
            "--server is: with TLS or without, with the same token. The command is run where "
            "gatewayctl is; GATEWAYD_NODE, GATEWAYD_HOST and GATEWAYD_ADDRESS are set for it too.",
        .examples = { { "gatewayctl cluster upgrade --run 'ssh root@{host} apt-get install -y "
                        "gatewayd' --dry-run",
                        "what would be done" },
                      { "gatewayctl cluster upgrade --run './deploy {node}' --to 0.5.0",
                        "those that are not at 0.5.0" },
                      { "gatewayctl cluster upgrade gw-b --run 'ssh {host} systemctl restart "
                        "gatewayd'",
                        "one node" },
                      { "gatewayctl cluster upgrade --live --run 'ssh root@{host} apt-get "
                        "install -y -o Dpkg::Options::=--force-confold gatewayd'",
                        "by packages, which replace the program in place" } },
    },
    /* ---- gatewayctl itself ---- */
    {
        .name = "help",
        .arguments = "[VERB]",
        .least = 0,
        .most = 2,
        .options = OPTION_BIT(ALL) | OPTION_BIT(MAN),
        .group = VERB_GROUP_SELF,
        .run = verb_help,
        .summary = "Teaches a verb, or lists all there is.",
        .examples = { { "gatewayctl help keys create", "one verb" },
                      { "gatewayctl help --all | less", "everything" },
                      { "gatewayctl help --man > gatewayctl.1", "the manual page" } },
    },
    {
        .name = "completion",
        .arguments = "bash",
        .least = 1,
        .most = MANY,
        .group = VERB_GROUP_SELF,
        .run = verb_completion,
        .summary = "Prints what makes bash complete verbs, options, fields and names.",
        .examples = { { "source <(gatewayctl completion bash)", "in ~/.bashrc" } },
    },
    {
        .name = "version",
        .arguments = "",
        .group = VERB_GROUP_SELF,
        .run = verb_version,
        .summary = "The version of gatewayctl, and of the libraries it runs on.",
        .examples = { { "gatewayctl version", "what is this?" } },
    },
};
const size_t verb_count = ARRAY_LENGTH(verb_rows);
