/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_chunked.h - the chunked transfer coding (RFC 9112 §7.1), both ways. No I/O, no copying of
 * data.
 *
 * Decoding takes bytes as they come and yields slices of them. Extensions are skipped; their length
 * is bounded, per chunk and against the data. Trailers are rare: their bytes are gathered in the
 * arena and parsed like header lines; fields that have no place in trailers (framing, routing,
 * authentication, hop-by-hop; RFC 9110 §6.5.1) are dropped. Lifetime: exchange.
 */
#ifndef GATEWAYD_HTTP_H1_CHUNKED_H
#define GATEWAYD_HTTP_H1_CHUNKED_H

#include "conf/base/arena.h"
#include "gatewayd/http/headers.h"
#include "gatewayd/http/refusal.h"

#define H1_CHUNKED_LINE_MAX     1024  /* bytes of a size line with its extensions */
#define H1_CHUNKED_SURPLUS_MAX  16384 /* bytes of extensions beyond the bytes of data */
#define H1_CHUNKED_TRAILERS_MAX 8192  /* bytes of the trailer section */

enum h1_chunked_step {
    H1_CHUNKED_MORE, /* all bytes were taken, the body goes on */
    H1_CHUNKED_DATA, /* *data_out is a slice of the bytes, never empty */
    H1_CHUNKED_DONE, /* the body has ended; what is left in *bytes is not of it */
    H1_CHUNKED_BAD,  /* see .refusal */
};

enum h1_chunked_state {
    H1_CHUNKED_SIZE_FIRST, /* the first digit */
    H1_CHUNKED_SIZE,
    H1_CHUNKED_SPACE, /* white space before an extension */
    H1_CHUNKED_EXTENSION,
    H1_CHUNKED_QUOTED,  /* inside a quoted extension value */
    H1_CHUNKED_ESCAPED, /* behind a backslash in one */
    H1_CHUNKED_SIZE_LF,
    H1_CHUNKED_BYTES,
    H1_CHUNKED_END_CR,
    H1_CHUNKED_END_LF,
    H1_CHUNKED_TRAILERS,
    H1_CHUNKED_ENDED,
};

struct h1_chunked {
    struct headers *trailers;
    struct arena *arena;
    uint64_t left;    /* bytes of the chunk at hand that are still to come */
    uint64_t surplus; /* bytes of extensions not yet paid for by data */
    enum h1_chunked_state state;
    enum refusal refusal;
    unsigned line; /* bytes of the size line at hand */
    unsigned trailer_bytes;
    char *trailer_at; /* H1_CHUNKED_TRAILERS_MAX bytes, NULL before the first trailer */
};

/* `trailers` has room already and is filled by H1_CHUNKED_DONE (slices of the arena); NULL:
 * trailers are checked and forgotten. */
void h1_chunked_init(struct h1_chunked *c, struct headers *trailers, struct arena *arena);

/* Takes bytes off the front of *bytes. Call until it answers other than H1_CHUNKED_DATA. */
MUST_USE enum h1_chunked_step h1_chunked_parse(struct h1_chunked *c, struct text *bytes,
                                               struct text *data_out);

/* Room for a size line: 16 digits and CR LF, and the CR LF that ends the chunk before. */
#define H1_CHUNKED_PREFIX_SIZE 20

/* The size line of a chunk of `size` bytes (not 0) into `into`; returns it. `is_first` false puts
 * the CR LF that ends the chunk before in front, so that a body needs one small piece per chunk. */
struct text h1_chunked_print_size(uint64_t size, bool is_first, char into[H1_CHUNKED_PREFIX_SIZE]);

/* What ends the body: the CR LF of the chunk before (unless is_first: there was none), the last
 * chunk, the trailers that were not removed (NULL: none) and the empty line. Returns the bytes
 * printed, or 0 if `size` is too small. 7 bytes suffice without trailers. */
size_t h1_chunked_print_last(const struct headers *trailers, bool is_first, char *into,
                             size_t size);

#endif
