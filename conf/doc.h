/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doc.h - a document as it was read, before any schema: a tree of objects, lists and scalars that
 * knows where each node stands. libconfig and JSON both become this.
 *
 * Lifetime: the arena it was made in. Nodes are values: a tree may point into another tree's arena
 * as long as that one lives. One thread while it is built, then read-only.
 */
#ifndef CONF_DOC_H
#define CONF_DOC_H

#include <stdint.h>

#include "conf/base/arena.h"
#include "conf/base/text.h"

/* Nested deeper than this is refused by both readers. */
#define DOC_DEPTH_MAX 32

enum doc_type { DOC_NULL, DOC_BOOL, DOC_INT, DOC_REAL, DOC_TEXT, DOC_LIST, DOC_OBJECT };

struct doc_member;

struct doc {
    enum doc_type type;
    unsigned line;    /* 0: unknown (JSON) */
    const char *file; /* NULL: unknown (JSON) */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct text text;
        struct {
            struct doc *items;
            size_t count;
        } list;
        struct {
            struct doc_member *members; /* names are unique; in the order written */
            size_t count;
        } object;
    };
};

struct doc_member {
    struct text name;
    struct doc value;
};

/* "a list", "an integer", … for sentences. */
const char *doc_type_name(enum doc_type type);

/* The member's value, or NULL when absent or `object` is no object. */
const struct doc *doc_find(const struct doc *object, struct text name);

/* Text of a member, or the empty text when it is absent or no text. */
struct text doc_find_text(const struct doc *object, struct text name);

/* What an RFC 6901 pointer points to, or NULL. "" is the document itself. */
const struct doc *doc_find_pointer(const struct doc *doc, struct text pointer);

/* Scalars and empty containers. */
struct doc doc_null(void);
struct doc doc_bool(bool value);
struct doc doc_int(int64_t value);
struct doc doc_text(struct text value); /* borrows */
struct doc doc_object(void);
struct doc doc_list(void);

/* Appends; the array is in the arena and grows by doubling. `object` must not have the name yet
 * (doc_set replaces). Name and value are borrowed. */
struct doc *doc_add(struct doc *object, struct arena *arena, struct text name, struct doc value);
struct doc *doc_set(struct doc *object, struct arena *arena, struct text name, struct doc value);
struct doc *doc_append(struct doc *list, struct arena *arena, struct doc value);
bool doc_remove(struct doc *object, struct text name); /* false if absent */

/* A deep copy into the arena: nothing of it is borrowed. */
struct doc doc_copy(const struct doc *from, struct arena *arena);

/* Same type and value; the order of members does not matter. */
bool doc_equals(const struct doc *a, const struct doc *b);

#endif
