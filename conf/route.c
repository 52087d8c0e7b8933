/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/route.h"

#include "conf/grammar.h"
#include "conf/limit_list.h"
#include "conf/route_private.h"
#include "conf/schema.h"

#define DAY       (24LL * 3600 * 1000)
#define SPLIT_MAX 100

static const struct field match_fields[] = {
    FIELD_TEXTS(struct route_match, hosts, .maximum = 1000, .check = grammar_check_host,
                .summary = "Hosts: a name, an IPv4 or [IPv6] address, or `*.` and a name, which "
                           "stands for one label or several. None: any host.",
                .example = "[\"api.example.com\", \"*.example.org\"]"),
    FIELD_TEXTS(struct route_match, paths, .initial = "/", .maximum = 1000,
                .check = grammar_check_path,
                .summary = "Paths: `/p` is a prefix that ends at a segment, `=/p` is exact, "
                           "`/users/{id}` a template, `~^/re(g)ex$` a regular expression.",
                .example = "[\"/orders\", \"=/status\"]"),
    FIELD_TEXTS(struct route_match, methods, .maximum = 100, .check = grammar_check_method,
                .summary = "Methods, in upper case; GET takes HEAD too. None: any but TRACE.",
                .example = "[\"GET\", \"POST\"]"),
    FIELD_MAP(struct route_match, headers, .flags = FIELD_NOCASE, .maximum = 100,
              .check = grammar_check_header_match,
              .summary = "Headers that must be there: `value` is compared whole, `~re` is a "
                         "regular expression, `*` any value.",
              .example = "{\"X-Version\": \"2\"}"),
    FIELD_MAP(struct route_match, query, .maximum = 100, .check = grammar_check_query_match,
              .summary = "Query parameters that must be there, written as headers are.",
              .example = "{\"beta\": \"*\"}"),
};

static const struct schema match_schema = {
    .name = "match",
    .summary = "What a request must be for the route to take it: all of these.",
    .fields = match_fields,
    .count = ARRAY_LENGTH(match_fields),
    .size = sizeof(struct route_match),
};

static const struct field split_fields[] = {
    FIELD_REFERENCE(struct route_split_item, upstream, RESOURCE_UPSTREAM, .flags = FIELD_REQUIRED,
                    .summary = "An upstream.", .example = "\"orders\""),
    FIELD_INT(struct route_split_item, weight, .flags = FIELD_REQUIRED, .minimum = 0,
              .maximum = 1000000, .summary = "Its share among the weights of the list.",
              .example = "90"),
};

static const struct schema split_schema = {
    .name = "split",
    .summary = "One of several upstreams that share the requests.",
    .fields = split_fields,
    .count = ARRAY_LENGTH(split_fields),
    .size = sizeof(struct route_split_item),
};

static const struct field respond_fields[] = {
    FIELD_INT(struct route_respond, status, .initial = "200", .minimum = 200, .maximum = 599,
              .summary = "Status of the answer.", .example = "503"),
    FIELD_MAP(struct route_respond, headers, .flags = FIELD_NOCASE, .maximum = 100,
              .check = grammar_check_header, .summary = "Headers of the answer.",
              .example = "{\"Content-Type\": \"text/plain\"}"),
    FIELD_TEXT(struct route_respond, body, .initial = "",
               .summary = "Body of the answer, sent as it is.",
               .example = "\"We are back at noon.\\n\""),
};

static void check_respond(void *object, struct schema_binding *b)
{
    const struct route_respond *respond = object;
    bool is_bodiless = respond->status == 204 || respond->status == 205 || respond->status == 304;

    if (is_bodiless && respond->body.length > 0)
        schema_problem(b, "body", "An answer of status %lld has no body; leave body out.",
                       (long long)respond->status);
}

static const struct schema respond_schema = {
    .name = "respond",
    .summary = "An answer that the gateway makes itself.",
    .fields = respond_fields,
    .count = ARRAY_LENGTH(respond_fields),
    .size = sizeof(struct route_respond),
    .check = check_respond,
};

static const struct field redirect_fields[] = {
    FIELD_INT(struct route_redirect, status, .initial = "308", .minimum = 301, .maximum = 308,
              .summary = "301, 302, 303, 307 or 308.", .example = "301"),
    FIELD_TEXT(struct route_redirect, location, .flags = FIELD_REQUIRED,
               .check = grammar_check_location,
               .summary = "Where to: a path or an absolute URI. `{name}` of the template that "
                          "matched is replaced, and `{scheme}`, `{host}`, `{path}` and `{query}` "
                          "(with its `?`) of the request.",
               .example = "\"https://{host}{path}{query}\""),
};

static void check_redirect(void *object, struct schema_binding *b)
{
    const struct route_redirect *redirect = object;
    int64_t status = redirect->status;

    if (status > 303 && status < 307)
        schema_problem(b, "status", "status must be 301, 302, 303, 307 or 308, got %lld.",
                       (long long)status);
}

static const struct schema redirect_schema = {
    .name = "redirect",
    .summary = "A redirection that the gateway answers.",
    .fields = redirect_fields,
    .count = ARRAY_LENGTH(redirect_fields),
    .size = sizeof(struct route_redirect),
    .check = check_redirect,
};

static const struct field rewrite_fields[] = {
    FIELD_BOOL(struct route_rewrite, strip_prefix, .initial = "false",
               .summary = "The prefix that matched is taken off the path.", .example = "true"),
    FIELD_TEXT(struct route_rewrite, path, .check = grammar_check_rewrite_path,
               .summary = "The path that the upstream gets, `{name}` of the template that matched "
                          "being replaced; with `strip_prefix`, what is put before the rest.",
               .example = "\"/v2/{id}\""),
    FIELD_TEXT(struct route_rewrite, host, .check = grammar_check_host_port,
               .summary = "The Host that the upstream gets.", .example = "\"orders.internal\""),
};

static const struct schema rewrite_schema = {
    .name = "rewrite",
    .summary = "How the request is changed on its way to the upstream.",
    .fields = rewrite_fields,
    .count = ARRAY_LENGTH(rewrite_fields),
    .size = sizeof(struct route_rewrite),
};

static const struct field_choice auth_methods[] = {
    { "key", ROUTE_AUTH_KEY, false },
    { NULL, 0, false },
};

static const struct field auth_fields[] = {
    FIELD_CHOICES(struct route_auth, methods, auth_methods, .initial = "key", .minimum = 1,
                  .summary = "Ways to say who one is; any of them suffices.",
                  .example = "[\"key\"]"),
    FIELD_BOOL(struct route_auth, optional, .initial = "false",
               .summary = "A request without a credential passes too.", .example = "true"),
    FIELD_TEXTS(struct route_auth, groups, .maximum = 100, .check = grammar_check_name,
                .summary = "The consumer must be in one of them. None: any consumer.",
                .example = "[\"partners\"]"),
    FIELD_TEXTS(struct route_auth, scopes, .maximum = 100, .check = grammar_check_scope,
                .summary = "The key must have all of them.", .example = "[\"orders:read\"]"),
};

static const struct schema auth_schema = {
    .name = "auth",
    .summary = "Who may use the route.",
    .fields = auth_fields,
    .count = ARRAY_LENGTH(auth_fields),
    .size = sizeof(struct route_auth),
};

static const struct field headers_fields[] = {
    FIELD_MAP(struct route_headers, set, .flags = FIELD_NOCASE, .maximum = 100,
              .check = grammar_check_header,
              .summary = "Headers that replace those of the same name.",
              .example = "{\"X-Env\": \"prod\"}"),
    FIELD_MAP(struct route_headers, add, .flags = FIELD_REPEATS, .maximum = 100,
              .check = grammar_check_header,
              .summary = "Headers that are added to those of the same name; as a list of { name, "
                         "value } one name may come several times.",
              .example = "{\"Vary\": \"Origin\"}"),
    FIELD_TEXTS(struct route_headers, remove, .maximum = 100, .check = grammar_check_header_name,
                .summary = "Headers that are removed, before the others are set and added.",
                .example = "[\"Server\"]"),
};

static const struct schema headers_schema = {
    .name = "header_changes",
    .summary = "Changes to headers: removed, then set, then added.",
    .fields = headers_fields,
    .count = ARRAY_LENGTH(headers_fields),
    .size = sizeof(struct route_headers),
};

static const struct field_choice encoded_slashes[] = {
    { "refuse", ROUTE_ENCODED_SLASH_REFUSE, false },
    { "keep", ROUTE_ENCODED_SLASH_KEEP, false },
    { NULL, 0, false },
};

static const struct field fields[] = {
    FIELD_NAME(struct route, name, .flags = FIELD_REQUIRED, .summary = "Unique name of the route.",
               .example = "\"orders\""),
    FIELD_GROUP(struct route, match, struct route_match, &match_schema,
                .summary = "Which requests the route takes; all when not set.",
                .example = "{\"hosts\": [\"api.example.com\"], \"paths\": [\"/orders\"]}"),
    FIELD_REFERENCE(struct route, upstream, RESOURCE_UPSTREAM,
                    .summary = "Where requests go. One of `upstream`, `split`, `respond` and "
                               "`redirect` is set.",
                    .example = "\"orders\""),
    FIELD_GROUPS(struct route, split, struct route_split_item, &split_schema, .maximum = SPLIT_MAX,
                 .summary = "Upstreams that share the requests by weight.",
                 .example = "[{\"upstream\": \"orders\", \"weight\": 95}, {\"upstream\": "
                            "\"orders-next\", \"weight\": 5}]"),
    FIELD_OPTIONAL(struct route, respond, struct route_respond, &respond_schema,
                   .summary = "An answer that the gateway makes itself.",
                   .example = "{\"status\": 503, \"body\": \"closed\"}"),
    FIELD_OPTIONAL(struct route, redirect, struct route_redirect, &redirect_schema,
                   .summary = "A redirection.",
                   .example = "{\"location\": \"https://{host}{path}{query}\"}"),
    FIELD_OPTIONAL(struct route, rewrite, struct route_rewrite, &rewrite_schema,
                   .summary = "How the request is changed for the upstream.",
                   .example = "{\"strip_prefix\": true}"),
    FIELD_OPTIONAL(struct route, auth, struct route_auth, &auth_schema,
                   .summary = "Who may use the route; open when not set.",
                   .example = "{\"methods\": [\"key\"], \"groups\": [\"partners\"]}"),
    FIELD_GROUPS(struct route, limits, struct limit, &limit_schema, .maximum = LIMIT_LIST_MAX,
                 .summary = "Limits; every one of them must allow a request.",
                 .example = "[{\"name\": \"burst\", \"rate\": 100, \"per\": \"1s\"}]"),
    FIELD_BOOL(struct route, plan_limits, .initial = "true",
               .summary = "Whether the limits of the consumer's plan apply here too.",
               .example = "false"),
    FIELD_DURATION(struct route, timeout, .initial = "0s", .minimum = 0, .maximum = 7 * DAY,
                   .summary = "How long the whole exchange may take; 0s: no limit.",
                   .example = "\"30s\""),
    FIELD_SIZE(struct route, max_body, .minimum = 0, .maximum = 1LL << 50,
               .summary = "Bytes of a request's body, at most; the node's `max.body_bytes` when "
                          "not set. Past it the answer is 413.",
               .example = "\"1M\""),
    FIELD_GROUP(struct route, request_headers, struct route_headers, &headers_schema,
                .summary = "Changes to the headers of requests.",
                .example = "{\"set\": {\"X-Env\": \"prod\"}}"),
    FIELD_GROUP(struct route, response_headers, struct route_headers, &headers_schema,
                .summary = "Changes to the headers of responses.",
                .example = "{\"remove\": [\"Server\"]}"),
    FIELD_CHOICE(struct route, encoded_slash, enum route_encoded_slash, encoded_slashes,
                 .initial = "refuse",
                 .summary = "What becomes of `%2F` in a path, which never separates segments: 400 "
                            "(`refuse`), or it is sent on as it is (`keep`).",
                 .example = "\"keep\""),
};

const struct schema route_schema = {
    .name = "route",
    .summary = "What is matched, and what is done.",
    .fields = fields,
    .count = ARRAY_LENGTH(fields),
    .size = sizeof(struct route),
    .check = route_check,
};
