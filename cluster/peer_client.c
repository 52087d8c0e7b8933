/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_client.c - a request to another node: name, connection, head and body, answer.
 *
 * The connections and the parser are those that reach upstreams (up_pool.h).
 */
#include "cluster/peer_client.h"

#include <stdio.h>

#include "cluster/peer_sign.h"
#include "conf/base/arena.h"
#include "conf/base/mem.h"
#include "conf/node.h"
#include "gatewayd/http/up_pool.h"
#include "gatewayd/net/tls.h"

#define HEAD_BYTES   32768
#define HEAD_FIELDS  64
#define BUFFERS_IDLE 8
#define KEEP_IDLE    2
#define KEEP_MS      60000
#define ADDRESSES    4
#define OWN_FIELDS   4

struct peer_client {
    struct loop *loop;
    struct resolve *resolve;
    char *node; /* this one's name */
    struct digest key;
    struct buffer_pool buffers;
    struct up_pool *ups;
    struct tls_client *tls;
    struct list places;
    struct list calls;
};

/* Where connections are kept to: as long as there is one, or a call that may want one. */
struct peer_place {
    struct list node;
    struct peer_client *client;
    char *address; /* as advertised */
    char *host;
    bool is_tls;
    unsigned calls;
    unsigned connections;
};

struct peer_call {
    struct list node;
    struct peer_client *client;
    struct peer_place *place;
    struct resolve_query *query;
    struct address addresses[ADDRESSES];
    size_t address_count;
    size_t tried; /* addresses */
    uint16_t port;
    struct up *up;
    struct tls_client *tls; /* which it began with; another one may be in force by now */
    bool is_fresh;          /* the kept connection was closed: not another one */
    struct loop_timer deadline;
    struct loop_task task; /* tells what was known at once */
    const char *known;
    struct arena arena;
    struct request_head request;
    struct header request_items[OWN_FIELDS];
    char signature[PEER_SIGN_SIZE];
    struct text body;
    size_t sent;
    struct response_head head;
    struct header head_items[HEAD_FIELDS];
    struct builder answer;
    peer_answered_fn *answered;
    void *arg;
};

/* ---- the client ---- */

static bool open_tls(const struct node_config *node, struct problems *ps,
                     struct tls_client **tls_out)
{
    static const struct text alpn[] = { TEXT("http/1.1") };
    const struct node_admin_tls *own = node->admin.tls;
    struct tls_client_options options = {
        .ca = node->cluster == NULL ? TEXT_EMPTY : node->cluster->ca,
        .cert = own == NULL ? TEXT_EMPTY : own->cert,
        .key = own == NULL ? TEXT_EMPTY : own->key,
        .alpn = alpn,
        .alpn_count = ARRAY_LENGTH(alpn),
        .verify = true,
    };
    *tls_out = tls_client_new(&options, (struct place){ .path = "cluster.ca", .pointer = "" }, ps);
    return *tls_out != NULL;
}

bool peer_client_check(const struct node_config *node, struct problems *ps)
{
    struct tls_client *tls;
    if (!open_tls(node, ps, &tls))
        return false;
    tls_client_unref(&tls);
    return true;
}

struct peer_client *peer_client_new(struct loop *loop, struct resolve *resolve,
                                    const struct node_config *node, const struct digest *key,
                                    struct problems *ps)
{
    struct tls_client *tls;
    if (!open_tls(node, ps, &tls))
        return NULL;
    struct peer_client *c = mem_new(sizeof(*c));
    c->loop = loop;
    c->resolve = resolve;
    c->node = mem_copy_text(node->node.at, node->node.length);
    c->key = *key;
    c->tls = tls;
    list_init(&c->places);
    list_init(&c->calls);
    buffer_pool_init(&c->buffers, HEAD_BYTES, BUFFERS_IDLE);
    c->ups = up_pool_new(loop, &c->buffers, (struct up_limits){ HEAD_BYTES, HEAD_FIELDS });
    return c;
}

void peer_client_reload(struct peer_client *c, const struct node_config *node, struct problems *ps)
{
    struct tls_client *tls;
    if (!open_tls(node, ps, &tls))
        return;
    /* The last connection takes its place along. */
    LIST_EACH_SAFE (item, following, &c->places)
        up_pool_drop(c->ups, LIST_ITEM(item, struct peer_place, node), c->tls);
    tls_client_unref(&c->tls);
    c->tls = tls;
}

void peer_client_free(struct peer_client **at)
{
    struct peer_client *c = *at;
    if (c == NULL)
        return;
    LIST_EACH_SAFE (node, following, &c->calls) {
        struct peer_call *call = LIST_ITEM(node, struct peer_call, node);
        peer_call_stop(&call);
    }
    up_pool_free(&c->ups);
    loop_run_once(c->loop, false); /* what was buried */
    MUST(list_is_empty(&c->places));
    tls_client_unref(&c->tls);
    MEM_FREE(&c->node);
    buffer_pool_fini(&c->buffers);
    explicit_bzero(&c->key, sizeof(c->key));
    MEM_FREE(at);
}

/* ---- places ---- */

size_t peer_client_count_places(const struct peer_client *c)
{
    size_t count = 0;
    LIST_EACH (node, &c->places)
        count++;
    return count;
}

static void free_place(void *arg)
{
    struct peer_place *place = arg;
    MEM_FREE(&place->address);
    MEM_FREE(&place->host);
    MEM_FREE(&place);
}

static void leave(struct peer_place *place)
{
    if (place->calls > 0 || place->connections > 0)
        return;
    list_remove(&place->node);
    loop_bury(place->client->loop, place, free_place);
}

static void on_opened(void *key)
{
    struct peer_place *place = key;
    place->connections++;
}

static void on_closed(void *key)
{
    struct peer_place *place = key;
    place->connections--;
    leave(place);
}

static struct peer_place *get_place(struct peer_client *c, const struct peer_request *r,
                                    struct text host)
{
    LIST_EACH (node, &c->places) {
        struct peer_place *place = LIST_ITEM(node, struct peer_place, node);
        if (place->is_tls == r->is_tls && text_equals(text_of(place->address), r->address))
            return place;
    }
    struct peer_place *place = mem_new(sizeof(*place));
    place->client = c;
    place->address = mem_copy_text(r->address.at, r->address.length);
    place->host = mem_copy_text(host.at, host.length);
    place->is_tls = r->is_tls;
    list_add_last(&c->places, &place->node);
    return place;
}

/* ---- the end of a call ---- */

static void free_call(void *arg)
{
    struct peer_call *call = arg;
    builder_fini(&call->answer);
    tls_client_unref(&call->tls);
    arena_reset(&call->arena);
    MEM_FREE(&call);
}

void peer_call_stop(struct peer_call **at)
{
    struct peer_call *call = *at;
    *at = NULL;
    if (call == NULL)
        return;
    loop_timer_stop(&call->deadline);
    loop_task_cancel(&call->task);
    if (call->query != NULL)
        resolve_query_stop(&call->query);
    if (call->up != NULL)
        call->up->type->release(call->up);
    call->up = NULL;
    list_remove(&call->node);
    if (call->place != NULL) {
        call->place->calls--;
        leave(call->place);
    }
    loop_bury(call->client->loop, call, free_call);
}

static void tell(struct peer_call *call, const struct peer_answer *answer)
{
    call->answered(call->arg, answer);
    peer_call_stop(&call);
}

static void fail(struct peer_call *call, const char *reason)
{
    tell(call, &(struct peer_answer){ .reason = text_of(reason) });
}

static void on_deadline(void *arg)
{
    fail(arg, "no answer in time");
}

static void on_known(void *arg)
{
    struct peer_call *call = arg;
    fail(call, call->known);
}

/* ---- sending ---- */

static const struct up_user user;

static void connect_next(struct peer_call *call)
{
    struct peer_client *c = call->client;
    struct up_origin origin = {
        .key = call->place,
        .address = call->addresses[call->tried],
        .tls = call->place->is_tls ? call->tls : NULL,
        .server_name = text_of(call->place->host),
        .connect_timeout_ms = 2000,
        .response_timeout_ms = 60000, /* the call's own deadline is over all of it */
        .idle_timeout_ms = 60000,
        .keep_idle = KEEP_IDLE,
        .keep_timeout_ms = KEEP_MS,
        .on_opened = on_opened,
        .on_closed = on_closed,
    };
    call->sent = 0;
    call->head = (struct response_head){ 0 };
    headers_init(&call->head.headers, call->head_items, HEAD_FIELDS);
    call->up = up_open(c->ups, &origin, call->is_fresh, &user, call);
    call->up->head = &call->head;
    call->up->arena = &call->arena;
    call->up->type->send(call->up, &call->request);
}

static void write_body(struct peer_call *call)
{
    struct sink *sink = call->up->request_body;
    size_t taken = 0;
    enum io result = sink->type->write(sink, text_skip(call->body, call->sent), true, &taken);
    if (result == IO_DONE || result == IO_AGAIN)
        call->sent += taken;
    /* A broken connection is told by on_failed. */
}

static void begin(struct peer_call *call)
{
    connect_next(call);
    if (call->up->is_reused)
        write_body(call);
}

static void on_connected(struct up *up)
{
    write_body(up->owner);
}

static void on_writable(struct up *up)
{
    write_body(up->owner);
}

static void on_failed(struct up *up, enum up_failure failure, const char *sentence)
{
    struct peer_call *call = up->owner;
    bool is_unread = failure == UP_CONNECT_REFUSED || failure == UP_CONNECT_TIMEOUT;
    up->type->release(up);
    call->up = NULL;
    if (failure == UP_STALE && !call->is_fresh) {
        call->is_fresh = true;
        begin(call);
        return;
    }
    if (is_unread && call->tried + 1 < call->address_count) {
        call->tried++;
        begin(call);
        return;
    }
    fail(call, sentence);
}

/* ---- the answer ---- */

static void on_interim(struct up *up)
{
    (void)up;
}

static void on_body(struct up *up)
{
    struct peer_call *call = up->owner;
    struct source *source = up->answer_body;
    struct text piece;
    bool is_last;
    for (;;) {
        switch (source->type->peek(source, &piece, &is_last)) {
        case PULL_WAIT:
            return;
        case PULL_BROKEN:
            fail(call, "the answer ended too early");
            return;
        case PULL_END:
            tell(call, &(struct peer_answer){ .status = call->head.status,
                                              .body = builder_text(&call->answer) });
            return;
        case PULL_READY:
            break;
        }
        builder_add(&call->answer, piece);
        if (builder_is_full(&call->answer)) {
            fail(call, "the answer is too large");
            return;
        }
        source->type->consume(source, piece.length);
    }
}

static const struct up_user user = {
    .on_connected = on_connected,
    .on_interim = on_interim,
    .on_head = on_body,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_failed = on_failed,
};

/* ---- beginning ---- */

static void on_resolved(void *arg, const struct resolve_answer *answer)
{
    struct peer_call *call = arg;
    call->query = NULL;
    if (answer->result != RESOLVE_OK || answer->count == 0) {
        fail(call, answer->why == NULL ? "its name has no address" : answer->why);
        return;
    }
    for (size_t i = 0; i < answer->count && i < ADDRESSES; i++)
        call->addresses[call->address_count++] = answer->addresses[i];
    begin(call);
}

static void add_field(struct peer_call *call, const char *name, struct text value)
{
    MUST(headers_add_named(&call->request.headers, text_of(name), value));
}

static void fill_head(struct peer_call *call, const struct peer_request *r)
{
    struct peer_client *c = call->client;
    call->body = arena_copy(&call->arena, r->body);
    call->request = (struct request_head){
        .method = r->method,
        .method_name = method_name(r->method),
        .version = HTTP_1_1,
        .framing = text_is_empty(r->body) ? BODY_NONE : BODY_LENGTH,
        .body_length = r->body.length,
        .authority = arena_copy(&call->arena, r->address),
        .path = arena_copy(&call->arena, r->path),
    };
    struct peer_sign_request sign = {
        .method = call->request.method_name,
        .target = call->request.path,
        .from = text_of(c->node),
        .to = r->to,
        .body = digest_sha256(call->body),
    };
    headers_init(&call->request.headers, call->request_items, OWN_FIELDS);
    add_field(call, PEER_SIGN_HEADER,
              peer_sign_print(&c->key, &sign, clock_read_wall_ms(), call->signature));
    add_field(call, "User-Agent", TEXT_OF("gatewayd/" GATEWAYD_VERSION));
    if (!text_is_empty(r->body))
        add_field(call, "Content-Type", TEXT_OF("application/json"));
}

struct peer_call *peer_client_call(struct peer_client *c, const struct peer_request *r,
                                   peer_answered_fn *answered, void *arg)
{
    struct peer_call *call = mem_new(sizeof(*call));
    struct host_port parts;
    call->client = c;
    call->tls = tls_client_ref(c->tls);
    call->answered = answered;
    call->arg = arg;
    arena_init(&call->arena, SIZE_MAX);
    builder_init(&call->answer, PEER_CLIENT_BODY_MOST);
    loop_timer_init(&call->deadline, c->loop, on_deadline, call);
    loop_task_init(&call->task, on_known, call);
    list_add_last(&c->calls, &call->node);
    loop_timer_start(&call->deadline, (uint64_t)r->timeout_ms);
    /* Whoever can write to Redis says what it is: no reason to open a socket of this host. */
    if (!address_split(r->address, &parts) || parts.is_unix) {
        call->known = "its address is no host and port";
        loop_defer(c->loop, &call->task);
        return call;
    }
    call->place = get_place(c, r, parts.host);
    call->place->calls++;
    fill_head(call, r);
    call->query = resolve_query_start(c->resolve, parts.host, parts.port, on_resolved, call);
    return call;
}
