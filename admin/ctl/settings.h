/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - which gateway gatewayctl talks to, as whom, and how it prints: from the options,
 * else the environment, else ~/.config/gatewayctl.conf (libconfig), in this order.
 *
 * A token is never taken from the command line and never printed. Lifetime: the command's arena.
 */
#ifndef ADMIN_CTL_SETTINGS_H
#define ADMIN_CTL_SETTINGS_H

#include "admin/ctl/args.h"
#include "conf/base/arena.h"
#include "conf/base/problem.h"

struct schema;

enum settings_output { SETTINGS_TABLE, SETTINGS_JSON, SETTINGS_NAMES };

struct settings {
    struct text server; /* "http://…" or "https://…", without a trailing slash */
    struct text token;  /* empty: none */
    struct text cacert; /* files; empty: none */
    struct text cert;
    struct text key;
    enum settings_output output;
};

/* The rows of the file. */
extern const struct schema settings_schema;

/* False and problems: nothing is usable then. Sentences that do not stop anything (a file with a
 * token that others may read, a token sent in the clear) are added to `warnings`, a line each. */
MUST_USE bool settings_read(const struct args *args, struct arena *arena, struct problems *ps,
                            struct builder *warnings, struct settings *settings_out);

/* With a scheme, without a trailing slash; false and a sentence in `why` when it is no address of
 * an admin API. */
MUST_USE bool settings_parse_server(struct text given, struct arena *arena, struct builder *why,
                                    struct text *server_out);

/* Would a token sent there be readable on the way? */
bool settings_is_in_clear(struct text server);

#endif
