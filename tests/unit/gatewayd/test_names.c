/* SPDX-License-Identifier: Apache-2.0 */
/* test_names.c - names of targets follow a name server, and outlive its failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gatewayd/net/resolve.h"
#include "gatewayd/route/names.h"
#include "gatewayd/route/snapshot.h"

/* ---- a name server for one name: 10.0.0.1 to 10.0.0.N, with a TTL of one second ---- */

struct server {
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_int addresses; /* 0: no such name; -1: it fails */
    atomic_int asked;
    atomic_bool ends;
};

static size_t put_address(unsigned char *at, unsigned number)
{
    static const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 10, 0, 0 };

    memcpy(at, record, sizeof(record));
    at[sizeof(record)] = (unsigned char)number;
    return sizeof(record) + 1;
}

static size_t answer(struct server *s, unsigned char *m, size_t length)
{
    int addresses = atomic_load(&s->addresses);
    size_t name_end = 12 + strlen((char *)m + 12) + 1;
    size_t end = name_end + 4;
    bool is_a = m[name_end + 1] == 1;

    if (end > length)
        return 0;
    m[2] = 0x85;
    m[3] = addresses < 0 ? 2 : addresses == 0 ? 3 : 0;
    memset(m + 6, 0, 6);
    for (int i = 1; is_a && i <= addresses; i++) {
        end += put_address(m + end, (unsigned)i);
        m[7]++;
    }
    atomic_fetch_add(&s->asked, is_a);
    return end;
}

static void *run_server(void *arg)
{
    struct server *s = arg;
    unsigned char message[1000];

    while (!atomic_load(&s->ends)) {
        struct sockaddr_in from;
        socklen_t size = sizeof(from);
        ssize_t got;

        if (poll(&(struct pollfd){ .fd = s->fd, .events = POLLIN }, 1, 20) <= 0)
            continue;
        got = recvfrom(s->fd, message, sizeof(message), 0, (struct sockaddr *)&from, &size);
        if (got > 16) {
            size_t length = answer(s, message, (size_t)got);

            (void)sendto(s->fd, message, length, 0, (struct sockaddr *)&from, size);
        }
    }
    return NULL;
}

static void server_start(struct server *s, int addresses)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof(at);

    memset(s, 0, sizeof(*s));
    atomic_store(&s->addresses, addresses);
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &size), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, run_server, s), 0);
}

static void server_stop(struct server *s)
{
    atomic_store(&s->ends, true);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* ---- the bench ---- */

struct bench {
    struct server server;
    struct loop *loop;
    struct resolve *resolve;
    struct names *names;
    unsigned changes;
    struct snapshot_compiler *compiler;
};

static void on_changed(void *arg)
{
    struct bench *b = arg;

    b->changes++;
}

static void init(struct bench *b, int addresses)
{
    char servers[40];

    if (metrics_slot == 0) {
        metrics_start(1);
        metrics_use_slot(1);
    }
    memset(b, 0, sizeof(*b));
    server_start(&b->server, addresses);
    snprintf(servers, sizeof(servers), "127.0.0.1:%u", b->server.port);
    b->loop = loop_new("test");
    b->resolve = resolve_new(b->loop, text_of(servers));
    assert_non_null(b->resolve);
    b->names = names_new(b->loop, b->resolve, on_changed, b);
}

static void fini(struct bench *b)
{
    names_free(&b->names);
    resolve_free(&b->resolve);
    loop_run_once(b->loop, false);
    loop_free(&b->loop);
    server_stop(&b->server);
}

static bool wait_for_changes(struct bench *b, unsigned changes, unsigned ms)
{
    uint64_t end = clock_read_ms() + ms;

    while (b->changes < changes && clock_read_ms() < end) {
        loop_run_once(b->loop, false);
        usleep(500);
    }
    return b->changes >= changes;
}

static size_t count_of(const struct name *name)
{
    size_t count;

    (void)names_addresses(name, &count);
    return count;
}

/* ---- stories ---- */

static void a_name_is_looked_up_and_again_when_its_ttl_ends(void **state)
{
    struct bench b;
    struct name *name;
    struct address expected;
    size_t count;

    init(&b, 2);
    name = names_take(b.names, TEXT_OF("api.test"), 8080);
    assert_false(names_is_answered(name));
    assert_true(wait_for_changes(&b, 1, 20000));
    assert_true(names_is_answered(name));
    assert_true(address_parse(TEXT_OF("10.0.0.1:8080"), &expected));
    assert_true(address_equals(names_addresses(name, &count), &expected));
    assert_int_equal(count, 2);
    atomic_store(&b.server.addresses, 3);
    assert_true(wait_for_changes(&b, 2, 20000));
    assert_int_equal(count_of(name), 3);
    int asked = atomic_load(&b.server.asked); /* again and again, and nothing new */
    for (int i = 0; i < 200 && atomic_load(&b.server.asked) < asked + 2; i++)
        assert_false(wait_for_changes(&b, 3, 100));
    assert_true(atomic_load(&b.server.asked) >= asked + 2);
    names_give(&name);
    fini(&b);
}

static void a_failure_keeps_what_was_known(void **state)
{
    struct bench b;
    struct name *name;

    init(&b, 1);
    name = names_take(b.names, TEXT_OF("api.test"), 80);
    assert_true(wait_for_changes(&b, 1, 20000));
    atomic_store(&b.server.addresses, 0);
    assert_false(wait_for_changes(&b, 2, 1600));
    assert_int_equal(count_of(name), 1);
    atomic_store(&b.server.addresses, 4);
    assert_true(wait_for_changes(&b, 2, 20000));
    assert_int_equal(count_of(name), 4);
    names_give(&name);
    fini(&b);
}

static void who_fails_from_the_start_is_answered_too_and_tried_again(void **state)
{
    struct bench b;
    int64_t since = 0;
    struct name *name;

    init(&b, -1);
    name = names_take(b.names, TEXT_OF("api.test"), 80);
    assert_true(wait_for_changes(&b, 1, 20000));
    assert_true(names_is_answered(name));
    assert_int_equal(count_of(name), 0);
    assert_non_null(names_find_failure(b.names, TEXT_OF("api.test"), 80, &since));
    assert_true(since > 0);
    assert_null(names_find_failure(b.names, TEXT_OF("api.test"), 81, &since));
    atomic_store(&b.server.addresses, 1);
    assert_true(wait_for_changes(&b, 2, 20000));
    assert_null(names_find_failure(b.names, TEXT_OF("api.test"), 80, &since));
    assert_int_equal(count_of(name), 1);
    names_give(&name);
    fini(&b);
}

static void one_name_is_one_question(void **state)
{
    struct bench b;
    struct name *first;
    struct name *second;
    struct name *other;

    init(&b, 1);
    first = names_take(b.names, TEXT_OF("api.test"), 80);
    second = names_take(b.names, TEXT_OF("api.test"), 80);
    other = names_take(b.names, TEXT_OF("api.test"), 81);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, other);
    names_give(&first);
    names_give(&other); /* while it is being looked up */
    assert_true(wait_for_changes(&b, 1, 20000));
    names_give(&second);
    fini(&b);
}

/* ---- the whole way: an upstream whose name changes ---- */

static void release(struct snapshot *snapshot, void *arg)
{
    struct bench *b = arg;

    snapshot_free(b->compiler, &snapshot);
}

static struct resources *make_upstream(void)
{
    struct resources *empty = resources_new();
    struct resources_draft *draft = resources_draft_new(empty);
    struct resources *sealed;
    struct resource *resource;
    struct problems ps;

    problems_init(&ps);
    resource = resource_parse(
        RESOURCE_UPSTREAM,
        TEXT_OF("{\"name\":\"u\",\"targets\":[{\"address\":\"api.test:80\",\"weight\":7}]}"), NULL,
        &ps);
    assert_non_null(resource);
    (void)resources_draft_put(draft, resource, NULL);
    assert_true(resources_draft_seal(&draft, NULL, &ps, &sealed));
    problems_fini(&ps);
    resource_unref(&resource);
    resources_unref(&empty);
    return sealed;
}

/* Steps until there is a snapshot; NULL after twenty seconds. */
static struct snapshot *compile(struct bench *b)
{
    uint64_t end = clock_read_ms() + 20000;

    while (clock_read_ms() < end) {
        if (snapshot_compiler_step(b->compiler, 2000) == SNAPSHOT_READY)
            return snapshot_compiler_take(b->compiler);
        loop_run_once(b->loop, false);
        usleep(500);
    }
    return NULL;
}

static void all_addresses_of_a_name_are_targets(void **state)
{
    struct bench b;
    struct snapshot_settings settings = { .workers = 1, .hooks = { .arg = &b } };
    struct resources *resources = make_upstream();
    struct snapshot *first;
    struct snapshot *second;

    init(&b, 2);
    settings.loop = b.loop;
    settings.resolve = b.resolve;
    settings.hooks.release = release;
    b.compiler = snapshot_compiler_new(&settings);
    snapshot_compiler_begin(b.compiler, resources);
    assert_int_equal(snapshot_compiler_step(b.compiler, 2000), SNAPSHOT_WAIT);
    first = compile(&b);
    assert_non_null(first);
    assert_int_equal(first->fleets[0]->member_count, 2);
    assert_int_equal(first->fleets[0]->members[1].weight, 7);
    assert_int_equal(snapshot_compiler_step(b.compiler, 2000), SNAPSHOT_IDLE);
    atomic_store(&b.server.addresses, 3);
    second = compile(&b);
    assert_non_null(second);
    assert_ptr_equal(second->resources, first->resources);
    assert_ptr_equal(second->router, first->router);
    assert_int_equal(second->fleets[0]->member_count, 3);
    assert_non_null(fleet_find(second->fleets[0], first->fleets[0]->members[0].target));
    snapshot_unref(&first);
    snapshot_unref(&second);
    snapshot_compiler_free(&b.compiler);
    resources_unref(&resources);
    fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_looked_up_and_again_when_its_ttl_ends),
        cmocka_unit_test(a_failure_keeps_what_was_known),
        cmocka_unit_test(who_fails_from_the_start_is_answered_too_and_tried_again),
        cmocka_unit_test(one_name_is_one_question),
        cmocka_unit_test(all_addresses_of_a_name_are_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
