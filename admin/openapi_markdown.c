/* SPDX-License-Identifier: Apache-2.0 */
/* openapi_markdown.c - the operations as tables for admin/README.md. */
#include "admin/openapi.h"
#include "admin/operation.h"
#include "admin/requests.h"
#include "conf/schema_markdown.h"

static void print_queries(const struct operation *o, struct builder *b)
{
    bool is_first = true;

    for (size_t i = 0; i < operation_parameter_count; i++) {
        if ((o->queries & operation_parameters[i].bit) != 0) {
            builder_addf(b, "%s`%s`", is_first ? "" : " ", operation_parameters[i].name);
            is_first = false;
        }
    }
}

static void print_success(const struct operation *o, struct builder *b)
{
    struct text rest = text_of(o->success);
    struct text answer;
    bool is_first = true;

    while (text_cut(&rest, ',', &answer)) {
        builder_addf(b, "%s%.*s", is_first ? "" : ", ",
                     TEXT_ARGS(text_first(text_trim(answer), 3)));
        is_first = false;
    }
}

static void print_operation(const struct operation *o, struct builder *b)
{
    builder_addf(b, "| `%.*s %s` | %s | ", TEXT_ARGS(method_name(o->method)), o->path,
                 o->is_open     ? "none"
                 : o->is_signed ? "node"
                                : tokens_role_name(o->role));
    print_queries(o, b);
    builder_add(b, TEXT_OF(" | "));
    print_success(o, b);
    builder_addf(b, " | %s |\n", o->summary);
}

static void print_parameters(struct builder *b)
{
    builder_add(b, TEXT_OF("\n### Parameters of the query\n\n"
                           "| parameter | meaning |\n|---|---|\n"));
    for (size_t i = 0; i < operation_parameter_count; i++) {
        builder_addf(b, "| `%s` | %s |\n", operation_parameters[i].name,
                     operation_parameters[i].summary);
    }
}

void openapi_print_markdown(struct builder *b)
{
    builder_add(b, TEXT_OF(OPENAPI_BEGIN "\n## Calls\n\n"
                                         "| call | role | query | answers | does |\n"
                                         "|---|---|---|---|---|\n"));
    for (size_t i = 0; i < operation_count; i++) {
        print_operation(&operation_rows[i], b);
    }
    print_parameters(b);
    builder_add(b, TEXT_OF("\n## Bodies\n\n"));
    for (size_t i = 0; i < requests_schema_count; i++) {
        schema_markdown_print(requests_schemas[i], NULL, 3, b);
    }
    builder_add(b, TEXT_OF(OPENAPI_END));
}
