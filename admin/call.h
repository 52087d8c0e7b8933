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
#include "conf/base/digest.h"
#include "conf/base/problem.h"
#include "conf/doc.h"
#include "gatewayd/core/log.h"
#include "gatewayd/http/codec.h"

#define CALL_HEADERS       128 /* of a request */
#define CALL_REPLY_HEADERS 24
#define CALL_JSON_MAX      (1024 * 1024)       /* of a JSON body that is parsed in one go */
#define CALL_BODY_MAX      (256 * 1024 * 1024) /* of one that is worked off in slices */
#define CALL_LINE_MAX      65536               /* of a line of JSON lines */
#define CALL_ARENA_MAX     (1024u * 1024 * 1024)

struct admin_server;
struct call;

typedef void call_fn(struct call *call);

/* Streamed body: complete lines, the last one perhaps without its line feed; the last call has
 * is_last set (and may have no line). The handler replies or holds the call when it has seen it, or
 * replies before to refuse. */
typedef void call_lines_fn(struct call *call, struct text lines, bool is_last);

/* Streamed answer: adds more to `b` (some tens of kilobytes, for less than 2 ms); false when that
 * was the last. */
typedef bool call_produce_fn(struct call *call, struct builder *b);

struct call {
    struct admin_server *server;
    struct down *down; /* NULL: the client is gone */
    const struct operation *operation;
    struct arena arena;
    struct request_head head; /* method, path and query stay; headers only while the client is
                                 there, so not for a call that is held */
    struct header items[CALL_HEADERS];
    struct text request_id;
    char request_id_bytes[64];
    struct text client; /* where it came from, for the audit log */
    char author[64];    /* the token's name, for revisions and the audit log; "" without one */
    enum tokens_role role;
    struct digest signed_body; /* of a signed request: what its body must be */
    struct log_scope scope;    /* of the audit log's line */
    struct builder body;
    uint64_t body_read; /* bytes of it that have come */
    call_lines_fn *on_lines;
    struct loop_slice slice; /* in which a long body or answer is worked off */
    void *state;             /* the handler's, in the arena */
    call_fn *on_free;        /* gives back what `state` holds; NULL: nothing */
    call_fn *on_gone;        /* see call_hold */

    /* The answer. */
    struct response_head reply;
    struct header reply_items[CALL_REPLY_HEADERS];
    uint64_t revision; /* for Gatewayd-Revision; 0: that of now */
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
MUST_USE bool call_query_duration(struct call *call, const char *name, int64_t min_ms,
                                  int64_t max_ms, int64_t *ms_out);
MUST_USE bool call_query_bool(struct call *call, const char *name, bool *value_out);

/* ?fields=set. False: replied 400. */
MUST_USE bool call_query_fields(struct call *call, bool *only_set_out);

/* Every parameter must be one that the operation knows, once. False: replied 400, with the nearest
 * known name. For call.c. */
MUST_USE bool call_query_check(struct call *call);

/* %XX decoded (a malformed escape stands as it is), '+' too where `plus` says so; in the arena if
 * anything changed. */
struct text call_query_decode(struct arena *arena, struct text raw, bool plus);

/* The first line of a header, or at NULL. */
struct text call_header(struct call *call, const char *name);

/* The body as a document in the arena. False: replied 400 with line and column. An absent body is
 * an empty object if `may_be_absent`. */
MUST_USE bool call_doc(struct call *call, bool may_be_absent, struct doc *doc_out);

/* Wall clock, ms since the epoch. */
int64_t call_now(const struct call *call);

/* ---- holding -------------------------------------------------------------------------------- */

/* The handler will reply later. `on_gone` is called, once, if the client goes before that; the
 * handler stops what it does then and does not reply. NULL: it goes on and replies all the same. */
void call_hold(struct call *call, call_fn *on_gone);

/* ---- for admin_server.c and reply.c --------------------------------------------------------- */

struct call *call_new(struct admin_server *server, struct down *down);
void call_on_request(struct call *call);
void call_on_bad_request(struct call *call, unsigned status, const char *sentence);
void call_on_body(struct call *call);
void call_on_writable(struct call *call);
void call_on_gone(struct call *call);
void call_on_abandoned(struct call *call);

/* Begins to send what is in reply and out. */
void call_send(struct call *call);

#endif
