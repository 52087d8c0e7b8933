/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure.c - the rows of failures.def.
 */
#include "gatewayd/exchange/failure.h"

#define PROBLEM_TYPE "urn:gatewayd:problem:"

static const struct failure_row rows[FAILURE_COUNT] = {
#define FAILURE(symbol, name_, status_, blame_, again, level_, title_, sentence_)                  \
    [FAILURE_##symbol] = { .name = TEXT(name_),                                                    \
                           .type = TEXT(PROBLEM_TYPE name_),                                       \
                           .status = status_,                                                      \
                           .blame = FAILURE_BLAME_##blame_,                                        \
                           .can_try_again = again,                                                 \
                           .level = LOG_LEVEL_##level_,                                            \
                           .title = TEXT(title_),                                                  \
                           .sentence = TEXT(sentence_) },
#include "gatewayd/exchange/failures.def"
#undef FAILURE
};

static const char *const names[FAILURE_COUNT] = {
    "none",
#define FAILURE(symbol, name, status, blame, again, level, title, sentence) name,
#include "gatewayd/exchange/failures.def"
#undef FAILURE
};

const struct failure_row *failure_get(enum failure f)
{
    MUST(f > FAILURE_NONE && f < FAILURE_COUNT);
    return &rows[f];
}

const char *const *failure_names(void)
{
    return names;
}

enum failure failure_of_status(unsigned status)
{
    switch (status) {
    case 408:
        return FAILURE_REQUEST_TIMEOUT;
    case 413:
        return FAILURE_BODY_TOO_LARGE;
    case 414:
        return FAILURE_TARGET_TOO_LONG;
    case 417:
        return FAILURE_EXPECTATION;
    case 431:
        return FAILURE_HEAD_TOO_LARGE;
    case 501:
        return FAILURE_NOT_IMPLEMENTED;
    case 505:
        return FAILURE_VERSION;
    default:
        return FAILURE_BAD_REQUEST;
    }
}

enum failure failure_of_upstream(enum up_failure why)
{
    switch (why) {
    case UP_NO_RESOURCE:
        return FAILURE_NO_RESOURCE;
    case UP_CONNECT_REFUSED:
        return FAILURE_UPSTREAM_REFUSED;
    case UP_CONNECT_TIMEOUT:
        return FAILURE_UPSTREAM_CONNECT_TIMEOUT;
    case UP_TLS:
        return FAILURE_UPSTREAM_TLS;
    case UP_STALE:
    case UP_RESET:
        return FAILURE_UPSTREAM_RESET;
    case UP_TIMEOUT:
        return FAILURE_UPSTREAM_TIMEOUT;
    case UP_MALFORMED:
        return FAILURE_UPSTREAM_MALFORMED;
    case UP_TRUNCATED:
        return FAILURE_UPSTREAM_TRUNCATED;
    case UP_IDLE:
        return FAILURE_UPSTREAM_IDLE;
    }
    return FAILURE_UPSTREAM_RESET;
}
