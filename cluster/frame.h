/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame.h - records in a file that is only appended to: each with its length and a CRC-32C.
 *
 *     magic 4 · crc 4 · length 4 · kind 1 · zero 3 · durable 8 · payload
 *
 * `crc` covers everything behind it. `durable` is how much of the file was known to be on the disk
 * when the frame was written: with it a reader tells a tail that a crash tore (nobody was told it
 * was done) from damage to something acknowledged. The magic starts with a byte that UTF-8 never
 * has; it is only there to find the next frame after damage.
 */
#ifndef CLUSTER_FRAME_H
#define CLUSTER_FRAME_H

#include "conf/base/builder.h"
#include "conf/base/text.h"

#define FRAME_HEAD_SIZE   24
#define FRAME_PAYLOAD_MAX ((size_t)64 << 20)

struct frame {
    uint8_t kind;
    uint64_t durable;
    struct text payload; /* borrowed from the bytes it was read from */
};

/* Appends the frame to `b`; a payload past FRAME_PAYLOAD_MAX is a bug. */
void frame_add(struct builder *b, uint8_t kind, uint64_t durable, struct text payload);

enum frame_result {
    FRAME_WHOLE,
    FRAME_SHORT, /* the bytes end before the frame does */
    FRAME_BAD    /* no frame, or its checksum is wrong */
};

/* `size_out` is the frame's whole size (WHOLE), or how many bytes are needed (SHORT). */
MUST_USE enum frame_result frame_parse(struct text bytes, struct frame *frame_out,
                                       size_t *size_out);

/* Where in `bytes` a frame could begin, from `from` on; bytes.length when nowhere. */
size_t frame_find(struct text bytes, size_t from);

/* ---- one after the other from a file ---- */

struct frame_reader {
    int fd;
    uint64_t at;  /* offset in the file of the frame that frame_reader_next reads next */
    uint64_t end; /* offset where reading stops */
    char *buffer;
    size_t size;
    size_t length;   /* bytes in the buffer */
    size_t consumed; /* of those */
};

enum frame_read {
    FRAME_READ_DONE, /* a frame; the reader is past it; valid until the next call */
    FRAME_READ_END,
    FRAME_READ_TORN,  /* bytes at r->at that are no whole frame */
    FRAME_READ_BROKEN /* the file cannot be read */
};

void frame_reader_init(struct frame_reader *r, int fd, uint64_t at, uint64_t end);
void frame_reader_fini(struct frame_reader *r);
MUST_USE enum frame_read frame_reader_next(struct frame_reader *r, struct frame *frame_out,
                                           const char **why_out);

/* After TORN, and again and again: the next whole frame, wherever it begins. DONE, END or BROKEN.
 */
MUST_USE enum frame_read frame_reader_resync(struct frame_reader *r, struct frame *frame_out,
                                             const char **why_out);

#endif
