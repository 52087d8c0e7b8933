/* SPDX-License-Identifier: Apache-2.0 */
/* test_router.c - which route wins, rule by rule, as the contract says it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/gatewayd/route_fixture.h"

#define R "'respond':{}}"

/* A fixture with the routes given, up to NULL. */
#define ROUTES(f, ...)                                                                             \
    struct route_fixture f;                                                                        \
    static const char *const routes_of_##f[] = { __VA_ARGS__, NULL };                              \
    route_fixture_init(&f);                                                                        \
    for (unsigned i_ = 0; routes_of_##f[i_] != NULL; i_++)                                         \
        route_fixture_add(&f, routes_of_##f[i_]);                                                  \
    route_fixture_build(&f)

#define EXPECT(f, expected, ...)                                                                   \
    do {                                                                                           \
        struct request_head head_ = route_fixture_request(&f, __VA_ARGS__, NULL);                  \
        assert_string_equal(route_fixture_match(&f, &head_), expected);                            \
    } while (0)

static void nothing_matches_nothing(void **state)
{
    struct route_fixture f;

    route_fixture_init(&f);
    route_fixture_build(&f);
    EXPECT(f, "404", "GET a.example/");
    route_fixture_fini(&f);
}

static void a_route_without_match_takes_all(void **state)
{
    ROUTES(f, "{'name':'all'," R);
    EXPECT(f, "all", "GET a.example/x/y");
    EXPECT(f, "all", "BREW a.example/");
    EXPECT(f, "all", "POST /");
    route_fixture_fini(&f);
}

static void hosts_exact_then_longest_wildcard_then_any(void **state)
{
    ROUTES(f, "{'name':'exact','match':{'hosts':['API.b.example']}," R,
           "{'name':'long','match':{'hosts':['*.b.example']}," R,
           "{'name':'short','match':{'hosts':['*.example']}," R, "{'name':'any'," R,
           "{'name':'six','match':{'hosts':['[2001:DB8:0::1]']}," R);
    EXPECT(f, "exact", "GET api.b.example/");
    EXPECT(f, "long", "GET x.b.example/");
    EXPECT(f, "long", "GET x.y.b.example/");
    EXPECT(f, "short", "GET b.example/");
    EXPECT(f, "any", "GET example/");
    EXPECT(f, "any", "GET .example/");
    EXPECT(f, "any", "GET /");
    EXPECT(f, "six", "GET [2001:db8::1]/");
    route_fixture_fini(&f);
}

static void a_worse_host_is_tried_when_the_better_does_not_fit(void **state)
{
    ROUTES(f, "{'name':'a','match':{'hosts':['a.example'],'paths':['/a']}," R,
           "{'name':'w','match':{'hosts':['*.example'],'paths':['/w']}," R,
           "{'name':'any','match':{'paths':['/any']}," R);
    EXPECT(f, "a", "GET a.example/a");
    EXPECT(f, "w", "GET a.example/w");
    EXPECT(f, "any", "GET a.example/any");
    EXPECT(f, "404", "GET a.example/none");
    route_fixture_fini(&f);
}

static void prefixes_end_at_a_segment_boundary(void **state)
{
    ROUTES(f, "{'name':'p','match':{'paths':['/p/']}," R);
    EXPECT(f, "p", "GET a/p");
    EXPECT(f, "p", "GET a/p/");
    EXPECT(f, "p", "GET a/p/x/y");
    EXPECT(f, "404", "GET a/px");
    EXPECT(f, "404", "GET a/P");
    route_fixture_fini(&f);
}

static void paths_exact_then_tree_then_regex_then_root(void **state)
{
    ROUTES(f, "{'name':'exact','match':{'paths':['=/a/b']}," R,
           "{'name':'prefix','match':{'paths':['/a']}," R,
           "{'name':'regex','match':{'paths':['~^/']}," R,
           "{'name':'root','match':{'paths':['/']}," R);
    EXPECT(f, "exact", "GET h/a/b");
    EXPECT(f, "prefix", "GET h/a/b/");
    EXPECT(f, "prefix", "GET h/a/c");
    EXPECT(f, "regex", "GET h/c");
    EXPECT(f, "regex", "GET h/");
    route_fixture_fini(&f);
}

static void prefixes_and_templates_are_compared_by_segments(void **state)
{
    ROUTES(f, "{'name':'p1','match':{'paths':['/users']}," R,
           "{'name':'p2','match':{'paths':['/users/admin']}," R,
           "{'name':'t1','match':{'paths':['/users/{id}']}," R,
           "{'name':'t2','match':{'paths':['/users/{id}/posts']}," R,
           "{'name':'t3','match':{'paths':['/{kind}/admin/posts']}," R);
    EXPECT(f, "p2", "GET h/users/admin");
    EXPECT(f, "p2", "GET h/users/admin/posts");
    EXPECT(f, "t1", "GET h/users/42");
    EXPECT(f, "p1", "GET h/users/42/");
    EXPECT(f, "t2", "GET h/users/42/posts");
    EXPECT(f, "p1", "GET h/users/42/posts/7");
    EXPECT(f, "t3", "GET h/groups/admin/posts");
    EXPECT(f, "p1", "GET h/users/");
    EXPECT(f, "404", "GET h/groups/admin");
    route_fixture_fini(&f);
}

static void the_walk_comes_back_from_dead_ends(void **state)
{
    ROUTES(f, "{'name':'deep','match':{'paths':['/a/b/c/{x}/e']}," R,
           "{'name':'vars','match':{'paths':['/{a}/{b}/{c}/d']}," R,
           "{'name':'half','match':{'paths':['/a/{b}/c']}," R);
    EXPECT(f, "deep", "GET h/a/b/c/d/e");
    EXPECT(f, "vars", "GET h/a/b/c/d");
    EXPECT(f, "half", "GET h/a/b/c");
    EXPECT(f, "404", "GET h/a/b/c/d/f");
    route_fixture_fini(&f);
}

static void a_template_takes_exactly_its_segments(void **state)
{
    ROUTES(f, "{'name':'t','match':{'paths':['/u/{id}']}," R,
           "{'name':'s','match':{'paths':['/s/{id}/']}," R);
    EXPECT(f, "t", "GET h/u/a%2Fb");
    EXPECT(f, "404", "GET h/u/");
    EXPECT(f, "404", "GET h/u/1/");
    EXPECT(f, "404", "GET h/u/1/2");
    EXPECT(f, "s", "GET h/s/1/");
    EXPECT(f, "404", "GET h/s/1");
    route_fixture_fini(&f);
}

static void routes_are_normalised_as_requests_are(void **state)
{
    ROUTES(f, "{'name':'utf','match':{'paths':['/caf\xc3\xa9//x']}," R,
           "{'name':'esc','match':{'paths':['=/%7euser']}," R,
           "{'name':'res','match':{'paths':['=/a%2fb']}," R);
    EXPECT(f, "utf", "GET h/caf%c3%a9/x/1");
    EXPECT(f, "esc", "GET h/~user");
    EXPECT(f, "res", "GET h/a%2Fb");
    EXPECT(f, "404", "GET h/a/b");
    route_fixture_fini(&f);
}

static void a_named_method_is_better_than_any(void **state)
{
    ROUTES(f, "{'name':'a'," R, "{'name':'b','match':{'methods':['POST','PURGE']}," R);
    EXPECT(f, "a", "GET h/");
    EXPECT(f, "b", "POST h/");
    EXPECT(f, "b", "PURGE h/");
    EXPECT(f, "a", "PURGES h/");
    route_fixture_fini(&f);
}

static void get_takes_head_but_who_lists_it_is_better(void **state)
{
    ROUTES(f, "{'name':'any','match':{'paths':['/2']}," R,
           "{'name':'get','match':{'paths':['/1','/2'],'methods':['GET']}," R,
           "{'name':'head','match':{'paths':['/2'],'methods':['HEAD','POST']}," R);
    EXPECT(f, "get", "HEAD h/1");
    EXPECT(f, "head", "HEAD h/2");
    EXPECT(f, "get", "GET h/2");
    EXPECT(f, "any", "PUT h/2");
    route_fixture_fini(&f);
}

static void trace_is_for_those_that_list_it(void **state)
{
    ROUTES(f, "{'name':'any','match':{'paths':['/1','/2']}," R,
           "{'name':'trace','match':{'paths':['/2'],'methods':['TRACE']}," R,
           "{'name':'get','match':{'paths':['/3'],'methods':['GET']}," R);
    EXPECT(f, "405 GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH", "TRACE h/1");
    EXPECT(f, "trace", "TRACE h/2");
    EXPECT(f, "405 GET, HEAD", "TRACE h/3");
    EXPECT(f, "any", "OPTIONS h/1");
    route_fixture_fini(&f);
}

static void another_method_is_405_with_all_that_would_do(void **state)
{
    ROUTES(f, "{'name':'a','match':{'paths':['/x'],'methods':['GET']}," R,
           "{'name':'b','match':{'hosts':['h'],'methods':['PUT','LINK']}," R,
           "{'name':'c','match':{'paths':['/x'],'methods':['PATCH'],'headers':{'A':'1'}}," R,
           "{'name':'d','match':{'paths':['~x$'],'methods':['DELETE']}," R);
    EXPECT(f, "405 GET, HEAD, PUT, DELETE, LINK", "POST h/x");
    EXPECT(f, "405 GET, HEAD, PUT, DELETE, PATCH, LINK", "POST h/x", "A: 1");
    EXPECT(f, "405 GET, HEAD, DELETE", "POST i/x");
    EXPECT(f, "405 PUT, LINK", "GET h/y");
    EXPECT(f, "404", "POST i/y");
    route_fixture_fini(&f);
}

static void more_headers_then_more_query_then_the_name(void **state)
{
    ROUTES(f, "{'name':'q','match':{'query':{'a':'1','b':'*'}}," R,
           "{'name':'h1','match':{'headers':{'X-A':'1'}}," R,
           "{'name':'h2','match':{'headers':{'X-A':'1','X-B':'~^[a-c]$'}}," R, "{'name':'n2'," R,
           "{'name':'n1'," R);
    EXPECT(f, "n1", "GET h/");
    EXPECT(f, "q", "GET h/?a=1&b");
    EXPECT(f, "h1", "GET h/?a=1&b", "x-a: 1");
    EXPECT(f, "h2", "GET h/", "x-a: 1", "X-B: c");
    EXPECT(f, "h1", "GET h/", "x-a: 1", "X-B: d");
    EXPECT(f, "n1", "GET h/?a=2&b", "x-a: 11");
    route_fixture_fini(&f);
}

static void headers_are_joined_and_compared_whole(void **state)
{
    ROUTES(f, "{'name':'two','match':{'headers':{'Accept':'a, b'}}," R,
           "{'name':'one','match':{'headers':{'Accept':'A'}}," R,
           "{'name':'odd','match':{'headers':{'X-Odd':'*'}}," R);
    EXPECT(f, "two", "GET h/", "Accept: a", "accept: b");
    EXPECT(f, "one", "GET h/", "Accept: A");
    EXPECT(f, "404", "GET h/", "Accept: a");
    EXPECT(f, "odd", "GET h/", "x-odd:");
    route_fixture_fini(&f);
}

static void query_parameters_are_decoded_and_the_first_counts(void **state)
{
    ROUTES(f, "{'name':'a','match':{'query':{'q':'x y'}}," R,
           "{'name':'b','match':{'query':{'n\xc3\xa9':'~^[0-9]+$'}}," R,
           "{'name':'e','match':{'query':{'empty':''}}," R);
    EXPECT(f, "a", "GET h/?q=x+y");
    EXPECT(f, "a", "GET h/?z&%71=x%20y&q=2");
    EXPECT(f, "404", "GET h/?q=1&q=x+y");
    EXPECT(f, "b", "GET h/?n%C3%A9=17");
    EXPECT(f, "404", "GET h/?n%C3%A9=17%0A");
    EXPECT(f, "e", "GET h/?empty");
    EXPECT(f, "e", "GET h/?empty=");
    EXPECT(f, "404", "GET h/?q=%zz");
    route_fixture_fini(&f);
}

static void a_regex_that_takes_for_ever_is_500_and_not_another_route(void **state)
{
    char line[3000];
    ROUTES(f, "{'name':'slow','match':{'paths':['~^/(a+)+$']}," R, "{'name':'zz'," R);

    memset(line, 'a', sizeof(line));
    memcpy(line, "GET h/", 6);
    memcpy(line + sizeof(line) - 2, "!", 2);
    EXPECT(f, "500", line);
    EXPECT(f, "slow", "GET h/aaa");
    EXPECT(f, "zz", "GET h/b");
    route_fixture_fini(&f);
}

static void captures_are_segments_as_they_stood(void **state)
{
    struct router_match match;
    struct request_head head;
    struct text value;
    ROUTES(f, "{'name':'t','match':{'paths':['/p','/u/{id}/x/{name}']}," R);

    head = route_fixture_request(&f, "GET h/u/a%2Fb/x/7", NULL);
    assert_int_equal(router_match(f.router, &head, &f.arena, &match), ROUTER_FOUND);
    assert_true(router_find_capture(&match, head.path, TEXT_OF("id"), &value));
    assert_true(text_equals(value, TEXT_OF("a%2Fb")));
    assert_true(router_find_capture(&match, head.path, TEXT_OF("name"), &value));
    assert_true(text_equals(value, TEXT_OF("7")));
    assert_false(router_find_capture(&match, head.path, TEXT_OF("nobody"), &value));
    assert_int_equal(match.prefix_length, 0);
    head = route_fixture_request(&f, "GET h/p/q", NULL);
    assert_int_equal(router_match(f.router, &head, &f.arena, &match), ROUTER_FOUND);
    assert_int_equal(match.prefix_length, 2);
    assert_false(router_find_capture(&match, head.path, TEXT_OF("id"), &value));
    route_fixture_fini(&f);
}

static void explain_lists_all_in_order_and_says_why(void **state)
{
    struct request_head head;
    struct router_candidate *found;
    size_t count;
    size_t wrong;
    ROUTES(f, "{'name':'any'," R, "{'name':'host','match':{'hosts':['h']}," R,
           "{'name':'put','match':{'methods':['PUT']}," R,
           "{'name':'other','match':{'hosts':['i']}," R);

    head = route_fixture_request(&f, "GET h/", NULL);
    found = router_explain(f.router, &head, &f.arena, &count, &wrong);
    assert_int_equal(count, 3);
    assert_int_equal(wrong, 1);
    assert_true(text_equals(found[0].route->route->name, TEXT_OF("host")));
    assert_true(text_equals(found[0].because,
                            TEXT_OF("its host (h) is better than that of any (any host)")));
    assert_true(text_equals(found[1].because,
                            TEXT_OF("its host (any host) is worse than that of host (h)")));
    assert_true(text_equals(found[2].because, TEXT_OF("it matches in everything but the method")));
    route_fixture_fini(&f);
}

/* ---- routes that can never win ---- */

struct warnings {
    char text[2000];
};

static void keep_warning(void *arg, struct text route, struct text sentence)
{
    struct warnings *w = arg;

    strncat(w->text, sentence.at, sentence.length);
    strcat(w->text, "|");
}

static const char *warnings_of(struct route_fixture *f, const char *name)
{
    static struct warnings w;

    w.text[0] = '\0';
    router_warn(f->router, text_of(name), keep_warning, &w);
    return w.text;
}

static void the_same_match_with_a_later_name_never_wins(void **state)
{
    ROUTES(f, "{'name':'a','match':{'paths':['/x/']}," R, "{'name':'b','match':{'paths':['/x']}," R,
           "{'name':'c','match':{'paths':['/x'],'methods':['GET']}," R);

    assert_string_equal(warnings_of(&f, "b"), "The route b can never win: a takes everything it "
                                              "matches and comes first.|");
    assert_string_equal(warnings_of(&f, "a"), "The route b can never win: a takes everything it "
                                              "matches and comes first.|");
    assert_string_equal(warnings_of(&f, "c"), "");
    assert_string_equal(warnings_of(&f, "nobody"), "");
    route_fixture_fini(&f);
}

static void a_prefix_on_its_way_hides_a_regex(void **state)
{
    ROUTES(f, "{'name':'p','match':{'paths':['/api']}," R,
           "{'name':'r','match':{'paths':['~^/api/v[0-9]+/']}," R,
           "{'name':'s','match':{'paths':['~^/api?/x']}," R,
           "{'name':'t','match':{'paths':['~^/api/x|/y']}," R);

    assert_string_equal(warnings_of(&f, "r"), "The route r can never win: p takes everything it "
                                              "matches and comes first.|");
    assert_string_equal(warnings_of(&f, "s"), "");
    assert_string_equal(warnings_of(&f, "t"), "");
    route_fixture_fini(&f);
}

static void a_route_that_wins_somewhere_is_not_warned_of(void **state)
{
    ROUTES(f, "{'name':'a','match':{'paths':['/x'],'methods':['GET']}," R,
           "{'name':'b','match':{'paths':['/x'],'methods':['GET','HEAD']}," R,
           "{'name':'c','match':{'paths':['/x','/y'],'methods':['GET']}," R,
           "{'name':'d','match':{'paths':['/x'],'methods':['GET'],'headers':{'a':'1'}}," R,
           "{'name':'e','match':{'paths':['/x'],'methods':['GET'],'headers':{'a':'*'}}," R);

    assert_string_equal(warnings_of(&f, "b"), "");
    assert_string_equal(warnings_of(&f, "c"), "");
    assert_string_equal(warnings_of(&f, "d"), "");
    assert_string_equal(warnings_of(&f, "e"), "");
    route_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_matches_nothing),
        cmocka_unit_test(a_route_without_match_takes_all),
        cmocka_unit_test(hosts_exact_then_longest_wildcard_then_any),
        cmocka_unit_test(a_worse_host_is_tried_when_the_better_does_not_fit),
        cmocka_unit_test(prefixes_end_at_a_segment_boundary),
        cmocka_unit_test(paths_exact_then_tree_then_regex_then_root),
        cmocka_unit_test(prefixes_and_templates_are_compared_by_segments),
        cmocka_unit_test(the_walk_comes_back_from_dead_ends),
        cmocka_unit_test(a_template_takes_exactly_its_segments),
        cmocka_unit_test(routes_are_normalised_as_requests_are),
        cmocka_unit_test(a_named_method_is_better_than_any),
        cmocka_unit_test(get_takes_head_but_who_lists_it_is_better),
        cmocka_unit_test(trace_is_for_those_that_list_it),
        cmocka_unit_test(another_method_is_405_with_all_that_would_do),
        cmocka_unit_test(more_headers_then_more_query_then_the_name),
        cmocka_unit_test(headers_are_joined_and_compared_whole),
        cmocka_unit_test(query_parameters_are_decoded_and_the_first_counts),
        cmocka_unit_test(a_regex_that_takes_for_ever_is_500_and_not_another_route),
        cmocka_unit_test(captures_are_segments_as_they_stood),
        cmocka_unit_test(explain_lists_all_in_order_and_says_why),
        cmocka_unit_test(the_same_match_with_a_later_name_never_wins),
        cmocka_unit_test(a_prefix_on_its_way_hides_a_regex),
        cmocka_unit_test(a_route_that_wins_somewhere_is_not_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
