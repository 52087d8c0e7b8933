/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/redis_news.h"

#include <stdio.h>

#include "gatewayd/core/log.h"

#define SPACING_MS 1000
/* Another reason for being away still is told, but not as often, unless somebody must act now. */
#define REASON_SPACING_MS 10000
/* Links that are lost together are told of by the first. */
#define SETTLING_MS 300

static const struct log_scope scope = { .subject = LOG_SUBJECT_redis };

static const char *const uses[REDIS_USES] = {
    [REDIS_CALLS] = "writes and reads",
    [REDIS_FOLLOW] = "following changes",
    [REDIS_LIMITS] = "limits",
};

static void say_up(const struct redis_news *n)
{
    const char *server = redis_link_server(n->link);
    if (n->main == NULL)
        log_info(&scope, "connected to Redis %s: version %s, master", server,
                 redis_link_version(n->link));
    else if (n->has_said)
        log_info(&scope, "connected to Redis %s for %s again", server,
                 uses[redis_link_use(n->link)]);
}

static void say_away(const struct redis_news *n)
{
    struct text reason = redis_link_reason(n->link);
    if (n->main != NULL)
        log_warn(&scope, "no connection to Redis for %s: %.*s", uses[redis_link_use(n->link)],
                 TEXT_ARGS(reason));
    else if (redis_link_needs_care(n->link))
        log_error(&scope, "%.*s", TEXT_ARGS(reason));
    else
        log_warn(&scope, "Redis is away. %.*s", TEXT_ARGS(reason));
}

static struct text present(const struct redis_news *n)
{
    return redis_link_is_up(n->link) ? text_of(redis_link_server(n->link))
                                     : redis_link_reason(n->link);
}

/* When the present state may be told, in ms from now; UINT64_MAX: not at all. */
static uint64_t wait_of(const struct redis_news *n)
{
    bool is_up = redis_link_is_up(n->link);
    uint64_t now = loop_now_ms(n->timer.loop);
    if (n->main != NULL && !redis_link_is_up(n->main->link))
        return UINT64_MAX;
    if (n->has_said && n->is_up == is_up && text_equals(present(n), text_of(n->said)))
        return UINT64_MAX;
    if (!n->has_said)
        return n->main == NULL ? 0 : SETTLING_MS;
    bool is_reason_only = !n->is_up && !is_up && n->has_care == redis_link_needs_care(n->link);
    uint64_t then = n->said_ms + (is_reason_only ? REASON_SPACING_MS : SPACING_MS);
    uint64_t settling = n->main == NULL ? 0 : SETTLING_MS;
    return then > now + settling ? then - now : settling;
}

static void say(struct redis_news *n)
{
    if (redis_link_is_up(n->link))
        say_up(n);
    else
        say_away(n);
    n->has_said = true;
    n->is_up = redis_link_is_up(n->link);
    n->has_care = redis_link_needs_care(n->link);
    n->said_ms = loop_now_ms(n->timer.loop);
    snprintf(n->said, sizeof(n->said), "%.*s", TEXT_ARGS(present(n)));
}

static void on_timer(void *arg)
{
    struct redis_news *n = arg;
    if (wait_of(n) != UINT64_MAX)
        say(n);
}

void redis_news_init(struct redis_news *n, struct loop *loop, struct redis_link *link,
                     const struct redis_news *main)
{
    *n = (struct redis_news){ .link = link, .main = main };
    loop_timer_init(&n->timer, loop, on_timer, n);
}

void redis_news_stop(struct redis_news *n)
{
    loop_timer_stop(&n->timer);
}

void redis_news_on_change(struct redis_news *n)
{
    uint64_t wait = wait_of(n);
    loop_timer_stop(&n->timer);
    if (wait == 0)
        say(n);
    else if (wait != UINT64_MAX)
        loop_timer_start(&n->timer, wait);
}
