/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ha_addresses.c - the file of virtual addresses: what is taken is right in every part. */
#include "conf/ha_addresses.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const struct ha_addresses *all)
{
    MUST(all->count >= 1 && all->count <= HA_ADDRESSES_MOST);
    for (size_t i = 0; i < all->count; i++) {
        const struct ha_address *a = &all->items[i];
        struct address again;
        MUST(a->name.length >= 1 && a->name.length <= 63 && a->interface.length >= 1);
        MUST(text_find_byte(a->name, '/') == a->name.length);
        MUST(address_parse_ip(a->text, 0, &again) && address_equals(&again, &a->at));
        MUST(a->length <= (a->at.any.sa_family == AF_INET ? 32 : 128));
        for (size_t j = 0; j < i; j++)
            MUST(!text_equals(a->name, all->items[j].name) &&
                 !address_equals(&a->at, &all->items[j].at));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text text = text_from((const char *)bytes, size);
    struct ha_addresses all;
    struct problems ps;

    problems_init(&ps);
    if (ha_addresses_parse(text, "fuzz", &ps, &all)) {
        check(&all);
        ha_addresses_fini(&all);
    } else {
        MUST(!problems_is_empty(&ps));
    }
    problems_fini(&ps);
    return 0;
}
