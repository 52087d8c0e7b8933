/* SPDX-License-Identifier: Apache-2.0 */
/* test_counters.c - the newest value of each counter outlives crashes and full disks. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "cluster/counters.h"
#include "cluster/disk.h"
#include "conf/base/mem.h"
#include "tests/unit/cluster/folder.h"

struct story {
    char *path;
    struct state_dir *dir;
    struct counters *counters;
    struct problems problems;
    unsigned value[10]; /* by identity "0" to "9" */
};

static void on_value(void *arg, struct text identity, struct text value)
{
    struct story *s = arg;
    uint64_t number = 0;
    assert_true(text_parse_u64(value, &number));
    s->value[identity.at[0] - '0'] = (unsigned)number;
}

static bool try_open(struct story *s)
{
    memset(s->value, 0, sizeof(s->value));
    problems_init(&s->problems);
    s->dir = state_dir_open(text_of(s->path), &s->problems);
    assert_non_null(s->dir);
    s->counters = counters_open(s->dir, &s->problems);
    assert_non_null(s->counters);
    enum counters_step step = COUNTERS_MORE;
    while (step == COUNTERS_MORE)
        step = counters_read(s->counters, on_value, s, &s->problems);
    return step == COUNTERS_FINISHED;
}

static void close_story(struct story *s)
{
    counters_close(&s->counters);
    state_dir_close(&s->dir);
    problems_fini(&s->problems);
}

static int make_story(void **state)
{
    struct story *s = mem_new(sizeof(*s));
    s->path = folder_new();
    *state = s;
    return try_open(s) ? 0 : -1;
}

static int end_story(void **state)
{
    struct story *s = *state;
    disk_set_fault(NULL);
    close_story(s);
    folder_remove(&s->path);
    MEM_FREE(&s);
    return 0;
}

static void reopen(struct story *s)
{
    close_story(s);
    assert_true(try_open(s));
}

static bool save(struct story *s, unsigned identity, unsigned value, bool replaces)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    char name = (char)('0' + identity);
    char digits[TEXT_NUMBER_SIZE];
    const char *why = NULL;
    counters_add(&b, text_from(&name, 1), text_print_u64(value, digits));
    bool is_good = replaces ? counters_replace(s->counters, builder_text(&b), &why)
                            : counters_save(s->counters, builder_text(&b), &why);
    builder_fini(&b);
    assert_true(is_good || why != NULL);
    return is_good;
}

static void the_newest_value_counts(void **state)
{
    struct story *s = *state;
    assert_true(save(s, 1, 10, false));
    assert_true(save(s, 2, 20, false));
    assert_true(save(s, 1, 11, false));
    reopen(s);
    assert_int_equal(s->value[1], 11);
    assert_int_equal(s->value[2], 20);
    assert_true(save(s, 3, 30, false));
    assert_true(save(s, 1, 12, true));
    reopen(s);
    assert_int_equal(s->value[1], 12);
    assert_int_equal(s->value[2], 0);
    assert_int_equal(s->value[3], 0);
}

static void a_torn_tail_is_cut_at_every_byte(void **state)
{
    struct story *s = *state;
    assert_true(save(s, 1, 10, false));
    size_t whole;
    char *bytes = folder_read(s->path, "counters", &whole);
    MEM_FREE(&bytes);
    assert_true(save(s, 1, 11, false));
    size_t length;
    bytes = folder_read(s->path, "counters", &length);
    for (size_t cut = whole; cut < length; cut++) {
        folder_write(s->path, "counters", text_from(bytes, cut));
        reopen(s);
        assert_int_equal(s->value[1], 10);
        assert_true(save(s, 2, 7, false));
        reopen(s);
        assert_int_equal(s->value[2], 7);
    }
    MEM_FREE(&bytes);
}

static void damage_is_not_passed_over(void **state)
{
    struct story *s = *state;
    assert_true(save(s, 1, 10, false));
    assert_true(save(s, 1, 11, false));
    size_t length;
    char *bytes = folder_read(s->path, "counters", &length);
    bytes[30] ^= 1;
    close_story(s);
    folder_write(s->path, "counters", text_from(bytes, length));
    MEM_FREE(&bytes);
    assert_false(try_open(s));
    assert_non_null(strstr(s->problems.items[0].sentence, "checksum"));
}

static int full_disk(enum disk_call call, size_t *length)
{
    if (call != DISK_CALL_WRITE)
        return 0;
    *length /= 2;
    return ENOSPC;
}

static int broken_sync(enum disk_call call, size_t *length)
{
    return call == DISK_CALL_SYNC ? EIO : 0;
}

static void a_full_disk_keeps_what_was_there(void **state)
{
    struct story *s = *state;
    assert_true(save(s, 1, 10, false));
    disk_set_fault(full_disk);
    assert_false(save(s, 1, 11, false));
    assert_false(save(s, 1, 11, true));
    disk_set_fault(NULL);
    assert_true(save(s, 2, 20, false));
    reopen(s);
    assert_int_equal(s->value[1], 10);
    assert_int_equal(s->value[2], 20);
}

static void after_a_failed_fsync_only_a_new_file_is_trusted(void **state)
{
    struct story *s = *state;
    disk_set_fault(broken_sync);
    assert_false(save(s, 1, 10, false));
    disk_set_fault(NULL);
    assert_false(save(s, 1, 10, false));
    assert_true(counters_is_long(s->counters));
    assert_true(save(s, 1, 12, true));
    assert_true(save(s, 1, 13, false));
    reopen(s);
    assert_int_equal(s->value[1], 13);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_story, end_story)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_value_counts),
        TEST(a_torn_tail_is_cut_at_every_byte),
        TEST(damage_is_not_passed_over),
        TEST(a_full_disk_keeps_what_was_there),
        TEST(after_a_failed_fsync_only_a_new_file_is_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
