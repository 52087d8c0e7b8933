/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_load.c - from the journal to the tables, at start, in slices of the running loop.
 *
 *     check every frame ─▶ read every item ─▶ seal ─▶ done
 *
 * Beside another process that holds the folder, and is about to let go of it, that is done with
 * what there is, then waited, and done with what has come since:
 *
 *     check ─▶ read ─▶ wait ─▶ check ─▶ read ─▶ seal ─▶ done
 *
 * The file is read twice: nothing of it is believed before all of it is known to be whole. The
 * state of a checkpoint may be newer in places than its base: everything here can be applied twice,
 * and what comes later sets it right.
 */
#include <stdio.h>

#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"

#define SCAN_BYTES    ((size_t)1 << 16)
#define ITEMS_AT_ONCE 16
#define TELL_EACH     256 /* steps between two words on how far it is */

enum loading_phase {
    LOADING_CHECK,
    LOADING_READ,
    LOADING_WAIT, /* for the folder: another process writes the journal */
    LOADING_SEAL,
    LOADING_END
};

/* Lifetime: from store_embedded_load() until `done` returned. */
struct embedded_loading {
    struct store_embedded *e;
    enum loading_phase phase;
    store_loaded_fn *done;
    void *arg;
    unsigned steps;
    struct journal_reader *reader;
    uint64_t read_to; /* in a first round, beside another process */
    struct text rest; /* items of the record at hand that have not been read */
    struct resources_draft *draft;
    struct arena arena;
    struct problems problems;
    struct entry_head head; /* of the entry at hand; texts are in `author` and `summary` */
    struct builder author;
    struct builder summary;
    int64_t confirm_until;
    bool is_history;
    bool has_entry;
};

static const struct checks lenient_checks = { .lenient = true };

const struct checks *store_embedded_checks(const struct store_embedded *e)
{
    return e->settings.checks == NULL ? &lenient_checks : e->settings.checks;
}

static bool refuse(struct embedded_loading *l, const char *what)
{
    char file[4096];
    snprintf(file, sizeof(file), "%s/journal", l->e->dir->path);
    problems_add(&l->problems, (struct place){ .file = file }, "Revision %llu: %s.",
                 (unsigned long long)l->head.revision, what);
    return false;
}

/* ---- things ---- */

/* Problems of a stored document are said to be at its kind and name. */
static bool parse_resource(struct embedded_loading *l, const struct item_resource *item,
                           struct text set, struct resource **resource_out)
{
    struct problems found;
    problems_init(&found);
    *resource_out = resource_parse(item->kind, set, store_embedded_checks(l->e), &found);
    /* Where the history is shared a newer version may have set it: the rest is served. */
    bool is_held = *resource_out == NULL && l->e->authority != NULL;
    if (is_held && item->kind != RESOURCE_CONSUMER) {
        store_embedded_held_add(l->e, item, found.count == 0 ? "" : found.items[0].sentence);
    } else if (*resource_out == NULL && !is_held) {
        char path[160];
        snprintf(path, sizeof(path), "%s.%.*s", resource_kind_name(item->kind),
                 TEXT_ARGS(item->name));
        problems_add(&l->problems, (struct place){ .path = path },
                     "What the journal holds is not taken by this version: %s",
                     found.count == 0 ? "" : found.items[0].sentence);
    }
    problems_fini(&found);
    return *resource_out != NULL || is_held;
}

static void stamp(struct embedded_loading *l, const struct item_resource *item, struct resource *r)
{
    bool is_state = item->revision != 0;
    resource_stamp(r, is_state ? item->revision : l->head.revision,
                   is_state ? item->tag : store_tag_of(&l->head.id));
}

static bool load_consumer(struct embedded_loading *l, const struct item_resource *item)
{
    struct credentials *c = l->e->settings.credentials;
    if (!item->has_after) {
        credentials_remove_consumer(c, item->name);
        return true;
    }
    struct resource *r;
    if (!parse_resource(l, item, item->after, &r))
        return false;
    if (r == NULL)
        return true;
    credentials_put_consumer(c, r, item->revision != 0 ? item->tag : store_tag_of(&l->head.id));
    resource_unref(&r);
    return true;
}

static bool load_resource(struct embedded_loading *l, const struct item_resource *item)
{
    if (item->kind == RESOURCE_CONSUMER)
        return load_consumer(l, item);
    if (!item->has_after) {
        resources_draft_remove(l->draft, item->kind, item->name);
        return true;
    }
    struct resource *r;
    if (!parse_resource(l, item, item->after, &r))
        return false;
    if (r == NULL)
        return true;
    stamp(l, item, r);
    resources_draft_put(l->draft, r, NULL);
    resource_unref(&r);
    return true;
}

static bool load_item(struct embedded_loading *l, struct item *item)
{
    /* A newer version can be a member beside this one only where the history is shared. */
    if (item->is_newer && l->e->authority == NULL)
        return refuse(l, "an item that a newer gatewayd wrote");
    switch (item->kind) {
    case ITEM_UNKNOWN:
        return true;
    case ITEM_RESOURCE:
        if (item->resource.revision == 0)
            l->e->now.config_tag = store_tag_of(&l->head.id);
        return load_resource(l, &item->resource);
    case ITEM_KEY:
        store_embedded_items_key(l->e, &item->key, NULL);
        return true;
    case ITEM_CONFIRM:
        l->confirm_until = item->confirm_until;
        return true;
    case ITEM_ORIGIN:
        if (item->origin.is_undo)
            history_settle(&l->e->history, item->origin.revision, STORE_UNDONE);
        return true;
    case ITEM_CONFIRMED:
        store_embedded_undo_settled(l->e, &item->confirmed);
        return true;
    case ITEM_REVOKED:
        store_embedded_revoked_load(l->e, &item->revoked);
        return true;
    case ITEM_CONFIG:
        l->e->now.config_tag = item->config_tag;
        return true;
    }
    return true;
}

/* Of entries older than the checkpoint only what the list of revisions shows is wanted. */
static bool take_item(struct embedded_loading *l, struct item *item)
{
    if (l->is_history && item->kind == ITEM_CONFIRM)
        l->confirm_until = item->confirm_until;
    return l->is_history || load_item(l, item);
}

/* Some more of the record at hand. */
static bool load_items(struct embedded_loading *l)
{
    struct item item;
    bool is_bad = false;
    for (int i = 0; i < ITEMS_AT_ONCE && !text_is_empty(l->rest); i++) {
        if (!item_next(&l->rest, &l->arena, &item, &is_bad))
            break;
        bool is_good = take_item(l, &item);
        arena_reset(&l->arena);
        if (!is_good)
            return false;
    }
    return is_bad ? refuse(l, "an item that cannot be read: a newer gatewayd wrote it") : true;
}

/* ---- records ---- */

static void remember(struct embedded_loading *l, const struct entry_head *head)
{
    builder_clear(&l->author);
    builder_clear(&l->summary);
    builder_add(&l->author, head->author);
    builder_add(&l->summary, head->summary);
    l->head = *head;
    l->head.author = builder_text(&l->author);
    l->head.summary = builder_text(&l->summary);
    l->confirm_until = 0;
    l->has_entry = true;
}

/* An entry is listed once all its parts have been seen. */
static void end_entry(struct embedded_loading *l)
{
    if (!l->has_entry)
        return;
    l->has_entry = false;
    history_add(&l->e->history, &l->head, l->confirm_until);
}

static bool load_record(struct embedded_loading *l, const struct journal_record *record)
{
    switch (record->kind) {
    case JOURNAL_ENTRY:
        end_entry(l);
        remember(l, &record->head);
        break;
    case JOURNAL_PART:
        break;
    case JOURNAL_STATE:
    case JOURNAL_NOTE:
        end_entry(l);
        break;
    case JOURNAL_END:
        end_entry(l);
        return true;
    case JOURNAL_UNREADABLE:
        return refuse(l, journal_why(l->e->journal));
    }
    l->is_history =
        record->is_history && (record->kind == JOURNAL_ENTRY || record->kind == JOURNAL_PART);
    l->rest = record->body;
    return true;
}

/* ---- phases ---- */

static void tell(struct embedded_loading *l, const char *what, uint64_t at, uint64_t all)
{
    struct store_embedded *e = l->e;
    char said[80];
    if (e->settings.starting == NULL || l->steps++ % TELL_EACH != 0 || all == 0)
        return;
    snprintf(said, sizeof(said), "%s, %u %%", what, (unsigned)(at * 100 / all));
    e->settings.starting(e->settings.arg, text_of(said));
}

/* What the chain of entries in the file comes to. */
static void take_head(struct store_embedded *e, bool is_first)
{
    struct entry_id cluster = journal_cluster_id(e->journal);
    e->cluster = cluster;
    if (is_first)
        e->now.config_tag = store_tag_of(&cluster);
    e->now.revision = journal_last_revision(e->journal);
    e->now.id = journal_last_id(e->journal);
    e->cut = journal_cut(e->journal);
    e->journal_size = journal_size(e->journal);
    store_embedded_compact_after(e, journal_sealed(e->journal));
}

static bool check_more(struct embedded_loading *l)
{
    struct store_embedded *e = l->e;
    tell(l, "checking the journal", journal_checked(e->journal), journal_file_size(e->journal));
    enum journal_step step = journal_scan(e->journal, SCAN_BYTES, &l->problems);
    if (step == JOURNAL_FINISHED) {
        take_head(e, l->read_to == 0);
        l->reader = journal_reader_new_from(e->journal, l->read_to);
        l->phase = LOADING_READ;
    }
    return step != JOURNAL_DAMAGED;
}

static bool seal(struct embedded_loading *l)
{
    struct resources_outside outside = { credentials_plan_users, l->e->settings.credentials };
    struct resources *sealed;
    if (resources_draft_check_some(l->draft, &outside, &l->problems))
        return true;
    l->phase = LOADING_END;
    if (!resources_draft_seal(&l->draft, &outside, &l->problems, &sealed))
        return false;
    store_embedded_advance(&l->e->now, sealed);
    resources_unref(&sealed);
    return true;
}

static void wait(struct embedded_loading *l)
{
    l->phase = LOADING_WAIT;
    l->read_to = journal_size(l->e->journal);
    journal_reader_free(&l->reader);
    l->e->settings.loaded_beside(l->e->settings.arg);
}

static bool read_more(struct embedded_loading *l)
{
    struct journal_record record;
    if (!text_is_empty(l->rest))
        return load_items(l);
    tell(l, "loading the journal", journal_reader_at(l->reader), l->e->journal_size);
    journal_reader_next(l->reader, &record);
    if (!load_record(l, &record))
        return false;
    if (record.kind != JOURNAL_END)
        return true;
    l->phase = LOADING_SEAL;
    if (l->read_to == 0 && l->e->settings.loaded_beside != NULL)
        wait(l);
    return true;
}

/* False: it cannot be loaded. */
static bool go_on(struct embedded_loading *l)
{
    switch (l->phase) {
    case LOADING_CHECK:
        return check_more(l);
    case LOADING_READ:
        return read_more(l);
    case LOADING_SEAL:
        return seal(l);
    case LOADING_WAIT:
    case LOADING_END:
        break;
    }
    return true;
}

static void free_loading(struct store_embedded *e)
{
    struct embedded_loading *l = e->loading;
    loop_slice_stop(&e->load_slice);
    journal_reader_free(&l->reader);
    resources_draft_free(&l->draft);
    builder_fini(&l->author);
    builder_fini(&l->summary);
    problems_fini(&l->problems);
    arena_reset(&l->arena);
    MEM_FREE(&e->loading);
}

/* What comes next builds on what was loaded. */
static void end(struct embedded_loading *l)
{
    struct store_embedded *e = l->e;
    store_embedded_advance(&e->next, e->now.resources);
    e->next.revision = e->now.revision;
    e->next.id = e->now.id;
    e->next.config_tag = e->now.config_tag;
    store_loaded_fn *done = l->done;
    void *arg = l->arg;
    struct problems problems = l->problems;
    problems_init(&l->problems);
    free_loading(e);
    done(arg, &problems);
    problems_fini(&problems);
}

static bool on_slice(void *arg)
{
    struct store_embedded *e = arg;
    struct embedded_loading *l = e->loading;
    bool is_good = go_on(l);
    if (is_good && l->phase == LOADING_WAIT)
        return false;
    if (is_good && l->phase != LOADING_END)
        return true;
    end(l);
    return false;
}

void store_embedded_take(struct store_embedded *e)
{
    struct embedded_loading *l = e->loading;
    MUST(l != NULL && l->phase == LOADING_WAIT);
    l->phase = journal_take(e->journal, &l->problems) ? LOADING_CHECK : LOADING_END;
    loop_slice_start(&e->load_slice);
}

void store_embedded_load(struct store_embedded *e, store_loaded_fn *done, void *arg)
{
    MUST(!e->is_started && e->loading == NULL);
    struct embedded_loading *l = mem_new(sizeof(*l));
    *l = (struct embedded_loading){ .e = e, .done = done, .arg = arg };
    arena_init(&l->arena, SIZE_MAX);
    builder_init(&l->author, SIZE_MAX);
    builder_init(&l->summary, SIZE_MAX);
    problems_init(&l->problems);
    l->draft = resources_draft_new(e->now.resources);
    e->loading = l;
    loop_slice_init(&e->load_slice, e->settings.loop, on_slice, e);
    loop_slice_start(&e->load_slice);
}

void store_embedded_load_stop(struct store_embedded *e)
{
    if (e->loading != NULL)
        free_loading(e);
}

struct resource *store_embedded_consumer(const struct store_embedded *e, struct text name)
{
    struct credentials_consumer consumer;
    if (!credentials_get_consumer(e->settings.credentials, name, &consumer))
        return NULL;
    struct arena arena;
    struct problems ps;
    arena_init(&arena, SIZE_MAX);
    problems_init(&ps);
    struct resource *r = resource_parse(
        RESOURCE_CONSUMER, credentials_consumer_set(e->settings.credentials, &consumer, &arena),
        store_embedded_checks(e), &ps);
    MUST(r != NULL);
    resource_stamp(r, e->now.revision, consumer.stamp);
    problems_fini(&ps);
    arena_reset(&arena);
    return r;
}
