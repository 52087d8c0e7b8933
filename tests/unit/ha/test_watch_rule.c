/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ha/watch_rule.h"

static struct watch_rule rule;

static void answer(int first, int second)
{
    int weights[] = { first, second };
    watch_rule_on_answer(&rule, weights);
}

static void everything_is_a_fault_until_there_is_an_answer(void **state)
{
    watch_rule_init(&rule, 2);
    assert_true(watch_rule_is_due(&rule, 0, false, 0));
    assert_true(watch_rule_is_due(&rule, 0, true, 0));
    assert_false(watch_rule_is_due(&rule, 0, true, WATCH_RULE_FAULT));
    answer(0, -100);
    assert_true(watch_rule_is_due(&rule, 0, true, WATCH_RULE_FAULT));
    assert_int_equal(rule.weights[1], -100);
}

static void silence_is_a_fault_at_once_and_three_answers_end_it(void **state)
{
    watch_rule_init(&rule, 2);
    answer(0, 0);
    watch_rule_on_silence(&rule);
    assert_int_equal(rule.weights[0], WATCH_RULE_FAULT);
    assert_true(watch_rule_is_due(&rule, 0, true, 0));
    answer(0, 0);
    answer(0, 0);
    assert_true(rule.is_fault);
    assert_int_equal(rule.weights[0], WATCH_RULE_FAULT);
    answer(0, 0);
    assert_false(rule.is_fault);
    assert_int_equal(rule.weights[0], 0);
    /* One that comes between counts from the beginning. */
    watch_rule_on_silence(&rule);
    answer(0, 0);
    answer(0, 0);
    watch_rule_on_silence(&rule);
    answer(0, 0);
    answer(0, 0);
    assert_true(rule.is_fault);
}

static void an_answer_from_before_does_not_undo_what_the_gateway_wrote(void **state)
{
    watch_rule_init(&rule, 2);
    answer(0, 0);
    assert_false(watch_rule_is_due(&rule, 0, true, 0));
    /* It has written -254 itself; this answer was on its way. */
    answer(0, 0);
    assert_false(watch_rule_is_due(&rule, 0, true, WATCH_RULE_FAULT));
    /* The next one says it too: nothing to do. */
    answer(WATCH_RULE_FAULT, 0);
    assert_false(watch_rule_is_due(&rule, 0, true, WATCH_RULE_FAULT));
    /* Somebody else wrote: two answers say otherwise. */
    answer(WATCH_RULE_FAULT, 0);
    assert_false(watch_rule_is_due(&rule, 0, true, 0));
    answer(WATCH_RULE_FAULT, 0);
    assert_true(watch_rule_is_due(&rule, 0, true, 0));
}

static struct site_file site;

static bool parse(const char *text, int *weights)
{
    return watch_rule_parse(&site, text, strlen(text), weights);
}

static void answers_are_read_strictly(void **state)
{
    const char lines[] = "va 10.0.0.1/8 e home\nvb 10.0.0.2/8 e home\n";
    int weights[SITE_FILE_MOST];
    char why[64];

    assert_true(site_file_parse(lines, strlen(lines), &site, why, sizeof(why)));
    assert_true(parse("vb -100\nva 0\n", weights));
    assert_int_equal(weights[0], 0);
    assert_int_equal(weights[1], -100);
    assert_true(parse("vx 7\nva -254\nvb 254", weights));
    /* One that the gateway does not know, yet, is at fault; the others are not. */
    assert_true(parse("va 0\nva 7\n", weights));
    assert_int_equal(weights[0], 0);
    assert_int_equal(weights[1], WATCH_RULE_FAULT);
    assert_true(parse("", weights));
    assert_int_equal(weights[0], WATCH_RULE_FAULT);
    assert_false(parse("va 0\nvb -255\n", weights));
    assert_false(parse("va 0\nvb\n", weights));
    assert_false(parse("va 0\nvb 1x\n", weights));
    assert_false(parse("va 0\nvb --1\n", weights));
    assert_false(parse("va 0\nvb \n", weights));
}

static void who_waits_for_the_processor_does_not_hang(void **state)
{
    const uint64_t ms = 1000000;
    struct watch_pace before = { .run_ns = 5000 * ms, .state = 'S' };
    struct watch_pace waits = { .run_ns = 5020 * ms, .state = 'R' };
    struct watch_pace runs = { .run_ns = 5190 * ms, .state = 'R' };
    struct watch_pace stopped = { .run_ns = 5000 * ms, .state = 'T' };
    struct watch_pace asleep = { .run_ns = 5000 * ms, .state = 'S' };
    struct watch_pace unknown = { 0 };

    assert_true(watch_rule_is_starved(&before, &waits, 200));
    assert_false(watch_rule_is_starved(&before, &runs, 200));
    assert_false(watch_rule_is_starved(&before, &stopped, 200));
    assert_false(watch_rule_is_starved(&before, &asleep, 200));
    assert_false(watch_rule_is_starved(&unknown, &waits, 200));
    assert_false(watch_rule_is_starved(&before, &unknown, 200));
    /* Not for ever. */
    assert_true(watch_rule_is_starved(&before, &waits, WATCH_RULE_STARVED_MS - 1));
    assert_false(watch_rule_is_starved(&before, &waits, WATCH_RULE_STARVED_MS));
}

static void what_the_kernel_tells_is_read(void **state)
{
    struct watch_pace pace = { .run_ns = 7, .state = 'x' };

    assert_true(watch_rule_parse_pace("12 (a) R (b)) S 1 12\n", "123456789012 5 3\n", &pace));
    assert_int_equal(pace.state, 'S');
    assert_int_equal(pace.run_ns, 123456789012);
    assert_false(watch_rule_parse_pace("", "1 2 3\n", &pace));
    assert_false(watch_rule_parse_pace("12 (a)", "1 2 3\n", &pace));
    assert_false(watch_rule_parse_pace("12 (a) ", "1 2 3\n", &pace));
    assert_false(watch_rule_parse_pace("12 (a) R", "", &pace));
    assert_int_equal(pace.run_ns, 123456789012);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_a_fault_until_there_is_an_answer),
        cmocka_unit_test(silence_is_a_fault_at_once_and_three_answers_end_it),
        cmocka_unit_test(an_answer_from_before_does_not_undo_what_the_gateway_wrote),
        cmocka_unit_test(answers_are_read_strictly),
        cmocka_unit_test(who_waits_for_the_processor_does_not_hang),
        cmocka_unit_test(what_the_kernel_tells_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
