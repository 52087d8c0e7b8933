/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_lease_simulation.c - buckets, leases and a bad network, thousands of random hours of them.
 *
 * Nodes with clocks of their own speed take requests and lease tokens of one bucket. Asks and
 * answers are late (asks are carried out after their sender gave them up), lost, overtaken; nodes
 * crash and come back under their name; two processes of one name serve side by side while one
 * replaces the other; the bucket's clock is set back. Whatever happens, what is admitted in any
 * time t is at most burst + rate * t: a level that sinks at the rate and rises with each request
 * never passes burst. And the same with the bucket's accruing and subtracting swapped does pass it,
 * or the simulation would prove nothing.
 *
 * What may cost a burst each time costs no more: the bucket's memory is lost, kept, or replaced by
 * what a replica had of it some time ago; its clock is set forward. And while k of n nodes are cut
 * off the level sinks at (1 + k/n) of the rate. What a node memorised of a quota that it counts by
 * itself keeps a restart from costing anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/mem.h"
#include "gatewayd/policy/lease.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOW 10
#else
#define SLOW 1
#endif

#define MS           1000000ll
#define SECOND       1000000000ll
#define NODES_MOST   5
#define SPEED_MOST   1.02 /* of nodes' clocks */
#define WAITING_MOST 64
#define NOON         1709208000000 /* the wall clock when the simulation begins */

enum what {
    ARRIVAL,
    ASK,
    ANSWER,
    TIMEOUT,
    LOOK,
    CRASH,
    UPGRADE,
    DRAINED,
    STEP_BACK,
    STEP_ON,
    LOST,
    RESTARTED,
    COPIED,
    FAILED_OVER,
    CUT,
    HEALED
};

struct event {
    int64_t at; /* true time, ns */
    enum what what;
    unsigned node;
    unsigned incarnation;
    uint64_t seq;
    struct bucket_ask ask;
    struct limits_answer answer;
};

/* A process. */
struct node {
    struct lease lease;
    unsigned incarnation; /* 0: there is none */
    uint64_t seq;
    double speed; /* of its clock */
    int64_t offset;
    int64_t wall_offset; /* ms */
    double arrivals;     /* per second */
    double factor;       /* of them, now */
    int64_t factor_until;
    unsigned waiting;
    int64_t waiting_since[WAITING_MOST];
    bool is_cut_off;
};

struct faults {
    double lost;      /* of asks, and of answers */
    double late;      /* of either: up to 2 s */
    double crashes;   /* per second and node */
    double step_back; /* per second */
    double step_on;
    double upgrades;
    double losses;  /* of the bucket's memory, per second, of each of three kinds */
    double cuts;    /* per second and node, for up to 2 s */
    bool is_bursty; /* quiet times and floods */
    bool remembers; /* what was memorised is there after a crash */
};

struct world {
    uint64_t random;
    int64_t now;
    struct event *heap;
    size_t count;
    size_t size;
    struct bucket bucket;
    struct bucket copy; /* what a replica has */
    uint64_t run;
    int64_t forget_at; /* us of the bucket's clock */
    struct bucket_spec spec;
    struct limits_local_spec whole;
    struct limits_local_spec part;
    int64_t clock_offset;              /* of the bucket's clock, ns */
    unsigned bursts;                   /* that what happened may have cost */
    struct node nodes[2 * NODES_MOST]; /* and those that are being replaced */
    unsigned node_count;
    unsigned incarnations;
    unsigned divided;
    unsigned divided_most;
    unsigned begun_divided; /* never having heard of the bucket */
    int64_t window;         /* of a quota, and what was admitted in it */
    int64_t in_window;
    int64_t in_window_most;
    struct faults faults;
    int64_t cost;
    /* What was admitted. */
    int64_t admitted;
    uint64_t asks;
    double level;
    double level_most;
    int64_t level_at;
};

static struct world *w;

static uint64_t next_random(void)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static double uniform(void)
{
    return (double)(next_random() >> 11) / 9007199254740992.0;
}

static bool chance(double p)
{
    return uniform() < p;
}

/* ---- events ---- */

static void push(struct event e)
{
    if (w->count == w->size) {
        w->size = w->size == 0 ? 256 : w->size * 2;
        w->heap = mem_resize(w->heap, w->size * sizeof(*w->heap));
    }
    size_t i = w->count++;
    for (; i > 0 && w->heap[(i - 1) / 2].at > e.at; i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = e;
}

static struct event pop(void)
{
    struct event first = w->heap[0];
    struct event last = w->heap[--w->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->count)
            break;
        if (child + 1 < w->count && w->heap[child + 1].at < w->heap[child].at)
            child++;
        if (w->heap[child].at >= last.at)
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return first;
}

static int64_t delay(void)
{
    if (chance(w->faults.late))
        return (int64_t)(uniform() * 2 * SECOND);
    return (int64_t)((0.1 + uniform() * 2) * MS);
}

/* ---- clocks ---- */

static struct limits_local_now node_now(const struct node *n)
{
    int64_t ns = (int64_t)((double)w->now * n->speed) + n->offset;
    return (struct limits_local_now){ ns, NOON + w->now / MS + n->wall_offset };
}

static int64_t read_clock(void *arg)
{
    return node_now(arg).ns;
}

static int64_t bucket_now(void)
{
    return NOON * 1000 + (w->now + w->clock_offset) / 1000;
}

/* ---- a node ---- */

/* The level sinks at the rate, and by their parts of it for those who are divided. */
static void sink(void)
{
    double rate = 1 + SPEED_MOST * w->divided / w->node_count;
    double per_ms = w->spec.kind == LIMIT_QUOTA ? 0 : (double)w->spec.rate / (double)w->spec.per;
    double sunk = (double)(w->now - w->level_at) / 1e6 * per_ms * rate;
    w->level = w->level > sunk ? w->level - sunk : 0;
    w->level_at = w->now;
}

static void count_divided(void)
{
    w->divided = 0;
    for (unsigned i = 0; i < 2 * NODES_MOST; i++)
        w->divided += w->nodes[i].incarnation != 0 && w->nodes[i].lease.mode == LEASE_DIVIDED;
    if (w->divided > w->divided_most)
        w->divided_most = w->divided;
}

static void admit(int64_t cost)
{
    w->level += (double)cost;
    if (w->level > w->level_most)
        w->level_most = w->level;
    w->admitted += cost;
    if (w->spec.kind != LIMIT_QUOTA)
        return;
    int64_t window = quota_window(w->spec.period, bucket_now() / 1000).start;
    w->in_window = window == w->window ? w->in_window + cost : cost;
    w->window = window;
    if (w->in_window > w->in_window_most)
        w->in_window_most = w->in_window;
}

static void look(struct node *n);

static unsigned name_of(const struct node *n)
{
    return (unsigned)(n - w->nodes) % NODES_MOST;
}

/* NULL: it is no more. */
static struct node *process_of(const struct event *e)
{
    struct node *n = &w->nodes[e->node];
    if (e->incarnation != 0 && n->incarnation == e->incarnation)
        return n;
    n += NODES_MOST;
    return e->incarnation != 0 && n->incarnation == e->incarnation ? n : NULL;
}

static void send(struct node *n, const struct bucket_ask *ask)
{
    struct event e = { .node = name_of(n), .incarnation = n->incarnation, .seq = ask->seq };
    e.ask = *ask;
    e.ask.holder = (struct bucket_holder){ e.node, n->incarnation };
    e.ask.cost = w->cost;
    e.ask.not_after = bucket_now() + 500000;
    w->asks++;
    if (n->is_cut_off || !chance(w->faults.lost)) {
        e.what = ASK;
        e.at = w->now + delay();
        if (!n->is_cut_off)
            push(e);
    }
    e.what = TIMEOUT;
    /* Refused at once, or hanging. */
    e.at = w->now + (n->is_cut_off && chance(0.5) ? MS : 100 * MS);
    push(e);
}

static void take(struct node *n, int64_t since)
{
    struct lease_taking t = { .now = node_now(n), .clock = { read_clock, n }, .cost = w->cost };
    enum lease_answer answer = lease_take(&n->lease, &t);
    if (answer == LEASE_TAKEN && chance(0.02)) {
        lease_give(&n->lease, &t); /* another limit denied it */
    } else if (answer == LEASE_TAKEN) {
        admit(w->cost);
    } else if (answer == LEASE_WAIT && n->waiting < WAITING_MOST && w->now - since < SECOND) {
        n->waiting_since[n->waiting++] = since;
        lease_wait(&n->lease, w->cost);
    }
    if (t.wants)
        look(n);
}

static void retry_waiting(struct node *n)
{
    int64_t since[WAITING_MOST];
    unsigned count = n->waiting;
    memcpy(since, n->waiting_since, sizeof(since));
    n->waiting = 0;
    for (unsigned k = 0; k < count; k++)
        take(n, since[k]);
}

static void look(struct node *n)
{
    struct bucket_ask ask;
    int64_t next;
    struct limits_local_now now = node_now(n);
    if (lease_look(&n->lease, now, n->seq + 1, &ask, &next)) {
        n->seq++;
        send(n, &ask);
        return;
    }
    struct event e = { .what = LOOK, .node = name_of(n), .incarnation = n->incarnation };
    e.at = w->now + (int64_t)((double)(next - now.ns) / n->speed) + MS;
    if (next - now.ns < 5 * SECOND)
        push(e);
}

static void hear(const struct event *e, const struct limits_answer *answer)
{
    struct node *n = process_of(e);
    if (n == NULL)
        return;
    if (answer->outcome == LIMITS_AWAY && !n->lease.was_seen && n->lease.mode == LEASE_NEW)
        w->begun_divided++;
    if (lease_on_answer(&n->lease, e->seq, answer, node_now(n)))
        retry_waiting(n);
    look(n);
}

static void on_timeout(const struct event *e)
{
    struct node *n = process_of(e);
    if (n == NULL || !n->lease.is_asking || n->lease.seq != e->seq)
        return;
    struct limits_answer lost = { .nodes = w->node_count };
    lost.outcome = n->is_cut_off ? LIMITS_AWAY : LIMITS_REFUSED;
    hear(e, &lost);
}

static void start_node(unsigned i)
{
    struct node *n = &w->nodes[i];
    struct lease_memory memory;
    bool remembers =
        w->faults.remembers && n->incarnation != 0 && lease_memorise(&n->lease, &memory);
    n->incarnation = ++w->incarnations;
    n->waiting = 0;
    n->offset = (int64_t)(uniform() * 1000 * SECOND) + SECOND;
    n->wall_offset = (int64_t)(uniform() * 10000) - 5000;
    n->speed = 2 - SPEED_MOST + uniform() * 2 * (SPEED_MOST - 1);
    lease_init(&n->lease, &w->whole, &w->part);
    n->lease.first_want = 10;
    if (remembers) {
        lease_remember(&n->lease, &memory);
        look(n);
    }
}

/* The next process of its name starts, this one serves on for a while. */
static void upgrade(unsigned i)
{
    struct node *old = &w->nodes[i + NODES_MOST];
    if (old->incarnation != 0)
        return;
    memcpy(old, &w->nodes[i], sizeof(*old));
    start_node(i);
    push((struct event){ .at = w->now + (int64_t)(uniform() * 3 * SECOND),
                         .what = DRAINED,
                         .node = i,
                         .incarnation = old->incarnation });
}

/* ---- the world ---- */

/* ---- the bucket ---- */

static void copy_bucket(struct bucket *to, const struct bucket *from)
{
    bucket_fini(to);
    *to = *from;
    to->holds = mem_new_array(from->count + 1, sizeof(*to->holds));
    if (from->count > 0)
        memcpy(to->holds, from->holds, from->count * sizeof(*to->holds));
}

static void on_ask(struct event *e)
{
    struct limits_answer *a = &e->answer;
    a->nodes = w->node_count;
    a->run = w->run;
    if (bucket_now() >= w->forget_at)
        bucket_fini(&w->bucket);
    bool is_taken = bucket_ask(&w->bucket, &e->ask, bucket_now(), w->run, &a->bucket);
    a->outcome = is_taken ? LIMITS_ANSWERED : LIMITS_REFUSED;
    if (is_taken)
        w->forget_at = bucket_now() + bucket_keep_time(&w->bucket, &w->spec, bucket_now());
    struct node *n = process_of(e);
    if (chance(w->faults.lost) || (n != NULL && n->is_cut_off))
        return;
    e->what = ANSWER;
    e->at = w->now + delay();
    push(*e);
}

/* Another server, or the same one again: with nothing, with all of it, or with what there was. */
static void lose(enum what what)
{
    if (what == COPIED) {
        copy_bucket(&w->copy, &w->bucket);
        return;
    }
    if (what == LOST)
        bucket_fini(&w->bucket);
    if (what == FAILED_OVER)
        copy_bucket(&w->bucket, &w->copy);
    w->run++;
    w->bursts++;
}

static void arrive_next(unsigned i)
{
    static const double factors[] = { 0.02, 0.02, 0.5, 1, 8, 30 };
    struct node *n = &w->nodes[i];
    if (!w->faults.is_bursty) {
        n->factor = 1;
    } else if (w->now >= n->factor_until) {
        n->factor = factors[next_random() % 6];
        double time = n->factor > 1 ? 1 / n->factor : 1;
        time *= (double)w->spec.burst / (double)w->spec.rate;
        n->factor_until = w->now + (int64_t)(time * 4 * uniform() * SECOND);
    }
    double gap = 1.0 / (n->arrivals * n->factor) * (uniform() + uniform());
    int64_t most = n->factor_until > w->now ? n->factor_until - w->now + MS : INT64_MAX / 4;
    int64_t ns = (int64_t)(gap * SECOND);
    push((struct event){ .at = w->now + (ns < most ? ns : most), .what = ARRIVAL, .node = i });
}

static void cut(unsigned i, bool is_cut_off)
{
    w->nodes[i].is_cut_off = is_cut_off;
    w->nodes[i + NODES_MOST].is_cut_off = is_cut_off;
    if (is_cut_off)
        push((struct event){
            .at = w->now + (int64_t)(uniform() * 2 * SECOND), .what = HEALED, .node = i });
}

/* Of a name that two processes have, some go to the old one. */
static void arrive(unsigned i)
{
    struct node *old = &w->nodes[i + NODES_MOST];
    take(old->incarnation != 0 && chance(0.5) ? old : &w->nodes[i], w->now);
    arrive_next(i);
}

static void happen(struct event *e)
{
    struct node *n = process_of(e);
    switch (e->what) {
    case ARRIVAL:
        arrive(e->node);
        break;
    case ASK:
        on_ask(e);
        break;
    case ANSWER:
        hear(e, &e->answer);
        break;
    case TIMEOUT:
        on_timeout(e);
        break;
    case LOOK:
        if (n != NULL)
            look(n);
        break;
    case CRASH:
        start_node(e->node);
        break;
    case UPGRADE:
        upgrade(e->node);
        break;
    case DRAINED:
        if (n != NULL)
            n->incarnation = 0;
        break;
    case STEP_BACK:
        w->clock_offset -= (int64_t)(uniform() * 3 * SECOND);
        break;
    case STEP_ON:
        w->clock_offset += (int64_t)(uniform() * 30 * SECOND);
        w->bursts++;
        break;
    case LOST:
    case RESTARTED:
    case COPIED:
    case FAILED_OVER:
        lose(e->what);
        break;
    case CUT:
    case HEALED:
        cut(e->node, e->what == CUT);
        break;
    }
}

static void plan(enum what what, double per_second, int64_t duration)
{
    if (per_second <= 0)
        return;
    for (double at = uniform() / per_second; at * SECOND < (double)duration;
         at += 2 * uniform() / per_second)
        push((struct event){ .at = (int64_t)(at * SECOND),
                             .what = what,
                             .node = (unsigned)(next_random() % w->node_count) });
}

static void begin(uint64_t seed, struct bucket_spec spec, unsigned nodes, double load)
{
    w = mem_new(sizeof(*w));
    w->random = seed * 2654435769u + 88172645463325252u;
    w->spec = spec;
    w->node_count = nodes;
    w->cost = 1;
    w->run = 1;
    w->forget_at = INT64_MAX;
    bucket_init(&w->bucket);
    bucket_init(&w->copy);
    struct bucket_spec part = lease_divided_spec(&spec, nodes, 1);
    limits_local_spec_init(&w->whole, &spec);
    limits_local_spec_init(&w->part, &part);
    double weights = 0;
    for (unsigned i = 0; i < nodes; i++)
        weights += w->nodes[i].arrivals = 0.2 + uniform();
    for (unsigned i = 0; i < nodes; i++) {
        struct node *n = &w->nodes[i];
        double per_second = spec.kind == LIMIT_QUOTA ? (double)spec.burst / 10
                                                     : (double)spec.rate * 1000 / (double)spec.per;
        n->arrivals = n->arrivals / weights * per_second * load;
        start_node(i);
        arrive_next(i);
    }
}

static void run(int64_t duration)
{
    plan(CRASH, w->faults.crashes * w->node_count, duration);
    plan(STEP_BACK, w->faults.step_back, duration);
    plan(STEP_ON, w->faults.step_on, duration);
    plan(UPGRADE, w->faults.upgrades * w->node_count, duration);
    plan(CUT, w->faults.cuts * w->node_count, duration);
    plan(LOST, w->faults.losses, duration);
    plan(RESTARTED, w->faults.losses, duration);
    plan(COPIED, w->faults.losses * 3, duration);
    plan(FAILED_OVER, w->faults.losses, duration);
    while (w->count > 0 && w->heap[0].at < duration) {
        struct event e = pop();
        w->now = e.at;
        sink();
        happen(&e);
        count_divided();
    }
}

static void end(void)
{
    bucket_fini(&w->bucket);
    bucket_fini(&w->copy);
    limits_local_spec_fini(&w->whole);
    limits_local_spec_fini(&w->part);
    MEM_FREE(&w->heap);
    MEM_FREE(&w);
}

static struct bucket_spec any_spec(uint64_t seed)
{
    static const int64_t rates[] = { 2, 5, 20, 100, 500, 1000 };
    static const double bursts[] = { 0.1, 0.5, 1, 1, 2, 5 };
    uint64_t random = seed * 0x9e3779b97f4a7c15u;
    int64_t rate = rates[(random >> 20) % 6];
    int64_t burst = (int64_t)((double)rate * bursts[(random >> 40) % 6]);
    return (struct bucket_spec){
        .kind = LIMIT_RATE, .rate = rate, .per = 1000, .burst = burst > 0 ? burst : 1
    };
}

/* The level that nothing may pass: a burst, one more for each loss, and a part of one for each node
 * that is divided, or began so. */
static double allowed(void)
{
    const struct bucket_spec *part = &limits_local_spec_get(&w->part)->spec;
    return (double)w->spec.burst * (1 + w->bursts) +
           (double)part->burst * (w->divided_most + w->begun_divided);
}

/* The largest excess over that of all runs. */
static double excess_of(uint64_t first, unsigned runs, struct faults faults)
{
    double excess = -1e9;
    for (uint64_t seed = first; seed < first + runs; seed++) {
        struct bucket_spec spec = any_spec(seed);
        double per_second = (double)spec.rate;
        begin(seed, spec, 1 + (unsigned)(seed % NODES_MOST), 0.3 + (double)(seed % 7) * 0.4);
        w->faults = faults;
        w->cost = seed % 11 == 0 && spec.burst >= 10 ? 3 : 1;
        double seconds = 1500 / per_second;
        run((int64_t)((seconds < 3 ? 3 : seconds > 60 ? 60 : seconds) * SECOND));
        double over = w->level_most - allowed();
        if (over > excess)
            excess = over;
        if (getenv("SIMULATION_VERBOSE") != NULL && over > 1e-6)
            print_message("seed %llu: rate %lld burst %lld nodes %u: over by %f\n",
                          (unsigned long long)seed, (long long)spec.rate, (long long)spec.burst,
                          w->node_count, over);
        end();
    }
    return excess;
}

static const struct faults all_faults = {
    .lost = 0.05, .late = 0.05, .crashes = 0.1, .step_back = 0.1, .upgrades = 0.1, .is_bursty = true
};

static void never_more_than_burst_and_rate(void **state)
{
    struct faults none = { .is_bursty = true };
    struct faults lossy = { .lost = 0.3, .late = 0.3, .is_bursty = true };
    struct faults crashing = { .crashes = 1, .is_bursty = true };
    struct faults upgrading = { .upgrades = 1, .late = 0.1, .is_bursty = true };
    assert_true(excess_of(1, 500 / SLOW, none) < 1e-3);
    assert_true(excess_of(10001, 500 / SLOW, lossy) < 1e-3);
    assert_true(excess_of(20001, 500 / SLOW, crashing) < 1e-3);
    assert_true(excess_of(25001, 500 / SLOW, upgrading) < 1e-3);
    assert_true(excess_of(30001, 1500 / SLOW, all_faults) < 1e-3);
}

static void subtracting_before_accruing_admits_too_much(void **state)
{
    bucket_test_swap(true);
    double excess = excess_of(30001, 300, all_faults);
    bucket_test_swap(false);
    assert_true(excess > 0.5);
}

static void a_clock_set_forward_costs_one_burst_at_most(void **state)
{
    struct faults stepping = {
        .lost = 0.02, .late = 0.02, .step_on = 0.2, .step_back = 0.05, .is_bursty = true
    };
    assert_true(excess_of(40001, 300 / SLOW, stepping) < 1e-3);
}

static void a_memory_lost_costs_one_burst_at_most(void **state)
{
    struct faults losing = all_faults;
    losing.losses = 0.1;
    assert_true(excess_of(50001, 1000 / SLOW, losing) < 1e-3);
}

/* k of n nodes cut off now and then, for any time: (1 + k/n) of the rate while they are, and what
 * was there before. */
static void partitions_divide_the_limit(void **state)
{
    struct faults cutting = { .cuts = 0.5, .late = 0.02, .lost = 0.02, .is_bursty = true };
    struct faults everything = all_faults;
    everything.cuts = 0.3;
    everything.losses = 0.05;
    everything.step_on = 0.05;
    assert_true(excess_of(60001, 1000 / SLOW, cutting) < 1e-3);
    assert_true(excess_of(70001, 1000 / SLOW, everything) < 1e-3);
}

/* Over the end of a window, on nodes whose clocks are 5 s apart. */
static void no_window_of_a_quota_holds_more(void **state)
{
    int64_t admitted = 0;
    int64_t allowed = 0;
    for (uint64_t seed = 1; seed <= 400 / SLOW; seed++) {
        int64_t quota = (int64_t[]){ 1, 10, 100, 2000 }[seed % 4];
        struct bucket_spec spec = { .kind = LIMIT_QUOTA, .burst = quota, .period = LIMIT_HOUR };
        begin(seed, spec, 1 + (unsigned)(seed % NODES_MOST), 1);
        w->clock_offset = 3570 * SECOND; /* half a minute before the next */
        w->faults = all_faults;
        w->faults.step_back = 0;
        w->faults.is_bursty = false;
        w->faults.crashes = 0.02; /* each loses what was held until the window ends */
        run(60 * SECOND);
        assert_true(w->in_window_most <= quota);
        admitted += quota >= 100 ? w->admitted : 0;
        allowed += quota >= 100 ? 2 * quota : 0;
        end();
    }
    print_message("%.1f %% of quotas used\n", 100 * (double)admitted / (double)allowed);
    assert_true((double)admitted >= 0.8 * (double)allowed); /* crashes lose some */
}

/* All nodes go by themselves and crash again and again. Answers with how much more than the quota
 * they let in. */
static int64_t begin_restarts(uint64_t seed, bool remembers)
{
    static const int64_t quotas[] = { 10, 100, 2000 };
    unsigned nodes = 1 + (unsigned)(seed % NODES_MOST);
    struct bucket_spec spec = { .kind = LIMIT_QUOTA, .period = LIMIT_DAY };
    spec.burst = quotas[seed % 3];
    begin(seed, spec, nodes, 4);
    w->faults = (struct faults){ .crashes = 0.5, .remembers = remembers };
    for (unsigned i = 0; i < nodes; i++) {
        w->nodes[i].is_cut_off = true;
        push((struct event){ .at = 11 * SECOND, .what = HEALED, .node = i });
    }
    run(10 * SECOND);
    w->faults.crashes = 0;
    return w->admitted - spec.burst;
}

/* And when the bucket is reached again it knows of everything. */
static void a_restart_gives_no_quota_twice(void **state)
{
    int64_t forgetful = 0;
    for (uint64_t seed = 1; seed <= 300 / SLOW; seed++) {
        int64_t held = 0;
        assert_true(begin_restarts(seed, true) <= 0);
        run(20 * SECOND);
        for (size_t i = 0; i < w->bucket.count; i++)
            held += w->bucket.holds[i].held;
        assert_true(w->bucket.tokens >= w->admitted);
        assert_true(w->bucket.tokens - held <= w->admitted);
        end();
        int64_t over = begin_restarts(seed, false);
        forgetful = over > forgetful ? over : forgetful;
        end();
    }
    assert_true(forgetful > 0); /* or it would prove nothing */
}

static void what_there_is_is_used(void **state)
{
    static const int64_t rates[] = { 5, 50, 500, 5000 };
    struct faults none = { 0 };
    for (size_t r = 0; r < 4; r++) {
        for (unsigned nodes = 1; nodes <= 4; nodes++) {
            struct bucket_spec spec = {
                .kind = LIMIT_RATE, .rate = rates[r], .per = 1000, .burst = rates[r]
            };
            double seconds = r == 0 ? 300 : r == 1 ? 60 : 20;
            begin(nodes * 100 + r, spec, nodes, 2.0);
            w->faults = none;
            run((int64_t)(seconds * SECOND));
            double used = (double)w->admitted / ((double)spec.rate * seconds + (double)spec.burst);
            double calls = (double)w->asks / (double)w->admitted;
            print_message("rate %lld, %u nodes: %.1f %% used, %.3f asks for each request\n",
                          (long long)spec.rate, nodes, used * 100, calls);
            assert_true(used >= 0.97);
            end();
        }
    }
}

static double asks_for_each(struct bucket_spec spec, unsigned nodes, double load, double seconds)
{
    begin(nodes * 1000 + (uint64_t)(load * 100), spec, nodes, load);
    run((int64_t)(seconds * SECOND));
    double asks = (double)w->asks / (double)w->admitted;
    print_message("rate %lld burst %lld, %u nodes, load %.2f: %.4f asks for each request\n",
                  (long long)spec.rate, (long long)spec.burst, nodes, load, asks);
    end();
    return asks;
}

static void round_trips_are_few(void **state)
{
    static const int64_t rates[] = { 1000, 5000, 50000 };
    static const double loads[] = { 0.3, 0.9, 2, 10 };
    for (size_t r = 0; r < 3; r++) {
        for (size_t i = 0; i < 4; i++) {
            struct bucket_spec spec = {
                .kind = LIMIT_RATE, .rate = rates[r], .per = 1000, .burst = rates[r] / 2
            };
            double seconds = rates[r] > 5000 || loads[i] > 2 ? 2 : 20;
            assert_true(asks_for_each(spec, 2, loads[i], seconds) < 0.05);
            assert_true(asks_for_each(spec, 4, loads[i], seconds) < 0.05);
        }
    }
    /* One of many consumers, who asks twice a second. */
    struct bucket_spec calm = { .kind = LIMIT_RATE, .rate = 100, .per = 1000, .burst = 100 };
    assert_true(asks_for_each(calm, 1, 0.02, 20) < 0.2);
    assert_true(asks_for_each(calm, 2, 0.02, 20) < 0.2);
    assert_true(asks_for_each(calm, 2, 0.02, 200) < 0.2);
}

/* k of n nodes cut off all the time: at most (1 + k/n) * rate, and those still work. */
static void cut_off_nodes_divide_the_limit(void **state)
{
    for (unsigned cut = 1; cut <= 3; cut++) {
        struct bucket_spec spec = { .kind = LIMIT_RATE, .rate = 100, .per = 1000, .burst = 100 };
        begin(cut, spec, 3, 6.0);
        for (unsigned i = 0; i < cut; i++)
            w->nodes[i].is_cut_off = true;
        run(60 * SECOND);
        double rate = (double)w->admitted / 60;
        double allowed = cut == 3 ? 100 : 100 * (1 + cut / 3.0);
        assert_true(rate <= allowed + 2 * 100.0 / 60 + 1);
        assert_true(rate >= allowed * 0.9);
        end();
    }
}

/* Cut off for half a second again and again: no fresh burst each time. */
static void flapping_brings_no_fresh_bursts(void **state)
{
    struct bucket_spec spec = { .kind = LIMIT_RATE, .rate = 10, .per = 1000, .burst = 100 };
    begin(7, spec, 2, 20.0);
    for (int flap = 1; flap <= 60; flap++) {
        w->nodes[0].is_cut_off = flap % 2 == 1;
        run(flap * SECOND / 2);
    }
    /* 30 s, half of the time one of two nodes by itself. */
    double most = 100 + 10 * 30 * (1 + 0.5 * 0.75);
    assert_true((double)w->admitted <= most + 60);
    assert_true((double)w->admitted >= 300);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_more_than_burst_and_rate),
        cmocka_unit_test(subtracting_before_accruing_admits_too_much),
        cmocka_unit_test(a_clock_set_forward_costs_one_burst_at_most),
        cmocka_unit_test(a_memory_lost_costs_one_burst_at_most),
        cmocka_unit_test(partitions_divide_the_limit),
        cmocka_unit_test(no_window_of_a_quota_holds_more),
        cmocka_unit_test(a_restart_gives_no_quota_twice),
        cmocka_unit_test(what_there_is_is_used),
        cmocka_unit_test(round_trips_are_few),
        cmocka_unit_test(cut_off_nodes_divide_the_limit),
        cmocka_unit_test(flapping_brings_no_fresh_bursts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
