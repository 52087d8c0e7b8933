/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_private.h - between the tables (route.c) and the rules between fields (route_check.c).
 */
#ifndef CONF_ROUTE_PRIVATE_H
#define CONF_ROUTE_PRIVATE_H

#include "conf/route.h"
#include "conf/schema.h"

schema_check_fn route_check;

#endif
