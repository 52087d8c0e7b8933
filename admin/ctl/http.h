/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - calls of the admin API. The only file that knows libcurl.
 *
 * Proxies of the environment and redirects are not followed: a token goes to the gateway it was
 * meant for and nowhere else. One thread; calls block.
 */
#ifndef ADMIN_CTL_HTTP_H
#define ADMIN_CTL_HTTP_H

#include <stdio.h>

#include "admin/ctl/settings.h"

struct http;

/* `settings` is borrowed as long as it lives. */
struct http *http_new(const struct settings *settings);
void http_free(struct http **h);

#define HTTP_HEADERS 4

struct http_header {
    const char *name;
    struct text value;
};

struct http_request {
    const char *method;
    struct text path;         /* encoded, with its query: "/v1/routes?limit=10" */
    const char *content_type; /* NULL: there is no body */
    struct text body;
    FILE *upload; /* not NULL: the body, instead */
    struct http_header headers[HTTP_HEADERS];
    size_t header_count;
    bool only_head;   /* the body is not wanted */
    bool is_text;     /* the answer is no JSON */
    unsigned seconds; /* for the whole call; 0: a minute */
};

/* In the arena. Headers that did not come are empty. */
struct http_answer {
    unsigned status;
    struct text body;
    struct text content_type;
    struct text etag;
    struct text revision; /* Gatewayd-Revision */
    struct text pending;  /* Gatewayd-Pending */
};

/* False when there was no answer: a sentence in `why`. */
MUST_USE bool http_call(struct http *h, const struct http_request *request, struct arena *arena,
                        struct builder *why, struct http_answer *answer_out);

/* "libcurl/7.88.1 …" */
const char *http_library_version(void);

#endif
