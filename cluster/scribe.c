/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scribe.c - a queue under a lock (never on the way of a request) and a thread that empties it.
 */
#include "cluster/scribe.h"

#include <pthread.h>

#include "conf/base/mem.h"
#include "gatewayd/core/thread.h"

struct scribe {
    struct mailbox *ends;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct scribe_job *first; /* under the lock */
    struct scribe_job *last;
    bool is_ending;
    size_t waiting; /* control's */
};

/* NULL: the thread is to end. */
static struct scribe_job *take_all(struct scribe *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->first == NULL && !s->is_ending)
        pthread_cond_wait(&s->wake, &s->lock);
    struct scribe_job *jobs = s->first;
    s->first = s->last = NULL;
    pthread_mutex_unlock(&s->lock);
    return jobs;
}

static void on_ended(void *arg)
{
    struct scribe_job *job = arg;
    job->scribe->waiting--;
    job->done(job->arg);
}

static void *run(void *arg)
{
    struct scribe *s = arg;
    for (struct scribe_job *job = take_all(s); job != NULL; job = take_all(s)) {
        while (job != NULL) {
            struct scribe_job *next = job->next;
            job->run(job->arg);
            mail_init(&job->mail, on_ended, job);
            mailbox_post(s->ends, &job->mail);
            job = next;
        }
    }
    return NULL;
}

struct scribe *scribe_new(struct mailbox *ends)
{
    struct scribe *s = mem_new(sizeof(*s));
    s->ends = ends;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    thread_start(&s->thread, "scribe", run, s);
    return s;
}

void scribe_post(struct scribe *s, struct scribe_job *job)
{
    job->next = NULL;
    job->scribe = s;
    s->waiting++;
    pthread_mutex_lock(&s->lock);
    if (s->last == NULL)
        s->first = job;
    else
        s->last->next = job;
    s->last = job;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

size_t scribe_waiting(const struct scribe *s)
{
    return s->waiting;
}

void scribe_free(struct scribe **s)
{
    if (*s == NULL)
        return;
    MUST((*s)->waiting == 0);
    pthread_mutex_lock(&(*s)->lock);
    (*s)->is_ending = true;
    pthread_cond_signal(&(*s)->wake);
    pthread_mutex_unlock(&(*s)->lock);
    pthread_join((*s)->thread, NULL);
    pthread_cond_destroy(&(*s)->wake);
    pthread_mutex_destroy(&(*s)->lock);
    MEM_FREE(s);
}
