/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_merge.c - two histories that parted: Redis' one counts.
 */
#include "cluster/redis_history_private.h"

#define RETRY_MS 1000

void redis_history_upload_start(struct redis_history *h, const struct history_head *head)
{
    redis_history_enter(h, HISTORY_LOOKING,
                        TEXT_OF("Redis has lost the shared state, or a part of it."));
    redis_history_look_again(h, RETRY_MS);
}

void redis_history_push_start(struct redis_history *h, const struct history_place *from)
{
    redis_history_enter(h, HISTORY_LOOKING, TEXT_OF("Redis has lost the newest changes."));
    redis_history_look_again(h, RETRY_MS);
}

void redis_history_merge_start(struct redis_history *h, bool is_trimmed)
{
    redis_history_read_start(h);
}

void redis_history_merge_after_read(struct redis_history *h)
{
}
