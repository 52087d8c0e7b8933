/* SPDX-License-Identifier: Apache-2.0 */
/* test_problem_json.c - problem documents, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gatewayd/http/problem_json.h"

static void expect(const struct problem_json *p, const char *document)
{
    struct builder b;
    builder_init(&b, 4096);
    problem_json_print(p, &b);
    if (!text_equals(builder_text(&b), text_of(document)))
        fail_msg("%.*s", TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
}

static void the_least_is_type_title_and_status(void **state)
{
    expect(&(struct problem_json){ .status = 404 },
           "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}");
}

static void everything_is_printed_and_escaped(void **state)
{
    static const struct problem_json_error errors[] = {
        { TEXT("/rate"), TEXT("rate must be above 0.") },
        { TEXT(""), TEXT("\xff") },
    };
    static const struct problem_json_member members[] = {
        { .name = TEXT("id"), .text = TEXT("a\"b") },
        { .name = TEXT("line"), .json = TEXT("7") },
        { .name = TEXT("nothing") },
    };
    expect(&(struct problem_json){ .type = TEXT_OF("urn:x"),
                                   .title = TEXT_OF("Wrong"),
                                   .status = 422,
                                   .detail = TEXT_OF("line\nbreak"),
                                   .request_id = TEXT_OF("r-1"),
                                   .members = members,
                                   .member_count = ARRAY_LENGTH(members),
                                   .errors = errors,
                                   .error_count = ARRAY_LENGTH(errors) },
           "{\"type\":\"urn:x\",\"title\":\"Wrong\",\"status\":422,\"detail\":\"line\\nbreak\","
           "\"request_id\":\"r-1\",\"id\":\"a\\\"b\",\"line\":7,\"nothing\":\"\",\"errors\":["
           "{\"pointer\":\"/rate\",\"message\":\"rate must be above 0.\"},"
           "{\"pointer\":\"\",\"message\":\"\xef\xbf\xbd\"}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_is_type_title_and_status),
        cmocka_unit_test(everything_is_printed_and_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
