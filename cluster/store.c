/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - the port's front: calls go to the implementation that this process runs on.
 */
#include "cluster/store.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>

#include "cluster/store_port.h"

static struct store *the_store;

void store_set(struct store *s)
{
    the_store = s;
}

struct store *store_get(void)
{
    return the_store;
}

/* ---- tags ---- */

uint64_t store_tag_of(const struct entry_id *id)
{
    uint64_t tag;
    memcpy(&tag, id->bytes, sizeof(tag));
    return be64toh(tag);
}

struct text store_tag_print(uint64_t tag, char into[STORE_TAG_SIZE])
{
    int length = snprintf(into, STORE_TAG_SIZE, "\"%016" PRIx64 "\"", tag);
    return text_from(into, (size_t)length);
}

bool store_tag_parse(struct text quoted, uint64_t *tag_out)
{
    if (quoted.length != 18 || quoted.at[0] != '"' || quoted.at[17] != '"')
        return false;
    uint64_t tag;
    char again[STORE_TAG_SIZE];
    if (!text_parse_hex_u64(text_first(text_skip(quoted, 1), 16), &tag) ||
        !text_equals(store_tag_print(tag, again), quoted))
        return false;
    *tag_out = tag;
    return true;
}

/* ---- the port ---- */

struct resources *store_resources(const struct store *s)
{
    return s->type->resources(s);
}

uint64_t store_revision(const struct store *s)
{
    return s->type->revision(s);
}

uint64_t store_config_tag(const struct store *s)
{
    return s->type->config_tag(s);
}

bool store_is_loading(const struct store *s)
{
    return s->type->is_loading(s);
}

struct store_status store_status(const struct store *s)
{
    return s->type->status(s);
}

void store_commit(struct store *s, struct store_commit *commit)
{
    s->type->commit(s, commit);
}

void store_confirm(struct store *s, struct store_confirm *confirm)
{
    s->type->confirm(s, confirm);
}

void store_revoke(struct store *s, struct store_revoke *revoke)
{
    s->type->revoke(s, revoke);
}

size_t store_list_unshared(struct store *s, struct store_revocation *items, size_t size)
{
    return s->type->list_unshared(s, items, size);
}

size_t store_list_entries(const struct store *s, uint64_t before, size_t size,
                          struct store_entry *entries_out)
{
    return s->type->list_entries(s, before, size, entries_out);
}

uint64_t store_oldest_revision(const struct store *s)
{
    return s->type->oldest_revision(s);
}

void store_waiter_init(struct store_waiter *w, store_waiter_fn *fn, void *arg)
{
    *w = (struct store_waiter){ .fn = fn, .arg = arg };
    list_init(&w->node);
}

void store_waiter_start(struct store *s, struct store_waiter *w, uint64_t after)
{
    s->type->wait(s, w, after);
}

void store_waiter_stop(struct store_waiter *w)
{
    list_remove(&w->node);
}

void store_read_entry(struct store *s, uint64_t revision, store_entry_fn *done, void *arg)
{
    s->type->read_entry(s, revision, done, arg);
}
