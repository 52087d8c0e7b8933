/* SPDX-License-Identifier: Apache-2.0 */
/* exchange*.c, stage_*.c, access.c: whole exchanges that need no upstream. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gatewayd/core/log_writer.h"
#include "loopback.h"

#define RESOURCES                                                                                  \
    "{'upstreams':[{'name':'nobody','targets':[{'address':'127.0.0.1:1','drain':true}]}],"         \
    "'plans':[{'name':'small','limits':[{'name':'plan','rate':1,'per':'1h','burst':2}]}],"         \
    "'routes':["                                                                                   \
    "{'name':'page','match':{'paths':['/page']},'respond':{'status':200,"                          \
    "'headers':{'Content-Type':'text/plain'},'body':'hello'}},"                                    \
    "{'name':'moved','match':{'paths':['/old/{id}']},'redirect':{'location':'/new/{id}{query}'}}," \
    "{'name':'post','match':{'paths':['/post'],'methods':['POST']},'respond':{'status':204}},"     \
    "{'name':'keyed','match':{'paths':['/keyed']},'auth':{'methods':['key'],'groups':['staff']},"  \
    "'respond':{'body':'in'}},"                                                                    \
    "{'name':'maybe','match':{'paths':['/maybe']},'auth':{'optional':true},"                       \
    "'respond':{'body':'in'}},"                                                                    \
    "{'name':'planned','match':{'paths':['/planned']},'auth':{},'respond':{'body':'in'}},"         \
    "{'name':'limited','match':{'paths':['/limited']},'limits':[{'name':'l','rate':1,'per':'1h',"  \
    "'burst':2,'by':'ip'}],'respond':{'body':'in'}},"                                              \
    "{'name':'up','match':{'paths':['/up']},'upstream':'nobody'},"                                 \
    "{'name':'keep','match':{'paths':['/keep']},'encoded_slash':'keep','respond':{}}]}"

static int set_up(void **state)
{
    struct loopback *l = malloc(sizeof(*l));

    loopback_init(l, RESOURCES);
    *state = l;
    return 0;
}

static int tear_down(void **state)
{
    loopback_fini(*state);
    free(*state);
    return 0;
}

static void expect_status(struct loopback *l, const char *request, unsigned status,
                          const char *problem)
{
    struct loopback_down d;

    loopback_send(l, &d, request);
    assert_int_equal(d.head.status, status);
    assert_true(d.is_ended && d.is_released && !d.is_cut);
    if (problem != NULL) {
        assert_non_null(strstr(d.answer, problem));
        assert_true(loopback_has_header(&d, "Content-Type: application/problem+json"));
        assert_non_null(strstr(d.answer, "\"request_id\":\""));
    }
    loopback_end(l, &d);
}

#define HOST " HTTP/1.1\r\nHost: a\r\n"

static void a_page_is_sent_as_it_is(void **state)
{
    struct loopback_down d;

    loopback_send(*state, &d, "GET /page" HOST "\r\n");
    assert_int_equal(d.head.status, 200);
    assert_string_equal(d.answer, "hello");
    assert_int_equal(d.head.framing, BODY_LENGTH);
    assert_int_equal(d.head.body_length, 5);
    assert_true(loopback_has_header(&d, "Content-Type: text/plain"));
    assert_non_null(strstr(d.headers, "X-Request-Id: "));
    assert_non_null(strstr(d.headers, "Date: "));
    loopback_end(*state, &d);
}

static void head_gets_the_same_head(void **state)
{
    struct loopback_down d;

    loopback_send(*state, &d, "HEAD /page" HOST "\r\n");
    assert_int_equal(d.head.status, 200);
    assert_int_equal(d.head.body_length, 5);
    assert_int_equal(d.length, 0);
    loopback_end(*state, &d);
}

static void a_slow_client_gets_it_piece_by_piece(void **state)
{
    struct loopback *l = *state;
    struct loopback_down d;

    loopback_first_room = 2;
    loopback_send(l, &d, "GET /page" HOST "\r\n");
    assert_string_equal(d.answer, "he");
    assert_false(d.is_released);
    assert_int_equal(l->exchanges.count, 1);
    d.room = 1;
    exchanges_down_user.on_writable(&d.down);
    assert_string_equal(d.answer, "hel");
    d.room = SIZE_MAX;
    exchanges_down_user.on_writable(&d.down);
    assert_string_equal(d.answer, "hello");
    loopback_end(l, &d);
}

static void redirects_fill_in_what_matched(void **state)
{
    struct loopback_down d;

    loopback_send(*state, &d, "GET /old/a%20b?q=1" HOST "\r\n");
    assert_int_equal(d.head.status, 308);
    assert_true(loopback_has_header(&d, "Location: /new/a%20b?q=1"));
    loopback_end(*state, &d);
}

static void what_no_route_takes(void **state)
{
    struct loopback_down d;

    expect_status(*state, "GET /nothing" HOST "\r\n", 404, "problem:no-route\"");
    expect_status(*state, "OPTIONS *" HOST "\r\n", 204, NULL);
    loopback_send(*state, &d, "GET /post" HOST "\r\n");
    assert_int_equal(d.head.status, 405);
    assert_true(loopback_has_header(&d, "Allow: POST"));
    loopback_end(*state, &d);
}

static void encoded_slashes_are_refused_unless_kept(void **state)
{
    expect_status(*state, "GET /page/a%2Fb" HOST "\r\n", 400, "encoded-slash");
    expect_status(*state, "GET /keep/a%2Fb" HOST "\r\n", 200, NULL);
}

static void what_cannot_be_read_is_answered(void **state)
{
    expect_status(*state, "GET /page HTTP/1.1\r\n\r\n", 400, "needs a Host header");
    expect_status(*state, "GET /page HTTP/3.0\r\n\r\n", 505, "version-not-supported");
}

static void keys_are_asked_for_and_looked_at(void **state)
{
    struct loopback *l = *state;
    char request[256];
    uint64_t id;
    struct key_handle handle;
    struct loopback_down d;
    char *key = loopback_add_key(l, "acme", NULL, &id);

    loopback_send(l, &d, "GET /keyed" HOST "\r\n");
    assert_int_equal(d.head.status, 401);
    assert_true(loopback_has_header(&d, "WWW-Authenticate: Bearer realm=\"gatewayd\""));
    loopback_end(l, &d);
    expect_status(l, "GET /keyed" HOST "X-API-Key: gwk_nonsense\r\n\r\n", 401, "key-unknown");
    /* Another's Bearer token is none of ours, so there is no key. */
    expect_status(l, "GET /keyed" HOST "Authorization: Bearer eyJhbGciOiJub25l\r\n\r\n", 401,
                  "key-missing");
    snprintf(request, sizeof(request), "GET /keyed" HOST "X-API-Key: %s\r\n\r\n", key);
    expect_status(l, request, 200, NULL);
    snprintf(request, sizeof(request), "GET /keyed" HOST "Authorization: bearer %s\r\n\r\n", key);
    expect_status(l, request, 200, NULL);
    /* X-API-Key alone counts if it is there. */
    snprintf(request, sizeof(request),
             "GET /keyed" HOST "X-API-Key: x\r\nAuthorization: Bearer %s\r\n\r\n", key);
    expect_status(l, request, 401, "key-unknown");
    /* Two of them: neither. */
    snprintf(request, sizeof(request), "GET /keyed" HOST "X-API-Key: %s\r\nX-API-Key: x\r\n\r\n",
             key);
    expect_status(l, request, 401, "key-unknown");
    assert_true(credentials_revoke(l->credentials, id, 0, 2, &handle));
    snprintf(request, sizeof(request), "GET /keyed" HOST "X-API-Key: %s\r\n\r\n", key);
    expect_status(l, request, 401, "key-revoked");
    free(key);
}

static void an_optional_key_may_be_missing_but_not_wrong(void **state)
{
    expect_status(*state, "GET /maybe" HOST "\r\n", 200, NULL);
    expect_status(*state, "GET /maybe" HOST "Authorization: Basic eA==\r\n\r\n", 200, NULL);
    expect_status(*state, "GET /maybe" HOST "X-API-Key: gwk_wrong\r\n\r\n", 401, "key-unknown");
}

static void groups_decide_who_may(void **state)
{
    struct loopback *l = *state;
    char request[256];
    uint64_t id;
    char *key = loopback_add_key(l, "guest", "small", &id);

    snprintf(request, sizeof(request), "GET /keyed" HOST "X-API-Key: %s\r\n\r\n", key);
    expect_status(l, request, 403, "group-missing");
    free(key);
}

static void limits_are_kept_and_told(void **state)
{
    struct loopback_down d;
    static const char request[] = "GET /limited" HOST "\r\n";

    loopback_send(*state, &d, request);
    assert_int_equal(d.head.status, 200);
    assert_true(loopback_has_header(&d, "RateLimit-Policy: \"l\";q=2;w=7200"));
    assert_non_null(strstr(d.headers, "RateLimit: \"l\";r=1;"));
    loopback_end(*state, &d);
    expect_status(*state, request, 200, NULL);
    loopback_send(*state, &d, request);
    assert_int_equal(d.head.status, 429);
    assert_non_null(strstr(d.headers, "Retry-After: "));
    assert_non_null(strstr(d.headers, "RateLimit: \"l\";r=0;"));
    loopback_end(*state, &d);
}

static void plans_apply_to_their_consumers(void **state)
{
    struct loopback *l = *state;
    char request[256];
    uint64_t id;
    char *key = loopback_add_key(l, "tiny", "small", &id);

    loopback_publish(l, RESOURCES);
    snprintf(request, sizeof(request), "GET /planned" HOST "X-API-Key: %s\r\n\r\n", key);
    expect_status(l, request, 200, NULL);
    expect_status(l, request, 200, NULL);
    expect_status(l, request, 429, "rate-limited");
    free(key);
}

static void nobody_in_service_is_503_at_once(void **state)
{
    expect_status(*state, "GET /up" HOST "\r\n", 503, "no-target");
}

static void a_body_that_is_too_large_is_refused_before_it_is_read(void **state)
{
    struct loopback_down d;

    loopback_send(*state, &d, "POST /up" HOST "Content-Length: 1001\r\n\r\nx");
    assert_int_equal(d.head.status, 413);
    assert_int_equal(d.rest.length, 1);
    loopback_end(*state, &d);
    expect_status(*state, "POST /up" HOST "Content-Length: 1000\r\n\r\nx", 503, NULL);
}

static void without_a_configuration_it_is_503(void **state)
{
    struct loopback l;

    loopback_init(&l, NULL);
    expect_status(&l, "GET /" HOST "\r\n", 503, "not-ready");
    loopback_fini(&l);
}

static void a_client_that_goes_takes_the_answer_along(void **state)
{
    struct loopback *l = *state;
    struct loopback_down d;

    loopback_first_room = 2;
    loopback_send(l, &d, "GET /page" HOST "\r\n");
    exchanges_down_user.on_gone(&d.down);
    assert_true(d.is_released);
    assert_int_equal(l->exchanges.count, 0);
    loopback_end(l, &d);
    assert_int_equal(l->exchanges.blocks.used, 0);
}

/* The memory of a request: one block, and nothing from the heap. */
static void an_exchange_has_the_size_we_think(void **state)
{
    assert_true(sizeof(struct exchange) <= 2560);
}

static void an_exchange_is_one_line(void **state)
{
    char path[] = "/tmp/gatewayd-access-XXXXXX";
    char line[4096];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_true(log_writer_start(text_of(path)));
    expect_status(*state, "GET /page?secret=1" HOST "\r\n", 200, NULL);
    log_writer_flush();
    log_writer_stop();
    ssize_t n = read(fd, line, sizeof(line) - 1);
    assert_true(n > 0);
    line[n] = '\0';
    assert_int_equal(strchr(line, '\n') - line, n - 1);
    assert_non_null(strstr(line, "\"route\":\"page\""));
    assert_non_null(strstr(line, "\"status\":200"));
    assert_non_null(strstr(line, "\"client\":\"192.0.2.1\""));
    assert_non_null(strstr(line, "\"bytes_out\":5"));
    assert_null(strstr(line, "secret"));
    close(fd);
    unlink(path);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_page_is_sent_as_it_is),
        CASE(head_gets_the_same_head),
        CASE(a_slow_client_gets_it_piece_by_piece),
        CASE(redirects_fill_in_what_matched),
        CASE(what_no_route_takes),
        CASE(encoded_slashes_are_refused_unless_kept),
        CASE(what_cannot_be_read_is_answered),
        CASE(keys_are_asked_for_and_looked_at),
        CASE(an_optional_key_may_be_missing_but_not_wrong),
        CASE(groups_decide_who_may),
        CASE(limits_are_kept_and_told),
        CASE(plans_apply_to_their_consumers),
        CASE(nobody_in_service_is_503_at_once),
        CASE(a_body_that_is_too_large_is_refused_before_it_is_read),
        CASE(a_client_that_goes_takes_the_answer_along),
        CASE(an_exchange_is_one_line),
        cmocka_unit_test(without_a_configuration_it_is_503),
        cmocka_unit_test(an_exchange_has_the_size_we_think),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
