/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_time.c - RFC 3339 times. Days are counted in the Gregorian calendar extended both ways, in
 * years that begin in March, so that a leap day is a year's last.
 */
#include "conf/base/text.h"

#define MS_PER_DAY   INT64_C(86400000)
#define DAYS_PER_ERA 146097 /* 400 years */
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

struct date {
    int64_t year;
    int month; /* 1.. */
    int day;   /* 1.. */
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

static int64_t days_of(struct date d)
{
    int64_t year = d.year - (d.month <= 2 ? 1 : 0);
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static struct date date_of(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = floor_div(days, DAYS_PER_ERA);
    int64_t day = days - era * DAYS_PER_ERA;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int day_of_year = (int)(day - (365 * year + year / 4 - year / 100));
    int shifted = (5 * day_of_year + 2) / 153;
    int month = shifted < 10 ? shifted + 3 : shifted - 9;
    return (struct date){
        .year = year + era * 400 + (month <= 2 ? 1 : 0),
        .month = month,
        .day = day_of_year - (153 * shifted + 2) / 5 + 1,
    };
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Takes exactly `digits` digits off the front; a value in [low, high]. */
static bool take_number(struct text *t, size_t digits, int low, int high, int *value_out)
{
    uint64_t value;
    if (t->length < digits || !text_parse_u64(text_first(*t, digits), &value))
        return false;
    if ((int64_t)value < low || (int64_t)value > high)
        return false;
    *t = text_skip(*t, digits);
    *value_out = (int)value;
    return true;
}

/* Takes one byte that is among `allowed`. */
static bool take_one_of(struct text *t, const char *allowed, char *found_out)
{
    if (t->length == 0 || t->at[0] == '\0' || strchr(allowed, t->at[0]) == NULL)
        return false;
    *found_out = t->at[0];
    *t = text_skip(*t, 1);
    return true;
}

static bool take_date(struct text *t, int64_t *days_out)
{
    int year, month, day;
    char dash;
    if (!take_number(t, 4, 0, 9999, &year) || !take_one_of(t, "-", &dash) ||
        !take_number(t, 2, 1, 12, &month) || !take_one_of(t, "-", &dash) ||
        !take_number(t, 2, 1, days_in_month(year, month), &day))
        return false;
    *days_out = days_of((struct date){ year, month, day });
    return true;
}

/* ".5" ".123456": milliseconds, further digits are cut off. Absent is 0. */
static bool take_fraction(struct text *t, int *ms_out)
{
    char c;
    *ms_out = 0;
    if (!take_one_of(t, ".", &c))
        return true;
    int weight = 100;
    size_t digits = 0;
    for (; take_one_of(t, "0123456789", &c); digits++, weight /= 10)
        *ms_out += (c - '0') * weight;
    return digits > 0;
}

/* A second of 60 is a leap second and counts as the first of the next minute. */
static bool take_clock(struct text *t, int64_t *ms_out)
{
    int hour, minute, second, ms;
    char colon;
    if (!take_number(t, 2, 0, 23, &hour) || !take_one_of(t, ":", &colon) ||
        !take_number(t, 2, 0, 59, &minute) || !take_one_of(t, ":", &colon) ||
        !take_number(t, 2, 0, 60, &second) || !take_fraction(t, &ms))
        return false;
    *ms_out = ((hour * INT64_C(60) + minute) * 60 + second) * 1000 + ms;
    return true;
}

/* "Z" or "+01:00": what the clock is ahead of UTC. */
static bool take_offset(struct text *t, int64_t *ms_out)
{
    int hour, minute;
    char sign, colon;
    *ms_out = 0;
    if (take_one_of(t, "Zz", &sign))
        return true;
    if (!take_one_of(t, "+-", &sign) || !take_number(t, 2, 0, 23, &hour) ||
        !take_one_of(t, ":", &colon) || !take_number(t, 2, 0, 59, &minute))
        return false;
    *ms_out = (hour * 60 + minute) * INT64_C(60000) * (sign == '-' ? -1 : 1);
    return true;
}

bool text_parse_time(struct text t, int64_t *ms_out)
{
    int64_t days, ms, ahead;
    char separator;
    if (!take_date(&t, &days) || !take_one_of(&t, "Tt ", &separator) || !take_clock(&t, &ms) ||
        !take_offset(&t, &ahead) || t.length != 0)
        return false;
    *ms_out = days * MS_PER_DAY + ms - ahead;
    return true;
}

/* `width` digits at least, zeros in front; the place after them. */
static char *print_padded(char *at, uint64_t value, size_t width)
{
    char digits[TEXT_NUMBER_SIZE];
    size_t length = text_print_u64(value, digits).length;
    for (; width > length; width--)
        *at++ = '0';
    memcpy(at, digits, length);
    return at + length;
}

static char *print_with(char *at, uint64_t value, size_t width, char after)
{
    at = print_padded(at, value, width);
    *at++ = after;
    return at;
}

struct text text_print_time(int64_t ms, char *into)
{
    int64_t days = floor_div(ms, MS_PER_DAY);
    int64_t rest = ms % MS_PER_DAY;
    uint64_t clock = (uint64_t)(rest < 0 ? rest + MS_PER_DAY : rest);
    struct date date = date_of(days);

    char *at = into;
    if (date.year < 0)
        *at++ = '-';
    at = print_with(at, (uint64_t)(date.year < 0 ? -date.year : date.year), 4, '-');
    at = print_with(at, (uint64_t)date.month, 2, '-');
    at = print_with(at, (uint64_t)date.day, 2, 'T');
    at = print_with(at, clock / 3600000, 2, ':');
    at = print_with(at, clock / 60000 % 60, 2, ':');
    at = print_with(at, clock / 1000 % 60, 2, '.');
    at = print_with(at, clock % 1000, 3, 'Z');
    *at = '\0';
    return text_from(into, (size_t)(at - into));
}
