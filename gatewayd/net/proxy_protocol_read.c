/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_protocol_read.c - the header off a socket, leaving what follows (a ClientHello) in place.
 */
#include "gatewayd/net/proxy_protocol.h"
#include "gatewayd/net/socket.h"

/* Takes exactly `size` bytes that were looked at before. */
static bool take(struct socket *s, char *into, size_t size)
{
    size_t got;
    return size == 0 || (socket_read(s, into, size, &got) == IO_DONE && got == size);
}

enum proxy_protocol_result proxy_protocol_read(struct socket *s, char *memory, size_t *filled,
                                               struct proxy_protocol *header_out)
{
    size_t room = PROXY_PROTOCOL_MAX - *filled;
    size_t seen;
    size_t used;
    MUST(room > 0); /* the parser refuses before */
    enum io io = socket_peek(s, memory + *filled, room, &seen);
    if (io == IO_AGAIN)
        return PROXY_PROTOCOL_MORE;
    if (io != IO_DONE)
        return PROXY_PROTOCOL_BAD;
    struct text all = text_from(memory, *filled + seen);
    enum proxy_protocol_result result = proxy_protocol_parse(all, header_out, &used);
    if (result == PROXY_PROTOCOL_BAD)
        return result;
    /* Of an unfinished header all belongs to it. */
    size_t wanted = result == PROXY_PROTOCOL_DONE ? used - *filled : seen;
    if (!take(s, memory + *filled, wanted))
        return PROXY_PROTOCOL_BAD;
    *filled += wanted;
    return result;
}
