/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.h - calls from any thread to a loop's thread.
 *
 * Lock-free, many senders, one receiver; mails of one sender arrive in the order posted. Posting
 * wakes the loop with one write(2) at most per batch. Lifetime: the loop's.
 */
#ifndef GATEWAYD_CORE_MAILBOX_H
#define GATEWAYD_CORE_MAILBOX_H

#include "gatewayd/core/loop.h"

typedef void mailbox_fn(void *arg);

struct mailbox;

/* Embedded in what travels. It belongs to the mailbox from posting until `fn` is called, which may
 * free it or post it again. */
struct mail {
    struct mail *next;
    mailbox_fn *fn;
    void *arg;
};

/* Made by any thread before the loop runs, or by the loop's thread. */
struct mailbox *mailbox_new(struct loop *loop);

/* By the loop's thread (or after it ended), when nobody posts any more. What is still in it is
 * delivered first. */
void mailbox_free(struct mailbox **mailbox);

static inline void mail_init(struct mail *mail, mailbox_fn *fn, void *arg)
{
    mail->next = NULL;
    mail->fn = fn;
    mail->arg = arg;
}

/* Any thread, the loop's own too (it arrives in a later turn). */
void mailbox_post(struct mailbox *mailbox, struct mail *mail);

/* The same with a mail from the heap: not on the way of a request. */
void mailbox_post_call(struct mailbox *mailbox, mailbox_fn *fn, void *arg);

#endif
