/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources.h - all upstreams, routes and plans of one revision: sealed, counted, cheap to derive
 * the next one from.
 *
 * Names sort byte by byte. A sealed set shares every unchanged resource and nearly all of its
 * index with the set it was drafted from: one change of 20 000 routes costs microseconds.
 * Consumers are not in it (there may be a million); they are checked against it.
 *
 * Lifetime: counted (atomic); any thread may read one it holds a count of. A draft belongs to one
 * thread.
 */
#ifndef CONF_RESOURCES_H
#define CONF_RESOURCES_H

#include "conf/base/problem.h"
#include "conf/resource.h"

struct resources;
struct resources_draft;

struct resources *resources_new(void); /* the empty one, count 1 */
struct resources *resources_ref(struct resources *rs);
void resources_unref(struct resources **rs);

/* A large set is not freed by its last resources_unref but here, part by part (0.1 ms). True: there
 * is more. One thread, now and then. */
bool resources_tidy(void);

/* NULL if absent; borrowed, as long as rs. `kind` is not RESOURCE_CONSUMER, here and below. */
struct resource *resources_find(const struct resources *rs, enum resource_kind kind,
                                struct text name);
size_t resources_count(const struct resources *rs, enum resource_kind kind);

/* In the order of names: resources_cursor_init(&c, rs, kind); while ((r = resources_next(&c))).
 * resources_cursor_after begins behind a name (which need not exist). */
struct catalog;
struct resources_cursor {
    const struct catalog *catalog;
    size_t chunk;
    size_t index;
};
void resources_cursor_init(struct resources_cursor *c, const struct resources *rs,
                           enum resource_kind kind);
void resources_cursor_after(struct resources_cursor *c, const struct resources *rs,
                            enum resource_kind kind, struct text name);
struct resource *resources_next(struct resources_cursor *c);

/* Who refers to it: up to `size` names of routes in `names_out` (borrowed), sorted; returns how
 * many there are in all. Consumers are the caller's to ask. */
size_t resources_referrers(const struct resources *rs, enum resource_kind kind, struct text name,
                           struct text *names_out, size_t size);

/* Does what the resource refers to exist in rs? For consumers (their plan), which no draft knows;
 * works for every kind. Adds a problem for each that does not. */
MUST_USE bool resources_check(const struct resources *rs, const struct resource *r,
                              struct problems *ps);

/* The same for a resource that stands at `place` of a document: problems point at its fields. */
MUST_USE bool resources_check_at(const struct resources *rs, const struct resource *r,
                                 const struct place *place, struct problems *ps);

/* What differs, kind by kind, in the order of names: before NULL: added; after NULL: removed.
 * Shared parts are skipped, so this costs about what has changed. Can be left and resumed. */
struct resources_difference {
    const struct resources *before;
    const struct resources *after;
    enum resource_kind kind;
    struct resources_cursor at_before;
    struct resources_cursor at_after;
};
void resources_difference_init(struct resources_difference *d, const struct resources *before,
                               const struct resources *after);
bool resources_difference_next(struct resources_difference *d, struct resource **before_out,
                               struct resource **after_out);

/* ---- drafts ---- */

/* A draft of what `base` will become. Takes its own count of base. */
struct resources_draft *resources_draft_new(struct resources *base);

/* A draft that begins empty and replaces everything; what is put again as it was in base stays
 * the same resource (with its revision). */
struct resources_draft *resources_draft_new_replacing(struct resources *base);
void resources_draft_free(struct resources_draft **d);

/* RESOURCES_TWICE: a replacing draft has one of that name already; nothing was done. */
enum resources_change { RESOURCES_SAME, RESOURCES_ADDED, RESOURCES_CHANGED, RESOURCES_TWICE };

/* Adds or replaces; takes its own count. One equal to what is there (or in base) changes nothing:
 * RESOURCES_SAME. `place` (may be NULL) is where cross-check problems are said to be; copied. */
enum resources_change resources_draft_put(struct resources_draft *d, struct resource *r,
                                          const struct place *place);
bool resources_draft_remove(struct resources_draft *d, enum resource_kind kind, struct text name);
struct resource *resources_draft_find(const struct resources_draft *d, enum resource_kind kind,
                                      struct text name);
/* resources_check against the draft as it is; `place` (may be NULL) is where the resource stands.
 */
bool resources_draft_check(const struct resources_draft *d, const struct resource *r,
                           const struct place *place, struct problems *ps);
bool resources_draft_is_changed(const struct resources_draft *d);

/* How many consumers have the plan; asked for plans that are gone. */
typedef size_t resources_plan_users_fn(void *arg, struct text plan);
struct resources_outside {
    resources_plan_users_fn *plan_users; /* NULL: no consumer has one */
    void *arg;
};

/* A part of what sealing checks, a few dozen things: true if there is more. For large drafts, in
 * slices before resources_draft_seal, which goes on from there; a change begins it anew. */
bool resources_draft_check_some(struct resources_draft *d, const struct resources_outside *outside,
                                struct problems *ps);

/* Checks what changed and who refers to it, frees the draft and gives the sealed set (base itself,
 * counted again, when nothing changed). On problems: false, the draft stays as it is. `outside`
 * may be NULL. */
MUST_USE bool resources_draft_seal(struct resources_draft **d,
                                   const struct resources_outside *outside, struct problems *ps,
                                   struct resources **sealed_out);

#endif
