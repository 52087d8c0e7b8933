/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials_private.h - the records of credentials.h and who may touch what of them.
 *
 * What is not atomic is written before the record can be found and again only after every worker
 * has passed a turn since it could.
 */
#ifndef GATEWAYD_POLICY_CREDENTIALS_PRIVATE_H
#define GATEWAYD_POLICY_CREDENTIALS_PRIVATE_H

#include "gatewayd/policy/credentials.h"
#include "gatewayd/policy/digest_table.h"
#include "gatewayd/policy/ordered.h"
#include "gatewayd/policy/slab.h"
#include "gatewayd/policy/words.h"

#define CONSUMER_NONE UINT32_MAX

/* All that changes about a key in one word: 2 bits what it is, 1 bit whether its prefix begins with
 * the mark, 45 bits when it expires (ms since the epoch, 0: never), 16 bits that count what became
 * of the record. */
enum key_now { KEY_NOW_FREE, KEY_NOW_ACTIVE, KEY_NOW_REVOKED };
#define KEY_EXPIRY_MOST (((int64_t)1 << 45) - 1)

static inline uint64_t key_word(enum key_now now, bool is_marked, int64_t expires_at,
                                uint32_t generation)
{
    return (uint64_t)now | (uint64_t)is_marked << 2 | (uint64_t)expires_at << 3 |
           (uint64_t)(generation & 0xffff) << 48;
}
static inline bool key_word_is_marked(uint64_t word)
{
    return (word & 4) != 0;
}
static inline enum key_now key_word_now(uint64_t word)
{
    return (enum key_now)(word & 3);
}
static inline int64_t key_word_expiry(uint64_t word)
{
    return (int64_t)(word >> 3 & KEY_EXPIRY_MOST);
}
static inline uint32_t key_word_generation(uint64_t word)
{
    return (uint32_t)(word >> 48);
}

struct key_record {
    struct digest digest;
    _Atomic uint64_t word;
    _Atomic(struct words *) scopes; /* NULL: none */
    uint64_t id;
    uint64_t stamp;      /* writer */
    uint32_t consumer;   /* CONSUMER_NONE: nothing is known of it */
    uint32_t created_at; /* s; writer */
    uint32_t revoked_at; /* s; writer */
    char prefix[4];      /* behind the mark if it has one; NUL in [0]: none */
};

/* profile: the texts of what was set behind the name, the plan, then the groups; mark: the plan's
 * id. NULL: the consumer is gone and only its name is kept, for its keys. */
struct consumer_record {
    uint64_t stamp; /* writer; first, as a given record loses its first bytes */
    char *name;     /* NUL-terminated, owned */
    _Atomic(struct words *) profile;
    uint32_t keys; /* writer */
};
#define PROFILE_SET    0
#define PROFILE_PLAN   1
#define PROFILE_GROUPS 2

struct plan_use {
    struct text name; /* owned */
    size_t users;
};

struct credentials {
    struct turns_queue queue;
    struct slab keys;
    struct slab consumers;
    struct digest_table by_digest;
    struct ordered by_id;
    struct ordered by_consumer; /* consumer, then id */
    struct ordered by_name;     /* consumers, those gone too */
    struct words_table words;
    struct map plan_ids; /* name to the use's place + 1 */
    struct plan_use *plans;
    size_t plans_count;
    size_t consumers_count; /* without those gone */
    size_t active;
    size_t revoked;
    char *secret;
    size_t secret_length;
    atomic_bool is_stale;
};

/* credentials_consumers.c; writer. */
bool credentials_consumer_find(const struct credentials *c, struct text name, uint32_t *slot_out);
void credentials_consumer_hold(struct credentials *c, uint32_t slot);    /* one more key */
void credentials_consumer_release(struct credentials *c, uint32_t slot); /* one less */
int credentials_compare_names(const void *arg, const void *key, uint32_t slot);

/* credentials_keys.c */
bool credentials_key_is(const void *arg, uint32_t slot, const struct digest *digest);
int credentials_compare_ids(const void *arg, const void *key, uint32_t slot);
int credentials_compare_of_consumer(const void *arg, const void *key, uint32_t slot);

static inline struct key_record *credentials_key(const struct credentials *c, uint32_t slot)
{
    return slab_get(&c->keys, slot);
}
static inline struct consumer_record *credentials_consumer(const struct credentials *c,
                                                           uint32_t slot)
{
    return slab_get(&c->consumers, slot);
}

#endif
