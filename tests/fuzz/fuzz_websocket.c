/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_websocket.c - WebSocket frames: the same is seen however the bytes arrive, also boundary by
 * boundary, and a close frame fits at every boundary. The first byte says how the rest is cut and
 * who sends.
 */
#include "gatewayd/http/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct seen {
    struct websocket ws;
    size_t used;
    bool is_right;
};

static struct seen follow(struct text t, enum websocket_sender sender, size_t step, bool pausing)
{
    struct seen s = { .is_right = true };
    websocket_init(&s.ws, sender);
    while (s.is_right && s.used < t.length) {
        size_t n = step < t.length - s.used ? step : t.length - s.used, used;
        s.is_right = websocket_follow(&s.ws, text_from(t.at + s.used, n), pausing, &used);
        MUST(used <= n && (!s.is_right || pausing || used == n));
        MUST(!s.is_right || used == n || websocket_is_at_boundary(&s.ws));
        MUST(!s.is_right || used > 0);
        s.used += used;
    }
    return s;
}

/* Of a frame with a wrong header nothing has passed, unless it came in pieces. */
static bool is_same_mistake(const struct seen *a, const struct seen *b)
{
    return a->used == b->used || websocket_is_at_boundary(&a->ws) ||
           websocket_is_at_boundary(&b->ws);
}

static bool is_same(const struct seen *a, const struct seen *b)
{
    if (!a->is_right && !b->is_right)
        return is_same_mistake(a, b) && a->ws.in_message == b->ws.in_message;
    return a->is_right == b->is_right && a->used == b->used &&
           a->ws.in_message == b->ws.in_message && a->ws.has_closed == b->ws.has_closed &&
           websocket_is_at_boundary(&a->ws) == websocket_is_at_boundary(&b->ws) &&
           (!a->is_right || a->ws.left == b->ws.left || websocket_is_at_boundary(&a->ws));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    struct text t = text_from((const char *)bytes + 1, size - 1);
    enum websocket_sender sender = bytes[0] & 1 ? WEBSOCKET_SERVER : WEBSOCKET_CLIENT;
    struct seen whole = follow(t, sender, size, false);
    struct seen single = follow(t, sender, 1, false);
    struct seen cut = follow(t, sender, (bytes[0] >> 1) + (size_t)1, false);
    struct seen paused = follow(t, sender, size, true);
    MUST(is_same(&whole, &single) && is_same(&whole, &cut) && is_same(&whole, &paused));
    if (whole.is_right && websocket_is_at_boundary(&whole.ws)) {
        char into[WEBSOCKET_CLOSE_SIZE];
        size_t used;
        struct text frame = websocket_print_close(sender, WEBSOCKET_GOING_AWAY, t, into);
        MUST(websocket_follow(&whole.ws, frame, false, &used) && used == frame.length);
        MUST(websocket_is_at_boundary(&whole.ws) && whole.ws.has_closed);
    }
    return 0;
}
