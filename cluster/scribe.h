/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scribe.h - the thread that does slow work with files: jobs are run one after the other, in the
 * order in which they were posted, and their ends come back to the control loop.
 *
 * Lifetime: process. Posting and stopping by the control thread.
 */
#ifndef CLUSTER_SCRIBE_H
#define CLUSTER_SCRIBE_H

#include "gatewayd/core/mailbox.h"

struct scribe;

typedef void scribe_fn(void *arg);

/* Embedded in what is worked on; it belongs to the scribe until `done` is called. */
struct scribe_job {
    struct scribe_job *next;
    struct mail mail;
    struct scribe *scribe;
    scribe_fn *run;  /* on the scribe's thread */
    scribe_fn *done; /* from the control loop */
    void *arg;
};

static inline void scribe_job_init(struct scribe_job *job, scribe_fn *run, scribe_fn *done,
                                   void *arg)
{
    *job = (struct scribe_job){ .run = run, .done = done, .arg = arg };
}

/* `ends` is control's mailbox. Starts the thread. */
struct scribe *scribe_new(struct mailbox *ends);
void scribe_post(struct scribe *s, struct scribe_job *job);

/* Posted and not yet told that it is done. */
size_t scribe_waiting(const struct scribe *s);

/* Ends the thread; nothing may be waiting. */
void scribe_free(struct scribe **s);

#endif
