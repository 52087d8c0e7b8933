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
    struct limiter_lease *lease; /* with a port */
    struct lease_taking taking;  /* with a port */
    struct limits_local_state state;
    enum lease_answer answer;
    uint32_t answers; /* of the lease, before it was asked */
};

struct taking {
    struct limiter *l;
    size_t worker;
    const struct limiter_request *request;
    struct limits_local_now now;
    struct pick *picks;
    size_t count;
};

static struct limiter_now read_real_clock(void)
{
    return (struct limiter_now){ (int64_t)clock_read_ns(), clock_read_wall_ms() };
}

struct limits_local_now limiter_read_now(const struct limiter *l)
{
    return limiter_local_now(l, l->settings.clock());
}

struct limiter *limiter_new(const struct limiter_settings *settings)
{
    struct limiter *l = mem_new(sizeof(*l));
    size_t strangers_most = settings->strangers_most;
    l->settings = *settings;
    if (settings->clock == NULL)
        l->settings.clock = read_real_clock;
    l->started = l->settings.clock().monotonic;
    l->tallies =
        tallies_new(settings->turns, strangers_most == 0 ? LIMITER_LOCAL_MOST : strangers_most);
    turns_queue_init(&l->queue, settings->turns);
    map_init(&l->by_identity);
    return l;
}

void limiter_share(struct limiter *l, const struct limiter_sharing *sharing)
{
    MUST(l->leases == NULL && l->families_size == 0);
    l->sharing = *sharing;
    l->leases = limiter_leases_new(l);
}

void limiter_free(struct limiter **at)
{
    struct limiter *l = *at;
    if (l == NULL)
        return;
    l->is_ending = true;
    limiter_families_sweep(l, (struct limiter_now){ 0 });
    if (l->leases != NULL)
        limiter_leases_free(l);
    turns_queue_fini(&l->queue);
    tallies_free(&l->tallies);
    limiter_families_fini(l);
    MEM_FREE(at);
}

void limiter_tidy(struct limiter *l, struct limiter_now now)
{
    limiter_families_sweep(l, now);
    tallies_tidy(l->tallies);
    /* Each once: a lease that is counted still waits for the next time. */
    (void)turns_tidy(&l->queue, l->queue.count);
}

void limiter_count(const struct limiter *l, struct limiter_counts *out)
{
    *out = (struct limiter_counts){
        .buckets = tallies_count(l->tallies),
        .strangers = tallies_strangers(l->tallies),
        .crowded = atomic_load(&l->crowded),
    };
    if (l->leases != NULL)
        limiter_leases_count(l, out);
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

static int64_t read_clock(void *arg)
{
    return limiter_read_now(arg).ns;
}

static enum lease_answer of_local(enum limits_local_answer answer)
{
    static const enum lease_answer answers[] = {
        [LIMITS_LOCAL_TAKEN] = LEASE_TAKEN,
        [LIMITS_LOCAL_EMPTY] = LEASE_EMPTY,
        [LIMITS_LOCAL_ENDED] = LEASE_GONE,
    };
    return answers[answer];
}

/* It has changed and is to be saved. */
static void mark_quota(struct taking *t, const struct pick *pick)
{
    const struct limiter_family *f = pick->rule->family;
    if (pick->tally != &f->crowd && limits_local_spec_get(&f->spec)->spec.kind == LIMIT_QUOTA)
        tallies_mark(t->l->tallies, pick->tally);
}

static enum lease_answer use_local(struct taking *t, struct pick *pick, bool is_peek)
{
    struct limiter_family *f = pick->rule->family;
    limits_local_word *word = &pick->tally->word;
    if (is_peek)
        return of_local(limits_local_peek(word, &f->spec, t->now, pick->rule->cost, &pick->state));
    enum limits_local_answer answer =
        limits_local_take(word, &f->spec, t->now, pick->rule->cost, &pick->state);
    if (answer == LIMITS_LOCAL_TAKEN)
        mark_quota(t, pick);
    return of_local(answer);
}

/* A lease that has ended ends its tally: the next to be found is a new one. */
static enum lease_answer use_lease(struct taking *t, struct pick *pick, bool is_peek)
{
    if (atomic_load(&pick->tally->word) == LIMITS_LOCAL_DEAD)
        return LEASE_GONE;
    pick->lease = limiter_lease_get(t->l, pick->rule->family, pick->tally);
    struct lease *lease = limiter_lease_of(pick->lease);
    pick->answers = atomic_load(&lease->answers);
    pick->taking = (struct lease_taking){ .now = t->now, .cost = pick->rule->cost };
    pick->taking.clock = (struct lease_clock){ read_clock, t->l };
    enum lease_answer answer =
        is_peek ? lease_peek(lease, &pick->taking) : lease_take(lease, &pick->taking);
    pick->state = pick->taking.state;
    if (answer == LEASE_GONE)
        atomic_store(&pick->tally->word, LIMITS_LOCAL_DEAD);
    else if (pick->taking.wants && answer != LEASE_WAIT)
        limiter_lease_want(pick->lease);
    if (answer == LEASE_TAKEN && !is_peek && pick->taking.generation == UINT64_MAX)
        mark_quota(t, pick);
    return answer;
}

static void give(struct taking *t, struct pick *pick)
{
    if (t->l->leases != NULL)
        lease_give(limiter_lease_of(pick->lease), &pick->taking);
    else
        limits_local_give(&pick->tally->word, &pick->rule->family->spec, pick->rule->cost);
}

/* A bucket that was ended between finding and using it is found again. */
static bool use(struct taking *t, size_t i, bool is_peek)
{
    struct pick *pick = &t->picks[i];
    for (int n = 0; n < ATTEMPTS; n++) {
        pick->answer =
            t->l->leases != NULL ? use_lease(t, pick, is_peek) : use_local(t, pick, is_peek);
        if (pick->answer != LEASE_GONE)
            break;
        pick->tally = find_tally(t, pick->rule, scope_of(t, i));
    }
    if (pick->answer == LEASE_GONE)
        pick->answer = LEASE_EMPTY;
    return pick->answer == LEASE_TAKEN;
}

/* ---- all of them ---- */

static bool peek_all(struct taking *t)
{
    bool is_allowed = true;
    for (size_t i = 0; i < t->count; i++)
        is_allowed = use(t, i, true) && is_allowed;
    return is_allowed;
}

static bool take_all(struct taking *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (use(t, i, false))
            continue;
        while (i-- > 0)
            give(t, &t->picks[i]);
        return false;
    }
    return true;
}

/* Holds nothing while it waits: for the first that has to hear, though all are asked for. */
static bool try_wait(struct taking *t)
{
    struct pick *waited_for = NULL;
    for (size_t i = 0; i < t->count; i++) {
        struct pick *pick = &t->picks[i];
        if (pick->answer == LEASE_EMPTY)
            return false;
        if (pick->answer == LEASE_WAIT && waited_for == NULL)
            waited_for = pick;
    }
    if (waited_for == NULL || t->request->wait == NULL)
        return false;
    for (size_t i = 0; i < t->count; i++) {
        struct pick *pick = &t->picks[i];
        if (pick->answer != LEASE_WAIT)
            continue;
        lease_wait(limiter_lease_of(pick->lease), pick->rule->cost);
        if (pick == waited_for)
            limiter_lease_wait(pick->lease, t->worker, t->request->wait, pick->answers);
        else
            limiter_lease_want(pick->lease);
    }
    return true;
}

static enum limiter_verdict take_or_look(struct taking *t)
{
    bool is_allowed = t->count == 1 ? use(t, 0, false) : peek_all(t) && take_all(t);
    if (is_allowed)
        return LIMITER_ALLOWED;
    return try_wait(t) ? LIMITER_WAIT : LIMITER_DENIED;
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
        .denied = pick->answer != LEASE_TAKEN,
    };
    if (pick->answer != LEASE_TAKEN) {
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
    static const struct limiter_item no_room = { .name = TEXT("memory"), .denied = true };
    *out = (struct limiter_result){ .retry_after = 1, .denied = &no_room };
    return LIMITER_DENIED;
}

enum limiter_verdict limiter_take(struct limiter *l, size_t worker,
                                  const struct limiter_request *request, struct limiter_now now,
                                  struct arena *arena, struct limiter_result *result_out)
{
    struct pick some[PICKS_ON_STACK];
    struct taking t = { l, worker, request, limiter_local_now(l, now), some, 0 };
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
    enum limiter_verdict verdict = take_or_look(&t);
    if (verdict != LIMITER_WAIT)
        tell(&t, items, result_out);
    return verdict;
}
