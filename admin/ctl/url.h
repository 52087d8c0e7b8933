/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url.h - the path and query of a call, put together piece by piece and percent-encoded.
 */
#ifndef ADMIN_CTL_URL_H
#define ADMIN_CTL_URL_H

#include "conf/base/builder.h"

/* "/" and the segment: all but unreserved characters (RFC 3986 §2.3) encoded. */
void url_add_segment(struct builder *b, struct text segment);

/* '?' or '&', as it must be, and NAME=VALUE. */
void url_add_query(struct builder *b, const char *name, struct text value);

#endif
