/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_watch_rule.c - weights, as the gateway answers them and as a track file holds them: within
 * what keepalived takes, and an address that nothing was said of is at fault.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "conf/base/must.h"
#include "ha/watch_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool is_weight(int weight)
{
    return weight >= -254 && weight <= 254;
}

static void read_answer(const char *bytes, size_t size)
{
    static const char lines[] = "va 10.0.0.1/8 e home\nvb 10.0.0.2/8 e guest\n";
    static struct site_file site;
    int weights[SITE_FILE_MOST];
    char why[256];

    if (site.count == 0)
        MUST(site_file_parse(lines, strlen(lines), &site, why, sizeof(why)));
    if (!watch_rule_parse(&site, bytes, size, weights))
        return;
    for (size_t i = 0; i < site.count; i++) {
        MUST(is_weight(weights[i]));
        MUST(weights[i] == WATCH_RULE_FAULT ||
             memmem(bytes, size, site.items[i].name, strlen(site.items[i].name)) != NULL);
    }
}

static void read_weight(const char *bytes, size_t size)
{
    char printed[16];
    int weight;
    int again;

    if (!watch_rule_parse_weight(bytes, size, &weight))
        return;
    MUST(is_weight(weight));
    int length = snprintf(printed, sizeof(printed), "%d\n", weight);
    MUST(watch_rule_parse_weight(printed, (size_t)length, &again) && again == weight);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    read_answer((const char *)bytes, size);
    read_weight((const char *)bytes, size);
    return 0;
}
