/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner.h - a command line that was given for a node, run by the shell.
 */
#ifndef ADMIN_CTL_RUNNER_H
#define ADMIN_CTL_RUNNER_H

#include "conf/base/builder.h"

/* Borrowed; names and addresses that are plain (member.h). */
struct runner_place {
    struct text node;
    struct text address;
    struct text host;
};

/* {node}, {address} and {host} of `line` filled in; all else stays as it is. */
void runner_fill(struct text line, const struct runner_place *place, struct builder *b);

/* Runs what was filled in, its output going where ours goes (to standard error with `is_aside`);
 * GATEWAYD_NODE, GATEWAYD_ADDRESS and GATEWAYD_HOST are set for it. False unless it ends with
 * status 0: a clause in `why`, "ended with status 3". A Ctrl-C is the command's. */
MUST_USE bool runner_run(struct text line, const struct runner_place *place, bool is_aside,
                         struct builder *why);

#endif
