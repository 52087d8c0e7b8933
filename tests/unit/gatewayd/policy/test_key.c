/* SPDX-License-Identifier: Apache-2.0 */
/* test_key.c - what an API key looks like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/policy/key.h"

static void a_made_key_is_one_of_ours(void **state)
{
    char a[KEY_LENGTH + 1];
    char b[KEY_LENGTH + 1];
    struct text key = key_make(a);
    assert_int_equal(key.length, 44);
    assert_int_equal(strlen(a), 44);
    assert_memory_equal(a, "gwk_", 4);
    assert_int_equal(key_form(key), KEY_OURS);
    key_make(b);
    assert_string_not_equal(a, b);
}

/* The checksum by its description, bit by bit, so that two mistakes do not agree. */
static uint32_t crc32_slowly(const char *at, size_t length)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

static void the_last_six_are_the_checksum_of_the_first_34(void **state)
{
    const char *alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char key[KEY_LENGTH + 1];
    for (int round = 0; round < 100; round++) {
        key_make(key);
        uint64_t check = 0;
        for (int i = 38; i < 44; i++)
            check = check * 62 + (uint64_t)(strchr(alphabet, key[i]) - alphabet);
        assert_int_equal(check, crc32_slowly(key + 4, 34));
    }
}

static void every_typing_mistake_of_one_character_is_seen(void **state)
{
    char key[KEY_LENGTH + 1];
    key_make(key);
    for (int i = 4; i < KEY_LENGTH; i++) {
        char right = key[i];
        key[i] = right == 'a' ? 'b' : 'a';
        assert_int_equal(key_form(text_of(key)), KEY_MISTYPED);
        key[i] = '-';
        assert_int_equal(key_form(text_of(key)), KEY_MISTYPED);
        key[i] = right;
    }
    assert_int_equal(key_form(text_first(text_of(key), 43)), KEY_MISTYPED);
    assert_int_equal(key_form(text_of("gwk_")), KEY_MISTYPED);
}

static void foreign_keys_are_16_to_256_visible_characters(void **state)
{
    char key[258];
    memset(key, '~', sizeof(key));
    assert_int_equal(key_form(text_from(key, 15)), KEY_NONE);
    assert_int_equal(key_form(text_from(key, 16)), KEY_FOREIGN);
    assert_int_equal(key_form(text_from(key, 256)), KEY_FOREIGN);
    assert_int_equal(key_form(text_from(key, 257)), KEY_NONE);
    key[3] = ' ';
    assert_int_equal(key_form(text_from(key, 20)), KEY_NONE);
    key[3] = '\x80';
    assert_int_equal(key_form(text_from(key, 20)), KEY_NONE);
    assert_int_equal(key_form(TEXT_EMPTY), KEY_NONE);
    for (int byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < 21; at++) {
            memset(key, 'x', 21);
            key[at] = (char)byte;
            assert_int_equal(key_form(text_from(key, 21)),
                             byte > 0x20 && byte < 0x7f ? KEY_FOREIGN : KEY_NONE);
        }
    }
}

static void characters_are_spread_evenly(void **state)
{
    unsigned seen[256] = { 0 };
    char key[KEY_LENGTH + 1];
    for (int round = 0; round < 4000; round++) {
        key_make(key);
        for (int i = 4; i < 38; i++)
            seen[(unsigned char)key[i]]++;
    }
    /* 136000 characters, about 2194 of each of 62; six standard deviations are 278. */
    for (int c = 0; c < 256; c++) {
        if (seen[c] > 0)
            assert_in_range(seen[c], 1900, 2490);
    }
}

static void digests_of_foreign_keys_are_under_the_secret(void **state)
{
    char ours[KEY_LENGTH + 1];
    key_make(ours);
    struct text secret = TEXT_OF("a secret");
    struct text foreign = TEXT_OF("an-old-key-from-elsewhere");
    struct digest plain = digest_sha256(text_of(ours));
    struct digest got = key_digest(text_of(ours), secret);
    assert_true(digest_equals(&plain, &got));
    plain = digest_hmac(secret, foreign);
    got = key_digest(foreign, secret);
    assert_true(digest_equals(&plain, &got));
    plain = digest_sha256(foreign);
    got = key_digest(foreign, TEXT_EMPTY);
    assert_true(digest_equals(&plain, &got));
}

static void prefixes_show_four_characters(void **state)
{
    char into[KEY_PREFIX_SIZE];
    key_print_prefix(TEXT_OF("gwk_abcdefgh"), into);
    assert_string_equal(into, "gwk_abcd");
    key_print_prefix(TEXT_OF("sk-live-0123456789"), into);
    assert_string_equal(into, "sk-l");
}

static void ids_are_sixteen_digits_both_ways(void **state)
{
    char into[KEY_ID_SIZE];
    uint64_t id = key_id_make();
    uint64_t again = 0;
    assert_true(key_id_parse(key_id_print(id, into), &again));
    assert_true(id == again);
    key_id_print(0xab, into);
    assert_string_equal(into, "00000000000000ab");
    assert_false(key_id_parse(TEXT_OF("00000000000000AB"), &again));
    assert_false(key_id_parse(TEXT_OF("0000000000000000"), &again));
    assert_false(key_id_parse(TEXT_OF("ab"), &again));
    assert_true(id == again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_made_key_is_one_of_ours),
        cmocka_unit_test(the_last_six_are_the_checksum_of_the_first_34),
        cmocka_unit_test(every_typing_mistake_of_one_character_is_seen),
        cmocka_unit_test(foreign_keys_are_16_to_256_visible_characters),
        cmocka_unit_test(characters_are_spread_evenly),
        cmocka_unit_test(digests_of_foreign_keys_are_under_the_secret),
        cmocka_unit_test(prefixes_show_four_characters),
        cmocka_unit_test(ids_are_sixteen_digits_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
