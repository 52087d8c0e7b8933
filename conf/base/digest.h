/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest.h - SHA-256, HMAC-SHA-256, CRC-32, hex and random bytes. The only file of the ground
 * floor that knows OpenSSL's libcrypto. Any thread.
 */
#ifndef CONF_BASE_DIGEST_H
#define CONF_BASE_DIGEST_H

#include "conf/base/text.h"

#define DIGEST_SIZE 32

struct digest {
    unsigned char bytes[DIGEST_SIZE];
};

struct digest digest_sha256(struct text t);
struct digest digest_hmac(struct text secret, struct text t);

/* For names only (Redis knows scripts by it), never for anything that must not be forged. */
#define DIGEST_SHA1_SIZE 20
void digest_sha1(struct text t, unsigned char into[DIGEST_SHA1_SIZE]);

bool digest_equals(const struct digest *a, const struct digest *b); /* in constant time */

uint32_t digest_crc32(struct text t); /* IEEE 802.3, as zlib's */

/* Castagnoli's, for the journal. Seed 0, or the result for what stands before `t`. The portable one
 * is what processors without an instruction for it use. */
uint32_t digest_crc32c(uint32_t seed, struct text t);
uint32_t digest_crc32c_portable(uint32_t seed, struct text t);

/* Lower-case hex of `size` bytes and a NUL: 2 * size + 1 bytes at `into`. */
struct text digest_print_hex(const void *bytes, size_t size, char *into);
MUST_USE bool digest_parse_hex(struct text t, void *bytes_out, size_t size);

/* From the kernel's generator; running dry is a bug. */
void digest_random(void *bytes_out, size_t size);

/* Much of it, at a tenth of the kernel's price: from the thread's own generator, which the kernel
 * seeds. As hard to guess; for what is needed in every request. */
void digest_random_many(void *bytes_out, size_t size);

#endif
