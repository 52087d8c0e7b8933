/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_hash.c - a hash that a peer cannot aim at (SipHash-1-3 with a key of this process), and one
 * that is the same everywhere.
 */
#include "conf/base/text.h"

#include <sys/random.h>

#include "conf/base/text_private.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t process_key[2];

/* Before main, so that hashing needs no check and no lock. */
__attribute__((constructor)) static void make_process_key(void)
{
    MUST(getrandom(process_key, sizeof(process_key), 0) == (ssize_t)sizeof(process_key));
}

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32) + s->v3;
    s->v2 += s->v1;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
}

static inline void sip_add(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

static inline uint64_t sip_end(struct sip *s)
{
    s->v2 ^= 0xff;
    sip_round(s);
    sip_round(s);
    sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* `lower` is a constant at both callers: the compiler makes two loops of this one. */
static inline uint64_t sip_hash(struct text t, const uint64_t key[2], bool lower)
{
    struct sip s = {
        .v0 = key[0] ^ UINT64_C(0x736f6d6570736575),
        .v1 = key[1] ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key[0] ^ UINT64_C(0x6c7967656e657261),
        .v3 = key[1] ^ UINT64_C(0x7465646279746573),
    };
    const char *at = t.at;
    size_t left = t.length;
    for (; left >= 8; at += 8, left -= 8) {
        uint64_t word = text_load8(at);
        sip_add(&s, lower ? text_lower8(word) : word);
    }
    uint64_t tail = text_load_tail(at, left);
    sip_add(&s, (lower ? text_lower8(tail) : tail) | (uint64_t)t.length << 56);
    return sip_end(&s);
}

uint64_t text_hash(struct text t)
{
    return sip_hash(t, process_key, false);
}

uint64_t text_hash_nocase(struct text t)
{
    return sip_hash(t, process_key, true);
}

uint64_t text_hash_keyed(struct text t, const uint64_t key[2])
{
    return sip_hash(t, key, false);
}

/* FNV-1a spreads badly in its high bits; the finish is the 64-bit one of MurmurHash3. */
uint64_t text_hash_stable(struct text t)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < t.length; i++)
        hash = (hash ^ (unsigned char)t.at[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}
