/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_line.c - one line, as a JSON object or as name=value, in memory of fixed size.
 *
 * Whatever bytes a client sent, the line is one line, and valid UTF-8. Two bytes are kept for its
 * end; a field that does not fit is taken back whole.
 */
#include "gatewayd/core/log.h"

#define END_SIZE 2

static size_t room(const struct log_line *line)
{
    return line->size - END_SIZE - line->length;
}

static bool put(struct log_line *line, const char *from, size_t length)
{
    if (length > room(line))
        return false;
    memcpy(line->at + line->length, from, length);
    line->length += length;
    return true;
}

static bool put_byte(struct log_line *line, char byte)
{
    return put(line, &byte, 1);
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static size_t plain_length(struct text t)
{
    size_t n = 0;
    while (n < t.length && is_plain((unsigned char)t.at[n]))
        n++;
    return n;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of the well-formed UTF-8 sequence (not ASCII) that `t` begins with, or 0. */
static size_t sequence_length(struct text t)
{
    unsigned char c = (unsigned char)t.at[0];
    size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || t.length < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (!is_continuation(t.at[i]))
            return 0;
    unsigned char next = (unsigned char)t.at[1];
    bool is_too_long = (c == 0xe0 && next < 0xa0) || (c == 0xf0 && next < 0x90);
    bool is_outside = (c == 0xed && next >= 0xa0) || (c == 0xf4 && next >= 0x90);
    return is_too_long || is_outside ? 0 : length;
}

static bool put_escaped(struct log_line *line, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        return put(line, "\\\"", 2);
    case '\\':
        return put(line, "\\\\", 2);
    case '\n':
        return put(line, "\\n", 2);
    case '\r':
        return put(line, "\\r", 2);
    case '\t':
        return put(line, "\\t", 2);
    default: {
        char escape[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
        return put(line, escape, sizeof(escape));
    }
    }
}

/* One byte or sequence that is not plain, taken off *t. */
static bool put_special(struct log_line *line, struct text *t)
{
    unsigned char c = (unsigned char)t->at[0];
    size_t length = 1;
    bool fits;
    if (c < 0x80) {
        fits = put_escaped(line, c);
    } else {
        size_t sequence = sequence_length(*t);
        length = sequence == 0 ? 1 : sequence;
        fits = sequence == 0 ? put(line, "\xef\xbf\xbd", 3) : put(line, t->at, sequence);
    }
    *t = text_from(t->at + length, t->length - length);
    return fits;
}

static bool put_string(struct log_line *line, struct text t)
{
    while (t.length > 0) {
        size_t plain = plain_length(t);
        if (!put(line, t.at, plain))
            return false;
        t = text_from(t.at + plain, t.length - plain);
        if (t.length > 0 && !put_special(line, &t))
            return false;
    }
    return true;
}

static bool put_quoted(struct log_line *line, struct text t)
{
    return put_byte(line, '"') && put_string(line, t) && put_byte(line, '"');
}

static bool needs_quotes(struct text t)
{
    if (t.length == 0 || plain_length(t) < t.length)
        return true;
    return memchr(t.at, ' ', t.length) != NULL || memchr(t.at, '=', t.length) != NULL;
}

static bool put_name(struct log_line *line, const char *name)
{
    size_t length = strlen(name);
    bool is_first = line->length == (line->format == LOG_FORMAT_JSON ? 1 : 0);
    if (line->format == LOG_FORMAT_TEXT)
        return (is_first || put_byte(line, ' ')) && put(line, name, length) && put_byte(line, '=');
    return (is_first || put_byte(line, ',')) && put_byte(line, '"') && put(line, name, length) &&
           put(line, "\":", 2);
}

static void keep_or_take_back(struct log_line *line, size_t length_before, bool fits)
{
    if (fits)
        return;
    line->length = length_before;
    line->is_cut = true;
}

void log_line_init(struct log_line *line, char *memory, size_t size, enum log_format format)
{
    MUST(size > END_SIZE + 1);
    *line = (struct log_line){ .at = memory, .size = size, .format = format };
    if (format == LOG_FORMAT_JSON)
        MUST(put_byte(line, '{'));
}

void log_line_add(struct log_line *line, const char *name, struct text value)
{
    size_t before = line->length;
    bool is_bare = line->format == LOG_FORMAT_TEXT && !needs_quotes(value);
    bool fits = put_name(line, name) &&
                (is_bare ? put(line, value.at, value.length) : put_quoted(line, value));
    keep_or_take_back(line, before, fits);
}

static void add_bare(struct log_line *line, const char *name, struct text value)
{
    size_t before = line->length;
    bool fits = put_name(line, name) && put(line, value.at, value.length);
    keep_or_take_back(line, before, fits);
}

void log_line_add_u64(struct log_line *line, const char *name, uint64_t value)
{
    char number[TEXT_NUMBER_SIZE];
    add_bare(line, name, text_print_u64(value, number));
}

void log_line_add_i64(struct log_line *line, const char *name, int64_t value)
{
    char number[TEXT_NUMBER_SIZE + 1] = "-";
    if (value >= 0) {
        log_line_add_u64(line, name, (uint64_t)value);
        return;
    }
    struct text digits = text_print_u64(0 - (uint64_t)value, number + 1);
    add_bare(line, name, text_from(number, digits.length + 1));
}

void log_line_add_bool(struct log_line *line, const char *name, bool value)
{
    add_bare(line, name, value ? TEXT_OF("true") : TEXT_OF("false"));
}

void log_line_add_us(struct log_line *line, const char *name, uint64_t us)
{
    char number[TEXT_NUMBER_SIZE + 4];
    struct text whole = text_print_u64(us / 1000, number);
    char *at = number + whole.length;
    unsigned rest = (unsigned)(us % 1000);
    *at++ = '.';
    *at++ = (char)('0' + rest / 100);
    *at++ = (char)('0' + rest / 10 % 10);
    *at++ = (char)('0' + rest % 10);
    add_bare(line, name, text_from(number, (size_t)(at - number)));
}

void log_line_add_time(struct log_line *line, const char *name, int64_t wall_ms)
{
    char time[TEXT_NUMBER_SIZE];
    log_line_add(line, name, text_print_time(wall_ms, time));
}

struct text log_line_end(struct log_line *line)
{
    if (line->format == LOG_FORMAT_JSON)
        line->at[line->length++] = '}';
    line->at[line->length++] = '\n';
    return text_from(line->at, line->length);
}
