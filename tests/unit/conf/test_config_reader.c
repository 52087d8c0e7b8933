/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/config_reader.h"
#include "conf/print_json.h"
#include "conf/read_json.h"

/* All steps of a document in one line: "routes/0={…};" for items, "!" and the sentence for
 * problems, "." at the end. */
static void assert_steps(struct config_reader *r, const char *expected)
{
    struct config_reader_item item;
    enum config_reader_step step;
    struct problems ps;
    struct arena arena;
    struct builder b;

    problems_init(&ps);
    builder_init(&b, 100000);
    arena_init(&arena, SIZE_MAX);
    do {
        step = config_reader_next(r, &arena, &ps, &item);
        if (step == CONFIG_READER_ITEM) {
            builder_addf(&b, "%s=", item.pointer);
            print_json(&item.doc, &b);
            builder_add_byte(&b, ';');
        } else if (step != CONFIG_READER_END)
            builder_addf(&b, "!%s", ps.items[ps.count - 1].sentence);
        if (r->doc == NULL)
            arena_reset(&arena);
    } while (step == CONFIG_READER_ITEM || step == CONFIG_READER_PROBLEM);
    builder_addf(&b, "%s", step == CONFIG_READER_END ? "." : "#");
    builder_add_byte(&b, '\0');
    assert_string_equal(builder_text(&b).at, expected);
    builder_fini(&b);
    problems_fini(&ps);
}

static void both(const char *json, const char *expected)
{
    struct config_reader r;
    struct problems ps;
    struct arena arena;
    struct doc doc;

    config_reader_init_json(&r, text_of(json), NULL);
    assert_steps(&r, expected);
    problems_init(&ps);
    arena_init(&arena, SIZE_MAX);
    assert_true(read_json(text_of(json), &arena, &ps, &doc));
    config_reader_init_doc(&r, &doc, NULL);
    assert_steps(&r, expected);
    arena_reset(&arena);
}

static void only_json(const char *json, const char *expected)
{
    struct config_reader r;

    config_reader_init_json(&r, text_of(json), NULL);
    assert_steps(&r, expected);
}

static void resources_come_one_at_a_time(void **state)
{
    both("{}", ".");
    both(" { \"routes\" : [ ] } ", ".");
    both("{\"routes\":[{\"a\":1},{\"b\":[2]}],\"plans\":[3]}",
         "/routes/0={\"a\":1};/routes/1={\"b\":[2]};/plans/0=3;.");
    both("{\"consumers\":null,\"plans\":[1]}", "/plans/0=1;.");
}

static void what_is_no_such_document_is_said(void **state)
{
    both("{\"router\":[1],\"plans\":[1]}",
         "!There is no kind \"router\"; a document of resources has upstreams, routes, plans and "
         "consumers./plans/0=1;.");
    both("{\"routes\":{},\"plans\":[1]}", "!routes must be a list./plans/0=1;.");
    only_json("{\"plans\":[1],\"plans\":[2]}",
              "/plans/0=1;!plans are there twice; each kind may be there once..");
}

static void broken_json_stops(void **state)
{
    only_json("", "!The document is not JSON: an object, '{', expected at line 1, column 1.#");
    only_json("{\"plans\":[1 2]}",
              "/plans/0=1;!The document is not JSON: ',' or ']' expected at line 1, column 13.#");
    only_json("{\"plans\":[1,\n]}", "/plans/0=1;!The document is not JSON: unexpected token near "
                                    "']' at line 2, column 1.#");
    only_json("{\"plans\":[1],}",
              "/plans/0=1;!The document is not JSON: a name in quotes expected at line 1, column "
              "14.#");
    only_json("{\"plans\":[1]", "/plans/0=1;!The document is not JSON: ',' or '}' expected at line "
                                "1, column 13.#");
    only_json("{} x",
              "!The document is not JSON: the end of the document expected at line 1, column 4.#");
    only_json("{\"plans\" [1]}", "!The document is not JSON: ':' expected at line 1, column 10.#");
}

static void a_lenient_reader_leaves_out_what_it_does_not_know(void **state)
{
    const struct checks lenient = { .lenient = true };
    struct config_reader r;

    config_reader_init_json(&r, TEXT_OF("{\"new\":[{\"a\":1}],\"plans\":[1]}"), &lenient);
    assert_steps(&r, "/plans/0=1;.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resources_come_one_at_a_time),
        cmocka_unit_test(what_is_no_such_document_is_said),
        cmocka_unit_test(broken_json_stops),
        cmocka_unit_test(a_lenient_reader_leaves_out_what_it_does_not_know),
    };

    return cmocka_run_group_tests_name("conf/config_reader", tests, NULL, NULL);
}
