/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_server.c - how a listener presents itself: certificates by name, tickets, client CAs.
 *
 * One library context per set of names (certificates of different key types for the same names
 * share one); the name in the ClientHello switches between them.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "conf/base/digest.h"
#include "conf/base/map.h"
#include "conf/base/mem.h"
#include "gatewayd/net/tls_private.h"

#define NAME_SIZE 256

struct host {
    SSL_CTX *context;
    char **names; /* lower case; wildcards with their "*." */
    size_t name_count;
    int key_types[8]; /* EVP_PKEY base ids loaded */
    size_t key_type_count;
};

struct tls_server {
    atomic_uint count;
    struct host *hosts; /* the first is the default */
    size_t host_count;
    struct map exact;     /* name → SSL_CTX */
    struct map wildcards; /* what follows "*." → SSL_CTX */
    unsigned char alpn[256];
    size_t alpn_length;
    int64_t expires_at;
};

/* ---- by name -------------------------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static struct text normalise(struct text name, char into[NAME_SIZE])
{
    if (name.length > 0 && name.at[name.length - 1] == '.')
        name.length--;
    if (name.length >= NAME_SIZE)
        return TEXT_EMPTY;
    for (size_t i = 0; i < name.length; i++)
        into[i] = lower(name.at[i]);
    return text_from(into, name.length);
}

static SSL_CTX *find_context(const struct tls_server *s, struct text sni)
{
    char normal[NAME_SIZE];
    struct text name = normalise(sni, normal);
    SSL_CTX *found = map_find(&s->exact, name);
    if (found != NULL)
        return found;
    size_t dot = text_find_byte(name, '.');
    return dot == 0 ? NULL : map_find(&s->wildcards, text_skip(name, dot + 1));
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_server *s = arg;
    const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (sni == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_CTX *context = find_context(s, text_of(sni));
    if (context != NULL && context != SSL_get_SSL_CTX(ssl))
        SSL_set_SSL_CTX(ssl, context);
    return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_length,
                   const unsigned char *offered, unsigned offered_length, void *arg)
{
    const struct tls_server *s = arg;
    int result = SSL_select_next_proto((unsigned char **)chosen, chosen_length, s->alpn,
                                       (unsigned)s->alpn_length, offered, offered_length);
    /* RFC 7301 §3.2: no protocol in common ends the handshake. */
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- making hosts --------------------------------------------------------------------------- */

static void add_name(struct host *h, struct text name)
{
    char normal[NAME_SIZE];
    struct text lowered = normalise(name, normal);
    if (text_is_empty(lowered))
        return;
    h->names = mem_resize(h->names, (h->name_count + 1) * sizeof(*h->names));
    h->names[h->name_count++] = mem_copy_text(lowered.at, lowered.length);
}

static void add_alternative_names(struct host *h, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
        if (type == GEN_DNS)
            add_name(h, text_from((const char *)ASN1_STRING_get0_data(value),
                                  (size_t)ASN1_STRING_length(value)));
    }
    GENERAL_NAMES_free(names);
}

/* The common name counts only where there is no other (RFC 9525 does without it; old private
 * authorities do not). */
static void add_names(struct host *h, X509 *cert)
{
    add_alternative_names(h, cert);
    if (h->name_count > 0)
        return;
    char name[NAME_SIZE];
    int length =
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
    if (length > 0)
        add_name(h, text_from(name, (size_t)length));
}

static void drop_host(struct host *h)
{
    for (size_t i = 0; i < h->name_count; i++)
        MEM_FREE(&h->names[i]);
    MEM_FREE(&h->names);
    SSL_CTX_free(h->context);
}

static bool has_same_names(const struct host *a, const struct host *b)
{
    if (a->name_count != b->name_count)
        return false;
    for (size_t i = 0; i < a->name_count; i++)
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    return true;
}

static bool has_key_type(const struct host *h, int type)
{
    for (size_t i = 0; i < h->key_type_count; i++)
        if (h->key_types[i] == type)
            return true;
    return false;
}

static int64_t end_of(X509 *cert)
{
    struct tm t = { 0 };
    MUST(ASN1_TIME_to_tm(X509_get0_notAfter(cert), &t) == 1);
    return (int64_t)timegm(&t);
}

/* The host before it that this certificate belongs to as another type of key, or NULL. */
static struct host *find_sibling(struct tls_server *s, const struct host *new_one, int key_type)
{
    for (size_t i = 0; i < s->host_count; i++) {
        struct host *h = &s->hosts[i];
        if (has_same_names(h, new_one) && !has_key_type(h, key_type) &&
            h->key_type_count < ARRAY_LENGTH(h->key_types))
            return h;
    }
    return NULL;
}

static void add_host(struct tls_server *s, struct host *new_one)
{
    s->hosts = mem_resize(s->hosts, (s->host_count + 1) * sizeof(*s->hosts));
    s->hosts[s->host_count++] = *new_one;
}

static bool add_certificate(struct tls_server *s, const struct tls_certificate *c,
                            struct place place, struct problems *ps)
{
    struct host h = { .context = tls_context_new(TLS_server_method()) };
    if (!tls_load_certificate(h.context, c->cert, c->key, place, ps)) {
        drop_host(&h);
        return false;
    }
    X509 *cert = SSL_CTX_get0_certificate(h.context);
    int key_type = EVP_PKEY_get_base_id(X509_get0_pubkey(cert));
    int64_t end = end_of(cert);
    if (s->expires_at == 0 || end < s->expires_at)
        s->expires_at = end;
    add_names(&h, cert);

    struct host *sibling = find_sibling(s, &h, key_type);
    if (sibling != NULL) {
        bool loaded = tls_load_certificate(sibling->context, c->cert, c->key, place, ps);
        sibling->key_types[sibling->key_type_count++] = key_type;
        drop_host(&h);
        return loaded;
    }
    h.key_types[h.key_type_count++] = key_type;
    add_host(s, &h);
    return true;
}

/* ---- making servers ------------------------------------------------------------------------- */

static bool set_client_ca(SSL_CTX *c, const struct tls_server_options *o, struct place place,
                          struct problems *ps)
{
    char path[TLS_PATH_SIZE];
    char why[256];
    if (text_is_empty(o->client_ca))
        return true;
    if (!tls_copy_path(o->client_ca, path, place, ps))
        return false;
    ERR_clear_error();
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (names == NULL || SSL_CTX_load_verify_file(c, path) != 1) {
        problems_add(ps, place, "the certificate authorities %s cannot be used: %s", path,
                     tls_last_error(why, sizeof(why)));
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return false;
    }
    SSL_CTX_set_client_CA_list(c, names);
    int required = o->client_cert_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER | required, NULL);
    return true;
}

/* A session begun where no client certificate is asked for must not be resumed where one is. */
static void set_session_context(SSL_CTX *c, const struct tls_server_options *o)
{
    struct digest d =
        digest_hmac(o->client_cert_required ? TEXT_OF("required") : TEXT_OF("asked"), o->client_ca);
    MUST(SSL_CTX_set_session_id_context(c, d.bytes, sizeof(d.bytes)) == 1);
}

static bool set_up_context(struct tls_server *s, SSL_CTX *c, const struct tls_server_options *o,
                           struct place place, struct problems *ps)
{
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(c, tls_ticket_on_key);
    SSL_CTX_set_num_tickets(c, 1);
    SSL_CTX_set_timeout(c, 8 * 3600);
    set_session_context(c, o);
    SSL_CTX_set_tlsext_servername_callback(c, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(c, s);
    if (s->alpn_length > 0)
        SSL_CTX_set_alpn_select_cb(c, on_alpn, s);
    return set_client_ca(c, o, place, ps);
}

static void publish_names(struct tls_server *s, const struct host *h)
{
    for (size_t i = 0; i < h->name_count; i++) {
        struct text name = text_of(h->names[i]);
        bool is_wildcard = text_starts_with(name, TEXT_OF("*."));
        struct map *m = is_wildcard ? &s->wildcards : &s->exact;
        struct text key = is_wildcard ? text_skip(name, 2) : name;
        if (map_find(m, key) == NULL) /* of two for one name the first counts */
            map_set(m, key, h->context);
    }
}

static void free_server(struct tls_server *s)
{
    map_fini(&s->exact);
    map_fini(&s->wildcards);
    for (size_t i = 0; i < s->host_count; i++)
        drop_host(&s->hosts[i]);
    MEM_FREE(&s->hosts);
    MEM_FREE(&s);
}

struct tls_server *tls_server_new(const struct tls_server_options *o, struct place place,
                                  struct problems *ps)
{
    MUST(o->certificate_count > 0);
    struct tls_server *s = mem_new(sizeof(*s));
    atomic_init(&s->count, 1);
    map_init(&s->exact);
    map_init(&s->wildcards);
    s->alpn_length = tls_print_alpn(o->alpn, o->alpn_count, s->alpn);

    bool is_fine = true;
    for (size_t i = 0; i < o->certificate_count; i++)
        is_fine &= add_certificate(s, &o->certificates[i], place, ps);
    for (size_t i = 0; is_fine && i < s->host_count; i++) {
        is_fine = set_up_context(s, s->hosts[i].context, o, place, ps);
        publish_names(s, &s->hosts[i]);
    }
    if (!is_fine) {
        free_server(s);
        return NULL;
    }
    return s;
}

struct tls_server *tls_server_ref(struct tls_server *s)
{
    atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
    return s;
}

void tls_server_unref(struct tls_server **server)
{
    struct tls_server *s = *server;
    *server = NULL;
    if (s != NULL && atomic_fetch_sub_explicit(&s->count, 1, memory_order_acq_rel) == 1)
        free_server(s);
}

int64_t tls_server_expires_at(const struct tls_server *s)
{
    return s->expires_at;
}

SSL_CTX *tls_server_context(struct tls_server *s)
{
    return s->hosts[0].context;
}
