/* SPDX-License-Identifier: Apache-2.0 */
/* call_query.c - the query of a call (application/x-www-form-urlencoded), and its variables. */
#include "admin/call.h"

#include "admin/reply.h"
#include "gatewayd/http/chars.h"

static bool is_escape(struct text t, size_t i)
{
    return t.at[i] == '%' && i + 2 < t.length && chars_hex_value(t.at[i + 1]) >= 0 &&
           chars_hex_value(t.at[i + 2]) >= 0;
}

struct text call_query_decode(struct arena *arena, struct text raw, bool plus)
{
    if (text_find_byte(raw, '%') == raw.length &&
        (!plus || text_find_byte(raw, '+') == raw.length)) {
        return raw;
    }
    char *into = arena_alloc(arena, raw.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < raw.length; i++) {
        if (is_escape(raw, i)) {
            into[length++] =
                (char)(chars_hex_value(raw.at[i + 1]) * 16 + chars_hex_value(raw.at[i + 2]));
            i += 2;
        } else {
            into[length++] = plus && raw.at[i] == '+' ? ' ' : raw.at[i];
        }
    }
    into[length] = '\0';
    return text_from(into, length);
}

/* The next parameter, decoded. */
static bool next(struct call *call, struct text *rest, struct text *name_out,
                 struct text *value_out)
{
    struct text pair;

    while (text_cut(rest, '&', &pair)) {
        if (pair.length == 0) {
            continue;
        }
        size_t equals = text_find_byte(pair, '=');
        *name_out = call_query_decode(&call->arena, text_first(pair, equals), true);
        *value_out = call_query_decode(&call->arena, text_skip(pair, equals + 1), true);
        if (value_out->at == NULL) {
            *value_out = TEXT_OF("");
        }
        return true;
    }
    return false;
}

static const char *nearest(const struct operation *o, struct text name)
{
    const char *best = NULL;
    unsigned best_distance = 3;

    for (size_t i = 0; i < operation_parameter_count; i++) {
        const struct operation_parameter_row *row = &operation_parameters[i];
        unsigned distance = text_distance(name, text_of(row->name), 3);

        if ((o->queries & row->bit) != 0 && distance < best_distance) {
            best_distance = distance;
            best = row->name;
        }
    }
    return best;
}

static void refuse_unknown(struct call *call, struct text name)
{
    const char *hint = nearest(call->operation, name);

    reply_problem(call, 400, "bad-parameter", "There is no parameter %.*s here%s%s%s",
                  TEXT_ARGS(name), hint != NULL ? "; did you mean " : "", hint != NULL ? hint : "",
                  hint != NULL ? "?" : ".");
}

bool call_query_check(struct call *call)
{
    struct text rest = call->head.query;
    struct text name;
    struct text value;
    unsigned seen = 0;

    while (rest.at != NULL && next(call, &rest, &name, &value)) {
        const struct operation_parameter_row *row = operation_find_parameter(call->operation, name);
        if (row == NULL) {
            refuse_unknown(call, name);
            return false;
        }
        if ((seen & row->bit) != 0) {
            reply_problem(call, 400, "bad-parameter", "The parameter %s is there twice.",
                          row->name);
            return false;
        }
        seen |= row->bit;
    }
    return true;
}

struct text call_query(struct call *call, const char *name)
{
    struct text rest = call->head.query;
    struct text have;
    struct text value;

    while (rest.at != NULL && next(call, &rest, &have, &value)) {
        if (text_equals(have, text_of(name))) {
            return value;
        }
    }
    return text_from(NULL, 0);
}

bool call_query_number(struct call *call, const char *name, uint64_t min, uint64_t max,
                       uint64_t *value_out)
{
    struct text t = call_query(call, name);
    uint64_t value;

    if (t.at == NULL) {
        return true;
    }
    if (!text_parse_u64(t, &value) || value < min || value > max) {
        reply_problem(call, 400, "bad-parameter",
                      "%s must be a whole number between %llu and %llu, got \"%.*s\".", name,
                      (unsigned long long)min, (unsigned long long)max, TEXT_ARGS(t));
        return false;
    }
    *value_out = value;
    return true;
}

bool call_query_duration(struct call *call, const char *name, int64_t min_ms, int64_t max_ms,
                         int64_t *ms_out)
{
    struct text t = call_query(call, name);
    char least[TEXT_NUMBER_SIZE];
    char most[TEXT_NUMBER_SIZE];
    int64_t ms;

    if (t.at == NULL) {
        return true;
    }
    if (!text_parse_duration(t, &ms) || ms < min_ms || ms > max_ms) {
        reply_problem(call, 400, "bad-parameter",
                      "%s must be a duration between %.*s and %.*s, got \"%.*s\".", name,
                      TEXT_ARGS(text_print_duration(min_ms, least)),
                      TEXT_ARGS(text_print_duration(max_ms, most)), TEXT_ARGS(t));
        return false;
    }
    *ms_out = ms;
    return true;
}

bool call_query_bool(struct call *call, const char *name, bool *value_out)
{
    struct text t = call_query(call, name);

    if (t.at == NULL) {
        return true;
    }
    if (t.length == 0 || text_equals(t, TEXT_OF("true")) || text_equals(t, TEXT_OF("1"))) {
        *value_out = true;
        return true;
    }
    if (text_equals(t, TEXT_OF("false")) || text_equals(t, TEXT_OF("0"))) {
        *value_out = false;
        return true;
    }
    reply_problem(call, 400, "bad-parameter", "%s must be true or false, got \"%.*s\".", name,
                  TEXT_ARGS(t));
    return false;
}

bool call_query_fields(struct call *call, bool *only_set_out)
{
    struct text t = call_query(call, "fields");

    *only_set_out = text_equals(t, TEXT_OF("set"));
    if (t.at == NULL || *only_set_out || text_equals(t, TEXT_OF("all"))) {
        return true;
    }
    reply_problem(call, 400, "bad-parameter", "fields must be set or all, got \"%.*s\".",
                  TEXT_ARGS(t));
    return false;
}
