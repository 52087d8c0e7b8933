/* SPDX-License-Identifier: Apache-2.0 */
/* watch_rule.c - see watch_rule.h. */
#include "ha/watch_rule.h"

#include <string.h>

#include "ha/digits.h"

#define WEIGHT_MOST 254

static void set_all(struct watch_rule *r, int weight)
{
    for (size_t i = 0; i < r->count; i++) {
        r->weights[i] = weight;
        r->is_news[i] = true;
    }
}

void watch_rule_init(struct watch_rule *r, size_t count)
{
    memset(r, 0, sizeof(*r));
    r->count = count;
    set_all(r, WATCH_RULE_FAULT);
}

void watch_rule_on_answer(struct watch_rule *r, const int *weights)
{
    if (r->is_fault && --r->proofs_left > 0)
        return;
    for (size_t i = 0; i < r->count; i++) {
        r->is_news[i] = weights[i] != r->weights[i];
        r->weights[i] = weights[i];
    }
    r->is_fault = false;
}

void watch_rule_on_silence(struct watch_rule *r)
{
    r->is_fault = true;
    r->proofs_left = WATCH_RULE_PROOFS;
    set_all(r, WATCH_RULE_FAULT);
}

bool watch_rule_is_due(struct watch_rule *r, size_t index, bool is_known, int held)
{
    bool differs = !is_known || held != r->weights[index];
    bool is_due = differs && (!is_known || r->is_news[index] || r->differed[index]);

    r->differed[index] = differs && !is_due;
    return is_due;
}

bool watch_rule_is_starved(const struct watch_pace *before, const struct watch_pace *after,
                           int64_t ms)
{
    return before->state != '\0' && after->state == 'R' && ms < WATCH_RULE_STARVED_MS &&
           after->run_ns - before->run_ns < (uint64_t)ms * 500000;
}

bool watch_rule_parse_pace(const char *stat, const char *schedstat, struct watch_pace *pace_out)
{
    const char *name_end = strrchr(stat, ')');
    uint64_t run_ns;

    if (name_end == NULL || name_end[1] != ' ' || name_end[2] == '\0' ||
        !digits_parse_u64(schedstat, strcspn(schedstat, " "), &run_ns))
        return false;
    *pace_out = (struct watch_pace){ .run_ns = run_ns, .state = name_end[2] };
    return true;
}

bool watch_rule_parse_weight(const char *text, size_t length, int *weight_out)
{
    bool is_negative = length > 0 && text[0] == '-';
    unsigned value;

    text += is_negative;
    length -= is_negative;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    if (!digits_parse(text, length, WEIGHT_MOST, &value))
        return false;
    *weight_out = is_negative ? -(int)value : (int)value;
    return true;
}

static bool find_index(const struct site_file *site, const char *name, size_t length,
                       size_t *index_out)
{
    for (size_t i = 0; i < site->count; i++) {
        if (strlen(site->items[i].name) == length &&
            memcmp(site->items[i].name, name, length) == 0) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

bool watch_rule_parse(const struct site_file *site, const char *text, size_t length, int *weights)
{
    bool is_said[SITE_FILE_MOST] = { false };
    const char *end = text + length;

    for (size_t i = 0; i < site->count; i++)
        weights[i] = WATCH_RULE_FAULT;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline == NULL ? end : newline;
        const char *space = memchr(text, ' ', (size_t)(stop - text));
        size_t index;

        if (space == NULL)
            return false;
        if (find_index(site, text, (size_t)(space - text), &index) && !is_said[index]) {
            if (!watch_rule_parse_weight(space + 1, (size_t)(stop - space - 1), &weights[index]))
                return false;
            is_said[index] = true;
        }
        text = newline == NULL ? end : newline + 1;
    }
    return true;
}
