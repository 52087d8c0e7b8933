/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha_probe.c - FOLDER/probe.sock: what the programs beside keepalived ask, over HTTP/1.1 without a
 * token. GET /livez, /readyz as the admin API answers them, and /ha: a line "NAME WEIGHT" for each
 * address. Answered from what is known: nothing is waited for.
 */
#include <stdio.h>
#include <unistd.h>

#include "conf/base/builder.h"
#include "conf/base/mem.h"
#include "gatewayd/ha_private.h"
#include "gatewayd/http/h1_down.h"
#include "gatewayd/net/listen.h"

/* No name of a listener: the socket is handed to the next process with the others. */
#define ENTRY "/probe"

#define HEADER_BYTES    4096
#define FIELDS          32
#define HEADER_MS       2000
#define IDLE_MS         30000
#define BUFFERS_IDLE    4
#define CONNECTIONS_MAX 32
#define ANSWER_MOST     32768

struct ha_probe {
    struct ha *ha;
    struct buffer_pool buffers;
    struct h1_server http;
    struct listen_entry *listener;
    struct listen_acceptor acceptor;
    struct listen_budget budget;
};

/* A request; until it is answered. */
struct question {
    struct ha_probe *probe;
    struct down *down;
    struct request_head head;
    struct header items[FIELDS];
    struct response_head answer;
    struct header answer_items[4];
    struct arena arena;
    struct builder out;
    size_t written;
    bool is_answered;
};

static void free_question(void *arg)
{
    struct question *q = arg;

    arena_reset(&q->arena);
    builder_fini(&q->out);
    MEM_FREE(&q);
}

static void bury(struct question *q)
{
    loop_bury(q->probe->ha->loop, q, free_question);
}

static void release(struct question *q)
{
    q->down->type->release(q->down);
    bury(q);
}

static void write_answer(struct question *q)
{
    struct sink *sink = q->down->answer_body;
    size_t taken = 0;

    switch (sink->type->write(sink, text_skip(builder_text(&q->out), q->written), true, &taken)) {
    case IO_DONE:
        release(q);
        return;
    case IO_AGAIN:
        q->written += taken;
        return;
    case IO_EOF:
    case IO_BROKEN:
        q->down->type->cut(q->down);
        release(q);
        return;
    }
}

static void answer(struct question *q, unsigned status)
{
    q->is_answered = true;
    headers_init(&q->answer.headers, q->answer_items, ARRAY_LENGTH(q->answer_items));
    q->answer.status = status;
    q->answer.framing = BODY_LENGTH;
    q->answer.body_length = q->out.length;
    MUST(headers_add_named(&q->answer.headers, TEXT_OF("Content-Type"),
                           TEXT_OF("text/plain; charset=utf-8")));
    MUST(headers_add_named(&q->answer.headers, TEXT_OF("Cache-Control"), TEXT_OF("no-store")));
    /* Who listens may be another than who began to: a socket changes hands. */
    MUST(headers_add_named(&q->answer.headers, TEXT_OF("Gatewayd-Pid"),
                           arena_print(&q->arena, "%d", (int)getpid())));
    q->down->type->answer(q->down, &q->answer, false);
    write_answer(q);
}

/* ---- what is asked -------------------------------------------------------------------------- */

static unsigned print_livez(const struct ha *ha, struct builder *b)
{
    builder_add(b, TEXT_OF("ok\n"));
    return 200;
}

static unsigned print_readyz(const struct ha *ha, struct builder *b)
{
    struct control_status status = control_status(ha->control);

    builder_addf(b, "%s\n", control_state_name(status.state));
    return status.is_ready && !ha->is_stuck ? 200 : 503;
}

static unsigned print_ha(const struct ha *ha, struct builder *b)
{
    for (size_t i = 0; i < ha->count; i++)
        builder_addf(b, "%.*s %d\n", TEXT_ARGS(ha->places[i].address->name),
                     ha_weight(&ha->places[i]));
    return 200;
}

static const struct {
    struct text path;
    unsigned (*print)(const struct ha *ha, struct builder *b);
} pages[] = {
    { TEXT("/livez"), print_livez },
    { TEXT("/readyz"), print_readyz },
    { TEXT("/ha"), print_ha },
};

static void on_request(struct down *down)
{
    struct question *q = down->owner;

    if (q->head.method != METHOD_GET && q->head.method != METHOD_HEAD) {
        builder_add(&q->out, TEXT_OF("Only GET is served here.\n"));
        answer(q, 405);
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        if (text_equals(q->head.path, pages[i].path)) {
            answer(q, pages[i].print(q->probe->ha, &q->out));
            return;
        }
    }
    builder_add(&q->out, TEXT_OF("There are /livez, /readyz and /ha.\n"));
    answer(q, 404);
}

/* ---- the codec's user ----------------------------------------------------------------------- */

static void on_begin(struct down *down)
{
    struct question *q = mem_new(sizeof(*q));

    q->probe = h1_down_server(down)->user_data;
    q->down = down;
    arena_init(&q->arena, HEADER_BYTES * 4);
    builder_init(&q->out, ANSWER_MOST);
    headers_init(&q->head.headers, q->items, FIELDS);
    down->owner = q;
    down->head = &q->head;
    down->arena = &q->arena;
}

static void on_bad_request(struct down *down, unsigned status, const char *sentence)
{
    struct question *q = down->owner;

    builder_addf(&q->out, "%s\n", sentence);
    answer(q, status);
}

/* Nobody waits for a body: what is sent of one is skipped. */
static void on_body(struct down *down)
{
    (void)down;
}

static void on_writable(struct down *down)
{
    struct question *q = down->owner;

    if (q->is_answered)
        write_answer(q);
}

static void on_gone(struct down *down)
{
    release(down->owner);
}

static void on_abandoned(struct down *down)
{
    bury(down->owner);
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

/* ---- life ----------------------------------------------------------------------------------- */

static void on_accepted(void *arg, int fd, const struct address *peer)
{
    struct ha_probe *probe = arg;
    struct down_peer facts = { .peer = *peer };

    h1_down_start(&probe->http, fd, &facts, NULL);
}

static void on_closed(struct h1_server *http, const struct down_peer *peer)
{
    struct ha_probe *probe = http->user_data;

    listen_budget_give(&probe->budget);
}

static void init_http(struct ha_probe *probe)
{
    probe->http = (struct h1_server){
        .loop = probe->ha->loop,
        .buffers = &probe->buffers,
        .user = &user,
        .user_data = probe,
        .header_bytes = HEADER_BYTES,
        .headers = FIELDS - 8,
        .header_timeout_ms = HEADER_MS,
        .body_timeout_ms = HEADER_MS,
        .idle_timeout_ms = IDLE_MS,
        .on_closed = on_closed,
    };
    h1_server_init(&probe->http);
}

static struct listen_entry *open_socket(struct ha *ha, struct problems *ps)
{
    struct place place = { .path = "ha.folder", .pointer = "" };
    struct address at;
    char text[128];

    snprintf(text, sizeof(text), "unix:%.100s/probe.sock", ha->folder);
    if (!address_parse(text_of(text), &at)) {
        problems_add(ps, place, "The path %s/probe.sock is too long for a socket.", ha->folder);
        return NULL;
    }
    return listen_table_open(ha->listeners, TEXT_OF(ENTRY), &at, 1, place, ps);
}

struct ha_probe *ha_probe_new(struct ha *ha, struct problems *ps)
{
    struct listen_entry *listener = open_socket(ha, ps);

    if (listener == NULL)
        return NULL;
    struct ha_probe *probe = mem_new(sizeof(*probe));
    probe->ha = ha;
    probe->listener = listener;
    buffer_pool_init(&probe->buffers, HEADER_BYTES, BUFFERS_IDLE);
    listen_budget_init(&probe->budget, CONNECTIONS_MAX);
    init_http(probe);
    return probe;
}

void ha_probe_start(struct ha_probe *probe)
{
    listen_acceptor_start(&probe->acceptor, probe->ha->loop,
                          listen_entry_fd(probe->listener, 0, 1, 0), &probe->budget, on_accepted,
                          probe);
}

void ha_probe_leave(struct ha_probe *probe)
{
    listen_acceptor_stop(&probe->acceptor);
    probe->http.is_draining = true;
}

void ha_probe_free(struct ha_probe **at)
{
    struct ha_probe *probe = *at;

    if (probe == NULL)
        return;
    listen_acceptor_stop(&probe->acceptor);
    h1_server_close_all(&probe->http);
    h1_server_fini(&probe->http);
    loop_run_once(probe->ha->loop, false);
    buffer_pool_fini(&probe->buffers);
    MEM_FREE(at);
}
