/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/node.h"
#include "conf/read_file.h"
#include "conf/read_json.h"
#include "conf/reference.h"
#include "conf/schema_walk.h"

static void walk_all(struct schema_walk *walk)
{
    schema_walk_init(walk);
    schema_walk_add(walk, &node_schema);
    for (int kind = 0; kind < RESOURCE_KINDS; kind++)
        schema_walk_add(walk, resource_kind_schema((enum resource_kind)kind));
}

static void check_row(const struct schema *schema, const struct field *field)
{
    struct arena arena;
    struct problems ps;
    struct doc example;

    arena_init(&arena, SIZE_MAX);
    problems_init(&ps);
    if (field->summary == NULL || field->example == NULL)
        fail_msg("%s.%s needs a summary and an example", schema->name, field->name);
    if (strchr(field->summary, '|') != NULL ||
        !text_ends_with(text_of(field->summary), TEXT_OF(".")))
        fail_msg("%s.%s: a summary ends in a full stop and has no |", schema->name, field->name);
    if (!read_json(text_of(field->example), &arena, &ps, &example))
        fail_msg("%s.%s: the example is not JSON: %s", schema->name, field->name,
                 ps.items[0].sentence);
    arena_reset(&arena);
    problems_fini(&ps);
}

static void every_row_has_a_summary_and_an_example(void **state)
{
    struct schema_walk walk;

    walk_all(&walk);
    for (size_t i = 0; i < walk.count; i++) {
        for (size_t j = 0; j < walk.found[i]->count; j++)
            check_row(walk.found[i], &walk.found[i]->fields[j]);
    }
}

static void add_example(struct doc *doc, struct arena *arena, const struct field *field)
{
    struct problems ps;
    struct doc example;

    problems_init(&ps);
    assert_true(read_json(text_of(field->example), arena, &ps, &example));
    doc_add(doc, arena, text_of(field->name), example);
}

static void check_example(const struct schema *schema, const struct field *field)
{
    char object[4096];
    struct doc doc = doc_object();
    struct problems ps;
    struct arena arena;

    MUST(schema->size <= sizeof(object));
    arena_init(&arena, SIZE_MAX);
    problems_init(&ps);
    add_example(&doc, &arena, field);
    if (field->only_with != NULL)
        add_example(&doc, &arena, schema_find(schema, text_of(field->only_with)));
    (void)!schema_bind(schema, &doc, NULL, NULL, &arena, &ps, object);
    for (size_t i = 0; i < ps.count; i++) {
        /* What else the object lacks is no matter here. */
        if (text_contains(text_of(ps.items[i].pointer), text_of(field->name)))
            fail_msg("%s.%s: %s", schema->name, field->name, ps.items[i].sentence);
    }
    problems_fini(&ps);
    arena_reset(&arena);
}

static void examples_are_accepted(void **state)
{
    struct schema_walk walk;

    walk_all(&walk);
    for (size_t i = 0; i < walk.count; i++) {
        for (size_t j = 0; j < walk.found[i]->count; j++)
            check_example(walk.found[i], &walk.found[i]->fields[j]);
    }
}

static void the_readme_is_current(void **state)
{
    struct builder b;
    struct arena arena;
    struct problems ps;
    struct text page;

    arena_init(&arena, SIZE_MAX);
    problems_init(&ps);
    builder_init(&b, 4 << 20);
    reference_print_markdown(&b);
    assert_true(read_file("conf/README.md", NULL, &arena, &ps, &page));
    if (!text_contains(page, builder_text(&b)))
        fail_msg("conf/README.md is old: build/schema-docs update conf/README.md");
    builder_fini(&b);
    arena_reset(&arena);
    problems_fini(&ps);
}

static void the_other_forms_are_printed(void **state)
{
    struct builder b;

    builder_init(&b, 4 << 20);
    reference_print_openapi(4, &b);
    assert_true(text_starts_with(builder_text(&b), TEXT_OF("    Upstream:\n")));
    assert_true(text_contains(builder_text(&b), TEXT_OF("\n        'on':\n")));
    assert_true(
        text_contains(builder_text(&b), TEXT_OF("$ref: '#/components/schemas/UpstreamTls'")));
    builder_clear(&b);
    reference_print_man(&b);
    assert_true(text_starts_with(builder_text(&b), TEXT_OF(".TH GATEWAYD.CONF 5")));
    assert_true(text_contains(builder_text(&b), TEXT_OF(".B connect_timeout\n")));
    builder_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_a_summary_and_an_example),
        cmocka_unit_test(examples_are_accepted),
        cmocka_unit_test(the_readme_is_current),
        cmocka_unit_test(the_other_forms_are_printed),
    };

    return cmocka_run_group_tests_name("conf/reference", tests, NULL, NULL);
}
