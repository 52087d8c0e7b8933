/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket_call.h - the system calls of the data path, past the C library's wrappers.
 *
 * recv(3) and its like are cancellation points: in a process with threads each costs two atomic
 * exchanges and some forty instructions. No thread of ours is ever cancelled. Results and errno as
 * of the wrappers.
 */
#ifndef GATEWAYD_NET_SOCKET_CALL_H
#define GATEWAYD_NET_SOCKET_CALL_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline ssize_t socket_call_recv(int fd, void *into, size_t size, int flags)
{
#ifdef SYS_recvfrom
    return syscall(SYS_recvfrom, fd, into, size, flags, NULL, NULL);
#else
    return recv(fd, into, size, flags);
#endif
}

static inline ssize_t socket_call_send(int fd, const void *from, size_t size, int flags)
{
#ifdef SYS_sendto
    return syscall(SYS_sendto, fd, from, size, flags, NULL, 0);
#else
    return send(fd, from, size, flags);
#endif
}

static inline ssize_t socket_call_sendmsg(int fd, const struct msghdr *message, int flags)
{
#ifdef SYS_sendmsg
    return syscall(SYS_sendmsg, fd, message, flags);
#else
    return sendmsg(fd, message, flags);
#endif
}

#endif
