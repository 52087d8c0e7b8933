/* SPDX-License-Identifier: Apache-2.0 */
/*
 * websocket.c - frame headers (RFC 6455 §5.2), gathered byte by byte; payloads are counted off.
 */
#include "gatewayd/http/websocket.h"

#include "gatewayd/http/request_id.h"

#define OPCODE_CONTINUATION 0
#define OPCODE_BINARY       2
#define OPCODE_CLOSE        8
#define OPCODE_PONG         10

#define BIT_FIN  0x80
#define BIT_MASK 0x80

#define CLOSE_REASON_MAX 123

void websocket_init(struct websocket *ws, enum websocket_sender sender)
{
    *ws = (struct websocket){ .sender = sender };
}

bool websocket_is_at_boundary(const struct websocket *ws)
{
    return ws->have == 0;
}

/* Bytes of the header that began with the `have` bytes there are. */
static unsigned header_size(const struct websocket *ws)
{
    if (ws->have < 2)
        return 2;
    unsigned size = ws->sender == WEBSOCKET_CLIENT ? 6 : 2;
    switch (ws->header[1] & 0x7f) {
    case 126:
        return size + 2;
    case 127:
        return size + 8;
    default:
        return size;
    }
}

/* The two first bytes: opcode, fragmentation, mask. */
static bool is_beginning_right(const struct websocket *ws)
{
    unsigned opcode = ws->header[0] & 0x0f, length = ws->header[1] & 0x7f;
    bool is_final = (ws->header[0] & BIT_FIN) != 0;
    bool is_masked = (ws->header[1] & BIT_MASK) != 0;
    if (is_masked != (ws->sender == WEBSOCKET_CLIENT))
        return false;
    if (opcode >= OPCODE_CLOSE)
        return opcode <= OPCODE_PONG && is_final && length <= 125;
    return opcode <= OPCODE_BINARY && (opcode == OPCODE_CONTINUATION) == ws->in_message;
}

/* The length in its shortest form (RFC 6455 §5.2), or false. */
static bool parse_length(const struct websocket *ws, uint64_t *length_out)
{
    unsigned form = ws->header[1] & 0x7f;
    if (form < 126) {
        *length_out = form;
        return true;
    }
    uint64_t length = 0;
    unsigned size = form == 126 ? 2 : 8;
    for (unsigned i = 0; i < size; i++)
        length = length << 8 | ws->header[2 + i];
    if (length < 126 || (size == 8 && (length <= UINT16_MAX || length > INT64_MAX)))
        return false;
    *length_out = length;
    return true;
}

static void end_frame(struct websocket *ws)
{
    unsigned opcode = ws->header[0] & 0x0f;
    if (opcode == OPCODE_CLOSE)
        ws->has_closed = true;
    if (opcode < OPCODE_CLOSE)
        ws->in_message = (ws->header[0] & BIT_FIN) == 0;
    ws->have = 0;
    ws->in_payload = false;
}

/* Takes a byte of a header. */
static bool take_header_byte(struct websocket *ws, unsigned char byte)
{
    ws->header[ws->have++] = byte;
    if (ws->have == 2 && !is_beginning_right(ws))
        return false;
    if (ws->have < header_size(ws))
        return true;
    if (!parse_length(ws, &ws->left))
        return false;
    ws->in_payload = true;
    return true;
}

bool websocket_follow(struct websocket *ws, struct text bytes, bool until_boundary,
                      size_t *used_out)
{
    size_t used = 0, header_at = SIZE_MAX;
    bool is_right = !ws->is_malformed;
    while (is_right && used < bytes.length) {
        if (!ws->in_payload) {
            if (ws->have == 0)
                header_at = used;
            is_right = take_header_byte(ws, (unsigned char)bytes.at[used]);
            used += is_right;
        } else {
            size_t rest = bytes.length - used;
            size_t taken = rest < ws->left ? rest : (size_t)ws->left;
            ws->left -= taken;
            used += taken;
        }
        if (!ws->in_payload || ws->left > 0)
            continue;
        end_frame(ws);
        if (until_boundary)
            break;
    }
    /* Not passed on yet: the stream ends between two frames. */
    if (!is_right && !ws->is_malformed && header_at != SIZE_MAX) {
        used = header_at;
        ws->have = 0;
    }
    *used_out = used;
    ws->is_malformed = !is_right;
    return is_right;
}

/* Shortens to at most `size` bytes without cutting a UTF-8 sequence in two. */
static struct text cut(struct text t, size_t size)
{
    if (t.length <= size)
        return t;
    while (size > 0 && ((unsigned char)t.at[size] & 0xc0) == 0x80)
        size--;
    return text_first(t, size);
}

struct text websocket_print_close(enum websocket_sender sender, unsigned code, struct text reason,
                                  char into[WEBSOCKET_CLOSE_SIZE])
{
    reason = cut(reason, CLOSE_REASON_MAX);
    bool is_masked = sender == WEBSOCKET_CLIENT;
    size_t length = 2 + reason.length;
    into[0] = (char)(BIT_FIN | OPCODE_CLOSE);
    into[1] = (char)((is_masked ? BIT_MASK : 0) | length);
    char *mask = into + 2, *payload = is_masked ? into + 6 : into + 2;
    payload[0] = (char)(code >> 8);
    payload[1] = (char)code;
    if (reason.length > 0)
        memcpy(payload + 2, reason.at, reason.length);
    if (is_masked) {
        uint32_t key = (uint32_t)request_id_random();
        memcpy(mask, &key, 4);
        for (size_t i = 0; i < length; i++)
            payload[i] ^= mask[i & 3];
    }
    return text_from(into, (size_t)(payload + length - into));
}
