/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - a whole document of resources at once: what `bootstrap` names, what `-t` checks.
 *
 * For documents of people that are of moderate size; a PUT of a million consumers is worked off
 * with config_reader.h in slices. Reads files: not for a worker.
 */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include "conf/resources.h"

struct config {
    struct resources *resources;
    struct resource **consumers; /* sorted by name; one count of each is owned */
    size_t consumer_count;
};

/* libconfig or JSON. Everything is checked, references included; all problems are collected. On
 * failure *config_out is untouched. */
MUST_USE bool config_read(const char *file, const struct checks *checks, struct problems *ps,
                          struct config *config_out);
MUST_USE bool config_bind(const struct doc *doc, const struct checks *checks, struct problems *ps,
                          struct config *config_out);
void config_fini(struct config *c);

#endif
