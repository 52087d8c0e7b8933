/* SPDX-License-Identifier: Apache-2.0 */
/* difference.c - see difference.h. */
#include "admin/difference.h"

#include "admin/admin_server.h"
#include "admin/reply.h"
#include "admin/warnings.h"
#include "conf/diff.h"
#include "conf/print_json.h"

#define PIECE 16384

struct difference {
    struct resources *before;
    struct resources *after;
    struct resources_difference at;
    struct store_difference *consumers;
    size_t consumer_count;
    size_t consumer_total;
    size_t consumer_at;
    size_t printed;
    struct arena scratch;
    struct warnings warnings;
    bool looks_for_warnings;
    bool has_resources; /* those are all printed */
};

static void free_difference(struct call *call)
{
    struct difference *d = call->state;

    resources_unref(&d->before);
    resources_unref(&d->after);
    for (size_t i = 0; i < d->consumer_count; i++) {
        resource_unref(&d->consumers[i].before);
        resource_unref(&d->consumers[i].after);
    }
    arena_reset(&d->scratch);
}

static void print_change(struct difference *d, const struct resource *before,
                         const struct resource *after, struct builder *b)
{
    struct doc entry = diff_resource(before, after, &d->scratch);

    builder_add(b, d->printed++ == 0 ? TEXT_OF("\n ") : TEXT_OF(",\n "));
    print_json(&entry, b);
    arena_reset(&d->scratch);
}

static void print_end(struct difference *d, struct builder *b)
{
    size_t count = d->printed + d->consumer_total - d->consumer_count;

    builder_addf(b, "],\"change_count\":%zu", count);
    if (d->warnings.count > 0) {
        builder_add(b, TEXT_OF(",\"warnings\":"));
        warnings_print(&d->warnings, b);
    }
    builder_add(b, TEXT_OF("}\n"));
}

static bool print_next(struct call *call, struct difference *d, struct builder *b)
{
    struct resource *before;
    struct resource *after;

    if (!d->has_resources && resources_difference_next(&d->at, &before, &after)) {
        if (d->looks_for_warnings && after != NULL && after->kind == RESOURCE_ROUTE) {
            warnings_add_route(&d->warnings, admin_server_control(call->server), after->name);
        }
        print_change(d, before, after, b);
        return true;
    }
    d->has_resources = true;
    if (d->consumer_at == d->consumer_count) {
        return false;
    }
    print_change(d, d->consumers[d->consumer_at].before, d->consumers[d->consumer_at].after, b);
    d->consumer_at++;
    return true;
}

static bool produce(struct call *call, struct builder *b)
{
    struct difference *d = call->state;
    size_t end = b->length + PIECE;

    while (b->length < end) {
        if (!print_next(call, d, b)) {
            print_end(d, b);
            return false;
        }
    }
    return true;
}

static void keep_consumers(struct difference *d, struct arena *arena, const struct store_result *r)
{
    d->consumer_total = r->consumer_count;
    d->consumer_count =
        r->consumer_count < DIFFERENCE_CONSUMERS ? r->consumer_count : DIFFERENCE_CONSUMERS;
    d->consumers = arena_alloc(arena, (d->consumer_count + 1) * sizeof(*d->consumers));
    for (size_t i = 0; i < d->consumer_count; i++) {
        const struct store_difference *from = &r->consumers[i];

        d->consumers[i] = (struct store_difference){
            .before = from->before == NULL ? NULL : resource_ref(from->before),
            .after = from->after == NULL ? NULL : resource_ref(from->after),
        };
    }
}

static struct resources *keep(struct resources *rs)
{
    return rs == NULL ? resources_new() : resources_ref(rs);
}

static void send_difference(struct change *change, unsigned status)
{
    reply_stream(change->call, status, produce);
}

void difference_reply(struct change *change, const struct store_result *r)
{
    struct call *call = change->call;
    struct difference *d = arena_zalloc(&call->arena, sizeof(*d));
    bool is_changed = r->outcome == STORE_DONE;

    d->before = keep(is_changed ? r->resources_before : NULL);
    d->after = keep(is_changed ? r->resources_after : NULL);
    resources_difference_init(&d->at, d->before, d->after);
    if (is_changed) {
        keep_consumers(d, &call->arena, r);
    }
    arena_init(&d->scratch, SIZE_MAX);
    warnings_init(&d->warnings, &call->arena);
    d->looks_for_warnings = !change->commit.is_dry_run && text_is_empty(r->behind);
    if (is_changed && !text_is_empty(r->behind)) {
        warnings_add_behind(&d->warnings, r->behind);
    }
    MUST(call->on_free == NULL);
    call->state = d;
    call->on_free = free_difference;
    builder_addf(&call->out, "{\"revision\":%llu,\"changes\":[", (unsigned long long)r->revision);
    change_finish(change, r, 200, send_difference);
}
