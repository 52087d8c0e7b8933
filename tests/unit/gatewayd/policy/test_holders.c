/* SPDX-License-Identifier: Apache-2.0 */
/* test_holders.c - long-lived exchanges learn that their key was revoked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gatewayd/policy/holders.h"
#include "tests/unit/gatewayd/policy/credentials_fixture.h"

#define NOW 1700000000000

static unsigned ended;
static struct holders holders;

static void on_end(struct holder *holder)
{
    ended++;
}

struct pair_of_streams {
    struct holder first;
    struct holder second;
};
static struct pair_of_streams both;

static void on_end_remove_other(struct holder *holder)
{
    ended++;
    holders_remove(&holders, holder == &both.first ? &both.second : &both.first);
}

static struct key_handle handle_of(struct credentials *c, uint64_t id)
{
    struct credentials_key key;
    MUST(credentials_get_key(c, id, &key));
    return key.handle;
}

static void those_who_hold_the_key_are_told(void **state)
{
    struct turns *turns = turns_new(1);
    struct credentials *c = credentials_new(turns);
    char key[KEY_LENGTH + 1];
    struct holder streams[4];
    fixture_put(c, "{\"name\":\"acme\"}", 1);
    fixture_add(c, "acme", 1, key);
    fixture_add(c, "acme", 2, key);
    holders_init(&holders, c);
    ended = 0;
    for (int i = 0; i < 4; i++) {
        holder_init(&streams[i], on_end);
        assert_true(holders_add(&holders, &streams[i], handle_of(c, i % 2 == 0 ? 1 : 2), NOW));
    }
    holders_remove(&holders, &streams[2]);
    holders_remove(&holders, &streams[2]);
    assert_int_equal(holders.count, 3);

    struct key_handle handle;
    assert_true(credentials_revoke(c, 2, NOW, 1, &handle));
    assert_int_equal(holders_end(&holders, handle), 2);
    assert_int_equal(ended, 2);
    assert_int_equal(holders_end(&holders, handle), 0);
    assert_int_equal(holders.count, 1);

    /* Looked up before the revocation, begun after it: told at once. */
    assert_false(holders_add(&holders, &streams[1], handle, NOW));
    credentials_free(&c);
    turns_free(&turns);
}

static void telling_one_may_remove_another(void **state)
{
    struct turns *turns = turns_new(1);
    struct credentials *c = credentials_new(turns);
    char key[KEY_LENGTH + 1];
    fixture_put(c, "{\"name\":\"acme\"}", 1);
    fixture_add(c, "acme", 1, key);
    holders_init(&holders, c);
    ended = 0;
    holder_init(&both.first, on_end_remove_other);
    holder_init(&both.second, on_end_remove_other);
    assert_true(holders_add(&holders, &both.first, handle_of(c, 1), NOW));
    assert_true(holders_add(&holders, &both.second, handle_of(c, 1), NOW));
    struct key_handle handle;
    credentials_revoke(c, 1, NOW, 1, &handle);
    assert_int_equal(holders_end(&holders, handle), 1);
    assert_int_equal(ended, 1);
    assert_int_equal(holders.count, 0);
    credentials_free(&c);
    turns_free(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_hold_the_key_are_told),
        cmocka_unit_test(telling_one_may_remove_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
