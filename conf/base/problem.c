/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem.c - the list of what is wrong, in the order found.
 */
#include "conf/base/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/base/builder.h"
#include "conf/base/mem.h"

void problems_init(struct problems *ps)
{
    *ps = (struct problems){ 0 };
}

static void free_problem(struct problem *p)
{
    MEM_FREE(&p->file);
    MEM_FREE(&p->pointer);
    MEM_FREE(&p->path);
    MEM_FREE(&p->sentence);
}

void problems_fini(struct problems *ps)
{
    for (size_t i = 0; i < ps->count; i++)
        free_problem(&ps->items[i]);
    MEM_FREE(&ps->items);
    problems_init(ps);
}

bool problems_is_empty(const struct problems *ps)
{
    return ps->count == 0;
}

/* Room for one more, doubling whenever the count is a power of two. */
static struct problem *add_item(struct problems *ps)
{
    if ((ps->count & (ps->count - 1)) == 0) {
        size_t size = ps->count == 0 ? 1 : ps->count * 2;
        ps->items = mem_resize(ps->items, size * sizeof(*ps->items));
    }
    return &ps->items[ps->count++];
}

static char *copy_or_empty(const char *cstring)
{
    struct text t = text_of(cstring);
    return mem_copy_text(t.at, t.length);
}

PRINTF_LIKE(1, 0) static char *print_sentence(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    MUST(length >= 0);
    char *sentence = mem_new((size_t)length + 1);
    vsnprintf(sentence, (size_t)length + 1, format, again);
    va_end(again);
    return sentence;
}

void problems_add(struct problems *ps, struct place place, const char *format, ...)
{
    if (ps->count >= PROBLEMS_MAX) {
        ps->dropped++;
        return;
    }
    va_list args;
    va_start(args, format);
    *add_item(ps) = (struct problem){
        .file = place.file == NULL ? NULL : copy_or_empty(place.file),
        .line = place.line,
        .pointer = copy_or_empty(place.pointer),
        .path = copy_or_empty(place.path),
        .sentence = print_sentence(format, args),
    };
    va_end(args);
}

void problem_print(const struct problem *p, struct builder *b)
{
    if (p->file != NULL && p->line != 0)
        builder_addf(b, "%s:%u: ", p->file, p->line);
    else if (p->file != NULL)
        builder_addf(b, "%s: ", p->file);
    if (p->path[0] != '\0')
        builder_addf(b, "%s: ", p->path);
    builder_add(b, text_of(p->sentence));
}
