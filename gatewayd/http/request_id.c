/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_id.c - random numbers by the page, and ids made of them.
 */
#include "gatewayd/http/request_id.h"

#include "conf/base/digest.h"
#include "gatewayd/http/chars.h"

/* The generator is asked once for so many: a page's worth costs little more than a few bytes. */
#define BATCH 512

static _Thread_local uint64_t batch[BATCH];
static _Thread_local unsigned left;

uint64_t request_id_random(void)
{
    if (left == 0) {
        digest_random_many(batch, sizeof(batch));
        left = BATCH;
    }
    return batch[--left];
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight values below 16, one in each byte, as digits: those past 9 skip what lies between '9' and
 * 'a'. */
static inline uint64_t digits_of(uint64_t values)
{
    uint64_t past_9 = (values + EACH_BYTE(6)) >> 4 & EACH_BYTE(1);
    return values + EACH_BYTE('0') + past_9 * ('a' - '0' - 10);
}

void request_id_print_bits(uint64_t bits, char into[16])
{
    uint64_t low = digits_of(bits & EACH_BYTE(15)), high = digits_of(bits >> 4 & EACH_BYTE(15));
    memcpy(into, &low, sizeof(low));
    memcpy(into + 8, &high, sizeof(high));
}

struct text request_id_print_new(char into[REQUEST_ID_SIZE])
{
    request_id_print_bits(request_id_random(), into);
    request_id_print_bits(request_id_random(), into + 16);
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
