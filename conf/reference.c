/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/reference.h"

#include "conf/node.h"
#include "conf/resource.h"
#include "conf/schema.h"
#include "conf/schema_man.h"
#include "conf/schema_markdown.h"
#include "conf/schema_openapi.h"

void reference_print_markdown(struct builder *b)
{
    builder_add(b, TEXT_OF(REFERENCE_BEGIN "\n"));
    schema_markdown_print(&node_schema, "The node file", 2, b);
    for (int kind = 0; kind < RESOURCE_KINDS; kind++)
        schema_markdown_print(resource_kind_schema((enum resource_kind)kind),
                              resource_kind_name((enum resource_kind)kind), 2, b);
    builder_add(b, TEXT_OF(REFERENCE_END));
}

void reference_print_openapi(unsigned indent, struct builder *b)
{
    const struct schema *schemas[RESOURCE_KINDS];

    for (int kind = 0; kind < RESOURCE_KINDS; kind++)
        schemas[kind] = resource_kind_schema((enum resource_kind)kind);
    schema_openapi_print(schemas, RESOURCE_KINDS, indent, b);
}

static const char man_head[] =
    ".TH GATEWAYD.CONF 5 \"\" \"gatewayd\" \"File formats\"\n"
    ".SH NAME\n"
    "gatewayd.conf \\- configuration of a gatewayd node, and resources\n"
    ".SH DESCRIPTION\n"
    "The node file, in the syntax of libconfig, says what differs from node to node: listeners,\n"
    "the admin address, where the state is kept. What the gateway does is said by resources \\-\n"
    "upstreams, routes, plans and consumers \\- which live in the store. They are managed by the\n"
    "admin API or with\n"
    ".BR gatewayctl (1),\n"
    "or written in one document, in libconfig or JSON, with the lists upstreams, routes, plans "
    "and\n"
    "consumers.\n"
    ".PP\n"
    "A duration is a text with a unit: \"250ms\", \"2s\", \"5m\", \"1h\", \"30d\". A size is an\n"
    "integer of bytes or a text with a unit: \"64k\", \"1M\", powers of 1024. A name has 1 to 63\n"
    "lower-case letters, digits, dots, underscores and hyphens and begins with a letter or digit.\n"
    "A map is a group, or a list of groups of name and value. In libconfig a list of groups is\n"
    "( {...}, {...} ), without a trailing comma, and an integer past 2147483647 ends in L.\n"
    "A line @include \"FILE\" puts in another file, or all that match a pattern with * or ?.\n";

void reference_print_man(struct builder *b)
{
    builder_add(b, text_of(man_head));
    schema_man_print(&node_schema, "NODE FILE", b);
    for (int kind = 0; kind < RESOURCE_KINDS; kind++) {
        static const char *const titles[] = { "UPSTREAMS", "ROUTES", "PLANS", "CONSUMERS" };

        schema_man_print(resource_kind_schema((enum resource_kind)kind), titles[kind], b);
    }
    builder_add(b, TEXT_OF(".SH SEE ALSO\n.BR gatewayd (8),\n.BR gatewayctl (1)\n"));
}
