/* SPDX-License-Identifier: Apache-2.0 */
/* handover_link.c - see handover_link.h. */
#include "gatewayd/handover_link.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/base/mem.h"

/* One frame that is still to be sent. */
struct parcel {
    struct list node;
    char *bytes;
    size_t length;
    int *fds; /* copies, ours to close */
    size_t count;
};

struct handover_link {
    struct loop_watch watch;
    struct list parcels;
    handover_frame_fn *on_frame;
    handover_gone_fn *on_gone;
    void *arg;
    bool is_gone;
    bool is_unread;    /* something that was sent */
    bool is_receiving; /* a frame of it is being told */
};

union control_message {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(HANDOVER_FDS_MOST * sizeof(int))];
};

/* ---- sending -------------------------------------------------------------------------------- */

static void free_parcel(struct parcel *p)
{
    list_remove(&p->node);
    for (size_t i = 0; i < p->count; i++)
        close(p->fds[i]);
    MEM_FREE(&p->fds);
    MEM_FREE(&p->bytes);
    MEM_FREE(&p);
}

static ssize_t send_parcel(int fd, const struct parcel *p)
{
    union control_message control;
    struct iovec part = { .iov_base = p->bytes, .iov_len = p->length };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    if (p->count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(p->count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(p->count * sizeof(int));
        memcpy(CMSG_DATA(head), p->fds, p->count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_writable(void *arg)
{
    struct handover_link *link = arg;

    while (!list_is_empty(&link->parcels)) {
        struct parcel *p = LIST_ITEM(link->parcels.next, struct parcel, node);
        bool is_sent = send_parcel(link->watch.fd, p) >= 0;
        if (!is_sent && (errno == EAGAIN || errno == ENOBUFS)) {
            loop_watch_start_write(&link->watch, on_writable);
            return;
        }
        /* Any other error is the end of the other side, which reading tells. */
        link->is_unread = link->is_unread || !is_sent;
        free_parcel(p);
    }
    loop_watch_stop_write(&link->watch);
}

void handover_link_send(struct handover_link *link, const struct handover_frame *frame,
                        const int *fds, size_t count)
{
    struct parcel *p;
    struct builder b;

    MUST(count <= HANDOVER_FDS_MOST);
    if (link->is_gone)
        return;
    p = mem_new(sizeof(*p));
    builder_init(&b, HANDOVER_FRAME_MOST);
    handover_print(frame, &b);
    MUST(!builder_is_full(&b));
    p->bytes = builder_take(&b, &p->length);
    p->fds = mem_new_array(count + 1, sizeof(p->fds[0]));
    for (size_t i = 0; i < count; i++) {
        int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
        if (copy >= 0)
            p->fds[p->count++] = copy;
    }
    list_add_last(&link->parcels, &p->node);
    if (!link->watch.is_writing)
        on_writable(link);
}

/* ---- receiving ------------------------------------------------------------------------------ */

int handover_link_take(struct handover_fds *fds, size_t i)
{
    int fd = i < fds->count ? fds->items[i] : -1;

    if (fd >= 0)
        fds->items[i] = -1;
    return fd;
}

static void collect_fds(struct msghdr *message, struct handover_fds *fds)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (fds->count < HANDOVER_FDS_MOST)
                fds->items[fds->count++] = fd;
            else
                close(fd);
        }
    }
}

static void close_fds(struct handover_fds *fds)
{
    for (size_t i = 0; i < fds->count; i++) {
        if (fds->items[i] >= 0)
            close(fds->items[i]);
    }
}

static void end(struct handover_link *link)
{
    if (link->is_gone)
        return;
    link->is_gone = true;
    loop_watch_stop(&link->watch);
    link->is_receiving = true;
    link->on_gone(link->arg);
    link->is_receiving = false;
}

/* False: there is nothing more for now, or the link is no more. */
static bool receive_one(struct handover_link *link)
{
    char bytes[HANDOVER_FRAME_MOST];
    union control_message control;
    struct iovec part = { .iov_base = bytes, .iov_len = sizeof(bytes) };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof(control.bytes) };
    struct handover_fds fds = { .count = 0 };
    struct handover_frame frame;
    ssize_t n = recvmsg(link->watch.fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    /* It ended without reading all that was said to it; what it said itself is there yet. */
    if (n < 0 && errno == ECONNRESET) {
        link->is_unread = true;
        return true;
    }
    if (n > 0)
        collect_fds(&message, &fds);
    if (n <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
        !handover_parse(text_from(bytes, (size_t)n), &frame)) {
        close_fds(&fds);
        end(link);
        return false;
    }
    link->is_receiving = true;
    link->on_frame(link->arg, &frame, &fds);
    link->is_receiving = false;
    close_fds(&fds);
    return !link->is_gone; /* or freed by what was called: then buried, and gone as well */
}

static void on_readable(void *arg)
{
    while (receive_one(arg)) {
    }
}

bool handover_link_is_unread(const struct handover_link *link)
{
    return link->is_unread || !list_is_empty(&link->parcels);
}

/* ---- life ----------------------------------------------------------------------------------- */

struct handover_link *handover_link_new(struct loop *loop, int fd, handover_frame_fn *on_frame,
                                        handover_gone_fn *on_gone, void *arg)
{
    struct handover_link *link = mem_new(sizeof(*link));

    list_init(&link->parcels);
    link->on_frame = on_frame;
    link->on_gone = on_gone;
    link->arg = arg;
    loop_watch_init(&link->watch, loop, fd, link);
    loop_watch_start_read(&link->watch, on_readable);
    return link;
}

static void free_link(void *object)
{
    struct handover_link *link = object;

    MEM_FREE(&link);
}

void handover_link_free(struct handover_link **at)
{
    struct handover_link *link = *at;

    if (link == NULL)
        return;
    *at = NULL;
    link->is_gone = true;
    loop_watch_stop(&link->watch);
    close(link->watch.fd);
    while (!list_is_empty(&link->parcels))
        free_parcel(LIST_ITEM(link->parcels.next, struct parcel, node));
    if (link->is_receiving)
        loop_bury(link->watch.loop, link, free_link);
    else
        free_link(link);
}
