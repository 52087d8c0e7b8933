/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_scripts.h - the Lua scripts that Redis runs for us. Each is a file cluster/NAME.lua, which
 * the build puts into the program; whoever runs it declares it:
 *
 *     REDIS_SCRIPT(commit);
 *     … redis_link_run(link, &(struct redis_run){ .script = &redis_script_commit, … });
 *
 * Any thread.
 */
#ifndef CLUSTER_REDIS_SCRIPTS_H
#define CLUSTER_REDIS_SCRIPTS_H

#include "conf/base/text.h"

struct redis_script {
    const char *name;
    struct text text;
};

#define REDIS_SCRIPT(name) extern const struct redis_script redis_script_##name

#define REDIS_SCRIPTS_DIGEST_SIZE 41

/* The SHA-1 by which Redis knows it, in hex, into `into`. */
struct text redis_scripts_digest(const struct redis_script *s,
                                 char into[REDIS_SCRIPTS_DIGEST_SIZE]);

#endif
