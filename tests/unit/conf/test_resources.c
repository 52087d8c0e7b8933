/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "conf/diff.h"
#include "conf/print_json.h"
#include "conf/resources.h"

static struct resource *make(enum resource_kind kind, const char *json)
{
    struct problems ps;
    struct resource *r;

    problems_init(&ps);
    r = resource_parse(kind, text_of(json), NULL, &ps);
    assert_non_null(r);
    return r;
}

static enum resources_change put(struct resources_draft *d, enum resource_kind kind,
                                 const char *json)
{
    struct resource *r = make(kind, json);
    enum resources_change change = resources_draft_put(d, r, NULL);

    resource_unref(&r);
    return change;
}

static enum resources_change put_upstream(struct resources_draft *d, const char *name, int port)
{
    char json[256];

    (void)snprintf(json, sizeof(json), "{\"name\":\"%s\",\"targets\":[{\"address\":\"h:%d\"}]}",
                   name, port);
    return put(d, RESOURCE_UPSTREAM, json);
}

static enum resources_change put_route(struct resources_draft *d, const char *name,
                                       const char *upstream)
{
    char json[256];

    (void)snprintf(json, sizeof(json), "{\"name\":\"%s\",\"upstream\":\"%s\"}", name, upstream);
    return put(d, RESOURCE_ROUTE, json);
}

static struct resources *seal(struct resources_draft **d)
{
    struct resources *sealed = NULL;
    struct problems ps;

    problems_init(&ps);
    assert_true(resources_draft_seal(d, NULL, &ps, &sealed));
    assert_null(*d);
    return sealed;
}

/* Upstreams a and b; routes ra to a, rb to b; plan p. */
static struct resources *example(void)
{
    struct resources *none = resources_new();
    struct resources_draft *d = resources_draft_new(none);

    assert_int_equal(put_route(d, "ra", "a"), RESOURCES_ADDED);
    assert_int_equal(put_route(d, "rb", "b"), RESOURCES_ADDED);
    assert_int_equal(put_upstream(d, "a", 1), RESOURCES_ADDED);
    assert_int_equal(put_upstream(d, "b", 2), RESOURCES_ADDED);
    assert_int_equal(put(d, RESOURCE_PLAN, "{\"name\":\"p\"}"), RESOURCES_ADDED);
    resources_unref(&none);
    return seal(&d);
}

static void refuse(struct resources_draft *d, const struct resources_outside *outside,
                   const char *path, const char *sentence)
{
    struct resources *sealed = NULL;
    struct problems ps;

    problems_init(&ps);
    assert_false(resources_draft_seal(&d, outside, &ps, &sealed));
    assert_null(sealed);
    assert_int_equal(ps.count, 1);
    assert_string_equal(ps.items[0].path, path);
    assert_string_equal(ps.items[0].sentence, sentence);
    problems_fini(&ps);
    resources_draft_free(&d);
}

static void what_was_put_is_found(void **state)
{
    struct resources *rs = example();

    assert_int_equal(resources_count(rs, RESOURCE_ROUTE), 2);
    assert_int_equal(resources_count(rs, RESOURCE_PLAN), 1);
    assert_non_null(resources_find(rs, RESOURCE_ROUTE, TEXT_OF("ra")));
    assert_null(resources_find(rs, RESOURCE_ROUTE, TEXT_OF("rc")));
    assert_null(resources_find(rs, RESOURCE_ROUTE, TEXT_OF("")));
    resources_unref(&rs);
}

static void a_draft_leaves_its_base_alone(void **state)
{
    struct resources *rs = example();
    struct resources_draft *d = resources_draft_new(rs);
    struct resources *next;
    struct resource *a = resources_find(rs, RESOURCE_UPSTREAM, TEXT_OF("a"));

    assert_int_equal(put_upstream(d, "a", 7), RESOURCES_CHANGED);
    assert_int_equal(put_upstream(d, "c", 8), RESOURCES_ADDED);
    assert_true(resources_draft_remove(d, RESOURCE_ROUTE, TEXT_OF("rb")));
    assert_false(resources_draft_remove(d, RESOURCE_ROUTE, TEXT_OF("rb")));
    next = seal(&d);
    assert_ptr_equal(resources_find(rs, RESOURCE_UPSTREAM, TEXT_OF("a")), a);
    assert_ptr_not_equal(resources_find(next, RESOURCE_UPSTREAM, TEXT_OF("a")), a);
    assert_int_equal(resources_count(rs, RESOURCE_UPSTREAM), 2);
    assert_int_equal(resources_count(next, RESOURCE_UPSTREAM), 3);
    assert_int_equal(resources_count(next, RESOURCE_ROUTE), 1);
    resources_unref(&rs);
    assert_non_null(resources_find(next, RESOURCE_UPSTREAM, TEXT_OF("b")));
    resources_unref(&next);
}

static void the_same_again_changes_nothing(void **state)
{
    struct resources *rs = example();
    struct resources_draft *d = resources_draft_new(rs);
    struct resources *next;

    assert_int_equal(put_upstream(d, "a", 1), RESOURCES_SAME);
    assert_false(resources_draft_is_changed(d));
    next = seal(&d);
    assert_ptr_equal(next, rs);
    resources_unref(&next);
    resources_unref(&rs);
}

static void dangling_references_are_refused(void **state)
{
    struct resources *rs = example();
    struct resources_draft *d = resources_draft_new(rs);

    put_route(d, "rc", "nobody");
    refuse(d, NULL, "routes.rc",
           "The route rc refers to the upstream nobody, which does not exist.");
    d = resources_draft_new(rs);
    assert_true(resources_draft_remove(d, RESOURCE_UPSTREAM, TEXT_OF("a")));
    refuse(d, NULL, "upstreams.a", "The upstream a is still used by the route ra.");
    d = resources_draft_new(rs);
    assert_true(resources_draft_remove(d, RESOURCE_UPSTREAM, TEXT_OF("a")));
    put_route(d, "ra", "b");
    rs = (resources_unref(&rs), seal(&d));
    assert_int_equal(resources_count(rs, RESOURCE_UPSTREAM), 1);
    resources_unref(&rs);
}

static size_t two_users(void *arg, struct text plan)
{
    return text_equals(plan, TEXT_OF("p")) ? 2 : 0;
}

static void plans_in_use_stay(void **state)
{
    const struct resources_outside outside = { .plan_users = two_users };
    struct resources *rs = example();
    struct resources_draft *d = resources_draft_new(rs);

    assert_true(resources_draft_remove(d, RESOURCE_PLAN, TEXT_OF("p")));
    refuse(d, &outside, "plans.p", "The plan p is still used by 2 consumers.");
    d = resources_draft_new_replacing(rs);
    put_upstream(d, "a", 1);
    refuse(d, &outside, "plans.p", "The plan p is still used by 2 consumers.");
    resources_unref(&rs);
}

static void consumers_are_checked_against_a_set(void **state)
{
    struct resources *rs = example();
    struct resource *good = make(RESOURCE_CONSUMER, "{\"name\":\"c\",\"plan\":\"p\"}");
    struct resource *bad = make(RESOURCE_CONSUMER, "{\"name\":\"c\",\"plan\":\"q\"}");
    struct problems ps;

    problems_init(&ps);
    assert_true(resources_check(rs, good, &ps));
    assert_false(resources_check(rs, bad, &ps));
    assert_string_equal(ps.items[0].sentence,
                        "The consumer c refers to the plan q, which does not exist.");
    problems_fini(&ps);
    resource_unref(&good);
    resource_unref(&bad);
    resources_unref(&rs);
}

static void referrers_are_named(void **state)
{
    struct resources *rs = example();
    struct resources_draft *d = resources_draft_new(rs);
    struct text names[2];
    struct resources *next;

    put(d, RESOURCE_ROUTE,
        "{\"name\":\"rc\",\"split\":[{\"upstream\":\"a\",\"weight\":1},{\"upstream\":\"b\","
        "\"weight\":1}]}");
    put_route(d, "rb", "a");
    next = seal(&d);
    assert_int_equal(resources_referrers(next, RESOURCE_UPSTREAM, TEXT_OF("a"), names, 2), 3);
    assert_string_equal(names[0].at, "ra");
    assert_string_equal(names[1].at, "rb");
    assert_int_equal(resources_referrers(next, RESOURCE_UPSTREAM, TEXT_OF("b"), names, 2), 1);
    assert_string_equal(names[0].at, "rc");
    assert_int_equal(resources_referrers(next, RESOURCE_UPSTREAM, TEXT_OF("z"), names, 2), 0);
    resources_unref(&next);
    resources_unref(&rs);
}

static void replacing_keeps_what_is_equal(void **state)
{
    struct resources *rs = example();
    struct resources_draft *d = resources_draft_new_replacing(rs);
    struct resources *next;

    assert_int_equal(put_upstream(d, "a", 1), RESOURCES_SAME);
    assert_int_equal(put_upstream(d, "a", 1), RESOURCES_TWICE);
    assert_int_equal(put_upstream(d, "b", 3), RESOURCES_CHANGED);
    next = seal(&d);
    assert_int_equal(resources_count(next, RESOURCE_ROUTE), 0);
    assert_ptr_equal(resources_find(next, RESOURCE_UPSTREAM, TEXT_OF("a")),
                     resources_find(rs, RESOURCE_UPSTREAM, TEXT_OF("a")));
    resources_unref(&next);
    resources_unref(&rs);
}

static struct resources *many(int count)
{
    struct resources *none = resources_new();
    struct resources_draft *d = resources_draft_new(none);

    put_upstream(d, "u", 1);
    for (int i = 0; i < count; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "r%d", i * 7919 % count);
        put_route(d, name, "u");
    }
    resources_unref(&none);
    return seal(&d);
}

static void cursors_go_in_the_order_of_names(void **state)
{
    struct resources *rs = many(3000);
    struct resources_cursor c;
    struct text last = TEXT_EMPTY;
    struct resource *r;
    int count = 0;

    resources_cursor_init(&c, rs, RESOURCE_ROUTE);
    for (; (r = resources_next(&c)) != NULL; count++) {
        assert_true(text_compare(last, r->name) < 0);
        last = r->name;
    }
    assert_int_equal(count, 3000);
    resources_cursor_after(&c, rs, RESOURCE_ROUTE, TEXT_OF("r1500"));
    assert_string_equal(resources_next(&c)->name.at, "r1501");
    resources_cursor_after(&c, rs, RESOURCE_ROUTE, TEXT_OF("r1500x"));
    assert_string_equal(resources_next(&c)->name.at, "r1501");
    resources_cursor_after(&c, rs, RESOURCE_ROUTE, TEXT_OF("z"));
    assert_null(resources_next(&c));
    resources_unref(&rs);
}

static void differences_are_just_what_changed(void **state)
{
    struct resources *rs = many(1000);
    struct resources_draft *d = resources_draft_new(rs);
    struct resources_difference difference;
    struct resource *before;
    struct resource *after;
    struct resources *next;

    put(d, RESOURCE_ROUTE, "{\"name\":\"r500\",\"upstream\":\"u\",\"timeout\":\"5s\"}");
    put_route(d, "r5001", "u");
    assert_true(resources_draft_remove(d, RESOURCE_ROUTE, TEXT_OF("r9")));
    next = seal(&d);
    resources_difference_init(&difference, rs, next);
    assert_true(resources_difference_next(&difference, &before, &after));
    assert_string_equal(before->name.at, "r500");
    assert_string_equal(after->name.at, "r500");
    assert_true(resources_difference_next(&difference, &before, &after));
    assert_null(before);
    assert_string_equal(after->name.at, "r5001");
    assert_true(resources_difference_next(&difference, &before, &after));
    assert_string_equal(before->name.at, "r9");
    assert_null(after);
    assert_false(resources_difference_next(&difference, &before, &after));
    assert_int_equal(resources_count(next, RESOURCE_ROUTE), 1000);
    resources_unref(&rs);
    resources_unref(&next);
}

static void everything_can_be_removed(void **state)
{
    struct resources *rs = many(500);
    struct resources_draft *d = resources_draft_new(rs);
    struct resources *next;

    for (int i = 0; i < 500; i++) {
        char name[32];
        int length = snprintf(name, sizeof(name), "r%d", i);

        assert_true(resources_draft_remove(d, RESOURCE_ROUTE, text_from(name, (size_t)length)));
    }
    assert_true(resources_draft_remove(d, RESOURCE_UPSTREAM, TEXT_OF("u")));
    next = seal(&d);
    assert_int_equal(resources_count(next, RESOURCE_ROUTE), 0);
    assert_int_equal(resources_count(rs, RESOURCE_ROUTE), 500);
    resources_unref(&next);
    resources_unref(&rs);
}

static void differences_print_as_json(void **state)
{
    struct resources *rs = example();
    struct resources_draft *d = resources_draft_new(rs);
    struct resources *next;
    struct arena arena;
    struct builder b;
    struct doc list;

    put_upstream(d, "a", 9);
    assert_true(resources_draft_remove(d, RESOURCE_ROUTE, TEXT_OF("rb")));
    put(d, RESOURCE_PLAN, "{\"name\":\"q\"}");
    next = seal(&d);
    arena_init(&arena, SIZE_MAX);
    builder_init(&b, 100000);
    list = diff_resources(rs, next, &arena);
    print_json(&list, &b);
    builder_add_byte(&b, '\0');
    assert_string_equal(
        builder_text(&b).at,
        "[{\"kind\":\"upstreams\",\"name\":\"a\",\"change\":\"changed\","
        "\"before\":{\"name\":\"a\",\"targets\":[{\"address\":\"h:1\"}]},"
        "\"after\":{\"name\":\"a\",\"targets\":[{\"address\":\"h:9\"}]},"
        "\"fields\":[{\"pointer\":\"/targets/0/address\",\"before\":\"h:1\",\"after\":\"h:9\"}]},"
        "{\"kind\":\"routes\",\"name\":\"rb\",\"change\":\"removed\","
        "\"before\":{\"name\":\"rb\",\"upstream\":\"b\"}},"
        "{\"kind\":\"plans\",\"name\":\"q\",\"change\":\"added\",\"after\":{\"name\":\"q\"}}]");
    builder_fini(&b);
    arena_reset(&arena);
    resources_unref(&next);
    resources_unref(&rs);
}

static unsigned count_of(struct resource *r)
{
    return atomic_load(&r->count);
}

static void a_large_set_is_freed_part_by_part(void **state)
{
    struct resources *rs = many(3000);
    struct resources_cursor c;
    struct resource *first;
    unsigned parts = 0;

    while (resources_tidy()) { /* what others left */
    }
    resources_cursor_init(&c, rs, RESOURCE_UPSTREAM);
    first = resource_ref(resources_next(&c));
    unsigned before = count_of(first);
    resources_unref(&rs);
    assert_int_equal(count_of(first), before);
    while (resources_tidy())
        parts++;
    assert_true(parts > 5);
    assert_int_equal(count_of(first), 1);
    resource_unref(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found),
        cmocka_unit_test(a_draft_leaves_its_base_alone),
        cmocka_unit_test(the_same_again_changes_nothing),
        cmocka_unit_test(dangling_references_are_refused),
        cmocka_unit_test(plans_in_use_stay),
        cmocka_unit_test(consumers_are_checked_against_a_set),
        cmocka_unit_test(referrers_are_named),
        cmocka_unit_test(replacing_keeps_what_is_equal),
        cmocka_unit_test(cursors_go_in_the_order_of_names),
        cmocka_unit_test(differences_are_just_what_changed),
        cmocka_unit_test(everything_can_be_removed),
        cmocka_unit_test(differences_print_as_json),
        cmocka_unit_test(a_large_set_is_freed_part_by_part),
    };

    return cmocka_run_group_tests_name("conf/resources", tests, NULL, NULL);
}
