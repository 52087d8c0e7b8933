/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_router.c - what a match costs with 10 and with 10 000 routes, and what a change of one of
 * 10 000 costs until the new snapshot is there.
 *
 *     bench_router [ROUTES…]     10 1000 10000 unless told otherwise
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/base/mem.h"
#include "gatewayd/core/clock.h"
#include "gatewayd/route/snapshot.h"

#define MATCHES 1000000u
#define HEADERS 8

/* A set of routes: how the n-th is written, and a request for it. */
struct shape {
    const char *name;
    const char *route; /* @ is its number with zeros, # another one */
    const char *host;  /* of the request */
    const char *path;
};

static const struct shape shapes[] = {
    { "a host each",
      "{\"name\":\"r@\",\"match\":{\"hosts\":[\"h#.example.com\"],\"paths\":[\"/api\"]},"
      "\"respond\":{}}",
      "h#.example.com", "/api/orders/17" },
    { "a prefix each", "{\"name\":\"r@\",\"match\":{\"paths\":[\"/api/v1/s#\"]},\"respond\":{}}",
      "api.example.com", "/api/v1/s#/orders/17" },
    { "a template each",
      "{\"name\":\"r@\",\"match\":{\"paths\":[\"/t/{id}/s#/{item}\"],"
      "\"methods\":[\"GET\"]},\"respond\":{}}",
      "api.example.com", "/t/42/s#/7" },
    { "an exact path each",
      "{\"name\":\"r@\",\"match\":{\"hosts\":[\"*.example.com\"],"
      "\"paths\":[\"=/page/s#.html\"]},\"respond\":{}}",
      "www.example.com", "/page/s#.html" },
    { "a regex each",
      "{\"name\":\"r@\",\"match\":{\"paths\":[\"~^/re/s#/[0-9]+$\"]},\"respond\":{}}",
      "api.example.com", "/re/s#/42" },
};

static struct snapshot_compiler *compiler;

static void fill(char *into, const char *pattern, unsigned name, unsigned number)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '@')
            into += sprintf(into, "%06u", name);
        else if (*pattern == '#')
            into += sprintf(into, "%u", number);
        else
            *into++ = *pattern;
    }
    *into = '\0';
}

static void release(struct snapshot *snapshot, void *arg)
{
    snapshot_free(compiler, &snapshot);
}

static struct resource *parse(const char *json)
{
    struct problems ps;
    struct resource *resource;

    problems_init(&ps);
    resource = resource_parse(RESOURCE_ROUTE, text_of(json), NULL, &ps);
    MUST(resource != NULL);
    problems_fini(&ps);
    return resource;
}

static void put(struct resources_draft *draft, const char *json)
{
    struct resource *resource = parse(json);

    (void)resources_draft_put(draft, resource, NULL);
    resource_unref(&resource);
}

static struct resources *seal(struct resources_draft *draft)
{
    struct resources *sealed;
    struct problems ps;

    problems_init(&ps);
    MUST(resources_draft_seal(&draft, NULL, &ps, &sealed));
    problems_fini(&ps);
    return sealed;
}

static struct resources *make(const struct shape *shape, unsigned count)
{
    struct resources *empty = resources_new();
    struct resources_draft *draft = resources_draft_new(empty);
    char json[400];

    for (unsigned i = 0; i < count; i++) {
        fill(json, shape->route, i, i);
        put(draft, json);
    }
    resources_unref(&empty);
    return seal(draft);
}

struct compiled {
    struct snapshot *snapshot;
    double total_ms;
    double longest_ms; /* slice */
};

static struct compiled compile(struct resources *resources)
{
    struct compiled c = { .snapshot = NULL };
    uint64_t began = clock_read_ns();
    enum snapshot_step step = SNAPSHOT_MORE;

    snapshot_compiler_begin(compiler, resources);
    while (step == SNAPSHOT_MORE) {
        uint64_t before = clock_read_ns();
        double took;

        step = snapshot_compiler_step(compiler, 2000);
        took = (double)(clock_read_ns() - before) / 1e6;
        c.longest_ms = took > c.longest_ms ? took : c.longest_ms;
    }
    MUST(step == SNAPSHOT_READY);
    c.snapshot = snapshot_compiler_take(compiler);
    c.total_ms = (double)(clock_read_ns() - began) / 1e6;
    return c;
}

/* ---- matching ---- */

struct asked {
    char host[64];
    char path[64];
};

static struct asked *make_requests(const struct shape *shape, unsigned routes, unsigned count)
{
    struct asked *asked = mem_new_array(count, sizeof(*asked));
    unsigned seed = 1;

    for (unsigned i = 0; i < count; i++) {
        unsigned n = (unsigned)rand_r(&seed) % routes;

        fill(asked[i].host, shape->host, n, n);
        fill(asked[i].path, shape->path, n, n);
    }
    return asked;
}

static double match(const struct snapshot *s, const struct asked *asked, unsigned count)
{
    struct header items[HEADERS];
    struct request_head head = { .method = METHOD_GET };
    struct router_match found;
    struct arena arena;
    uint64_t began;

    arena_init(&arena, 65536);
    headers_init(&head.headers, items, HEADERS);
    began = clock_read_ns();
    for (unsigned i = 0; i < MATCHES; i++) {
        const struct asked *a = &asked[i % count];

        head.host = text_of(a->host);
        head.path = text_of(a->path);
        MUST(router_match(s->router, &head, &arena, &found) == ROUTER_FOUND);
    }
    return (double)(clock_read_ns() - began) / MATCHES;
}

static void run(const struct shape *shape, unsigned count)
{
    struct resources *resources = make(shape, count);
    struct resources_draft *draft;
    struct resources *changed;
    struct compiled first = compile(resources);
    struct compiled second;
    struct asked *asked = make_requests(shape, count, 4096);
    char json[400];
    double ns = match(first.snapshot, asked, 4096);

    draft = resources_draft_new(resources);
    fill(json, shape->route, count / 2, count + 1);
    put(draft, json);
    changed = seal(draft);
    second = compile(changed);
    printf("%7u routes, %-20s %6.0f ns/match   all: %7.2f ms   one changed: %6.2f ms "
           "(longest slice %.2f ms)\n",
           count, shape->name, ns, first.total_ms, second.total_ms, second.longest_ms);
    MEM_FREE(&asked);
    snapshot_unref(&first.snapshot);
    snapshot_unref(&second.snapshot);
    resources_unref(&resources);
    resources_unref(&changed);
}

int main(int argc, char **argv)
{
    static const char *const sizes[] = { "10", "1000", "10000" };
    const char *const *list = argc > 1 ? (const char *const *)argv + 1 : sizes;
    unsigned count = argc > 1 ? (unsigned)argc - 1 : 3;

    metrics_start(1);
    for (unsigned s = 0; s < ARRAY_LENGTH(shapes); s++) {
        for (unsigned i = 0; i < count; i++) {
            struct snapshot_settings settings = { .workers = 1, .hooks = { .release = release } };
            uint64_t routes;

            MUST(text_parse_u64(text_of(list[i]), &routes) && routes > 0);
            compiler = snapshot_compiler_new(&settings);
            run(&shapes[s], (unsigned)routes);
            snapshot_compiler_free(&compiler);
        }
    }
    return 0;
}
