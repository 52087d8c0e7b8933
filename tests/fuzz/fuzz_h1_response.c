/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_h1_response.c - response heads: the same is understood however the bytes arrive, and what is
 * printed of a head is understood as that head again. The first byte says how the rest is cut and
 * what was asked.
 */
#include "conf/base/mem.h"
#include "gatewayd/http/h1_print.h"
#include "gatewayd/http/h1_response.h"
#include "tests/unit/gatewayd/head_dump.h"

#define LINES 40

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct h1_limits limits = { .header_bytes = 2048, .headers = 32 };
static const struct h1_limits wide = { .header_bytes = 65536, .headers = 34 };

struct reader {
    struct header items[LINES];
    struct response_head head;
    struct h1_response parser;
    enum h1_parse parsed;
    char *copy;
};

static void begin(struct reader *r, const struct request_head *request, const struct h1_limits *l)
{
    memset(&r->head, 0, sizeof(r->head));
    headers_init(&r->head.headers, r->items, LINES);
    h1_response_init(&r->parser, &r->head, request, l);
    r->parsed = H1_MORE;
    r->copy = NULL;
}

static void feed(struct reader *r, struct text t)
{
    char *copy = mem_resize(NULL, t.length);
    if (t.length > 0)
        memcpy(copy, t.at, t.length);
    r->parsed = h1_response_parse(&r->parser, text_from(copy, t.length));
    MEM_FREE(&r->copy);
    r->copy = copy;
}

static void dump(const struct reader *r, struct builder *b)
{
    if (r->parsed == H1_DONE) {
        MUST(r->parser.length <= limits.header_bytes);
        builder_addf(b, "%zu %d ", r->parser.length, r->parser.is_switch);
        dump_response(&r->head, b);
    } else {
        builder_addf(b, "%d %d", r->parsed, r->parser.refusal);
    }
}

static void check_cuts(struct text t, const struct request_head *request, size_t step,
                       struct text expected)
{
    struct reader r;
    struct builder b;
    builder_init(&b, 1 << 20);
    begin(&r, request, &limits);
    for (size_t n = step; r.parsed == H1_MORE && n < t.length; n += step)
        feed(&r, text_first(t, n));
    if (r.parsed == H1_MORE)
        feed(&r, t);
    dump(&r, &b);
    MUST(text_equals(builder_text(&b), expected));
    builder_fini(&b);
    MEM_FREE(&r.copy);
}

static void dump_essence(struct response_head *head, struct builder *b)
{
    builder_addf(b, "%u", head->status);
    dump_framing(head->framing, head->body_length, b);
    builder_add(b, head->reason);
    for (unsigned i = 0; i < head->headers.count; i++) {
        const struct header *h = &head->headers.items[i];
        if (h->is_removed || (header_id_flags(h->id) & (HEADER_HOP | HEADER_FRAMING)) != 0)
            continue;
        builder_add(b, h->name);
        builder_add(b, TEXT_OF(":"));
        builder_add(b, h->value);
        builder_add(b, TEXT_OF("\n"));
    }
}

static void check_printed(struct reader *r, const struct request_head *request)
{
    struct reader again;
    struct builder before, after;
    size_t size = h1_print_response_size(&r->head);
    char *into = mem_resize(NULL, size);
    enum h1_connection connection = r->parser.is_switch             ? H1_UPGRADE
                                    : r->head.framing == BODY_CLOSE ? H1_CLOSE
                                                                    : H1_PERSIST;
    size_t length = h1_print_response(&r->head, connection, into, size);
    MUST(length > 0);
    builder_init(&before, 1 << 20);
    builder_init(&after, 1 << 20);
    begin(&again, request, &wide);
    feed(&again, text_from(into, length));
    MUST(again.parsed == H1_DONE && again.parser.length == length);
    MUST(again.parser.is_switch == r->parser.is_switch);
    dump_essence(&r->head, &before);
    dump_essence(&again.head, &after);
    MUST(text_equals(builder_text(&before), builder_text(&after)));
    builder_fini(&before);
    builder_fini(&after);
    MEM_FREE(&again.copy);
    MEM_FREE(&into);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    struct text t = text_from((const char *)bytes + 1, size - 1);
    const struct request_head request = { .method = bytes[0] % 3 == 0 ? METHOD_HEAD : METHOD_GET,
                                          .is_upgrade = bytes[0] % 3 == 1 };
    struct reader r;
    struct builder b;
    builder_init(&b, 1 << 20);
    begin(&r, &request, &limits);
    feed(&r, t);
    dump(&r, &b);
    check_cuts(t, &request, 1, builder_text(&b));
    check_cuts(t, &request, bytes[0] + (size_t)1, builder_text(&b));
    if (r.parsed == H1_DONE)
        check_printed(&r, &request);
    builder_fini(&b);
    MEM_FREE(&r.copy);
    return 0;
}
