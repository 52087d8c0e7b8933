/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_embedded.c - commits, what they are refused for, and what is there after a restart. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "cluster/disk.h"
#include "conf/base/mem.h"
#include "tests/unit/cluster/folder.h"
#include "tests/unit/cluster/store_story.h"

#define UPSTREAM_A "{\"name\":\"a\",\"targets\":[{\"address\":\"127.0.0.1:1\"}]}"
#define UPSTREAM_B "{\"name\":\"b\",\"targets\":[{\"address\":\"127.0.0.1:2\"}]}"
#define ROUTE_R    "{\"name\":\"r\",\"upstream\":\"a\"}"
#define ROUTE_R_B  "{\"name\":\"r\",\"upstream\":\"b\"}"
#define PLAN_GOLD  "{\"name\":\"gold\",\"limits\":[{\"name\":\"l\",\"rate\":10}]}"
#define CONSUMER   "{\"name\":\"carol\"}"
#define CAROL_GOLD "{\"name\":\"carol\",\"plan\":\"gold\"}"

static int make_story(void **state)
{
    struct store_story *s = mem_new(sizeof(*s));
    store_story_open(s, folder_new());
    *state = s;
    return 0;
}

static int end_story(void **state)
{
    struct store_story *s = *state;
    disk_set_fault(NULL);
    store_story_close(s);
    folder_remove(&s->path);
    MEM_FREE(&s);
    return 0;
}

/* upstream a, route r, plan gold, consumer carol with key 7: revisions 1 to 5. */
static void fill(struct store_story *s)
{
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_A), STORE_DONE);
    assert_int_equal(store_story_put(s, RESOURCE_ROUTE, ROUTE_R), STORE_DONE);
    assert_int_equal(store_story_put(s, RESOURCE_PLAN, PLAN_GOLD), STORE_DONE);
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, CAROL_GOLD), STORE_DONE);
    assert_int_equal(store_story_add_key(s, 7, "carol"), STORE_DONE);
}

static enum key_state state_of(struct store_story *s, uint64_t id)
{
    struct credentials_key key;
    assert_true(credentials_get_key(s->credentials, id, &key));
    return key.state;
}

/* ---- commits ---- */

static void a_change_is_numbered_published_and_kept(void **state)
{
    struct store_story *s = *state;
    unsigned published = s->published;
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_A), STORE_DONE);
    assert_int_equal(s->result.revision, 1);
    assert_true(s->result.was_created);
    assert_int_equal(s->published, published + 1);
    assert_int_equal(store_revision(s->store), 1);
    uint64_t tag = s->resource_tag;
    assert_int_not_equal(tag, 0);
    assert_int_equal(s->result.tag, tag);
    assert_int_equal(store_config_tag(s->store), tag);
    assert_string_equal(s->resource_set, UPSTREAM_A);

    store_story_reopen(s);
    assert_int_equal(store_revision(s->store), 1);
    struct resource *r = resources_find(store_resources(s->store), RESOURCE_UPSTREAM, TEXT_OF("a"));
    assert_non_null(r);
    assert_int_equal(r->tag, tag);
    assert_int_equal(r->revision, 1);
    assert_int_equal(store_config_tag(s->store), tag);
}

static void the_same_again_makes_no_revision(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_A), STORE_DONE);
    uint64_t tag = s->result.tag;
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_A), STORE_UNCHANGED);
    assert_int_equal(s->result.revision, 1);
    assert_int_equal(s->result.tag, tag);
    assert_int_equal(s->resource_tag, tag);
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, CONSUMER), STORE_DONE);
    tag = s->result.tag;
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, CONSUMER), STORE_UNCHANGED);
    assert_int_equal(s->resource_tag, tag);
    assert_int_equal(store_revision(s->store), 2);
}

static void a_dangling_reference_is_a_problem(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(store_story_put(s, RESOURCE_ROUTE, ROUTE_R), STORE_PROBLEMS);
    assert_non_null(strstr(s->first_problem, "upstream a"));
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, CAROL_GOLD), STORE_PROBLEMS);
    assert_non_null(strstr(s->first_problem, "plan gold"));
    assert_int_equal(store_revision(s->store), 0);
}

static void what_others_refer_to_stays(void **state)
{
    struct store_story *s = *state;
    fill(s);
    assert_int_equal(store_story_delete(s, RESOURCE_UPSTREAM, "a"), STORE_REFERRED);
    assert_string_equal(s->first_name, "r");
    assert_int_equal(store_story_delete(s, RESOURCE_PLAN, "gold"), STORE_REFERRED);
    assert_string_equal(s->first_name, "carol");
    assert_int_equal(s->result.name_total, 1);
    assert_int_equal(store_story_delete(s, RESOURCE_CONSUMER, "carol"), STORE_REFERRED);
    assert_string_equal(s->first_name, "0000000000000007");
    assert_int_equal(store_revision(s->store), 5);
    assert_int_equal(store_story_delete(s, RESOURCE_ROUTE, "r"), STORE_DONE);
    assert_int_equal(store_story_delete(s, RESOURCE_UPSTREAM, "a"), STORE_DONE);
    assert_int_equal(store_story_delete(s, RESOURCE_UPSTREAM, "a"), STORE_ABSENT);
}

static enum store_outcome put_if(struct store_story *s, const char *json,
                                 struct store_condition condition)
{
    struct resource *r = store_story_parse(RESOURCE_UPSTREAM, json);
    struct store_change change = { .change = STORE_PUT,
                                   .kind = RESOURCE_UPSTREAM,
                                   .name = r->name,
                                   .resource = r,
                                   .condition = condition };
    struct store_commit commit = { .changes = &change, .change_count = 1 };
    enum store_outcome outcome = store_story_commit(s, &commit);
    resource_unref(&r);
    return outcome;
}

static void conditions_are_kept(void **state)
{
    struct store_story *s = *state;
    uint64_t wrong = 1;
    struct store_condition absent = { .kind = STORE_IF_ABSENT };
    struct store_condition exists = { .kind = STORE_IF_EXISTS };
    assert_int_equal(put_if(s, UPSTREAM_A, exists), STORE_MOVED_ON);
    assert_int_equal(put_if(s, UPSTREAM_A, absent), STORE_DONE);
    assert_int_equal(put_if(s, UPSTREAM_A, absent), STORE_MOVED_ON);
    uint64_t tag = store_config_tag(s->store);
    const char *other = "{\"name\":\"a\",\"targets\":[{\"address\":\"127.0.0.1:9\"}]}";
    assert_int_equal(put_if(s, other, (struct store_condition){ STORE_IF_TAG, &wrong, 1 }),
                     STORE_MOVED_ON);
    assert_int_equal(put_if(s, other, (struct store_condition){ STORE_IF_TAG, &tag, 1 }),
                     STORE_DONE);
    assert_int_equal(put_if(s, UPSTREAM_A, (struct store_condition){ STORE_IF_TAG, &tag, 1 }),
                     STORE_MOVED_ON);
}

static struct resource *add_target(void *arg, const struct resource *current, struct problems *ps)
{
    unsigned *calls = arg;
    (*calls)++;
    assert_non_null(current);
    return store_story_parse(RESOURCE_UPSTREAM, "{\"name\":\"a\",\"targets\":[{\"address\":"
                                                "\"127.0.0.1:1\"},{\"address\":\"127.0.0.1:3\"}]}");
}

static void an_edit_sees_what_stands(void **state)
{
    struct store_story *s = *state;
    unsigned calls = 0;
    struct store_change change = { .change = STORE_EDIT,
                                   .kind = RESOURCE_UPSTREAM,
                                   .name = TEXT("a"),
                                   .edit = add_target,
                                   .edit_arg = &calls };
    struct store_commit commit = { .changes = &change, .change_count = 1 };
    assert_int_equal(store_story_commit(s, &commit), STORE_ABSENT);
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_A), STORE_DONE);
    assert_int_equal(store_story_commit(s, &commit), STORE_DONE);
    assert_int_equal(calls, 1);
    assert_false(s->result.was_created);
    assert_int_equal(store_story_commit(s, &commit), STORE_UNCHANGED);
}

static void a_dry_run_changes_nothing(void **state)
{
    struct store_story *s = *state;
    struct resource *r = store_story_parse(RESOURCE_CONSUMER, CONSUMER);
    struct store_change change = {
        .change = STORE_PUT, .kind = RESOURCE_CONSUMER, .name = r->name, .resource = r
    };
    struct store_commit commit = { .changes = &change, .change_count = 1, .is_dry_run = true };
    assert_int_equal(store_story_commit(s, &commit), STORE_DONE);
    assert_int_equal(s->result.consumer_count, 1);
    assert_int_equal(store_revision(s->store), 0);
    assert_false(store_story_has(s, RESOURCE_CONSUMER, "carol"));
    resource_unref(&r);
}

/* ---- everything at once ---- */

static enum store_outcome replace(struct store_story *s, struct resource **rs, size_t count)
{
    struct store_change changes[8];
    MUST(count <= ARRAY_LENGTH(changes));
    for (size_t i = 0; i < count; i++)
        changes[i] = (struct store_change){
            .change = STORE_PUT, .kind = rs[i]->kind, .name = rs[i]->name, .resource = rs[i]
        };
    struct store_commit commit = { .changes = changes,
                                   .change_count = count,
                                   .replaces_all = true };
    enum store_outcome outcome = store_story_commit(s, &commit);
    for (size_t i = 0; i < count; i++)
        resource_unref(&rs[i]);
    return outcome;
}

static void replacing_all_is_one_revision(void **state)
{
    struct store_story *s = *state;
    struct resource *first[] = { store_story_parse(RESOURCE_UPSTREAM, UPSTREAM_A),
                                 store_story_parse(RESOURCE_ROUTE, ROUTE_R),
                                 store_story_parse(RESOURCE_PLAN, PLAN_GOLD),
                                 store_story_parse(RESOURCE_CONSUMER, CAROL_GOLD) };
    assert_int_equal(replace(s, first, 4), STORE_DONE);
    assert_int_equal(store_revision(s->store), 1);
    struct resource *second[] = { store_story_parse(RESOURCE_UPSTREAM, UPSTREAM_B),
                                  store_story_parse(RESOURCE_ROUTE, ROUTE_R_B) };
    assert_int_equal(replace(s, second, 2), STORE_DONE);
    assert_int_equal(store_revision(s->store), 2);
    assert_false(store_story_has(s, RESOURCE_UPSTREAM, "a"));
    assert_false(store_story_has(s, RESOURCE_PLAN, "gold"));
    assert_false(store_story_has(s, RESOURCE_CONSUMER, "carol"));
    assert_true(store_story_has(s, RESOURCE_UPSTREAM, "b"));
    struct resource *third[] = { store_story_parse(RESOURCE_UPSTREAM, UPSTREAM_B),
                                 store_story_parse(RESOURCE_ROUTE, ROUTE_R_B) };
    assert_int_equal(replace(s, third, 2), STORE_UNCHANGED);
    store_story_reopen(s);
    assert_false(store_story_has(s, RESOURCE_CONSUMER, "carol"));
    assert_true(store_story_has(s, RESOURCE_ROUTE, "r"));
}

static void replacing_all_names_consumers_with_keys(void **state)
{
    struct store_story *s = *state;
    fill(s);
    struct resource *rs[] = { store_story_parse(RESOURCE_UPSTREAM, UPSTREAM_B) };
    assert_int_equal(replace(s, rs, 1), STORE_REFERRED);
    assert_string_equal(s->first_name, "carol");
    assert_int_equal(store_revision(s->store), 5);
}

static void the_same_name_twice_is_a_problem(void **state)
{
    struct store_story *s = *state;
    struct resource *rs[] = { store_story_parse(RESOURCE_UPSTREAM, UPSTREAM_A),
                              store_story_parse(RESOURCE_UPSTREAM, UPSTREAM_A),
                              store_story_parse(RESOURCE_CONSUMER, CONSUMER),
                              store_story_parse(RESOURCE_CONSUMER, CONSUMER) };
    assert_int_equal(replace(s, rs, 4), STORE_PROBLEMS);
}

/* ---- keys ---- */

static void keys_live_and_die_and_are_remembered(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(store_story_add_key(s, 7, "carol"), STORE_PROBLEMS);
    fill(s);
    assert_int_equal(store_story_add_key(s, 8, "carol"), STORE_DONE);
    assert_int_equal(store_story_add_key(s, 8, "carol"), STORE_EXISTS);
    assert_int_equal(store_story_revoke(s, 7), STORE_DONE);
    assert_int_equal(s->ended, 1);
    assert_int_equal(store_story_revoke(s, 7), STORE_UNCHANGED);
    assert_int_equal(store_story_revoke(s, 9), STORE_ABSENT);
    assert_int_equal(store_story_add_key(s, 7, "carol"), STORE_REVOKED);
    store_story_reopen(s);
    assert_int_equal(state_of(s, 7), KEY_REVOKED);
    assert_int_equal(state_of(s, 8), KEY_ACTIVE);
    assert_int_equal(store_story_add_key(s, 7, "carol"), STORE_REVOKED);
}

static void a_key_ends_earlier_only(void **state)
{
    struct store_story *s = *state;
    fill(s);
    int64_t year = (int64_t)4102444800 * 1000;
    struct store_key_change change = {
        .change = STORE_KEY_CHANGE, .id = 7, .has_expiry = true, .expires_at = year
    };
    struct store_commit commit = { .keys = &change, .key_count = 1 };
    assert_int_equal(store_story_commit(s, &commit), STORE_DONE);
    change.expires_at = year + 1000;
    assert_int_equal(store_story_commit(s, &commit), STORE_PROBLEMS);
    change.expires_at = 0;
    assert_int_equal(store_story_commit(s, &commit), STORE_PROBLEMS);
    change.expires_at = year;
    assert_int_equal(store_story_commit(s, &commit), STORE_UNCHANGED);
    struct text scopes[] = { TEXT("read"), TEXT("write") };
    change.has_expiry = false;
    change.has_scopes = true;
    change.scopes = (struct texts){ scopes, 2 };
    assert_int_equal(store_story_commit(s, &commit), STORE_DONE);
    store_story_reopen(s);
    struct credentials_key key;
    assert_true(credentials_get_key(s->credentials, 7, &key));
    assert_int_equal(key.expires_at, year);
    assert_int_equal(key.scopes.count, 2);
    assert_true(text_equals(key.scopes.items[1], TEXT_OF("write")));
    assert_true(text_equals(key.prefix, TEXT_OF("gwk_abcd")));
}

static void a_removed_consumer_leaves_its_revocations(void **state)
{
    struct store_story *s = *state;
    fill(s);
    assert_int_equal(store_story_revoke(s, 7), STORE_DONE);
    assert_int_equal(store_story_delete(s, RESOURCE_CONSUMER, "carol"), STORE_DONE);
    for (int i = 0; i < 2; i++) {
        struct credentials_key key;
        assert_true(credentials_get_key(s->credentials, 7, &key));
        assert_int_equal(key.state, KEY_REVOKED);
        assert_true(text_equals(key.consumer, TEXT_OF("carol")));
        assert_false(store_story_has(s, RESOURCE_CONSUMER, "carol"));
        store_story_reopen(s);
    }
}

/* Revoked long ago, or expired long ago: such keys are forgotten. */
static void tombstones_do_not_stay_forever(void **state)
{
    struct store_story *s = *state;
    fill(s);
    struct store_key_change keys[] = {
        { .change = STORE_KEY_ADD, .id = 20, .consumer = TEXT("carol"), .expires_at = 1000 },
        { .change = STORE_KEY_ADD, .id = 21, .consumer = TEXT("carol") },
    };
    keys[0].digest = store_story_digest(20);
    keys[1].digest = store_story_digest(21);
    struct store_commit commit = { .keys = keys, .key_count = 2 };
    assert_int_equal(store_story_commit(s, &commit), STORE_DONE);
    assert_int_equal(store_story_revoke(s, 21), STORE_DONE);
    assert_int_equal(state_of(s, 20), KEY_ACTIVE);
    store_story_reopen(s);
    struct credentials_key key;
    /* The look is a timer's: it sleeps in the loop until that is due. */
    for (int i = 0; i < 100 && credentials_get_key(s->credentials, 20, &key); i++)
        loop_run_once(s->loop, true);
    assert_false(credentials_get_key(s->credentials, 20, &key));
    assert_int_equal(state_of(s, 21), KEY_REVOKED);
    assert_int_equal(state_of(s, 7), KEY_ACTIVE);
}

static void an_import_is_all_or_nothing(void **state)
{
    struct store_story *s = *state;
    fill(s);
    struct store_key_change keys[100];
    for (size_t i = 0; i < 100; i++)
        keys[i] = (struct store_key_change){ .change = STORE_KEY_ADD,
                                             .id = 1000 + i,
                                             .consumer = TEXT("carol"),
                                             .digest = store_story_digest(1000 + i) };
    struct store_commit commit = { .keys = keys, .key_count = 100 };
    keys[99].consumer = TEXT_OF("nobody");
    assert_int_equal(store_story_commit(s, &commit), STORE_PROBLEMS);
    keys[99].consumer = TEXT_OF("carol");
    keys[98].digest = store_story_digest(7);
    assert_int_equal(store_story_commit(s, &commit), STORE_EXISTS);
    assert_int_equal(s->result.failed_at, 98);
    keys[98].digest = keys[97].digest;
    assert_int_equal(store_story_commit(s, &commit), STORE_PROBLEMS);
    struct credentials_counts counts;
    credentials_count(s->credentials, &counts);
    assert_int_equal(counts.keys, 1);
    keys[98].digest = store_story_digest(98);
    assert_int_equal(store_story_commit(s, &commit), STORE_DONE);
    assert_int_equal(store_revision(s->store), 6);
    store_story_reopen(s);
    credentials_count(s->credentials, &counts);
    assert_int_equal(counts.keys, 101);
}

/* ---- many at once ---- */

#define WRITERS 200

static void writers_that_come_together_share_an_fsync(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_A), STORE_DONE);
    static struct store_commit commits[WRITERS];
    static struct store_change changes[WRITERS];
    struct resource *rs[WRITERS];
    unsigned published = s->published;
    unsigned answers = s->answers;
    for (size_t i = 0; i < WRITERS; i++) {
        char json[100];
        bool is_consumer = i % 4 == 3;
        snprintf(json, sizeof(json),
                 is_consumer ? "{\"name\":\"n%zu\"}" : "{\"name\":\"n%zu\",\"upstream\":\"a\"}", i);
        rs[i] = store_story_parse(is_consumer ? RESOURCE_CONSUMER : RESOURCE_ROUTE, json);
        changes[i] = (struct store_change){
            .change = STORE_PUT, .kind = rs[i]->kind, .name = rs[i]->name, .resource = rs[i]
        };
        commits[i] = (struct store_commit){
            .changes = &changes[i], .change_count = 1, .done = store_story_done, .arg = s
        };
        store_commit(s->store, &commits[i]);
    }
    store_story_wait(s, answers + WRITERS);
    for (size_t i = 0; i < WRITERS; i++)
        resource_unref(&rs[i]);
    assert_int_equal(store_revision(s->store), 1 + WRITERS);
    assert_in_range(s->published - published, 1, WRITERS / 4 + 1);
    assert_int_equal(resources_count(store_resources(s->store), RESOURCE_ROUTE), WRITERS * 3 / 4);
    store_story_reopen(s);
    assert_int_equal(store_revision(s->store), 1 + WRITERS);
    assert_int_equal(resources_count(store_resources(s->store), RESOURCE_ROUTE), WRITERS * 3 / 4);
    assert_true(store_story_has(s, RESOURCE_CONSUMER, "n199"));
}

static void writers_that_depend_on_each_other_keep_their_order(void **state)
{
    struct store_story *s = *state;
    struct resource *carol = store_story_parse(RESOURCE_CONSUMER, CONSUMER);
    struct store_change put = {
        .change = STORE_PUT, .kind = RESOURCE_CONSUMER, .name = carol->name, .resource = carol
    };
    struct store_key_change add = {
        .change = STORE_KEY_ADD, .id = 7, .consumer = TEXT("carol"), .digest = store_story_digest(7)
    };
    struct store_key_change revoke = { .change = STORE_KEY_REVOKE, .id = 7 };
    struct store_change delete = { .change = STORE_DELETE,
                                   .kind = RESOURCE_CONSUMER,
                                   .name = TEXT("carol") };
    struct store_commit commits[] = {
        { .changes = &put, .change_count = 1 },
        { .keys = &add, .key_count = 1 },
        { .keys = &revoke, .key_count = 1 },
        { .changes = &delete, .change_count = 1 },
    };
    unsigned answers = s->answers;
    for (size_t i = 0; i < ARRAY_LENGTH(commits); i++) {
        commits[i].done = store_story_done;
        commits[i].arg = s;
        store_commit(s->store, &commits[i]);
    }
    store_story_wait(s, answers + 4);
    assert_int_equal(s->result.outcome, STORE_DONE);
    assert_int_equal(store_revision(s->store), 4);
    assert_false(store_story_has(s, RESOURCE_CONSUMER, "carol"));
    resource_unref(&carol);
}

/* ---- history ---- */

static void revisions_are_listed_newest_first(void **state)
{
    struct store_story *s = *state;
    fill(s);
    struct store_entry entries[10];
    assert_int_equal(store_list_entries(s->store, 0, 10, entries), 5);
    assert_int_equal(entries[0].head.revision, 5);
    assert_true(text_starts_with(entries[0].head.summary, TEXT_OF("key 0000000000000007 of ca")));
    assert_true(text_equals(entries[4].head.summary, TEXT_OF("upstream a added")));
    assert_true(text_equals(entries[4].head.author, TEXT_OF("alice")));
    assert_int_equal(store_list_entries(s->store, 3, 1, entries), 1);
    assert_int_equal(entries[0].head.revision, 2);
    store_story_reopen(s);
    assert_int_equal(store_list_entries(s->store, 0, 10, entries), 5);
    assert_true(text_equals(entries[4].head.summary, TEXT_OF("upstream a added")));
}

static struct store_entry_read entry_read;
static char entry_before[200];
static char entry_after[200];

static void on_entry(void *arg, const struct store_entry_read *read)
{
    struct store_story *s = arg;
    entry_read = *read;
    if (read->change_count > 0) {
        snprintf(entry_before, sizeof(entry_before), "%.*s", TEXT_ARGS(read->changes[0].before));
        snprintf(entry_after, sizeof(entry_after), "%.*s", TEXT_ARGS(read->changes[0].after));
    }
    s->answers++;
}

static enum store_outcome read_entry(struct store_story *s, uint64_t revision)
{
    unsigned answers = s->answers;
    store_read_entry(s->store, revision, on_entry, s);
    store_story_wait(s, answers + 1);
    return entry_read.outcome;
}

static void an_entry_tells_before_and_after(void **state)
{
    struct store_story *s = *state;
    fill(s);
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, CONSUMER), STORE_DONE);
    assert_int_equal(read_entry(s, 6), STORE_DONE);
    assert_int_equal(entry_read.change_count, 1);
    assert_int_equal(entry_read.entry.head.revision, 6);
    assert_string_equal(entry_before, CAROL_GOLD);
    assert_string_equal(entry_after, CONSUMER);
    assert_int_equal(read_entry(s, 5), STORE_DONE);
    assert_int_equal(entry_read.key_total, 1);
    assert_int_equal(read_entry(s, 7), STORE_ABSENT);
    assert_int_equal(read_entry(s, 0), STORE_ABSENT);
}

static void on_wait(void *arg)
{
    (*(unsigned *)arg)++;
}

static void one_can_wait_for_the_next(void **state)
{
    struct store_story *s = *state;
    unsigned calls = 0;
    struct store_waiter w;
    store_waiter_init(&w, on_wait, &calls);
    store_waiter_start(s->store, &w, 0);
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_A), STORE_DONE);
    assert_int_equal(calls, 1);
    store_waiter_start(s->store, &w, 0);
    assert_int_equal(calls, 1);
    loop_run_once(s->loop, false);
    assert_int_equal(calls, 2);
    store_waiter_start(s->store, &w, 1);
    loop_run_once(s->loop, false);
    assert_int_equal(calls, 2);
    store_waiter_stop(&w);
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_B), STORE_DONE);
    assert_int_equal(calls, 2);
}

static void restoring_brings_back_resources_and_no_keys(void **state)
{
    struct store_story *s = *state;
    fill(s);
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_B), STORE_DONE);
    assert_int_equal(store_story_put(s, RESOURCE_ROUTE, ROUTE_R_B), STORE_DONE);
    assert_int_equal(store_story_delete(s, RESOURCE_UPSTREAM, "a"), STORE_DONE);
    assert_int_equal(store_story_revoke(s, 7), STORE_DONE);
    assert_int_equal(store_story_restore(s, 5), STORE_DONE);
    assert_int_equal(s->result.revision, 10);
    assert_true(store_story_has(s, RESOURCE_UPSTREAM, "a"));
    assert_false(store_story_has(s, RESOURCE_UPSTREAM, "b"));
    assert_int_equal(state_of(s, 7), KEY_REVOKED);
    assert_int_equal(store_story_restore(s, 5), STORE_UNCHANGED);
    assert_int_equal(store_story_restore(s, 99), STORE_ABSENT);
    assert_int_equal(store_story_restore(s, 1), STORE_DONE);
    assert_false(store_story_has(s, RESOURCE_CONSUMER, "carol"));
    assert_int_equal(read_entry(s, 11), STORE_DONE);
    assert_int_equal(entry_read.restores, 1);
}

static void restoring_does_not_orphan_keys(void **state)
{
    struct store_story *s = *state;
    fill(s);
    assert_int_equal(store_story_restore(s, 3), STORE_REFERRED);
    assert_string_equal(s->first_name, "carol");
}

static void only_so_much_history_is_kept(void **state)
{
    struct store_story *s = *state;
    s->history = 3;
    store_story_reopen(s);
    fill(s);
    assert_int_equal(store_oldest_revision(s->store), 3);
    assert_int_equal(store_story_restore(s, 2), STORE_GONE);
    assert_int_equal(s->result.revision, 3);
    assert_int_equal(read_entry(s, 2), STORE_GONE);
    assert_int_equal(read_entry(s, 3), STORE_DONE);
}

/* ---- confirm ---- */

static enum store_outcome put_for(struct store_story *s, const char *json, int64_t ms)
{
    struct resource *r = store_story_parse(RESOURCE_UPSTREAM, json);
    struct store_change change = {
        .change = STORE_PUT, .kind = RESOURCE_UPSTREAM, .name = r->name, .resource = r
    };
    struct store_commit commit = { .changes = &change, .change_count = 1, .confirm_ms = ms };
    enum store_outcome outcome = store_story_commit(s, &commit);
    resource_unref(&r);
    return outcome;
}

static enum store_confirmation confirmation_of(struct store_story *s, uint64_t revision)
{
    struct store_entry entry;
    assert_int_equal(store_list_entries(s->store, revision + 1, 1, &entry), 1);
    return entry.confirmation;
}

static void wait_for_revision(struct store_story *s, uint64_t revision)
{
    for (int i = 0; i < 200 && store_revision(s->store) < revision; i++)
        loop_run_once(s->loop, true);
    assert_int_equal(store_revision(s->store), revision);
}

static void what_is_not_confirmed_undoes_itself(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(put_for(s, UPSTREAM_A, 50), STORE_DONE);
    assert_int_equal(confirmation_of(s, 1), STORE_PENDING);
    wait_for_revision(s, 2);
    assert_false(store_story_has(s, RESOURCE_UPSTREAM, "a"));
    assert_int_equal(confirmation_of(s, 1), STORE_UNDONE);
    assert_int_equal(store_story_confirm(s, 1), STORE_GONE);
    assert_int_equal(read_entry(s, 2), STORE_DONE);
    assert_true(entry_read.is_undo);
    store_story_reopen(s);
    assert_int_equal(confirmation_of(s, 1), STORE_UNDONE);
}

static void what_is_confirmed_stays(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(put_for(s, UPSTREAM_A, 60000), STORE_DONE);
    store_story_reopen(s);
    assert_int_equal(confirmation_of(s, 1), STORE_PENDING);
    assert_int_equal(store_story_confirm(s, 1), STORE_DONE);
    assert_int_equal(store_story_confirm(s, 1), STORE_UNCHANGED);
    assert_int_equal(store_story_confirm(s, 2), STORE_ABSENT);
    store_story_reopen(s);
    assert_int_equal(confirmation_of(s, 1), STORE_CONFIRMED);
    assert_int_equal(store_revision(s->store), 1);
}

static void a_deadline_outlives_a_restart(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(put_for(s, UPSTREAM_A, 30), STORE_DONE);
    store_story_reopen(s);
    wait_for_revision(s, 2);
    assert_false(store_story_has(s, RESOURCE_UPSTREAM, "a"));
}

static void only_what_nobody_changed_since_is_undone(void **state)
{
    struct store_story *s = *state;
    struct resource *rs[] = { store_story_parse(RESOURCE_UPSTREAM, UPSTREAM_A),
                              store_story_parse(RESOURCE_UPSTREAM, UPSTREAM_B),
                              store_story_parse(RESOURCE_PLAN, PLAN_GOLD) };
    struct store_change changes[3];
    for (size_t i = 0; i < 3; i++)
        changes[i] = (struct store_change){
            .change = STORE_PUT, .kind = rs[i]->kind, .name = rs[i]->name, .resource = rs[i]
        };
    struct store_commit commit = { .changes = changes, .change_count = 3, .confirm_ms = 80 };
    assert_int_equal(store_story_commit(s, &commit), STORE_DONE);
    /* a is referred to now, b has been changed, gold is as it was. */
    assert_int_equal(store_story_put(s, RESOURCE_ROUTE, ROUTE_R), STORE_DONE);
    assert_int_equal(
        store_story_put(s, RESOURCE_UPSTREAM,
                        "{\"name\":\"b\",\"targets\":[{\"address\":\"127.0.0.1:9\"}]}"),
        STORE_DONE);
    wait_for_revision(s, 4);
    assert_true(store_story_has(s, RESOURCE_UPSTREAM, "a"));
    assert_true(store_story_has(s, RESOURCE_UPSTREAM, "b"));
    assert_false(store_story_has(s, RESOURCE_PLAN, "gold"));
    for (size_t i = 0; i < 3; i++)
        resource_unref(&rs[i]);
}

/* ---- the disk ---- */

static int full_disk(enum disk_call call, size_t *length)
{
    if (call != DISK_CALL_WRITE)
        return 0;
    *length /= 2;
    return ENOSPC;
}

static int failing_fsync(enum disk_call call, size_t *length)
{
    return call == DISK_CALL_SYNC ? EIO : 0;
}

static void a_full_disk_refuses_and_heals(void **state)
{
    struct store_story *s = *state;
    fill(s);
    disk_set_fault(full_disk);
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_B), STORE_FULL);
    assert_int_equal(store_story_revoke(s, 7), STORE_FULL);
    assert_false(text_is_empty(store_status(s->store).reason));
    assert_false(store_story_has(s, RESOURCE_UPSTREAM, "b"));
    assert_int_equal(state_of(s, 7), KEY_ACTIVE);
    disk_set_fault(NULL);
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_B), STORE_DONE);
    assert_int_equal(s->result.revision, 6);
    assert_true(text_is_empty(store_status(s->store).reason));
    store_story_reopen(s);
    assert_int_equal(store_revision(s->store), 6);
}

static void a_failed_fsync_leaves_the_outcome_open(void **state)
{
    struct store_story *s = *state;
    fill(s);
    disk_set_fault(failing_fsync);
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_B), STORE_UNKNOWN);
    disk_set_fault(NULL);
    assert_int_equal(store_story_put(s, RESOURCE_UPSTREAM, UPSTREAM_B), STORE_AWAY);
    assert_true(store_status(s->store).is_away);
    store_story_reopen(s);
    assert_in_range(store_revision(s->store), 5, 6);
    assert_int_equal(store_story_revoke(s, 7), STORE_DONE);
}

/* ---- compaction ---- */

static void compaction_changes_nothing_that_can_be_seen(void **state)
{
    struct store_story *s = *state;
    s->compact_least = 1;
    s->history = 4;
    store_story_reopen(s);
    fill(s);
    assert_int_equal(put_for(s, UPSTREAM_B, 60000), STORE_DONE);
    assert_int_equal(store_story_confirm(s, 6), STORE_DONE);
    assert_int_equal(store_story_add_key(s, 8, "carol"), STORE_DONE);
    assert_int_equal(store_story_revoke(s, 8), STORE_DONE);
    uint64_t tag = store_config_tag(s->store);
    for (int i = 0; i < 200; i++)
        loop_run_once(s->loop, false);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_revision(s->store), 8);
        assert_int_equal(store_oldest_revision(s->store), 5);
        assert_int_equal(store_config_tag(s->store), tag);
        assert_int_equal(confirmation_of(s, 6), STORE_CONFIRMED);
        assert_int_equal(state_of(s, 7), KEY_ACTIVE);
        assert_int_equal(state_of(s, 8), KEY_REVOKED);
        assert_true(store_story_has(s, RESOURCE_CONSUMER, "carol"));
        assert_true(store_story_has(s, RESOURCE_ROUTE, "r"));
        assert_int_equal(read_entry(s, 6), STORE_DONE);
        store_story_reopen(s);
    }
}

static void writing_goes_on_while_compacting(void **state)
{
    struct store_story *s = *state;
    s->compact_least = 1;
    s->history = 10;
    store_story_reopen(s);
    fill(s);
    for (uint64_t i = 0; i < 300; i++) {
        assert_int_equal(store_story_add_key(s, 100 + i, "carol"), STORE_DONE);
        if (i % 3 == 0)
            assert_int_equal(store_story_revoke(s, 100 + i), STORE_DONE);
    }
    uint64_t revision = store_revision(s->store);
    store_story_reopen(s);
    assert_int_equal(store_revision(s->store), revision);
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(state_of(s, 100 + i), i % 3 == 0 ? KEY_REVOKED : KEY_ACTIVE);
}

static void stopping_answers_what_waits(void **state)
{
    struct store_story *s = *state;
    struct resource *r = store_story_parse(RESOURCE_UPSTREAM, UPSTREAM_A);
    struct store_change change = {
        .change = STORE_PUT, .kind = RESOURCE_UPSTREAM, .name = r->name, .resource = r
    };
    struct store_commit commit = {
        .changes = &change, .change_count = 1, .done = store_story_done, .arg = s
    };
    unsigned answers = s->answers;
    store_commit(s->store, &commit);
    store_embedded_stop(s->embedded);
    assert_int_equal(s->answers, answers + 1);
    assert_int_equal(s->result.outcome, STORE_AWAY);
    resource_unref(&r);
}

static void tags_print_and_parse(void **state)
{
    char text[STORE_TAG_SIZE];
    uint64_t tag;
    assert_true(text_equals(store_tag_print(0xab, text), TEXT_OF("\"00000000000000ab\"")));
    assert_true(store_tag_parse(text_of(text), &tag));
    assert_int_equal(tag, 0xab);
    assert_false(store_tag_parse(TEXT_OF("\"00000000000000AB\""), &tag));
    assert_false(store_tag_parse(TEXT_OF("W/\"00000000000000ab\""), &tag));
    assert_false(store_tag_parse(TEXT_OF("\"ab\""), &tag));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_story, end_story)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_is_numbered_published_and_kept),
        TEST(the_same_again_makes_no_revision),
        TEST(a_dangling_reference_is_a_problem),
        TEST(what_others_refer_to_stays),
        TEST(conditions_are_kept),
        TEST(an_edit_sees_what_stands),
        TEST(a_dry_run_changes_nothing),
        TEST(replacing_all_is_one_revision),
        TEST(replacing_all_names_consumers_with_keys),
        TEST(the_same_name_twice_is_a_problem),
        TEST(keys_live_and_die_and_are_remembered),
        TEST(a_key_ends_earlier_only),
        TEST(a_removed_consumer_leaves_its_revocations),
        TEST(tombstones_do_not_stay_forever),
        TEST(an_import_is_all_or_nothing),
        TEST(writers_that_come_together_share_an_fsync),
        TEST(writers_that_depend_on_each_other_keep_their_order),
        TEST(revisions_are_listed_newest_first),
        TEST(an_entry_tells_before_and_after),
        TEST(one_can_wait_for_the_next),
        TEST(restoring_brings_back_resources_and_no_keys),
        TEST(restoring_does_not_orphan_keys),
        TEST(only_so_much_history_is_kept),
        TEST(what_is_not_confirmed_undoes_itself),
        TEST(what_is_confirmed_stays),
        TEST(a_deadline_outlives_a_restart),
        TEST(only_what_nobody_changed_since_is_undone),
        TEST(a_full_disk_refuses_and_heals),
        TEST(a_failed_fsync_leaves_the_outcome_open),
        TEST(compaction_changes_nothing_that_can_be_seen),
        TEST(writing_goes_on_while_compacting),
        TEST(stopping_answers_what_waits),
        cmocka_unit_test(tags_print_and_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
