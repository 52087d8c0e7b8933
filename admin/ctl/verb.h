/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb.h - everything gatewayctl can do, one row each: its words, what it takes, what it says of
 * itself, and the function that does it. The help, the manual page and the completion are loops
 * over the rows. Constant.
 */
#ifndef ADMIN_CTL_VERB_H
#define ADMIN_CTL_VERB_H

#include <stdint.h>

#include "conf/base/text.h"

struct command;

/* The exit status of gatewayctl. */
enum verb_status {
    VERB_DONE = 0,
    VERB_REFUSED = 1,     /* by the gateway: it said why */
    VERB_USAGE = 2,       /* the command line, or a file it names */
    VERB_UNREACHABLE = 3, /* no gateway answered */
};

typedef enum verb_status verb_fn(struct command *c);

enum verb_group {
    VERB_GROUP_RESOURCES,
    VERB_GROUP_KEYS,
    VERB_GROUP_HISTORY,
    VERB_GROUP_TRAFFIC,
    VERB_GROUP_NODE,
    VERB_GROUP_SELF,
    VERB_GROUPS
};

/* What a completion offers for an argument. */
enum verb_argument {
    VERB_ARGUMENT_OTHER,
    VERB_ARGUMENT_KIND,     /* "routes", …, and "keys" where the verb takes them */
    VERB_ARGUMENT_NAME,     /* of the kind before it */
    VERB_ARGUMENT_UPSTREAM, /* the name of one */
    VERB_ARGUMENT_CONSUMER,
    VERB_ARGUMENT_FILE,
    VERB_ARGUMENT_FIELD, /* FIELD=VALUE of the kind before; may repeat */
};

#define VERB_EXAMPLES  4
#define VERB_ARGUMENTS 3

struct verb_example {
    const char *line;
    const char *what;
};

struct verb {
    const char *name; /* its words: "keys create" */
    const char *arguments;
    unsigned least; /* arguments */
    unsigned most;
    enum verb_argument takes[VERB_ARGUMENTS]; /* the last goes on */
    uint64_t options;                         /* beside option_common */
    enum verb_group group;
    verb_fn *run;
    const char *summary; /* one line */
    const char *details; /* paragraphs, parted by an empty line */
    struct verb_example examples[VERB_EXAMPLES];
};

extern const struct verb verb_rows[];
extern const size_t verb_count;

const char *verb_group_title(enum verb_group group);

/* The verb that `words` begin with, the one with more words first; *used_out is how many. NULL if
 * there is none. */
const struct verb *verb_find(const char *const *words, size_t count, size_t *used_out);

/* Is it the first word of verbs of two ("keys")? */
bool verb_is_prefix(struct text word);

/* The words of the verb that is nearest to these, or NULL. */
const char *verb_nearest(const char *const *words, size_t count);

#endif
