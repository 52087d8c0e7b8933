/* SPDX-License-Identifier: Apache-2.0 */
/* h1_reader.c - see h1_reader.h. */
#include "gatewayd/http/h1_reader.h"

#define READS_PER_EVENT 8

/* Below this, copying costs less than two splices. */
#define SPLICE_MIN 65536

static const struct source_type source_type;

static struct h1_reader *reader_of(struct source *s)
{
    return CONTAINER_OF(s, struct h1_reader, source);
}

void h1_reader_init(struct h1_reader *r, struct h1_input *input, struct socket *socket,
                    struct buffer_pool *buffers)
{
    *r = (struct h1_reader){
        .source = { &source_type },
        .input = input,
        .socket = socket,
        .buffers = buffers,
        .state = H1_READER_ENDED,
    };
}

/* A chunked body needs room for trailers. */
static void start_chunked(struct h1_reader *r)
{
    struct header *items = arena_try_alloc(r->arena, H1_READER_TRAILERS * sizeof(*items));

    headers_init(&r->trailers, items, items == NULL ? 0 : H1_READER_TRAILERS);
    h1_chunked_init(&r->chunked, items == NULL ? NULL : &r->trailers, r->arena);
}

void h1_reader_start(struct h1_reader *r, enum body_framing framing, uint64_t length,
                     struct arena *arena)
{
    r->framing = framing;
    r->arena = arena;
    r->left = framing == BODY_LENGTH ? length : 0;
    r->received = 0;
    r->piece = TEXT_EMPTY;
    r->is_raw = false;
    r->is_wanted = false;
    r->state = H1_READER_OPEN;
    if (framing == BODY_NONE || (framing == BODY_LENGTH && length == 0)) {
        r->state = H1_READER_ENDED;
    }
    if (framing == BODY_CHUNKED) {
        start_chunked(r);
    }
}

void h1_reader_upgrade(struct h1_reader *r)
{
    r->framing = BODY_CLOSE;
    r->is_raw = true;
    r->state = H1_READER_OPEN;
}

/* ---- pulling ------------------------------------------------------------------------------ */

/* The decoder takes framing bytes away and leaves a slice of data in r->piece. */
static void decode(struct h1_reader *r)
{
    struct text bytes = h1_input_text(r->input);
    size_t had = bytes.length;
    struct text data;

    if (had == 0) {
        return;
    }
    switch (h1_chunked_parse(&r->chunked, &bytes, &data)) {
    case H1_CHUNKED_DATA:
        /* The slice ends where `bytes` begins: it is used up when the user consumes it. */
        h1_input_use(r->input, had - bytes.length - data.length);
        r->piece = data;
        return;
    case H1_CHUNKED_MORE:
        h1_input_use(r->input, had);
        return;
    case H1_CHUNKED_DONE:
        h1_input_use(r->input, had - bytes.length);
        r->state = H1_READER_ENDED;
        return;
    case H1_CHUNKED_BAD:
        r->refusal = r->chunked.refusal;
        r->state = H1_READER_MALFORMED;
        return;
    }
}

/* What is buffered of the body. */
static struct text buffered(struct h1_reader *r)
{
    if (r->framing == BODY_CHUNKED) {
        if (r->piece.length == 0) {
            decode(r);
        }
        return r->piece;
    }
    struct text bytes = h1_input_text(r->input);
    return r->framing == BODY_LENGTH && bytes.length > r->left ? text_first(bytes, (size_t)r->left)
                                                               : bytes;
}

/* The piece is the rest of its chunk and the end of the body stands right behind it: then the
 * receiver can end with it, in the same system call. */
static bool is_before_last_chunk(const struct h1_reader *r, struct text piece)
{
    static const struct text last = TEXT("\r\n0\r\n\r\n");
    struct text rest = text_skip(h1_input_text(r->input), piece.length);

    return r->chunked.left == 0 && text_starts_with(rest, last);
}

static bool is_last_piece(const struct h1_reader *r, struct text piece)
{
    if (r->framing == BODY_LENGTH) {
        return piece.length == r->left;
    }
    return r->framing == BODY_CHUNKED && is_before_last_chunk(r, piece);
}

static void end_of_stream(struct h1_reader *r)
{
    r->is_at_end = true;
    r->state = r->framing == BODY_CLOSE ? H1_READER_ENDED : H1_READER_CUT;
}

/* Reads once if an event allows it. False: nothing more for now. */
static bool fill(struct h1_reader *r)
{
    if (!r->may_read || r->reads_left == 0) {
        return false;
    }
    r->reads_left--;
    switch (h1_input_read(r->input, r->socket, r->buffers)) {
    case IO_DONE:
        r->may_read = !socket_is_drained(r->socket);
        return true;
    case IO_AGAIN:
        r->may_read = false;
        return false;
    case IO_EOF:
        end_of_stream(r);
        return false;
    case IO_BROKEN:
        r->is_at_end = true;
        r->state = H1_READER_CUT;
        return false;
    }
    return false;
}

static enum pull verdict(struct h1_reader *r)
{
    if (r->state == H1_READER_ENDED) {
        return PULL_END;
    }
    if (r->hook != NULL) {
        r->hook(r, PULL_BROKEN);
    }
    return PULL_BROKEN;
}

static enum pull wait(struct h1_reader *r)
{
    if (!r->is_wanted) {
        r->wanted_ms = loop_now_ms(r->socket->watch.loop);
    }
    r->is_wanted = true;
    if (r->hook != NULL) {
        r->hook(r, PULL_WAIT);
    }
    socket_resume_read(r->socket);
    return PULL_WAIT;
}

static enum pull peek(struct source *s, struct text *piece_out, bool *is_last_out)
{
    struct h1_reader *r = reader_of(s);

    *is_last_out = false;
    while (r->state == H1_READER_OPEN) {
        struct text piece = buffered(r);
        if (piece.length > 0) {
            *piece_out = piece;
            *is_last_out = is_last_piece(r, piece);
            return PULL_READY;
        }
        if (r->state == H1_READER_OPEN && !fill(r) && r->state == H1_READER_OPEN) {
            return wait(r);
        }
    }
    return verdict(r);
}

static void consume(struct source *s, size_t length)
{
    struct h1_reader *r = reader_of(s);

    r->received += length;
    h1_input_use(r->input, length);
    if (r->framing == BODY_CHUNKED) {
        r->piece = text_skip(r->piece, length);
    }
    if (r->framing == BODY_LENGTH) {
        r->left -= length;
        if (r->left == 0) {
            r->state = H1_READER_ENDED;
        }
    }
}

static const struct headers *trailers(struct source *s)
{
    struct h1_reader *r = reader_of(s);

    return r->framing == BODY_CHUNKED && r->trailers.count > 0 ? &r->trailers : NULL;
}

static struct socket *splice_from(struct source *s, uint64_t *length_out)
{
    struct h1_reader *r = reader_of(s);

    if (r->state != H1_READER_OPEN || r->framing != BODY_LENGTH || r->left < SPLICE_MIN ||
        !r->may_read || r->reads_left == 0 || !h1_input_is_empty(r->input) ||
        !socket_can_splice(r->socket)) {
        return NULL;
    }
    r->reads_left--;
    *length_out = r->left;
    return r->socket;
}

static void spliced(struct source *s, uint64_t length)
{
    struct h1_reader *r = reader_of(s);

    MUST(length <= r->left);
    r->received += length;
    r->left -= length;
    if (r->left == 0) {
        r->state = H1_READER_ENDED;
    }
    r->may_read = !socket_is_drained(r->socket);
}

static const struct source_type source_type = {
    .peek = peek,
    .consume = consume,
    .trailers = trailers,
    .splice_from = splice_from,
    .spliced = spliced,
};

/* ---- events ------------------------------------------------------------------------------- */

bool h1_reader_on_readable(struct h1_reader *r)
{
    r->may_read = true;
    r->reads_left = READS_PER_EVENT;
    if (!r->is_wanted) {
        /* Nobody pulls: without this the level-triggered event would come again and again. */
        socket_pause_read(r->socket);
        return false;
    }
    r->is_wanted = false;
    return true;
}

void h1_reader_after_body(struct h1_reader *r)
{
    if (r->state == H1_READER_OPEN && !r->is_wanted && r->may_read) {
        socket_pause_read(r->socket);
    }
}

bool h1_reader_fail(struct h1_reader *r, enum h1_reader_state state)
{
    if (r->state != H1_READER_OPEN) {
        return false;
    }
    r->state = state;
    bool wanted = r->is_wanted;
    r->is_wanted = false;
    return wanted;
}

bool h1_reader_try_end(struct h1_reader *r)
{
    if (r->state == H1_READER_OPEN && r->framing == BODY_CHUNKED && r->piece.length == 0) {
        decode(r);
    }
    return r->state == H1_READER_ENDED;
}
