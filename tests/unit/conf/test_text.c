/* SPDX-License-Identifier: Apache-2.0 */
/* test_text.c - slices of bytes: comparing, searching, cutting, hashing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "conf/base/text.h"

#define assert_text(t, literal) assert_true(text_equals(t, TEXT_OF(literal)))

static void empty_texts_are_equal_whatever_their_address(void **state)
{
    assert_true(text_equals(TEXT_EMPTY, TEXT_OF("")));
    assert_true(text_equals_nocase(TEXT_EMPTY, TEXT_OF("")));
    assert_int_equal(text_compare(TEXT_EMPTY, TEXT_OF("")), 0);
    assert_true(text_is_empty(text_of(NULL)));
}

static void case_is_ignored_for_ascii_letters_only(void **state)
{
    assert_true(text_equals_nocase(TEXT_OF("Content-LENGTH"), TEXT_OF("content-length")));
    assert_true(text_equals_nocase(TEXT_OF("hOsT"), TEXT_OF("HoSt")));
    assert_false(text_equals_nocase(TEXT_OF("host"), TEXT_OF("hose")));
    assert_false(text_equals_nocase(TEXT_OF("host"), TEXT_OF("hosts")));
    assert_false(text_equals_nocase(TEXT_OF("abcdefg@"), TEXT_OF("abcdefg`")));
    assert_false(text_equals_nocase(TEXT_OF("abcdefg["), TEXT_OF("abcdefg{")));
    assert_false(text_equals_nocase(TEXT_OF("abcdefg\xc4"), TEXT_OF("abcdefg\xe4")));
}

/* Every pair of bytes, at every place of a word, against the plain definition. */
static void ignoring_case_agrees_with_the_definition(void **state)
{
    for (int x = 0; x < 256; x++) {
        for (int y = 0; y < 256; y++) {
            int lower_x = x >= 'A' && x <= 'Z' ? x + 32 : x;
            int lower_y = y >= 'A' && y <= 'Z' ? y + 32 : y;
            char one[9] = "aaaaaaaaa", other[9] = "aaaaaaaaa";
            size_t at = (size_t)(x + y) % 9;
            one[at] = (char)x;
            other[at] = (char)y;
            assert_int_equal(text_equals_nocase(text_from(one, 9), text_from(other, 9)),
                             lower_x == lower_y);
            assert_int_equal(text_hash_nocase(text_from(one, 9)) ==
                                 text_hash_nocase(text_from(other, 9)),
                             lower_x == lower_y);
        }
    }
}

static void a_prefix_is_smaller(void **state)
{
    assert_true(text_compare(TEXT_OF("ab"), TEXT_OF("abc")) < 0);
    assert_true(text_compare(TEXT_OF("b"), TEXT_OF("abc")) > 0);
    assert_true(text_compare(TEXT_OF("\xff"), TEXT_OF("a")) > 0);
    assert_int_equal(text_compare(TEXT_OF("abc"), TEXT_OF("abc")), 0);
}

static void starts_and_ends(void **state)
{
    assert_true(text_starts_with(TEXT_OF("unix:/x"), TEXT_OF("unix:")));
    assert_false(text_starts_with(TEXT_OF("uni"), TEXT_OF("unix:")));
    assert_true(text_starts_with(TEXT_EMPTY, TEXT_EMPTY));
    assert_true(text_starts_with_nocase(TEXT_OF("Bearer abc"), TEXT_OF("bearer ")));
    assert_false(text_starts_with_nocase(TEXT_OF("Bear"), TEXT_OF("bearer ")));
    assert_true(text_ends_with(TEXT_OF("a.example.com"), TEXT_OF(".example.com")));
    assert_false(text_ends_with(TEXT_OF("example.com"), TEXT_OF(".example.com")));
}

static void searching(void **state)
{
    assert_int_equal(text_find_byte(TEXT_OF("a:b:c"), ':'), 1);
    assert_int_equal(text_find_byte(TEXT_OF("abc"), ':'), 3);
    assert_int_equal(text_find_byte(TEXT_EMPTY, ':'), 0);
    assert_true(text_contains(TEXT_OF("keep-alive"), TEXT_OF("alive")));
    assert_true(text_contains(TEXT_EMPTY, TEXT_EMPTY));
    assert_false(text_contains(TEXT_OF("ab"), TEXT_OF("abc")));
}

static void skipping_past_the_end_gives_nothing(void **state)
{
    assert_text(text_skip(TEXT_OF("abc"), 1), "bc");
    assert_text(text_skip(TEXT_OF("abc"), 3), "");
    assert_text(text_skip(TEXT_OF("abc"), 4), "");
    assert_text(text_skip(TEXT_EMPTY, 0), "");
    assert_text(text_first(TEXT_OF("abc"), 2), "ab");
    assert_text(text_first(TEXT_OF("abc"), 9), "abc");
}

/* The pieces of `whole` joined by '|'. */
static struct text cut_all(const char *whole, char *into)
{
    struct text rest = text_of(whole), piece;
    char *at = into;
    while (text_cut(&rest, ',', &piece)) {
        memcpy(at, piece.at, piece.length);
        at += piece.length;
        *at++ = '|';
    }
    return text_from(into, (size_t)(at - into));
}

static void cutting_keeps_empty_pieces(void **state)
{
    char into[64];
    assert_text(cut_all("a,,b", into), "a||b|");
    assert_text(cut_all("", into), "|");
    assert_text(cut_all(",", into), "||");
    assert_text(cut_all("abc", into), "abc|");
}

static void trimming_takes_spaces_and_tabs_only(void **state)
{
    assert_text(text_trim(TEXT_OF(" \t a b \t")), "a b");
    assert_text(text_trim(TEXT_OF(" \t ")), "");
    assert_text(text_trim(TEXT_OF("\na\r")), "\na\r");
    assert_text(text_trim(TEXT_EMPTY), "");
}

static void distance_counts_typing_mistakes(void **state)
{
    assert_int_equal(text_distance(TEXT_OF("timeout"), TEXT_OF("timeout"), 3), 0);
    assert_int_equal(text_distance(TEXT_OF("tiemout"), TEXT_OF("timeout"), 3), 1);
    assert_int_equal(text_distance(TEXT_OF("upstraem"), TEXT_OF("upstream"), 3), 1);
    assert_int_equal(text_distance(TEXT_OF("target"), TEXT_OF("targets"), 3), 1);
    assert_int_equal(text_distance(TEXT_OF("kitten"), TEXT_OF("sitting"), 3), 3);
    assert_int_equal(text_distance(TEXT_OF("kitten"), TEXT_OF("sitting"), 2), 3);
    assert_int_equal(text_distance(TEXT_OF(""), TEXT_OF("ab"), 5), 2);
    assert_int_equal(text_distance(TEXT_OF("abc"), TEXT_OF("xyzuvw"), 2), 3);
    assert_int_equal(text_distance(TEXT_OF("abcdef"), TEXT_OF("uvwxyz"), 2), 3);
}

static void names_too_long_for_hints_are_far(void **state)
{
    char name[100];
    memset(name, 'a', sizeof(name));
    assert_int_equal(text_distance(text_from(name, 65), text_from(name, 65), 2), 3);
    assert_int_equal(text_distance(text_from(name, 64), text_from(name, 64), 2), 0);
}

/* libcrypto's SipHash with the same rounds. */
static uint64_t reference_hash(EVP_MAC *mac, const unsigned char key[16], struct text t)
{
    size_t size = 8;
    unsigned compression = 1, finish = 3;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
        OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &compression),
        OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &finish),
        OSSL_PARAM_construct_end(),
    };
    unsigned char out[8];
    size_t length = 0;
    EVP_MAC_CTX *work = EVP_MAC_CTX_new(mac);
    assert_int_equal(EVP_MAC_init(work, key, 16, params), 1);
    assert_int_equal(EVP_MAC_update(work, (const unsigned char *)t.at, t.length), 1);
    assert_int_equal(EVP_MAC_final(work, out, &length, sizeof(out)), 1);
    EVP_MAC_CTX_free(work);

    uint64_t hash = 0;
    for (int i = 7; i >= 0; i--)
        hash = hash << 8 | out[i];
    return hash;
}

static void a_copy_is_whole_and_no_longer(void **state)
{
    char from[80], to[82];
    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (char)(i + 1);
    for (size_t length = 0; length <= sizeof(from); length++) {
        memset(to, 0, sizeof(to));
        assert_ptr_equal(text_copy_to(to + 1, text_from(from, length)), to + 1 + length);
        assert_int_equal(to[0], 0);
        assert_memory_equal(to + 1, from, length);
        assert_int_equal(to[1 + length], 0);
    }
    assert_ptr_equal(text_copy_to(to, TEXT_EMPTY), to);
}

static void the_hash_is_siphash_1_3(void **state)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    if (mac == NULL)
        skip();
    const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
    unsigned char key_bytes[16];
    for (unsigned char i = 0; i < 16; i++)
        key_bytes[i] = i;
    char bytes[64];
    for (size_t length = 0; length < sizeof(bytes); length++) {
        bytes[length] = (char)(length * 37 + 200);
        struct text t = text_from(bytes, length);
        assert_true(text_hash_keyed(t, key) == reference_hash(mac, key_bytes, t));
    }
    EVP_MAC_free(mac);
}

static void hashes_tell_length_and_content_apart(void **state)
{
    assert_true(text_hash(TEXT_OF("a")) == text_hash(TEXT_OF("a")));
    assert_true(text_hash(TEXT_OF("a")) != text_hash(TEXT_OF("b")));
    assert_true(text_hash(TEXT_OF("")) != text_hash(text_from("\0", 1)));
    assert_true(text_hash(TEXT_EMPTY) == text_hash(TEXT_OF("")));
    assert_true(text_hash_nocase(TEXT_OF("Host")) == text_hash_nocase(TEXT_OF("hOST")));
}

/* Targets keep their requests across upgrades: these numbers may never change. */
static void the_stable_hash_stays(void **state)
{
    assert_true(text_hash_stable(TEXT_OF("")) == UINT64_C(0xefd01f60ba992926));
    assert_true(text_hash_stable(TEXT_OF("10.0.0.1:80")) ==
                text_hash_stable(TEXT_OF("10.0.0.1:80")));
    assert_true(text_hash_stable(TEXT_OF("10.0.0.1:80")) !=
                text_hash_stable(TEXT_OF("10.0.0.1:81")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_texts_are_equal_whatever_their_address),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(ignoring_case_agrees_with_the_definition),
        cmocka_unit_test(a_prefix_is_smaller),
        cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(searching),
        cmocka_unit_test(skipping_past_the_end_gives_nothing),
        cmocka_unit_test(cutting_keeps_empty_pieces),
        cmocka_unit_test(trimming_takes_spaces_and_tabs_only),
        cmocka_unit_test(distance_counts_typing_mistakes),
        cmocka_unit_test(names_too_long_for_hints_are_far),
        cmocka_unit_test(a_copy_is_whole_and_no_longer),
        cmocka_unit_test(the_hash_is_siphash_1_3),
        cmocka_unit_test(hashes_tell_length_and_content_apart),
        cmocka_unit_test(the_stable_hash_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
