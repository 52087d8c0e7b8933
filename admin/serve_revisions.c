/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_revisions.c - the history: listed, waited for, looked at, gone back to, confirmed.
 */
#include "admin/admin_server.h"
#include "admin/change.h"
#include "admin/difference.h"
#include "admin/reply.h"
#include "admin/serve.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000
#define WAIT_MOST_MS 60000

/* ---- printing ----------------------------------------------------------------------------- */

static const char *confirmation_name(enum store_confirmation confirmation)
{
    switch (confirmation) {
    case STORE_NOT_ASKED:
        return NULL;
    case STORE_PENDING:
        return "pending";
    case STORE_CONFIRMED:
        return "confirmed";
    case STORE_UNDONE:
        return "undone";
    }
    return NULL;
}

/* Without the closing brace. */
static void print_head(const struct store_entry *e, struct builder *b)
{
    char id[2 * ENTRY_ID_SIZE + 1];
    char time[TEXT_NUMBER_SIZE];
    const char *confirmation = confirmation_name(e->confirmation);

    digest_print_hex(e->head.id.bytes, ENTRY_ID_SIZE, id);
    text_print_time(e->head.time_ms, time);
    builder_addf(b, "{\"revision\":%llu,\"id\":\"%s\",\"time\":\"%s\",\"author\":",
                 (unsigned long long)e->head.revision, id, time);
    builder_add_json(b, e->head.author);
    builder_add(b, TEXT_OF(",\"summary\":"));
    builder_add_json(b, e->head.summary);
    if (confirmation != NULL) {
        builder_addf(b, ",\"confirmation\":\"%s\"", confirmation);
    }
    if (e->confirmation == STORE_PENDING) {
        text_print_time(e->confirm_until, time);
        builder_addf(b, ",\"confirm_until\":\"%s\"", time);
    }
}

/* ---- the list ----------------------------------------------------------------------------- */

struct list_state {
    struct call *call;
    struct store_waiter waiter;
    struct loop_timer timer;
    uint64_t limit;
    uint64_t before;
    uint64_t after;
    bool has_after;
};

static void reply_list(struct list_state *list)
{
    struct call *call = list->call;
    struct builder *b = &call->out;
    struct store_entry *entries = arena_alloc(&call->arena, (list->limit + 1) * sizeof(*entries));
    size_t count = store_list_entries(store_get(), list->before, list->limit + 1, entries);
    size_t shown = 0;

    builder_add(b, TEXT_OF("{\"items\":["));
    while (shown < count && shown < list->limit && entries[shown].head.revision > list->after) {
        builder_add(b, shown == 0 ? TEXT_OF("\n ") : TEXT_OF(",\n "));
        print_head(&entries[shown], b);
        builder_add_byte(b, '}');
        shown++;
    }
    builder_add(b, shown == 0 ? TEXT_OF("]") : TEXT_OF("\n]"));
    if (shown == list->limit && shown < count && entries[shown].head.revision > list->after) {
        builder_addf(b, ",\"next\":%llu", (unsigned long long)entries[shown - 1].head.revision);
    }
    builder_add_byte(b, '}');
    reply_json(call, 200);
}

static void stop_waiting(struct list_state *list)
{
    store_waiter_stop(&list->waiter);
    loop_timer_stop(&list->timer);
}

static void on_waited(void *arg)
{
    struct list_state *list = arg;

    stop_waiting(list);
    reply_list(list);
}

static void on_gone(struct call *call)
{
    stop_waiting(call->state);
}

static void wait_for(struct list_state *list, int64_t ms)
{
    struct call *call = list->call;

    store_waiter_init(&list->waiter, on_waited, list);
    loop_timer_init(&list->timer, admin_server_loop(call->server), on_waited, list);
    loop_timer_start(&list->timer, (uint64_t)ms);
    store_waiter_start(store_get(), &list->waiter, list->after);
    call->state = list;
    call_hold(call, on_gone);
}

void serve_list_revisions(struct call *call)
{
    struct list_state *list = arena_zalloc(&call->arena, sizeof(*list));
    int64_t wait = 0;

    list->call = call;
    list->limit = LIST_DEFAULT;
    list->has_after = call_query(call, "after").at != NULL;
    if (!call_query_number(call, "limit", 1, LIST_MAX, &list->limit) ||
        !call_query_number(call, "before", 1, UINT64_MAX, &list->before) ||
        !call_query_number(call, "after", 0, UINT64_MAX, &list->after) ||
        !call_query_duration(call, "wait", 0, WAIT_MOST_MS, &wait)) {
        return;
    }
    if (wait > 0 && !list->has_after) {
        reply_problem(call, 400, "bad-parameter", "wait needs after: ?after=N&wait=30s.");
        return;
    }
    if (wait > 0 && store_revision(store_get()) <= list->after) {
        wait_for(list, wait);
    } else {
        reply_list(list);
    }
}

/* ---- one ---------------------------------------------------------------------------------- */

/* False: replied. */
static bool read_number(struct call *call, uint64_t *revision_out)
{
    struct text written = call_variable(call, "n");

    if (text_parse_u64(written, revision_out) && *revision_out > 0) {
        return true;
    }
    reply_problem(call, 404, "not-found", "There is no revision %.*s.", TEXT_ARGS(written));
    return false;
}

static const char *change_name(const struct store_entry_change *change)
{
    if (text_is_empty(change->before)) {
        return "added";
    }
    return text_is_empty(change->after) ? "removed" : "changed";
}

static void print_change(const struct store_entry_change *change, struct builder *b)
{
    builder_addf(b, "{\"kind\":\"%s\",\"name\":", resource_kind_name(change->kind));
    builder_add_json(b, change->name);
    builder_addf(b, ",\"change\":\"%s\"", change_name(change));
    if (!text_is_empty(change->before)) {
        builder_add(b, TEXT_OF(",\"before\":"));
        builder_add(b, change->before);
    }
    if (!text_is_empty(change->after)) {
        builder_add(b, TEXT_OF(",\"after\":"));
        builder_add(b, change->after);
    }
    builder_add_byte(b, '}');
}

static void print_key(const struct store_entry_key *key, struct builder *b)
{
    static const char *const names[] = {
        [STORE_KEY_ADD] = "added",
        [STORE_KEY_CHANGE] = "changed",
        [STORE_KEY_REVOKE] = "revoked",
    };
    char id[KEY_ID_SIZE];

    key_id_print(key->id, id);
    builder_addf(b, "{\"id\":\"%s\",\"consumer\":", id);
    builder_add_json(b, key->consumer);
    builder_addf(b, ",\"change\":\"%s\"}", names[key->change]);
}

static void print_entry(const struct store_entry_read *read, struct builder *b)
{
    print_head(&read->entry, b);
    if (read->restores != 0) {
        builder_addf(b, ",\"%s\":%llu", read->is_undo ? "undoes" : "restores",
                     (unsigned long long)read->restores);
    }
    builder_add(b, TEXT_OF(",\"changes\":["));
    for (size_t i = 0; i < read->change_count; i++) {
        builder_add(b, i == 0 ? TEXT_OF("\n ") : TEXT_OF(",\n "));
        print_change(&read->changes[i], b);
    }
    builder_addf(b, "],\"change_count\":%zu,\"keys\":[", read->change_total);
    for (size_t i = 0; i < read->key_count; i++) {
        builder_add(b, i == 0 ? TEXT_OF("\n ") : TEXT_OF(",\n "));
        print_key(&read->keys[i], b);
    }
    builder_addf(b, "],\"key_count\":%zu}", read->key_total);
}

static void reply_absent(struct call *call)
{
    reply_problem(call, 404, "not-found", "There is no revision %.*s.",
                  TEXT_ARGS(call_variable(call, "n")));
}

static void on_read(void *arg, const struct store_entry_read *read)
{
    struct call *call = arg;

    if (read->outcome == STORE_DONE) {
        print_entry(read, &call->out);
        reply_json(call, 200);
    } else if (read->outcome == STORE_GONE) {
        reply_problem(call, 410, "gone",
                      "That revision is past the kept history; the oldest that can be had is %llu.",
                      (unsigned long long)store_oldest_revision(store_get()));
    } else if (read->outcome == STORE_AWAY) {
        reply_header(call, "Retry-After", TEXT_OF("2"));
        reply_problem(call, 503, "store-away", "%.*s", TEXT_ARGS(read->reason));
    } else {
        reply_absent(call);
    }
}

void serve_get_revision(struct call *call)
{
    uint64_t revision;

    if (!read_number(call, &revision)) {
        return;
    }
    call_hold(call, NULL);
    store_read_entry(store_get(), revision, on_read, call);
}

/* ---- going back --------------------------------------------------------------------------- */

static void on_restored(struct change *change, const struct store_result *r)
{
    if (!change->commit.is_dry_run) {
        change_tag(change, store_config_tag(store_get()));
    }
    difference_reply(change, r);
}

void serve_restore_revision(struct call *call)
{
    uint64_t revision;

    if (!read_number(call, &revision)) {
        return;
    }
    struct change *change = change_new(call);
    if (change == NULL) {
        return;
    }
    change->what = arena_print(&call->arena, "revision %llu", (unsigned long long)revision);
    change->commit.restores = revision;
    change->commit.condition = change->condition;
    change_commit(change, on_restored);
}

/* ---- confirming --------------------------------------------------------------------------- */

struct confirming {
    struct call *call;
    struct store_confirm confirm;
};

static void refuse(struct confirming *c, const struct store_result *r)
{
    struct call *call = c->call;
    unsigned long long revision = c->confirm.revision;

    switch (r->outcome) {
    case STORE_GONE:
        reply_problem(call, 410, "undone",
                      "Revision %llu was undone already: it was not confirmed in time.", revision);
        return;
    case STORE_FULL:
        reply_problem(call, 507, "disk-full", "%.*s", TEXT_ARGS(r->reason));
        return;
    case STORE_AWAY:
    case STORE_UNKNOWN:
        reply_header(call, "Retry-After", TEXT_OF("2"));
        reply_problem(call, 503, "store-away", "%.*s", TEXT_ARGS(r->reason));
        return;
    case STORE_DONE:
    case STORE_UNCHANGED:
    case STORE_PROBLEMS:
    case STORE_ABSENT:
    case STORE_REFERRED:
    case STORE_EXISTS:
    case STORE_REVOKED:
    case STORE_MOVED_ON:
        reply_problem(call, 404, "not-found", "Revision %llu waits for no confirmation.", revision);
        return;
    }
}

static void on_confirmed(void *arg, const struct store_result *r)
{
    struct confirming *c = arg;

    if (r->outcome != STORE_DONE && r->outcome != STORE_UNCHANGED) {
        refuse(c, r);
        return;
    }
    builder_addf(&c->call->out, "{\"revision\":%llu,\"confirmation\":\"confirmed\"}",
                 (unsigned long long)c->confirm.revision);
    reply_json(c->call, 200);
}

void serve_confirm_revision(struct call *call)
{
    struct confirming *c = arena_zalloc(&call->arena, sizeof(*c));

    c->call = call;
    if (!read_number(call, &c->confirm.revision)) {
        return;
    }
    c->confirm.author = text_of(call->author);
    c->confirm.done = on_confirmed;
    c->confirm.arg = c;
    call_hold(call, NULL);
    store_confirm(store_get(), &c->confirm);
}
