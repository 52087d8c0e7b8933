/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - one row for each thing that is said. */
#include "cluster/peer.h"

#include "conf/read_json.h"
#include "conf/resource.h"

enum kind { KIND_TEXT, KIND_NUMBER, KIND_BOOL };

struct row {
    const char *name;
    enum kind kind;
    size_t offset;
};

#define TEXT_ROW(member_)                                                                          \
    {                                                                                              \
#member_, KIND_TEXT, offsetof(struct peer, member_)                                        \
    }
#define NUMBER_ROW(member_)                                                                        \
    {                                                                                              \
#member_, KIND_NUMBER, offsetof(struct peer, member_)                                      \
    }

static const struct row rows[] = {
    TEXT_ROW(name),
    TEXT_ROW(incarnation),
    TEXT_ROW(version),
    TEXT_ROW(address),
    { "tls", KIND_BOOL, offsetof(struct peer, is_tls) },
    TEXT_ROW(host),
    TEXT_ROW(state),
    TEXT_ROW(reason),
    NUMBER_ROW(started_at),
    NUMBER_ROW(schema),
    NUMBER_ROW(revision),
    TEXT_ROW(entry_id),
    TEXT_ROW(vrrp),
};

static void print_value(const struct row *row, const void *at, struct builder *b)
{
    switch (row->kind) {
    case KIND_TEXT:
        builder_add_json(b, *(const struct text *)at);
        break;
    case KIND_NUMBER:
        builder_add_u64(b, *(const uint64_t *)at);
        break;
    case KIND_BOOL:
        builder_add(b, *(const bool *)at ? TEXT_OF("true") : TEXT_OF("false"));
        break;
    }
}

void peer_print(const struct peer *m, struct builder *b)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        builder_addf(b, "%s\"%s\":", i == 0 ? "{" : ",", rows[i].name);
        print_value(&rows[i], (const char *)m + rows[i].offset, b);
    }
    builder_add_byte(b, '}');
}

static void read_value(const struct row *row, const struct doc *value, void *at)
{
    if (row->kind == KIND_TEXT && value->type == DOC_TEXT)
        *(struct text *)at = value->text;
    else if (row->kind == KIND_NUMBER && value->type == DOC_INT && value->integer >= 0)
        *(uint64_t *)at = (uint64_t)value->integer;
    else if (row->kind == KIND_BOOL && value->type == DOC_BOOL)
        *(bool *)at = value->boolean;
}

bool peer_parse(struct text json, struct arena *arena, struct peer *out)
{
    struct problems ps;
    struct doc doc;
    problems_init(&ps);
    bool is_json = read_json(json, arena, &ps, &doc);
    problems_fini(&ps);
    *out = (struct peer){ .name = TEXT_EMPTY };
    for (size_t i = 0; is_json && i < ARRAY_LENGTH(rows); i++) {
        const struct doc *value = doc_find(&doc, text_of(rows[i].name));
        if (value != NULL)
            read_value(&rows[i], value, (char *)out + rows[i].offset);
    }
    return is_json && resource_is_name(out->name);
}
