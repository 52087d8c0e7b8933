/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter_leases.c - leases of many buckets: workers wait for them, the port's thread owns them.
 *
 * A worker that wants something puts the lease on a stack and has the port's thread called; a
 * worker that waits for it leaves a bit in the lease and is called when the owner has heard. The
 * owner looks at a lease when it is wanted, answered, or when its slot of a wheel comes by.
 *
 * A lease is counted by waits, the stack, asks under way and the owner's look. When it has ended,
 * the keeper removes its tally and frees it once no worker can see it and nobody counts it.
 */
#include "conf/base/mem.h"
#include "gatewayd/policy/limiter_private.h"

#define SLOT_NS 10000000LL
#define SLOTS   1024
/* Who asks now and then lives on that for a while. Strangers may never be seen again. */
#define FIRST_WANT 10
#define NEW_MOST   1024 /* asks under way of buckets that are new or divided */

/* Of those, strangers: so many under way, so many a second. */
#define STRANGERS_MOST  512
#define STRANGERS_LOOKS 256      /* at one go */
#define STRANGERS_EACH  500000LL /* ns: 2000 a second */
#define LATER_NS        50000000LL
#define LATER_STRANGERS 2000000000LL

struct limiter_lease {
    struct lease lease;
    struct limiter *limiter;
    struct limiter_family *family;
    struct tally *tally; /* until it has ended */
    struct limiter_lease *next_wanted;
    _Atomic uint32_t uses;
    _Atomic uint32_t is_wanted;
    _Atomic uint64_t waiters; /* a bit for each worker, modulo 64 */
    struct list node;         /* in the wheel; the owner's */
    bool is_crowd;            /* of a limit's strangers: never ended */
    bool is_stranger;         /* its subject is one that peers choose */
    _Atomic bool must_leave;  /* control's word to the owner */
    bool is_leaving;          /* counted in leaving */
    bool is_new_asking;       /* its ask under way is counted in new_asking */
    size_t length;
    char identity[];
};

struct limiter_leases {
    _Atomic(struct limiter_lease *) wanted;
    _Atomic(struct limiter_lease *) wanted_strangers; /* new or divided ones: after the others */
    struct list *waits;                               /* of each worker */
    size_t workers;
    _Atomic uint64_t shared;
    _Atomic uint64_t divided;
    _Atomic uint64_t asks[LIMITS_OUTCOMES];
    _Atomic size_t leaving; /* leases that have not given back yet */
    /* The port's thread's. */
    struct turns_queue queue;
    struct limiter_lease *strangers; /* of those that were wanted, to be looked at yet */
    uint64_t seq;
    unsigned nodes;
    size_t new_asking;
    size_t strangers_asking; /* of them */
    int64_t strangers_at;    /* ns: asks of strangers are paid up to here */
    size_t later;            /* leases in the wheel */
    int64_t wheel_at;        /* slots before have been looked at */
    struct list wheel[SLOTS];
};

struct limiter_leases *limiter_leases_new(struct limiter *l)
{
    struct limiter_leases *ls = mem_new(sizeof(*ls));
    ls->workers = l->settings.workers > 0 ? l->settings.workers : l->settings.turns->count;
    ls->waits = mem_new_array(ls->workers + 1, sizeof(*ls->waits));
    for (size_t i = 0; i < ls->workers; i++)
        list_init(&ls->waits[i]);
    for (size_t i = 0; i < SLOTS; i++)
        list_init(&ls->wheel[i]);
    turns_queue_init(&ls->queue, l->settings.turns);
    ls->nodes = 1;
    return ls;
}

struct lease *limiter_lease_of(struct limiter_lease *ll)
{
    return &ll->lease;
}

/* ---- making and ending ---- */

static struct limiter_lease *lease_new(struct limiter *l, struct limiter_family *f,
                                       struct tally *tally)
{
    bool is_crowd = tally == &f->crowd;
    struct text subject = is_crowd ? TEXT_OF("*") : tally_subject(tally);
    size_t length = f->identity.length + 1 + subject.length;
    struct limiter_lease *ll = mem_new(sizeof(*ll) + length);
    lease_init(&ll->lease, &f->spec, &f->divided);
    ll->limiter = l;
    ll->family = f;
    ll->tally = tally;
    ll->is_crowd = is_crowd;
    ll->is_stranger = !is_crowd && tally->is_stranger;
    ll->lease.first_want = ll->is_stranger ? 0 : FIRST_WANT;
    list_init(&ll->node);
    ll->length = length;
    MUST(length <= LIMITER_IDENTITY_MOST);
    memcpy(ll->identity, f->identity.at, f->identity.length);
    ll->identity[f->identity.length] = '/';
    memcpy(ll->identity + f->identity.length + 1, subject.at, subject.length);
    atomic_fetch_add(&f->uses, 1);
    return ll;
}

static void lease_free(struct limiter_lease *ll)
{
    atomic_fetch_sub(&ll->family->uses, 1);
    MEM_FREE(&ll);
}

struct limiter_lease *limiter_lease_get(struct limiter *l, struct limiter_family *f,
                                        struct tally *tally)
{
    struct lease *found = atomic_load(&tally->lease);
    if (found == NULL) {
        struct limiter_lease *made = lease_new(l, f, tally);
        if (atomic_compare_exchange_strong(&tally->lease, &found, &made->lease))
            return made;
        lease_free(made);
    }
    return CONTAINER_OF(found, struct limiter_lease, lease);
}

static void free_unused(void *owner, uint64_t what)
{
    struct limiter_lease *ll = owner;
    if (atomic_load(&ll->uses) == 0 || ll->limiter->is_ending)
        lease_free(ll);
    else
        turns_retire(&ll->limiter->queue, free_unused, ll, 0);
}

bool limiter_lease_try_remove(struct limiter *l, struct tally *tally)
{
    struct lease *lease = atomic_load(&tally->lease);
    if (lease == NULL || atomic_load(&lease->mode) != LEASE_ENDED)
        return false;
    atomic_store(&tally->word, LIMITS_LOCAL_DEAD);
    turns_retire(&l->queue, free_unused, CONTAINER_OF(lease, struct limiter_lease, lease), 0);
    return true;
}

static void free_lease_of(struct tally *tally)
{
    struct lease *lease = atomic_exchange(&tally->lease, NULL);
    if (lease != NULL)
        lease_free(CONTAINER_OF(lease, struct limiter_lease, lease));
}

void limiter_leases_free(struct limiter *l)
{
    struct tally *tally;
    uint32_t position = 0;
    while ((tally = tallies_next(l->tallies, &position)) != NULL)
        free_lease_of(tally);
    for (uint32_t i = 0; i < l->families_size; i++) {
        if (l->families[i] != NULL)
            free_lease_of(&l->families[i]->crowd);
    }
    turns_queue_fini(&l->leases->queue);
    MEM_FREE(&l->leases->waits);
    MEM_FREE(&l->leases);
}

bool limiter_lease_memorise(struct tally *tally, struct lease_memory *out)
{
    const struct lease *lease = atomic_load(&tally->lease);
    return lease != NULL && lease_memorise(lease, out);
}

void limiter_leases_count(const struct limiter *l, struct limiter_counts *out)
{
    out->leased = atomic_load(&l->leases->shared);
    out->divided = atomic_load(&l->leases->divided);
    for (size_t i = 0; i < LIMITS_OUTCOMES; i++)
        out->asks[i] = atomic_load(&l->leases->asks[i]);
}

/* ---- workers ---- */

void limiter_lease_want(struct limiter_lease *ll)
{
    struct limiter *l = ll->limiter;
    if (atomic_exchange(&ll->is_wanted, 1) != 0)
        return;
    atomic_fetch_add(&ll->uses, 1);
    bool is_urgent = !ll->is_stranger || atomic_load(&ll->lease.mode) == LEASE_SHARED;
    _Atomic(struct limiter_lease *) *stack =
        is_urgent ? &l->leases->wanted : &l->leases->wanted_strangers;
    struct limiter_lease *top = atomic_load(stack);
    do {
        ll->next_wanted = top;
    } while (!atomic_compare_exchange_weak(stack, &top, ll));
    if (top == NULL)
        l->sharing.post_wanted(l->sharing.wanted_arg);
}

static uint64_t bit_of(size_t worker)
{
    return (uint64_t)1 << worker % 64;
}

void limiter_wait_init(struct limiter_wait *wait, limiter_answered_fn *on_answered)
{
    list_init(&wait->node);
    wait->on_answered = on_answered;
    wait->lease = NULL;
}

void limiter_lease_wait(struct limiter_lease *ll, size_t worker, struct limiter_wait *wait,
                        uint32_t answers)
{
    MUST(wait->lease == NULL && worker < ll->limiter->leases->workers);
    wait->lease = ll;
    wait->answers = answers;
    atomic_fetch_add(&ll->uses, 1);
    list_add_last(&ll->limiter->leases->waits[worker], &wait->node);
    atomic_fetch_or(&ll->waiters, bit_of(worker));
    limiter_lease_want(ll);
}

void limiter_stop_waiting(struct limiter *l, size_t worker, struct limiter_wait *wait)
{
    if (wait->lease == NULL)
        return;
    list_remove(&wait->node);
    atomic_fetch_sub(&wait->lease->uses, 1);
    wait->lease = NULL;
}

static bool is_answered(const struct limiter_wait *wait, size_t worker)
{
    return atomic_load(&wait->lease->lease.answers) != wait->answers ||
           (atomic_load(&wait->lease->waiters) & bit_of(worker)) == 0;
}

/* Those who go on are set aside first: one that goes on may wait again, or stop another. */
void limiter_on_answered(struct limiter *l, size_t worker)
{
    struct list ready;
    list_init(&ready);
    LIST_EACH_SAFE (node, following, &l->leases->waits[worker]) {
        struct limiter_wait *wait = LIST_ITEM(node, struct limiter_wait, node);
        if (!is_answered(wait, worker))
            continue;
        list_remove(node);
        list_add_last(&ready, node);
    }
    while (!list_is_empty(&ready)) {
        struct limiter_wait *wait = LIST_ITEM(ready.next, struct limiter_wait, node);
        limiter_stop_waiting(l, worker, wait);
        wait->on_answered(wait);
    }
}

/* ---- the owner ---- */

static void notify(struct limiter_lease *ll)
{
    struct limiter *l = ll->limiter;
    uint64_t waiters = atomic_exchange(&ll->waiters, 0);
    for (size_t i = 0; waiters != 0 && i < l->leases->workers; i++) {
        if ((waiters & bit_of(i)) != 0)
            l->sharing.post_answered(l->sharing.answered_arg, i);
    }
}

static void count_mode(struct limiter_leases *ls, uint8_t mode, int many)
{
    if (mode == LEASE_SHARED)
        atomic_fetch_add(&ls->shared, (uint64_t)many);
    if (mode == LEASE_DIVIDED)
        atomic_fetch_add(&ls->divided, (uint64_t)many);
}

/* To be saved. The tally lives: its lease has not ended. */
static void mark_quota(struct limiter_lease *ll)
{
    if (!ll->is_crowd && limits_local_spec_get(&ll->family->spec)->spec.kind == LIMIT_QUOTA)
        tallies_mark(ll->limiter->tallies, ll->tally);
}

static void changed_mode(struct limiter_lease *ll, uint8_t before)
{
    uint8_t after = atomic_load(&ll->lease.mode);
    if (before == after)
        return;
    mark_quota(ll);
    count_mode(ll->limiter->leases, before, -1);
    count_mode(ll->limiter->leases, after, 1);
}

static void unschedule(struct limiter_lease *ll)
{
    if (list_is_empty(&ll->node))
        return;
    list_remove(&ll->node);
    ll->limiter->leases->later--;
}

static void schedule(struct limiter_lease *ll, int64_t now, int64_t at)
{
    struct limiter_leases *ls = ll->limiter->leases;
    int64_t slots = (at - now + SLOT_NS - 1) / SLOT_NS;
    slots = slots < 1 ? 1 : slots > SLOTS - 2 ? SLOTS - 2 : slots;
    unschedule(ll);
    ls->later++;
    list_add_last(&ls->wheel[(now / SLOT_NS + slots) % SLOTS], &ll->node);
}

static void free_plain(void *owner, uint64_t what)
{
    MEM_FREE(&owner);
}

static void bring_divided_up_to_date(struct limiter_lease *ll)
{
    struct limiter_leases *ls = ll->limiter->leases;
    struct limiter_family *f = ll->family;
    const struct bucket_spec *whole = &limits_local_spec_get(&f->spec)->spec;
    struct bucket_spec part = lease_divided_spec(whole, ls->nodes, atomic_load(&f->cost));
    const struct limits_local_numbers *displaced;
    (void)limits_local_spec_set(&f->divided, &part, &displaced);
    if (displaced != NULL)
        turns_retire(&ls->queue, free_plain, (void *)displaced, 0);
}

/* ---- how many may ask ---- */

/* What serves already asks when it likes. What is new, or divided, has no hurry: many of them at
 * once (a flood of addresses, Redis back after a while) do not stand before the others. */
static bool may_ask(struct limiter_lease *ll, int64_t now)
{
    struct limiter_leases *ls = ll->limiter->leases;
    if (atomic_load(&ll->lease.mode) == LEASE_SHARED || ll->lease.is_asking)
        return true;
    if (ls->new_asking >= NEW_MOST)
        return false;
    return !ll->is_stranger || (ls->strangers_asking < STRANGERS_MOST && ls->strangers_at <= now);
}

static void count_asking(struct limiter_lease *ll, int64_t now)
{
    struct limiter_leases *ls = ll->limiter->leases;
    if (atomic_load(&ll->lease.mode) == LEASE_SHARED)
        return;
    ll->is_new_asking = true;
    ls->new_asking++;
    if (!ll->is_stranger)
        return;
    ls->strangers_asking++;
    int64_t earliest = now - STRANGERS_MOST * STRANGERS_EACH;
    ls->strangers_at = (ls->strangers_at > earliest ? ls->strangers_at : earliest) + STRANGERS_EACH;
}

static void count_answered(struct limiter_lease *ll)
{
    if (!ll->is_new_asking)
        return;
    ll->is_new_asking = false;
    ll->limiter->leases->new_asking--;
    ll->limiter->leases->strangers_asking -= ll->is_stranger;
}

static void on_answered(void *arg, uint64_t seq, const struct limits_answer *answer);

static void take_answer(struct limiter_lease *ll, uint64_t seq, const struct limits_answer *answer)
{
    struct limiter_leases *ls = ll->limiter->leases;
    uint8_t before = atomic_load(&ll->lease.mode);
    if (answer->nodes > 0)
        ls->nodes = answer->nodes;
    count_answered(ll);
    atomic_fetch_add_explicit(&ls->asks[answer->outcome], 1, memory_order_relaxed);
    if (answer->outcome == LIMITS_AWAY)
        bring_divided_up_to_date(ll);
    if (lease_on_answer(&ll->lease, seq, answer, limiter_read_now(ll->limiter)))
        notify(ll);
    changed_mode(ll, before);
    if (ll->lease.asked_told > 0)
        mark_quota(ll);
}

/* True: an answer came at once, look again. */
static bool ask_port(struct limiter_lease *ll, struct bucket_ask *ask)
{
    struct limiter *l = ll->limiter;
    struct limits_port *port = l->sharing.port;
    struct limits_answer answer;
    l->leases->seq = ask->seq;
    ask->holder = l->sharing.holder;
    ask->cost = atomic_load(&ll->family->cost);
    unschedule(ll);
    count_asking(ll, ll->lease.sent_at);
    atomic_fetch_add(&ll->uses, 1);
    if (port->type->ask(port, text_from(ll->identity, ll->length), ask, on_answered, ll, &answer))
        return false;
    take_answer(ll, ask->seq, &answer);
    atomic_fetch_sub(&ll->uses, 1);
    return answer.outcome != LIMITS_REFUSED;
}

static bool try_end(struct limiter_lease *ll, struct limits_local_now now)
{
    uint8_t before = atomic_load(&ll->lease.mode);
    struct limiter_leases *ls = ll->limiter->leases;
    unschedule(ll);
    atomic_fetch_add(&ll->uses, 1);
    bool is_over = !ll->is_crowd && lease_try_end(&ll->lease, now);
    if (is_over)
        count_mode(ls, before, -1);
    atomic_fetch_sub(&ll->uses, 1); /* the last touch if it is over */
    return is_over;
}

static void begin_divided(struct limiter_lease *ll, struct limits_local_now now)
{
    uint8_t before = atomic_load(&ll->lease.mode);
    bring_divided_up_to_date(ll);
    lease_divide(&ll->lease, now);
    changed_mode(ll, before);
    notify(ll);
}

static void put_off(struct limiter_lease *ll, struct limits_local_now now)
{
    if (atomic_load(&ll->lease.mode) == LEASE_NEW)
        begin_divided(ll, now);
    if (!try_end(ll, now))
        schedule(ll, now.ns, now.ns + (ll->is_stranger ? LATER_STRANGERS : LATER_NS));
}

static void begin_to_leave(struct limiter_lease *ll)
{
    if (!atomic_exchange(&ll->must_leave, false))
        return;
    ll->is_leaving = true;
    lease_leave(&ll->lease);
}

static void end_to_leave(struct limiter_lease *ll)
{
    if (ll->is_leaving)
        atomic_fetch_sub(&ll->limiter->leases->leaving, 1);
    ll->is_leaving = false;
}

static void look(struct limiter_lease *ll)
{
    struct limiter_leases *ls = ll->limiter->leases;
    struct limits_local_now now = limiter_read_now(ll->limiter);
    struct bucket_ask ask;
    int64_t next;
    begin_to_leave(ll);
    if (atomic_load(&ll->lease.mode) == LEASE_ENDED) {
        end_to_leave(ll);
        return;
    }
    if (!may_ask(ll, now.ns)) {
        put_off(ll, now);
        return;
    }
    while (lease_look(&ll->lease, now, ls->seq + 1, &ask, &next)) {
        if (!ask_port(ll, &ask) && ll->lease.is_asking)
            return;
        if (!ll->lease.is_asking && ll->lease.refusals > 0) {
            schedule(ll, now.ns, now.ns);
            return;
        }
    }
    if (ll->lease.is_asking)
        return;
    notify(ll); /* who came between an answer and an ask that was refused: no answer will come */
    end_to_leave(ll);
    if (!try_end(ll, now))
        schedule(ll, now.ns, next);
}

static void on_answered(void *arg, uint64_t seq, const struct limits_answer *answer)
{
    struct limiter_lease *ll = arg;
    take_answer(ll, seq, answer);
    if (answer->outcome == LIMITS_REFUSED) {
        int64_t now = limiter_read_now(ll->limiter).ns;
        schedule(ll, now, now);
    } else {
        look(ll);
    }
    atomic_fetch_sub(&ll->uses, 1);
}

/* Takes it off the list it is on; returns what followed it. */
static struct limiter_lease *look_at_wanted(struct limiter_lease *ll)
{
    struct limiter_lease *following = ll->next_wanted;
    atomic_store(&ll->is_wanted, 0);
    look(ll);
    /* Heard already, or ended: nobody waits for an answer that will not come. */
    if (!ll->lease.is_asking)
        notify(ll);
    atomic_fetch_sub(&ll->uses, 1);
    return following;
}

void limiter_on_wanted(struct limiter *l)
{
    struct limiter_leases *ls = l->leases;
    struct limiter_lease *ll = atomic_exchange(&ls->wanted, NULL);
    while (ll != NULL)
        ll = look_at_wanted(ll);
    for (int i = 0; i < STRANGERS_LOOKS; i++) {
        if (ls->strangers == NULL)
            ls->strangers = atomic_exchange(&ls->wanted_strangers, NULL);
        if (ls->strangers == NULL)
            return;
        ls->strangers = look_at_wanted(ls->strangers);
    }
    l->sharing.post_wanted(l->sharing.wanted_arg); /* the rest, after what else there is to do */
}

static void leave(struct limiter *l, struct tally *tally)
{
    struct lease *lease = atomic_load(&tally->lease);
    if (lease == NULL)
        return;
    struct limiter_lease *ll = CONTAINER_OF(lease, struct limiter_lease, lease);
    atomic_fetch_add(&l->leases->leaving, 1);
    atomic_store(&ll->must_leave, true);
    limiter_lease_want(ll);
}

void limiter_leave(struct limiter *l)
{
    struct tally *tally;
    uint32_t position = 0;
    while ((tally = tallies_next(l->tallies, &position)) != NULL)
        leave(l, tally);
    for (uint32_t i = 0; i < l->families_size; i++) {
        if (l->families[i] != NULL)
            leave(l, &l->families[i]->crowd);
    }
}

size_t limiter_leaving(const struct limiter *l)
{
    return atomic_load(&l->leases->leaving);
}

void limiter_recall(struct limiter *l)
{
    struct tally *tally;
    uint32_t position = 0;
    while ((tally = tallies_next(l->tallies, &position)) != NULL) {
        struct lease *lease = atomic_load(&tally->lease);
        if (lease != NULL)
            limiter_lease_want(CONTAINER_OF(lease, struct limiter_lease, lease));
    }
}

bool limiter_has_later(const struct limiter *l)
{
    return l->leases->later > 0;
}

void limiter_tick(struct limiter *l)
{
    struct limiter_leases *ls = l->leases;
    int64_t now = limiter_read_now(l).ns / SLOT_NS;
    if (ls->wheel_at < now - SLOTS + 1)
        ls->wheel_at = now - SLOTS + 1;
    for (; ls->wheel_at <= now; ls->wheel_at++) {
        struct list *slot = &ls->wheel[ls->wheel_at % SLOTS];
        struct list due;
        list_init(&due);
        while (!list_is_empty(slot)) {
            struct list *node = slot->next;
            list_remove(node);
            list_add_last(&due, node);
        }
        while (!list_is_empty(&due)) {
            struct limiter_lease *ll = LIST_ITEM(due.next, struct limiter_lease, node);
            unschedule(ll);
            look(ll);
        }
    }
    (void)turns_tidy(&ls->queue, SIZE_MAX);
}
