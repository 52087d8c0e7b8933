/* SPDX-License-Identifier: Apache-2.0 */
/* test_balancer_threads.c - many workers, one fleet: no seat too many, no ejection too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/route/outlier.h"
#include "tests/unit/gatewayd/fleet_fixture.h"

#define THREADS 2 /* a fleet of the fixture has two workers */
#define PICKS   20000
#define MAXIMUM 3

struct worker {
    pthread_t thread;
    unsigned number;
    struct fleet_fixture *f;
    unsigned picked;
    unsigned full;
    unsigned too_many;
};

static void pick_once(struct worker *w, struct balancer_ask *ask)
{
    struct target *t;

    switch (balancer_pick(w->f->fleet, ask, &t)) {
    case BALANCER_PICKED:
        w->picked++;
        w->too_many += atomic_load(&t->in_flight) > MAXIMUM;
        if (w->picked % 3 == 0)
            sched_yield();
        target_give(t);
        target_unref(&t);
        break;
    case BALANCER_ALL_FULL:
        w->full++;
        break;
    case BALANCER_NO_TARGET:
    case BALANCER_ALL_DOWN:
        abort();
    }
}

static void *pick_all(void *arg)
{
    struct worker *w = arg;
    struct balancer_random random = { .state = w->number + 1 };
    struct balancer_ask ask = { .worker = w->number, .now = w->f->now, .random = &random };

    for (unsigned i = 0; i < PICKS; i++) {
        ask.has_key = true;
        ask.key = i;
        pick_once(w, &ask);
    }
    return NULL;
}

static void *fail_all(void *arg)
{
    struct worker *w = arg;

    for (unsigned i = 0; i < PICKS; i++) {
        const struct fleet *fleet = w->f->fleet;
        struct target *t = fleet->members[(i + w->number) % fleet->member_count].target;

        (void)outlier_on_failure(fleet, t, w->f->now + i / 10);
    }
    return NULL;
}

static void run(struct worker workers[THREADS], struct fleet_fixture *f, void *(*fn)(void *))
{
    memset(workers, 0, THREADS * sizeof(*workers));
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        workers[i].f = f;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, fn, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
}

#define TARGETS                                                                                    \
    "'targets':[{'address':'10.0.0.1:80'},{'address':'10.0.0.2:80'},{'address':'10.0.0.3:80'},"    \
    "{'address':'10.0.0.4:80'}]"

static void no_seat_is_given_twice(void **state)
{
    static const char *const ways[] = {
        "{'name':'u','balance':'round_robin','max_connections':3," TARGETS "}",
        "{'name':'u','balance':'least_requests','max_connections':3," TARGETS "}",
        "{'name':'u','balance':'random_two','max_connections':3," TARGETS "}",
        "{'name':'u','balance':'hash','hash_on':'path','max_connections':3," TARGETS "}",
    };

    for (unsigned w = 0; w < ARRAY_LENGTH(ways); w++) {
        struct worker workers[THREADS];
        struct fleet_fixture f;

        fleet_fixture_init(&f, ways[w]);
        run(workers, &f, pick_all);
        for (unsigned i = 0; i < THREADS; i++) {
            assert_int_equal(workers[i].too_many, 0);
            assert_int_equal(workers[i].picked + workers[i].full, PICKS);
        }
        for (unsigned i = 0; i < f.fleet->member_count; i++)
            assert_int_equal(f.fleet->members[i].target->in_flight, 0);
        fleet_fixture_fini(&f);
    }
}

static void no_more_than_allowed_are_ejected(void **state)
{
    struct worker workers[THREADS];
    struct fleet_fixture f;

    fleet_fixture_init(&f, "{'name':'u','outlier':{'failures':3,'eject_for':'1s'}," TARGETS "}");
    run(workers, &f, fail_all);
    assert_in_range(outlier_count(f.fleet, f.now + PICKS / 10), 0, 2);
    assert_true(f.fleet->members[0].target->failures > 0);
    fleet_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_seat_is_given_twice),
        cmocka_unit_test(no_more_than_allowed_are_ejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
