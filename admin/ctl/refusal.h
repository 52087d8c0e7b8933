/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal.h - a problem document (RFC 9457) of the gateway as sentences, each error with where in
 * the file it is, if the document that was refused came from one.
 */
#ifndef ADMIN_CTL_REFUSAL_H
#define ADMIN_CTL_REFUSAL_H

#include "conf/base/builder.h"
#include "conf/doc.h"

/* What was sent. All may be empty. */
struct refusal_source {
    const char *file;      /* what people call it */
    const struct doc *doc; /* libconfig: its nodes know their lines */
    struct text json;      /* or the JSON text it was read from */
};

/* Lines, each with its newline. `problem` is what came (null if it was no JSON). */
void refusal_print(unsigned status, const struct doc *problem, const struct refusal_source *source,
                   struct builder *b);

#endif
