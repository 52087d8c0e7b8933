/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_hold_line.c - what gatewayd-hold is asked: nothing but three verbs, of addresses of the
 * site, for at most 300 ms.
 */
#include <string.h>

#include "conf/base/must.h"
#include "ha/hold_line.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char lines[] = "va 10.0.0.1/8 e home\nv-b 2001:db8::1/64 e guest\n";
    static struct site_file site;
    struct hold_line line;
    char why[256];

    if (site.count == 0)
        MUST(site_file_parse(lines, strlen(lines), &site, why, sizeof(why)));
    const char *reason = hold_line_parse(&site, (const char *)bytes, size, &line);
    MUST(reason == NULL || reason[0] != '\0');
    if (reason != NULL)
        return 0;
    MUST(line.verb <= HOLD_LINE_REMOVE);
    MUST(line.address == &site.items[0] || line.address == &site.items[1]);
    MUST((line.verb == HOLD_LINE_HOLD) == (line.ms >= 1) && line.ms <= HOLD_LINE_MS_MOST);
    return 0;
}
