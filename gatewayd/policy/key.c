/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/key.h"

#define MARK_LENGTH   4
#define RANDOM_LENGTH 34
#define CHECK_LENGTH  6

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* Random bytes at or above 248 = 4 * 62 are thrown away: the rest fall evenly on 62 digits. */
static void fill_random(char *into, size_t length)
{
    unsigned char random[64];
    size_t left = 0;
    for (size_t i = 0; i < length;) {
        if (left == 0) {
            digest_random(random, sizeof(random));
            left = sizeof(random);
        }
        unsigned char byte = random[--left];
        if (byte < 248)
            into[i++] = digits[byte % 62];
    }
    explicit_bzero(random, sizeof(random));
}

static void print_check(const char *body, char *into)
{
    uint32_t crc = digest_crc32(text_from(body, RANDOM_LENGTH));
    for (int i = CHECK_LENGTH - 1; i >= 0; i--) {
        into[i] = digits[crc % 62];
        crc /= 62;
    }
}

struct text key_make(char *into)
{
    memcpy(into, KEY_MARK, MARK_LENGTH);
    fill_random(into + MARK_LENGTH, RANDOM_LENGTH);
    print_check(into + MARK_LENGTH, into + MARK_LENGTH + RANDOM_LENGTH);
    into[KEY_LENGTH] = '\0';
    return text_from(into, KEY_LENGTH);
}

static bool is_base62(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z');
}

static bool is_ours(struct text key)
{
    if (key.length != KEY_LENGTH)
        return false;
    for (size_t i = MARK_LENGTH; i < KEY_LENGTH; i++) {
        if (!is_base62(key.at[i]))
            return false;
    }
    char check[CHECK_LENGTH];
    print_check(key.at + MARK_LENGTH, check);
    return memcmp(check, key.at + KEY_LENGTH - CHECK_LENGTH, CHECK_LENGTH) == 0;
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Only '!' to '~'. Eight at a time (a borrow or carry comes only out of a byte that is wrong
 * itself); the last eight overlap. */
static bool is_visible(struct text key)
{
    uint64_t wrong = 0;
    for (size_t i = 0; i < key.length; i += 8) {
        uint64_t word;
        memcpy(&word, key.at + (i + 8 <= key.length ? i : key.length - 8), sizeof(word));
        wrong |= (word - EACH_BYTE('!')) | (word + EACH_BYTE(0x7f - '~')) | word;
    }
    return (wrong & EACH_BYTE(0x80)) == 0;
}

enum key_form key_form(struct text key)
{
    if (text_starts_with(key, TEXT_OF(KEY_MARK)))
        return is_ours(key) ? KEY_OURS : KEY_MISTYPED;
    if (key.length < KEY_LENGTH_LEAST || key.length > KEY_LENGTH_MOST)
        return KEY_NONE;
    return is_visible(key) ? KEY_FOREIGN : KEY_NONE;
}

struct digest key_digest(struct text key, struct text secret)
{
    if (text_is_empty(secret) || text_starts_with(key, TEXT_OF(KEY_MARK)))
        return digest_sha256(key);
    return digest_hmac(secret, key);
}

struct text key_print_prefix(struct text key, char *into)
{
    size_t length = text_starts_with(key, TEXT_OF(KEY_MARK)) ? KEY_PREFIX_SIZE - 1 : 4;
    struct text prefix = text_first(key, length);
    memcpy(into, prefix.at, prefix.length);
    into[prefix.length] = '\0';
    return text_from(into, prefix.length);
}

uint64_t key_id_make(void)
{
    uint64_t id = 0;
    while (id == 0)
        digest_random(&id, sizeof(id));
    return id;
}

struct text key_id_print(uint64_t id, char *into)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(id >> (56 - 8 * i));
    return digest_print_hex(bytes, sizeof(bytes), into);
}

bool key_id_parse(struct text t, uint64_t *id_out)
{
    uint64_t id = 0;
    if (t.length != KEY_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < t.length; i++) {
        char byte = t.at[i];
        if (byte >= '0' && byte <= '9')
            id = id << 4 | (uint64_t)(byte - '0');
        else if (byte >= 'a' && byte <= 'f')
            id = id << 4 | (uint64_t)(byte - 'a' + 10);
        else
            return false;
    }
    if (id == 0)
        return false;
    *id_out = id;
    return true;
}
