/* SPDX-License-Identifier: Apache-2.0 */
/* test_item.c - items read back as they were printed, and nothing else reads as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cluster/item.h"

static struct builder printed;
static struct arena arena;

static int set_up(void **state)
{
    builder_init(&printed, SIZE_MAX);
    arena_init(&arena, SIZE_MAX);
    return 0;
}

static int tear_down(void **state)
{
    builder_fini(&printed);
    arena_reset(&arena);
    return 0;
}

static struct item again(const struct item *item)
{
    struct item read;
    bool is_bad;
    item_print(item, &printed);
    struct text bytes = builder_text(&printed);
    assert_true(item_next(&bytes, &arena, &read, &is_bad));
    assert_int_equal(bytes.length, 0);
    assert_int_equal(read.kind, item->kind);
    assert_false(item_next(&bytes, &arena, &(struct item){ 0 }, &is_bad));
    assert_false(is_bad);
    return read;
}

static void resources_come_back(void **state)
{
    struct item item = { .kind = ITEM_RESOURCE,
                         .resource = { .kind = RESOURCE_PLAN,
                                       .name = TEXT("gold"),
                                       .has_after = true,
                                       .after = TEXT("{\"name\":\"gold\"}"),
                                       .revision = 7,
                                       .tag = 9 } };
    struct item read = again(&item);
    assert_int_equal(read.resource.kind, RESOURCE_PLAN);
    assert_false(read.resource.has_before);
    assert_true(read.resource.has_after);
    assert_true(text_equals(read.resource.after, item.resource.after));
    assert_true(text_equals(read.resource.name, item.resource.name));
    assert_int_equal(read.resource.revision, 7);
    assert_int_equal(read.resource.tag, 9);
}

static void keys_come_back(void **state)
{
    struct text scopes[] = { TEXT("read"), TEXT("write") };
    struct item item = { .kind = ITEM_KEY,
                         .key = { .change = ITEM_KEY_REVOKE,
                                  .key = { .id = 5,
                                           .consumer = TEXT("carol"),
                                           .prefix = TEXT("gwk_abcd"),
                                           .scopes = { scopes, 2 },
                                           .created_at = 1000,
                                           .expires_at = 2000,
                                           .revoked_at = 3000,
                                           .state = KEY_REVOKED,
                                           .stamp = 4 } } };
    item.key.key.digest.bytes[31] = 0xab;
    struct item read = again(&item);
    assert_int_equal(read.key.change, ITEM_KEY_REVOKE);
    assert_true(digest_equals(&read.key.key.digest, &item.key.key.digest));
    assert_true(text_equals(read.key.key.consumer, TEXT_OF("carol")));
    assert_int_equal(read.key.key.scopes.count, 2);
    assert_true(text_equals(read.key.key.scopes.items[1], TEXT_OF("write")));
    assert_int_equal(read.key.key.expires_at, 2000);
    assert_int_equal(read.key.key.revoked_at, 3000);
    assert_int_equal(read.key.key.state, KEY_REVOKED);
}

static void small_items_come_back(void **state)
{
    struct item confirm = { .kind = ITEM_CONFIRM, .confirm_until = 77 };
    assert_int_equal(again(&confirm).confirm_until, 77);
    builder_clear(&printed);
    struct item origin = { .kind = ITEM_ORIGIN, .origin = { 3, true } };
    assert_true(again(&origin).origin.is_undo);
    builder_clear(&printed);
    struct item confirmed = { .kind = ITEM_CONFIRMED, .confirmed = { 3, true, false, 5 } };
    assert_int_equal(again(&confirmed).confirmed.until, 5);
    builder_clear(&printed);
    struct item config = { .kind = ITEM_CONFIG, .config_tag = 8 };
    assert_int_equal(again(&config).config_tag, 8);
}

static void half_an_item_is_none(void **state)
{
    struct item item = { .kind = ITEM_KEY, .key = { .key = { .id = 5, .consumer = TEXT("c") } } };
    item_print(&item, &printed);
    struct text whole = builder_text(&printed);
    for (size_t length = 1; length < whole.length; length++) {
        struct text bytes = text_first(whole, length);
        struct item read;
        bool is_bad;
        assert_false(item_next(&bytes, &arena, &read, &is_bad));
        assert_true(is_bad);
    }
}

/* A newer version's: kinds, changes of keys, and more behind what is known. */
static void what_is_newer_is_passed_over(void **state)
{
    struct text bytes = TEXT_OF("\x63\3\0\0\0abc\3\x9\0\0\0\1\2\3\4\5\6\7\x8+");
    struct item read;
    bool is_bad;
    assert_true(item_next(&bytes, &arena, &read, &is_bad));
    assert_int_equal(read.kind, ITEM_UNKNOWN);
    assert_true(read.is_newer);
    assert_true(item_next(&bytes, &arena, &read, &is_bad));
    assert_int_equal(read.kind, ITEM_CONFIRM);
    assert_int_equal(read.confirm_until, 0x0807060504030201);
    assert_true(read.is_newer);
    assert_false(item_next(&bytes, &arena, &read, &is_bad));
    assert_false(is_bad);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(resources_come_back),          TEST(keys_come_back),
        TEST(small_items_come_back),        TEST(half_an_item_is_none),
        TEST(what_is_newer_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
