/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redis_history_scripts.c - the scripts of the shared history, by a real redis-server as the
 * user of cluster/redis.acl: all or nothing, nothing late, and a folded state that is what the
 * entries say however it is sliced.
 */
#include <stdio.h>

#include "cluster/item.h"
#include "cluster/redis_scripts.h"
#include "cluster/redis_value.h"
#include "conf/base/mem.h"
#include "tests/unit/cluster/redis_server.h"
#include "tests/unit/gatewayd/cmocka_all.h"

REDIS_SCRIPT(history_commit);
REDIS_SCRIPT(history_stage);
REDIS_SCRIPT(history_lookup);
REDIS_SCRIPT(history_head);
REDIS_SCRIPT(history_fold);
REDIS_SCRIPT(history_tidy);
REDIS_SCRIPT(history_turn);

#define FAR "9999999999999999"

static struct redis_server_process server;
static struct redis_story story;
static struct arena arena;
static const char *token = "who commits"; /* in whose name */
static bool is_there;
static enum redis_outcome outcome;
static struct redis_value answer;

static void on_done(void *arg, const struct redis_result *result)
{
    is_there = true;
    outcome = result->outcome;
    answer = (struct redis_value){ .kind = REDIS_REPLY_NIL };
    if (result->outcome == REDIS_ANSWERED)
        redis_value_copy(result->reply, &arena, &answer);
    else
        print_message("%.*s\n", TEXT_ARGS(result->reason));
}

static bool has_come(void *arg)
{
    return is_there;
}

static void run(const struct redis_script *script, const struct text *words, size_t count,
                size_t keys)
{
    is_there = false;
    redis_link_run(redis_link_of(story.redis, REDIS_CALLS),
                   &(struct redis_run){ script, words, count, keys, 2000, on_done, NULL });
    assert_true(redis_story_until(&story, has_come, NULL));
    assert_int_equal(outcome, REDIS_ANSWERED);
}

static void expect_word(const char *word)
{
    struct text said = redis_value_at(&answer, 0)->text;
    if (!text_equals(said, text_of(word)))
        print_message("said \"%.*s\"\n", TEXT_ARGS(said));
    assert_true(text_equals(said, text_of(word)));
}

static int set_up(void **state)
{
    arena_init(&arena, SIZE_MAX);
    redis_server_start(&server, "", NULL);
    redis_story_open_for(&story, &server, "");
    redis_story_expect_up(&story, REDIS_CALLS, true);
    return 0;
}

static int tear_down(void **state)
{
    redis_story_close(&story);
    redis_server_stop(&server);
    arena_reset(&arena);
    return 0;
}

/* ---- commits ---- */

static struct text id_of(unsigned n)
{
    struct text zeros = arena_copy(&arena, text_from("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16));
    ((char *)(uintptr_t)zeros.at)[15] = (char)n;
    return zeros;
}

static struct text hex_key(const char *name, unsigned n)
{
    return arena_print(&arena, "{gatewayd}:%s:%030x%02x", name, 0, n);
}

/* One entry with this id on top of revision `before`, whose id is `prev`. */
static void commit(const char *not_after, unsigned before, unsigned prev, unsigned id,
                   const char *parts, struct text items)
{
    struct text words[] = { TEXT("{gatewayd}:head"),
                            TEXT("{gatewayd}:log"),
                            hex_key("refused", id),
                            TEXT("{gatewayd}:ids"),
                            hex_key("body", id),
                            text_of(not_after),
                            TEXT("cluster-cluster-"),
                            arena_print(&arena, "%u", before),
                            id_of(prev),
                            text_of(token),
                            TEXT("1000"),
                            id_of(id),
                            TEXT("1700000000000"),
                            TEXT("alice"),
                            TEXT("summary"),
                            text_of(parts),
                            items };
    run(&redis_script_history_commit, words, ARRAY_LENGTH(words), 5);
}

static void look_up_for(unsigned revision, unsigned id, const char *ms)
{
    struct text words[] = { TEXT("{gatewayd}:log"), hex_key("refused", id),
                            arena_print(&arena, "%u", revision), id_of(id), text_of(ms) };
    run(&redis_script_history_lookup, words, ARRAY_LENGTH(words), 2);
}

static void look_up(unsigned revision, unsigned id)
{
    look_up_for(revision, id, "10000");
}

static void a_commit_is_taken_only_on_top_of_what_it_builds_on(void **state)
{
    commit(FAR, 0, 0, 1, "0", TEXT_EMPTY);
    expect_word("taken");
    commit(FAR, 0, 0, 2, "0", TEXT_EMPTY);
    expect_word("moved");
    commit(FAR, 1, 9, 2, "0", TEXT_EMPTY);
    expect_word("moved");
    commit(FAR, 2, 1, 2, "0", TEXT_EMPTY);
    expect_word("moved");
    commit(FAR, 1, 1, 2, "0", TEXT_EMPTY);
    expect_word("taken");
    redis_server_tell(&server, "XLEN {gatewayd}:log", ":2");
    redis_server_tell(&server, "HSET {gatewayd}:head cluster another", ":0");
    commit(FAR, 2, 2, 3, "0", TEXT_EMPTY);
    expect_word("foreign");
}

static void a_commit_that_is_late_never_happens(void **state)
{
    commit("1", 0, 0, 1, "0", TEXT_EMPTY);
    expect_word("late");
    redis_server_tell(&server, "EXISTS {gatewayd}:head {gatewayd}:log", ":0");
}

static void what_was_looked_up_in_vain_never_happens(void **state)
{
    look_up(1, 1);
    expect_word("refused");
    commit(FAR, 0, 0, 1, "0", TEXT_EMPTY);
    expect_word("late");
    commit(FAR, 0, 0, 2, "0", TEXT_EMPTY);
    expect_word("taken");
    look_up(1, 2);
    expect_word("taken");
    look_up(1, 1);
    expect_word("refused");
}

/* Other nodes may have seen it on the server before, and put it back. */
static void what_another_server_does_not_know_is_not_refused(void **state)
{
    look_up_for(1, 1, "0");
    expect_word("unknown");
    look_up_for(2, 2, "60000");
    expect_word("unknown");
    commit(FAR, 0, 0, 1, "0", TEXT_EMPTY);
    expect_word("taken");
    look_up_for(1, 1, "0");
    expect_word("taken");
    commit(FAR, 1, 1, 2, "0", TEXT_EMPTY);
    expect_word("taken");
}

static void what_was_not_staged_whole_is_not_taken(void **state)
{
    struct text words[] = { hex_key("body", 1), TEXT(FAR), TEXT("0"), TEXT("items"),
                            TEXT("60000") };
    run(&redis_script_history_stage, words, ARRAY_LENGTH(words), 1);
    expect_word("staged");
    commit(FAR, 0, 0, 1, "2", TEXT_EMPTY);
    expect_word("unstaged");
    words[2] = TEXT_OF("1");
    run(&redis_script_history_stage, words, ARRAY_LENGTH(words), 1);
    commit(FAR, 0, 0, 1, "2", TEXT_EMPTY);
    expect_word("taken");
}

/* ---- turns ---- */

static void turn(const char *who, const char *how, const char *ms)
{
    struct text words[] = {
        TEXT("{gatewayd}:head"), TEXT(FAR), text_of(who), text_of(how), text_of(ms), TEXT("50")
    };
    run(&redis_script_history_turn, words, ARRAY_LENGTH(words), 1);
}

static void a_turn_keeps_others_out_and_ends_with_the_commit(void **state)
{
    turn("who commits", "take", "1000");
    expect_word("none");
    commit(FAR, 0, 0, 1, "0", TEXT_EMPTY);
    turn("who commits", "take", "1000");
    expect_word("yours");
    turn("another", "take", "1000");
    expect_word("theirs");
    token = "another";
    commit(FAR, 1, 1, 2, "0", TEXT_EMPTY);
    expect_word("turn");
    commit(FAR, 0, 0, 2, "0", TEXT_EMPTY);
    expect_word("moved");
    token = "who commits";
    commit(FAR, 1, 1, 3, "0", TEXT_EMPTY);
    expect_word("taken");
    turn("who commits", "renew", "1000");
    expect_word("over");
    token = "another";
    commit(FAR, 2, 3, 4, "0", TEXT_EMPTY);
    expect_word("taken");
    token = "who commits";
}

/* Given back, not renewed, or kept by a clock that was set back: it ends; after a moment in which
 * everybody commits another one begins. */
static void a_turn_ends_by_itself(void **state)
{
    commit(FAR, 0, 0, 1, "0", TEXT_EMPTY);
    turn("another", "take", "1000");
    turn("another", "give", "1000");
    expect_word("yours");
    turn("who commits", "take", "1000");
    expect_word("theirs");
    commit(FAR, 1, 1, 2, "0", TEXT_EMPTY);
    expect_word("taken");
    redis_story_turn_for(&story, 80);
    turn("another", "take", "100");
    expect_word("yours");
    commit(FAR, 2, 2, 3, "0", TEXT_EMPTY);
    expect_word("turn");
    redis_story_turn_for(&story, 120);
    commit(FAR, 2, 2, 3, "0", TEXT_EMPTY);
    expect_word("taken");
    redis_story_turn_for(&story, 50);
    redis_server_tell(&server, "HSET {gatewayd}:head turn another until 99999999999999", ":0");
    commit(FAR, 3, 3, 4, "0", TEXT_EMPTY);
    expect_word("taken");
    turn("who commits", "take", "1000");
    expect_word("yours");
}

/* ---- folding ---- */

static void add_key(struct builder *b, unsigned id, enum item_key_change change, int64_t expires)
{
    struct item item = { .kind = ITEM_KEY, .key = { .change = change, .key = { .id = id } } };
    item.key.key.digest.bytes[0] = (unsigned char)id;
    item.key.key.consumer = TEXT_OF("c");
    item.key.key.expires_at = expires;
    item.key.key.state = change == ITEM_KEY_REVOKE ? KEY_REVOKED : KEY_ACTIVE;
    item_print(&item, b);
}

static void add_resource(struct builder *b, enum resource_kind kind, const char *name,
                         const char *after)
{
    item_print(&(struct item){ .kind = ITEM_RESOURCE,
                               .resource = { .kind = kind,
                                             .name = text_of(name),
                                             .has_after = after != NULL,
                                             .after = text_of(after) } },
               b);
}

static const char *hole_ms = "10000";

static int64_t fold(unsigned items)
{
    struct text words[] = {
        TEXT("{gatewayd}:head"),
        TEXT("{gatewayd}:log"),
        TEXT("{gatewayd}:resources"),
        TEXT("{gatewayd}:consumers"),
        TEXT("{gatewayd}:keys"),
        TEXT("{gatewayd}:revoked"),
        TEXT("{gatewayd}:lock"),
        TEXT("log"),
        arena_print(&arena, "%u", items),
        TEXT("2"),
        TEXT("{gatewayd}:body:"),
        TEXT("60000"),
        text_of(hole_ms),
    };
    run(&redis_script_history_fold, words, ARRAY_LENGTH(words), 7);
    return redis_value_integer(redis_value_at(&answer, 1));
}

static void expect_whole(int64_t revision)
{
    struct text words[] = { TEXT("{gatewayd}:head"), TEXT("{gatewayd}:resources"),
                            TEXT("{gatewayd}:consumers"), TEXT("{gatewayd}:keys"),
                            TEXT("{gatewayd}:revoked") };
    run(&redis_script_history_head, words, ARRAY_LENGTH(words), ARRAY_LENGTH(words));
    assert_int_equal(redis_value_integer(redis_value_at(&answer, 0)), revision);
    assert_int_equal(redis_value_integer(redis_value_at(&answer, 4)), 1);
}

/* Five entries, folded `at_once` items at a time. */
static void fold_in_slices(unsigned at_once)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    add_resource(&b, RESOURCE_CONSUMER, "c", "{\"name\":\"c\"}");
    add_resource(&b, RESOURCE_UPSTREAM, "u", "{\"name\":\"u\"}");
    add_resource(&b, RESOURCE_ROUTE, "u", "{\"name\":\"u\"}");
    commit(FAR, 0, 0, 1, "0", builder_text(&b));
    builder_clear(&b);
    for (unsigned id = 1; id <= 5; id++)
        add_key(&b, id, ITEM_KEY_ADD, 0);
    commit(FAR, 1, 1, 2, "0", builder_text(&b));
    builder_clear(&b);
    add_key(&b, 1, ITEM_KEY_REVOKE, 0);
    add_key(&b, 2, ITEM_KEY_CHANGE, 1000);
    add_resource(&b, RESOURCE_ROUTE, "u", NULL);
    commit(FAR, 2, 2, 3, "0", builder_text(&b));
    builder_clear(&b);
    /* By somebody who does not know better: it stays revoked. */
    add_key(&b, 1, ITEM_KEY_ADD, 0);
    commit(FAR, 3, 3, 4, "0", builder_text(&b));
    for (int i = 0; i < 100 && fold(at_once) < 4; i++)
        expect_whole(4);
    expect_whole(4);
    redis_server_tell(&server, "HLEN {gatewayd}:keys", ":4");
    redis_server_tell(&server, "HLEN {gatewayd}:revoked", ":1");
    redis_server_tell(&server, "HLEN {gatewayd}:consumers", ":1");
    redis_server_tell(&server, "HEXISTS {gatewayd}:resources 0:u", ":1");
    redis_server_tell(&server, "HEXISTS {gatewayd}:resources 1:u", ":0");
    redis_server_tell(&server, "XLEN {gatewayd}:log", ":2");
    builder_fini(&b);
}

static void folding_one_item_at_a_time(void **state)
{
    fold_in_slices(1);
}

static void folding_some_items_at_a_time(void **state)
{
    fold_in_slices(3);
}

static void folding_all_at_once(void **state)
{
    fold_in_slices(1000);
}

static void the_log_is_not_trimmed_before_it_is_folded(void **state)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    for (unsigned id = 1; id <= 50; id++)
        add_key(&b, id, ITEM_KEY_ADD, 0);
    commit(FAR, 0, 0, 1, "0", builder_text(&b));
    for (unsigned i = 1; i < 10; i++)
        commit(FAR, i, i, i + 1, "0", TEXT_EMPTY);
    assert_int_equal(fold(20), 0);
    redis_server_tell(&server, "XLEN {gatewayd}:log", ":10");
    assert_int_equal(fold(1000), 10);
    redis_server_tell(&server, "XLEN {gatewayd}:log", ":2");
    builder_fini(&b);
}

static bool is_whole(void)
{
    struct text keys[] = { TEXT("{gatewayd}:head"), TEXT("{gatewayd}:resources"),
                           TEXT("{gatewayd}:consumers"), TEXT("{gatewayd}:keys"),
                           TEXT("{gatewayd}:revoked") };
    run(&redis_script_history_head, keys, ARRAY_LENGTH(keys), ARRAY_LENGTH(keys));
    return redis_value_integer(redis_value_at(&answer, 4)) == 1;
}

/* A node that has it has time to put it back; what nobody has is no end of it all. */
static void what_was_taken_out_of_redis_is_noticed_and_waited_for(void **state)
{
    struct text words[] = { hex_key("body", 1), TEXT(FAR), TEXT("0"), TEXT_EMPTY, TEXT("60000") };
    run(&redis_script_history_stage, words, ARRAY_LENGTH(words), 1);
    words[2] = TEXT_OF("1");
    run(&redis_script_history_stage, words, ARRAY_LENGTH(words), 1);
    commit(FAR, 0, 0, 1, "2", TEXT_EMPTY);
    expect_word("taken");
    struct builder b;
    builder_init(&b, SIZE_MAX);
    add_key(&b, 1, ITEM_KEY_ADD, 0);
    commit(FAR, 1, 1, 2, "0", builder_text(&b));
    redis_server_tell(&server, arena_print(&arena, "DEL %.*s", TEXT_ARGS(words[0])).at, ":1");
    assert_int_equal(fold(10), 0);
    assert_int_equal(redis_value_integer(redis_value_at(&answer, 3)), 1);
    assert_false(is_whole());
    hole_ms = "50";
    redis_story_turn_for(&story, 80);
    assert_int_equal(fold(10), 2);
    hole_ms = "10000";
    assert_int_equal(redis_value_integer(redis_value_at(&answer, 4)), 1);
    assert_true(is_whole());
    redis_server_tell(&server, "HLEN {gatewayd}:keys", ":1");
    builder_fini(&b);
}

/* Somebody else's, between ours: entries, items, and what stands behind the head. */
static void garbage_is_passed_over_and_nothing_of_ours_is_lost(void **state)
{
    static const char *const garbage[] = {
        "XADD {gatewayd}:log 2-0 some thing",
        "XADD {gatewayd}:log 2-0 id x prev x time 1 parts 0 items x",
        "XADD {gatewayd}:log 2-0 id 0123456789012345 prev 0123456789012345 time 1 parts 0 items x",
        "XADD {gatewayd}:log 2-0 id 0123456789012345 parts 99999999999999999999",
    };
    struct builder b;
    builder_init(&b, SIZE_MAX);
    add_key(&b, 1, ITEM_KEY_ADD, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(garbage); i++) {
        redis_server_tell(&server, "FLUSHALL", "+OK");
        commit(FAR, 0, 0, 1, "0", TEXT_EMPTY);
        redis_server_tell(&server, garbage[i], "$3");
        redis_server_tell(&server, "HSET {gatewayd}:head revision 2 id 0123456789012345", ":0");
        token = "who commits";
        struct text words[] = { TEXT("{gatewayd}:head"),
                                TEXT("{gatewayd}:log"),
                                hex_key("refused", 3),
                                TEXT("{gatewayd}:ids"),
                                hex_key("body", 3),
                                TEXT(FAR),
                                TEXT("cluster-cluster-"),
                                TEXT("2"),
                                TEXT("0123456789012345"),
                                TEXT("who"),
                                TEXT("1000"),
                                id_of(3),
                                TEXT("1"),
                                TEXT("alice"),
                                TEXT("summary"),
                                TEXT("0"),
                                builder_text(&b) };
        run(&redis_script_history_commit, words, ARRAY_LENGTH(words), 5);
        expect_word("taken");
        assert_int_equal(fold(10), 3);
        assert_int_equal(redis_value_integer(redis_value_at(&answer, 4)), 2);
        assert_true(is_whole());
        redis_server_tell(&server, "HLEN {gatewayd}:keys", ":1");
        redis_server_tell(&server, "HGET {gatewayd}:head passed", "$1\r\n1");
    }
    builder_fini(&b);
}

static void what_stands_behind_the_head_is_in_nobodys_way(void **state)
{
    commit(FAR, 0, 0, 1, "0", TEXT_EMPTY);
    redis_server_tell(&server, "XADD {gatewayd}:log 1-5 some thing", "$3");
    redis_server_tell(&server, "XADD {gatewayd}:log 77-0 some thing", "$4");
    commit(FAR, 1, 1, 2, "0", TEXT_EMPTY);
    expect_word("turn"); /* try again */
    commit(FAR, 1, 1, 2, "0", TEXT_EMPTY);
    expect_word("taken");
    redis_server_tell(&server, "XADD {gatewayd}:log 77-0 some thing", "$4");
    assert_int_equal(fold(10), 2);
    assert_int_equal(redis_value_integer(redis_value_at(&answer, 5)), 1);
    redis_server_tell(&server, "XLEN {gatewayd}:log", ":2");
    commit(FAR, 2, 2, 3, "0", TEXT_EMPTY);
    expect_word("taken");
}

static void items_that_are_none_change_nothing(void **state)
{
    struct text bad[] = { TEXT("\x01\xff\xff\xff\xff strange"), TEXT("x"), TEXT("\x01"),
                          text_from("\x02\x04\0\0\0abcd", 9),
                          text_from("\x01\x05\0\0\0\x02\x02"
                                    "abc",
                                    10) };
    struct builder b;
    builder_init(&b, SIZE_MAX);
    for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
        builder_clear(&b);
        add_key(&b, i + 1, ITEM_KEY_ADD, 0);
        builder_add(&b, bad[i]);
        commit(FAR, i, i, i + 1, "0", builder_text(&b));
        assert_int_equal(fold(10), i + 1);
        assert_true(is_whole());
    }
    redis_server_tell(&server, "HLEN {gatewayd}:keys", ":5");
    builder_fini(&b);
}

static void what_is_past_its_time_goes(void **state)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    add_key(&b, 1, ITEM_KEY_ADD, 0);
    int64_t now = clock_read_wall_ms();
    add_key(&b, 2, ITEM_KEY_ADD, now - 1000000);
    add_key(&b, 3, ITEM_KEY_ADD, now - 200000);
    commit(FAR, 0, 0, 1, "0", builder_text(&b));
    assert_int_equal(fold(1000), 1);
    struct text words[] = { TEXT("{gatewayd}:head"), TEXT("{gatewayd}:keys"), TEXT("0"),
                            TEXT("100"), TEXT("600000") };
    run(&redis_script_history_tidy, words, ARRAY_LENGTH(words), 2);
    expect_word("0");
    redis_server_tell(&server, "HLEN {gatewayd}:keys", ":2");
    expect_whole(1);
    builder_fini(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_commit_is_taken_only_on_top_of_what_it_builds_on),
        TEST(a_commit_that_is_late_never_happens),
        TEST(what_was_looked_up_in_vain_never_happens),
        TEST(what_another_server_does_not_know_is_not_refused),
        TEST(what_was_not_staged_whole_is_not_taken),
        TEST(a_turn_keeps_others_out_and_ends_with_the_commit),
        TEST(a_turn_ends_by_itself),
        TEST(folding_one_item_at_a_time),
        TEST(folding_some_items_at_a_time),
        TEST(folding_all_at_once),
        TEST(the_log_is_not_trimmed_before_it_is_folded),
        TEST(what_was_taken_out_of_redis_is_noticed_and_waited_for),
        TEST(garbage_is_passed_over_and_nothing_of_ours_is_lost),
        TEST(what_stands_behind_the_head_is_in_nobodys_way),
        TEST(items_that_are_none_change_nothing),
        TEST(what_is_past_its_time_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
