/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.h - what gatewayctl says of itself, printed from the tables of verbs and options.
 */
#ifndef ADMIN_CTL_HELP_H
#define ADMIN_CTL_HELP_H

#include "admin/ctl/verb.h"
#include "conf/base/builder.h"

void help_print_overview(struct builder *b); /* gatewayctl --help */
void help_print_verb(const struct verb *verb, struct builder *b);

/* The verbs that begin with this word ("keys"). */
void help_print_group(struct text word, struct builder *b);

/* Everything, for reading and for searching. */
void help_print_all(struct builder *b);

/* gatewayctl(1), man macros. */
void help_print_man(struct builder *b);

#endif
