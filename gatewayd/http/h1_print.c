/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h1_print.c - heads as bytes.
 *
 * Lines that stand in the buffer as they would be printed, one behind the other, are copied in one
 * piece: a head that is passed on nearly as it came costs a few copies.
 */
#include "gatewayd/http/h1_print.h"

/* Bit n: fields with number n are never copied. */
#define HEADER(symbol, name, flags)                                                                \
    | (HEADER_##symbol < 64 && ((flags) & (HEADER_HOP | HEADER_FRAMING)) != 0                      \
           ? UINT64_C(1) << (HEADER_##symbol & 63)                                                 \
           : 0)
static const uint64_t skipped_low = 0
#include "gatewayd/http/headers.def"
    ;
#undef HEADER
#define HEADER(symbol, name, flags)                                                                \
    | (HEADER_##symbol >= 64 && ((flags) & (HEADER_HOP | HEADER_FRAMING)) != 0                     \
           ? UINT64_C(1) << (HEADER_##symbol & 63)                                                 \
           : 0)
static const uint64_t skipped_high = 0
#include "gatewayd/http/headers.def"
    ;
#undef HEADER

/* Bytes that are printed beside target, headers and reason, at most: version, framing, Connection,
 * the names of Host and the colons. */
#define ROOM_BESIDE 256

struct printer {
    char *at;
    char *end;
    bool full;
};

static inline bool has_room(struct printer *p, size_t length)
{
    if (LIKELY((size_t)(p->end - p->at) >= length))
        return true;
    p->full = true;
    return false;
}

static inline void put(struct printer *p, const char *bytes, size_t length)
{
    if (has_room(p, length))
        p->at = text_copy_to(p->at, text_from(bytes, length));
}

static inline void put_text(struct printer *p, struct text t)
{
    put(p, t.at, t.length);
}

#define PUT(p, literal) put_constant(p, "" literal, sizeof(literal) - 1)

/* Of a length that the compiler knows. */
static inline __attribute__((always_inline)) void put_constant(struct printer *p, const char *bytes,
                                                               size_t length)
{
    if (!has_room(p, length))
        return;
    memcpy(p->at, bytes, length);
    p->at += length;
}

static inline void put_line(struct printer *p, struct text name, struct text value)
{
    if (!has_room(p, name.length + value.length + 4))
        return;
    char *at = text_copy_to(p->at, name);
    memcpy(at, ": ", 2);
    at = text_copy_to(at + 2, value);
    memcpy(at, "\r\n", 2);
    p->at = at + 2;
}

static void put_u64(struct printer *p, uint64_t value)
{
    char digits[TEXT_NUMBER_SIZE];
    put_text(p, text_print_u64(value, digits));
}

static inline bool is_skipped(const struct header *h, bool skip_host)
{
    uint64_t skipped = h->id < 64 ? skipped_low : skipped_high;
    return h->is_removed || (skipped >> (h->id & 63) & 1) != 0 ||
           (skip_host && h->id == HEADER_HOST);
}

/* "Name: value" stands there as one piece. */
static inline bool is_plain(const struct header *h)
{
    const char *colon = h->name.at + h->name.length;
    return h->value.at == colon + 2 && colon[0] == ':' && colon[1] == ' ';
}

static void put_headers(struct printer *p, const struct headers *headers, bool skip_host)
{
    const char *run = NULL, *run_end = NULL;
    for (unsigned i = 0; i < headers->count; i++) {
        const struct header *h = &headers->items[i];
        if (is_skipped(h, skip_host))
            continue;
        bool plain = is_plain(h);
        if (run != NULL && plain && h->name.at == run_end + 2 && memcmp(run_end, "\r\n", 2) == 0) {
            run_end = h->value.at + h->value.length;
            continue;
        }
        if (run != NULL) {
            put(p, run, (size_t)(run_end - run));
            PUT(p, "\r\n");
            run = NULL;
        }
        if (plain) {
            run = h->name.at;
            run_end = h->value.at + h->value.length;
            continue;
        }
        put_line(p, h->name, h->value);
    }
    if (run != NULL) {
        put(p, run, (size_t)(run_end - run));
        PUT(p, "\r\n");
    }
}

static void put_connection(struct printer *p, enum h1_connection connection)
{
    switch (connection) {
    case H1_PERSIST:
        break;
    case H1_PERSIST_SAID:
        PUT(p, "Connection: keep-alive\r\n");
        break;
    case H1_CLOSE:
        PUT(p, "Connection: close\r\n");
        break;
    case H1_UPGRADE:
        PUT(p, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
        break;
    }
}

static void put_length(struct printer *p, uint64_t length)
{
    PUT(p, "Content-Length: ");
    put_u64(p, length);
    PUT(p, "\r\n");
}

static size_t finish(struct printer *p, const char *into)
{
    PUT(p, "\r\n");
    return p->full ? 0 : (size_t)(p->at - into);
}

/* RFC 9110 §8.6: a method that is expected to have content says so when it has none. */
static bool expects_content(enum method m)
{
    return m == METHOD_POST || m == METHOD_PUT || m == METHOD_PATCH;
}

size_t h1_print_request(const struct request_head *head, enum h1_connection connection, char *into,
                        size_t size)
{
    MUST(head->framing != BODY_CLOSE);
    struct printer p = { .at = into, .end = into + size };
    put_text(&p, head->method_name);
    PUT(&p, " ");
    put_text(&p, head->path);
    if (head->has_query) {
        PUT(&p, "?");
        put_text(&p, head->query);
    }
    PUT(&p, " HTTP/1.1\r\nHost: ");
    put_text(&p, head->authority);
    PUT(&p, "\r\n");
    put_headers(&p, &head->headers, true);
    if (head->framing == BODY_CHUNKED)
        PUT(&p, "Transfer-Encoding: chunked\r\n");
    else if (head->framing == BODY_LENGTH)
        put_length(&p, head->body_length);
    else if (expects_content(head->method))
        PUT(&p, "Content-Length: 0\r\n");
    put_connection(&p, connection);
    return finish(&p, into);
}

static void put_response_framing(struct printer *p, const struct response_head *head)
{
    if (head->status < 200 || head->status == 204)
        return;
    if (head->framing == BODY_CHUNKED)
        PUT(p, "Transfer-Encoding: chunked\r\n");
    else if (head->framing == BODY_LENGTH)
        put_length(p, head->body_length);
    else if (head->framing == BODY_NONE && headers_has(&head->headers, HEADER_CONTENT_LENGTH))
        put_length(p, head->body_length);
}

size_t h1_print_response(const struct response_head *head, enum h1_connection connection,
                         char *into, size_t size)
{
    MUST(head->status >= 100 && head->status <= 999);
    struct printer p = { .at = into, .end = into + size };
    PUT(&p, "HTTP/1.1 ");
    put_u64(&p, head->status);
    PUT(&p, " ");
    put_text(&p, head->reason);
    PUT(&p, "\r\n");
    put_headers(&p, &head->headers, false);
    put_response_framing(&p, head);
    put_connection(&p, connection);
    return finish(&p, into);
}

static size_t headers_size(const struct headers *headers)
{
    size_t size = 0;
    for (unsigned i = 0; i < headers->count; i++)
        size += headers->items[i].name.length + headers->items[i].value.length + 4;
    return size;
}

size_t h1_print_request_size(const struct request_head *head)
{
    return head->method_name.length + head->path.length + head->query.length +
           head->authority.length + headers_size(&head->headers) + ROOM_BESIDE;
}

size_t h1_print_response_size(const struct response_head *head)
{
    return head->reason.length + headers_size(&head->headers) + ROOM_BESIDE;
}
