/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_site_file.c - the file of virtual addresses as the programs beside keepalived read it: what
 * is taken is right in every part, and what the gateway takes they take too, and say the same of.
 */
#include <string.h>

#include "conf/ha_addresses.h"
#include "ha/site_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct site_file site;

static void check(void)
{
    MUST(site.count <= SITE_FILE_MOST);
    for (size_t i = 0; i < site.count; i++) {
        const struct site_address *a = &site.items[i];
        MUST(a->name[0] != '\0' && strpbrk(a->name, "/. \t\n") == NULL);
        MUST(a->interface[0] != '\0' && strchr(a->interface, '/') == NULL);
        MUST(a->length <= (a->family == AF_INET ? 32 : 128));
        MUST(site_file_find(&site, a->name) == a);
    }
}

static void compare(const struct ha_addresses *all)
{
    MUST(site.count == all->count);
    for (size_t i = 0; i < all->count; i++) {
        const struct ha_address *theirs = &all->items[i];
        const struct site_address *ours = &site.items[i];
        struct address at;
        MUST(text_equals(theirs->name, text_of(ours->name)));
        MUST(text_equals(theirs->interface, text_of(ours->interface)));
        MUST(address_parse_ip(text_of(ours->text), 0, &at) && address_equals(&at, &theirs->at));
        MUST(theirs->length == ours->length && theirs->is_home == ours->is_home);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct ha_addresses all;
    struct problems ps;
    char why[256] = "";

    bool is_taken = site_file_parse((const char *)bytes, size, &site, why, sizeof(why));
    MUST(is_taken == (why[0] == '\0'));
    if (is_taken)
        check();
    problems_init(&ps);
    if (ha_addresses_parse(text_from((const char *)bytes, size), "fuzz", &ps, &all)) {
        MUST(is_taken);
        compare(&all);
        ha_addresses_fini(&all);
    }
    problems_fini(&ps);
    return 0;
}
