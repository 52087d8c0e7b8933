/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_stream.h - TLS on one descriptor. Used by socket*.c alone; everybody else has a socket.
 *
 * Calls answer IO_AGAIN with .wants_write saying which event to wait for. Belongs to a worker.
 */
#ifndef GATEWAYD_NET_TLS_STREAM_H
#define GATEWAYD_NET_TLS_STREAM_H

#include <sys/uio.h>

#include "conf/base/text.h"
#include "gatewayd/core/loop.h"
#include "gatewayd/net/io.h"
#include "gatewayd/net/tls.h"

struct ssl_st;

struct tls_stream {
    struct ssl_st *ssl;
    struct loop_task again;      /* the socket's: bytes wait inside that no event will announce */
    struct tls_server *server;   /* counted until hands are shaken; client: NULL */
    struct tls_session *session; /* client: where new sessions go; NULL: nowhere */
    unsigned long error;         /* the library's, of what broke the stream */
    long verify_error;           /* X509_V_ERR_*, 0 */
    int system_error;            /* errno, 0 */
    bool is_server;
    bool is_cut;      /* the peer went away without saying goodbye */
    bool wants_write; /* after IO_AGAIN */
    bool has_goodbye; /* we sent close_notify */
    bool is_drained;  /* no bytes inside that can be read without another event */
    bool has_told_end;
    enum io ended; /* IO_EOF or IO_BROKEN once it is; else IO_DONE */
};

/* NULL: out of resources. */
MUST_USE struct tls_stream *tls_stream_new_server(struct tls_server *s, int fd);
MUST_USE struct tls_stream *tls_stream_new_client(struct tls_client *c, int fd,
                                                  struct text server_name,
                                                  struct tls_session *session);
void tls_stream_free(struct tls_stream **t);

MUST_USE enum io tls_stream_handshake(struct tls_stream *t);

/* Fills `into` as far as bytes are there without another wait. */
MUST_USE enum io tls_stream_read(struct tls_stream *t, void *into, size_t size, size_t *got_out);

/* Joins what fits into records of 16 KiB. After IO_AGAIN the same bytes must come first again. */
MUST_USE enum io tls_stream_writev(struct tls_stream *t, const struct iovec *iov, unsigned count,
                                   size_t *written_out);

/* Bytes are inside the library that no event will announce. */
bool tls_stream_has_pending(const struct tls_stream *t);

/* Sends close_notify if that takes no waiting. */
void tls_stream_say_goodbye(struct tls_stream *t);

/* A whole sentence's worth: "the certificate has expired". */
struct text tls_stream_print_error(const struct tls_stream *t, char *into, size_t size);

struct text tls_stream_alpn(const struct tls_stream *t);
struct text tls_stream_sni(const struct tls_stream *t);
struct text tls_stream_version(const struct tls_stream *t);
struct text tls_stream_cipher(const struct tls_stream *t);
bool tls_stream_is_resumed(const struct tls_stream *t);
struct text tls_stream_peer_name(const struct tls_stream *t, char *into, size_t size);

#endif
