/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forwarded.c - reading and writing the chain of hops.
 */
#include "gatewayd/http/forwarded.h"

bool forwarded_is_trusted(const struct forwarded_networks *trusted, const struct address *a)
{
    for (size_t i = 0; i < trusted->count; i++) {
        if (network_contains(&trusted->items[i], a))
            return true;
    }
    return false;
}

/* Takes what stands behind the last comma outside quotes off the end of *rest. Start with a text
 * that is not empty; false when used up. */
static bool cut_last(struct text *rest, struct text *piece_out)
{
    if (rest->at == NULL)
        return false;
    bool is_quoted = false;
    size_t begin = rest->length;
    while (begin > 0 && (is_quoted || rest->at[begin - 1] != ',')) {
        begin--;
        if (rest->at[begin] == '"')
            is_quoted = !is_quoted;
    }
    *piece_out = text_trim(text_skip(*rest, begin));
    *rest = begin == 0 ? TEXT_EMPTY : text_first(*rest, begin - 1);
    return true;
}

/* "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80". */
static bool parse_node(struct text t, struct address *address_out)
{
    return address_parse_ip(t, 0, address_out) ||
           (!text_starts_with(t, TEXT_OF("unix:")) && address_parse(t, address_out));
}

/* The for= of one element of Forwarded (RFC 7239 §4). */
static bool parse_element(struct text element, struct address *address_out)
{
    struct text rest = element, pair;
    if (rest.at == NULL)
        return false;
    while (text_cut(&rest, ';', &pair)) {
        pair = text_trim(pair);
        if (!text_starts_with_nocase(pair, TEXT_OF("for=")))
            continue;
        struct text node = text_skip(pair, 4);
        if (node.length >= 2 && node.at[0] == '"' && node.at[node.length - 1] == '"')
            node = text_from(node.at + 1, node.length - 2);
        return parse_node(node, address_out);
    }
    return false;
}

/* Where the walk along the chain stands. */
struct walk {
    const struct forwarded_networks *trusted;
    struct address client;
    bool has_ended;
};

/* Goes through one line from its right end. */
static void walk_line(struct walk *w, struct text line, enum header_id id)
{
    struct text rest = line, piece;
    if (line.length == 0)
        return;
    while (!w->has_ended && cut_last(&rest, &piece)) {
        struct address hop;
        bool is_right =
            id == HEADER_FORWARDED ? parse_element(piece, &hop) : parse_node(piece, &hop);
        if (is_right)
            w->client = hop;
        w->has_ended = !is_right || !forwarded_is_trusted(w->trusted, &hop);
    }
}

struct address forwarded_find_client(const struct headers *headers, const struct address *peer,
                                     bool peer_is_trusted, const struct forwarded_networks *trusted)
{
    struct walk w = { .trusted = trusted, .client = *peer };
    if (!peer_is_trusted)
        return *peer;
    enum header_id id = headers_find(headers, HEADER_X_FORWARDED_FOR) != NULL
                            ? HEADER_X_FORWARDED_FOR
                            : HEADER_FORWARDED;
    for (unsigned i = headers->count; headers_has(headers, id) && i > 0 && !w.has_ended; i--) {
        const struct header *h = &headers->items[i - 1];
        if (h->id == id && !h->is_removed)
            walk_line(&w, h->value, id);
    }
    return w.client;
}

struct text forwarded_scheme(const struct headers *headers, bool peer_is_trusted, bool is_tls)
{
    const struct header *h = headers_find(headers, HEADER_X_FORWARDED_PROTO);
    if (peer_is_trusted && h != NULL) {
        if (text_equals_nocase(h->value, TEXT_OF("https")))
            return TEXT_OF("https");
        if (text_equals_nocase(h->value, TEXT_OF("http")))
            return TEXT_OF("http");
    }
    return is_tls ? TEXT_OF("https") : TEXT_OF("http");
}

/* Text that grows in memory measured beforehand. */
struct pen {
    char *start;
    char *at;
    char *end;
};

static void put(struct pen *pen, struct text t)
{
    MUST((size_t)(pen->end - pen->at) >= t.length);
    pen->at = text_copy_to(pen->at, t);
}

/* Puts down all lines with number `id` (if `keep`), each followed by ", ", with room for `room`
 * bytes behind them. False: no memory. */
static bool begin_chain(const struct headers *headers, enum header_id id, bool keep, size_t room,
                        struct arena *arena, struct pen *pen)
{
    const struct header *first = keep ? headers_find(headers, id) : NULL;
    for (const struct header *h = first; h != NULL; h = headers_find_next(headers, h))
        room += h->value.length + 2;
    char *memory = arena_try_alloc(arena, room);
    if (memory == NULL)
        return false;
    *pen = (struct pen){ memory, memory, memory + room };
    for (const struct header *h = first; h != NULL; h = headers_find_next(headers, h)) {
        if (h->value.length == 0)
            continue;
        put(pen, h->value);
        put(pen, TEXT_OF(", "));
    }
    return true;
}

static bool replace(struct headers *headers, enum header_id id, struct text value)
{
    headers_remove(headers, id);
    return headers_add(headers, id, header_id_name(id), value);
}

static bool replace_with(struct headers *headers, enum header_id id, const struct pen *pen)
{
    return replace(headers, id, text_from(pen->start, (size_t)(pen->at - pen->start)));
}

static bool apply_for(struct headers *headers, const struct forwarded_hop *hop, struct arena *arena)
{
    struct text ip = hop->peer_ip.length > 0 ? hop->peer_ip : TEXT_OF("unknown");
    if (!hop->peer_is_trusted || !headers_has(headers, HEADER_X_FORWARDED_FOR))
        return replace(headers, HEADER_X_FORWARDED_FOR, ip);
    struct pen pen;
    if (!begin_chain(headers, HEADER_X_FORWARDED_FOR, true, ip.length, arena, &pen))
        return false;
    put(&pen, ip);
    return replace_with(headers, HEADER_X_FORWARDED_FOR, &pen);
}

/* -Proto and -Host: the first hop's word stays, if it is believed. */
static bool apply_first(struct headers *headers, enum header_id id, bool keep, struct text value)
{
    if (keep && headers_find(headers, id) != NULL)
        return true;
    if (value.length > 0)
        return replace(headers, id, value);
    headers_remove(headers, id);
    return true;
}

/* for=IP;host="AUTHORITY";proto=SCHEME (RFC 7239 §4) */
static bool apply_forwarded(struct headers *headers, const struct forwarded_hop *hop,
                            struct arena *arena)
{
    bool is_v6 = text_find_byte(hop->peer_ip, ':') < hop->peer_ip.length;
    size_t room = hop->peer_ip.length + hop->authority.length + 48;
    struct pen pen;
    if (!begin_chain(headers, HEADER_FORWARDED, hop->peer_is_trusted, room, arena, &pen))
        return false;
    put(&pen, is_v6 ? TEXT_OF("for=\"[") : TEXT_OF("for="));
    put(&pen, hop->peer_ip.length > 0 ? hop->peer_ip : TEXT_OF("unknown"));
    if (is_v6)
        put(&pen, TEXT_OF("]\""));
    if (hop->authority.length > 0) {
        put(&pen, TEXT_OF(";host=\""));
        put(&pen, hop->authority);
        put(&pen, TEXT_OF("\""));
    }
    put(&pen, hop->is_tls ? TEXT_OF(";proto=https") : TEXT_OF(";proto=http"));
    return replace_with(headers, HEADER_FORWARDED, &pen);
}

/* RFC 9110 §7.6.3. Earlier lines stay: they are a trail, not a claim. */
static bool apply_via(struct headers *headers, const struct forwarded_hop *hop, struct arena *arena)
{
    static const struct text versions[] = {
        [HTTP_1_0] = TEXT("1.0 "), [HTTP_1_1] = TEXT("1.1 "), [HTTP_2] = TEXT("2.0 ")
    };
    size_t length = 4 + hop->node.length;
    char *memory = arena_try_alloc(arena, length);
    if (memory == NULL)
        return false;
    memcpy(memory, versions[hop->version].at, 4);
    (void)text_copy_to(memory + 4, hop->node);
    return headers_add(headers, HEADER_VIA, header_id_name(HEADER_VIA), text_from(memory, length));
}

bool forwarded_apply(struct headers *headers, const struct forwarded_hop *hop, struct arena *arena)
{
    struct text scheme = hop->is_tls ? TEXT_OF("https") : TEXT_OF("http");
    bool keep = hop->peer_is_trusted;
    return apply_for(headers, hop, arena) &&
           apply_first(headers, HEADER_X_FORWARDED_PROTO, keep, scheme) &&
           apply_first(headers, HEADER_X_FORWARDED_HOST, keep, hop->authority) &&
           apply_forwarded(headers, hop, arena) && apply_via(headers, hop, arena);
}
