/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - an HTTP message as the gateway understood it, whatever version it came in.
 *
 * Parsers fill these; stages read and change them; codecs write them out again. All texts are
 * slices: of the buffer the head was read into, or of the exchange's arena. Nothing here owns
 * bytes. Lifetime: exchange (or connection, while a head is still being read).
 */
#ifndef GATEWAYD_HTTP_MESSAGE_H
#define GATEWAYD_HTTP_MESSAGE_H

#include "conf/base/text.h"
#include "gatewayd/http/headers.h"

/* clang-format off */
#define METHODS                                                                                    \
    METHOD(GET) METHOD(HEAD) METHOD(POST) METHOD(PUT) METHOD(DELETE) METHOD(CONNECT)               \
    METHOD(OPTIONS) METHOD(TRACE) METHOD(PATCH)

enum method {
#define METHOD(name) METHOD_##name,
    METHODS
#undef METHOD
    METHOD_OTHER, /* any other token: look at .method_name */
};
/* clang-format on */

enum http_version { HTTP_1_0, HTTP_1_1, HTTP_2 };

/* How the end of a body is found (RFC 9112 §6.3). */
enum body_framing {
    BODY_NONE,    /* there is none */
    BODY_LENGTH,  /* .body_length bytes (0 is possible: Content-Length: 0) */
    BODY_CHUNKED, /* length unknown: HTTP/1.1 chunked, or HTTP/2 data until END_STREAM */
    BODY_CLOSE,   /* HTTP/1 responses only: until the connection ends */
};

/* The form the target came in (RFC 9112 §3.2). */
enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ASTERISK };

struct request_head {
    enum method method;
    enum http_version version;
    enum target_form target_form;
    enum body_framing framing;
    bool expect_continue; /* Expect: 100-continue, HTTP/1.1 only */
    bool keep_alive;      /* the client allows another request on this connection */
    bool is_upgrade;      /* Connection: upgrade with Upgrade: websocket, and GET, HTTP/1.1 */
    uint64_t body_length; /* with BODY_LENGTH */
    struct text method_name;
    struct text target;     /* as it came */
    struct text authority;  /* Host, or the authority of an absolute-form target, as it came */
    struct text host;       /* authority without port and one trailing dot, lower case */
    struct text path;       /* normalised as the contract §3 says; "*" for asterisk-form */
    struct text query;      /* after the first '?', as it came */
    bool has_query;         /* "/p?" has an empty one */
    bool has_encoded_slash; /* .path contains %2F */
    struct headers headers; /* all lines, in order, Host included */
};

struct response_head {
    unsigned status; /* 100..599 (599 is the largest we pass on) */
    enum http_version version;
    enum body_framing framing;
    bool keep_alive;      /* the upstream allows another request on this connection */
    uint64_t body_length; /* with BODY_LENGTH; may differ from 0 for HEAD and 304 */
    struct text reason;
    struct headers headers;
};

enum method method_parse(struct text name);
struct text method_name(enum method m);   /* METHOD_OTHER: empty */
bool method_is_safe(enum method m);       /* RFC 9110 §9.2.1 */
bool method_is_idempotent(enum method m); /* §9.2.2; METHOD_OTHER: false */

/* The standard reason phrase of a status, or "Unknown". */
struct text status_reason(unsigned status);

#endif
