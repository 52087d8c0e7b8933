/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster/limits.lua does the same in Redis, and a test asks both the same questions: what changes
 * here changes there. All of it is arithmetic of integers, which doubles can do as well: every
 * value kept or answered is below 2^53, products are divided exactly and times have a ceiling.
 *
 * A hold's record is kept for a while after the hold has ended or was given back, for its seq: an
 * ask that was overtaken may still be on its way.
 */
#include "gatewayd/policy/bucket.h"

#include "conf/base/mem.h"

#define SECOND       1000000LL
#define ASKING_TIME  (SECOND / 4)
#define FORGET_TIME  (60 * SECOND)
#define REST_TIME    (30 * SECOND) /* who wants nothing asked so long ago */
#define LIFE_LONG    (10 * SECOND)
#define LIFE_SHORT   SECOND
#define AGAIN_LEAST  20000
#define NEAR_END     50 /* tokens for each holder */
#define FEW          8
#define PLENTY       32 /* an eighth of it is worth holding for long */
#define WORTH_COUNT  25
#define WORTH_TIME   5000
#define WORTH_BURST  500 /* so large a burst is not small */
#define WORTH_PART   40
#define TIME_MOST    (1000000000 * SECOND) /* 31 years: as good as never */
#define KEEP_MARGIN  (2 * SECOND)
#define QUOTA_MARGIN (60 * SECOND)

static bool is_swapped;

void bucket_test_swap(bool swapped)
{
    is_swapped = swapped;
}

struct bucket_spec bucket_spec_of(const struct limit *limit)
{
    if (limit->kind == LIMIT_QUOTA)
        return (struct bucket_spec){
            .kind = LIMIT_QUOTA,
            .burst = limit->quota,
            .period = limit->period,
        };
    return (struct bucket_spec){
        .kind = LIMIT_RATE,
        .rate = limit->rate,
        .per = limit->per,
        .burst = limit->burst,
    };
}

void bucket_init(struct bucket *b)
{
    *b = (struct bucket){ 0 };
}

void bucket_fini(struct bucket *b)
{
    MEM_FREE(&b->holds);
    bucket_init(b);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- holds ---- */

static struct bucket_hold *find_hold(struct bucket *b, const struct bucket_holder *holder)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->holds[i].holder.high == holder->high && b->holds[i].holder.low == holder->low)
            return &b->holds[i];
    }
    return NULL;
}

static int64_t sum_held(const struct bucket *b)
{
    int64_t held = 0;
    for (size_t i = 0; i < b->count; i++)
        held += b->holds[i].held;
    return held;
}

static void forget_old_holds(struct bucket *b, int64_t now)
{
    for (size_t i = b->count; i-- > 0;) {
        if (b->holds[i].held == 0 && b->holds[i].asked + FORGET_TIME < now)
            b->holds[i] = b->holds[--b->count];
    }
}

static struct bucket_hold *add_hold(struct bucket *b, const struct bucket_holder *holder)
{
    if (b->count == BUCKET_HOLDERS_MOST)
        return NULL;
    b->holds = mem_resize(b->holds, (b->count + 1) * sizeof(*b->holds));
    b->holds[b->count] = (struct bucket_hold){ .holder = *holder };
    return &b->holds[b->count++];
}

/* The hold that ends first, at or before `now`; NULL: none does. */
static struct bucket_hold *find_ended(struct bucket *b, int64_t now)
{
    struct bucket_hold *first = NULL;
    for (size_t i = 0; i < b->count; i++) {
        struct bucket_hold *h = &b->holds[i];
        if (h->held > 0 && h->ends <= now && (first == NULL || h->ends < first->ends))
            first = h;
    }
    return first;
}

/* ---- accruing ---- */

/* What tokens may be at most while so much is held. */
static int64_t cap_of(const struct bucket *b, const struct bucket_spec *spec)
{
    return most(0, spec->burst - sum_held(b)) * BUCKET_TOKEN;
}

/* Time that did not make a whole millionth is not used up. */
static void accrue_to(struct bucket *b, const struct bucket_spec *spec, int64_t to)
{
    if (to <= b->last)
        return;
    int64_t cap = cap_of(b, spec);
    int64_t per_time = spec->rate * 1000; /* so many millionths in `per` us */
    __int128 made = (__int128)(to - b->last) * per_time;
    int64_t unused = (int64_t)(made % spec->per) / per_time;
    made /= spec->per;
    if (b->tokens + made >= cap) {
        b->tokens = cap;
        b->last = to;
        return;
    }
    b->tokens += (int64_t)made;
    b->last = to - unused;
}

/* On a clock that was set back a hold that began before ends as late as one that begins now. */
static void bound_holds(struct bucket *b, int64_t now)
{
    for (size_t i = 0; i < b->count; i++) {
        b->holds[i].ends = least(b->holds[i].ends, now + LIFE_LONG);
        b->holds[i].asked = least(b->holds[i].asked, now);
    }
}

static void accrue_rate(struct bucket *b, const struct bucket_spec *spec, int64_t now)
{
    struct bucket_hold *ended;
    while ((ended = find_ended(b, now)) != NULL) {
        accrue_to(b, spec, ended->ends);
        ended->held = 0;
    }
    accrue_to(b, spec, now);
    b->last = least(b->last, now);
    b->tokens = least(b->tokens, cap_of(b, spec));
}

/* A longer period takes over what was granted in a window within it. */
static void accrue_quota(struct bucket *b, const struct bucket_spec *spec, int64_t now)
{
    int64_t start = quota_window(spec->period, now / 1000).start * 1000;
    bool is_new = start > b->last;
    for (size_t i = 0; i < b->count; i++) {
        if (is_new || b->holds[i].ends <= now)
            b->holds[i].held = 0;
    }
    if (!is_new)
        return;
    b->tokens = 0;
    b->last = start;
}

static void accrue(struct bucket *b, const struct bucket_spec *spec, int64_t now)
{
    bound_holds(b, now);
    if (spec->kind == LIMIT_QUOTA)
        accrue_quota(b, spec, now);
    else
        accrue_rate(b, spec, now);
}

static int64_t left_of(const struct bucket *b, const struct bucket_spec *spec)
{
    if (spec->kind == LIMIT_QUOTA)
        return most(0, spec->burst - b->tokens);
    return b->tokens / BUCKET_TOKEN;
}

static void know(struct bucket *b, const struct bucket_spec *spec, int64_t now, uint64_t run)
{
    if (b->is_known && b->run == run)
        return;
    if (!b->is_known && spec->kind == LIMIT_RATE)
        b->tokens = spec->burst * BUCKET_TOKEN;
    if (spec->kind == LIMIT_RATE)
        b->last = now;
    b->count = 0;
    b->run = run;
    b->is_known = true;
}

/* ---- what an ask changes ---- */

static bool is_wanting(const struct bucket_ask *ask)
{
    return ask->want > 0 || ask->need > 0;
}

static void correct(struct bucket *b, const struct bucket_ask *ask, struct bucket_hold *hold)
{
    int64_t before = hold->held;
    hold->held = least(ask->have, before);
    int64_t back = least(ask->back, before - hold->held);
    if (ask->spec.kind == LIMIT_QUOTA)
        b->tokens = most(0, b->tokens - back + least(ask->spent, BUCKET_SPENT_MOST));
    else
        b->tokens = least(b->tokens + back * BUCKET_TOKEN, cap_of(b, &ask->spec));
}

static int64_t us_for(const struct bucket_spec *spec, __int128 tokens)
{
    __int128 us = (tokens * spec->per * 1000 + spec->rate - 1) / spec->rate;
    return us > TIME_MOST ? TIME_MOST : (int64_t)us;
}

static int64_t cost_of(const struct bucket_ask *ask)
{
    return most(1, ask->cost);
}

/* So many requests are worth an ask: what makes few calls of many requests, but a small part of a
 * burst, and the smaller it is the less, so that little of it is left lying. */
static int64_t worth_of(const struct bucket_spec *spec, int64_t cost)
{
    int64_t burst = spec->burst / cost;
    __int128 comes_in = (__int128)spec->rate * WORTH_TIME / 1000 / spec->per / cost;
    if (burst >= WORTH_BURST)
        return most(WORTH_COUNT, least((int64_t)comes_in, burst / WORTH_PART));
    int64_t small = WORTH_COUNT * burst * burst / (WORTH_BURST * WORTH_BURST);
    return most(1, most(burst / WORTH_PART, small));
}

/* An equal part of what is left, or the last one. */
static int64_t share_of(int64_t left, unsigned asking)
{
    return most(left / asking, left > 0 ? 1 : 0);
}

/* Until so many have come in; `tokens` (millionths) is what there is. */
static int64_t time_to(const struct bucket_spec *spec, int64_t count, int64_t tokens)
{
    int64_t begun = (tokens % BUCKET_TOKEN) * spec->per / (spec->rate * 1000);
    return most(1, us_for(spec, most(1, count - tokens / BUCKET_TOKEN)) - begun);
}

/* At once if the next share is worth it; else when so many are there for each that asks, of what
 * the others leave too, but several times in the time in which the bucket fills; and no token is
 * kept waiting for a second. Of a quota nothing comes in, but something may come back. */
static int64_t again_after(const struct bucket_spec *spec, int64_t cost, unsigned asking,
                           int64_t tokens)
{
    int64_t worth = worth_of(spec, cost);
    int64_t left = tokens / BUCKET_TOKEN / cost;
    if (share_of(left, asking) >= worth)
        return 0;
    int64_t wanted = least(worth * (2 * (int64_t)asking - 1) * cost, spec->burst);
    int64_t us = least(time_to(spec, wanted, tokens), us_for(spec, spec->burst) / 3);
    return left > 0 && us > SECOND ? 0 : us;
}

/* Those who asked lately: so lately that a busy holder, which asks again after a while, counts. */
static unsigned count_asking(const struct bucket *b, const struct bucket_ask *ask, int64_t now)
{
    unsigned count = 0;
    int64_t again = SECOND;
    if (ask->spec.kind == LIMIT_RATE)
        again = again_after(&ask->spec, cost_of(ask), 1, 0);
    int64_t since = now - least(REST_TIME, most(ASKING_TIME, again * 3 / 2));
    for (size_t i = 0; i < b->count; i++)
        count += b->holds[i].asked > since;
    return count == 0 ? 1 : count;
}

/* In requests, as all that follows. */
struct size {
    int64_t count; /* to hold in all */
    int64_t life;
    bool is_scarce;
    bool is_share; /* wanted more than that */
};

/* So few that others should find some, too; not if they are not worth an ask: nobody asks again
 * before more has come in. */
static bool is_few(const struct bucket_spec *spec, int64_t cost, int64_t share)
{
    return share < FEW && (spec->kind == LIMIT_QUOTA || share >= worth_of(spec, cost));
}

/* Plenty is given out generously; what is scarce in equal shares, for a short time, and no more
 * than for a moment. Of the last few nobody gets all before somebody waits for them. */
static struct size size_of(const struct bucket_ask *ask, int64_t left, unsigned asking)
{
    int64_t cost = cost_of(ask);
    int64_t want = ask->want / cost;
    int64_t half = ask->spec.burst / cost / 2;
    int64_t share = share_of(left, asking);
    int64_t need = least((ask->need + cost - 1) / cost, share);
    int64_t soon = least(want / 100, is_few(&ask->spec, cost, share) ? share / 2 : share);
    int64_t near = most(1, least(NEAR_END, half / asking));
    if (share <= near) {
        int64_t count = most(need, soon);
        return (struct size){ count, LIFE_SHORT, true, is_wanting(ask) && count == share };
    }
    if (left > half && left >= PLENTY)
        return (struct size){ most(need, least(want, left / 8)), LIFE_LONG, false, false };
    soon = most(least(want / 100, NEAR_END), want / 200);
    return (struct size){ most(need, least(soon, most(near, share / 2))), LIFE_SHORT, false,
                          false };
}

static int64_t again_of(const struct bucket *b, const struct bucket_ask *ask, int64_t left,
                        unsigned asking)
{
    if (ask->spec.kind == LIMIT_QUOTA)
        return left > 0 ? 0 : SECOND;
    return again_after(&ask->spec, cost_of(ask), asking, b->tokens);
}

static int64_t next_of(const struct bucket *b, const struct bucket_ask *ask, int64_t now)
{
    if (ask->spec.kind == LIMIT_QUOTA)
        return quota_window(ask->spec.period, now / 1000).end * 1000 - now;
    return time_to(&ask->spec, cost_of(ask), b->tokens);
}

static struct bucket_answer grant(struct bucket *b, const struct bucket_ask *ask,
                                  struct bucket_hold *hold, int64_t now)
{
    const struct bucket_spec *spec = &ask->spec;
    int64_t cost = cost_of(ask);
    int64_t left = left_of(b, spec) / cost;
    unsigned asking = count_asking(b, ask, now);
    struct size size = size_of(ask, left, asking);
    int64_t granted = most(0, least(size.count - hold->held / cost, left)) * cost;
    b->tokens += spec->kind == LIMIT_QUOTA ? granted : -granted * BUCKET_TOKEN;
    hold->held += granted;
    left = left_of(b, spec);
    int64_t next = next_of(b, ask, now);
    int64_t life = spec->kind == LIMIT_QUOTA ? least(size.life, next) : size.life;
    int64_t again = size.is_share ? again_of(b, ask, left, asking) : 0;
    if (granted == 0 && hold->held < ask->need)
        again = most(again, AGAIN_LEAST);
    hold->ends = now + life;
    return (struct bucket_answer){
        .granted = granted,
        .held = hold->held,
        .time = now,
        .life = life,
        .ask_again = again,
        .left = left,
        .next = next,
        .asking = asking,
        .is_scarce = size.is_scarce,
    };
}

bool bucket_ask(struct bucket *b, const struct bucket_ask *ask, int64_t now, uint64_t run,
                struct bucket_answer *answer_out)
{
    struct bucket_hold *hold = find_hold(b, &ask->holder);
    bool is_lost = b->is_known && b->run != run;
    if (now > ask->not_after || (hold != NULL && !is_lost && ask->seq <= hold->seq))
        return false;
    know(b, &ask->spec, now, run);
    if (ask->returning && ask->spec.kind == LIMIT_RATE)
        b->last = most(b->last, now);
    if (!is_swapped)
        accrue(b, &ask->spec, now);
    forget_old_holds(b, now);
    hold = find_hold(b, &ask->holder);
    if (hold == NULL)
        hold = add_hold(b, &ask->holder);
    if (hold == NULL)
        return false;
    correct(b, ask, hold);
    if (is_swapped)
        accrue(b, &ask->spec, now);
    hold->seq = ask->seq;
    hold->asked = is_wanting(ask) ? now : now - REST_TIME;
    *answer_out = grant(b, ask, hold, now);
    return true;
}

int64_t bucket_keep_time(const struct bucket *b, const struct bucket_spec *spec, int64_t now)
{
    int64_t ends = now;
    if (spec->kind == LIMIT_QUOTA)
        return quota_window(spec->period, now / 1000).end * 1000 - now + QUOTA_MARGIN;
    for (size_t i = 0; i < b->count; i++) {
        if (b->holds[i].held > 0)
            ends = most(ends, b->holds[i].ends);
    }
    int64_t missing = spec->burst - b->tokens / BUCKET_TOKEN;
    return least(ends - now + us_for(spec, missing) + KEEP_MARGIN, TIME_MOST);
}
