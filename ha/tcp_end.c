/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_end.c - see tcp_end.h; sock_diag(7), SOCK_DESTROY. */
#include "ha/tcp_end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ha/monotonic.h"

#define ROUNDS_MOST 8 /* a dump may pass over some while others go */

/* All but those that nobody waits at. */
#define STATES                                                                                     \
    ((1U << TCP_ESTABLISHED) | (1U << TCP_SYN_RECV) | (1U << TCP_FIN_WAIT1) |                      \
     (1U << TCP_FIN_WAIT2) | (1U << TCP_CLOSE_WAIT) | (1U << TCP_LAST_ACK) | (1U << TCP_CLOSING))

struct request {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

static bool send_request(int fd, uint16_t type, uint16_t flags, const struct inet_diag_req_v2 *body)
{
    struct request r = {
        .head = { .nlmsg_len = sizeof(r),
                  .nlmsg_type = type,
                  .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) },
        .body = *body,
    };

    return send(fd, &r, sizeof(r), 0) == (ssize_t)sizeof(r);
}

/* An IPv4 address may be had by a socket of both families. */
static bool is_at(const struct inet_diag_msg *m, const struct site_address *a)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    const unsigned char *bytes = (const unsigned char *)m->id.idiag_src;

    if (m->idiag_family == a->family)
        return memcmp(bytes, a->bytes, a->family == AF_INET ? 4 : 16) == 0;
    return a->family == AF_INET && m->idiag_family == AF_INET6 &&
           memcmp(bytes, mapped, sizeof(mapped)) == 0 && memcmp(bytes + 12, a->bytes, 4) == 0;
}

static bool is_of(const struct inet_diag_msg *m, const struct site_file *site)
{
    for (size_t i = 0; i < site->count; i++) {
        if (is_at(m, &site->items[i]))
            return true;
    }
    return false;
}

static bool end(int fd, const struct inet_diag_msg *m)
{
    struct inet_diag_req_v2 which = { .sdiag_family = m->idiag_family,
                                      .sdiag_protocol = IPPROTO_TCP,
                                      .id = m->id };
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[256];
    } answer;

    if (!send_request(fd, SOCK_DESTROY, NLM_F_ACK, &which) ||
        recv(fd, &answer, sizeof(answer), 0) < (ssize_t)(sizeof(answer.head) + sizeof(int)))
        return false;
    errno = -answer.error.error;
    return answer.error.error == 0;
}

/* What one reading of the list has; the end of it, or nothing: false. */
static bool take(char *bytes, size_t length, int ender, const struct site_file *site, long *count)
{
    for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)bytes; NLMSG_OK(h, length);
         h = NLMSG_NEXT(h, length)) {
        if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
            return false;
        const struct inet_diag_msg *m = NLMSG_DATA(h);
        if (is_of(m, site) && end(ender, m))
            ++*count;
    }
    return true;
}

/* All of one family. False: it cannot be asked, or the time is over. */
static bool end_family(int lister, int ender, unsigned char family, const struct site_file *site,
                       int64_t until_ms, long *count)
{
    static union {
        struct nlmsghdr aligned;
        char bytes[16384];
    } buffer;
    struct inet_diag_req_v2 all = { .sdiag_family = family,
                                    .sdiag_protocol = IPPROTO_TCP,
                                    .idiag_states = STATES };

    if (!send_request(lister, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &all))
        return false;
    for (;;) {
        ssize_t n = recv(lister, buffer.bytes, sizeof(buffer.bytes), 0);
        if (n <= 0 || monotonic_ms() >= until_ms)
            return false;
        if (!take(buffer.bytes, (size_t)n, ender, site, count))
            return true;
    }
}

static int open_diag(int limit_ms)
{
    struct timeval limit = { .tv_sec = limit_ms / 1000, .tv_usec = limit_ms % 1000 * 1000 };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

long tcp_end_all(const struct site_file *site, int limit_ms)
{
    int64_t until_ms = monotonic_ms() + limit_ms;
    int ender = open_diag(limit_ms);
    long count = -1;

    for (int round = 0; ender >= 0 && round < ROUNDS_MOST; round++) {
        int lister = open_diag(limit_ms); /* a list that was not read to its end goes with it */
        long before = count < 0 ? 0 : count;
        count = before;
        bool is_whole = lister >= 0 &&
                        end_family(lister, ender, AF_INET6, site, until_ms, &count) &&
                        end_family(lister, ender, AF_INET, site, until_ms, &count);
        if (lister >= 0)
            close(lister);
        if (!is_whole || count == before)
            break;
    }
    if (ender >= 0)
        close(ender);
    return count;
}
