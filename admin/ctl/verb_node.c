/* SPDX-License-Identifier: Apache-2.0 */
/* verb_node.c - nodes: status, nodes, drain, undrain, upgrade. */
#include <stdio.h>

#include "admin/ctl/command.h"
#include "admin/ctl/listing.h"
#include "admin/ctl/table.h"
#include "admin/ctl/url.h"
#include "admin/ctl/verb_path.h"
#include "admin/ctl/verb_rows.h"

#define PRINTED_MAX ((size_t)1 << 20)

/* ---- the status of all ---- */

static void add_number(struct table *table, const struct doc *status, const char *name)
{
    const struct doc *number = doc_find(status, text_of(name));

    if (number != NULL && number->type == DOC_INT)
        table_addf(table, "%lld", (long long)number->integer);
    else
        table_add(table, TEXT_EMPTY);
}

static void add_status(struct table *table, const struct doc *status)
{
    struct text state = doc_find_text(status, TEXT_OF("state"));
    const struct doc *store = doc_find(status, TEXT_OF("store"));
    struct text store_state = store == NULL ? TEXT_EMPTY : doc_find_text(store, TEXT_OF("state"));
    struct text reason = doc_find_text(status, TEXT_OF("reason"));

    if (reason.length == 0 && store != NULL)
        reason = doc_find_text(store, TEXT_OF("reason"));
    table_add(table, doc_find_text(status, TEXT_OF("node")));
    table_add_painted(table, state, paint_of_state(state));
    add_number(table, status, "revision");
    table_add_painted(table, store_state, paint_of_state(store_state));
    table_add(table, doc_find_text(status, TEXT_OF("version")));
    add_number(table, status, "connections");
    add_number(table, status, "exchanges");
    add_number(table, status, "streams");
    table_add(table, reason);
}

static void add_unreachable(struct table *table, const struct doc *node)
{
    table_add(table, doc_find_text(node, TEXT_OF("node")));
    table_add_painted(table, TEXT_OF("unreachable"), paint_of_state(TEXT_OF("unreachable")));
    for (int i = 0; i < 6; i++)
        table_add(table, TEXT_EMPTY);
    table_add(table, doc_find_text(node, TEXT_OF("because")));
}

static void print_statuses(struct command *c, const struct doc *reply)
{
    static const char *const titles[] = { "NODE",       "STATE",    "+REVISION",
                                          "STORE",      "VERSION",  "+CONNECTIONS",
                                          "+EXCHANGES", "+STREAMS", "REASON",
                                          NULL };
    const struct doc *items = doc_find(reply, TEXT_OF("items"));
    const struct doc *unreachable = doc_find(reply, TEXT_OF("unreachable"));
    struct table table;
    struct builder b;

    table_init(&table, titles);
    for (size_t i = 0; items != NULL && items->type == DOC_LIST && i < items->list.count; i++)
        add_status(&table, &items->list.items[i]);
    for (size_t i = 0;
         unreachable != NULL && unreachable->type == DOC_LIST && i < unreachable->list.count; i++)
        add_unreachable(&table, &unreachable->list.items[i]);
    builder_init(&b, PRINTED_MAX);
    table_print(&table, c->paint, &b);
    command_flush(&b);
    builder_fini(&b);
    table_fini(&table);
}

enum verb_status verb_status(struct command *c)
{
    bool is_all = args_has(c->args, OPTION_ALL);
    struct command_reply reply;
    enum verb_status status;

    if (is_all) {
        if (!command_get(c, TEXT_OF("/v1/status?nodes=all"), &reply, &status))
            return status;
        if (command_is_json(c))
            command_print(c, &reply.doc);
        else
            print_statuses(c, &reply.doc);
        return VERB_DONE;
    }
    if (!command_get(c, TEXT_OF("/v1/status"), &reply, &status))
        return status;
    command_print(c, &reply.doc);
    return VERB_DONE;
}

/* ---- nodes ---- */

/* "va master, vb backup"; empty without virtual addresses. */
static struct text print_vrrp(const struct doc *node, struct arena *arena)
{
    const struct doc *vrrp = doc_find(node, TEXT_OF("vrrp"));
    struct text all = TEXT_EMPTY;

    for (size_t i = 0; vrrp != NULL && vrrp->type == DOC_OBJECT && i < vrrp->object.count; i++) {
        const struct doc_member *m = &vrrp->object.members[i];
        struct text state = doc_find_text(vrrp, m->name);

        all = arena_print(arena, "%.*s%s%.*s %.*s", TEXT_ARGS(all), i == 0 ? "" : ", ",
                          TEXT_ARGS(m->name), TEXT_ARGS(state));
    }
    return all;
}

static void add_node(struct table *table, const struct doc *node, bool has_vrrp)
{
    struct text state = doc_find_text(node, TEXT_OF("state"));
    const struct doc *revision = doc_find(node, TEXT_OF("revision"));
    const struct doc *unseen = doc_find(node, TEXT_OF("unseen"));
    struct text reason = doc_find_text(node, TEXT_OF("warning"));

    table_add(table, doc_find_text(node, TEXT_OF("name")));
    if (unseen != NULL && unseen->type == DOC_BOOL && unseen->boolean)
        state = TEXT_OF("unseen");
    table_add_painted(table, state, paint_of_state(state));
    table_addf(table, "%lld",
               revision != NULL && revision->type == DOC_INT ? (long long)revision->integer : 0LL);
    table_add(table, doc_find_text(node, TEXT_OF("version")));
    table_add(table, doc_find_text(node, TEXT_OF("address")));
    table_add(table, doc_find_text(node, TEXT_OF("started_at")));
    table_add(table, doc_find_text(node, TEXT_OF("last_seen")));
    if (has_vrrp)
        table_add(table, print_vrrp(node, &table->arena));
    table_add(table, reason.length > 0 ? reason : doc_find_text(node, TEXT_OF("reason")));
}

static void print_nodes(struct command *c, const struct doc *items)
{
    static const char *const titles[] = { "NAME",    "STATE",     "+REVISION", "VERSION", "ADDRESS",
                                          "STARTED", "LAST SEEN", "REASON",    NULL };
    static const char *const with_vrrp[] = { "NAME",    "STATE",   "+REVISION", "VERSION",
                                             "ADDRESS", "STARTED", "LAST SEEN", "VRRP",
                                             "REASON",  NULL };
    struct table table;
    struct builder b;
    bool has_vrrp = false;

    for (size_t i = 0; i < items->list.count; i++)
        has_vrrp = has_vrrp || doc_find(&items->list.items[i], TEXT_OF("vrrp")) != NULL;
    table_init(&table, has_vrrp ? with_vrrp : titles);
    for (size_t i = 0; i < items->list.count; i++)
        add_node(&table, &items->list.items[i], has_vrrp);
    builder_init(&b, PRINTED_MAX);
    table_print(&table, c->paint, &b);
    command_flush(&b);
    builder_fini(&b);
    table_fini(&table);
}

enum verb_status verb_nodes(struct command *c)
{
    const struct doc *items;
    struct command_reply reply;
    enum verb_status status;

    if (!command_get(c, TEXT_OF("/v1/nodes"), &reply, &status))
        return status;
    items = doc_find(&reply.doc, TEXT_OF("items"));
    if (command_is_json(c) || items == NULL || items->type != DOC_LIST)
        command_print(c, &reply.doc);
    else if (c->settings.output == SETTINGS_NAMES)
        listing_print_names(items, "name");
    else
        print_nodes(c, items);
    return VERB_DONE;
}

enum verb_status verb_nodes_forget(struct command *c)
{
    const char *name = args_word(c->args, 0);
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    verb_path_begin(&path, "nodes", name);
    request = command_write(c, "DELETE", command_take(c, &path), NULL);
    if (!command_call(c, &request, &reply, &status))
        return status;
    (void)printf("node %s forgotten\n", name);
    return VERB_DONE;
}

/* ---- draining and replacing ---- */

/* Of a listener or a virtual one, or its name; NULL: the node. */
static const char *address_of(const struct command *c)
{
    const char *word = args_word(c->args, 0);

    return word != NULL ? word : c->args->values[OPTION_ADDRESS];
}

enum verb_status verb_drain(struct command *c)
{
    const char *address = address_of(c);
    struct doc body = doc_object();
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;

    if (address != NULL)
        doc_add(&body, &c->arena, TEXT_OF("address"), doc_text(text_of(address)));
    request = command_write(c, "POST", TEXT_OF("/v1/drain"), &body);
    if (!command_call(c, &request, &reply, &status))
        return status;
    if (command_is_json(c))
        command_print(c, &reply.doc);
    else
        (void)printf("%s is draining: it is not ready, and answers say Connection: close.\n",
                     address == NULL ? "The node" : address);
    return VERB_DONE;
}

enum verb_status verb_undrain(struct command *c)
{
    const char *address = address_of(c);
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    verb_path_begin(&path, "drain", NULL);
    if (address != NULL)
        url_add_query(&path, "address", text_of(address));
    request = command_write(c, "DELETE", command_take(c, &path), NULL);
    if (!command_call(c, &request, &reply, &status))
        return status;
    if (!command_is_json(c))
        (void)printf("%s is ready again.\n", address == NULL ? "The node" : address);
    return VERB_DONE;
}

enum verb_status verb_upgrade(struct command *c)
{
    struct http_request request = command_write(c, "POST", TEXT_OF("/v1/upgrade"), NULL);
    struct command_reply reply;
    enum verb_status status;

    request.seconds = 120;
    if (!command_call(c, &request, &reply, &status))
        return status;
    command_print(c, &reply.doc);
    return VERB_DONE;
}
