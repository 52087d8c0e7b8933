/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/listing.h"

#include "admin/ctl/listing_cells.h"
#include "admin/ctl/outline.h"
#include "admin/ctl/table.h"
#include "admin/ctl/url.h"

#define PAGE_MAX     1000
#define PATH_CEILING ((size_t)1 << 16)
#define PRINTED_MAX  ((size_t)1 << 30)

static struct text page_path(struct command *c, struct text path, const char *cursor,
                             struct text next, uint64_t size)
{
    struct builder b;
    char number[TEXT_NUMBER_SIZE];

    builder_init(&b, PATH_CEILING);
    builder_add(&b, path);
    url_add_query(&b, "limit", text_print_u64(size, number));
    if (next.length > 0)
        url_add_query(&b, cursor, next);
    return command_take(c, &b);
}

/* `next` is a name, or the number of a revision. */
static struct text next_of(struct command *c, const struct doc *page)
{
    const struct doc *next = doc_find(page, TEXT_OF("next"));

    if (next == NULL || next->type == DOC_NULL)
        return TEXT_EMPTY;
    if (next->type == DOC_INT)
        return arena_print(&c->arena, "%lld", (long long)next->integer);
    return next->type == DOC_TEXT ? next->text : TEXT_EMPTY;
}

bool listing_read(struct command *c, struct text path, const char *cursor, uint64_t limit,
                  struct doc *items_out, enum verb_status *status_out)
{
    struct text next = TEXT_EMPTY;

    *items_out = doc_list();
    do {
        uint64_t left = limit == 0 ? PAGE_MAX : limit - items_out->list.count;
        struct command_reply reply;
        const struct doc *items;

        if (!command_get(c, page_path(c, path, cursor, next, left < PAGE_MAX ? left : PAGE_MAX),
                         &reply, status_out))
            return false;
        items = doc_find(&reply.doc, TEXT_OF("items"));
        for (size_t i = 0; items != NULL && items->type == DOC_LIST && i < items->list.count; i++)
            doc_append(items_out, &c->arena, items->list.items[i]);
        next = next_of(c, &reply.doc);
    } while (next.length > 0 && (limit == 0 || items_out->list.count < limit));
    return true;
}

void listing_print_names(const struct doc *items, const char *name)
{
    struct builder b;

    builder_init(&b, PRINTED_MAX);
    for (size_t i = 0; i < items->list.count; i++) {
        outline_print_text(doc_find_text(&items->list.items[i], text_of(name)), &b);
        builder_add_byte(&b, '\n');
    }
    command_flush(&b);
    builder_fini(&b);
}

void listing_print_json(struct command *c, const struct doc *items)
{
    struct doc all = doc_object();

    doc_add(&all, &c->arena, TEXT_OF("items"), *items);
    command_print_json(&all);
}

void listing_print(struct command *c, const struct kind *kind, const struct doc *items)
{
    struct table table;
    struct builder b;

    if (command_is_json(c)) {
        listing_print_json(c, items);
        return;
    }
    if (c->settings.output == SETTINGS_NAMES) {
        listing_print_names(items, kind->schema == NULL ? "id" : "name");
        return;
    }
    if (items->list.count == 0) {
        command_say("There are no %s.", kind->plural);
        return;
    }
    table_init(&table, listing_cells_titles(kind));
    for (size_t i = 0; i < items->list.count; i++)
        listing_cells_add(kind, &items->list.items[i], &table);
    builder_init(&b, PRINTED_MAX);
    table_print(&table, c->paint, &b);
    command_flush(&b);
    builder_fini(&b);
    table_fini(&table);
}
