/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_embedded_revoked.c - a revocation that did not wait stays, whatever comes later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_story, end_story)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_in_force_and_ends_what_began_with_it),
        TEST(it_outlives_a_restart),
        TEST(it_outlives_compaction),
        TEST(the_history_is_told_once),
        TEST(a_key_that_is_not_known_yet_cannot_come_any_more),
        TEST(commits_go_on_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
