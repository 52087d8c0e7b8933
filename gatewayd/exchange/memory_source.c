/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory_source.c - a body that is in memory already.
 */
#include "gatewayd/exchange/memory_source.h"

static struct memory_source *of(struct source *s)
{
    return CONTAINER_OF(s, struct memory_source, source);
}

static enum pull peek(struct source *s, struct text *piece_out, bool *is_last_out)
{
    struct memory_source *m = of(s);
    if (m->rest.length == 0)
        return PULL_END;
    *piece_out = m->rest;
    *is_last_out = true;
    return PULL_READY;
}

static void consume(struct source *s, size_t length)
{
    struct memory_source *m = of(s);
    MUST(length <= m->rest.length);
    m->rest = text_skip(m->rest, length);
}

static const struct headers *trailers(struct source *s)
{
    return NULL;
}

static struct socket *splice_from(struct source *s, uint64_t *length_out)
{
    return NULL;
}

static void spliced(struct source *s, uint64_t length)
{
    MUST(length == 0);
}

static const struct source_type memory_source_type = {
    .peek = peek,
    .consume = consume,
    .trailers = trailers,
    .splice_from = splice_from,
    .spliced = spliced,
};

void memory_source_init(struct memory_source *m, struct text body)
{
    m->source.type = &memory_source_type;
    m->rest = body;
}
