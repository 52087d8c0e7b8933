/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure.h - every way in which an exchange ends badly, one row each in failures.def. The problem
 * document, the access record, the metric and the log line come from the row. Any thread.
 */
#ifndef GATEWAYD_EXCHANGE_FAILURE_H
#define GATEWAYD_EXCHANGE_FAILURE_H

#include "conf/base/text.h"
#include "gatewayd/core/log.h"
#include "gatewayd/http/codec.h"

enum failure {
    FAILURE_NONE,
#define FAILURE(symbol, name, status, blame, again, level, title, sentence) FAILURE_##symbol,
#include "gatewayd/exchange/failures.def"
#undef FAILURE
    FAILURE_COUNT
};

enum failure_blame { FAILURE_BLAME_CLIENT, FAILURE_BLAME_GATEWAY, FAILURE_BLAME_UPSTREAM };

struct failure_row {
    struct text name; /* "upstream-timeout" */
    struct text type; /* of the problem document: "urn:gatewayd:problem:upstream-timeout" */
    unsigned status;
    enum failure_blame blame;
    bool can_try_again; /* the same request may succeed later */
    enum log_level level;
    struct text title;
    struct text sentence;
};

/* Not of FAILURE_NONE. */
const struct failure_row *failure_get(enum failure f);

/* By name, by index, for metrics_name_vector(): FAILURE_COUNT names, the first one "none". */
const char *const *failure_names(void);

/* The row for what a codec says. */
enum failure failure_of_status(unsigned status);       /* of on_bad_request */
enum failure failure_of_upstream(enum up_failure why); /* of on_failed */

#endif
