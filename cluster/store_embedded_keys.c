/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_keys.c - what a commit does to keys. A million may be added at once, so nothing
 * is kept for each between checking, encoding and applying: all three ask the table.
 */
#include "cluster/store_embedded_private.h"

static const struct place whole = { .pointer = "", .path = "" };

static struct place place_of(const struct store_key_change *change)
{
    return change->place == NULL ? whole : *change->place;
}

static bool is_met(const struct store_condition *c, uint64_t tag)
{
    for (size_t i = 0; c->kind == STORE_IF_TAG && i < c->tag_count; i++) {
        if (c->tags[i] == tag)
            return true;
    }
    return c->kind == STORE_ALWAYS || c->kind == STORE_IF_EXISTS;
}

/* The consumer is there, or this commit makes it, and it does not remove it. */
static bool will_exist(const struct embedded_work *w, struct text consumer)
{
    for (size_t i = 0; i < w->consumer_count; i++) {
        const struct store_difference *d = &w->consumers[i];
        if (d->after != NULL && text_equals(d->after->name, consumer))
            return true;
        if (d->after == NULL && text_equals(d->before->name, consumer))
            return false;
    }
    struct credentials_consumer found;
    return credentials_get_consumer(w->store->settings.credentials, consumer, &found);
}

static enum embedded_step end_with(struct embedded_work *w, enum store_outcome outcome)
{
    w->result.failed_at = w->at;
    return store_embedded_work_end(w, outcome);
}

static bool is_still(const struct credentials *c, struct text consumer, uint64_t tag)
{
    struct credentials_consumer found;
    return credentials_get_consumer(c, consumer, &found) && found.stamp == tag;
}

static enum embedded_step check_added(struct embedded_work *w,
                                      const struct store_key_change *change)
{
    struct credentials_key known;
    const struct credentials *c = w->store->settings.credentials;
    if (!will_exist(w, change->consumer)) {
        problems_add(&w->problems, place_of(change), "The consumer %.*s does not exist.",
                     TEXT_ARGS(change->consumer));
        return STEP_AGAIN;
    }
    if (change->if_consumer != 0 && !is_still(c, change->consumer, change->if_consumer))
        return end_with(w, STORE_MOVED_ON);
    if (credentials_get_key_by_digest(c, &change->digest, &known))
        return end_with(w, known.state == KEY_REVOKED ? STORE_REVOKED : STORE_EXISTS);
    if (change->id == 0 || credentials_get_key(c, change->id, &known))
        return end_with(w, STORE_EXISTS);
    struct text digest = text_from((const char *)change->digest.bytes, DIGEST_SIZE);
    if (w->commit->key_count > 1 && !w->is_again && map_set(&w->seen, digest, w) != NULL) {
        problems_add(&w->problems, place_of(change), "The same key is there twice.");
        return STEP_AGAIN;
    }
    w->keys_changed++;
    return STEP_AGAIN;
}

static bool is_later(int64_t expires_at, int64_t present)
{
    return present != 0 && (expires_at == 0 || expires_at > present);
}

static enum embedded_step check_changed(struct embedded_work *w,
                                        const struct store_key_change *change)
{
    struct credentials_key known;
    w->changes_keys = true;
    if (!credentials_get_key(w->store->settings.credentials, change->id, &known))
        return end_with(w, STORE_ABSENT);
    if (!is_met(&change->condition, known.stamp))
        return end_with(w, STORE_MOVED_ON);
    if (w->at == 0)
        w->result.tag = known.stamp;
    if (change->change == STORE_KEY_CHANGE && known.state == KEY_REVOKED)
        return end_with(w, STORE_REVOKED);
    if (change->change == STORE_KEY_CHANGE && change->has_expiry &&
        is_later(change->expires_at, known.expires_at)) {
        char when[TEXT_NUMBER_SIZE];
        problems_add(&w->problems, place_of(change),
                     "expires_at can only be made earlier than it is, %.*s.",
                     TEXT_ARGS(text_print_time(known.expires_at, when)));
        return STEP_AGAIN;
    }
    struct item_key item;
    w->keys_changed += store_embedded_keys_record(w, w->at, &item);
    return STEP_AGAIN;
}

enum embedded_step store_embedded_keys_check(struct embedded_work *w)
{
    if (w->at == w->commit->key_count)
        return problems_is_empty(&w->problems) ? STEP_NEXT
                                               : store_embedded_work_end(w, STORE_PROBLEMS);
    const struct store_key_change *change = &w->commit->keys[w->at];
    enum embedded_step step =
        change->change == STORE_KEY_ADD ? check_added(w, change) : check_changed(w, change);
    w->at++;
    return step;
}

/* ---- what becomes of a key ---- */

static bool same_scopes(struct texts a, struct texts b)
{
    if (a.count != b.count)
        return false;
    for (size_t i = 0; i < a.count; i++) {
        if (!text_equals(a.items[i], b.items[i]))
            return false;
    }
    return true;
}

static bool record_added(const struct embedded_work *w, const struct store_key_change *change,
                         struct item_key *out)
{
    out->change = ITEM_KEY_ADD;
    out->key = (struct credentials_key){
        .id = change->id,
        .digest = change->digest,
        .consumer = change->consumer,
        .prefix = change->prefix,
        .scopes = change->scopes,
        .created_at = w->now,
        .expires_at = change->expires_at,
        .state = KEY_ACTIVE,
        .stamp = w->tag,
    };
    return true;
}

/* One that was revoked without the history is told to it. */
static bool record_revoked(const struct embedded_work *w, struct item_key *out)
{
    struct credentials_key *key = &out->key;
    bool was_active = key->state == KEY_ACTIVE;
    if (!was_active && !store_embedded_revoked_is_unshared(w->store, &key->digest))
        return false;
    out->change = ITEM_KEY_REVOKE;
    key->stamp = w->tag;
    key->state = KEY_REVOKED;
    if (was_active)
        key->revoked_at = w->now;
    return true;
}

bool store_embedded_keys_record(struct embedded_work *w, size_t i, struct item_key *out)
{
    const struct store_key_change *change = &w->commit->keys[i];
    if (change->change == STORE_KEY_ADD)
        return record_added(w, change, out);
    struct credentials_key *key = &out->key;
    if (!credentials_get_key(w->store->settings.credentials, change->id, key))
        return false;
    if (change->change == STORE_KEY_REVOKE)
        return record_revoked(w, out);
    if (key->state == KEY_REVOKED)
        return false;
    key->stamp = w->tag;
    bool is_changed = false;
    out->change = ITEM_KEY_CHANGE;
    if (change->has_expiry && change->expires_at != key->expires_at) {
        key->expires_at = change->expires_at;
        is_changed = true;
    }
    if (change->has_scopes && !same_scopes(change->scopes, key->scopes)) {
        key->scopes = change->scopes;
        is_changed = true;
    }
    return is_changed;
}

static void on_ended(void *arg)
{
    struct embedded_batch *batch = arg;
    batch->ends_waiting--;
    store_embedded_batch_on_hook(batch);
}

void store_embedded_keys_end(struct embedded_batch *batch, struct key_handle handle)
{
    struct store_embedded *e = batch->store;
    if (e->settings.end_key == NULL || e->is_stopping)
        return;
    batch->ends_waiting++;
    e->settings.end_key(e->settings.arg, handle, on_ended, batch);
}

void store_embedded_keys_apply(struct embedded_work *w, size_t i)
{
    struct store_embedded *e = w->store;
    struct credentials *c = e->settings.credentials;
    struct item_key item;
    struct key_handle handle;
    if (!store_embedded_keys_record(w, i, &item))
        return;
    switch (item.change) {
    case ITEM_KEY_ADD:
        MUST(credentials_add_key(c, &item.key) == CREDENTIALS_KEY_ADDED);
        break;
    case ITEM_KEY_CHANGE:
        credentials_set_expiry(c, item.key.id, item.key.expires_at, item.key.stamp);
        if (w->commit->keys[i].has_scopes)
            credentials_set_scopes(c, item.key.id, w->commit->keys[i].scopes, item.key.stamp);
        break;
    case ITEM_KEY_REVOKE:
        if (credentials_revoke(c, item.key.id, w->now, w->tag, &handle))
            store_embedded_keys_end(e->batch, handle);
        store_embedded_revoked_share(e, &item.key.digest);
        break;
    case ITEM_KEY_STATE:
        break;
    }
}
