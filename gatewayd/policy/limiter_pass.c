/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter_pass.c - buckets of this process's own go to the process that takes its place.
 *
 * Time stands still for what is left here, so nothing refills twice; the other process gets the
 * tokens of every bucket but a part, all that comes in, and in the end what of that part was not
 * spent. So both together admit no more than one would. A bucket that is full has no tally, and is
 * full in both: but what is asked here from then on is at most one request of each connection that
 * is left.
 *
 * Where buckets are behind a port both processes take from the same ones, and only this node's part
 * of what is divided is passed in that way; with it goes what was spent of a quota and is still to
 * be told.
 */
#include <stdio.h>

#include "gatewayd/policy/limiter_private.h"

#define VALUE_SIZE  96
#define KEPT_MOST   1024            /* of a quota; of anything no more than half */
#define UNTOLD_MOST (INT64_MAX / 4) /* no quota is larger */

void limiter_freeze(struct limiter *l)
{
    if (l->leases != NULL)
        return;
    int64_t ns = limiter_read_now(l).ns;
    atomic_store(&l->frozen_ns, ns > 0 ? ns : 1);
}

void limiter_thaw(struct limiter *l)
{
    atomic_store(&l->frozen_ns, 0);
}

/* What is counted in this process alone: a bucket, or with a port this node's part of one. */
struct part {
    limits_local_word *word;
    const struct limits_local_spec *spec;
    struct lease *lease; /* NULL without a port */
};

static bool find_part(const struct limiter *l, struct tally *tally, struct part *out)
{
    struct limiter_family *f = l->families[tally->family];
    *out = (struct part){ &tally->word, &f->spec, NULL };
    if (l->leases == NULL)
        return true;
    struct lease *lease = atomic_load(&tally->lease);
    if (lease == NULL || atomic_load(&lease->mode) != LEASE_DIVIDED)
        return false;
    *out = (struct part){ &lease->own, &f->divided, lease };
    return true;
}

static int64_t left_of(const struct limiter *l, const struct part *part)
{
    struct limits_local_state state = { 0 };
    return limits_local_peek(part->word, part->spec, limiter_read_now(l), 0, &state) ==
                   LIMITS_LOCAL_TAKEN
               ? state.left
               : 0;
}

static int64_t untold_of(const struct part *part)
{
    struct lease_memory m;
    return part->lease != NULL && lease_memorise(part->lease, &m) ? m.count - m.told : 0;
}

static int64_t take_to_give(const struct limiter *l, const struct part *part, int64_t left)
{
    struct limits_local_state state;
    if (left <= 0 || limits_local_take(part->word, part->spec, limiter_read_now(l), left, &state) !=
                         LIMITS_LOCAL_TAKEN)
        return 0; /* a worker was faster; it is as good as spent */
    return left;
}

static void pass_one(const struct limiter *l, struct tally *tally, limiter_save_fn *pass, void *arg)
{
    const struct limiter_family *f = l->families[tally->family];
    struct part part;
    char identity[LIMITER_IDENTITY_MOST];
    char value[VALUE_SIZE];
    if (!find_part(l, tally, &part))
        return;
    const struct bucket_spec *spec = &limits_local_spec_get(part.spec)->spec;
    int64_t left = left_of(l, &part);
    int64_t kept = spec->kind == LIMIT_QUOTA && left / 2 > KEPT_MOST ? KEPT_MOST : left / 2;
    int64_t untold = untold_of(&part);
    int64_t given = take_to_give(l, &part, left - kept);
    if (part.lease != NULL)
        lease_note_told(part.lease, untold + given);
    struct text subject = tally_subject(tally);
    int length = snprintf(identity, sizeof(identity), "%.*s/%.*s", TEXT_ARGS(f->identity),
                          TEXT_ARGS(subject));
    MUST(length > 0 && (size_t)length < sizeof(identity));
    int value_length = snprintf(value, sizeof(value), "%lld %lld %lld %lld", (long long)spec->burst,
                                (long long)given, (long long)kept, (long long)untold);
    pass(arg, text_from(identity, (size_t)length), text_from(value, (size_t)value_length));
}

bool limiter_pass(struct limiter *l, uint32_t *position, size_t most, limiter_save_fn *pass,
                  void *arg)
{
    for (; most > 0; most--) {
        struct tally *tally = tallies_next(l->tallies, position);
        if (tally == NULL)
            return false;
        pass_one(l, tally, pass, arg);
    }
    return true;
}

/* ---- receiving ---- */

struct passed {
    int64_t burst; /* there */
    int64_t given; /* to us */
    int64_t kept;
    int64_t untold; /* with a port; versions before this one do not say it */
};

static bool parse_value(struct text value, struct passed *out)
{
    int64_t numbers[4] = { 0 };
    struct text piece;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers) && (i < 3 || value.at != NULL); i++) {
        if (!text_cut(&value, ' ', &piece) || !text_parse_i64(piece, &numbers[i]) || numbers[i] < 0)
            return false;
    }
    *out = (struct passed){ numbers[0], numbers[1], numbers[2], numbers[3] };
    return out->given <= out->burst && out->untold <= UNTOLD_MOST;
}

/* A limit of another name or kind, or none any more: what is told of it is of no use. */
static struct limiter_family *find_family(const struct limiter *l, struct text identity,
                                          struct tally_name *name_out)
{
    struct text family;
    if (!limiter_split_identity(identity, &family, &name_out->subject))
        return NULL;
    struct limiter_family *f = map_find(&l->by_identity, family);
    if (f == NULL)
        return NULL;
    name_out->family = f->number;
    name_out->is_stranger = limiter_subject_is_stranger(name_out->subject);
    name_out->hash = tallies_hash(f->number, name_out->subject);
    return f;
}

/* As many are missing as were missing there, also of another burst. */
static uint64_t word_of(const struct limiter *l, const struct limits_local_spec *s,
                        const struct passed *passed)
{
    int64_t burst = limits_local_spec_get(s)->spec.burst;
    int64_t left = burst - (passed->burst - passed->given);
    return limits_local_word_of(s, limiter_read_now(l), left > 0 ? left : 0);
}

/* This node's part of a bucket, told by the process that had it to the last token: its own file of
 * counters may say less. */
static void receive_part(struct limiter *l, struct limiter_family *f, struct tally *tally,
                         const struct passed *passed)
{
    struct limiter_lease *ll = limiter_lease_get(l, f, tally);
    struct lease *lease = limiter_lease_of(ll);
    const struct bucket_spec *spec = &limits_local_spec_get(&f->spec)->spec;
    if (spec->kind == LIMIT_RATE) {
        lease_remember_rate(lease, word_of(l, &f->divided, passed));
    } else {
        int64_t count = passed->burst - passed->given;
        int64_t told = count > passed->untold ? count - passed->untold : 0;
        int64_t start = quota_window(spec->period, limiter_read_now(l).wall).start;
        lease_remember(lease, &(struct lease_memory){ start, count, told });
        tallies_mark(l->tallies, tally);
    }
    limiter_lease_want(ll);
}

bool limiter_receive(struct limiter *l, struct text identity, struct text value)
{
    struct tally_name name = { 0 };
    struct passed passed;
    struct limiter_family *f = find_family(l, identity, &name);
    if (f == NULL || !parse_value(value, &passed))
        return false;
    struct tally *tally = limiter_make_tally(l, &name);
    if (tally == NULL)
        return false;
    if (l->leases != NULL)
        receive_part(l, f, tally, &passed);
    else
        atomic_store(&tally->word, word_of(l, &f->spec, &passed));
    return true;
}

static struct tally *find_tally(const struct limiter *l, struct text identity)
{
    struct tally_name name = { 0 };
    struct limiter_family *f = find_family(l, identity, &name);
    return f == NULL ? NULL : tallies_find(l->tallies, &name);
}

/* Of what is not divided any more nothing is given back, but what was spent is told. */
void limiter_give(struct limiter *l, struct text identity, struct limiter_rest rest)
{
    struct tally *tally = find_tally(l, identity);
    struct part part;
    if (tally == NULL)
        return;
    int64_t most = find_part(l, tally, &part) ? limits_local_spec_get(part.spec)->spec.burst : 0;
    if (rest.unspent > most)
        rest.unspent = most;
    if (rest.unspent > 0)
        limits_local_give(part.word, part.spec, rest.unspent);
    if (rest.untold > UNTOLD_MOST)
        rest.untold = UNTOLD_MOST;
    if (atomic_load(&tally->lease) == NULL)
        return;
    struct limiter_lease *ll = limiter_lease_get(l, l->families[tally->family], tally);
    lease_note_told(limiter_lease_of(ll), -rest.unspent - rest.untold);
    limiter_lease_want(ll);
}

bool limiter_take_back(struct limiter *l, struct text identity, struct text value)
{
    struct passed passed;
    if (!parse_value(value, &passed))
        return false;
    limiter_give(l, identity, (struct limiter_rest){ passed.given, passed.untold });
    return true;
}

bool limiter_rest_of(struct limiter *l, struct text identity, struct text value,
                     struct limiter_rest *out)
{
    struct tally *tally = find_tally(l, identity);
    struct part part;
    struct passed passed;
    if (tally == NULL || !parse_value(value, &passed) || !find_part(l, tally, &part))
        return false;
    int64_t left = left_of(l, &part);
    out->unspent = left < passed.kept ? left : passed.kept;
    out->untold = untold_of(&part);
    return out->unspent > 0 || out->untold > 0;
}
