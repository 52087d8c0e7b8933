/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query.h - the query of an admin request: its parameters and their values (application/
 * x-www-form-urlencoded), and percent-decoding for paths too.
 */
#ifndef ADMIN_QUERY_H
#define ADMIN_QUERY_H

#include "admin/call.h"

/* Every parameter must be one the operation knows, once. False: replied 400, with the nearest
 * known name. */
MUST_USE bool query_check(struct call *call);

/* %XX decoded (a malformed escape stands as it is), '+' too where `plus` says so; in the arena if
 * anything changed. */
struct text query_decode(struct arena *arena, struct text raw, bool plus);

#endif
