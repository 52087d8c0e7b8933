/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rate's word: 60 bits of the time when full, in units, then 4 bits of the version of the numbers
 * it counts by. A quota's: 24 bits of the window's start in hours since the epoch, 40 bits of
 * count.
 */
#include "gatewayd/policy/limits_local.h"

#include <string.h>

#include "conf/base/mem.h"

#define VERSION_BITS 4
#define VERSION_MASK (LIMITS_LOCAL_VERSIONS - 1)
#define TIME_MOST                                                                                  \
    ((int64_t)1 << 58) /* of depth and of now: their sum fits 60 bits, not all ones                \
                        */
#define COUNT_BITS 40
#define COUNT_MOST (((int64_t)1 << COUNT_BITS) - 1)
#define HOUR_MS    3600000LL

/* ---- numbers ---- */

static int64_t interval_of(const struct bucket_spec *spec, unsigned shift)
{
    __int128 time = (__int128)spec->per * 1000000;
    __int128 tokens = (__int128)spec->rate << shift;
    return (int64_t)((time + tokens - 1) / tokens);
}

/* The finest unit in which the whole depth can be counted. */
static struct limits_local_numbers prepare(const struct bucket_spec *spec)
{
    struct limits_local_numbers n = { .spec = *spec };
    if (spec->kind == LIMIT_QUOTA)
        return n;
    MUST(spec->rate > 0 && spec->per > 0 && spec->burst > 0);
    while ((__int128)interval_of(spec, n.shift) * spec->burst > TIME_MOST)
        n.shift++;
    n.interval = interval_of(spec, n.shift);
    n.depth = n.interval * spec->burst;
    return n;
}

static bool is_same(const struct bucket_spec *a, const struct bucket_spec *b)
{
    return a->kind == b->kind && a->rate == b->rate && a->per == b->per && a->burst == b->burst &&
           a->period == b->period;
}

static const struct limits_local_numbers *numbers_new(const struct bucket_spec *spec)
{
    struct limits_local_numbers *n = mem_new(sizeof(*n));
    *n = prepare(spec);
    return n;
}

void limits_local_spec_init(struct limits_local_spec *s, const struct bucket_spec *spec)
{
    memset(s, 0, sizeof(*s));
    atomic_store(&s->numbers[0], numbers_new(spec));
}

void limits_local_spec_fini(struct limits_local_spec *s)
{
    for (size_t i = 0; i < LIMITS_LOCAL_VERSIONS; i++) {
        const struct limits_local_numbers *n = atomic_load(&s->numbers[i]);
        MEM_FREE(&n);
    }
}

/* NULL: never used, which only the version in an untouched word can name. */
static const struct limits_local_numbers *numbers_at(const struct limits_local_spec *s,
                                                     unsigned version)
{
    return atomic_load_explicit(&s->numbers[version & VERSION_MASK], memory_order_acquire);
}

const struct limits_local_numbers *limits_local_spec_get(const struct limits_local_spec *s)
{
    return numbers_at(s, (unsigned)atomic_load_explicit(&s->version, memory_order_acquire));
}

bool limits_local_spec_set(struct limits_local_spec *s, const struct bucket_spec *spec,
                           const struct limits_local_numbers **displaced_out)
{
    *displaced_out = NULL;
    if (is_same(&limits_local_spec_get(s)->spec, spec))
        return false;
    uint64_t version = atomic_load_explicit(&s->version, memory_order_relaxed) + 1;
    *displaced_out = atomic_exchange(&s->numbers[version & VERSION_MASK], numbers_new(spec));
    atomic_store_explicit(&s->version, version, memory_order_release);
    return true;
}

/* ---- rates ---- */

/* Units, rounded down: the bucket never looks fuller than it is. */
static int64_t units_of(const struct limits_local_numbers *n, int64_t ns)
{
    int64_t units = ns >> n->shift;
    return units < TIME_MOST ? units : TIME_MOST;
}

static int64_t ns_of(const struct limits_local_numbers *n, int64_t units)
{
    __int128 ns = (__int128)units << n->shift;
    return ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

/* The same tokens missing, by other numbers; what does not divide counts as missing. */
static int64_t convert(const struct limits_local_numbers *from,
                       const struct limits_local_numbers *to, int64_t full_at, int64_t ns)
{
    if (from == NULL || from->interval == 0)
        return 0;
    int64_t missing = full_at - units_of(from, ns);
    if (missing <= 0)
        return 0;
    if (missing > from->depth)
        missing = from->depth;
    __int128 converted = ((__int128)missing * to->interval + from->interval - 1) / from->interval;
    if (converted > to->depth)
        converted = to->depth;
    return units_of(to, ns) + (int64_t)converted;
}

struct rate {
    const struct limits_local_numbers *numbers;
    unsigned version;
    int64_t now;     /* units */
    int64_t full_at; /* not before now, at most now + depth */
};

static struct rate read_rate(const struct limits_local_spec *s, uint64_t word, int64_t ns)
{
    unsigned version =
        (unsigned)atomic_load_explicit(&s->version, memory_order_acquire) & VERSION_MASK;
    unsigned counted_by = (unsigned)word & VERSION_MASK;
    struct rate r = { .numbers = numbers_at(s, version), .version = version };
    r.now = units_of(r.numbers, ns);
    r.full_at = (int64_t)(word >> VERSION_BITS);
    if (counted_by != version)
        r.full_at = convert(numbers_at(s, counted_by), r.numbers, r.full_at, ns);
    if (r.full_at < r.now)
        r.full_at = r.now;
    if (r.full_at > r.now + r.numbers->depth)
        r.full_at = r.now + r.numbers->depth;
    return r;
}

static uint64_t rate_word(const struct rate *r, int64_t full_at)
{
    return (uint64_t)full_at << VERSION_BITS | r->version;
}

static struct limits_local_state rate_state(const struct rate *r, int64_t full_at, int64_t cost)
{
    const struct limits_local_numbers *n = r->numbers;
    int64_t missing = full_at - r->now;
    struct limits_local_state state = {
        .left = (n->depth - missing) / n->interval,
        .full_ns = ns_of(n, missing),
    };
    __int128 over = (__int128)missing + (__int128)cost * n->interval - n->depth;
    if (over > 0)
        state.wait_ns = ns_of(n, over > TIME_MOST ? TIME_MOST : (int64_t)over);
    return state;
}

static bool rate_next(const struct limits_local_spec *s, uint64_t word, int64_t ns, int64_t cost,
                      uint64_t *next_out, struct limits_local_state *state_out)
{
    struct rate r = read_rate(s, word, ns);
    *state_out = rate_state(&r, r.full_at, cost);
    if (state_out->wait_ns > 0)
        return false;
    int64_t full_at = r.full_at + cost * r.numbers->interval;
    *next_out = rate_word(&r, full_at);
    *state_out = rate_state(&r, full_at, 0);
    return true;
}

/* ---- quotas ---- */

void limits_local_quota(uint64_t word, int64_t *start_out, int64_t *count_out)
{
    *start_out = (int64_t)(word >> COUNT_BITS) * HOUR_MS;
    *count_out = (int64_t)(word & (uint64_t)COUNT_MOST);
}

uint64_t limits_local_quota_word(int64_t start, int64_t count)
{
    if (count > COUNT_MOST)
        count = COUNT_MOST;
    return (uint64_t)(start / HOUR_MS) << COUNT_BITS | (uint64_t)count;
}

/* A clock set back leaves the later window in force; a longer period takes over what was counted in
 * a window within it. */
static bool quota_next(const struct limits_local_spec *s, uint64_t word, int64_t wall, int64_t cost,
                       uint64_t *next_out, struct limits_local_state *state_out)
{
    const struct bucket_spec *spec = &limits_local_spec_get(s)->spec;
    int64_t start;
    int64_t count;
    limits_local_quota(word, &start, &count);
    struct quota_window window = quota_window(spec->period, wall > start ? wall : start);
    if (start < window.start)
        count = 0;
    int64_t left = count < spec->burst ? spec->burst - count : 0;
    *state_out = (struct limits_local_state){ left, 0, (window.end - wall) * 1000000 };
    if (cost > left) {
        state_out->wait_ns = state_out->full_ns;
        return false;
    }
    state_out->left -= cost;
    *next_out = limits_local_quota_word(window.start, count + cost);
    return true;
}

/* ---- both ---- */

/* A word that counts by older numbers is converted at the first look at it, taken from or not: from
 * then on it fills at the new rate. Returns what is to be looked at. */
static uint64_t read_word(limits_local_word *word, const struct limits_local_spec *s,
                          struct limits_local_now now)
{
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    if (limits_local_spec_get(s)->spec.kind == LIMIT_QUOTA)
        return seen;
    uint64_t version = atomic_load_explicit(&s->version, memory_order_acquire);
    while (seen != LIMITS_LOCAL_DEAD && ((seen ^ version) & VERSION_MASK) != 0) {
        struct rate r = read_rate(s, seen, now.ns);
        uint64_t converted = rate_word(&r, r.full_at);
        if (atomic_compare_exchange_weak_explicit(word, &seen, converted, memory_order_acq_rel,
                                                  memory_order_relaxed))
            return converted;
    }
    return seen;
}

static bool find_next(const struct limits_local_spec *s, uint64_t word, struct limits_local_now now,
                      int64_t cost, uint64_t *next_out, struct limits_local_state *state_out)
{
    if (limits_local_spec_get(s)->spec.kind == LIMIT_QUOTA)
        return quota_next(s, word, now.wall, cost, next_out, state_out);
    return rate_next(s, word, now.ns, cost, next_out, state_out);
}

enum limits_local_answer limits_local_take(limits_local_word *word,
                                           const struct limits_local_spec *s,
                                           struct limits_local_now now, int64_t cost,
                                           struct limits_local_state *state_out)
{
    uint64_t next;
    uint64_t seen = read_word(word, s, now);
    do {
        if (seen == LIMITS_LOCAL_DEAD)
            return LIMITS_LOCAL_ENDED;
        if (!find_next(s, seen, now, cost, &next, state_out))
            return LIMITS_LOCAL_EMPTY;
    } while (!atomic_compare_exchange_weak_explicit(word, &seen, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return LIMITS_LOCAL_TAKEN;
}

enum limits_local_answer limits_local_peek(limits_local_word *word,
                                           const struct limits_local_spec *s,
                                           struct limits_local_now now, int64_t cost,
                                           struct limits_local_state *state_out)
{
    uint64_t next;
    uint64_t seen = read_word(word, s, now);
    if (seen == LIMITS_LOCAL_DEAD)
        return LIMITS_LOCAL_ENDED;
    if (!find_next(s, seen, now, cost, &next, state_out))
        return LIMITS_LOCAL_EMPTY;
    state_out->left += cost;
    return LIMITS_LOCAL_TAKEN;
}

/* The word without the tokens taken; full_at may lie before now, which is the same as full. */
static uint64_t without(const struct limits_local_spec *s, uint64_t word, int64_t cost)
{
    const struct limits_local_numbers *n = limits_local_spec_get(s);
    if (n->spec.kind == LIMIT_QUOTA) {
        int64_t start;
        int64_t count;
        limits_local_quota(word, &start, &count);
        return limits_local_quota_word(start, count > cost ? count - cost : 0);
    }
    unsigned version = (unsigned)word & VERSION_MASK;
    n = numbers_at(s, version);
    int64_t full_at = (int64_t)(word >> VERSION_BITS) - (n == NULL ? 0 : cost * n->interval);
    return (uint64_t)(full_at > 0 ? full_at : 0) << VERSION_BITS | version;
}

void limits_local_give(limits_local_word *word, const struct limits_local_spec *s, int64_t cost)
{
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    while (seen != LIMITS_LOCAL_DEAD) {
        if (atomic_compare_exchange_weak_explicit(word, &seen, without(s, seen, cost),
                                                  memory_order_acq_rel, memory_order_relaxed))
            return;
    }
}

static bool is_full(const struct limits_local_spec *s, uint64_t word, struct limits_local_now now)
{
    const struct bucket_spec *spec = &limits_local_spec_get(s)->spec;
    if (spec->kind == LIMIT_QUOTA) {
        int64_t start;
        int64_t count;
        limits_local_quota(word, &start, &count);
        return count == 0 || quota_window(spec->period, start).end <= now.wall;
    }
    struct rate r = read_rate(s, word, now.ns);
    return r.full_at == r.now;
}

bool limits_local_try_end(limits_local_word *word, const struct limits_local_spec *s,
                          struct limits_local_now now)
{
    uint64_t seen = read_word(word, s, now);
    if (seen == LIMITS_LOCAL_DEAD || !is_full(s, seen, now))
        return false;
    return atomic_compare_exchange_strong_explicit(word, &seen, LIMITS_LOCAL_DEAD,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

uint64_t limits_local_word_of(const struct limits_local_spec *s, struct limits_local_now now,
                              int64_t left)
{
    const struct bucket_spec *spec = &limits_local_spec_get(s)->spec;
    int64_t missing = left < spec->burst ? spec->burst - left : 0;
    if (spec->kind == LIMIT_QUOTA)
        return limits_local_quota_word(quota_window(spec->period, now.wall).start, missing);
    struct rate r = read_rate(s, 0, now.ns);
    if (left < 0)
        missing = r.numbers->spec.burst;
    return rate_word(&r, r.now + missing * r.numbers->interval);
}
