/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c - what contexts of both sides share: versions, ciphers, memory, certificates from files.
 */
#include "gatewayd/net/tls.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "gatewayd/net/tls_private.h"

const char *tls_library_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

/* Never asks a terminal: a key with a passphrase is an error. */
static int refuse_passphrase(char *into, int size, int is_new, void *arg)
{
    return 0;
}

SSL_CTX *tls_context_new(const SSL_METHOD *method)
{
    SSL_CTX *c = SSL_CTX_new(method);
    MUST(c != NULL);
    MUST(SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1);
    /* Of TLS 1.2 only what gives forward secrecy and authenticates what it encrypts. */
    MUST(SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* An idle connection gives its 34 KB of record buffers back; a record costs one read(2); what
     * was not written may be offered again from another place. */
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_default_passwd_cb(c, refuse_passphrase);
    return c;
}

size_t tls_print_alpn(const struct text *alpn, size_t count, unsigned char into[256])
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        MUST(alpn[i].length > 0 && alpn[i].length + 1 + length <= 256);
        into[length++] = (unsigned char)alpn[i].length;
        memcpy(into + length, alpn[i].at, alpn[i].length);
        length += alpn[i].length;
    }
    return length;
}

const char *tls_last_error(char *into, size_t size)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);
    if (ERR_SYSTEM_ERROR(error))
        reason = strerror_r(ERR_GET_REASON(error), into, size);
    ERR_clear_error();
    return reason == NULL ? "unknown error" : reason;
}

bool tls_copy_path(struct text path, char into[TLS_PATH_SIZE], struct place place,
                   struct problems *ps)
{
    if (path.length >= TLS_PATH_SIZE) {
        problems_add(ps, place, "the path of a file must be shorter than %d bytes", TLS_PATH_SIZE);
        return false;
    }
    memcpy(into, path.at == NULL ? "" : path.at, path.length);
    into[path.length] = '\0';
    return true;
}

bool tls_load_certificate(SSL_CTX *context, struct text cert, struct text key, struct place place,
                          struct problems *ps)
{
    char cert_path[TLS_PATH_SIZE];
    char key_path[TLS_PATH_SIZE];
    char why[256];
    if (!tls_copy_path(cert, cert_path, place, ps) || !tls_copy_path(key, key_path, place, ps))
        return false;
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, cert_path) != 1) {
        problems_add(ps, place, "the certificate %s cannot be used: %s", cert_path,
                     tls_last_error(why, sizeof(why)));
        return false;
    }
    /* A key of another type is accepted beside the certificate: only the check tells. */
    if (SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        problems_add(ps, place, "the key %s cannot be used with the certificate %s: %s", key_path,
                     cert_path, tls_last_error(why, sizeof(why)));
        return false;
    }
    return true;
}
