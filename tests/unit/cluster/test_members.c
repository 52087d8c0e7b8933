/* SPDX-License-Identifier: Apache-2.0 */
/* test_members.c - who is known after what was read, and who is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "cluster/members.h"
#include "conf/base/mem.h"

#define HOUR (INT64_C(3600) * 1000)

static struct loop *loop;
static struct members *members;
static struct arena arena;
static int64_t now;
static struct text forgotten;
static unsigned waited;
static size_t pending;

static void on_forget(void *arg, struct text name, struct text incarnation)
{
    forgotten = arena_copy(&arena, name);
}

static struct peer peer_of(const char *name, const char *incarnation, uint64_t revision)
{
    return (struct peer){ .name = text_of(name),
                          .incarnation = text_of(incarnation),
                          .version = TEXT("1.0"),
                          .address = TEXT("127.0.0.1:9080"),
                          .host = TEXT("here"),
                          .state = TEXT("ready"),
                          .schema = 1,
                          .revision = revision };
}

static int set_up(void **state)
{
    loop = loop_new("test");
    arena_init(&arena, SIZE_MAX);
    now = 1000000;
    forgotten = TEXT_EMPTY;
    waited = 0;
    members = members_new(&(struct members_settings){ .loop = loop,
                                                      .incarnation = "aa",
                                                      .forget_after = HOUR,
                                                      .is_local = true,
                                                      .forget = on_forget });
    struct peer self = peer_of("gw-b", "aa", 5);
    members_say(members, &self);
    return 0;
}

static int tear_down(void **state)
{
    members_free(&members);
    arena_reset(&arena);
    loop_free(&loop);
    return 0;
}

static struct text said(const struct peer *peer)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    peer_print(peer, &b);
    struct text copy = arena_copy(&arena, builder_text(&b));
    builder_fini(&b);
    return copy;
}

static struct members_row row_of(const struct peer *peer, int64_t seen)
{
    return (struct members_row){ .name = peer->name, .seen_ms = seen, .said = said(peer) };
}

static void look(const struct members_row *rows, size_t count, int64_t elapsed)
{
    now += elapsed;
    members_take(members, &(struct members_read){
                              .rows = rows, .count = count, .now_ms = now, .elapsed_ms = elapsed });
}

static void see_gw_a(uint64_t revision)
{
    struct peer a = peer_of("gw-a", "bb", revision);
    struct members_row row = row_of(&a, now + 1000);
    look(&row, 1, 1000);
}

static struct members_view view_of(const char *name)
{
    struct members_view view;
    assert_true(members_find(members, text_of(name), &view));
    return view;
}

static void what_is_said_comes_back(void **state)
{
    struct peer p = peer_of("gw-a", "bb", 77);
    struct peer read;
    p.is_tls = true;
    p.reason = TEXT_OF("a \"reason\"");
    p.started_at = 123456789;
    p.entry_id = TEXT_OF("00ff");
    assert_true(peer_parse(said(&p), &arena, &read));
    assert_true(text_equals(read.name, p.name) && text_equals(read.reason, p.reason));
    assert_true(text_equals(read.host, p.host) && text_equals(read.entry_id, p.entry_id));
    assert_true(read.is_tls);
    assert_int_equal(read.revision, 77);
    assert_int_equal(read.started_at, 123456789);
    assert_true(
        peer_parse(TEXT_OF("{\"name\":\"gw-x\",\"later\":[1],\"revision\":\"x\"}"), &arena, &read));
    assert_int_equal(read.revision, 0);
    assert_false(peer_parse(TEXT_OF("{\"name\":\"No Name\"}"), &arena, &read));
    assert_false(peer_parse(TEXT_OF("nonsense"), &arena, &read));
}

static void nodes_are_listed_by_name(void **state)
{
    struct members_view view;
    see_gw_a(1);
    assert_int_equal(members_count(members), 2);
    assert_true(members_next(members, TEXT_EMPTY, &view));
    assert_true(text_equals(view.member.name, TEXT_OF("gw-a")));
    assert_false(view.is_self || view.is_unseen);
    assert_true(members_next(members, view.member.name, &view));
    assert_true(view.is_self);
    assert_false(members_next(members, view.member.name, &view));
}

static void what_is_no_node_is_not_taken_for_one(void **state)
{
    struct peer a = peer_of("gw-a", "bb", 1);
    struct members_row row = row_of(&a, now + 1000);
    char name[20];
    row.name = TEXT_OF("No Node\n");
    look(&row, 1, 1000);
    assert_int_equal(members_count(members), 1);
    for (int i = 0; i < 2 * MEMBERS_MOST; i++) {
        snprintf(name, sizeof(name), "gw-%d", i);
        row.name = text_of(name);
        look(&row, 1, 0);
    }
    assert_int_equal(members_count(members), MEMBERS_MOST);
}

static void who_vanishes_stays_known_until_it_is_forgotten(void **state)
{
    see_gw_a(1);
    look(NULL, 0, 3000);
    assert_false(view_of("gw-a").is_unseen);
    look(NULL, 0, 1000);
    assert_true(view_of("gw-a").is_unseen);
    look(NULL, 0, HOUR - 5000);
    assert_int_equal(members_count(members), 2);
    look(NULL, 0, 1000);
    assert_int_equal(members_count(members), 1);
    assert_true(text_equals(forgotten, TEXT_OF("gw-a")));
}

/* Redis away: looks that come after a break say that nothing passed. */
static void time_without_redis_forgets_nobody(void **state)
{
    see_gw_a(1);
    for (int i = 0; i < 100; i++) {
        now += 2 * HOUR;
        look(NULL, 0, 0);
    }
    assert_int_equal(members_count(members), 2);
    assert_false(view_of("gw-a").is_unseen);
}

static void who_comes_back_is_seen_again(void **state)
{
    see_gw_a(1);
    look(NULL, 0, 10000);
    assert_true(view_of("gw-a").is_unseen);
    see_gw_a(1);
    assert_false(view_of("gw-a").is_unseen);
}

/* A value that stands in Redis is no sign of life: only one that was written anew. */
static void what_stands_still_is_not_seen(void **state)
{
    struct peer a = peer_of("gw-a", "bb", 1);
    struct members_row row = row_of(&a, now);
    for (int i = 0; i < 5; i++)
        look(&row, 1, 1000);
    assert_true(view_of("gw-a").is_unseen);
}

static void who_says_good_bye_is_gone(void **state)
{
    see_gw_a(1);
    struct members_row other = {
        .name = TEXT("gw-a"), .seen_ms = now, .is_gone = true, .said = TEXT("other")
    };
    look(&other, 1, 1000);
    assert_int_equal(members_count(members), 2);
    struct members_row gone = {
        .name = TEXT("gw-a"), .seen_ms = now, .is_gone = true, .said = TEXT("bb")
    };
    look(&gone, 1, 1000);
    assert_int_equal(members_count(members), 1);
}

static void known_nodes_outlive_the_process(void **state)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    see_gw_a(3);
    members_print(members, &b);
    assert_int_equal(tear_down(NULL), 0);
    assert_int_equal(set_up(NULL), 0);
    members_load(members, builder_text(&b));
    members_load(members, TEXT_OF("nonsense\n\n{\"name\":\"gw-b\"}"));
    assert_int_equal(members_count(members), 2);
    assert_true(view_of("gw-a").is_unseen);
    assert_true(text_equals(view_of("gw-a").member.address, TEXT_OF("127.0.0.1:9080")));
    builder_fini(&b);
}

static void two_processes_of_one_name_are_noticed(void **state)
{
    struct members_read read = { .now_ms = now, .elapsed_ms = 1000, .is_shared_name = true };
    assert_false(members_is_name_shared(members));
    members_take(members, &read);
    assert_true(members_is_name_shared(members));
    read.is_shared_name = false;
    for (int i = 0; i < 4; i++)
        members_take(members, &read);
    assert_true(members_is_name_shared(members));
    members_take(members, &read);
    assert_false(members_is_name_shared(members));
}

static void a_local_address_is_useless_to_other_hosts(void **state)
{
    see_gw_a(1);
    assert_false(members_is_address_useless(members));
    struct peer c = peer_of("gw-c", "cc", 1);
    c.host = TEXT_OF("there");
    struct members_row row = row_of(&c, now);
    look(&row, 1, 1000);
    assert_true(members_is_address_useless(members));
}

/* ---- waiting ---- */

static void on_waited(void *arg, const struct text *names, size_t count)
{
    waited++;
    pending = count;
}

static void run_until_waited(void)
{
    for (int i = 0; i < 1000 && waited == 0; i++)
        loop_run_once(loop, true);
    assert_int_equal(waited, 1);
}

static void it_is_waited_for_all(void **state)
{
    struct members_wait wait;
    see_gw_a(4);
    members_wait_start(members, &wait, 5, 60000, on_waited, NULL);
    loop_run_once(loop, false);
    assert_int_equal(waited, 0);
    assert_true(members_is_waited_for(members));
    see_gw_a(5);
    run_until_waited();
    assert_int_equal(pending, 0);
    assert_false(members_is_waited_for(members));
}

static void who_does_not_apply_it_in_time_is_named(void **state)
{
    struct members_wait wait;
    see_gw_a(4);
    members_wait_start(members, &wait, 5, 20, on_waited, NULL);
    run_until_waited();
    assert_int_equal(pending, 1);
}

static void who_is_removed_is_not_waited_for(void **state)
{
    struct members_wait wait;
    see_gw_a(4);
    members_wait_start(members, &wait, 5, 60000, on_waited, NULL);
    assert_true(members_remove(members, TEXT_OF("gw-a")));
    assert_false(members_remove(members, TEXT_OF("gw-b")));
    run_until_waited();
    assert_int_equal(pending, 0);
}

/* What waits is a call of the admin API, which is freed when it is answered. */
static void who_waits_is_told_at_the_end(void **state)
{
    struct members_wait wait;
    see_gw_a(4);
    members_wait_start(members, &wait, 5, 60000, on_waited, NULL);
    members_free(&members);
    assert_int_equal(waited, 1);
    assert_int_equal(pending, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_said_comes_back),
        TEST(nodes_are_listed_by_name),
        TEST(what_is_no_node_is_not_taken_for_one),
        TEST(who_vanishes_stays_known_until_it_is_forgotten),
        TEST(time_without_redis_forgets_nobody),
        TEST(who_comes_back_is_seen_again),
        TEST(what_stands_still_is_not_seen),
        TEST(who_says_good_bye_is_gone),
        TEST(known_nodes_outlive_the_process),
        TEST(two_processes_of_one_name_are_noticed),
        TEST(a_local_address_is_useless_to_other_hosts),
        TEST(it_is_waited_for_all),
        TEST(who_does_not_apply_it_in_time_is_named),
        TEST(who_is_removed_is_not_waited_for),
        TEST(who_waits_is_told_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
