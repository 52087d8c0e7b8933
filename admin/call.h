/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h - one call of the admin API, from its head to the last byte of its answer.
 *
 * Lifetime: from the first byte of the request until it is answered or the client is gone, and no
 * handler holds it. Control thread. A handler is called once, after the token was checked and the
 * body read (or, for streamed bodies, before it). It replies now, or holds the call and replies
 * from the loop later; a reply to a client that is gone is dropped, so handlers need not ask.
 */
#ifndef ADMIN_CALL_H
#define ADMIN_CALL_H

#include "admin/operation.h"
#include "conf/base/builder.h"
#include "conf/base/problem.h"
#include "conf/doc.h"
#include "gatewayd/http/codec.h"

#define CALL_HEADERS       128 /* of a request */
#define CALL_REPLY_HEADERS 24
#define CALL_BODY_MAX      (256 * 1024 * 1024) /* of a JSON body */
#define CALL_ARENA_MAX     (1024u * 1024 * 1024)

struct admin_server;
struct call;

/* Streamed body: complete lines, without their line feeds; the last call has is_last set (and may
 * have no line). The handler replies when it has seen it, or before to refuse. */
typedef void call_lines_fn(struct call *call, struct text lines, bool is_last);

/* Streamed answer: adds more to `b` (some tens of kilobytes); false when that was the last. */
typedef bool call_produce_fn(struct call *call, struct builder *b);

struct call {
    struct admin_server *server;
    struct down *down; /* NULL: the client is gone */
    const struct operation *operation;
    struct arena arena;
    struct request_head head;
    struct header items[CALL_HEADERS];
    struct text request_id;
    char request_id_bytes[64];
    char author[64]; /* the token's name, for revisions and the audit log */
    enum tokens_role role;
    struct builder body;
    call_lines_fn *on_lines;
    void *state; /* the handler's, in the arena */
    int64_t began_ms;

    /* The answer. */
    struct response_head reply;
    struct header reply_items[CALL_REPLY_HEADERS];
    struct builder out;
    size_t out_at;
    call_produce_fn *produce; /* NULL: all of it is in `out` */
    bool is_body_read;
    bool is_replied;
    bool is_held; /* a handler will reply later */
};

/* ---- what was asked ------------------------------------------------------------------------- */

/* The variable of the path, percent-decoded, in the arena. */
struct text call_variable(struct call *call, const char *name);

/* The decoded value of a query parameter; at is NULL if it is absent. */
struct text call_query(struct call *call, const char *name);

/* A number from a query parameter. False: replied 400. *value_out is untouched if absent. */
MUST_USE bool call_query_number(struct call *call, const char *name, uint64_t min, uint64_t max,
                                uint64_t *value_out);
MUST_USE bool call_query_duration(struct call *call, const char *name, int64_t max_ms,
                                  int64_t *ms_out);
MUST_USE bool call_query_bool(struct call *call, const char *name, bool *value_out);

/* The first line of a header, or at NULL. */
struct text call_header(struct call *call, const char *name);

/* The body as a document in the arena. False: replied 400 with line and column. An absent body is
 * an empty object if `may_be_absent`. */
MUST_USE bool call_doc(struct call *call, bool may_be_absent, struct doc *doc_out);

/* ---- holding -------------------------------------------------------------------------------- */

/* The handler will reply later: the call stays although the client may go. */
void call_hold(struct call *call);

/* The client is not there any more (a waiting handler may stop waiting). */
static inline bool call_is_abandoned(const struct call *call)
{
    return call->down == NULL;
}

/* ---- replying (reply.c) --------------------------------------------------------------------- */

/* For server.c: begins the call of an open down; feeds its events. */
struct call *call_new(struct admin_server *server, struct down *down);
void call_on_request(struct call *call);
void call_on_bad_request(struct call *call, unsigned status, const char *sentence);
void call_on_body(struct call *call);
void call_on_writable(struct call *call);
void call_on_gone(struct call *call);
void call_on_abandoned(struct call *call);

/* For reply.c: begins to send what is in reply and out. */
void call_send(struct call *call);

#endif
