/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/base/builder.h"
#include "conf/node.h"

static struct node_config *parse(const char *text)
{
    struct node_config *node;
    struct problems ps;

    problems_init(&ps);
    node = node_config_parse(text_of(text), "node.conf", &ps);
    for (size_t i = 0; i < ps.count; i++)
        print_message("%u: %s\n", ps.items[i].line, ps.items[i].sentence);
    assert_non_null(node);
    return node;
}

#define LISTENER "node = \"gw-a\";\nlisteners = ({ name = \"http\"; address = \"[::]:8080\"; });\n"

static void defaults_are_those_of_the_contract(void **state)
{
    struct node_config *node = parse(LISTENER);

    assert_string_equal(node->node.at, "gw-a");
    assert_int_equal(node->workers, 0);
    assert_int_equal(node->listeners.count, 1);
    assert_int_equal(address_port(&node->listeners.items[0].at), 8080);
    assert_null(node->listeners.items[0].tls);
    assert_string_equal(node->admin.address.at, "127.0.0.1:9080");
    assert_string_equal(node->admin.tokens.at, "/etc/gatewayd/tokens");
    assert_int_equal(node->state.store, NODE_STORE_EMBEDDED);
    assert_string_equal(node->state.dir.at, "/var/lib/gatewayd");
    assert_int_equal(node->state.history, 1000);
    assert_int_equal(node->state.tombstones, 400LL * 24 * 3600 * 1000);
    assert_int_equal(node->max.header_bytes, 32768);
    assert_int_equal(node->max.headers, 100);
    assert_int_equal(node->max.body_bytes, 10 << 20);
    assert_int_equal(node->timeouts.header, 10000);
    assert_int_equal(node->timeouts.body, 30000);
    assert_int_equal(node->timeouts.idle, 60000);
    assert_int_equal(node->timeouts.drain, 30000);
    assert_int_equal(node->log.level, NODE_LOG_INFO);
    assert_string_equal(node->log.access.at, "stdout");
    assert_int_equal(node->trusted.count, 0);
    assert_null(node->cluster);
    assert_true(text_is_empty(node->bootstrap));
    node_config_unref(&node);
    assert_null(node);
}

static void everything_can_be_set(void **state)
{
    struct address inside;
    struct node_config *node = parse(
        "node = \"n\"; workers = 3;\n"
        "listeners = ({ name = \"a\"; address = \"0.0.0.0:1\"; proxy_protocol = true; },\n"
        "  { name = \"b\"; address = \"unix:/run/b\"; tls = { cert = \"c\"; key = \"k\";\n"
        "    certificates = ({ cert = \"d\"; key = \"l\"; }); }; });\n"
        "admin = { address = \"0.0.0.0:9\"; tokens = \"t\"; tls = { cert = \"c\"; key = \"k\";\n"
        "  client_ca = \"ca\"; }; };\n"
        "state = { store = \"redis\"; dir = \"d\"; redis = { servers = (\"10.0.0.1:6379\");\n"
        "  sentinel = { master = \"m\"; }; }; };\n"
        "cluster = { secret_file = \"s\"; forget_after = \"2h\"; };\n"
        "bootstrap = \"r.conf\"; trusted_proxies = (\"10.0.0.0/8\", \"::1\");\n"
        "max = { body_bytes = 5000000000L; };\n"
        "log = { level = \"debug\"; access = \"/var/log/a\"; };\n");

    assert_int_equal(node->workers, 3);
    assert_true(node->listeners.items[0].proxy_protocol);
    assert_int_equal(node->listeners.items[1].tls->all.count, 2);
    assert_string_equal(node->listeners.items[1].tls->all.items[1].cert.at, "d");
    assert_string_equal(node->admin.tls->client_ca.at, "ca");
    assert_int_equal(node->state.store, NODE_STORE_REDIS);
    assert_string_equal(node->state.redis->sentinel->master.at, "m");
    assert_string_equal(node->state.redis->prefix.at, "gatewayd");
    assert_int_equal(node->state.redis->timeout, 100);
    assert_int_equal(node->cluster->forget_after, 7200000);
    assert_int_equal(node->trusted.count, 2);
    assert_true(address_parse(TEXT_OF("10.9.8.7:1"), &inside));
    assert_true(network_contains(&node->trusted.items[0], &inside));
    assert_int_equal(node->max.body_bytes, 5000000000);
    assert_int_equal(node->log.level, NODE_LOG_DEBUG);
    node_config_unref(&node);
}

static void note_change(void *arg, struct text path, bool is_live)
{
    builder_addf(arg, "%.*s%s ", TEXT_ARGS(path), is_live ? "" : "!");
}

static void changes_say_what_a_running_node_takes_over(void **state)
{
    struct node_config *a = parse(LISTENER);
    struct node_config *b = parse(LISTENER "workers = 2; timeouts = { drain = \"1s\"; };"
                                           "max = { headers = 100; };"
                                           "admin = { address = \"127.0.0.1:9081\"; };");
    struct builder changes;

    builder_init(&changes, 10000);
    node_config_changes(a, b, note_change, &changes);
    assert_true(
        text_equals(builder_text(&changes), TEXT_OF("workers! admin.address! timeouts.drain ")));
    builder_fini(&changes);
    node_config_unref(&a);
    node_config_unref(&b);
}

static void listeners_are_compared_one_by_one(void **state)
{
    struct node_config *a = parse("node = \"n\"; listeners = ({ name = \"a\"; address = "
                                  "\"0.0.0.0:1\"; tls = { cert = \"c\"; key = \"k\"; }; });");
    struct node_config *b = parse("node = \"n\"; listeners = ({ name = \"a\"; address = "
                                  "\"0.0.0.0:2\"; tls = { cert = \"d\"; key = \"k\"; }; });");
    struct node_config *c = parse("node = \"n\"; listeners = ({ name = \"a\"; address = "
                                  "\"0.0.0.0:1\"; }, { name = \"b\"; address = \"0.0.0.0:2\"; });");
    struct builder changes;

    builder_init(&changes, 10000);
    node_config_changes(a, b, note_change, &changes);
    node_config_changes(a, c, note_change, &changes);
    assert_true(text_equals(builder_text(&changes),
                            TEXT_OF("listeners[0].address! listeners[0].tls.cert listeners! ")));
    builder_fini(&changes);
    node_config_unref(&a);
    node_config_unref(&b);
    node_config_unref(&c);
}

/* The line that a problem at `path` gets. */
static unsigned locate(const struct node_config *node, const char *path)
{
    struct problems ps;

    problems_init(&ps);
    problems_add(&ps, (struct place){ .path = path, .pointer = "" }, "is wrong");
    node_locate(node, &ps);
    unsigned line = ps.items[0].line;
    if (line != 0)
        assert_string_equal(ps.items[0].file, "node.conf");
    problems_fini(&ps);
    return line;
}

static void problems_found_later_are_given_their_line(void **state)
{
    struct node_config *node = parse("node = \"n\";\n"
                                     "listeners = (\n"
                                     "  { name = \"a\"; address = \"0.0.0.0:1\"; },\n"
                                     "  { name = \"a.tls\"; address = \"0.0.0.0:2\";\n"
                                     "    tls = {\n"
                                     "      cert = \"c\";\n"
                                     "      key = \"k\"; }; }\n"
                                     ");\n"
                                     "state = { dir = \"/d\"; };\n");
    struct problems ps;

    assert_int_equal(locate(node, "state.dir"), 9);
    assert_int_equal(locate(node, "state.history"), 9);
    assert_int_equal(locate(node, "listeners.a.address"), 3);
    assert_int_equal(locate(node, "listeners[0].address"), 3);
    assert_int_equal(locate(node, "listeners.a.tls.tls.key"), 7);
    assert_int_equal(locate(node, "listeners[1].tls.cert"), 6);
    assert_true(locate(node, "nodes") < 2);
    problems_init(&ps);
    problems_add(&ps, (struct place){ .file = "tokens", .line = 7, .path = "node" }, "is wrong");
    node_locate(node, &ps);
    assert_string_equal(ps.items[0].file, "tokens");
    assert_int_equal(ps.items[0].line, 7);
    problems_fini(&ps);
    node_config_unref(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_contract),
        cmocka_unit_test(everything_can_be_set),
        cmocka_unit_test(listeners_are_compared_one_by_one),
        cmocka_unit_test(changes_say_what_a_running_node_takes_over),
        cmocka_unit_test(problems_found_later_are_given_their_line),
    };

    return cmocka_run_group_tests_name("conf/node", tests, NULL, NULL);
}
