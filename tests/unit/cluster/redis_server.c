/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cluster/redis_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/base/builder.h"
#include "conf/base/mem.h"
#include "tests/unit/cluster/fair_clock.h"
#include "tests/unit/cluster/folder.h"
#include "tests/unit/gatewayd/certificates.h"
#include "tests/unit/gatewayd/cmocka_all.h"

#define PATIENCE_NS 20000000000ull

/* ---- the process ---------------------------------------------------------------------------- */

/* Below those that the kernel gives to whoever connects, and beside those of the stories: a port is
 * still ours when its server is started again. */
#define PORT_FIRST 32000
#define PORT_COUNT 768

static bool is_free(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    bool is_bound = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return is_bound;
}

static int find_port(void)
{
    static unsigned turn;
    if (turn == 0)
        turn = (unsigned)getpid() * 37;
    for (int i = 0; i < PORT_COUNT; i++) {
        int port = PORT_FIRST + (int)(turn++ % PORT_COUNT);
        if (is_free(port))
            return port;
    }
    fail_msg("no free port");
    return 0;
}

/* The line of cluster/redis.acl with a password. */
static void write_users(const struct redis_server_process *s)
{
    struct arena arena;
    struct problems ps;
    struct text all;
    struct text line;
    struct builder b;
    arena_init(&arena, SIZE_MAX);
    problems_init(&ps);
    builder_init(&b, 65536);
    FILE *f = fopen("cluster/redis.acl", "r");
    assert_non_null(f);
    char *bytes = arena_alloc(&arena, 65536);
    all = text_from(bytes, fread(bytes, 1, 65536, f));
    fclose(f);
    builder_addf(&b, "user default on >%s ~* &* +@all\n", REDIS_SERVER_ADMIN_PASSWORD);
    while (all.at != NULL && text_cut(&all, '\n', &line)) {
        const char *mark = "PASSWORD";
        if (!text_starts_with(line, TEXT_OF("user ")))
            continue;
        const char *at = memmem(line.at, line.length, mark, strlen(mark));
        assert_non_null(at);
        builder_add(&b, text_from(line.at, (size_t)(at - line.at)));
        builder_add(&b, TEXT_OF(REDIS_SERVER_PASSWORD));
        builder_add(&b, text_skip(line, (size_t)(at - line.at) + strlen(mark)));
        builder_add_byte(&b, '\n');
    }
    folder_write(s->folder, "users.acl", builder_text(&b));
    builder_fini(&b);
    problems_fini(&ps);
    arena_reset(&arena);
}

static void write_config(const struct redis_server_process *s, const char *settings,
                         const char *tls)
{
    struct builder b;
    builder_init(&b, 65536);
    builder_addf(&b,
                 "bind 127.0.0.1\ndir %s\nsave \"\"\nappendonly yes\naclfile %s/users.acl\n"
                 "logfile %s/log\nenable-debug-command yes\nmasterauth %s\n",
                 s->folder, s->folder, s->folder, REDIS_SERVER_ADMIN_PASSWORD);
    if (tls != NULL) {
        struct tls_certificate c = certificates_get(tls);
        builder_addf(&b,
                     "port 0\ntls-port %d\ntls-cert-file %.*s\ntls-key-file %.*s\n"
                     "tls-ca-cert-file %.*s\ntls-auth-clients optional\n",
                     s->port, TEXT_ARGS(c.cert), TEXT_ARGS(c.key),
                     TEXT_ARGS(certificates_path("ca.pem")));
    } else {
        builder_addf(&b, "port %d\n", s->port);
    }
    /* Later lines win: what a test asks for comes last. */
    builder_addf(&b, "%s\n", settings);
    folder_write(s->folder, "redis.conf", builder_text(&b));
    builder_fini(&b);
}

static bool is_listening(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return is_there;
}

static void spawn(struct redis_server_process *s)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/redis.conf", s->folder);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        const char *program = s->is_sentinel ? "redis-sentinel" : "redis-server";
        execlp(program, program, path, (char *)NULL);
        _exit(127);
    }
    uint64_t until = clock_read_ns() + PATIENCE_NS;
    while (!is_listening(s->port)) {
        assert_int_equal(waitpid(s->pid, NULL, WNOHANG), 0);
        assert_true(clock_read_ns() < until);
        usleep(2000);
    }
}

void redis_server_start(struct redis_server_process *s, const char *settings, const char *tls)
{
    *s = (struct redis_server_process){ .folder = folder_new(), .port = find_port() };
    write_users(s);
    write_config(s, settings, tls);
    spawn(s);
}

void redis_server_start_sentinel(struct redis_server_process *s, int master_port, int quorum)
{
    struct builder b;
    *s = (struct redis_server_process){ .folder = folder_new(), .port = find_port() };
    s->is_sentinel = true;
    builder_init(&b, 65536);
    builder_addf(&b,
                 "bind 127.0.0.1\nport %d\ndir %s\nlogfile %s/log\nrequirepass %s\n"
                 "sentinel sentinel-pass %s\nsentinel monitor mymaster 127.0.0.1 %d %d\n"
                 "sentinel auth-pass mymaster %s\nsentinel down-after-milliseconds mymaster 500\n"
                 "sentinel failover-timeout mymaster 2000\n",
                 s->port, s->folder, s->folder, REDIS_SERVER_ADMIN_PASSWORD,
                 REDIS_SERVER_ADMIN_PASSWORD, master_port, quorum, REDIS_SERVER_ADMIN_PASSWORD);
    folder_write(s->folder, "redis.conf", builder_text(&b));
    builder_fini(&b);
    spawn(s);
}

void redis_server_kill(struct redis_server_process *s)
{
    if (s->pid == 0)
        return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void redis_server_stop(struct redis_server_process *s)
{
    redis_server_kill(s);
    folder_remove(&s->folder);
}

void redis_server_restart(struct redis_server_process *s)
{
    assert_int_equal(s->pid, 0);
    spawn(s);
}

void redis_server_pause(struct redis_server_process *s)
{
    kill(s->pid, SIGSTOP);
}

void redis_server_go_on(struct redis_server_process *s)
{
    kill(s->pid, SIGCONT);
}

/* The answer to PING, the last of the commands: a server that is busy with a script says so. */
static char *find_end(char *answer)
{
    char *end = strstr(answer, "+PONG\r\n");
    return end != NULL ? end : strstr(answer, "-BUSY");
}

static char *ask(const struct redis_server_process *s, const char *bytes)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)s->port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval patience = { .tv_sec = 20 };
    char *answer = mem_new(65536);
    size_t length = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    while (find_end(answer) == NULL) {
        ssize_t got = read(fd, answer + length, 65535 - length);
        assert_true(got > 0);
        length += (size_t)got;
    }
    close(fd);
    *find_end(answer) = '\0';
    return answer;
}

char *redis_server_ask(const struct redis_server_process *s, const char *words)
{
    char bytes[4096];
    snprintf(bytes, sizeof(bytes), "AUTH %s\r\n%s\r\nPING\r\n", REDIS_SERVER_ADMIN_PASSWORD, words);
    char *all = ask(s, bytes);
    char *answer = mem_copy_text(all + 5, strlen(all + 5)); /* behind "+OK\r\n" of AUTH */
    MEM_FREE(&all);
    return answer;
}

void redis_server_tell(const struct redis_server_process *s, const char *words, const char *answer)
{
    char *got = redis_server_ask(s, words);
    assert_memory_equal(got, answer, strlen(answer));
    MEM_FREE(&got);
}

/* ---- a process' end of it ------------------------------------------------------------------- */

void redis_story_write_password(struct redis_story *s, const char *password)
{
    char line[256];
    snprintf(line, sizeof(line), "%s\n", password);
    folder_write(s->folder, "password", text_of(line));
}

void redis_story_open(struct redis_story *s, const char *servers, const char *more)
{
    struct problems ps;
    struct builder b;
    s->folder = folder_new();
    redis_story_write_password(s, REDIS_SERVER_PASSWORD);
    problems_init(&ps);
    builder_init(&b, 65536);
    builder_addf(&b,
                 "node = \"gw-a\"; listeners = ( { name = \"http\"; address = \"127.0.0.1:1\"; } );"
                 "admin = { address = \"127.0.0.1:2\"; tokens = \"/none\"; };"
                 "state = { store = \"redis\"; dir = \"%s\"; redis = { servers = ( %s );"
                 "user = \"gatewayd\"; password_file = \"%s/password\"; %s }; };",
                 s->folder, servers, s->folder, more);
    s->node = node_config_parse(builder_text(&b), "story", &ps);
    builder_clear(&b);
    for (size_t i = 0; i < ps.count; i++)
        problem_print(&ps.items[i], &b);
    if (s->node == NULL)
        fail_msg("%.*s", TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
    s->control = loop_new("control");
    s->mailbox = mailbox_new(s->control);
    s->thread = store_thread_new(s->mailbox);
    s->redis = redis_new(s->node, s->thread, &ps);
    if (s->redis == NULL)
        fail_msg("%s", ps.items[0].sentence);
    problems_fini(&ps);
    redis_start(s->redis);
}

void redis_story_open_sentinels(struct redis_story *s, const struct redis_server_process *sentinels,
                                size_t count)
{
    char servers[1024] = "";
    char more[4096];
    char *folder = folder_new();
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(servers);
        snprintf(servers + length, sizeof(servers) - length, "%s\"127.0.0.1:%d\"",
                 i == 0 ? "" : ", ", sentinels[i].port);
    }
    folder_write(folder, "password", TEXT_OF(REDIS_SERVER_ADMIN_PASSWORD "\n"));
    snprintf(more, sizeof(more),
             "sentinel = { master = \"mymaster\"; password_file = \"%s/password\"; };", folder);
    redis_story_open(s, servers, more);
    folder_remove(&folder);
}

void redis_story_open_for(struct redis_story *s, const struct redis_server_process *server,
                          const char *more)
{
    char servers[64];
    snprintf(servers, sizeof(servers), "\"127.0.0.1:%d\"", server->port);
    redis_story_open(s, servers, more);
}

void redis_story_close(struct redis_story *s)
{
    redis_stop(s->redis);
    redis_free(&s->redis);
    store_thread_free(&s->thread);
    mailbox_free(&s->mailbox);
    loop_free(&s->control);
    node_config_unref(&s->node);
    folder_remove(&s->folder);
}

static void on_tick(void *arg)
{
}

/* One turn, of a few milliseconds at most. */
static void turn(struct redis_story *s)
{
    struct loop *loop = store_thread_loop(s->thread);
    struct loop_timer tick;
    loop_timer_init(&tick, loop, on_tick, NULL);
    loop_timer_start(&tick, 2);
    loop_run_once(loop, true);
    loop_timer_stop(&tick);
    loop_run_once(s->control, false);
}

bool redis_story_until(struct redis_story *s, redis_story_fn *condition, void *arg)
{
    uint64_t until = clock_read_ns() + PATIENCE_NS;
    while (!condition(arg)) {
        if (clock_read_ns() > until)
            return false;
        turn(s);
    }
    return true;
}

void redis_story_turn_for(struct redis_story *s, int ms)
{
    uint64_t until = clock_read_ns() + (uint64_t)ms * 1000000;
    while (clock_read_ns() < until)
        turn(s);
}

struct state_of {
    struct redis_link *link;
    bool is_up;
    const char *words;
};

static bool is_so(void *arg)
{
    struct state_of *o = arg;
    if (redis_link_is_up(o->link) != o->is_up)
        return false;
    return o->words == NULL || text_contains(redis_link_reason(o->link), text_of(o->words));
}

static void expect(struct redis_story *s, struct state_of o)
{
    if (!redis_story_until(s, is_so, &o))
        fail_msg("the link is %s: %.*s", redis_link_is_up(o.link) ? "up" : "away",
                 TEXT_ARGS(redis_link_reason(o.link)));
}

void redis_story_expect_up(struct redis_story *s, enum redis_use use, bool is_up)
{
    expect(s, (struct state_of){ redis_link_of(s->redis, use), is_up, NULL });
}

void redis_story_expect_away(struct redis_story *s, enum redis_use use, const char *words)
{
    expect(s, (struct state_of){ redis_link_of(s->redis, use), false, words });
}

static void on_done(void *arg, const struct redis_result *result)
{
    struct redis_story_answer *a = arg;
    struct text text = result->reason;
    assert_false(a->is_there);
    a->is_there = true;
    a->outcome = result->outcome;
    if (result->outcome == REDIS_ANSWERED) {
        assert_non_null(result->reply);
        text = redis_reply_text(result->reply);
        if (!redis_reply_integer(result->reply, &a->integer))
            a->integer = -1;
    }
    snprintf(a->text, sizeof(a->text), "%.*s", TEXT_ARGS(text));
    a->took_ms = (int64_t)(clock_read_ns() - a->began_ns) / 1000000;
    a->fair_ms = (int64_t)(fair_clock_ns() - a->began_fair_ns) / 1000000;
}

void redis_story_call(struct redis_story *s, enum redis_use use, const char *words,
                      int64_t timeout_ms, struct redis_story_answer *a)
{
    struct text split[16];
    size_t count = 0;
    struct text rest = text_of(words);
    while (rest.at != NULL && count < ARRAY_LENGTH(split) && text_cut(&rest, ' ', &split[count]))
        count++;
    *a = (struct redis_story_answer){ .began_ns = clock_read_ns(),
                                      .began_fair_ns = fair_clock_ns() };
    struct redis_call call = { split, count, timeout_ms, on_done, a };
    redis_link_call(redis_link_of(s->redis, use), &call);
    assert_false(a->is_there);
}

static bool is_answered(void *arg)
{
    return ((struct redis_story_answer *)arg)->is_there;
}

void redis_story_wait(struct redis_story *s, struct redis_story_answer *a)
{
    assert_true(redis_story_until(s, is_answered, a));
}
