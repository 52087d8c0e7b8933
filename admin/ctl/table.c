/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/table.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/base/mem.h"

#define GAP       2
#define CELL_SIZE 512

void table_init(struct table *t, const char *const *titles)
{
    *t = (struct table){ .titles = titles };
    arena_init(&t->arena, SIZE_MAX);
    while (titles[t->columns] != NULL)
        t->columns++;
    MUST(t->columns <= TABLE_COLUMNS);
}

void table_fini(struct table *t)
{
    arena_reset(&t->arena);
    MEM_FREE(&t->cells);
}

/* A copy without controls: what a gateway sends is not always what it seems. */
static struct text copy_harmless(struct table *t, struct text text)
{
    char *copy = arena_alloc(&t->arena, text.length + 1);

    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.at[i];

        copy[i] = c < ' ' || c == 0x7f ? '?' : text.at[i];
    }
    return text_from(copy, text.length);
}

void table_add_painted(struct table *t, struct text text, enum paint_colour colour)
{
    if (t->count == t->room) {
        t->room = t->room == 0 ? 64 : t->room * 2;
        t->cells = mem_resize(t->cells, t->room * sizeof(*t->cells));
    }
    t->cells[t->count++] = (struct table_cell){
        .text = text_is_empty(text) ? TEXT_OF("-") : copy_harmless(t, text),
        .colour = colour,
    };
}

void table_add(struct table *t, struct text text)
{
    table_add_painted(t, text, PAINT_PLAIN);
}

void table_addf(struct table *t, const char *format, ...)
{
    char cell[CELL_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(cell, sizeof(cell), format, args);
    va_end(args);
    table_add(t, text_of(cell));
}

/* Characters, taking each code point for one. */
static size_t width_of(struct text t)
{
    size_t width = 0;

    for (size_t i = 0; i < t.length; i++)
        width += ((unsigned char)t.at[i] & 0xc0) != 0x80;
    return width;
}

static bool is_right(const char *title)
{
    return title[0] == '+';
}

static struct text title_of(const struct table *t, size_t column)
{
    return text_of(t->titles[column] + is_right(t->titles[column]));
}

static void add_spaces(struct builder *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        builder_add_byte(b, ' ');
}

static void print_cell(const struct table *t, size_t column, struct table_cell cell, size_t width,
                       struct paint paint, struct builder *b)
{
    size_t pad = width - width_of(cell.text);
    bool is_last = column + 1 == t->columns;

    if (is_right(t->titles[column]))
        add_spaces(b, pad);
    paint_add(paint, cell.colour, cell.text, b);
    if (!is_right(t->titles[column]) && !is_last)
        add_spaces(b, pad);
    if (is_last)
        builder_add_byte(b, '\n');
    else
        add_spaces(b, GAP);
}

void table_print(const struct table *t, struct paint paint, struct builder *b)
{
    size_t widths[TABLE_COLUMNS];

    MUST(t->count % t->columns == 0);
    for (size_t i = 0; i < t->columns; i++)
        widths[i] = width_of(title_of(t, i));
    for (size_t i = 0; i < t->count; i++) {
        size_t width = width_of(t->cells[i].text);

        if (width > widths[i % t->columns])
            widths[i % t->columns] = width;
    }
    for (size_t i = 0; i < t->columns; i++)
        print_cell(t, i, (struct table_cell){ title_of(t, i), PAINT_BOLD }, widths[i], paint, b);
    for (size_t i = 0; i < t->count; i++)
        print_cell(t, i % t->columns, t->cells[i], widths[i % t->columns], paint, b);
}
