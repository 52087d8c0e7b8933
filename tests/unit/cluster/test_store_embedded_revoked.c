/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_embedded_revoked.c - a revocation that did not wait stays, whatever comes later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "cluster/item.h"
#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "tests/unit/cluster/folder.h"
#include "tests/unit/cluster/store_story.h"

static int make_story(void **state)
{
    struct store_story *s = mem_new(sizeof(*s));
    s->compact_least = 1;
    store_story_open(s, folder_new());
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"), STORE_DONE);
    assert_int_equal(store_story_add_key(s, 7, "carol"), STORE_DONE);
    *state = s;
    return 0;
}

static int end_story(void **state)
{
    struct store_story *s = *state;
    store_story_close(s);
    folder_remove(&s->path);
    MEM_FREE(&s);
    return 0;
}

static enum store_outcome revoke_alone(struct store_story *s, uint64_t id)
{
    struct store_revocation item = { .id = id, .digest = store_story_digest(id) };
    struct store_revoke revoke = { .items = &item, .count = 1, .done = store_story_done, .arg = s };
    unsigned before = s->answers;
    store_revoke(s->store, &revoke);
    assert_int_equal(s->answers, before);
    store_story_wait(s, before + 1);
    return s->result.outcome;
}

static size_t unshared(struct store_story *s)
{
    struct store_revocation items[10];
    return store_list_unshared(s->store, items, 10);
}

static enum key_state state_of(struct store_story *s, uint64_t id)
{
    struct digest digest = store_story_digest(id);
    struct credentials_key key;
    assert_true(credentials_get_key_by_digest(s->credentials, &digest, &key));
    return key.state;
}

static void it_is_in_force_and_ends_what_began_with_it(void **state)
{
    struct store_story *s = *state;
    unsigned ended = s->ended;
    uint64_t revision = store_revision(s->store);
    assert_int_equal(revoke_alone(s, 7), STORE_DONE);
    assert_int_equal(state_of(s, 7), KEY_REVOKED);
    assert_int_equal(s->ended, ended + 1);
    assert_int_equal(store_revision(s->store), revision);
    assert_int_equal(unshared(s), 1);
    assert_int_equal(revoke_alone(s, 7), STORE_UNCHANGED);
}

static void it_outlives_a_restart(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(revoke_alone(s, 7), STORE_DONE);
    store_story_reopen(s);
    assert_int_equal(state_of(s, 7), KEY_REVOKED);
    assert_int_equal(unshared(s), 1);
}

/* Each change makes the journal long enough to be written anew. */
static void it_outlives_compaction(void **state)
{
    struct store_story *s = *state;
    char json[80];
    assert_int_equal(revoke_alone(s, 7), STORE_DONE);
    assert_int_equal(revoke_alone(s, 8), STORE_DONE);
    for (int i = 0; i < 60; i++) {
        snprintf(json, sizeof(json), "{\"name\":\"carol\",\"groups\":[\"g%d\"]}", i);
        assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, json), STORE_DONE);
    }
    store_story_reopen(s);
    assert_int_equal(state_of(s, 7), KEY_REVOKED);
    assert_int_equal(state_of(s, 8), KEY_REVOKED);
    assert_int_equal(unshared(s), 2);
}

static void the_history_is_told_once(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(revoke_alone(s, 7), STORE_DONE);
    uint64_t revision = store_revision(s->store);
    assert_int_equal(store_story_revoke(s, 7), STORE_DONE);
    assert_int_equal(store_revision(s->store), revision + 1);
    assert_int_equal(unshared(s), 0);
    assert_int_equal(store_story_revoke(s, 7), STORE_UNCHANGED);
    store_story_reopen(s);
    assert_int_equal(state_of(s, 7), KEY_REVOKED);
    assert_int_equal(unshared(s), 0);
}

static void a_key_that_is_not_known_yet_cannot_come_any_more(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(revoke_alone(s, 9), STORE_DONE);
    assert_int_equal(state_of(s, 9), KEY_REVOKED);
    assert_int_equal(store_story_add_key(s, 9, "carol"), STORE_REVOKED);
    store_story_reopen(s);
    assert_int_equal(store_story_add_key(s, 9, "carol"), STORE_REVOKED);
    assert_int_equal(store_story_revoke(s, 9), STORE_DONE);
    store_story_reopen(s);
    assert_int_equal(state_of(s, 9), KEY_REVOKED);
    assert_int_equal(unshared(s), 0);
}

static void commits_go_on_beside_it(void **state)
{
    struct store_story *s = *state;
    struct store_revocation item = { .id = 7, .digest = store_story_digest(7) };
    struct store_revoke revoke = { .items = &item, .count = 1, .done = store_story_done, .arg = s };
    struct resource *r = store_story_parse(RESOURCE_CONSUMER, "{\"name\":\"dora\"}");
    struct store_change change = {
        .change = STORE_PUT, .kind = RESOURCE_CONSUMER, .name = r->name, .resource = r
    };
    struct store_commit commit = { .changes = &change,
                                   .change_count = 1,
                                   .author = TEXT("alice"),
                                   .done = store_story_done,
                                   .arg = s };
    unsigned before = s->answers;
    store_commit(s->store, &commit);
    store_revoke(s->store, &revoke);
    store_story_wait(s, before + 2);
    assert_int_equal(s->result.outcome, STORE_DONE);
    assert_int_equal(state_of(s, 7), KEY_REVOKED);
    assert_true(store_story_has(s, RESOURCE_CONSUMER, "dora"));
    resource_unref(&r);
}

/* ---- a state from elsewhere ---- */

static void add_consumer(struct store_story *s, const char *name, const char *json)
{
    struct builder b;
    struct item item = { .kind = ITEM_RESOURCE };
    item.resource = (struct item_resource){ .kind = RESOURCE_CONSUMER,
                                            .name = text_of(name),
                                            .has_after = true,
                                            .after = text_of(json),
                                            .revision = 1,
                                            .tag = 5 };
    builder_init(&b, SIZE_MAX);
    item_print(&item, &b);
    store_embedded_replace_add_state(s->embedded, builder_text(&b));
    builder_fini(&b);
}

static void add_key(struct store_story *s, uint64_t id, enum key_state key_state)
{
    struct builder b;
    struct item item = { .kind = ITEM_KEY };
    item.key.change = ITEM_KEY_STATE;
    item.key.key = (struct credentials_key){
        .id = id, .digest = store_story_digest(id), .consumer = TEXT("carol"), .state = key_state
    };
    builder_init(&b, SIZE_MAX);
    item_print(&item, &b);
    store_embedded_replace_add_state(s->embedded, builder_text(&b));
    builder_fini(&b);
}

static void on_replaced(void *arg, struct text why)
{
    struct store_story *s = arg;
    assert_true(text_is_empty(why));
    s->answers++;
}

static void begin_state(struct store_story *s, uint64_t revision)
{
    struct store_embedded_base base = { .revision = revision, .config_tag = 5 };
    base.cluster = store_embedded_cluster(s->embedded);
    base.id.bytes[0] = 77;
    while (!store_embedded_is_quiet(s->embedded))
        loop_run_once(s->loop, true);
    store_embedded_replace_start(s->embedded, &base);
    add_consumer(s, "carol", "{\"name\":\"carol\"}");
}

static void end_state(struct store_story *s)
{
    unsigned before = s->answers;
    store_embedded_replace_finish(s->embedded, on_replaced, s);
    store_story_wait(s, before + 1);
}

/* Redis has lost them, or was never told; and this node is restarted before it could tell. */
static void a_state_that_does_not_know_of_it_does_not_bring_it_back(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(store_story_add_key(s, 8, "carol"), STORE_DONE);
    assert_int_equal(store_story_add_key(s, 9, "carol"), STORE_DONE);
    assert_int_equal(revoke_alone(s, 7), STORE_DONE);
    assert_int_equal(store_story_revoke(s, 8), STORE_DONE);
    assert_int_equal(store_story_revoke(s, 9), STORE_DONE);
    begin_state(s, 50);
    add_key(s, 7, KEY_ACTIVE);
    add_key(s, 8, KEY_ACTIVE);
    add_key(s, 9, KEY_REVOKED);
    end_state(s);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_revision(s->store), 50);
        assert_int_equal(state_of(s, 7), KEY_REVOKED);
        assert_int_equal(state_of(s, 8), KEY_REVOKED);
        assert_int_equal(state_of(s, 9), KEY_REVOKED);
        assert_int_equal(unshared(s), 2);
        store_story_reopen(s);
    }
}

/* The journal is being written anew when the reading begins: that is no end of the reading. */
static void a_compaction_ends_while_a_state_is_read(void **state)
{
    struct store_story *s = *state;
    char json[80];
    int i = 0;
    while (s->embedded->compaction == NULL || !store_embedded_is_quiet(s->embedded)) {
        snprintf(json, sizeof(json), "{\"name\":\"carol\",\"groups\":[\"g%d\"]}", i++);
        assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, json), STORE_DONE);
        assert_true(i < 1000);
    }
    begin_state(s, 5000);
    while (s->embedded->compaction != NULL)
        loop_run_once(s->loop, true);
    assert_non_null(s->embedded->replacing);
    add_key(s, 7, KEY_ACTIVE);
    add_key(s, 8, KEY_ACTIVE);
    end_state(s);
    store_story_reopen(s);
    assert_int_equal(store_revision(s->store), 5000);
    assert_int_equal(state_of(s, 7), KEY_ACTIVE);
    assert_int_equal(state_of(s, 8), KEY_ACTIVE);
}

/* What was read arrives while the store ends. */
static void a_state_that_comes_at_the_end_is_dropped(void **state)
{
    struct store_story *s = *state;
    begin_state(s, 50);
    store_embedded_stop(s->embedded);
    add_key(s, 7, KEY_ACTIVE);
    store_embedded_replace_drop_entries(s->embedded);
    store_embedded_replace_finish(s->embedded, on_replaced, s);
    store_embedded_replace_start(s->embedded, &(struct store_embedded_base){ .revision = 51 });
    add_key(s, 7, KEY_ACTIVE);
}

/* Ten messages of other nodes, each one note: all of it stays, and is listed once. */
static void ten_thousand_at_most_at_a_time(void **state)
{
    struct store_story *s = *state;
    struct store_revocation *items = mem_new_array(10 * STORE_REVOKE_MOST, sizeof(*items));
    for (uint64_t i = 0; i < 10; i++) {
        for (uint64_t j = 0; j < STORE_REVOKE_MOST; j++) {
            uint64_t id = 100 + i * STORE_REVOKE_MOST + j;
            items[j] = (struct store_revocation){ .id = id, .digest = store_story_digest(id) };
        }
        struct store_revoke revoke = {
            .items = items, .count = STORE_REVOKE_MOST, .done = store_story_done, .arg = s
        };
        unsigned before = s->answers;
        store_revoke(s->store, &revoke);
        store_story_wait(s, before + 1);
        assert_int_equal(s->result.outcome, STORE_DONE);
    }
    for (int i = 0; i < 2; i++) {
        size_t most = 10 * STORE_REVOKE_MOST;
        assert_int_equal(store_list_unshared(s->store, NULL, 0), most);
        assert_int_equal(store_list_unshared(s->store, items, most), most);
        assert_int_equal(items[0].id, 100);
        assert_int_equal(items[most - 1].id, 100 + most - 1);
        assert_int_equal(store_list_unshared(s->store, items, 5), 5);
        assert_int_equal(state_of(s, 100 + most - 1), KEY_REVOKED);
        store_story_reopen(s);
    }
    MEM_FREE(&items);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_story, end_story)

/* Of the process that was replaced, maybe, which hangs. */
static void what_ends_may_say_so_when_the_store_is_gone(void **state)
{
    struct store_story *s = *state;
    struct store_key_change key = { .change = STORE_KEY_REVOKE, .id = 7 };
    struct store_commit commit = {
        .author = TEXT("alice"), .keys = &key, .key_count = 1, .done = store_story_done, .arg = s
    };
    s->holds_ends = true;
    store_commit(s->store, &commit);
    while (s->held == NULL)
        loop_run_once(s->loop, true);
    store_embedded_stop(s->embedded);
    assert_int_equal(s->result.outcome, STORE_DONE);
    store_embedded_free(&s->embedded);
    s->held(s->held_arg);
    s->holds_ends = false;
    store_story_reopen(s);
    assert_int_equal(state_of(s, 7), KEY_REVOKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_in_force_and_ends_what_began_with_it),
        TEST(it_outlives_a_restart),
        TEST(it_outlives_compaction),
        TEST(the_history_is_told_once),
        TEST(ten_thousand_at_most_at_a_time),
        TEST(a_key_that_is_not_known_yet_cannot_come_any_more),
        TEST(commits_go_on_beside_it),
        TEST(a_state_that_does_not_know_of_it_does_not_bring_it_back),
        TEST(a_compaction_ends_while_a_state_is_read),
        TEST(a_state_that_comes_at_the_end_is_dropped),
        TEST(what_ends_may_say_so_when_the_store_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
