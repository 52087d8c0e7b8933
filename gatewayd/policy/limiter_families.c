/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter_families.c - limits by what they are called, and the sets of them; control's, but for
 * letting go of a set.
 */
#include "conf/base/mem.h"
#include "gatewayd/policy/limiter_private.h"

#define SWEEP_MOST         20000 /* about a millisecond */
#define SWEEP_MOST_CROWDED LIMITER_LOCAL_MOST

/* ---- families ---- */

static uint32_t free_number(struct limiter *l)
{
    for (uint32_t i = l->families_hint; i < l->families_size; i++) {
        if (l->families[i] == NULL) {
            l->families_hint = i + 1;
            return i;
        }
    }
    uint32_t size = l->families_size == 0 ? 64 : l->families_size * 2;
    l->families = mem_resize(l->families, size * sizeof(struct limiter_family *));
    memset(l->families + l->families_size, 0,
           (size - l->families_size) * sizeof(struct limiter_family *));
    uint32_t number = l->families_size;
    l->families_size = size;
    l->families_hint = number + 1;
    return number;
}

static struct limiter_family *family_new(struct limiter *l, struct text identity,
                                         const struct bucket_spec *spec)
{
    struct limiter_family *f = mem_new(sizeof(*f));
    f->number = free_number(l);
    f->identity = text_from(mem_copy_text(identity.at, identity.length), identity.length);
    limits_local_spec_init(&f->spec, spec);
    limits_local_spec_init(&f->divided, spec);
    l->families[f->number] = f;
    map_set(&l->by_identity, f->identity, f);
    return f;
}

static void family_free(struct limiter *l, struct limiter_family *f)
{
    map_remove(&l->by_identity, f->identity);
    l->families[f->number] = NULL;
    if (f->number < l->families_hint)
        l->families_hint = f->number;
    char *identity = (char *)f->identity.at;
    MEM_FREE(&identity);
    limits_local_spec_fini(&f->spec);
    limits_local_spec_fini(&f->divided);
    MEM_FREE(&f);
}

static void free_plain(void *owner, uint64_t what)
{
    MEM_FREE(&owner);
}

struct limiter_family *limiter_family_get(struct limiter *l, struct text identity,
                                          const struct bucket_spec *spec, bool is_loading)
{
    struct limiter_family *f = map_find(&l->by_identity, identity);
    if (f == NULL)
        return family_new(l, identity, spec);
    if (is_loading)
        return f;
    const struct limits_local_numbers *displaced;
    (void)limits_local_spec_set(&f->spec, spec, &displaced);
    if (displaced != NULL)
        turns_retire(&l->queue, free_plain, (void *)displaced, 0);
    return f;
}

void limiter_families_fini(struct limiter *l)
{
    for (uint32_t i = 0; i < l->families_size; i++) {
        if (l->families[i] != NULL)
            family_free(l, l->families[i]);
    }
    MEM_FREE(&l->families);
    map_fini(&l->by_identity);
}

/* ---- sets ---- */

static int64_t seconds_up(int64_t ms)
{
    return (ms + 999) / 1000;
}

static int64_t window_of(const struct limit *limit)
{
    if (limit->kind == LIMIT_QUOTA)
        return 0;
    __int128 ms = ((__int128)limit->burst * limit->per + limit->rate - 1) / limit->rate;
    return ms > INT64_MAX - 999 ? INT64_MAX / 1000 : seconds_up((int64_t)ms);
}

static struct text print_identity(struct limiter_set *set, struct text owner,
                                  const struct limit *limit)
{
    return arena_print(&set->arena, "%c%c/%.*s/%.*s", set->scope == LIMITER_PLAN ? 'p' : 'r',
                       limit->kind == LIMIT_QUOTA ? 'q' : 'b', TEXT_ARGS(owner),
                       TEXT_ARGS(limit->name));
}

static struct limiter_rule compile(struct limiter_set *set, struct text owner,
                                   const struct limit *limit)
{
    struct bucket_spec spec = bucket_spec_of(limit);
    struct limiter_rule rule = {
        .family = limiter_family_get(set->limiter, print_identity(set, owner, limit), &spec, false),
        .name = arena_copy(&set->arena, limit->name),
        .by = limit->by_what,
        .header = arena_copy(&set->arena, limit->by_header),
        .cost = limit->kind == LIMIT_QUOTA ? 1 : limit->cost,
        .quota = spec.burst,
        .window = window_of(limit),
    };
    atomic_fetch_add(&rule.family->uses, 1);
    atomic_store(&rule.family->cost, rule.cost);
    return rule;
}

struct limiter_set *limiter_set_new(struct limiter *l, enum limiter_scope scope, struct text owner,
                                    const struct limits *limits)
{
    if (limits->count == 0)
        return NULL;
    struct limiter_set *set = mem_new(sizeof(*set) + limits->count * sizeof(set->rules[0]));
    atomic_init(&set->count, 1);
    set->limiter = l;
    set->scope = scope;
    set->rule_count = limits->count;
    arena_init(&set->arena, SIZE_MAX);
    for (size_t i = 0; i < limits->count; i++)
        set->rules[i] = compile(set, owner, &limits->items[i]);
    return set;
}

struct limiter_set *limiter_set_ref(struct limiter_set *set)
{
    if (set != NULL)
        atomic_fetch_add(&set->count, 1);
    return set;
}

/* The last one leaves it for control to take apart. */
void limiter_set_unref(struct limiter_set **at)
{
    struct limiter_set *set = *at;
    *at = NULL;
    if (set == NULL || atomic_fetch_sub(&set->count, 1) > 1)
        return;
    struct limiter *l = set->limiter;
    set->next_dead = atomic_load(&l->dead_sets);
    while (!atomic_compare_exchange_weak(&l->dead_sets, &set->next_dead, set))
        ;
}

size_t limiter_set_count(const struct limiter_set *set)
{
    return set == NULL ? 0 : set->rule_count;
}

static void free_dead_sets(struct limiter *l)
{
    struct limiter_set *set = atomic_exchange(&l->dead_sets, NULL);
    while (set != NULL) {
        struct limiter_set *next = set->next_dead;
        for (size_t i = 0; i < set->rule_count; i++)
            atomic_fetch_sub(&set->rules[i].family->uses, 1);
        arena_reset(&set->arena);
        MEM_FREE(&set);
        set = next;
    }
}

/* ---- keeping house ---- */

static void begin_round(struct limiter *l)
{
    for (uint32_t i = 0; i < l->families_size; i++) {
        struct limiter_family *f = l->families[i];
        if (f == NULL)
            continue;
        f->was_unused = atomic_load(&f->uses) == 0;
        f->has_tallies = false;
    }
}

/* A family that no set has referred to since the round began gets no new tallies. */
static void end_round(struct limiter *l)
{
    for (uint32_t i = 0; i < l->families_size; i++) {
        struct limiter_family *f = l->families[i];
        if (f != NULL && f->was_unused && !f->has_tallies && atomic_load(&f->uses) == 0)
            family_free(l, f);
    }
}

void limiter_families_sweep(struct limiter *l, struct limiter_now now)
{
    struct limits_local_now local = limiter_local_now(l, now);
    free_dead_sets(l);
    if (l->sweep_position == 0)
        begin_round(l);
    size_t most = tallies_is_crowded(l->tallies) ? SWEEP_MOST_CROWDED : SWEEP_MOST;
    for (; most > 0; most--) {
        struct tally *tally = tallies_next(l->tallies, &l->sweep_position);
        if (tally == NULL) {
            end_round(l);
            l->sweep_position = 0;
            return;
        }
        struct limiter_family *f = l->families[tally->family];
        bool is_over = l->leases != NULL ? limiter_lease_try_remove(l, tally)
                                         : limits_local_try_end(&tally->word, &f->spec, local);
        if (is_over)
            tallies_remove(l->tallies, tally);
        else
            f->has_tallies = true;
    }
}
