/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traceparent.h - W3C trace context: the header that names the trace a request belongs to.
 */
#ifndef GATEWAYD_HTTP_TRACEPARENT_H
#define GATEWAYD_HTTP_TRACEPARENT_H

#include "conf/base/text.h"

#define TRACEPARENT_SIZE 55 /* of version 00 */

struct traceparent {
    struct text trace_id;  /* 32 hex digits, slices of what was parsed */
    struct text parent_id; /* 16 */
    bool is_sampled;
};

/* Version 00 exactly, or a later one whose beginning is like it; 'ff', zero ids and upper case are
 * invalid. */
MUST_USE bool traceparent_parse(struct text value, struct traceparent *traceparent_out);

/* Begins a trace (not sampled) into `into`, without NUL. Calling thread's generator. */
struct text traceparent_print_new(char into[TRACEPARENT_SIZE]);

#endif
