/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.h - header and trailer fields in the order they came, with the well-known names numbered.
 *
 * The parser numbers each name once (fields.def), so that stages compare integers, and `present`
 * answers "is there one" for all numbered names at once without a walk. Names and values are
 * slices: values without surrounding white space. Capacity is fixed at birth; there is no unbounded
 * variant.
 */
#ifndef GATEWAYD_HTTP_FIELDS_H
#define GATEWAYD_HTTP_FIELDS_H

#include "conf/base/arena.h"
#include "conf/base/text.h"

enum field_id {
    FIELD_OTHER,
#define FIELD(symbol, name, flags) FIELD_##symbol,
#include "gatewayd/http/fields.def"
#undef FIELD
    FIELD_COUNT /* at most 128: `present` is two words */
};

/* Flags of the rows in fields.def. */
enum {
    FIELD_HOP = 1,        /* hop-by-hop: never forwarded (RFC 9110 §7.6.1) */
    FIELD_FRAMING = 2,    /* decides where the message ends: written by codecs only */
    FIELD_OURS = 4,       /* set by the gateway: a client's is dropped or rewritten */
    FIELD_SINGLETON = 8,  /* more than one line is an error (RFC 9110 §5.3) */
};

struct field {
    struct text name;     /* as it came */
    struct text value;
    enum field_id id;
    bool is_removed;      /* skipped by everything; removal never moves the others */
};

struct fields {
    struct field *items;
    unsigned count;
    unsigned capacity;
    uint64_t present[2];  /* bit n: a field with id n was added (may have been removed since) */
};

/* `items` has room for `capacity` and lives at least as long as the fields. */
void fields_init(struct fields *f, struct field *items, unsigned capacity);

/* False when full. `id` must be field_id_find(name). */
MUST_USE bool fields_add(struct fields *f, enum field_id id, struct text name, struct text value);

/* The same, finding the id. */
MUST_USE bool fields_add_named(struct fields *f, struct text name, struct text value);

static inline bool fields_has(const struct fields *f, enum field_id id)
{
    return (f->present[id >> 6] >> (id & 63)) & 1;
}

/* The first that was not removed, or NULL; the second form for names without a number. */
struct field *fields_find(const struct fields *f, enum field_id id);
struct field *fields_find_named(const struct fields *f, struct text name);

/* The next of the same name after `field`, or NULL. */
struct field *fields_find_next(const struct fields *f, const struct field *field);

/* Marks all of that name as removed. */
void fields_remove(struct fields *f, enum field_id id);
void fields_remove_named(struct fields *f, struct text name);

/* Removes all of that name, then adds one. False when full. */
MUST_USE bool fields_set_named(struct fields *f, struct text name, struct text value);

/* All lines of that name joined with ", " (RFC 9110 §5.3) in the arena; one line is returned as it
 * is. False if absent or the arena is full. */
MUST_USE bool fields_join(const struct fields *f, struct text name, struct arena *arena,
                          struct text *joined_out);

/* The number of a name (case-insensitive), or FIELD_OTHER. */
enum field_id field_id_find(struct text name);
struct text field_id_name(enum field_id id);
unsigned field_id_flags(enum field_id id);

/* Whether a list-valued field (Connection, …) names `token`, case-insensitively. */
bool field_list_has(struct text value, struct text token);

#endif
