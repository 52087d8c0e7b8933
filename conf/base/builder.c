/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder.c - text that grows by doubling, never past its ceiling. One byte of room is always kept
 * for the NUL that builder_take adds.
 */
#include "conf/base/builder.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/base/mem.h"

#define FIRST_SIZE ((size_t)128)

void builder_init(struct builder *b, size_t ceiling)
{
    *b = (struct builder){ .ceiling = ceiling };
}

void builder_fini(struct builder *b)
{
    MEM_BLOCK_FREE(&b->at, b->size);
    builder_init(b, b->ceiling);
}

bool builder_fini_some(struct builder *b)
{
    b->length = 0;
    if (MEM_BLOCK_FREE_SOME(&b->at, &b->size))
        return true;
    builder_init(b, b->ceiling);
    return false;
}

void builder_clear(struct builder *b)
{
    b->length = 0;
    b->full = false;
}

static size_t larger_size(size_t size, size_t needed)
{
    if (size == 0)
        size = FIRST_SIZE;
    while (size < needed)
        size = size > SIZE_MAX / 2 ? needed : size * 2;
    return size;
}

/* Room for `more` bytes and a NUL, or the builder is full from now on. */
static bool make_room(struct builder *b, size_t more)
{
    if (b->full || more > b->ceiling - b->length || b->length + more == SIZE_MAX) {
        b->full = true;
        return false;
    }
    size_t needed = b->length + more + 1;
    if (needed > b->size) {
        size_t size = larger_size(b->size, needed);
        b->at = mem_block_resize(b->at, b->size, size);
        b->size = size;
    }
    return true;
}

void builder_add(struct builder *b, struct text piece)
{
    if (piece.length == 0 || !make_room(b, piece.length))
        return;
    memcpy(b->at + b->length, piece.at, piece.length);
    b->length += piece.length;
}

void builder_add_byte(struct builder *b, char byte)
{
    if (!make_room(b, 1))
        return;
    b->at[b->length++] = byte;
}

void builder_add_u64(struct builder *b, uint64_t value)
{
    char digits[TEXT_NUMBER_SIZE];
    builder_add(b, text_print_u64(value, digits));
}

void builder_addf(struct builder *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    size_t room = b->size - b->length;
    int length = vsnprintf(b->at == NULL ? NULL : b->at + b->length, room, format, args);
    va_end(args);
    MUST(length >= 0);

    /* What fitted into the room there was stands already. */
    if (make_room(b, (size_t)length)) {
        if ((size_t)length >= room)
            vsnprintf(b->at + b->length, (size_t)length + 1, format, again);
        b->length += (size_t)length;
    }
    va_end(again);
}

bool builder_is_full(const struct builder *b)
{
    return b->full;
}

struct text builder_text(const struct builder *b)
{
    return text_from(b->at, b->length);
}

char *builder_take(struct builder *b, size_t *length_out)
{
    char *bytes = mem_copy_text(b->at, b->length);
    if (length_out != NULL)
        *length_out = b->length;
    builder_fini(b);
    return bytes;
}
