/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_embedded_care.c - keys past their time are taken out of the table, once an hour.
 *
 * Which keys those are follows from the clock alone, so it is not journalled: a node that loads
 * them anew takes them out again.
 */
#include "cluster/store_embedded_private.h"

#define LOOK_MS ((uint64_t)3600 * 1000)

/* A revocation is kept until the key would have expired, else for state.tombstones; an expired key
 * as long as that, to be shown. */
static bool is_past(const struct store_embedded *e, const struct credentials_key *key, int64_t now)
{
    int64_t kept = e->settings.tombstones;
    if (key->state == KEY_REVOKED && key->expires_at != 0)
        return key->expires_at <= now;
    if (key->state == KEY_REVOKED)
        return key->revoked_at + kept <= now;
    return key->expires_at != 0 && key->expires_at + kept <= now;
}

static bool on_slice(void *arg)
{
    struct store_embedded *e = arg;
    struct credentials *c = e->settings.credentials;
    struct credentials_key key;
    if (!credentials_next_key(c, e->tidy_key, &key))
        return false;
    e->tidy_key = key.id;
    /* While a commit is between its check and its table nothing may change under it. */
    if (is_past(e, &key, store_embedded_wall(e)) && e->planning == NULL && e->batch == NULL)
        credentials_remove_key(c, key.id);
    return true;
}

static void on_timer(void *arg)
{
    struct store_embedded *e = arg;
    e->tidy_key = 0;
    loop_slice_start(&e->tidy_slice);
    loop_timer_start(&e->care_timer, LOOK_MS);
}

void store_embedded_care_init(struct store_embedded *e)
{
    loop_timer_init(&e->care_timer, e->settings.loop, on_timer, e);
    loop_slice_init(&e->tidy_slice, e->settings.loop, on_slice, e);
}

void store_embedded_care_start(struct store_embedded *e)
{
    loop_timer_start(&e->care_timer, 0);
}

void store_embedded_care_stop(struct store_embedded *e)
{
    loop_timer_stop(&e->care_timer);
    loop_slice_stop(&e->tidy_slice);
}
