/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.c - a stack that senders push on and the loop takes whole and turns over.
 *
 * Whoever pushes on an empty stack writes the eventfd: one wake for all that comes until the loop
 * has taken it.
 */
#include "gatewayd/core/mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "conf/base/mem.h"

struct mailbox {
    _Atomic(struct mail *) newest;
    struct loop *loop;
    struct loop_watch watch;
    int fd;
};

struct call {
    struct mail mail;
    mailbox_fn *fn;
    void *arg;
};

static struct mail *take_oldest_first(struct mailbox *m)
{
    struct mail *newest = atomic_exchange_explicit(&m->newest, NULL, memory_order_acquire);
    struct mail *oldest = NULL;
    while (newest != NULL) {
        struct mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void deliver(struct mailbox *m)
{
    struct mail *mail = take_oldest_first(m);
    while (mail != NULL) {
        struct mail *next = mail->next; /* the receiver may free it */
        mail->fn(mail->arg);
        mail = next;
    }
}

static void on_readable(void *arg)
{
    struct mailbox *m = arg;
    uint64_t wakes;
    /* Before taking: a wake for what comes after must not be lost. */
    MUST(read(m->fd, &wakes, sizeof(wakes)) == sizeof(wakes) || errno == EAGAIN);
    deliver(m);
}

struct mailbox *mailbox_new(struct loop *loop)
{
    struct mailbox *m = mem_new(sizeof(*m));
    m->loop = loop;
    m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    MUST(m->fd >= 0);
    loop_watch_init(&m->watch, loop, m->fd, m);
    loop_watch_start_read(&m->watch, on_readable);
    return m;
}

void mailbox_free(struct mailbox **mailbox)
{
    struct mailbox *m = *mailbox;
    if (m == NULL)
        return;
    while (atomic_load(&m->newest) != NULL)
        deliver(m);
    loop_watch_stop(&m->watch);
    close(m->fd);
    MEM_FREE(mailbox);
}

void mailbox_post(struct mailbox *m, struct mail *mail)
{
    struct mail *newest = atomic_load_explicit(&m->newest, memory_order_relaxed);
    do {
        mail->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&m->newest, &newest, mail, memory_order_release,
                                                    memory_order_relaxed));
    if (newest != NULL)
        return;
    uint64_t one = 1;
    MUST(write(m->fd, &one, sizeof(one)) == sizeof(one) || errno == EAGAIN);
}

static void run_call(void *arg)
{
    struct call *call = arg;
    mailbox_fn *fn = call->fn;
    void *fn_arg = call->arg;
    MEM_FREE(&call);
    fn(fn_arg);
}

void mailbox_post_call(struct mailbox *m, mailbox_fn *fn, void *arg)
{
    struct call *call = mem_new(sizeof(*call));
    call->fn = fn;
    call->arg = arg;
    mail_init(&call->mail, run_call, call);
    mailbox_post(m, &call->mail);
}
