/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/plan.h"

#include <stdio.h>

#include "conf/limit_list.h"
#include "conf/schema.h"

static const struct field fields[] = {
    FIELD_NAME(struct plan, name, .flags = FIELD_REQUIRED,
               .summary = "Unique name by which consumers refer to this plan.",
               .example = "\"gold\""),
    FIELD_GROUPS(struct plan, limits, struct limit, &limit_schema, .maximum = LIMIT_LIST_MAX,
                 .summary = "Limits and quotas, each one bucket per consumer over all routes; "
                            "every one of them must allow a request.",
                 .example = "[{\"name\": \"daily\", \"quota\": 100000, \"period\": \"day\"}]"),
};

static void check(void *object, struct schema_binding *b)
{
    const struct plan *plan = object;

    limit_check_list(b, &plan->limits);
    for (size_t i = 0; i < plan->limits.count; i++) {
        char where[64];

        if (plan->limits.items[i].by_what != LIMIT_BY_ROUTE)
            continue;
        (void)snprintf(where, sizeof(where), "limits/%zu/by", i);
        schema_problem(b, where,
                       "A plan's limit counts over all routes: by must not be \"route\"; "
                       "leave it out to count by consumer.");
    }
}

const struct schema plan_schema = {
    .name = "plan",
    .summary = "What the consumers who have it may use.",
    .fields = fields,
    .count = ARRAY_LENGTH(fields),
    .size = sizeof(struct plan),
    .check = check,
};
