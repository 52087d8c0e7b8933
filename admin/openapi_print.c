/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi_print.c - the program build/openapi: prints the description of the admin API.
 *
 *   openapi yaml           the OpenAPI document (admin/openapi.yaml)
 *   openapi update FILE    puts the tables between the marks in FILE (admin/README.md)
 *   openapi page FILE      prints FILE with the tables put in
 */
#include <stdio.h>

#include "admin/openapi.h"
#include "conf/read_file.h"

#define PAGE_SIZE_MAX ((size_t)4 << 20)

static bool write_text(const char *file, struct text text)
{
    FILE *out = file == NULL ? stdout : fopen(file, "w");

    if (out == NULL) {
        return false;
    }
    bool is_written = fwrite(text.at, 1, text.length, out) == text.length;
    return fclose(out) == 0 && is_written;
}

static size_t find(struct text text, const char *needle)
{
    size_t i = 0;

    while (i < text.length && !text_starts_with(text_skip(text, i), text_of(needle))) {
        i++;
    }
    return i;
}

/* FILE with what is between the marks replaced, in `b`. */
static bool fill_page(const char *file, struct builder *b)
{
    struct problems ps;
    struct arena arena;
    struct text page;
    bool is_filled = false;

    problems_init(&ps);
    arena_init(&arena, SIZE_MAX);
    if (read_file(file, NULL, &arena, &ps, &page)) {
        size_t begin = find(page, OPENAPI_BEGIN);
        size_t end = find(page, OPENAPI_END);

        builder_add(b, text_first(page, begin));
        openapi_print_markdown(b);
        builder_add(b, text_skip(page, end + strlen(OPENAPI_END)));
        is_filled = begin < end && end < page.length;
    }
    arena_reset(&arena);
    problems_fini(&ps);
    return is_filled;
}

static int run(const char *what, const char *file, struct builder *b)
{
    bool is_page = file != NULL && (strcmp(what, "page") == 0 || strcmp(what, "update") == 0);

    if (strcmp(what, "yaml") == 0) {
        openapi_print(b);
    } else if (!is_page) {
        (void)fprintf(stderr, "usage: openapi yaml | page FILE | update FILE\n");
        return 2;
    } else if (!fill_page(file, b)) {
        (void)fprintf(stderr, "openapi: %s cannot be read, or has no marks\n", file);
        return 1;
    }
    return write_text(strcmp(what, "update") == 0 ? file : NULL, builder_text(b)) ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct builder b;

    builder_init(&b, PAGE_SIZE_MAX);
    int result = run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : NULL, &b);
    builder_fini(&b);
    return result;
}
