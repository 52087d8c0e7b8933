/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_h1_request.c - request heads: the same is understood however the bytes arrive, and what is
 * printed of a head is understood as that head again. The first byte says how the rest is cut.
 */
#include "conf/base/mem.h"
#include "gatewayd/http/h1_print.h"
#include "gatewayd/http/h1_request.h"
#include "tests/unit/gatewayd/head_dump.h"

#define LINES 40

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct h1_limits limits = { .header_bytes = 2048, .headers = 32, .target_bytes = 512 };
/* What is printed may be longer than what was read (a space behind each colon). */
static const struct h1_limits wide = { .header_bytes = 65536, .headers = 33, .target_bytes = 4096 };

struct reader {
    struct header items[LINES];
    struct request_head head;
    struct arena arena;
    struct h1_request parser;
    enum h1_parse parsed;
    char *copy;
};

static void begin(struct reader *r, const struct h1_limits *l)
{
    memset(&r->head, 0, sizeof(r->head));
    headers_init(&r->head.headers, r->items, LINES);
    arena_init(&r->arena, 1 << 20);
    h1_request_init(&r->parser, &r->head, &r->arena, l);
    r->parsed = H1_MORE;
    r->copy = NULL;
}

static void end(struct reader *r)
{
    arena_reset(&r->arena);
    MEM_FREE(&r->copy);
}

static void feed(struct reader *r, struct text t)
{
    char *copy = mem_resize(NULL, t.length);
    if (t.length > 0)
        memcpy(copy, t.at, t.length);
    r->parsed = h1_request_parse(&r->parser, text_from(copy, t.length));
    MEM_FREE(&r->copy);
    r->copy = copy;
}

static void dump(const struct reader *r, struct builder *b)
{
    if (r->parsed == H1_DONE) {
        MUST(r->parser.length <= limits.header_bytes);
        builder_addf(b, "%zu ", r->parser.length);
        dump_request(&r->head, b);
    } else {
        builder_addf(b, "%d %d", r->parsed, r->parser.refusal);
    }
}

static void check_cuts(struct text t, size_t step, struct text expected)
{
    struct reader r;
    struct builder b;
    builder_init(&b, 1 << 20);
    begin(&r, &limits);
    for (size_t n = step; r.parsed == H1_MORE && n < t.length; n += step)
        feed(&r, text_first(t, n));
    if (r.parsed == H1_MORE)
        feed(&r, t);
    dump(&r, &b);
    MUST(text_equals(builder_text(&b), expected));
    builder_fini(&b);
    end(&r);
}

/* Everything that cannot be told apart on the wire is made equal first. */
static void dump_essence(struct request_head *head, struct builder *b)
{
    bool expects =
        head->method == METHOD_POST || head->method == METHOD_PUT || head->method == METHOD_PATCH;
    builder_add(b, head->method_name);
    if (head->framing == BODY_NONE && expects)
        head->framing = BODY_LENGTH;
    dump_framing(head->framing, head->body_length, b);
    builder_add(b, head->host);
    builder_add(b, head->path);
    builder_add(b, head->has_query ? TEXT_OF("?") : TEXT_EMPTY);
    builder_add(b, head->query);
    for (unsigned i = 0; i < head->headers.count; i++) {
        struct header *h = &head->headers.items[i];
        if (h->id == HEADER_HOST || (header_id_flags(h->id) & (HEADER_HOP | HEADER_FRAMING)) != 0)
            h->is_removed = true;
        if (h->is_removed)
            continue;
        builder_add(b, h->name);
        builder_add(b, TEXT_OF(":"));
        builder_add(b, h->value);
        builder_add(b, TEXT_OF("\n"));
    }
}

static void check_printed(struct reader *r)
{
    struct reader again;
    struct builder before, after;
    size_t size = h1_print_request_size(&r->head);
    char *into = mem_resize(NULL, size);
    size_t length =
        h1_print_request(&r->head, r->head.is_upgrade ? H1_UPGRADE : H1_PERSIST, into, size);
    MUST(length > 0);
    builder_init(&before, 1 << 20);
    builder_init(&after, 1 << 20);
    begin(&again, &wide);
    feed(&again, text_from(into, length));
    MUST(again.parsed == H1_DONE && again.parser.length == length);
    MUST(again.head.is_upgrade == r->head.is_upgrade && again.head.keep_alive);
    dump_essence(&r->head, &before);
    dump_essence(&again.head, &after);
    MUST(text_equals(builder_text(&before), builder_text(&after)));
    builder_fini(&before);
    builder_fini(&after);
    end(&again);
    MEM_FREE(&into);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    struct text t = text_from((const char *)bytes + 1, size - 1);
    struct reader r;
    struct builder b;
    builder_init(&b, 1 << 20);
    begin(&r, &limits);
    feed(&r, t);
    dump(&r, &b);
    check_cuts(t, 1, builder_text(&b));
    check_cuts(t, bytes[0] + (size_t)1, builder_text(&b));
    if (r.parsed == H1_DONE)
        check_printed(&r);
    builder_fini(&b);
    end(&r);
    return 0;
}
