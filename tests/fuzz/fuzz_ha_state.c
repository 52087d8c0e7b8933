/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ha_state.c - what keepalived's notify script wrote: one of four words, and a time. */
#include "gatewayd/ha_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    enum ha_vrrp vrrp = HA_UNKNOWN;
    int64_t since = -1;

    if (ha_state_parse(text_from((const char *)bytes, size), &vrrp, &since))
        MUST(vrrp != HA_UNKNOWN && since >= 0 && since % 1000 == 0);
    else
        MUST(vrrp == HA_UNKNOWN && since == -1);
    return 0;
}
