/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_thread.c - a loop on a thread of its own, and the mailboxes in and out.
 */
#include "cluster/store_thread.h"

#include <pthread.h>

#include "conf/base/mem.h"
#include "gatewayd/core/thread.h"

struct store_thread {
    struct loop *loop;
    struct mailbox *mailbox;
    struct mailbox *control;
    struct mail stop;
    pthread_t thread;
    bool is_running;
};

static void *run(void *arg)
{
    struct store_thread *t = arg;
    loop_run(t->loop);
    return NULL;
}

static void on_stop(void *arg)
{
    struct store_thread *t = arg;
    loop_stop(t->loop);
}

struct store_thread *store_thread_new(struct mailbox *control)
{
    struct store_thread *t = mem_new(sizeof(*t));
    t->control = control;
    t->loop = loop_new("store");
    t->mailbox = mailbox_new(t->loop);
    return t;
}

void store_thread_start(struct store_thread *t)
{
    MUST(!t->is_running);
    thread_start(&t->thread, "store", run, t);
    t->is_running = true;
}

void store_thread_stop(struct store_thread *t)
{
    if (!t->is_running)
        return;
    mail_init(&t->stop, on_stop, t);
    mailbox_post(t->mailbox, &t->stop);
    pthread_join(t->thread, NULL);
    t->is_running = false;
}

void store_thread_free(struct store_thread **t)
{
    if (*t == NULL)
        return;
    MUST(!(*t)->is_running);
    mailbox_free(&(*t)->mailbox);
    loop_free(&(*t)->loop);
    MEM_FREE(t);
}

struct loop *store_thread_loop(struct store_thread *t)
{
    return t->loop;
}

struct mailbox *store_thread_mailbox(struct store_thread *t)
{
    return t->mailbox;
}

struct mailbox *store_thread_control(struct store_thread *t)
{
    return t->control;
}
