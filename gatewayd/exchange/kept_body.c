/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept_body.c - a request's body that can be sent again while it is short.
 */
#include "gatewayd/exchange/kept_body.h"

static struct kept_body *of(struct source *s)
{
    return CONTAINER_OF(s, struct kept_body, source);
}

static bool is_replaying(const struct kept_body *k)
{
    return k->at < k->length;
}

static enum pull peek_kept(struct kept_body *k, struct text *piece_out, bool *is_last_out)
{
    size_t in_buffer = k->at % BUFFER_SIZE;
    size_t length = k->length - k->at;

    if (length > BUFFER_SIZE - in_buffer)
        length = BUFFER_SIZE - in_buffer;
    *piece_out = text_from(k->kept[k->at / BUFFER_SIZE]->bytes + in_buffer, length);
    *is_last_out = false; /* what follows is the inner source's to say */
    return PULL_READY;
}

static enum pull peek(struct source *s, struct text *piece_out, bool *is_last_out)
{
    struct kept_body *k = of(s);

    if (is_replaying(k))
        return peek_kept(k, piece_out, is_last_out);
    enum pull pull = k->inner->type->peek(k->inner, piece_out, is_last_out);
    k->peeked = pull == PULL_READY ? *piece_out : TEXT_EMPTY;
    return pull;
}

static void keep(struct kept_body *k, struct text bytes)
{
    if (bytes.length > KEPT_BODY_MOST - k->length) {
        kept_body_drop(k);
        return;
    }
    while (bytes.length > 0) {
        size_t in_buffer = k->length % BUFFER_SIZE;
        size_t n = BUFFER_SIZE - in_buffer;
        struct buffer **at = &k->kept[k->length / BUFFER_SIZE];
        if (*at == NULL)
            *at = buffer_new(k->buffers);
        if (n > bytes.length)
            n = bytes.length;
        memcpy((*at)->bytes + in_buffer, bytes.at, n);
        bytes = text_skip(bytes, n);
        k->length += n;
    }
    k->at = k->length;
}

static void consume(struct source *s, size_t length)
{
    struct kept_body *k = of(s);

    if (is_replaying(k)) {
        MUST(length <= k->length - k->at);
        k->at += length;
        if (!k->is_keeping && !is_replaying(k))
            kept_body_fini(k);
        return;
    }
    MUST(length <= k->peeked.length);
    if (k->is_keeping)
        keep(k, text_first(k->peeked, length));
    k->peeked = TEXT_EMPTY;
    k->inner->type->consume(k->inner, length);
}

static const struct headers *trailers(struct source *s)
{
    struct kept_body *k = of(s);
    return k->inner->type->trailers(k->inner);
}

static struct socket *splice_from(struct source *s, uint64_t *length_out)
{
    struct kept_body *k = of(s);

    if (k->is_keeping || is_replaying(k))
        return NULL;
    return k->inner->type->splice_from(k->inner, length_out);
}

static void spliced(struct source *s, uint64_t length)
{
    struct kept_body *k = of(s);
    k->inner->type->spliced(k->inner, length);
}

static const struct source_type kept_body_type = {
    .peek = peek,
    .consume = consume,
    .trailers = trailers,
    .splice_from = splice_from,
    .spliced = spliced,
};

void kept_body_init(struct kept_body *k, struct source *inner, struct buffer_pool *buffers)
{
    *k = (struct kept_body){
        .source.type = &kept_body_type,
        .inner = inner,
        .buffers = buffers,
        .is_keeping = true,
    };
}

void kept_body_drop(struct kept_body *k)
{
    k->is_keeping = false;
    if (!is_replaying(k))
        kept_body_fini(k);
}

void kept_body_fini(struct kept_body *k)
{
    /* Most requests have no body. */
    for (size_t from = 0; from < k->length; from += BUFFER_SIZE)
        buffer_unref(&k->kept[from / BUFFER_SIZE]);
    k->length = 0;
    k->at = 0;
    k->is_keeping = false;
}

bool kept_body_can_rewind(const struct kept_body *k)
{
    return k->is_keeping;
}

void kept_body_rewind(struct kept_body *k)
{
    MUST(k->is_keeping);
    k->at = 0;
}
