/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold_line.h - what gatewayd-hold is asked: one line, one request. Everything else is refused.
 */
#ifndef HA_HOLD_LINE_H
#define HA_HOLD_LINE_H

#include "ha/site_file.h"

#define HOLD_LINE_MOST    200 /* bytes, with the newline */
#define HOLD_LINE_MS_MOST 300

enum hold_verb { HOLD_LINE_HOLD, HOLD_LINE_RELEASE, HOLD_LINE_RESET, HOLD_LINE_REMOVE };

struct hold_line {
    enum hold_verb verb;
    const struct site_address *address; /* HOLD_LINE_RESET: NULL, all of them */
    unsigned ms;                        /* HOLD_LINE_HOLD: 1 to HOLD_LINE_MS_MOST */
};

/* "hold NAME MILLISECONDS", "release NAME", "remove NAME", "reset"; without the newline. NULL:
 * understood; else why it is refused. */
const char *hold_line_parse(const struct site_file *site, const char *line, size_t length,
                            struct hold_line *out);

#endif
