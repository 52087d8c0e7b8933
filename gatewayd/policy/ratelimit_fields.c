/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/ratelimit_fields.h"

#define NUMBERS_MOST 64 /* two numbers, their letters, quotes, the separator and a NUL */

static size_t room_for(const struct limiter_result *result)
{
    size_t size = 0;
    for (size_t i = 0; i < result->count; i++)
        size += result->items[i].name.length + NUMBERS_MOST;
    return size;
}

static char *add_number(char *at, struct text letter, int64_t value)
{
    at = text_copy_to(at, letter);
    return at + text_print_u64((uint64_t)value, at).length;
}

/* "NAME";q=N;w=N for a policy, "NAME";r=N;t=N for what is left. Names are names: nothing to
 * escape. */
static struct text print_list(const struct limiter_result *result, bool is_policy, char *into)
{
    char *at = into;
    for (size_t i = 0; i < result->count; i++) {
        const struct limiter_item *item = &result->items[i];
        at = text_copy_to(at, i == 0 ? TEXT_OF("\"") : TEXT_OF(", \""));
        at = text_copy_to(at, item->name);
        if (is_policy) {
            at = add_number(at, TEXT_OF("\";q="), item->quota);
            at = add_number(at, TEXT_OF(";w="), item->window);
        } else {
            at = add_number(at, TEXT_OF("\";r="), item->remaining);
            at = add_number(at, TEXT_OF(";t="), item->reset);
        }
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
