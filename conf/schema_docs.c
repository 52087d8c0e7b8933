/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_docs.c - the program build/schema-docs: prints the reference of the configuration.
 *
 *   schema-docs markdown         the tables
 *   schema-docs openapi          components of an OpenAPI document, YAML
 *   schema-docs man              gatewayd.conf(5)
 *   schema-docs update FILE      puts the tables between the marks in FILE (conf/README.md)
 *   schema-docs check FILE       does FILE have the tables as they are now? exit 0 or 1
 */
#include <stdio.h>

#include "conf/read_file.h"
#include "conf/reference.h"

#define PAGE_SIZE_MAX ((size_t)4 << 20)

static int write_text(const char *file, struct text text)
{
    FILE *out = file == NULL ? stdout : fopen(file, "w");
    bool is_written;

    if (out == NULL)
        return 1;
    is_written = fwrite(text.at, 1, text.length, out) == text.length;
    return fclose(out) == 0 && is_written ? 0 : 1;
}

static size_t find(struct text text, struct text needle)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text_starts_with(text_skip(text, i), needle))
            return i;
    }
    return text.length;
}

/* Is there a page with marks? Then `b` is it with the tables as they are now. */
static bool put_in(struct text page, struct builder *b)
{
    size_t begin = find(page, TEXT_OF(REFERENCE_BEGIN));
    size_t end = find(page, TEXT_OF(REFERENCE_END));

    if (begin >= end || end == page.length)
        return false;
    builder_add(b, text_first(page, begin));
    reference_print_markdown(b);
    builder_add(b, text_skip(page, end + strlen(REFERENCE_END)));
    return true;
}

static int update(const char *file, bool is_check, struct builder *b)
{
    struct problems ps;
    struct arena arena;
    struct text page;
    int result = 1;

    problems_init(&ps);
    arena_init(&arena, SIZE_MAX);
    if (!read_file(file, NULL, &arena, &ps, &page) || !put_in(page, b))
        (void)fprintf(stderr, "schema-docs: %s cannot be read or has no marks\n", file);
    else if (text_equals(page, builder_text(b)))
        result = 0;
    else if (!is_check)
        result = write_text(file, builder_text(b));
    arena_reset(&arena);
    problems_fini(&ps);
    return result;
}

static int usage(void)
{
    (void)fprintf(stderr,
                  "usage: schema-docs markdown | openapi | man | update FILE | check FILE\n");
    return 2;
}

static int run(const char *what, const char *file, struct builder *b)
{
    if (file != NULL && (strcmp(what, "update") == 0 || strcmp(what, "check") == 0))
        return update(file, strcmp(what, "check") == 0, b);
    if (strcmp(what, "markdown") == 0)
        reference_print_markdown(b);
    else if (strcmp(what, "openapi") == 0)
        reference_print_openapi(4, b);
    else if (strcmp(what, "man") == 0)
        reference_print_man(b);
    else
        return usage();
    return write_text(NULL, builder_text(b));
}

int main(int argc, char **argv)
{
    struct builder b;
    int result;

    if (argc < 2)
        return usage();
    builder_init(&b, PAGE_SIZE_MAX);
    result = run(argv[1], argc > 2 ? argv[2] : NULL, &b);
    builder_fini(&b);
    return result;
}
