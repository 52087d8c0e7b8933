/* SPDX-License-Identifier: Apache-2.0 */
/* requests.c - see requests.h. */
#include "admin/requests.h"

#include "admin/call.h"
#include "admin/reply.h"
#include "conf/grammar.h"
#include "gatewayd/policy/key.h"

#define SCOPES_MAX   100
#define GRACE_MOST   (400LL * 24 * 3600 * 1000)
#define EXPLAIN_MOST 100

/* ---- checks ------------------------------------------------------------------------------- */

static bool check_time(struct text name, struct text value, const struct checks *checks,
                       struct builder *why)
{
    int64_t ms;

    (void)name;
    (void)checks;
    if (text_parse_time(value, &ms) && ms > 0) {
        return true;
    }
    builder_addf(why, "must be a time such as \"2030-01-31T12:00:00Z\", got \"%.*s\".",
                 TEXT_ARGS(text_first(value, 64)));
    return false;
}

/* Never shows what was given. */
static bool check_key(struct text name, struct text value, const struct checks *checks,
                      struct builder *why)
{
    (void)name;
    (void)checks;
    switch (key_form(value)) {
    case KEY_OURS:
    case KEY_FOREIGN:
        return true;
    case KEY_MISTYPED:
        builder_addf(why, "begins with %s but its checksum or length is wrong.", KEY_MARK);
        return false;
    case KEY_NONE:
        builder_addf(why, "must be %d to %d visible ASCII characters.", KEY_LENGTH_LEAST,
                     KEY_LENGTH_MOST);
        return false;
    }
    return false;
}

static bool check_sha256(struct text name, struct text value, const struct checks *checks,
                         struct builder *why)
{
    struct digest digest;

    (void)name;
    (void)checks;
    if (digest_parse_hex(value, digest.bytes, sizeof(digest.bytes))) {
        return true;
    }
    builder_addf(why, "must be 64 hexadecimal digits.");
    return false;
}

static bool check_ip(struct text name, struct text value, const struct checks *checks,
                     struct builder *why)
{
    struct address address;

    (void)name;
    (void)checks;
    if (address_parse_ip(value, 0, &address)) {
        return true;
    }
    builder_addf(why, "must be an IP address, got \"%.*s\".", TEXT_ARGS(text_first(value, 64)));
    return false;
}

static bool check_header(struct text name, struct text value, const struct checks *checks,
                         struct builder *why)
{
    (void)checks;
    if (grammar_is_token(name) && grammar_is_header_value(value)) {
        return true;
    }
    builder_addf(why, "must be a header's name and value, got \"%.*s\".",
                 TEXT_ARGS(text_first(name, 64)));
    return false;
}

static bool check_token(struct text name, struct text value, const struct checks *checks,
                        struct builder *why)
{
    (void)name;
    (void)checks;
    if (grammar_is_token(value)) {
        return true;
    }
    builder_addf(why, "must be a method, got \"%.*s\".", TEXT_ARGS(text_first(value, 64)));
    return false;
}

/* ---- keys --------------------------------------------------------------------------------- */

#define EXPIRES_AT(st)                                                                             \
    FIELD_TEXT(st, expires_at, .check = check_time,                                                \
               .summary = "When it ends; never when not set.",                                     \
               .example = "\"2030-01-31T12:00:00Z\"")
#define SCOPES(st)                                                                                 \
    FIELD_TEXTS(st, scopes, .maximum = SCOPES_MAX, .check = grammar_check_scope,                   \
                .summary = "What it may be used for; routes ask for them in `auth.scopes`.",       \
                .example = "[\"orders:read\"]")

static const struct field key_fields[] = {
    EXPIRES_AT(struct requests_key),
    SCOPES(struct requests_key),
    FIELD_TEXT(struct requests_key, key, .check = check_key, .flags = FIELD_SECRET,
               .summary = "A key brought from elsewhere, 16 to 256 visible ASCII characters; it is "
                          "not shown again. A new one is made when not set.",
               .example = "\"legacy-0123456789abcdef\""),
};

const struct schema requests_key_schema = {
    .name = "key_request",
    .summary = "A key to be made.",
    .fields = key_fields,
    .count = ARRAY_LENGTH(key_fields),
    .size = sizeof(struct requests_key),
};

static const struct field key_patch_fields[] = {
    FIELD_TEXT(struct requests_key_patch, expires_at, .check = check_time,
               .summary = "When it ends; only earlier than it is.",
               .example = "\"2030-01-31T12:00:00Z\""),
    SCOPES(struct requests_key_patch),
};

const struct schema requests_key_patch_schema = {
    .name = "key_patch",
    .summary = "What can be changed of a key.",
    .fields = key_patch_fields,
    .count = ARRAY_LENGTH(key_patch_fields),
    .size = sizeof(struct requests_key_patch),
};

static const struct field key_import_fields[] = {
    FIELD_NAME(struct requests_key_import, consumer, .flags = FIELD_REQUIRED,
               .summary = "Whose key it is.", .example = "\"acme\""),
    FIELD_TEXT(struct requests_key_import, key, .check = check_key, .flags = FIELD_SECRET,
               .summary = "The key itself. Either this or `sha256` is set.",
               .example = "\"legacy-0123456789abcdef\""),
    FIELD_TEXT(struct requests_key_import, sha256, .check = check_sha256,
               .summary = "SHA-256 of the key, in hexadecimal.",
               .example = "\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\""),
    SCOPES(struct requests_key_import),
    EXPIRES_AT(struct requests_key_import),
};

static void check_import(void *object, struct schema_binding *b)
{
    const struct requests_key_import *line = object;

    if (text_is_empty(line->key) == text_is_empty(line->sha256)) {
        schema_problem(b, "", "A line must have either key or sha256%s.",
                       text_is_empty(line->key) ? ", and has neither" : ", not both");
    }
}

const struct schema requests_key_import_schema = {
    .name = "key_import",
    .summary = "One line of an import.",
    .fields = key_import_fields,
    .count = ARRAY_LENGTH(key_import_fields),
    .size = sizeof(struct requests_key_import),
    .check = check_import,
};

static const struct field rotate_fields[] = {
    FIELD_DURATION(struct requests_rotate, grace, .initial = "24h", .minimum = 0,
                   .maximum = GRACE_MOST,
                   .summary = "How long the old key goes on working; 0s revokes it at once.",
                   .example = "\"24h\""),
};

const struct schema requests_rotate_schema = {
    .name = "rotate",
    .summary = "How a key is replaced.",
    .fields = rotate_fields,
    .count = ARRAY_LENGTH(rotate_fields),
    .size = sizeof(struct requests_rotate),
};

/* ---- the rest ----------------------------------------------------------------------------- */

static const struct field target_patch_fields[] = {
    FIELD_INT(struct requests_target_patch, weight, .maximum = 256,
              .summary = "Share of the requests among the targets; 0: no new ones.",
              .example = "10"),
    FIELD_BOOL(struct requests_target_patch, drain,
               .summary = "No new requests; those in flight end.", .example = "true"),
};

const struct schema requests_target_patch_schema = {
    .name = "target_patch",
    .summary = "What operators change of a target.",
    .fields = target_patch_fields,
    .count = ARRAY_LENGTH(target_patch_fields),
    .size = sizeof(struct requests_target_patch),
};

static const struct field explain_fields[] = {
    FIELD_TEXT(struct requests_explain, method, .initial = "GET", .check = check_token,
               .summary = "Method of the request.", .example = "\"GET\""),
    FIELD_TEXT(struct requests_explain, url, .flags = FIELD_REQUIRED,
               .summary = "An absolute URL, or a path with a Host among the headers.",
               .example = "\"https://api.example.com/orders/7\""),
    FIELD_MAP(struct requests_explain, headers, .maximum = EXPLAIN_MOST,
              .flags = FIELD_REPEATS | FIELD_NOCASE, .check = check_header,
              .summary = "Headers of the request.", .example = "{\"X-Tenant\": \"acme\"}"),
    FIELD_TEXT(struct requests_explain, client, .check = check_ip,
               .summary = "Address of the client, for limits that count by ip.",
               .example = "\"203.0.113.9\""),
};

const struct schema requests_explain_schema = {
    .name = "explain_request",
    .summary = "A request that is only thought of.",
    .fields = explain_fields,
    .count = ARRAY_LENGTH(explain_fields),
    .size = sizeof(struct requests_explain),
};

static const struct field drain_fields[] = {
    FIELD_TEXT(struct requests_drain, address,
               .summary =
                   "A listener's address or name, or a virtual address or its name; the whole "
                   "node when not set.",
               .example = "\"0.0.0.0:8080\""),
};

const struct schema requests_drain_schema = {
    .name = "drain",
    .summary = "What is to be drained.",
    .fields = drain_fields,
    .count = ARRAY_LENGTH(drain_fields),
    .size = sizeof(struct requests_drain),
};

const struct schema *const requests_schemas[] = {
    &requests_key_schema,    &requests_key_patch_schema,    &requests_key_import_schema,
    &requests_rotate_schema, &requests_target_patch_schema, &requests_explain_schema,
    &requests_drain_schema,
};
const size_t requests_schema_count = ARRAY_LENGTH(requests_schemas);

/* ---- binding ------------------------------------------------------------------------------ */

bool requests_bind(struct call *call, const struct schema *schema, void *object,
                   struct doc *doc_out)
{
    struct doc doc;
    struct problems ps;
    struct place root = { .pointer = "", .path = "" };

    if (!call_doc(call, true, &doc)) {
        return false;
    }
    problems_init(&ps);
    bool is_bound = schema_bind(schema, &doc, &root, NULL, &call->arena, &ps, object);
    if (!is_bound) {
        reply_problems(call, 422, "invalid", "The body has errors; nothing was done.", &ps);
    } else if (doc_out != NULL) {
        *doc_out = doc;
    }
    problems_fini(&ps);
    return is_bound;
}

int64_t requests_time(struct text written)
{
    int64_t ms = 0;

    if (!text_is_empty(written)) {
        MUST(text_parse_time(written, &ms));
    }
    return ms;
}
