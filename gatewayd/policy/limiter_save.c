/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter_save.c - quota counters as text: "FAMILY/SUBJECT" and "PERIOD START COUNT", the period's
 * first letter and the start of its window in ms since the epoch.
 */
#include <stdio.h>

#include "gatewayd/policy/limiter_private.h"

#define VALUE_SIZE 64

static bool is_quota(const struct limiter_family *f)
{
    return limits_local_spec_get(&f->spec)->spec.kind == LIMIT_QUOTA;
}

static void save_one(const struct limiter *l, struct tally *tally, limiter_save_fn *save, void *arg)
{
    const struct limiter_family *f = l->families[tally->family];
    uint64_t word = atomic_load(&tally->word);
    if (!is_quota(f) || word == LIMITS_LOCAL_DEAD)
        return;
    char identity[LIMITER_IDENTITY_MOST];
    char value[VALUE_SIZE];
    int64_t start;
    int64_t count;
    struct text subject = tally_subject(tally);
    enum limit_period period = limits_local_spec_get(&f->spec)->spec.period;
    limits_local_quota(word, &start, &count);
    int length = snprintf(identity, sizeof(identity), "%.*s/%.*s", TEXT_ARGS(f->identity),
                          TEXT_ARGS(subject));
    MUST(length > 0 && (size_t)length < sizeof(identity));
    int value_length = snprintf(value, sizeof(value), "%c %lld %lld", limit_period_name(period)[0],
                                (long long)start, (long long)count);
    save(arg, text_from(identity, (size_t)length), text_from(value, (size_t)value_length));
}

bool limiter_save(struct limiter *l, struct limiter_saving *saving, size_t most,
                  limiter_save_fn *save, void *arg)
{
    for (; most > 0; most--) {
        struct tally *tally = saving->all ? tallies_next(l->tallies, &saving->position)
                                          : tallies_next_marked(l->tallies, &saving->position);
        if (tally == NULL)
            return false;
        save_one(l, tally, save, arg);
    }
    return true;
}

/* ---- loading ---- */

struct saved {
    enum limit_period period;
    int64_t start;
    int64_t count;
};

static bool parse_period(struct text t, enum limit_period *period_out)
{
    for (int p = LIMIT_HOUR; p <= LIMIT_MONTH; p++) {
        if (t.length == 1 && t.at[0] == limit_period_name((enum limit_period)p)[0]) {
            *period_out = (enum limit_period)p;
            return true;
        }
    }
    return false;
}

static bool parse_value(struct text value, struct saved *out)
{
    struct text period;
    struct text start;
    uint64_t numbers[2];
    if (!text_cut(&value, ' ', &period) || !text_cut(&value, ' ', &start))
        return false;
    if (!parse_period(period, &out->period) || !text_parse_u64(start, &numbers[0]) ||
        !text_parse_u64(value, &numbers[1]))
        return false;
    out->start = (int64_t)(numbers[0] & INT64_MAX);
    out->count = (int64_t)(numbers[1] & INT64_MAX);
    return true;
}

bool limiter_split_identity(struct text identity, struct text *family_out, struct text *subject_out)
{
    size_t at = 0;
    for (int slashes = 0; slashes < 3; slashes++) {
        at += text_find_byte(text_skip(identity, at), '/') + 1;
        if (at >= identity.length)
            return false;
    }
    *family_out = text_first(identity, at - 1);
    *subject_out = text_skip(identity, at);
    return subject_out->length <= TALLIES_SUBJECT_MOST && identity.length > 2;
}

/* The table grows step by step, as at any other time. */
struct tally *limiter_make_tally(struct limiter *l, const struct tally_name *name)
{
    struct tally *tally = tallies_try_get(l->tallies, name);
    for (int n = 0; tally == NULL && n < 64; n++) {
        tallies_tidy(l->tallies);
        tally = tallies_try_get(l->tallies, name);
    }
    return tally;
}

bool limiter_load(struct limiter *l, struct text identity, struct text value, int64_t wall)
{
    struct saved saved;
    struct text family;
    struct tally_name name = { 0 };
    if (!parse_value(value, &saved) || !limiter_split_identity(identity, &family, &name.subject) ||
        identity.at[1] != 'q')
        return false;
    if (quota_window(saved.period, saved.start).end <= wall)
        return false;
    struct bucket_spec spec = { .kind = LIMIT_QUOTA, .period = saved.period };
    name.family = limiter_family_get(l, family, &spec, true)->number;
    name.is_stranger = limiter_subject_is_stranger(name.subject);
    name.hash = tallies_hash(name.family, name.subject);
    struct tally *tally = limiter_make_tally(l, &name);
    if (tally == NULL)
        return false;
    atomic_store(&tally->word, limits_local_quota_word(saved.start, saved.count));
    return true;
}
