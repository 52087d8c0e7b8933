/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date.c - the calendar by arithmetic: gmtime_r takes the lock of the time zones.
 */
#include "gatewayd/http/date.h"

#define SECONDS_PER_DAY 86400

struct day {
    unsigned year;
    unsigned month; /* 0 to 11 */
    unsigned of_month;
};

/* Days since the epoch → date. Years are counted from March, so that the odd day comes last. */
static struct day day_from(unsigned days)
{
    days += 719468; /* to 1 March of year 0 */
    unsigned era = days / 146097, of_era = days % 146097;
    unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153; /* 0 is March */
    return (struct day){
        .year = year + era * 400 + (month >= 10 ? 1 : 0),
        .month = (month + 2) % 12,
        .of_month = of_year - (153 * month + 2) / 5 + 1,
    };
}

static void put2(char *at, unsigned value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

struct text date_print(int64_t seconds, char into[DATE_SIZE])
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed"; /* the epoch was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    MUST(seconds >= 0 && seconds < INT64_C(253402300800));
    unsigned days = (unsigned)(seconds / SECONDS_PER_DAY);
    unsigned left = (unsigned)(seconds % SECONDS_PER_DAY);
    struct day day = day_from(days);

    memcpy(into, "Xxx, 00 Xxx 0000 00:00:00 GMT", DATE_SIZE);
    memcpy(into, weekdays + days % 7 * 3, 3);
    put2(into + 5, day.of_month);
    memcpy(into + 8, months + day.month * 3, 3);
    put2(into + 12, day.year / 100);
    put2(into + 14, day.year % 100);
    put2(into + 17, left / 3600);
    put2(into + 20, left / 60 % 60);
    put2(into + 23, left % 60);
    return text_from(into, DATE_SIZE);
}
