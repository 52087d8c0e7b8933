/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal.c - the rows of refusal.def.
 */
#include "gatewayd/http/refusal.h"

struct row {
    unsigned status;
    struct text symbol;
    struct text sentence;
};

static const struct row rows[REFUSAL_COUNT] = {
#define REFUSAL(symbol, status, sentence)                                                          \
    [REFUSAL_##symbol] = { status, TEXT(#symbol), TEXT(sentence) },
#include "gatewayd/http/refusal.def"
#undef REFUSAL
};

unsigned refusal_status(enum refusal r)
{
    MUST(r < REFUSAL_COUNT);
    return rows[r].status;
}

struct text refusal_sentence(enum refusal r)
{
    MUST(r < REFUSAL_COUNT);
    return rows[r].sentence;
}

struct text refusal_name(enum refusal r)
{
    MUST(r < REFUSAL_COUNT);
    return rows[r].symbol;
}
