/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - the addresses that host names of targets stand for, kept fresh.
 *
 * Each name is looked up at once, again when its TTL ends, and after a failure with growing pauses;
 * what was known stays until there is something better, also when the name servers say that there
 * is no such name. Lifetime and thread: control.
 */
#ifndef GATEWAYD_ROUTE_NAMES_H
#define GATEWAYD_ROUTE_NAMES_H

#include "conf/base/address.h"
#include "gatewayd/core/loop.h"

struct resolve;
struct names;
struct name;

/* The first answer came (perhaps a failure), or the addresses are others than before. From the
 * loop. */
typedef void names_changed_fn(void *arg);

struct names *names_new(struct loop *loop, struct resolve *resolve, names_changed_fn *changed,
                        void *arg);
void names_free(struct names **names); /* all names must have been given back */

/* Counted: one for each host and port. */
struct name *names_take(struct names *names, struct text host, uint16_t port);
void names_give(struct name **name);

bool names_is_answered(const struct name *name);

/* Sorted, each once; borrowed until the loop goes on. */
const struct address *names_addresses(const struct name *name, size_t *count_out);

/* Why a name that was taken has no address, in a few words, and since when that is known (wall
 * clock, ms; 0 before the first answer). NULL if it has one, or was not taken. */
const char *names_find_failure(const struct names *names, struct text host, uint16_t port,
                               int64_t *since_out);

/* Grows with each change. */
uint64_t names_version(const struct name *name);

#endif
