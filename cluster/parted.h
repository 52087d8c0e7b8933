/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parted.h - the file `parted` of state.dir: what this node alone had done when the histories
 * parted, from before its journal is replaced until all of it has been settled. Without it a
 * restart in between would forget what was still to be put back.
 *
 * Frames (frame.h): base, entries with their parts, seal; then how much has been settled, again and
 * again. Blocking: on the scribe's thread.
 */
#ifndef CLUSTER_PARTED_H
#define CLUSTER_PARTED_H

#include "cluster/entry.h"
#include "conf/base/list.h"
#include "conf/base/must.h"

struct state_dir;

struct parted {
    uint64_t common;     /* the last entry that both histories have; 0: there is none */
    bool is_trimmed;     /* what others did after it is not known any more */
    uint64_t newest;     /* of this node */
    struct entry_id id;  /* of that one */
    uint64_t settled;    /* changes, in the order in which they are put back */
    struct list entries; /* store_embedded_incoming */
};

void parted_init(struct parted *p);
void parted_fini(struct parted *p);

/* In the place of what was there. False: `why_out`, a static clause. */
MUST_USE bool parted_write(const struct parted *p, const struct state_dir *dir,
                           const char **why_out);
/* So much of it has been settled. */
MUST_USE bool parted_settle(const struct state_dir *dir, uint64_t settled, const char **why_out);
MUST_USE bool parted_remove(const struct state_dir *dir, const char **why_out); /* or none */

/* False: there is none, or (with a clause) it cannot be read. */
MUST_USE bool parted_read(struct parted *p, const struct state_dir *dir, const char **why_out);

#endif
