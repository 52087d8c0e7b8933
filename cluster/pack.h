/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.h - numbers and texts as bytes in a file: little-endian, texts with their length before
 * them. Reading past the end makes the reader bad and gives zeros: callers look once, at the end.
 */
#ifndef CLUSTER_PACK_H
#define CLUSTER_PACK_H

#include "conf/base/builder.h"
#include "conf/base/text.h"

void pack_add_u8(struct builder *b, uint8_t value);
void pack_add_u32(struct builder *b, uint32_t value);
void pack_add_u64(struct builder *b, uint64_t value);
void pack_add_short_text(struct builder *b, struct text t); /* at most 255 bytes (MUST) */
void pack_add_text(struct builder *b, struct text t);       /* less than 4 GiB (MUST) */

struct pack_reader {
    const char *at;
    const char *end;
    bool is_bad;
};

struct pack_reader pack_reader_of(struct text bytes);
uint8_t pack_read_u8(struct pack_reader *r);
uint32_t pack_read_u32(struct pack_reader *r);
uint64_t pack_read_u64(struct pack_reader *r);
struct text pack_read_bytes(struct pack_reader *r, size_t length); /* borrowed */
struct text pack_read_short_text(struct pack_reader *r);           /* borrowed */
struct text pack_read_text(struct pack_reader *r);                 /* borrowed */
struct text pack_read_rest(struct pack_reader *r);                 /* borrowed */

/* Everything was read and nothing was missing. */
bool pack_reader_is_done(const struct pack_reader *r);

#endif
