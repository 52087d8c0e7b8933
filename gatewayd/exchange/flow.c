/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.c - one direction of a body: pull, pass on, consume. See flow.h.
 *
 * Splicing is tried first at every step; where one side has framing, TLS or bytes already read, its
 * codec says no and the bytes are copied.
 */
#include "gatewayd/exchange/flow.h"

/* At most this much is moved into the pipe at once. */
#define SPLICE_MAX (256 * 1024)

enum step {
    STEP_MOVED,
    STEP_COPY, /* not possible this way, or no longer */
    STEP_WAIT_SINK,
    STEP_BROKEN, /* the sink */
};

void flow_init(struct flow *f, struct source *source, struct sink *sink, uint64_t limit)
{
    *f = (struct flow){ .source = source, .sink = sink, .limit = limit };
}

static enum flow_result finish(struct flow *f)
{
    f->is_done = true;
    return FLOW_DONE;
}

static enum flow_result wait_for_sink(struct flow *f)
{
    f->is_waiting_for_sink = true;
    return FLOW_WAIT;
}

/* The source has no more to say: the sink is told, with the trailers if there are any. */
static enum flow_result end_sink(struct flow *f)
{
    const struct headers *trailers = f->source->type->trailers(f->source);
    enum io io;

    if (trailers != NULL && trailers->count > 0) {
        io = f->sink->type->end(f->sink, trailers);
    } else {
        size_t taken;
        io = f->sink->type->write(f->sink, TEXT_EMPTY, true, &taken);
    }
    if (io == IO_DONE) {
        return finish(f);
    }
    return io == IO_AGAIN ? wait_for_sink(f) : FLOW_SINK_BROKEN;
}

/* How much of the piece the follower lets pass. */
static bool follow(struct flow *f, struct text *piece, bool *is_last)
{
    if (f->follow == NULL) {
        return true;
    }
    size_t passes = f->follow(f->follow_arg, *piece);
    if (passes == SIZE_MAX) {
        return false;
    }
    if (passes < piece->length) {
        *piece = text_first(*piece, passes);
        *is_last = false;
    }
    return true;
}

/* One piece through user space. FLOW_DONE without is_done means: go on. */
static enum flow_result copy_piece(struct flow *f, struct text piece, bool is_last)
{
    size_t taken = 0;

    if (piece.length > f->limit - f->moved) {
        return FLOW_TOO_LARGE;
    }
    if (!follow(f, &piece, &is_last)) {
        return FLOW_REFUSED;
    }
    if (piece.length == 0 && !is_last) {
        return FLOW_WAIT;
    }
    enum io io = f->sink->type->write(f->sink, piece, is_last, &taken);
    if (io != IO_DONE && io != IO_AGAIN) {
        return FLOW_SINK_BROKEN;
    }
    f->moved += taken;
    f->source->type->consume(f->source, taken);
    if (io == IO_AGAIN) {
        return wait_for_sink(f);
    }
    return is_last ? finish(f) : FLOW_DONE;
}

/* Pulls and copies once. */
static enum flow_result copy_step(struct flow *f)
{
    struct text piece;
    bool is_last = false;

    switch (f->source->type->peek(f->source, &piece, &is_last)) {
    case PULL_WAIT:
        return FLOW_WAIT;
    case PULL_BROKEN:
        return FLOW_SOURCE_BROKEN;
    case PULL_END:
        return end_sink(f);
    case PULL_READY:
        break;
    }
    return copy_piece(f, piece, is_last);
}

/* ---- splicing ----------------------------------------------------------------------------- */

static void give_pipe(struct flow *f)
{
    if (f->pipe != NULL) {
        socket_pipe_give(f->pipes, f->pipe);
        f->pipe = NULL;
    }
}

/* From the socket into the pipe. False: nothing came that way; copying finds out why. */
static bool fill_pipe(struct flow *f, struct socket *from, uint64_t length)
{
    size_t moved = 0;
    enum io io =
        socket_splice_in(from, f->pipe, length < SPLICE_MAX ? (size_t)length : SPLICE_MAX, &moved);

    if (io == IO_DONE || io == IO_AGAIN) {
        f->source->type->spliced(f->source, moved);
    }
    return io == IO_DONE && moved > 0;
}

/* From the pipe to the other socket. */
static enum step drain_pipe(struct flow *f, struct socket *to, bool more)
{
    size_t moved = 0;
    enum io io = socket_splice_out(to, f->pipe, more, &moved);

    if (io == IO_BROKEN || io == IO_EOF) {
        return STEP_BROKEN;
    }
    f->moved += moved;
    f->sink->type->spliced(f->sink, moved, io == IO_AGAIN);
    if (io == IO_AGAIN) {
        return STEP_WAIT_SINK;
    }
    return STEP_MOVED;
}

/* Moves what the kernel can move by itself. */
static enum step splice_step(struct flow *f)
{
    uint64_t length = 0;

    if (f->pipes == NULL || f->follow != NULL) {
        return STEP_COPY;
    }
    struct socket *to = f->sink->type->splice_to(f->sink);
    if (to == NULL) {
        return STEP_COPY;
    }
    if (f->pipe != NULL && f->pipe->filled > 0) {
        return drain_pipe(f, to, true);
    }
    struct socket *from = f->source->type->splice_from(f->source, &length);
    if (from == NULL || length > f->limit - f->moved) {
        return STEP_COPY;
    }
    if (f->pipe == NULL) {
        f->pipe = socket_pipe_take(f->pipes);
    }
    if (f->pipe == NULL || !fill_pipe(f, from, length)) {
        return STEP_COPY;
    }
    return drain_pipe(f, to, f->pipe->filled < length);
}

void flow_fini(struct flow *f)
{
    give_pipe(f);
}

enum flow_result flow_run(struct flow *f)
{
    MUST(!f->is_done);
    f->is_waiting_for_sink = false;
    for (;;) {
        enum flow_result result;

        switch (splice_step(f)) {
        case STEP_MOVED:
            continue;
        case STEP_WAIT_SINK:
            return wait_for_sink(f);
        case STEP_BROKEN:
            return FLOW_SINK_BROKEN;
        case STEP_COPY:
            break;
        }
        result = copy_step(f);
        if (result != FLOW_DONE || f->is_done) {
            return result;
        }
    }
}
