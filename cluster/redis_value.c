/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_value.c - a reply, copied as deep as it is (Redis nests a few lists at most).
 */
#include "cluster/redis_value.h"

void redis_value_copy(const struct redis_reply *r, struct arena *arena,
                      struct redis_value *value_out)
{
    *value_out = (struct redis_value){ .kind = redis_reply_kind(r) };
    switch (value_out->kind) {
    case REDIS_REPLY_NIL:
        break;
    case REDIS_REPLY_INTEGER:
        MUST(redis_reply_integer(r, &value_out->integer));
        break;
    case REDIS_REPLY_TEXT:
    case REDIS_REPLY_ERROR:
        value_out->text = arena_copy(arena, redis_reply_text(r));
        break;
    case REDIS_REPLY_LIST: {
        size_t count = redis_reply_count(r);
        struct redis_value *items = arena_alloc(arena, (count + 1) * sizeof(*items));
        for (size_t i = 0; i < count; i++)
            redis_value_copy(redis_reply_at(r, i), arena, &items[i]);
        value_out->items = items;
        value_out->count = count;
        break;
    }
    }
}

const struct redis_value *redis_value_at(const struct redis_value *v, size_t i)
{
    static const struct redis_value nil = { .kind = REDIS_REPLY_NIL };
    return i < v->count ? &v->items[i] : &nil;
}

int64_t redis_value_integer(const struct redis_value *v)
{
    int64_t value = v->integer;
    if (v->kind == REDIS_REPLY_TEXT && !text_parse_i64(v->text, &value))
        return 0;
    return value;
}

bool redis_value_is(const struct redis_value *v, const char *word)
{
    return v->kind == REDIS_REPLY_TEXT && text_equals(v->text, text_of(word));
}
