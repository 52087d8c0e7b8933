/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_site.c - when the server is sought, and what becomes of a round.
 */
#include "cluster/redis_site_private.h"

#include <stdio.h>

#include "conf/base/mem.h"

#define RETRY_FIRST_MS 20
#define RETRY_MOST_MS  500

static void seek(struct redis_site *s)
{
    MUST(!s->is_seeking);
    loop_timer_stop(&s->retry);
    s->is_seeking = true;
    s->is_asked_again = false;
    s->has_server = false;
    s->reason[0] = '\0';
    s->needs_care = false;
    if (s->sentinels != NULL)
        redis_site_sentinels_start_round(s);
    else
        redis_site_list_start(s);
}

static void on_retry(void *arg)
{
    seek(arg);
}

struct redis_site *redis_site_new(const struct redis_access *access, redis_site_fn *told, void *arg)
{
    struct redis_site *s = mem_new(sizeof(*s));
    s->access = access;
    s->told = told;
    s->arg = arg;
    redis_backoff_init(&s->backoff, RETRY_FIRST_MS, RETRY_MOST_MS);
    loop_timer_init(&s->retry, access->loop, on_retry, s);
    snprintf(s->reason, sizeof(s->reason), "Redis has not been looked for yet.");
    if (access->config->sentinel != NULL)
        s->sentinels = redis_site_sentinels_new(s);
    return s;
}

void redis_site_free(struct redis_site **site)
{
    struct redis_site *s = *site;
    if (s == NULL)
        return;
    loop_timer_stop(&s->retry);
    redis_site_list_stop(s);
    redis_site_sentinels_free(&s->sentinels);
    MEM_FREE(site);
}

void redis_site_start(struct redis_site *s)
{
    if (s->sentinels != NULL)
        redis_site_sentinels_start(s);
    seek(s);
}

void redis_site_doubt(struct redis_site *s)
{
    if (!s->is_seeking && !loop_timer_is_started(&s->retry))
        seek(s);
}

void redis_site_shun(struct redis_site *s, const char *name)
{
    snprintf(s->shunned, sizeof(s->shunned), "%s", name);
    redis_site_ask_again(s);
}

void redis_site_ask_again(struct redis_site *s)
{
    if (s->is_seeking)
        s->is_asked_again = true;
    else
        seek(s);
}

void redis_site_complain(struct redis_site *s, struct text server, struct text clause)
{
    size_t length = strlen(s->reason);
    snprintf(s->reason + length, sizeof(s->reason) - length, "%s%.*s: %.*s",
             length == 0 ? "" : "; ", TEXT_ARGS(server), TEXT_ARGS(clause));
}

void redis_site_conclude(struct redis_site *s, const struct redis_server *found)
{
    s->is_seeking = false;
    if (s->is_asked_again) {
        seek(s);
        return;
    }
    s->has_server = found != NULL;
    if (found != NULL) {
        s->server = *found;
        s->shunned[0] = '\0';
        s->reason[0] = '\0';
        redis_backoff_reset(&s->backoff);
    } else {
        loop_timer_start(&s->retry, redis_backoff_next(&s->backoff));
    }
    s->told(s->arg, found != NULL ? &s->server : NULL);
}

const struct redis_server *redis_site_server(const struct redis_site *s)
{
    return s->has_server ? &s->server : NULL;
}

struct text redis_site_reason(const struct redis_site *s)
{
    return text_of(s->reason);
}

bool redis_site_needs_care(const struct redis_site *s)
{
    return s->needs_care;
}
