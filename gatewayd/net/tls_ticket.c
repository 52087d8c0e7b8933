/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_ticket.c - keys of session tickets, derived anew for each eight hours from one secret.
 *
 * HKDF (RFC 5869) with SHA-256: the secret is the pseudorandom key, and each key is one block of
 * output, so expanding is a single HMAC. Whoever has the secret can resume sessions of any node
 * that has it; nothing else needs to be shared, stored or rotated.
 *
 * A ticket's key name is the number of its window and eight derived bytes, so that tickets of
 * another secret are recognised and simply not resumed.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "conf/base/digest.h"
#include "conf/base/mem.h"
#include "gatewayd/core/clock.h"
#include "gatewayd/net/tls_private.h"

#define WINDOW_MS INT64_C(28800000)
#define NAME_SIZE 16
#define TAG_SIZE  8

struct secret {
    struct secret *before; /* a stream may still read an old one: they are few, and kept */
    unsigned char bytes[TLS_TICKET_SECRET_SIZE];
};

static _Atomic(struct secret *) current;

static void put_secret(struct secret *s)
{
    s->before = atomic_load(&current);
    while (!atomic_compare_exchange_weak(&current, &s->before, s))
        continue;
}

static const struct secret *get_secret(void)
{
    struct secret *s = atomic_load_explicit(&current, memory_order_acquire);
    if (s != NULL)
        return s;
    s = mem_new(sizeof(*s));
    digest_random(s->bytes, sizeof(s->bytes));
    /* Of two threads that come first together one wins for both. */
    struct secret *none = NULL;
    if (atomic_compare_exchange_strong(&current, &none, s))
        return s;
    MEM_FREE(&s);
    return none;
}

void tls_ticket_set_secret(const unsigned char secret[TLS_TICKET_SECRET_SIZE])
{
    struct secret *s = mem_new(sizeof(*s));
    memcpy(s->bytes, secret, sizeof(s->bytes));
    put_secret(s);
}

void tls_ticket_get_secret(unsigned char secret_out[TLS_TICKET_SECRET_SIZE])
{
    memcpy(secret_out, get_secret()->bytes, TLS_TICKET_SECRET_SIZE);
}

static void print_window(uint64_t window, unsigned char into[8])
{
    for (int i = 7; i >= 0; i--) {
        into[i] = (unsigned char)window;
        window >>= 8;
    }
}

static uint64_t parse_window(const unsigned char from[8])
{
    uint64_t window = 0;
    for (int i = 0; i < 8; i++)
        window = window << 8 | from[i];
    return window;
}

/* HKDF-Expand with info = "gatewayd ticket " PURPOSE WINDOW and one block of output. */
static struct digest derive(char purpose, uint64_t window)
{
    char info[] = "gatewayd ticket ?01234567\x01";
    const size_t at = sizeof("gatewayd ticket ") - 1;
    info[at] = purpose;
    print_window(window, (unsigned char *)info + at + 1);
    const struct secret *s = get_secret();
    return digest_hmac(text_from((const char *)s->bytes, sizeof(s->bytes)),
                       text_from(info, sizeof(info) - 1));
}

static void print_name(uint64_t window, unsigned char name[NAME_SIZE])
{
    struct digest tag = derive('n', window);
    print_window(window, name);
    memcpy(name + 8, tag.bytes, TAG_SIZE);
}

static bool set_mac_key(EVP_MAC_CTX *mac, const struct digest *key)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->bytes, DIGEST_SIZE),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* The library's convention: -1 an error, 0 unknown key, 1 fine, 2 fine and worth a new ticket. */
int tls_ticket_on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int is_new)
{
    uint64_t now = (uint64_t)(clock_read_wall_ms() / WINDOW_MS);
    uint64_t window = is_new ? now : parse_window(name);
    unsigned char expected[NAME_SIZE];
    /* One window ahead: the other node's clock may be. */
    if (window + 1 < now || window > now + 1)
        return 0;
    print_name(window, expected);
    if (is_new) {
        memcpy(name, expected, NAME_SIZE);
        digest_random(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    } else if (memcmp(name, expected, NAME_SIZE) != 0) {
        return 0;
    }

    struct digest aes = derive('c', window);
    struct digest hmac = derive('m', window);
    if (!set_mac_key(mac, &hmac))
        return -1;
    int result = is_new ? EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, aes.bytes, iv)
                        : EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, aes.bytes, iv);
    if (result != 1)
        return -1;
    /* In TLS 1.3 a ticket is used once: the client needs the next one. */
    bool wants_renewal = window != now || SSL_version(ssl) >= TLS1_3_VERSION;
    return !is_new && wants_renewal ? 2 : 1;
}
