/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_router.c - requests of any shape against a fixed set of routes: the index and the rules one
 * by one (router_explain) must agree. Input: host, path, query and a header's value, each ended by
 * a line feed; the first byte chooses the method.
 */
#include <stddef.h>
#include <stdint.h>

#include "gatewayd/http/path.h"
#include "gatewayd/route/route_piece.h"
#include "gatewayd/route/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *const routes[] = {
    "{\"name\":\"a\",\"match\":{\"hosts\":[\"a.x\",\"*.x\"],\"paths\":[\"/a\",\"=/b/\"]},"
    "\"respond\":{}}",
    "{\"name\":\"b\",\"match\":{\"hosts\":[\"*.a.x\"],\"paths\":[\"/{p}/b\",\"/{p}/{q}/c/\"],"
    "\"methods\":[\"GET\",\"LINK\"]},\"respond\":{}}",
    "{\"name\":\"c\",\"match\":{\"paths\":[\"/a/b/c\",\"~^/(x+)+y$\",\"~^/a/b/"
    "[0-9]*c\"],\"methods\":[\"HEAD\"]},"
    "\"respond\":{}}",
    "{\"name\":\"d\",\"match\":{\"query\":{\"q\":\"~^[0-9]+$\",\"r\":\"*\"}},\"respond\":{}}",
    "{\"name\":\"e\",\"match\":{\"headers\":{\"X-E\":\"~a.c\"},\"paths\":[\"/a\"]},\"respond\":{}}",
    "{\"name\":\"f\",\"match\":{\"methods\":[\"POST\"],\"query\":{\"a b\":\"%\"}},\"respond\":{}}",
    "{\"name\":\"g\",\"match\":{\"hosts\":[\"[::1]\"],\"paths\":[\"/%2F/\"]},\"respond\":{}}",
};

static struct route_piece *pieces[ARRAY_LENGTH(routes)];
static struct router *router;

static void build(void)
{
    struct router_builder *b;
    struct problems ps;
    struct builder why;

    metrics_start(1);
    problems_init(&ps);
    builder_init(&why, 1000);
    for (unsigned i = 0; i < ARRAY_LENGTH(routes); i++) {
        struct resource *resource = resource_parse(RESOURCE_ROUTE, text_of(routes[i]), NULL, &ps);

        MUST(resource != NULL);
        pieces[i] = route_piece_new(resource, &why);
        MUST(pieces[i] != NULL);
        resource_unref(&resource);
    }
    builder_fini(&why);
    problems_fini(&ps);
    b = router_builder_new(pieces, ARRAY_LENGTH(routes));
    while (!router_builder_step(b, 1))
        continue;
    router = router_builder_take(&b);
}

static struct text next_line(struct text *rest)
{
    struct text line = TEXT_EMPTY;

    if (rest->at != NULL && !text_cut(rest, '\n', &line))
        return TEXT_EMPTY;
    return line;
}

static void compare(const struct request_head *head, struct arena *arena)
{
    struct router_match match;
    enum router_outcome outcome = router_match(router, head, arena, &match);
    size_t count;
    size_t wrong;
    struct router_candidate *found = router_explain(router, head, arena, &count, &wrong);

    switch (outcome) {
    case ROUTER_FOUND:
        MUST(count > wrong && found[0].route == match.route);
        MUST(match.prefix_length <= head->path.length);
        break;
    case ROUTER_NO_ROUTE:
        MUST(count == 0);
        break;
    case ROUTER_NO_METHOD:
        MUST(count > 0 && count == wrong && match.allow.length > 0);
        break;
    case ROUTER_GAVE_UP:
        MUST(count > 0);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text rest = text_from((const char *)bytes, size);
    struct request_head head = { .method_name = TEXT("LINK") };
    struct header items[2];
    struct arena arena;
    struct path path;
    struct text raw;

    if (router == NULL)
        build();
    if (size == 0)
        return 0;
    head.method = (enum method)(bytes[0] % (METHOD_OTHER + 1));
    rest = text_skip(rest, 1);
    arena_init(&arena, 1024 * 1024);
    headers_init(&head.headers, items, 2);
    head.host = next_line(&rest);
    raw = next_line(&rest);
    head.query = next_line(&rest);
    head.has_query = head.query.length > 0;
    MUST(headers_add_named(&head.headers, TEXT_OF("x-e"), next_line(&rest)));
    if (raw.length > 0 && raw.at[0] == '/' && path_parse(raw, &arena, &path) == REFUSAL_NONE) {
        head.path = path.text;
        compare(&head, &arena);
    }
    arena_reset(&arena);
    return 0;
}
