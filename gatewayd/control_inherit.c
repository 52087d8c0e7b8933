/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_inherit.c - this process takes the place of another one, which started it
 * (control_upgrade.c is the other side, handover.h what the two say to each other).
 *
 * Nothing is written and nobody is let in before the other one says that all of it is ours. It may
 * end us until then. If it ends itself before it let go, so do we: whoever supervises it starts it
 * anew. If it ends after that, there is nobody but us.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/control_private.h"
#include "gatewayd/notify.h"
#include "gatewayd/service.h"

#define READING_MS 10000
#define POLL_MS    5
/* The other process serves meanwhile: longer than this it is not better than we would be. */
#define SETTLE_MS 3000

/* Sockets of one scope. */
struct pool {
    struct list node;
    char *scope;
    struct listen_table table;
};

/* A key was revoked; the process before us is asked to end what began with it. */
struct question {
    struct list node;
    struct control *control;
    uint64_t number;
    control_done_fn *done;
    void *arg;
};

static struct control_inherit *inherit_of(struct control *c)
{
    return &c->inherit;
}

bool control_is_inheriting(const struct control *c)
{
    return c->inherit.phase != CONTROL_INHERIT_NONE && c->inherit.phase != CONTROL_INHERIT_OURS;
}

static void send_text(struct control *c, enum handover_kind kind, struct text text)
{
    struct handover_frame frame = { .kind = kind };

    frame.fields[HANDOVER_TEXT] = text;
    if (c->inherit.link != NULL)
        handover_link_send(c->inherit.link, &frame, NULL, 0);
}

/* ---- what is inherited ---------------------------------------------------------------------- */

static struct pool *get_pool(struct control_inherit *in, struct text scope)
{
    LIST_EACH (node, &in->pools) {
        struct pool *p = LIST_ITEM(node, struct pool, node);
        if (text_equals(text_of(p->scope), scope))
            return p;
    }
    struct pool *p = mem_new(sizeof(*p));
    p->scope = mem_copy_text(scope.at, scope.length);
    listen_table_init(&p->table);
    list_add_last(&in->pools, &p->node);
    return p;
}

static void free_pools(struct control_inherit *in)
{
    while (!list_is_empty(&in->pools)) {
        struct pool *p = LIST_ITEM(in->pools.next, struct pool, node);
        list_remove(&p->node);
        listen_table_fini(&p->table);
        MEM_FREE(&p->scope);
        MEM_FREE(&p);
    }
}

static void take_listeners(struct control *c, const struct handover_frame *frame,
                           struct handover_fds *fds)
{
    struct pool *p = get_pool(&c->inherit, frame->fields[HANDOVER_SCOPE]);
    struct listen_heirloom heirloom = {
        .name = frame->fields[HANDOVER_NAME],
        .is_given = text_equals(frame->fields[HANDOVER_FLAGS], TEXT_OF(HANDOVER_FLAG_GIVEN)),
    };

    if (!address_parse(frame->fields[HANDOVER_ADDRESS], &heirloom.asked))
        return;
    for (size_t i = 0; i < fds->count; i++) {
        heirloom.fd = handover_link_take(fds, i);
        if (heirloom.fd >= 0)
            listen_table_inherit(&p->table, &heirloom);
    }
}

static void take_secret(const struct handover_frame *frame)
{
    struct text secret = frame->fields[HANDOVER_SECRET_BYTES];

    if (secret.length == TLS_TICKET_SECRET_SIZE)
        tls_ticket_set_secret((const unsigned char *)secret.at);
}

static void forget_drained(struct control_inherit *in)
{
    for (size_t i = 0; i < in->drained_count; i++) {
        char *name = (char *)(uintptr_t)in->drained[i].at;
        MEM_FREE(&name);
    }
    in->drained_count = 0;
}

static void take_drained(struct control_inherit *in, const struct handover_frame *frame)
{
    struct text name = frame->fields[HANDOVER_NAME];
    bool is_address = text_equals(frame->fields[HANDOVER_SCOPE], TEXT_OF(HANDOVER_SCOPE_ADDRESS));

    in->drained_is_address = mem_resize(
        in->drained_is_address, (in->drained_count + 1) * sizeof(in->drained_is_address[0]));
    in->drained_is_address[in->drained_count] = is_address;
    in->drained = mem_resize(in->drained, (in->drained_count + 1) * sizeof(in->drained[0]));
    in->drained[in->drained_count++] =
        text_from(mem_copy_text(name.at == NULL ? "" : name.at, name.length), name.length);
}

void control_inherit_listeners(struct control *c, struct listen_table *table, const char *scope)
{
    if (!control_is_inheriting(c))
        return;
    table->is_waiting = true;
    listen_table_move(table, &get_pool(&c->inherit, text_of(scope))->table);
}

void control_pass_on(struct control *c, struct listen_table *table, const char *scope)
{
    MUST(c->heritage_count < CONTROL_HERITAGES_MOST);
    c->heritages[c->heritage_count++] = (struct control_heritage){ table, scope };
    control_inherit_listeners(c, table, scope);
}

/* They stay with the process before us, which serves who is queued there to the last. */
static void leave_table(struct control *c, struct listen_table *table, const char *scope)
{
    struct handover_frame frame = { .kind = HANDOVER_LEFT };

    LIST_EACH (node, &table->entries) {
        struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
        char asked[ADDRESS_TEXT_SIZE];
        if (!e->is_inherited || e->is_opened)
            continue;
        frame.fields[HANDOVER_SCOPE] = text_of(scope);
        frame.fields[HANDOVER_NAME] = text_of(e->name);
        frame.fields[HANDOVER_ADDRESS] = address_print(&e->asked, asked);
        if (c->inherit.link != NULL)
            handover_link_send(c->inherit.link, &frame, NULL, 0);
        log_info(&c->log, "listener %s is not configured any more: the process before keeps it",
                 e->name);
    }
    listen_table_drop_unopened(table);
}

void control_inherit_opened(struct control *c)
{
    if (!control_is_inheriting(c))
        return;
    for (size_t i = 0; i < c->heritage_count; i++)
        leave_table(c, c->heritages[i].table, c->heritages[i].scope);
    LIST_EACH (node, &c->inherit.pools) {
        struct pool *p = LIST_ITEM(node, struct pool, node);
        leave_table(c, &p->table, p->scope);
    }
}

/* ---- refusing ------------------------------------------------------------------------------- */

void control_inherit_refuse(struct control *c, const struct problems *ps)
{
    struct builder b;

    if (!control_is_inheriting(c))
        return;
    builder_init(&b, 4096);
    builder_add(&b, TEXT_OF("the new process refuses: "));
    for (size_t i = 0; i < ps->count && i < 4; i++) {
        if (i > 0)
            builder_add(&b, TEXT_OF(" "));
        problem_print(&ps->items[i], &b);
    }
    send_text(c, HANDOVER_REFUSED, builder_text(&b));
    builder_fini(&b);
}

/* ---- becoming it ---------------------------------------------------------------------------- */

/* What the operator had asked for holds for us, too. */
static void drain_as_before(struct control *c)
{
    struct control_inherit *in = inherit_of(c);

    for (size_t i = 0; i < in->drained_count; i++) {
        if (!in->drained_is_address[i] && !control_drain(c, in->drained[i]))
            log_info(&c->log, "listener %.*s was drained and is not there any more",
                     TEXT_ARGS(in->drained[i]));
    }
}

/* Before any weight is written. */
static void keep_addresses_drained(struct control *c)
{
    struct control_inherit *in = inherit_of(c);

    for (size_t i = 0; c->ha != NULL && i < in->drained_count; i++) {
        if (in->drained_is_address[i] && !ha_inherit_drained(c->ha, in->drained[i]))
            log_info(&c->log, "address %.*s was drained and is not there any more",
                     TEXT_ARGS(in->drained[i]));
    }
}

static void become_ours(struct control *c)
{
    struct control_inherit *in = inherit_of(c);

    in->phase = CONTROL_INHERIT_OURS;
    send_text(c, HANDOVER_MINE, TEXT_EMPTY);
    loop_timer_stop(&in->poll);
    free_pools(in);
    notify_mute(false);
    keep_addresses_drained(c);
    for (size_t i = 0; i < c->heritage_count; i++)
        listen_table_listen(c->heritages[i].table);
    control_begin_serving(c);
    for (size_t i = 0; control_services[i] != NULL; i++) {
        if (control_services[i]->resume != NULL)
            control_services[i]->resume(c);
    }
    drain_as_before(c);
    send_text(c, HANDOVER_ACCEPTING, TEXT_EMPTY);
}

static bool is_settled(const struct control *c)
{
    for (size_t i = 0; control_services[i] != NULL; i++) {
        if (control_services[i]->is_settled != NULL && !control_services[i]->is_settled(c))
            return false;
    }
    return true;
}

static void on_poll(void *arg)
{
    struct control *c = arg;
    struct control_inherit *in = inherit_of(c);

    if (in->phase != CONTROL_INHERIT_SETTLING || c->is_quitting)
        return;
    if (!is_settled(c) && loop_now_ms(c->loop) - in->settle_ms < SETTLE_MS) {
        loop_timer_start(&in->poll, POLL_MS);
        return;
    }
    in->phase = CONTROL_INHERIT_SERVING;
    if (in->link == NULL) {
        become_ours(c);
        return;
    }
    log_debug(&c->log, "all is in force: waiting for the word of the process before this one");
    send_text(c, HANDOVER_SERVING, TEXT_EMPTY);
}

bool control_inherit_on_first(struct control *c)
{
    struct control_inherit *in = inherit_of(c);

    if (!control_is_inheriting(c))
        return true;
    control_estate_apply(c);
    in->phase = CONTROL_INHERIT_SETTLING;
    in->settle_ms = loop_now_ms(c->loop);
    loop_timer_start(&in->poll, 0);
    return false;
}

bool control_inherit_is_alone(const struct control *c)
{
    return c->inherit.link == NULL || c->inherit.phase != CONTROL_INHERIT_OURS;
}

void control_inherit_quit(struct control *c)
{
    if (c->inherit.phase == CONTROL_INHERIT_OURS)
        send_text(c, HANDOVER_BYE, TEXT_EMPTY);
}

void control_inherit_tell(struct control *c, struct text what)
{
    if (control_is_inheriting(c))
        send_text(c, HANDOVER_WORD, what);
}

void control_can_take_over(struct control *c)
{
    struct control_inherit *in = inherit_of(c);

    MUST(in->phase == CONTROL_INHERIT_WATCHING);
    in->phase = CONTROL_INHERIT_ABLE;
    send_text(c, HANDOVER_CAN, TEXT_EMPTY);
}

static void on_released(struct control *c)
{
    struct control_inherit *in = inherit_of(c);

    if (in->phase != CONTROL_INHERIT_ABLE || c->is_quitting)
        return;
    in->phase = CONTROL_INHERIT_TAKING;
    for (size_t i = 0; control_services[i] != NULL; i++) {
        if (control_services[i]->take_over != NULL)
            control_services[i]->take_over(c);
    }
}

/* ---- keys that are revoked while the process before us drains -------------------------------- */

static void answer_question(struct question *q)
{
    control_done_fn *done = q->done;
    void *arg = q->arg;

    list_remove(&q->node);
    MEM_FREE(&q);
    done(arg);
}

static void on_ended(struct control *c, const struct handover_frame *frame)
{
    uint64_t number = 0;

    if (!handover_number(frame, &number))
        return;
    LIST_EACH_SAFE (node, next, &c->inherit.questions) {
        struct question *q = LIST_ITEM(node, struct question, node);
        if (q->number == number)
            answer_question(q);
    }
}

bool control_inherit_end_key(struct control *c, struct key_handle handle, control_done_fn *done,
                             void *arg)
{
    struct handover_frame frame = { .kind = HANDOVER_REVOKED };
    char number[TEXT_NUMBER_SIZE];
    struct digest digest;

    if (c->inherit.link == NULL || control_is_inheriting(c) ||
        !credentials_get_digest(c->credentials, handle, &digest))
        return false;
    struct question *q = mem_new(sizeof(*q));
    *q = (struct question){ .control = c, .done = done, .arg = arg };
    q->number = ++c->upgrade.questions;
    list_add_last(&c->inherit.questions, &q->node);
    frame.fields[HANDOVER_NUMBER] = text_print_u64(q->number, number);
    frame.fields[HANDOVER_SECRET_BYTES] = text_from((const char *)digest.bytes, DIGEST_SIZE);
    handover_link_send(c->inherit.link, &frame, NULL, 0);
    return true;
}

/* ---- what the process before us says -------------------------------------------------------- */

static void on_hello(struct control *c, const struct handover_frame *frame)
{
    uint64_t protocol = 0;
    char said[128];

    if (handover_number(frame, &protocol) && protocol == HANDOVER_PROTOCOL)
        return;
    snprintf(said, sizeof(said),
             "gatewayd " GATEWAYD_VERSION " cannot take over from gatewayd %.*s",
             TEXT_ARGS(text_first(frame->fields[HANDOVER_TEXT], 64)));
    log_error(&c->log, "%s: their versions of the hand-over differ", said);
    /* Our hello has told it the version, and it says so itself. */
}

static void on_state(struct control *c, const struct handover_frame *frame,
                     struct handover_fds *fds)
{
    int fd = handover_link_take(fds, 0);

    if (fd >= 0)
        control_estate_receive(c, frame->fields[HANDOVER_SCOPE], fd);
}

static void on_rest(struct control *c, const struct handover_frame *frame)
{
    struct text rest = frame->fields[HANDOVER_TEXT];
    uint64_t numbers[3];
    struct text piece;

    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        if (!text_cut(&rest, ' ', &piece) || !text_parse_u64(piece, &numbers[i]))
            return;
    }
    c->inherit.rest = (struct control_rest){ numbers[0], numbers[1], numbers[2] };
}

static void on_frame(void *arg, const struct handover_frame *frame, struct handover_fds *fds)
{
    struct control *c = arg;
    struct control_inherit *in = inherit_of(c);

    switch (frame->kind) {
    case HANDOVER_HELLO:
        on_hello(c, frame);
        return;
    case HANDOVER_LISTENERS:
        if (in->phase == CONTROL_INHERIT_READING)
            take_listeners(c, frame, fds);
        return;
    case HANDOVER_SECRET:
        take_secret(frame);
        return;
    case HANDOVER_DRAINED:
        take_drained(in, frame);
        return;
    case HANDOVER_ANEW:
        forget_drained(in);
        return;
    case HANDOVER_END:
        in->phase = CONTROL_INHERIT_WATCHING;
        return;
    case HANDOVER_RELEASED:
        on_released(c);
        return;
    case HANDOVER_YOURS:
        if (in->phase == CONTROL_INHERIT_SERVING && !c->is_quitting)
            become_ours(c);
        return;
    case HANDOVER_ENDED:
        on_ended(c, frame);
        return;
    case HANDOVER_STATE:
        on_state(c, frame, fds);
        return;
    case HANDOVER_REST:
        on_rest(c, frame);
        return;
    case HANDOVER_WORD:
    case HANDOVER_CAN:
    case HANDOVER_REFUSED:
    case HANDOVER_LEFT:
    case HANDOVER_SERVING:
    case HANDOVER_REVOKED:
    case HANDOVER_BYE:
    case HANDOVER_MINE:
    case HANDOVER_ACCEPTING:
    case HANDOVER_KINDS:
        return;
    }
}

static void answer_questions(struct control *c)
{
    LIST_EACH_SAFE (node, next, &c->inherit.questions)
        answer_question(LIST_ITEM(node, struct question, node));
}

static void on_gone(void *arg)
{
    struct control *c = arg;
    struct control_inherit *in = inherit_of(c);

    handover_link_free(&in->link);
    in->rest = (struct control_rest){ 0 };
    answer_questions(c);
    if (in->phase == CONTROL_INHERIT_OURS) {
        log_info(&c->log, "the process before this one has ended");
    } else if (in->phase == CONTROL_INHERIT_SERVING && !c->is_quitting) {
        log_warn(&c->log, "the process before this one ended without a word: all is ours");
        become_ours(c);
    } else if (c->workers == NULL) {
        /* control_inherit_begin() waits for it, or says why this process does not begin. */
        log_info(&c->log, "the process whose place this one was to take has ended");
    } else if (in->phase < CONTROL_INHERIT_TAKING && !c->is_quitting) {
        log_error(&c->log, "the process whose place this one was to take has ended, or gave it up");
        control_quit(c, 1);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

void control_inherit_init(struct control *c)
{
    list_init(&c->inherit.pools);
    list_init(&c->inherit.questions);
    loop_timer_init(&c->inherit.poll, c->loop, on_poll, c);
}

void control_inherit_fini(struct control *c)
{
    struct control_inherit *in = inherit_of(c);

    loop_timer_stop(&in->poll);
    handover_link_free(&in->link);
    answer_questions(c);
    free_pools(in);
    forget_drained(in);
    MEM_FREE(&in->drained);
    MEM_FREE(&in->drained_is_address);
}

static void send_hello(struct control *c)
{
    struct handover_frame hello = { .kind = HANDOVER_HELLO };
    char number[TEXT_NUMBER_SIZE];

    hello.fields[HANDOVER_NUMBER] = text_print_u64(HANDOVER_PROTOCOL, number);
    hello.fields[HANDOVER_TEXT] = TEXT_OF(GATEWAYD_VERSION);
    handover_link_send(c->inherit.link, &hello, NULL, 0);
}

bool control_inherit_begin(struct control *c, struct problems *ps)
{
    struct control_inherit *in = inherit_of(c);
    int fd = handover_take_fd();

    if (fd < 0)
        return true;
    notify_mute(true);
    in->phase = CONTROL_INHERIT_READING;
    in->link = handover_link_new(c->loop, fd, on_frame, on_gone, c);
    send_hello(c);
    /* Before the loop runs: nothing else is on it. */
    uint64_t until = clock_read_ms() + READING_MS;
    loop_timer_start(&in->poll, READING_MS);
    while (in->link != NULL && in->phase == CONTROL_INHERIT_READING && clock_read_ms() < until)
        loop_run_once(c->loop, true);
    loop_timer_stop(&in->poll);
    if (in->phase == CONTROL_INHERIT_WATCHING) {
        log_info(&c->log, "taking the place of process %ld", (long)getppid());
        return true;
    }
    problems_add(ps, (struct place){ .path = "GATEWAYD_HANDOVER" },
                 "The process whose place this one is to take says nothing.");
    return false;
}
