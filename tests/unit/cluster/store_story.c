/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_story.c - one loop, one store, hooks that answer a turn later.
 */
#include "tests/unit/cluster/store_story.h"

#include <stdio.h>

#include "conf/base/mem.h"

/* ---- hooks ---- */

struct later {
    struct store_story *story;
    store_embedded_published_fn *published;
    store_embedded_ended_fn *ended;
    void *arg;
};

static void on_later(void *arg)
{
    struct later *l = arg;
    if (l->published != NULL)
        l->published(l->arg, TEXT_EMPTY);
    else
        l->ended(l->arg);
    MEM_FREE(&l);
}

static void publish(void *arg, struct resources *resources, uint64_t revision,
                    store_embedded_published_fn *done, void *done_arg)
{
    struct store_story *s = arg;
    struct later *l = mem_new(sizeof(*l));
    *l = (struct later){ .story = s, .published = done, .arg = done_arg };
    s->published++;
    mailbox_post_call(s->mailbox, on_later, l);
}

static void end_key(void *arg, struct key_handle handle, store_embedded_ended_fn *done,
                    void *done_arg)
{
    struct store_story *s = arg;
    s->ended++;
    if (s->holds_ends) {
        s->held = done;
        s->held_arg = done_arg;
        return;
    }
    struct later *l = mem_new(sizeof(*l));
    *l = (struct later){ .story = s, .ended = done, .arg = done_arg };
    mailbox_post_call(s->mailbox, on_later, l);
}

/* ---- lifetime ---- */

static void on_loaded(void *arg, const struct problems *ps)
{
    struct store_story *s = arg;
    s->is_loaded = true;
    for (size_t i = 0; i < ps->count; i++)
        problems_add(&s->problems, (struct place){ .file = ps->items[i].file }, "%s",
                     ps->items[i].sentence);
}

static bool load(struct store_story *s)
{
    s->is_loaded = false;
    store_embedded_load(s->embedded, on_loaded, s);
    MUST(!s->is_loaded && store_is_loading(store_embedded_port(s->embedded)));
    while (!s->is_loaded) {
        uint64_t before = clock_read_cpu_ns();
        loop_run_once(s->loop, false);
        uint64_t took = clock_read_cpu_ns() - before;
        s->longest_load_ns = took > s->longest_load_ns ? took : s->longest_load_ns;
    }
    return problems_is_empty(&s->problems);
}

bool store_story_try_open(struct store_story *s, char *path)
{
    s->path = path;
    s->loop = loop_new("test");
    s->mailbox = mailbox_new(s->loop);
    s->turns = turns_new(1);
    s->credentials = credentials_new(s->turns);
    problems_init(&s->problems);
    s->dir = state_dir_open(text_of(path), &s->problems);
    MUST(s->dir != NULL && state_dir_lock(s->dir, &s->problems));
    struct store_embedded_settings settings = {
        .loop = s->loop,
        .mailbox = s->mailbox,
        .credentials = s->credentials,
        .history = s->history == 0 ? 1000 : s->history,
        .compact_least = s->compact_least,
        .tombstones = (int64_t)400 * 86400 * 1000,
        .publish = publish,
        .end_key = end_key,
        .arg = s,
    };
    s->embedded = store_embedded_new(&settings, s->dir, &s->problems);
    if (s->embedded != NULL && s->authority != NULL)
        store_embedded_set_authority(s->embedded, s->authority);
    if (s->embedded == NULL || !load(s))
        return false;
    s->store = store_embedded_port(s->embedded);
    store_embedded_start(s->embedded, true);
    return true;
}

void store_story_open(struct store_story *s, char *path)
{
    if (!store_story_try_open(s, path)) {
        fprintf(stderr, "%s\n", s->problems.items[0].sentence);
        MUST(false);
    }
}

void store_story_close(struct store_story *s)
{
    if (s->embedded != NULL)
        store_embedded_stop(s->embedded);
    mailbox_free(&s->mailbox);
    store_embedded_free(&s->embedded);
    state_dir_close(&s->dir);
    problems_fini(&s->problems);
    credentials_free(&s->credentials);
    turns_free(&s->turns);
    loop_free(&s->loop);
}

void store_story_reopen(struct store_story *s)
{
    store_story_close(s);
    store_story_open(s, s->path);
}

void store_story_wait(struct store_story *s, unsigned answers)
{
    while (s->answers < answers)
        loop_run_once(s->loop, true);
}

/* ---- commits ---- */

void store_story_done(void *arg, const struct store_result *result)
{
    struct store_story *s = arg;
    s->answers++;
    s->result = *result;
    s->first_problem[0] = s->first_name[0] = s->resource_set[0] = '\0';
    s->resource_tag = 0;
    if (result->problems != NULL && result->problems->count > 0)
        snprintf(s->first_problem, sizeof(s->first_problem), "%s",
                 result->problems->items[0].sentence);
    if (result->name_count > 0)
        snprintf(s->first_name, sizeof(s->first_name), "%.*s", TEXT_ARGS(result->names[0]));
    if (result->resource != NULL) {
        snprintf(s->resource_set, sizeof(s->resource_set), "%.*s",
                 TEXT_ARGS(result->resource->set));
        s->resource_tag = result->resource->tag;
    }
}

enum store_outcome store_story_commit(struct store_story *s, struct store_commit *commit)
{
    if (text_is_empty(commit->author))
        commit->author = TEXT_OF("alice");
    commit->done = store_story_done;
    commit->arg = s;
    unsigned before = s->answers;
    store_commit(s->store, commit);
    MUST(s->answers == before);
    store_story_wait(s, before + 1);
    return s->result.outcome;
}

struct resource *store_story_parse(enum resource_kind kind, const char *json)
{
    struct problems ps;
    problems_init(&ps);
    struct resource *r = resource_parse(kind, text_of(json), NULL, &ps);
    if (r == NULL)
        fprintf(stderr, "%s: %s\n", json, ps.items[0].sentence);
    MUST(r != NULL);
    problems_fini(&ps);
    return r;
}

enum store_outcome store_story_put(struct store_story *s, enum resource_kind kind, const char *json)
{
    struct resource *r = store_story_parse(kind, json);
    struct store_change change = {
        .change = STORE_PUT, .kind = kind, .name = r->name, .resource = r
    };
    struct store_commit commit = { .changes = &change, .change_count = 1 };
    enum store_outcome outcome = store_story_commit(s, &commit);
    resource_unref(&r);
    return outcome;
}

enum store_outcome store_story_delete(struct store_story *s, enum resource_kind kind,
                                      const char *name)
{
    struct store_change change = { .change = STORE_DELETE, .kind = kind, .name = text_of(name) };
    struct store_commit commit = { .changes = &change, .change_count = 1 };
    return store_story_commit(s, &commit);
}

enum store_outcome store_story_restore(struct store_story *s, uint64_t revision)
{
    struct store_commit commit = { .restores = revision };
    return store_story_commit(s, &commit);
}

enum store_outcome store_story_confirm(struct store_story *s, uint64_t revision)
{
    struct store_confirm confirm = {
        .revision = revision, .author = TEXT("bob"), .done = store_story_done, .arg = s
    };
    unsigned before = s->answers;
    store_confirm(s->store, &confirm);
    store_story_wait(s, before + 1);
    return s->result.outcome;
}

struct digest store_story_digest(uint64_t id)
{
    return digest_sha256(text_from((const char *)&id, sizeof(id)));
}

enum store_outcome store_story_add_key(struct store_story *s, uint64_t id, const char *consumer)
{
    struct store_key_change key = {
        .change = STORE_KEY_ADD,
        .id = id,
        .consumer = text_of(consumer),
        .digest = store_story_digest(id),
        .prefix = TEXT("gwk_abcd"),
    };
    struct store_commit commit = { .keys = &key, .key_count = 1 };
    return store_story_commit(s, &commit);
}

enum store_outcome store_story_revoke(struct store_story *s, uint64_t id)
{
    struct store_key_change key = { .change = STORE_KEY_REVOKE, .id = id };
    struct store_commit commit = { .keys = &key, .key_count = 1 };
    return store_story_commit(s, &commit);
}

bool store_story_has(const struct store_story *s, enum resource_kind kind, const char *name)
{
    struct credentials_consumer consumer;
    if (kind == RESOURCE_CONSUMER)
        return credentials_get_consumer(s->credentials, text_of(name), &consumer);
    return resources_find(store_resources(s->store), kind, text_of(name)) != NULL;
}
