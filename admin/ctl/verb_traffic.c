/* SPDX-License-Identifier: Apache-2.0 */
/* verb_traffic.c - what happens to requests: explain, health, target. */
#include "admin/ctl/command.h"
#include "admin/ctl/explanation.h"
#include "admin/ctl/kind.h"
#include "admin/ctl/listing.h"
#include "admin/ctl/report.h"
#include "admin/ctl/table.h"
#include "admin/ctl/url.h"
#include "admin/ctl/verb_path.h"
#include "admin/ctl/verb_rows.h"

#define PRINTED_MAX ((size_t)64 << 20)
#define WEIGHT_MOST 256

/* ---- explain ---- */

static bool add_headers(struct command *c, struct doc *body)
{
    struct doc list = doc_list();

    for (size_t i = 0; i < c->args->header_count; i++) {
        struct text line = text_of(c->args->headers[i]);
        size_t colon = text_find_byte(line, ':');
        struct doc header = doc_object();

        if (colon == 0 || colon == line.length) {
            (void)command_misuse(c, "A header is 'NAME: VALUE', got \"%.*s\".", TEXT_ARGS(line));
            return false;
        }
        doc_add(&header, &c->arena, TEXT_OF("name"), doc_text(text_first(line, colon)));
        doc_add(&header, &c->arena, TEXT_OF("value"),
                doc_text(text_trim(text_skip(line, colon + 1))));
        doc_append(&list, &c->arena, header);
    }
    if (list.list.count > 0)
        doc_add(body, &c->arena, TEXT_OF("headers"), list);
    return true;
}

enum verb_status verb_explain(struct command *c)
{
    bool has_method = c->args->count > 1;
    struct doc body = doc_object();
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder b;

    doc_add(&body, &c->arena, TEXT_OF("method"),
            doc_text(text_of(has_method ? args_word(c->args, 0) : "GET")));
    doc_add(&body, &c->arena, TEXT_OF("url"), doc_text(text_of(args_word(c->args, has_method))));
    if (!add_headers(c, &body))
        return VERB_USAGE;
    if (args_has(c->args, OPTION_CLIENT))
        doc_add(&body, &c->arena, TEXT_OF("client"),
                doc_text(text_of(c->args->values[OPTION_CLIENT])));
    request = command_write(c, "POST", TEXT_OF("/v1/explain"), &body);
    if (!command_call(c, &request, &reply, &status))
        return status;
    if (command_is_json(c)) {
        command_print_json(&reply.doc);
        return VERB_DONE;
    }
    builder_init(&b, PRINTED_MAX);
    explanation_print(&reply.doc, c->paint, &b);
    command_flush(&b);
    builder_fini(&b);
    return VERB_DONE;
}

/* ---- health ---- */

#define HEALTH_NUMBERS 5 /* columns from SINCE to FAILURES */

static const char *const health_titles[] = { "UPSTREAM",  "TARGET",  "NODE",       "STATE",
                                             "SINCE",     "+WEIGHT", "+IN FLIGHT", "+REQUESTS",
                                             "+FAILURES", "BECAUSE", NULL };

static void add_number(struct table *table, const struct doc *item, const char *name)
{
    const struct doc *number = doc_find(item, text_of(name));

    table_addf(table, "%lld",
               number != NULL && number->type == DOC_INT ? (long long)number->integer : 0LL);
}

static void add_target(struct command *c, struct table *table, struct text upstream,
                       const struct doc *item)
{
    struct text address = doc_find_text(item, TEXT_OF("address"));
    struct text resolved = doc_find_text(item, TEXT_OF("resolved"));
    struct text state = doc_find_text(item, TEXT_OF("state"));

    table_add(table, upstream);
    if (resolved.length > 0 && !text_equals(address, resolved))
        address = arena_print(&c->arena, "%.*s (%.*s)", TEXT_ARGS(address), TEXT_ARGS(resolved));
    table_add(table, address);
    table_add(table, doc_find_text(item, TEXT_OF("node")));
    table_add_painted(table, state, paint_of_state(state));
    table_add(table, doc_find_text(item, TEXT_OF("since")));
    add_number(table, item, "weight");
    add_number(table, item, "in_flight");
    add_number(table, item, "requests");
    add_number(table, item, "failures");
    table_add(table, doc_find_text(item, TEXT_OF("because")));
}

static void add_unreachable(struct table *table, struct text upstream, const struct doc *node)
{
    table_add(table, upstream);
    table_add(table, TEXT_EMPTY);
    table_add(table, doc_find_text(node, TEXT_OF("node")));
    table_add_painted(table, TEXT_OF("unreachable"), paint_of_state(TEXT_OF("unreachable")));
    for (size_t i = 0; i < HEALTH_NUMBERS; i++)
        table_add(table, TEXT_EMPTY);
    table_add(table, doc_find_text(node, TEXT_OF("because")));
}

static void add_targets(struct command *c, struct table *table, const struct doc *health)
{
    const struct doc *items = doc_find(health, TEXT_OF("items"));
    const struct doc *silent = doc_find(health, TEXT_OF("unreachable"));
    struct text upstream = doc_find_text(health, TEXT_OF("upstream"));

    for (size_t i = 0; items != NULL && items->type == DOC_LIST && i < items->list.count; i++)
        add_target(c, table, upstream, &items->list.items[i]);
    for (size_t i = 0; silent != NULL && silent->type == DOC_LIST && i < silent->list.count; i++)
        add_unreachable(table, upstream, &silent->list.items[i]);
}

static bool read_health(struct command *c, struct text upstream, struct doc *list,
                        enum verb_status *status_out)
{
    struct command_reply reply;
    struct builder path;

    verb_path_begin(&path, "upstreams", NULL);
    url_add_segment(&path, upstream);
    url_add_segment(&path, TEXT_OF("health"));
    if (!command_get(c, command_take(c, &path), &reply, status_out))
        return false;
    doc_append(list, &c->arena, reply.doc);
    return true;
}

/* Of one upstream, or of all. */
static bool read_healths(struct command *c, struct doc *list, enum verb_status *status_out)
{
    const char *one = args_word(c->args, 0);
    struct doc upstreams;

    *list = doc_list();
    if (one != NULL)
        return read_health(c, text_of(one), list, status_out);
    if (!listing_read(c, TEXT_OF("/v1/upstreams"), "after", 0, &upstreams, status_out))
        return false;
    for (size_t i = 0; i < upstreams.list.count; i++) {
        struct text name = doc_find_text(&upstreams.list.items[i], TEXT_OF("name"));

        if (!read_health(c, name, list, status_out))
            return false;
    }
    return true;
}

enum verb_status verb_health(struct command *c)
{
    enum verb_status status;
    struct table table;
    struct builder b;
    struct doc list;

    if (!read_healths(c, &list, &status))
        return status;
    if (command_is_json(c) && args_word(c->args, 0) != NULL) {
        command_print_json(&list.list.items[0]);
        return VERB_DONE;
    }
    if (command_is_json(c)) {
        listing_print_json(c, &list);
        return VERB_DONE;
    }
    table_init(&table, health_titles);
    for (size_t i = 0; i < list.list.count; i++)
        add_targets(c, &table, &list.list.items[i]);
    builder_init(&b, PRINTED_MAX);
    table_print(&table, c->paint, &b);
    command_flush(&b);
    builder_fini(&b);
    table_fini(&table);
    return VERB_DONE;
}

/* ---- target ---- */

static bool make_change(struct command *c, struct doc *body)
{
    bool is_drain = args_has(c->args, OPTION_DRAIN);
    uint64_t weight = UINT64_MAX;

    if (!command_number(c, OPTION_WEIGHT, WEIGHT_MOST, &weight))
        return false;
    if (weight != UINT64_MAX)
        doc_add(body, &c->arena, TEXT_OF("weight"), doc_int((int64_t)weight));
    if (is_drain || args_has(c->args, OPTION_UNDRAIN))
        doc_add(body, &c->arena, TEXT_OF("drain"), doc_bool(is_drain));
    if (body->object.count > 0 && !(is_drain && args_has(c->args, OPTION_UNDRAIN)))
        return true;
    (void)command_misuse(c, "What should change? --weight N, --drain or --undrain.");
    return false;
}

enum verb_status verb_target(struct command *c)
{
    const char *address = args_word(c->args, 1);
    struct doc body = doc_object();
    struct http_request request;
    struct command_reply reply;
    enum verb_status status;
    struct builder path;

    if (!make_change(c, &body))
        return VERB_USAGE;
    verb_path_begin(&path, "upstreams", args_word(c->args, 0));
    url_add_segment(&path, TEXT_OF("targets"));
    url_add_segment(&path, text_of(address));
    command_add_write_query(c, &path);
    request = command_write(c, "PATCH", command_take(c, &path), &body);
    command_add_conditions(c, &request);
    if (!command_call(c, &request, &reply, &status))
        return status;
    report_change(c, arena_print(&c->arena, "target %s", address).at, "set", &reply);
    return VERB_DONE;
}
