/* SPDX-License-Identifier: Apache-2.0 */
/* test_credentials.c - the table of keys and consumers, one thread at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/policy/credentials.h"
#include "tests/unit/gatewayd/policy/credentials_fixture.h"

#define NOW 1700000000000

struct table {
    struct turns *turns;
    struct turn *turn;
    struct credentials *c;
    struct arena arena;
};

static int make(void **state)
{
    static struct table t;
    t.turns = turns_new(1);
    t.turn = turns_get(t.turns, 0);
    t.c = credentials_new(t.turns);
    arena_init(&t.arena, 65536);
    *state = &t;
    return 0;
}

static int unmake(void **state)
{
    struct table *t = *state;
    credentials_free(&t->c);
    turns_free(&t->turns);
    arena_reset(&t->arena);
    return 0;
}

static enum credentials_answer find(struct table *t, const char *key, int64_t now,
                                    struct credential *out)
{
    enum credentials_answer answer =
        credentials_find(t->c, t->turn, text_of(key), now, &t->arena, out);
    turn_leave(t->turn);
    return answer;
}

#define assert_text(text, literal) assert_true(text_equals(text, TEXT_OF(literal)))

static void a_key_brings_its_consumer(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credential found;
    fixture_put(t->c, "{\"name\":\"acme\",\"plan\":\"gold\",\"groups\":[\"eu\",\"beta\"]}", 1);
    assert_int_equal(fixture_add(t->c, "acme", 7, key), CREDENTIALS_KEY_ADDED);
    struct text scopes[] = { TEXT("read"), TEXT("write") };
    assert_true(credentials_set_scopes(t->c, 7, (struct texts){ scopes, 2 }, 2));

    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_ACTIVE);
    assert_text(found.consumer, "acme");
    assert_text(found.plan, "gold");
    assert_int_equal(found.plan_id, credentials_plan_id(t->c, TEXT_OF("gold")));
    assert_int_equal(found.groups.count, 2);
    assert_text(found.groups.items[0], "eu");
    assert_text(found.groups.items[1], "beta");
    assert_int_equal(found.scopes.count, 2);
    assert_text(found.scopes.items[1], "write");
    assert_string_equal(found.id, "0000000000000007");
    assert_memory_equal(found.prefix, key, 8);
    assert_int_equal(found.expires_at, 0);
    assert_true(credentials_is_live(t->c, found.handle, NOW));
}

static void unknown_and_mistyped_keys_are_unknown(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credential found;
    key_make(key);
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_UNKNOWN);
    key[10] = '!';
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_UNKNOWN);
    assert_int_equal(find(t, "", NOW, &found), CREDENTIALS_UNKNOWN);
    assert_int_equal(find(t, "short", NOW, &found), CREDENTIALS_UNKNOWN);
    assert_int_equal(find(t, "a-foreign-key-nobody-knows", NOW, &found), CREDENTIALS_UNKNOWN);
}

static void a_revoked_key_is_refused_for_good(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credential found;
    struct key_handle handle;
    struct credentials_key record;
    fixture_put(t->c, "{\"name\":\"acme\"}", 1);
    fixture_add(t->c, "acme", 7, key);
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_ACTIVE);
    assert_true(credentials_revoke(t->c, 7, NOW, 5, &handle));
    assert_int_equal(handle.slot, found.handle.slot);
    assert_int_equal(handle.generation, found.handle.generation);
    assert_false(credentials_is_live(t->c, found.handle, NOW));
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_REVOKED);
    assert_false(credentials_revoke(t->c, 7, NOW, 6, &handle));

    assert_true(credentials_get_key(t->c, 7, &record));
    assert_int_equal(record.state, KEY_REVOKED);
    assert_int_equal(record.revoked_at, NOW);
    assert_int_equal(record.stamp, 5);
    record.id = 8;
    record.state = KEY_ACTIVE;
    assert_int_equal(credentials_add_key(t->c, &record), CREDENTIALS_KEY_WAS_REVOKED);
}

static void a_key_expires_to_the_millisecond(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credential found;
    fixture_put(t->c, "{\"name\":\"acme\"}", 1);
    fixture_add(t->c, "acme", 7, key);
    assert_true(credentials_set_expiry(t->c, 7, NOW, 2));
    assert_int_equal(find(t, key, NOW - 1, &found), CREDENTIALS_ACTIVE);
    assert_int_equal(found.expires_at, NOW);
    assert_true(credentials_is_live(t->c, found.handle, NOW - 1));
    assert_false(credentials_is_live(t->c, found.handle, NOW));
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_EXPIRED);
    assert_true(credentials_has_active_keys(t->c, TEXT_OF("acme"), NOW - 1));
    assert_false(credentials_has_active_keys(t->c, TEXT_OF("acme"), NOW));
}

static void foreign_keys_are_found_by_either_digest(void **state)
{
    struct table *t = *state;
    struct credential found;
    credentials_set_secret(t->c, TEXT_OF("the cluster's secret"));
    fixture_put(t->c, "{\"name\":\"acme\"}", 1);
    struct text as_it_is = TEXT_OF("an-old-key-brought-as-it-is");
    struct text as_digest = TEXT_OF("an-old-key-brought-as-sha256");
    struct credentials_key key = { .consumer = TEXT("acme"), .prefix = TEXT("an-o") };
    key.id = 1;
    key.digest = key_digest(as_it_is, TEXT_OF("the cluster's secret"));
    assert_int_equal(credentials_add_key(t->c, &key), CREDENTIALS_KEY_ADDED);
    key.id = 2;
    key.digest = digest_sha256(as_digest);
    key.prefix = TEXT_EMPTY;
    assert_int_equal(credentials_add_key(t->c, &key), CREDENTIALS_KEY_ADDED);

    assert_int_equal(find(t, as_it_is.at, NOW, &found), CREDENTIALS_ACTIVE);
    assert_int_equal(found.key_id, 1);
    assert_string_equal(found.prefix, "an-o");
    assert_int_equal(find(t, as_digest.at, NOW, &found), CREDENTIALS_ACTIVE);
    assert_int_equal(found.key_id, 2);
    assert_string_equal(found.prefix, "");
}

static void a_foreign_key_that_was_revoked_under_one_digest_is_revoked(void **state)
{
    static const struct text secret = TEXT("the cluster's secret");
    struct table *t = *state;
    struct credential found;
    struct credentials_key known;
    credentials_set_secret(t->c, secret);
    fixture_put(t->c, "{\"name\":\"acme\"}", 1);
    for (uint64_t revoked = 1; revoked <= 2; revoked++) {
        struct text sent = revoked == 1 ? TEXT_OF("an-old-key-brought-twice-1")
                                        : TEXT_OF("an-old-key-brought-twice-2");
        struct credentials_key key = { .consumer = TEXT("acme"), .prefix = TEXT("an-o") };
        assert_false(credentials_get_key_as_sent(t->c, sent, &known));
        for (uint64_t i = 1; i <= 2; i++) {
            key.id = 10 * revoked + i;
            key.digest = key_digest(sent, i == 1 ? secret : TEXT_EMPTY);
            assert_int_equal(credentials_add_key(t->c, &key), CREDENTIALS_KEY_ADDED);
            assert_true(credentials_get_key_as_sent(t->c, sent, &known));
        }
        assert_int_equal(find(t, sent.at, NOW, &found), CREDENTIALS_ACTIVE);
        assert_true(credentials_revoke(t->c, 10 * revoked + revoked, NOW, 3, NULL));
        assert_int_equal(find(t, sent.at, NOW, &found), CREDENTIALS_REVOKED);
        assert_true(credentials_get_key_as_sent(t->c, sent, &known));
        assert_int_equal(known.id, 10 * revoked + revoked);
        assert_int_equal(known.state, KEY_REVOKED);
    }
}

static void keys_are_refused_for_a_reason(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credentials_key record;
    assert_int_equal(fixture_add(t->c, "nobody", 7, key), CREDENTIALS_KEY_NO_CONSUMER);
    fixture_put(t->c, "{\"name\":\"acme\"}", 1);
    assert_int_equal(fixture_add(t->c, "acme", 7, key), CREDENTIALS_KEY_ADDED);
    assert_int_equal(fixture_add(t->c, "acme", 7, key), CREDENTIALS_KEY_ID_TAKEN);
    assert_true(credentials_get_key(t->c, 7, &record));
    record.id = 8;
    assert_int_equal(credentials_add_key(t->c, &record), CREDENTIALS_KEY_EXISTS);
}

static void a_changed_consumer_is_seen_with_the_next_request(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credential found;
    assert_int_equal(fixture_put(t->c, "{\"name\":\"acme\",\"plan\":\"gold\"}", 1),
                     CREDENTIALS_ADDED);
    fixture_add(t->c, "acme", 7, key);
    assert_int_equal(fixture_put(t->c, "{\"name\":\"acme\",\"plan\":\"gold\"}", 2),
                     CREDENTIALS_SAME);
    assert_int_equal(credentials_plan_users(t->c, TEXT_OF("gold")), 1);
    assert_int_equal(fixture_put(t->c, "{\"name\":\"acme\",\"plan\":\"free\"}", 3),
                     CREDENTIALS_CHANGED);
    assert_int_equal(credentials_plan_users(t->c, TEXT_OF("gold")), 0);
    assert_int_equal(credentials_plan_users(t->c, TEXT_OF("free")), 1);
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_ACTIVE);
    assert_text(found.plan, "free");
}

static void a_removed_consumer_leaves_its_tombstones(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credential found;
    struct credentials_key record;
    struct credentials_consumer consumer;
    fixture_put(t->c, "{\"name\":\"acme\",\"plan\":\"gold\"}", 1);
    fixture_add(t->c, "acme", 7, key);
    credentials_revoke(t->c, 7, NOW, 2, NULL);
    assert_true(credentials_remove_consumer(t->c, TEXT_OF("acme")));
    assert_false(credentials_remove_consumer(t->c, TEXT_OF("acme")));
    assert_false(credentials_get_consumer(t->c, TEXT_OF("acme"), &consumer));
    assert_false(credentials_next_consumer(t->c, TEXT_EMPTY, &consumer));
    assert_int_equal(credentials_plan_users(t->c, TEXT_OF("gold")), 0);
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_REVOKED);
    assert_true(credentials_get_key(t->c, 7, &record));
    assert_text(record.consumer, "acme");

    /* Again by the same name: its old keys are its own again. */
    assert_int_equal(fixture_put(t->c, "{\"name\":\"acme\"}", 3), CREDENTIALS_ADDED);
    assert_true(credentials_get_consumer(t->c, TEXT_OF("acme"), &consumer));
    assert_int_equal(consumer.keys, 1);
    credentials_remove_consumer(t->c, TEXT_OF("acme"));
    assert_true(credentials_remove_key(t->c, 7));
    assert_false(credentials_remove_key(t->c, 7));
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_UNKNOWN);
    while (credentials_tidy(t->c))
        ;
    struct credentials_counts counts;
    credentials_count(t->c, &counts);
    assert_int_equal(counts.consumers + counts.keys + counts.revoked + counts.waiting, 0);
}

static void a_revocation_of_an_unknown_key_is_kept(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credential found;
    struct credentials_key record = { .id = 9, .state = KEY_REVOKED, .revoked_at = NOW };
    record.digest = key_digest(key_make(key), TEXT_EMPTY);
    assert_int_equal(credentials_add_key(t->c, &record), CREDENTIALS_KEY_ADDED);
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_REVOKED);
    assert_true(credentials_get_key_by_digest(t->c, &record.digest, &record));
    assert_int_equal(record.id, 9);
    assert_int_equal(record.consumer.length, 0);
    assert_true(credentials_remove_key(t->c, 9));
}

static void what_was_set_comes_back_byte_by_byte(void **state)
{
    struct table *t = *state;
    const char *sets[] = {
        "{\"name\":\"a\"}",
        "{\"name\":\"b\",\"plan\":\"gold\",\"groups\":[\"x\"]}",
        "{\"name\":\"c\",\"metadata\":{\"name\":\"c\"}}",
        "{\"name\":\"d\",\"plan\":\"gold\",\"of_a_newer_version\":[1,{}]}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++) {
        fixture_put(t->c, sets[i], i);
        char name[2] = { (char)('a' + i), '\0' };
        struct credentials_consumer consumer;
        assert_true(credentials_get_consumer(t->c, text_of(name), &consumer));
        struct text set = credentials_consumer_set(t->c, &consumer, &t->arena);
        struct resource *r = credentials_consumer_resource(t->c, text_of(name));
        assert_non_null(r);
        assert_true(text_equals(set, r->set));
        assert_true(text_equals(set, text_of(sets[i])));
        resource_unref(&r);
    }
    assert_null(credentials_consumer_resource(t->c, TEXT_OF("e")));
}

static void lists_are_in_order(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    char json[64];
    struct credentials_key record = { .id = 0 };
    struct credentials_consumer consumer = { .name = TEXT_EMPTY };
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t mixed = (i * 7919) % 3000;
        snprintf(json, sizeof(json), "{\"name\":\"c%04u\"}", (unsigned)mixed);
        fixture_put(t->c, json, 0);
        snprintf(json, sizeof(json), "c%04u", (unsigned)mixed);
        assert_int_equal(fixture_add(t->c, json, mixed + 1, key), CREDENTIALS_KEY_ADDED);
        assert_int_equal(fixture_add(t->c, "c0000", 100000 - i, key),
                         mixed == 0 || i > 0 ? CREDENTIALS_KEY_ADDED : 0);
    }
    size_t count = 0;
    for (; credentials_next_key(t->c, record.id, &record); count++) {
        if (count < 3000)
            assert_int_equal(record.id, count + 1);
    }
    assert_int_equal(count, 6000);
    for (count = 0; credentials_next_consumer(t->c, consumer.name, &consumer); count++) {
        snprintf(json, sizeof(json), "c%04u", (unsigned)count);
        assert_true(text_equals(consumer.name, text_of(json)));
    }
    assert_int_equal(count, 3000);
    uint64_t before = 0;
    record.id = 0;
    for (count = 0; credentials_next_key_of(t->c, TEXT_OF("c0000"), record.id, &record); count++) {
        assert_true(record.id > before);
        assert_text(record.consumer, "c0000");
        before = record.id;
    }
    assert_int_equal(count, 3001);
    assert_false(credentials_next_key_of(t->c, TEXT_OF("nobody"), 0, &record));
}

static void an_arena_without_room_is_said(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credential found;
    struct arena small;
    fixture_put(t->c, "{\"name\":\"acme\",\"groups\":[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]}", 1);
    fixture_add(t->c, "acme", 7, key);
    arena_init(&small, 32);
    assert_int_equal(credentials_find(t->c, t->turn, text_of(key), NOW, &small, &found),
                     CREDENTIALS_NO_ROOM);
    arena_reset(&small);
    turn_leave(t->turn);
}

/* What a reader has seen stays as it was until it ends its turn. */
static void memory_is_given_back_after_a_turn(void **state)
{
    struct table *t = *state;
    char key[KEY_LENGTH + 1];
    struct credential found;
    fixture_put(t->c, "{\"name\":\"acme\"}", 1);
    fixture_add(t->c, "acme", 7, key);
    while (credentials_tidy(t->c))
        ;
    assert_int_equal(credentials_find(t->c, t->turn, text_of(key), NOW, &t->arena, &found),
                     CREDENTIALS_ACTIVE);
    credentials_remove_key(t->c, 7);
    for (int i = 0; i < 3; i++)
        assert_true(credentials_tidy(t->c));
    turn_leave(t->turn);
    assert_false(credentials_tidy(t->c));

    /* The record's next key is not the old one, whoever still has its handle. */
    fixture_add(t->c, "acme", 8, key);
    struct key_handle before = found.handle;
    assert_int_equal(find(t, key, NOW, &found), CREDENTIALS_ACTIVE);
    assert_int_equal(found.handle.slot, before.slot);
    assert_false(credentials_is_live(t->c, before, NOW));
}

/* Adds and removes at random, compared with a plain list all the time. */
static void any_order_of_changes_keeps_the_table_right(void **state)
{
    enum { MOST = 3000 };
    struct table *t = *state;
    static char keys[MOST][KEY_LENGTH + 1];
    static bool is_there[MOST];
    struct credential found;
    uint32_t random = 12345;
    fixture_put(t->c, "{\"name\":\"acme\"}", 1);
    for (int round = 0; round < 40000; round++) {
        random = random * 1664525 + 1013904223;
        unsigned i = (random >> 8) % MOST;
        if (is_there[i]) {
            assert_true(credentials_remove_key(t->c, i + 1));
        } else {
            assert_int_equal(fixture_add(t->c, "acme", i + 1, keys[i]), CREDENTIALS_KEY_ADDED);
        }
        is_there[i] = !is_there[i];
        if (round % 64 == 0)
            credentials_tidy(t->c);
        unsigned j = (random >> 16) % MOST;
        if (keys[j][0] != '\0')
            assert_int_equal(find(t, keys[j], NOW, &found),
                             is_there[j] ? CREDENTIALS_ACTIVE : CREDENTIALS_UNKNOWN);
        arena_reset(&t->arena);
    }
    struct credentials_counts counts;
    credentials_count(t->c, &counts);
    assert_true(counts.bytes < 3000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_brings_its_consumer, make, unmake),
        cmocka_unit_test_setup_teardown(unknown_and_mistyped_keys_are_unknown, make, unmake),
        cmocka_unit_test_setup_teardown(a_revoked_key_is_refused_for_good, make, unmake),
        cmocka_unit_test_setup_teardown(a_key_expires_to_the_millisecond, make, unmake),
        cmocka_unit_test_setup_teardown(foreign_keys_are_found_by_either_digest, make, unmake),
        cmocka_unit_test_setup_teardown(a_foreign_key_that_was_revoked_under_one_digest_is_revoked,
                                        make, unmake),
        cmocka_unit_test_setup_teardown(keys_are_refused_for_a_reason, make, unmake),
        cmocka_unit_test_setup_teardown(a_changed_consumer_is_seen_with_the_next_request, make,
                                        unmake),
        cmocka_unit_test_setup_teardown(a_removed_consumer_leaves_its_tombstones, make, unmake),
        cmocka_unit_test_setup_teardown(a_revocation_of_an_unknown_key_is_kept, make, unmake),
        cmocka_unit_test_setup_teardown(what_was_set_comes_back_byte_by_byte, make, unmake),
        cmocka_unit_test_setup_teardown(lists_are_in_order, make, unmake),
        cmocka_unit_test_setup_teardown(an_arena_without_room_is_said, make, unmake),
        cmocka_unit_test_setup_teardown(memory_is_given_back_after_a_turn, make, unmake),
        cmocka_unit_test_setup_teardown(any_order_of_changes_keeps_the_table_right, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
