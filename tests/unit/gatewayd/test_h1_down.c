/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's connection, driven over a socketpair: pipelining, bodies of every framing, answers of
 * every framing, 100-continue, refusals, cuts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/base/builder.h"
#include "conf/base/mem.h"
#include "gatewayd/http/h1_down.h"

#define ITEMS 64

/* What the user of the tests does with a request. */
enum behaviour {
    ECHO,      /* the body of the request, its length known at the end */
    FIXED,     /* "hello", by length */
    EMPTY,     /* no body */
    UNKNOWN,   /* "hello" then "world", length unknown */
    REFUSE,    /* answers without reading the body */
    NEVER,     /* does not answer */
    CUT_SHORT, /* half an answer, then a cut */
};

struct story {
    struct loop *loop;
    struct buffer_pool buffers;
    struct h1_server server;
    int client;
    enum behaviour behaviour;
    unsigned requests;
    unsigned bad;
    unsigned abandoned;
    unsigned gone;
    unsigned broken_status;
    struct down *held;
};

struct visit {
    struct story *story;
    struct arena arena;
    struct request_head head;
    struct header items[ITEMS];
    struct builder body;
    struct response_head answer;
    struct header answer_items[8];
};

static void free_visit(struct visit *v)
{
    builder_fini(&v->body);
    arena_reset(&v->arena);
    MEM_FREE(&v);
}

static void on_begin(struct down *d)
{
    struct visit *v = mem_new(sizeof(*v));

    v->story = h1_down_server(d)->user_data;
    arena_init(&v->arena, 65536);
    headers_init(&v->head.headers, v->items, ITEMS);
    headers_init(&v->answer.headers, v->answer_items, 8);
    builder_init(&v->body, 1 << 20);
    d->owner = v;
    d->head = &v->head;
    d->arena = &v->arena;
}

static void finish(struct down *d)
{
    struct visit *v = d->owner;

    d->type->release(d);
    free_visit(v);
}

static void answer(struct down *d, unsigned status, enum body_framing framing, const char *body)
{
    struct visit *v = d->owner;
    struct text text = text_of(body);
    size_t taken;

    v->answer.status = status;
    v->answer.framing = framing;
    v->answer.body_length = text.length;
    d->type->answer(d, &v->answer, false);
    assert_int_equal(d->answer_body->type->write(d->answer_body, text, true, &taken), IO_DONE);
    finish(d);
}

static void answer_in_pieces(struct down *d, bool cut)
{
    struct visit *v = d->owner;
    size_t taken;

    v->answer.status = 200;
    v->answer.framing = BODY_CHUNKED;
    d->type->answer(d, &v->answer, false);
    assert_int_equal(d->answer_body->type->write(d->answer_body, TEXT_OF("hello"), false, &taken),
                     IO_DONE);
    if (cut) {
        d->type->cut(d);
    } else {
        assert_int_equal(
            d->answer_body->type->write(d->answer_body, TEXT_OF("world"), true, &taken), IO_DONE);
    }
    finish(d);
}

static void read_body(struct down *d)
{
    struct visit *v = d->owner;

    for (;;) {
        struct text piece;
        bool is_last;

        switch (d->request_body->type->peek(d->request_body, &piece, &is_last)) {
        case PULL_READY:
            builder_add(&v->body, piece);
            d->request_body->type->consume(d->request_body, piece.length);
            break;
        case PULL_WAIT:
            return;
        case PULL_BROKEN:
            v->story->broken_status = d->broken_status;
            d->type->cut(d);
            finish(d);
            return;
        case PULL_END: {
            char *body = builder_take(&v->body, NULL);
            answer(d, 200, BODY_LENGTH, body);
            MEM_FREE(&body);
            return;
        }
        }
    }
}

static void on_request(struct down *d)
{
    struct visit *v = d->owner;
    struct story *s = v->story;

    s->requests++;
    switch (s->behaviour) {
    case ECHO:
        read_body(d);
        return;
    case FIXED:
        answer(d, 200, BODY_LENGTH, "hello");
        return;
    case EMPTY:
        answer(d, 200, BODY_NONE, "");
        return;
    case UNKNOWN:
        answer_in_pieces(d, false);
        return;
    case REFUSE:
        answer(d, 401, BODY_LENGTH, "no");
        return;
    case CUT_SHORT:
        answer_in_pieces(d, true);
        return;
    case NEVER:
        s->held = d;
        return;
    }
}

static void on_bad_request(struct down *d, unsigned status, const char *sentence)
{
    struct visit *v = d->owner;

    assert_non_null(sentence);
    v->story->bad++;
    answer(d, status, BODY_LENGTH, "bad");
}

static void on_body(struct down *d)
{
    read_body(d);
}

static void on_writable(struct down *d)
{
    fail();
}

static void on_gone(struct down *d)
{
    struct visit *v = d->owner;

    v->story->gone++;
    v->story->held = NULL;
    finish(d);
}

static void on_abandoned(struct down *d)
{
    struct visit *v = d->owner;

    v->story->abandoned++;
    free_visit(v);
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

static void begin(struct story *s, enum behaviour behaviour)
{
    int pair[2];
    struct down_peer peer = { .is_trusted = false };

    *s = (struct story){ .behaviour = behaviour };
    s->loop = loop_new("test");
    buffer_pool_init(&s->buffers, 32768, 16);
    s->server = (struct h1_server){
        .loop = s->loop,
        .buffers = &s->buffers,
        .user = &user,
        .user_data = s,
        .header_bytes = 32768,
        .headers = 50,
        .header_timeout_ms = 100,
        .body_timeout_ms = 100,
        .idle_timeout_ms = 10000,
    };
    h1_server_init(&s->server);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    s->client = pair[0];
    peer.peer.any.sa_family = AF_UNIX;
    h1_down_start(&s->server, pair[1], &peer, NULL);
}

static void end(struct story *s)
{
    if (s->held != NULL) {
        s->held->type->cut(s->held);
        finish(s->held);
    }
    h1_server_close_all(&s->server);
    loop_run_once(s->loop, false);
    close(s->client);
    assert_int_equal(s->server.connection_count, 0);
    assert_int_equal(s->server.idle_count, 0);
    h1_server_fini(&s->server);
    loop_free(&s->loop);
    buffer_pool_fini(&s->buffers);
}

static void turn(struct story *s, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        loop_run_once(s->loop, false);
    }
}

static void say(struct story *s, const char *bytes)
{
    size_t length = strlen(bytes);

    assert_int_equal(write(s->client, bytes, length), (ssize_t)length);
    turn(s, 6);
}

/* What the client has got so far. */
static const char *heard(struct story *s)
{
    static char all[65536];
    ssize_t got = read(s->client, all, sizeof(all) - 1);

    all[got > 0 ? got : 0] = '\0';
    return all;
}

static bool is_ended(struct story *s)
{
    char byte;
    ssize_t got = read(s->client, &byte, 1);

    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static unsigned count(const char *in, const char *what)
{
    unsigned n = 0;

    for (const char *at = strstr(in, what); at != NULL; at = strstr(at + 1, what)) {
        n++;
    }
    return n;
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/* A client would wait for the end of the connection otherwise. */
static void says_that_there_is_no_body(void **state)
{
    struct story s;

    begin(&s, EMPTY);
    say(&s, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(heard(&s), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    say(&s, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(heard(&s), "HTTP/1.1 200 OK\r\n\r\n");
    end(&s);
}

static void answers_by_length(void **state)
{
    struct story s;

    begin(&s, FIXED);
    say(&s, GET);
    assert_string_equal(heard(&s), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(s.server.idle_count, 1);
    say(&s, GET);
    assert_int_equal(s.requests, 2);
    end(&s);
}

static void answers_pipelined_requests_in_order(void **state)
{
    struct story s;

    begin(&s, FIXED);
    say(&s, GET GET GET "GET / HTTP/1.1\r\nHo");
    assert_int_equal(count(heard(&s), "hello"), 3);
    say(&s, "st: a\r\n\r\n");
    assert_int_equal(count(heard(&s), "hello"), 1);
    end(&s);
}

static void keeps_pipelined_requests_until_the_first_is_answered(void **state)
{
    struct story s;

    begin(&s, NEVER);
    say(&s, GET GET);
    assert_int_equal(s.requests, 1);
    struct down *first = s.held;
    s.held = NULL;
    s.behaviour = FIXED;
    answer(first, 200, BODY_LENGTH, "first");
    turn(&s, 6);
    assert_int_equal(s.requests, 2);
    assert_non_null(strstr(heard(&s), "first"));
    end(&s);
}

static void reads_bodies_of_every_framing(void **state)
{
    struct story s;

    begin(&s, ECHO);
    say(&s, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
    assert_string_equal(heard(&s), "");
    say(&s, "dy" GET);
    assert_non_null(strstr(heard(&s), "\r\n\r\nbody"));
    say(&s, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_int_equal(s.requests, 3);
    say(&s, "2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n" GET);
    assert_non_null(strstr(heard(&s), "\r\n\r\nabcde"));
    assert_int_equal(s.requests, 4);
    end(&s);
}

static void a_malformed_body_is_told_apart_from_a_client_that_left(void **state)
{
    struct story s;

    begin(&s, ECHO);
    say(&s, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
    assert_int_equal(s.broken_status, 400);
    end(&s);
    begin(&s, ECHO);
    say(&s, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
    shutdown(s.client, SHUT_WR);
    turn(&s, 6);
    assert_int_equal(s.broken_status, 0);
    assert_true(is_ended(&s));
    end(&s);
}

static void answers_of_unknown_length_are_chunked(void **state)
{
    struct story s;

    begin(&s, UNKNOWN);
    say(&s, GET);
    assert_string_equal(heard(&s), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n");
    say(&s, "GET / HTTP/1.0\r\n\r\n");
    assert_string_equal(heard(&s), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhelloworld");
    assert_true(is_ended(&s));
    end(&s);
}

static void a_cut_is_visible(void **state)
{
    struct story s;

    begin(&s, CUT_SHORT);
    say(&s, GET);
    const char *got = heard(&s);
    assert_null(strstr(got, "0\r\n\r\n"));
    assert_true(is_ended(&s));
    end(&s);
}

static void head_answers_have_the_head_only(void **state)
{
    struct story s;

    begin(&s, FIXED);
    say(&s, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" GET);
    const char *got = heard(&s);
    assert_int_equal(count(got, "Content-Length: 5\r\n\r\n"), 2);
    assert_int_equal(count(got, "hello"), 1);
    end(&s);
}

static void says_continue_when_the_body_is_wanted(void **state)
{
    struct story s;

    begin(&s, ECHO);
    say(&s, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_string_equal(heard(&s), "HTTP/1.1 100 Continue\r\n\r\n");
    say(&s, "ok");
    assert_non_null(strstr(heard(&s), "ok"));
    s.behaviour = REFUSE;
    say(&s, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    const char *got = heard(&s);
    assert_null(strstr(got, "100 Continue"));
    assert_non_null(strstr(got, "Connection: close"));
    end(&s);
}

static void a_short_unread_body_is_skipped(void **state)
{
    struct story s;

    begin(&s, REFUSE);
    say(&s, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    assert_non_null(strstr(heard(&s), "401"));
    say(&s, "def" GET);
    assert_non_null(strstr(heard(&s), "401"));
    assert_int_equal(s.requests, 2);
    end(&s);
}

static void a_long_unread_body_ends_the_connection(void **state)
{
    struct story s;

    begin(&s, REFUSE);
    say(&s, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 600000\r\n\r\nabc");
    assert_non_null(strstr(heard(&s), "401"));
    assert_int_equal(s.server.connection_count, 0);
    end(&s);
}

static void refuses_and_closes(void **state)
{
    struct story s;

    begin(&s, FIXED);
    say(&s, "GET / HTTP/1.1\r\nHost : a\r\n\r\n" GET);
    const char *got = heard(&s);
    assert_non_null(strstr(got, "HTTP/1.1 400 "));
    assert_non_null(strstr(got, "Connection: close"));
    assert_int_equal(s.requests, 0);
    assert_int_equal(s.bad, 1);
    end(&s);
}

static void a_long_head_moves_to_a_big_buffer(void **state)
{
    struct story s;
    struct builder b;

    begin(&s, FIXED);
    builder_init(&b, 1 << 20);
    builder_addf(&b, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for (unsigned i = 0; i < 25000; i++) {
        builder_add_byte(&b, 'x');
    }
    char *head = builder_take(&b, NULL);
    say(&s, head);
    MEM_FREE(&head);
    say(&s, "\r\n\r\n");
    assert_non_null(strstr(heard(&s), "hello"));
    end(&s);
}

static void too_long_a_head_is_431(void **state)
{
    struct story s;
    struct builder b;

    begin(&s, FIXED);
    builder_init(&b, 1 << 20);
    builder_addf(&b, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for (unsigned i = 0; i < 33000; i++) {
        builder_add_byte(&b, 'x');
    }
    char *head = builder_take(&b, NULL);
    say(&s, head);
    MEM_FREE(&head);
    assert_non_null(strstr(heard(&s), " 431 "));
    end(&s);
}

static void wait_ms(struct story *s, unsigned ms)
{
    for (unsigned i = 0; i < ms / 5; i++) {
        usleep(5000);
        turn(s, 2);
    }
}

static void a_head_that_does_not_come_is_408(void **state)
{
    struct story s;

    begin(&s, FIXED);
    say(&s, "GET / HTT");
    wait_ms(&s, 200);
    assert_non_null(strstr(heard(&s), " 408 "));
    end(&s);
}

static void a_body_that_does_not_come_is_broken_by_408(void **state)
{
    struct story s;

    begin(&s, ECHO);
    say(&s, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
    wait_ms(&s, 250);
    assert_int_equal(s.broken_status, 408);
    end(&s);
}

static void a_client_that_leaves_inside_a_head_is_forgotten(void **state)
{
    struct story s;

    begin(&s, FIXED);
    say(&s, "GET / HTT");
    close(s.client);
    turn(&s, 6);
    assert_int_equal(s.abandoned, 1);
    assert_int_equal(s.server.connection_count, 0);
    s.client = dup(0);
    end(&s);
}

static void a_client_that_half_closes_still_gets_its_answer(void **state)
{
    struct story s;

    begin(&s, NEVER);
    say(&s, GET);
    shutdown(s.client, SHUT_WR);
    turn(&s, 6);
    assert_int_equal(s.gone, 0);
    struct down *d = s.held;
    s.held = NULL;
    answer(d, 200, BODY_LENGTH, "late");
    turn(&s, 6);
    assert_non_null(strstr(heard(&s), "late"));
    assert_true(is_ended(&s));
    end(&s);
}

static void draining_says_close(void **state)
{
    struct story s;

    begin(&s, FIXED);
    s.server.is_draining = true;
    say(&s, GET);
    assert_non_null(strstr(heard(&s), "Connection: close"));
    end(&s);
}

static void an_idle_connection_holds_no_buffer(void **state)
{
    struct story s;

    begin(&s, FIXED);
    say(&s, GET);
    assert_int_equal(s.buffers.common.used, 0);
    assert_int_equal(s.server.turns.used, 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_by_length),
        cmocka_unit_test(says_that_there_is_no_body),
        cmocka_unit_test(answers_pipelined_requests_in_order),
        cmocka_unit_test(keeps_pipelined_requests_until_the_first_is_answered),
        cmocka_unit_test(reads_bodies_of_every_framing),
        cmocka_unit_test(a_malformed_body_is_told_apart_from_a_client_that_left),
        cmocka_unit_test(answers_of_unknown_length_are_chunked),
        cmocka_unit_test(a_cut_is_visible),
        cmocka_unit_test(head_answers_have_the_head_only),
        cmocka_unit_test(says_continue_when_the_body_is_wanted),
        cmocka_unit_test(a_short_unread_body_is_skipped),
        cmocka_unit_test(a_long_unread_body_ends_the_connection),
        cmocka_unit_test(refuses_and_closes),
        cmocka_unit_test(a_long_head_moves_to_a_big_buffer),
        cmocka_unit_test(too_long_a_head_is_431),
        cmocka_unit_test(a_head_that_does_not_come_is_408),
        cmocka_unit_test(a_body_that_does_not_come_is_broken_by_408),
        cmocka_unit_test(a_client_that_leaves_inside_a_head_is_forgotten),
        cmocka_unit_test(a_client_that_half_closes_still_gets_its_answer),
        cmocka_unit_test(draining_says_close),
        cmocka_unit_test(an_idle_connection_holds_no_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
