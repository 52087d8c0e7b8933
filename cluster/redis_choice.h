/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_choice.h - which server is the master, out of what sentinels and servers say. No I/O: what
 * is known goes in, a choice comes out.
 *
 *  1. The master that the highest epoch names, if it says itself that it is one, and the sentinels
 *     do not agree that it is down (then it is cut off from them, and will be replaced).
 *  2. Sentinel announces a fail-over about a second after the new master takes writes. So when the
 *     named one does not answer, is no master or is down: the one replica that says it is a master,
 *     if a sentinel of that epoch reaches it (an old master that is cut off is a "replica" that
 *     none of them reaches).
 *  3. When no sentinel is of help: the server used before, if it is the same process still.
 *
 * Sentinels that know less than was known before (a lower epoch, and not most of them) are no help.
 */
#ifndef CLUSTER_REDIS_CHOICE_H
#define CLUSTER_REDIS_CHOICE_H

#include "cluster/redis_sentinel.h"

struct redis_choice_server {
    const char *name;
    bool is_known; /* it was asked, and answered or did not */
    bool is_good;  /* a master that will do */
    uint64_t run;
};

struct redis_choice_question {
    const struct redis_sentinel_answer *const *answers;
    size_t answer_count;
    bool is_complete; /* nothing more will come */
    uint64_t epoch;   /* the highest heard of before */
    const struct redis_choice_server *servers;
    size_t server_count;
    const char *used; /* the server used last; "": none */
    uint64_t used_run;
    const char *shunned; /* only by rule 1; "": none */
};

struct redis_choice {
    const struct redis_choice_server *server; /* NULL: none, or not yet */
    uint64_t epoch;                           /* that names it, or 0 */
    bool is_named;                            /* by rule 1 */
    const struct redis_sentinel_answer *word; /* the answer that counts; NULL: none */
};

struct redis_choice redis_choice_make(const struct redis_choice_question *q);

#endif
