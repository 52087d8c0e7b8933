/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_reader.h - the document of all resources, { upstreams, routes, plans, consumers }, one
 * resource at a time, so that a document of a million consumers can be worked off in slices.
 *
 * From JSON text nothing is read ahead: each call parses one resource. From a document that was
 * read already (libconfig) each call hands out one of its items. Kinds come as they are written.
 * One thread.
 */
#ifndef CONF_CONFIG_READER_H
#define CONF_CONFIG_READER_H

#include "conf/resource.h"

struct config_reader {
    struct text json;
    size_t at;
    const struct doc *doc;
    size_t member;
    size_t index;
    enum resource_kind kind;
    unsigned seen; /* bits of kinds */
    int state;
    bool lenient;
    char pointer[48];
};

/* `json` (or `doc`) must stay as long as the reader. Fields other than the four kinds are problems
 * unless checks say lenient; then they are left out. */
void config_reader_init_json(struct config_reader *r, struct text json,
                             const struct checks *checks);
void config_reader_init_doc(struct config_reader *r, const struct doc *doc,
                            const struct checks *checks);

enum config_reader_step {
    CONFIG_READER_ITEM,    /* one resource */
    CONFIG_READER_END,     /* all were read */
    CONFIG_READER_BROKEN,  /* not JSON, or not such a document: a problem was added; stop */
    CONFIG_READER_PROBLEM, /* a problem was added; reading may go on */
};

struct config_reader_item {
    enum resource_kind kind;
    struct doc doc;      /* in the arena (JSON) or the document that was given */
    const char *pointer; /* "/routes/3"; until the next call */
};

/* The arena may be reset between calls. */
MUST_USE enum config_reader_step config_reader_next(struct config_reader *r, struct arena *arena,
                                                    struct problems *ps,
                                                    struct config_reader_item *item_out);

#endif
