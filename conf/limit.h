/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit.h - a limit as configured: a token bucket (rate) or a calendar quota.
 *
 * Lifetime: the route or plan that lists it.
 */
#ifndef CONF_LIMIT_H
#define CONF_LIMIT_H

#include <stdint.h>

#include "conf/base/text.h"

struct schema;

enum limit_kind { LIMIT_RATE, LIMIT_QUOTA };
enum limit_by {
    LIMIT_BY_CONSUMER,
    LIMIT_BY_KEY,
    LIMIT_BY_IP,
    LIMIT_BY_ROUTE,
    LIMIT_BY_HEADER,
};
enum limit_period { LIMIT_HOUR, LIMIT_DAY, LIMIT_WEEK, LIMIT_MONTH };

struct limit {
    struct text name; /* unique in its list */
    /* LIMIT_RATE: `rate` tokens each `per` ms, at most `burst` at once, a request takes `cost`. */
    int64_t rate;
    int64_t per;
    int64_t burst;
    int64_t cost; /* 1 for a quota */
    /* LIMIT_QUOTA: `quota` requests in each calendar `period` of UTC. */
    int64_t quota;
    enum limit_period period;
    struct text by; /* as written */
    /* Derived. */
    enum limit_kind kind;
    enum limit_by by_what;
    struct text by_header; /* the NAME of "header:NAME" */
};

struct limits {
    const struct limit *items;
    size_t count;
};

extern const struct schema limit_schema;

const char *limit_by_name(enum limit_by by);             /* "consumer", …, "header" */
const char *limit_period_name(enum limit_period period); /* "hour", … */

#endif
