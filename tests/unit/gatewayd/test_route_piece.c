/* SPDX-License-Identifier: Apache-2.0 */
/* test_route_piece.c - what a route does to paths, locations, headers; splits and pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/route/query.h"
#include "tests/unit/gatewayd/route_fixture.h"

/* The path that goes upstream when the one route of the JSON takes `path`. */
static const char *rewrite(const char *json, const char *path)
{
    static char kept[200];
    struct route_fixture f;
    struct request_head head;
    struct router_match match;
    struct text rewritten;
    char line[200] = "GET h";

    route_fixture_init(&f);
    route_fixture_add(&f, json);
    route_fixture_build(&f);
    head = route_fixture_request(&f, strcat(line, path), NULL);
    assert_int_equal(router_match(f.router, &head, &f.arena, &match), ROUTER_FOUND);
    assert_true(route_piece_rewrite(match.route, &match, head.path, &f.arena, &rewritten));
    memcpy(kept, rewritten.at, rewritten.length);
    kept[rewritten.length] = '\0';
    route_fixture_fini(&f);
    return kept;
}

#define TO(paths, rewrite)                                                                         \
    "{'name':'r','match':{'paths':['" paths "']},'upstream':'u','rewrite':{" rewrite "}}"

static void without_rewrite_the_path_stays(void **state)
{
    assert_string_equal(rewrite("{'name':'r','upstream':'u'}", "/a//b/%7e"), "/a/b/~");
}

static void strip_prefix_takes_the_prefix_off(void **state)
{
    assert_string_equal(rewrite(TO("/api", "'strip_prefix':true"), "/api/x/y"), "/x/y");
    assert_string_equal(rewrite(TO("/api/", "'strip_prefix':true"), "/api/"), "/");
    assert_string_equal(rewrite(TO("/api", "'strip_prefix':true"), "/api"), "/");
    assert_string_equal(rewrite(TO("/", "'strip_prefix':true"), "/x"), "/x");
}

static void a_path_replaces_the_path(void **state)
{
    assert_string_equal(rewrite(TO("/api", "'path':'/v2'"), "/api/x"), "/v2");
    assert_string_equal(rewrite(TO("/u/{id}/{what}", "'path':'/{what}/of/{id}'"), "/u/a%2Fb/c"),
                        "/c/of/a%2Fb");
    assert_string_equal(rewrite(TO("/api", "'path':'/caf\xc3\xa9'"), "/api"), "/caf%C3%A9");
}

static void with_both_the_rest_is_put_behind(void **state)
{
    static const char both[] = TO("/api", "'strip_prefix':true,'path':'/v2/'");

    assert_string_equal(rewrite(both, "/api/x"), "/v2/x");
    assert_string_equal(rewrite(both, "/api"), "/v2/");
    assert_string_equal(rewrite(TO("/", "'strip_prefix':true,'path':'/v2'"), "/x"), "/v2/x");
}

static const char *locate(const char *path, const char *location, const char *line)
{
    static char kept[200];
    char json[300];
    struct route_fixture f;
    struct request_head head;
    struct router_match match;
    struct text located;

    route_fixture_init(&f);
    snprintf(json, sizeof(json),
             "{'name':'r','match':{'paths':['%s']},'redirect':{'location':'%s'}}", path, location);
    route_fixture_add(&f, json);
    route_fixture_build(&f);
    head = route_fixture_request(&f, line, NULL);
    assert_int_equal(router_match(f.router, &head, &f.arena, &match), ROUTER_FOUND);
    assert_int_equal(match.route->redirect_status, 308);
    assert_true(
        route_piece_locate(match.route, &match, &head, TEXT_OF("https"), &f.arena, &located));
    memcpy(kept, located.at, located.length);
    kept[located.length] = '\0';
    route_fixture_fini(&f);
    return kept;
}

static void locations_are_filled_in(void **state)
{
    static const char all[] = "{scheme}://www.{host}{path}{query}";

    assert_string_equal(locate("/", all, "GET a.example:81/x?y=1"),
                        "https://www.a.example:81/x?y=1");
    assert_string_equal(locate("/", all, "GET a/x?"), "https://www.a/x?");
    assert_string_equal(locate("/", all, "GET a/x"), "https://www.a/x");
    assert_string_equal(locate("/u/{id}", "/users/{id}", "GET a/u/7?q"), "/users/7");
}

static void a_split_goes_by_weight(void **state)
{
    struct route_fixture f;
    unsigned counts[3] = { 0 };

    route_fixture_init(&f);
    route_fixture_add(&f, "{'name':'r','split':[{'upstream':'a','weight':3},"
                          "{'upstream':'b','weight':0},{'upstream':'c','weight':1}]}");
    assert_int_equal(f.pieces[0]->backend_count, 2);
    for (uint64_t i = 0; i < 400; i++)
        counts[route_piece_pick(f.pieces[0], i)->upstream.at[0] - 'a']++;
    assert_int_equal(counts[0], 300);
    assert_int_equal(counts[2], 100);
    route_fixture_fini(&f);
}

static void a_page_has_a_type(void **state)
{
    struct route_fixture f;

    route_fixture_init(&f);
    route_fixture_add(&f, "{'name':'a','respond':{'status':203,'body':'hello'}}");
    route_fixture_add(&f, "{'name':'b','respond':{'body':'{}','headers':"
                          "{'Content-Type':'application/json'}}}");
    route_fixture_add(&f, "{'name':'c','respond':{'status':204}}");
    assert_int_equal(f.pieces[0]->page.status, 203);
    assert_true(text_equals(headers_find(&f.pieces[0]->page.headers, HEADER_CONTENT_TYPE)->value,
                            TEXT_OF("text/plain; charset=utf-8")));
    assert_true(text_equals(headers_find(&f.pieces[1]->page.headers, HEADER_CONTENT_TYPE)->value,
                            TEXT_OF("application/json")));
    assert_int_equal(f.pieces[2]->page.headers.count, 0);
    route_fixture_fini(&f);
}

static void edits_remove_then_set_then_add(void **state)
{
    struct header items[16];
    struct headers headers;
    struct route_fixture f;
    struct text joined;

    route_fixture_init(&f);
    route_fixture_add(&f, "{'name':'r','upstream':'u','request_headers':{'set':{'X-A':'1'},"
                          "'add':{'X-A':'2','Accept':'b'},'remove':['x-gone']}}");
    headers_init(&headers, items, 16);
    assert_true(headers_add_named(&headers, TEXT_OF("x-a"), TEXT_OF("0")));
    assert_true(headers_add_named(&headers, TEXT_OF("X-Gone"), TEXT_OF("0")));
    assert_true(headers_add_named(&headers, TEXT_OF("Accept"), TEXT_OF("a")));
    assert_true(edits_apply(&f.pieces[0]->request_edits, &headers));
    assert_true(headers_join(&headers, TEXT_OF("X-A"), &f.arena, &joined));
    assert_true(text_equals(joined, TEXT_OF("1, 2")));
    assert_true(headers_join(&headers, TEXT_OF("accept"), &f.arena, &joined));
    assert_true(text_equals(joined, TEXT_OF("a, b")));
    assert_null(headers_find_named(&headers, TEXT_OF("X-Gone")));
    assert_true(edits_is_empty(&f.pieces[0]->response_edits));
    headers_init(&headers, items, 1);
    assert_false(edits_apply(&f.pieces[0]->request_edits, &headers));
    route_fixture_fini(&f);
}

static void templates_leave_other_braces_alone(void **state)
{
    struct route_fixture f;
    struct template t;

    route_fixture_init(&f);
    t = template_parse(TEXT_OF("a{b}{}{1}{c_2}{d"), &f.arena);
    assert_int_equal(t.count, 5);
    assert_true(t.pieces[1].is_variable && text_equals(t.pieces[1].text, TEXT_OF("b")));
    assert_true(text_equals(t.pieces[2].text, TEXT_OF("{}{1}")));
    assert_true(t.pieces[3].is_variable && text_equals(t.pieces[3].text, TEXT_OF("c_2")));
    assert_true(text_equals(t.pieces[4].text, TEXT_OF("{d")));
    assert_int_equal(template_parse(TEXT_EMPTY, &f.arena).count, 0);
    route_fixture_fini(&f);
}

static void a_full_arena_is_said_and_no_crash(void **state)
{
    struct text value;
    struct arena small;

    arena_init(&small, 16);
    assert_int_equal(query_find(TEXT_OF("a=%41234567890123456789"), TEXT_OF("a"), &small, &value),
                     QUERY_NO_ROOM);
    assert_int_equal(query_find(TEXT_OF("a=1234567890123456789"), TEXT_OF("a"), &small, &value),
                     QUERY_FOUND);
    assert_int_equal(query_find(TEXT_OF("b=1&=2&c"), TEXT_OF("a"), &small, &value), QUERY_ABSENT);
    arena_reset(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rewrite_the_path_stays),
        cmocka_unit_test(strip_prefix_takes_the_prefix_off),
        cmocka_unit_test(a_path_replaces_the_path),
        cmocka_unit_test(with_both_the_rest_is_put_behind),
        cmocka_unit_test(locations_are_filled_in),
        cmocka_unit_test(a_split_goes_by_weight),
        cmocka_unit_test(a_page_has_a_type),
        cmocka_unit_test(edits_remove_then_set_then_add),
        cmocka_unit_test(templates_leave_other_braces_alone),
        cmocka_unit_test(a_full_arena_is_said_and_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
