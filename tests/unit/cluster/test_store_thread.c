/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_thread.c - the thread, and links on it while another thread starts, reloads and stops
 * them.
 */
#include "cluster/store_thread.h"

#include <pthread.h>
#include <stdio.h>

#include "conf/base/mem.h"
#include "tests/unit/cluster/redis_server.h"
#include "tests/unit/gatewayd/cmocka_all.h"

struct trip {
    struct store_thread *thread;
    pthread_t where;
    bool is_back;
};

static void on_back(void *arg)
{
    struct trip *t = arg;
    t->is_back = true;
}

static void on_there(void *arg)
{
    struct trip *t = arg;
    t->where = pthread_self();
    mailbox_post_call(store_thread_control(t->thread), on_back, t);
}

static void mails_go_to_the_thread_and_back(void **state)
{
    struct loop *control = loop_new("control");
    struct mailbox *mailbox = mailbox_new(control);
    struct trip trip = { .thread = store_thread_new(mailbox) };
    store_thread_start(trip.thread);
    mailbox_post_call(store_thread_mailbox(trip.thread), on_there, &trip);
    while (!trip.is_back)
        loop_run_once(control, true);
    assert_false(pthread_equal(trip.where, pthread_self()));
    store_thread_stop(trip.thread);
    store_thread_stop(trip.thread); /* again: nothing */
    store_thread_free(&trip.thread);
    mailbox_free(&mailbox);
    loop_free(&control);
}

enum { CALLS = 100 };

struct calling {
    struct redis_story story;
    int ups;
    int answered;
    int other; /* answered otherwise */
    _Atomic bool is_over;
};

static void on_done(void *arg, const struct redis_result *result)
{
    struct calling *c = arg;
    if (result->outcome == REDIS_ANSWERED)
        c->answered++;
    else
        c->other++;
    atomic_store(&c->is_over, c->answered + c->other == CALLS);
}

static void on_up(void *arg, struct redis_link *link, bool is_up)
{
    struct calling *c = arg;
    static const struct text words[] = { TEXT("GET"), TEXT("{gatewayd}:n") };
    if (!is_up || c->ups++ > 0)
        return;
    for (int i = 0; i < CALLS; i++)
        redis_link_call(link, &(struct redis_call){ words, 2, 5000, on_done, c });
}

static void on_last(void *arg)
{
    struct calling *c = arg;
    static const struct text words[] = { TEXT("XREAD"),   TEXT("BLOCK"),        TEXT("60000"),
                                         TEXT("STREAMS"), TEXT("{gatewayd}:s"), TEXT("$") };
    redis_link_call(redis_link_of(c->story.redis, REDIS_CALLS),
                    &(struct redis_call){ words, 6, 90000, on_done, c });
}

static void links_live_on_the_thread_while_control_reloads_and_stops_them(void **state)
{
    struct redis_server_process server;
    struct calling c = { .ups = 0 };
    struct problems ps;
    redis_server_start(&server, "", NULL);
    redis_story_open_for(&c.story, &server, "");
    redis_watch(c.story.redis, REDIS_CALLS, on_up, &c);
    store_thread_start(c.story.thread);
    problems_init(&ps);
    while (!atomic_load(&c.is_over)) {
        redis_reload(c.story.redis, NULL, &ps);
        loop_run_once(c.story.control, false);
        struct timespec pause = { .tv_nsec = 2000000 };
        nanosleep(&pause, NULL);
    }
    assert_true(problems_is_empty(&ps));
    problems_fini(&ps);
    mailbox_post_call(store_thread_mailbox(c.story.thread), on_last, &c);
    store_thread_stop(c.story.thread);
    assert_int_equal(c.other, 0);
    redis_stop(c.story.redis);
    assert_int_equal(c.other, 1); /* what was waiting is answered by whoever stops */
    assert_int_equal(c.answered, CALLS);
    loop_run_once(c.story.control, false);
    redis_story_close(&c.story);
    redis_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mails_go_to_the_thread_and_back),
        cmocka_unit_test(links_live_on_the_thread_while_control_reloads_and_stops_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
