/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials.h - all consumers and keys of the process: one table, updated in place.
 *
 * Written by one thread only (control), read by workers without locks. A worker copies what it
 * needs into the exchange's arena and keeps no pointer; what is taken out of the table is given
 * back after every worker has passed a turn (turns.h). Making or revoking one of a million keys
 * costs the same as one of ten: a revocation is one store of one word.
 *
 * Consumers and keys outlive every snapshot. A consumer that is removed while keys still refer to
 * it (revoked ones, kept as tombstones) stays as a name only.
 *
 * Texts in what the writer's functions answer are borrowed until the next change, unless said
 * otherwise. "Writer": only by the thread that writes.
 */
#ifndef GATEWAYD_POLICY_CREDENTIALS_H
#define GATEWAYD_POLICY_CREDENTIALS_H

#include "conf/base/arena.h"
#include "conf/base/digest.h"
#include "conf/resource.h"
#include "conf/values.h"
#include "gatewayd/policy/key.h"
#include "gatewayd/policy/turns.h"

struct credentials;

/* Lifetime: process. `turns` outlives it. */
struct credentials *credentials_new(struct turns *turns);
void credentials_free(struct credentials **c); /* no reader may be left */

/* The secret of foreign keys (cluster.secret_file); copied. Before any worker reads. */
void credentials_set_secret(struct credentials *c, struct text secret);

/* Under which a key is kept: key_digest() with the secret that was set. Any thread. */
struct digest credentials_digest(const struct credentials *c, struct text key);

/* ---- workers ---- */

/* Names a key for as long as it keeps its state: not its slot's next key, not itself revoked. */
struct key_handle {
    uint32_t slot;
    uint32_t generation;
};

/* What an exchange knows of the key it was sent. Everything is in the arena. */
struct credential {
    struct key_handle handle;
    uint64_t key_id;
    int64_t expires_at; /* ms since the epoch, 0: never */
    char id[KEY_ID_SIZE];
    char prefix[KEY_PREFIX_SIZE];
    struct text consumer;
    struct text plan; /* empty: none */
    uint32_t plan_id; /* credentials_plan_id() of it, 0: none */
    uint32_t consumer_slot;
    struct texts groups;
    struct texts scopes;
};

enum credentials_answer {
    CREDENTIALS_UNKNOWN, /* or mistyped, or nothing that could be a key */
    CREDENTIALS_ACTIVE,  /* and only then `out` is filled */
    CREDENTIALS_REVOKED,
    CREDENTIALS_EXPIRED,
    CREDENTIALS_NO_ROOM, /* the arena has reached its ceiling */
};

/* Looks the key up as a client sent it. `now` in ms since the epoch. Enters the turn. */
enum credentials_answer credentials_find(const struct credentials *c, struct turn *turn,
                                         struct text key, int64_t now, struct arena *arena,
                                         struct credential *out);

/* What is here may be older than is bearable (state.max_staleness): no key is to be let in. Set by
 * the writer, asked by any thread. */
void credentials_set_stale(struct credentials *c, bool is_stale);
bool credentials_is_stale(const struct credentials *c);

/* Is the key what it was when the handle was made, and not yet expired? Any thread, any time. */
bool credentials_is_live(const struct credentials *c, struct key_handle handle, int64_t now);

/* ---- consumers (writer) ---- */

enum credentials_change { CREDENTIALS_SAME, CREDENTIALS_ADDED, CREDENTIALS_CHANGED };

/* `r` is a RESOURCE_CONSUMER; nothing of it is borrowed. `stamp` is 64 bits of the store's own
 * (what it makes ETags and revisions of); it is kept with the consumer. */
enum credentials_change credentials_put_consumer(struct credentials *c, const struct resource *r,
                                                 uint64_t stamp);

/* False: there is none. Its keys stay and no longer admit anybody: refuse it before if any is
 * active (credentials_has_active_keys). */
bool credentials_remove_consumer(struct credentials *c, struct text name);

struct credentials_consumer {
    struct text name;
    struct text plan;
    struct texts groups;
    uint64_t stamp;
    uint32_t slot;
    uint32_t keys; /* active or not */
};

bool credentials_get_consumer(const struct credentials *c, struct text name,
                              struct credentials_consumer *out);

/* The consumer with the smallest name behind `after` (which need not exist; empty: the first). */
bool credentials_next_consumer(const struct credentials *c, struct text after,
                               struct credentials_consumer *out);

/* What was set, as resource.set is: canonical JSON, in the arena. */
struct text credentials_consumer_set(const struct credentials *c,
                                     const struct credentials_consumer *consumer,
                                     struct arena *arena);

/* The same as a resource of its own (the caller owns one count); NULL if there is none. Not
 * stamped. */
struct resource *credentials_consumer_resource(const struct credentials *c, struct text name);

bool credentials_has_active_keys(const struct credentials *c, struct text consumer, int64_t now);

/* How many consumers have the plan; as resources_plan_users_fn with the table as `arg`. */
size_t credentials_plan_users(void *arg, struct text plan);

/* A small number for a plan's name, the same as long as the process lives; never 0. */
uint32_t credentials_plan_id(struct credentials *c, struct text plan);

/* ---- keys (writer) ---- */

enum key_state { KEY_ACTIVE, KEY_REVOKED };

struct credentials_key {
    uint64_t id;
    struct digest digest;
    struct text consumer;               /* empty: a revocation of which no more is known */
    struct text prefix;                 /* "gwk_" and four characters, four, or none */
    char prefix_bytes[KEY_PREFIX_SIZE]; /* answered: what prefix points to, so copies borrow it */
    struct texts scopes;
    int64_t created_at; /* ms since the epoch, kept in whole seconds */
    int64_t expires_at; /* ms since the epoch, 0: never */
    int64_t revoked_at; /* ms since the epoch, kept in whole seconds; 0 unless revoked */
    enum key_state state;
    uint64_t stamp;           /* the store's own */
    struct key_handle handle; /* answered, not asked for */
};

enum credentials_added {
    CREDENTIALS_KEY_ADDED,
    CREDENTIALS_KEY_EXISTS,      /* the digest is there and active */
    CREDENTIALS_KEY_WAS_REVOKED, /* the digest is there and revoked: nothing was changed */
    CREDENTIALS_KEY_ID_TAKEN,
    CREDENTIALS_KEY_NO_CONSUMER,
};

/* Adds an active or a revoked key. Workers may find it from now on. Nothing is borrowed. */
enum credentials_added credentials_add_key(struct credentials *c,
                                           const struct credentials_key *key);

bool credentials_get_key(const struct credentials *c, uint64_t id, struct credentials_key *out);
bool credentials_get_key_by_digest(const struct credentials *c, const struct digest *digest,
                                   struct credentials_key *out);
/* What is known of the key `key`, whichever of its digests it is kept under; of both the one that
 * was revoked. */
bool credentials_get_key_as_sent(const struct credentials *c, struct text key,
                                 struct credentials_key *out);

/* Of the key that the handle was made of, revoked or not by now. False: its record is gone. */
bool credentials_get_digest(const struct credentials *c, struct key_handle handle,
                            struct digest *digest_out);

/* The key with the smallest id behind `after` (0: the first); of one consumer. */
bool credentials_next_key(const struct credentials *c, uint64_t after, struct credentials_key *out);
bool credentials_next_key_of(const struct credentials *c, struct text consumer, uint64_t after,
                             struct credentials_key *out);

/* For good. One word is stored; `handle_out` (may be NULL) is what open streams were begun with:
 * post it to each worker's holders (holders.h). False: unknown, or revoked before. */
bool credentials_revoke(struct credentials *c, uint64_t id, int64_t now, uint64_t stamp,
                        struct key_handle *handle_out);

/* Others change in place too. False: there is no such key. Scopes are copied. */
bool credentials_set_expiry(struct credentials *c, uint64_t id, int64_t expires_at, uint64_t stamp);
bool credentials_set_scopes(struct credentials *c, uint64_t id, struct texts scopes,
                            uint64_t stamp);

/* Takes the record out altogether: a tombstone past its time. False: there is no such key. */
bool credentials_remove_key(struct credentials *c, uint64_t id);

/* ---- care (writer) ---- */

struct credentials_counts {
    size_t consumers;
    size_t keys;    /* active, expired ones included */
    size_t revoked; /* tombstones */
    size_t waiting; /* retired, not yet given back */
    size_t bytes;   /* of records and indexes; names, sets of words not included */
};
void credentials_count(const struct credentials *c, struct credentials_counts *out);

/* Gives back what readers have passed. After each batch of changes, and while it answers true
 * (something still waits) again in a while. Bounded work. */
bool credentials_tidy(struct credentials *c);

#endif
