/* SPDX-License-Identifier: Apache-2.0 */
/* test_mailbox.c - mails arrive once each, in the order of their sender, on the loop's thread. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <pthread.h>

#include "gatewayd/core/mailbox.h"

enum { SENDERS = 4, MAILS = 20000 };

struct letter {
    struct mail mail;
    unsigned sender;
    unsigned number;
};

static struct loop *loop;
static struct mailbox *mailbox;
static struct letter letters[SENDERS][MAILS];
static unsigned next_number[SENDERS];
static unsigned received;
static pthread_t receiver;

static void receive(void *arg)
{
    struct letter *l = arg;
    assert_true(pthread_equal(pthread_self(), receiver));
    assert_int_equal(l->number, next_number[l->sender]);
    next_number[l->sender]++;
    if (++received == SENDERS * MAILS)
        loop_stop(loop);
}

static void *send_all(void *arg)
{
    unsigned sender = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < MAILS; i++) {
        struct letter *l = &letters[sender][i];
        l->sender = sender;
        l->number = i;
        mail_init(&l->mail, receive, l);
        mailbox_post(mailbox, &l->mail);
    }
    return NULL;
}

static void many_senders_one_receiver(void **state)
{
    pthread_t senders[SENDERS];
    receiver = pthread_self();
    loop = loop_new("test");
    mailbox = mailbox_new(loop);
    for (uintptr_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&senders[i], NULL, send_all, (void *)i), 0);
    loop_run(loop);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    assert_int_equal(received, SENDERS * MAILS);
    mailbox_free(&mailbox);
    loop_free(&loop);
}

static int calls;

static void count_call(void *arg)
{
    calls++;
}

static void post_once_more(void *arg)
{
    calls++;
    mailbox_post_call(mailbox, count_call, NULL);
}

static void the_owner_may_post_to_itself(void **state)
{
    calls = 0;
    loop = loop_new("test");
    mailbox = mailbox_new(loop);
    mailbox_post_call(mailbox, post_once_more, NULL);
    assert_int_equal(calls, 0);
    loop_run_once(loop, true);
    assert_int_equal(calls, 1);
    loop_run_once(loop, true);
    assert_int_equal(calls, 2);
    mailbox_free(&mailbox);
    loop_free(&loop);
}

static void what_is_left_is_delivered_at_the_end(void **state)
{
    calls = 0;
    loop = loop_new("test");
    mailbox = mailbox_new(loop);
    mailbox_post_call(mailbox, post_once_more, NULL);
    mailbox_free(&mailbox);
    assert_int_equal(calls, 2);
    loop_free(&loop);
}

/* A sleeping loop frees memory for those who wait for it: see loop.h. */
static _Atomic(int *) published;
static atomic_bool is_done;

static void read_published(void *arg)
{
    int *p = atomic_load(&published);
    if (p != NULL)
        assert_int_equal(*(volatile int *)p, 42);
    if (atomic_load(&is_done))
        loop_stop(loop);
    else
        mailbox_post_call(mailbox, read_published, NULL);
}

static void *run_reader(void *arg)
{
    loop_run(loop);
    return NULL;
}

static void replace_and_free(int *numbers, int i)
{
    int *old = atomic_exchange(&published, &numbers[(i + 1) % 2]);
    uint64_t turns = loop_turns(loop);
    while (!loop_has_passed(loop, turns))
        continue;
    if (old != NULL) {
        *old = 0; /* what free would do */
        *old = 42;
    }
}

static void nobody_reads_after_the_loop_has_passed(void **state)
{
    int numbers[2] = { 42, 42 };
    pthread_t reader;
    loop = loop_new("test");
    mailbox = mailbox_new(loop);
    mailbox_post_call(mailbox, read_published, NULL);
    assert_int_equal(pthread_create(&reader, NULL, run_reader, NULL), 0);
    for (int i = 0; i < 2000; i++)
        replace_and_free(numbers, i);
    atomic_store(&published, NULL);
    atomic_store(&is_done, true);
    pthread_join(reader, NULL);
    mailbox_free(&mailbox);
    loop_free(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_senders_one_receiver),
        cmocka_unit_test(the_owner_may_post_to_itself),
        cmocka_unit_test(what_is_left_is_delivered_at_the_end),
        cmocka_unit_test(nobody_reads_after_the_loop_has_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
