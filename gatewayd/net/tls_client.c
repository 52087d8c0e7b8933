/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_client.c - how we check upstreams, and the shared stores of certificate authorities.
 *
 * Loading the system's authorities takes 43 ms and 854 KB, so contexts with the same file share
 * one store. A file that changed on disk is another store: contexts made later see it.
 */
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <sys/stat.h>

#include "conf/base/list.h"
#include "conf/base/mem.h"
#include "gatewayd/net/tls_private.h"

struct authorities {
    struct list node;
    unsigned count; /* under the lock */
    char *path;     /* "": the system's */
    struct timespec changed;
    off_t size;
    X509_STORE *store;
};

/* A file as it was when it was read: whoever replaces or changes it changes one of these. */
struct file {
    char *path; /* NULL: none */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

enum { FILE_AUTHORITIES, FILE_CERTIFICATE, FILE_KEY, FILES };

struct tls_client {
    atomic_uint count;
    struct file files[FILES];
    SSL_CTX *context;
    struct authorities *authorities; /* NULL: nothing is verified */
    char *server_name;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list stores = { &stores, &stores };

/* ---- authorities ---------------------------------------------------------------------------- */

static struct authorities *find_loaded(const char *path, const struct stat *st)
{
    LIST_EACH (node, &stores) {
        struct authorities *a = LIST_ITEM(node, struct authorities, node);
        if (strcmp(a->path, path) == 0 && a->size == st->st_size &&
            a->changed.tv_sec == st->st_mtim.tv_sec && a->changed.tv_nsec == st->st_mtim.tv_nsec)
            return a;
    }
    return NULL;
}

static struct authorities *load(const char *path, const struct stat *st)
{
    X509_STORE *store = X509_STORE_new();
    MUST(store != NULL);
    int result =
        path[0] == '\0' ? X509_STORE_set_default_paths(store) : X509_STORE_load_file(store, path);
    if (result != 1) {
        X509_STORE_free(store);
        return NULL;
    }
    struct authorities *a = mem_new(sizeof(*a));
    a->path = mem_copy_text(path, strlen(path));
    a->changed = st->st_mtim;
    a->size = st->st_size;
    a->store = store;
    list_add_last(&stores, &a->node);
    return a;
}

static struct authorities *get_authorities(const char *path)
{
    struct stat st = { 0 };
    if (path[0] != '\0')
        (void)stat(path, &st); /* load() says what is wrong with it */
    pthread_mutex_lock(&lock);
    struct authorities *a = find_loaded(path, &st);
    if (a == NULL)
        a = load(path, &st);
    if (a != NULL)
        a->count++;
    pthread_mutex_unlock(&lock);
    return a;
}

static void drop_authorities(struct authorities *a)
{
    if (a == NULL)
        return;
    pthread_mutex_lock(&lock);
    if (--a->count == 0) {
        list_remove(&a->node);
        X509_STORE_free(a->store);
        MEM_FREE(&a->path);
        MEM_FREE(&a);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void note_file(struct file *f, struct text path)
{
    struct stat st = { 0 };
    if (text_is_empty(path))
        return;
    f->path = mem_copy_text(path.at, path.length);
    (void)stat(f->path, &st); /* whoever reads it says what is wrong with it */
    f->device = st.st_dev;
    f->inode = st.st_ino;
    f->size = st.st_size;
    f->changed = st.st_ctim;
}

static bool is_file_as_before(const struct file *f)
{
    struct stat st;
    if (f->path == NULL)
        return true;
    return stat(f->path, &st) == 0 && f->device == st.st_dev && f->inode == st.st_ino &&
           f->size == st.st_size && f->changed.tv_sec == st.st_ctim.tv_sec &&
           f->changed.tv_nsec == st.st_ctim.tv_nsec;
}

bool tls_client_is_current(const struct tls_client *c)
{
    for (size_t i = 0; i < FILES; i++) {
        if (!is_file_as_before(&c->files[i]))
            return false;
    }
    return true;
}

/* ---- contexts ------------------------------------------------------------------------------- */

static bool set_verification(struct tls_client *c, const struct tls_client_options *o,
                             struct place place, struct problems *ps)
{
    char path[TLS_PATH_SIZE];
    char why[256];
    if (!o->verify) {
        SSL_CTX_set_verify(c->context, SSL_VERIFY_NONE, NULL);
        return true;
    }
    if (!tls_copy_path(o->ca, path, place, ps))
        return false;
    ERR_clear_error();
    c->authorities = get_authorities(path);
    if (c->authorities == NULL) {
        problems_add(ps, place, "the certificate authorities %s cannot be used: %s",
                     path[0] == '\0' ? "of the system" : path, tls_last_error(why, sizeof(why)));
        return false;
    }
    SSL_CTX_set1_cert_store(c->context, c->authorities->store);
    SSL_CTX_set_verify(c->context, SSL_VERIFY_PEER, NULL);
    return true;
}

static void set_protocols(SSL_CTX *c, const struct tls_client_options *o)
{
    unsigned char alpn[256];
    size_t length = tls_print_alpn(o->alpn, o->alpn_count, alpn);
    if (length > 0)
        MUST(SSL_CTX_set_alpn_protos(c, alpn, (unsigned)length) == 0); /* 0 is success here */
}

static void free_client(struct tls_client *c)
{
    SSL_CTX_free(c->context);
    drop_authorities(c->authorities);
    for (size_t i = 0; i < FILES; i++)
        MEM_FREE(&c->files[i].path);
    MEM_FREE(&c->server_name);
    MEM_FREE(&c);
}

struct tls_client *tls_client_new(const struct tls_client_options *o, struct place place,
                                  struct problems *ps)
{
    struct tls_client *c = mem_new(sizeof(*c));
    atomic_init(&c->count, 1);
    c->context = tls_context_new(TLS_client_method());
    c->server_name = mem_copy_text(o->server_name.at, o->server_name.length);
    SSL_CTX_set_session_cache_mode(c->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->context, tls_stream_on_session);
    set_protocols(c->context, o);
    /* Before they are read: what changes meanwhile is read again. */
    note_file(&c->files[FILE_AUTHORITIES], o->verify ? o->ca : TEXT_EMPTY);
    note_file(&c->files[FILE_CERTIFICATE], o->cert);
    note_file(&c->files[FILE_KEY], o->key);

    bool is_fine = set_verification(c, o, place, ps);
    if (!text_is_empty(o->cert))
        is_fine &= tls_load_certificate(c->context, o->cert, o->key, place, ps);
    if (!is_fine) {
        free_client(c);
        return NULL;
    }
    return c;
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
    atomic_fetch_add_explicit(&c->count, 1, memory_order_relaxed);
    return c;
}

void tls_client_unref(struct tls_client **client)
{
    struct tls_client *c = *client;
    *client = NULL;
    if (c != NULL && atomic_fetch_sub_explicit(&c->count, 1, memory_order_acq_rel) == 1)
        free_client(c);
}

SSL_CTX *tls_client_context(struct tls_client *c)
{
    return c->context;
}

struct text tls_client_server_name(const struct tls_client *c)
{
    return text_of(c->server_name);
}

bool tls_client_verifies(const struct tls_client *c)
{
    return c->authorities != NULL;
}

void tls_session_init(struct tls_session *s)
{
    s->session = NULL;
}

void tls_session_fini(struct tls_session *s)
{
    SSL_SESSION_free(s->session);
    s->session = NULL;
}
