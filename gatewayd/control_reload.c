/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_reload.c - certificates of listeners, and reading the node configuration again (SIGHUP).
 */
#include <stdio.h>

#include "conf/base/mem.h"
#include "gatewayd/control_private.h"
#include "gatewayd/core/log_writer.h"
#include "gatewayd/ha.h"
#include "gatewayd/service.h"

void control_log_problems(const struct log_scope *scope, const struct problems *ps)
{
    struct builder b;

    builder_init(&b, 8192);
    for (size_t i = 0; i < ps->count; i++) {
        builder_clear(&b);
        problem_print(&ps->items[i], &b);
        log_error(scope, "%.*s", TEXT_ARGS(builder_text(&b)));
    }
    builder_fini(&b);
}

/* ---- certificates --------------------------------------------------------------------------- */

static struct tls_server *new_tls(const struct node_listener *l, struct problems *ps)
{
    static const struct text alpn[] = { TEXT("http/1.1") };
    struct tls_certificate *certificates =
        mem_new_array(l->tls->all.count, sizeof(certificates[0]));
    char path[128];
    struct tls_server_options options = {
        .certificates = certificates,
        .certificate_count = l->tls->all.count,
        .alpn = alpn,
        .alpn_count = ARRAY_LENGTH(alpn),
    };

    for (size_t i = 0; i < l->tls->all.count; i++)
        certificates[i] =
            (struct tls_certificate){ l->tls->all.items[i].cert, l->tls->all.items[i].key };
    snprintf(path, sizeof(path), "listeners.%.*s.tls", TEXT_ARGS(l->name));
    struct tls_server *made =
        tls_server_new(&options, (struct place){ .path = path, .pointer = "" }, ps);
    MEM_FREE(&certificates);
    return made;
}

bool control_check_tls(const struct node_config *node, struct problems *ps)
{
    size_t before = ps->count;

    for (size_t i = 0; i < node->listeners.count; i++) {
        const struct node_listener *l = &node->listeners.items[i];
        struct tls_server *made = l->tls == NULL ? NULL : new_tls(l, ps);
        tls_server_unref(&made);
    }
    return ps->count == before;
}

static const struct node_listener *find_listener(const struct node_config *node, struct text name)
{
    for (size_t i = 0; i < node->listeners.count; i++) {
        if (text_equals(node->listeners.items[i].name, name))
            return &node->listeners.items[i];
    }
    return NULL;
}

/* For the listeners of the first node file, from the one in force. What cannot be read stays as it
 * was. */
bool control_load_tls(struct control *c, struct problems *ps)
{
    size_t before = ps->count;

    for (size_t i = 0; i < c->listener_count; i++) {
        const struct node_listener *l = find_listener(c->node, c->listener_names[i]);
        if (l == NULL || l->tls == NULL)
            continue;
        struct tls_server *made = new_tls(l, ps);
        if (made == NULL)
            continue;
        tls_server_unref(&c->tls[i]);
        c->tls[i] = made;
    }
    return ps->count == before;
}

void control_free_tls(struct control *c)
{
    for (size_t i = 0; i < c->listener_count; i++)
        tls_server_unref(&c->tls[i]);
    MEM_FREE(&c->tls);
}

/* ---- the node file -------------------------------------------------------------------------- */

static void name_change(void *arg, struct text path, bool is_live)
{
    const struct control *c = arg;

    if (is_live)
        log_info(&c->log, "%.*s has changed", TEXT_ARGS(path));
    else
        log_warn(&c->log, "%.*s cannot change while the node runs: left as it was",
                 TEXT_ARGS(path));
}

static void apply_log(const struct control *c)
{
    const struct node_log *log = &c->node->log;

    log_set_level((enum log_level)log->level);
    if (!log_writer_set_access(log->access))
        log_error(&c->log, "log.access is left as it was");
}

static void reload_services(struct control *c, struct problems *ps)
{
    for (size_t i = 0; control_services[i] != NULL; i++) {
        if (control_services[i]->reload != NULL)
            control_services[i]->reload(c, c->node, ps);
    }
}

static void take_over(struct control *c, struct node_config *node, struct problems *ps)
{
    node_config_changes(c->node, node, name_change, c);
    node_config_unref(&c->node);
    c->node = node;
    apply_log(c);
    atomic_store(&c->budget.max, control_connections_most(c->node));
    if (!control_load_tls(c, ps))
        log_error(&c->log, "certificates that cannot be read are left as they were");
    for (unsigned i = 0; i < c->worker_count; i++) {
        worker_set_node(c->workers[i], c->node);
        worker_set_tls(c->workers[i], c->tls);
    }
    reload_services(c, ps);
    if (c->ha != NULL)
        ha_note_file(c->ha, c->node, ps);
    control_publish_again(c);
}

void control_reload(struct control *c)
{
    struct problems ps;

    problems_init(&ps);
    log_info(&c->log, "reading %s again", c->file);
    struct node_config *node = node_config_read(c->file, &ps);
    if (node == NULL)
        log_error(&c->log, "the node configuration is left as it was");
    else
        take_over(c, node, &ps);
    node_locate(c->node, &ps);
    control_log_problems(&c->log, &ps);
    problems_fini(&ps);
}
