/* SPDX-License-Identifier: Apache-2.0 */
/* credentials_fixture.h - consumers and keys for tests, by number. */
#ifndef TESTS_UNIT_GATEWAYD_POLICY_CREDENTIALS_FIXTURE_H
#define TESTS_UNIT_GATEWAYD_POLICY_CREDENTIALS_FIXTURE_H

#include "gatewayd/policy/credentials.h"

/* From JSON of a consumer; the test fails if it does not check. */
enum credentials_change fixture_put(struct credentials *c, const char *json, uint64_t stamp);

/* A made key of `consumer` with the id; its characters go to `key` (KEY_LENGTH + 1 bytes). */
enum credentials_added fixture_add(struct credentials *c, const char *consumer, uint64_t id,
                                   char *key);

#endif
