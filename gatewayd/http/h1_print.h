/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_print.h - heads of HTTP/1 messages as bytes.
 *
 * A head is copied into one contiguous piece (a pooled buffer): for heads of a kilobyte or two that
 * costs less than a vector of slices. Left out: lines marked as removed, everything hop-by-hop,
 * Content-Length. Framing and Connection are written anew from the head, so that what goes out is
 * what was understood. Pure; any thread.
 */
#ifndef GATEWAYD_HTTP_H1_PRINT_H
#define GATEWAYD_HTTP_H1_PRINT_H

#include "gatewayd/http/message.h"

enum h1_connection {
    H1_PERSIST,      /* say nothing: HTTP/1.1 keeps connections */
    H1_PERSIST_SAID, /* Connection: keep-alive, for a client of HTTP/1.0 */
    H1_CLOSE,        /* Connection: close */
    H1_UPGRADE,      /* Connection: Upgrade, Upgrade: websocket */
};

/* "METHOD PATH?QUERY HTTP/1.1", Host from head->authority, the headers, framing. The target is put
 * together from .path and .query; Host lines in the headers are not looked at. A POST, PUT or PATCH
 * without a body says Content-Length: 0. Expect is sent on as it stands. Returns the number of
 * bytes, or 0 if `size` is too small. */
MUST_USE size_t h1_print_request(const struct request_head *head, enum h1_connection connection,
                                 char *into, size_t size);

/* "HTTP/1.1 STATUS REASON", the headers, framing. With BODY_NONE, 1xx and 204 say nothing and
 * everything else repeats body_length if the headers have a Content-Length (HEAD, 304). BODY_CLOSE
 * says nothing: pass H1_CLOSE with it. Returns the number of bytes, or 0 if `size` is too small. */
MUST_USE size_t h1_print_response(const struct response_head *head, enum h1_connection connection,
                                  char *into, size_t size);

/* Sizes that surely suffice. */
size_t h1_print_request_size(const struct request_head *head);
size_t h1_print_response_size(const struct response_head *head);

#endif
