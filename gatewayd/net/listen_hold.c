/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen_hold.c - before a listening socket is closed no handshake begins on it any more.
 *
 * A socket filter drops what begins one. Kernels that are hardened refuse filters to who is not
 * privileged: there a packet has to have more hops left than any that was routed here (IP_MINTTL,
 * RFC 5082), which is asked of who begins and not of who ends a handshake. What is accepted
 * inherits both; the filter lets all of its packets pass, the hops are set right by the acceptor.
 */
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "gatewayd/net/listen_private.h"

#define HOPS_MOST 255

static atomic_bool is_floored;

static bool try_drop_syns(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct tcphdr, th_flags)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = { .len = ARRAY_LENGTH(code), .filter = code };
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static void set_hops(int fd, int least)
{
    (void)setsockopt(fd, IPPROTO_IP, IP_MINTTL, &least, sizeof(least));
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &least, sizeof(least));
}

void listen_hold_by_hops(int fd)
{
    atomic_store(&is_floored, true); /* before the first is accepted that inherits it */
    set_hops(fd, HOPS_MOST);
}

void listen_hold_take_over(int fd)
{
    if (atomic_load_explicit(&is_floored, memory_order_relaxed))
        set_hops(fd, 0);
}

static void hold(int fd)
{
    if (!try_drop_syns(fd))
        listen_hold_by_hops(fd);
}

void listen_table_hold_handshakes(struct listen_table *t)
{
    LIST_EACH (node, &t->entries) {
        struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
        if (e->is_given || e->is_passed_on)
            continue;
        if (listen_is_unix(&e->address))
            unlink(e->address.local.sun_path);
        for (unsigned i = 0; i < e->count && !listen_is_unix(&e->address); i++)
            hold(e->fds[i]);
    }
}
