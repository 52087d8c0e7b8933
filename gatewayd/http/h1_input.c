/* SPDX-License-Identifier: Apache-2.0 */
/* h1_input.c - see h1_input.h. */
#include "gatewayd/http/h1_input.h"

bool h1_input_has_room(const struct h1_input *in)
{
    return in->buffer == NULL || h1_input_is_empty(in) || in->end < in->buffer->size;
}

/* A place to read to: the rest of the buffer, or from its start when nothing in it is needed. */
static void make_room(struct h1_input *in, struct buffer_pool *buffers)
{
    if (in->buffer != NULL && in->at == in->end) {
        if (!buffer_is_alone(in->buffer)) {
            buffer_unref(&in->buffer);
        }
        in->at = 0;
        in->end = 0;
    }
    if (in->buffer == NULL) {
        in->buffer = buffer_new(buffers);
    }
}

enum io h1_input_read(struct h1_input *in, struct socket *socket, struct buffer_pool *buffers)
{
    size_t got = 0;

    make_room(in, buffers);
    MUST(in->end < in->buffer->size);
    enum io io = socket_read(socket, in->buffer->bytes + in->end, in->buffer->size - in->end, &got);
    if (io == IO_DONE) {
        in->end += (unsigned)got;
    }
    return io;
}

/* The unused bytes to the front of `to`, whose reference is taken over. */
static void move_to(struct h1_input *in, struct buffer *to)
{
    unsigned length = in->end - in->at;

    MUST(length <= to->size);
    memmove(to->bytes, in->buffer->bytes + in->at, length);
    if (to != in->buffer) {
        buffer_unref(&in->buffer);
        in->buffer = to;
    }
    in->at = 0;
    in->end = length;
}

bool h1_input_try_grow(struct h1_input *in, struct buffer_pool *buffers)
{
    if (in->at > 0 && buffer_is_alone(in->buffer)) {
        move_to(in, in->buffer);
        return true;
    }
    if (in->at == 0 && buffer_is_biggest(in->buffer, buffers)) {
        return false;
    }
    move_to(in, buffer_new_big(buffers));
    return true;
}

enum h1_input_head h1_input_read_head(struct h1_input *in, struct socket *socket,
                                      struct buffer_pool *buffers)
{
    if (!h1_input_has_room(in) && !h1_input_try_grow(in, buffers)) {
        return H1_INPUT_FULL;
    }
    switch (h1_input_read(in, socket, buffers)) {
    case IO_DONE:
        return H1_INPUT_MORE;
    case IO_AGAIN:
        h1_input_trim(in);
        return H1_INPUT_NOTHING;
    case IO_EOF:
    case IO_BROKEN:
        break;
    }
    return H1_INPUT_ENDED;
}

void h1_input_trim(struct h1_input *in)
{
    if (h1_input_is_empty(in)) {
        h1_input_fini(in);
    }
}

void h1_input_fini(struct h1_input *in)
{
    buffer_unref(&in->buffer);
    in->at = 0;
    in->end = 0;
}
