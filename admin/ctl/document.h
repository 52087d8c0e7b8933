/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document.h - a document that a verb sends: read from a file (libconfig or JSON) or standard
 * input, and kept in the command, so that what is wrong with it is said with file and line.
 */
#ifndef ADMIN_CTL_DOCUMENT_H
#define ADMIN_CTL_DOCUMENT_H

#include "admin/ctl/command.h"

/* "-" is standard input. Into c->source. False: it has been said what is wrong; the verb returns
 * VERB_USAGE. */
MUST_USE bool document_read(struct command *c, const char *file);

/* The text of a file or standard input ("-"), with a NUL behind it. False as above. */
MUST_USE bool document_read_text(struct command *c, const char *file, struct text *text_out);

#endif
