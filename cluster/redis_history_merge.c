/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_merge.c - two histories that parted: Redis' one counts.
 *
 *     the last entry in common ─▶ what came after it here ─▶ full read ─▶ what can be put back
 *
 * Ids are known for longer than entries are kept. What this node alone had is its *tail*.
 * Revocations stay and are told by whoever tells those that
 * are unshared. The rest is in redis_history_tail.c.
 */
#include "cluster/redis_history_private.h"
#include "cluster/redis_history_tail.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define IDS_AT_ONCE 200
#define TAIL_MOST   1000
#define RETRY_MS    1000
#define BUSY_MS     50

REDIS_SCRIPT(history_ids);

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

static void ask_ids(struct redis_history *h);

static void read_all(struct redis_history *h)
{
    redis_history_read_start(h);
}

/* ---- the tail ---- */

static void on_kept(void *arg)
{
    struct redis_history *h = arg;
    h->is_looking = false;
    if (h->phase == HISTORY_LOOKING && !h->is_stopping)
        read_all(h);
}

static void on_fetched(void *arg, struct list *entries)
{
    struct redis_history *h = arg;
    struct history_merge *m = &h->merge;
    h->is_looking = false;
    if (h->phase != HISTORY_LOOKING || h->is_stopping)
        return;
    if (redis_history_tail_is_busy(h->tail)) {
        redis_history_look_again(h, BUSY_MS);
        return;
    }
    redis_history_tail_give_up(&h->tail);
    h->is_looking = true;
    h->tail = redis_history_tail_new(h);
    redis_history_tail_keep(h->tail, entries, m->common, m->is_trimmed, on_kept);
}

static void fetch_tail(struct redis_history *h, uint64_t from)
{
    struct store *store = store_embedded_port(h->settings.store);
    uint64_t to = store_revision(store);
    uint64_t oldest = store_oldest_revision(store);
    if (from < oldest)
        from = oldest;
    if (to >= TAIL_MOST && from < to - TAIL_MOST + 1)
        from = to - TAIL_MOST + 1;
    if (oldest == 0 || from > to) {
        read_all(h);
        return;
    }
    log_warn(&log_store,
             "the shared history parted from this node's after revision %llu: %llu entries are "
             "looked at again",
             (unsigned long long)(from - 1), (unsigned long long)(to - from + 1));
    h->is_looking = true;
    store_embedded_fetch(h->settings.store, from, to, on_fetched, h);
}

/* ---- the last entry in common ---- */

/* `oldest`: the first entry of the log; 0: there is none. */
static void decide(struct redis_history *h, uint64_t oldest)
{
    struct history_merge *m = &h->merge;
    uint64_t newest = store_revision(store_embedded_port(h->settings.store));
    m->is_trimmed = m->common == 0 || (m->common < m->head.revision && oldest > m->common + 1);
    if (m->common != 0 && m->common == newest) {
        log_info(&log_store, "the shared history was trimmed past this node: all of it is read");
        read_all(h);
    } else if (m->common != 0 || m->differs) {
        fetch_tail(h, m->common + 1);
    } else {
        log_warn(&log_store,
                 "this node was away for so long that nothing says whether it still has "
                 "something that the shared history lacks: all of it is read");
        read_all(h);
    }
}

static void on_ids(void *arg, const struct redis_answer *a)
{
    struct redis_history *h = arg;
    struct history_merge *m = &h->merge;
    bool is_first_known = false;
    h->is_looking = false;
    if (h->phase != HISTORY_LOOKING || h->is_stopping)
        return;
    if (a->outcome != REDIS_ANSWERED) {
        redis_history_look_again(h, RETRY_MS);
        return;
    }
    for (size_t i = 1; i + 1 < a->value->count; i += 2) {
        struct entry_id id;
        uint64_t revision = (uint64_t)redis_value_integer(&a->value->items[i]);
        if (!redis_history_parse_id(&a->value->items[i + 1], &id))
            continue;
        enum store_embedded_knows knows = store_embedded_knows(h->settings.store, revision, &id);
        is_first_known |= revision == m->from && knows != STORE_EMBEDDED_UNSURE;
        m->differs |= knows == STORE_EMBEDDED_OTHER;
        if (knows == STORE_EMBEDDED_KNOWN)
            m->common = revision;
    }
    if (m->common == 0 && m->from > 1 && is_first_known) {
        m->from = m->from > IDS_AT_ONCE ? m->from - IDS_AT_ONCE : 1;
        ask_ids(h);
        return;
    }
    decide(h, (uint64_t)redis_value_integer(redis_value_at(a->value, 0)));
}

static void ask_ids(struct redis_history *h)
{
    char from[TEXT_NUMBER_SIZE];
    char count[TEXT_NUMBER_SIZE];
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text words[] = { redis_history_key(h, &arena, "head"),
                            redis_history_key(h, &arena, "log"),
                            redis_history_key(h, &arena, "ids"),
                            text_print_u64(h->merge.from, from),
                            text_print_u64(IDS_AT_ONCE, count) };
    h->is_looking = true;
    redis_history_run(h, &redis_script_history_ids, words, ARRAY_LENGTH(words), 3, on_ids);
    arena_reset(&arena);
}

void redis_history_merge_start(struct redis_history *h, const struct history_place *head)
{
    if (redis_history_tail_is_busy(h->tail)) {
        redis_history_look_again(h, BUSY_MS);
        return;
    }
    uint64_t newest = store_revision(store_embedded_port(h->settings.store));
    uint64_t to = head->revision < newest ? head->revision : newest;
    h->merge = (struct history_merge){ .head = *head };
    h->merge.from = to >= IDS_AT_ONCE ? to - IDS_AT_ONCE + 1 : 1;
    ask_ids(h);
}
