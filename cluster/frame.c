/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.c - framing, and reading a file frame by frame through one buffer.
 */
#include "cluster/frame.h"

#include "cluster/disk.h"
#include "cluster/pack.h"
#include "conf/base/digest.h"
#include "conf/base/mem.h"

#define MAGIC       "\xffGWf"
#define MAGIC_SIZE  4
#define CRC_END     8 /* the checksum covers what is behind it */
#define BUFFER_SIZE ((size_t)1 << 20)

void frame_add(struct builder *b, uint8_t kind, uint64_t durable, struct text payload)
{
    MUST(payload.length <= FRAME_PAYLOAD_MAX);
    struct builder head;
    builder_init(&head, FRAME_HEAD_SIZE);
    pack_add_u32(&head, (uint32_t)payload.length);
    pack_add_u8(&head, kind);
    builder_add(&head, text_from("\0\0\0", 3));
    pack_add_u64(&head, durable);

    uint32_t crc = digest_crc32c(0, builder_text(&head));
    builder_add(b, text_from(MAGIC, MAGIC_SIZE));
    pack_add_u32(b, digest_crc32c(crc, payload));
    builder_add(b, builder_text(&head));
    builder_add(b, payload);
    builder_fini(&head);
}

enum frame_result frame_parse(struct text bytes, struct frame *frame_out, size_t *size_out)
{
    if (bytes.length < FRAME_HEAD_SIZE) {
        *size_out = FRAME_HEAD_SIZE;
        return FRAME_SHORT;
    }
    struct pack_reader r = pack_reader_of(bytes);
    struct text magic = pack_read_bytes(&r, MAGIC_SIZE);
    uint32_t crc = pack_read_u32(&r);
    uint32_t length = pack_read_u32(&r);
    uint8_t kind = pack_read_u8(&r);
    struct text zero = pack_read_bytes(&r, 3);
    uint64_t durable = pack_read_u64(&r);
    if (memcmp(magic.at, MAGIC, MAGIC_SIZE) != 0 || memcmp(zero.at, "\0\0\0", 3) != 0 ||
        length > FRAME_PAYLOAD_MAX)
        return FRAME_BAD;

    *size_out = FRAME_HEAD_SIZE + (size_t)length;
    if (bytes.length < *size_out)
        return FRAME_SHORT;
    if (digest_crc32c(0, text_from(bytes.at + CRC_END, *size_out - CRC_END)) != crc)
        return FRAME_BAD;
    *frame_out = (struct frame){ kind, durable, text_from(bytes.at + FRAME_HEAD_SIZE, length) };
    return FRAME_WHOLE;
}

size_t frame_find(struct text bytes, size_t from)
{
    if (from >= bytes.length)
        return bytes.length;
    const char *at = memmem(bytes.at + from, bytes.length - from, MAGIC, MAGIC_SIZE);
    return at == NULL ? bytes.length : (size_t)(at - bytes.at);
}

void frame_reader_init(struct frame_reader *r, int fd, uint64_t at, uint64_t end)
{
    *r = (struct frame_reader){ .fd = fd, .at = at, .end = end };
}

void frame_reader_fini(struct frame_reader *r)
{
    MEM_FREE(&r->buffer);
    r->size = r->length = r->consumed = 0;
}

/* Makes `needed` bytes from r->at stand in the buffer, or as many as there are before r->end. */
static enum disk_result fill(struct frame_reader *r, size_t needed, const char **why_out)
{
    size_t kept = r->length - r->consumed;
    MUST(r->buffer != NULL || kept == 0);
    if (kept > 0 && r->consumed > 0)
        memmove(r->buffer, r->buffer + r->consumed, kept);
    r->consumed = 0;
    r->length = kept;
    if (needed > r->size) {
        r->size = needed > BUFFER_SIZE ? needed : BUFFER_SIZE;
        r->buffer = mem_resize(r->buffer, r->size);
    }
    uint64_t from = r->at + kept;
    size_t room = r->size - kept;
    if (from + room > r->end)
        room = from < r->end ? (size_t)(r->end - from) : 0;
    size_t got = 0;
    enum disk_result result = disk_read(r->fd, r->buffer + kept, room, from, &got, why_out);
    if (result == DISK_DONE)
        r->length += got;
    return result;
}

static struct text waiting(const struct frame_reader *r)
{
    if (r->buffer == NULL)
        return TEXT_EMPTY;
    return text_from(r->buffer + r->consumed, r->length - r->consumed);
}

static void move_on(struct frame_reader *r, size_t size)
{
    r->consumed += size;
    r->at += size;
}

enum frame_read frame_reader_next(struct frame_reader *r, struct frame *frame_out,
                                  const char **why_out)
{
    if (r->at >= r->end)
        return FRAME_READ_END;
    size_t size = FRAME_HEAD_SIZE;
    for (;;) {
        enum frame_result result = FRAME_SHORT;
        if (r->buffer != NULL)
            result = frame_parse(waiting(r), frame_out, &size);
        if (result == FRAME_BAD)
            return FRAME_READ_TORN;
        if (result == FRAME_WHOLE) {
            move_on(r, size);
            return FRAME_READ_DONE;
        }
        if (size > r->end - r->at)
            return FRAME_READ_TORN;
        if (fill(r, size, why_out) != DISK_DONE)
            return FRAME_READ_BROKEN;
        if (waiting(r).length < size)
            return FRAME_READ_TORN; /* the file became shorter */
    }
}

enum frame_read frame_reader_resync(struct frame_reader *r, struct frame *frame_out,
                                    const char **why_out)
{
    /* A whole frame may stand right here: then nothing is to be skipped. */
    enum frame_read here = frame_reader_next(r, frame_out, why_out);
    if (here != FRAME_READ_TORN)
        return here;
    for (;;) {
        if (waiting(r).length <= FRAME_HEAD_SIZE) {
            if (fill(r, BUFFER_SIZE, why_out) != DISK_DONE)
                return FRAME_READ_BROKEN;
            if (waiting(r).length <= FRAME_HEAD_SIZE)
                return FRAME_READ_END;
        }
        move_on(r, 1);
        size_t found = frame_find(waiting(r), 0);
        if (found == waiting(r).length) {
            /* The magic may lie across the end of what was read. */
            move_on(r, found - MAGIC_SIZE);
            continue;
        }
        move_on(r, found);
        enum frame_read result = frame_reader_next(r, frame_out, why_out);
        if (result != FRAME_READ_TORN)
            return result;
    }
}
