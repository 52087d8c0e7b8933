/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - one timer and at most one query for each name.
 */
#include "gatewayd/route/names.h"

#include <stdio.h>

#include "conf/base/digest.h"
#include "conf/base/map.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/net/resolve.h"

#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS   30000
#define WHY_SIZE       80

struct names {
    struct loop *loop;
    struct resolve *resolve; /* NULL: every name fails */
    names_changed_fn *changed;
    void *arg;
    struct map by_key; /* "host:port" */
    struct log_scope scope;
};

struct name {
    struct names *names;
    unsigned count;
    char *key;
    struct text host;
    uint16_t port;
    struct resolve_query *query;
    struct loop_timer timer;
    bool is_answered;
    bool is_failing;
    int64_t failing_since; /* wall clock */
    char why[WHY_SIZE];
    int64_t pause_ms;
    uint64_t version;
    struct address *addresses;
    size_t address_count;
};

struct names *names_new(struct loop *loop, struct resolve *resolve, names_changed_fn *changed,
                        void *arg)
{
    struct names *names = mem_new(sizeof(*names));

    names->loop = loop;
    names->resolve = resolve;
    names->changed = changed;
    names->arg = arg;
    names->scope.subject = LOG_SUBJECT_names;
    map_init(&names->by_key);
    return names;
}

void names_free(struct names **names)
{
    if (*names == NULL)
        return;
    MUST((*names)->by_key.count == 0);
    map_fini(&(*names)->by_key);
    MEM_FREE(names);
}

/* ---- answers ---- */

static bool has_same_addresses(const struct name *n, const struct resolve_answer *answer)
{
    if (n->address_count != answer->count)
        return false;
    for (size_t i = 0; i < answer->count; i++) {
        if (!address_equals(&n->addresses[i], &answer->addresses[i]))
            return false;
    }
    return true;
}

static void keep_addresses(struct name *n, const struct resolve_answer *answer)
{
    MEM_FREE(&n->addresses);
    n->addresses = mem_new_array(answer->count, sizeof(*n->addresses));
    memcpy(n->addresses, answer->addresses, answer->count * sizeof(*n->addresses));
    n->address_count = answer->count;
    n->version++;
    log_info(&n->names->scope, "%.*s has %zu address%s", TEXT_ARGS(n->host), answer->count,
             answer->count == 1 ? "" : "es");
}

/* What is known stays; the pause doubles, with a quarter of it left to chance. */
static int64_t on_failure(struct name *n, const struct resolve_answer *answer)
{
    uint64_t random;
    int64_t pause = n->pause_ms == 0 ? PAUSE_FIRST_MS : n->pause_ms * 2;
    const char *why = answer->why == NULL ? "no reason given" : answer->why;

    (void)snprintf(n->why, sizeof(n->why), "%s", why);
    if (!n->is_failing) {
        n->failing_since = clock_wall_ms(&n->names->loop->clock);
        log_warn(&n->names->scope, "%.*s cannot be resolved: %s; %s", TEXT_ARGS(n->host), why,
                 n->address_count > 0 ? "the addresses known before are kept"
                                      : "its targets get no requests until it can");
    }
    n->is_failing = true;
    n->pause_ms = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
    digest_random(&random, sizeof(random));
    return n->pause_ms - (int64_t)(random % ((uint64_t)n->pause_ms / 4));
}

static void on_answer(void *arg, const struct resolve_answer *answer)
{
    struct name *n = arg;
    bool is_ok = answer->result == RESOLVE_OK && answer->count > 0;
    bool is_changed = !n->is_answered;
    int64_t again = answer->ttl_ms;

    n->query = NULL;
    metrics_add(metrics_node(), is_ok ? METRIC_NAMES_RESOLVED : METRIC_NAMES_FAILED, 1);
    if (!is_ok) {
        again = on_failure(n, answer);
    } else {
        n->is_failing = false;
        n->pause_ms = 0;
        if (!has_same_addresses(n, answer)) {
            keep_addresses(n, answer);
            is_changed = true;
        }
    }
    n->is_answered = true;
    loop_timer_start(&n->timer, (uint64_t)again);
    if (is_changed)
        n->names->changed(n->names->arg);
}

static void look_up(void *arg)
{
    struct name *n = arg;

    if (n->names->resolve != NULL)
        n->query = resolve_query_start(n->names->resolve, n->host, n->port, on_answer, n);
}

/* ---- names ---- */

/* "host:port", for the caller to free. */
static char *new_key(struct text host, uint16_t port, size_t *length_out)
{
    char number[TEXT_NUMBER_SIZE];
    struct text digits = text_print_u64(port, number);
    size_t length = host.length + 1 + digits.length;
    char *key = mem_new(length + 1);

    memcpy(key, host.at, host.length);
    key[host.length] = ':';
    memcpy(key + host.length + 1, digits.at, digits.length);
    *length_out = length;
    return key;
}

struct name *names_take(struct names *names, struct text host, uint16_t port)
{
    size_t length;
    char *key = new_key(host, port, &length);
    struct name *n = map_find(&names->by_key, text_from(key, length));

    if (n != NULL) {
        MEM_FREE(&key);
        n->count++;
        return n;
    }
    n = mem_new(sizeof(*n));
    n->names = names;
    n->count = 1;
    n->key = key;
    n->host = text_from(key, host.length);
    n->port = port;
    n->is_answered = names->resolve == NULL;
    loop_timer_init(&n->timer, names->loop, look_up, n);
    (void)map_set(&names->by_key, text_from(key, length), n);
    look_up(n);
    return n;
}

void names_give(struct name **name)
{
    struct name *n = *name;

    *name = NULL;
    if (n == NULL || --n->count > 0)
        return;
    if (n->query != NULL)
        resolve_query_stop(&n->query);
    loop_timer_stop(&n->timer);
    (void)map_remove(&n->names->by_key, text_of(n->key));
    MEM_FREE(&n->addresses);
    MEM_FREE(&n->key);
    MEM_FREE(&n);
}

const char *names_find_failure(const struct names *names, struct text host, uint16_t port,
                               int64_t *since_out)
{
    size_t length;
    char *key = new_key(host, port, &length);
    const struct name *n = map_find(&names->by_key, text_from(key, length));

    MEM_FREE(&key);
    if (n == NULL || n->address_count > 0)
        return NULL;
    *since_out = n->is_failing ? n->failing_since : 0;
    return n->is_failing ? n->why : "it is being looked up";
}

bool names_is_answered(const struct name *name)
{
    return name->is_answered;
}

const struct address *names_addresses(const struct name *name, size_t *count_out)
{
    *count_out = name->address_count;
    return name->addresses;
}

uint64_t names_version(const struct name *name)
{
    return name->version;
}
