/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/samples.h"

#include "conf/base/mem.h"

#define EXPONENT_MAX 300

struct number {
    struct text t;
    size_t at;
    double value;
    int scale; /* value is to be multiplied with 10^scale */
};

static bool read_digits(struct number *n, bool is_fraction)
{
    size_t begin = n->at;

    while (n->at < n->t.length && n->t.at[n->at] >= '0' && n->t.at[n->at] <= '9') {
        n->value = n->value * 10 + (n->t.at[n->at] - '0');
        n->scale -= is_fraction;
        n->at++;
    }
    return n->at > begin;
}

static bool read_exponent(struct number *n)
{
    struct text rest = text_skip(n->t, n->at + 1);
    int64_t exponent;

    if (text_starts_with(rest, TEXT_OF("+")))
        rest = text_skip(rest, 1);
    if (!text_parse_i64(rest, &exponent) || exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX)
        return false;
    n->scale += (int)exponent;
    n->at = n->t.length;
    return true;
}

static double scaled(double value, int scale)
{
    for (; scale > 0; scale--)
        value *= 10;
    for (; scale < 0; scale++)
        value /= 10;
    return value;
}

bool samples_parse_number(struct text t, double *value_out)
{
    bool is_negative = text_starts_with(t, TEXT_OF("-"));
    struct number n = { .t = text_skip(t, is_negative) };
    bool has_digits = read_digits(&n, false);

    if (n.at < n.t.length && n.t.at[n.at] == '.') {
        n.at++;
        has_digits = read_digits(&n, true) || has_digits;
    }
    if (has_digits && n.at < n.t.length && (n.t.at[n.at] == 'e' || n.t.at[n.at] == 'E') &&
        !read_exponent(&n))
        return false;
    if (!has_digits || n.at < n.t.length)
        return false;
    *value_out = scaled(is_negative ? -n.value : n.value, n.scale);
    return true;
}

/* Where the labels end: the last brace, for label values may hold braces and spaces. */
static bool parse_line(struct text line, struct sample *sample_out)
{
    size_t open = text_find_byte(line, '{');
    size_t close = line.length;
    struct sample s;

    while (close > 0 && line.at[close - 1] != '}')
        close--;
    if (open < line.length && close > open) {
        s.name = text_first(line, open);
        s.labels = text_from(line.at + open + 1, close - open - 2);
        line = text_trim(text_skip(line, close));
    } else {
        s.name = text_first(line, text_find_byte(line, ' '));
        s.labels = TEXT_EMPTY;
        line = text_trim(text_skip(line, s.name.length));
    }
    /* A time stamp may follow the value. */
    if (!samples_parse_number(text_first(line, text_find_byte(line, ' ')), &s.value))
        return false;
    *sample_out = s;
    return s.name.length > 0;
}

/* Name and labels stand together in the text: they are one key. */
static struct text key_of(const struct sample *s)
{
    if (text_is_empty(s->labels))
        return s->name;
    return text_from(s->name.at, (size_t)(s->labels.at + s->labels.length - s->name.at));
}

static size_t count_lines(struct text t)
{
    size_t lines = 1;

    for (size_t i = 0; i < t.length; i++)
        lines += t.at[i] == '\n';
    return lines;
}

void samples_parse(struct text metrics, struct samples *samples_out)
{
    struct samples s = { .items = mem_new_array(count_lines(metrics), sizeof(*s.items)) };
    struct text line;

    map_init(&s.index);
    while (metrics.at != NULL && text_cut(&metrics, '\n', &line)) {
        struct sample *one = &s.items[s.count];

        if (text_is_empty(line) || line.at[0] == '#' || !parse_line(line, one))
            continue;
        s.count++;
        (void)map_set(&s.index, key_of(one), one);
    }
    *samples_out = s;
}

void samples_fini(struct samples *s)
{
    map_fini(&s->index);
    MEM_FREE(&s->items);
    s->count = 0;
}

double samples_find(const struct samples *before, const struct sample *like)
{
    const struct sample *found = map_find(&before->index, key_of(like));

    return found == NULL ? 0 : found->value;
}

/* The end of a quoted value that begins at `at`. */
static size_t end_of_value(struct text labels, size_t at)
{
    while (at < labels.length && labels.at[at] != '"')
        at += labels.at[at] == '\\' ? 2 : 1;
    return at < labels.length ? at : labels.length;
}

bool samples_find_label(struct text labels, const char *name, struct text *value_out)
{
    size_t at = 0;

    while (at < labels.length) {
        struct text rest = text_skip(labels, at);
        struct text found = text_first(rest, text_find_byte(rest, '='));
        size_t begin = at + found.length + 2;
        size_t end = end_of_value(labels, begin);

        if (text_equals(found, text_of(name)) && begin <= labels.length) {
            *value_out = text_from(labels.at + begin, end - begin);
            return true;
        }
        at = end + 1;
        if (at < labels.length && labels.at[at] == ',')
            at++;
    }
    return false;
}
