/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest_crc.c - CRC-32 eight bytes at a time by tables; Castagnoli's by the processor where it
 * can.
 */
#include "conf/base/digest.h"

#include <endian.h>

#define IEEE_POLYNOMIAL       0xedb88320u /* both bit-reversed */
#define CASTAGNOLI_POLYNOMIAL 0x82f63b78u

/* at[k][b]: what byte b does to the register when k more zero bytes follow. */
struct table {
    uint32_t at[8][256];
};

typedef uint32_t crc_fn(uint32_t crc, const unsigned char *at, size_t length);

static struct table ieee;
static struct table castagnoli;
static crc_fn *crc32c_best;

static void fill_table(struct table *t, uint32_t polynomial)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        t->at[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++) {
        for (int k = 1; k < 8; k++)
            t->at[k][b] = t->at[k - 1][b] >> 8 ^ t->at[0][t->at[k - 1][b] & 255];
    }
}

static uint64_t load8(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return le64toh(word);
}

static uint32_t crc_by_table(const struct table *t, uint32_t crc, const unsigned char *at,
                             size_t length)
{
    for (; length >= 8; at += 8, length -= 8) {
        uint64_t word = load8(at) ^ crc;
        crc = 0;
        for (int k = 0; k < 8; k++)
            crc ^= t->at[7 - k][word >> 8 * k & 255];
    }
    for (; length > 0; at++, length--)
        crc = crc >> 8 ^ t->at[0][(crc ^ *at) & 255];
    return crc;
}

static uint32_t crc32c_by_table(uint32_t crc, const unsigned char *at, size_t length)
{
    return crc_by_table(&castagnoli, crc, at, length);
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_by_sse(uint32_t crc,
                                                                const unsigned char *at,
                                                                size_t length)
{
    uint64_t wide = crc;
    for (; length >= 8; at += 8, length -= 8)
        wide = __builtin_ia32_crc32di(wide, load8(at));
    crc = (uint32_t)wide;
    for (; length > 0; at++, length--)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return crc;
}

static crc_fn *choose_crc32c(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") ? crc32c_by_sse : crc32c_by_table;
}
#else
static crc_fn *choose_crc32c(void)
{
    return crc32c_by_table;
}
#endif

/* Before main, so that no call needs to check. */
__attribute__((constructor)) static void prepare(void)
{
    fill_table(&ieee, IEEE_POLYNOMIAL);
    fill_table(&castagnoli, CASTAGNOLI_POLYNOMIAL);
    crc32c_best = choose_crc32c();
}

uint32_t digest_crc32(struct text t)
{
    return ~crc_by_table(&ieee, ~0u, (const unsigned char *)t.at, t.length);
}

uint32_t digest_crc32c(uint32_t seed, struct text t)
{
    return ~crc32c_best(~seed, (const unsigned char *)t.at, t.length);
}

uint32_t digest_crc32c_portable(uint32_t seed, struct text t)
{
    return ~crc32c_by_table(~seed, (const unsigned char *)t.at, t.length);
}
