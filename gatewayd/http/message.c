/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c - methods and statuses by name.
 */
#include "gatewayd/http/message.h"

static const struct text names[METHOD_OTHER] = {
#define METHOD(name) [METHOD_##name] = TEXT(#name),
    METHODS
#undef METHOD
};

/* The only candidate for the name, or METHOD_OTHER. */
static enum method guess(struct text name)
{
    switch (name.at[0]) {
    case 'G':
        return METHOD_GET;
    case 'H':
        return METHOD_HEAD;
    case 'D':
        return METHOD_DELETE;
    case 'C':
        return METHOD_CONNECT;
    case 'O':
        return METHOD_OPTIONS;
    case 'T':
        return METHOD_TRACE;
    case 'P':
        return name.length == 3 ? METHOD_PUT : name.length == 4 ? METHOD_POST : METHOD_PATCH;
    default:
        return METHOD_OTHER;
    }
}

enum method method_parse(struct text name)
{
    if (name.length < 3)
        return METHOD_OTHER;
    enum method m = guess(name);
    if (m == METHOD_OTHER || !text_equals(name, names[m]))
        return METHOD_OTHER;
    return m;
}

struct text method_name(enum method m)
{
    return m < METHOD_OTHER ? names[m] : TEXT_EMPTY;
}

bool method_is_safe(enum method m)
{
    return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS || m == METHOD_TRACE;
}

bool method_is_idempotent(enum method m)
{
    return method_is_safe(m) || m == METHOD_PUT || m == METHOD_DELETE;
}

struct reason {
    unsigned status;
    struct text phrase;
};

/* In the order of the statuses: looked up by halving. */
static const struct reason reasons[] = {
    { 100, TEXT("Continue") },
    { 101, TEXT("Switching Protocols") },
    { 102, TEXT("Processing") },
    { 103, TEXT("Early Hints") },
    { 200, TEXT("OK") },
    { 201, TEXT("Created") },
    { 202, TEXT("Accepted") },
    { 203, TEXT("Non-Authoritative Information") },
    { 204, TEXT("No Content") },
    { 205, TEXT("Reset Content") },
    { 206, TEXT("Partial Content") },
    { 207, TEXT("Multi-Status") },
    { 208, TEXT("Already Reported") },
    { 226, TEXT("IM Used") },
    { 300, TEXT("Multiple Choices") },
    { 301, TEXT("Moved Permanently") },
    { 302, TEXT("Found") },
    { 303, TEXT("See Other") },
    { 304, TEXT("Not Modified") },
    { 305, TEXT("Use Proxy") },
    { 307, TEXT("Temporary Redirect") },
    { 308, TEXT("Permanent Redirect") },
    { 400, TEXT("Bad Request") },
    { 401, TEXT("Unauthorized") },
    { 402, TEXT("Payment Required") },
    { 403, TEXT("Forbidden") },
    { 404, TEXT("Not Found") },
    { 405, TEXT("Method Not Allowed") },
    { 406, TEXT("Not Acceptable") },
    { 407, TEXT("Proxy Authentication Required") },
    { 408, TEXT("Request Timeout") },
    { 409, TEXT("Conflict") },
    { 410, TEXT("Gone") },
    { 411, TEXT("Length Required") },
    { 412, TEXT("Precondition Failed") },
    { 413, TEXT("Content Too Large") },
    { 414, TEXT("URI Too Long") },
    { 415, TEXT("Unsupported Media Type") },
    { 416, TEXT("Range Not Satisfiable") },
    { 417, TEXT("Expectation Failed") },
    { 421, TEXT("Misdirected Request") },
    { 422, TEXT("Unprocessable Content") },
    { 423, TEXT("Locked") },
    { 424, TEXT("Failed Dependency") },
    { 425, TEXT("Too Early") },
    { 426, TEXT("Upgrade Required") },
    { 428, TEXT("Precondition Required") },
    { 429, TEXT("Too Many Requests") },
    { 431, TEXT("Request Header Fields Too Large") },
    { 451, TEXT("Unavailable For Legal Reasons") },
    { 499, TEXT("Client Closed Request") },
    { 500, TEXT("Internal Server Error") },
    { 501, TEXT("Not Implemented") },
    { 502, TEXT("Bad Gateway") },
    { 503, TEXT("Service Unavailable") },
    { 504, TEXT("Gateway Timeout") },
    { 505, TEXT("HTTP Version Not Supported") },
    { 506, TEXT("Variant Also Negotiates") },
    { 507, TEXT("Insufficient Storage") },
    { 508, TEXT("Loop Detected") },
    { 511, TEXT("Network Authentication Required") },
};

struct text status_reason(unsigned status)
{
    size_t low = 0, high = ARRAY_LENGTH(reasons);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (reasons[middle].status == status)
            return reasons[middle].phrase;
        if (reasons[middle].status < status)
            low = middle + 1;
        else
            high = middle;
    }
    return TEXT_OF("Unknown");
}
