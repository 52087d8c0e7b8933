/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_reader.h - replies out of bytes (RESP2), and commands into bytes: hiredis behind a fence.
 *
 * What comes from the socket is believed no more than a client is: a reply may take so much memory
 * and no more, nest 8 levels deep, and a line or a length must be short. Anything else is BAD, and
 * the connection's end. One thread, no I/O.
 */
#ifndef CLUSTER_REDIS_READER_H
#define CLUSTER_REDIS_READER_H

#include "conf/base/text.h"

struct redis_reader;
struct redis_reply;

#define REDIS_READER_DEPTH    8
#define REDIS_READER_LINE_MAX 65536

/* `most`: what one reply may take, in bytes as they come and 64 for each element of a list. */
struct redis_reader *redis_reader_new(size_t most);
void redis_reader_free(struct redis_reader **r);

enum redis_read {
    REDIS_READ_REPLY, /* *reply_out is the caller's: redis_reader_free_reply */
    REDIS_READ_MORE,  /* more bytes are needed */
    REDIS_READ_BAD    /* for good: redis_reader_reason */
};

void redis_reader_feed(struct redis_reader *r, struct text bytes);
MUST_USE enum redis_read redis_reader_next(struct redis_reader *r, struct redis_reply **reply_out);
struct text redis_reader_reason(const struct redis_reader *r); /* a clause; after BAD */
void redis_reader_free_reply(struct redis_reply **reply);

/* The bytes of a command. */
struct redis_command {
    char *at;
    size_t length;
};
struct redis_command redis_reader_command(const struct text *words, size_t count);
void redis_reader_free_command(struct redis_command *c);

/* "hiredis 0.14.1". Static. */
const char *redis_reader_library_version(void);

#endif
