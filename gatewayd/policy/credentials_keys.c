/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials_keys.c - keys, written by control.
 */
#include "gatewayd/policy/credentials_private.h"

/* ---- order ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

int credentials_compare_ids(const void *arg, const void *key, uint32_t slot)
{
    const uint64_t *id = key;
    return compare_numbers(*id, credentials_key(arg, slot)->id);
}

struct of_consumer {
    uint32_t consumer;
    uint64_t id;
};

int credentials_compare_of_consumer(const void *arg, const void *key, uint32_t slot)
{
    const struct of_consumer *place = key;
    const struct key_record *record = credentials_key(arg, slot);
    if (place->consumer != record->consumer)
        return compare_numbers(place->consumer, record->consumer);
    return compare_numbers(place->id, record->id);
}

/* ---- words ---- */

static uint64_t get_word(const struct key_record *key)
{
    return atomic_load_explicit(&key->word, memory_order_relaxed);
}

static int64_t clamp_expiry(int64_t expires_at)
{
    if (expires_at < 0)
        return 1;
    return expires_at > KEY_EXPIRY_MOST ? KEY_EXPIRY_MOST : expires_at;
}

static uint32_t seconds_of(int64_t ms)
{
    int64_t seconds = ms / 1000;
    if (seconds < 0)
        return 0;
    return seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

static void count_state(struct credentials *c, enum key_now state, int many)
{
    size_t *count = state == KEY_NOW_ACTIVE ? &c->active : &c->revoked;
    *count += (size_t)many;
}

/* ---- adding and removing ---- */

static void fill_prefix(struct key_record *record, struct text prefix, bool *is_marked_out)
{
    *is_marked_out = text_starts_with(prefix, TEXT_OF(KEY_MARK));
    if (*is_marked_out)
        prefix = text_skip(prefix, sizeof(KEY_MARK) - 1);
    memset(record->prefix, 0, sizeof(record->prefix));
    if (prefix.length >= sizeof(record->prefix))
        memcpy(record->prefix, prefix.at, sizeof(record->prefix));
}

static void fill_record(struct credentials *c, uint32_t slot, const struct credentials_key *key,
                        uint32_t consumer)
{
    struct key_record *record = credentials_key(c, slot);
    bool is_marked;
    record->digest = key->digest;
    record->id = key->id;
    record->stamp = key->stamp;
    record->consumer = consumer;
    record->created_at = seconds_of(key->created_at);
    record->revoked_at = seconds_of(key->revoked_at);
    fill_prefix(record, key->prefix, &is_marked);
    struct words *scopes = key->scopes.count == 0 ? NULL : words_take(&c->words, key->scopes);
    atomic_store(&record->scopes, scopes);
    enum key_now state = key->state == KEY_ACTIVE ? KEY_NOW_ACTIVE : KEY_NOW_REVOKED;
    atomic_store(&record->word, key_word(state, is_marked, clamp_expiry(key->expires_at),
                                         key_word_generation(get_word(record)) + 1));
    count_state(c, state, 1);
}

enum credentials_added credentials_add_key(struct credentials *c, const struct credentials_key *key)
{
    MUST(key->id != 0);
    uint32_t slot;
    uint32_t consumer = CONSUMER_NONE;
    if (digest_table_find(&c->by_digest, &key->digest, &slot))
        return key_word_now(get_word(credentials_key(c, slot))) == KEY_NOW_REVOKED
                   ? CREDENTIALS_KEY_WAS_REVOKED
                   : CREDENTIALS_KEY_EXISTS;
    if (ordered_find(&c->by_id, &key->id, &slot))
        return CREDENTIALS_KEY_ID_TAKEN;
    bool has_consumer = !text_is_empty(key->consumer);
    if (has_consumer && !credentials_consumer_find(c, key->consumer, &consumer))
        return CREDENTIALS_KEY_NO_CONSUMER;
    if (!has_consumer && key->state == KEY_ACTIVE)
        return CREDENTIALS_KEY_NO_CONSUMER;
    slot = slab_take(&c->keys);
    fill_record(c, slot, key, consumer);
    ordered_add(&c->by_id, &key->id, slot);
    if (has_consumer) {
        struct of_consumer place = { consumer, key->id };
        ordered_add(&c->by_consumer, &place, slot);
        credentials_consumer_hold(c, consumer);
    }
    digest_table_add(&c->by_digest, &key->digest, slot);
    return CREDENTIALS_KEY_ADDED;
}

static struct key_record *find_record(const struct credentials *c, uint64_t id, uint32_t *slot_out)
{
    return ordered_find(&c->by_id, &id, slot_out) ? credentials_key(c, *slot_out) : NULL;
}

static void give_scopes(struct credentials *c, struct key_record *record, struct words *scopes)
{
    struct words *before = atomic_load_explicit(&record->scopes, memory_order_relaxed);
    atomic_store(&record->scopes, scopes);
    if (before != NULL)
        words_give(&c->words, before);
}

static void free_key(void *owner, uint64_t slot)
{
    struct credentials *c = owner;
    slab_give(&c->keys, (uint32_t)slot);
}

bool credentials_remove_key(struct credentials *c, uint64_t id)
{
    uint32_t slot;
    struct key_record *record = find_record(c, id, &slot);
    if (record == NULL)
        return false;
    uint64_t word = get_word(record);
    count_state(c, key_word_now(word), -1);
    digest_table_remove(&c->by_digest, &record->digest);
    atomic_store(&record->word, key_word(KEY_NOW_FREE, false, 0, key_word_generation(word) + 1));
    ordered_remove(&c->by_id, &id);
    if (record->consumer != CONSUMER_NONE) {
        struct of_consumer place = { record->consumer, id };
        ordered_remove(&c->by_consumer, &place);
        credentials_consumer_release(c, record->consumer);
    }
    give_scopes(c, record, NULL);
    turns_retire(&c->queue, free_key, c, slot);
    return true;
}

/* ---- changing in place ---- */

bool credentials_revoke(struct credentials *c, uint64_t id, int64_t now, uint64_t stamp,
                        struct key_handle *handle_out)
{
    uint32_t slot;
    struct key_record *record = find_record(c, id, &slot);
    if (record == NULL)
        return false;
    uint64_t word = get_word(record);
    if (key_word_now(word) != KEY_NOW_ACTIVE)
        return false;
    uint32_t generation = key_word_generation(word);
    atomic_store(&record->word, key_word(KEY_NOW_REVOKED, key_word_is_marked(word),
                                         key_word_expiry(word), generation + 1));
    record->revoked_at = seconds_of(now);
    record->stamp = stamp;
    count_state(c, KEY_NOW_ACTIVE, -1);
    count_state(c, KEY_NOW_REVOKED, 1);
    if (handle_out != NULL)
        *handle_out = (struct key_handle){ slot, generation };
    return true;
}

bool credentials_set_expiry(struct credentials *c, uint64_t id, int64_t expires_at, uint64_t stamp)
{
    uint32_t slot;
    struct key_record *record = find_record(c, id, &slot);
    if (record == NULL)
        return false;
    uint64_t word = get_word(record);
    atomic_store(&record->word, key_word(key_word_now(word), key_word_is_marked(word),
                                         clamp_expiry(expires_at), key_word_generation(word)));
    record->stamp = stamp;
    return true;
}

bool credentials_set_scopes(struct credentials *c, uint64_t id, struct texts scopes, uint64_t stamp)
{
    uint32_t slot;
    struct key_record *record = find_record(c, id, &slot);
    if (record == NULL)
        return false;
    give_scopes(c, record, scopes.count == 0 ? NULL : words_take(&c->words, scopes));
    record->stamp = stamp;
    return true;
}

/* ---- answers ---- */

/* Borrowed texts of prefixes: the mark and four characters are not together in the record, so they
 * are put together in the answer. */
static void print_prefix(const struct key_record *record, uint64_t word,
                         struct credentials_key *out)
{
    size_t length = 0;
    if (record->prefix[0] != '\0') {
        if (key_word_is_marked(word)) {
            memcpy(out->prefix_bytes, KEY_MARK, sizeof(KEY_MARK) - 1);
            length = sizeof(KEY_MARK) - 1;
        }
        memcpy(out->prefix_bytes + length, record->prefix, sizeof(record->prefix));
        length += sizeof(record->prefix);
    }
    out->prefix_bytes[length] = '\0';
    out->prefix = text_from(out->prefix_bytes, length);
}

static void describe(const struct credentials *c, uint32_t slot, struct credentials_key *out)
{
    const struct key_record *record = credentials_key(c, slot);
    const struct words *scopes = atomic_load_explicit(&record->scopes, memory_order_relaxed);
    uint64_t word = get_word(record);
    *out = (struct credentials_key){
        .id = record->id,
        .digest = record->digest,
        .created_at = (int64_t)record->created_at * 1000,
        .revoked_at = (int64_t)record->revoked_at * 1000,
        .expires_at = key_word_expiry(word),
        .state = key_word_now(word) == KEY_NOW_ACTIVE ? KEY_ACTIVE : KEY_REVOKED,
        .stamp = record->stamp,
        .handle = { slot, key_word_generation(word) },
    };
    if (record->consumer != CONSUMER_NONE)
        out->consumer = text_of(credentials_consumer(c, record->consumer)->name);
    if (scopes != NULL)
        out->scopes = (struct texts){ scopes->items, scopes->count };
    print_prefix(record, word, out);
}

bool credentials_get_key(const struct credentials *c, uint64_t id, struct credentials_key *out)
{
    uint32_t slot;
    if (find_record(c, id, &slot) == NULL)
        return false;
    describe(c, slot, out);
    return true;
}

bool credentials_get_key_by_digest(const struct credentials *c, const struct digest *digest,
                                   struct credentials_key *out)
{
    uint32_t slot;
    if (!digest_table_find(&c->by_digest, digest, &slot))
        return false;
    describe(c, slot, out);
    return true;
}

bool credentials_get_key_as_sent(const struct credentials *c, struct text key,
                                 struct credentials_key *out)
{
    struct digest digest = credentials_digest(c, key);
    if (credentials_get_key_by_digest(c, &digest, out) && out->state == KEY_REVOKED)
        return true;
    struct digest plain = key_digest(key, TEXT_EMPTY);
    return credentials_get_key_by_digest(c, &plain, out) ||
           credentials_get_key_by_digest(c, &digest, out);
}

bool credentials_get_digest(const struct credentials *c, struct key_handle handle,
                            struct digest *digest_out)
{
    const struct key_record *record = credentials_key(c, handle.slot);
    uint64_t word = get_word(record);
    uint32_t since = key_word_generation(word) - handle.generation;
    if (key_word_now(word) == KEY_NOW_FREE || since > 1)
        return false;
    *digest_out = record->digest;
    return true;
}

bool credentials_next_key(const struct credentials *c, uint64_t after, struct credentials_key *out)
{
    uint32_t slot;
    if (!ordered_after(&c->by_id, &after, &slot))
        return false;
    describe(c, slot, out);
    return true;
}

bool credentials_next_key_of(const struct credentials *c, struct text consumer, uint64_t after,
                             struct credentials_key *out)
{
    uint32_t owner;
    uint32_t slot;
    if (!ordered_find(&c->by_name, &consumer, &owner))
        return false;
    struct of_consumer place = { owner, after };
    if (!ordered_after(&c->by_consumer, &place, &slot) ||
        credentials_key(c, slot)->consumer != owner)
        return false;
    describe(c, slot, out);
    return true;
}

bool credentials_has_active_keys(const struct credentials *c, struct text consumer, int64_t now)
{
    struct credentials_key key = { .id = 0 };
    while (credentials_next_key_of(c, consumer, key.id, &key)) {
        if (key.state == KEY_ACTIVE && (key.expires_at == 0 || now < key.expires_at))
            return true;
    }
    return false;
}
