/* SPDX-License-Identifier: Apache-2.0 */
/* What gatewayctl prints for people: tables, outlines, differences, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/ctl/difference.h"
#include "admin/ctl/explanation.h"
#include "admin/ctl/json_lines.h"
#include "admin/ctl/outline.h"
#include "admin/ctl/refusal.h"
#include "admin/ctl/runner.h"
#include "admin/ctl/table.h"
#include "admin/ctl/url.h"
#include "conf/read_json.h"
#include "conf/read_libconfig.h"

static const struct paint plain = { .is_on = false };

struct fixture {
    struct arena arena;
    struct builder b;
};

static int set_up(void **state)
{
    static struct fixture f;

    arena_init(&f.arena, SIZE_MAX);
    builder_init(&f.b, 1 << 20);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_reset(&f->arena);
    builder_fini(&f->b);
    return 0;
}

static struct doc read(struct fixture *f, const char *json)
{
    struct problems ps;
    struct doc doc;

    problems_init(&ps);
    assert_true(read_json(text_of(json), &f->arena, &ps, &doc));
    problems_fini(&ps);
    return doc;
}

static void expect(struct fixture *f, const char *expected)
{
    builder_add_byte(&f->b, '\0');
    assert_string_equal(builder_text(&f->b).at, expected);
    builder_clear(&f->b);
}

static void test_columns_are_as_wide_as_their_widest_cell(void **state)
{
    static const char *const titles[] = { "NAME", "+COUNT", "WHAT", NULL };
    struct fixture *f = *state;
    struct table t;

    table_init(&t, titles);
    table_add(&t, TEXT_OF("a"));
    table_addf(&t, "%d", 7);
    table_add(&t, TEXT_OF("x"));
    table_add(&t, TEXT_OF("größer"));
    table_addf(&t, "%d", 1000000);
    table_add(&t, TEXT_EMPTY);
    table_print(&t, plain, &f->b);
    expect(f, "NAME      COUNT  WHAT\n"
              "a             7  x\n"
              "größer  1000000  -\n");
    table_fini(&t);
}

static void test_what_could_steer_a_terminal_is_shown_as_question_marks(void **state)
{
    static const char *const titles[] = { "NAME", NULL };
    struct fixture *f = *state;
    struct table t;

    table_init(&t, titles);
    table_add(&t, TEXT_OF("a\033[31m\n"));
    table_print(&t, plain, &f->b);
    expect(f, "NAME\na?[31m?\n");
    table_fini(&t);
    outline_print_text(TEXT_OF("x\ry"), &f->b);
    expect(f, "x?y");
}

static void test_colours_are_only_where_they_are_wanted(void **state)
{
    struct fixture *f = *state;

    paint_add((struct paint){ .is_on = true }, PAINT_RED, TEXT_OF("down"), &f->b);
    expect(f, "\033[31mdown\033[0m");
    paint_add(plain, PAINT_RED, TEXT_OF("down"), &f->b);
    expect(f, "down");
    assert_int_equal(paint_of_state(TEXT_OF("up")), PAINT_GREEN);
    assert_int_equal(paint_of_state(TEXT_OF("behind")), PAINT_RED);
    assert_int_equal(paint_of_state(TEXT_OF("whatever")), PAINT_PLAIN);
}

static void test_an_outline(void **state)
{
    struct fixture *f = *state;
    struct doc doc = read(f, "{\"name\":\"o\",\"on\":[\"a\",\"b\"],\"none\":[],\"is\":true,"
                             "\"targets\":[{\"address\":\"h:1\",\"weight\":2},{\"address\":"
                             "\"h:2\"}],\"health\":{\"path\":\"/up\"}}");

    outline_print(&doc, plain, &f->b);
    expect(f, "name  o\n"
              "on    a, b\n"
              "none  []\n"
              "is    true\n"
              "targets\n"
              "  - address  h:1\n"
              "    weight   2\n"
              "  - address  h:2\n"
              "health\n"
              "  path  /up\n");
}

static void test_a_difference(void **state)
{
    struct fixture *f = *state;
    struct doc doc = read(
        f, "{\"revision\":4,\"changes\":[{\"kind\":\"routes\",\"name\":\"new\",\"change\":"
           "\"added\"},{\"kind\":\"upstreams\",\"name\":\"o\",\"change\":\"changed\",\"fields\":[{"
           "\"pointer\":\"/targets/1/weight\",\"before\":1,\"after\":5},{\"pointer\":"
           "\"/slow_start\",\"before\":\"5s\"}]},{\"kind\":\"plans\",\"name\":\"old\",\"change\":"
           "\"removed\"}],\"change_count\":3}");

    assert_int_equal(difference_count(&doc), 3);
    difference_print(&doc, plain, &f->b);
    expect(f, "  + route    new\n"
              "  ~ upstream o\n"
              "      targets[1].weight: 1 → 5\n"
              "      slow_start: 5s → not set\n"
              "  - plan     old\n");
    difference_print_sum(&doc, &f->b);
    expect(f, "3 changes: 1 added, 1 changed, 1 removed");
}

/* A revision says what was before and after; the fields are found out here. */
static void test_a_difference_without_fields_is_compared(void **state)
{
    struct fixture *f = *state;
    struct doc doc = read(f, "{\"changes\":[{\"kind\":\"routes\",\"name\":\"r\",\"change\":"
                             "\"changed\",\"before\":{\"timeout\":\"1s\"},\"after\":{\"timeout\":"
                             "\"2s\"}}]}");

    difference_print(&doc, plain, &f->b);
    expect(f, "  ~ route    r\n      timeout: 1s → 2s\n");
}

static void test_more_changes_than_are_listed(void **state)
{
    struct fixture *f = *state;
    struct doc doc = read(f, "{\"changes\":[{\"kind\":\"consumers\",\"name\":\"a\",\"change\":"
                             "\"added\"}],\"change_count\":1001}");

    difference_print(&doc, plain, &f->b);
    expect(f, "  + consumer a\n  … and 1000 more\n");
}

static void test_a_refusal_names_the_line_of_a_libconfig_file(void **state)
{
    struct fixture *f = *state;
    struct doc problem = read(f, "{\"title\":\"Unprocessable\",\"detail\":\"It has errors.\","
                                 "\"errors\":[{\"pointer\":\"/routes/1/timeout\",\"message\":\"No "
                                 "duration.\"},{\"pointer\":\"/routes/0/nothing/here\",\"message\":"
                                 "\"Missing.\"}]}");
    struct problems ps;
    struct doc doc;

    problems_init(&ps);
    assert_true(read_libconfig_text(TEXT_OF("routes = (\n  { name = \"a\"; },\n  { name = \"b\";\n"
                                            "    timeout = \"x\"; }\n);\n"),
                                    "r.conf", &f->arena, &ps, &doc));
    problems_fini(&ps);
    refusal_print(422, &problem, &(struct refusal_source){ .file = "r.conf", .doc = &doc }, &f->b);
    expect(f, "gatewayctl: refused: It has errors. (422)\n"
              "  r.conf:4: /routes/1/timeout: No duration.\n"
              "  r.conf:2: /routes/0/nothing/here: Missing.\n");
}

static void test_a_refusal_names_the_line_of_a_json_file(void **state)
{
    struct fixture *f = *state;
    const char *json = "{\n \"routes\": [\n  {\"name\": \"a\"},\n  {\"timeout\":\n   \"x\"}]}";
    struct doc problem = read(f, "{\"title\":\"Bad\",\"errors\":[{\"pointer\":"
                                 "\"/routes/1/timeout\",\"message\":\"No duration.\"}]}");
    struct doc doc = read(f, json);
    const struct refusal_source source = { "r.json", &doc, text_of(json) };

    refusal_print(422, &problem, &source, &f->b);
    expect(f, "gatewayctl: refused: Bad (422)\n"
              "  r.json:5: /routes/1/timeout: No duration.\n");
}

static void test_a_refusal_without_a_document(void **state)
{
    struct fixture *f = *state;
    struct doc none = doc_null();

    refusal_print(502, &none, NULL, &f->b);
    expect(f, "gatewayctl: refused: the gateway does not say why (502)\n");
}

static void test_lines_of_json(void **state)
{
    struct text json = TEXT_OF("{\n"
                               " \"a\": {\"x\": 1},\n"
                               " \"list\": [\n"
                               "  \"}],{\",\n"
                               "  [1, 2],\n"
                               "  {\"deep\": [true,\n"
                               "    null]}\n"
                               " ],\n"
                               " \"sla/sh\": \"\\\"\",\n"
                               " \"end\": 5\n"
                               "}");

    assert_int_equal(json_lines_find(json, TEXT_OF("")), 1);
    assert_int_equal(json_lines_find(json, TEXT_OF("/a/x")), 2);
    assert_int_equal(json_lines_find(json, TEXT_OF("/list")), 3);
    assert_int_equal(json_lines_find(json, TEXT_OF("/list/0")), 4);
    assert_int_equal(json_lines_find(json, TEXT_OF("/list/1/1")), 5);
    assert_int_equal(json_lines_find(json, TEXT_OF("/list/2/deep/1")), 7);
    assert_int_equal(json_lines_find(json, TEXT_OF("/sla~1sh")), 9);
    assert_int_equal(json_lines_find(json, TEXT_OF("/end")), 10);
    /* What is not there: where it would be. */
    assert_int_equal(json_lines_find(json, TEXT_OF("/end/not")), 10);
    assert_int_equal(json_lines_find(json, TEXT_OF("/list/9")), 3);
    assert_int_equal(json_lines_find(TEXT_EMPTY, TEXT_OF("/a")), 0);
}

/* Every cut of a document: the walk stays within it. */
static void test_lines_of_broken_json(void **state)
{
    const char *json = "{\"a\":[1,{\"b\\\"\":\"x\"},[]],\"c\":{}}";
    char copy[64];

    for (size_t length = 0; length <= strlen(json); length++) {
        memcpy(copy, json, length);
        (void)json_lines_find(text_from(copy, length), TEXT_OF("/c/d"));
        (void)json_lines_find(text_from(copy, length), TEXT_OF("/a/1/b"));
    }
}

static void test_an_explanation(void **state)
{
    struct fixture *f = *state;
    struct doc doc = read(
        f, "{\"outcome\":\"route\",\"route\":\"orders\",\"because\":\"it is better\",\"request\":{"
           "\"method\":\"GET\",\"host\":\"a.example\",\"path\":\"/o\",\"query\":\"x=1\"},"
           "\"upstream\":\"o\",\"auth\":{\"methods\":[\"key\"],\"optional\":false,\"groups\":["
           "\"g\"],\"scopes\":[]},\"limits\":[{\"name\":\"l\",\"rate\":5,\"per\":\"1s\",\"burst\":"
           "9,\"counted_for\":\"the client\"}],\"plan_limits\":false,\"others\":[{\"route\":"
           "\"all\",\"path\":\"/\",\"because\":\"it is worse\",\"method_fits\":true}]}");

    explanation_print(&doc, plain, &f->b);
    expect(f, "GET a.example/o?x=1\n"
              "is taken by the route orders: it is better\n"
              "  sent to   upstream o\n"
              "  asks for  a key; one of the groups g\n"
              "  limited   l: 5 in 1s, 9 at once, counted for the client\n"
              "\n"
              "ALSO MATCHES  PATH  BUT\n"
              "all           /     it is worse\n");
    doc = read(f, "{\"outcome\":\"method-not-allowed\",\"status\":405,\"allow\":\"GET\"}");
    explanation_print(&doc, plain, &f->b);
    expect(f, "is answered 405: routes match it in everything but the method.\n"
              "  allowed   GET\n");
}

static void test_paths_are_encoded(void **state)
{
    struct fixture *f = *state;

    builder_add(&f->b, TEXT_OF("/v1"));
    url_add_segment(&f->b, TEXT_OF("a b/c"));
    url_add_segment(&f->b, TEXT_OF(".."));
    url_add_segment(&f->b, TEXT_OF("unix:/run/x"));
    url_add_query(&f->b, "after", TEXT_OF("x&y"));
    url_add_query(&f->b, "limit", TEXT_OF("5"));
    expect(f, "/v1/a%20b%2Fc/%2E%2E/unix%3A%2Frun%2Fx?after=x%26y&limit=5");
}

static void test_a_command_line_is_filled_in(void **state)
{
    struct fixture *f = *state;
    const struct runner_place place = { TEXT("gw-a"), TEXT("[::1]:9080"), TEXT("::1") };

    runner_fill(TEXT_OF("ssh {host} up {node}{node} {address} {nod} {} ${x} {node"), &place, &f->b);
    expect(f, "ssh ::1 up gw-agw-a [::1]:9080 {nod} {} ${x} {node");
}

static void test_a_command_ends_as_its_line_does(void **state)
{
    struct fixture *f = *state;
    const struct runner_place place = { TEXT("gw-a"), TEXT("a:1"), TEXT("a") };

    assert_true(runner_run(TEXT_OF("test \"$GATEWAYD_NODE\" = gw-a"), &place, false, &f->b));
    assert_false(runner_run(TEXT_OF("exit 3"), &place, false, &f->b));
    expect(f, "ended with status 3");
    builder_clear(&f->b);
    assert_false(runner_run(TEXT_OF("kill -9 $$"), &place, true, &f->b));
    expect(f, "was ended by signal 9");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_columns_are_as_wide_as_their_widest_cell),
        TEST(test_what_could_steer_a_terminal_is_shown_as_question_marks),
        TEST(test_colours_are_only_where_they_are_wanted),
        TEST(test_an_outline),
        TEST(test_a_difference),
        TEST(test_a_difference_without_fields_is_compared),
        TEST(test_more_changes_than_are_listed),
        TEST(test_a_refusal_names_the_line_of_a_libconfig_file),
        TEST(test_a_refusal_names_the_line_of_a_json_file),
        TEST(test_a_refusal_without_a_document),
        TEST(test_lines_of_json),
        TEST(test_lines_of_broken_json),
        TEST(test_an_explanation),
        TEST(test_paths_are_encoded),
        TEST(test_a_command_line_is_filled_in),
        TEST(test_a_command_ends_as_its_line_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
