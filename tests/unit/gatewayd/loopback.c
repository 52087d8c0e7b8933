/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loopback.c - a client's codec without a socket.
 */
#include "loopback.h"

#include <stdio.h>
#include <stdlib.h>

#include "conf/base/mem.h"
#include "conf/config.h"
#include "conf/read_json.h"

size_t loopback_first_room = SIZE_MAX;

/* ---- the codec ------------------------------------------------------------------------------ */

static struct loopback_down *of(struct down *d)
{
    return CONTAINER_OF(d, struct loopback_down, down);
}

static enum pull peek(struct source *s, struct text *piece_out, bool *is_last_out)
{
    struct loopback_down *d = CONTAINER_OF(s, struct loopback_down, body);
    if (d->rest.length == 0)
        return PULL_END;
    *piece_out = d->rest;
    *is_last_out = true;
    return PULL_READY;
}

static void consume(struct source *s, size_t length)
{
    struct loopback_down *d = CONTAINER_OF(s, struct loopback_down, body);
    d->rest = text_skip(d->rest, length);
}

static const struct headers *trailers(struct source *s)
{
    return NULL;
}

static struct socket *splice_from(struct source *s, uint64_t *length_out)
{
    return NULL;
}

static const struct source_type source_type = {
    .peek = peek, .consume = consume, .trailers = trailers, .splice_from = splice_from
};

static enum io write_answer(struct sink *s, struct text piece, bool is_last, size_t *taken_out)
{
    struct loopback_down *d = CONTAINER_OF(s, struct loopback_down, sink);
    size_t n = piece.length < d->room ? piece.length : d->room;

    MUST(d->answers == 1 && !d->is_ended);
    d->answer = mem_resize(d->answer, d->length + n + 1);
    if (n > 0)
        memcpy(d->answer + d->length, piece.at, n);
    d->length += n;
    d->room -= n;
    d->answer[d->length] = '\0';
    *taken_out = n;
    if (n < piece.length)
        return IO_AGAIN;
    d->is_ended = is_last;
    return IO_DONE;
}

static enum io end_answer(struct sink *s, const struct headers *unused)
{
    size_t taken;
    return write_answer(s, TEXT_EMPTY, true, &taken);
}

static struct socket *splice_to(struct sink *s)
{
    return NULL;
}

static const struct sink_type sink_type = { .write = write_answer,
                                            .end = end_answer,
                                            .splice_to = splice_to };

static void interim(struct down *d, const struct response_head *head)
{
}

static void copy_headers(struct loopback_down *d, const struct headers *headers)
{
    struct builder b;

    builder_init(&b, 65536);
    for (unsigned i = 0; i < headers->count; i++) {
        const struct header *h = &headers->items[i];
        if (!h->is_removed)
            builder_addf(&b, "%.*s: %.*s\n", TEXT_ARGS(h->name), TEXT_ARGS(h->value));
    }
    builder_add_byte(&b, '\n');
    d->headers = builder_take(&b, NULL);
    builder_fini(&b);
}

static void answer(struct down *down, const struct response_head *head, bool close)
{
    struct loopback_down *d = of(down);

    d->answers++;
    d->head = *head;
    d->closes = close;
    copy_headers(d, &head->headers);
}

static void cut(struct down *d)
{
    of(d)->is_cut = true;
}

static void release(struct down *d)
{
    of(d)->is_released = true;
}

static const struct down_type down_type = {
    .interim = interim, .answer = answer, .cut = cut, .release = release
};

/* ---- the world ------------------------------------------------------------------------------ */

static bool compile_policy(void *arg, const struct route *route, void **policy_out,
                           struct builder *why)
{
    struct loopback *l = arg;
    *policy_out = limiter_set_new(l->limiter, LIMITER_ROUTE, route->name, &route->limits);
    return true;
}

static void free_policy(void *arg, void *policy)
{
    struct limiter_set *set = policy;
    limiter_set_unref(&set);
}

static void on_released(struct snapshot *snapshot, void *arg)
{
    struct loopback *l = arg;
    snapshot_free(l->compiler, &snapshot);
}

static struct resources *read_resources(const char *json)
{
    char *text = mem_copy_text(json, strlen(json));
    struct problems ps;
    struct arena arena;
    struct doc doc;
    struct config config;

    for (char *c = text; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    problems_init(&ps);
    arena_init(&arena, SIZE_MAX);
    MUST(read_json(text_of(text), &arena, &ps, &doc));
    MUST(config_bind(&doc, NULL, &ps, &config));
    struct resources *resources = resources_ref(config.resources);
    config_fini(&config);
    arena_reset(&arena);
    problems_fini(&ps);
    MEM_FREE(&text);
    return resources;
}

void loopback_publish(struct loopback *l, const char *json)
{
    struct resources *resources = read_resources(json);
    enum snapshot_step step;

    snapshot_compiler_begin(l->compiler, resources);
    do {
        step = snapshot_compiler_step(l->compiler, 1000000);
    } while (step == SNAPSHOT_MORE);
    MUST(step == SNAPSHOT_READY);
    struct snapshot *snapshot = snapshot_compiler_take(l->compiler);
    struct plan_sets *plans = plan_board_announce(&l->board, resources, l->credentials, l->limiter);
    struct departures departures;
    departures_init(&departures,
                    l->exchanges.generation == NULL ? NULL : l->exchanges.generation->snapshot,
                    snapshot);
    exchanges_set_generation(&l->exchanges, generation_new(snapshot, plans, &departures));
    departures_fini(&departures);
    snapshot_unref(&snapshot);
    plan_sets_unref(&plans);
    resources_unref(&resources);
}

void loopback_init(struct loopback *l, const char *resources)
{
    struct snapshot_settings settings = {
        .workers = 1,
        .hooks = { .arg = l,
                   .compile_policy = compile_policy,
                   .free_policy = free_policy,
                   .release = on_released },
    };

    *l = (struct loopback){ 0 };
    metrics_start(1);
    metrics_use_slot(1);
    l->loop = loop_new("loopback");
    loop_run_once(l->loop, false);
    l->turns = turns_new(1);
    plan_board_init(&l->board, l->turns);
    l->credentials = credentials_new(l->turns);
    l->limiter = limiter_new(&(struct limiter_settings){ .turns = l->turns });
    l->compiler = snapshot_compiler_new(&settings);
    buffer_pool_init(&l->buffers, BUFFER_SIZE, 16);
    socket_pipes_init(&l->pipes);
    l->exchanges = (struct exchanges){
        .loop = l->loop,
        .settings = { .node = TEXT("gw-test"),
                      .header_bytes = 32768,
                      .headers = 100,
                      .body_bytes = 1000 },
        .buffers = &l->buffers,
        .ups = up_pool_new(l->loop, &l->buffers, (struct up_limits){ 32768, 100 }),
        .pipes = &l->pipes,
        .credentials = l->credentials,
        .turn = turns_get(l->turns, 0),
        .limiter = l->limiter,
        .plans = &l->board,
    };
    exchanges_init(&l->exchanges);
    l->listener = (struct down_listener){ .exchanges = &l->exchanges, .name = TEXT("test") };
    l->peer.listener = &l->listener;
    bool is_right = address_parse(TEXT_OF("192.0.2.1:4711"), &l->peer.peer);
    MUST(is_right);
    if (resources != NULL)
        loopback_publish(l, resources);
}

void loopback_fini(struct loopback *l)
{
    up_pool_free(&l->exchanges.ups);
    loop_run_once(l->loop, false);
    exchanges_fini(&l->exchanges);
    snapshot_compiler_free(&l->compiler);
    plan_board_fini(&l->board);
    limiter_free(&l->limiter);
    credentials_free(&l->credentials);
    turns_free(&l->turns);
    socket_pipes_fini(&l->pipes);
    buffer_pool_fini(&l->buffers);
    loop_free(&l->loop);
    metrics_stop();
}

void loopback_send(struct loopback *l, struct loopback_down *d, const char *request)
{
    struct h1_limits limits = { 32768, 100, 32768 };
    struct h1_request parser;

    *d = (struct loopback_down){
        .down = { .type = &down_type, .user = &exchanges_down_user, .peer = &l->peer },
        .body.type = &source_type,
        .sink.type = &sink_type,
        .room = loopback_first_room,
        .bytes = mem_copy_text(request, strlen(request)),
    };
    loopback_first_room = SIZE_MAX;
    d->down.request_body = &d->body;
    d->down.answer_body = &d->sink;
    exchanges_down_user.on_begin(&d->down);
    h1_request_init(&parser, d->down.head, d->down.arena, &limits);
    enum h1_parse parsed = h1_request_parse(&parser, text_of(d->bytes));
    MUST(parsed != H1_MORE);
    if (parsed == H1_BAD) {
        exchanges_down_user.on_bad_request(&d->down, refusal_status(parser.refusal),
                                           refusal_sentence(parser.refusal).at);
        return;
    }
    d->rest = text_skip(text_of(d->bytes), parser.length);
    exchanges_down_user.on_request(&d->down);
}

void loopback_end(struct loopback *l, struct loopback_down *d)
{
    MUST(d->is_released);
    loop_run_once(l->loop, false);
    MEM_FREE(&d->bytes);
    MEM_FREE(&d->headers);
    MEM_FREE(&d->answer);
}

bool loopback_has_header(const struct loopback_down *d, const char *line)
{
    struct text wanted = text_of(line);
    struct text rest = text_of(d->headers);
    struct text one;

    while (rest.at != NULL && text_cut(&rest, '\n', &one)) {
        if (text_equals(one, wanted))
            return true;
    }
    return false;
}

char *loopback_add_key(struct loopback *l, const char *consumer, const char *plan, uint64_t *id_out)
{
    char json[256];
    char *key = mem_new(KEY_LENGTH + 1);
    struct text text = key_make(key);
    struct credentials_key row = {
        .id = key_id_make(),
        .digest = key_digest(text, TEXT_EMPTY),
        .consumer = text_of(consumer),
    };
    struct problems ps;

    problems_init(&ps);
    if (plan == NULL)
        snprintf(json, sizeof(json), "{\"name\":\"%s\",\"groups\":[\"staff\"]}", consumer);
    else
        snprintf(json, sizeof(json), "{\"name\":\"%s\",\"plan\":\"%s\"}", consumer, plan);
    struct resource *r = resource_parse(RESOURCE_CONSUMER, text_of(json), NULL, &ps);
    MUST(r != NULL);
    credentials_put_consumer(l->credentials, r, 1);
    resource_unref(&r);
    enum credentials_added added = credentials_add_key(l->credentials, &row);
    MUST(added == CREDENTIALS_KEY_ADDED);
    problems_fini(&ps);
    *id_out = row.id;
    return key;
}
