/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_redis_values.c - what is made of answers of Redis (a reader's own fuzzer is
 * fuzz_redis_reader.c): entries of the history, the head, and what a server says of itself when it
 * is greeted. Each reply of the input is taken for each of them.
 */
#include "cluster/redis_greeting.h"
#include "cluster/redis_history_private.h"
#include "cluster/redis_reader.h"
#include "cluster/redis_value.h"

#define MOST 65536

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_value(const struct redis_reply *reply)
{
    struct redis_value value;
    struct history_head head;
    struct entry_id id;
    struct arena arena;
    uint64_t parts = 0;

    arena_init(&arena, SIZE_MAX);
    redis_value_copy(reply, &arena, &value);
    MUST(redis_value_at(&value, value.count)->kind == REDIS_REPLY_NIL);
    (void)!redis_history_parse_id(&value, &id);
    redis_history_beat_read(&value, &head);
    struct store_embedded_incoming *in = redis_history_follow_parse(&value, &parts);
    store_embedded_incoming_free(&in);
    arena_reset(&arena);
}

static void greet(const struct redis_reply *reply, struct redis_greeting *g, bool *is_over)
{
    static const struct node_redis config = { .db = 0 };
    char printed[64];

    if (*is_over)
        *g = (struct redis_greeting){ .config = &config, .step = 1 };
    enum redis_greeting_result result = redis_greeting_on_reply(g, reply);
    *is_over = result != REDIS_GREETING_MORE;
    MUST(result != REDIS_GREETING_BAD || g->reason[0] != '\0');
    MUST(g->facts.replica_count <= REDIS_GREETING_REPLICAS);
    redis_greeting_print_error(redis_reply_text(reply), printed, sizeof(printed));
    for (const char *at = printed; *at != '\0'; at++)
        MUST((unsigned char)*at >= ' ' && *at != 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct redis_reader *r = redis_reader_new(MOST);
    struct redis_reply *reply = NULL;
    struct redis_greeting g;
    bool is_over = true;

    redis_reader_feed(r, text_from((const char *)bytes, size));
    while (redis_reader_next(r, &reply) == REDIS_READ_REPLY) {
        read_value(reply);
        greet(reply, &g, &is_over);
        redis_reader_free_reply(&reply);
    }
    redis_reader_free(&r);
    return 0;
}
