/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal.h - every reason for which bytes are not taken as HTTP, with the status and the sentence
 * that a client gets. One row each in refusal.def. Pure; any thread.
 */
#ifndef GATEWAYD_HTTP_REFUSAL_H
#define GATEWAYD_HTTP_REFUSAL_H

#include "conf/base/text.h"

enum refusal {
    REFUSAL_NONE, /* nothing was refused */
#define REFUSAL(symbol, status, sentence) REFUSAL_##symbol,
#include "gatewayd/http/refusal.def"
#undef REFUSAL
    REFUSAL_COUNT
};

/* What a client is answered (400, 414, 417, 431, 501 or 505); 0 for REFUSAL_NONE. A refused
 * response of an upstream is 502 instead. */
unsigned refusal_status(enum refusal r);

/* A whole sentence (followed by a NUL), and the symbol ("BARE_CR") for logs and metrics; empty for
 * REFUSAL_NONE. */
struct text refusal_sentence(enum refusal r);
struct text refusal_name(enum refusal r);

#endif
