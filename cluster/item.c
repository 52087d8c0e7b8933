/* SPDX-License-Identifier: Apache-2.0 */
/*
 * item.c - kind 1 · length 4 · what it is.
 */
#include "cluster/item.h"

#include <endian.h>

#define HAS_BEFORE 1
#define HAS_AFTER  2

static void print_resource(const struct item_resource *r, struct builder *b)
{
    pack_add_u8(b, (uint8_t)r->kind);
    pack_add_u8(b, (uint8_t)((r->has_before ? HAS_BEFORE : 0) | (r->has_after ? HAS_AFTER : 0)));
    pack_add_u64(b, r->revision);
    pack_add_u64(b, r->tag);
    pack_add_short_text(b, r->name);
    pack_add_text(b, r->before);
    pack_add_text(b, r->after);
}

static void print_key(enum item_key_change change, const struct credentials_key *k,
                      struct builder *b)
{
    pack_add_u8(b, (uint8_t)change);
    pack_add_u8(b, k->state == KEY_REVOKED);
    pack_add_u64(b, k->id);
    builder_add(b, text_from((const char *)k->digest.bytes, DIGEST_SIZE));
    pack_add_u64(b, (uint64_t)k->created_at);
    pack_add_u64(b, (uint64_t)k->expires_at);
    pack_add_u64(b, (uint64_t)k->revoked_at);
    pack_add_u64(b, k->stamp);
    pack_add_short_text(b, k->consumer);
    pack_add_short_text(b, k->prefix);
    pack_add_u32(b, (uint32_t)k->scopes.count);
    for (size_t i = 0; i < k->scopes.count; i++)
        pack_add_text(b, k->scopes.items[i]);
}

static void print_confirmed(const struct item_confirmed *c, struct builder *b)
{
    pack_add_u64(b, c->revision);
    pack_add_u8(b, c->was_undone);
    pack_add_u8(b, c->is_open);
    pack_add_u64(b, (uint64_t)c->until);
}

static void print_body(const struct item *item, struct builder *b)
{
    switch (item->kind) {
    case ITEM_UNKNOWN:
        MUST(false);
        break;
    case ITEM_RESOURCE:
        print_resource(&item->resource, b);
        break;
    case ITEM_KEY:
        print_key(item->key.change, &item->key.key, b);
        break;
    case ITEM_REVOKED:
        print_key(ITEM_KEY_REVOKE, &item->revoked, b);
        break;
    case ITEM_CONFIRM:
        pack_add_u64(b, (uint64_t)item->confirm_until);
        break;
    case ITEM_ORIGIN:
        pack_add_u64(b, item->origin.revision);
        pack_add_u8(b, item->origin.is_undo);
        break;
    case ITEM_CONFIRMED:
        print_confirmed(&item->confirmed, b);
        break;
    case ITEM_CONFIG:
        pack_add_u64(b, item->config_tag);
        break;
    }
}

void item_print(const struct item *item, struct builder *b)
{
    pack_add_u8(b, (uint8_t)item->kind);
    size_t length_at = b->length;
    pack_add_u32(b, 0);
    print_body(item, b);
    MUST(!builder_is_full(b));
    uint32_t length = htole32((uint32_t)(b->length - length_at - sizeof(uint32_t)));
    memcpy(b->at + length_at, &length, sizeof(length));
}

static bool read_resource(struct pack_reader *r, struct item_resource *out)
{
    uint8_t kind = pack_read_u8(r);
    uint8_t has = pack_read_u8(r);
    out->kind = (enum resource_kind)kind;
    out->has_before = (has & HAS_BEFORE) != 0;
    out->has_after = (has & HAS_AFTER) != 0;
    out->revision = pack_read_u64(r);
    out->tag = pack_read_u64(r);
    out->name = pack_read_short_text(r);
    out->before = pack_read_text(r);
    out->after = pack_read_text(r);
    return kind < RESOURCE_KINDS;
}

static bool read_scopes(struct pack_reader *r, struct arena *arena, struct texts *out)
{
    uint32_t count = pack_read_u32(r);
    if (count > (size_t)(r->end - r->at) / sizeof(uint32_t))
        return false;
    struct text *items = arena_alloc(arena, (count == 0 ? 1 : count) * sizeof(*items));
    for (uint32_t i = 0; i < count; i++)
        items[i] = pack_read_text(r);
    *out = (struct texts){ items, count };
    return true;
}

static bool read_key(struct pack_reader *r, struct arena *arena, struct item_key *out)
{
    uint8_t change = pack_read_u8(r);
    struct credentials_key *k = &out->key;
    *k = (struct credentials_key){ 0 };
    out->change = (enum item_key_change)change;
    k->state = pack_read_u8(r) == 0 ? KEY_ACTIVE : KEY_REVOKED;
    k->id = pack_read_u64(r);
    struct text digest = pack_read_bytes(r, DIGEST_SIZE);
    if (digest.length == DIGEST_SIZE)
        memcpy(k->digest.bytes, digest.at, DIGEST_SIZE);
    k->created_at = (int64_t)pack_read_u64(r);
    k->expires_at = (int64_t)pack_read_u64(r);
    k->revoked_at = (int64_t)pack_read_u64(r);
    k->stamp = pack_read_u64(r);
    k->consumer = pack_read_short_text(r);
    k->prefix = pack_read_short_text(r);
    return change <= ITEM_KEY_REVOKE && read_scopes(r, arena, &k->scopes);
}

static void read_confirmed(struct pack_reader *r, struct item_confirmed *out)
{
    out->revision = pack_read_u64(r);
    out->was_undone = pack_read_u8(r) != 0;
    out->is_open = pack_read_u8(r) != 0;
    out->until = (int64_t)pack_read_u64(r);
}

static bool read_revoked(struct pack_reader *r, struct arena *arena, struct credentials_key *out)
{
    struct item_key item;
    bool is_read = read_key(r, arena, &item);
    *out = item.key;
    return is_read && item.change == ITEM_KEY_REVOKE;
}

static bool read_body(struct pack_reader *r, struct arena *arena, struct item *item)
{
    switch (item->kind) {
    case ITEM_UNKNOWN:
        break;
    case ITEM_RESOURCE:
        return read_resource(r, &item->resource);
    case ITEM_KEY:
        return read_key(r, arena, &item->key);
    case ITEM_CONFIRM:
        item->confirm_until = (int64_t)pack_read_u64(r);
        return true;
    case ITEM_ORIGIN:
        item->origin.revision = pack_read_u64(r);
        item->origin.is_undo = pack_read_u8(r) != 0;
        return true;
    case ITEM_CONFIRMED:
        read_confirmed(r, &item->confirmed);
        return true;
    case ITEM_CONFIG:
        item->config_tag = pack_read_u64(r);
        return true;
    case ITEM_REVOKED:
        return read_revoked(r, arena, &item->revoked);
    }
    return false;
}

bool item_next(struct text *bytes, struct arena *arena, struct item *item_out, bool *is_bad_out)
{
    *is_bad_out = false;
    if (bytes->length == 0)
        return false;
    struct pack_reader r = pack_reader_of(*bytes);
    item_out->kind = (enum item_kind)pack_read_u8(&r);
    struct pack_reader body = pack_reader_of(pack_read_text(&r));
    bool is_known = read_body(&body, arena, item_out);
    if (r.is_bad || body.is_bad) {
        *is_bad_out = true;
        return false;
    }
    item_out->is_newer = !is_known || !pack_reader_is_done(&body);
    if (!is_known)
        item_out->kind = ITEM_UNKNOWN;
    *bytes = text_from(r.at, (size_t)(r.end - r.at));
    return true;
}

bool item_each(const struct text *parts, size_t count, item_fn *fn, void *arg)
{
    struct arena arena;
    struct item item;
    bool is_bad = false;
    bool is_any_bad = false;
    arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        struct text rest = parts[i];
        while (item_next(&rest, &arena, &item, &is_bad)) {
            fn(arg, &item);
            arena_reset(&arena);
        }
        is_any_bad = is_any_bad || is_bad;
    }
    arena_reset(&arena);
    return !is_any_bad;
}

struct text item_readable(struct text bytes)
{
    struct text rest = bytes;
    struct arena arena;
    struct item item;
    bool is_bad;
    arena_init(&arena, SIZE_MAX);
    while (item_next(&rest, &arena, &item, &is_bad))
        arena_reset(&arena);
    arena_reset(&arena);
    return text_first(bytes, bytes.length - rest.length);
}
