/* SPDX-License-Identifier: Apache-2.0 */
/* verb_revisions.c - the history: revisions, revision show, restore, confirm, watch. */
#include <stdio.h>

#include "admin/ctl/command.h"
#include "admin/ctl/difference.h"
#include "admin/ctl/listing.h"
#include "admin/ctl/outline.h"
#include "admin/ctl/report.h"
#include "admin/ctl/table.h"
#include "admin/ctl/url.h"
#include "admin/ctl/verb_path.h"
#include "admin/ctl/verb_rows.h"

#define LIMIT_INITIAL   20
#define LIMIT_MOST      1000000
#define WATCH_WAIT      "30s"
#define WATCH_SECONDS   90
#define PRINTED_MAX     ((size_t)1 << 30)
#define COLUMN_WHAT_MAX 60

static const char *const titles[] = { "+REVISION", "TIME", "AUTHOR", "WHAT", "CONFIRMATION", NULL };

static int64_t revision_of(const struct doc *entry)
{
    const struct doc *revision = doc_find(entry, TEXT_OF("revision"));

    return revision != NULL && revision->type == DOC_INT ? revision->integer : 0;
}

static void add_row(struct table *table, const struct doc *entry)
{
    struct text confirmation = doc_find_text(entry, TEXT_OF("confirmation"));

    table_addf(table, "%lld", (long long)revision_of(entry));
    table_add(table, doc_find_text(entry, TEXT_OF("time")));
    table_add(table, doc_find_text(entry, TEXT_OF("author")));
    table_add(table, text_first(doc_find_text(entry, TEXT_OF("summary")), COLUMN_WHAT_MAX));
    table_add_painted(table, confirmation, paint_of_state(confirmation));
}

static void print_entries(struct command *c, const struct doc *items)
{
    struct table table;
    struct builder b;

    table_init(&table, titles);
    for (size_t i = 0; i < items->list.count; i++)
        add_row(&table, &items->list.items[i]);
    builder_init(&b, PRINTED_MAX);
    table_print(&table, c->paint, &b);
    command_flush(&b);
    builder_fini(&b);
    table_fini(&table);
}

enum verb_status verb_revisions(struct command *c)
{
    uint64_t limit = LIMIT_INITIAL;
    enum verb_status status;
    struct builder path;
    struct doc items;

    if (!command_number(c, OPTION_LIMIT, LIMIT_MOST, &limit))
        return VERB_USAGE;
    verb_path_begin(&path, "revisions", NULL);
    if (!listing_read(c, command_take(c, &path), "before", limit, &items, &status))
        return status;
    if (command_is_json(c))
        listing_print_json(c, &items);
    else
        print_entries(c, &items);
    return VERB_DONE;
}

static bool begin_path(struct command *c, struct builder *path)
{
    const char *number = args_word(c->args, 0);
    uint64_t n;

    if (!text_parse_u64(text_of(number), &n)) {
        (void)command_misuse(c, "A revision is a number, got \"%s\".", number);
        return false;
    }
    verb_path_begin(path, "revisions", number);
    return true;
}

/* "3 keys added" is told by the list of them: counts say nothing that is not seen. */
static void remove_said(struct doc *head)
{
    const struct doc *keys = doc_find(head, TEXT_OF("keys"));

    if (keys != NULL && keys->type == DOC_LIST && keys->list.count == 0)
        (void)doc_remove(head, TEXT_OF("keys"));
    (void)doc_remove(head, TEXT_OF("changes"));
    (void)doc_remove(head, TEXT_OF("change_count"));
    (void)doc_remove(head, TEXT_OF("key_count"));
}

enum verb_status verb_revision_show(struct command *c)
{
    struct command_reply reply;
    enum verb_status status;
    struct builder path;
    struct builder b;
    struct doc head;

    if (!begin_path(c, &path))
        return VERB_USAGE;
    if (!command_get(c, command_take(c, &path), &reply, &status))
        return status;
    if (command_is_json(c)) {
        command_print_json(&reply.doc);
        return VERB_DONE;
    }
    head = doc_copy(&reply.doc, &c->arena);
    remove_said(&head);
    builder_init(&b, PRINTED_MAX);
    outline_print(&head, c->paint, &b);
    difference_print(&reply.doc, c->paint, &b);
    command_flush(&b);
    builder_fini(&b);
    return VERB_DONE;
}

/* POST /v1/revisions/N/WHAT. True: `reply` is the answer. */
static bool ask_of_revision(struct command *c, const char *what, struct command_reply *reply,
                            enum verb_status *status_out)
{
    struct http_request request;
    struct builder path;

    *status_out = VERB_USAGE;
    if (!begin_path(c, &path))
        return false;
    url_add_segment(&path, text_of(what));
    command_add_write_query(c, &path);
    request = command_write(c, "POST", command_take(c, &path), NULL);
    command_add_conditions(c, &request);
    return command_call(c, &request, reply, status_out);
}

enum verb_status verb_restore(struct command *c)
{
    struct command_reply reply;
    enum verb_status status;

    if (!ask_of_revision(c, "restore", &reply, &status))
        return status;
    report_difference(c, &reply.doc, args_has(c->args, OPTION_DRY_RUN));
    return VERB_DONE;
}

enum verb_status verb_confirm(struct command *c)
{
    struct command_reply reply;
    enum verb_status status;

    if (!ask_of_revision(c, "confirm", &reply, &status))
        return status;
    if (command_is_json(c))
        command_print(c, &reply.doc);
    else
        (void)printf("Revision %s is kept.\n", args_word(c->args, 0));
    return VERB_DONE;
}

/* ---- watch ---- */

/* The revision there is now. */
static bool look_at_present(struct command *c, uint64_t *revision_out, enum verb_status *status_out)
{
    struct command_reply reply;

    if (!command_get(c, TEXT_OF("/v1/status"), &reply, status_out))
        return false;
    *revision_out = (uint64_t)revision_of(&reply.doc);
    return true;
}

static void print_watched(struct command *c, const struct doc *entry)
{
    struct text time = doc_find_text(entry, TEXT_OF("time"));
    struct builder b;

    if (command_is_json(c)) {
        command_print_json(entry);
        return;
    }
    builder_init(&b, PRINTED_MAX);
    builder_addf(&b, "%lld  ", (long long)revision_of(entry));
    outline_print_text(time, &b);
    builder_add(&b, TEXT_OF("  "));
    outline_print_text(doc_find_text(entry, TEXT_OF("author")), &b);
    builder_add(&b, TEXT_OF("  "));
    outline_print_text(doc_find_text(entry, TEXT_OF("summary")), &b);
    builder_add_byte(&b, '\n');
    command_flush(&b);
    builder_fini(&b);
}

/* Newest first in the answer, oldest first for whoever watches. */
static bool watch_once(struct command *c, uint64_t *after, uint64_t *left,
                       enum verb_status *status_out)
{
    char number[TEXT_NUMBER_SIZE];
    struct http_request request = { .method = "GET", .seconds = WATCH_SECONDS };
    struct command_reply reply;
    const struct doc *items;
    struct builder path;

    verb_path_begin(&path, "revisions", NULL);
    url_add_query(&path, "after", text_print_u64(*after, number));
    url_add_query(&path, "wait", TEXT_OF(WATCH_WAIT));
    request.path = command_take(c, &path);
    if (!command_call(c, &request, &reply, status_out))
        return false;
    items = doc_find(&reply.doc, TEXT_OF("items"));
    for (size_t i = items == NULL || items->type != DOC_LIST ? 0 : items->list.count;
         i > 0 && *left > 0; i--) {
        const struct doc *entry = &items->list.items[i - 1];

        print_watched(c, entry);
        *after = (uint64_t)revision_of(entry);
        (*left)--;
    }
    return true;
}

enum verb_status verb_watch(struct command *c)
{
    uint64_t left = UINT64_MAX;
    uint64_t after = UINT64_MAX;
    enum verb_status status = VERB_DONE;

    if (!command_number(c, OPTION_COUNT_OF, INT64_MAX, &left) ||
        !command_number(c, OPTION_AFTER, INT64_MAX, &after))
        return VERB_USAGE;
    if (after == UINT64_MAX && !look_at_present(c, &after, &status))
        return status;
    while (left > 0) {
        /* Nothing of a round is needed afterwards but `after`. */
        arena_reset(&c->arena);
        if (!watch_once(c, &after, &left, &status))
            return status;
    }
    return VERB_DONE;
}
