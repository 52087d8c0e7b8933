/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - what consumers may use: limits counted over all routes. Lifetime: its resource.
 */
#ifndef CONF_PLAN_H
#define CONF_PLAN_H

#include "conf/limit.h"

struct plan {
    struct text name;
    struct limits limits;
};

extern const struct schema plan_schema;

#endif
