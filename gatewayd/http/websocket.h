/* SPDX-License-Identifier: Apache-2.0 */
/*
 * websocket.h - follows the frames of one direction of a WebSocket (RFC 6455 §5), lengths only, so
 * that a close frame can be put in between two frames. Payloads are not looked at. No I/O.
 *
 * Lifetime: tunnel; one for each direction.
 */
#ifndef GATEWAYD_HTTP_WEBSOCKET_H
#define GATEWAYD_HTTP_WEBSOCKET_H

#include "conf/base/text.h"

enum websocket_sender { WEBSOCKET_CLIENT /* masks */, WEBSOCKET_SERVER /* never masks */ };

struct websocket {
    enum websocket_sender sender;
    uint64_t left;            /* payload bytes of the frame at hand still to come */
    unsigned char header[14]; /* of the frame at hand, as far as it came */
    unsigned char have;       /* bytes in it; 0: none yet */
    bool in_payload;
    bool in_message;   /* a fragmented message has begun and not ended */
    bool is_malformed; /* it said so before: nothing more is followed */
    bool has_closed;   /* a whole close frame went by: the sender has nothing more to say */
};

void websocket_init(struct websocket *ws, enum websocket_sender sender);

/* Follows `bytes` and says how many were followed: all, or with `until_boundary` up to the first
 * end of a frame. False: malformed, the bytes before *used_out are still well-formed: they end with
 * a frame, unless the header that is wrong began in an earlier call. */
MUST_USE bool websocket_follow(struct websocket *ws, struct text bytes, bool until_boundary,
                               size_t *used_out);

/* Between two frames: a frame may be put in here. (A close may stand inside a fragmented message.)
 */
bool websocket_is_at_boundary(const struct websocket *ws);

/* Codes we close with (RFC 6455 §7.4.1). */
#define WEBSOCKET_GOING_AWAY     1001
#define WEBSOCKET_PROTOCOL_ERROR 1002
#define WEBSOCKET_POLICY         1008

/* Room for a close frame: header, mask, code and a reason of at most 123 bytes. */
#define WEBSOCKET_CLOSE_SIZE (2 + 4 + 125)

/* A close frame as `sender` would send it, into `into`; returns it. A client's is masked with a
 * random key. The reason is UTF-8, cut to 123 bytes. */
struct text websocket_print_close(enum websocket_sender sender, unsigned code, struct text reason,
                                  char into[WEBSOCKET_CLOSE_SIZE]);

#endif
