/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ha/hold_line.h"

static struct site_file site;

static int load(void **state)
{
    const char lines[] = "va 10.0.0.1/8 e home\n";
    char why[64];

    return site_file_parse(lines, strlen(lines), &site, why, sizeof(why)) ? 0 : 1;
}

static struct hold_line take(const char *line)
{
    struct hold_line out;

    assert_null(hold_line_parse(&site, line, strlen(line), &out));
    return out;
}

static void refuse(const char *line, const char *why)
{
    struct hold_line out;
    const char *got = hold_line_parse(&site, line, strlen(line), &out);

    assert_non_null(got);
    assert_string_equal(got, why);
}

static void four_requests_are_understood(void **state)
{
    assert_int_equal(take("hold va 300").ms, 300);
    assert_int_equal(take("hold va 1").verb, HOLD_LINE_HOLD);
    assert_int_equal(take("release va").verb, HOLD_LINE_RELEASE);
    assert_int_equal(take("reset").verb, HOLD_LINE_RESET);
    assert_int_equal(take("remove va").verb, HOLD_LINE_REMOVE);
    assert_ptr_equal(take("remove va").address, &site.items[0]);
}

static void nothing_else_is(void **state)
{
    const char *request = "a request is hold NAME MILLISECONDS, release NAME, remove NAME or reset";
    const char *ms = "milliseconds are 1 to 300";
    char line[200];

    refuse("", request);
    refuse("HOLD va 3", request);
    refuse(" hold va 3", request);
    refuse("flush", request);
    refuse("reset va", "there is more than one request in the line");
    refuse("hold", "a name is missing");
    refuse("hold ", request);
    refuse("hold vb 3", "there is no address of that name");
    refuse("hold 10.0.0.1 3", "there is no address of that name");
    refuse("hold va", ms);
    refuse("hold va 0", ms);
    refuse("hold va 301", ms);
    refuse("hold va -1", ms);
    refuse("hold va 99999999999", ms);
    refuse("hold va 3 }; flush ruleset", "there is more than one request in the line");
    refuse("release va 3", "there is more than one request in the line");
    memset(line, 'x', sizeof(line));
    line[199] = '\0';
    refuse(line, request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_requests_are_understood),
        cmocka_unit_test(nothing_else_is),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
