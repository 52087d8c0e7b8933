/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handover_pair.h - pairs of texts of any length, one behind the other, in the memory that a
 * process passes on to the one which takes its place (control_estate.c).
 *
 *     KEY-LENGTH " " VALUE-LENGTH " " KEY VALUE
 *
 * Pure; any thread.
 */
#ifndef GATEWAYD_HANDOVER_PAIR_H
#define GATEWAYD_HANDOVER_PAIR_H

#include "conf/base/builder.h"

void handover_pair_print(struct text key, struct text value, struct builder *b);

/* Cuts the first pair off; both are slices of *rest. False: there is none that is whole, and what
 * is left in *rest says nothing. */
MUST_USE bool handover_pair_cut(struct text *rest, struct text *key_out, struct text *value_out);

#endif
