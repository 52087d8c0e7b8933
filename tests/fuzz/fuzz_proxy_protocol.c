/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_proxy_protocol.c - PROXY headers: never read past the input, and agree with themselves.
 *
 * A header that is found must be found the same when bytes follow it, and every shorter input
 * must be MORE: never BAD, never DONE.
 */
#include "gatewayd/net/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static enum proxy_protocol_result parse(const uint8_t *bytes, size_t size, size_t *used)
{
    struct proxy_protocol header;
    return proxy_protocol_parse(text_from((const char *)bytes, size), &header, used);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t used = 0;
    if (parse(bytes, size, &used) != PROXY_PROTOCOL_DONE)
        return 0;
    MUST(used > 0 && used <= size && used <= PROXY_PROTOCOL_MAX);
    size_t again = 0;
    MUST(parse(bytes, used, &again) == PROXY_PROTOCOL_DONE && again == used);
    for (size_t shorter = 0; shorter < used; shorter++)
        MUST(parse(bytes, shorter, &again) == PROXY_PROTOCOL_MORE);
    return 0;
}
