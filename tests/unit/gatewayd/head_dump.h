/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head_dump.h - what a parser understood, in one line, so that tests and fuzzers can compare whole
 * heads.
 */
#ifndef TESTS_UNIT_GATEWAYD_HEAD_DUMP_H
#define TESTS_UNIT_GATEWAYD_HEAD_DUMP_H

#include "conf/base/builder.h"
#include "gatewayd/http/message.h"

static inline void dump_framing(enum body_framing framing, uint64_t length, struct builder *b)
{
    static const char *const names[] = { "none", "length", "chunked", "close" };
    builder_addf(b, " %s", names[framing]);
    if (framing == BODY_LENGTH || length > 0)
        builder_addf(b, "=%llu", (unsigned long long)length);
}

/* "Name: value" of what was not removed; a removed one as "-Name". */
static inline void dump_headers(const struct headers *headers, struct builder *b)
{
    for (unsigned i = 0; i < headers->count; i++) {
        const struct header *h = &headers->items[i];
        MUST(h->id == header_id_find(h->name) && headers_has(headers, h->id));
        builder_add(b, h->is_removed ? TEXT_OF(" | -") : TEXT_OF(" | "));
        builder_add(b, h->name);
        if (h->is_removed)
            continue;
        builder_add(b, TEXT_OF(": "));
        builder_add(b, h->value);
    }
}

static inline void dump_request(const struct request_head *head, struct builder *b)
{
    static const char *const versions[] = { "1.0", "1.1", "2" };
    static const char *const forms[] = { "origin", "absolute", "authority", "asterisk" };
    MUST(head->method == method_parse(head->method_name));
    builder_add(b, head->method_name);
    builder_addf(b, " %s %s", versions[head->version], forms[head->target_form]);
    dump_framing(head->framing, head->body_length, b);
    builder_addf(b, "%s%s%s%s [", head->keep_alive ? " keep" : "",
                 head->expect_continue ? " expect" : "", head->is_upgrade ? " upgrade" : "",
                 head->has_encoded_slash ? " slash" : "");
    builder_add(b, head->authority);
    builder_add(b, TEXT_OF("] "));
    builder_add(b, head->host);
    builder_add(b, TEXT_OF(" "));
    builder_add(b, head->path);
    builder_add(b, head->has_query ? TEXT_OF(" ?") : TEXT_EMPTY);
    builder_add(b, head->query);
    dump_headers(&head->headers, b);
}

static inline void dump_response(const struct response_head *head, struct builder *b)
{
    builder_addf(b, "%u %s", head->status, head->version == HTTP_1_1 ? "1.1" : "1.0");
    dump_framing(head->framing, head->body_length, b);
    builder_add(b, head->keep_alive ? TEXT_OF(" keep [") : TEXT_OF(" ["));
    builder_add(b, head->reason);
    builder_add(b, TEXT_OF("]"));
    dump_headers(&head->headers, b);
}

#endif
