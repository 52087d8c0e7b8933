/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_base.c - the ground floor's parsers. What was read and printed must read as the same again,
 * and a JSON string is valid JSON whatever its bytes.
 */
#include <jansson.h>

#include "conf/base/address.h"
#include "conf/base/builder.h"
#include "conf/base/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_numbers(struct text t)
{
    uint64_t u;
    int64_t i;
    char into[TEXT_NUMBER_SIZE];
    if (text_parse_u64(t, &u)) {
        uint64_t again = 0;
        MUST(text_parse_u64(text_print_u64(u, into), &again) && again == u);
    }
    if (text_parse_i64(t, &i))
        MUST(t.length > 0);
    if (text_parse_hex_u64(t, &u))
        MUST(t.length > 0);
    if (text_parse_size(t, &i))
        MUST(i >= 0);
}

static void read_duration(struct text t)
{
    int64_t ms, again = 0;
    char into[TEXT_NUMBER_SIZE];
    if (text_parse_duration(t, &ms))
        MUST(text_parse_duration(text_print_duration(ms, into), &again) && again == ms);
}

static void read_time(struct text t)
{
    int64_t ms, again = 0;
    char into[TEXT_NUMBER_SIZE];
    /* An offset can push a time past the four digits of a year. */
    if (text_parse_time(t, &ms) && text_print_time(ms, into).length == 24 && into[0] != '-')
        MUST(text_parse_time(text_of(into), &again) && again == ms);
}

static void read_address(struct text t)
{
    struct address a, again;
    char into[ADDRESS_TEXT_SIZE], second[ADDRESS_TEXT_SIZE];
    if (!address_parse(t, &a))
        return;
    struct text printed = address_print(&a, into);
    MUST(address_parse(printed, &again));
    MUST(text_equals(address_print(&again, second), printed));
    MUST(address_print_ip(&a, into).length > 0);
    (void)address_subject(&a, into);
}

static void read_network(struct text t)
{
    struct network n;
    struct address a;
    if (network_parse(t, &n) && address_parse_ip(text_first(t, text_find_byte(t, '/')), 0, &a))
        MUST(network_contains(&n, &a));
}

static void print_json(struct text t)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    builder_add_json(&b, t);
    json_t *value = json_loadb(builder_text(&b).at, builder_text(&b).length,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    MUST(json_is_string(value));
    json_decref(value);
    builder_fini(&b);
}

static void compare(struct text t)
{
    struct text half = text_first(t, t.length / 2), rest = text_skip(t, t.length / 2);
    bool equal = text_equals_nocase(half, rest);
    MUST(!equal || text_hash_nocase(half) == text_hash_nocase(rest));
    MUST(text_distance(half, rest, 3) == text_distance(rest, half, 3));
    MUST(digest_crc32c(0, t) == digest_crc32c_portable(0, t));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text t = text_from((const char *)bytes, size);
    read_numbers(t);
    read_duration(t);
    read_time(t);
    read_address(t);
    read_network(t);
    print_json(t);
    compare(t);
    return 0;
}
