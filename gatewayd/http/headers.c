/* SPDX-License-Identifier: Apache-2.0 */
/*
 * headers.c - header fields in order, and the numbers of the well-known names.
 *
 * Names are numbered for every line of every message: one hash of the length and three bytes, one
 * probe, one comparison of words. The table is filled from headers.def when the program starts, so
 * that a new row needs nothing here.
 */
#include "gatewayd/http/headers.h"

#define NAME_MAX_LENGTH 32
#define TABLE_SIZE      512

const struct text header_id_names[HEADER_COUNT] = {
#define HEADER(symbol, name, bits) [HEADER_##symbol] = TEXT(name),
#include "gatewayd/http/headers.def"
#undef HEADER
};

const unsigned char header_id_bits[HEADER_COUNT] = {
#define HEADER(symbol, name, bits) [HEADER_##symbol] = bits,
#include "gatewayd/http/headers.def"
#undef HEADER
};

/* What a name is compared with. */
struct row {
    size_t length;
    char lower[NAME_MAX_LENGTH];
    char letters[NAME_MAX_LENGTH]; /* 0x20 where a letter stands */
};

static struct row rows[HEADER_COUNT];

static unsigned char table[TABLE_SIZE]; /* HEADER_OTHER: free */

_Static_assert(HEADER_COUNT <= 128, "headers.present is two words");

static inline unsigned hash(struct text name)
{
    unsigned first = name.at[0] | 0x20, last = name.at[name.length - 1] | 0x20;
    unsigned middle = name.at[name.length / 2] | 0x20;
    return (unsigned)(name.length * 131 + first * 37 + middle * 11 + last * 5) % TABLE_SIZE;
}

__attribute__((constructor)) static void fill_table(void)
{
    for (unsigned id = HEADER_OTHER + 1; id < HEADER_COUNT; id++) {
        struct text name = header_id_names[id];
        struct row *row = &rows[id];
        MUST(name.length >= 1 && name.length <= NAME_MAX_LENGTH);
        row->length = name.length;
        for (size_t i = 0; i < name.length; i++) {
            char low = (char)(name.at[i] | 0x20);
            bool is_letter = low >= 'a' && low <= 'z';
            row->letters[i] = is_letter ? 0x20 : 0;
            row->lower[i] = is_letter ? low : name.at[i];
        }
        unsigned at = hash(name);
        while (table[at] != HEADER_OTHER)
            at = (at + 1) % TABLE_SIZE;
        table[at] = (unsigned char)id;
    }
}

static inline uint64_t load64(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint32_t load32(const char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* Lengths are equal. Words overlap at the end, so that nothing outside the name is read. */
static inline bool is_name(const struct row *row, const char *at, size_t length)
{
    if (length >= 8) {
        size_t i = 0;
        for (; i + 8 < length; i += 8) {
            if ((load64(at + i) | load64(row->letters + i)) != load64(row->lower + i))
                return false;
        }
        i = length - 8;
        return (load64(at + i) | load64(row->letters + i)) == load64(row->lower + i);
    }
    if (length >= 4) {
        size_t i = length - 4;
        return (load32(at) | load32(row->letters)) == load32(row->lower) &&
               (load32(at + i) | load32(row->letters + i)) == load32(row->lower + i);
    }
    for (size_t i = 0; i < length; i++) {
        if ((at[i] | row->letters[i]) != row->lower[i])
            return false;
    }
    return true;
}

enum header_id header_id_find(struct text name)
{
    if (name.length == 0 || name.length > NAME_MAX_LENGTH)
        return HEADER_OTHER;
    unsigned at = hash(name);
    for (; table[at] != HEADER_OTHER; at = (at + 1) % TABLE_SIZE) {
        const struct row *row = &rows[table[at]];
        if (row->length == name.length && is_name(row, name.at, name.length))
            return (enum header_id)table[at];
    }
    return HEADER_OTHER;
}

void headers_init(struct headers *f, struct header *items, unsigned capacity)
{
    *f = (struct headers){ .items = items, .capacity = capacity };
}

bool headers_add_named(struct headers *f, struct text name, struct text value)
{
    return headers_add(f, header_id_find(name), name, value);
}

/* The first from `from` on that is still there and has the name. */
static struct header *find_from(const struct headers *f, unsigned from, enum header_id id,
                                struct text name)
{
    for (unsigned i = from; i < f->count; i++) {
        struct header *h = &f->items[i];
        if (h->id != id || h->is_removed)
            continue;
        if (id != HEADER_OTHER || text_equals_nocase(h->name, name))
            return h;
    }
    return NULL;
}

struct header *headers_find_present(const struct headers *f, enum header_id id)
{
    MUST(id != HEADER_OTHER);
    return find_from(f, 0, id, TEXT_EMPTY);
}

struct header *headers_find_named(const struct headers *f, struct text name)
{
    enum header_id id = header_id_find(name);
    if (!headers_has(f, id))
        return NULL;
    return find_from(f, 0, id, name);
}

struct header *headers_find_next(const struct headers *f, const struct header *field)
{
    return find_from(f, (unsigned)(field - f->items) + 1, field->id, field->name);
}

static void remove_all(struct headers *f, enum header_id id, struct text name)
{
    if (!headers_has(f, id))
        return;
    struct header *h = find_from(f, 0, id, name);
    for (; h != NULL; h = headers_find_next(f, h))
        h->is_removed = true;
}

void headers_remove_present(struct headers *f, enum header_id id)
{
    MUST(id != HEADER_OTHER);
    remove_all(f, id, TEXT_EMPTY);
}

void headers_remove_named(struct headers *f, struct text name)
{
    remove_all(f, header_id_find(name), name);
}

bool header_is_lookalike(struct text name)
{
    char plain[NAME_MAX_LENGTH];

    if (name.length > NAME_MAX_LENGTH || memchr(name.at, '_', name.length) == NULL)
        return false;
    for (size_t i = 0; i < name.length; i++)
        plain[i] = (char)(name.at[i] == '_' ? '-' : name.at[i]);
    enum header_id id = header_id_find(text_from(plain, name.length));
    return id != HEADER_OTHER &&
           (header_id_flags(id) & (HEADER_OURS | HEADER_FRAMING | HEADER_HOP)) != 0;
}

void headers_remove_lookalikes(struct headers *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        struct header *h = &f->items[i];
        if (h->id == HEADER_OTHER && header_is_lookalike(h->name))
            h->is_removed = true;
    }
}

bool headers_set_named(struct headers *f, struct text name, struct text value)
{
    enum header_id id = header_id_find(name);
    remove_all(f, id, name);
    return headers_add(f, id, name, value);
}

/* The length of all lines joined. */
static size_t joined_length(const struct headers *f, const struct header *first)
{
    size_t length = 0;
    for (const struct header *h = first; h != NULL; h = headers_find_next(f, h))
        length += h->value.length + 2;
    return length - 2;
}

bool headers_join(const struct headers *f, struct text name, struct arena *arena,
                  struct text *joined_out)
{
    const struct header *first = headers_find_named(f, name);
    if (first == NULL)
        return false;
    if (headers_find_next(f, first) == NULL) {
        *joined_out = first->value;
        return true;
    }
    size_t length = joined_length(f, first);
    char *at = arena_try_alloc(arena, length);
    if (at == NULL)
        return false;
    *joined_out = text_from(at, length);
    for (const struct header *h = first; h != NULL; h = headers_find_next(f, h)) {
        if (h != first) {
            memcpy(at, ", ", 2);
            at += 2;
        }
        if (h->value.length > 0)
            memcpy(at, h->value.at, h->value.length);
        at += h->value.length;
    }
    return true;
}

bool header_list_has(struct text value, struct text token)
{
    struct text rest = value, piece;
    if (rest.at == NULL)
        return false;
    while (text_cut(&rest, ',', &piece)) {
        if (text_equals_nocase(text_trim(piece), token))
            return true;
    }
    return false;
}
