/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_private.h - one check under way (a probe), and what kinds there are. Only health*.c
 * include it.
 */
#ifndef GATEWAYD_HEALTH_PRIVATE_H
#define GATEWAYD_HEALTH_PRIVATE_H

#include "conf/base/builder.h"
#include "conf/upstream.h"
#include "gatewayd/net/socket.h"
#include "gatewayd/route/target.h"

struct tls_client;
struct health_probe;

enum health_verdict {
    HEALTH_WAIT,
    HEALTH_GOOD,
    HEALTH_BAD,
    HEALTH_NONE, /* it could not be asked, for want of our own resources: nothing is known */
};

/* One kind of check. Each says in probe->because what it saw before it decides. */
struct health_probe_type {
    /* The connection (with TLS, where the upstream has it) is there. */
    enum health_verdict (*begin)(struct health_probe *p);
    /* There is something to read, or room to write; NULL: never asked for. */
    enum health_verdict (*go_on)(struct health_probe *p);
};

extern const struct health_probe_type health_http;
extern const struct health_probe_type health_tcp;

/* Borrowed until the probe ends; `tls` is counted by the caller. */
struct health_question {
    const struct health_probe_type *type;
    const struct target *target;
    const struct upstream_health *health;
    struct tls_client *tls;  /* NULL: plain */
    struct text server_name; /* for TLS */
};

/* From the loop; the probe is gone after it. `because` lives until it returns. Not HEALTH_WAIT. */
typedef void health_done_fn(void *arg, enum health_verdict verdict, const char *because);

#define HEALTH_ANSWER_SIZE 2048

struct health_probe {
    struct health_question question;
    struct loop *loop;
    struct socket socket;
    struct loop_timer timer;
    struct loop_task task; /* delivers a verdict that was known at once */
    enum health_verdict verdict;
    bool is_shaken; /* TLS is done, or there is none */
    char because[TARGET_BECAUSE_SIZE];
    struct builder request;
    size_t sent;
    char answer[HEALTH_ANSWER_SIZE];
    size_t answered;
    health_done_fn *done;
    void *arg;
};

/* Connects and asks, within health->timeout. */
struct health_probe *health_probe_start(struct loop *loop, const struct health_question *question,
                                        health_done_fn *done, void *arg);
void health_probe_stop(struct health_probe **probe);

/* printf into probe->because; returns the verdict, for `return health_probe_say(…)`. */
enum health_verdict health_probe_say(struct health_probe *p, enum health_verdict verdict,
                                     const char *format, ...) PRINTF_LIKE(3, 4);

/* What broke the socket: "WHAT: connection refused". */
enum health_verdict health_probe_say_broken(struct health_probe *p, const char *what);

#endif
