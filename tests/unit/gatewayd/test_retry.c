/* SPDX-License-Identifier: Apache-2.0 */
/* retry.c: what may be sent again, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gatewayd/exchange/retry.h"

#define ALL                                                                                        \
    (UPSTREAM_RETRY_CONNECT | UPSTREAM_RETRY_RESET | UPSTREAM_RETRY_502 | UPSTREAM_RETRY_503 |     \
     UPSTREAM_RETRY_504)

static struct retry_case failed(enum up_failure failure, bool is_idempotent)
{
    return (struct retry_case){
        .failure = failure,
        .is_idempotent = is_idempotent,
        .can_send_again = true,
        .tries_left = 1,
        .on = ALL,
    };
}

static struct retry_case answered(unsigned status, bool is_idempotent)
{
    struct retry_case c = failed(0, is_idempotent);
    c.has_status = true;
    c.status = status;
    return c;
}

static void expect(struct retry_case c, enum retry wanted)
{
    assert_int_equal(retry_decide(&c), wanted);
}

static void idempotent_requests_are_tried_elsewhere(void **state)
{
    expect(failed(UP_CONNECT_REFUSED, true), RETRY_OTHER);
    expect(failed(UP_CONNECT_TIMEOUT, true), RETRY_OTHER);
    expect(failed(UP_TLS, true), RETRY_OTHER);
    expect(failed(UP_RESET, true), RETRY_OTHER);
    expect(failed(UP_TIMEOUT, true), RETRY_OTHER);
    expect(failed(UP_MALFORMED, true), RETRY_OTHER);
    expect(answered(502, true), RETRY_OTHER);
    expect(answered(503, true), RETRY_OTHER);
    expect(answered(504, true), RETRY_OTHER);
    expect(answered(500, true), RETRY_NO);
    expect(answered(200, true), RETRY_NO);
}

static void others_only_if_nobody_can_have_read_them(void **state)
{
    expect(failed(UP_CONNECT_REFUSED, false), RETRY_OTHER);
    expect(failed(UP_CONNECT_TIMEOUT, false), RETRY_OTHER);
    expect(failed(UP_TLS, false), RETRY_OTHER);
    expect(failed(UP_RESET, false), RETRY_NO);
    expect(failed(UP_TIMEOUT, false), RETRY_NO);
    expect(failed(UP_MALFORMED, false), RETRY_NO);
    expect(answered(503, false), RETRY_NO);
}

static void a_stale_connection_is_no_try(void **state)
{
    struct retry_case c = failed(UP_STALE, false);

    c.tries_left = 0;
    c.on = 0;
    expect(c, RETRY_FRESH);
    c.was_fresh = true;
    expect(c, RETRY_NO);
}

static void never_after_something_was_sent_on(void **state)
{
    struct retry_case c = failed(UP_CONNECT_REFUSED, true);

    c.is_answering = true;
    expect(c, RETRY_NO);
    c = failed(UP_STALE, true);
    c.is_answering = true;
    expect(c, RETRY_NO);
    expect(failed(UP_TRUNCATED, true), RETRY_NO);
    expect(failed(UP_IDLE, true), RETRY_NO);
}

static void never_with_a_body_that_is_gone(void **state)
{
    struct retry_case c = failed(UP_RESET, true);

    c.can_send_again = false;
    expect(c, RETRY_NO);
    c = failed(UP_STALE, true);
    c.can_send_again = false;
    expect(c, RETRY_NO);
}

static void only_what_the_upstream_lists_and_as_often_as_it_says(void **state)
{
    struct retry_case c = failed(UP_RESET, true);

    c.on = ALL & ~(uint32_t)UPSTREAM_RETRY_RESET;
    expect(c, RETRY_NO);
    c.on = UPSTREAM_RETRY_RESET;
    expect(c, RETRY_OTHER);
    c.tries_left = 0;
    expect(c, RETRY_NO);
    c = answered(503, true);
    c.on = UPSTREAM_RETRY_502;
    expect(c, RETRY_NO);
}

static unsigned take_all(struct retry_budget *b, int64_t percent, uint64_t now)
{
    unsigned taken = 0;

    while (retry_budget_try_take(b, percent, now))
        taken++;
    return taken;
}

static void a_budget_is_a_share_of_requests(void **state)
{
    struct retry_budget b = { 0 };

    retry_budget_on_request(&b, 20, 1000);
    assert_int_equal(take_all(&b, 20, 1000), 10); /* a few to begin with */
    for (int i = 0; i < 50; i++)
        retry_budget_on_request(&b, 20, 1000);
    assert_int_equal(take_all(&b, 20, 1000), 10);
    for (int i = 0; i < 100000; i++)
        retry_budget_on_request(&b, 20, 1000);
    assert_int_equal(take_all(&b, 20, 1000), 100); /* no hoard */
}

static void a_quiet_upstream_may_be_retried(void **state)
{
    struct retry_budget b = { 0 };

    take_all(&b, 1, 1000);
    assert_false(retry_budget_try_take(&b, 1, 1500));
    assert_true(retry_budget_try_take(&b, 1, 2000));
    assert_false(retry_budget_try_take(&b, 1, 2900));
    assert_int_equal(take_all(&b, 1, 3600 * 1000), 10);
    assert_false(retry_budget_try_take(&(struct retry_budget){ 0 }, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idempotent_requests_are_tried_elsewhere),
        cmocka_unit_test(others_only_if_nobody_can_have_read_them),
        cmocka_unit_test(a_stale_connection_is_no_try),
        cmocka_unit_test(never_after_something_was_sent_on),
        cmocka_unit_test(never_with_a_body_that_is_gone),
        cmocka_unit_test(only_what_the_upstream_lists_and_as_often_as_it_says),
        cmocka_unit_test(a_budget_is_a_share_of_requests),
        cmocka_unit_test(a_quiet_upstream_may_be_retried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
