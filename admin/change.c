/* SPDX-License-Identifier: Apache-2.0 */
/* change.c - see change.h. */
#include "admin/change.h"

#include "admin/admin_server.h"
#include "admin/reply.h"
#include "cluster/cluster.h"
#include "cluster/store.h"
#include "conf/read_json.h"
#include "conf/schema.h"

#define CONFIRM_LEAST_MS   1000
#define CONFIRM_MOST_MS    (24 * 3600 * 1000)
#define TIMEOUT_MS         2000
#define TIMEOUT_MOST_MS    60000
#define RETRY_AFTER        "2"
#define NAMES_IN_SENTENCES 10
#define CONDITION_TAGS     32

/* ---- conditions --------------------------------------------------------------------------- */

/* The next entity tag of a list, with its quotes; a weak one keeps its "W/". False: malformed. */
static bool next_tag(struct text *rest, struct text *tag_out)
{
    struct text t = text_trim(*rest);
    size_t start = text_starts_with(t, TEXT_OF("W/")) ? 2 : 0;

    if (t.length < start + 2 || t.at[start] != '"') {
        return false;
    }
    size_t end = start + 1 + text_find_byte(text_skip(t, start + 1), '"');
    if (end >= t.length) {
        return false;
    }
    *tag_out = text_first(t, end + 1);
    t = text_trim(text_skip(t, end + 1));
    if (t.length > 0 && t.at[0] != ',') {
        return false;
    }
    *rest = text_trim(text_skip(t, 1));
    return true;
}

/* Tags that are none of ours match nothing. */
static bool read_tags(struct change *change, struct text list)
{
    uint64_t *tags = arena_alloc(&change->call->arena, CONDITION_TAGS * sizeof(*tags));
    struct text tag;

    change->condition = (struct store_condition){ .kind = STORE_IF_TAG, .tags = tags };
    do {
        uint64_t value;

        if (!next_tag(&list, &tag)) {
            return false;
        }
        if (store_tag_parse(tag, &value) && change->condition.tag_count < CONDITION_TAGS) {
            tags[change->condition.tag_count++] = value;
        }
    } while (list.length > 0);
    return true;
}

static bool read_conditions(struct change *change)
{
    struct call *call = change->call;
    struct text match;
    struct text none;
    bool has_match = headers_join(&call->head.headers, TEXT_OF("If-Match"), &call->arena, &match);
    bool has_none =
        headers_join(&call->head.headers, TEXT_OF("If-None-Match"), &call->arena, &none);

    if (!call->operation->has_conditions || (!has_match && !has_none)) {
        return true;
    }
    if (has_match && has_none) {
        reply_problem(call, 400, "bad-condition", "If-Match and If-None-Match exclude each other.");
        return false;
    }
    if (has_none && !text_equals(none, TEXT_OF("*"))) {
        reply_problem(call, 400, "bad-condition", "If-None-Match can only be * here.");
        return false;
    }
    if (has_none) {
        change->condition.kind = STORE_IF_ABSENT;
    } else if (text_equals(match, TEXT_OF("*"))) {
        change->condition.kind = STORE_IF_EXISTS;
    } else if (!read_tags(change, match)) {
        reply_problem(call, 400, "bad-condition",
                      "If-Match must be * or entity tags in quotes, got %.*s.", TEXT_ARGS(match));
        return false;
    }
    return true;
}

/* ---- parameters --------------------------------------------------------------------------- */

static bool read_parameters(struct change *change)
{
    struct call *call = change->call;
    struct text wait = call_query(call, "wait");

    change->timeout_ms = TIMEOUT_MS;
    change->waits_for_all = wait.at != NULL;
    if (wait.at != NULL && !text_equals(wait, TEXT_OF("all"))) {
        reply_problem(call, 400, "bad-parameter", "wait can only be all here, got \"%.*s\".",
                      TEXT_ARGS(wait));
        return false;
    }
    return call_query_duration(call, "timeout", 0, TIMEOUT_MOST_MS, &change->timeout_ms) &&
           call_query_duration(call, "confirm", CONFIRM_LEAST_MS, CONFIRM_MOST_MS,
                               &change->commit.confirm_ms) &&
           call_query_bool(call, "dry_run", &change->commit.is_dry_run);
}

struct change *change_new(struct call *call)
{
    struct change *change = arena_zalloc(&call->arena, sizeof(*change));

    change->call = call;
    change->what = TEXT_OF("resource");
    if (!read_conditions(change) || !read_parameters(change)) {
        return NULL;
    }
    change->commit.author = text_of(call->author);
    return change;
}

/* ---- ways to end badly -------------------------------------------------------------------- */

static struct text place_of(struct change *change, const struct store_result *r)
{
    return change->place == NULL ? TEXT_OF("") : change->place(change, r->failed_at);
}

/* "a, b, c and 4 more" */
static struct text list_names(struct arena *arena, const struct store_result *r)
{
    struct text list = TEXT_OF("");
    size_t shown = r->name_count < NAMES_IN_SENTENCES ? r->name_count : NAMES_IN_SENTENCES;
    size_t total = r->name_total > r->name_count ? r->name_total : r->name_count;

    for (size_t i = 0; i < shown; i++) {
        const char *between = i == 0 ? "" : i + 1 == total ? " and " : ", ";
        list = arena_print(arena, "%.*s%s%.*s", TEXT_ARGS(list), between, TEXT_ARGS(r->names[i]));
    }
    return total == shown ? list
                          : arena_print(arena, "%.*s and %zu more", TEXT_ARGS(list), total - shown);
}

/* Deleting one thing that is needed, or replacing all where consumers with keys would go. */
static void reply_referred(struct change *change, const struct store_result *r)
{
    struct call *call = change->call;
    struct text list = list_names(&call->arena, r);
    const struct store_change *first = change->commit.changes;
    bool is_one = change->commit.change_count == 1 && !change->commit.replaces_all;
    struct reply_names names = { .items = r->names, .count = r->name_count };
    struct text detail;

    if (!is_one) {
        names.member = "consumers";
        detail = arena_print(&call->arena,
                             "Consumers with active keys would be removed: %.*s. Revoke their keys "
                             "before, or keep them.",
                             TEXT_ARGS(list));
    } else if (first->kind == RESOURCE_CONSUMER) {
        names.member = "keys";
        detail = arena_print(&call->arena, "The %.*s has active keys: %.*s. Revoke them before.",
                             TEXT_ARGS(change->what), TEXT_ARGS(list));
    } else {
        names.member = "referred_by";
        detail = arena_print(&call->arena, "The %.*s is referred to by %.*s.",
                             TEXT_ARGS(change->what), TEXT_ARGS(list));
    }
    reply_problem_names(call, 409, "referred", &names, detail);
}

static void reply_unavailable(struct change *change, const struct store_result *r)
{
    struct call *call = change->call;
    char id[2 * ENTRY_ID_SIZE + 1];

    reply_header(call, "Retry-After", TEXT_OF(RETRY_AFTER));
    if (r->outcome == STORE_AWAY) {
        reply_problem(call, 503, "store-away", "Nothing was changed. %.*s", TEXT_ARGS(r->reason));
        return;
    }
    struct text printed = digest_print_hex(r->id.bytes, sizeof(r->id.bytes), id);
    struct reply_names names = { .member = "entries", .items = &printed, .count = 1 };
    reply_problem_names(call, 503, "outcome-unknown", &names,
                        arena_print(&call->arena,
                                    "The change may or may not have happened: look for the entry "
                                    "%.*s in /v1/revisions. %.*s",
                                    TEXT_ARGS(printed), TEXT_ARGS(r->reason)));
}

static void reply_gone(struct change *change, const struct store_result *r)
{
    reply_problem(change->call, 410, "gone",
                  "That revision is past the kept history; the oldest that can be had is %llu.",
                  (unsigned long long)r->revision);
}

void change_refuse(struct change *change, const struct store_result *r)
{
    struct call *call = change->call;

    switch (r->outcome) {
    case STORE_DONE:
    case STORE_UNCHANGED:
        return;
    case STORE_PROBLEMS:
        reply_problems(call, 422, "invalid", "The document has errors; nothing was changed.",
                       r->problems);
        return;
    case STORE_ABSENT:
        reply_problem(call, 404, "not-found", "There is no %.*s.", TEXT_ARGS(change->what));
        return;
    case STORE_REFERRED:
        reply_referred(change, r);
        return;
    case STORE_EXISTS:
        reply_problem(call, 409, "exists", "%.*sThis key is known already.",
                      TEXT_ARGS(place_of(change, r)));
        return;
    case STORE_REVOKED:
        reply_problem(call, 409, "revoked", "%.*sThis key was revoked, which is for good.",
                      TEXT_ARGS(place_of(change, r)));
        return;
    case STORE_MOVED_ON:
        reply_problem(call, 412, "moved-on", "%s",
                      change->condition.kind == STORE_IF_ABSENT
                          ? "It exists already (If-None-Match)."
                          : "It is not what If-Match names; somebody else changed it.");
        return;
    case STORE_GONE:
        reply_gone(change, r);
        return;
    case STORE_FULL:
        reply_problem(call, 507, "disk-full", "Nothing was changed. %.*s", TEXT_ARGS(r->reason));
        return;
    case STORE_AWAY:
    case STORE_UNKNOWN:
        reply_unavailable(change, r);
        return;
    }
}

/* ---- the commit --------------------------------------------------------------------------- */

static void on_done(void *arg, const struct store_result *r)
{
    struct change *change = arg;
    /* A shared store that has no room takes no revocation either: it must not wait for that. */
    bool is_away =
        r->outcome == STORE_AWAY || r->outcome == STORE_UNKNOWN || r->outcome == STORE_FULL;

    change->call->revision = r->outcome == STORE_GONE ? 0 : r->revision;
    if (r->outcome == STORE_DONE || r->outcome == STORE_UNCHANGED) {
        change->answer(change, r);
    } else if (!is_away || change->on_away == NULL || !change->on_away(change, r)) {
        change_refuse(change, r);
    }
}

/* How new a node must be to understand it. Of a PATCH only what it says counts. */
static unsigned since_of(struct change *change, const struct store_change *one)
{
    struct call *call = change->call;
    struct text json = one->resource != NULL ? one->resource->set : builder_text(&call->body);
    struct problems ps;
    struct doc doc;

    if (one->change == STORE_DELETE) {
        return 0;
    }
    problems_init(&ps);
    bool is_json = read_json(json, &call->arena, &ps, &doc);
    problems_fini(&ps);
    return is_json ? schema_since(resource_kind_schema(one->kind), &doc) : 0;
}

/* Nodes of an older version that would not understand what is to be set. False: replied 409. */
static bool is_understood_by_all(struct change *change)
{
    const struct members *members = cluster_get()->members;
    struct text list = TEXT_EMPTY;
    struct members_view view;
    struct text after = TEXT_EMPTY;
    unsigned needed = 0;
    bool is_known = false;

    while (members != NULL && members_next(members, after, &view)) {
        after = view.member.name;
        if (view.member.schema >= SCHEMA_VERSION || view.is_unseen) {
            continue;
        }
        for (size_t i = 0; !is_known && i < change->commit.change_count; i++) {
            unsigned since = since_of(change, &change->commit.changes[i]);
            needed = since > needed ? since : needed;
        }
        is_known = true;
        if (view.member.schema < needed) {
            list = arena_print(&change->call->arena, "%.*s%s%.*s", TEXT_ARGS(list),
                               text_is_empty(list) ? "" : ", ", TEXT_ARGS(view.member.name));
        }
    }
    if (text_is_empty(list)) {
        return true;
    }
    reply_problem(change->call, 409, "older-nodes",
                  "What is to be set is not known to these nodes, which run an older version: "
                  "%.*s. Upgrade them first.",
                  TEXT_ARGS(list));
    return false;
}

void change_commit(struct change *change, change_answer_fn *answer)
{
    if (!is_understood_by_all(change)) {
        return;
    }
    change->answer = answer;
    change->commit.done = on_done;
    change->commit.arg = change;
    call_hold(change->call, NULL);
    store_commit(store_get(), &change->commit);
}

/* ---- answers ------------------------------------------------------------------------------ */

void change_tag(struct change *change, uint64_t tag)
{
    char printed[STORE_TAG_SIZE];

    reply_header(change->call, "ETag", store_tag_print(tag, printed));
}

/* Names of nodes as in Gatewayd-Pending. */
static void add_pending(struct change *change, const struct text *names, size_t count)
{
    struct call *call = change->call;
    struct text own = control_node(admin_server_control(call->server))->node;
    struct text list = change->is_behind ? own : TEXT_EMPTY;

    for (size_t i = 0; i < count; i++) {
        if (!change->is_behind || !text_equals(names[i], own)) {
            list = arena_print(&call->arena, "%.*s%s%.*s", TEXT_ARGS(list),
                               text_is_empty(list) ? "" : ", ", TEXT_ARGS(names[i]));
        }
    }
    if (!text_is_empty(list)) {
        reply_header(call, "Gatewayd-Pending", list);
        change->status = 202;
    }
}

static void on_waited(void *arg, const struct text *names, size_t count)
{
    struct change *change = arg;

    add_pending(change, names, count);
    change->send(change, change->status);
}

void change_finish(struct change *change, const struct store_result *r, unsigned status,
                   change_send_fn *send)
{
    const struct cluster *cluster = cluster_get();

    change->send = send;
    change->status = status;
    change->is_behind =
        r->outcome == STORE_DONE && !text_is_empty(r->behind) && !change->commit.is_dry_run;
    if (!change->waits_for_all || change->commit.is_dry_run || cluster->members == NULL) {
        on_waited(change, NULL, 0);
        return;
    }
    members_wait_start(cluster->members, &change->wait, r->revision, change->timeout_ms, on_waited,
                       change);
    if (cluster->hurry != NULL) {
        cluster->hurry();
    }
}

static void send_json(struct change *change, unsigned status)
{
    reply_json(change->call, status);
}

void change_reply(struct change *change, const struct store_result *r, unsigned status)
{
    change_finish(change, r, status, send_json);
}

static void send_deleted(struct change *change, unsigned status)
{
    if (status == 204) {
        reply_empty(change->call);
    } else {
        reply_empty_object(change->call, status);
    }
}

void change_reply_deleted(struct change *change, const struct store_result *r)
{
    change_finish(change, r, 204, send_deleted);
}
