/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - a request's target taken apart (RFC 9112 §3.2), whatever version it came in.
 */
#ifndef GATEWAYD_HTTP_TARGET_H
#define GATEWAYD_HTTP_TARGET_H

#include "conf/base/arena.h"
#include "gatewayd/http/message.h"
#include "gatewayd/http/refusal.h"

/* From head->method and head->target sets target_form, path, query, has_query, has_encoded_slash,
 * and for an absolute-form target authority (else it is left alone). "OPTIONS http://host" asks
 * what "OPTIONS *" does: its path is "*", too. */
MUST_USE enum refusal target_parse(struct request_head *head, struct arena *arena);

#endif
