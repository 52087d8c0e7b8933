/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_number.c - numbers, sizes and durations as text and back.
 */
#include "conf/base/text.h"

bool text_parse_u64(struct text t, uint64_t *value_out)
{
    uint64_t value = 0;
    if (t.length == 0)
        return false;
    for (size_t i = 0; i < t.length; i++) {
        unsigned digit = (unsigned char)t.at[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *value_out = value;
    return true;
}

bool text_parse_i64(struct text t, int64_t *value_out)
{
    bool negative = t.length > 0 && t.at[0] == '-';
    uint64_t magnitude;
    if (!text_parse_u64(text_skip(t, negative ? 1 : 0), &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *value_out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

/* 0..15, or 16 for what is no hex digit. */
static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

bool text_parse_hex_u64(struct text t, uint64_t *value_out)
{
    uint64_t value = 0;
    if (t.length == 0)
        return false;
    for (size_t i = 0; i < t.length; i++) {
        unsigned digit = hex_digit(t.at[i]);
        if (digit > 15 || value >> 60 != 0)
            return false;
        value = value << 4 | digit;
    }
    *value_out = value;
    return true;
}

/* A number followed by a unit: factors are looked up by the unit's name. */
struct unit {
    struct text name;
    int64_t factor;
};

/* Largest first, for printing. */
static const struct unit duration_units[] = {
    { TEXT("d"), 86400000 }, { TEXT("h"), 3600000 }, { TEXT("m"), 60000 },
    { TEXT("s"), 1000 },     { TEXT("ms"), 1 },
};

static const struct unit size_units[] = {
    { TEXT(""), 1 },
    { TEXT("k"), INT64_C(1) << 10 },
    { TEXT("K"), INT64_C(1) << 10 },
    { TEXT("m"), INT64_C(1) << 20 },
    { TEXT("M"), INT64_C(1) << 20 },
    { TEXT("g"), INT64_C(1) << 30 },
    { TEXT("G"), INT64_C(1) << 30 },
};

static size_t count_digits(struct text t)
{
    size_t n = 0;
    while (n < t.length && t.at[n] >= '0' && t.at[n] <= '9')
        n++;
    return n;
}

static bool parse_with_unit(struct text t, const struct unit *units, size_t count,
                            int64_t *value_out)
{
    size_t digits = count_digits(t);
    uint64_t number;
    if (!text_parse_u64(text_first(t, digits), &number))
        return false;
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        if (!text_equals(text_skip(t, digits), units[i].name))
            continue;
        if (__builtin_mul_overflow(number, units[i].factor, &value))
            return false;
        *value_out = value;
        return true;
    }
    return false;
}

bool text_parse_duration(struct text t, int64_t *ms_out)
{
    return parse_with_unit(t, duration_units, ARRAY_LENGTH(duration_units), ms_out);
}

bool text_parse_size(struct text t, int64_t *bytes_out)
{
    return parse_with_unit(t, size_units, ARRAY_LENGTH(size_units), bytes_out);
}

static size_t decimal_digits(uint64_t value)
{
    for (size_t count = 1;; count += 4, value /= 10000) {
        if (value < 10)
            return count;
        if (value < 100)
            return count + 1;
        if (value < 1000)
            return count + 2;
        if (value < 10000)
            return count + 3;
    }
}

/* Two digits at a time, from the last ones on. */
struct text text_print_u64(uint64_t value, char *into)
{
    static const char pairs[] = "0001020304050607080910111213141516171819"
                                "2021222324252627282930313233343536373839"
                                "4041424344454647484950515253545556575859"
                                "6061626364656667686970717273747576777879"
                                "8081828384858687888990919293949596979899";
    size_t length = decimal_digits(value);
    char *at = into + length;
    *at = '\0';
    for (; value >= 100; value /= 100)
        memcpy(at -= 2, pairs + 2 * (value % 100), 2);
    if (value >= 10)
        memcpy(into, pairs + 2 * value, 2);
    else
        *into = (char)('0' + value);
    return text_from(into, length);
}

static const struct unit *largest_exact_unit(uint64_t ms)
{
    if (ms == 0)
        return &duration_units[3];
    const struct unit *unit = duration_units;
    while (ms % (uint64_t)unit->factor != 0)
        unit++;
    return unit;
}

struct text text_print_duration(int64_t ms, char *into)
{
    uint64_t magnitude = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    const struct unit *unit = largest_exact_unit(magnitude);
    size_t sign = ms < 0 ? 1 : 0;
    if (ms < 0)
        into[0] = '-';
    size_t length = sign + text_print_u64(magnitude / (uint64_t)unit->factor, into + sign).length;
    memcpy(into + length, unit->name.at, unit->name.length + 1);
    return text_from(into, length + unit->name.length);
}
