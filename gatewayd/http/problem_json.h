/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem_json.h - the body of every answer that the gateway makes itself: RFC 9457
 * application/problem+json.
 *
 *     {"type":"…","title":"…","status":429,"detail":"…","request_id":"…",…,"errors":[…]}
 */
#ifndef GATEWAYD_HTTP_PROBLEM_JSON_H
#define GATEWAYD_HTTP_PROBLEM_JSON_H

#include "conf/base/builder.h"

#define PROBLEM_JSON_TYPE "application/problem+json"

struct problem_json_error {
    struct text pointer; /* RFC 6901 */
    struct text message;
};

/* A further member; `json` is the value as it stands in the document (a number, or an array already
 * printed), or where it is empty `text` is printed as a string. */
struct problem_json_member {
    struct text name;
    struct text text;
    struct text json;
};

struct problem_json {
    struct text type;  /* empty: "about:blank" */
    struct text title; /* empty: the reason phrase of the status */
    unsigned status;
    struct text detail;     /* empty: none */
    struct text request_id; /* empty: none */
    const struct problem_json_member *members;
    size_t member_count;
    const struct problem_json_error *errors; /* no "errors" when there are none */
    size_t error_count;
};

/* Whether all fitted is builder_is_full's to say. */
void problem_json_print(const struct problem_json *p, struct builder *b);

#endif
