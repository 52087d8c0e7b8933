/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/limit.h"

#include <stdio.h>

#include "conf/grammar.h"
#include "conf/limit_list.h"
#include "conf/schema.h"

#define TOKENS_MAX 1000000000

static const struct field_choice periods[] = {
    { "hour", LIMIT_HOUR, false },   { "day", LIMIT_DAY, false }, { "week", LIMIT_WEEK, false },
    { "month", LIMIT_MONTH, false }, { NULL, 0, false },
};

static const struct field fields[] = {
    FIELD_NAME(struct limit, name, .flags = FIELD_REQUIRED,
               .summary = "Name of the limit, unique in its list; clients see it in RateLimit.",
               .example = "\"per-second\""),
    FIELD_INT(struct limit, rate, .minimum = 1, .maximum = TOKENS_MAX, .unit = "requests",
              .summary = "Requests that are allowed in each `per`, sustained. Either `rate` or "
                         "`quota` is set.",
              .example = "100"),
    FIELD_DURATION(struct limit, per, .initial = "1s", .only_with = "rate", .minimum = 1,
                   .maximum = 31LL * 24 * 3600 * 1000,
                   .summary = "The time in which `rate` requests are allowed.",
                   .example = "\"1m\""),
    FIELD_INT(struct limit, burst, .initial_like = "rate", .only_with = "rate", .minimum = 1,
              .maximum = TOKENS_MAX, .unit = "requests",
              .summary = "Requests that are allowed at once after a quiet time; as many as `rate` "
                         "when not set.",
              .example = "200"),
    FIELD_INT(struct limit, cost, .initial = "1", .only_with = "rate", .minimum = 1,
              .maximum = TOKENS_MAX,
              .summary = "What one request takes from the bucket, at most `burst`.",
              .example = "1"),
    FIELD_INT(struct limit, quota, .minimum = 1, .maximum = 1000000000000, .unit = "requests",
              .summary = "Requests that are allowed in each calendar `period`, in UTC.",
              .example = "100000"),
    FIELD_CHOICE(struct limit, period, enum limit_period, periods, .only_with = "quota",
                 .summary = "The calendar window of `quota`; a week begins on Monday.",
                 .example = "\"day\""),
    FIELD_TEXT(struct limit, by, .initial = "consumer", .check = grammar_check_by,
               .summary = "Whose requests are counted together: those of a `consumer`, a `key`, an "
                          "`ip` (IPv6 by /64), of the whole `route`, or with one value of a "
                          "`header:NAME` (several lines joined with `, `). By `consumer` or `key` "
                          "without one, and by an absent header, it counts by ip.",
               .example = "\"header:X-Tenant\""),
};

static enum limit_by parse_by(struct text by, struct text *header_out)
{
    if (text_equals(by, TEXT_OF("key")))
        return LIMIT_BY_KEY;
    if (text_equals(by, TEXT_OF("ip")))
        return LIMIT_BY_IP;
    if (text_equals(by, TEXT_OF("route")))
        return LIMIT_BY_ROUTE;
    if (grammar_parse_prefixed(by, "header:", header_out))
        return LIMIT_BY_HEADER;
    return LIMIT_BY_CONSUMER;
}

static void check(void *object, struct schema_binding *b)
{
    struct limit *limit = object;
    bool has_rate = schema_is_set(b, "rate");
    bool has_quota = schema_is_set(b, "quota");

    if (has_rate == has_quota) {
        schema_problem(b, "",
                       "The limit %s must have either rate (a token bucket) or quota (a "
                       "calendar window), %s.",
                       limit->name.at, has_rate ? "not both" : "and has neither");
        return;
    }
    limit->by_what = parse_by(limit->by, &limit->by_header);
    limit->kind = has_rate ? LIMIT_RATE : LIMIT_QUOTA;
    if (has_quota && !schema_is_set(b, "period"))
        schema_problem(b, "",
                       "period is missing; a quota needs \"hour\", \"day\", \"week\" or "
                       "\"month\".");
    if (has_quota)
        limit->cost = 1;
    else if (limit->cost > limit->burst)
        schema_problem(b, "cost",
                       "cost must be at most burst (%lld), or no request would ever "
                       "pass, got %lld.",
                       (long long)limit->burst, (long long)limit->cost);
}

const struct schema limit_schema = {
    .name = "limit",
    .summary = "A token bucket (`rate`) or a calendar quota (`quota`).",
    .fields = fields,
    .count = ARRAY_LENGTH(fields),
    .size = sizeof(struct limit),
    .check = check,
};

void limit_check_list(struct schema_binding *b, const struct limits *limits)
{
    for (size_t i = 0; i < limits->count; i++) {
        for (size_t j = 0; j < i; j++) {
            char where[64];

            if (!text_equals(limits->items[i].name, limits->items[j].name))
                continue;
            (void)snprintf(where, sizeof(where), "limits/%zu/name", i);
            schema_problem(b, where,
                           "The name %s is taken by limit %zu of the list; each must have "
                           "its own.",
                           limits->items[i].name.at, j);
        }
    }
}

const char *limit_by_name(enum limit_by by)
{
    static const char *const names[] = { "consumer", "key", "ip", "route", "header" };

    MUST((size_t)by < ARRAY_LENGTH(names));
    return names[by];
}

const char *limit_period_name(enum limit_period period)
{
    MUST((size_t)period < ARRAY_LENGTH(periods) - 1);
    return periods[period].name;
}
