/* SPDX-License-Identifier: Apache-2.0 */
/* FIELD=VALUE, as the field's row wants it; and which server and token are meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/ctl/assign.h"
#include "admin/ctl/kind.h"
#include "admin/ctl/settings.h"
#include "conf/print_json.h"

struct fixture {
    struct arena arena;
    struct builder why;
    struct builder json;
    struct doc doc;
};

static int set_up(void **state)
{
    static struct fixture f;

    arena_init(&f.arena, SIZE_MAX);
    builder_init(&f.why, 4096);
    builder_init(&f.json, 4096);
    f.doc = doc_object();
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_reset(&f->arena);
    builder_fini(&f->why);
    builder_fini(&f->json);
    return 0;
}

static void assign(struct fixture *f, enum resource_kind kind, const char *assignment)
{
    if (!assign_add(&f->doc, resource_kind_schema(kind), text_of(assignment), &f->arena, &f->why))
        fail_msg("%.*s", TEXT_ARGS(builder_text(&f->why)));
}

static void expect(struct fixture *f, const char *json)
{
    builder_clear(&f->json);
    print_json(&f->doc, &f->json);
    builder_add_byte(&f->json, '\0');
    assert_string_equal(builder_text(&f->json).at, json);
}

static void refuse(struct fixture *f, enum resource_kind kind, const char *assignment,
                   const char *sentence)
{
    builder_clear(&f->why);
    assert_false(
        assign_add(&f->doc, resource_kind_schema(kind), text_of(assignment), &f->arena, &f->why));
    builder_add_byte(&f->why, '\0');
    if (!text_contains(builder_text(&f->why), text_of(sentence)))
        fail_msg("not in \"%s\": \"%s\"", builder_text(&f->why).at, sentence);
}

static void test_values_are_as_their_rows_want_them(void **state)
{
    struct fixture *f = *state;

    assign(f, RESOURCE_UPSTREAM, "balance=hash");
    assign(f, RESOURCE_UPSTREAM, "connect_timeout=250ms");
    assign(f, RESOURCE_UPSTREAM, "max_connections=100");
    assign(f, RESOURCE_UPSTREAM, "retries.on=connect,502");
    assign(f, RESOURCE_UPSTREAM, "health.path=/up=1");
    expect(f, "{\"balance\":\"hash\",\"connect_timeout\":\"250ms\",\"max_connections\":100,"
              "\"retries\":{\"on\":[\"connect\",\"502\"]},\"health\":{\"path\":\"/up=1\"}}");
}

static void test_a_list_of_groups(void **state)
{
    struct fixture *f = *state;

    assign(f, RESOURCE_UPSTREAM, "targets=a:1,b:2");
    assign(f, RESOURCE_UPSTREAM, "targets.1.weight=5");
    assign(f, RESOURCE_UPSTREAM, "targets.2.address=c:3");
    assign(f, RESOURCE_UPSTREAM, "targets.2.drain=true");
    expect(f, "{\"targets\":[{\"address\":\"a:1\"},{\"address\":\"b:2\",\"weight\":5},"
              "{\"address\":\"c:3\",\"drain\":true}]}");
    refuse(f, RESOURCE_UPSTREAM, "targets.7.weight=1", "numbered from 0");
    refuse(f, RESOURCE_UPSTREAM, "targets.x.weight=1", "numbered from 0");
}

static void test_maps_and_json(void **state)
{
    struct fixture *f = *state;

    assign(f, RESOURCE_ROUTE, "match.headers.X-Tenant=7");
    assign(f, RESOURCE_ROUTE, "match.query={\"v\":\"2\"}");
    assign(f, RESOURCE_ROUTE, "limits=[{\"name\":\"l\",\"rate\":5}]");
    assign(f, RESOURCE_ROUTE, "max_body=10M");
    expect(f, "{\"match\":{\"headers\":{\"X-Tenant\":\"7\"},\"query\":{\"v\":\"2\"}},"
              "\"limits\":[{\"name\":\"l\",\"rate\":5}],\"max_body\":\"10M\"}");
}

static void test_an_empty_value_takes_a_field_away(void **state)
{
    struct fixture *f = *state;

    assign(f, RESOURCE_ROUTE, "timeout=");
    assign(f, RESOURCE_ROUTE, "auth=");
    expect(f, "{\"timeout\":null,\"auth\":null}");
}

static void test_what_is_refused(void **state)
{
    struct fixture *f = *state;

    refuse(f, RESOURCE_ROUTE, "timeout", "is not FIELD=VALUE");
    refuse(f, RESOURCE_ROUTE, "=1", "is not FIELD=VALUE");
    refuse(f, RESOURCE_ROUTE, "timeuot=1s", "Is timeout meant?");
    refuse(f, RESOURCE_ROUTE, "match.path=/x", "Is paths meant?");
    refuse(f, RESOURCE_ROUTE, "auth=key", "auth has fields of its own");
    refuse(f, RESOURCE_ROUTE, "timeout.x=1", "timeout has no fields of its own");
    refuse(f, RESOURCE_ROUTE, "plan_limits=maybe", "must be true or false");
    refuse(f, RESOURCE_ROUTE, "auth={oops", "auth: ");
}

static void test_kinds(void **state)
{
    struct fixture *f = *state;
    struct kind kind;

    assert_true(kind_parse(TEXT_OF("route"), true, &kind, &f->why));
    assert_string_equal(kind.plural, "routes");
    assert_true(kind_parse(TEXT_OF("consumers"), true, &kind, &f->why));
    assert_true(kind_parse(TEXT_OF("key"), true, &kind, &f->why));
    assert_null(kind.schema);
    assert_false(kind_parse(TEXT_OF("key"), false, &kind, &f->why));
    assert_false(kind_parse(TEXT_OF("ruotes"), false, &kind, &f->why));
    assert_true(text_contains(builder_text(&f->why), TEXT_OF("Is routes meant?")));
}

static void test_servers(void **state)
{
    static const struct {
        const char *given;
        const char *expected;
    } rows[] = {
        { "127.0.0.1:9080", "http://127.0.0.1:9080" },
        { "HTTPS://gw:9080/", "https://gw:9080" },
        { " http://[::1]:9080// ", "http://[::1]:9080" },
        { "", NULL },
        { "http://", NULL },
        { "http://gw/v1", NULL },
        { "ftp://gw", NULL },
        { "http://user@gw", NULL },
        { "gw :1", NULL },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct text server;
        bool is_fine = settings_parse_server(text_of(rows[i].given), &f->arena, &f->why, &server);

        assert_int_equal(is_fine, rows[i].expected != NULL);
        if (is_fine)
            assert_string_equal(server.at, rows[i].expected);
    }
}

static void test_who_could_read_a_token_on_the_way(void **state)
{
    assert_false(settings_is_in_clear(TEXT_OF("http://127.0.0.1:9080")));
    assert_false(settings_is_in_clear(TEXT_OF("http://[::1]:9080")));
    assert_false(settings_is_in_clear(TEXT_OF("http://localhost:9080")));
    assert_false(settings_is_in_clear(TEXT_OF("http://localhost")));
    assert_false(settings_is_in_clear(TEXT_OF("https://gw:9080")));
    assert_true(settings_is_in_clear(TEXT_OF("http://10.0.0.1:9080")));
    assert_true(settings_is_in_clear(TEXT_OF("http://gw")));
    assert_true(settings_is_in_clear(TEXT_OF("http://[2001:db8::1]:9080")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_values_are_as_their_rows_want_them),
        TEST(test_a_list_of_groups),
        TEST(test_maps_and_json),
        TEST(test_an_empty_value_takes_a_field_away),
        TEST(test_what_is_refused),
        TEST(test_kinds),
        TEST(test_servers),
        TEST(test_who_could_read_a_token_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
