/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_limits_lua.c - cluster/limits.lua in a real Redis and bucket.c are asked the same, and
 * answer and keep the same, to the last digit: over the whole range of what can be configured, with
 * clocks that jump, holders that come and go, lost memory, quotas over the ends of their windows.
 *
 * The script runs as it is, behind a line that gives it the test's time and keeps the key for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/base/builder.h"
#include "conf/base/mem.h"
#include "conf/base/text.h"
#include "gatewayd/policy/bucket.h"

#define SECOND  1000000ll
#define NOON    (1709208000 * SECOND) /* 2024-02-29T12:00:00Z */
#define HOLDERS 6
#define WORDS   22
#define CLUSTER 16 /* the word that says which */

#define STUB                                                                                       \
    "local redis = (function(real) return { call = function(name, ...) "                           \
    "if name == 'TIME' then return { ARGV[18], ARGV[19] } end "                                    \
    "if name == 'SET' then local key, value, px, keep = ... "                                      \
    "real.call('SET', key .. ':keep', keep) return real.call('SET', key, value) end "              \
    "return real.call(name, ...) end } end)(redis) "

/* ---- a server, and the least of a client ---- */

static char folder[] = "/tmp/gatewayd-lua-XXXXXX";
static char path[64];
static pid_t server;
static FILE *link_in;
static int link_out = -1;

static int try_connect(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static int start_server(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/redis", folder);
    server = fork();
    if (server == 0) {
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--save", "",
               "--dir", folder, "--logfile", "/dev/null", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && link_out < 0; i++) {
        link_out = try_connect();
        if (link_out < 0)
            usleep(20000);
    }
    assert_true(link_out >= 0);
    link_in = fdopen(dup(link_out), "r");
    return 0;
}

static int stop_server(void **state)
{
    if (link_in != NULL)
        fclose(link_in);
    close(link_out);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unlink(path);
    rmdir(folder);
    return 0;
}

static void send_words(const struct text *words, size_t count)
{
    struct builder b;
    builder_init(&b, 1 << 20);
    builder_addf(&b, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++) {
        builder_addf(&b, "$%zu\r\n", words[i].length);
        builder_add(&b, words[i]);
        builder_add(&b, TEXT_OF("\r\n"));
    }
    struct text all = builder_text(&b);
    for (size_t sent = 0; sent < all.length;) {
        ssize_t n = write(link_out, all.at + sent, all.length - sent);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    builder_fini(&b);
}

static void read_line(char *line, int size)
{
    assert_non_null(fgets(line, size, link_in));
    if (line[0] == '-')
        fail_msg("redis: %s", line);
}

/* A bulk text; false: there is none. */
static bool read_bulk(char *into, size_t size)
{
    char line[512];
    read_line(line, sizeof(line));
    assert_int_equal(line[0], '$');
    long length = strtol(line + 1, NULL, 10);
    if (length < 0)
        return false;
    assert_true((size_t)length + 3 < size);
    assert_int_equal(fread(into, 1, (size_t)length + 2, link_in), (size_t)length + 2);
    into[length] = '\0';
    return true;
}

static bool get(const char *key, char *into, size_t size)
{
    struct text words[] = { TEXT("GET"), text_of(key) };
    send_words(words, 2);
    return read_bulk(into, size);
}

static void remove_key(const char *key)
{
    char line[64];
    struct text words[] = { TEXT("DEL"), text_of(key) };
    send_words(words, 2);
    read_line(line, sizeof(line));
}

/* ---- the script ---- */

static char digest[64];

static void load_script(void)
{
    struct builder b;
    char part[4096];
    size_t n;
    FILE *file = fopen("cluster/limits.lua", "r");
    assert_non_null(file);
    builder_init(&b, 1 << 20);
    builder_add(&b, TEXT_OF(STUB));
    while ((n = fread(part, 1, sizeof(part), file)) > 0)
        builder_add(&b, text_from(part, n));
    fclose(file);
    struct text words[] = { TEXT("SCRIPT"), TEXT("LOAD"), builder_text(&b) };
    send_words(words, 3);
    assert_true(read_bulk(digest, sizeof(digest)));
    builder_fini(&b);
}

static struct text cluster; /* which the asking node is of */

static char numbers[WORDS][40];

static struct text print_number(size_t i, int64_t n)
{
    snprintf(numbers[i], sizeof(numbers[i]), "%lld", (long long)n);
    return text_of(numbers[i]);
}

/* What answers of the script are made of. */
static size_t run_script(const char *key, const struct bucket_ask *a, int64_t now, uint64_t run,
                         int64_t *answer)
{
    char name[40];
    char line[64];
    const struct bucket_spec *spec = &a->spec;
    snprintf(name, sizeof(name), "%llx-%llx", (unsigned long long)a->holder.high,
             (unsigned long long)a->holder.low);
    const int64_t values[] = {
        spec->kind,   spec->rate, spec->per,       spec->burst,  spec->period,
        (int64_t)run, 0,          (int64_t)a->seq, a->have,      a->back,
        a->need,      a->want,    a->not_after,    a->returning, a->spent,
        a->cost,      0,          now / SECOND,    now % SECOND
    };
    struct text words[WORDS + 5] = { TEXT("EVALSHA"), text_of(digest), TEXT("2"), text_of(key),
                                     TEXT("{t}:head") };
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
        words[i + 5] = i == 6 ? text_of(name) : print_number(i, values[i]);
    words[5 + CLUSTER] = cluster;
    send_words(words, 5 + ARRAY_LENGTH(values));
    read_line(line, sizeof(line));
    assert_int_equal(line[0], '*');
    size_t count = strtoul(line + 1, NULL, 10);
    for (size_t i = 0; i < count; i++) {
        read_line(line, sizeof(line));
        assert_int_equal(line[0], ':');
        answer[i] = strtoll(line + 1, NULL, 10);
    }
    return count;
}

/* ---- schedules ---- */

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int64_t below(int64_t most)
{
    return (int64_t)(next_random() % (uint64_t)most);
}

/* As many of each length in bits. */
static int64_t any_up_to(int64_t most)
{
    int64_t value = 1 + below((int64_t)1 << below(63 - __builtin_clzll((uint64_t)most) + 1));
    return value > most ? most : value;
}

struct schedule {
    struct bucket bucket;
    struct bucket_spec spec;
    uint64_t seqs[HOLDERS];
    int64_t held[HOLDERS];
    int64_t now;
    uint64_t run;
    int64_t forget_at;
};

static struct bucket_spec any_spec(void)
{
    if (below(4) == 0)
        return (struct bucket_spec){ .kind = LIMIT_QUOTA,
                                     .burst = any_up_to(1000000000000),
                                     .period = (enum limit_period)below(4) };
    struct bucket_spec spec = { .kind = LIMIT_RATE, .rate = any_up_to(1000000000) };
    if (below(4) == 0)
        spec.rate = 1 + below(1000); /* many tokens that come slowly: the longest products */
    spec.per = below(2) == 0 ? 1000 : any_up_to(31ll * 24 * 3600 * 1000);
    spec.burst = below(2) == 0 ? spec.rate : any_up_to(1000000000);
    return spec;
}

static void let_time_pass(struct schedule *s)
{
    static const int64_t steps[] = {
        1,           1000,        20000,         200000,         SECOND,
        12 * SECOND, 90 * SECOND, 4000 * SECOND, 86400 * SECOND, 400 * 86400 * SECOND
    };
    int64_t step = below(steps[below(ARRAY_LENGTH(steps))] + 1);
    if (below(20) == 0)
        step = -below(3600 * SECOND);
    s->now += step;
    /* Over the end of a window, and to both its sides. */
    if (s->spec.kind == LIMIT_QUOTA && below(10) == 0)
        s->now = quota_window(s->spec.period, s->now / 1000).end * 1000 - 1 + below(3);
    if (below(200) == 0)
        s->run++;
    if (s->spec.kind == LIMIT_RATE && below(50) == 0)
        s->spec.burst = any_up_to(1000000000);
    if (s->spec.kind == LIMIT_RATE && below(50) == 0)
        s->spec.rate = any_up_to(below(2) == 0 ? 1000 : 1000000000);
}

static struct bucket_ask any_ask(struct schedule *s, size_t holder)
{
    struct bucket_ask a = {
        .holder = { holder / 2 + 1, (holder + 1) * 0x9e3779b97f4a7c15u },
        .spec = s->spec,
        .seq = below(30) == 0 ? s->seqs[holder] : ++s->seqs[holder],
        .not_after = s->now + (below(30) == 0 ? -1 : below(SECOND)),
        .need = below(3) == 0 ? any_up_to(1 << 30) : below(3),
        .want = below(4) == 0 ? 0 : any_up_to((1 << 30) - 1),
        .returning = below(30) == 0,
    };
    if (s->spec.kind == LIMIT_RATE && below(2) == 0)
        a.cost = any_up_to(below(2) == 0 ? s->spec.burst : 20);
    a.have = below(2) == 0 ? 0 : below(s->held[holder] + 1);
    a.back = below(2) == 0 ? 0 : below(s->held[holder] - a.have + 1);
    if (below(50) == 0)
        a.back += any_up_to(1 << 30);
    if (a.returning && s->spec.kind == LIMIT_QUOTA)
        a.spent = any_up_to(1000000000000);
    return a;
}

/* Within five years, and at the ends of Februaries. */
static int64_t any_time(void)
{
    static const int64_t marches[] = { 1709251200, 1740787200, 1835481600, 4107542400 };
    if (below(2) == 0)
        return NOON + below(5ll * 365 * 86400) * SECOND;
    return (marches[below(4)] - below(40 * 86400)) * SECOND;
}

static void check_kept(const struct schedule *s, const char *key, int64_t keep)
{
    char kept[32768];
    char wanted[128];
    char keep_key[64];
    assert_true(get(key, kept, sizeof(kept)));
    snprintf(wanted, sizeof(wanted), "1 %lld %lld %lld ", (long long)s->run,
             (long long)s->bucket.tokens, (long long)s->bucket.last);
    kept[strnlen(wanted, sizeof(wanted))] = '\0';
    assert_string_equal(kept, wanted);
    snprintf(keep_key, sizeof(keep_key), "%s:keep", key);
    assert_true(get(keep_key, kept, sizeof(kept)));
    assert_int_equal(strtoll(kept, NULL, 10), keep);
}

static void step(struct schedule *s, const char *key)
{
    struct bucket_answer a;
    int64_t there[16];
    let_time_pass(s);
    if (s->now >= s->forget_at) {
        bucket_fini(&s->bucket);
        remove_key(key);
    }
    size_t holder = (size_t)below(HOLDERS);
    struct bucket_ask ask = any_ask(s, holder);
    bool is_taken = bucket_ask(&s->bucket, &ask, s->now, s->run, &a);
    size_t count = run_script(key, &ask, s->now, s->run, there);
    assert_int_equal(there[0], is_taken);
    assert_int_equal(there[1], s->now);
    assert_int_equal(count, is_taken ? 10 : 2);
    if (!is_taken)
        return;
    const int64_t here[] = { 1,           s->now, a.granted, a.held,   a.life,
                             a.ask_again, a.left, a.next,    a.asking, a.is_scarce };
    assert_memory_equal(there, here, sizeof(here));
    s->held[holder] = a.held;
    int64_t keep = (bucket_keep_time(&s->bucket, &s->spec, s->now) + 999) / 1000;
    s->forget_at = s->now + keep * 1000;
    check_kept(s, key, keep);
}

static void both_answer_the_same(void **state)
{
    load_script();
    random_state = 88172645463325252u;
    for (int round = 0; round < 300; round++) {
        struct schedule s = { .now = any_time(), .run = 1 };
        char key[32];
        snprintf(key, sizeof(key), "{t}:limit:%d", round);
        bucket_init(&s.bucket);
        s.spec = any_spec();
        s.forget_at = INT64_MAX;
        for (int i = 0; i < 60; i++)
            step(&s, key);
        bucket_fini(&s.bucket);
        remove_key(key);
    }
}

/* More holders than there is room for, and long texts. */
static void many_holders_are_bounded(void **state)
{
    struct bucket bucket;
    struct bucket_answer here;
    int64_t there[16];
    struct bucket_ask a = { .spec = { LIMIT_RATE, 1000, 1000, 100000, LIMIT_HOUR } };
    bucket_init(&bucket);
    a.need = 3;
    a.seq = 1;
    a.not_after = INT64_MAX / 2;
    for (uint64_t i = 0; i < BUCKET_HOLDERS_MOST + 5; i++) {
        a.holder = (struct bucket_holder){ ~i, i };
        bool is_taken = bucket_ask(&bucket, &a, NOON + (int64_t)i, 7, &here);
        (void)run_script("{t}:many", &a, NOON + (int64_t)i, 7, there);
        assert_int_equal(there[0], is_taken);
        assert_int_equal(is_taken, i < BUCKET_HOLDERS_MOST);
    }
    assert_true(bucket_ask(&bucket, &a, NOON + 200 * SECOND, 7, &here));
    assert_int_equal(run_script("{t}:many", &a, NOON + 200 * SECOND, 7, there), 10);
    assert_int_equal(there[6], here.left);
    bucket_fini(&bucket);
}

/* Nothing is changed in the Redis of another cluster; where there is none yet, and by a node that
 * has none, it is. */
static void in_another_clusters_redis_nothing_changes(void **state)
{
    char kept[4096];
    char line[64];
    int64_t there[16];
    struct text set[] = { TEXT("HSET"), TEXT("{t}:head"), TEXT("cluster"), TEXT("theirs") };
    struct bucket_ask a = { .spec = { LIMIT_RATE, 10, 1000, 10, LIMIT_HOUR }, .need = 1 };
    a.not_after = INT64_MAX / 2;
    a.seq = 1;
    cluster = TEXT_OF("ours");
    assert_int_equal(run_script("{t}:foreign", &a, NOON, 7, there), 10);
    send_words(set, 4);
    read_line(line, sizeof(line));
    remove_key("{t}:foreign");
    assert_int_equal(run_script("{t}:foreign", &a, NOON, 7, there), 2);
    assert_int_equal(there[0], -1);
    assert_false(get("{t}:foreign", kept, sizeof(kept)));
    cluster = TEXT_OF("theirs");
    assert_int_equal(run_script("{t}:foreign", &a, NOON, 7, there), 10);
    cluster = TEXT_EMPTY;
    a.seq++;
    assert_int_equal(run_script("{t}:foreign", &a, NOON, 7, there), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_answer_the_same),
        cmocka_unit_test(many_holders_are_bounded),
        cmocka_unit_test(in_another_clusters_redis_nothing_changes),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
