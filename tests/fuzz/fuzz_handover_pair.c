/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_handover_pair.c - pairs of texts that a process passes on: never past the input, and what is
 * cut off says the same when it is printed and cut off again.
 */
#include "gatewayd/handover_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void print_again(struct text key, struct text value)
{
    struct builder b;
    struct text key_again;
    struct text value_again;

    builder_init(&b, SIZE_MAX);
    handover_pair_print(key, value, &b);
    struct text rest = builder_text(&b);
    MUST(handover_pair_cut(&rest, &key_again, &value_again) && text_is_empty(rest));
    MUST(text_equals(key, key_again) && text_equals(value, value_again));
    builder_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text rest = text_from((const char *)bytes, size);
    struct text key;
    struct text value;

    while (handover_pair_cut(&rest, &key, &value)) {
        MUST(key.length + value.length + rest.length <= size);
        print_again(key, value);
    }
    return 0;
}
