/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/redis_choice.h"

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static const struct redis_choice_server *find(const struct redis_choice_question *q,
                                              const char *name)
{
    for (size_t i = 0; i < q->server_count; i++) {
        if (is(q->servers[i].name, name))
            return &q->servers[i];
    }
    return NULL;
}

static const struct redis_sentinel_answer *find_word(const struct redis_choice_question *q)
{
    const struct redis_sentinel_answer *best = NULL;
    for (size_t i = 0; i < q->answer_count; i++) {
        if (best == NULL || q->answers[i]->epoch > best->epoch)
            best = q->answers[i];
    }
    return best;
}

/* As the sentinels count themselves. */
static bool are_most(const struct redis_choice_question *q)
{
    uint64_t peers = 0;
    for (size_t i = 0; i < q->answer_count; i++) {
        if (q->answers[i]->peers > peers)
            peers = q->answers[i]->peers;
    }
    return 2 * (uint64_t)q->answer_count > peers;
}

/* One sentinel that knows of an agreement or a fail-over is enough. */
static bool is_down(const struct redis_choice_question *q, const struct redis_sentinel_answer *word)
{
    for (size_t i = 0; i < q->answer_count; i++) {
        if (q->answers[i]->epoch == word->epoch && q->answers[i]->is_down)
            return true;
    }
    return false;
}

static bool is_reached(const struct redis_choice_question *q, uint64_t epoch, const char *name)
{
    for (size_t i = 0; i < q->answer_count; i++) {
        const struct redis_sentinel_answer *a = q->answers[i];
        for (size_t j = 0; a->epoch == epoch && j < a->replica_count; j++) {
            if (a->replicas[j].is_seen && is(a->replicas[j].name, name))
                return true;
        }
    }
    return false;
}

/* NULL: none, or several: then Sentinel will say which. */
static const struct redis_choice_server *find_promoted(const struct redis_choice_question *q,
                                                       const struct redis_sentinel_answer *word)
{
    const struct redis_choice_server *found = NULL;
    for (size_t i = 0; i < q->server_count; i++) {
        const struct redis_choice_server *s = &q->servers[i];
        if (!s->is_good || is(s->name, word->master) || is(s->name, q->shunned) ||
            !is_reached(q, word->epoch, s->name))
            continue;
        if (found != NULL)
            return NULL;
        found = s;
    }
    return found;
}

static struct redis_choice choose_without_word(const struct redis_choice_question *q)
{
    struct redis_choice none = { 0 };
    const struct redis_choice_server *used = find(q, q->used);
    if (used == NULL || !used->is_good || used->run != q->used_run || is(q->used, q->shunned))
        return none;
    return (struct redis_choice){ .server = used };
}

struct redis_choice redis_choice_make(const struct redis_choice_question *q)
{
    struct redis_choice none = { 0 };
    const struct redis_sentinel_answer *word = find_word(q);
    bool is_majority = are_most(q);

    if (!is_majority && !q->is_complete)
        return none;
    if (word == NULL || (word->epoch < q->epoch && !is_majority))
        return choose_without_word(q);

    none.word = word;
    const struct redis_choice_server *named = find(q, word->master);
    bool is_named_down = is_down(q, word);
    if (named != NULL && named->is_good && !is_named_down)
        return (struct redis_choice){ named, word->epoch, true, word };
    bool has_failed = is_named_down || (named != NULL && named->is_known);
    const struct redis_choice_server *promoted = has_failed ? find_promoted(q, word) : NULL;
    if (promoted == NULL)
        return none;
    return (struct redis_choice){ promoted, word->epoch, false, word };
}
