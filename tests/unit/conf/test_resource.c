/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/consumer.h"
#include "conf/plan.h"
#include "conf/resource.h"
#include "conf/route.h"
#include "conf/upstream.h"

static struct resource *parse(enum resource_kind kind, const char *json)
{
    struct problems ps;
    struct resource *r;

    problems_init(&ps);
    r = resource_parse(kind, text_of(json), NULL, &ps);
    for (size_t i = 0; i < ps.count; i++)
        print_message("%s: %s\n", ps.items[i].pointer, ps.items[i].sentence);
    assert_int_equal(ps.count, 0);
    assert_non_null(r);
    problems_fini(&ps);
    return r;
}

/* The only problem of a document: its pointer and sentence. */
static void refuse(enum resource_kind kind, const char *json, const char *pointer,
                   const char *sentence)
{
    struct problems ps;

    problems_init(&ps);
    assert_null(resource_parse(kind, text_of(json), NULL, &ps));
    assert_int_equal(ps.count, 1);
    assert_string_equal(ps.items[0].pointer, pointer);
    assert_string_equal(ps.items[0].sentence, sentence);
    problems_fini(&ps);
}

static void assert_prints(const struct resource *r, const char *json)
{
    struct builder b;

    builder_init(&b, 1 << 20);
    resource_print(r, &b);
    builder_add_byte(&b, '\0');
    assert_string_equal(builder_text(&b).at, json);
    builder_fini(&b);
}

static void defaults_are_filled_in(void **state)
{
    struct resource *r =
        parse(RESOURCE_UPSTREAM, "{\"targets\":[{\"address\":\"10.0.0.1:80\"}],\"name\":\"a\"}");
    const struct upstream *up = r->upstream;

    assert_string_equal(up->name.at, "a");
    assert_int_equal(up->targets.count, 1);
    assert_int_equal(up->targets.items[0].weight, 1);
    assert_int_equal(up->targets.items[0].at.port, 80);
    assert_int_equal(up->balance, UPSTREAM_RANDOM_TWO);
    assert_int_equal(up->connect_timeout, 1000);
    assert_int_equal(up->response_timeout, 15000);
    assert_int_equal(up->keepalive.idle, 64);
    assert_int_equal(up->keepalive.timeout, 60000);
    assert_int_equal(up->retries.attempts, 1);
    assert_int_equal(up->retries.on, 31);
    assert_null(up->tls);
    assert_null(up->health);
    assert_string_equal(r->set.at, "{\"name\":\"a\",\"targets\":[{\"address\":\"10.0.0.1:80\"}]}");
    assert_prints(
        r, "{\"name\":\"a\",\"targets\":[{\"address\":\"10.0.0.1:80\",\"weight\":1,\"drain\":"
           "false,\"backup\":false}],\"balance\":\"random_two\",\"protocol\":\"http1\","
           "\"connect_timeout\":\"1s\",\"response_timeout\":\"15s\",\"idle_timeout\":"
           "\"60s\",\"keepalive\":{\"idle\":64,\"timeout\":\"60s\",\"requests\":0},"
           "\"max_connections\":0,\"retries\":{\"attempts\":1,\"on\":[\"connect\",\"reset\","
           "\"502\",\"503\",\"504\"],\"budget\":20},\"slow_start\":\"0s\"}");
    resource_unref(&r);
    assert_null(r);
}

static void groups_are_bound(void **state)
{
    struct resource *r = parse(
        RESOURCE_UPSTREAM,
        "{\"name\":\"a\",\"targets\":[{\"address\":\"[::1]:80\"},{\"address\":\"unix:/x\"},"
        "{\"address\":\"orders.internal:8443\",\"weight\":256}],"
        "\"balance\":\"hash\",\"hash_on\":\"cookie:sid\",\"tls\":{},"
        "\"health\":{\"expect\":[\"200\",\"300-399\"]},\"outlier\":null,\"slow_start\":\"1m\"}");
    const struct upstream *up = r->upstream;

    assert_int_equal(up->targets.count, 3);
    assert_true(up->targets.items[1].at.is_unix);
    assert_int_equal(up->hash_what, UPSTREAM_HASH_COOKIE);
    assert_string_equal(up->hash_name.at, "sid");
    assert_non_null(up->tls);
    assert_true(up->tls->verify);
    assert_int_equal(up->health->range_count, 2);
    assert_int_equal(up->health->ranges[1].last, 399);
    assert_int_equal(up->health->interval, 5000);
    assert_null(up->outlier);
    assert_int_equal(up->slow_start, 60000);
    resource_unref(&r);
}

static void routes_are_bound(void **state)
{
    struct resource *r = parse(
        RESOURCE_ROUTE,
        "{\"name\":\"r\",\"match\":{\"hosts\":[\"*.example.com\",\"[::1]\"],\"paths\":[\"/a/"
        "{id}\"],"
        "\"headers\":[{\"name\":\"X-V\",\"value\":\"*\"}]},"
        "\"split\":[{\"upstream\":\"a\",\"weight\":9},{\"upstream\":\"b\",\"weight\":1}],"
        "\"rewrite\":{\"path\":\"/v2/{id}\"},\"auth\":{},"
        "\"limits\":[{\"name\":\"x\",\"rate\":5},{\"name\":\"q\",\"quota\":9,\"period\":\"week\","
        "\"by\":\"header:X-T\"}],\"max_body\":\"1M\","
        "\"response_headers\":{\"add\":[{\"name\":\"Vary\",\"value\":\"A\"},"
        "{\"name\":\"Vary\",\"value\":\"B\"}]}}");
    const struct route *route = r->route;

    assert_int_equal(route->action, ROUTE_TO_SPLIT);
    assert_int_equal(route->match.headers.count, 1);
    assert_int_equal(route->auth->methods, ROUTE_AUTH_KEY);
    assert_int_equal(route->limits.items[0].burst, 5);
    assert_int_equal(route->limits.items[0].per, 1000);
    assert_int_equal(route->limits.items[0].kind, LIMIT_RATE);
    assert_int_equal(route->limits.items[1].kind, LIMIT_QUOTA);
    assert_int_equal(route->limits.items[1].period, LIMIT_WEEK);
    assert_int_equal(route->limits.items[1].burst, -1);
    assert_string_equal(route->limits.items[1].by_header.at, "X-T");
    assert_int_equal(route->max_body, 1 << 20);
    assert_int_equal(route->response_headers.add.count, 2);
    assert_true(route->plan_limits);
    resource_unref(&r);

    r = parse(RESOURCE_ROUTE, "{\"name\":\"r\",\"upstream\":\"a\"}");
    assert_int_equal(r->route->match.paths.count, 1);
    assert_string_equal(r->route->match.paths.items[0].at, "/");
    assert_int_equal(r->route->max_body, -1);
    assert_null(r->route->auth);
    resource_unref(&r);
}

static void the_same_settings_are_the_same_bytes(void **state)
{
    struct resource *a =
        parse(RESOURCE_ROUTE, "{\"upstream\":\"u\",\"name\":\"r\",\"timeout\":null,"
                              "\"match\":{\"headers\":[{\"value\":\"1\",\"name\":\"A\"}]}}");
    struct resource *b =
        parse(RESOURCE_ROUTE,
              "{\"name\":\"r\",\"match\":{\"headers\":{\"A\":\"1\"}},\"upstream\":\"u\"}");

    assert_string_equal(a->set.at, b->set.at);
    assert_true(resource_equals(a, b));
    resource_unref(&a);
    resource_unref(&b);
}

static void what_is_printed_parses_back(void **state)
{
    struct resource *a =
        parse(RESOURCE_ROUTE,
              "{\"name\":\"r\",\"upstream\":\"u\",\"limits\":[{\"name\":\"q\",\"quota\":9,"
              "\"period\":\"day\"},{\"name\":\"l\",\"rate\":9}],\"auth\":{\"optional\":true}}");
    struct resource *b;
    struct resource *c;
    struct builder first;
    struct builder second;

    builder_init(&first, 1 << 20);
    builder_init(&second, 1 << 20);
    resource_print(a, &first);
    builder_add_byte(&first, '\0');
    b = parse(RESOURCE_ROUTE, builder_text(&first).at);
    resource_print(b, &second);
    builder_add_byte(&second, '\0');
    assert_string_equal(builder_text(&first).at, builder_text(&second).at);
    c = parse(RESOURCE_ROUTE, b->set.at);
    assert_true(resource_equals(b, c));
    resource_unref(&a);
    resource_unref(&b);
    resource_unref(&c);
    builder_fini(&first);
    builder_fini(&second);
}

static void unknown_fields_are_refused_from_people_and_kept_from_the_store(void **state)
{
    const struct checks lenient = { .lenient = true };
    const char *json = "{\"name\":\"c\",\"zz\":{\"b\":1.5},\"new\":[true],\"plan\":\"p\"}";
    struct problems ps;
    struct resource *r;

    refuse(RESOURCE_CONSUMER, "{\"name\":\"c\",\"grups\":[]}", "/grups",
           "There is no field grups in consumer; did you mean groups?");
    problems_init(&ps);
    r = resource_parse(RESOURCE_CONSUMER, text_of(json), &lenient, &ps);
    assert_non_null(r);
    assert_string_equal(r->consumer->plan.at, "p");
    assert_string_equal(r->set.at,
                        "{\"name\":\"c\",\"plan\":\"p\",\"new\":[true],\"zz\":{\"b\":1.5}}");
    resource_unref(&r);
}

static void the_name_may_come_from_the_address(void **state)
{
    const struct resource_source source = { .name = TEXT("gold"), .pointer = "/plans/0" };
    struct doc doc = doc_object();
    struct arena arena;
    struct problems ps;
    struct resource *r;

    problems_init(&ps);
    arena_init(&arena, SIZE_MAX);
    r = resource_new(RESOURCE_PLAN, &doc, &source, NULL, &ps);
    assert_non_null(r);
    assert_string_equal(r->set.at, "{\"name\":\"gold\"}");
    assert_string_equal(r->name.at, "gold");
    resource_unref(&r);
    doc_add(&doc, &arena, TEXT_OF("name"), doc_text(TEXT_OF("silver")));
    assert_null(resource_new(RESOURCE_PLAN, &doc, &source, NULL, &ps));
    assert_int_equal(ps.count, 1);
    assert_string_equal(ps.items[0].pointer, "/plans/0");
    problems_fini(&ps);
    arena_reset(&arena);
}

static void all_problems_are_reported_at_once(void **state)
{
    struct problems ps;

    problems_init(&ps);
    assert_null(resource_parse(RESOURCE_ROUTE,
                               TEXT_OF("{\"name\":\"R\",\"timeout\":5,\"match\":{\"paths\":[\"x\"],"
                                       "\"methods\":[\"get\"]},\"limits\":[{\"rate\":0}]}"),
                               NULL, &ps));
    assert_int_equal(ps.count, 6);
    assert_string_equal(ps.items[0].pointer, "/name");
    assert_string_equal(ps.items[1].pointer, "/timeout");
    assert_string_equal(ps.items[2].pointer, "/match/paths/0");
    assert_string_equal(ps.items[2].path, "routes.R.match.paths[0]");
    assert_string_equal(ps.items[3].pointer, "/match/methods/0");
    assert_string_equal(ps.items[4].pointer, "/limits/0/rate");
    assert_string_equal(ps.items[4].sentence, "rate must be between 1 and 1000000000, got 0.");
    assert_string_equal(ps.items[5].pointer, "/limits/0");
    problems_fini(&ps);
}

static void rules_between_fields_hold(void **state)
{
    refuse(RESOURCE_ROUTE, "{\"name\":\"r\"}", "",
           "The route r does nothing; it must have one of upstream, split, respond and redirect.");
    refuse(RESOURCE_ROUTE, "{\"name\":\"r\",\"upstream\":\"u\",\"respond\":{}}", "",
           "The route r must have only one of upstream, split, respond and redirect, got 2 of "
           "them.");
    refuse(RESOURCE_PLAN,
           "{\"name\":\"p\",\"limits\":[{\"name\":\"a\",\"rate\":1,\"burst\":2,\"cost\":3}]}",
           "/limits/0/cost",
           "cost must be at most burst (2), or no request would ever pass, got 3.");
    refuse(RESOURCE_PLAN,
           "{\"name\":\"p\",\"limits\":[{\"name\":\"a\",\"rate\":1},{\"name\":\"a\",\"rate\":2}]}",
           "/limits/1/name", "The name a is taken by limit 0 of the list; each must have its own.");
    refuse(RESOURCE_PLAN,
           "{\"name\":\"p\",\"limits\":[{\"name\":\"a\",\"quota\":1,"
           "\"period\":\"day\",\"per\":\"1s\"}]}",
           "/limits/0/per", "per belongs to rate, which is not set.");
    refuse(RESOURCE_ROUTE,
           "{\"name\":\"r\",\"upstream\":\"u\",\"match\":{\"paths\":[\"/a/{x}\",\"/b\"]},"
           "\"rewrite\":{\"path\":\"/{x}\"}}",
           "/rewrite/path", "{x} in rewrite/path must be a variable of every path in match.paths.");
    refuse(RESOURCE_UPSTREAM,
           "{\"name\":\"u\",\"targets\":[{\"address\":\"a:1\"},{\"address\":\"a:1\"}]}",
           "/targets/1/address",
           "The address a:1 is that of target 0 too; each may be there once (a larger share is a "
           "weight).");
}

static void references_are_visited(void *arg, enum resource_kind kind, struct text name,
                                   const char *pointer)
{
    struct builder *b = arg;

    builder_addf(b, "%s %.*s at %s, ", resource_kind_singular(kind), TEXT_ARGS(name), pointer);
}

static void references_are_named(void **state)
{
    struct resource *r =
        parse(RESOURCE_ROUTE, "{\"name\":\"r\",\"split\":[{\"upstream\":\"a\",\"weight\":9},"
                              "{\"upstream\":\"b\",\"weight\":1}]}");
    struct builder b;

    builder_init(&b, 1000);
    resource_references(r, references_are_visited, &b);
    assert_true(
        text_equals(builder_text(&b),
                    TEXT_OF("upstream a at /split/0/upstream, upstream b at /split/1/upstream, ")));
    builder_fini(&b);
    resource_unref(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(groups_are_bound),
        cmocka_unit_test(routes_are_bound),
        cmocka_unit_test(the_same_settings_are_the_same_bytes),
        cmocka_unit_test(what_is_printed_parses_back),
        cmocka_unit_test(unknown_fields_are_refused_from_people_and_kept_from_the_store),
        cmocka_unit_test(the_name_may_come_from_the_address),
        cmocka_unit_test(all_problems_are_reported_at_once),
        cmocka_unit_test(rules_between_fields_hold),
        cmocka_unit_test(references_are_named),
    };

    return cmocka_run_group_tests_name("conf/resource", tests, NULL, NULL);
}
