/* SPDX-License-Identifier: Apache-2.0 */
/* warnings.c - see warnings.h. */
#include "admin/warnings.h"

#include "gatewayd/control.h"
#include "gatewayd/route/snapshot.h"

void warnings_init(struct warnings *w, struct arena *arena)
{
    w->arena = arena;
    w->count = 0;
    w->looked_at = 0;
}

static void add(struct warnings *w, struct text sentence)
{
    for (unsigned i = 0; i < w->count; i++) {
        if (text_equals(w->items[i], sentence)) {
            return;
        }
    }
    if (w->count < WARNINGS_MAX) {
        w->items[w->count++] = arena_copy(w->arena, sentence);
    }
}

void warnings_add_behind(struct warnings *w, struct text reason)
{
    add(w, arena_print(w->arena, "This node cannot apply the change yet: %.*s", TEXT_ARGS(reason)));
}

static void on_warning(void *arg, struct text route, struct text sentence)
{
    (void)route;
    add(arg, sentence);
}

void warnings_add_route(struct warnings *w, const struct control *control, struct text route)
{
    const struct snapshot *snapshot = control_snapshot(control);

    if (snapshot != NULL && snapshot->router != NULL && w->looked_at++ < WARNINGS_MAX) {
        router_warn(snapshot->router, route, on_warning, w);
    }
}

void warnings_print(const struct warnings *w, struct builder *b)
{
    builder_add_byte(b, '[');
    for (unsigned i = 0; i < w->count; i++) {
        if (i > 0) {
            builder_add_byte(b, ',');
        }
        builder_add_json(b, w->items[i]);
    }
    builder_add_byte(b, ']');
}

void warnings_print_member(const struct warnings *w, struct builder *b)
{
    if (w->count == 0) {
        return;
    }
    MUST(b->length > 0 && b->at[b->length - 1] == '}');
    b->length--;
    builder_add(b,
                b->at[b->length - 1] == '{' ? TEXT_OF("\"warnings\":") : TEXT_OF(",\"warnings\":"));
    warnings_print(w, b);
    builder_add_byte(b, '}');
}
