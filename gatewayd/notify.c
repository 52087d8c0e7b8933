/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.c - one datagram to $NOTIFY_SOCKET.
 */
#include "gatewayd/notify.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static atomic_bool is_muted;

void notify_mute(bool is_mute)
{
    atomic_store(&is_muted, is_mute);
}

void notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t length = path == NULL ? 0 : strlen(path);

    if (atomic_load(&is_muted) || length < 2 || length >= sizeof(to.sun_path) ||
        (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, length);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* an abstract name */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    (void)n; /* a supervisor that does not listen is no reason to stop */
    close(fd);
}
