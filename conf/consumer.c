/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/consumer.h"

#include "conf/grammar.h"
#include "conf/schema.h"

static const struct field fields[] = {
    FIELD_NAME(struct consumer, name, .flags = FIELD_REQUIRED,
               .summary = "Unique name; upstreams get it as X-Consumer.", .example = "\"acme\""),
    FIELD_REFERENCE(struct consumer, plan, RESOURCE_PLAN,
                    .summary = "The plan whose limits apply; none when not set.",
                    .example = "\"gold\""),
    FIELD_TEXTS(struct consumer, groups, .maximum = 100, .check = grammar_check_name,
                .summary = "Groups that routes can ask for in `auth.groups`.",
                .example = "[\"partners\"]"),
    FIELD_MAP(struct consumer, metadata, .maximum = 100,
              .summary = "Texts for people and tools; the gateway does not look at them.",
              .example = "{\"contact\": \"ops@acme.example\"}"),
};

const struct schema consumer_schema = {
    .name = "consumer",
    .summary = "A holder of keys.",
    .fields = fields,
    .count = ARRAY_LENGTH(fields),
    .size = sizeof(struct consumer),
};
