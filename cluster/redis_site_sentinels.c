/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_site_sentinels.c - with Sentinel: a round asks every sentinel and looks at every server
 * that was ever named, all at once, and chooses (redis_choice.h) as soon as there is enough to go
 * by.
 *
 * Sentinels learn of each other, and we from them: any of those in the configuration will do.
 */
#include <stdio.h>

#include "cluster/redis_choice.h"
#include "cluster/redis_ear.h"
#include "cluster/redis_site_private.h"
#include "conf/base/mem.h"

#define SENTINELS_MAX 64 /* as many as the configuration may name */
#define SERVERS_MAX   32
#define SENTINEL_MS   700
/* Events may be lost: now and then a round is made without one. */
#define POLL_MS 10000

struct sentinel {
    struct redis_site *site;
    char name[REDIS_GREETING_SERVER_SIZE];
    char id[48]; /* "": not told yet */
    struct redis_ear *ear;
    struct redis_sentinel *question; /* NULL: it has answered, or not at all */
    bool has_answered;               /* in this round */
    struct redis_sentinel_answer answer;
    char reason[REDIS_GREETING_REASON_SIZE];
};

struct candidate {
    struct redis_site *site;
    char name[REDIS_GREETING_SERVER_SIZE];
    struct redis_probe *probe;
    bool is_known; /* in this round */
    bool is_good;
    bool needs_care;
    struct redis_server server;
    char reason[REDIS_GREETING_REASON_SIZE];
};

struct redis_site_sentinels {
    struct redis_site *site;
    struct sentinel *sentinels[SENTINELS_MAX];
    size_t sentinel_count;
    struct candidate *candidates[SERVERS_MAX];
    size_t candidate_count;
    uint64_t epoch; /* the highest heard of */
    struct loop_timer poll;
    struct loop_task decide;
};

static void look_at(struct redis_site_sentinels *all, const char *name);

/* ---- the choice ----------------------------------------------------------------------------- */

static bool is_complete(const struct redis_site_sentinels *all)
{
    for (size_t i = 0; i < all->sentinel_count; i++) {
        if (all->sentinels[i]->question != NULL)
            return false;
    }
    for (size_t i = 0; i < all->candidate_count; i++) {
        if (all->candidates[i]->probe != NULL)
            return false;
    }
    return true;
}

static void stop_round(struct redis_site_sentinels *all)
{
    loop_task_cancel(&all->decide);
    for (size_t i = 0; i < all->sentinel_count; i++)
        redis_sentinel_stop(&all->sentinels[i]->question);
    for (size_t i = 0; i < all->candidate_count; i++)
        redis_probe_stop(&all->candidates[i]->probe);
}

static void complain_of_all(struct redis_site_sentinels *all,
                            const struct redis_sentinel_answer *word)
{
    struct redis_site *s = all->site;
    if (word == NULL)
        redis_site_complain(s, TEXT_OF("Sentinel"), TEXT_OF("none of the sentinels is of help"));
    else if (word->is_down)
        redis_site_complain(s, TEXT_OF("Sentinel"),
                            TEXT_OF("the master is down, and there is no other yet"));
    for (size_t i = 0; i < all->candidate_count; i++) {
        const struct candidate *c = all->candidates[i];
        if (c->is_known && !c->is_good)
            redis_site_complain(s, text_of(c->name), text_of(c->reason));
        if (word != NULL && strcmp(c->name, word->master) == 0)
            s->needs_care |= c->needs_care;
    }
    for (size_t i = 0; i < all->sentinel_count; i++) {
        const struct sentinel *n = all->sentinels[i];
        if (!n->has_answered)
            redis_site_complain(s, text_of(n->name), text_of(n->reason));
    }
}

static struct redis_choice choose(struct redis_site_sentinels *all, struct candidate **chosen_out)
{
    const struct redis_sentinel_answer *answers[SENTINELS_MAX];
    struct redis_choice_server servers[SERVERS_MAX];
    const struct redis_site *s = all->site;
    struct redis_choice_question q = {
        .answers = answers,
        .is_complete = is_complete(all),
        .epoch = all->epoch,
        .servers = servers,
        .server_count = all->candidate_count,
        .used = s->server.name,
        .used_run = s->server.facts.run,
        .shunned = s->shunned,
    };
    for (size_t i = 0; i < all->sentinel_count; i++) {
        if (all->sentinels[i]->has_answered)
            answers[q.answer_count++] = &all->sentinels[i]->answer;
    }
    for (size_t i = 0; i < all->candidate_count; i++) {
        const struct candidate *c = all->candidates[i];
        servers[i] =
            (struct redis_choice_server){ c->name, c->is_known, c->is_good, c->server.facts.run };
    }
    struct redis_choice choice = redis_choice_make(&q);
    *chosen_out = choice.server == NULL ? NULL : all->candidates[choice.server - servers];
    return choice;
}

static struct candidate *find_candidate(struct redis_site_sentinels *all, const char *name)
{
    for (size_t i = 0; i < all->candidate_count; i++) {
        if (strcmp(all->candidates[i]->name, name) == 0)
            return all->candidates[i];
    }
    return NULL;
}

/* At the end of a turn in which something was answered. */
static void on_decide(void *arg)
{
    struct redis_site_sentinels *all = arg;
    bool is_over = is_complete(all);
    struct candidate *chosen;
    struct redis_choice choice = choose(all, &chosen);
    if (chosen == NULL && !is_over)
        return;
    if (choice.word != NULL)
        all->epoch = choice.word->epoch;
    loop_timer_start(&all->poll, POLL_MS);
    if (chosen == NULL) {
        complain_of_all(all, choice.word);
        redis_site_conclude(all->site, NULL);
        return;
    }
    struct redis_server found = chosen->server;
    found.epoch = choice.epoch;
    found.is_named = choice.is_named;
    stop_round(all);
    redis_site_conclude(all->site, &found);
}

static void decide_soon(struct redis_site_sentinels *all)
{
    loop_defer(all->site->access->loop, &all->decide);
}

/* ---- servers -------------------------------------------------------------------------------- */

static void on_probed(void *arg, const struct redis_probe_result *result)
{
    struct candidate *c = arg;
    struct redis_site_sentinels *all = c->site->sentinels;
    c->probe = NULL;
    c->is_known = true;
    c->is_good = result->is_good;
    c->needs_care = result->needs_care;
    snprintf(c->reason, sizeof(c->reason), "%.*s", TEXT_ARGS(result->reason));
    if (result->is_good) {
        c->server = (struct redis_server){ .at = *result->at, .facts = *result->facts };
        snprintf(c->server.name, sizeof(c->server.name), "%s", c->name);
        for (size_t i = 0; i < result->facts->replica_count; i++)
            look_at(all, result->facts->replicas[i]);
    }
    decide_soon(all);
}

/* A place for a new one: that of the first that did not answer, when all are taken. */
static struct candidate *add_candidate(struct redis_site_sentinels *all, const char *name)
{
    struct candidate *c = NULL;
    if (all->candidate_count < SERVERS_MAX) {
        c = mem_new(sizeof(*c));
        all->candidates[all->candidate_count++] = c;
    }
    for (size_t i = 0; c == NULL && i < all->candidate_count; i++) {
        struct candidate *old = all->candidates[i];
        MUST(old != NULL);
        if (old->probe == NULL && !old->is_good)
            c = old;
    }
    if (c == NULL)
        return NULL;
    *c = (struct candidate){ .site = all->site };
    snprintf(c->name, sizeof(c->name), "%s", name);
    return c;
}

/* Each once in a round. */
static void look_at(struct redis_site_sentinels *all, const char *name)
{
    struct candidate *c = find_candidate(all, name);
    if (c == NULL)
        c = add_candidate(all, name);
    if (c == NULL || c->probe != NULL || c->is_known)
        return;
    c->probe =
        redis_probe_start(all->site->access, text_of(c->name), REDIS_SITE_PROBE_MS, on_probed, c);
}

/* ---- sentinels ------------------------------------------------------------------------------ */

static void on_heard(void *arg)
{
    struct redis_site *s = arg;
    redis_site_ask_again(s);
}

static void on_poll(void *arg)
{
    struct redis_site_sentinels *all = arg;
    redis_site_doubt(all->site);
}

static void add_sentinel(struct redis_site_sentinels *all, struct text name, const char *id)
{
    if (all->sentinel_count == SENTINELS_MAX || name.length >= REDIS_GREETING_SERVER_SIZE)
        return;
    struct sentinel *n = mem_new(sizeof(*n));
    n->site = all->site;
    snprintf(n->name, sizeof(n->name), "%.*s", TEXT_ARGS(name));
    snprintf(n->id, sizeof(n->id), "%s", id);
    snprintf(n->reason, sizeof(n->reason), "it has not been asked yet");
    n->ear = redis_ear_start(all->site->access, text_of(n->name), on_heard, all->site);
    all->sentinels[all->sentinel_count++] = n;
}

/* By another name, maybe: then by its id. */
static bool is_sentinel_known(const struct redis_site_sentinels *all, const char *name,
                              const char *id)
{
    for (size_t i = 0; i < all->sentinel_count; i++) {
        const struct sentinel *n = all->sentinels[i];
        if (strcmp(n->name, name) == 0 || (id[0] != '\0' && strcmp(n->id, id) == 0))
            return true;
    }
    return false;
}

static void learn(struct redis_site_sentinels *all, const struct redis_sentinel_answer *a)
{
    look_at(all, a->master);
    for (size_t i = 0; i < a->replica_count; i++)
        look_at(all, a->replicas[i].name);
    for (size_t i = 0; i < a->sentinel_count; i++) {
        if (!is_sentinel_known(all, a->sentinels[i], a->sentinel_ids[i]))
            add_sentinel(all, text_of(a->sentinels[i]), a->sentinel_ids[i]);
    }
}

static void on_sentinel_answered(void *arg, const struct redis_sentinel_answer *answer,
                                 struct text reason)
{
    struct sentinel *n = arg;
    struct redis_site_sentinels *all = n->site->sentinels;
    n->question = NULL;
    n->has_answered = answer != NULL;
    snprintf(n->reason, sizeof(n->reason), "%.*s", TEXT_ARGS(reason));
    if (answer != NULL) {
        n->answer = *answer;
        snprintf(n->id, sizeof(n->id), "%s", answer->id);
        learn(all, answer);
    }
    decide_soon(all);
}

/* ---- a round -------------------------------------------------------------------------------- */

void redis_site_sentinels_start_round(struct redis_site *s)
{
    struct redis_site_sentinels *all = s->sentinels;
    loop_timer_stop(&all->poll);
    for (size_t i = 0; i < all->candidate_count; i++) {
        all->candidates[i]->is_known = false;
        all->candidates[i]->is_good = false;
    }
    for (size_t i = 0; i < all->sentinel_count; i++) {
        struct sentinel *n = all->sentinels[i];
        n->has_answered = false;
        n->question =
            redis_sentinel_start(s->access, text_of(n->name), SENTINEL_MS, on_sentinel_answered, n);
    }
    for (size_t i = 0; i < all->candidate_count; i++)
        look_at(all, all->candidates[i]->name);
}

struct redis_site_sentinels *redis_site_sentinels_new(struct redis_site *s)
{
    struct redis_site_sentinels *all = mem_new(sizeof(*all));
    all->site = s;
    loop_timer_init(&all->poll, s->access->loop, on_poll, all);
    loop_task_init(&all->decide, on_decide, all);
    return all;
}

void redis_site_sentinels_start(struct redis_site *s)
{
    const struct texts *configured = &s->access->config->servers;
    for (size_t i = 0; i < configured->count; i++)
        add_sentinel(s->sentinels, configured->items[i], "");
}

void redis_site_sentinels_free(struct redis_site_sentinels **sentinels)
{
    struct redis_site_sentinels *all = *sentinels;
    if (all == NULL)
        return;
    stop_round(all);
    loop_timer_stop(&all->poll);
    for (size_t i = 0; i < all->sentinel_count; i++) {
        redis_ear_stop(&all->sentinels[i]->ear);
        MEM_FREE(&all->sentinels[i]);
    }
    for (size_t i = 0; i < all->candidate_count; i++)
        MEM_FREE(&all->candidates[i]);
    MEM_FREE(sentinels);
}
