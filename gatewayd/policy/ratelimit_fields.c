/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/ratelimit_fields.h"

#define NUMBERS_MOST 64 /* two numbers, their letters, quotes and the separator */

static size_t room_for(const struct limiter_result *result)
{
    size_t size = 0;
    for (size_t i = 0; i < result->count; i++)
        size += result->items[i].name.length + NUMBERS_MOST;
    return size;
}

static char *add(char *at, struct text piece)
{
    memcpy(at, piece.at, piece.length);
    return at + piece.length;
}

static char *add_number(char *at, const char *letter, int64_t value)
{
    char digits[TEXT_NUMBER_SIZE];
    at = add(at, text_of(letter));
    return add(at, text_print_u64((uint64_t)value, digits));
}

/* "NAME";q=N;w=N for a policy, "NAME";r=N;t=N for what is left. Names are names: nothing to
 * escape. */
static struct text print_list(const struct limiter_result *result, bool is_policy, char *into)
{
    char *at = into;
    for (size_t i = 0; i < result->count; i++) {
        const struct limiter_item *item = &result->items[i];
        at = add(at, i == 0 ? TEXT_OF("\"") : TEXT_OF(", \""));
        at = add(at, item->name);
        at = add_number(at,
                        is_policy ? "\";q=" : "\";r=", is_policy ? item->quota : item->remaining);
        at = add_number(at, is_policy ? ";w=" : ";t=", is_policy ? item->window : item->reset);
    }
    return text_from(into, (size_t)(at - into));
}

bool ratelimit_fields_print(const struct limiter_result *result, struct arena *arena,
                            struct ratelimit_fields *out)
{
    size_t size = room_for(result);
    char *memory = arena_try_alloc(arena, 2 * size + TEXT_NUMBER_SIZE);
    if (memory == NULL)
        return false;
    out->policy = print_list(result, true, memory);
    out->limit = print_list(result, false, memory + size);
    out->retry_after = TEXT_EMPTY;
    if (result->retry_after > 0)
        out->retry_after = text_print_u64((uint64_t)result->retry_after, memory + 2 * size);
    return true;
}
