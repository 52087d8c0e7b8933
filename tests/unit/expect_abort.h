/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expect_abort.h - for cases that say "this is a bug": the call must end the process by MUST().
 *
 * Runs `statement` in a child whose stderr is closed; true if it was aborted.
 */
#ifndef TESTS_UNIT_EXPECT_ABORT_H
#define TESTS_UNIT_EXPECT_ABORT_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool expect_abort_child_ended(pid_t child)
{
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#define EXPECT_ABORT(statement)                                                                    \
    do {                                                                                           \
        pid_t child_ = fork();                                                                     \
        if (child_ == 0) {                                                                         \
            signal(SIGABRT, SIG_DFL);                                                              \
            setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });                                      \
            close(STDERR_FILENO);                                                                  \
            statement;                                                                             \
            _exit(0);                                                                              \
        }                                                                                          \
        assert_true(expect_abort_child_ended(child_));                                             \
    } while (0)

#endif
