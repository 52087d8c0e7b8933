/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_items.c - what is known of a key, into the table. It may come twice, and after
 * what is newer: a revocation stays whatever else comes.
 */
#include "cluster/store_embedded_private.h"

/* The keys of a consumer that was removed are kept under its name. */
static void add_key_of_nobody(struct store_embedded *e, const struct credentials_key *key)
{
    struct credentials *c = e->settings.credentials;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct text json = arena_print(&arena, "{\"name\":\"%.*s\"}", TEXT_ARGS(key->consumer));
    struct problems ps;
    problems_init(&ps);
    struct resource *r =
        resource_parse(RESOURCE_CONSUMER, json, &(const struct checks){ .lenient = true }, &ps);
    problems_fini(&ps);
    arena_reset(&arena);
    /* A name that is none of ours is another one in JSON. */
    if (r == NULL || !text_equals(r->name, key->consumer)) {
        resource_unref(&r);
        return;
    }
    credentials_put_consumer(c, r, 0);
    enum credentials_added added = store_embedded_revoked_add_key(e, key);
    MUST(added != CREDENTIALS_KEY_NO_CONSUMER);
    credentials_remove_consumer(c, r->name);
    resource_unref(&r);
}

static void revoke(struct store_embedded *e, uint64_t id, const struct credentials_key *key,
                   struct embedded_batch *batch)
{
    struct key_handle handle;
    if (credentials_revoke(e->settings.credentials, id, key->revoked_at, key->stamp, &handle) &&
        batch != NULL)
        store_embedded_keys_end(batch, handle);
}

static void change(struct store_embedded *e, const struct credentials_key *key)
{
    struct credentials *c = e->settings.credentials;
    credentials_set_expiry(c, key->id, key->expires_at, key->stamp);
    credentials_set_scopes(c, key->id, key->scopes, key->stamp);
}

static void put(struct store_embedded *e, const struct credentials_key *key,
                struct embedded_batch *batch)
{
    struct credentials *c = e->settings.credentials;
    struct credentials_key known;
    if (credentials_get_key_by_digest(c, &key->digest, &known) && known.state == KEY_ACTIVE) {
        if (key->state == KEY_REVOKED)
            revoke(e, known.id, key, batch);
        else if (known.id == key->id)
            change(e, key);
        return;
    }
    if (store_embedded_revoked_add_key(e, key) != CREDENTIALS_KEY_NO_CONSUMER)
        return;
    /* In a checkpoint an active key without a consumer can only be one whose consumer was made
     * after the base: both come again. */
    bool is_over = key->expires_at != 0 && key->expires_at <= store_embedded_wall(e);
    if (key->state == KEY_REVOKED || is_over)
        add_key_of_nobody(e, key);
}

void store_embedded_items_key(struct store_embedded *e, const struct item_key *item,
                              struct embedded_batch *batch)
{
    struct credentials_key known;
    bool is_known = credentials_get_key(e->settings.credentials, item->key.id, &known);
    switch (item->change) {
    case ITEM_KEY_CHANGE:
        if (is_known) {
            change(e, &item->key);
            return;
        }
        break;
    case ITEM_KEY_REVOKE:
        break;
    case ITEM_KEY_STATE:
    case ITEM_KEY_ADD:
        break;
    }
    put(e, &item->key, batch);
    if (item->key.state == KEY_REVOKED)
        store_embedded_revoked_share(e, &item->key.digest);
}
