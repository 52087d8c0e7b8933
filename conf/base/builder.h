/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder.h - text that is put together piece by piece, up to a ceiling.
 *
 * Past the ceiling nothing more is added and builder_is_full() says so: callers check once, at the
 * end. One owner, one thread.
 */
#ifndef CONF_BASE_BUILDER_H
#define CONF_BASE_BUILDER_H

#include "conf/base/text.h"

struct builder {
    char *at;
    size_t length;
    size_t size;
    size_t ceiling;
    bool full;
};

void builder_init(struct builder *b, size_t ceiling);
void builder_fini(struct builder *b);
bool builder_fini_some(struct builder *b); /* about a megabyte of it; true if there is more */
void builder_clear(struct builder *b);     /* keeps the memory */

void builder_add(struct builder *b, struct text piece);
void builder_add_byte(struct builder *b, char byte);
void builder_add_u64(struct builder *b, uint64_t value);
void builder_addf(struct builder *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* A JSON string with its quotes, escaped (RFC 8259); bytes that are not UTF-8 become U+FFFD. */
void builder_add_json(struct builder *b, struct text piece);

bool builder_is_full(const struct builder *b);
struct text builder_text(const struct builder *b); /* borrowed until the next change */

/* The bytes with a NUL, owned by the caller (free with MEM_FREE); the builder is empty after. */
char *builder_take(struct builder *b, size_t *length_out);

#endif
