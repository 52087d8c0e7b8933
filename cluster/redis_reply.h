/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_reply.h - what Redis answered (RESP2), for everyone who must not know hiredis. All of it is
 * borrowed from whoever handed over the reply.
 */
#ifndef CLUSTER_REDIS_REPLY_H
#define CLUSTER_REDIS_REPLY_H

#include "conf/base/text.h"

struct redis_reply; /* a redisReply; only redis_reply.c and redis_reader.c know that */

enum redis_reply_kind {
    REDIS_REPLY_NIL,
    REDIS_REPLY_INTEGER,
    REDIS_REPLY_TEXT, /* a status or a bulk string */
    REDIS_REPLY_LIST,
    REDIS_REPLY_ERROR
};

enum redis_reply_kind redis_reply_kind(const struct redis_reply *r);

/* Of a text or an error; empty for everything else. May hold any bytes. */
struct text redis_reply_text(const struct redis_reply *r);

/* Of an integer, or of a text that is a decimal integer and nothing else. */
MUST_USE bool redis_reply_integer(const struct redis_reply *r, int64_t *out);

/* Of a list; 0 for everything else. */
size_t redis_reply_count(const struct redis_reply *r);

/* Never NULL: past the end, or of what is no list, it is a nil. */
const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t i);

/* An error that begins with this word ("NOSCRIPT", "OOM"). */
bool redis_reply_is_error(const struct redis_reply *r, const char *word);

#endif
