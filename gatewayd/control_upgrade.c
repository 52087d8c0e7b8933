/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_upgrade.c - another process of the binary on disk takes the place of this one (SIGUSR2,
 * POST /v1/upgrade). handover.h has what the two say to each other; control_inherit.c is the other
 * side.
 *
 * Until the new one says that it serves it may die at any time, or be ended by us: then we take
 * back what we had let go of and go on as if nothing had been. That is why it writes nothing
 * before.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/control_private.h"
#include "gatewayd/handover_child.h"
#include "gatewayd/notify.h"
#include "gatewayd/service.h"

#define POLL_MS 5

/* Without a sign of life; loading tells one each second. */
#define SILENCE_MS 10000
/* All of it, signs of life or not. */
#define TOO_LONG_MS 110000
/* From "mine" until it accepts; who waits for that is not kept waiting for longer. */
#define ACCEPTING_MS 1000
/* How often the process after us hears what is left. */
#define REST_MS 200
/* For a process that said why it ends, or closed its end, to be gone by itself. */
#define GOING_MS 1000

static void fail(struct control *c, const char *format, ...) PRINTF_LIKE(2, 3);

static struct control_upgrade *upgrade_of(struct control *c)
{
    return &c->upgrade;
}

bool control_is_replaced(const struct control *c)
{
    return c->upgrade.phase == CONTROL_UPGRADE_REPLACED;
}

static bool is_under_way(const struct control_upgrade *u)
{
    return u->phase != CONTROL_UPGRADE_IDLE && u->phase != CONTROL_UPGRADE_REPLACED;
}

/* ---- the program ---------------------------------------------------------------------------- */

static char *join_path(struct text folder, const char *name)
{
    struct builder b;

    builder_init(&b, SIZE_MAX);
    builder_add(&b, folder);
    builder_add_byte(&b, '/');
    builder_add(&b, text_of(name));
    return builder_take(&b, &(size_t){ 0 });
}

/* As execvp(3) found it; NULL: it is not there. */
static char *find_in_path(const char *name)
{
    struct text all = text_of(getenv("PATH"));
    struct text folder;

    while (all.at != NULL && text_cut(&all, ':', &folder)) {
        char *file = join_path(text_is_empty(folder) ? TEXT_OF(".") : folder, name);
        if (access(file, X_OK) == 0)
            return file;
        MEM_FREE(&file);
    }
    return NULL;
}

/* Symbolic links stay in it: what they lead to is looked up when it is started. */
void control_set_program(struct control *c, char **argv)
{
    char *file = strchr(argv[0], '/') != NULL ? mem_copy_text(argv[0], strlen(argv[0]))
                                              : find_in_path(argv[0]);
    char folder[4096];

    if (file == NULL)
        file = mem_copy_text("/proc/self/exe", strlen("/proc/self/exe"));
    if (file[0] != '/' && getcwd(folder, sizeof(folder)) != NULL) {
        char *absolute = join_path(text_of(folder), file);
        MEM_FREE(&file);
        file = absolute;
    }
    MEM_FREE(&c->program);
    c->program = file;
    c->arguments = argv;
}

/* ---- what the new process inherits ---------------------------------------------------------- */

static void send_kind(struct control *c, enum handover_kind kind)
{
    handover_link_send(c->upgrade.link, &(struct handover_frame){ .kind = kind }, NULL, 0);
}

static void send_entry(struct control *c, const char *scope, const struct listen_entry *e)
{
    char asked[ADDRESS_TEXT_SIZE];
    struct handover_frame frame = { .kind = HANDOVER_LISTENERS };

    frame.fields[HANDOVER_SCOPE] = text_of(scope);
    frame.fields[HANDOVER_NAME] = text_of(e->name);
    frame.fields[HANDOVER_ADDRESS] = address_print(&e->asked, asked);
    if (e->is_given)
        frame.fields[HANDOVER_FLAGS] = TEXT_OF(HANDOVER_FLAG_GIVEN);
    for (unsigned at = 0; at < e->count; at += HANDOVER_FDS_MOST) {
        unsigned left = e->count - at;
        handover_link_send(c->upgrade.link, &frame, e->fds + at,
                           left < HANDOVER_FDS_MOST ? left : HANDOVER_FDS_MOST);
    }
}

static void send_listeners(struct control *c)
{
    for (size_t i = 0; i < c->heritage_count; i++) {
        LIST_EACH (node, &c->heritages[i].table->entries) {
            struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
            e->is_passed_on = true;
            send_entry(c, c->heritages[i].scope, e);
        }
    }
}

static void send_secret(struct control *c)
{
    unsigned char secret[TLS_TICKET_SECRET_SIZE];
    struct handover_frame frame = { .kind = HANDOVER_SECRET };

    tls_ticket_get_secret(secret);
    frame.fields[HANDOVER_SECRET_BYTES] = text_from((const char *)secret, sizeof(secret));
    handover_link_send(c->upgrade.link, &frame, NULL, 0);
    explicit_bzero(secret, sizeof(secret));
}

/* Those on their way to another node, too; what one has asked for, it asks our successor for. */
static void send_drained_addresses(struct control *c)
{
    struct handover_frame frame = { .kind = HANDOVER_DRAINED };

    frame.fields[HANDOVER_SCOPE] = TEXT_OF(HANDOVER_SCOPE_ADDRESS);
    for (size_t i = 0; c->ha != NULL && i < ha_count(c->ha); i++) {
        struct ha_status status = ha_get(c->ha, i);
        frame.fields[HANDOVER_NAME] = status.address->name;
        if (status.phase != HA_WAITING && status.phase != HA_SERVING && !status.is_asked_for)
            handover_link_send(c->upgrade.link, &frame, NULL, 0);
    }
}

static void send_drained(struct control *c)
{
    struct handover_frame frame = { .kind = HANDOVER_DRAINED };

    if (c->is_draining)
        handover_link_send(c->upgrade.link, &frame, NULL, 0);
    for (size_t i = 0; i < c->listener_count; i++) {
        frame.fields[HANDOVER_NAME] = c->listener_names[i];
        if (c->drained[i])
            handover_link_send(c->upgrade.link, &frame, NULL, 0);
    }
    send_drained_addresses(c);
}

static void send_beginning(struct control *c)
{
    char number[TEXT_NUMBER_SIZE];
    struct handover_frame hello = { .kind = HANDOVER_HELLO };

    hello.fields[HANDOVER_NUMBER] = text_print_u64(HANDOVER_PROTOCOL, number);
    hello.fields[HANDOVER_TEXT] = TEXT_OF(GATEWAYD_VERSION);
    handover_link_send(c->upgrade.link, &hello, NULL, 0);
    send_listeners(c);
    send_secret(c);
    send_drained(c);
    send_kind(c, HANDOVER_END);
}

/* ---- failing -------------------------------------------------------------------------------- */

static void answer(struct control *c, bool is_done, struct text words)
{
    control_upgraded_fn *done = c->upgrade.done;
    void *arg = c->upgrade.arg;

    c->upgrade.done = NULL;
    if (done != NULL)
        done(arg, is_done, words);
}

static void keep_still(struct control *c, bool is_still)
{
    for (size_t i = 0; control_services[i] != NULL; i++) {
        if (control_services[i]->keep_still != NULL)
            control_services[i]->keep_still(c, is_still);
    }
}

static void take_back(struct control *c)
{
    for (size_t i = 0; control_services[i] != NULL; i++) {
        if (control_services[i]->resume != NULL)
            control_services[i]->resume(c);
    }
}

static void forget_listeners(struct control *c)
{
    for (size_t i = 0; i < c->heritage_count; i++) {
        LIST_EACH (node, &c->heritages[i].table->entries) {
            LIST_ITEM(node, struct listen_entry, node)->is_passed_on = false;
        }
    }
}

/* The new process is gone for sure: its locks are free. */
static void go_on(struct control *c)
{
    struct control_upgrade *u = upgrade_of(c);
    char *reason = u->reason;

    loop_timer_stop(&u->poll);
    forget_listeners(c);
    keep_still(c, false);
    if (u->is_released)
        take_back(c);
    control_estate_take_back(c);
    u->is_released = false;
    u->reason = NULL;
    u->phase = CONTROL_UPGRADE_IDLE;
    log_error(&c->log, "the binary is not replaced, this process goes on: %s", reason);
    notify_send("READY=1\nSTATUS=ready; an upgrade failed, see the log");
    answer(c, false, text_of(reason));
    MEM_FREE(&reason);
    if (u->must_quit)
        control_quit(c, 0);
}

static void say_end(struct control_upgrade *u, int status)
{
    char said[128];

    if (WIFSIGNALED(status))
        snprintf(said, sizeof(said), "the new process was killed by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(said, sizeof(said), "the new process ended with status %d; its log says why",
                 WEXITSTATUS(status));
    u->reason = mem_copy_text(said, strlen(said));
}

/* It does not run its program yet, so it has nothing of ours. Told once that is sure, which may
 * be never on a file system that hangs: whoever asked is not kept waiting for it. */
static void look_after_starting(struct control *c)
{
    struct control_upgrade *u = upgrade_of(c);
    uint64_t now = loop_now_ms(c->loop);

    if (now < u->kill_ms)
        return;
    if (!u->is_killed)
        handover_child_kill(u->child);
    u->is_killed = true;
    if (now < u->kill_ms + GOING_MS)
        return;
    answer(c, false, text_of(u->reason));
    if (!u->must_quit)
        return;
    handover_child_free(&u->child);
    close(u->end);
    go_on(c);
}

static void look_after_failing(struct control *c)
{
    struct control_upgrade *u = upgrade_of(c);
    int status = 0;

    if (u->child != NULL) {
        look_after_starting(c);
        return;
    }
    pid_t ended = u->pid == 0 ? 0 : waitpid(u->pid, &status, WNOHANG);

    if (ended == 0 && u->pid != 0) {
        if (!u->is_killed && loop_now_ms(c->loop) >= u->kill_ms) {
            u->is_killed = true;
            kill(u->pid, SIGKILL);
        }
        return;
    }
    if (u->reason == NULL && ended > 0)
        say_end(u, status);
    else if (u->reason == NULL)
        u->reason = mem_copy_text("the new process ended", strlen("the new process ended"));
    u->pid = 0;
    go_on(c);
}

/* `patience_ms`: for it to end by itself. */
static void begin_failing(struct control *c, uint64_t patience_ms)
{
    struct control_upgrade *u = upgrade_of(c);

    u->phase = CONTROL_UPGRADE_FAILING;
    u->kill_ms = loop_now_ms(c->loop) + patience_ms;
    u->is_killed = patience_ms == 0 && u->pid != 0;
    /* Before its link ends: it might take that for our end, and all for its own. */
    if (u->is_killed)
        kill(u->pid, SIGKILL);
    handover_link_free(&u->link);
    loop_timer_start(&u->poll, 0);
}

static void fail(struct control *c, const char *format, ...)
{
    char said[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(said, sizeof(said), format, arguments);
    va_end(arguments);
    MEM_FREE(&c->upgrade.reason);
    c->upgrade.reason = mem_copy_text(said, strlen(said));
    begin_failing(c, 0);
}

/* ---- being replaced ------------------------------------------------------------------------- */

static void on_let_go(void *arg)
{
    struct control *c = arg;

    if (--c->upgrade.holding > 0)
        return;
    for (size_t i = 0; i < c->heritage_count; i++)
        listen_table_drop_passed_on(c->heritages[i].table);
}

static void leave(struct control *c)
{
    for (size_t i = 0; control_services[i] != NULL; i++) {
        if (control_services[i]->leave != NULL)
            control_services[i]->leave(c);
    }
}

static void retire_within(struct control *c, int64_t window_ms)
{
    for (unsigned i = 0; i < c->worker_count; i++)
        worker_retire(c->workers[i], window_ms, window_ms > 0 ? control_spread_ms(c) : 0, on_let_go,
                      control_on_worker_ended, c);
}

/* Only ends what is left. */
static void retire(struct control *c, int64_t window)
{
    c->is_quitting = true;
    c->is_draining = true;
    c->exit_status = 0;
    c->upgrade.holding = c->worker_count;
    control_publish_stop(c);
    leave(c);
    if (c->ha != NULL)
        ha_retire(c->ha);
    retire_within(c, window);
    control_end_within(c, window);
}

/* From now on the supervisor looks after the new process, and hears it. */
static void tell_supervisor(int pid)
{
    char said[64];

    snprintf(said, sizeof(said), "MAINPID=%d\nREADY=1\nSTATUS=ready", pid);
    notify_send(said);
    notify_mute(true);
}

static void print_taken_over(const struct control_upgrade *u, char *said, size_t size)
{
    snprintf(said, size, "process %d (gatewayd %s) has taken over in %llu ms", u->pid, u->version,
             (unsigned long long)(clock_read_ms() - u->began_ms));
}

/* If it is gone before it has read that, we go on as if nothing had been. */
static void on_serving(struct control *c, const struct handover_frame *frame)
{
    if (c->upgrade.phase != CONTROL_UPGRADE_TAKING)
        return;
    c->upgrade.phase = CONTROL_UPGRADE_GIVING;
    log_debug(&c->log, "process %d could serve: it is told that all is its own", c->upgrade.pid);
    /* The operator may have drained something since. */
    send_kind(c, HANDOVER_ANEW);
    send_drained(c);
    send_kind(c, HANDOVER_YOURS);
}

/* What is left here is the node's: its status counts it. */
static void send_rest(struct control *c)
{
    struct control_rest rest = control_get_rest();
    struct handover_frame frame = { .kind = HANDOVER_REST };
    char said[3 * TEXT_NUMBER_SIZE];

    if (memcmp(&rest, &c->upgrade.rest, sizeof(rest)) == 0)
        return;
    c->upgrade.rest = rest;
    snprintf(said, sizeof(said), "%llu %llu %llu", (unsigned long long)rest.connections,
             (unsigned long long)rest.exchanges, (unsigned long long)rest.streams);
    frame.fields[HANDOVER_TEXT] = text_of(said);
    handover_link_send(c->upgrade.link, &frame, NULL, 0);
}

static void on_mine(struct control *c, const struct handover_frame *frame)
{
    struct control_upgrade *u = upgrade_of(c);
    char said[256];

    if (u->phase != CONTROL_UPGRADE_GIVING)
        return;
    u->phase = CONTROL_UPGRADE_REPLACED;
    u->is_told = u->must_quit;
    tell_supervisor(u->pid);
    send_rest(c);
    print_taken_over(u, said, sizeof(said));
    log_info(&c->log, "%s; at most %lld ms for what is in flight here, then the end", said,
             (long long)c->node->timeouts.drain);
    retire(c, c->node->timeouts.drain);
}

/* Who asked for it may come to listeners that are new. */
static void answer_taken_over(struct control *c)
{
    char said[256];

    print_taken_over(upgrade_of(c), said, sizeof(said));
    answer(c, true, text_of(said));
}

static void on_accepting(struct control *c, const struct handover_frame *frame)
{
    if (control_is_replaced(c))
        answer_taken_over(c);
}

/* The supervisor starts anew when we end, for nobody accepts any more; or it is to end all. */
static void on_successor_lost(struct control *c)
{
    struct control_upgrade *u = upgrade_of(c);

    handover_link_free(&u->link);
    loop_timer_stop(&u->poll);
    answer(c, false, TEXT_OF("the new process took over, and ended"));
    if (u->is_bye) {
        log_info(&c->log, "the process that took over has ended: so does this one");
    } else {
        log_error(&c->log, "the process that took over has ended: ending at once, for a new start");
        c->exit_status = 1;
    }
    /* Whether they have let go or not. */
    for (unsigned i = 0; c->workers_running == c->worker_count && i < c->worker_count; i++)
        worker_quit(c->workers[i], 0, 0, control_on_worker_ended, c);
}

/* It has read that all is its own, and may have done anything since. */
static void on_given_up(struct control *c)
{
    c->upgrade.phase = CONTROL_UPGRADE_REPLACED;
    retire(c, 0);
    on_successor_lost(c);
}

bool control_upgrade_is_quiet(const struct control *c)
{
    for (size_t i = 0; control_is_replaced(c) && control_services[i] != NULL; i++) {
        if (control_services[i]->is_quiet != NULL && !control_services[i]->is_quiet(c))
            return false;
    }
    return true;
}

/* ---- what the new process says -------------------------------------------------------------- */

static void on_hello(struct control *c, const struct handover_frame *frame)
{
    struct control_upgrade *u = upgrade_of(c);
    struct text version = text_first(frame->fields[HANDOVER_TEXT], 64);
    uint64_t protocol = 0;

    MEM_FREE(&u->version);
    u->version = mem_copy_text(version.at, version.length);
    if (!handover_number(frame, &protocol) || protocol != HANDOVER_PROTOCOL)
        fail(c,
             "gatewayd %s cannot take over from gatewayd %s (their versions of the hand-over are "
             "%llu and %d): restart the node instead",
             u->version, GATEWAYD_VERSION, (unsigned long long)protocol, HANDOVER_PROTOCOL);
}

/* It has no use for these: they stay ours, to the end. */
static void on_left(struct control *c, const struct handover_frame *frame)
{
    struct address asked;

    if (!address_parse(frame->fields[HANDOVER_ADDRESS], &asked))
        return;
    for (size_t i = 0; i < c->heritage_count; i++) {
        if (!text_equals(text_of(c->heritages[i].scope), frame->fields[HANDOVER_SCOPE]))
            continue;
        LIST_EACH (node, &c->heritages[i].table->entries) {
            struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
            if (address_equals(&e->asked, &asked) &&
                text_equals(text_of(e->name), frame->fields[HANDOVER_NAME]))
                e->is_passed_on = false;
        }
    }
}

static void on_refused(struct control *c, const struct handover_frame *frame)
{
    struct control_upgrade *u = upgrade_of(c);
    struct text why = frame->fields[HANDOVER_TEXT];

    if (!is_under_way(u))
        return;
    MEM_FREE(&u->reason);
    u->reason = mem_copy_text(why.at, why.length);
    begin_failing(c, GOING_MS);
}

static void on_revoked(struct control *c, const struct handover_frame *frame);

static void on_can(struct control *c, const struct handover_frame *frame)
{
    struct control_upgrade *u = upgrade_of(c);

    if (u->phase != CONTROL_UPGRADE_CHECKING)
        return;
    u->phase = CONTROL_UPGRADE_RELEASING;
    log_info(&c->log, "process %d can take over: letting go", u->pid);
}

static void on_bye(struct control *c, const struct handover_frame *frame)
{
    upgrade_of(c)->is_bye = true;
}

/* What the new process says. What it is only told, or of a newer version, is passed over. */
static void (*const handlers[HANDOVER_KINDS])(struct control *, const struct handover_frame *) = {
    [HANDOVER_HELLO] = on_hello,
    [HANDOVER_LEFT] = on_left,
    [HANDOVER_CAN] = on_can,
    [HANDOVER_REFUSED] = on_refused,
    [HANDOVER_SERVING] = on_serving,
    [HANDOVER_REVOKED] = on_revoked,
    [HANDOVER_BYE] = on_bye,
    [HANDOVER_MINE] = on_mine,
    [HANDOVER_ACCEPTING] = on_accepting,
};

static void on_frame(void *arg, const struct handover_frame *frame, struct handover_fds *fds)
{
    struct control *c = arg;

    upgrade_of(c)->word_ms = loop_now_ms(c->loop);
    if (frame->kind < HANDOVER_KINDS && handlers[frame->kind] != NULL)
        handlers[frame->kind](c, frame);
}

static void on_gone(void *arg)
{
    struct control *c = arg;

    if (control_is_replaced(c))
        on_successor_lost(c);
    else if (c->upgrade.phase == CONTROL_UPGRADE_GIVING &&
             !handover_link_is_unread(c->upgrade.link))
        on_given_up(c);
    else
        begin_failing(c, GOING_MS);
}

/* ---- keys that are revoked while we drain --------------------------------------------------- */

struct ending {
    struct control *control;
    char number[TEXT_NUMBER_SIZE];
};

static void on_key_ended(void *arg)
{
    struct ending *e = arg;
    struct handover_frame frame = { .kind = HANDOVER_ENDED };

    frame.fields[HANDOVER_NUMBER] = text_of(e->number);
    if (e->control->upgrade.link != NULL)
        handover_link_send(e->control->upgrade.link, &frame, NULL, 0);
    MEM_FREE(&e);
}

static void on_revoked(struct control *c, const struct handover_frame *frame)
{
    struct text bytes = frame->fields[HANDOVER_SECRET_BYTES];
    struct ending *e = mem_new(sizeof(*e));
    struct credentials_key key;
    struct key_handle handle;
    struct digest digest;
    uint64_t number = 0;

    if (!handover_number(frame, &number))
        number = 0;
    e->control = c;
    text_print_u64(number, e->number);
    if (bytes.length == DIGEST_SIZE)
        memcpy(digest.bytes, bytes.at, DIGEST_SIZE);
    if (bytes.length != DIGEST_SIZE ||
        !credentials_get_key_by_digest(c->credentials, &digest, &key) ||
        !credentials_revoke(c->credentials, key.id, clock_read_wall_ms(), key.stamp, &handle))
        on_key_ended(e);
    else
        control_end_key(c, handle, on_key_ended, e);
}

/* ---- the course of it ----------------------------------------------------------------------- */

/* A service that has let go answers true again and again. */
static bool has_released(struct control *c)
{
    bool is_all = true;

    for (size_t i = 0; control_services[i] != NULL; i++) {
        if (control_services[i]->try_release != NULL)
            is_all = control_services[i]->try_release(c) && is_all;
    }
    return is_all;
}

static void release(struct control *c)
{
    struct control_upgrade *u = upgrade_of(c);

    u->is_released = true;
    if (!has_released(c) || !control_estate_try_send(c))
        return;
    u->phase = CONTROL_UPGRADE_TAKING;
    u->word_ms = loop_now_ms(c->loop);
    send_kind(c, HANDOVER_RELEASED);
}

/* It was told that all is its own, and says nothing: how it ends tells whether it has read that. */
static void look_after_giving(struct control *c, uint64_t now)
{
    struct control_upgrade *u = upgrade_of(c);

    if (now - u->word_ms <= SILENCE_MS)
        return;
    u->word_ms = now;
    log_error(&c->log, "process %d could serve, and says nothing: it is killed", u->pid);
    kill(u->pid, SIGKILL);
}

static void on_poll(void *arg)
{
    struct control *c = arg;
    struct control_upgrade *u = upgrade_of(c);
    uint64_t now = loop_now_ms(c->loop);

    loop_timer_start(&u->poll, POLL_MS);
    if (control_is_replaced(c)) {
        if (u->done != NULL && now - u->word_ms > ACCEPTING_MS)
            answer_taken_over(c);
        send_rest(c);
        loop_timer_start(&u->poll, REST_MS);
        return;
    }
    if (u->phase == CONTROL_UPGRADE_GIVING)
        look_after_giving(c, now);
    else if (u->phase == CONTROL_UPGRADE_FAILING)
        look_after_failing(c);
    else if (u->must_quit)
        fail(c, "this process was told to end");
    else if (now - u->word_ms > SILENCE_MS || clock_read_ms() - u->began_ms > TOO_LONG_MS)
        fail(c, "the new process neither served nor ended in %d s: it was killed",
             now - u->word_ms > SILENCE_MS ? SILENCE_MS / 1000 : TOO_LONG_MS / 1000);
    else if (u->phase == CONTROL_UPGRADE_RELEASING)
        release(c);
}

static void on_started(void *arg, int pid, int error)
{
    struct control *c = arg;
    struct control_upgrade *u = upgrade_of(c);

    u->child = NULL;
    u->pid = error == 0 ? pid : 0;
    u->word_ms = loop_now_ms(c->loop);
    if (u->phase == CONTROL_UPGRADE_FAILING) {
        u->is_killed = false;
        close(u->end);
        return;
    }
    u->link = handover_link_new(c->loop, u->end, on_frame, on_gone, c);
    if (error != 0) {
        fail(c, "%s cannot be started: %s", c->program, strerror(error));
        return;
    }
    keep_still(c, true);
    send_beginning(c);
}

static void begin(struct control *c)
{
    struct control_upgrade *u = upgrade_of(c);
    int pair[2] = { -1, -1 };

    u->began_ms = clock_read_ms();
    u->word_ms = loop_now_ms(c->loop);
    log_info(&c->log, "starting %s in place of this process", c->program);
    notify_send("STATUS=ready; the binary is being replaced");
    loop_timer_start(&u->poll, POLL_MS);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        fail(c, "there is no socket to be had: %s", strerror(errno));
        return;
    }
    u->end = pair[0];
    u->child = handover_child_start(c->program, c->arguments, pair[1], c->mailbox, on_started, c);
    if (u->child == NULL) {
        close(u->end);
        fail(c, "there is no thread to be had to start it");
    }
}

enum control_upgrade_begun control_upgrade(struct control *c, control_upgraded_fn *fn, void *arg)
{
    struct control_upgrade *u = upgrade_of(c);

    if (c->is_quitting)
        return CONTROL_UPGRADE_ENDING;
    if (is_under_way(u))
        return CONTROL_UPGRADE_BUSY;
    if (c->snapshot == NULL || control_is_inheriting(c))
        return CONTROL_UPGRADE_STARTING;
    u->phase = CONTROL_UPGRADE_CHECKING;
    u->done = fn;
    u->arg = arg;
    begin(c);
    return CONTROL_UPGRADE_BEGUN;
}

bool control_upgrade_quits(struct control *c)
{
    struct control_upgrade *u = upgrade_of(c);

    if (control_is_replaced(c) && !u->is_told) {
        u->is_told = true;
        log_info(&c->log, "told to stop: another process has taken over, this one is ending");
        return true;
    }
    if (!is_under_way(u) || u->must_quit)
        return false;
    u->must_quit = true;
    return true;
}

void control_upgrade_kill(struct control *c)
{
    if (c->upgrade.child != NULL)
        handover_child_kill(c->upgrade.child);
    else if (is_under_way(&c->upgrade) && c->upgrade.phase != CONTROL_UPGRADE_GIVING &&
             c->upgrade.pid != 0)
        kill(c->upgrade.pid, SIGKILL);
}

void control_upgrade_init(struct control *c)
{
    loop_timer_init(&c->upgrade.poll, c->loop, on_poll, c);
}

void control_upgrade_fini(struct control *c)
{
    struct control_upgrade *u = upgrade_of(c);

    loop_timer_stop(&u->poll);
    if (u->child != NULL)
        close(u->end);
    handover_child_free(&u->child);
    control_estate_end(c);
    control_estate_fini(c);
    handover_link_free(&u->link);
    MEM_FREE(&u->version);
    MEM_FREE(&u->reason);
    MEM_FREE(&c->program);
}
