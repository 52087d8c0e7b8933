/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date.h - dates as HTTP writes them (RFC 9110 §5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
 */
#ifndef GATEWAYD_HTTP_DATE_H
#define GATEWAYD_HTTP_DATE_H

#include "conf/base/text.h"

#define DATE_SIZE 29

/* Seconds since the epoch (years 1970 to 9999) into `into`, without NUL. */
struct text date_print(int64_t seconds, char into[DATE_SIZE]);

#endif
