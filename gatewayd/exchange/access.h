/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.h - one line of the access log for each exchange, from a table of rows.
 *
 * Paths are written as they were matched; of the query only that there was one, because keys and
 * tokens are found there. Nothing is done when the log is off; nothing ever waits for it.
 */
#ifndef GATEWAYD_EXCHANGE_ACCESS_H
#define GATEWAYD_EXCHANGE_ACCESS_H

#include "conf/base/builder.h"

struct exchange;

/* At the end of an exchange, before anything of it is let go. */
void access_record(const struct exchange *ex);

/* The columns as a Markdown table, for the reference. */
void access_print_reference(struct builder *b);

#endif
