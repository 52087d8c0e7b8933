/* SPDX-License-Identifier: Apache-2.0 */
/* test_handover_link.c - frames and descriptors from one end of a socketpair to the other. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gatewayd/handover_link.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define MANY       2000

static struct {
    struct loop *loop;
    struct handover_link *ours;
    int theirs; /* the other end; -1: a link has it */
    struct handover_link *other;
    unsigned frames;
    unsigned gone;
    unsigned fds;
    unsigned taken;
    uint64_t next;
    ino_t inode;
    bool frees; /* at the first frame */
} the;

static void on_frame(void *arg, const struct handover_frame *frame, struct handover_fds *fds)
{
    uint64_t number = 0;
    struct stat st;
    assert_true(handover_number(frame, &number));
    assert_int_equal(number, the.next++);
    the.frames++;
    the.fds += (unsigned)fds->count;
    int fd = handover_link_take(fds, 0);
    if (fd >= 0) {
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fstat(fd, &st), 0);
        the.inode = st.st_ino;
        the.taken++;
        close(fd);
    }
    assert_int_equal(handover_link_take(fds, 0), -1);
    if (the.frees)
        handover_link_free(&the.ours);
}

static void on_gone(void *arg)
{
    the.gone++;
}

static void never(void *arg, const struct handover_frame *frame, struct handover_fds *fds)
{
    fail();
}

static int setup(void **state)
{
    int pair[2];
    memset(&the, 0, sizeof(the));
    the.loop = loop_new("test");
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
                     0);
    the.ours = handover_link_new(the.loop, pair[0], on_frame, on_gone, NULL);
    the.theirs = pair[1];
    return 0;
}

static int teardown(void **state)
{
    handover_link_free(&the.ours);
    handover_link_free(&the.other);
    if (the.theirs >= 0)
        close(the.theirs);
    loop_run_once(the.loop, false);
    loop_free(&the.loop);
    return 0;
}

static void link_other(void)
{
    the.other = handover_link_new(the.loop, the.theirs, never, on_gone, NULL);
    the.theirs = -1;
}

static void say(uint64_t number, const int *fds, size_t count)
{
    char text[TEXT_NUMBER_SIZE];
    struct handover_frame frame = { .kind = HANDOVER_WORD };
    frame.fields[HANDOVER_NUMBER] = text_print_u64(number, text);
    handover_link_send(the.other, &frame, fds, count);
}

static void run(unsigned frames)
{
    for (int i = 0; i < 10000 && the.frames < frames; i++)
        loop_run_once(the.loop, false);
    assert_int_equal(the.frames, frames);
}

static size_t count_open(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void descriptors_travel_with_their_frame(void **state)
{
    int fds[3];
    struct stat st;
    link_other();
    for (int i = 0; i < 3; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fds[0], &st), 0);
    size_t before = count_open();
    say(0, fds, 3);
    say(1, NULL, 0);
    run(2);
    assert_int_equal(the.fds, 3);
    assert_int_equal(the.taken, 1);
    assert_int_equal(the.inode, st.st_ino);
    /* Those that nobody took are closed, and ours are still ours. */
    assert_int_equal(count_open(), before);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

/* More than the kernel queues; the descriptor may be closed as soon as it was said. */
static void what_has_no_room_waits_in_its_order(void **state)
{
    link_other();
    for (uint64_t i = 0; i < MANY; i++) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        say(i, &fd, i % 100 == 0 ? 1 : 0);
        close(fd);
    }
    run(MANY);
    assert_int_equal(the.fds, MANY / 100);
}

static void the_end_of_the_other_side_is_told_once_and_last(void **state)
{
    link_other();
    say(0, NULL, 0);
    handover_link_free(&the.other);
    run(1);
    for (int i = 0; i < 10; i++)
        loop_run_once(the.loop, false);
    assert_int_equal(the.gone, 1);
}

/* It ended, and had not read what we said: what it said last is heard all the same. */
static void last_words_are_heard(void **state)
{
    struct handover_frame frame = { .kind = HANDOVER_WORD };
    struct builder b;
    handover_link_send(the.ours, &frame, NULL, 0);
    builder_init(&b, HANDOVER_FRAME_MOST);
    frame.fields[HANDOVER_NUMBER] = TEXT_OF("0");
    handover_print(&frame, &b);
    assert_int_equal(send(the.theirs, b.at, b.length, 0), b.length);
    builder_fini(&b);
    close(the.theirs);
    the.theirs = -1;
    run(1);
    loop_run_once(the.loop, false);
    assert_int_equal(the.gone, 1);
}

static void what_is_no_frame_is_the_end(void **state)
{
    assert_int_equal(send(the.theirs, "HELLO", 5, 0), 5);
    loop_run_once(the.loop, false);
    assert_int_equal(the.gone, 1);
    assert_int_equal(the.frames, 0);
}

static void wait_for_the_end(void)
{
    for (int i = 0; i < 100 && the.gone == 0; i++)
        loop_run_once(the.loop, false);
    assert_int_equal(the.gone, 1);
}

static void what_was_read_before_the_end_is_known(void **state)
{
    char bytes[HANDOVER_FRAME_MOST];
    handover_link_send(the.ours, &(struct handover_frame){ .kind = HANDOVER_YOURS }, NULL, 0);
    assert_true(recv(the.theirs, bytes, sizeof(bytes), 0) > 0);
    close(the.theirs);
    the.theirs = -1;
    wait_for_the_end();
    assert_false(handover_link_is_unread(the.ours));
}

static void what_was_not_read_before_the_end_is_known(void **state)
{
    handover_link_send(the.ours, &(struct handover_frame){ .kind = HANDOVER_YOURS }, NULL, 0);
    close(the.theirs);
    the.theirs = -1;
    wait_for_the_end();
    assert_true(handover_link_is_unread(the.ours));
}

static void what_was_sent_after_the_end_is_known_to_be_unread(void **state)
{
    close(the.theirs);
    the.theirs = -1;
    handover_link_send(the.ours, &(struct handover_frame){ .kind = HANDOVER_YOURS }, NULL, 0);
    wait_for_the_end();
    assert_true(handover_link_is_unread(the.ours));
}

static void a_link_may_go_while_it_tells(void **state)
{
    link_other();
    the.frees = true;
    say(0, NULL, 0);
    say(1, NULL, 0);
    run(1);
    for (int i = 0; i < 5; i++)
        loop_run_once(the.loop, false);
    assert_int_equal(the.frames, 1);
    assert_null(the.ours);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(descriptors_travel_with_their_frame),
        TEST(what_has_no_room_waits_in_its_order),
        TEST(the_end_of_the_other_side_is_told_once_and_last),
        TEST(last_words_are_heard),
        TEST(what_is_no_frame_is_the_end),
        TEST(what_was_read_before_the_end_is_known),
        TEST(what_was_not_read_before_the_end_is_known),
        TEST(what_was_sent_after_the_end_is_known_to_be_unread),
        TEST(a_link_may_go_while_it_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
