/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ha/site_file.h"

static struct site_file site;

static void refuse(const char *text, const char *sentence)
{
    char why[256] = "";

    assert_false(site_file_parse(text, strlen(text), &site, why, sizeof(why)));
    assert_string_equal(why, sentence);
}

static void lines_are_addresses(void **state)
{
    const char text[] = "# comment\n\nva 10.0.0.100/24 eth0 home # mine\r\n"
                        "  vb\t2001:DB8::64/64 bond0.12 guest";
    char why[256];

    assert_true(site_file_parse(text, strlen(text), &site, why, sizeof(why)));
    assert_int_equal(site.count, 2);
    assert_string_equal(site.items[0].text, "10.0.0.100");
    assert_string_equal(site.items[1].text, "2001:db8::64");
    assert_int_equal(site.items[1].length, 64);
    assert_true(site.items[0].is_home);
    assert_string_equal(site_file_find(&site, "vb")->interface, "bond0.12");
    assert_null(site_file_find(&site, "v"));
}

static void everything_else_is_refused(void **state)
{
    const char *line = "line 1: a line is NAME ADDRESS/LENGTH INTERFACE home|guest";
    char why[256];

    refuse("va 10.0.0.1/24 eth0\n", line);
    refuse("va 10.0.0.1/24 eth0 home x\n", line);
    refuse("\nv/a 10.0.0.1/24 eth0 home\n",
           "line 2: a name is 1 to 63 of a-z, 0-9 and -, not beginning with -");
    refuse("va 10.0.0.1/024 eth0 home\n", "line 1: an address is IPv4/LENGTH or IPv6/LENGTH");
    refuse("va 10.0.0.1/33 eth0 home\n", "line 1: an address is IPv4/LENGTH or IPv6/LENGTH");
    refuse("va 10.0.0.1;x/24 eth0 home\n", "line 1: an address is IPv4/LENGTH or IPv6/LENGTH");
    refuse("va 10.0.0.1/24 ../eth0 home\n",
           "line 1: an interface is 1 to 15 characters without / and :");
    refuse("va 10.0.0.1/24 e\vth0 home\n",
           "line 1: an interface is 1 to 15 characters without / and :");
    refuse("va 10.0.0.1/24 eth0 Home\n", "line 1: the last word is home or guest");
    refuse("va 10.0.0.1/24 e home\nva 10.0.0.2/24 e home\n",
           "line 2: the name stands in another line, too");
    refuse("va 10.0.0.1/24 e home\nvb 10.0.0.1/24 e home\n",
           "line 2: the address stands in another line, too");
    assert_false(site_file_parse("va\0", 3, &site, why, sizeof(why)));
    assert_string_equal(why, "line 1: there is a NUL in it");
}

static void ceilings_hold(void **state)
{
    static char text[SITE_FILE_MOST * 64 + 512];
    size_t length = 0;
    char why[256];

    for (int i = 0; i <= SITE_FILE_MOST; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length,
                                   "v%d 10.0.%d.%d/8 e home\n", i, i / 256, i % 256);
    assert_false(site_file_parse(text, length, &site, why, sizeof(why)));
    assert_string_equal(why, "line 257: there are more than 256 addresses");
    memset(text, 'x', 300);
    assert_false(site_file_parse(text, 300, &site, why, sizeof(why)));
    assert_string_equal(why, "line 1: the line is too long");
    assert_false(site_file_read("/nowhere", &site, why, sizeof(why)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_addresses),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(ceilings_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
