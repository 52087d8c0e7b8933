/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_revoked.c - revocations that do not wait for the shared history: written to this
 * node's journal as a note, in force at once, and kept in mind as *unshared* until an entry of the
 * history says the same.
 *
 * A revocation is by digest and for good: whatever is read or learnt of a key later, in whatever
 * order, it stays revoked.
 */
#include "cluster/store_embedded_private.h"
#include "conf/base/mem.h"

struct unshared {
    struct list node;
    struct digest digest;
};

static struct text text_of_digest(const struct digest *digest)
{
    return text_from((const char *)digest->bytes, DIGEST_SIZE);
}

/* ---- what the shared history does not know yet ---- */

void store_embedded_revoked_init(struct store_embedded *e)
{
    list_init(&e->unshared);
    map_init(&e->unshared_by_digest);
}

static void drop(struct store_embedded *e, struct unshared *u)
{
    map_remove(&e->unshared_by_digest, text_of_digest(&u->digest));
    list_remove(&u->node);
    MEM_FREE(&u);
}

void store_embedded_revoked_fini(struct store_embedded *e)
{
    LIST_EACH_SAFE (node, following, &e->unshared)
        drop(e, LIST_ITEM(node, struct unshared, node));
    map_fini(&e->unshared_by_digest);
}

bool store_embedded_revoked_is_unshared(const struct store_embedded *e, const struct digest *digest)
{
    return e->unshared_by_digest.count > 0 &&
           map_find(&e->unshared_by_digest, text_of_digest(digest)) != NULL;
}

void store_embedded_revoked_share(struct store_embedded *e, const struct digest *digest)
{
    struct unshared *u = e->unshared_by_digest.count == 0
                             ? NULL
                             : map_find(&e->unshared_by_digest, text_of_digest(digest));
    if (u != NULL)
        drop(e, u);
}

void store_embedded_revoked_remember(struct store_embedded *e, const struct digest *digest)
{
    if (store_embedded_revoked_is_unshared(e, digest))
        return;
    struct unshared *u = mem_new(sizeof(*u));
    u->digest = *digest;
    list_add_last(&e->unshared, &u->node);
    map_set(&e->unshared_by_digest, text_of_digest(&u->digest), u);
}

size_t store_embedded_revoked_list(struct store *s, struct store_revocation *items, size_t size)
{
    struct store_embedded *e = store_embedded_of(s);
    struct credentials_key key;
    size_t count = 0;
    LIST_EACH_SAFE (node, following, &e->unshared) {
        struct unshared *u = LIST_ITEM(node, struct unshared, node);
        /* Past its time: there is nothing left to tell. */
        if (!credentials_get_key_by_digest(e->settings.credentials, &u->digest, &key)) {
            drop(e, u);
            continue;
        }
        if (count == size && size > 0)
            break;
        if (size > 0)
            items[count] = (struct store_revocation){ .id = key.id,
                                                      .digest = key.digest,
                                                      .created_at = key.created_at,
                                                      .expires_at = key.expires_at,
                                                      .revoked_at = key.revoked_at };
        count++;
    }
    return count;
}

static void print(const struct store_embedded *e, const struct unshared *u, struct builder *b)
{
    struct item item = { .kind = ITEM_REVOKED };
    if (credentials_get_key_by_digest(e->settings.credentials, &u->digest, &item.revoked))
        item_print(&item, b);
}

void store_embedded_revoked_add(const struct store_embedded *e, struct embedded_parts *parts)
{
    LIST_EACH (node, &e->unshared)
        print(e, LIST_ITEM(node, struct unshared, node), store_embedded_encode_room(parts));
}

void store_embedded_revoked_print(const struct store_embedded *e, struct builder *b)
{
    LIST_EACH (node, &e->unshared)
        print(e, LIST_ITEM(node, struct unshared, node), b);
}

/* ---- the table ---- */

/* A revocation of which nobody told us the key yet gets its details now. */
static enum credentials_added fill_in(struct credentials *c, const struct credentials_key *key,
                                      const struct credentials_key *known)
{
    struct credentials_key whole = *key;
    if (!text_is_empty(known->consumer))
        return CREDENTIALS_KEY_WAS_REVOKED;
    whole.state = KEY_REVOKED;
    whole.revoked_at = known->revoked_at;
    credentials_remove_key(c, known->id);
    return credentials_add_key(c, &whole);
}

enum credentials_added store_embedded_revoked_add_key(struct store_embedded *e,
                                                      const struct credentials_key *key)
{
    struct credentials *c = e->settings.credentials;
    struct credentials_key known;
    enum credentials_added added = credentials_add_key(c, key);
    if (added != CREDENTIALS_KEY_WAS_REVOKED ||
        !credentials_get_key_by_digest(c, &key->digest, &known))
        return added;
    return fill_in(c, key, &known);
}

/* Of a key that this node has never heard of. */
static void add_tombstone(struct store_embedded *e, const struct credentials_key *key)
{
    struct credentials *c = e->settings.credentials;
    struct credentials_key tombstone = *key;
    tombstone.state = KEY_REVOKED;
    enum credentials_added added = credentials_add_key(c, &tombstone);
    if (added == CREDENTIALS_KEY_NO_CONSUMER) {
        tombstone.consumer = TEXT_EMPTY;
        added = credentials_add_key(c, &tombstone);
    }
    if (added == CREDENTIALS_KEY_ID_TAKEN) {
        tombstone.id = key_id_make();
        added = credentials_add_key(c, &tombstone);
    }
    MUST(added == CREDENTIALS_KEY_ADDED);
}

bool store_embedded_revoked_apply(struct store_embedded *e, const struct credentials_key *key,
                                  struct key_handle *handle_out)
{
    struct credentials *c = e->settings.credentials;
    struct credentials_key known;
    if (credentials_get_key_by_digest(c, &key->digest, &known))
        return credentials_revoke(c, known.id, key->revoked_at, key->stamp, handle_out);
    add_tombstone(e, key);
    return false;
}

void store_embedded_revoked_load(struct store_embedded *e, const struct credentials_key *key)
{
    struct key_handle handle;
    /* Nothing began with it yet that would have to be ended. */
    if (!store_embedded_revoked_apply(e, key, &handle))
        handle = (struct key_handle){ 0 };
    store_embedded_revoked_remember(e, &key->digest);
}

/* ---- a commit of them ---- */

/* They are one note, whatever they are: ids, digests and times have one size. */
#define REVOKED_BYTES ((size_t)128)
_Static_assert(STORE_REVOKE_MOST *REVOKED_BYTES <= STORE_EMBEDDED_PART_BYTES, "one note");

/* True: it is revoked, and the journal says so. */
static bool is_known(const struct store_embedded *e, const struct store_revocation *r)
{
    struct credentials_key known;
    return credentials_get_key_by_digest(e->settings.credentials, &r->digest, &known) &&
           known.state == KEY_REVOKED;
}

static struct credentials_key key_of(const struct embedded_work *w,
                                     const struct store_revocation *r)
{
    return (struct credentials_key){ .id = r->id,
                                     .digest = r->digest,
                                     .created_at = r->created_at,
                                     .expires_at = r->expires_at,
                                     .revoked_at = r->revoked_at == 0 ? w->now : r->revoked_at,
                                     .state = KEY_REVOKED,
                                     .stamp = w->tag };
}

enum embedded_step store_embedded_revoked_plan(struct embedded_work *w)
{
    struct store_embedded *e = w->store;
    const struct store_revoke *revoke = w->revoke;
    size_t news = 0;
    w->now = store_embedded_wall(e);
    digest_random(w->head.id.bytes, ENTRY_ID_SIZE);
    w->tag = store_tag_of(&w->head.id);
    for (size_t i = 0; i < revoke->count; i++) {
        const struct store_revocation *r = &revoke->items[i];
        if (is_known(e, r))
            continue;
        struct item item = { .kind = ITEM_REVOKED, .revoked = key_of(w, r) };
        item_print(&item, store_embedded_encode_room(&w->parts));
        news++;
    }
    if (news == 0)
        return store_embedded_work_end(w, STORE_UNCHANGED);
    MUST(w->parts.count == 1);
    store_embedded_encode_finish(w);
    w->is_note = true;
    w->is_planned = true;
    return STEP_AGAIN;
}

void store_embedded_revoked_settle(struct embedded_batch *batch, struct embedded_work *w)
{
    struct store_embedded *e = batch->store;
    for (size_t i = 0; i < w->revoke->count; i++) {
        const struct store_revocation *r = &w->revoke->items[i];
        if (is_known(e, r))
            continue;
        struct credentials_key key = key_of(w, r);
        struct key_handle handle;
        store_embedded_revoked_remember(e, &key.digest);
        if (store_embedded_revoked_apply(e, &key, &handle))
            store_embedded_keys_end(batch, handle);
    }
    w->result.outcome = STORE_DONE;
}

void store_embedded_revoked_start(struct store *s, struct store_revoke *r)
{
    struct store_embedded *e = store_embedded_of(s);
    struct embedded_work *w = store_embedded_work_new(e, WORK_REVOKE);
    MUST(r->count <= STORE_REVOKE_MOST);
    w->revoke = r;
    /* Nobody has to wait for it, and it waits for nobody. */
    list_add_first(&e->queue, &w->node);
    store_embedded_batch_run(e);
}
