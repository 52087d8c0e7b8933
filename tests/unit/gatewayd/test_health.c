/* SPDX-License-Identifier: Apache-2.0 */
/* test_health.c - active checks against an origin on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "conf/base/mem.h"
#include "gatewayd/core/loop.h"
#include "gatewayd/health.h"

/* ---- an origin with moods ---- */

enum mood { MOOD_OK, MOOD_TEAPOT, MOOD_INTERIM, MOOD_SILENT, MOOD_HANG_UP, MOOD_BABBLE };

static const char *const answers[] = {
    [MOOD_OK] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    [MOOD_TEAPOT] = "HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n",
    [MOOD_INTERIM] = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
    [MOOD_BABBLE] = "220 mail.example ESMTP\r\n",
};

struct origin {
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_int mood;
    atomic_int asked;
    atomic_bool ends;
    pthread_mutex_t lock; /* of `request` */
    char request[1000];   /* the last one */
};

/* The last request, as a copy into `into`. */
static const char *last_request(struct origin *o, char into[1000])
{
    pthread_mutex_lock(&o->lock);
    memcpy(into, o->request, sizeof(o->request));
    pthread_mutex_unlock(&o->lock);
    return into;
}

static void serve(struct origin *o, int fd)
{
    enum mood mood = (enum mood)atomic_load(&o->mood);
    char request[1000] = "";

    if (mood != MOOD_HANG_UP && read(fd, request, sizeof(request) - 1) < 0)
        request[0] = '\0';
    pthread_mutex_lock(&o->lock);
    memcpy(o->request, request, sizeof(request));
    pthread_mutex_unlock(&o->lock);
    atomic_fetch_add(&o->asked, 1);
    if (mood == MOOD_SILENT)
        (void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 2000);
    else if (mood != MOOD_HANG_UP && write(fd, answers[mood], strlen(answers[mood])) < 0)
        abort();
    close(fd);
}

static void *run_origin(void *arg)
{
    struct origin *o = arg;

    while (!atomic_load(&o->ends)) {
        if (poll(&(struct pollfd){ .fd = o->listener, .events = POLLIN }, 1, 20) > 0)
            serve(o, accept(o->listener, NULL, NULL));
    }
    return NULL;
}

static void origin_start(struct origin *o)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof(at);

    memset(o, 0, sizeof(*o));
    pthread_mutex_init(&o->lock, NULL);
    o->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(o->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(o->listener, 16), 0);
    assert_int_equal(getsockname(o->listener, (struct sockaddr *)&at, &length), 0);
    o->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&o->thread, NULL, run_origin, o), 0);
}

static void origin_stop(struct origin *o)
{
    atomic_store(&o->ends, true);
    pthread_join(o->thread, NULL);
    close(o->listener);
}

/* ---- the bench ---- */

struct bench {
    struct origin origin;
    struct loop *loop;
    struct snapshot_compiler *compiler;
    struct snapshot *snapshot;
    struct health *health;
    bool is_settled;
};

static void release(struct snapshot *snapshot, void *arg)
{
    struct bench *b = arg;

    snapshot_free(b->compiler, &snapshot);
}

static void on_settled(void *arg)
{
    struct bench *b = arg;

    b->is_settled = true;
}

static void follow(struct bench *b, const char *rest)
{
    struct resources *empty = resources_new();
    struct resources_draft *draft = resources_draft_new(empty);
    struct resources *sealed;
    struct resource *resource;
    struct problems ps;
    char json[1000];
    struct snapshot *before = b->snapshot;

    snprintf(json, sizeof(json), "{'name':'u','targets':[{'address':'127.0.0.1:%u'}]%s}",
             b->origin.port, rest);
    for (char *c = json; *c != '\0'; c++) {
        if (*c == '\'')
            *c = '"';
    }
    problems_init(&ps);
    resource = resource_parse(RESOURCE_UPSTREAM, text_of(json), NULL, &ps);
    for (size_t i = 0; i < ps.count; i++)
        fprintf(stderr, "%s\n", ps.items[i].sentence);
    assert_non_null(resource);
    (void)resources_draft_put(draft, resource, NULL);
    assert_true(resources_draft_seal(&draft, NULL, &ps, &sealed));
    snapshot_compiler_begin(b->compiler, sealed);
    while (snapshot_compiler_step(b->compiler, 2000) != SNAPSHOT_READY)
        continue;
    b->snapshot = snapshot_compiler_take(b->compiler);
    health_follow(b->health, b->snapshot);
    snapshot_unref(&before);
    resource_unref(&resource);
    resources_unref(&sealed);
    resources_unref(&empty);
    problems_fini(&ps);
}

static void init(struct bench *b, enum mood mood)
{
    struct snapshot_settings settings = { .workers = 1, .hooks = { .arg = b, .release = release } };

    if (metrics_slot == 0) {
        metrics_start(1);
        metrics_use_slot(1);
    }
    memset(b, 0, sizeof(*b));
    origin_start(&b->origin);
    atomic_store(&b->origin.mood, mood);
    b->loop = settings.loop = loop_new("test");
    b->compiler = snapshot_compiler_new(&settings);
    b->health = health_new(b->loop);
    health_on_settled(b->health, on_settled, b);
}

static void fini(struct bench *b)
{
    health_free(&b->health);
    snapshot_unref(&b->snapshot);
    snapshot_compiler_free(&b->compiler);
    loop_run_once(b->loop, false);
    loop_free(&b->loop);
    origin_stop(&b->origin);
}

static struct target *target_of(struct bench *b)
{
    return snapshot_find_fleet(b->snapshot, TEXT_OF("u"))->members[0].target;
}

static enum target_state state_of(struct bench *b)
{
    return target_of(b)->state;
}

/* Runs the loop until the target is in that state; false after twenty seconds. */
static bool becomes(struct bench *b, enum target_state state)
{
    uint64_t end = clock_read_ms() + 20000;

    while (state_of(b) != state && clock_read_ms() < end) {
        loop_run_once(b->loop, false);
        usleep(500);
    }
    return state_of(b) == state;
}

static void run_for(struct bench *b, unsigned ms)
{
    uint64_t end = clock_read_ms() + ms;

    while (clock_read_ms() < end) {
        loop_run_once(b->loop, false);
        usleep(500);
    }
}

static const char *because_of(struct bench *b)
{
    return target_of(b)->because;
}

/* ---- stories ---- */

/* A busy machine answers late. */
#define CHECKED "'health':{'path':'/ready','interval':'100ms','timeout':'10s'}"
#define HURRIED "'health':{'path':'/ready','interval':'100ms','timeout':'100ms'}"

static void a_new_target_takes_traffic_after_its_first_check(void **state)
{
    struct bench b;

    init(&b, MOOD_OK);
    follow(&b, "," CHECKED);
    assert_int_equal(state_of(&b), TARGET_UNKNOWN);
    assert_false(health_is_settled(b.health));
    assert_true(becomes(&b, TARGET_UP));
    loop_run_once(b.loop, false);
    assert_true(b.is_settled);
    assert_true(health_is_settled(b.health));
    assert_string_equal(because_of(&b), "status 200");
    char request[1000];
    last_request(&b.origin, request);
    assert_non_null(strstr(request, "GET /ready HTTP/1.1\r\nHost: 127.0.0.1:"));
    assert_non_null(strstr(request, "\r\nConnection: close\r\n\r\n"));
    fini(&b);
}

static void one_bad_first_check_is_enough(void **state)
{
    static const struct {
        enum mood mood;
        const char *because;
    } cases[] = {
        { MOOD_TEAPOT, "status 418" },
        { MOOD_SILENT, "timeout after 100ms" },
        { MOOD_HANG_UP, "closed before it answered" },
        { MOOD_BABBLE, "not an HTTP answer" },
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct bench b;

        init(&b, cases[i].mood);
        follow(&b, cases[i].mood == MOOD_SILENT ? "," HURRIED : "," CHECKED);
        assert_true(becomes(&b, TARGET_DOWN));
        if (cases[i].mood != MOOD_HANG_UP)
            assert_string_equal(because_of(&b), cases[i].because);
        fini(&b);
    }
}

static void nobody_there_is_down_because_of_connect(void **state)
{
    struct bench b;

    init(&b, MOOD_OK);
    b.origin.port = 1; /* nobody listens there */
    follow(&b, "," CHECKED);
    assert_true(becomes(&b, TARGET_DOWN));
    assert_string_equal(because_of(&b), "connect: connection refused");
    fini(&b);
}

static void so_many_checks_in_a_row_change_the_state(void **state)
{
    struct bench b;
    int asked;

    init(&b, MOOD_OK);
    follow(&b, ",'health':{'interval':'100ms','timeout':'10s','unhealthy_after':4,"
               "'healthy_after':3}");
    assert_true(becomes(&b, TARGET_UP));
    atomic_store(&b.origin.mood, MOOD_TEAPOT);
    asked = atomic_load(&b.origin.asked);
    assert_true(becomes(&b, TARGET_DOWN));
    assert_in_range(atomic_load(&b.origin.asked) - asked, 4, 5);
    atomic_store(&b.origin.mood, MOOD_OK);
    asked = atomic_load(&b.origin.asked);
    assert_true(becomes(&b, TARGET_UP));
    assert_in_range(atomic_load(&b.origin.asked) - asked, 3, 4);
    fini(&b);
}

static void interim_answers_are_passed_over(void **state)
{
    struct bench b;

    init(&b, MOOD_INTERIM);
    follow(&b, ",'health':{'interval':'100ms','timeout':'10s','expect':['204']}");
    assert_true(becomes(&b, TARGET_UP));
    assert_string_equal(because_of(&b), "status 204");
    fini(&b);
}

static void a_tcp_check_only_connects(void **state)
{
    struct bench b;

    init(&b, MOOD_HANG_UP);
    follow(&b, ",'health':{'type':'tcp','interval':'100ms','timeout':'10s'}");
    assert_true(becomes(&b, TARGET_UP));
    assert_string_equal(because_of(&b), "connected");
    fini(&b);
}

static void checks_survive_a_change_and_end_with_the_setting(void **state)
{
    struct bench b;
    int asked;

    init(&b, MOOD_TEAPOT);
    follow(&b, "," CHECKED);
    assert_true(becomes(&b, TARGET_DOWN));
    follow(&b, ",'connect_timeout':'3s'," CHECKED);
    assert_int_equal(state_of(&b), TARGET_DOWN);
    follow(&b, "");
    assert_int_equal(state_of(&b), TARGET_UP);
    asked = atomic_load(&b.origin.asked);
    run_for(&b, 250);
    assert_int_equal(atomic_load(&b.origin.asked), asked);
    follow(&b, "," CHECKED); /* was in service: three bad checks are needed */
    assert_int_equal(state_of(&b), TARGET_UP);
    assert_true(becomes(&b, TARGET_DOWN));
    assert_in_range(atomic_load(&b.origin.asked) - asked, 3, 4);
    fini(&b);
}

static void without_checks_a_target_is_up_at_once(void **state)
{
    struct bench b;

    init(&b, MOOD_OK);
    follow(&b, "");
    assert_int_equal(state_of(&b), TARGET_UP);
    assert_true(health_is_settled(b.health));
    fini(&b);
}

/* ---- reports ---- */

static void keep_report(void *arg, const struct health_report *r)
{
    char *into = arg;

    sprintf(into + strlen(into), "%.*s %s because %.*s;", TEXT_ARGS(r->address), r->state,
            TEXT_ARGS(r->because));
}

static void reports_say_state_and_reason(void **state)
{
    char report[500] = "";
    char expected[100];
    struct bench b;
    const struct fleet *fleet;

    init(&b, MOOD_OK);
    follow(&b, ",'outlier':{'failures':2,'window':'10s'}," CHECKED);
    assert_true(becomes(&b, TARGET_UP));
    fleet = snapshot_find_fleet(b.snapshot, TEXT_OF("u"));
    health_each(&(struct health_view){ .fleet = fleet, .now = 1000 }, keep_report, report);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u up because status 200;", b.origin.port);
    assert_string_equal(report, expected);
    target_of(&b)->ejected_until = 2000;
    report[0] = '\0';
    health_each(&(struct health_view){ .fleet = fleet, .now = 1000 }, keep_report, report);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u ejected because 2 failures within 10s;",
             b.origin.port);
    assert_string_equal(report, expected);
    fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_target_takes_traffic_after_its_first_check),
        cmocka_unit_test(one_bad_first_check_is_enough),
        cmocka_unit_test(nobody_there_is_down_because_of_connect),
        cmocka_unit_test(so_many_checks_in_a_row_change_the_state),
        cmocka_unit_test(interim_answers_are_passed_over),
        cmocka_unit_test(a_tcp_check_only_connects),
        cmocka_unit_test(checks_survive_a_change_and_end_with_the_setting),
        cmocka_unit_test(without_checks_a_target_is_up_at_once),
        cmocka_unit_test(reports_say_state_and_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
