/* SPDX-License-Identifier: Apache-2.0 */
/* members.c - the table, and what is noticed in it. */
#include "cluster/members.h"

#include <stdatomic.h>

#include "conf/base/mem.h"
#include "conf/resource.h"
#include "gatewayd/core/log.h"

#define UNSEEN_MS    3500 /* three heartbeats */
#define NAMES_MOST   64
#define DOUBLE_LOOKS 5 /* looks without a second writer until the name is ours alone again */

static const struct log_scope log_members = { .subject = LOG_SUBJECT_store };

struct node {
    struct list node; /* by name */
    struct arena arena;
    char *said; /* what `member` was read from */
    struct peer member;
    bool is_self;
    bool was_read;      /* since this process started */
    int64_t seen_ms;    /* by Redis's clock */
    int64_t unseen_for; /* ms in which Redis could be read and it did not say anything */
};

struct members {
    struct members_settings settings;
    struct list nodes;
    struct node *self;
    atomic_size_t count;
    int64_t now_ms; /* Redis's, at the last look */
    uint64_t changes;
    struct list waits;
    struct loop_task look; /* waits are looked at */
    unsigned double_looks; /* left until the name counts as ours alone */
    bool is_name_shared;
    bool is_address_useless;
};

/* ---- nodes ---- */

static struct node *find(const struct members *m, struct text name)
{
    LIST_EACH (at, &m->nodes) {
        struct node *n = LIST_ITEM(at, struct node, node);
        if (text_equals(n->member.name, name))
            return n;
    }
    return NULL;
}

static void count(struct members *m)
{
    size_t many = 0;
    LIST_EACH (at, &m->nodes)
        many++;
    atomic_store_explicit(&m->count, many, memory_order_relaxed);
    m->changes++;
}

/* Sorted by name. */
static struct node *add(struct members *m, struct text name)
{
    struct node *n = mem_new(sizeof(*n));
    struct list *place = &m->nodes;
    arena_init(&n->arena, SIZE_MAX);
    n->member.name = arena_copy(&n->arena, name);
    LIST_EACH (at, &m->nodes) {
        if (text_compare(LIST_ITEM(at, struct node, node)->member.name, name) > 0)
            break;
        place = at;
    }
    list_add_after(place, &n->node);
    count(m);
    return n;
}

static void free_node(struct node *n)
{
    list_remove(&n->node);
    arena_reset(&n->arena);
    MEM_FREE(&n->said);
    MEM_FREE(&n);
}

static void drop(struct members *m, struct node *n, const char *why)
{
    MUST(!n->is_self);
    log_info(&log_members, "node %.*s is not a member any more: %s", TEXT_ARGS(n->member.name),
             why);
    free_node(n);
    count(m);
    loop_defer(m->settings.loop, &m->look);
}

/* What it says, unless it says the same. */
static void hear(struct members *m, struct node *n, struct text said)
{
    struct arena arena;
    struct peer member;
    if (n->said != NULL && text_equals(text_of(n->said), said))
        return;
    arena_init(&arena, SIZE_MAX);
    if (!peer_parse(said, &arena, &member) || !text_equals(member.name, n->member.name)) {
        arena_reset(&arena);
        return;
    }
    if (!text_equals(n->member.address, member.address) || n->member.is_tls != member.is_tls)
        m->changes++;
    arena_reset(&n->arena);
    n->arena = arena;
    n->member = member;
    MEM_FREE(&n->said);
    n->said = mem_copy_text(said.at, said.length);
    loop_defer(m->settings.loop, &m->look);
}

void members_say(struct members *m, const struct peer *self)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    peer_print(self, &b);
    if (m->self == NULL) {
        m->self = add(m, self->name);
        m->self->is_self = true;
    }
    hear(m, m->self, builder_text(&b));
    builder_fini(&b);
}

/* ---- what is noticed ---- */

/* Two processes that both write make it seen at each look of either. */
static void notice_name(struct members *m, bool is_shared)
{
    if (is_shared)
        m->double_looks = DOUBLE_LOOKS;
    else if (m->double_looks > 0)
        m->double_looks--;
    bool is_now = m->double_looks > 0;
    if (is_now == m->is_name_shared)
        return;
    m->is_name_shared = is_now;
    if (is_now)
        log_error(&log_members,
                  "another process serves as node %.*s, too: give each node a name of its own",
                  TEXT_ARGS(m->self->member.name));
    else
        log_info(&log_members, "the name %.*s is this process's alone again",
                 TEXT_ARGS(m->self->member.name));
}

static const struct node *find_on_other_host(const struct members *m)
{
    LIST_EACH (at, &m->nodes) {
        const struct node *n = LIST_ITEM(at, struct node, node);
        if (!n->is_self && !text_is_empty(n->member.host) &&
            !text_equals(n->member.host, m->self->member.host))
            return n;
    }
    return NULL;
}

static void notice_address(struct members *m)
{
    const struct node *other = m->settings.is_local ? find_on_other_host(m) : NULL;
    if ((other != NULL) == m->is_address_useless)
        return;
    m->is_address_useless = other != NULL;
    if (other != NULL)
        log_error(&log_members,
                  "this node advertises %.*s, which node %.*s on another host cannot reach: set "
                  "cluster.advertise",
                  TEXT_ARGS(m->self->member.address), TEXT_ARGS(other->member.name));
}

/* ---- reading ---- */

static void take_row(struct members *m, const struct members_row *row)
{
    struct node *n = find(m, row->name);
    if (row->is_gone) {
        /* A process of that name that lives says so within a second. */
        if (n != NULL && !n->is_self && text_equals(n->member.incarnation, row->said))
            drop(m, n, "it left, or was removed");
        return;
    }
    if (n == NULL) {
        /* What somebody put into Redis is no node because it is there. */
        if (!resource_is_name(row->name) || members_count(m) >= MEMBERS_MOST)
            return;
        log_info(&log_members, "node %.*s is a member", TEXT_ARGS(row->name));
        n = add(m, row->name);
    }
    if (!n->is_self)
        hear(m, n, row->said);
    if (row->seen_ms != n->seen_ms || !n->was_read)
        n->unseen_for = 0;
    n->seen_ms = row->seen_ms;
    n->was_read = true;
}

static void age(struct members *m, int64_t elapsed_ms)
{
    LIST_EACH_SAFE (at, following, &m->nodes) {
        struct node *n = LIST_ITEM(at, struct node, node);
        int64_t before = n->unseen_for;
        n->unseen_for += elapsed_ms;
        if (n->is_self)
            continue;
        if (before < UNSEEN_MS && n->unseen_for >= UNSEEN_MS)
            log_warn(&log_members, "node %.*s has not been heard of for %lld ms",
                     TEXT_ARGS(n->member.name), (long long)n->unseen_for);
        if (n->unseen_for < m->settings.forget_after)
            continue;
        if (m->settings.forget != NULL)
            m->settings.forget(m->settings.arg, n->member.name, n->member.incarnation);
        drop(m, n, "it was not heard of for cluster.forget_after");
    }
}

void members_take(struct members *m, const struct members_read *read)
{
    age(m, read->elapsed_ms);
    for (size_t i = 0; i < read->count; i++)
        take_row(m, &read->rows[i]);
    m->now_ms = read->now_ms;
    notice_name(m, read->is_shared_name);
    notice_address(m);
}

/* ---- keeping ---- */

void members_print(const struct members *m, struct builder *b)
{
    LIST_EACH (at, &m->nodes) {
        const struct node *n = LIST_ITEM(at, struct node, node);
        if (n->is_self || n->said == NULL)
            continue;
        builder_add(b, text_of(n->said));
        builder_add_byte(b, '\n');
    }
}

void members_load(struct members *m, struct text lines)
{
    struct text line;
    while (text_cut(&lines, '\n', &line)) {
        struct arena arena;
        struct peer member;
        arena_init(&arena, SIZE_MAX);
        if (peer_parse(line, &arena, &member) && find(m, member.name) == NULL) {
            struct node *n = add(m, member.name);
            hear(m, n, line);
            n->unseen_for = UNSEEN_MS;
        }
        arena_reset(&arena);
    }
}

uint64_t members_changes(const struct members *m)
{
    return m->changes;
}

/* ---- asking ---- */

static void view(const struct node *n, struct members_view *out)
{
    *out = (struct members_view){
        .member = n->member,
        .is_self = n->is_self,
        .is_unseen = !n->is_self && n->unseen_for >= UNSEEN_MS,
        .last_seen = n->seen_ms,
    };
}

bool members_next(const struct members *m, struct text after, struct members_view *out)
{
    LIST_EACH (at, &m->nodes) {
        const struct node *n = LIST_ITEM(at, struct node, node);
        if (text_compare(n->member.name, after) <= 0)
            continue;
        view(n, out);
        return true;
    }
    return false;
}

bool members_find(const struct members *m, struct text name, struct members_view *out)
{
    const struct node *n = find(m, name);
    if (n != NULL)
        view(n, out);
    return n != NULL;
}

size_t members_count(const struct members *m)
{
    size_t many = atomic_load_explicit(&m->count, memory_order_relaxed);
    return many == 0 ? 1 : many;
}

bool members_is_name_shared(const struct members *m)
{
    return m->is_name_shared;
}

bool members_is_address_useless(const struct members *m)
{
    return m->is_address_useless;
}

bool members_remove(struct members *m, struct text name)
{
    struct node *n = find(m, name);
    if (n == NULL || n->is_self)
        return false;
    drop(m, n, "it was removed");
    return true;
}

/* ---- waiting ---- */

static size_t list_pending(const struct members *m, uint64_t revision, struct text *names)
{
    size_t many = 0;
    LIST_EACH (at, &m->nodes) {
        const struct node *n = LIST_ITEM(at, struct node, node);
        if (n->member.revision < revision && many < NAMES_MOST)
            names[many++] = n->member.name;
    }
    return many;
}

static void end_wait(struct members_wait *w, const struct text *names, size_t many)
{
    members_wait_stop(w);
    w->fn(w->arg, names, many);
}

static void on_look(void *arg)
{
    struct members *m = arg;
    struct text names[NAMES_MOST];
    LIST_EACH_SAFE (at, following, &m->waits) {
        struct members_wait *w = LIST_ITEM(at, struct members_wait, node);
        if (list_pending(m, w->revision, names) == 0)
            end_wait(w, names, 0);
    }
}

static void on_timeout(void *arg)
{
    struct members_wait *w = arg;
    struct text names[NAMES_MOST];
    end_wait(w, names, list_pending(w->members, w->revision, names));
}

void members_wait_start(struct members *m, struct members_wait *w, uint64_t revision,
                        int64_t timeout_ms, members_waited_fn *fn, void *arg)
{
    *w = (struct members_wait){ .members = m, .revision = revision, .fn = fn, .arg = arg };
    loop_timer_init(&w->timer, m->settings.loop, on_timeout, w);
    loop_timer_start(&w->timer, (uint64_t)timeout_ms);
    list_add_last(&m->waits, &w->node);
    loop_defer(m->settings.loop, &m->look);
}

void members_wait_stop(struct members_wait *w)
{
    if (w->members == NULL)
        return;
    loop_timer_stop(&w->timer);
    list_remove(&w->node);
    w->members = NULL;
}

bool members_is_waited_for(const struct members *m)
{
    return !list_is_empty(&m->waits);
}

/* ---- lifetime ---- */

struct members *members_new(const struct members_settings *settings)
{
    struct members *m = mem_new(sizeof(*m));
    m->settings = *settings;
    list_init(&m->nodes);
    list_init(&m->waits);
    loop_task_init(&m->look, on_look, m);
    return m;
}

struct loop *members_loop(const struct members *m)
{
    return m->settings.loop;
}

void members_free(struct members **at)
{
    struct members *m = *at;
    if (m == NULL)
        return;
    LIST_EACH_SAFE (node, following, &m->waits)
        on_timeout(LIST_ITEM(node, struct members_wait, node));
    loop_task_cancel(&m->look);
    LIST_EACH_SAFE (node, next, &m->nodes)
        free_node(LIST_ITEM(node, struct node, node));
    MEM_FREE(at);
}
