/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_stream.c - handshakes and records on one descriptor.
 */
#include "gatewayd/net/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "conf/base/address.h"
#include "conf/base/mem.h"
#include "gatewayd/net/tls_private.h"

#define RECORD_SIZE 16384
#define NAME_SIZE   256

/* Where small pieces meet before they become one record. */
static __thread char record[RECORD_SIZE];

/* ---- life ----------------------------------------------------------------------------------- */

static struct tls_stream *make_stream(SSL_CTX *context, int fd)
{
    ERR_clear_error();
    SSL *ssl = SSL_new(context);
    if (ssl == NULL)
        return NULL;
    if (SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    struct tls_stream *t = mem_new(sizeof(*t));
    t->ssl = ssl;
    t->is_drained = true;
    SSL_set_app_data(ssl, t);
    return t;
}

struct tls_stream *tls_stream_new_server(struct tls_server *s, int fd)
{
    struct tls_stream *t = make_stream(tls_server_context(s), fd);
    if (t == NULL)
        return NULL;
    t->server = tls_server_ref(s);
    SSL_set_accept_state(t->ssl);
    return t;
}

/* To be verified against the name, and told to the server unless it is an address. */
static bool set_server_name(SSL *ssl, struct text server_name, bool verifies)
{
    char name[NAME_SIZE];
    struct address ip;
    if (server_name.length >= sizeof(name))
        return false;
    memcpy(name, server_name.at == NULL ? "" : server_name.at, server_name.length);
    name[server_name.length] = '\0';
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (address_parse_ip(server_name, 0, &ip))
        return !verifies || X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    if (name[0] == '\0') /* nothing to compare with: nobody can be right */
        return !verifies || X509_VERIFY_PARAM_set1_host(param, "name.invalid", 0) == 1;
    if (verifies && X509_VERIFY_PARAM_set1_host(param, name, 0) != 1)
        return false;
    return SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct tls_stream *tls_stream_new_client(struct tls_client *c, int fd, struct text server_name,
                                         struct tls_session *session)
{
    struct tls_stream *t = make_stream(tls_client_context(c), fd);
    if (t == NULL)
        return NULL;
    if (text_is_empty(server_name))
        server_name = tls_client_server_name(c);
    SSL_set_connect_state(t->ssl);
    if (!set_server_name(t->ssl, server_name, tls_client_verifies(c))) {
        tls_stream_free(&t);
        return NULL;
    }
    t->session = session;
    if (session != NULL && session->session != NULL && SSL_SESSION_is_resumable(session->session))
        (void)SSL_set_session(t->ssl, session->session); /* without it: a whole handshake */
    return t;
}

void tls_stream_free(struct tls_stream **stream)
{
    struct tls_stream *t = *stream;
    if (t == NULL)
        return;
    t->session = NULL;
    /* A connection that just ends is no reason not to resume its session. */
    SSL_set_quiet_shutdown(t->ssl, 1);
    (void)SSL_shutdown(t->ssl);
    SSL_free(t->ssl);
    tls_server_unref(&t->server);
    MEM_FREE(stream);
}

/* The library gives us its reference (answer 1) or keeps it (0). */
int tls_stream_on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_stream *t = SSL_get_app_data(ssl);
    if (t->session == NULL)
        return 0;
    SSL_SESSION_free(t->session->session);
    t->session->session = session;
    return 1;
}

/* ---- failures ------------------------------------------------------------------------------- */

static bool is_cut_off(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_SSL &&
           ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static enum io break_off(struct tls_stream *t, int system_error)
{
    t->ended = IO_BROKEN;
    t->error = ERR_peek_error();
    t->system_error = t->error == 0 ? system_error : 0;
    t->is_cut = is_cut_off(t->error) || (t->error == 0 && system_error == 0);
    t->verify_error = SSL_get_verify_result(t->ssl);
    ERR_clear_error();
    return IO_BROKEN;
}

static enum io result_of(struct tls_stream *t, int result, int system_error)
{
    t->wants_write = false;
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        t->wants_write = true;
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        t->ended = IO_EOF;
        return IO_EOF;
    case SSL_ERROR_SYSCALL:
        return break_off(t, system_error);
    default:
        return break_off(t, 0);
    }
}

static struct text describe_verify_error(long error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return TEXT_OF("the certificate has expired");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return TEXT_OF("the certificate is not valid yet");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return TEXT_OF("the certificate is for another name");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return TEXT_OF("the certificate is self-signed and not trusted");
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return TEXT_OF("the certificate is not signed by a trusted authority");
    case X509_V_ERR_CERT_REVOKED:
        return TEXT_OF("the certificate was revoked");
    default:
        return text_of(X509_verify_cert_error_string(error));
    }
}

static struct text print_into(char *into, size_t size, const char *before, const char *reason)
{
    int length = snprintf(into, size, "%s%s", before, reason);
    MUST(length >= 0);
    return text_from(into, (size_t)length < size ? (size_t)length : size - 1);
}

static bool is_alert_of_peer(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET;
}

struct text tls_stream_print_error(const struct tls_stream *t, char *into, size_t size)
{
    if (t->verify_error != X509_V_OK)
        return describe_verify_error(t->verify_error);
    if (t->is_cut)
        return TEXT_OF("the peer ended the connection without saying goodbye");
    const char *reason = ERR_reason_error_string(t->error);
    if (reason == NULL)
        return TEXT_OF("TLS failed");
    return print_into(into, size,
                      is_alert_of_peer(t->error) ? "the peer refused: " : "TLS: ", reason);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* What others left in the thread's queue would be taken for a failure of ours. It is nearly always
 * empty, and looking costs a fifth of clearing. */
static inline void clear_errors(void)
{
    if (UNLIKELY(ERR_peek_error() != 0))
        ERR_clear_error();
}

enum io tls_stream_handshake(struct tls_stream *t)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(t->ssl);
    int system_error = errno;
    if (result != 1) {
        enum io io = result_of(t, result, system_error);
        return io == IO_EOF ? break_off(t, 0) : io;
    }
    t->wants_write = false;
    t->is_drained = !SSL_has_pending(t->ssl);
    tls_server_unref(&t->server);
    return IO_DONE;
}

bool tls_stream_has_pending(const struct tls_stream *t)
{
    return (t->ended != IO_DONE && !t->has_told_end) || !t->is_drained;
}

/* The end, or the error, after bytes that were still good is told by the next call. */
enum io tls_stream_read(struct tls_stream *t, void *into, size_t size, size_t *got_out)
{
    *got_out = 0;
    if (t->ended != IO_DONE) {
        t->has_told_end = true;
        return t->ended;
    }
    enum io io = IO_DONE;
    while (*got_out < size) {
        size_t n = 0;
        clear_errors();
        errno = 0;
        int result = SSL_read_ex(t->ssl, (char *)into + *got_out, size - *got_out, &n);
        int system_error = errno;
        if (result != 1) {
            io = result_of(t, result, system_error);
            t->is_drained = true;
            break;
        }
        *got_out += n;
        t->is_drained = !SSL_has_pending(t->ssl);
        if (t->is_drained)
            break;
    }
    if (*got_out > 0)
        return IO_DONE;
    t->has_told_end = t->ended != IO_DONE;
    return io;
}

/* What goes out as one record: the only piece, or the first ones joined. `skip` bytes of the first
 * are gone already. */
static struct text gather(const struct iovec *iov, unsigned count, size_t skip)
{
    struct text first = text_from((const char *)iov->iov_base + skip, iov->iov_len - skip);
    if (count == 1 || first.length >= RECORD_SIZE)
        return first;
    memcpy(record, first.at, first.length);
    size_t length = first.length;
    for (unsigned i = 1; i < count && length < RECORD_SIZE; i++) {
        size_t room = RECORD_SIZE - length;
        size_t piece = iov[i].iov_len < room ? iov[i].iov_len : room;
        memcpy(record + length, iov[i].iov_base, piece);
        length += piece;
    }
    return text_from(record, length);
}

static enum io write_some(struct tls_stream *t, struct text bytes, size_t *written_out)
{
    clear_errors();
    errno = 0;
    int result = SSL_write_ex(t->ssl, bytes.at, bytes.length, written_out);
    int system_error = errno;
    if (result == 1)
        return IO_DONE;
    *written_out = 0;
    enum io io = result_of(t, result, system_error);
    return io == IO_EOF ? break_off(t, EPIPE) : io;
}

enum io tls_stream_writev(struct tls_stream *t, const struct iovec *iov, unsigned count,
                          size_t *written_out)
{
    *written_out = 0;
    if (t->ended == IO_BROKEN)
        return IO_BROKEN;
    size_t skip = 0; /* of iov[0] */
    while (count > 0) {
        struct text bytes = gather(iov, count, skip);
        size_t written = 0;
        enum io io = bytes.length == 0 ? IO_DONE : write_some(t, bytes, &written);
        *written_out += written;
        skip += written;
        while (count > 0 && skip >= iov->iov_len) {
            skip -= iov->iov_len;
            iov++;
            count--;
        }
        if (io != IO_DONE)
            return io;
    }
    return IO_DONE;
}

void tls_stream_say_goodbye(struct tls_stream *t)
{
    if (t->has_goodbye || t->ended == IO_BROKEN)
        return;
    t->has_goodbye = true;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

/* ---- what it is ----------------------------------------------------------------------------- */

struct text tls_stream_alpn(const struct tls_stream *t)
{
    const unsigned char *name;
    unsigned length;
    SSL_get0_alpn_selected(t->ssl, &name, &length);
    return text_from((const char *)name, length);
}

struct text tls_stream_sni(const struct tls_stream *t)
{
    return text_of(SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name));
}

struct text tls_stream_version(const struct tls_stream *t)
{
    return text_of(SSL_get_version(t->ssl));
}

struct text tls_stream_cipher(const struct tls_stream *t)
{
    return text_of(SSL_get_cipher_name(t->ssl));
}

bool tls_stream_is_resumed(const struct tls_stream *t)
{
    return SSL_session_reused(t->ssl) == 1;
}

struct text tls_stream_peer_name(const struct tls_stream *t, char *into, size_t size)
{
    X509 *cert = SSL_get1_peer_certificate(t->ssl);
    if (cert == NULL)
        return TEXT_EMPTY;
    int length =
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, into, (int)size);
    X509_free(cert);
    return length > 0 ? text_from(into, (size_t)length) : TEXT_EMPTY;
}
