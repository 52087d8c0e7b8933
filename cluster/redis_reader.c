/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_reader.c - hiredis' reader with our ceilings.
 *
 * hiredis allocates for a list what its head announces, and nests without end in newer versions:
 * the function that makes lists is ours. It looks for the end of a line from its beginning each
 * time bytes come: long ones are refused.
 */
#include "cluster/redis_reader.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#include "conf/base/mem.h"

#define ELEMENTS_MAX 1048576
#define ELEMENT_COST 64

/* hiredis counted elements in an int before it had a version 1. */
#if HIREDIS_MAJOR >= 1
typedef size_t count_type;
#else
typedef int count_type;
#endif

struct redis_reader {
    redisReader *reader;
    redisReplyObjectFunctions functions;
    const redisReplyObjectFunctions *plain; /* hiredis' own */
    size_t most;
    size_t pending; /* what the reply that is not whole yet takes */
    const char *refused;
    char reason[160];
};

static bool is_too_deep(const redisReadTask *task)
{
    int depth = 0;
    for (const redisReadTask *t = task; t != NULL; t = t->parent)
        depth++;
    return depth > REDIS_READER_DEPTH;
}

static void *make_list(const redisReadTask *task, count_type count)
{
    struct redis_reader *r = task->privdata;
    if (is_too_deep(task))
        r->refused = "lists in it are nested too deep";
    else if ((size_t)count > ELEMENTS_MAX) /* a negative one too */
        r->refused = "a list in it is too long";
    if (r->refused == NULL)
        r->pending += (size_t)count * ELEMENT_COST;
    if (r->pending > r->most)
        r->refused = "it is larger than what is ever asked for";
    if (r->refused != NULL)
        return NULL; /* hiredis takes it for a lack of memory, and stops */
    return r->plain->createArray(task, count);
}

struct redis_reader *redis_reader_new(size_t most)
{
    struct redis_reader *r = mem_new(sizeof(*r));
    r->reader = redisReaderCreate();
    MUST(r->reader != NULL);
    r->plain = r->reader->fn;
    r->functions = *r->plain;
    r->functions.createArray = make_list;
    r->reader->fn = &r->functions;
    r->reader->privdata = r;
    r->most = most;
    return r;
}

void redis_reader_free(struct redis_reader **r)
{
    if (*r == NULL)
        return;
    redisReaderFree((*r)->reader);
    MEM_FREE(r);
}

void redis_reader_feed(struct redis_reader *r, struct text bytes)
{
    /* Fails after an error only, which redis_reader_next tells. */
    if (redisReaderFeed(r->reader, bytes.at, bytes.length) == REDIS_OK)
        r->pending += bytes.length;
}

static size_t unread(const struct redis_reader *r)
{
    return r->reader->len - r->reader->pos;
}

/* Where reading stopped for lack of bytes a line or a length begins, or the rest of one. */
static bool is_endless(const struct redis_reader *r)
{
    return unread(r) > REDIS_READER_LINE_MAX &&
           memchr(r->reader->buf + r->reader->pos, '\n', REDIS_READER_LINE_MAX) == NULL;
}

/* hiredis' own words for an error may hold bytes of the peer's, escaped. */
static enum redis_read refuse(struct redis_reader *r, const char *why)
{
    r->refused = why;
    snprintf(r->reason, sizeof(r->reason), "%s", why);
    return REDIS_READ_BAD;
}

enum redis_read redis_reader_next(struct redis_reader *r, struct redis_reply **reply_out)
{
    void *reply = NULL;
    if (r->reason[0] != '\0')
        return REDIS_READ_BAD;
    int result = redisReaderGetReply(r->reader, &reply);
    if (r->refused != NULL)
        return refuse(r, r->refused);
    if (result != REDIS_OK)
        return refuse(r, r->reader->errstr);
    if (reply != NULL) {
        r->pending = unread(r);
        *reply_out = reply;
        return REDIS_READ_REPLY;
    }
    if (r->pending > r->most)
        return refuse(r, "it is larger than what is ever asked for");
    if (is_endless(r))
        return refuse(r, "a line in it has no end");
    return REDIS_READ_MORE;
}

struct text redis_reader_reason(const struct redis_reader *r)
{
    return text_of(r->reason);
}

void redis_reader_free_reply(struct redis_reply **reply)
{
    if (*reply != NULL)
        freeReplyObject(*reply);
    *reply = NULL;
}

#define WORDS_ON_STACK 64

struct redis_command redis_reader_command(const struct text *words, size_t count)
{
    const char *at_few[WORDS_ON_STACK];
    size_t length_few[WORDS_ON_STACK];
    bool is_few = count <= WORDS_ON_STACK;
    const char **at = is_few ? at_few : mem_new_array(count, sizeof(*at));
    size_t *length = is_few ? length_few : mem_new_array(count, sizeof(*length));
    struct redis_command c = { 0 };

    MUST(count > 0 && count <= INT32_MAX);
    for (size_t i = 0; i < count; i++) {
        at[i] = words[i].at == NULL ? "" : words[i].at;
        length[i] = words[i].length;
    }
    /* An int or a long long, by version; what we send is far smaller. */
    long long size = redisFormatCommandArgv(&c.at, (int)count, at, length);
    MUST(size > 0);
    c.length = (size_t)size;
    if (!is_few) {
        MEM_FREE(&at);
        MEM_FREE(&length);
    }
    return c;
}

void redis_reader_free_command(struct redis_command *c)
{
    redisFreeCommand(c->at);
    *c = (struct redis_command){ 0 };
}

#define TEXT_OF_NUMBER_(n) #n
#define TEXT_OF_NUMBER(n)  TEXT_OF_NUMBER_(n)

const char *redis_reader_library_version(void)
{
    return "hiredis " TEXT_OF_NUMBER(HIREDIS_MAJOR) "." TEXT_OF_NUMBER(
        HIREDIS_MINOR) "." TEXT_OF_NUMBER(HIREDIS_PATCH);
}
