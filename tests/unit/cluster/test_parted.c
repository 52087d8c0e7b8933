/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_parted.c - what is to be put back, on the disk: whole or not at all, and how far it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cluster/disk.h"
#include "cluster/item.h"
#include "cluster/parted.h"
#include "cluster/state_dir.h"
#include "cluster/store_embedded.h"
#include "tests/unit/cluster/folder.h"
#include "tests/unit/gatewayd/cmocka_all.h"

static char *path;
static struct state_dir *dir;

static int set_up(void **state)
{
    struct problems ps;
    problems_init(&ps);
    path = folder_new();
    dir = state_dir_open(text_of(path), &ps);
    assert_non_null(dir);
    problems_fini(&ps);
    return 0;
}

static int tear_down(void **state)
{
    disk_set_fault(NULL);
    state_dir_close(&dir);
    folder_remove(&path);
    return 0;
}

static void fill(struct parted *p)
{
    parted_init(p);
    p->common = 7;
    p->is_trimmed = true;
    p->newest = 9;
    p->id.bytes[3] = 9;
    for (uint64_t r = 8; r <= 9; r++) {
        struct entry_head head = { .revision = r, .time_ms = 5, .author = TEXT("alice") };
        head.id.bytes[3] = (unsigned char)r;
        struct item item = { .kind = ITEM_CONFIRM, .confirm_until = 4 };
        struct builder b;
        builder_init(&b, SIZE_MAX);
        item_print(&item, &b);
        struct store_embedded_incoming *in = store_embedded_incoming_new(&head);
        store_embedded_incoming_add(in, builder_text(&b));
        store_embedded_incoming_add(in, builder_text(&b));
        list_add_last(&p->entries, &in->node);
        builder_fini(&b);
    }
}

static void write_it(const struct parted *p, bool is_good)
{
    const char *why;
    assert_int_equal(parted_write(p, dir, &why), is_good);
}

static bool read_it(struct parted *p)
{
    const char *why;
    parted_init(p);
    return parted_read(p, dir, &why);
}

static void what_is_written_is_read(void **state)
{
    struct parted p;
    struct parted back;
    const char *why;
    assert_false(read_it(&back));
    fill(&p);
    write_it(&p, true);
    assert_true(parted_settle(dir, 3, &why));
    assert_true(parted_settle(dir, 5, &why));
    assert_true(read_it(&back));
    assert_int_equal(back.common, 7);
    assert_true(back.is_trimmed);
    assert_int_equal(back.newest, 9);
    assert_true(entry_id_equals(&back.id, &p.id));
    assert_int_equal(back.settled, 5);
    uint64_t revision = 8;
    LIST_EACH (node, &back.entries) {
        const struct store_embedded_incoming *in =
            LIST_ITEM(node, struct store_embedded_incoming, node);
        assert_int_equal(in->head.revision, revision++);
        assert_int_equal(in->part_count, 2);
        assert_true(text_equals(in->head.author, TEXT_OF("alice")));
    }
    assert_int_equal(revision, 10);
    parted_fini(&back);
    parted_fini(&p);
    assert_true(parted_remove(dir, &why));
    assert_true(parted_remove(dir, &why));
    assert_false(read_it(&back));
}

/* Torn: a little less is known to be settled; or, before the seal, there is nothing to go by. */
static void a_torn_file_is_read_as_far_as_it_is_whole(void **state)
{
    struct parted p;
    struct parted back;
    const char *why;
    fill(&p);
    write_it(&p, true);
    int fd = openat(dir->fd, "parted", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    off_t sealed = lseek(fd, 0, SEEK_END);
    assert_true(parted_settle(dir, 3, &why));
    off_t whole = lseek(fd, 0, SEEK_END);
    for (off_t size = whole; size >= 0; size--) {
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(read_it(&back), size >= sealed);
        if (size >= sealed)
            assert_int_equal(back.settled, size == whole ? 3 : 0);
        parted_fini(&back);
    }
    close(fd);
    parted_fini(&p);
}

static int fail_writes(enum disk_call call, size_t *length)
{
    return call == DISK_CALL_WRITE ? ENOSPC : 0;
}

/* What was there before stays whole. */
static void a_full_disk_leaves_what_was_there(void **state)
{
    struct parted p;
    struct parted back;
    fill(&p);
    write_it(&p, true);
    p.common = 1;
    disk_set_fault(fail_writes);
    write_it(&p, false);
    disk_set_fault(NULL);
    assert_true(read_it(&back));
    assert_int_equal(back.common, 7);
    assert_int_not_equal(faccessat(dir->fd, "parted.new", F_OK, 0), 0);
    parted_fini(&back);
    parted_fini(&p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(a_torn_file_is_read_as_far_as_it_is_whole),
        TEST(a_full_disk_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
