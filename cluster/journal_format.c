/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_format.c - the bytes of the header and of an entry, and the table of where entries are.
 */
#include "cluster/journal_private.h"
#include "cluster/pack.h"
#include "conf/base/digest.h"
#include "conf/base/mem.h"

#define MAGIC      "GWJOURN\n"
#define MAGIC_SIZE 8
#define CRC_AT     12

static void add_id(struct builder *b, const struct entry_id *id)
{
    builder_add(b, text_from((const char *)id->bytes, ENTRY_ID_SIZE));
}

static struct entry_id read_id(struct pack_reader *r)
{
    struct entry_id id = { { 0 } };
    struct text bytes = pack_read_bytes(r, ENTRY_ID_SIZE);
    if (bytes.length == ENTRY_ID_SIZE)
        memcpy(id.bytes, bytes.at, ENTRY_ID_SIZE);
    return id;
}

/* Of the whole header but the checksum itself. */
static uint32_t head_crc(struct text bytes)
{
    uint32_t crc = digest_crc32c(0, text_first(bytes, CRC_AT));
    return digest_crc32c(crc, text_skip(bytes, CRC_AT + sizeof(crc)));
}

void journal_head_print(const struct journal_head *head, struct builder *b)
{
    builder_clear(b);
    builder_add(b, text_from(MAGIC, MAGIC_SIZE));
    pack_add_u32(b, JOURNAL_VERSION);
    pack_add_u32(b, 0);
    add_id(b, &head->cluster_id);
    pack_add_u64(b, head->base);
    add_id(b, &head->base_id);
    pack_add_u64(b, head->sealed);
    pack_add_u64(b, (uint64_t)head->created_ms);
    while (b->length < JOURNAL_HEAD_SIZE)
        pack_add_u8(b, 0);
    uint32_t crc = head_crc(builder_text(b));
    for (size_t i = 0; i < sizeof(crc); i++)
        b->at[CRC_AT + i] = (char)(crc >> 8 * i & 0xff);
}

enum journal_head_result journal_head_parse(struct text bytes, struct journal_head *head)
{
    struct pack_reader r = pack_reader_of(bytes);
    struct text magic = pack_read_bytes(&r, MAGIC_SIZE);
    if (!text_equals(magic, text_from(MAGIC, MAGIC_SIZE)))
        return JOURNAL_HEAD_FOREIGN;
    if (pack_read_u32(&r) != JOURNAL_VERSION)
        return JOURNAL_HEAD_VERSION;
    uint32_t crc = pack_read_u32(&r);
    if (bytes.length != JOURNAL_HEAD_SIZE || head_crc(bytes) != crc)
        return JOURNAL_HEAD_BAD;
    head->cluster_id = read_id(&r);
    head->base = pack_read_u64(&r);
    head->base_id = read_id(&r);
    head->sealed = pack_read_u64(&r);
    head->created_ms = (int64_t)pack_read_u64(&r);
    return JOURNAL_HEAD_GOOD;
}

void journal_entry_print(const struct entry_head *head, size_t parts, struct text body,
                         struct builder *b)
{
    pack_add_u64(b, head->revision);
    add_id(b, &head->id);
    add_id(b, &head->prev);
    pack_add_u64(b, (uint64_t)head->time_ms);
    pack_add_u32(b, (uint32_t)parts);
    pack_add_short_text(b, head->author);
    pack_add_text(b, head->summary);
    builder_add(b, body);
}

bool journal_entry_parse(struct text payload, struct entry_head *head_out, size_t *parts_out,
                         struct text *body_out)
{
    struct pack_reader r = pack_reader_of(payload);
    struct entry_head head;
    head.revision = pack_read_u64(&r);
    head.id = read_id(&r);
    head.prev = read_id(&r);
    head.time_ms = (int64_t)pack_read_u64(&r);
    size_t parts = pack_read_u32(&r);
    head.author = pack_read_short_text(&r);
    head.summary = pack_read_text(&r);
    struct text body = pack_read_rest(&r);
    if (!pack_reader_is_done(&r))
        return false;
    *head_out = head;
    *parts_out = parts;
    *body_out = body;
    return true;
}

void journal_index_init(struct journal_index *index)
{
    *index = (struct journal_index){ 0 };
}

void journal_index_fini(struct journal_index *index)
{
    MEM_FREE(&index->offsets);
    journal_index_init(index);
}

void journal_index_add(struct journal_index *index, uint64_t revision, uint64_t offset)
{
    if (index->count == 0)
        index->first = revision;
    MUST(revision == index->first + index->count);
    if (index->count == index->size) {
        index->size = index->size == 0 ? 256 : index->size * 2;
        index->offsets = mem_resize(index->offsets, index->size * sizeof(*index->offsets));
    }
    index->offsets[index->count++] = offset;
}

bool journal_index_find(const struct journal_index *index, uint64_t revision, uint64_t *offset_out)
{
    if (index->count == 0 || revision < index->first || revision - index->first >= index->count)
        return false;
    *offset_out = index->offsets[revision - index->first];
    return true;
}
