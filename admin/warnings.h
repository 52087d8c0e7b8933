/* SPDX-License-Identifier: Apache-2.0 */
/*
 * warnings.h - what a write is answered with although it was accepted: routes that can never win, a
 * node that cannot apply the revision. Sentences, in the order found.
 */
#ifndef ADMIN_WARNINGS_H
#define ADMIN_WARNINGS_H

#include "conf/base/arena.h"
#include "conf/base/builder.h"

struct control;
struct store_result;

#define WARNINGS_MAX 100 /* sentences; and routes that are looked at */

struct warnings {
    struct arena *arena;
    struct text items[WARNINGS_MAX];
    unsigned count;
    unsigned looked_at;
};

/* Empty; sentences are copied into the arena. */
void warnings_init(struct warnings *w, struct arena *arena);

/* This node cannot apply what was accepted. */
void warnings_add_behind(struct warnings *w, struct text reason);

/* Looks at a route that was written, and at those it meets, in the configuration in force. */
void warnings_add_route(struct warnings *w, const struct control *control, struct text route);

/* [ "sentence", … ] */
void warnings_print(const struct warnings *w, struct builder *b);

/* The same as the last member of the object that `b` ends with; nothing when there are none. */
void warnings_print_member(const struct warnings *w, struct builder *b);

#endif
