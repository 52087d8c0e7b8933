/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter.c - taking from all limits or none.
 *
 * First a look at every bucket: a request that one of them denies touches none. Then all are taken
 * from; when another worker was faster at one of them, what was taken is given back.
 */
#include "gatewayd/policy/limiter.h"

#include "conf/base/mem.h"
#include "gatewayd/core/clock.h"
#include "gatewayd/policy/limiter_private.h"

#define PICKS_ON_STACK 8
#define ATTEMPTS       8 /* at a bucket that is ended under our hands */

/* One limit of the request at hand. */
struct pick {
    const struct limiter_rule *rule;
    struct tally *tally;
    struct limits_local_state state;
    bool denies;
};

struct taking {
    struct limiter *l;
    const struct limiter_request *request;
    struct limits_local_now now;
    struct pick *picks;
    size_t count;
};

struct limiter *limiter_new(const struct limiter_settings *settings)
{
    struct limiter *l = mem_new(sizeof(*l));
    size_t strangers_most = settings->strangers_most;
    l->settings = *settings;
    l->started = (int64_t)clock_read_ns();
    l->tallies =
        tallies_new(settings->turns, strangers_most == 0 ? LIMITER_LOCAL_MOST : strangers_most);
    turns_queue_init(&l->queue, settings->turns);
    map_init(&l->by_identity);
    return l;
}

void limiter_free(struct limiter **at)
{
    struct limiter *l = *at;
    if (l == NULL)
        return;
    limiter_families_sweep(l, (struct limiter_now){ 0 });
    turns_queue_fini(&l->queue);
    tallies_free(&l->tallies);
    limiter_families_fini(l);
    MEM_FREE(at);
}

void limiter_tidy(struct limiter *l, struct limiter_now now)
{
    limiter_families_sweep(l, now);
    tallies_tidy(l->tallies);
    (void)turns_tidy(&l->queue, SIZE_MAX);
}

void limiter_count(const struct limiter *l, struct limiter_counts *out)
{
    *out = (struct limiter_counts){
        .buckets = tallies_count(l->tallies),
        .strangers = tallies_strangers(l->tallies),
        .crowded = atomic_load(&l->crowded),
    };
}

/* ---- one limit ---- */

static struct tally *find_tally(struct taking *t, const struct limiter_rule *rule,
                                enum limiter_scope scope)
{
    char into[TALLIES_SUBJECT_MOST];
    struct tally_name name = { .family = rule->family->number };
    name.subject = limiter_subject(rule, scope, &t->request->who, into);
    name.is_stranger = limiter_subject_is_stranger(name.subject);
    name.hash = tallies_hash(name.family, name.subject);
    struct tally *tally = tallies_try_get(t->l->tallies, &name);
    if (tally != NULL)
        return tally;
    atomic_fetch_add_explicit(&t->l->crowded, 1, memory_order_relaxed);
    return &rule->family->crowd;
}

static enum limiter_scope scope_of(const struct taking *t, size_t i)
{
    return i < limiter_set_count(t->request->route) ? LIMITER_ROUTE : LIMITER_PLAN;
}

typedef enum limits_local_answer step_fn(struct taking *t, struct pick *pick);

static enum limits_local_answer peek(struct taking *t, struct pick *pick)
{
    return limits_local_peek(&pick->tally->word, &pick->rule->family->spec, t->now,
                             pick->rule->cost, &pick->state);
}

static enum limits_local_answer take(struct taking *t, struct pick *pick)
{
    const struct limits_local_spec *spec = &pick->rule->family->spec;
    enum limits_local_answer answer =
        limits_local_take(&pick->tally->word, spec, t->now, pick->rule->cost, &pick->state);
    if (answer == LIMITS_LOCAL_TAKEN && pick->tally != &pick->rule->family->crowd &&
        limits_local_spec_get(spec)->spec.kind == LIMIT_QUOTA)
        tallies_mark(t->l->tallies, pick->tally);
    return answer;
}

/* A bucket that was ended between finding and using it is found again. */
static bool step(struct taking *t, size_t i, step_fn *fn)
{
    struct pick *pick = &t->picks[i];
    enum limits_local_answer answer = LIMITS_LOCAL_ENDED;
    for (int n = 0; n < ATTEMPTS; n++) {
        answer = fn(t, pick);
        if (answer != LIMITS_LOCAL_ENDED)
            break;
        pick->tally = find_tally(t, pick->rule, scope_of(t, i));
    }
    pick->denies = answer != LIMITS_LOCAL_TAKEN;
    return !pick->denies;
}

/* ---- all of them ---- */

static bool peek_all(struct taking *t)
{
    bool is_allowed = true;
    for (size_t i = 0; i < t->count; i++)
        is_allowed = step(t, i, peek) && is_allowed;
    return is_allowed;
}

static bool take_all(struct taking *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (step(t, i, take))
            continue;
        while (i-- > 0)
            limits_local_give(&t->picks[i].tally->word, &t->picks[i].rule->family->spec,
                              t->picks[i].rule->cost);
        return false;
    }
    return true;
}

static bool take_or_look(struct taking *t)
{
    if (t->count == 1)
        return step(t, 0, take);
    if (peek_all(t) && take_all(t))
        return true;
    /* What denies may have changed while it was looked at: then the last look at it counts. */
    bool is_denied = false;
    for (size_t i = 0; i < t->count; i++)
        is_denied = is_denied || t->picks[i].denies;
    MUST(is_denied);
    return false;
}

static void choose(struct taking *t, const struct limiter_set *set)
{
    for (size_t i = 0; i < limiter_set_count(set); i++) {
        struct pick *pick = &t->picks[t->count];
        *pick = (struct pick){ .rule = &set->rules[i] };
        pick->tally = find_tally(t, pick->rule, set->scope);
        t->count++;
    }
}

/* ---- what to tell ---- */

static int64_t seconds_up(int64_t ns)
{
    return ns / 1000000000 + (ns % 1000000000 != 0);
}

static int64_t window_of(const struct limiter_rule *rule, struct limits_local_now now)
{
    const struct bucket_spec *spec = &limits_local_spec_get(&rule->family->spec)->spec;
    if (spec->kind != LIMIT_QUOTA)
        return rule->window;
    struct quota_window window = quota_window(spec->period, now.wall);
    return (window.end - window.start) / 1000;
}

static struct limiter_item describe(const struct pick *pick, struct limits_local_now now)
{
    const struct limits_local_state *state = &pick->state;
    struct limiter_item item = {
        .name = pick->rule->name,
        .quota = pick->rule->quota,
        .window = window_of(pick->rule, now),
        .denied = pick->denies,
    };
    if (pick->denies) {
        item.reset = seconds_up(state->wait_ns);
        item.reset = item.reset > 0 ? item.reset : 1;
        return item;
    }
    /* Nothing left is said only to who is denied: the last one let in is told 1. */
    item.remaining = state->left > 1 ? state->left : 1;
    item.reset = seconds_up(state->full_ns);
    return item;
}

/* Denying ones first, the longest first; then by the share that is left. */
static bool is_tighter(const struct limiter_item *a, const struct limiter_item *b)
{
    if (a->denied != b->denied)
        return a->denied;
    if (a->denied)
        return a->reset > b->reset;
    __int128 left_a = (__int128)a->remaining * b->quota;
    __int128 left_b = (__int128)b->remaining * a->quota;
    return left_a != left_b ? left_a < left_b : a->reset > b->reset;
}

static void insert(struct limiter_item *items, size_t count, struct limiter_item item)
{
    size_t at = count;
    for (; at > 0 && is_tighter(&item, &items[at - 1]); at--)
        items[at] = items[at - 1];
    items[at] = item;
}

static void tell(const struct taking *t, struct limiter_item *items, struct limiter_result *out)
{
    *out = (struct limiter_result){ .items = items };
    for (; out->count < t->count; out->count++)
        insert(items, out->count, describe(&t->picks[out->count], t->now));
    if (out->count > 0 && items[0].denied) {
        out->denied = &items[0];
        out->retry_after = items[0].reset;
    }
}

static enum limiter_verdict deny_for_want_of_room(struct limiter_result *out)
{
    *out = (struct limiter_result){ .retry_after = 1 };
    return LIMITER_DENIED;
}

enum limiter_verdict limiter_take(struct limiter *l, size_t worker,
                                  const struct limiter_request *request, struct limiter_now now,
                                  struct arena *arena, struct limiter_result *result_out)
{
    struct pick some[PICKS_ON_STACK];
    struct taking t = { l, request, limiter_local_now(l, now), some, 0 };
    size_t count = limiter_set_count(request->route) + limiter_set_count(request->plan);
    *result_out = (struct limiter_result){ 0 };
    if (count == 0)
        return LIMITER_ALLOWED;
    struct limiter_item *items = arena_try_alloc(arena, count * sizeof(*items));
    if (count > PICKS_ON_STACK)
        t.picks = arena_try_alloc(arena, count * sizeof(*t.picks));
    if (items == NULL || t.picks == NULL)
        return deny_for_want_of_room(result_out);
    turn_enter(turns_get(l->settings.turns, worker));
    choose(&t, request->route);
    choose(&t, request->plan);
    bool is_allowed = take_or_look(&t);
    tell(&t, items, result_out);
    return is_allowed ? LIMITER_ALLOWED : LIMITER_DENIED;
}
