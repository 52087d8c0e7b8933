/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_reply.c - a redisReply, seen through our own names. Types that RESP2 does not have count as
 * nil: we never ask for another protocol.
 */
#include "cluster/redis_reply.h"

/* hiredis has macros of the same names. */
enum {
    KIND_NIL = REDIS_REPLY_NIL,
    KIND_INTEGER = REDIS_REPLY_INTEGER,
    KIND_TEXT = REDIS_REPLY_TEXT,
    KIND_LIST = REDIS_REPLY_LIST,
    KIND_ERROR = REDIS_REPLY_ERROR
};

#include <hiredis/hiredis.h>

static const redisReply nil = { .type = REDIS_REPLY_NIL };

static const redisReply *look(const struct redis_reply *r)
{
    return (const redisReply *)(const void *)r;
}

enum redis_reply_kind redis_reply_kind(const struct redis_reply *r)
{
    switch (look(r)->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return (enum redis_reply_kind)KIND_TEXT;
    case REDIS_REPLY_INTEGER:
        return (enum redis_reply_kind)KIND_INTEGER;
    case REDIS_REPLY_ARRAY:
        return (enum redis_reply_kind)KIND_LIST;
    case REDIS_REPLY_ERROR:
        return (enum redis_reply_kind)KIND_ERROR;
    default:
        return (enum redis_reply_kind)KIND_NIL;
    }
}

struct text redis_reply_text(const struct redis_reply *r)
{
    switch (look(r)->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:
        return text_from(look(r)->str, (size_t)look(r)->len);
    default:
        return TEXT_EMPTY;
    }
}

bool redis_reply_integer(const struct redis_reply *r, int64_t *out)
{
    if (look(r)->type == REDIS_REPLY_INTEGER) {
        *out = look(r)->integer;
        return true;
    }
    return look(r)->type != REDIS_REPLY_ERROR && text_parse_i64(redis_reply_text(r), out);
}

size_t redis_reply_count(const struct redis_reply *r)
{
    return look(r)->type == REDIS_REPLY_ARRAY ? look(r)->elements : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t i)
{
    const redisReply *found = i < redis_reply_count(r) ? look(r)->element[i] : NULL;
    return (const struct redis_reply *)(const void *)(found == NULL ? &nil : found);
}

bool redis_reply_is_error(const struct redis_reply *r, const char *word)
{
    struct text text = redis_reply_text(r);
    size_t length = strlen(word);
    return look(r)->type == REDIS_REPLY_ERROR && text_starts_with(text, text_of(word)) &&
           (text.length == length || text.at[length] == ' ');
}
