/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revocations.c - who has been told of what: for each known node the revocations that it has not
 * confirmed yet, sent one request at a time.
 */
#include "cluster/revocations.h"

#include <stdio.h>
#include <string.h>

#include "cluster/members.h"
#include "cluster/peer_client.h"
#include "conf/base/map.h"
#include "conf/base/mem.h"
#include "gatewayd/core/log.h"

#define LOOK_MS     1000
#define CALL_MS     2000
#define COMMIT_MOST 256
#define NAMES_MOST  64
#define TOLD_MOST   20000 /* that wait for one node; it has the others from the history later */
#define SAID_AGAIN  ((uint64_t)60 * 1000)
#define RECENT_MOST 256
#define RECENT_MS   8000 /* in which a node that was cut off before them is unseen for certain */

static const struct log_scope log_revocations = { .subject = LOG_SUBJECT_store };

/* One that a node has not confirmed. */
struct untold {
    struct list node;
    struct store_revocation item;
};

/* What one node has not confirmed. */
struct outbox {
    struct list node;
    struct revocations *revocations;
    char *name;
    struct list items; /* untold, in the order in which they are told */
    struct map by_digest;
    size_t sent;  /* of those, in the call under way */
    bool is_over; /* there was no room for some: it is pending until the history says all of it */
    struct peer_call *call;
    char said[160]; /* in the log last, why it has not confirmed; and when */
    uint64_t said_ms;
};

/* One that somebody waits for. */
struct order {
    struct list node;
    struct revocations *revocations;
    struct store_revocation item;
    struct store_revoke revoke;
    struct loop_timer timer;
    struct loop_task task;
    bool is_stored;
    revocations_done_fn *done;
    void *arg;
};

/* One that went the way of the history: whoever does not follow it may not be unseen yet. */
struct recent {
    struct store_revocation item;
    uint64_t at_ms;
};

struct revocations {
    struct loop *loop;
    struct members *members;
    struct peer_client *peers;
    struct text node;
    struct list outboxes;
    struct list orders;
    struct loop_timer look;
    struct recent recent[RECENT_MOST]; /* a ring */
    size_t recent_next;
    struct store_commit commit; /* of what is unshared */
    struct store_key_change changes[COMMIT_MOST];
    char author[80];
    bool is_committing;
    bool is_started;
    bool is_stopping;
    bool has_begun;
};

/* ---- outboxes ---- */

static struct outbox *find_outbox(const struct revocations *r, struct text name)
{
    LIST_EACH (node, &r->outboxes) {
        struct outbox *o = LIST_ITEM(node, struct outbox, node);
        if (text_equals(text_of(o->name), name))
            return o;
    }
    return NULL;
}

static struct outbox *get_outbox(struct revocations *r, struct text name)
{
    struct outbox *o = find_outbox(r, name);
    if (o != NULL)
        return o;
    o = mem_new(sizeof(*o));
    o->revocations = r;
    o->name = mem_copy_text(name.at, name.length);
    list_init(&o->items);
    map_init(&o->by_digest);
    list_add_last(&r->outboxes, &o->node);
    return o;
}

static struct text name_of(const struct digest *digest)
{
    return text_from((const char *)digest->bytes, DIGEST_SIZE);
}

static size_t count_of(const struct outbox *o)
{
    return o->by_digest.count;
}

static void drop_first(struct outbox *o)
{
    struct untold *u = LIST_ITEM(o->items.next, struct untold, node);
    map_remove(&o->by_digest, name_of(&u->item.digest));
    list_remove(&u->node);
    MEM_FREE(&u);
}

static void free_outbox(struct outbox *o)
{
    peer_call_stop(&o->call);
    list_remove(&o->node);
    while (!list_is_empty(&o->items))
        drop_first(o);
    map_fini(&o->by_digest);
    MEM_FREE(&o->name);
    MEM_FREE(&o);
}

static bool holds(const struct outbox *o, const struct digest *digest)
{
    return map_find(&o->by_digest, name_of(digest)) != NULL;
}

static void put(struct outbox *o, const struct store_revocation *item)
{
    if (holds(o, &item->digest))
        return;
    if (count_of(o) == TOLD_MOST) {
        if (!o->is_over)
            log_warn(&log_revocations,
                     "%d revocations wait for node %s: it is told of further ones by the history",
                     TOLD_MOST, o->name);
        o->is_over = true;
        return;
    }
    struct untold *u = mem_new(sizeof(*u));
    u->item = *item;
    list_add_last(&o->items, &u->node);
    map_set(&o->by_digest, name_of(&u->item.digest), u);
}

static void deliver(struct outbox *o);
static void deliver_all(struct revocations *r);

static void put_to_all(struct revocations *r, const struct store_revocation *item)
{
    struct members_view view;
    struct text after = TEXT_EMPTY;
    while (members_next(r->members, after, &view)) {
        after = view.member.name;
        if (!view.is_self)
            put(get_outbox(r, view.member.name), item);
    }
}

/* ---- orders ---- */

static size_t list_pending(const struct revocations *r, const struct digest *digest,
                           struct text *names)
{
    size_t count = 0;
    LIST_EACH (node, &r->outboxes) {
        const struct outbox *o = LIST_ITEM(node, struct outbox, node);
        if (count < NAMES_MOST && (o->is_over || holds(o, digest)))
            names[count++] = text_of(o->name);
    }
    return count;
}

static void free_order(void *arg)
{
    struct order *order = arg;
    MEM_FREE(&order);
}

static void answer(struct order *order, const struct revocations_outcome *outcome)
{
    loop_timer_stop(&order->timer);
    loop_task_cancel(&order->task);
    list_remove(&order->node);
    order->done(order->arg, outcome);
    loop_bury(order->revocations->loop, order, free_order);
}

static void conclude(struct order *order)
{
    struct text names[NAMES_MOST];
    struct revocations_outcome outcome = { .outcome = STORE_DONE, .pending = names };
    outcome.pending_count = list_pending(order->revocations, &order->item.digest, names);
    answer(order, &outcome);
}

/* Those whose last confirmation has come. */
static void look_at_orders(struct revocations *r)
{
    struct text names[NAMES_MOST];
    LIST_EACH_SAFE (node, following, &r->orders) {
        struct order *order = LIST_ITEM(node, struct order, node);
        if (order->is_stored && list_pending(r, &order->item.digest, names) == 0)
            loop_defer(r->loop, &order->task);
    }
}

static void on_concluded(void *arg)
{
    conclude(arg);
}

static void on_stored(void *arg, const struct store_result *result)
{
    struct order *order = arg;
    struct revocations *r = order->revocations;
    if (result->outcome != STORE_DONE && result->outcome != STORE_UNCHANGED) {
        answer(order, &(struct revocations_outcome){ .outcome = result->outcome,
                                                     .reason = result->reason });
        return;
    }
    order->is_stored = true;
    if (r->is_stopping) {
        conclude(order);
        return;
    }
    put_to_all(r, &order->item);
    deliver_all(r);
    look_at_orders(r);
}

static void on_timeout(void *arg)
{
    struct order *order = arg;
    /* Whether it is durable here is worth waiting for. */
    if (order->is_stored)
        conclude(order);
    else
        loop_timer_start(&order->timer, LOOK_MS);
}

void revocations_revoke(struct revocations *r, const struct store_revocation *item,
                        int64_t timeout_ms, revocations_done_fn *done, void *arg)
{
    struct order *order = mem_new(sizeof(*order));
    order->revocations = r;
    order->item = *item;
    if (order->item.revoked_at == 0)
        order->item.revoked_at = clock_wall_ms(&r->loop->clock);
    order->done = done;
    order->arg = arg;
    order->revoke =
        (struct store_revoke){ .items = &order->item, .count = 1, .done = on_stored, .arg = order };
    loop_timer_init(&order->timer, r->loop, on_timeout, order);
    loop_task_init(&order->task, on_concluded, order);
    loop_timer_start(&order->timer, (uint64_t)timeout_ms);
    list_add_last(&r->orders, &order->node);
    store_revoke(store_get(), &order->revoke);
}

/* ---- telling ---- */

/* It is tried again each second: said once, and when it is something else or a minute later. */
static void say_unconfirmed(struct outbox *o, const struct peer_answer *a)
{
    char why[sizeof(o->said)];
    uint64_t now = clock_ms(&o->revocations->loop->clock);
    size_t count = count_of(o);
    if (a->status == 0)
        (void)snprintf(why, sizeof(why), "%.*s", TEXT_ARGS(a->reason));
    else if (a->status == 401)
        (void)snprintf(why, sizeof(why),
                       "it does not take our signature: do the secrets or clocks differ?");
    else
        (void)snprintf(why, sizeof(why), "it answered %u", a->status);
    if (strcmp(why, o->said) == 0 && now - o->said_ms < SAID_AGAIN)
        return;
    memcpy(o->said, why, sizeof(why));
    o->said_ms = now;
    log_warn(&log_revocations, "node %s has not confirmed %zu %s: %s", o->name, count,
             count == 1 ? "revocation" : "revocations", why);
}

static void on_answered(void *arg, const struct peer_answer *a)
{
    struct outbox *o = arg;
    struct revocations *r = o->revocations;
    o->call = NULL;
    if (a->status != 204) {
        say_unconfirmed(o, a);
        return;
    }
    for (size_t i = 0; i < o->sent; i++)
        drop_first(o);
    look_at_orders(r);
    deliver(o);
}

static size_t print_first(const struct outbox *o, struct builder *b)
{
    size_t count = 0;
    struct store_revocation *items = mem_new_array(REVOCATIONS_BODY_MOST, sizeof(*items));
    LIST_EACH (node, &o->items) {
        if (count == REVOCATIONS_BODY_MOST)
            break;
        items[count++] = LIST_ITEM(node, struct untold, node)->item;
    }
    revocations_print(items, count, b);
    MEM_FREE(&items);
    return count;
}

/* One request at a time: what comes meanwhile goes with the next. */
static void deliver(struct outbox *o)
{
    struct revocations *r = o->revocations;
    struct members_view view;
    if (count_of(o) == 0 || o->call != NULL || r->peers == NULL || r->is_stopping ||
        !members_find(r->members, text_of(o->name), &view))
        return;
    struct builder b;
    builder_init(&b, SIZE_MAX);
    o->sent = print_first(o, &b);
    struct peer_request request = {
        .to = view.member.name,
        .address = view.member.address,
        .is_tls = view.member.is_tls,
        .method = METHOD_POST,
        .path = TEXT_OF(REVOCATIONS_PATH),
        .body = builder_text(&b),
        .timeout_ms = CALL_MS,
    };
    o->call = peer_client_call(r->peers, &request, on_answered, o);
    builder_fini(&b);
}

/* ---- the shared history ---- */

static void on_committed(void *arg, const struct store_result *result)
{
    struct revocations *r = arg;
    r->is_committing = false;
    if (result->outcome == STORE_DONE)
        log_info(&log_revocations, "revocations made while the store was away are revision %llu",
                 (unsigned long long)result->revision);
    if (r->is_started && !r->is_stopping)
        loop_timer_start(&r->look, result->outcome == STORE_DONE ? 0 : LOOK_MS);
}

static void share(struct revocations *r, const struct store_revocation *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        r->changes[i] = (struct store_key_change){ .change = STORE_KEY_REVOKE, .id = items[i].id };
    snprintf(r->author, sizeof(r->author), "node %.*s", TEXT_ARGS(r->node));
    r->commit = (struct store_commit){ .author = text_of(r->author),
                                       .keys = r->changes,
                                       .key_count = count,
                                       .done = on_committed,
                                       .arg = r };
    r->is_committing = true;
    store_commit(store_get(), &r->commit);
}

static bool is_unseen(const struct revocations *r, struct text name)
{
    struct members_view view;
    return members_find(r->members, name, &view) && view.is_unseen;
}

/* The history says all of it: whoever follows it knows. Who does not seem to is told until it has
 * confirmed. */
static void clear_outboxes(struct revocations *r)
{
    LIST_EACH_SAFE (node, following, &r->outboxes) {
        struct outbox *o = LIST_ITEM(node, struct outbox, node);
        if (count_of(o) == 0 || !is_unseen(r, text_of(o->name)))
            free_outbox(o);
    }
    look_at_orders(r);
}

static void deliver_all(struct revocations *r)
{
    LIST_EACH (node, &r->outboxes)
        deliver(LIST_ITEM(node, struct outbox, node));
}

/* After a start nobody knows who has confirmed what. */
static void tell_what_was_left(struct revocations *r)
{
    struct store_revocation *items = mem_new_array(TOLD_MOST + 1, sizeof(*items));
    size_t count = store_list_unshared(store_get(), items, TOLD_MOST + 1);
    for (size_t i = 0; i < count; i++)
        put_to_all(r, &items[i]);
    r->has_begun = true;
    MEM_FREE(&items);
}

static void put_to_unseen(struct revocations *r, const struct store_revocation *item)
{
    struct members_view view;
    struct text after = TEXT_EMPTY;
    while (members_next(r->members, after, &view)) {
        after = view.member.name;
        if (view.is_unseen)
            put(get_outbox(r, view.member.name), item);
    }
}

void revocations_tell_unseen(struct revocations *r, const struct store_revocation *item)
{
    r->recent[r->recent_next] = (struct recent){ *item, loop_now_ms(r->loop) };
    r->recent_next = (r->recent_next + 1) % RECENT_MOST;
    put_to_unseen(r, item);
    deliver_all(r);
}

static void put_recent(struct revocations *r)
{
    uint64_t now = loop_now_ms(r->loop);
    for (size_t i = 0; i < RECENT_MOST; i++) {
        if (r->recent[i].at_ms != 0 && now < r->recent[i].at_ms + RECENT_MS)
            put_to_unseen(r, &r->recent[i].item);
    }
}

static void on_look(void *arg)
{
    struct revocations *r = arg;
    struct store_revocation items[COMMIT_MOST];
    loop_timer_start(&r->look, LOOK_MS);
    if (store_is_loading(store_get()) || r->is_committing)
        return;
    bool is_away = store_status(store_get()).is_away;
    size_t count = store_list_unshared(store_get(), items, ARRAY_LENGTH(items));
    if (count == 0) {
        clear_outboxes(r);
        put_recent(r);
        deliver_all(r);
        return;
    }
    if (is_away && !r->has_begun)
        tell_what_was_left(r);
    deliver_all(r);
    if (!is_away)
        share(r, items, count);
}

size_t revocations_waiting(const struct revocations *r)
{
    return r->is_started ? store_list_unshared(store_get(), NULL, 0) : 0;
}

/* ---- lifetime ---- */

struct revocations *revocations_new(struct loop *loop, struct members *members,
                                    struct peer_client *peers, struct text node)
{
    struct revocations *r = mem_new(sizeof(*r));
    r->loop = loop;
    r->members = members;
    r->peers = peers;
    r->node = text_from(mem_copy_text(node.at, node.length), node.length);
    list_init(&r->outboxes);
    list_init(&r->orders);
    loop_timer_init(&r->look, loop, on_look, r);
    return r;
}

void revocations_start(struct revocations *r)
{
    r->is_started = true;
    loop_timer_start(&r->look, 0);
}

void revocations_stop(struct revocations *r)
{
    r->is_stopping = true;
    loop_timer_stop(&r->look);
    LIST_EACH_SAFE (node, following, &r->orders) {
        struct order *order = LIST_ITEM(node, struct order, node);
        if (order->is_stored)
            conclude(order);
    }
    while (!list_is_empty(&r->orders) || r->is_committing)
        loop_run_once(r->loop, true);
}

void revocations_free(struct revocations **at)
{
    struct revocations *r = *at;
    if (r == NULL)
        return;
    MUST(list_is_empty(&r->orders) && !r->is_committing);
    LIST_EACH_SAFE (node, following, &r->outboxes)
        free_outbox(LIST_ITEM(node, struct outbox, node));
    char *name = (char *)(uintptr_t)r->node.at;
    MEM_FREE(&name);
    MEM_FREE(at);
}
