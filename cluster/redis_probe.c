/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/redis_probe.h"

#include "cluster/redis_wire.h"
#include "conf/base/mem.h"
#include "gatewayd/core/loop.h"

#define REPLY_MAX 1048576

struct redis_probe {
    const struct redis_access *access;
    struct redis_wire *wire;
    struct redis_greeting greeting;
    struct loop_timer timer;
    redis_probe_fn *done;
    void *arg;
    bool is_greeting;
};

static void free_probe(void *arg)
{
    struct redis_probe *p = arg;
    MEM_FREE(&p);
}

void redis_probe_stop(struct redis_probe **probe)
{
    struct redis_probe *p = *probe;
    *probe = NULL;
    if (p == NULL)
        return;
    redis_wire_close(&p->wire);
    loop_timer_stop(&p->timer);
    loop_bury(p->access->loop, p, free_probe);
}

static void conclude(struct redis_probe *p, const struct redis_probe_result *result)
{
    redis_probe_fn *done = p->done;
    void *arg = p->arg;
    redis_probe_stop(&p);
    done(arg, result);
}

static void on_ready(void *arg)
{
    struct redis_probe *p = arg;
    const struct redis_access *access = p->access;
    p->is_greeting = true;
    redis_greeting_start(&p->greeting, p->wire, access->config, &access->secrets->server,
                         access->key);
}

static void on_reply(void *arg, const struct redis_reply *reply)
{
    struct redis_probe *p = arg;
    struct redis_probe_result result = { .reason = TEXT("it speaks before it is asked") };
    if (!p->is_greeting) {
        conclude(p, &result);
        return;
    }
    enum redis_greeting_result said = redis_greeting_on_reply(&p->greeting, reply);
    if (said == REDIS_GREETING_MORE)
        return;
    struct address at = *redis_wire_address(p->wire);
    result = (struct redis_probe_result){
        .is_good = said == REDIS_GREETING_DONE,
        .is_master = said == REDIS_GREETING_DONE && p->greeting.facts.role == REDIS_GREETING_MASTER,
        .needs_care = p->greeting.needs_care,
        .reason = text_of(p->greeting.reason),
        .facts = &p->greeting.facts,
        .at = &at,
    };
    conclude(p, &result);
}

static void on_end(void *arg, struct text reason)
{
    conclude(arg, &(struct redis_probe_result){ .reason = reason });
}

static void on_timeout(void *arg)
{
    conclude(arg, &(struct redis_probe_result){ .reason = TEXT("it does not answer") });
}

static const struct redis_wire_handlers handlers = { on_ready, on_reply, on_end };

struct redis_probe *redis_probe_start(const struct redis_access *access, struct text server,
                                      uint64_t timeout_ms, redis_probe_fn *done, void *arg)
{
    struct redis_probe *p = mem_new(sizeof(*p));
    p->access = access;
    p->done = done;
    p->arg = arg;
    loop_timer_init(&p->timer, access->loop, on_timeout, p);
    loop_timer_start(&p->timer, timeout_ms);
    p->wire = redis_wire_open(
        &(struct redis_wire_options){
            .loop = access->loop,
            .resolve = access->resolve,
            .server = server,
            .tls = access->secrets->server.tls,
            .server_name = text_of(access->secrets->server.server_name),
            .reply_max = REPLY_MAX,
        },
        &handlers, p);
    return p;
}
