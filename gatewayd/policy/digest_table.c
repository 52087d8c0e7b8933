/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cell keeps 32 bits of a keyed hash of the digest beside the number. The top bits of the same 32
 * say where probing begins, so that a cell can be moved to a larger array without a look at its
 * record. For a million keys 12 bits are left to tell neighbours apart; then the digests are
 * compared. Keyed, because who imports keys by their digests may choose as many as he likes that
 * begin alike: all of them would stand in one row.
 */
#include "gatewayd/policy/digest_table.h"

#include "conf/base/mem.h"

#define EMPTY       0u
#define REMOVED     1u
#define NUMBER_BASE 2u
#define SHIFT_FIRST 10 /* 2^10 cells to begin with */
#define MOVES       32 /* cells moved with each change */
#define MOVES_TIDY  2048

struct digest_cells {
    unsigned shift; /* 2^shift cells */
    size_t used;    /* not empty; the writer's */
    _Atomic uint64_t at[];
};

static size_t size_of(const struct digest_cells *cells)
{
    return (size_t)1 << cells->shift;
}

static struct digest_cells *cells_new(unsigned shift)
{
    struct digest_cells *cells =
        mem_block_new(sizeof(*cells) + sizeof(uint64_t) * ((size_t)1 << shift));
    cells->shift = shift;
    return cells;
}

static void cells_free(struct digest_cells **cells)
{
    if (*cells != NULL)
        MEM_BLOCK_FREE(cells, sizeof(**cells) + sizeof(uint64_t) * size_of(*cells));
}

static void free_cells(void *owner, uint64_t what)
{
    struct digest_cells *cells = owner;
    cells_free(&cells);
}

static void free_view(void *owner, uint64_t what)
{
    MEM_FREE(&owner);
}

static struct digest_view *get_view(const struct digest_table *t)
{
    return atomic_load_explicit(&t->view, memory_order_relaxed); /* the writer's own store */
}

static void set_view(struct digest_table *t, struct digest_cells *current,
                     struct digest_cells *previous)
{
    struct digest_view *before = get_view(t);
    struct digest_view *view = mem_new(sizeof(*view));
    *view = (struct digest_view){ current, previous };
    atomic_store(&t->view, view);
    if (before != NULL)
        turns_retire(t->queue, free_view, before, 0);
}

void digest_table_init(struct digest_table *t, digest_table_is_fn *is, const void *arg,
                       struct turns_queue *queue)
{
    *t = (struct digest_table){ .is = is, .arg = arg, .queue = queue };
    digest_random(t->seeds, sizeof(t->seeds));
    set_view(t, cells_new(SHIFT_FIRST), NULL);
}

void digest_table_fini(struct digest_table *t)
{
    struct digest_view *view = get_view(t);
    cells_free(&view->current);
    cells_free(&view->previous);
    MEM_FREE(&view);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t piece_of(const struct digest_table *t, const struct digest *digest)
{
    uint64_t words[4];
    _Static_assert(sizeof(words) == DIGEST_SIZE, "all of it counts");
    memcpy(words, digest->bytes, sizeof(words));
    uint64_t hash = mix(words[0] ^ t->seeds[0], words[1] ^ t->seeds[1]) ^
                    mix(words[2] ^ t->seeds[2], words[3] ^ t->seeds[3]);
    return (uint32_t)(hash >> 32);
}

static size_t home_of(const struct digest_cells *cells, uint32_t piece)
{
    return piece >> (32 - cells->shift);
}

/* The cell that holds it, or NULL. */
static const _Atomic uint64_t *find_cell(const struct digest_table *t,
                                         const struct digest_cells *cells,
                                         const struct digest *digest, uint32_t *number_out)
{
    uint32_t piece = piece_of(t, digest);
    size_t mask = size_of(cells) - 1;
    for (size_t i = home_of(cells, piece);; i = (i + 1) & mask) {
        uint64_t cell = atomic_load(&cells->at[i]);
        if (cell == EMPTY)
            return NULL;
        if (cell == REMOVED || (uint32_t)(cell >> 32) != piece)
            continue;
        uint32_t number = (uint32_t)cell - NUMBER_BASE;
        if (!t->is(t->arg, number, digest))
            continue;
        *number_out = number;
        return &cells->at[i];
    }
}

bool digest_table_find(const struct digest_table *t, const struct digest *digest,
                       uint32_t *number_out)
{
    const struct digest_view *view = atomic_load(&t->view);
    if (find_cell(t, view->current, digest, number_out) != NULL)
        return true;
    return view->previous != NULL && find_cell(t, view->previous, digest, number_out) != NULL;
}

static void put_cell(struct digest_cells *cells, uint64_t cell)
{
    size_t mask = size_of(cells) - 1;
    size_t i = home_of(cells, (uint32_t)(cell >> 32));
    while (atomic_load_explicit(&cells->at[i], memory_order_relaxed) != EMPTY)
        i = (i + 1) & mask;
    atomic_store(&cells->at[i], cell);
    cells->used++;
}

static void move_some(struct digest_table *t, size_t most)
{
    struct digest_view *view = get_view(t);
    if (view->previous == NULL)
        return;
    size_t size = size_of(view->previous);
    for (; t->moved < size && most > 0; t->moved++, most--) {
        uint64_t cell = atomic_load_explicit(&view->previous->at[t->moved], memory_order_relaxed);
        if (cell != EMPTY && cell != REMOVED)
            put_cell(view->current, cell);
    }
    if (t->moved < size)
        return;
    turns_retire(t->queue, free_cells, view->previous, 0);
    set_view(t, view->current, NULL);
}

/* At 0.8 a larger array, or one of the same size when most of it is what was removed. */
static void make_room(struct digest_table *t)
{
    struct digest_cells *current = get_view(t)->current;
    if ((current->used + 1) * 10 <= size_of(current) * 8)
        return;
    move_some(t, SIZE_MAX);
    current = get_view(t)->current;
    bool is_crowded = (t->count + 1) * 2 > size_of(current);
    MUST(current->shift < 31);
    t->moved = 0;
    set_view(t, cells_new(current->shift + (is_crowded ? 1 : 0)), current);
}

void digest_table_add(struct digest_table *t, const struct digest *digest, uint32_t number)
{
    move_some(t, MOVES);
    make_room(t);
    put_cell(get_view(t)->current, (uint64_t)piece_of(t, digest) << 32 | (number + NUMBER_BASE));
    t->count++;
}

static bool clear_cell(struct digest_table *t, struct digest_cells *cells,
                       const struct digest *digest)
{
    uint32_t number;
    if (cells == NULL)
        return false;
    const _Atomic uint64_t *cell = find_cell(t, cells, digest, &number);
    if (cell == NULL)
        return false;
    atomic_store(&cells->at[cell - cells->at], REMOVED);
    return true;
}

void digest_table_remove(struct digest_table *t, const struct digest *digest)
{
    move_some(t, MOVES);
    struct digest_view *view = get_view(t);
    bool is_gone = clear_cell(t, view->current, digest);
    is_gone = clear_cell(t, view->previous, digest) || is_gone;
    MUST(is_gone);
    t->count--;
}

void digest_table_tidy(struct digest_table *t)
{
    move_some(t, MOVES_TIDY);
}

static size_t cells_bytes(const struct digest_cells *cells)
{
    return cells == NULL ? 0 : sizeof(*cells) + sizeof(uint64_t) * size_of(cells);
}

size_t digest_table_bytes(const struct digest_table *t)
{
    struct digest_view *view = get_view(t);
    return cells_bytes(view->current) + cells_bytes(view->previous);
}
