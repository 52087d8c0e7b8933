/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_ask.h - the few questions from whose answers a site is made, on a terminal.
 */
#ifndef ADMIN_CTL_SITE_ASK_H
#define ADMIN_CTL_SITE_ASK_H

#include <stdio.h>

#include "conf/doc.h"

/* Asks on `out`, reads lines from `in`. The document is what a file of answers would have been, in
 * the arena. False if the input ended before the last answer. Nothing is checked but what the next
 * question needs. */
MUST_USE bool site_ask(FILE *in, FILE *out, struct arena *arena, struct doc *doc_out);

#endif
