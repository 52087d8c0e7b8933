/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells are 32 bits of the hash beside the tally's number; their top bits say where probing begins.
 * Tallies live in pages that never move; free ones are stacked, with a counter against a number
 * that comes back between a look and the swap.
 */
#include "gatewayd/policy/tallies.h"

#include "conf/base/mem.h"

#define EMPTY          0u
#define REMOVED        1u
#define SEALED         2u
#define NUMBER_BASE    3u
#define SHIFT_FIRST    17
#define PAGE_SHIFT     10
#define PAGE           (1u << PAGE_SHIFT)
#define PAGES          16384
#define PROBES         1024 /* the longest search; the same for everybody */
#define MOVES_TIDY     262144
#define TIDY_MOST      65536
#define ROOM_STRANGERS 70 /* percent of the cells */
#define ROOM           90

struct cells {
    unsigned shift;
    _Atomic uint64_t used; /* not empty */
    _Atomic uint64_t at[];
};

/* One pointer to both, so that nobody sees one without the other. */
struct view {
    struct cells *current;
    struct cells *previous; /* being sealed; NULL unless growing */
};

struct page {
    _Atomic uint64_t marks[PAGE / 64];
    struct tally tallies[PAGE];
};

struct tallies {
    struct turns_queue queue;
    _Atomic(struct view *) view;
    size_t moved; /* cells of the previous array that have been sealed or moved */
    size_t strangers_most;
    _Atomic uint64_t count;
    _Atomic uint64_t strangers;
    _Atomic uint64_t free; /* counter << 32 | number + 1 */
    _Atomic uint32_t used; /* numbers taken once */
    _Atomic(struct page *) pages[PAGES];
};

/* ---- pages ---- */

static struct tally *tally_at(const struct tallies *t, uint32_t number)
{
    struct page *page = atomic_load_explicit(&t->pages[number >> PAGE_SHIFT], memory_order_acquire);
    return &page->tallies[number & (PAGE - 1)];
}

static void make_page(struct tallies *t, uint32_t at)
{
    struct page *none = NULL;
    if (atomic_load_explicit(&t->pages[at], memory_order_acquire) != NULL)
        return;
    struct page *page = mem_new(sizeof(*page));
    if (!atomic_compare_exchange_strong(&t->pages[at], &none, page))
        MEM_FREE(&page);
}

/* A free tally's word is the number + 1 below it in the stack. */
static bool pop_free(struct tallies *t, uint32_t *number_out)
{
    uint64_t top = atomic_load(&t->free);
    while ((uint32_t)top != 0) {
        uint32_t number = (uint32_t)top - 1;
        uint64_t below = atomic_load(&tally_at(t, number)->word);
        uint64_t next = ((top >> 32) + 1) << 32 | (uint32_t)below;
        if (atomic_compare_exchange_weak(&t->free, &top, next)) {
            *number_out = number;
            return true;
        }
    }
    return false;
}

static void push_free(struct tallies *t, uint32_t number)
{
    struct tally *tally = tally_at(t, number);
    uint64_t top = atomic_load(&t->free);
    uint64_t next;
    do {
        atomic_store(&tally->word, (uint32_t)top);
        next = ((top >> 32) + 1) << 32 | (number + 1);
    } while (!atomic_compare_exchange_weak(&t->free, &top, next));
}

static bool take_number(struct tallies *t, uint32_t *number_out)
{
    if (pop_free(t, number_out))
        return true;
    if (atomic_load(&t->used) >= PAGES * PAGE - 1024) /* threads past this line are far fewer */
        return false;
    uint32_t number = atomic_fetch_add(&t->used, 1);
    make_page(t, number >> PAGE_SHIFT);
    *number_out = number;
    return true;
}

/* ---- names ---- */

uint64_t tallies_hash(uint32_t family, struct text subject)
{
    uint64_t hash = text_hash(subject) + family * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

struct text tally_subject(const struct tally *tally)
{
    const char *at = tally->subject;
    if (tally->length > TALLIES_INLINE)
        memcpy(&at, tally->subject, sizeof(at));
    return text_from(at, tally->length);
}

static void fill_name(struct tally *tally, const struct tally_name *name)
{
    MUST(name->subject.length <= TALLIES_SUBJECT_MOST);
    tally->family = name->family;
    tally->is_stranger = name->is_stranger;
    tally->length = (uint8_t)name->subject.length;
    if (name->subject.length <= TALLIES_INLINE) {
        memcpy(tally->subject, name->subject.at, name->subject.length);
        return;
    }
    char *copy = mem_copy_text(name->subject.at, name->subject.length);
    memcpy(tally->subject, &copy, sizeof(copy));
}

static void clear_name(struct tally *tally)
{
    if (tally->length > TALLIES_INLINE) {
        char *copy = (char *)tally_subject(tally).at;
        MEM_FREE(&copy);
    }
    tally->length = 0;
}

/* ---- searching ---- */

static size_t size_of(const struct cells *cells)
{
    return (size_t)1 << cells->shift;
}

static uint32_t piece_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static size_t home_of(const struct cells *cells, uint32_t piece)
{
    return piece >> (32 - cells->shift);
}

static uint64_t cell_of(uint32_t piece, uint32_t number)
{
    return (uint64_t)piece << 32 | (number + NUMBER_BASE);
}

static bool is_tally(uint64_t cell)
{
    return (uint32_t)cell >= NUMBER_BASE;
}

enum probe { PROBE_FOUND, PROBE_EMPTY, PROBE_SEALED, PROBE_FULL };

struct place {
    struct tally *tally;
    _Atomic uint64_t *cell;
};

static struct tally *match(const struct tallies *t, uint64_t cell, const struct tally_name *name)
{
    if ((uint32_t)(cell >> 32) != piece_of(name->hash))
        return NULL;
    struct tally *tally = tally_at(t, (uint32_t)cell - NUMBER_BASE);
    if (tally->family != name->family || !text_equals(tally_subject(tally), name->subject))
        return NULL;
    bool is_dead = atomic_load_explicit(&tally->word, memory_order_acquire) == LIMITS_LOCAL_DEAD;
    return is_dead ? NULL : tally;
}

static enum probe probe(const struct tallies *t, struct cells *cells, const struct tally_name *name,
                        struct place *out)
{
    size_t mask = size_of(cells) - 1;
    size_t i = home_of(cells, piece_of(name->hash));
    for (size_t n = 0; n < PROBES; n++, i = (i + 1) & mask) {
        uint64_t cell = atomic_load(&cells->at[i]);
        out->cell = &cells->at[i];
        if (cell == EMPTY)
            return PROBE_EMPTY;
        if (cell == SEALED)
            return PROBE_SEALED;
        if (!is_tally(cell))
            continue;
        out->tally = match(t, cell, name);
        if (out->tally != NULL)
            return PROBE_FOUND;
    }
    return PROBE_FULL;
}

/* The array in which the search for the name ends, and how. A seal in the newest array we know
 * means that there is a newer one. */
static enum probe probe_all(const struct tallies *t, const struct tally_name *name,
                            struct cells **cells_out, struct place *out)
{
    for (;;) {
        struct view *view = atomic_load(&t->view);
        if (view->previous != NULL) {
            *cells_out = view->previous;
            enum probe p = probe(t, view->previous, name, out);
            if (p != PROBE_SEALED)
                return p;
        }
        *cells_out = view->current;
        enum probe p = probe(t, view->current, name, out);
        if (p != PROBE_SEALED)
            return p;
    }
}

struct tally *tallies_find(const struct tallies *t, const struct tally_name *name)
{
    struct cells *cells;
    struct place place;
    return probe_all(t, name, &cells, &place) == PROBE_FOUND ? place.tally : NULL;
}

/* ---- adding ---- */

static bool has_room(const struct cells *cells, const struct tally_name *name)
{
    uint64_t used = atomic_load_explicit(&cells->used, memory_order_relaxed);
    return used * 100 < size_of(cells) * (name->is_stranger ? ROOM_STRANGERS : ROOM);
}

/* A tally that nobody can find yet. */
static struct tally *make_tally(struct tallies *t, const struct tally_name *name)
{
    uint32_t number;
    if (name->is_stranger && atomic_fetch_add(&t->strangers, 1) >= t->strangers_most) {
        atomic_fetch_sub(&t->strangers, 1);
        return NULL;
    }
    if (!take_number(t, &number)) {
        if (name->is_stranger)
            atomic_fetch_sub(&t->strangers, 1);
        return NULL;
    }
    struct tally *tally = tally_at(t, number);
    tally->number = number;
    fill_name(tally, name);
    atomic_store(&tally->word, 0);
    atomic_store(&tally->lease, NULL);
    return tally;
}

static void unmake_tally(struct tallies *t, struct tally *tally)
{
    if (tally->is_stranger)
        atomic_fetch_sub(&t->strangers, 1);
    clear_name(tally);
    push_free(t, tally->number);
}

static struct tally *publish(struct tallies *t, struct cells *cells, struct tally *tally)
{
    atomic_fetch_add_explicit(&cells->used, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    atomic_store(&tally->state, TALLY_LIVE);
    return tally;
}

struct tally *tallies_try_get(struct tallies *t, const struct tally_name *name)
{
    struct tally *made = NULL;
    struct cells *cells;
    struct place place;
    enum probe p;
    for (;;) {
        p = probe_all(t, name, &cells, &place);
        if (p != PROBE_EMPTY || !has_room(cells, name))
            break;
        if (made == NULL)
            made = make_tally(t, name);
        if (made == NULL)
            return NULL;
        uint64_t empty = EMPTY;
        uint64_t cell = cell_of(piece_of(name->hash), made->number);
        if (atomic_compare_exchange_strong(place.cell, &empty, cell))
            return publish(t, cells, made);
    }
    if (made != NULL)
        unmake_tally(t, made);
    return p == PROBE_FOUND ? place.tally : NULL;
}

/* ---- marks ---- */

/* Not looked at before it is set: either the keeper's taking away comes later and sees what was
 * counted, or the mark stays. */
void tallies_mark(struct tallies *t, const struct tally *tally)
{
    struct page *page =
        atomic_load_explicit(&t->pages[tally->number >> PAGE_SHIFT], memory_order_acquire);
    atomic_fetch_or_explicit(&page->marks[(tally->number & (PAGE - 1)) / 64],
                             (uint64_t)1 << tally->number % 64, memory_order_release);
}

/* ---- the keeper ---- */

static void free_plain(void *owner, uint64_t what)
{
    MEM_FREE(&owner);
}

static struct view *get_view(const struct tallies *t)
{
    return atomic_load_explicit(&t->view, memory_order_relaxed);
}

static void set_view(struct tallies *t, struct cells *current, struct cells *previous)
{
    struct view *before = get_view(t);
    struct view *view = mem_new(sizeof(*view));
    *view = (struct view){ current, previous };
    atomic_store(&t->view, view);
    if (before != NULL)
        turns_retire(&t->queue, free_plain, before, 0);
}

static struct cells *cells_new(unsigned shift)
{
    struct cells *cells = mem_new(sizeof(*cells) + sizeof(uint64_t) * ((size_t)1 << shift));
    cells->shift = shift;
    return cells;
}

struct tallies *tallies_new(struct turns *turns, size_t strangers_most)
{
    struct tallies *t = mem_new(sizeof(*t));
    turns_queue_init(&t->queue, turns);
    t->strangers_most = strangers_most;
    set_view(t, cells_new(SHIFT_FIRST), NULL);
    return t;
}

void tallies_free(struct tallies **at)
{
    struct tallies *t = *at;
    if (t == NULL)
        return;
    turns_queue_fini(&t->queue);
    for (uint32_t position = 0;;) {
        struct tally *tally = tallies_next(t, &position);
        if (tally == NULL)
            break;
        clear_name(tally);
    }
    for (size_t i = 0; i < PAGES; i++) {
        struct page *page = atomic_load(&t->pages[i]);
        MEM_FREE(&page);
    }
    struct view *view = get_view(t);
    MEM_FREE(&view->current);
    MEM_FREE(&view->previous);
    MEM_FREE(&view);
    MEM_FREE(at);
}

struct tally *tallies_next(struct tallies *t, uint32_t *position)
{
    uint32_t used = atomic_load(&t->used);
    while (*position < used) {
        uint32_t number = (*position)++;
        if (atomic_load(&t->pages[number >> PAGE_SHIFT]) == NULL)
            continue; /* being made */
        struct tally *tally = tally_at(t, number);
        if (atomic_load(&tally->state) == TALLY_LIVE)
            return tally;
    }
    return NULL;
}

struct tally *tallies_next_marked(struct tallies *t, uint32_t *position)
{
    uint32_t used = atomic_load(&t->used);
    while (*position < used) {
        uint32_t number = *position;
        struct page *page = atomic_load(&t->pages[number >> PAGE_SHIFT]);
        _Atomic uint64_t *marks = page == NULL ? NULL : &page->marks[(number & (PAGE - 1)) / 64];
        uint64_t bits = marks == NULL ? 0 : atomic_load(marks) >> number % 64;
        if (bits == 0) {
            *position = (number | 63) + 1;
            continue;
        }
        number += (uint32_t)__builtin_ctzll(bits);
        *position = number + 1;
        atomic_fetch_and(marks, ~((uint64_t)1 << number % 64));
        struct tally *tally = tally_at(t, number);
        if (atomic_load(&tally->state) == TALLY_LIVE)
            return tally;
    }
    return NULL;
}

static void clear_cell(struct cells *cells, uint64_t cell)
{
    if (cells == NULL)
        return;
    size_t mask = size_of(cells) - 1;
    size_t i = home_of(cells, (uint32_t)(cell >> 32));
    for (size_t n = 0; n < PROBES; n++, i = (i + 1) & mask) {
        uint64_t seen = atomic_load(&cells->at[i]);
        if (seen == EMPTY || seen == SEALED)
            return;
        if (seen == cell) {
            atomic_store(&cells->at[i], REMOVED);
            return;
        }
    }
}

static void free_tally(void *owner, uint64_t number)
{
    struct tallies *t = owner;
    clear_name(tally_at(t, (uint32_t)number));
    push_free(t, (uint32_t)number);
}

void tallies_remove(struct tallies *t, struct tally *tally)
{
    MUST(atomic_load(&tally->word) == LIMITS_LOCAL_DEAD);
    struct view *view = get_view(t);
    uint64_t hash = tallies_hash(tally->family, tally_subject(tally));
    uint64_t cell = cell_of(piece_of(hash), tally->number);
    clear_cell(view->current, cell);
    clear_cell(view->previous, cell);
    atomic_store(&tally->state, TALLY_FREE);
    atomic_fetch_sub(&t->count, 1);
    if (tally->is_stranger)
        atomic_fetch_sub(&t->strangers, 1);
    turns_retire(&t->queue, free_tally, t, tally->number);
}

/* What has been found in the previous array is in no other, so only an empty cell is looked for. */
static void move_cell(struct cells *to, uint64_t cell)
{
    size_t mask = size_of(to) - 1;
    size_t i = home_of(to, (uint32_t)(cell >> 32));
    uint64_t empty = EMPTY;
    while (!atomic_compare_exchange_strong(&to->at[i], &empty, cell)) {
        i = (i + 1) & mask;
        empty = EMPTY;
    }
    atomic_fetch_add(&to->used, 1);
}

static void move_some(struct tallies *t, size_t most)
{
    struct view *view = get_view(t);
    size_t size = size_of(view->previous);
    for (; t->moved < size && most > 0; t->moved++, most--) {
        uint64_t seen = EMPTY;
        if (atomic_compare_exchange_strong(&view->previous->at[t->moved], &seen, SEALED))
            continue;
        if (is_tally(seen))
            move_cell(view->current, seen);
    }
    if (t->moved < size)
        return;
    turns_retire(&t->queue, free_plain, view->previous, 0);
    set_view(t, view->current, NULL);
}

static void try_grow(struct tallies *t)
{
    struct cells *current = get_view(t)->current;
    if (atomic_load(&current->used) * 2 < size_of(current))
        return;
    unsigned shift = SHIFT_FIRST;
    while (((uint64_t)1 << shift) < atomic_load(&t->count) * 4)
        shift++;
    t->moved = 0;
    set_view(t, cells_new(shift), current);
}

void tallies_tidy(struct tallies *t)
{
    if (get_view(t)->previous == NULL)
        try_grow(t);
    if (get_view(t)->previous != NULL)
        move_some(t, MOVES_TIDY);
    (void)turns_tidy(&t->queue, TIDY_MOST);
}

size_t tallies_count(const struct tallies *t)
{
    return atomic_load(&t->count);
}

size_t tallies_strangers(const struct tallies *t)
{
    return atomic_load(&t->strangers);
}

bool tallies_is_crowded(const struct tallies *t)
{
    return tallies_strangers(t) * 4 > t->strangers_most * 3;
}
