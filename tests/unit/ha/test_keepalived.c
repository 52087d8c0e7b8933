/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "ha/keepalived.h"

static pid_t read_pid(const char *text)
{
    char file[] = "/tmp/gatewayd-test-XXXXXX";
    int fd = mkstemp(file);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    pid_t pid = keepalived_read_pid(file);
    unlink(file);
    return pid;
}

static void a_pid_file_is_a_number(void **state)
{
    assert_int_equal(read_pid("4711\n"), 4711);
    assert_int_equal(read_pid("4711"), 4711);
    assert_int_equal(read_pid("1\nmore"), 1);
    assert_int_equal(keepalived_read_pid("/nonexistent/keepalived.pid"), 0);
    assert_int_equal(read_pid(""), 0);
    assert_int_equal(read_pid("0\n"), 0);
    assert_int_equal(read_pid("-1\n"), 0);
    assert_int_equal(read_pid("12x\n"), 0);
    assert_int_equal(read_pid("99999999999999999999\n"), 0);
}

/* A process of this name, which ends when the other end of the pipe is closed. */
static pid_t start(const char *name, int *end_out)
{
    char ready;
    int told[2];
    int ends[2];

    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[1]);
        prctl(PR_SET_NAME, name, 0, 0, 0);
        ssize_t n = write(told[1], "", 1);
        n = read(ends[0], &ready, 1);
        _exit(n == 0 ? 0 : 1);
    }
    close(ends[0]);
    assert_int_equal(read(told[0], &ready, 1), 1);
    close(told[0]);
    close(told[1]);
    *end_out = ends[1];
    return pid;
}

static void it_is_known_by_its_name(void **state)
{
    int ends[2];
    pid_t ours = start("keepalived", &ends[0]);
    pid_t other = start("nothing", &ends[1]);
    siginfo_t info;

    assert_int_equal(keepalived_look(ours), KEEPALIVED_RUNS);
    assert_int_equal(keepalived_look(other), KEEPALIVED_NOT);
    close(ends[1]);
    waitpid(other, NULL, 0);
    close(ends[0]);
    assert_int_equal(waitid(P_PID, (id_t)ours, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(keepalived_look(ours), KEEPALIVED_NOT); /* ended, not waited for */
    waitpid(ours, NULL, 0);
    assert_int_equal(keepalived_look(ours), KEEPALIVED_NOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pid_file_is_a_number),
        cmocka_unit_test(it_is_known_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
