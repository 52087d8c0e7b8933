/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded.c - opening, starting, stopping, and the reading half of the port.
 */
#include "cluster/store_embedded.h"

#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

int64_t store_embedded_wall(const struct store_embedded *e)
{
    /* Before the loop has run there is no time of the turn yet. */
    int64_t now = clock_wall_ms(&e->settings.loop->clock);
    return e->is_started && now != 0 ? now : clock_read_wall_ms();
}

void store_embedded_advance(struct embedded_head *head, struct resources *resources)
{
    struct resources *next = resources_ref(resources);
    resources_unref(&head->resources);
    head->resources = next;
}

/* ---- reading ---- */

static struct resources *get_resources(const struct store *s)
{
    return store_embedded_of(s)->now.resources;
}

static uint64_t get_revision(const struct store *s)
{
    return store_embedded_of(s)->now.revision;
}

static uint64_t get_config_tag(const struct store *s)
{
    return store_embedded_of(s)->now.config_tag;
}

static bool is_loading(const struct store *s)
{
    return !store_embedded_of(s)->is_started;
}

static struct store_status get_status(const struct store *s)
{
    const struct store_embedded *e = store_embedded_of(s);
    const char *reason = e->refusal != NULL ? e->refusal : e->trouble;
    if (e->authority != NULL) {
        struct store_status status = e->authority->type->status(e->authority);
        if (text_is_empty(status.reason))
            status.reason = text_of(reason);
        return status;
    }
    return (struct store_status){
        .kind = s->type->name,
        .is_away = e->refusal != NULL,
        .since = e->since,
        .reason = text_of(reason),
    };
}

static size_t list_entries(const struct store *s, uint64_t before, size_t size,
                           struct store_entry *entries_out)
{
    return history_list(&store_embedded_of(s)->history, before, size, entries_out);
}

static uint64_t get_oldest(const struct store *s)
{
    return history_oldest(&store_embedded_of(s)->history);
}

static void wait_for(struct store *s, struct store_waiter *w, uint64_t after)
{
    history_wait(&store_embedded_of(s)->history, w, after);
}

/* ---- changing ---- */

static void commit(struct store *s, struct store_commit *c)
{
    struct store_embedded *e = store_embedded_of(s);
    struct embedded_work *w = store_embedded_work_new(e, WORK_COMMIT);
    w->asked = w->commit = c;
    list_add_last(&e->queue, &w->node);
    store_embedded_batch_run(e);
}

static void confirm(struct store *s, struct store_confirm *c)
{
    struct store_embedded *e = store_embedded_of(s);
    struct embedded_work *w = store_embedded_work_new(e, WORK_CONFIRM);
    w->confirm = c;
    list_add_last(&e->queue, &w->node);
    store_embedded_batch_run(e);
}

static const struct store_type embedded_type = {
    .name = "embedded",
    .resources = get_resources,
    .revision = get_revision,
    .config_tag = get_config_tag,
    .is_loading = is_loading,
    .status = get_status,
    .commit = commit,
    .confirm = confirm,
    .revoke = store_embedded_revoked_start,
    .list_unshared = store_embedded_revoked_list,
    .list_entries = list_entries,
    .oldest_revision = get_oldest,
    .wait = wait_for,
    .read_entry = store_embedded_entry_read,
};

struct store *store_embedded_port(struct store_embedded *e)
{
    return &e->store;
}

void store_embedded_set_authority(struct store_embedded *e, struct authority *a)
{
    MUST(!e->is_started);
    e->authority = a;
}

struct entry_id store_embedded_id(const struct store_embedded *e)
{
    return e->now.id;
}

struct entry_id store_embedded_cluster(const struct store_embedded *e)
{
    return e->cluster;
}

bool store_embedded_is_quiet(const struct store_embedded *e)
{
    return e->batch == NULL && e->planning == NULL && list_is_empty(&e->inbox);
}

bool store_embedded_can_replace(const struct store_embedded *e)
{
    return store_embedded_is_quiet(e) && e->hold == HOLD_NOT && !e->is_still;
}

struct resource *store_embedded_find(const struct store_embedded *e, enum resource_kind kind,
                                     struct text name)
{
    if (kind == RESOURCE_CONSUMER)
        return store_embedded_consumer(e, name);
    struct resource *r = resources_find(e->now.resources, kind, name);
    return r == NULL ? NULL : resource_ref(r);
}

bool store_embedded_find_key(const struct store_embedded *e, const struct digest *digest,
                             struct credentials_key *key_out)
{
    return credentials_get_key_by_digest(e->settings.credentials, digest, key_out);
}

void store_embedded_look(struct store_embedded *e)
{
    store_embedded_batch_run(e);
}

struct scribe *store_embedded_scribe(struct store_embedded *e)
{
    return e->scribe;
}

uint64_t store_embedded_cut(const struct store_embedded *e)
{
    return e->cut;
}

void store_embedded_set_keeping(struct store_embedded *e, size_t history, int64_t tombstones)
{
    e->settings.history = history;
    e->history.most = history == 0 ? 1 : history;
    e->settings.tombstones = tombstones;
}

/* ---- lifetime ---- */

struct store_embedded *store_embedded_new(const struct store_embedded_settings *settings,
                                          struct state_dir *dir, struct problems *ps)
{
    struct store_embedded *e = mem_new(sizeof(*e));
    e->store.type = &embedded_type;
    e->settings = *settings;
    e->dir = dir;
    e->now.resources = resources_new();
    e->since = clock_read_wall_ms();
    history_init(&e->history, settings->history, settings->loop);
    store_embedded_batch_init(e);
    store_embedded_work_init(e);
    store_embedded_revoked_init(e);
    store_embedded_undo_init(e);
    store_embedded_care_init(e);
    store_embedded_compact_init(e);
    store_embedded_claim_init(e);
    store_embedded_follow_init(e);
    store_embedded_replace_init(e);
    bool is_beside = settings->loaded_beside != NULL;
    e->hold = is_beside ? HOLD_RELEASED : HOLD_NOT;
    e->journal = is_beside ? journal_open_beside(dir, ps) : journal_open(dir, ps);
    if (e->journal == NULL)
        store_embedded_free(&e);
    return e;
}

static void on_first_published(void *arg, struct text reason)
{
    if (!text_is_empty(reason))
        log_error(&log_store, "the stored resources are not in force: %.*s", TEXT_ARGS(reason));
}

void store_embedded_start(struct store_embedded *e, bool publishes)
{
    MUST(!e->is_started && e->loading == NULL);
    e->scribe = scribe_new(e->settings.mailbox);
    e->is_started = true;
    if (publishes && e->settings.publish != NULL)
        e->settings.publish(e->settings.arg, e->now.resources, e->now.revision, on_first_published,
                            e);
    store_embedded_care_start(e);
    store_embedded_undo_watch(e);
    store_embedded_batch_run(e);
}

/* Until nothing is with the scribe or the authority, and whoever can be answered is. */
static void settle(struct store_embedded *e)
{
    while (scribe_waiting(e->scribe) > 0 || e->is_claiming || loop_slice_is_started(&e->slice))
        loop_run_once(e->settings.loop, scribe_waiting(e->scribe) > 0 || e->is_claiming);
}

void store_embedded_stop(struct store_embedded *e)
{
    store_embedded_load_stop(e);
    if (!e->is_started || e->is_stopping)
        return;
    e->is_stopping = true;
    loop_timer_stop(&e->confirm_timer);
    store_embedded_care_stop(e);
    loop_slice_stop(&e->compact_slice);
    store_embedded_batch_run(e);
    store_embedded_replace_stop(e);
    settle(e);
    /* The last answers have started timers, and what they accepted is to be durable. */
    store_embedded_claim_stop(e);
    settle(e);
    store_embedded_compact_stop(e);
    MUST(e->batch == NULL && e->planning == NULL && list_is_empty(&e->queue));
}

void store_embedded_free(struct store_embedded **at)
{
    struct store_embedded *e = *at;
    if (e == NULL)
        return;
    store_embedded_stop(e);
    store_embedded_batch_fini(e);
    store_embedded_work_fini(e);
    store_embedded_revoked_fini(e);
    store_embedded_follow_fini(e);
    scribe_free(&e->scribe);
    journal_close(&e->journal);
    history_fini(&e->history);
    resources_unref(&e->now.resources);
    resources_unref(&e->next.resources);
    MEM_FREE(at);
}
