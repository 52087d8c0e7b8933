/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_resources.c - upstreams, routes, plans and consumers, one by one and in lists. Consumers
 * are read from the table of credentials, the rest from the store's sealed set; writing is the same
 * for all.
 */
#include "admin/admin_server.h"
#include "admin/change.h"
#include "admin/difference.h"
#include "admin/references.h"
#include "admin/reply.h"
#include "admin/requests.h"
#include "admin/serve.h"
#include "admin/warnings.h"
#include "conf/merge.h"
#include "conf/upstream.h"
#include "gatewayd/route/pattern.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000
#define PIECE        16384

static const struct checks strict = { .lenient = false, .pattern = pattern_check };

/* A count of the resource, or NULL. */
static struct resource *find(struct call *call, struct text name)
{
    enum resource_kind kind = call->operation->kind;

    if (kind == RESOURCE_CONSUMER) {
        struct control *control = admin_server_control(call->server);
        struct credentials *credentials = control_credentials(control);
        struct credentials_consumer consumer;
        struct resource *r = credentials_consumer_resource(credentials, name);

        if (r != NULL && credentials_get_consumer(credentials, name, &consumer)) {
            resource_stamp(r, 0, consumer.stamp);
        }
        return r;
    }
    struct resource *found = resources_find(store_resources(store_get()), kind, name);
    return found == NULL ? NULL : resource_ref(found);
}

static void print(const struct resource *r, bool only_set, struct builder *b)
{
    if (only_set) {
        builder_add(b, r->set);
    } else {
        resource_print(r, b);
    }
}

static struct text what(struct call *call, struct text name)
{
    return arena_print(&call->arena, "%s %.*s", resource_kind_singular(call->operation->kind),
                       TEXT_ARGS(name));
}

/* ---- lists -------------------------------------------------------------------------------- */

struct list_state {
    struct resources *resources; /* counted; NULL for consumers */
    struct resources_cursor cursor;
    struct text last; /* name of the last one printed; in the arena */
    size_t left;
    bool only_set;
    bool is_first;
};

static void free_list(struct call *call)
{
    struct list_state *list = call->state;

    resources_unref(&list->resources);
}

/* A count of the next one, or NULL. */
static struct resource *next_of(struct call *call, struct list_state *list)
{
    if (list->resources != NULL) {
        struct resource *r = resources_next(&list->cursor);
        return r == NULL ? NULL : resource_ref(r);
    }
    struct credentials *credentials = control_credentials(admin_server_control(call->server));
    struct credentials_consumer consumer;
    if (!credentials_next_consumer(credentials, list->last, &consumer)) {
        return NULL;
    }
    return credentials_consumer_resource(credentials, consumer.name);
}

/* Behind the last item: whether there are more. */
static bool end_list(struct call *call, struct list_state *list, struct builder *b, bool has_more)
{
    (void)call;
    builder_add(b, list->is_first ? TEXT_OF("]") : TEXT_OF("\n]"));
    if (has_more) {
        builder_add(b, TEXT_OF(",\"next\":"));
        builder_add_json(b, list->last);
    }
    builder_add(b, TEXT_OF("}\n"));
    return false;
}

static bool produce_list(struct call *call, struct builder *b)
{
    struct list_state *list = call->state;
    size_t end = b->length + PIECE;

    while (b->length < end) {
        struct resource *r = next_of(call, list);

        if (r == NULL || list->left == 0) {
            bool has_more = r != NULL;
            resource_unref(&r);
            return end_list(call, list, b, has_more);
        }
        builder_add(b, list->is_first ? TEXT_OF("\n ") : TEXT_OF(",\n "));
        print(r, list->only_set, b);
        list->is_first = false;
        list->left--;
        list->last = arena_copy(&call->arena, r->name);
        resource_unref(&r);
    }
    return true;
}

void serve_list_resources(struct call *call)
{
    struct list_state *list = arena_zalloc(&call->arena, sizeof(*list));
    enum resource_kind kind = call->operation->kind;
    struct text after = call_query(call, "after");
    uint64_t limit = LIST_DEFAULT;

    if (!call_query_number(call, "limit", 1, LIST_MAX, &limit) ||
        !call_query_fields(call, &list->only_set)) {
        return;
    }
    list->left = limit;
    list->is_first = true;
    list->last = after;
    if (kind != RESOURCE_CONSUMER) {
        list->resources = resources_ref(store_resources(store_get()));
        resources_cursor_after(&list->cursor, list->resources, kind, after);
    }
    call->state = list;
    call->on_free = free_list;
    builder_add(&call->out, TEXT_OF("{\"items\":["));
    reply_stream(call, 200, produce_list);
}

/* ---- one ---------------------------------------------------------------------------------- */

/* If-None-Match of a reader that has it already. */
static bool is_known(struct call *call, struct text tag)
{
    struct text none = call_header(call, "If-None-Match");

    return none.at != NULL && (text_equals(none, TEXT_OF("*")) || text_contains(none, tag));
}

void serve_get_resource(struct call *call)
{
    struct text name = call_variable(call, "name");
    char printed[STORE_TAG_SIZE];
    bool only_set;

    if (!call_query_fields(call, &only_set)) {
        return;
    }
    struct resource *r = find(call, name);
    if (r == NULL) {
        reply_problem(call, 404, "not-found", "There is no %.*s.", TEXT_ARGS(what(call, name)));
        return;
    }
    struct text tag = store_tag_print(r->tag, printed);
    reply_header(call, "ETag", tag);
    if (is_known(call, tag)) {
        reply_not_modified(call);
    } else {
        print(r, only_set, &call->out);
        reply_json(call, 200);
    }
    resource_unref(&r);
}

/* ---- writing ------------------------------------------------------------------------------ */

struct write {
    struct change *change;
    struct store_change one;
    struct doc doc; /* the body */
    struct text name;
    struct text address; /* of a target */
    bool only_set;
};

static void free_write(struct call *call)
{
    struct write *w = call->state;

    resource_unref(&w->one.resource);
}

static void on_written(struct change *change, const struct store_result *r)
{
    struct call *call = change->call;
    const struct write *w = change->state;
    struct warnings warnings;

    free_write(call);
    call->on_free = NULL;
    if (change->commit.is_dry_run) {
        difference_reply(change, r);
        return;
    }
    MUST(r->resource != NULL);
    warnings_init(&warnings, &call->arena);
    if (!text_is_empty(r->behind)) {
        warnings_add_behind(&warnings, r->behind);
    } else if (call->operation->kind == RESOURCE_ROUTE) {
        warnings_add_route(&warnings, admin_server_control(call->server), w->name);
    }
    change_tag(change, r->tag);
    print(r->resource, w->only_set, &call->out);
    warnings_print_member(&warnings, &call->out);
    change_reply(change, r, r->was_created && r->outcome == STORE_DONE ? 201 : 200);
}

/* NULL: replied. */
static struct write *write_new(struct call *call, enum store_change_kind kind)
{
    struct change *change = change_new(call);

    if (change == NULL) {
        return NULL;
    }
    struct write *w = arena_zalloc(&call->arena, sizeof(*w));
    w->change = change;
    w->name = call_variable(call, "name");
    w->one = (struct store_change){
        .change = kind,
        .kind = call->operation->kind,
        .name = w->name,
        .condition = change->condition,
    };
    change->what = what(call, w->name);
    change->state = w;
    call->state = w;
    call->on_free = free_write;
    change->commit.changes = &w->one;
    change->commit.change_count = 1;
    return call_query_fields(call, &w->only_set) ? w : NULL;
}

/* A name in the body other than the path's: replied 409. */
static bool check_name(struct call *call, const struct write *w)
{
    const struct doc *name = doc_find(&w->doc, TEXT_OF("name"));

    if (name == NULL || name->type != DOC_TEXT || text_equals(name->text, w->name)) {
        return true;
    }
    reply_problem(
        call, 409, "name-mismatch",
        "The name in the body is \"%.*s\", the address says \"%.*s\"; it may be left out.",
        TEXT_ARGS(name->text), TEXT_ARGS(w->name));
    return false;
}

static bool exists(void *arg, enum resource_kind kind, struct text name)
{
    (void)arg;
    return resources_find(store_resources(store_get()), kind, name) != NULL;
}

/* What it refers to is looked at here, too, and not only by the store, so that all problems are
 * found at once, each at its own place. */
static struct resource *make_resource(const struct write *w, const struct doc *doc,
                                      struct problems *ps)
{
    struct resource_source source = { .name = w->name };
    struct resource *r = resource_new(w->one.kind, doc, &source, &strict, ps);

    references_check(resource_kind_schema(w->one.kind), doc, "", exists, NULL, ps);
    if (!problems_is_empty(ps)) {
        resource_unref(&r);
    }
    return r;
}

void serve_put_resource(struct call *call)
{
    struct write *w = write_new(call, STORE_PUT);
    struct problems ps;

    if (w == NULL || !call_doc(call, false, &w->doc) || !check_name(call, w)) {
        return;
    }
    problems_init(&ps);
    w->one.resource = make_resource(w, &w->doc, &ps);
    if (w->one.resource == NULL) {
        reply_problems(call, 422, "invalid", "The document has errors; nothing was changed.", &ps);
    } else {
        change_commit(w->change, on_written);
    }
    problems_fini(&ps);
}

/* ---- merging ------------------------------------------------------------------------------ */

static struct resource *merge(void *arg, const struct resource *current, struct problems *ps)
{
    struct write *w = arg;
    struct arena *arena = &w->change->call->arena;
    struct doc before = resource_doc(current, arena);
    struct doc after = merge_patch(&before, &w->doc, arena);

    return make_resource(w, &after, ps);
}

void serve_patch_resource(struct call *call)
{
    struct write *w = write_new(call, STORE_EDIT);

    if (w == NULL || !call_doc(call, false, &w->doc) || !check_name(call, w)) {
        return;
    }
    w->one.edit = merge;
    w->one.edit_arg = w;
    change_commit(w->change, on_written);
}

/* ---- one target --------------------------------------------------------------------------- */

/* The target's place in a list of them, or the count. */
static size_t find_target(const struct doc *targets, struct text address)
{
    size_t i = 0;

    while (i < targets->list.count &&
           !text_equals(doc_find_text(&targets->list.items[i], TEXT_OF("address")), address)) {
        i++;
    }
    return i;
}

static struct resource *merge_target(void *arg, const struct resource *current, struct problems *ps)
{
    struct write *w = arg;
    struct arena *arena = &w->change->call->arena;
    struct doc written = resource_doc(current, arena);
    struct doc doc = doc_copy(&written, arena);
    const struct doc *targets = doc_find(&doc, TEXT_OF("targets"));
    struct place place = { .pointer = "", .path = "targets" };

    if (targets == NULL || targets->type != DOC_LIST ||
        find_target(targets, w->address) == targets->list.count) {
        problems_add(ps, place, "The target %.*s is not there any more.", TEXT_ARGS(w->address));
        return NULL;
    }
    struct doc *target = &targets->list.items[find_target(targets, w->address)];
    *target = merge_patch(target, &w->doc, arena);
    return make_resource(w, &doc, ps);
}

static bool has_target(struct call *call, const struct write *w)
{
    struct resource *r = resources_find(store_resources(store_get()), RESOURCE_UPSTREAM, w->name);

    if (r == NULL) {
        reply_problem(call, 404, "not-found", "There is no upstream %.*s.", TEXT_ARGS(w->name));
        return false;
    }
    for (size_t i = 0; i < r->upstream->targets.count; i++) {
        if (text_equals(r->upstream->targets.items[i].address, w->address)) {
            return true;
        }
    }
    reply_problem(call, 404, "not-found", "The upstream %.*s has no target %.*s.",
                  TEXT_ARGS(w->name), TEXT_ARGS(w->address));
    return false;
}

void serve_patch_target(struct call *call)
{
    struct write *w = write_new(call, STORE_EDIT);
    struct requests_target_patch patch;

    if (w == NULL || !requests_bind(call, &requests_target_patch_schema, &patch, &w->doc)) {
        return;
    }
    w->address = call_variable(call, "address");
    if (!has_target(call, w)) {
        return;
    }
    w->one.edit = merge_target;
    w->one.edit_arg = w;
    change_commit(w->change, on_written);
}

/* ---- removing ----------------------------------------------------------------------------- */

static void on_deleted(struct change *change, const struct store_result *r)
{
    change->call->on_free = NULL;
    if (change->commit.is_dry_run) {
        difference_reply(change, r);
    } else {
        change_reply_deleted(change, r);
    }
}

void serve_delete_resource(struct call *call)
{
    struct write *w = write_new(call, STORE_DELETE);

    if (w != NULL) {
        change_commit(w->change, on_deleted);
    }
}
