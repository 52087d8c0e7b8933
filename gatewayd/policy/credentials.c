/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials.c - making, reading and care of the table; what is written is in
 * credentials_consumers.c and credentials_keys.c.
 */
#include "gatewayd/policy/credentials.h"

#include "conf/base/mem.h"
#include "gatewayd/policy/credentials_private.h"

#define TIDY_MOST 256

struct credentials *credentials_new(struct turns *turns)
{
    struct credentials *c = mem_new(sizeof(*c));
    turns_queue_init(&c->queue, turns);
    slab_init(&c->keys, sizeof(struct key_record));
    slab_init(&c->consumers, sizeof(struct consumer_record));
    digest_table_init(&c->by_digest, credentials_key_is, c, &c->queue);
    ordered_init(&c->by_id, credentials_compare_ids, c);
    ordered_init(&c->by_consumer, credentials_compare_of_consumer, c);
    ordered_init(&c->by_name, credentials_compare_names, c);
    words_table_init(&c->words, &c->queue);
    map_init(&c->plan_ids);
    return c;
}

static void free_names(struct credentials *c)
{
    for (uint32_t i = 0; i < c->consumers.used; i++)
        MEM_FREE(&credentials_consumer(c, i)->name);
    for (size_t i = 0; i < c->plans_count; i++) {
        char *name = (char *)c->plans[i].name.at;
        MEM_FREE(&name);
    }
    MEM_FREE(&c->plans);
    map_fini(&c->plan_ids);
}

void credentials_free(struct credentials **at)
{
    struct credentials *c = *at;
    if (c == NULL)
        return;
    turns_queue_fini(&c->queue);
    free_names(c);
    words_table_fini(&c->words);
    ordered_fini(&c->by_name);
    ordered_fini(&c->by_consumer);
    ordered_fini(&c->by_id);
    digest_table_fini(&c->by_digest);
    slab_fini(&c->consumers);
    slab_fini(&c->keys);
    if (c->secret != NULL)
        explicit_bzero(c->secret, c->secret_length);
    MEM_FREE(&c->secret);
    MEM_FREE(at);
}

void credentials_set_secret(struct credentials *c, struct text secret)
{
    MEM_FREE(&c->secret);
    c->secret = mem_copy_text(secret.at, secret.length);
    c->secret_length = secret.length;
}

/* ---- workers ---- */

bool credentials_key_is(const void *arg, uint32_t slot, const struct digest *digest)
{
    const struct credentials *c = arg;
    return digest_equals(&credentials_key(c, slot)->digest, digest);
}

/* Groups and scopes as one piece of the arena: both lists, then the bytes of both and the names. */
static bool copy_lists(const struct words *profile, const struct words *scopes, struct arena *arena,
                       struct credential *out)
{
    size_t groups = profile->count - PROFILE_GROUPS;
    size_t count = groups + (scopes == NULL ? 0 : scopes->count);
    size_t bytes = words_bytes(profile, PROFILE_PLAN);
    if (scopes != NULL)
        bytes += words_bytes(scopes, 0);
    struct text *items = arena_try_alloc(arena, count * sizeof(*items) + bytes + 1);
    if (items == NULL)
        return false;
    char *at = (char *)&items[count];
    struct text plan = profile->items[PROFILE_PLAN];
    memcpy(at, plan.at, plan.length);
    out->plan = text_from(at, plan.length);
    at += plan.length;
    words_copy(profile, PROFILE_GROUPS, items, &at);
    out->groups = (struct texts){ items, groups };
    if (scopes != NULL)
        words_copy(scopes, 0, items + groups, &at);
    out->scopes = (struct texts){ items + groups, count - groups };
    return true;
}

static void copy_prefix(const struct key_record *key, uint64_t word, char *into)
{
    size_t length = 0;
    if (key->prefix[0] != '\0' && key_word_is_marked(word)) {
        memcpy(into, KEY_MARK, sizeof(KEY_MARK) - 1);
        length = sizeof(KEY_MARK) - 1;
    }
    memcpy(into + length, key->prefix, sizeof(key->prefix));
    into[length + sizeof(key->prefix)] = '\0';
}

static enum credentials_answer copy_key(const struct credentials *c, uint32_t slot, uint64_t word,
                                        struct arena *arena, struct credential *out)
{
    const struct key_record *key = credentials_key(c, slot);
    if (key->consumer == CONSUMER_NONE)
        return CREDENTIALS_UNKNOWN;
    const struct consumer_record *consumer = credentials_consumer(c, key->consumer);
    const struct words *profile = atomic_load(&consumer->profile);
    if (profile == NULL)
        return CREDENTIALS_UNKNOWN;
    struct credential found = {
        .handle = { slot, key_word_generation(word) },
        .key_id = key->id,
        .expires_at = key_word_expiry(word),
        .plan_id = profile->mark,
        .consumer_slot = key->consumer,
    };
    if (!arena_try_copy(arena, text_of(consumer->name), &found.consumer) ||
        !copy_lists(profile, atomic_load(&key->scopes), arena, &found))
        return CREDENTIALS_NO_ROOM;
    key_id_print(key->id, found.id);
    copy_prefix(key, word, found.prefix);
    *out = found;
    return CREDENTIALS_ACTIVE;
}

static enum credentials_answer find_digest(const struct credentials *c, const struct digest *digest,
                                           int64_t now, struct arena *arena, struct credential *out)
{
    uint32_t slot;
    if (!digest_table_find(&c->by_digest, digest, &slot))
        return CREDENTIALS_UNKNOWN;
    uint64_t word = atomic_load(&credentials_key(c, slot)->word);
    enum key_now state = key_word_now(word);
    int64_t expires_at = key_word_expiry(word);
    if (state == KEY_NOW_REVOKED)
        return CREDENTIALS_REVOKED;
    if (state != KEY_NOW_ACTIVE)
        return CREDENTIALS_UNKNOWN;
    if (expires_at != 0 && now >= expires_at)
        return CREDENTIALS_EXPIRED;
    return copy_key(c, slot, word, arena, out);
}

struct digest credentials_digest(const struct credentials *c, struct text key)
{
    return key_digest(key, text_from(c->secret, c->secret_length));
}

static bool is_revoked(const struct credentials *c, const struct digest *digest)
{
    uint32_t slot;
    return digest_table_find(&c->by_digest, digest, &slot) &&
           key_word_now(atomic_load(&credentials_key(c, slot)->word)) == KEY_NOW_REVOKED;
}

/* A foreign key may have been brought as it is (then its digest is under the secret), as its
 * SHA-256, or as both. Revoked as one of them it is revoked. */
enum credentials_answer credentials_find(const struct credentials *c, struct turn *turn,
                                         struct text key, int64_t now, struct arena *arena,
                                         struct credential *out)
{
    enum key_form form = key_form(key);
    if (form != KEY_OURS && form != KEY_FOREIGN)
        return CREDENTIALS_UNKNOWN;
    turn_enter(turn);
    struct digest digest = credentials_digest(c, key);
    enum credentials_answer answer = find_digest(c, &digest, now, arena, out);
    if (answer == CREDENTIALS_REVOKED || form == KEY_OURS || c->secret_length == 0)
        return answer;
    digest = key_digest(key, TEXT_EMPTY);
    if (answer == CREDENTIALS_UNKNOWN)
        return find_digest(c, &digest, now, arena, out);
    return is_revoked(c, &digest) ? CREDENTIALS_REVOKED : answer;
}

void credentials_set_stale(struct credentials *c, bool is_stale)
{
    atomic_store_explicit(&c->is_stale, is_stale, memory_order_relaxed);
}

bool credentials_is_stale(const struct credentials *c)
{
    return atomic_load_explicit(&c->is_stale, memory_order_relaxed);
}

bool credentials_is_live(const struct credentials *c, struct key_handle handle, int64_t now)
{
    uint64_t word = atomic_load(&credentials_key(c, handle.slot)->word);
    int64_t expires_at = key_word_expiry(word);
    return key_word_now(word) == KEY_NOW_ACTIVE && key_word_generation(word) == handle.generation &&
           (expires_at == 0 || now < expires_at);
}

/* ---- care ---- */

void credentials_count(const struct credentials *c, struct credentials_counts *out)
{
    *out = (struct credentials_counts){
        .consumers = c->consumers_count,
        .keys = c->active,
        .revoked = c->revoked,
        .waiting = c->queue.count,
        .bytes = sizeof(*c) + c->keys.pages_count * SLAB_PAGE * c->keys.item +
                 c->consumers.pages_count * SLAB_PAGE * c->consumers.item +
                 digest_table_bytes(&c->by_digest) + ordered_bytes(&c->by_id) +
                 ordered_bytes(&c->by_consumer) + ordered_bytes(&c->by_name),
    };
}

bool credentials_tidy(struct credentials *c)
{
    digest_table_tidy(&c->by_digest);
    return turns_tidy(&c->queue, TIDY_MOST) > 0;
}
