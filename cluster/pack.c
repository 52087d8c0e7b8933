/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.c - fixed-width little-endian integers and counted texts.
 */
#include "cluster/pack.h"

#include <endian.h>

void pack_add_u8(struct builder *b, uint8_t value)
{
    builder_add_byte(b, (char)value);
}

void pack_add_u32(struct builder *b, uint32_t value)
{
    value = htole32(value);
    builder_add(b, text_from((const char *)&value, sizeof(value)));
}

void pack_add_u64(struct builder *b, uint64_t value)
{
    value = htole64(value);
    builder_add(b, text_from((const char *)&value, sizeof(value)));
}

void pack_add_short_text(struct builder *b, struct text t)
{
    MUST(t.length <= UINT8_MAX);
    pack_add_u8(b, (uint8_t)t.length);
    builder_add(b, t);
}

void pack_add_text(struct builder *b, struct text t)
{
    MUST(t.length <= UINT32_MAX);
    pack_add_u32(b, (uint32_t)t.length);
    builder_add(b, t);
}

struct pack_reader pack_reader_of(struct text bytes)
{
    if (bytes.at == NULL)
        bytes.at = "";
    return (struct pack_reader){ .at = bytes.at, .end = bytes.at + bytes.length };
}

struct text pack_read_bytes(struct pack_reader *r, size_t length)
{
    if (r->is_bad || length > (size_t)(r->end - r->at)) {
        r->is_bad = true;
        return TEXT_EMPTY;
    }
    struct text t = text_from(r->at, length);
    r->at += length;
    return t;
}

uint8_t pack_read_u8(struct pack_reader *r)
{
    struct text t = pack_read_bytes(r, 1);
    return t.length == 0 ? 0 : (uint8_t)t.at[0];
}

uint32_t pack_read_u32(struct pack_reader *r)
{
    uint32_t value = 0;
    struct text t = pack_read_bytes(r, sizeof(value));
    if (t.length != 0)
        memcpy(&value, t.at, sizeof(value));
    return le32toh(value);
}

uint64_t pack_read_u64(struct pack_reader *r)
{
    uint64_t value = 0;
    struct text t = pack_read_bytes(r, sizeof(value));
    if (t.length != 0)
        memcpy(&value, t.at, sizeof(value));
    return le64toh(value);
}

struct text pack_read_short_text(struct pack_reader *r)
{
    return pack_read_bytes(r, pack_read_u8(r));
}

struct text pack_read_text(struct pack_reader *r)
{
    return pack_read_bytes(r, pack_read_u32(r));
}

struct text pack_read_rest(struct pack_reader *r)
{
    return pack_read_bytes(r, r->is_bad ? 0 : (size_t)(r->end - r->at));
}

bool pack_reader_is_done(const struct pack_reader *r)
{
    return !r->is_bad && r->at == r->end;
}
