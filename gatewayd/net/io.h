/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.h - how an attempt to read or write a stream ended.
 */
#ifndef GATEWAYD_NET_IO_H
#define GATEWAYD_NET_IO_H

enum io {
    IO_DONE,   /* bytes moved (reading: at least one; writing: all that was asked) */
    IO_AGAIN,  /* not (or not all) now: go on when the loop says so */
    IO_EOF,    /* reading: the peer has ended its side properly */
    IO_BROKEN, /* the stream is dead: socket_why() says why; close it */
};

#endif
