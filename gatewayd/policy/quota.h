/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota.h - calendar windows in UTC: hours, days, weeks that start on Monday, months. Pure.
 */
#ifndef GATEWAYD_POLICY_QUOTA_H
#define GATEWAYD_POLICY_QUOTA_H

#include <stdint.h>

#include "conf/limit.h"

struct quota_window {
    int64_t start; /* ms since the epoch, included */
    int64_t end;   /* excluded */
};

/* The window that `now` (ms since the epoch, not negative) is in. */
struct quota_window quota_window(enum limit_period period, int64_t now);

#endif
