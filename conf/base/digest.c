/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest.c - SHA-256 and HMAC from libcrypto, hex, random bytes.
 *
 * Looking an algorithm up takes libcrypto longer than hashing a key, and a digest is computed for
 * every request with an API key: the algorithm is fetched once and each thread keeps one working
 * object, so that digest_sha256 does not search. libcrypto takes and gives back a small block of
 * its own for each digest, which the allocator keeps for the thread.
 */
#include "conf/base/digest.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t work_key;
static EVP_MD *sha256;

static void free_work(void *work)
{
    EVP_MD_CTX_free(work);
}

static void fetch_algorithm(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    MUST(sha256 != NULL);
    MUST(pthread_key_create(&work_key, free_work) == 0);
}

static EVP_MD_CTX *work_of_thread(void)
{
    MUST(pthread_once(&once, fetch_algorithm) == 0);
    EVP_MD_CTX *work = pthread_getspecific(work_key);
    if (work == NULL) {
        work = EVP_MD_CTX_new();
        MUST(work != NULL);
        MUST(pthread_setspecific(work_key, work) == 0);
    }
    return work;
}

struct digest digest_sha256(struct text t)
{
    struct digest digest;
    unsigned size = 0;
    EVP_MD_CTX *work = work_of_thread();
    MUST(EVP_DigestInit_ex(work, sha256, NULL) == 1);
    MUST(EVP_DigestUpdate(work, t.at, t.length) == 1);
    MUST(EVP_DigestFinal_ex(work, digest.bytes, &size) == 1 && size == DIGEST_SIZE);
    return digest;
}

struct digest digest_hmac(struct text secret, struct text t)
{
    struct digest digest;
    unsigned size = 0;
    /* A NULL key would mean "the one before". */
    const char *key = secret.at == NULL ? "" : secret.at;
    MUST(secret.length <= INT32_MAX);
    MUST(HMAC(EVP_sha256(), key, (int)secret.length, (const unsigned char *)t.at, t.length,
              digest.bytes, &size) != NULL);
    MUST(size == DIGEST_SIZE);
    return digest;
}

void digest_sha1(struct text t, unsigned char into[DIGEST_SHA1_SIZE])
{
    MUST(EVP_Digest(t.at, t.length, into, NULL, EVP_sha1(), NULL) == 1);
}

bool digest_equals(const struct digest *a, const struct digest *b)
{
    uint64_t left[DIGEST_SIZE / sizeof(uint64_t)], right[ARRAY_LENGTH(left)], different = 0;
    memcpy(left, a->bytes, sizeof(left));
    memcpy(right, b->bytes, sizeof(right));
    for (size_t i = 0; i < ARRAY_LENGTH(left); i++)
        different |= left[i] ^ right[i];
    return different == 0;
}

struct text digest_print_hex(const void *bytes, size_t size, char *into)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    for (size_t i = 0; i < size; i++) {
        into[2 * i] = digits[from[i] >> 4];
        into[2 * i + 1] = digits[from[i] & 15];
    }
    into[2 * size] = '\0';
    return text_from(into, 2 * size);
}

static bool are_hex(struct text t)
{
    for (size_t i = 0; i < t.length; i++) {
        uint64_t digit;
        if (!text_parse_hex_u64(text_from(t.at + i, 1), &digit))
            return false;
    }
    return true;
}

bool digest_parse_hex(struct text t, void *bytes_out, size_t size)
{
    if (t.length % 2 != 0 || t.length / 2 != size || !are_hex(t))
        return false;
    unsigned char *to = bytes_out;
    for (size_t i = 0; i < size; i++) {
        uint64_t byte = 0;
        MUST(text_parse_hex_u64(text_from(t.at + 2 * i, 2), &byte));
        to[i] = (unsigned char)byte;
    }
    return true;
}

void digest_random(void *bytes_out, size_t size)
{
    unsigned char *to = bytes_out;
    while (size > 0) {
        ssize_t n = getrandom(to, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        MUST(n > 0);
        to += n;
        size -= (size_t)n;
    }
}

void digest_random_many(void *bytes_out, size_t size)
{
    MUST(size <= INT_MAX);
    if (UNLIKELY(RAND_bytes(bytes_out, (int)size) != 1))
        digest_random(bytes_out, size);
}
