/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field.h - one row for each configured field; everything else is a loop over rows (schema.h).
 *
 * The macros tie a row to the C member: a row of the wrong type does not compile. Defaults are
 * written as the text a user would write (of a list: its items, parted by spaces) and go through
 * the same parser. A field without a default that is not set is: an empty text or list, NULL for
 * an optional group, FIELD_UNSET for a number.
 */
#ifndef CONF_FIELD_H
#define CONF_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "conf/checks.h"
#include "conf/resource.h"
#include "conf/values.h"

#define FIELD_UNSET (-1)

enum field_type {
    FIELD_TYPE_TEXT,
    FIELD_TYPE_NAME, /* ^[a-z0-9][a-z0-9._-]{0,62}$ */
    FIELD_TYPE_INT,
    FIELD_TYPE_DURATION, /* "250ms" → int64_t ms */
    FIELD_TYPE_SIZE,     /* 65536 or "64k" → int64_t bytes */
    FIELD_TYPE_BOOL,
    FIELD_TYPE_CHOICE,    /* one of a table → enum */
    FIELD_TYPE_CHOICES,   /* a list of them → bits */
    FIELD_TYPE_TEXTS,     /* a list of texts */
    FIELD_TYPE_GROUP,     /* a struct inside the struct; absent: all its defaults */
    FIELD_TYPE_OPTIONAL,  /* a pointer to a struct; absent: NULL */
    FIELD_TYPE_GROUPS,    /* a list of structs */
    FIELD_TYPE_MAP,       /* names to texts: an object, or a list of { name, value } */
    FIELD_TYPE_REFERENCE, /* the name of a resource */
    FIELD_TYPE_PATH,      /* a file or folder of the node */
};

enum field_flag {
    FIELD_REQUIRED = 1 << 0,
    FIELD_SECRET = 1 << 1,  /* printed as "***" */
    FIELD_LIVE = 1 << 2,    /* a running node takes a change over */
    FIELD_REPEATS = 1 << 3, /* a map whose names may come several times; a list, its items */
    FIELD_NOCASE = 1 << 4,  /* a map whose names differ only by more than case */
};

struct field_choice {
    const char *name; /* NULL ends the table */
    int value;
    bool is_later;  /* known, but refused by this version with a sentence that says so */
    unsigned since; /* as of a field */
};

struct schema;

/* Is the value well-formed? If not, false and a clause in `why` that goes on from "FIELD " ("must
 * be …, got …"). Called for each text of a list; for a map with the name, for others `name` is
 * empty. */
typedef bool field_check_fn(struct text name, struct text value, const struct checks *checks,
                            struct builder *why);

struct field {
    const char *name;
    enum field_type type;
    unsigned flags;
    size_t offset;
    const char *initial;      /* the default as text; NULL: none */
    const char *initial_like; /* the default is what this other field has, set or not */
    const char *only_with;    /* a default applies, and it may be set, only when this one is set */
    int64_t minimum;          /* of numbers and of the length of lists; both 0: no bounds */
    int64_t maximum;
    const char *unit; /* for people: "percent" */
    const struct field_choice *choices;
    const struct schema *schema; /* of a group */
    enum resource_kind kind;     /* of a reference */
    field_check_fn *check;
    unsigned since;      /* the schema version that has it; 0: the first */
    const char *summary; /* one sentence */
    const char *example; /* as text of the document (JSON) */
};

#define FIELD_MEMBER_IS(st, member, T)                                                             \
    (0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((st *)0)->member), T) ? 1 : -1]))
#define FIELD_ROW(st, member_, kind_, T, ...)                                                      \
    {                                                                                              \
        .name = #member_, .type = (kind_),                                                         \
        .offset = offsetof(st, member_) + FIELD_MEMBER_IS(st, member_, T), __VA_ARGS__             \
    }

#define FIELD_TEXT(st, m, ...)     FIELD_ROW(st, m, FIELD_TYPE_TEXT, struct text, __VA_ARGS__)
#define FIELD_NAME(st, m, ...)     FIELD_ROW(st, m, FIELD_TYPE_NAME, struct text, __VA_ARGS__)
#define FIELD_PATH(st, m, ...)     FIELD_ROW(st, m, FIELD_TYPE_PATH, struct text, __VA_ARGS__)
#define FIELD_INT(st, m, ...)      FIELD_ROW(st, m, FIELD_TYPE_INT, int64_t, __VA_ARGS__)
#define FIELD_DURATION(st, m, ...) FIELD_ROW(st, m, FIELD_TYPE_DURATION, int64_t, __VA_ARGS__)
#define FIELD_SIZE(st, m, ...)     FIELD_ROW(st, m, FIELD_TYPE_SIZE, int64_t, __VA_ARGS__)
#define FIELD_BOOL(st, m, ...)     FIELD_ROW(st, m, FIELD_TYPE_BOOL, bool, __VA_ARGS__)
#define FIELD_TEXTS(st, m, ...)    FIELD_ROW(st, m, FIELD_TYPE_TEXTS, struct texts, __VA_ARGS__)
#define FIELD_MAP(st, m, ...)      FIELD_ROW(st, m, FIELD_TYPE_MAP, struct pairs, __VA_ARGS__)
#define FIELD_CHOICE(st, m, T, table, ...)                                                         \
    FIELD_ROW(st, m, FIELD_TYPE_CHOICE, T, .choices = (table), __VA_ARGS__)
#define FIELD_CHOICES(st, m, table, ...)                                                           \
    FIELD_ROW(st, m, FIELD_TYPE_CHOICES, uint32_t, .choices = (table), __VA_ARGS__)
#define FIELD_REFERENCE(st, m, kind_, ...)                                                         \
    FIELD_ROW(st, m, FIELD_TYPE_REFERENCE, struct text, .kind = (kind_), __VA_ARGS__)
/* T: the struct of the group; groups are { const T *items; size_t count; } */
#define FIELD_GROUP(st, m, T, schema_, ...)                                                        \
    FIELD_ROW(st, m, FIELD_TYPE_GROUP, T, .schema = (schema_), __VA_ARGS__)
#define FIELD_OPTIONAL(st, m, T, schema_, ...)                                                     \
    FIELD_ROW(st, m, FIELD_TYPE_OPTIONAL, const T *, .schema = (schema_), __VA_ARGS__)
#define FIELD_GROUPS(st, m, T, schema_, ...)                                                       \
    {                                                                                              \
        .name = #m, .type = FIELD_TYPE_GROUPS,                                                     \
        .offset = offsetof(st, m) + FIELD_MEMBER_IS(st, m.items, const T *), .schema = (schema_),  \
        __VA_ARGS__                                                                                \
    }

#endif
