/* SPDX-License-Identifier: Apache-2.0 */
/* h1_down_answer.c - what the user of a request may do with its answer: the calls of down_type. */
#include "gatewayd/http/h1_down_private.h"

#include "gatewayd/http/h1_print.h"

static struct h1_down_turn *turn_of(struct down *d)
{
    return CONTAINER_OF(d, struct h1_down_turn, down);
}

/* Prints a head behind what is unsent. 0: too large for any buffer. */
static size_t print_head(struct h1_down_turn *t, const struct response_head *head,
                         enum h1_connection connection)
{
    size_t room = 0;
    char *into = h1_writer_reserve(&t->writer, h1_print_response_size(head), &room);

    return into == NULL ? 0 : h1_print_response(head, connection, into, room);
}

static void interim(struct down *d, const struct response_head *head)
{
    struct h1_down_turn *t = turn_of(d);

    if (head->status == 100) {
        t->wants_continue = false;
    }
    if (t->is_answered || d->head->version == HTTP_1_0) {
        return;
    }
    size_t length = print_head(t, head, H1_PERSIST);
    t->writer.out_end += (unsigned)length;
    h1_writer_push(&t->writer);
}

/* Whether an answer with this status to this request can have a body (RFC 9110 §6.4.1). */
static bool has_body(const struct down *d, unsigned status)
{
    return d->head->method != METHOD_HEAD && status >= 200 && status != 204 && status != 304;
}

/* What the client's version and the answer allow. */
static enum body_framing choose_framing(const struct down *d, const struct response_head *head)
{
    if (!has_body(d, head->status)) {
        return BODY_NONE;
    }
    /* No body where there could be one has to be said: Content-Length: 0. */
    if (head->framing == BODY_LENGTH || head->framing == BODY_NONE) {
        return BODY_LENGTH;
    }
    return d->head->version == HTTP_1_0 ? BODY_CLOSE : BODY_CHUNKED;
}

/* The client was not told to send its body: nobody knows whether it will. If it did not wait to be
 * told and the body is here, it is no matter. */
static bool is_body_uncertain(const struct h1_down_turn *t)
{
    return t->wants_continue && !h1_reader_has_ended(&t->reader);
}

/* More of the body is still to come than is read only to keep the connection, or nobody knows how
 * much: the client is told at once, so that it can stop sending. */
static bool is_body_long(const struct h1_down_turn *t)
{
    const struct h1_reader *r = &t->reader;

    return !t->is_upgraded && r->state == H1_READER_OPEN &&
           (r->framing != BODY_LENGTH || r->left > H1_DOWN_SKIP_MAX);
}

static bool must_close(const struct h1_down_turn *t, enum body_framing framing)
{
    const struct h1_down *c = t->connection;

    return t->is_bad || framing == BODY_CLOSE || c->server->is_draining || c->is_half_closed ||
           is_body_uncertain(t) || is_body_long(t) || !t->down.head->keep_alive;
}

static enum h1_connection choose_connection(const struct h1_down_turn *t, unsigned status)
{
    if (status == 101) {
        return H1_UPGRADE;
    }
    if (t->closes) {
        return H1_CLOSE;
    }
    return t->down.head->version == HTTP_1_0 ? H1_PERSIST_SAID : H1_PERSIST;
}

static void answer(struct down *d, const struct response_head *head, bool close)
{
    struct h1_down_turn *t = turn_of(d);
    struct response_head printed = *head;

    MUST(!t->is_answered);
    t->is_answered = true;
    if (text_is_empty(printed.reason)) {
        printed.reason = status_reason(head->status);
    }
    printed.framing = choose_framing(d, head);
    if (head->framing == BODY_NONE && printed.framing == BODY_LENGTH) {
        printed.body_length = 0;
    }
    if (d->head->method == METHOD_HEAD && head->framing == BODY_LENGTH) {
        /* The same head as GET would have got. */
        printed.headers.present[HEADER_CONTENT_LENGTH >> 6] |= 1ull << (HEADER_CONTENT_LENGTH & 63);
    }
    t->closes = close || must_close(t, printed.framing);
    t->wants_continue = false;
    size_t length = print_head(t, &printed, choose_connection(t, head->status));
    if (length == 0) {
        /* Cannot be sent: the client sees a cut instead of half a head. */
        t->is_cut = true;
        t->writer.state = H1_WRITER_BROKEN;
        return;
    }
    h1_writer_start(&t->writer, length, printed.framing, printed.body_length);
}

static void upgrade(struct down *d)
{
    struct h1_down_turn *t = turn_of(d);

    t->is_upgraded = true;
    h1_reader_upgrade(&t->reader);
    h1_writer_upgrade(&t->writer);
    h1_writer_push(&t->writer);
    socket_resume_read(&t->connection->socket);
}

static void cut(struct down *d)
{
    turn_of(d)->is_cut = true;
}

static void release(struct down *d)
{
    h1_down_end_turn(turn_of(d)->connection);
}

const struct down_type h1_down_type = {
    .interim = interim,
    .answer = answer,
    .upgrade = upgrade,
    .cut = cut,
    .release = release,
};
