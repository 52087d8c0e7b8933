/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_redis_reader.c - what a Redis may send: whole replies of bounded size or nothing, the same
 * however the bytes arrive; and the walk over them by everyone who reads replies.
 */
#include "cluster/redis_reader.h"
#include "cluster/redis_reply.h"

#define MOST ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A sum of all that can be seen in a reply. */
static uint64_t walk(const struct redis_reply *r, int depth)
{
    int64_t number = 0;
    MUST(depth <= REDIS_READER_DEPTH + 1);
    uint64_t sum = (uint64_t)redis_reply_kind(r) + 31 * text_hash_stable(redis_reply_text(r));
    if (redis_reply_integer(r, &number))
        sum = 31 * sum + (uint64_t)number;
    for (size_t i = 0; i < redis_reply_count(r); i++)
        sum = 31 * sum + walk(redis_reply_at(r, i), depth + 1);
    MUST(redis_reply_kind(redis_reply_at(r, redis_reply_count(r))) == REDIS_REPLY_NIL);
    MUST(redis_reply_is_error(r, "ERR") <= (redis_reply_kind(r) == REDIS_REPLY_ERROR));
    return 31 * sum + redis_reply_count(r);
}

struct seen {
    size_t count;
    uint64_t sum;
    bool is_bad;
};

static struct seen look(const uint8_t *bytes, size_t size, size_t step)
{
    struct redis_reader *r = redis_reader_new(MOST);
    struct seen seen = { 0 };
    for (size_t at = 0; at < size && !seen.is_bad; at += step) {
        size_t piece = size - at < step ? size - at : step;
        struct redis_reply *reply = NULL;
        enum redis_read result;
        redis_reader_feed(r, text_from((const char *)bytes + at, piece));
        while ((result = redis_reader_next(r, &reply)) == REDIS_READ_REPLY) {
            seen.count++;
            seen.sum = 31 * seen.sum + walk(reply, 0);
            redis_reader_free_reply(&reply);
        }
        seen.is_bad = result == REDIS_READ_BAD;
    }
    MUST(!seen.is_bad || redis_reader_reason(r).length > 0);
    redis_reader_free(&r);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct seen whole = look(bytes, size, size);
    struct seen split = look(bytes, size, 1);
    /* A line or length that is too long is seen before its end only when it comes in pieces. */
    if (!whole.is_bad && !split.is_bad)
        MUST(whole.count == split.count && whole.sum == split.sum);
    return 0;
}
