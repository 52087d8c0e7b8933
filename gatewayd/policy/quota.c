/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/quota.h"

#include "conf/base/must.h"

#define HOUR_MS       3600000LL
#define DAY_MS        (24 * HOUR_MS)
#define EPOCH_WEEKDAY 3 /* 1970-01-01 was a Thursday; Monday is 0 */

struct month {
    int64_t year;
    int64_t number; /* 0..11, March is 0 */
    int64_t day;    /* 0..30 */
};

/* Years begin in March here, so that the leap day is a year's last; eras are of 400 years. */
static struct month month_of_day(int64_t days)
{
    int64_t shifted = days + 719468; /* since 0000-03-01 */
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t number = (5 * day_of_year + 2) / 153;
    return (struct month){ year_of_era + era * 400, number, day_of_year - (153 * number + 2) / 5 };
}

static int64_t days_in(const struct month *m)
{
    static const int64_t days[] = { 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31 };
    if (m->number < 11)
        return days[m->number];
    int64_t year = m->year + 1; /* February is in the next one, as people count */
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
}

struct quota_window quota_window(enum limit_period period, int64_t now)
{
    MUST(now >= 0 && period <= LIMIT_MONTH);
    int64_t days = now / DAY_MS;
    switch (period) {
    case LIMIT_HOUR: {
        int64_t start = now / HOUR_MS * HOUR_MS;
        return (struct quota_window){ start, start + HOUR_MS };
    }
    case LIMIT_DAY:
        return (struct quota_window){ days * DAY_MS, (days + 1) * DAY_MS };
    case LIMIT_WEEK: {
        int64_t monday = days - (days + EPOCH_WEEKDAY) % 7;
        return (struct quota_window){ monday * DAY_MS, (monday + 7) * DAY_MS };
    }
    case LIMIT_MONTH:
        break;
    }
    struct month m = month_of_day(days);
    int64_t first = days - m.day;
    return (struct quota_window){ first * DAY_MS, (first + days_in(&m)) * DAY_MS };
}
