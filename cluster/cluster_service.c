/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_service.c - the service "cluster": who the other nodes are, how they are asked, what they
 * must be told while the store is away.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/cluster.h"
#include "cluster/heartbeat.h"
#include "cluster/members_file.h"
#include "cluster/peer_client.h"
#include "cluster/revocations.h"
#include "cluster/vrrp_watch.h"
#include "conf/base/mem.h"
#include "conf/read_file.h"
#include "conf/schema.h"
#include "gatewayd/control.h"
#include "gatewayd/core/log.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/ha.h"
#include "gatewayd/service.h"

#define EACH_MS       1000
#define STALE_LOOK_MS 100
#define NONCES_MOST   65536
#define GONE_FACTOR   2

static const struct log_scope log_cluster = { .subject = LOG_SUBJECT_store };

/* One per process. */
static struct {
    struct control *control;
    struct heartbeat *heartbeat;
    struct members_file *file;
    struct vrrp_watch *vrrp; /* NULL: no virtual addresses, or no other nodes */
    struct loop_timer timer;
    struct loop_timer stale_timer;
    char *host;
    char *address;
    bool is_tls;
    bool is_hurried;
    bool is_stale;
    bool is_held; /* another process of this node speaks for it */
    bool is_stopping;
} the;

/* ---- what this node says -------------------------------------------------------------------- */

/* The same for processes that share their loopback interface: one kernel, one network namespace. */
static char *print_host(void)
{
    char boot[64] = "";
    char line[128];
    char hex[2 * DIGEST_SIZE + 1];
    struct stat st = { 0 };
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, boot, sizeof(boot) - 1);
    if (fd >= 0)
        close(fd);
    if (stat("/proc/self/ns/net", &st) != 0)
        st.st_ino = 0;
    snprintf(line, sizeof(line), "%.*s %llu", (int)(length < 0 ? 0 : length), boot,
             (unsigned long long)st.st_ino);
    struct digest digest = digest_sha256(text_of(line));
    digest_print_hex(digest.bytes, DIGEST_SIZE, hex);
    return mem_copy_text(hex, 16);
}

static struct text print_entry_id(uint64_t revision, char into[2 * ENTRY_ID_SIZE + 1])
{
    struct store_entry entry;
    if (revision == 0 || store_list_entries(store_get(), revision + 1, 1, &entry) == 0 ||
        entry.head.revision != revision)
        return TEXT_EMPTY;
    return digest_print_hex(entry.head.id.bytes, ENTRY_ID_SIZE, into);
}

static void tell(const struct peer *self)
{
    struct builder b;
    if (the.heartbeat == NULL || the.is_held)
        return;
    builder_init(&b, SIZE_MAX);
    peer_print(self, &b);
    heartbeat_say(the.heartbeat, builder_text(&b));
    builder_fini(&b);
}

static void say(void)
{
    struct cluster *cluster = cluster_get();
    struct control_status status = control_status(the.control);
    char id[2 * ENTRY_ID_SIZE + 1];
    struct builder vrrp;
    builder_init(&vrrp, SIZE_MAX);
    if (control_ha(the.control) != NULL)
        ha_print_vrrp(control_ha(the.control), &vrrp);
    struct peer self = {
        .name = control_node(the.control)->node,
        .incarnation = text_of(cluster->incarnation),
        .version = TEXT_OF(GATEWAYD_VERSION),
        .address = text_of(the.address),
        .is_tls = the.is_tls,
        .host = text_of(the.host),
        .state = text_of(control_state_name(status.state)),
        .reason = status.reason,
        .started_at = status.started_at,
        .schema = SCHEMA_VERSION,
        .revision = status.revision,
        .entry_id = print_entry_id(status.revision, id),
        .vrrp = builder_text(&vrrp),
    };
    members_say(cluster->members, &self);
    tell(&self);
    builder_fini(&vrrp);
}

static void on_changed(void *arg)
{
    say();
}

/* ---- looking after it ----------------------------------------------------------------------- */

static void hurry(void)
{
    const struct members *members = cluster_get()->members;
    bool is_hurried = members != NULL && members_is_waited_for(members);
    if (the.heartbeat == NULL || is_hurried == the.is_hurried || the.is_stopping)
        return;
    the.is_hurried = is_hurried;
    heartbeat_hurry(the.heartbeat, is_hurried);
}

static void on_read(void *arg, const struct members_read *read)
{
    members_take(cluster_get()->members, read);
    if (the.is_held)
        return;
    members_file_keep(the.file, cluster_get()->scribe);
    hurry();
}

static void on_timer(void *arg)
{
    say();
    hurry();
    loop_timer_start(&the.timer, EACH_MS);
}

static void forget(void *arg, struct text name, struct text incarnation)
{
    if (the.heartbeat != NULL)
        heartbeat_remove(the.heartbeat, name, incarnation, NULL, NULL);
}

static bool remove_node(struct text name, struct text incarnation, cluster_removed_fn *removed,
                        void *arg)
{
    if (the.heartbeat == NULL || the.is_stopping)
        return false;
    heartbeat_remove(the.heartbeat, name, incarnation, removed, arg);
    return true;
}

/* Keys may have been revoked since: past state.max_staleness nobody gets in with one, nor past
 * state.tombstones, when the others may have forgotten that they were. */
static int64_t longest_staleness(void)
{
    const struct node_state *state = &control_node(the.control)->state;
    bool is_set = state->max_staleness != 0 && state->max_staleness < state->tombstones;
    return is_set ? state->max_staleness : state->tombstones;
}

static void on_stale_timer(void *arg)
{
    bool is_stale = store_status(store_get()).staleness_ms > longest_staleness();
    loop_timer_start(&the.stale_timer, STALE_LOOK_MS);
    if (is_stale == the.is_stale)
        return;
    the.is_stale = is_stale;
    credentials_set_stale(control_credentials(the.control), is_stale);
    if (is_stale)
        log_error(&log_cluster, "the store has been away for longer than state.max_staleness, or "
                                "state.tombstones: keys are refused until it is back");
    else
        log_info(&log_cluster, "the store is there again: keys are accepted");
}

/* ---- numbers -------------------------------------------------------------------------------- */

static void print_gauge(struct builder *b, const char *name, const char *help, uint64_t value)
{
    metrics_print_head(b, name, "gauge", help);
    metrics_print_u64(b, name, "", value);
}

static void print_members(const struct members *m, struct builder *b)
{
    struct members_view view;
    struct text after = TEXT_EMPTY;
    size_t unseen = 0;
    while (members_next(m, after, &view)) {
        after = view.member.name;
        unseen += view.is_unseen;
    }
    metrics_print_head(b, "gatewayd_nodes", "gauge",
                       "Nodes of the cluster: seen by this one, or not for some seconds.");
    metrics_print_u64(b, "gatewayd_nodes", "state=\"seen\"", members_count(m) - unseen);
    metrics_print_u64(b, "gatewayd_nodes", "state=\"unseen\"", unseen);
    print_gauge(b, "gatewayd_node_name_shared",
                "1 if another process serves under this node's name.", members_is_name_shared(m));
    print_gauge(b, "gatewayd_advertise_useless",
                "1 if nodes on other hosts cannot reach the address that this one advertises.",
                members_is_address_useless(m));
}

static void print_metrics(struct builder *b, void *arg)
{
    const struct cluster *cluster = cluster_get();
    if (store_get() == NULL || the.is_stopping)
        return;
    struct store_status status = store_status(store_get());
    metrics_print_head(b, "gatewayd_state_staleness_seconds", "gauge",
                       "How long ago this node knew last that it has all changes.");
    metrics_print_u64(b, "gatewayd_state_staleness_seconds", "",
                      (uint64_t)status.staleness_ms / 1000);
    print_gauge(b, "gatewayd_store_connected", "1 unless the store is away.", !status.is_away);
    if (cluster->members != NULL) {
        metrics_print_head(b, "gatewayd_history_passed_over_total", "counter",
                           "Entries of the shared history that no node wrote, or not whole.");
        metrics_print_u64(b, "gatewayd_history_passed_over_total", "", status.passed_over);
        print_members(cluster->members, b);
    }
    if (cluster->revocations != NULL)
        print_gauge(b, "gatewayd_revocations_unshared",
                    "Revocations made while the store was away, not in the history yet.",
                    revocations_waiting(cluster->revocations));
}

/* ---- the service ---------------------------------------------------------------------------- */

static bool check(const struct node_config *node, struct problems *ps)
{
    return node->cluster == NULL || peer_client_check(node, ps);
}

static bool open_peers(struct control *control, struct problems *ps)
{
    struct cluster *cluster = cluster_get();
    struct text secret = control_secret(control);
    if (text_is_empty(secret))
        return true;
    cluster->key = peer_sign_key(secret);
    cluster->peers = peer_client_new(control_loop(control), control_resolve(control),
                                     control_node(control), &cluster->key, ps);
    return cluster->peers != NULL;
}

/* Of use on this host only. */
static bool is_local(struct text address)
{
    struct host_port parts;
    struct address parsed;
    if (!address_split(address, &parts))
        return false;
    if (parts.is_unix || text_equals_nocase(parts.host, TEXT_OF("localhost")))
        return true;
    return address_parse(address, &parsed) &&
           (address_is_loopback(&parsed) || address_is_any(&parsed));
}

static void open_members(struct control *control)
{
    struct cluster *cluster = cluster_get();
    const struct node_config *node = control_node(control);
    bool has_advertised = node->cluster != NULL && !text_is_empty(node->cluster->advertise);
    struct text address = has_advertised ? node->cluster->advertise : node->admin.address;
    the.address = mem_copy_text(address.at, address.length);
    the.is_tls = node->admin.tls != NULL;
    the.host = print_host();
    cluster->members = members_new(&(struct members_settings){
        .loop = control_loop(control),
        .incarnation = cluster->incarnation,
        .forget_after =
            node->cluster == NULL ? CLUSTER_FORGET_AFTER_MS : node->cluster->forget_after,
        .is_local = is_local(address),
        .forget = forget,
    });
    cluster->revocations =
        revocations_new(control_loop(control), cluster->members, cluster->peers, node->node);
}

static bool prepare(struct control *control, struct problems *ps)
{
    struct cluster *cluster = cluster_get();
    unsigned char random[8];
    the.control = control;
    the.is_held = control_is_inheriting(control);
    digest_random(random, sizeof(random));
    digest_print_hex(random, sizeof(random), cluster->incarnation);
    peer_sign_guard_init(&cluster->guard, NONCES_MOST);
    if (!open_peers(control, ps))
        return false;
    if (control_node(control)->state.store == NODE_STORE_REDIS)
        open_members(control);
    if (cluster->redis != NULL)
        the.heartbeat = heartbeat_new(&(struct heartbeat_settings){
            .thread = cluster->thread,
            .redis = cluster->redis,
            .name = control_node(control)->node,
            .incarnation = text_of(cluster->incarnation),
            .kept_ms = GONE_FACTOR * (control_node(control)->cluster == NULL
                                          ? CLUSTER_FORGET_AFTER_MS
                                          : control_node(control)->cluster->forget_after),
            .on_read = on_read,
        });
    cluster->hurry = hurry;
    cluster->remove_node = remove_node;
    metrics_add_source(print_metrics, NULL);
    return true;
}

static void start(struct control *control)
{
    struct cluster *cluster = cluster_get();
    loop_timer_init(&the.stale_timer, control_loop(control), on_stale_timer, NULL);
    loop_timer_start(&the.stale_timer, 0);
    if (cluster->members == NULL)
        return;
    the.file = members_file_new(cluster->members, cluster->dir);
    loop_timer_init(&the.timer, control_loop(control), on_timer, NULL);
    loop_timer_start(&the.timer, 0);
    control_watch(control, on_changed, NULL);
    revocations_start(cluster->revocations);
    if (control_ha(control) != NULL) {
        the.vrrp = vrrp_watch_new(control_loop(control), control_ha(control), cluster->members,
                                  cluster->peers);
        vrrp_watch_start(the.vrrp);
    }
}

static void reload(struct control *control, const struct node_config *node, struct problems *ps)
{
    if (cluster_get()->peers != NULL)
        peer_client_reload(cluster_get()->peers, node, ps); /* certificates */
}

static bool try_release(struct control *control)
{
    if (the.heartbeat != NULL && !the.is_held)
        heartbeat_hold(the.heartbeat);
    the.is_held = true;
    return true;
}

static void resume(struct control *control)
{
    the.is_held = false;
    if (cluster_get()->members != NULL)
        say();
}

static void stop(struct control *control)
{
    struct cluster *cluster = cluster_get();
    the.is_stopping = true;
    cluster->hurry = NULL;
    cluster->remove_node = NULL;
    if (the.stale_timer.loop != NULL)
        loop_timer_stop(&the.stale_timer);
    if (cluster->members != NULL && the.timer.loop != NULL) {
        loop_timer_stop(&the.timer);
        control_watch(control, NULL, NULL);
        revocations_stop(cluster->revocations);
    }
    /* Not freed: its links are the store's and go after this. The thread runs once all is loaded.
     */
    if (the.heartbeat != NULL && cluster->scribe != NULL)
        heartbeat_stop(the.heartbeat, control_loop(control));
    vrrp_watch_free(&the.vrrp);
    members_file_free(&the.file);
    revocations_free(&cluster->revocations);
    members_free(&cluster->members);
    peer_client_free(&cluster->peers);
    peer_sign_guard_fini(&cluster->guard);
    explicit_bzero(&cluster->key, sizeof(cluster->key));
    MEM_FREE(&the.host);
    MEM_FREE(&the.address);
}

const struct service cluster_service = {
    .name = "cluster",
    .check = check,
    .prepare = prepare,
    .start = start,
    .reload = reload,
    .stop = stop,
    .try_release = try_release,
    .resume = resume,
};
