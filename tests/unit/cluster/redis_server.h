/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_server.h - a real redis-server of a test's own, on a free port of loopback; and a link to
 * it whose loop the test itself turns.
 *
 * The user "gatewayd" is that of cluster/redis.acl, with the password "secret".
 */
#ifndef TESTS_UNIT_CLUSTER_REDIS_SERVER_H
#define TESTS_UNIT_CLUSTER_REDIS_SERVER_H

#include <sys/types.h>

#include "cluster/redis.h"

#define REDIS_SERVER_PASSWORD       "secret"
#define REDIS_SERVER_ADMIN_PASSWORD "admin"

struct redis_server_process {
    char *folder;
    pid_t pid; /* 0: not running */
    int port;
    bool is_sentinel;
};

/* `settings`: further lines of its configuration ("" none). With certificates_start() having been
 * called and `tls` not NULL, it speaks TLS only, with that certificate ("FILE" of certificates.h).
 * Ends the test when it does not start. */
void redis_server_start(struct redis_server_process *s, const char *settings, const char *tls);
void redis_server_stop(struct redis_server_process *s);    /* and all it wrote is removed */
void redis_server_kill(struct redis_server_process *s);    /* the port stays its own */
void redis_server_restart(struct redis_server_process *s); /* after a kill */
void redis_server_pause(struct redis_server_process *s);
void redis_server_go_on(struct redis_server_process *s);

/* A redis-sentinel that watches "mymaster" on a port, with the admin's password, and takes it for
 * down after half a second. */
void redis_server_start_sentinel(struct redis_server_process *s, int master_port, int quorum);

/* A command in plain words ("CONFIG SET maxmemory 0") as the user who may do everything; what came
 * back, raw, to be freed. Not with TLS. */
char *redis_server_ask(const struct redis_server_process *s, const char *words);
/* The same, and it must be answered with what begins so ("+OK"). */
void redis_server_tell(const struct redis_server_process *s, const char *words, const char *answer);

/* ---- a process' end of it ---- */

struct redis_story {
    struct loop *control;
    struct mailbox *mailbox;
    struct store_thread *thread;
    struct node_config *node;
    struct redis *redis;
    char *folder; /* of its password file */
};

/* `more`: lines of state.redis beside servers, user and password_file ("" none); `servers` as in
 * the configuration ("\"127.0.0.1:1\", …"). The loop runs only in redis_story_turn and _until. */
void redis_story_open(struct redis_story *s, const char *servers, const char *more);
/* The same with sentinels instead of servers. */
void redis_story_open_sentinels(struct redis_story *s, const struct redis_server_process *sentinels,
                                size_t count);
void redis_story_open_for(struct redis_story *s, const struct redis_server_process *server,
                          const char *more);
void redis_story_close(struct redis_story *s);
void redis_story_write_password(struct redis_story *s, const char *password);

/* Turns the loop until `condition` holds; false when it does not within 10 s. */
typedef bool redis_story_fn(void *arg);
MUST_USE bool redis_story_until(struct redis_story *s, redis_story_fn *condition, void *arg);
void redis_story_turn_for(struct redis_story *s, int ms);
void redis_story_expect_up(struct redis_story *s, enum redis_use use, bool is_up);
/* Away, for a reason with these words in it. */
void redis_story_expect_away(struct redis_story *s, enum redis_use use, const char *words);

/* One call and its answer. */
struct redis_story_answer {
    bool is_there;
    enum redis_outcome outcome;
    char text[256]; /* of the reply or the reason */
    int64_t integer;
    int64_t took_ms;
    int64_t fair_ms; /* the same by fair_clock.h, for "not longer than" */
    uint64_t began_ns;
    uint64_t began_fair_ns;
};
void redis_story_call(struct redis_story *s, enum redis_use use, const char *words,
                      int64_t timeout_ms, struct redis_story_answer *a);
void redis_story_wait(struct redis_story *s, struct redis_story_answer *a);

#endif
