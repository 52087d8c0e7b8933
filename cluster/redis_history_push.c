/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_history_push.c - Redis has lost the newest entries (a fail-over, a restart): they are
 * claimed again, with the numbers and ids that they have.
 */
#include "cluster/redis_history_private.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define AT_ONCE  64
#define RETRY_MS 1000

static const struct log_scope log_store = { .subject = LOG_SUBJECT_store };

/* What is being pushed; the entries outlive the claim. */
struct push {
    struct redis_history *history;
    struct list entries;
    struct authority_entry *claim;
    size_t count;
};

static void push_free(struct push *p)
{
    while (!list_is_empty(&p->entries)) {
        struct store_embedded_incoming *in =
            LIST_ITEM(p->entries.next, struct store_embedded_incoming, node);
        list_remove(&in->node);
        store_embedded_incoming_free(&in);
    }
    MEM_FREE(&p->claim);
    MEM_FREE(&p);
}

static void on_answered(void *arg, enum authority_outcome outcome, struct text reason)
{
    struct push *p = arg;
    struct redis_history *h = p->history;
    if (outcome == AUTHORITY_TAKEN)
        log_info(&log_store, "%zu entries that Redis had lost were put back", p->count);
    else if (!text_is_empty(reason) && h->phase == HISTORY_LOOKING)
        redis_history_enter(h, HISTORY_LOOKING, reason);
    push_free(p);
    redis_history_look_again(h, outcome == AUTHORITY_TAKEN ? 0 : RETRY_MS);
}

static void on_fetched(void *arg, struct list *entries)
{
    struct push *p = arg;
    struct redis_history *h = p->history;
    h->is_looking = false;
    p->claim = mem_new_array(AT_ONCE, sizeof(*p->claim));
    while (!list_is_empty(entries)) {
        struct store_embedded_incoming *in =
            LIST_ITEM(entries->next, struct store_embedded_incoming, node);
        list_remove(&in->node);
        list_add_last(&p->entries, &in->node);
        p->claim[p->count++] = (struct authority_entry){ &in->head, in->parts, in->part_count };
    }
    if (p->count == 0 || h->phase != HISTORY_LOOKING || redis_history_claim_is_open(h)) {
        push_free(p);
        redis_history_look_again(h, RETRY_MS);
        return;
    }
    redis_history_claim_start(&h->authority, p->claim, p->count, on_answered, p);
}

void redis_history_push_start(struct redis_history *h, const struct history_place *from)
{
    struct push *p = mem_new(sizeof(*p));
    uint64_t newest = store_revision(store_embedded_port(h->settings.store));
    uint64_t to = newest - from->revision > AT_ONCE ? from->revision + AT_ONCE : newest;
    p->history = h;
    list_init(&p->entries);
    h->cluster = store_embedded_cluster(h->settings.store);
    h->is_looking = true;
    store_embedded_fetch(h->settings.store, from->revision + 1, to, on_fetched, p);
}
