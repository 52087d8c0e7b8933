/* SPDX-License-Identifier: Apache-2.0 */
/* route_fixture.c - routes from JSON and requests from a line. */
#include "tests/unit/gatewayd/route_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/base/mem.h"
#include "gatewayd/http/path.h"

void route_fixture_init(struct route_fixture *f)
{
    if (metrics_slot == 0) {
        metrics_start(1);
        metrics_use_slot(1);
    }

    memset(f, 0, sizeof(*f));
    arena_init(&f->arena, SIZE_MAX);
}

void route_fixture_fini(struct route_fixture *f)
{
    router_unref(&f->router);
    for (size_t i = 0; i < f->count; i++)
        route_piece_unref(&f->pieces[i]);
    MEM_FREE(&f->pieces);
    arena_reset(&f->arena);
}

static void fail(const char *what, const struct problems *ps)
{
    fprintf(stderr, "%s\n", what);
    for (size_t i = 0; i < ps->count; i++)
        fprintf(stderr, "  %s: %s\n", ps->items[i].path, ps->items[i].sentence);
    abort();
}

void route_fixture_add(struct route_fixture *f, const char *json)
{
    struct problems ps;
    struct builder why;
    struct resource *resource;
    char *copy = mem_copy_text(json, strlen(json));

    for (char *c = copy; *c != '\0'; c++) {
        if (*c == '\'')
            *c = '"';
    }
    problems_init(&ps);
    builder_init(&why, 4096);
    resource = resource_parse(RESOURCE_ROUTE, text_of(copy), NULL, &ps);
    if (resource == NULL)
        fail(copy, &ps);
    if (f->count == f->size) {
        f->size = f->size == 0 ? 16 : f->size * 2;
        f->pieces = mem_resize(f->pieces, f->size * sizeof(struct route_piece *));
    }
    f->pieces[f->count] = route_piece_new(resource, &why);
    if (f->pieces[f->count++] == NULL)
        fail(arena_copy(&f->arena, builder_text(&why)).at, &ps);
    resource_unref(&resource);
    builder_fini(&why);
    problems_fini(&ps);
    MEM_FREE(&copy);
}

static int by_name(const void *a, const void *b)
{
    const struct route_piece *const *x = a;
    const struct route_piece *const *y = b;

    return text_compare((*x)->route->name, (*y)->route->name);
}

void route_fixture_build(struct route_fixture *f)
{
    struct router_builder *b;

    router_unref(&f->router);
    if (f->count > 0)
        qsort(f->pieces, f->count, sizeof(struct route_piece *), by_name);
    b = router_builder_new(f->pieces, f->count);
    while (!router_builder_step(b, 7))
        continue;
    f->router = router_builder_take(&b);
}

struct request_head route_fixture_request(struct route_fixture *f, const char *line, ...)
{
    struct text rest = arena_copy(&f->arena, text_of(line));
    struct request_head head = { .target_form = TARGET_ORIGIN };
    struct text target;
    struct path path;
    size_t slash;
    size_t mark;
    va_list pairs;

    MUST(text_cut(&rest, ' ', &head.method_name));
    head.method = method_parse(head.method_name);
    slash = text_find_byte(rest, '/');
    head.host = head.authority = text_first(rest, slash);
    target = head.target = text_skip(rest, slash);
    mark = text_find_byte(target, '?');
    head.has_query = mark < target.length;
    head.query = text_skip(target, mark + 1);
    MUST(path_parse(text_first(target, mark), &f->arena, &path) == REFUSAL_NONE);
    head.path = path.text;
    headers_init(&head.headers,
                 arena_zalloc(&f->arena, ROUTE_FIXTURE_HEADERS * sizeof(struct header)),
                 ROUTE_FIXTURE_HEADERS);
    va_start(pairs, line);
    for (const char *pair; (pair = va_arg(pairs, const char *)) != NULL;) {
        struct text value = text_of(pair);
        struct text name;

        MUST(text_cut(&value, ':', &name));
        MUST(headers_add_named(&head.headers, name, text_trim(value)));
    }
    va_end(pairs);
    return head;
}

const char *route_fixture_match(struct route_fixture *f, const struct request_head *head)
{
    struct router_match match;

    switch (router_match(f->router, head, &f->arena, &match)) {
    case ROUTER_FOUND:
        return arena_copy(&f->arena, match.route->route->name).at;
    case ROUTER_NO_ROUTE:
        return "404";
    case ROUTER_NO_METHOD:
        return arena_print(&f->arena, "405 %.*s", TEXT_ARGS(match.allow)).at;
    case ROUTER_GAVE_UP:
        break;
    }
    return "500";
}
