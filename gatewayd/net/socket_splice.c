/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_splice.c - bodies from socket to socket through a pipe, without passing through us.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/net/socket_private.h"

#define PIPE_SIZE (256 * 1024)
#define MAX_IDLE  32

void socket_pipes_init(struct socket_pipes *p)
{
    *p = (struct socket_pipes){ 0 };
}

static void close_pipe(struct socket_pipe *pipe)
{
    close(pipe->in);
    close(pipe->out);
    MEM_FREE(&pipe);
}

void socket_pipes_fini(struct socket_pipes *p)
{
    while (p->idle != NULL) {
        struct socket_pipe *pipe = p->idle;
        p->idle = pipe->next;
        close_pipe(pipe);
    }
    p->count = 0;
}

struct socket_pipe *socket_pipe_take(struct socket_pipes *p)
{
    struct socket_pipe *pipe = p->idle;
    if (pipe != NULL) {
        p->idle = pipe->next;
        p->count--;
        return pipe;
    }
    int fds[2];
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0)
        return NULL;
    /* Refused once the user's pipe pages are used up: a smaller one works, too. */
    (void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE);
    pipe = mem_new(sizeof(*pipe));
    pipe->out = fds[0];
    pipe->in = fds[1];
    return pipe;
}

void socket_pipe_give(struct socket_pipes *p, struct socket_pipe *pipe)
{
    if (pipe->filled > 0 || p->count >= MAX_IDLE) {
        close_pipe(pipe);
        return;
    }
    pipe->next = p->idle;
    p->idle = pipe;
    p->count++;
}

enum io socket_splice_in(struct socket *from, struct socket_pipe *pipe, size_t size,
                         size_t *moved_out)
{
    MUST(socket_can_splice(from) && size > 0);
    *moved_out = 0;
    ssize_t n;
    do {
        n = splice(from->watch.fd, NULL, pipe->in, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        pipe->filled += (size_t)n;
        *moved_out = (size_t)n;
        return IO_DONE;
    }
    if (n == 0) {
        socket_pause_read(from);
        return IO_EOF;
    }
    if (errno != EAGAIN)
        return socket_fail(from, errno);
    /* Either the socket is empty or the pipe is full. */
    from->read_ended = pipe->filled == 0;
    return IO_AGAIN;
}

enum io socket_splice_out(struct socket *to, struct socket_pipe *pipe, bool more, size_t *moved_out)
{
    MUST(socket_can_splice(to));
    *moved_out = 0;
    unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0);
    while (pipe->filled > 0) {
        ssize_t n = splice(pipe->out, NULL, to->watch.fd, NULL, pipe->filled, flags);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            socket_expect_room(to);
            return IO_AGAIN;
        }
        if (n < 0)
            return socket_fail(to, errno);
        pipe->filled -= (size_t)n;
        *moved_out += (size_t)n;
    }
    return IO_DONE;
}
