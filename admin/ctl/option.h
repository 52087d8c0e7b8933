/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option.h - every option of gatewayctl, one row each. A verb names those it takes by their bits;
 * the parser, the help, the manual page and the completion are loops over the rows.
 */
#ifndef ADMIN_CTL_OPTION_H
#define ADMIN_CTL_OPTION_H

#include <stdint.h>

#include "conf/base/text.h"

enum option_id {
    /* Taken by every verb. */
    OPTION_SERVER,
    OPTION_TOKEN_FILE,
    OPTION_CACERT,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_OUTPUT,
    OPTION_HELP,
    OPTION_VERSION,
    /* Of writes. */
    OPTION_CONFIRM,
    OPTION_IF_MATCH,
    OPTION_WAIT,
    OPTION_TIMEOUT,
    OPTION_DRY_RUN,
    OPTION_YES,
    /* Of one verb or a few. */
    OPTION_FILE,
    OPTION_SET,
    OPTION_DEFAULTS,
    OPTION_KEEP,
    OPTION_LIMIT,
    OPTION_CONSUMER,
    OPTION_EXPIRES,
    OPTION_SCOPES,
    OPTION_GRACE,
    OPTION_KEY_FILE,
    OPTION_QUIET,
    OPTION_HEADER,
    OPTION_CLIENT,
    OPTION_WEIGHT,
    OPTION_DRAIN,
    OPTION_UNDRAIN,
    OPTION_ADDRESS,
    OPTION_COUNT_OF,
    OPTION_INTERVAL,
    OPTION_AFTER,
    OPTION_ALL,
    OPTION_MAN,
    OPTION_NODE,
    OPTION_OUT,
    OPTION_RUN,
    OPTION_LIVE,
    OPTION_WITHIN,
    OPTION_DRAIN_FOR,
    OPTION_TO,
    OPTION_IDS
};

#define OPTION_BIT(id) ((uint64_t)1 << OPTION_##id)

struct option_row {
    const char *name;
    char letter;       /* 0: none */
    const char *value; /* what follows it, for people; NULL: nothing does */
    const char *summary;
};

extern const struct option_row option_rows[OPTION_IDS];

/* Those that every verb takes. */
extern const uint64_t option_common;

/* By its name without dashes, or by its letter; false if there is none. */
MUST_USE bool option_find(struct text name, enum option_id *id_out);
MUST_USE bool option_find_letter(char letter, enum option_id *id_out);

/* The name nearest to what somebody wrote among those in `taken`, or NULL. */
const char *option_nearest(struct text name, uint64_t taken);

static inline bool option_is_in(enum option_id id, uint64_t options)
{
    return (options >> id & 1) != 0;
}

#endif
