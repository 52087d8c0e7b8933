/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit_list.h - rules for lists of limits, for the schemas that hold them (plan, route).
 */
#ifndef CONF_LIMIT_LIST_H
#define CONF_LIMIT_LIST_H

#include "conf/limit.h"

#define LIMIT_LIST_MAX 32

struct schema_binding;

/* Names in the list "limits" of the object at hand are unique. */
void limit_check_list(struct schema_binding *b, const struct limits *limits);

#endif
