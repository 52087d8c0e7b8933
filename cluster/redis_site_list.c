/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_site_list.c - without Sentinel: the first server of the list that will do. The one in use
 * is looked at first, one that is shunned last.
 */
#include <stdio.h>

#include "cluster/redis_site_private.h"

static void try_next(struct redis_site *s);

static struct text server_at(const struct redis_site *s, size_t i)
{
    return s->access->config->servers.items[i];
}

static void add_matching(struct redis_site *s, const char *name, bool is_wanted)
{
    for (size_t i = 0; i < s->access->config->servers.count; i++) {
        bool matches = text_equals(server_at(s, i), text_of(name));
        if (matches == is_wanted && s->order_count < ARRAY_LENGTH(s->order))
            s->order[s->order_count++] = i;
    }
}

static bool is_shunned(const struct redis_site *s, size_t i)
{
    return s->shunned[0] != '\0' && text_equals(server_at(s, i), text_of(s->shunned));
}

/* Whoever stands in the list twice is asked once: the second time it has the same answer. */
static void put_in_order(struct redis_site *s)
{
    size_t late = 0;
    s->order_count = 0;
    s->order_now = 0;
    add_matching(s, s->server.name, true);
    add_matching(s, s->server.name, false);
    for (size_t i = 0; i < s->order_count - late; i++) {
        size_t server = s->order[i];
        if (!is_shunned(s, server))
            continue;
        memmove(&s->order[i], &s->order[i + 1], (s->order_count - i - 1) * sizeof(s->order[0]));
        s->order[s->order_count - 1] = server;
        late++;
        i--;
    }
}

static void on_probed(void *arg, const struct redis_probe_result *result)
{
    struct redis_site *s = arg;
    struct text name = server_at(s, s->order[s->order_now]);
    s->probe = NULL;
    if (result->is_good) {
        struct redis_server found = { .at = *result->at, .facts = *result->facts };
        snprintf(found.name, sizeof(found.name), "%.*s", TEXT_ARGS(name));
        redis_site_conclude(s, &found);
        return;
    }
    redis_site_complain(s, name, result->reason);
    s->needs_care |= result->needs_care;
    s->order_now++;
    try_next(s);
}

static void try_next(struct redis_site *s)
{
    if (s->order_now == s->order_count) {
        redis_site_conclude(s, NULL);
        return;
    }
    s->probe = redis_probe_start(s->access, server_at(s, s->order[s->order_now]),
                                 REDIS_SITE_PROBE_MS, on_probed, s);
}

void redis_site_list_start(struct redis_site *s)
{
    put_in_order(s);
    try_next(s);
}

void redis_site_list_stop(struct redis_site *s)
{
    redis_probe_stop(&s->probe);
}
