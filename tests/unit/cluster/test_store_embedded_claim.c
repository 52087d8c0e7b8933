/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_embedded_claim.c - a store with an authority: what it offers, what it makes of the
 * answer, and of what others did. The authority here says what the test wants it to say.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cluster/authority.h"
#include "cluster/disk.h"
#include "cluster/item.h"
#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"
#include "tests/unit/cluster/folder.h"
#include "tests/unit/cluster/store_story.h"

struct arbiter {
    struct authority authority;
    struct store_story *story;
    enum authority_outcome says;           /* once; then TAKEN */
    struct store_embedded_incoming *first; /* what others did, told before MOVED_ON; may be NULL */
    authority_answered_fn *answered;
    void *arg;
    struct entry_head offered; /* the last one; without its texts */
    char *items;               /* of it */
    size_t items_length;
    unsigned claims;
    unsigned strays;
    unsigned turns;      /* taken */
    unsigned gifts;      /* of turns */
    struct entry_id was; /* the id that was offered before */
};

static struct arbiter arbiter;

static void on_answer(void *arg)
{
    enum authority_outcome outcome = arbiter.says;
    arbiter.says = AUTHORITY_TAKEN;
    if (arbiter.first != NULL) {
        struct store_embedded_incoming *in = arbiter.first;
        arbiter.first = NULL;
        store_embedded_follow(arbiter.story->embedded, in);
    }
    arbiter.answered(arbiter.arg, outcome, TEXT_OF("The arbiter says so."));
}

static void claim(struct authority *a, const struct authority_entry *entries, size_t count,
                  authority_answered_fn *answered, void *arg)
{
    const struct authority_entry *last = &entries[count - 1];
    arbiter.claims++;
    arbiter.was = arbiter.offered.id;
    arbiter.answered = answered;
    arbiter.arg = arg;
    arbiter.offered = *last->head;
    arbiter.offered.author = arbiter.offered.summary = TEXT_EMPTY;
    MEM_FREE(&arbiter.items);
    arbiter.items = mem_copy_text(last->parts[0].at, last->parts[0].length);
    arbiter.items_length = last->parts[0].length;
    mailbox_post_call(arbiter.story->mailbox, on_answer, NULL);
}

static void take_turn(struct authority *a, authority_turn_fn *answered, void *arg)
{
    arbiter.turns++;
    answered(arg, AUTHORITY_TAKEN, 2);
}

static void give_turn(struct authority *a)
{
    arbiter.gifts++;
}

static struct text refusal(const struct authority *a)
{
    return TEXT_EMPTY;
}

static bool is_looking(const struct authority *a)
{
    return false;
}

static void astray(struct authority *a)
{
    arbiter.strays++;
}

static struct store_status status(const struct authority *a)
{
    return (struct store_status){ .kind = "arbiter" };
}

static const struct authority_type arbiter_type = { .name = "arbiter",
                                                    .claim = claim,
                                                    .take_turn = take_turn,
                                                    .give_turn = give_turn,
                                                    .refusal = refusal,
                                                    .is_looking = is_looking,
                                                    .astray = astray,
                                                    .status = status };

static int set_up(void **state)
{
    struct store_story *s = mem_new(sizeof(*s));
    arbiter = (struct arbiter){ .authority = { &arbiter_type }, .story = s };
    s->authority = &arbiter.authority;
    store_story_open(s, folder_new());
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct store_story *s = *state;
    disk_set_fault(NULL);
    store_story_close(s);
    folder_remove(&s->path);
    MEM_FREE(&arbiter.items);
    MEM_FREE(&s);
    return 0;
}

/* ---- what others did ---- */

static struct store_embedded_incoming *incoming(uint64_t revision, const struct entry_id *prev,
                                                const struct item *item)
{
    struct entry_head head = { .revision = revision,
                               .prev = *prev,
                               .time_ms = 1,
                               .author = TEXT("bob"),
                               .summary = TEXT("by another node") };
    struct builder b;
    digest_random(head.id.bytes, ENTRY_ID_SIZE);
    struct store_embedded_incoming *in = store_embedded_incoming_new(&head);
    builder_init(&b, SIZE_MAX);
    item_print(item, &b);
    store_embedded_incoming_add(in, builder_text(&b));
    builder_fini(&b);
    return in;
}

static struct item consumer(const char *name, const char *after)
{
    return (struct item){ .kind = ITEM_RESOURCE,
                          .resource = { .kind = RESOURCE_CONSUMER,
                                        .name = text_of(name),
                                        .has_after = true,
                                        .after = text_of(after) } };
}

static void follow(struct store_story *s, struct store_embedded_incoming *in)
{
    uint64_t revision = in->head.revision;
    store_embedded_follow(s->embedded, in);
    for (int i = 0; i < 1000 && store_revision(s->store) < revision && arbiter.strays == 0; i++)
        loop_run_once(s->loop, true);
    while (!store_embedded_is_quiet(s->embedded))
        loop_run_once(s->loop, true);
}

/* ---- stories ---- */

static unsigned syncs;

static int count_syncs(enum disk_call call, size_t *length)
{
    syncs += call == DISK_CALL_SYNC;
    return 0;
}

/* What is taken while the store is stopped is durable then; and whatever the authority says last,
 * no timer is left for a store that is gone. */
static void the_last_answers_come_to_an_end(void **state)
{
    static const enum authority_outcome cases[] = { AUTHORITY_TAKEN, AUTHORITY_TURN,
                                                    AUTHORITY_MOVED_ON };
    static const char *const names[] = { "{\"name\":\"carol\"}", "{\"name\":\"dave\"}",
                                         "{\"name\":\"erin\"}" };
    struct store_story *s = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct resource *r = store_story_parse(RESOURCE_CONSUMER, names[i]);
        struct store_change change = {
            .change = STORE_PUT, .kind = r->kind, .name = r->name, .resource = r
        };
        struct store_commit commit = { .author = TEXT("alice"),
                                       .changes = &change,
                                       .change_count = 1,
                                       .done = store_story_done,
                                       .arg = s };
        arbiter.says = cases[i];
        store_commit(s->store, &commit);
        for (unsigned before = arbiter.claims; arbiter.claims == before;)
            loop_run_once(s->loop, true);
        syncs = 0;
        disk_set_fault(count_syncs);
        store_embedded_stop(s->embedded);
        disk_set_fault(NULL);
        assert_int_equal(s->result.outcome, cases[i] == AUTHORITY_TAKEN ? STORE_DONE : STORE_AWAY);
        assert_true(cases[i] != AUTHORITY_TAKEN || syncs > 0);
        resource_unref(&r);
        assert_false(loop_timer_is_started(&s->embedded->sync_timer));
        assert_false(loop_timer_is_started(&s->embedded->follow_timer));
        assert_false(loop_timer_is_started(&s->embedded->turn.timer));
        store_story_reopen(s);
    }
}

static void a_change_is_offered_before_it_is_taken(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"), STORE_DONE);
    assert_int_equal(arbiter.claims, 1);
    assert_int_equal(arbiter.offered.revision, 1);
    struct entry_id id = store_embedded_id(s->embedded);
    assert_true(entry_id_equals(&arbiter.offered.id, &id));
    store_story_reopen(s);
    assert_int_equal(store_revision(s->store), 1);
    assert_true(store_story_has(s, RESOURCE_CONSUMER, "carol"));
}

static void what_is_not_taken_leaves_nothing(void **state)
{
    static const struct {
        enum authority_outcome says;
        enum store_outcome outcome;
    } cases[] = { { AUTHORITY_AWAY, STORE_AWAY },
                  { AUTHORITY_FULL, STORE_FULL },
                  { AUTHORITY_UNKNOWN, STORE_UNKNOWN } };
    struct store_story *s = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        arbiter.says = cases[i].says;
        assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"),
                         cases[i].outcome);
        assert_false(store_story_has(s, RESOURCE_CONSUMER, "carol"));
        assert_int_equal(store_revision(s->store), 0);
    }
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"), STORE_DONE);
    assert_int_equal(store_revision(s->store), 1);
}

static void when_others_were_first_it_is_planned_again(void **state)
{
    struct store_story *s = *state;
    struct entry_id none = { { 0 } };
    struct item item = consumer("carol", "{\"name\":\"carol\",\"metadata\":{\"by\":\"bob\"}}");
    arbiter.says = AUTHORITY_MOVED_ON;
    arbiter.first = incoming(1, &none, &item);
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"), STORE_DONE);
    assert_int_equal(arbiter.claims, 2);
    assert_int_equal(arbiter.offered.revision, 2);
    assert_int_equal(store_revision(s->store), 2);
    struct store_entry entries[3];
    assert_int_equal(store_list_entries(s->store, 0, 3, entries), 2);
    assert_true(text_equals(entries[1].head.author, TEXT_OF("bob")));
}

static void a_condition_is_looked_at_again(void **state)
{
    struct store_story *s = *state;
    struct entry_id none = { { 0 } };
    struct item item = consumer("carol", "{\"name\":\"carol\"}");
    struct resource *r = store_story_parse(RESOURCE_CONSUMER, "{\"name\":\"carol\"}");
    struct store_change change = { .change = STORE_PUT,
                                   .kind = RESOURCE_CONSUMER,
                                   .name = r->name,
                                   .resource = r,
                                   .condition = { .kind = STORE_IF_ABSENT } };
    struct store_commit commit = { .changes = &change, .change_count = 1 };
    arbiter.says = AUTHORITY_MOVED_ON;
    arbiter.first = incoming(1, &none, &item);
    assert_int_equal(store_story_commit(s, &commit), STORE_MOVED_ON);
    assert_int_equal(store_revision(s->store), 1);
    resource_unref(&r);
}

/* So many keys of carol that they are more than one part. */
#define MANY 4000

static struct store_key_change *many_keys(void)
{
    struct store_key_change *keys = mem_new_array(MANY, sizeof(*keys));
    for (uint64_t i = 0; i < MANY; i++)
        keys[i] = (struct store_key_change){ .change = STORE_KEY_ADD,
                                             .id = i + 1,
                                             .consumer = TEXT("carol"),
                                             .digest = store_story_digest(i + 1) };
    return keys;
}

static void what_is_big_has_a_turn_and_is_sent_once(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"), STORE_DONE);
    struct entry_id id = store_embedded_id(s->embedded);
    struct item dave = consumer("dave", "{\"name\":\"dave\"}");
    struct store_commit commit = { .keys = many_keys(), .key_count = MANY };
    arbiter.says = AUTHORITY_MOVED_ON;
    arbiter.first = incoming(2, &id, &dave);
    assert_int_equal(store_story_commit(s, &commit), STORE_DONE);
    assert_int_equal(arbiter.turns, 1);
    assert_int_equal(arbiter.gifts, 1);
    assert_int_equal(arbiter.claims, 3);
    assert_int_equal(arbiter.offered.revision, 3);
    assert_true(entry_id_equals(&arbiter.was, &arbiter.offered.id));
    struct credentials_key key;
    store_story_reopen(s);
    assert_true(credentials_get_key(s->credentials, MANY, &key));
    MEM_FREE(&commit.keys);
}

static void what_is_sent_once_is_looked_at_again(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"), STORE_DONE);
    struct entry_id id = store_embedded_id(s->embedded);
    struct item key = { .kind = ITEM_KEY,
                        .key = { .change = ITEM_KEY_ADD,
                                 .key = { .id = MANY + 9,
                                          .digest = store_story_digest(MANY),
                                          .consumer = TEXT("carol") } } };
    struct store_commit commit = { .keys = many_keys(), .key_count = MANY };
    arbiter.says = AUTHORITY_MOVED_ON;
    arbiter.first = incoming(2, &id, &key);
    assert_int_equal(store_story_commit(s, &commit), STORE_EXISTS);
    assert_int_equal(arbiter.turns, 1);
    assert_int_equal(arbiter.gifts, 1); /* others need not wait until it ends by itself */
    assert_int_equal(store_revision(s->store), 2);
    MEM_FREE(&commit.keys);
}

/* Somebody else's turn: it is offered again a little later, and nothing is wrong. */
static void a_turn_of_others_is_waited_for(void **state)
{
    struct store_story *s = *state;
    arbiter.says = AUTHORITY_TURN;
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"), STORE_DONE);
    assert_int_equal(arbiter.claims, 2);
    assert_int_equal(arbiter.turns, 0);
    assert_int_equal(arbiter.strays, 0);
}

/* Its answer was lost, and it had been taken. */
static void what_was_unknown_comes_in_like_anything_else(void **state)
{
    struct store_story *s = *state;
    arbiter.says = AUTHORITY_UNKNOWN;
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"), STORE_UNKNOWN);
    struct store_embedded_incoming *in = store_embedded_incoming_new(&arbiter.offered);
    store_embedded_incoming_add(in, text_from(arbiter.items, arbiter.items_length));
    follow(s, in);
    assert_int_equal(store_revision(s->store), 1);
    assert_true(store_story_has(s, RESOURCE_CONSUMER, "carol"));
}

static void what_does_not_follow_is_not_taken_in(void **state)
{
    struct store_story *s = *state;
    struct entry_id none = { { 0 } };
    struct entry_id other = { { 1 } };
    struct item item = consumer("carol", "{\"name\":\"carol\"}");
    follow(s, incoming(1, &none, &item));
    assert_int_equal(store_revision(s->store), 1);
    follow(s, incoming(2, &other, &item));
    assert_int_equal(arbiter.strays, 1);
    assert_int_equal(store_revision(s->store), 1);
    /* What is known is no news. */
    struct entry_id id = store_embedded_id(s->embedded);
    assert_int_equal(store_embedded_knows(s->embedded, 1, &id), STORE_EMBEDDED_KNOWN);
    assert_int_equal(store_embedded_knows(s->embedded, 1, &other), STORE_EMBEDDED_OTHER);
}

static atomic_int is_full;

static int fail_writes(enum disk_call call, size_t *length)
{
    return is_full && (call == DISK_CALL_WRITE || call == DISK_CALL_CREATE) ? ENOSPC : 0;
}

/* It is accepted: a disk that is full does not undo that, and is made up for when there is room. */
static void a_full_disk_stops_nobody_from_following(void **state)
{
    struct store_story *s = *state;
    struct entry_id none = { { 0 } };
    struct item carol = consumer("carol", "{\"name\":\"carol\"}");
    struct item dave = consumer("dave", "{\"name\":\"dave\"}");
    disk_set_fault(fail_writes);
    is_full = 1;
    follow(s, incoming(1, &none, &carol));
    assert_int_equal(store_revision(s->store), 1);
    assert_true(store_story_has(s, RESOURCE_CONSUMER, "carol"));
    assert_false(text_is_empty(store_status(s->store).reason));
    is_full = 0;
    store_story_reopen(s);
    assert_int_equal(store_revision(s->store), 0);
    follow(s, incoming(1, &none, &carol));
    struct entry_id id = store_embedded_id(s->embedded);
    follow(s, incoming(2, &id, &dave));
    store_story_reopen(s);
    assert_int_equal(store_revision(s->store), 2);
    assert_true(store_story_has(s, RESOURCE_CONSUMER, "dave"));
}

static void on_replaced(void *arg, struct text why)
{
    assert_true(text_is_empty(why));
    *(bool *)arg = true;
}

static void another_state_takes_the_place_of_all(void **state)
{
    struct store_story *s = *state;
    assert_int_equal(store_story_put(s, RESOURCE_CONSUMER, "{\"name\":\"carol\"}"), STORE_DONE);
    assert_int_equal(store_story_add_key(s, 7, "carol"), STORE_DONE);
    assert_int_equal(store_story_add_key(s, 8, "carol"), STORE_DONE);
    assert_int_equal(store_story_revoke(s, 8), STORE_DONE);
    struct store_embedded_base base = { .cluster = { { 5 } }, .revision = 40, .id = { { 6 } } };
    struct item dave = consumer("dave", "{\"name\":\"dave\"}");
    struct builder b;
    dave.resource.revision = 30;
    builder_init(&b, SIZE_MAX);
    item_print(&dave, &b);
    store_embedded_replace_start(s->embedded, &base);
    store_embedded_replace_add_state(s->embedded, builder_text(&b));
    builder_fini(&b);
    bool is_done = false;
    store_embedded_replace_finish(s->embedded, on_replaced, &is_done);
    while (!is_done)
        loop_run_once(s->loop, true);
    for (int i = 0; i < 2; i++) {
        struct credentials_key key;
        struct digest revoked = store_story_digest(8);
        assert_int_equal(store_revision(s->store), 40);
        assert_true(store_story_has(s, RESOURCE_CONSUMER, "dave"));
        assert_false(store_story_has(s, RESOURCE_CONSUMER, "carol"));
        assert_false(credentials_get_key(s->credentials, 7, &key));
        /* It stays revoked, over a restart too, and is to be told. */
        struct store_revocation items[4];
        assert_true(credentials_get_key_by_digest(s->credentials, &revoked, &key));
        assert_int_equal(key.state, KEY_REVOKED);
        assert_int_equal(store_list_unshared(s->store, items, 4), 1);
        store_story_reopen(s);
        struct entry_id cluster = store_embedded_cluster(s->embedded);
        assert_true(entry_id_equals(&cluster, &base.cluster));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_is_offered_before_it_is_taken),
        TEST(the_last_answers_come_to_an_end),
        TEST(what_is_not_taken_leaves_nothing),
        TEST(when_others_were_first_it_is_planned_again),
        TEST(a_condition_is_looked_at_again),
        TEST(what_is_big_has_a_turn_and_is_sent_once),
        TEST(what_is_sent_once_is_looked_at_again),
        TEST(a_turn_of_others_is_waited_for),
        TEST(what_was_unknown_comes_in_like_anything_else),
        TEST(what_does_not_follow_is_not_taken_in),
        TEST(a_full_disk_stops_nobody_from_following),
        TEST(another_state_takes_the_place_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
