/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_private.h - between the files that make TLS contexts and streams.
 */
#ifndef GATEWAYD_NET_TLS_PRIVATE_H
#define GATEWAYD_NET_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "gatewayd/net/tls_stream.h"

#define TLS_PATH_SIZE 4096

/* What both sides have in common. */
SSL_CTX *tls_context_new(const SSL_METHOD *method);

/* The protocols as on the wire: each with its length before it. Returns the bytes used. */
size_t tls_print_alpn(const struct text *alpn, size_t count, unsigned char into[256]);

/* The first error the library noted, which is the cause, as text; empties its queue. Borrowed from
 * `into`. */
const char *tls_last_error(char *into, size_t size);

/* A NUL-terminated copy of a path. False and a problem if it is too long. */
MUST_USE bool tls_copy_path(struct text path, char into[TLS_PATH_SIZE], struct place place,
                            struct problems *ps);

/* Loads certificate, chain and key, and checks that they belong together. */
MUST_USE bool tls_load_certificate(SSL_CTX *context, struct text cert, struct text key,
                                   struct place place, struct problems *ps);

/* The context that a new stream of this side uses. */
SSL_CTX *tls_server_context(struct tls_server *s);
SSL_CTX *tls_client_context(struct tls_client *c);
/* By default, for streams without a name of their own. */
struct text tls_client_server_name(const struct tls_client *c);
bool tls_client_verifies(const struct tls_client *c);

/* For SSL_CTX_set_tlsext_ticket_key_evp_cb. */
int tls_ticket_on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int is_new);

/* For SSL_CTX_sess_set_new_cb: keeps the session in the stream's slot. */
int tls_stream_on_session(SSL *ssl, SSL_SESSION *session);

#endif
