/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem_json.c - problem documents (RFC 9457 §3).
 */
#include "gatewayd/http/problem_json.h"

#include "gatewayd/http/message.h"

static void add_string(struct builder *b, const char *name, struct text value)
{
    builder_add(b, TEXT_OF(",\""));
    builder_add(b, text_of(name));
    builder_add(b, TEXT_OF("\":"));
    builder_add_json(b, value);
}

static void add_members(const struct problem_json *p, struct builder *b)
{
    for (size_t i = 0; i < p->member_count; i++) {
        const struct problem_json_member *m = &p->members[i];
        builder_add_byte(b, ',');
        builder_add_json(b, m->name);
        builder_add_byte(b, ':');
        if (m->json.length > 0)
            builder_add(b, m->json);
        else
            builder_add_json(b, m->text);
    }
}

static void add_errors(const struct problem_json *p, struct builder *b)
{
    builder_add(b, TEXT_OF(",\"errors\":["));
    for (size_t i = 0; i < p->error_count; i++) {
        builder_add(b, i == 0 ? TEXT_OF("{\"pointer\":") : TEXT_OF(",{\"pointer\":"));
        builder_add_json(b, p->errors[i].pointer);
        add_string(b, "message", p->errors[i].message);
        builder_add_byte(b, '}');
    }
    builder_add_byte(b, ']');
}

void problem_json_print(const struct problem_json *p, struct builder *b)
{
    builder_add(b, TEXT_OF("{\"type\":"));
    builder_add_json(b, p->type.length > 0 ? p->type : TEXT_OF("about:blank"));
    add_string(b, "title", p->title.length > 0 ? p->title : status_reason(p->status));
    builder_add(b, TEXT_OF(",\"status\":"));
    builder_add_u64(b, p->status);
    if (p->detail.length > 0)
        add_string(b, "detail", p->detail);
    if (p->request_id.length > 0)
        add_string(b, "request_id", p->request_id);
    add_members(p, b);
    if (p->error_count > 0)
        add_errors(p, b);
    builder_add_byte(b, '}');
}
