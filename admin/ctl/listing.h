/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing.h - lists of the API, page by page, and the tables they are shown in.
 */
#ifndef ADMIN_CTL_LISTING_H
#define ADMIN_CTL_LISTING_H

#include "admin/ctl/command.h"
#include "admin/ctl/kind.h"

/* All items behind `path` (which may have a query), at most `limit` (0: all), following `next`,
 * which is sent as `cursor` ("after", "before"). In the command's arena. False as command_call. */
MUST_USE bool listing_read(struct command *c, struct text path, const char *cursor, uint64_t limit,
                           struct doc *items_out, enum verb_status *status_out);

/* As a table, as { items } in JSON, or as names. */
void listing_print(struct command *c, const struct kind *kind, const struct doc *items);

/* The members called `name` ("id"), one a line. */
void listing_print_names(const struct doc *items, const char *name);

/* { "items": […] } */
void listing_print_json(struct command *c, const struct doc *items);

#endif
