/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_compact.c - the whole state, walked through in slices while changes go on, handed
 * to the scribe a chunk at a time for a new journal.
 *
 * What changes behind or before the walk is set right by the entries after the base (journal.h).
 */
#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define GROWTH_LEAST ((uint64_t)8 << 20)
#define RETRY_MS     ((uint64_t)60 * 1000)

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

enum walk { WALK_START, WALK_STATE, WALK_REVOKED, WALK_FINISH, WALK_END };

struct embedded_compaction {
    struct store_embedded *store;
    enum walk walk;
    struct store_embedded_walk state;
    uint64_t base;
    uint64_t keep_from;
    struct builder chunk;
    struct scribe_job job;
    bool is_anew; /* the journal ends before the base */
    struct entry_id cluster;
    struct entry_id id; /* of the base */
    bool is_busy;       /* the scribe has the chunk */
    enum journal_result result;
    const char *why;
    uint64_t journal_size;
};

/* ---- walking ---- */

static void add_item(struct embedded_compaction *c, const struct item *item)
{
    item_print(item, &c->chunk);
}

/* The tag of the whole, and what became of entries that had to be confirmed. */
static void walk_start(struct embedded_compaction *c)
{
    const struct store_embedded *e = c->store;
    struct store_entry entry;
    add_item(c, &(struct item){ .kind = ITEM_CONFIG, .config_tag = e->now.config_tag });
    for (uint64_t r = c->keep_from; history_find(&e->history, r, &entry); r++) {
        if (entry.confirmation == STORE_NOT_ASKED)
            continue;
        add_item(c, &(struct item){ .kind = ITEM_CONFIRMED,
                                    .confirmed = { .revision = r,
                                                   .was_undone = entry.confirmation == STORE_UNDONE,
                                                   .is_open = entry.confirmation == STORE_PENDING,
                                                   .until = entry.confirm_until } });
    }
}

/* What the shared history does not say yet: few, so all of them at once. */
static bool walk_revoked(struct embedded_compaction *c)
{
    store_embedded_revoked_print(c->store, &c->chunk);
    return false;
}

/* ---- the scribe's part ---- */

/* Nothing of the old one is kept: between it and the base entries are missing. */
static enum journal_result begin_anew(struct embedded_compaction *c)
{
    struct journal *j = c->store->journal;
    enum journal_result result = journal_replace_start(j, &c->cluster, c->base, &c->id);
    return result == JOURNAL_DONE ? journal_replace_begin_state(j) : result;
}

static void write_chunk(void *arg)
{
    struct embedded_compaction *c = arg;
    struct journal *j = c->store->journal;
    if (c->walk == WALK_START)
        c->result = c->is_anew ? begin_anew(c) : journal_compact_start(j, c->keep_from, c->base);
    else if (c->walk == WALK_END)
        c->result = journal_compact_finish(j);
    else
        c->result = journal_compact_add(j, builder_text(&c->chunk));
    c->why = journal_why(j);
    c->journal_size = journal_size(j);
}

static uint64_t growth_of(const struct store_embedded *e)
{
    return e->settings.compact_least != 0 ? e->settings.compact_least : GROWTH_LEAST;
}

static void finish(struct store_embedded *e, bool is_good)
{
    struct embedded_compaction *c = e->compaction;
    if (is_good) {
        log_info(&log_store, "journal compacted: %llu bytes were %llu",
                 (unsigned long long)c->journal_size, (unsigned long long)e->journal_size);
        e->journal_size = c->journal_size;
        store_embedded_compact_after(e, e->journal_size);
        if (c->is_anew && e->now.revision == c->base) {
            e->is_unwritten = false;
            e->trouble = NULL;
        }
    } else {
        log_warn(&log_store, "the journal cannot be compacted: %s; trying again in a minute",
                 c->why == NULL ? "unknown" : c->why);
        e->compact_not_before = loop_now_ms(e->settings.loop) + RETRY_MS;
    }
    loop_slice_stop(&e->compact_slice);
    store_embedded_walk_fini(&c->state);
    builder_fini(&c->chunk);
    MEM_FREE(&e->compaction);
}

static void on_written(void *arg)
{
    struct embedded_compaction *c = arg;
    struct store_embedded *e = c->store;
    c->is_busy = false;
    builder_clear(&c->chunk);
    if (store_embedded_replace_waits(e)) {
        c->why = "another state takes its place";
        finish(e, false);
        store_embedded_replace_write(e);
        return;
    }
    if (c->result != JOURNAL_DONE || c->walk == WALK_END) {
        finish(e, c->result == JOURNAL_DONE);
        return;
    }
    if (c->walk == WALK_START) {
        walk_start(c);
        c->walk = WALK_STATE;
    }
    if (!e->is_stopping)
        loop_slice_start(&e->compact_slice);
}

static void hand_over(struct embedded_compaction *c)
{
    c->is_busy = true;
    scribe_job_init(&c->job, write_chunk, on_written, c);
    scribe_post(c->store->scribe, &c->job);
}

/* ---- control's part ---- */

/* False: this part of the walk is over. */
static bool walk_on(struct embedded_compaction *c)
{
    switch (c->walk) {
    case WALK_STATE:
        return store_embedded_walk_next(&c->state, &c->chunk);
    case WALK_REVOKED:
        return walk_revoked(c);
    case WALK_START:
    case WALK_FINISH:
    case WALK_END:
        break;
    }
    return false;
}

static bool on_slice(void *arg)
{
    struct embedded_compaction *c = ((struct store_embedded *)arg)->compaction;
    MUST(!c->is_busy);
    if (!walk_on(c))
        c->walk++;
    bool is_full = builder_text(&c->chunk).length >= STORE_EMBEDDED_PART_BYTES;
    bool is_last = c->walk == WALK_END && builder_text(&c->chunk).length == 0;
    if (is_full || is_last || (c->walk == WALK_FINISH && c->chunk.length > 0)) {
        hand_over(c);
        return false;
    }
    return true;
}

static void start(struct store_embedded *e)
{
    struct embedded_compaction *c = mem_new(sizeof(*c));
    c->store = e;
    c->base = e->now.revision;
    c->keep_from = history_oldest(&e->history);
    c->is_anew = e->is_unwritten;
    c->cluster = e->cluster;
    c->id = e->now.id;
    store_embedded_walk_init(&c->state, e);
    builder_init(&c->chunk, SIZE_MAX);
    e->compaction = c;
    hand_over(c);
}

void store_embedded_compact_init(struct store_embedded *e)
{
    loop_slice_init(&e->compact_slice, e->settings.loop, on_slice, e);
}

/* Worth it when it has more than doubled. */
void store_embedded_compact_after(struct store_embedded *e, uint64_t size)
{
    e->compact_at = 2 * size + growth_of(e);
}

void store_embedded_compact_consider(struct store_embedded *e)
{
    if (e->hold != HOLD_NOT || e->is_still)
        return;
    if (e->compaction != NULL || e->replacing != NULL || e->is_stopping || e->refusal != NULL ||
        e->now.revision == 0 || (e->journal_size < e->compact_at && !e->is_unwritten) ||
        loop_now_ms(e->settings.loop) < e->compact_not_before)
        return;
    start(e);
}

/* What is with the scribe comes back first. */
void store_embedded_compact_give_up(struct store_embedded *e)
{
    if (e->compaction == NULL || e->compaction->is_busy)
        return;
    e->compaction->why = "another state takes its place";
    finish(e, false);
}

/* After the scribe's last job. The file aside stays until the next start. */
void store_embedded_compact_stop(struct store_embedded *e)
{
    if (e->compaction != NULL) {
        MUST(!e->compaction->is_busy);
        e->compaction->why = "gatewayd is stopping";
        finish(e, false);
    }
}
