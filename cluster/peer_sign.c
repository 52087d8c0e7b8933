/* SPDX-License-Identifier: Apache-2.0 */
/* peer_sign.c - see peer_sign.h. */
#include "cluster/peer_sign.h"

#include <stdio.h>

#include "conf/base/builder.h"
#include "conf/base/mem.h"
#include "conf/resource.h"

#define NONCE_SIZE 16
#define VERSION    "v1"
#define PURPOSE    "gatewayd peer requests"

/* The header taken apart; texts borrowed from it. */
struct parts {
    struct text from;
    struct text time;
    int64_t time_ms;
    struct text nonce;
    struct text body;
    struct digest mac;
};

struct seen {
    struct list node;
    int64_t until;
    char nonce[2 * NONCE_SIZE];
};

struct digest peer_sign_key(struct text secret)
{
    return digest_hmac(secret, TEXT_OF(PURPOSE));
}

/* Every field on a line of its own: none can hold a line feed, so no two requests read alike. */
static struct digest authenticate(const struct digest *key, const struct peer_sign_request *r,
                                  struct text time, struct text nonce, struct text body)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    builder_addf(&b, "%s\n%.*s\n%.*s\n%.*s\n%.*s\n%.*s\n%.*s\n%.*s\n", VERSION,
                 TEXT_ARGS(r->method), TEXT_ARGS(r->target), TEXT_ARGS(r->from), TEXT_ARGS(r->to),
                 TEXT_ARGS(time), TEXT_ARGS(nonce), TEXT_ARGS(body));
    struct digest mac =
        digest_hmac(text_from((const char *)key->bytes, DIGEST_SIZE), builder_text(&b));
    builder_fini(&b);
    return mac;
}

struct text peer_sign_print(const struct digest *key, const struct peer_sign_request *r,
                            int64_t now_ms, char into[PEER_SIGN_SIZE])
{
    unsigned char random[NONCE_SIZE];
    char nonce[2 * NONCE_SIZE + 1];
    char body[2 * DIGEST_SIZE + 1];
    char mac[2 * DIGEST_SIZE + 1];
    char time[TEXT_NUMBER_SIZE];
    digest_random(random, sizeof(random));
    digest_print_hex(random, sizeof(random), nonce);
    digest_print_hex(r->body.bytes, DIGEST_SIZE, body);
    snprintf(time, sizeof(time), "%lld", (long long)now_ms);
    struct digest made = authenticate(key, r, text_of(time), text_of(nonce), text_of(body));
    digest_print_hex(made.bytes, DIGEST_SIZE, mac);
    int length =
        snprintf(into, PEER_SIGN_SIZE, VERSION " from=%.*s time=%s nonce=%s body=%s mac=%s",
                 TEXT_ARGS(r->from), time, nonce, body, mac);
    MUST(length > 0 && length < PEER_SIGN_SIZE);
    return text_from(into, (size_t)length);
}

/* ---- taking it apart ---- */

/* "NAME=VALUE" off the front of `rest`. */
static bool take(struct text *rest, const char *name, struct text *value_out)
{
    struct text label = text_of(name);
    struct text field = text_first(*rest, text_find_byte(*rest, ' '));
    if (!text_starts_with(field, label))
        return false;
    *value_out = text_skip(field, label.length);
    *rest = text_skip(*rest, field.length < rest->length ? field.length + 1 : field.length);
    return true;
}

static bool take_apart(struct text header, struct parts *out)
{
    struct text version;
    struct text mac;
    uint64_t time;
    unsigned char bytes[DIGEST_SIZE];
    if (!take(&header, VERSION, &version) || !text_is_empty(version) ||
        !take(&header, "from=", &out->from) || !take(&header, "time=", &out->time) ||
        !take(&header, "nonce=", &out->nonce) || !take(&header, "body=", &out->body) ||
        !take(&header, "mac=", &mac) || !text_is_empty(header))
        return false;
    if (!resource_is_name(out->from) || !text_parse_u64(out->time, &time) || time > INT64_MAX ||
        !digest_parse_hex(out->nonce, bytes, NONCE_SIZE) ||
        !digest_parse_hex(out->body, bytes, DIGEST_SIZE) ||
        !digest_parse_hex(mac, out->mac.bytes, DIGEST_SIZE))
        return false;
    out->time_ms = (int64_t)time;
    return true;
}

/* ---- once ---- */

void peer_sign_guard_init(struct peer_sign_guard *g, size_t most)
{
    *g = (struct peer_sign_guard){ .most = most };
    map_init(&g->seen);
    list_init(&g->ages);
}

static void forget(struct peer_sign_guard *g, struct seen *s)
{
    map_remove(&g->seen, text_from(s->nonce, sizeof(s->nonce)));
    list_remove(&s->node);
    g->count--;
    MEM_FREE(&s);
}

void peer_sign_guard_fini(struct peer_sign_guard *g)
{
    LIST_EACH_SAFE (node, following, &g->ages)
        forget(g, LIST_ITEM(node, struct seen, node));
    map_fini(&g->seen);
}

static void forget_old(struct peer_sign_guard *g, int64_t now_ms)
{
    while (!list_is_empty(&g->ages)) {
        struct seen *s = LIST_ITEM(g->ages.next, struct seen, node);
        if (s->until >= now_ms)
            return;
        forget(g, s);
    }
}

/* As long as the request's time would be taken, by whatever way our clock goes. */
static enum peer_sign_verdict accept_once(struct peer_sign_guard *g, struct text nonce,
                                          int64_t now_ms)
{
    forget_old(g, now_ms);
    if (map_find(&g->seen, nonce) != NULL)
        return PEER_SIGN_REPLAYED;
    if (g->count >= g->most)
        return PEER_SIGN_CROWDED;
    struct seen *s = mem_new(sizeof(*s));
    MUST(nonce.length == sizeof(s->nonce));
    memcpy(s->nonce, nonce.at, nonce.length);
    s->until = now_ms + 2 * (int64_t)PEER_SIGN_WINDOW_MS;
    list_add_last(&g->ages, &s->node);
    map_set(&g->seen, text_from(s->nonce, sizeof(s->nonce)), s);
    g->count++;
    return PEER_SIGN_GOOD;
}

enum peer_sign_verdict peer_sign_check(struct peer_sign_guard *g, const struct digest *key,
                                       struct text header, int64_t now_ms,
                                       struct peer_sign_request *request)
{
    struct parts parts;
    if (!take_apart(header, &parts))
        return PEER_SIGN_MALFORMED;
    request->from = parts.from;
    MUST(digest_parse_hex(parts.body, request->body.bytes, DIGEST_SIZE));
    struct digest made = authenticate(key, request, parts.time, parts.nonce, parts.body);
    if (!digest_equals(&made, &parts.mac))
        return PEER_SIGN_WRONG;
    if (parts.time_ms < now_ms - PEER_SIGN_WINDOW_MS ||
        parts.time_ms > now_ms + PEER_SIGN_WINDOW_MS)
        return PEER_SIGN_UNTIMELY;
    return accept_once(g, parts.nonce, now_ms);
}

const char *peer_sign_verdict_name(enum peer_sign_verdict v)
{
    static const char *const names[] = {
        [PEER_SIGN_GOOD] = "it is good",
        [PEER_SIGN_MALFORMED] = "the signature is malformed",
        [PEER_SIGN_WRONG] = "the signature is wrong: the nodes' cluster secrets differ",
        [PEER_SIGN_UNTIMELY] = "the signature is too old, or the nodes' clocks differ",
        [PEER_SIGN_REPLAYED] = "the request was seen before",
        [PEER_SIGN_CROWDED] = "too many requests in two minutes",
    };
    return names[v];
}
