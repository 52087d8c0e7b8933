/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_sentinel.c - four commands in one go, and the four replies taken apart.
 */
#include "cluster/redis_sentinel.h"

#include <stdio.h>

#include "cluster/redis_wire.h"
#include "conf/base/mem.h"
#include "gatewayd/core/loop.h"

#define REPLY_MAX 1048576

struct redis_sentinel {
    const struct redis_access *access;
    struct redis_wire *wire;
    struct loop_timer timer;
    redis_sentinel_fn *done;
    void *arg;
    size_t step;
    bool is_asked;
    struct redis_sentinel_answer answer;
    char reason[REDIS_GREETING_REASON_SIZE];
};

/* ---- connecting ----------------------------------------------------------------------------- */

struct redis_wire *redis_sentinel_open(const struct redis_access *access, struct text sentinel,
                                       const struct redis_wire_handlers *handlers, void *arg)
{
    struct redis_wire_options options = {
        .loop = access->loop,
        .resolve = access->resolve,
        .server = sentinel,
        .tls = access->secrets->sentinel.tls,
        .server_name = text_of(access->secrets->sentinel.server_name),
        .reply_max = REPLY_MAX,
    };
    return redis_wire_open(&options, handlers, arg);
}

bool redis_sentinel_login(const struct redis_access *access, struct redis_wire *w)
{
    return redis_greeting_send_auth(w, &access->secrets->sentinel);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void free_question(void *arg)
{
    struct redis_sentinel *q = arg;
    MEM_FREE(&q);
}

void redis_sentinel_stop(struct redis_sentinel **question)
{
    struct redis_sentinel *q = *question;
    *question = NULL;
    if (q == NULL)
        return;
    redis_wire_close(&q->wire);
    loop_timer_stop(&q->timer);
    loop_bury(q->access->loop, q, free_question);
}

/* The question's memory lives until the end of the turn. */
static void conclude(struct redis_sentinel *q, bool is_answered, struct text reason)
{
    struct redis_sentinel *gone = q;
    redis_sentinel_stop(&gone);
    q->done(q->arg, is_answered ? &q->answer : NULL, reason);
}

static void refuse(struct redis_sentinel *q, const char *clause, const struct redis_reply *reply)
{
    char text[200] = "";
    if (reply != NULL)
        redis_greeting_print_error(redis_reply_text(reply), text, sizeof(text));
    snprintf(q->reason, sizeof(q->reason), "%s%s%s", clause, text[0] == '\0' ? "" : ": ", text);
    conclude(q, false, text_of(q->reason));
}

/* ---- replies -------------------------------------------------------------------------------- */

/* Of a list "name, value, name, value…". */
static struct text find_field(const struct redis_reply *list, struct text name)
{
    for (size_t i = 0; i + 1 < redis_reply_count(list); i += 2) {
        if (text_equals(redis_reply_text(redis_reply_at(list, i)), name))
            return redis_reply_text(redis_reply_at(list, i + 1));
    }
    return TEXT_EMPTY;
}

static uint64_t find_number(const struct redis_reply *list, struct text name)
{
    uint64_t number = 0;
    return text_parse_u64(find_field(list, name), &number) ? number : 0;
}

static bool has_flag(const struct redis_reply *list, struct text flag)
{
    struct text flags = find_field(list, TEXT_OF("flags"));
    struct text one;
    while (flags.at != NULL && text_cut(&flags, ',', &one)) {
        if (text_equals(one, flag))
            return true;
    }
    return false;
}

static bool print_place(const struct redis_reply *list, char into[REDIS_GREETING_SERVER_SIZE])
{
    return redis_greeting_print_server(find_field(list, TEXT_OF("ip")),
                                       find_field(list, TEXT_OF("port")), into);
}

static bool take_id(struct redis_sentinel *q, const struct redis_reply *reply)
{
    redis_greeting_print_error(redis_reply_text(reply), q->answer.id, sizeof(q->answer.id));
    return true;
}

static bool take_master(struct redis_sentinel *q, const struct redis_reply *reply)
{
    struct redis_sentinel_answer *a = &q->answer;
    if (!print_place(reply, a->master)) {
        refuse(q, "it does not tell the master's address", NULL);
        return false;
    }
    a->epoch = find_number(reply, TEXT_OF("config-epoch"));
    a->peers = find_number(reply, TEXT_OF("num-other-sentinels")) + 1;
    a->is_down =
        has_flag(reply, TEXT_OF("o_down")) || has_flag(reply, TEXT_OF("failover_in_progress"));
    return true;
}

static bool take_replicas(struct redis_sentinel *q, const struct redis_reply *reply)
{
    struct redis_sentinel_answer *a = &q->answer;
    for (size_t i = 0; i < redis_reply_count(reply) && a->replica_count < REDIS_SENTINEL_OTHERS;
         i++) {
        const struct redis_reply *one = redis_reply_at(reply, i);
        struct redis_sentinel_replica *r = &a->replicas[a->replica_count];
        if (!print_place(one, r->name))
            continue;
        r->is_seen = !has_flag(one, TEXT_OF("s_down")) && !has_flag(one, TEXT_OF("o_down")) &&
                     !has_flag(one, TEXT_OF("disconnected"));
        a->replica_count++;
    }
    return true;
}

static bool take_sentinels(struct redis_sentinel *q, const struct redis_reply *reply)
{
    struct redis_sentinel_answer *a = &q->answer;
    for (size_t i = 0; i < redis_reply_count(reply) && a->sentinel_count < REDIS_SENTINEL_OTHERS;
         i++) {
        const struct redis_reply *one = redis_reply_at(reply, i);
        if (!print_place(one, a->sentinels[a->sentinel_count]))
            continue;
        redis_greeting_print_error(find_field(one, TEXT_OF("runid")),
                                   a->sentinel_ids[a->sentinel_count], sizeof(a->sentinel_ids[0]));
        a->sentinel_count++;
    }
    return true;
}

static const struct {
    const char *word;
    const char *refused;
    bool (*take)(struct redis_sentinel *, const struct redis_reply *);
} questions[] = {
    { "MYID", "it refuses SENTINEL MYID", take_id },
    { "MASTER", "it refuses SENTINEL MASTER", take_master },
    { "REPLICAS", "it refuses SENTINEL REPLICAS", take_replicas },
    { "SENTINELS", "it refuses SENTINEL SENTINELS", take_sentinels },
};

/* ---- the way through ------------------------------------------------------------------------ */

/* Step 0 is AUTH, which is skipped when there is none. Its reply is not repeated: it may hold what
 * was sent. */
static void on_reply(void *arg, const struct redis_reply *reply)
{
    struct redis_sentinel *q = arg;
    bool is_error = redis_reply_kind(reply) == REDIS_REPLY_ERROR;
    if (!q->is_asked) {
        refuse(q, "it speaks before it is asked", NULL);
        return;
    }
    if (q->step == 0) {
        q->step++;
        if (is_error)
            refuse(q, "it refuses our user or password", NULL);
        return;
    }
    size_t i = q->step++ - 1;
    if (is_error) {
        refuse(q, questions[i].refused, reply);
        return;
    }
    if (questions[i].take(q, reply) && q->step > ARRAY_LENGTH(questions))
        conclude(q, true, TEXT_EMPTY);
}

static void on_ready(void *arg)
{
    struct redis_sentinel *q = arg;
    struct text master = q->access->config->sentinel->master;
    q->is_asked = true;
    q->step = redis_sentinel_login(q->access, q->wire) ? 0 : 1;
    for (size_t i = 0; i < ARRAY_LENGTH(questions); i++) {
        struct text words[] = { TEXT("SENTINEL"), text_of(questions[i].word), master };
        redis_wire_send(q->wire, words, i == 0 ? 2 : 3);
    }
}

static void on_end(void *arg, struct text reason)
{
    conclude(arg, false, reason);
}

static void on_timeout(void *arg)
{
    refuse(arg, "it does not answer", NULL);
}

static const struct redis_wire_handlers handlers = { on_ready, on_reply, on_end };

struct redis_sentinel *redis_sentinel_start(const struct redis_access *access, struct text sentinel,
                                            uint64_t timeout_ms, redis_sentinel_fn *done, void *arg)
{
    struct redis_sentinel *q = mem_new(sizeof(*q));
    q->access = access;
    q->done = done;
    q->arg = arg;
    loop_timer_init(&q->timer, access->loop, on_timeout, q);
    loop_timer_start(&q->timer, timeout_ms);
    q->wire = redis_sentinel_open(access, sentinel, &handlers, q);
    return q;
}
