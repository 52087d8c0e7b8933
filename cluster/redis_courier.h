/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_courier.h - calls to Redis from the control thread: carried to the store's thread, sent on
 * a link there, and the answer brought back. What is decided is decided on the control thread; the
 * store's thread only sends and receives.
 *
 * Lifetime: its history (redis_history.h). Control thread only.
 */
#ifndef CLUSTER_REDIS_COURIER_H
#define CLUSTER_REDIS_COURIER_H

#include "cluster/redis.h"
#include "cluster/redis_value.h"

struct redis_courier;

/* A link went up or away (then `reason` says why; borrowed). */
typedef void redis_courier_watch_fn(void *arg, enum redis_use use, bool is_up, struct text reason);

/* Before redis_start. */
struct redis_courier *redis_courier_new(struct redis *redis, struct store_thread *thread,
                                        redis_courier_watch_fn *watch, void *arg);

/* Calls that are not answered yet are answered REDIS_AWAY or REDIS_LOST at once, and new ones too;
 * nothing is told of links any more. */
void redis_courier_close(struct redis_courier *c);

/* Nothing is on its way any more. */
bool redis_courier_is_idle(const struct redis_courier *c);

/* After the store's thread has ended and what it sent to control has arrived. */
void redis_courier_free(struct redis_courier **c);

struct redis_answer {
    enum redis_outcome outcome;
    const struct redis_value *value; /* ANSWERED, REFUSED; else a nil */
    struct text reason;              /* unless ANSWERED */
    uint64_t run;                    /* of the server that it was for; 0: it was not sent */
};
/* Everything is borrowed until it returns. */
typedef void redis_courier_fn(void *arg, const struct redis_answer *answer);

struct redis_script;
struct redis_errand {
    enum redis_use use;
    const struct redis_script *script; /* NULL: `words` are a command */
    const struct text *words;          /* copied */
    size_t count;
    size_t key_count;    /* of a script */
    uint64_t run;        /* not 0: the last word becomes "0" where the server is of another run */
    bool has_not_after;  /* words[key_count] is put in when it is sent: the server's time then, and
                            `timeout_ms` more, in microseconds */
    size_t not_after_at; /* the word, where it is not that one */
    int64_t timeout_ms;
    redis_courier_fn *done; /* exactly once, from the loop */
    void *arg;
};
void redis_courier_send(struct redis_courier *c, const struct redis_errand *errand);

/* Gives the connection up and finds a server anew. */
void redis_courier_renew(struct redis_courier *c, enum redis_use use, struct text reason);

#endif
