/* SPDX-License-Identifier: Apache-2.0 */
/* test_digest.c - against published test vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "conf/base/digest.h"

static void assert_hex(struct digest d, const char *expected)
{
    char hex[2 * DIGEST_SIZE + 1];
    digest_print_hex(d.bytes, DIGEST_SIZE, hex);
    assert_string_equal(hex, expected);
}

/* FIPS 180-4 examples. */
static void sha256_vectors(void **state)
{
    assert_hex(digest_sha256(TEXT_EMPTY),
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hex(digest_sha256(TEXT_OF("abc")),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hex(digest_sha256(TEXT_OF("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231, cases 1, 2 and 6. */
static void hmac_vectors(void **state)
{
    char key[131];
    memset(key, 0x0b, 20);
    assert_hex(digest_hmac(text_from(key, 20), TEXT_OF("Hi There")),
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hex(digest_hmac(TEXT_OF("Jefe"), TEXT_OF("what do ya want for nothing?")),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    assert_hex(digest_hmac(text_from(key, sizeof(key)),
                           TEXT_OF("Test Using Larger Than Block-Size Key - Hash Key First")),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_hex(digest_hmac(TEXT_EMPTY, TEXT_EMPTY),
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void digests_compare(void **state)
{
    struct digest a = digest_sha256(TEXT_OF("a")), b = digest_sha256(TEXT_OF("a"));
    assert_true(digest_equals(&a, &b));
    b.bytes[31] ^= 1;
    assert_false(digest_equals(&a, &b));
}

/* The check values of the CRC catalogue. */
static void crc_vectors(void **state)
{
    assert_int_equal(digest_crc32(TEXT_OF("123456789")), 0xcbf43926);
    assert_int_equal(digest_crc32c(0, TEXT_OF("123456789")), 0xe3069283);
    assert_int_equal(digest_crc32(TEXT_EMPTY), 0);
    assert_int_equal(digest_crc32c(0, TEXT_EMPTY), 0);
}

/* RFC 3720, B.4. */
static void crc32c_of_32_bytes(void **state)
{
    char bytes[32] = { 0 };
    assert_int_equal(digest_crc32c(0, text_from(bytes, 32)), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(digest_crc32c(0, text_from(bytes, 32)), 0x62a8ab43);
}

static void both_ways_to_compute_crc32c_agree_in_pieces_too(void **state)
{
    char bytes[300];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i * 7 + i / 13);
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        struct text t = text_from(bytes, length);
        uint32_t whole = digest_crc32c(0, t);
        assert_int_equal(digest_crc32c_portable(0, t), whole);
        uint32_t front = digest_crc32c(0, text_first(t, length / 3));
        assert_int_equal(digest_crc32c(front, text_skip(t, length / 3)), whole);
    }
}

static void hex_reads_back(void **state)
{
    unsigned char bytes[3] = { 1, 2, 3 };
    assert_true(digest_parse_hex(TEXT_OF("00fFa9"), bytes, 3));
    assert_memory_equal(bytes, "\x00\xff\xa9", 3);
    assert_false(digest_parse_hex(TEXT_OF("010g03"), bytes, 3));
    assert_false(digest_parse_hex(TEXT_OF("0102"), bytes, 3));
    assert_false(digest_parse_hex(TEXT_OF("01020"), bytes, 2));
    assert_false(digest_parse_hex(TEXT_OF("01020304"), bytes, 3));
    assert_memory_equal(bytes, "\x00\xff\xa9", 3);
    assert_true(digest_parse_hex(TEXT_EMPTY, bytes, 0));
}

static void random_bytes_differ(void **state)
{
    unsigned char a[32] = { 0 }, b[32] = { 0 };
    digest_random(a, sizeof(a));
    digest_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    digest_random(NULL, 0);
    digest_random_many(a, sizeof(a));
    digest_random_many(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(hmac_vectors),
        cmocka_unit_test(digests_compare),
        cmocka_unit_test(crc_vectors),
        cmocka_unit_test(crc32c_of_32_bytes),
        cmocka_unit_test(both_ways_to_compute_crc32c_agree_in_pieces_too),
        cmocka_unit_test(hex_reads_back),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
