/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headers.h - header and trailer fields in the order they came, with the well-known names numbered.
 *
 * The parser numbers each name once (headers.def), so that stages compare integers, and `present`
 * answers "is there one" for all numbered names at once without a walk. Names and values are
 * slices: values without surrounding white space. Capacity is fixed at birth; there is no unbounded
 * variant.
 */
#ifndef GATEWAYD_HTTP_HEADERS_H
#define GATEWAYD_HTTP_HEADERS_H

#include "conf/base/arena.h"
#include "conf/base/text.h"

enum header_id {
    HEADER_OTHER,
#define HEADER(symbol, name, flags) HEADER_##symbol,
#include "gatewayd/http/headers.def"
#undef HEADER
    HEADER_COUNT /* at most 128: `present` is two words */
};

/* Flags of the rows in headers.def. */
enum {
    HEADER_HOP = 1,       /* hop-by-hop: never forwarded (RFC 9110 §7.6.1) */
    HEADER_FRAMING = 2,   /* decides where the message ends: written by codecs only */
    HEADER_OURS = 4,      /* set by the gateway: a client's is dropped or rewritten */
    HEADER_SINGLETON = 8, /* more than one line is an error (RFC 9110 §5.3) */
};

struct header {
    struct text name; /* as it came */
    struct text value;
    enum header_id id;
    bool is_removed; /* skipped by everything; removal never moves the others */
};

struct headers {
    struct header *items;
    unsigned count;
    unsigned capacity;
    uint64_t present[2]; /* bit n: a field with id n was added (may have been removed since) */
};

/* `items` has room for `capacity` and lives at least as long as the fields. */
void headers_init(struct headers *f, struct header *items, unsigned capacity);

/* False when full. `id` must be header_id_find(name). */
MUST_USE static inline bool headers_add(struct headers *f, enum header_id id, struct text name,
                                        struct text value)
{
    if (UNLIKELY(f->count == f->capacity))
        return false;
    f->items[f->count++] = (struct header){ .name = name, .value = value, .id = id };
    f->present[id >> 6] |= UINT64_C(1) << (id & 63);
    return true;
}

/* The same, finding the id. */
MUST_USE bool headers_add_named(struct headers *f, struct text name, struct text value);

static inline bool headers_has(const struct headers *f, enum header_id id)
{
    return (f->present[id >> 6] >> (id & 63)) & 1;
}

/* The first that was not removed, or NULL; the second form for names without a number. */
struct header *headers_find_present(const struct headers *f, enum header_id id); /* of .._find */
static inline struct header *headers_find(const struct headers *f, enum header_id id)
{
    return headers_has(f, id) ? headers_find_present(f, id) : NULL;
}
struct header *headers_find_named(const struct headers *f, struct text name);

/* The next of the same name after `field`, or NULL. */
struct header *headers_find_next(const struct headers *f, const struct header *field);

/* Marks all of that name as removed. */
void headers_remove_present(struct headers *f, enum header_id id); /* of headers_remove */
static inline void headers_remove(struct headers *f, enum header_id id)
{
    if (headers_has(f, id))
        headers_remove_present(f, id);
}
void headers_remove_named(struct headers *f, struct text name);

/* Whether many servers cannot tell the name from one that only the gateway or a codec may write
 * (X_Consumer, Content_Length): to them, as to CGI (RFC 3875 §4.1.18), "_" and "-" are the same. */
bool header_is_lookalike(struct text name);

/* Marks all fields with such names as removed. */
void headers_remove_lookalikes(struct headers *f);

/* Removes all of that name, then adds one. False when full. */
MUST_USE bool headers_set_named(struct headers *f, struct text name, struct text value);

/* All lines of that name joined with ", " (RFC 9110 §5.3) in the arena; one line is returned as it
 * is. False if absent or the arena is full. */
MUST_USE bool headers_join(const struct headers *f, struct text name, struct arena *arena,
                           struct text *joined_out);

/* The number of a name (case-insensitive), or HEADER_OTHER. */
enum header_id header_id_find(struct text name);

/* Of the tables in headers.c. */
extern const struct text header_id_names[HEADER_COUNT];
extern const unsigned char header_id_bits[HEADER_COUNT];

static inline struct text header_id_name(enum header_id id)
{
    MUST(id < HEADER_COUNT);
    return header_id_names[id];
}

static inline unsigned header_id_flags(enum header_id id)
{
    MUST(id < HEADER_COUNT);
    return header_id_bits[id];
}

/* Whether a list-valued field (Connection, …) names `token`, case-insensitively. */
bool header_list_has(struct text value, struct text token);

#endif
