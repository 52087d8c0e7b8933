/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot.c - snapshots are compiled in slices, and what did not change is used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/mem.h"
#include "gatewayd/route/snapshot.h"

struct bench {
    struct resources *resources;
    struct snapshot_compiler *compiler;
    unsigned policies; /* alive */
    unsigned released;
};

static bool compile_policy(void *arg, const struct route *route, void **policy_out,
                           struct builder *why)
{
    struct bench *b = arg;

    if (text_equals(route->name, TEXT_OF("unwanted"))) {
        builder_add(why, TEXT_OF("The route unwanted is unwanted."));
        return false;
    }
    b->policies++;
    *policy_out = b;
    return true;
}

static void free_policy(void *arg, void *policy)
{
    struct bench *b = arg;

    assert_ptr_equal(policy, b);
    b->policies--;
}

static void release(struct snapshot *snapshot, void *arg)
{
    struct bench *b = arg;

    b->released++;
    snapshot_free(b->compiler, &snapshot);
}

static void init(struct bench *b)
{
    struct snapshot_settings settings = {
        .workers = 2,
        .hooks = { .arg = b,
                   .compile_policy = compile_policy,
                   .free_policy = free_policy,
                   .release = release },
    };

    if (metrics_slot == 0) {
        metrics_start(1);
        metrics_use_slot(1);
    }
    memset(b, 0, sizeof(*b));
    b->resources = resources_new();
    b->compiler = snapshot_compiler_new(&settings);
}

static void fini(struct bench *b)
{
    snapshot_compiler_free(&b->compiler);
    resources_unref(&b->resources);
    assert_int_equal(b->policies, 0);
}

/* ---- drafts: JSON with ' for "; a kind is told by "'upstream'" or "'targets'" ---- */

static void put(struct resources_draft *draft, const char *json)
{
    enum resource_kind kind =
        strstr(json, "'targets'") != NULL ? RESOURCE_UPSTREAM : RESOURCE_ROUTE;
    char *copy = mem_copy_text(json, strlen(json));
    struct resource *resource;
    struct problems ps;

    for (char *c = copy; *c != '\0'; c++) {
        if (*c == '\'')
            *c = '"';
    }
    problems_init(&ps);
    resource = resource_parse(kind, text_of(copy), NULL, &ps);
    for (size_t i = 0; i < ps.count; i++)
        fprintf(stderr, "%s\n", ps.items[i].sentence);
    assert_non_null(resource);
    (void)resources_draft_put(draft, resource, NULL);
    resource_unref(&resource);
    problems_fini(&ps);
    MEM_FREE(&copy);
}

static void seal(struct bench *b, struct resources_draft *draft)
{
    struct resources *sealed;
    struct problems ps;

    problems_init(&ps);
    assert_true(resources_draft_seal(&draft, NULL, &ps, &sealed));
    problems_fini(&ps);
    resources_unref(&b->resources);
    b->resources = sealed;
}

static void change(struct bench *b, const char *json)
{
    struct resources_draft *draft = resources_draft_new(b->resources);

    put(draft, json);
    seal(b, draft);
}

static void remove_one(struct bench *b, enum resource_kind kind, const char *name)
{
    struct resources_draft *draft = resources_draft_new(b->resources);

    assert_true(resources_draft_remove(draft, kind, text_of(name)));
    seal(b, draft);
}

static struct snapshot *compile(struct bench *b)
{
    enum snapshot_step step;

    snapshot_compiler_begin(b->compiler, b->resources);
    while ((step = snapshot_compiler_step(b->compiler, 2000)) == SNAPSHOT_MORE)
        continue;
    return step == SNAPSHOT_READY ? snapshot_compiler_take(b->compiler) : NULL;
}

static const struct fleet *fleet_of(const struct snapshot *s, const char *route)
{
    return snapshot_fleet(s, snapshot_find_route(s, text_of(route))->backends[0].slot);
}

#define U1 "{'name':'u1','targets':[{'address':'10.0.0.1:80'}]}"
#define U2 "{'name':'u2','targets':[{'address':'10.0.0.2:80'},{'address':'unix:/run/x'}]}"
#define R1 "{'name':'r1','match':{'paths':['/1']},'upstream':'u1'}"
#define R2 "{'name':'r2','match':{'paths':['/2']},'upstream':'u2'}"

static void fill(struct bench *b)
{
    struct resources_draft *draft = resources_draft_new(b->resources);

    put(draft, U1);
    put(draft, U2);
    put(draft, R1);
    put(draft, R2);
    seal(b, draft);
}

static void the_empty_configuration_compiles(void **state)
{
    struct bench b;
    struct snapshot *s;

    init(&b);
    s = compile(&b);
    assert_non_null(s);
    assert_int_equal(s->route_count, 0);
    assert_int_equal(snapshot_compiler_step(b.compiler, 2000), SNAPSHOT_IDLE);
    snapshot_unref(&s);
    fini(&b);
}

static void routes_know_their_fleets(void **state)
{
    struct bench b;
    struct snapshot *s;

    init(&b);
    fill(&b);
    s = compile(&b);
    assert_int_equal(s->route_count, 2);
    assert_true(text_equals(fleet_of(s, "r1")->name, TEXT_OF("u1")));
    assert_true(text_equals(fleet_of(s, "r2")->name, TEXT_OF("u2")));
    assert_int_equal(fleet_of(s, "r2")->member_count, 2);
    assert_ptr_equal(snapshot_find_fleet(s, TEXT_OF("u2")), fleet_of(s, "r2"));
    assert_null(snapshot_find_fleet(s, TEXT_OF("u3")));
    assert_null(snapshot_find_route(s, TEXT_OF("r3")));
    assert_int_equal(b.policies, 2);
    snapshot_unref(&s);
    fini(&b);
}

static void what_did_not_change_is_used_again(void **state)
{
    struct bench b;
    struct snapshot *first;
    struct snapshot *second;

    init(&b);
    fill(&b);
    first = compile(&b);
    change(&b, "{'name':'r2','match':{'paths':['/two']},'upstream':'u2'}");
    second = compile(&b);
    assert_ptr_equal(snapshot_find_route(first, TEXT_OF("r1")),
                     snapshot_find_route(second, TEXT_OF("r1")));
    assert_ptr_not_equal(snapshot_find_route(first, TEXT_OF("r2")),
                         snapshot_find_route(second, TEXT_OF("r2")));
    assert_ptr_equal(fleet_of(first, "r1"), fleet_of(second, "r1"));
    assert_ptr_not_equal(first->router, second->router);
    assert_int_equal(b.policies, 3);
    snapshot_unref(&first);
    assert_int_equal(b.released, 1);
    assert_int_equal(b.policies, 2);
    snapshot_unref(&second);
    fini(&b);
}

static void a_changed_upstream_keeps_router_and_targets(void **state)
{
    struct bench b;
    struct snapshot *first;
    struct snapshot *second;
    struct target *target;

    init(&b);
    fill(&b);
    first = compile(&b);
    target = fleet_of(first, "r1")->members[0].target;
    change(&b, "{'name':'u1','balance':'hash','hash_on':'path',"
               "'targets':[{'address':'10.0.0.1:80','weight':7},{'address':'10.0.0.9:80'}]}");
    second = compile(&b);
    assert_ptr_equal(first->router, second->router);
    assert_ptr_not_equal(fleet_of(first, "r1"), fleet_of(second, "r1"));
    assert_int_equal(fleet_of(second, "r1")->slot, fleet_of(first, "r1")->slot);
    assert_non_null(fleet_find(fleet_of(second, "r1"), target));
    assert_int_equal(fleet_of(second, "r1")->member_count, 2);
    snapshot_unref(&first);
    snapshot_unref(&second);
    fini(&b);
}

static void slots_stay_right_when_upstreams_come_and_go(void **state)
{
    struct bench b;
    struct snapshot *s;

    init(&b);
    fill(&b);
    s = compile(&b);
    snapshot_unref(&s);
    remove_one(&b, RESOURCE_ROUTE, "r1");
    remove_one(&b, RESOURCE_UPSTREAM, "u1");
    snapshot_compiler_begin(b.compiler, b.resources); /* never finished */
    change(&b, "{'name':'u0','targets':[{'address':'10.0.0.7:80'}]}");
    s = compile(&b);
    assert_true(text_equals(fleet_of(s, "r2")->name, TEXT_OF("u2")));
    snapshot_unref(&s);
    change(&b, U1);
    change(&b, R1);
    s = compile(&b);
    assert_true(text_equals(fleet_of(s, "r1")->name, TEXT_OF("u1")));
    assert_true(text_equals(fleet_of(s, "r2")->name, TEXT_OF("u2")));
    snapshot_unref(&s);
    fini(&b);
}

static void a_job_that_fails_leaves_everything_as_it_was(void **state)
{
    struct bench b;
    struct snapshot *s;

    init(&b);
    fill(&b);
    s = compile(&b);
    snapshot_unref(&s);
    change(&b, "{'name':'unwanted','upstream':'u1'}");
    assert_null(compile(&b));
    assert_true(text_equals(snapshot_compiler_reason(b.compiler),
                            TEXT_OF("The route unwanted is unwanted.")));
    remove_one(&b, RESOURCE_ROUTE, "unwanted");
    change(&b, "{'name':'tls','tls':{'ca':'/nonexistent/ca.pem'},"
               "'targets':[{'address':'10.0.0.1:443'}]}");
    assert_null(compile(&b));
    assert_true(text_contains(snapshot_compiler_reason(b.compiler), TEXT_OF("The upstream tls: ")));
    remove_one(&b, RESOURCE_UPSTREAM, "tls");
    s = compile(&b);
    assert_non_null(s);
    assert_int_equal(b.policies, 2);
    snapshot_unref(&s);
    fini(&b);
}

static void targets_end_with_the_last_who_knows_them(void **state)
{
    struct bench b;
    struct snapshot *first;
    struct snapshot *second;
    struct target *target;

    init(&b);
    fill(&b);
    first = compile(&b);
    target = target_ref(fleet_of(first, "r1")->members[0].target);
    change(&b, "{'name':'u1','targets':[{'address':'10.0.0.8:80'}]}");
    second = compile(&b);
    snapshot_unref(&first);
    target_table_sweep(snapshot_compiler_targets(b.compiler));
    assert_true(text_equals(target->written, TEXT_OF("10.0.0.1:80"))); /* we hold it */
    target_unref(&target);
    assert_int_equal(snapshot_compiler_targets(b.compiler)->by_identity.count, 4);
    target_table_sweep(snapshot_compiler_targets(b.compiler));
    assert_int_equal(snapshot_compiler_targets(b.compiler)->by_identity.count, 3);
    snapshot_unref(&second);
    fini(&b);
}

static void many_routes_take_many_slices(void **state)
{
    struct resources_draft *draft;
    struct bench b;
    unsigned slices = 0;
    struct snapshot *s;

    init(&b);
    draft = resources_draft_new(b.resources);
    for (unsigned i = 0; i < 5000; i++) {
        char json[200];

        snprintf(json, sizeof(json), "{'name':'r%05u','match':{'paths':['/a/%u']},'respond':{}}", i,
                 i);
        put(draft, json);
    }
    seal(&b, draft);
    snapshot_compiler_begin(b.compiler, b.resources);
    while (snapshot_compiler_step(b.compiler, 200) == SNAPSHOT_MORE)
        slices++;
    assert_in_range(slices, 3, 5000);
    s = snapshot_compiler_take(b.compiler);
    assert_int_equal(s->route_count, 5000);
    assert_int_equal(router_route_count(s->router), 5000);
    snapshot_unref(&s);
    fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_empty_configuration_compiles),
        cmocka_unit_test(routes_know_their_fleets),
        cmocka_unit_test(what_did_not_change_is_used_again),
        cmocka_unit_test(a_changed_upstream_keeps_router_and_targets),
        cmocka_unit_test(slots_stay_right_when_upstreams_come_and_go),
        cmocka_unit_test(a_job_that_fails_leaves_everything_as_it_was),
        cmocka_unit_test(targets_end_with_the_last_who_knows_them),
        cmocka_unit_test(many_routes_take_many_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
