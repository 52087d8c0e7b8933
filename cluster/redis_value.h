/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_value.h - a copy of what Redis answered, for those on another thread. All of one reply is
 * in one arena. Any thread, one at a time.
 */
#ifndef CLUSTER_REDIS_VALUE_H
#define CLUSTER_REDIS_VALUE_H

#include "cluster/redis_reply.h"
#include "conf/base/arena.h"

struct redis_value {
    enum redis_reply_kind kind;
    struct text text;                /* of a text or an error */
    int64_t integer;                 /* of an integer */
    const struct redis_value *items; /* of a list */
    size_t count;
};

/* In the arena. */
void redis_value_copy(const struct redis_reply *r, struct arena *arena,
                      struct redis_value *value_out);

/* Never NULL: past the end, or of what is no list, it is a nil. */
const struct redis_value *redis_value_at(const struct redis_value *v, size_t i);

/* Of an integer, or of a text that is one; else 0. */
int64_t redis_value_integer(const struct redis_value *v);

/* A text that is this word. */
bool redis_value_is(const struct redis_value *v, const char *word);

#endif
