/* SPDX-License-Identifier: Apache-2.0 */
/* operation.c - finding the row for a request: see operation.h. */
#include "admin/operation.h"

static bool is_variable(struct text segment)
{
    return segment.length > 2 && segment.at[0] == '{';
}

/* How well the path fits: -1 not at all, else the number of literal segments. */
static int fit(struct text pattern, struct text path)
{
    struct text want;
    struct text have;
    int literals = 0;

    for (;;) {
        bool more_wanted = text_cut(&pattern, '/', &want);
        bool more = text_cut(&path, '/', &have);

        if (more_wanted != more) {
            return -1;
        }
        if (!more) {
            return literals;
        }
        if (is_variable(want) ? have.length == 0 : !text_equals(want, have)) {
            return -1;
        }
        literals += is_variable(want) ? 0 : 1;
    }
}

/* HEAD is answered as GET is. */
static bool serves(const struct operation *o, enum method method)
{
    return o->method == method || (o->method == METHOD_GET && method == METHOD_HEAD);
}

/* Of the paths that fit only those with the most literals count. */
struct operation_match operation_find(enum method method, struct text path)
{
    struct operation_match match = { 0 };
    int best = -1;

    if (path.at == NULL) {
        return match;
    }
    for (size_t i = 0; i < operation_count; i++) {
        const struct operation *o = &operation_rows[i];
        int literals = fit(text_of(o->path), path);

        if (literals < 0 || literals < best) {
            continue;
        }
        if (literals > best) {
            best = literals;
            match = (struct operation_match){ .has_path = true };
        }
        match.allowed |= 1u << o->method;
        if (o->method == METHOD_GET) {
            match.allowed |= 1u << METHOD_HEAD;
        }
        if (serves(o, method)) {
            match.operation = o;
        }
    }
    return match;
}

struct text operation_variable(const struct operation *o, struct text path, const char *name)
{
    struct text pattern = text_of(o->path);
    struct text want;
    struct text have;

    while (text_cut(&pattern, '/', &want) && text_cut(&path, '/', &have)) {
        if (is_variable(want) &&
            text_equals(text_from(want.at + 1, want.length - 2), text_of(name))) {
            return have;
        }
    }
    return TEXT_EMPTY;
}

const struct operation_parameter_row *operation_find_parameter(const struct operation *o,
                                                               struct text name)
{
    for (size_t i = 0; i < operation_parameter_count; i++) {
        const struct operation_parameter_row *row = &operation_parameters[i];

        if ((o->queries & row->bit) != 0 && text_equals(name, text_of(row->name))) {
            return row;
        }
    }
    return NULL;
}
