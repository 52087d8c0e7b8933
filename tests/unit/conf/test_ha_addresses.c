/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/base/builder.h"
#include "conf/ha_addresses.h"

static void refuse_text(struct text text, unsigned line, const char *path, const char *sentence)
{
    struct ha_addresses all = { .count = 77 };
    struct problems ps;

    problems_init(&ps);
    assert_false(ha_addresses_parse(text, "ha.addresses", &ps, &all));
    assert_int_equal(all.count, 77);
    assert_int_equal(ps.count, 1);
    assert_string_equal(ps.items[0].file, "ha.addresses");
    assert_int_equal(ps.items[0].line, line);
    assert_string_equal(ps.items[0].path, path);
    assert_string_equal(ps.items[0].sentence, sentence);
    problems_fini(&ps);
}

static void refuse(const char *text, unsigned line, const char *path, const char *sentence)
{
    refuse_text(text_of(text), line, path, sentence);
}

static void lines_are_addresses(void **state)
{
    struct ha_addresses all;
    struct problems ps;

    problems_init(&ps);
    assert_true(ha_addresses_parse(TEXT_OF("# the pair\r\n\n"
                                           "va\t10.0.0.100/24  eth0 home # mine\r\n"
                                           "web-6 2001:DB8:0::64/64 bond0.12 guest"),
                                   "ha.addresses", &ps, &all));
    assert_int_equal(all.count, 2);
    assert_string_equal(all.items[0].name.at, "va");
    assert_string_equal(all.items[0].text.at, "10.0.0.100");
    assert_int_equal(all.items[0].length, 24);
    assert_string_equal(all.items[0].interface.at, "eth0");
    assert_true(all.items[0].is_home);
    assert_string_equal(all.items[1].text.at, "2001:db8::64");
    assert_int_equal(all.items[1].length, 64);
    assert_int_equal(all.items[1].at.any.sa_family, AF_INET6);
    assert_false(all.items[1].is_home);
    ha_addresses_fini(&all);
    problems_fini(&ps);
}

static void what_is_wrong_is_said_with_what_would_do(void **state)
{
    const char *line = "A line of addresses must be NAME ADDRESS/LENGTH INTERFACE home|guest.";

    refuse("", 0, "",
           "There must be at least one address: a line of NAME ADDRESS/LENGTH INTERFACE "
           "home|guest.");
    refuse("va 10.0.0.1/24 eth0\n", 1, "", line);
    refuse("va 10.0.0.1/24 eth0 home 3\n", 1, "", line);
    refuse("\nVA 10.0.0.1/24 eth0 home\n", 2, "name",
           "The name must be 1 to 63 of a-z, 0-9 and -, not beginning with -, got \"VA\".");
    refuse("../x 10.0.0.1/24 eth0 home\n", 1, "name",
           "The name must be 1 to 63 of a-z, 0-9 and -, not beginning with -, got \"../x\".");
    refuse("va 10.0.0.1/33 eth0 home\n", 1, "address",
           "The address must be an IP address and the length of its network, as 10.0.0.100/24 or "
           "2001:db8::100/64, got \"10.0.0.1/33\".");
    refuse("va 10.0.0.1/024 eth0 home\n", 1, "address",
           "The address must be an IP address and the length of its network, as 10.0.0.100/24 or "
           "2001:db8::100/64, got \"10.0.0.1/024\".");
    refuse("va 10.0.0.1 eth0 home\n", 1, "address",
           "The address must be an IP address and the length of its network, as 10.0.0.100/24 or "
           "2001:db8::100/64, got \"10.0.0.1\".");
    refuse("va 10.0.0.1/24 eth0:1 home\n", 1, "interface",
           "The interface must be the name of a network interface, as eth0, got \"eth0:1\".");
    refuse("va 10.0.0.1/24 e\rth0 home\n", 1, "interface",
           "The interface must be the name of a network interface, as eth0, got \"e\rth0\".");
    refuse("va 10.0.0.1/24 eth0 master\n", 1, "role",
           "The role must be home (this node should hold the address) or guest (another should), "
           "got \"master\".");
    refuse("va 10.0.0.1/24 eth0 home\nva 10.0.0.2/24 eth0 home\n", 2, "name",
           "The name va is that of line 1 too; each address must have its own.");
    refuse("va 10.0.0.1/24 eth0 home\n#\nvb 10.0.0.1/16 eth0 home\n", 3, "address",
           "The address 10.0.0.1/16 is that of line 1 too; each address must have its own.");
}

/* What the programs beside keepalived could not read is said before they do. */
static void lines_and_file_have_a_length(void **state)
{
    const char *sentence = "A line of addresses must be at most 255 bytes, with no NUL among them.";
    struct builder b;

    builder_init(&b, SIZE_MAX);
    builder_add(&b, TEXT_OF("va 10.0.0.1/24 eth0 home\n#"));
    for (int i = 0; i < 255; i++)
        builder_add_byte(&b, '-');
    refuse_text(builder_text(&b), 2, "", sentence);
    builder_clear(&b);
    builder_add(&b, text_from("va 10.0.0.1/24 eth0 home #\0\n", 28));
    refuse_text(builder_text(&b), 1, "", sentence);
    builder_clear(&b);
    builder_add(&b, TEXT_OF("va 10.0.0.1/24 eth0 home\n"));
    for (int i = 0; i < 65536; i++)
        builder_add_byte(&b, '\n');
    refuse_text(builder_text(&b), 0, "", "The file of addresses must be at most 64 KiB.");
    builder_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_addresses),
        cmocka_unit_test(what_is_wrong_is_said_with_what_would_do),
        cmocka_unit_test(lines_and_file_have_a_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
