/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter_save.c - quota counters as text: "FAMILY/SUBJECT" and "PERIOD START COUNT", the period's
 * first letter and the start of its window in ms since the epoch.
 *
 * With a port only quotas that are divided, or were and have something to tell: "PERIOD START COUNT
 * TOLD QUOTA", of this node's part and of that what the port knows; and "-" when there is nothing
 * any more. What other versions write they do not understand, and pass over.
 */
#include <stdio.h>

#include "gatewayd/policy/limiter_private.h"

#define VALUE_SIZE 128
#define START_MOST INT64_C(32503680000000) /* the year 3000, in ms: no window of ours */

#define NOTHING TEXT_OF("-")

static bool is_quota(const struct limiter_family *f)
{
    return limits_local_spec_get(&f->spec)->spec.kind == LIMIT_QUOTA;
}

static struct text print_own(const struct bucket_spec *spec, uint64_t word, char *into)
{
    int64_t start;
    int64_t count;
    limits_local_quota(word, &start, &count);
    int length = snprintf(into, VALUE_SIZE, "%c %lld %lld", limit_period_name(spec->period)[0],
                          (long long)start, (long long)count);
    return text_from(into, (size_t)length);
}

static struct text print_memory(const struct bucket_spec *spec, const struct lease_memory *m,
                                char *into)
{
    int length = snprintf(into, VALUE_SIZE, "%c %lld %lld %lld %lld",
                          limit_period_name(spec->period)[0], (long long)m->start,
                          (long long)m->count, (long long)m->told, (long long)spec->burst);
    return text_from(into, (size_t)length);
}

/* Empty: nothing is to be said of it. */
static struct text print_value(const struct limiter *l, struct tally *tally,
                               const struct bucket_spec *spec, bool all, char *into)
{
    struct lease_memory memory;
    if (l->leases == NULL)
        return print_own(spec, atomic_load(&tally->word), into);
    if (limiter_lease_memorise(tally, &memory))
        return print_memory(spec, &memory, into);
    return all ? TEXT_EMPTY : NOTHING;
}

static void save_one(const struct limiter *l, struct tally *tally, bool all, limiter_save_fn *save,
                     void *arg)
{
    const struct limiter_family *f = l->families[tally->family];
    if (!is_quota(f) || atomic_load(&tally->word) == LIMITS_LOCAL_DEAD)
        return;
    char identity[LIMITER_IDENTITY_MOST];
    char into[VALUE_SIZE];
    struct text subject = tally_subject(tally);
    int length = snprintf(identity, sizeof(identity), "%.*s/%.*s", TEXT_ARGS(f->identity),
                          TEXT_ARGS(subject));
    MUST(length > 0 && (size_t)length < sizeof(identity));
    struct text value = print_value(l, tally, &limits_local_spec_get(&f->spec)->spec, all, into);
    if (value.length > 0)
        save(arg, text_from(identity, (size_t)length), value);
}

bool limiter_save(struct limiter *l, struct limiter_saving *saving, size_t most,
                  limiter_save_fn *save, void *arg)
{
    for (; most > 0; most--) {
        struct tally *tally = saving->all ? tallies_next(l->tallies, &saving->position)
                                          : tallies_next_marked(l->tallies, &saving->position);
        if (tally == NULL)
            return false;
        save_one(l, tally, saving->all, save, arg);
    }
    return true;
}

/* ---- loading ---- */

struct saved {
    enum limit_period period;
    int64_t start;
    int64_t count;
    int64_t told;  /* with a port */
    int64_t quota; /* with a port */
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

/* The period and so many numbers. */
static bool parse_value(struct text value, size_t count, struct saved *out)
{
    int64_t *numbers[] = { &out->start, &out->count, &out->told, &out->quota };
    struct text piece;
    if (!text_cut(&value, ' ', &piece) || !parse_period(piece, &out->period))
        return false;
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        if (!text_cut(&value, ' ', &piece) || !text_parse_u64(piece, &number))
            return false;
        *numbers[i] = (int64_t)(number & INT64_MAX);
    }
    return value.at == NULL && out->start <= START_MOST;
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

/* There was something, and now there is not: the newest value counts. */
static void forget(struct limiter *l, struct text family, struct tally_name *name)
{
    struct limiter_family *f = map_find(&l->by_identity, family);
    if (f == NULL)
        return;
    name->family = f->number;
    name->hash = tallies_hash(f->number, name->subject);
    struct tally *tally = tallies_find(l->tallies, name);
    struct lease *lease = tally == NULL ? NULL : atomic_load(&tally->lease);
    if (lease != NULL)
        lease_remember(lease, &(struct lease_memory){ 0 });
}

static void load_into(struct limiter *l, struct limiter_family *f, struct tally *tally,
                      const struct saved *saved)
{
    if (l->leases == NULL) {
        atomic_store(&tally->word, limits_local_quota_word(saved->start, saved->count));
        return;
    }
    struct lease *lease = limiter_lease_of(limiter_lease_get(l, f, tally));
    lease_remember(lease, &(struct lease_memory){ saved->start, saved->count, saved->told });
}

bool limiter_load(struct limiter *l, struct text identity, struct text value, int64_t wall)
{
    struct saved saved = { 0 };
    struct text family;
    struct tally_name name = { 0 };
    if (!limiter_split_identity(identity, &family, &name.subject) || identity.at[1] != 'q')
        return false;
    if (l->leases != NULL && text_equals(value, NOTHING))
        forget(l, family, &name);
    if (!parse_value(value, l->leases == NULL ? 2 : 4, &saved) ||
        quota_window(saved.period, saved.start).end <= wall)
        return false;
    struct bucket_spec spec = { .kind = LIMIT_QUOTA, .period = saved.period, .burst = saved.quota };
    struct limiter_family *f = limiter_family_get(l, family, &spec, true);
    name.family = f->number;
    name.is_stranger = limiter_subject_is_stranger(name.subject);
    name.hash = tallies_hash(name.family, name.subject);
    struct tally *tally = limiter_make_tally(l, &name);
    if (tally == NULL)
        return false;
    load_into(l, f, tally, &saved);
    return true;
}
