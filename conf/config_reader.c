/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_reader.c - one state for each place between two tokens of the outer document; the
 * resources themselves are read by read_json_value.
 */
#include "conf/config_reader.h"

#include <stdio.h>

#include "conf/read_json.h"

enum state {
    AT_START,     /* before { */
    AT_NAME,      /* before the name of a kind, or } */
    AT_NEXT_NAME, /* before , or } */
    AT_ITEM,      /* behind [: before an item, or ] */
    AT_NEXT_ITEM, /* behind an item: before , or ] */
    AT_END,       /* behind the last } */
    IN_DOC,       /* of a document: no JSON */
};

static const struct checks strict_checks;

void config_reader_init_json(struct config_reader *r, struct text json, const struct checks *checks)
{
    if (checks == NULL)
        checks = &strict_checks;
    *r = (struct config_reader){ .json = json, .state = AT_START, .lenient = checks->lenient };
}

void config_reader_init_doc(struct config_reader *r, const struct doc *doc,
                            const struct checks *checks)
{
    if (checks == NULL)
        checks = &strict_checks;
    *r = (struct config_reader){ .doc = doc, .state = IN_DOC, .lenient = checks->lenient };
}

/* ---- problems ---- */

static struct place top(void)
{
    return (struct place){ .pointer = "", .path = "" };
}

static enum config_reader_step break_at(struct config_reader *r, const char *expected,
                                        struct problems *ps)
{
    unsigned line = 1;
    size_t line_start = 0;

    for (size_t i = 0; i < r->at && i < r->json.length; i++) {
        if (r->json.at[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    problems_add(ps, top(), "The document is not JSON: %s expected at line %u, column %zu.",
                 expected, line, r->at - line_start + 1);
    return CONFIG_READER_BROKEN;
}

static bool take_kind(struct config_reader *r, struct text name, struct place place,
                      struct problems *ps)
{
    if (!resource_kind_parse(name, &r->kind)) {
        problems_add(ps, place,
                     "There is no kind \"%.*s\"; a document of resources has upstreams, "
                     "routes, plans and consumers.",
                     TEXT_ARGS(text_first(name, 100)));
        return false;
    }
    if ((r->seen >> r->kind & 1) != 0) {
        problems_add(ps, place, "%s are there twice; each kind may be there once.",
                     resource_kind_name(r->kind));
        return false;
    }
    r->seen |= 1U << r->kind;
    r->index = 0;
    return true;
}

static void complain_no_list(const struct config_reader *r, struct place place, struct problems *ps)
{
    char pointer[32];

    (void)snprintf(pointer, sizeof(pointer), "/%s", resource_kind_name(r->kind));
    place.pointer = pointer;
    place.path = resource_kind_name(r->kind);
    problems_add(ps, place, "%s must be a list.", resource_kind_name(r->kind));
}

static void fill_item(struct config_reader *r, struct config_reader_item *item)
{
    (void)snprintf(r->pointer, sizeof(r->pointer), "/%s/%zu", resource_kind_name(r->kind),
                   r->index++);
    item->kind = r->kind;
    item->pointer = r->pointer;
}

/* ---- JSON ---- */

/* The next byte that is no white space, '\0' at the end. */
static char peek(struct config_reader *r)
{
    while (r->at < r->json.length && strchr(" \t\r\n", r->json.at[r->at]) != NULL &&
           r->json.at[r->at] != '\0')
        r->at++;
    return r->at < r->json.length ? r->json.at[r->at] : '\0';
}

static bool take(struct config_reader *r, char byte)
{
    if (peek(r) != byte)
        return false;
    r->at++;
    return true;
}

/* Reads NAME : and what follows up to the first item. */
static enum config_reader_step read_name(struct config_reader *r, struct arena *arena,
                                         struct problems *ps)
{
    bool is_known;
    struct doc name;
    struct doc left_out;

    if (peek(r) != '"')
        return break_at(r, "a name in quotes", ps);
    if (!read_json_value(r->json, &r->at, arena, ps, &name))
        return CONFIG_READER_BROKEN;
    if (!take(r, ':'))
        return break_at(r, "':'", ps);
    r->state = AT_NEXT_NAME;
    if (r->lenient && !resource_kind_parse(name.text, &r->kind))
        is_known = false;
    else if (take_kind(r, name.text, top(), ps))
        is_known = true;
    else
        return read_json_value(r->json, &r->at, arena, ps, &left_out) ? CONFIG_READER_PROBLEM
                                                                      : CONFIG_READER_BROKEN;
    if (is_known && take(r, '[')) {
        r->state = AT_ITEM;
        return CONFIG_READER_ITEM;
    }
    if (!read_json_value(r->json, &r->at, arena, ps, &left_out))
        return CONFIG_READER_BROKEN;
    if (!is_known || left_out.type == DOC_NULL)
        return CONFIG_READER_ITEM;
    complain_no_list(r, top(), ps);
    return CONFIG_READER_PROBLEM;
}

static enum config_reader_step read_item(struct config_reader *r, struct arena *arena,
                                         struct problems *ps, struct config_reader_item *item)
{
    if (!read_json_value(r->json, &r->at, arena, ps, &item->doc))
        return CONFIG_READER_BROKEN;
    fill_item(r, item);
    r->state = AT_NEXT_ITEM;
    return CONFIG_READER_ITEM;
}

static enum config_reader_step finish(struct config_reader *r, struct problems *ps)
{
    if (peek(r) != '\0' || r->at < r->json.length)
        return break_at(r, "the end of the document", ps);
    return CONFIG_READER_END;
}

/* One step between items. CONFIG_READER_ITEM: go on with the next one. */
static enum config_reader_step advance(struct config_reader *r, struct arena *arena,
                                       struct problems *ps)
{
    switch ((enum state)r->state) {
    case AT_START:
        if (!take(r, '{'))
            return break_at(r, "an object, '{',", ps);
        r->state = take(r, '}') ? AT_END : AT_NAME;
        return CONFIG_READER_ITEM;
    case AT_NAME:
        return read_name(r, arena, ps);
    case AT_NEXT_NAME:
        if (take(r, ','))
            r->state = AT_NAME;
        else if (take(r, '}'))
            r->state = AT_END;
        else
            return break_at(r, "',' or '}'", ps);
        return CONFIG_READER_ITEM;
    case AT_NEXT_ITEM:
        if (take(r, ']'))
            r->state = AT_NEXT_NAME;
        else if (take(r, ','))
            r->state = AT_ITEM;
        else
            return break_at(r, "',' or ']'", ps);
        return CONFIG_READER_ITEM;
    case AT_END:
        return finish(r, ps);
    case AT_ITEM:
    case IN_DOC:
        break;
    }
    MUST(!"a state between items");
    return CONFIG_READER_BROKEN;
}

static enum config_reader_step next_of_json(struct config_reader *r, struct arena *arena,
                                            struct problems *ps, struct config_reader_item *item)
{
    enum config_reader_step step;

    for (;;) {
        if (r->state == AT_ITEM && r->index == 0 && take(r, ']'))
            r->state = AT_NEXT_NAME;
        if (r->state == AT_ITEM)
            return read_item(r, arena, ps, item);
        step = advance(r, arena, ps);
        if (step != CONFIG_READER_ITEM)
            return step;
    }
}

/* ---- documents ---- */

static struct place place_of(const struct doc *doc)
{
    return (struct place){ .file = doc->file, .line = doc->line, .pointer = "", .path = "" };
}

/* The member at r->member begins: is there anything to hand out of it? */
static enum config_reader_step enter_member(struct config_reader *r, struct problems *ps)
{
    const struct doc_member *m = &r->doc->object.members[r->member];

    if (r->lenient && !resource_kind_parse(m->name, &r->kind)) {
        r->member++;
        return CONFIG_READER_END;
    }
    if (!take_kind(r, m->name, place_of(&m->value), ps)) {
        r->member++;
        return CONFIG_READER_PROBLEM;
    }
    if (m->value.type == DOC_LIST)
        return CONFIG_READER_ITEM;
    r->member++;
    if (m->value.type == DOC_NULL)
        return CONFIG_READER_END;
    complain_no_list(r, place_of(&m->value), ps);
    return CONFIG_READER_PROBLEM;
}

static enum config_reader_step next_of_doc(struct config_reader *r, struct problems *ps,
                                           struct config_reader_item *item)
{
    if (r->doc->type != DOC_OBJECT) {
        problems_add(ps, place_of(r->doc), "A document of resources must be an object, got %s.",
                     doc_type_name(r->doc->type));
        return CONFIG_READER_BROKEN;
    }
    while (r->member < r->doc->object.count) {
        const struct doc *list = &r->doc->object.members[r->member].value;
        enum config_reader_step step = CONFIG_READER_ITEM;

        if (r->at == 0)
            step = enter_member(r, ps);
        if (step == CONFIG_READER_PROBLEM)
            return step;
        if (step == CONFIG_READER_END)
            continue;
        if (r->at < list->list.count) {
            item->doc = list->list.items[r->at++];
            fill_item(r, item);
            return CONFIG_READER_ITEM;
        }
        r->member++;
        r->at = 0;
    }
    return CONFIG_READER_END;
}

enum config_reader_step config_reader_next(struct config_reader *r, struct arena *arena,
                                           struct problems *ps, struct config_reader_item *item_out)
{
    if (r->state == IN_DOC)
        return next_of_doc(r, ps, item_out);
    return next_of_json(r, arena, ps, item_out);
}
