/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_secrets.h - who we are to Redis and whom we believe: users, and what the files that
 * state.redis names hold: passwords, and certificates as TLS contexts. Never printed or logged.
 *
 * Lifetime: counted (atomic), never modified. Made by control, dropped for the last time by
 * control.
 */
#ifndef CLUSTER_REDIS_SECRETS_H
#define CLUSTER_REDIS_SECRETS_H

#include <stdatomic.h>

#include "conf/base/problem.h"
#include "conf/node.h"

struct tls_client;

struct redis_login {
    char *user;             /* "": the default one */
    char *password;         /* NULL: none */
    struct tls_client *tls; /* NULL: plain */
    char *server_name;      /* looked for in the certificate; "": the host */
};

struct redis_secrets {
    atomic_uint count;
    struct redis_login server;
    struct redis_login sentinel;
};

/* Reads all of them. NULL and problems: a file that cannot be read, that everybody may write, an
 * empty password, a certificate without its key … */
MUST_USE struct redis_secrets *redis_secrets_read(const struct node_redis *config,
                                                  struct problems *ps);
struct redis_secrets *redis_secrets_ref(struct redis_secrets *s);
void redis_secrets_unref(struct redis_secrets **s);

#endif
