/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka_all.h - cmocka with what it needs to be included first. */
#ifndef TESTS_UNIT_GATEWAYD_CMOCKA_ALL_H
#define TESTS_UNIT_GATEWAYD_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
