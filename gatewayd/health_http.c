/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_http.c - a target that answers a GET with a status that is expected is healthy. Only the
 * status line is looked at; the connection is closed upon it.
 */
#include "gatewayd/health_private.h"

#include <stdio.h>

#define STATUS_LINE_MIN 12 /* "HTTP/1.1 200" */

static void print_request(struct health_probe *p)
{
    const struct health_question *q = &p->question;
    struct text host = q->health->host;

    if (text_is_empty(host))
        host =
            q->target->address.any.sa_family == AF_UNIX ? TEXT_OF("localhost") : q->target->written;
    builder_addf(&p->request,
                 "GET %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: gatewayd/" GATEWAYD_VERSION
                 " health\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                 TEXT_ARGS(q->health->path), TEXT_ARGS(host));
}

static enum health_verdict send_request(struct health_probe *p)
{
    struct text rest = text_skip(builder_text(&p->request), p->sent);
    struct iovec iov = { (void *)(uintptr_t)rest.at, rest.length };
    size_t written = 0;

    if (rest.length == 0)
        return HEALTH_WAIT;
    if (socket_writev(&p->socket, &iov, 1, &written) == IO_BROKEN)
        return health_probe_say_broken(p, "sending");
    p->sent += written;
    return HEALTH_WAIT;
}

static enum health_verdict begin(struct health_probe *p)
{
    print_request(p);
    return send_request(p);
}

static bool is_expected(const struct upstream_health *health, unsigned status)
{
    for (size_t i = 0; i < health->range_count; i++) {
        if (status >= health->ranges[i].first && status <= health->ranges[i].last)
            return true;
    }
    return false;
}

static bool parse_status(struct text line, unsigned *status_out)
{
    uint64_t status;

    if (!text_starts_with(line, TEXT_OF("HTTP/1.")) || line.length < STATUS_LINE_MIN ||
        line.at[8] != ' ' || !text_parse_u64(text_from(line.at + 9, 3), &status) ||
        (line.length > STATUS_LINE_MIN && line.at[12] != ' ') || status < 100 || status > 599)
        return false;
    *status_out = (unsigned)status;
    return true;
}

/* An interim answer (1xx) is passed over; false while its end is not there. */
static bool skip_head(struct health_probe *p)
{
    char *end = memmem(p->answer, p->answered, "\r\n\r\n", 4);
    size_t length;

    if (end == NULL)
        return false;
    length = (size_t)(end + 4 - p->answer);
    memmove(p->answer, p->answer + length, p->answered - length);
    p->answered -= length;
    return true;
}

static enum health_verdict judge(struct health_probe *p)
{
    unsigned status = 0;

    for (;;) {
        struct text answer = text_from(p->answer, p->answered);
        size_t end = text_find_byte(answer, '\r');

        if (end == answer.length && answer.length < sizeof(p->answer))
            return HEALTH_WAIT;
        if (!parse_status(text_first(answer, end), &status))
            return health_probe_say(p, HEALTH_BAD, "not an HTTP answer");
        if (status >= 200)
            break;
        if (!skip_head(p)) {
            if (p->answered < sizeof(p->answer))
                return HEALTH_WAIT;
            return health_probe_say(p, HEALTH_BAD, "an interim answer that does not end");
        }
    }
    return health_probe_say(p, is_expected(p->question.health, status) ? HEALTH_GOOD : HEALTH_BAD,
                            "status %u", status);
}

static enum health_verdict go_on(struct health_probe *p)
{
    size_t got = 0;
    enum health_verdict sent = send_request(p);

    if (sent != HEALTH_WAIT)
        return sent;
    switch (
        socket_read(&p->socket, p->answer + p->answered, sizeof(p->answer) - p->answered, &got)) {
    case IO_DONE:
        p->answered += got;
        return judge(p);
    case IO_AGAIN:
        return HEALTH_WAIT;
    case IO_EOF:
        return health_probe_say(p, HEALTH_BAD, "closed before it answered");
    case IO_BROKEN:
        break;
    }
    return health_probe_say_broken(p, "reading");
}

const struct health_probe_type health_http = { .begin = begin, .go_on = go_on };
