/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_tidy.c - keys and revocations past their time go from Redis too, by the same rule
 * as from the table (store_embedded_care.c): a walk through both hashes every few hours, a few
 * hundred records at a time. Each node does it; it changes nothing to do it twice.
 */
#include "cluster/redis_history_private.h"
#include "conf/base/digest.h"

#define RECORDS  "300"
#define EACH_MS  ((uint64_t)4 * 3600 * 1000)
#define PAUSE_MS 20

REDIS_SCRIPT(history_tidy);

static const char *const hashes[] = { "keys", "revoked" };

static void on_step(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    struct history_tidy *t = &h->tidy;
    if (h->is_stopping)
        return;
    struct text cursor = redis_value_at(a->value, 0)->text;
    bool is_good = a->outcome == REDIS_ANSWERED && cursor.length < sizeof(t->cursor);
    t->cursor_length = is_good ? cursor.length : 0;
    memcpy(t->cursor, cursor.at, t->cursor_length);
    if (!is_good || text_equals(cursor, TEXT_OF("0"))) {
        t->cursor_length = 0;
        t->hash = (t->hash + 1) % ARRAY_LENGTH(hashes);
    }
    bool is_over = !is_good || (t->cursor_length == 0 && t->hash == 0);
    loop_timer_start(&t->timer, is_over ? EACH_MS : PAUSE_MS);
}

static void on_timer(void *arg)
{
    struct redis_history *h = arg;
    struct history_tidy *t = &h->tidy;
    char kept[TEXT_NUMBER_SIZE];
    struct arena arena;
    if (h->phase != HISTORY_READY) {
        loop_timer_start(&t->timer, EACH_MS / 60);
        return;
    }
    arena_init(&arena, SIZE_MAX);
    struct text words[] = {
        redis_history_key(h, &arena, "head"),
        redis_history_key(h, &arena, hashes[t->hash]),
        t->cursor_length == 0 ? TEXT_OF("0") : text_from(t->cursor, t->cursor_length),
        TEXT(RECORDS),
        text_print_u64((uint64_t)h->settings.tombstones, kept),
    };
    redis_history_run(h, &redis_script_history_tidy, words, ARRAY_LENGTH(words), 2, on_step);
    arena_reset(&arena);
}

/* Nodes that started together do not walk together. */
void redis_history_tidy_start(struct redis_history *h)
{
    uint32_t random;
    digest_random(&random, sizeof(random));
    loop_timer_init(&h->tidy.timer, h->settings.loop, on_timer, h);
    loop_timer_start(&h->tidy.timer, 5000 + random % (EACH_MS / 2));
}

void redis_history_tidy_stop(struct redis_history *h)
{
    if (h->tidy.timer.loop != NULL)
        loop_timer_stop(&h->tidy.timer);
}
