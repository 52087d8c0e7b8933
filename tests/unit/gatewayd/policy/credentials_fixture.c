/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gatewayd/policy/credentials_fixture.h"

enum credentials_change fixture_put(struct credentials *c, const char *json, uint64_t stamp)
{
    static const struct checks stored = { .lenient = true };
    struct problems problems;
    problems_init(&problems);
    struct resource *r = resource_parse(RESOURCE_CONSUMER, text_of(json), &stored, &problems);
    MUST(r != NULL);
    enum credentials_change change = credentials_put_consumer(c, r, stamp);
    resource_unref(&r);
    problems_fini(&problems);
    return change;
}

enum credentials_added fixture_add(struct credentials *c, const char *consumer, uint64_t id,
                                   char *key)
{
    char prefix[KEY_PREFIX_SIZE];
    struct credentials_key record = {
        .id = id,
        .digest = key_digest(key_make(key), TEXT_EMPTY),
        .consumer = text_of(consumer),
        .prefix = key_print_prefix(text_of(key), prefix),
        .created_at = 1000000,
        .state = KEY_ACTIVE,
        .stamp = id,
    };
    return credentials_add_key(c, &record);
}
