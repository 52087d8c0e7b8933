/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the API: found by path and method, and complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/operation.h"

static const struct operation *find(enum method method, const char *path)
{
    return operation_find(method, text_of(path)).operation;
}

static void a_literal_beats_a_variable(void **state)
{
    assert_string_equal(find(METHOD_POST, "/v1/keys/import")->id, "importKeys");
    assert_string_equal(find(METHOD_GET, "/v1/keys/0123456789abcdef")->id, "getKey");
    /* And the path of the literal is the only one that counts. */
    assert_null(find(METHOD_GET, "/v1/keys/import"));
    assert_int_equal(operation_find(METHOD_GET, TEXT_OF("/v1/keys/import")).allowed,
                     1u << METHOD_POST);
}

static void kinds_have_their_own_rows(void **state)
{
    assert_int_equal(find(METHOD_PUT, "/v1/plans/gold")->kind, RESOURCE_PLAN);
    assert_int_equal(find(METHOD_PUT, "/v1/consumers/acme")->role, TOKENS_OPERATOR);
    assert_int_equal(find(METHOD_PUT, "/v1/routes/orders")->role, TOKENS_ADMIN);
}

static void paths_that_are_none(void **state)
{
    static const char *const paths[] = { "",          "/",           "/v1",
                                         "/v1/",      "/v1/routes/", "/v1/routes/a/b",
                                         "v1/routes", "/v1/Routes",  "/livez/",
                                         "*" };

    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        assert_false(operation_find(METHOD_GET, text_of(paths[i])).has_path);
    }
    assert_false(operation_find(METHOD_GET, TEXT_EMPTY).has_path);
}

static void head_is_answered_as_get(void **state)
{
    struct operation_match match = operation_find(METHOD_HEAD, TEXT_OF("/v1/status"));

    assert_string_equal(match.operation->id, "getStatus");
    assert_int_equal(match.allowed, (1u << METHOD_GET) | (1u << METHOD_HEAD));
    match = operation_find(METHOD_POST, TEXT_OF("/v1/status"));
    assert_true(match.has_path && match.operation == NULL);
}

static void variables_of_a_path(void **state)
{
    struct text path = TEXT_OF("/v1/upstreams/u/targets/unix%3A%2Frun%2Fx");
    const struct operation *o = operation_find(METHOD_PATCH, path).operation;

    assert_true(text_equals(operation_variable(o, path, "name"), TEXT_OF("u")));
    assert_true(text_equals(operation_variable(o, path, "address"), TEXT_OF("unix%3A%2Frun%2Fx")));
    assert_true(text_is_empty(operation_variable(o, path, "id")));
}

static void rows_are_complete(void **state)
{
    for (size_t i = 0; i < operation_count; i++) {
        const struct operation *o = &operation_rows[i];

        assert_non_null(o->handle);
        assert_true(o->id != NULL && o->tag != NULL && o->success != NULL);
        assert_true(text_ends_with(text_of(o->summary), TEXT_OF(".")));
        assert_true(!o->is_open || o->queries == 0);
        /* Whoever changes something needs more than to look. */
        assert_true(!o->is_change || o->role > TOKENS_VIEWER || o->is_signed);
        assert_ptr_equal(operation_find(o->method, text_of(o->path)).operation, o);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(operation_rows[j].id, o->id);
        }
    }
}

static void parameters_belong_to_operations(void **state)
{
    const struct operation *list = find(METHOD_GET, "/v1/revisions");
    const struct operation *put = find(METHOD_PUT, "/v1/plans/p");

    assert_int_equal(operation_find_parameter(list, TEXT_OF("after"))->bit,
                     OPERATION_AFTER_REVISION);
    assert_int_equal(operation_find_parameter(list, TEXT_OF("wait"))->bit, OPERATION_WAIT_FOR);
    assert_int_equal(operation_find_parameter(put, TEXT_OF("wait"))->bit, OPERATION_WAIT);
    assert_null(operation_find_parameter(put, TEXT_OF("limit")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_beats_a_variable),
        cmocka_unit_test(kinds_have_their_own_rows),
        cmocka_unit_test(paths_that_are_none),
        cmocka_unit_test(head_is_answered_as_get),
        cmocka_unit_test(variables_of_a_path),
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(parameters_belong_to_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
