/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem.h - what a human wrote wrong: where, what, and what would be accepted.
 *
 * Checkers go on after a problem and collect all of them. A function that takes `problems` returns
 * false if and only if it added one. Lists are in the order found; at most PROBLEMS_MAX are kept,
 * the rest counted.
 */
#ifndef CONF_BASE_PROBLEM_H
#define CONF_BASE_PROBLEM_H

#include "conf/base/text.h"

#define PROBLEMS_MAX 1000

struct problem {
    char *file;     /* libconfig: the file; NULL for JSON */
    unsigned line;  /* libconfig: its line, 0 unknown */
    char *pointer;  /* RFC 6901 pointer into the document, "" for the whole */
    char *path;     /* for people: routes.orders.limits[0].rate */
    char *sentence; /* a whole sentence, with what would be accepted */
};

struct problems {
    struct problem *items;
    size_t count;
    size_t dropped; /* past PROBLEMS_MAX */
};

/* Where in a document a problem is; all borrowed, copied by problems_add. */
struct place {
    const char *file;
    unsigned line;
    const char *pointer;
    const char *path;
};

void problems_init(struct problems *ps);
void problems_fini(struct problems *ps);
bool problems_is_empty(const struct problems *ps);
void problems_add(struct problems *ps, struct place place, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* "FILE:LINE: PATH: SENTENCE" or "PATH: SENTENCE", as -t and gatewayctl print it, without newline.
 */
struct builder;
void problem_print(const struct problem *p, struct builder *b);

#endif
