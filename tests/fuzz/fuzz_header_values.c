/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_header_values.c - values of fields that stages and handlers read themselves: cookies, trace
 * context, who the client is (X-Forwarded-For, Forwarded), authorities, entity tags, API keys and
 * their ids. What is found lies within what was sent; what is printed is read again.
 */
#include "cluster/store.h"
#include "gatewayd/http/authority.h"
#include "gatewayd/http/cookie.h"
#include "gatewayd/http/forwarded.h"
#include "gatewayd/http/traceparent.h"
#include "gatewayd/policy/key.h"

#define LINES 4

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool is_within(struct text part, struct text whole)
{
    return part.length == 0 ||
           (part.at >= whole.at && part.at + part.length <= whole.at + whole.length);
}

/* Each line of the input is one of the fields. */
static void fill(struct headers *headers, struct header items[LINES], struct text name,
                 struct text value)
{
    struct text line;

    headers_init(headers, items, LINES);
    for (int i = 0; i < LINES && text_cut(&value, '\n', &line); i++)
        MUST(headers_add_named(headers, name, text_trim(line)));
}

static void read_cookies(struct text t)
{
    struct header items[LINES];
    struct headers headers;
    struct text value;

    fill(&headers, items, TEXT_OF("cookie"), t);
    if (cookie_find(&headers, TEXT_OF("a"), &value))
        MUST(is_within(value, t));
}

static void read_client(struct text t, const char *name)
{
    struct forwarded_networks trusted = { .items = NULL };
    struct network networks[2];
    struct header items[LINES];
    struct headers headers;
    struct address peer;
    char into[ADDRESS_TEXT_SIZE];

    MUST(address_parse_ip(TEXT_OF("10.0.0.1"), 1, &peer));
    MUST(network_parse(TEXT_OF("10.0.0.0/8"), &networks[0]));
    MUST(network_parse(TEXT_OF("fd00::/8"), &networks[1]));
    fill(&headers, items, text_of(name), t);
    struct address client = forwarded_find_client(&headers, &peer, false, &trusted);
    MUST(address_equals(&client, &peer));
    trusted = (struct forwarded_networks){ networks, ARRAY_LENGTH(networks) };
    client = forwarded_find_client(&headers, &peer, true, &trusted);
    MUST(address_print_ip(&client, into).length > 0);
}

static void read_trace(struct text t)
{
    struct traceparent trace;

    if (!traceparent_parse(t, &trace))
        return;
    MUST(trace.trace_id.length == 32 && trace.parent_id.length == 16);
    MUST(is_within(trace.trace_id, t) && is_within(trace.parent_id, t));
}

static void read_key(struct text t)
{
    char prefix[KEY_PREFIX_SIZE];
    char printed[KEY_ID_SIZE];
    uint64_t id = 0;

    enum key_form form = key_form(t);
    MUST((form == KEY_OURS || form == KEY_MISTYPED) <= text_starts_with(t, TEXT_OF(KEY_MARK)));
    if (form == KEY_OURS || form == KEY_FOREIGN) {
        MUST(key_print_prefix(t, prefix).length < KEY_PREFIX_SIZE);
        (void)key_digest(t, TEXT_OF("secret"));
    }
    if (key_id_parse(t, &id))
        MUST(text_equals(key_id_print(id, printed), t));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text t = text_from((const char *)bytes, size);
    uint64_t tag;

    read_cookies(t);
    read_client(t, "x-forwarded-for");
    read_client(t, "forwarded");
    read_trace(t);
    read_key(t);
    (void)!store_tag_parse(t, &tag);
    return 0;
}
