/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member.h - a node of the cluster as gatewayctl sees it: where it is asked, and how it is by its
 * own word.
 *
 * Lifetime: the command's arena.
 */
#ifndef ADMIN_CTL_MEMBER_H
#define ADMIN_CTL_MEMBER_H

#include "admin/ctl/command.h"

#define MEMBER_MOST 64

struct member {
    struct text name;
    struct text address; /* as it advertises: host:port */
    struct text host;    /* of that, without brackets */
    struct text server;  /* where its admin API is asked, as in settings */
    /* As it said when it was looked at last. */
    struct text incarnation;
    struct text version;
    struct text state;
    struct text reason;
    struct text store; /* "connected" … */
    int64_t revision;
    int64_t busy;           /* exchanges and streams */
    const struct doc *vrrp; /* virtual address → state; NULL: it has none */
};

/* All nodes that the gateway of the settings knows, by name. False: it has been said why not. */
MUST_USE bool member_list(struct command *c, struct member members[MEMBER_MOST], size_t *count_out,
                          enum verb_status *status_out);

/* Asks it itself. False: a sentence in `why`. */
MUST_USE bool member_look(struct command *c, struct member *m, struct builder *why);

/* A call of its admin API; false unless it is answered with 2xx, with sentences in `why`. */
MUST_USE bool member_call(struct command *c, const struct member *m, const char *method,
                          const char *path, struct builder *why);

/* Ready, and its store connected? Else a clause in `why`: "is draining". */
MUST_USE bool member_is_sound(const struct member *m, struct builder *why);

/* Is it the master of that virtual address? */
bool member_has_address(const struct member *m, struct text address);

#endif
