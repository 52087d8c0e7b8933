/* SPDX-License-Identifier: Apache-2.0 */
/* openapi.c - the OpenAPI document from the tables: see openapi.h. */
#include "admin/openapi.h"

#include <ctype.h>

#include "admin/openapi_private.h"
#include "admin/operation.h"
#include "admin/requests.h"
#include "conf/reference.h"
#include "conf/schema_openapi.h"

static const char head[] =
    "# Generated from the tables of the sources: make docs.\n"
    "openapi: 3.1.0\n"
    "info:\n"
    "  title: gatewayd admin API\n"
    "  version: " GATEWAYD_VERSION "\n"
    "  summary: Resources, keys, revisions and nodes of a gatewayd cluster.\n"
    "  license:\n"
    "    name: Apache-2.0\n"
    "    identifier: Apache-2.0\n"
    "servers:\n"
    "- url: http://127.0.0.1:9080\n"
    "  description: The admin address of a node; any node will do.\n"
    "security:\n"
    "- token: []\n"
    "tags:\n"
    "- name: upstreams\n"
    "- name: routes\n"
    "- name: plans\n"
    "- name: consumers\n"
    "- name: keys\n"
    "- name: config\n"
    "- name: revisions\n"
    "- name: node\n"
    "- name: probes\n"
    "paths:\n";

/* ---- operations --------------------------------------------------------------------------- */

static void print_quoted(struct builder *b, const char *indent, const char *name, const char *value)
{
    builder_addf(b, "%s%s: ", indent, name);
    builder_add_json(b, text_of(value));
    builder_add_byte(b, '\n');
}

static void print_variables(const char *path, struct builder *b)
{
    struct text rest = text_of(path);
    struct text segment;
    bool is_first = true;

    while (text_cut(&rest, '/', &segment)) {
        if (segment.length < 3 || segment.at[0] != '{') {
            continue;
        }
        if (is_first) {
            builder_add(b, TEXT_OF("    parameters:\n"));
        }
        is_first = false;
        builder_addf(b,
                     "    - name: %.*s\n      in: path\n      required: true\n"
                     "      schema: {type: string}\n",
                     (int)segment.length - 2, segment.at + 1);
    }
}

static void print_condition(struct builder *b, const char *name, const char *summary)
{
    builder_addf(b, "      - name: %s\n        in: header\n        schema: {type: string}\n", name);
    print_quoted(b, "        ", "description", summary);
}

static void print_parameters(const struct operation *o, struct builder *b)
{
    if (o->queries != 0 || o->has_conditions) {
        builder_add(b, TEXT_OF("      parameters:\n"));
    }
    for (size_t i = 0; i < operation_parameter_count; i++) {
        const struct operation_parameter_row *row = &operation_parameters[i];

        if ((o->queries & row->bit) == 0) {
            continue;
        }
        builder_addf(b, "      - name: %s\n        in: query\n        schema: %s\n", row->name,
                     row->schema);
        print_quoted(b, "        ", "description", row->summary);
    }
    if (o->has_conditions) {
        print_condition(b, "If-Match", "Only if the entity tag is still one of these; else 412.");
        print_condition(b, "If-None-Match", "`*`: only if it does not exist yet; else 412.");
    }
}

static void print_request(const struct operation *o, struct builder *b)
{
    const char *type =
        o->body == OPERATION_JSON_LINES ? "application/x-ndjson" : "application/json";

    if (o->request == NULL) {
        return;
    }
    if (o->method == METHOD_PATCH) {
        type = "application/merge-patch+json";
    }
    builder_addf(b,
                 "      requestBody:\n        content:\n          %s:\n            schema:\n"
                 "              $ref: '#/components/schemas/%s'\n",
                 type, o->request);
}

static const char *describe(struct text status)
{
    if (text_equals(status, TEXT_OF("201"))) {
        return "Made.";
    }
    if (text_equals(status, TEXT_OF("202"))) {
        return "Accepted; the nodes in Gatewayd-Pending do not apply it yet.";
    }
    if (text_equals(status, TEXT_OF("204"))) {
        return "Done.";
    }
    return text_equals(status, TEXT_OF("503")) ? "Not ready." : "As asked.";
}

static void print_headers(const struct operation *o, struct text status, struct builder *b)
{
    if (o->is_open) {
        return;
    }
    builder_add(b, TEXT_OF("          headers:\n            Gatewayd-Revision:\n"
                           "              schema: {type: integer}\n"));
    if (o->has_conditions && !text_equals(status, TEXT_OF("204"))) {
        builder_add(b, TEXT_OF("            ETag:\n              schema: {type: string}\n"));
    }
    if (text_equals(status, TEXT_OF("202"))) {
        builder_add(b, TEXT_OF("            Gatewayd-Pending:\n"
                               "              schema: {type: string}\n"));
    }
}

/* One component, or "Route|Difference": either, as the query says. */
static void print_schema(struct text components, struct builder *b)
{
    struct text component;
    bool is_one = true;

    for (size_t i = 0; i < components.length; i++) {
        is_one = is_one && components.at[i] != '|';
    }
    if (is_one) {
        builder_addf(b, "                $ref: '#/components/schemas/%.*s'\n",
                     TEXT_ARGS(components));
        return;
    }
    builder_add(b, TEXT_OF("                anyOf:\n"));
    while (text_cut(&components, '|', &component)) {
        builder_addf(b, "                  - $ref: '#/components/schemas/%.*s'\n",
                     TEXT_ARGS(component));
    }
}

/* "200 Route, 204" */
static void print_answers(const struct operation *o, struct builder *b)
{
    struct text rest = text_of(o->success);
    struct text answer;

    builder_add(b, TEXT_OF("      responses:\n"));
    while (text_cut(&rest, ',', &answer)) {
        struct text component = text_trim(answer);
        struct text status;

        MUST(text_cut(&component, ' ', &status));
        builder_addf(b, "        '%.*s':\n          description: %s\n", TEXT_ARGS(status),
                     describe(status));
        print_headers(o, status, b);
        if (component.length > 0) {
            builder_addf(b, "          content:\n            %s:\n              schema:\n",
                         o->type == NULL ? "application/json" : o->type);
            print_schema(component, b);
        }
    }
    if (!o->is_open) {
        builder_add(b, TEXT_OF("        default:\n"
                               "          $ref: '#/components/responses/Problem'\n"));
    }
}

static void print_operation(const struct operation *o, struct builder *b)
{
    struct text method = method_name(o->method);

    builder_add(b, TEXT_OF("    "));
    for (size_t i = 0; i < method.length; i++) {
        builder_add_byte(b, (char)tolower((unsigned char)method.at[i]));
    }
    builder_addf(b, ":\n      operationId: %s\n      tags: [%s]\n", o->id, o->tag);
    print_quoted(b, "      ", "summary", o->summary);
    if (o->is_open) {
        builder_add(b, TEXT_OF("      security: []\n"));
    } else if (o->is_signed) {
        builder_add(b, TEXT_OF("      security: [{node: []}]\n"));
    } else {
        builder_addf(b, "      x-role: %s\n", tokens_role_name(o->role));
    }
    print_parameters(o, b);
    print_request(o, b);
    print_answers(o, b);
}

static bool is_first_of_path(size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (strcmp(operation_rows[j].path, operation_rows[i].path) == 0) {
            return false;
        }
    }
    return true;
}

static void print_path(size_t first, struct builder *b)
{
    builder_addf(b, "  %s:\n", operation_rows[first].path);
    print_variables(operation_rows[first].path, b);
    for (size_t i = first; i < operation_count; i++) {
        if (strcmp(operation_rows[i].path, operation_rows[first].path) == 0) {
            print_operation(&operation_rows[i], b);
        }
    }
}

/* ---- components --------------------------------------------------------------------------- */

static void print_lists(struct builder *b)
{
    static const char *const items[] = { "Upstream", "Route", "Plan", "Consumer", "Key", "Node" };

    for (size_t i = 0; i < ARRAY_LENGTH(items); i++) {
        builder_addf(b,
                     "    %sList:\n      type: object\n      required: [items]\n      properties:\n"
                     "        items:\n          type: array\n          items:\n"
                     "            $ref: '#/components/schemas/%s'\n"
                     "        next:\n          type: string\n"
                     "          description: \"`after` of the next page; absent on the last.\"\n",
                     items[i], items[i]);
    }
}

static void print_config(struct builder *b)
{
    static const char *const components[] = { "Upstream", "Route", "Plan", "Consumer" };

    builder_add(b, TEXT_OF("    Config:\n      type: object\n      properties:\n"));
    for (int kind = 0; kind < RESOURCE_KINDS; kind++) {
        builder_addf(b,
                     "        %s:\n          type: array\n          items:\n"
                     "            $ref: '#/components/schemas/%s'\n",
                     resource_kind_name((enum resource_kind)kind), components[kind]);
    }
}

void openapi_print(struct builder *b)
{
    builder_add(b, text_of(head));
    for (size_t i = 0; i < operation_count; i++) {
        if (is_first_of_path(i)) {
            print_path(i, b);
        }
    }
    builder_add(b, text_of(openapi_components));
    print_lists(b);
    print_config(b);
    reference_print_openapi(4, b);
    schema_openapi_print(requests_schemas, requests_schema_count, 4, b);
}
