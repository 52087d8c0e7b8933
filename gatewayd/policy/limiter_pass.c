/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter_pass.c - buckets of this process's own go to the process that takes its place.
 *
 * Time stands still for what is left here, so nothing refills twice; the other process gets the
 * tokens of every bucket but a part, all that comes in, and in the end what of that part was not
 * spent. So both together admit no more than one would. A bucket that is full has no tally, and is
 * full in both: but what is asked here from then on is at most one request of each connection that
 * is left.
 */
#include <stdio.h>

#include "gatewayd/policy/limiter_private.h"

#define VALUE_SIZE 96
#define KEPT_MOST  1024 /* of a quota; of anything no more than half */

void limiter_freeze(struct limiter *l)
{
    int64_t ns = limiter_read_now(l).ns;
    atomic_store(&l->frozen_ns, ns > 0 ? ns : 1);
}

void limiter_thaw(struct limiter *l)
{
    atomic_store(&l->frozen_ns, 0);
}

static int64_t left_of(const struct limiter *l, struct tally *tally,
                       const struct limits_local_spec *spec)
{
    struct limits_local_state state = { 0 };
    return limits_local_peek(&tally->word, spec, limiter_read_now(l), 0, &state) ==
                   LIMITS_LOCAL_TAKEN
               ? state.left
               : 0;
}

static void pass_one(const struct limiter *l, struct tally *tally, limiter_save_fn *pass, void *arg)
{
    const struct limiter_family *f = l->families[tally->family];
    const struct bucket_spec *spec = &limits_local_spec_get(&f->spec)->spec;
    struct limits_local_state state;
    char identity[LIMITER_IDENTITY_MOST];
    char value[VALUE_SIZE];
    int64_t left = left_of(l, tally, &f->spec);
    int64_t kept = spec->kind == LIMIT_QUOTA && left / 2 > KEPT_MOST ? KEPT_MOST : left / 2;
    int64_t given = left - kept;
    if (given > 0 && limits_local_take(&tally->word, &f->spec, limiter_read_now(l), given,
                                       &state) != LIMITS_LOCAL_TAKEN)
        given = 0; /* a worker was faster; it is as good as spent */
    struct text subject = tally_subject(tally);
    int length = snprintf(identity, sizeof(identity), "%.*s/%.*s", TEXT_ARGS(f->identity),
                          TEXT_ARGS(subject));
    MUST(length > 0 && (size_t)length < sizeof(identity));
    int value_length = snprintf(value, sizeof(value), "%lld %lld %lld", (long long)spec->burst,
                                (long long)given, (long long)kept);
    pass(arg, text_from(identity, (size_t)length), text_from(value, (size_t)value_length));
}

bool limiter_pass(struct limiter *l, uint32_t *position, size_t most, limiter_save_fn *pass,
                  void *arg)
{
    for (; l->leases == NULL && most > 0; most--) {
        struct tally *tally = tallies_next(l->tallies, position);
        if (tally == NULL)
            return false;
        pass_one(l, tally, pass, arg);
    }
    return l->leases == NULL;
}

/* ---- receiving ---- */

struct passed {
    int64_t burst; /* there */
    int64_t given; /* to us */
    int64_t kept;
};

static bool parse_value(struct text value, struct passed *out)
{
    int64_t numbers[3];
    struct text piece;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        if (!text_cut(&value, ' ', &piece) || !text_parse_i64(piece, &numbers[i]) || numbers[i] < 0)
            return false;
    }
    *out = (struct passed){ numbers[0], numbers[1], numbers[2] };
    return true;
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

bool limiter_receive(struct limiter *l, struct text identity, struct text value)
{
    struct tally_name name = { 0 };
    struct passed passed;
    struct limiter_family *f = find_family(l, identity, &name);
    if (f == NULL || l->leases != NULL || !parse_value(value, &passed))
        return false;
    struct tally *tally = limiter_make_tally(l, &name);
    if (tally == NULL)
        return false;
    /* As many are missing as were missing there, also of another burst. */
    int64_t burst = limits_local_spec_get(&f->spec)->spec.burst;
    int64_t left = burst - (passed.burst - passed.given);
    atomic_store(&tally->word,
                 limits_local_word_of(&f->spec, limiter_read_now(l), left > 0 ? left : 0));
    return true;
}

void limiter_give(struct limiter *l, struct text identity, int64_t tokens)
{
    struct tally_name name = { 0 };
    struct limiter_family *f = find_family(l, identity, &name);
    struct tally *tally = f == NULL ? NULL : tallies_find(l->tallies, &name);
    if (tally != NULL)
        limits_local_give(&tally->word, &f->spec, tokens);
}

bool limiter_take_back(struct limiter *l, struct text identity, struct text value)
{
    struct passed passed;
    if (!parse_value(value, &passed))
        return false;
    limiter_give(l, identity, passed.given);
    return true;
}

int64_t limiter_unspent(struct limiter *l, struct text identity, struct text value)
{
    struct tally_name name = { 0 };
    struct passed passed;
    struct limiter_family *f = find_family(l, identity, &name);
    struct tally *tally = f == NULL ? NULL : tallies_find(l->tallies, &name);
    if (tally == NULL || !parse_value(value, &passed))
        return 0;
    int64_t left = left_of(l, tally, &f->spec);
    return left < passed.kept ? left : passed.kept;
}
