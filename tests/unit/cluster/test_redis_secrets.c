/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_redis_secrets.c - password files: what is taken, what is refused, and nothing is repeated.
 */
#include "cluster/redis_secrets.h"

#include <stdio.h>
#include <sys/stat.h>

#include "conf/base/mem.h"
#include "tests/unit/cluster/folder.h"
#include "tests/unit/gatewayd/cmocka_all.h"

static char *folder;

static int make_folder(void **state)
{
    folder = folder_new();
    return 0;
}

static int remove_folder(void **state)
{
    folder_remove(&folder);
    return 0;
}

static struct redis_secrets *read_file(const char *content, mode_t mode, struct problems *ps)
{
    char path[4096];
    folder_write(folder, "password", text_of(content));
    snprintf(path, sizeof(path), "%s/password", folder);
    assert_int_equal(chmod(path, mode), 0);
    struct node_redis config = { .password_file = text_of(path) };
    problems_init(ps);
    return redis_secrets_read(&config, ps);
}

static void expect_password(const char *content, mode_t mode, const char *password)
{
    struct problems ps;
    struct redis_secrets *s = read_file(content, mode, &ps);
    assert_non_null(s);
    assert_string_equal(s->server.password, password);
    redis_secrets_unref(&s);
    problems_fini(&ps);
}

static void expect_problem(const char *content, mode_t mode, const char *words)
{
    struct problems ps;
    struct redis_secrets *s = read_file(content, mode, &ps);
    assert_null(s);
    assert_int_equal(ps.count, 1);
    assert_string_equal(ps.items[0].path, "state.redis.password_file");
    if (strstr(ps.items[0].sentence, words) == NULL)
        fail_msg("%s", ps.items[0].sentence);
    assert_null(strstr(ps.items[0].sentence, "hidden"));
    problems_fini(&ps);
}

static void the_first_line_is_the_password(void **state)
{
    expect_password("se cret\n", 0600, "se cret");
    expect_password("secret", 0400, "secret");
    expect_password("secret\r\nmore\n", 0640, "secret");
    expect_password("secret\n", 0644, "secret"); /* warned of */
}

static void a_file_that_everybody_may_write_is_refused(void **state)
{
    expect_problem("hidden\n", 0646, "chmod 0600");
    expect_problem("hidden\n", 0602, "chmod 0600");
}

static void an_empty_or_endless_password_is_refused(void **state)
{
    char *large = mem_new(3000);
    expect_problem("", 0600, "first line");
    expect_problem("\nhidden\n", 0600, "first line");
    memset(large, 'h', 2999);
    expect_problem(large, 0600, "first line");
    MEM_FREE(&large);
}

static void what_is_wrong_is_said_all_at_once(void **state)
{
    struct problems ps;
    struct node_redis_tls tls = { .ca = TEXT("/nonexistent/ca.pem") };
    struct node_sentinel sentinel = { .password_file = TEXT("/tmp") };
    struct node_redis config = { .password_file = TEXT("/nonexistent/password"),
                                 .tls = &tls,
                                 .sentinel = &sentinel };
    problems_init(&ps);
    assert_null(redis_secrets_read(&config, &ps));
    assert_int_equal(ps.count, 3);
    assert_string_equal(ps.items[0].path, "state.redis.password_file");
    assert_string_equal(ps.items[1].path, "state.redis.tls");
    assert_string_equal(ps.items[2].path, "state.redis.sentinel.password_file");
    assert_non_null(strstr(ps.items[2].sentence, "not a plain file"));
    problems_fini(&ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_is_the_password),
        cmocka_unit_test(a_file_that_everybody_may_write_is_refused),
        cmocka_unit_test(an_empty_or_endless_password_is_refused),
        cmocka_unit_test(what_is_wrong_is_said_all_at_once),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
