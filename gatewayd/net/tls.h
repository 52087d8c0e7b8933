/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.h - TLS contexts: how we present ourselves to clients, and how we check upstreams.
 *
 * Contexts are immutable and counted (atomic); making and the last unref belong to control, because
 * freeing takes time. Connections keep OpenSSL's own counts: a context may go while connections
 * made with it live on. TLS 1.2 and 1.3 only, no renegotiation, no compression, no early data.
 * A new set of certificates is a new tls_server that takes the old one's place. Any thread may
 * start streams.
 */
#ifndef GATEWAYD_NET_TLS_H
#define GATEWAYD_NET_TLS_H

#include "conf/base/problem.h"
#include "conf/base/text.h"

struct tls_server;
struct tls_client;

/* ---- towards clients ------------------------------------------------------------------------ */

struct tls_certificate {
    struct text cert; /* file: PEM, leaf first, then the chain */
    struct text key;  /* file: PEM */
};

struct tls_server_options {
    const struct tls_certificate *certificates; /* at least one; the first is for unknown names */
    size_t certificate_count;
    const struct text *alpn; /* by preference: "h2", "http/1.1"; none: no ALPN */
    size_t alpn_count;
    struct text client_ca;     /* file: who may sign client certificates; empty: none asked for */
    bool client_cert_required; /* with client_ca */
};

/* Reads the files. NULL and a problem for each thing wrong (unreadable, key does not match …).
 * Names of certificates are taken from their subjectAltName; exact names come before wildcards;
 * several certificates for one name (RSA and ECDSA) are all offered. */
MUST_USE struct tls_server *tls_server_new(const struct tls_server_options *options,
                                           struct place place, struct problems *ps);
struct tls_server *tls_server_ref(struct tls_server *s);
void tls_server_unref(struct tls_server **s);

/* When the first of its certificates ends, in seconds since the epoch. */
int64_t tls_server_expires_at(const struct tls_server *s);

/* ---- towards upstreams ---------------------------------------------------------------------- */

struct tls_client_options {
    struct text server_name; /* verified and sent as SNI unless a stream says otherwise */
    struct text ca;          /* file; empty: the system's */
    struct text cert;        /* file, with .key: our own certificate; empty: none */
    struct text key;
    const struct text *alpn;
    size_t alpn_count;
    bool verify; /* chain and name */
};

/* As tls_server_new. Contexts with the same CAs share one store of them. */
MUST_USE struct tls_client *tls_client_new(const struct tls_client_options *options,
                                           struct place place, struct problems *ps);
/* Are the files that it was made of (authorities, certificate, key) still those? Looks at the disk.
 */
bool tls_client_is_current(const struct tls_client *c);
struct tls_client *tls_client_ref(struct tls_client *c);
void tls_client_unref(struct tls_client **c);

/* The last session with one target, on one worker: saves most of the next handshake. */
struct tls_session {
    void *session;
};
void tls_session_init(struct tls_session *s);
void tls_session_fini(struct tls_session *s);

/* ---- session tickets ------------------------------------------------------------------------ */

/* Ticket keys are derived (HKDF) from one secret for each window of eight hours; tickets of the
 * window before are still taken. Every context of the process uses them, so they outlive reloads.
 * Without tls_ticket_set_secret it is random. Control only. */
#define TLS_TICKET_SECRET_SIZE 32
void tls_ticket_set_secret(const unsigned char secret[TLS_TICKET_SECRET_SIZE]);
void tls_ticket_get_secret(unsigned char secret_out[TLS_TICKET_SECRET_SIZE]);

/* The versions this process runs on: "OpenSSL 3.0.22 …". Static. */
const char *tls_library_version(void);

#endif
