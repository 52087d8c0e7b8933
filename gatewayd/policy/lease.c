/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/lease.h"

#include <string.h>

#define MS            1000000LL
#define SECOND        1000000000LL
#define END_BITS      22
#define END_MASK      (((uint64_t)1 << END_BITS) - 1)
#define TOKEN_BITS    30 /* more than any burst, and any cost */
#define TOKENS_MOST   (((int64_t)1 << TOKEN_BITS) - 1)
#define ONE_TOKEN     ((uint64_t)1 << END_BITS)
#define COUNT_TIME    (100 * MS) /* demand is counted over at least so long */
#define LOW_TIME      0.020      /* s of demand that are left when a hold is renewed */
#define LOW_SHORT     0.005      /* of a short hold: the later, the more there is to be had */
#define RENEW_DEMAND  20
#define FRESH_TIME    (30 * MS) /* since it was used: renewed before somebody has to wait */
#define FRESH_DENIED  (5 * MS)  /* the same when all were denied before */
#define WANT_TIME     10.0      /* s of demand that are asked for */
#define RETRY_TIME    SECOND    /* between asks while divided */
#define IDLE_TIME     (10 * SECOND)
#define REPORT_PART   8 /* of the burst: what is spent is told when it is more */
#define REFUSALS_MOST 3 /* in a row, before those who wait are denied */
#define DENY_TIME     (20 * MS)

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static uint64_t pack(uint64_t generation, int64_t tokens, int64_t ends_ms)
{
    return generation << (END_BITS + TOKEN_BITS) | (uint64_t)tokens << END_BITS |
           ((uint64_t)ends_ms & END_MASK);
}

static uint64_t generation_of(uint64_t word)
{
    return word >> (END_BITS + TOKEN_BITS);
}

static int64_t tokens_of(uint64_t word)
{
    return (int64_t)(word >> END_BITS) & TOKENS_MOST;
}

/* Ends are at most 10 s away and words past theirs are emptied soon: the nearer way round counts.
 */
static bool has_ended(uint64_t word, int64_t now)
{
    uint64_t since = ((uint64_t)(now / MS) - word) & END_MASK;
    return since < END_MASK / 2;
}

static enum lease_mode mode_of(const struct lease *l)
{
    return (enum lease_mode)atomic_load(&l->mode);
}

static const struct bucket_spec *spec_of(const struct lease *l)
{
    return &limits_local_spec_get(l->spec)->spec;
}

void lease_init(struct lease *l, const struct limits_local_spec *spec,
                const struct limits_local_spec *divided)
{
    memset(l, 0, sizeof(*l));
    l->spec = spec;
    l->divided = divided;
    l->used_at = INT64_MIN / 2;
    atomic_init(&l->wanted_at, INT64_MIN / 2);
}

struct bucket_spec lease_divided_spec(const struct bucket_spec *spec, unsigned nodes, int64_t cost)
{
    struct bucket_spec part = *spec;
    part.burst = most(spec->burst / nodes, cost);
    if (spec->kind == LIMIT_RATE)
        part.per = spec->per * nodes;
    return part;
}

/* ---- workers ---- */

/* What clients are told: what is held here and what nobody held when last heard of. */
static void describe(const struct lease *l, int64_t tokens, int64_t now, int64_t cost,
                     struct limits_local_state *out)
{
    const struct bucket_spec *spec = spec_of(l);
    int64_t left =
        least(tokens + atomic_load_explicit(&l->left, memory_order_relaxed), spec->burst);
    *out = (struct limits_local_state){ .left = left };
    if (spec->kind == LIMIT_RATE) {
        __int128 ns = (__int128)(spec->burst - left) * spec->per * 1000000 / spec->rate;
        out->full_ns = ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
    }
    if (tokens >= cost)
        return;
    int64_t next = most(atomic_load_explicit(&l->next, memory_order_relaxed),
                        atomic_load_explicit(&l->deny_until, memory_order_relaxed));
    out->wait_ns = most(next - now, 1); /* unknown: soon */
}

static void note_wanted(struct lease *l, const struct lease_taking *t)
{
    atomic_store_explicit(&l->wanted_at, t->now.ns, memory_order_relaxed);
}

static enum lease_answer refuse(struct lease *l, struct lease_taking *t, int64_t tokens)
{
    describe(l, tokens, t->now.ns, t->cost, &t->state);
    note_wanted(l, t);
    atomic_fetch_add_explicit(&l->refused, (uint64_t)t->cost, memory_order_relaxed);
    if (t->now.ns < atomic_load(&l->deny_until))
        return LEASE_EMPTY;
    t->wants = true;
    return LEASE_WAIT;
}

static enum lease_answer take_shared(struct lease *l, struct lease_taking *t)
{
    uint64_t word = atomic_load(&l->word);
    do {
        if (tokens_of(word) < t->cost)
            return refuse(l, t, tokens_of(word));
    } while (!atomic_compare_exchange_weak(&l->word, &word, word - (uint64_t)t->cost * ONE_TOKEN));
    if (has_ended(word, t->clock.read(t->clock.arg)))
        return refuse(l, t, 0);
    int64_t tokens = tokens_of(word) - t->cost;
    note_wanted(l, t);
    describe(l, tokens, t->now.ns, 0, &t->state);
    t->generation = generation_of(word);
    bool is_low = tokens <= atomic_load_explicit(&l->low, memory_order_relaxed) &&
                  t->now.ns >= atomic_load_explicit(&l->deny_until, memory_order_relaxed);
    t->wants = is_low || tokens < t->cost;
    return LEASE_TAKEN;
}

static enum lease_answer of_local(enum limits_local_answer answer)
{
    return answer == LIMITS_LOCAL_TAKEN ? LEASE_TAKEN : LEASE_EMPTY;
}

enum lease_answer lease_take(struct lease *l, struct lease_taking *t)
{
    t->wants = false;
    switch (mode_of(l)) {
    case LEASE_SHARED:
        return take_shared(l, t);
    case LEASE_DIVIDED:
        t->wants = t->now.ns >= atomic_load_explicit(&l->retry_at, memory_order_relaxed);
        t->generation = UINT64_MAX;
        return of_local(limits_local_take(&l->own, l->divided, t->now, t->cost, &t->state));
    case LEASE_ENDED:
        return LEASE_GONE;
    case LEASE_NEW:
        break;
    }
    t->state = (struct limits_local_state){ .wait_ns = 1 };
    t->wants = true;
    return LEASE_WAIT;
}

enum lease_answer lease_peek(struct lease *l, struct lease_taking *t)
{
    enum lease_mode mode = mode_of(l);
    if (mode == LEASE_ENDED)
        return LEASE_GONE;
    if (mode == LEASE_DIVIDED)
        return of_local(limits_local_peek(&l->own, l->divided, t->now, t->cost, &t->state));
    uint64_t word = atomic_load(&l->word);
    int64_t tokens = has_ended(word, t->now.ns) ? 0 : tokens_of(word);
    if (tokens < t->cost)
        return refuse(l, t, tokens);
    describe(l, tokens, t->now.ns, 0, &t->state);
    return LEASE_TAKEN;
}

void lease_give(struct lease *l, const struct lease_taking *t)
{
    if (t->generation == UINT64_MAX) {
        limits_local_give(&l->own, l->divided, t->cost);
        return;
    }
    uint64_t word = atomic_load(&l->word);
    while (generation_of(word) == t->generation &&
           !atomic_compare_exchange_weak(&l->word, &word, word + (uint64_t)t->cost * ONE_TOKEN))
        ;
}

void lease_wait(struct lease *l, int64_t cost)
{
    atomic_fetch_add(&l->need, cost);
}

/* ---- what is not told yet ---- */

static struct lease_memory read_memory(const struct lease *l)
{
    struct lease_memory m;
    int64_t start;
    limits_local_quota(atomic_load(&l->own), &m.start, &m.count);
    limits_local_quota(atomic_load(&l->told), &start, &m.told);
    m.told = start == m.start ? least(m.told, m.count) : 0;
    return m;
}

/* Of a quota that is divided, or was; of a window that is over nothing. */
static int64_t untold(const struct lease *l, int64_t wall)
{
    const struct bucket_spec *spec = spec_of(l);
    if (spec->kind != LIMIT_QUOTA || atomic_load(&l->own) == 0)
        return 0;
    struct lease_memory m = read_memory(l);
    return quota_window(spec->period, m.start).end <= wall ? 0 : m.count - m.told;
}

bool lease_memorise(const struct lease *l, struct lease_memory *out)
{
    uint64_t own = atomic_load(&l->own);
    *out = read_memory(l);
    if (spec_of(l)->kind != LIMIT_QUOTA || own == 0 || own == LIMITS_LOCAL_DEAD)
        return false;
    return mode_of(l) == LEASE_DIVIDED || atomic_load(&l->is_remembered) || out->count > out->told;
}

void lease_remember(struct lease *l, const struct lease_memory *memory)
{
    if (mode_of(l) != LEASE_NEW && mode_of(l) != LEASE_DIVIDED)
        return;
    atomic_store(&l->told, limits_local_quota_word(memory->start, memory->told));
    atomic_store(&l->own, limits_local_quota_word(memory->start, memory->count));
    atomic_store(&l->is_remembered, memory->start > 0);
}

void lease_remember_rate(struct lease *l, uint64_t word)
{
    if (mode_of(l) != LEASE_NEW)
        return;
    atomic_store(&l->own, word);
    atomic_store(&l->is_remembered, true);
}

/* In the window that starts at `start`. */
static void note_told(struct lease *l, int64_t start, int64_t tokens)
{
    uint64_t seen = atomic_load(&l->told);
    uint64_t next;
    do {
        int64_t start_seen;
        int64_t count;
        limits_local_quota(seen, &start_seen, &count);
        count = most((start_seen == start ? count : 0) + tokens, 0);
        next = start_seen > start ? seen : limits_local_quota_word(start, count);
    } while (!atomic_compare_exchange_weak(&l->told, &seen, next));
}

void lease_note_told(struct lease *l, int64_t tokens)
{
    if (spec_of(l)->kind == LIMIT_QUOTA)
        note_told(l, read_memory(l).start, tokens);
}

/* ---- the owner ---- */

/* What workers took since the last look was taken. */
static void note_taken(struct lease *l, int64_t tokens)
{
    int64_t taken = most(l->seen_tokens - tokens, 0);
    l->taken += taken;
    l->counted += (double)taken;
    l->seen_tokens = tokens;
}

/* Begins a new generation: `add` more tokens than there are, none below 0, none past the ceiling.
 * Returns how many there were. */
static int64_t set_word(struct lease *l, int64_t add, int64_t ceiling, int64_t ends_at)
{
    uint64_t word = atomic_load(&l->word);
    int64_t before;
    int64_t after;
    do {
        before = tokens_of(word);
        after = least(most(before + add, 0), least(ceiling, TOKENS_MOST));
    } while (!atomic_compare_exchange_weak(&l->word, &word,
                                           pack(generation_of(word) + 1, after, ends_at / MS)));
    note_taken(l, before);
    l->seen_tokens = after;
    l->ends_at = ends_at;
    return before;
}

/* Tokens per second that were wanted: taken, or refused. Rises at once, falls in halves. */
static void count_demand(struct lease *l, int64_t now)
{
    uint64_t refused = atomic_load_explicit(&l->refused, memory_order_relaxed);
    note_taken(l, tokens_of(atomic_load(&l->word)));
    l->counted += (double)(refused - l->seen_refused);
    l->seen_refused = refused;
    l->used_at = most(l->used_at, atomic_load_explicit(&l->wanted_at, memory_order_relaxed));
    int64_t time = now - l->counted_at;
    double rate = l->counted * SECOND / (double)most(time, COUNT_TIME);
    if (rate > l->demand)
        l->demand = rate;
    if (time < COUNT_TIME)
        return;
    l->demand = (l->demand + rate) / 2;
    l->counted = 0;
    l->counted_at = now;
}

static bool is_plentiful(const struct lease *l)
{
    return l->life > SECOND;
}

/* What others may lack does not lie idle for long. */
static int64_t idle_time(const struct lease *l)
{
    return is_plentiful(l) ? l->life / 2 : SECOND / 10;
}

static bool is_used(const struct lease *l, int64_t now)
{
    return now - l->used_at < idle_time(l);
}

/* A busy holder tells what it has spent before the rest of the bucket could fill. */
static int64_t report_time(const struct lease *l)
{
    const struct bucket_spec *spec = spec_of(l);
    if (spec->kind == LIMIT_QUOTA)
        return SECOND;
    int64_t rest = most(spec->burst - l->taken, 0);
    __int128 ns = (__int128)rest * spec->per * 1000000 / spec->rate / 3;
    return ns > IDLE_TIME ? IDLE_TIME : most((int64_t)ns, MS);
}

/* Is it `at` yet? If not, look again then. */
static bool is_due(int64_t at, int64_t now, int64_t *next_out)
{
    if (now >= at)
        return true;
    *next_out = least(*next_out, at);
    return false;
}

/* What was spent and not told keeps so much out of the bucket: a little of a rate does no harm. */
static bool has_to_tell(const struct lease *l)
{
    const struct bucket_spec *spec = spec_of(l);
    return l->taken > (spec->kind == LIMIT_RATE ? spec->burst / REPORT_PART : 0);
}

/* What others could have. */
static bool is_owing(const struct lease *l, int64_t tokens)
{
    return tokens > 0 || has_to_tell(l) || (l->is_scarce && l->taken > 0);
}

/* Those who were denied for a while may have gone to another node. */
static int64_t fresh_time(const struct lease *l, int64_t tokens)
{
    return tokens == 0 && atomic_load(&l->deny_until) > 0 ? FRESH_DENIED : FRESH_TIME;
}

static bool should_ask_shared(struct lease *l, int64_t now, int64_t *next_out)
{
    int64_t tokens = tokens_of(atomic_load(&l->word));
    bool may_get = is_due(atomic_load(&l->deny_until), now, next_out);
    if (may_get && atomic_load(&l->need) > 0)
        return true;
    if (!is_used(l, now))
        return is_owing(l, tokens);
    if (is_owing(l, tokens))
        *next_out = least(*next_out, l->used_at + idle_time(l)); /* is it still? */
    if (may_get && tokens <= atomic_load(&l->low) && now - l->used_at < fresh_time(l, tokens))
        return true;
    if (has_to_tell(l) && is_due(l->asked_at + report_time(l), now, next_out))
        return true;
    return tokens > 0 && is_due(l->ends_at - l->life / 10, now, next_out);
}

static bool should_leave(const struct lease *l, int64_t wall)
{
    if (mode_of(l) == LEASE_SHARED && (l->taken > 0 || tokens_of(atomic_load(&l->word)) > 0))
        return true;
    return untold(l, wall) > 0;
}

static bool should_ask(struct lease *l, struct limits_local_now now, int64_t *next_out)
{
    if (l->is_leaving)
        return should_leave(l, now.wall);
    switch (mode_of(l)) {
    case LEASE_NEW:
        return atomic_load(&l->need) > 0 || atomic_load(&l->is_remembered);
    case LEASE_SHARED:
        return should_ask_shared(l, now.ns, next_out) || untold(l, now.wall) > 0;
    case LEASE_DIVIDED:
        return is_due(atomic_load(&l->retry_at), now.ns, next_out);
    case LEASE_ENDED:
        break;
    }
    return false;
}

/* A quota's window may end while the ask is under way. */
static int64_t tell(struct lease *l, int64_t wall)
{
    l->told_start = read_memory(l).start;
    l->asked_told = untold(l, wall);
    return l->asked_told;
}

static void fill_ask(struct lease *l, struct limits_local_now at, uint64_t seq,
                     struct bucket_ask *out)
{
    int64_t now = at.ns;
    int64_t need = atomic_exchange(&l->need, 0);
    if (need > 0)
        l->used_at = now;
    double want = is_used(l, now) || need > 0 ? l->demand * WANT_TIME : 0;
    *out = (struct bucket_ask){ .spec = *spec_of(l), .seq = seq, .need = need };
    out->want = want > (double)TOKENS_MOST ? TOKENS_MOST : most((int64_t)want, need);
    if (!l->was_seen && (need > 0 || !atomic_load(&l->is_remembered)))
        out->want = most(out->want, l->first_want);
    out->returning = l->is_returning || atomic_load(&l->is_remembered);
    out->spent = tell(l, at.wall);
    /* What is past its end here may still count as held there: it is given back. */
    uint64_t word = atomic_load(&l->word);
    int64_t keep = has_ended(word, now) ? 0 : out->want;
    if (l->is_scarce)
        keep = least(keep, most((int64_t)l->demand, need));
    int64_t before = set_word(l, -most(tokens_of(word) - keep, 0), INT64_MAX, l->ends_at);
    out->have = l->seen_tokens;
    out->back = before - l->seen_tokens;
    l->asked_need = need;
}

bool lease_look(struct lease *l, struct limits_local_now now, uint64_t seq,
                struct bucket_ask *ask_out, int64_t *next_out)
{
    *next_out = now.ns + IDLE_TIME;
    if (l->is_asking)
        return false;
    count_demand(l, now.ns);
    if (!should_ask(l, now, next_out))
        return false;
    fill_ask(l, now, seq, ask_out);
    atomic_store(&l->low, -1);
    l->is_asking = true;
    l->asked_leaving = l->is_leaving;
    l->seq = seq;
    l->sent_at = now.ns;
    return true;
}

/* When to ask for more before somebody has to wait: never if so few are wanted that what is scarce
 * would only lie here. */
static int64_t low_of(const struct lease *l)
{
    if (l->seen_tokens == 0 || (!is_plentiful(l) && l->demand < RENEW_DEMAND))
        return -1;
    if (is_plentiful(l))
        return least((int64_t)(l->demand * LOW_TIME), l->seen_tokens / 2);
    return least((int64_t)(l->demand * LOW_SHORT), l->seen_tokens / 4);
}

static void take_answer(struct lease *l, const struct bucket_answer *a, int64_t now)
{
    l->taken = 0;
    l->asked_at = l->sent_at;
    l->life = a->life * 950; /* us to ns, 5 % early */
    l->was_seen = true;
    l->is_scarce = a->is_scarce;
    l->is_returning = false;
    atomic_store(&l->is_remembered, false);
    if (l->asked_told > 0)
        note_told(l, l->told_start, l->asked_told);
    l->refusals = 0;
    atomic_store(&l->need, 0); /* who waited meanwhile tries again, or is denied: not asked for */
    set_word(l, a->granted, a->held, l->sent_at + l->life);
    count_demand(l, now);
    atomic_store(&l->low, low_of(l));
    atomic_store(&l->left, a->left);
    atomic_store(&l->next, now + a->next * 1000);
    atomic_store(&l->deny_until, a->ask_again > 0 ? l->sent_at + a->ask_again * 1000 : 0);
    atomic_store(&l->mode, LEASE_SHARED);
}

/* This node's part of what has come in since it asked in vain: who waited for that goes on. */
static int64_t came_in(const struct lease *l, const struct bucket_spec *part, int64_t now)
{
    if (part->kind == LIMIT_QUOTA || now <= l->sent_at)
        return 0;
    __int128 tokens = (__int128)(now - l->sent_at) * part->rate / part->per / MS;
    return tokens > part->burst ? part->burst : (int64_t)tokens;
}

/* Many leases are divided at one moment; they do not come back at one. */
static int64_t spread(uint64_t seq)
{
    return (int64_t)(seq * 0x9e3779b97f4a7c15u >> 32) % (RETRY_TIME / 4);
}

static void begin_part(struct lease *l, struct limits_local_now now, int64_t held, bool was_asking)
{
    const struct bucket_spec *whole = spec_of(l);
    const struct bucket_spec *part = &limits_local_spec_get(l->divided)->spec;
    int64_t left = held;
    if (was_asking)
        left += came_in(l, part, now.ns);
    if (whole->kind == LIMIT_QUOTA && whole->burst > 0)
        left += (int64_t)((__int128)atomic_load(&l->left) * part->burst / whole->burst);
    if (!l->was_seen)
        left = part->burst;
    int64_t owed = untold(l, now.wall);
    left = least(left, most(part->burst - owed, 0));
    uint64_t word = limits_local_word_of(l->divided, now, left);
    if (whole->kind == LIMIT_QUOTA) {
        int64_t start;
        int64_t count;
        limits_local_quota(word, &start, &count);
        /* What was held is spent for the bucket already. */
        atomic_store(&l->told, limits_local_quota_word(start, most(count - owed, 0) + held));
    }
    atomic_store(&l->own, word);
}

static void divide(struct lease *l, struct limits_local_now now, bool was_asking)
{
    atomic_store(&l->retry_at, now.ns + RETRY_TIME + spread(l->seq));
    atomic_fetch_add(&l->answers, 1);
    if (mode_of(l) == LEASE_DIVIDED)
        return;
    bool is_good = !has_ended(atomic_load(&l->word), now.ns);
    int64_t held = set_word(l, INT64_MIN / 2, INT64_MAX, now.ns);
    if (!atomic_load(&l->is_remembered))
        begin_part(l, now, is_good ? held : 0, was_asking);
    atomic_store(&l->need, 0);
    l->used_at = now.ns;
    l->is_returning = true;
    l->refusals = 0;
    atomic_store(&l->mode, LEASE_DIVIDED);
}

void lease_divide(struct lease *l, struct limits_local_now now)
{
    divide(l, now, false);
}

bool lease_on_answer(struct lease *l, uint64_t seq, const struct limits_answer *answer,
                     struct limits_local_now now)
{
    if (!l->is_asking || seq != l->seq)
        return false;
    l->is_asking = false;
    if (l->asked_leaving && answer->outcome != LIMITS_REFUSED)
        l->is_leaving = false;
    if (answer->outcome == LIMITS_ANSWERED) {
        take_answer(l, &answer->bucket, now.ns);
        atomic_fetch_add(&l->answers, 1);
        return true;
    }
    if (answer->outcome == LIMITS_AWAY) {
        divide(l, now, true);
        return true;
    }
    atomic_fetch_add(&l->need, l->asked_need);
    if (++l->refusals < REFUSALS_MOST || mode_of(l) == LEASE_NEW)
        return false;
    /* Nobody waits for ever: denied, until the next try. */
    atomic_store(&l->deny_until, now.ns + DENY_TIME);
    atomic_fetch_add(&l->answers, 1);
    return true;
}

void lease_leave(struct lease *l)
{
    l->is_leaving = true;
    atomic_store(&l->need, 0);
    atomic_store(&l->wanted_at, INT64_MIN / 2);
    l->used_at = INT64_MIN / 2;
}

static bool is_over(struct lease *l, struct limits_local_now now)
{
    switch (mode_of(l)) {
    case LEASE_NEW:
        return !atomic_load(&l->is_remembered) || limits_local_try_end(&l->own, l->divided, now);
    case LEASE_SHARED:
        return (tokens_of(atomic_load(&l->word)) == 0 || now.ns >= l->ends_at) &&
               untold(l, now.wall) == 0;
    case LEASE_DIVIDED:
        return limits_local_try_end(&l->own, l->divided, now);
    case LEASE_ENDED:
        break;
    }
    return false;
}

bool lease_try_end(struct lease *l, struct limits_local_now now)
{
    count_demand(l, now.ns);
    if (l->is_asking || atomic_load(&l->need) > 0 || now.ns - l->used_at < IDLE_TIME ||
        !is_over(l, now))
        return false;
    atomic_store(&l->mode, LEASE_ENDED);
    (void)set_word(l, INT64_MIN / 2, INT64_MAX, now.ns);
    atomic_fetch_add(&l->answers, 1);
    return true;
}
