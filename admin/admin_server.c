/* SPDX-License-Identifier: Apache-2.0 */
/* admin_server.c - see admin_server.h. */
#include "admin/admin_server.h"

#include "admin/call.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"
#include "gatewayd/http/h1_down.h"
#include "gatewayd/net/listen.h"
#include "gatewayd/net/tls.h"

#define HEADER_BYTES    32768
#define HEADER_COUNT    100
#define HEADER_MS       10000
#define BODY_MS         30000
#define IDLE_MS         120000
#define BUFFERS_IDLE    32
#define CONNECTIONS_MAX 512

#define INCARNATION_SIZE 8

struct admin_server {
    struct control *control;
    struct loop *loop;
    struct buffer_pool buffers;
    struct h1_server http;
    struct listen_table listeners;
    struct listen_entry *listener;
    struct listen_acceptor acceptor;
    struct listen_budget budget;
    struct tokens tokens;
    struct tls_server *tls;
    char incarnation[2 * INCARNATION_SIZE + 1];
    struct list disposals;
    size_t call_count;
    bool is_closed; /* goes with the last call */
};

/* ---- the codec's user --------------------------------------------------------------------- */

static struct admin_server *server_of(struct down *down)
{
    return h1_down_server(down)->user_data;
}

static void on_begin(struct down *down)
{
    (void)call_new(server_of(down), down);
}

static void on_request(struct down *down)
{
    call_on_request(down->owner);
}

static void on_bad_request(struct down *down, unsigned status, const char *sentence)
{
    call_on_bad_request(down->owner, status, sentence);
}

static void on_body(struct down *down)
{
    call_on_body(down->owner);
}

static void on_writable(struct down *down)
{
    call_on_writable(down->owner);
}

static void on_gone(struct down *down)
{
    call_on_gone(down->owner);
}

static void on_abandoned(struct down *down)
{
    call_on_abandoned(down->owner);
}

static const struct down_user user = {
    .on_begin = on_begin,
    .on_request = on_request,
    .on_bad_request = on_bad_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_gone = on_gone,
    .on_abandoned = on_abandoned,
};

/* ---- connections -------------------------------------------------------------------------- */

static void on_accept(void *arg, int fd, const struct address *peer)
{
    struct admin_server *s = arg;
    struct down_peer facts = { .peer = *peer, .is_tls = s->tls != NULL };

    /* Who says nothing keeps nobody out: revoking a key is to be possible whoever connects. */
    if (listen_budget_used(&s->budget) >= CONNECTIONS_MAX) {
        h1_server_make_room(&s->http);
    }
    h1_down_start(&s->http, fd, &facts, s->tls);
}

static void on_closed(struct h1_server *http, const struct down_peer *peer)
{
    struct admin_server *s = http->user_data;

    listen_budget_give(&s->budget);
}

/* ---- files -------------------------------------------------------------------------------- */

static struct place place_of(const char *path)
{
    return (struct place){ .pointer = "", .path = path };
}

/* *tls_out is NULL without admin.tls. */
static bool open_tls(const struct node_admin *admin, struct problems *ps,
                     struct tls_server **tls_out)
{
    static const struct text alpn[] = { TEXT("http/1.1") };

    *tls_out = NULL;
    if (admin->tls == NULL) {
        return true;
    }
    struct tls_certificate certificate = { admin->tls->cert, admin->tls->key };
    struct tls_server_options options = {
        .certificates = &certificate,
        .certificate_count = 1,
        .alpn = alpn,
        .alpn_count = ARRAY_LENGTH(alpn),
        .client_ca = admin->tls->client_ca,
        .client_cert_required = admin->tls->client_ca.length > 0,
    };
    *tls_out = tls_server_new(&options, place_of("admin.tls"), ps);
    return *tls_out != NULL;
}

/* Without a tokens file nobody has a token. */
static bool read_tokens(const struct node_admin *admin, struct problems *ps,
                        struct tokens *tokens_out)
{
    if (text_is_empty(admin->tokens)) {
        return tokens_parse(TEXT_EMPTY, "", ps, tokens_out);
    }
    char *file = mem_copy_text(admin->tokens.at, admin->tokens.length);
    bool is_read = tokens_read(file, ps, tokens_out);
    MEM_FREE(&file);
    return is_read;
}

bool admin_server_check(const struct node_config *node, struct problems *ps)
{
    struct tokens tokens;
    struct tls_server *tls = NULL;
    bool has_tokens = read_tokens(&node->admin, ps, &tokens);
    bool has_tls = open_tls(&node->admin, ps, &tls);

    if (has_tokens) {
        tokens_fini(&tokens);
    }
    if (tls != NULL) {
        tls_server_unref(&tls);
    }
    return has_tokens && has_tls;
}

/* ---- life --------------------------------------------------------------------------------- */

/* Something that is being freed bit by bit. */
struct disposal {
    struct list node;
    struct loop_slice slice;
    loop_slice_fn *step;
    void *arg;
};

static bool dispose_some(void *arg)
{
    struct disposal *d = arg;

    if (d->step(d->arg)) {
        return true;
    }
    loop_slice_stop(&d->slice);
    list_remove(&d->node);
    MEM_FREE(&d);
    return false;
}

static void dispose_all(struct admin_server *s)
{
    LIST_EACH_SAFE (node, next, &s->disposals) {
        struct disposal *d = LIST_ITEM(node, struct disposal, node);
        while (dispose_some(d)) {
        }
    }
}

void admin_server_dispose(struct admin_server *s, loop_slice_fn *step, void *arg)
{
    struct disposal *d = mem_new(sizeof(*d));

    d->step = step;
    d->arg = arg;
    loop_slice_init(&d->slice, s->loop, dispose_some, d);
    list_add_last(&s->disposals, &d->node);
    if (s->is_closed) {
        dispose_all(s);
    } else {
        loop_slice_start(&d->slice);
    }
}

static void init_http(struct admin_server *s)
{
    s->http = (struct h1_server){
        .loop = s->loop,
        .buffers = &s->buffers,
        .user = &user,
        .user_data = s,
        .header_bytes = HEADER_BYTES,
        .headers = HEADER_COUNT,
        .header_timeout_ms = HEADER_MS,
        .body_timeout_ms = BODY_MS,
        .idle_timeout_ms = IDLE_MS,
        .on_closed = on_closed,
    };
    h1_server_init(&s->http);
}

struct admin_server *admin_server_new(struct control *control, struct problems *ps)
{
    const struct node_admin *admin = &control_node(control)->admin;
    struct admin_server *s = mem_new(sizeof(*s));
    unsigned char random[INCARNATION_SIZE];

    digest_random(random, sizeof(random));
    digest_print_hex(random, sizeof(random), s->incarnation);
    s->control = control;
    s->loop = control_loop(control);
    buffer_pool_init(&s->buffers, HEADER_BYTES, BUFFERS_IDLE);
    list_init(&s->disposals);
    listen_table_init(&s->listeners);
    control_pass_on(control, &s->listeners, "admin");
    listen_budget_init(&s->budget, CONNECTIONS_MAX);
    init_http(s);
    bool has_tokens = read_tokens(admin, ps, &s->tokens);
    bool has_tls = open_tls(admin, ps, &s->tls);
    s->listener = listen_table_open(&s->listeners, TEXT_OF("admin"), &admin->at, 1,
                                    place_of("admin.address"), ps);
    if (!has_tokens || !has_tls || s->listener == NULL) {
        admin_server_free(&s);
    }
    return s;
}

void admin_server_start(struct admin_server *s)
{
    if (s->acceptor.is_started || control_is_inheriting(s->control)) {
        return;
    }
    listen_acceptor_start(&s->acceptor, s->loop, listen_entry_fd(s->listener, 0, 1, 0), &s->budget,
                          on_accept, s);
}

void admin_server_leave(struct admin_server *s)
{
    listen_acceptor_stop(&s->acceptor);
    s->http.is_draining = true;
}

bool admin_server_is_quiet(const struct admin_server *s)
{
    return s->http.connection_count == 0;
}

void admin_server_free(struct admin_server **server)
{
    struct admin_server *s = *server;

    *server = NULL;
    listen_acceptor_stop(&s->acceptor);
    h1_server_close_all(&s->http);
    h1_server_fini(&s->http);
    listen_table_fini(&s->listeners);
    tokens_fini(&s->tokens);
    if (s->tls != NULL) {
        tls_server_unref(&s->tls);
    }
    loop_run_once(s->loop, false);
    buffer_pool_fini(&s->buffers);
    dispose_all(s);
    s->is_closed = true;
    s->call_count++;
    admin_server_remove_call(s);
}

void admin_server_add_call(struct admin_server *s)
{
    s->call_count++;
}

void admin_server_remove_call(struct admin_server *s)
{
    MUST(s->call_count > 0);
    if (--s->call_count == 0 && s->is_closed) {
        MEM_FREE(&s);
    }
}

void admin_server_reload(struct admin_server *s, const struct node_config *node,
                         struct problems *ps)
{
    struct tokens tokens;
    struct tls_server *tls = NULL;

    if (read_tokens(&node->admin, ps, &tokens)) {
        tokens_fini(&s->tokens);
        s->tokens = tokens;
    }
    if (open_tls(&node->admin, ps, &tls)) {
        if (s->tls != NULL) {
            tls_server_unref(&s->tls);
        }
        s->tls = tls;
    }
}

struct control *admin_server_control(struct admin_server *s)
{
    return s->control;
}

struct loop *admin_server_loop(struct admin_server *s)
{
    return s->loop;
}

const struct tokens *admin_server_tokens(const struct admin_server *s)
{
    return &s->tokens;
}

struct text admin_server_date(struct admin_server *s)
{
    return clock_date(&s->loop->clock);
}

struct text admin_server_incarnation(const struct admin_server *s)
{
    return text_of(s->incarnation);
}
