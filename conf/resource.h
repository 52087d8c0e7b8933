/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource.h - one upstream, route, plan or consumer: what was set, and the struct bound from it
 * with defaults filled in.
 *
 * Lifetime: counted; one allocation. Never modified after resource_new, but for resource_stamp.
 * Any thread may hold and read one; the count is atomic.
 */
#ifndef CONF_RESOURCE_H
#define CONF_RESOURCE_H

#include <stdatomic.h>
#include <stdint.h>

#include "conf/base/arena.h"
#include "conf/base/builder.h"
#include "conf/base/problem.h"
#include "conf/checks.h"
#include "conf/doc.h"

struct upstream;
struct route;
struct plan;
struct consumer;
struct schema;

enum resource_kind {
    RESOURCE_UPSTREAM,
    RESOURCE_ROUTE,
    RESOURCE_PLAN,
    RESOURCE_CONSUMER,
};
#define RESOURCE_KINDS 4

struct resource {
    atomic_uint count;
    enum resource_kind kind;
    struct text name;
    /* Canonical JSON of what was set: nothing but what was written, in the order of the schema,
     * unknown fields last. The same settings give the same bytes. Ends with a NUL. */
    struct text set;
    uint64_t revision; /* in which it was set; 0 until stamped */
    uint64_t tag;      /* of that revision's entry, so that two histories differ; 0 until stamped */
    union {
        const void *object;
        const struct upstream *upstream;
        const struct route *route;
        const struct plan *plan;
        const struct consumer *consumer;
    };
};

/* "upstreams", "routes", "plans", "consumers": as in addresses and documents. */
const char *resource_kind_name(enum resource_kind kind);
const char *resource_kind_singular(enum resource_kind kind); /* "upstream", … */
MUST_USE bool resource_kind_parse(struct text plural, enum resource_kind *kind_out);
const struct schema *resource_kind_schema(enum resource_kind kind);

/* ^[a-z0-9][a-z0-9._-]{0,62}$ */
bool resource_is_name(struct text name);

/* Where a document comes from; all may be empty. */
struct resource_source {
    struct text name; /* from the address: taken when the document has none; another: a problem */
    const char *pointer; /* of the document in a larger one: "/routes/3"; NULL: "" */
};

/* Binds and checks everything that can be checked alone. NULL and problems, or a resource that the
 * caller owns one count of. Nothing of `doc` is borrowed. `source` and `checks` may be NULL. */
MUST_USE struct resource *resource_new(enum resource_kind kind, const struct doc *doc,
                                       const struct resource_source *source,
                                       const struct checks *checks, struct problems *ps);

/* The same from JSON text, as journals keep it. */
MUST_USE struct resource *resource_parse(enum resource_kind kind, struct text json,
                                         const struct checks *checks, struct problems *ps);

struct resource *resource_ref(struct resource *r);
void resource_unref(struct resource **r);

/* By the store, once, before anybody else sees the revision. */
void resource_stamp(struct resource *r, uint64_t revision, uint64_t tag);

/* Set to the same values (`set` is the same bytes); revisions do not matter. */
bool resource_equals(const struct resource *a, const struct resource *b);

/* What was set, as a document in the arena (borrowing r->set where it can). */
struct doc resource_doc(const struct resource *r, struct arena *arena);

/* Every field, defaults filled in, what was set printed as it was set. JSON, one line. */
void resource_print(const struct resource *r, struct builder *b);

/* The same as a document in the arena (which borrows from r). */
struct doc resource_full_doc(const struct resource *r, struct arena *arena);

/* Those it refers to: calls `visit` for each (a name may come twice), `pointer` being that of the
 * field in the resource's document: "/split/1/upstream". */
#define RESOURCE_POINTER_SIZE 64
typedef void resource_reference_fn(void *arg, enum resource_kind kind, struct text name,
                                   const char *pointer);
void resource_references(const struct resource *r, resource_reference_fn *visit, void *arg);

#endif
