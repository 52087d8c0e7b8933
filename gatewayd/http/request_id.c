/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_id.c - random numbers by the page, and ids made of them.
 */
#include "gatewayd/http/request_id.h"

#include "conf/base/digest.h"
#include "gatewayd/http/chars.h"

/* The kernel is asked once for so many: a tenth of what each costs alone. */
#define BATCH 128

static _Thread_local uint64_t batch[BATCH];
static _Thread_local unsigned left;

uint64_t request_id_random(void)
{
    if (left == 0) {
        digest_random(batch, sizeof(batch));
        left = BATCH;
    }
    return batch[--left];
}

static void print_u64(uint64_t value, char into[16])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, value >>= 4)
        into[i] = digits[value & 15];
}

struct text request_id_print_new(char into[REQUEST_ID_SIZE])
{
    print_u64(request_id_random(), into);
    print_u64(request_id_random(), into + 16);
    return text_from(into, REQUEST_ID_SIZE);
}

bool request_id_is_valid(struct text t)
{
    if (t.length == 0 || t.length > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < t.length; i++) {
        if (!chars_is(t.at[i], CHARS_HOST) && strchr(":/+=@", t.at[i]) == NULL)
            return false;
    }
    return memchr(t.at, '\0', t.length) == NULL;
}
