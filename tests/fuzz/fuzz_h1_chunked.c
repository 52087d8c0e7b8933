/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_h1_chunked.c - chunked bodies: the same comes out however the bytes arrive, and what is
 * coded again decodes to the same. The first byte says how the rest is cut.
 */
#include "conf/base/mem.h"
#include "gatewayd/http/h1_chunked.h"
#include "tests/unit/gatewayd/head_dump.h"

#define LINES 8

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct body {
    struct header items[LINES];
    struct headers trailers;
    struct arena arena;
    struct h1_chunked chunked;
    struct builder data;
    struct builder coded; /* the data, coded again piece by piece */
    enum h1_chunked_step step;
    size_t used;
    bool has_data;
};

static void begin(struct body *body)
{
    headers_init(&body->trailers, body->items, LINES);
    arena_init(&body->arena, 1 << 20);
    h1_chunked_init(&body->chunked, &body->trailers, &body->arena);
    builder_init(&body->data, SIZE_MAX);
    builder_init(&body->coded, SIZE_MAX);
    body->step = H1_CHUNKED_MORE;
    body->used = 0;
    body->has_data = false;
}

static void end(struct body *body)
{
    builder_fini(&body->data);
    builder_fini(&body->coded);
    arena_reset(&body->arena);
}

static void feed(struct body *body, struct text piece)
{
    char size_line[H1_CHUNKED_PREFIX_SIZE];
    char *copy = mem_resize(NULL, piece.length);
    if (piece.length > 0)
        memcpy(copy, piece.at, piece.length);
    struct text bytes = text_from(copy, piece.length), data;
    while ((body->step = h1_chunked_parse(&body->chunked, &bytes, &data)) == H1_CHUNKED_DATA) {
        MUST(data.length > 0);
        builder_add(&body->data, data);
        builder_add(&body->coded, h1_chunked_print_size(data.length, !body->has_data, size_line));
        builder_add(&body->coded, data);
        body->has_data = true;
    }
    MUST(body->step != H1_CHUNKED_MORE || bytes.length == 0);
    body->used += piece.length - bytes.length;
    MEM_FREE(&copy);
}

static void feed_cut(struct body *body, struct text t, size_t step)
{
    for (size_t at = 0; at < t.length && body->step == H1_CHUNKED_MORE; at += step)
        feed(body, text_first(text_skip(t, at), step < t.length - at ? step : t.length - at));
}

static void dump(const struct body *body, struct builder *b)
{
    if (body->step == H1_CHUNKED_BAD) {
        builder_addf(b, "bad %d ", body->chunked.refusal);
    } else {
        builder_addf(b, "%d %zu ", body->step, body->used);
        dump_headers(&body->trailers, b);
    }
    builder_add(b, builder_text(&body->data));
}

static void check_same(struct text t, size_t step, const struct builder *expected)
{
    struct body body;
    struct builder b;
    builder_init(&b, SIZE_MAX);
    begin(&body);
    feed_cut(&body, t, step);
    dump(&body, &b);
    MUST(text_equals(builder_text(&b), builder_text(expected)));
    builder_fini(&b);
    end(&body);
}

static void check_coded(struct body *body)
{
    struct body again;
    struct builder before, after;
    char last[16384];
    size_t length = h1_chunked_print_last(&body->trailers, !body->has_data, last, sizeof(last));
    MUST(length > 0);
    builder_add(&body->coded, text_from(last, length));
    begin(&again);
    feed(&again, builder_text(&body->coded));
    MUST(again.step == H1_CHUNKED_DONE && again.used == builder_text(&body->coded).length);
    MUST(text_equals(builder_text(&again.data), builder_text(&body->data)));
    builder_init(&before, SIZE_MAX);
    builder_init(&after, SIZE_MAX);
    dump_headers(&body->trailers, &before);
    dump_headers(&again.trailers, &after);
    MUST(text_equals(builder_text(&before), builder_text(&after)));
    builder_fini(&before);
    builder_fini(&after);
    end(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    struct text t = text_from((const char *)bytes + 1, size - 1);
    struct body body;
    struct builder b;
    builder_init(&b, SIZE_MAX);
    begin(&body);
    feed(&body, t);
    dump(&body, &b);
    check_same(t, 1, &b);
    check_same(t, bytes[0] + (size_t)1, &b);
    if (body.step == H1_CHUNKED_DONE)
        check_coded(&body);
    builder_fini(&b);
    end(&body);
    return 0;
}
