/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - what came of a change: as the answer in JSON, or in a sentence with the warnings.
 */
#ifndef ADMIN_CTL_REPORT_H
#define ADMIN_CTL_REPORT_H

#include "admin/ctl/command.h"

/* `what` is "route orders"; `done` says what happened to it, "created", if it was. */
void report_change(struct command *c, const char *what, const char *done,
                   const struct command_reply *reply);

/* A difference, and what became of it: only what would be with `is_dry`. */
void report_difference(struct command *c, const struct doc *difference, bool is_dry);

/* Only how many changes there were: they were shown before. */
void report_done(struct command *c, const struct doc *difference);

/* The `warnings` of an answer on standard error, a line each. */
void report_warnings(const struct doc *answer);

#endif
