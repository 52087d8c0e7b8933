/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cookie.h - looking a cookie up in the Cookie lines of a request (RFC 6265 §4.2).
 */
#ifndef GATEWAYD_HTTP_COOKIE_H
#define GATEWAYD_HTTP_COOKIE_H

#include "gatewayd/http/headers.h"

/* The value of the first cookie of that name (names are case-sensitive), without quotes around it.
 * A slice of the header's value. */
MUST_USE bool cookie_find(const struct headers *headers, struct text name, struct text *value_out);

#endif
