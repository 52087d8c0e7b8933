/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_handover.c - frames between two processes of a node: never read past the input, and what is
 * taken from one says the same when it is printed and parsed again.
 */
#include "gatewayd/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool is_inside(struct text field, const uint8_t *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)field.at;
    return field.length == 0 || (at >= bytes && at + field.length <= bytes + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct handover_frame frame;
    struct handover_frame again;
    struct builder b;

    if (!handover_parse(text_from((const char *)bytes, size), &frame))
        return 0;
    for (int tag = 0; tag < HANDOVER_TAGS; tag++)
        MUST(is_inside(frame.fields[tag], bytes, size));
    builder_init(&b, SIZE_MAX);
    handover_print(&frame, &b);
    MUST(handover_parse(builder_text(&b), &again) && again.kind == frame.kind);
    for (int tag = 0; tag < HANDOVER_TAGS; tag++)
        MUST(text_equals(text_first(frame.fields[tag], 4096), again.fields[tag]));
    builder_fini(&b);
    return 0;
}
