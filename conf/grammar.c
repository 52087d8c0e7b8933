/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/grammar.h"

#include "conf/base/address.h"

#define HOST_LENGTH_MAX  253
#define LABEL_LENGTH_MAX 63
#define STATUS_MIN       100
#define STATUS_MAX       599
#define SHOWN_MAX        500 /* of a wrong value */

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_token_byte(char c)
{
    return is_alpha(c) || is_digit(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool grammar_is_token(struct text t)
{
    for (size_t i = 0; i < t.length; i++) {
        if (!is_token_byte(t.at[i]))
            return false;
    }
    return t.length > 0;
}

bool grammar_is_visible(struct text t)
{
    for (size_t i = 0; i < t.length; i++) {
        if (t.at[i] <= ' ' || t.at[i] == 0x7f || (unsigned char)t.at[i] >= 0x80)
            return false;
    }
    return t.length > 0;
}

bool grammar_is_header_value(struct text t)
{
    for (size_t i = 0; i < t.length; i++) {
        unsigned char c = (unsigned char)t.at[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return text_trim(t).length == t.length;
}

/* ---- hosts ---- */

static bool is_label(struct text label)
{
    if (label.length == 0 || label.length > LABEL_LENGTH_MAX || label.at[0] == '-' ||
        label.at[label.length - 1] == '-')
        return false;
    for (size_t i = 0; i < label.length; i++) {
        char c = label.at[i];

        if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

static bool is_number(struct text t)
{
    for (size_t i = 0; i < t.length; i++) {
        if (!is_digit(t.at[i]))
            return false;
    }
    return true;
}

static bool is_host_name(struct text t)
{
    struct text label = TEXT_EMPTY;

    if (t.length == 0 || t.length > HOST_LENGTH_MAX)
        return false;
    while (text_cut(&t, '.', &label)) {
        if (!is_label(label))
            return false;
    }
    return !is_number(label); /* else it would be an IPv4 address gone wrong */
}

bool grammar_is_host(struct text t)
{
    struct address address;
    bool is_bracketed = t.length > 2 && t.at[0] == '[';

    if (is_host_name(t))
        return true;
    if (is_bracketed != (text_find_byte(t, ':') < t.length))
        return false;
    return address_parse_ip(t, 0, &address);
}

bool grammar_say(struct builder *why, struct text got, const char *clause)
{
    builder_add(why, text_of(clause));
    builder_add(why, TEXT_OF(", got "));
    builder_add_json(why, text_first(got, SHOWN_MAX));
    builder_add_byte(why, '.');
    return false;
}

bool grammar_check_host(struct text name, struct text value, const struct checks *checks,
                        struct builder *why)
{
    if (text_starts_with(value, TEXT_OF("*.")) && is_host_name(text_skip(value, 2)))
        return true;
    if (grammar_is_host(value))
        return true;
    if (text_equals(value, TEXT_OF("*")))
        return grammar_say(why, value, "must name a host; for any host leave hosts out");
    if (value.length > 0 && value.at[0] != '[' && text_find_byte(value, ':') < value.length)
        return grammar_say(why, value, "must be without a port, an IPv6 address in brackets");
    if (text_ends_with(value, TEXT_OF(".")))
        return grammar_say(why, value, "must be without a trailing dot");
    return grammar_say(why, value,
                       "must be a host name, an IPv4 or [IPv6] address, or \"*.\" and a name");
}

bool grammar_check_host_port(struct text name, struct text value, const struct checks *checks,
                             struct builder *why)
{
    struct host_port parts;

    if (grammar_is_host(value))
        return true;
    if (address_split(value, &parts) && !parts.is_unix &&
        (is_host_name(parts.host) || text_find_byte(parts.host, ':') < parts.host.length ||
         grammar_is_host(parts.host)))
        return true;
    return grammar_say(why, value, "must be a host name or address, with or without a port");
}

bool grammar_check_target(struct text name, struct text value, const struct checks *checks,
                          struct builder *why)
{
    struct address address;
    struct host_port parts;

    if (address_parse(value, &address) &&
        (address.any.sa_family == AF_UNIX || address_port(&address) != 0))
        return true;
    if (address_split(value, &parts) && !parts.is_unix && parts.port != 0 &&
        is_host_name(parts.host))
        return true;
    return grammar_say(
        why, value,
        "must be \"host:port\", \"[IPv6]:port\" or \"unix:/path\", the port from 1 to 65535");
}

/* ---- headers ---- */

bool grammar_check_method(struct text name, struct text value, const struct checks *checks,
                          struct builder *why)
{
    bool has_lower = false;

    for (size_t i = 0; i < value.length; i++)
        has_lower = has_lower || (value.at[i] >= 'a' && value.at[i] <= 'z');
    if (grammar_is_token(value) && !has_lower)
        return true;
    return grammar_say(why, value, "must be a method in upper case, such as \"GET\"");
}

static bool check_match_value(struct text value, const struct checks *checks, struct builder *why)
{
    struct text pattern = text_skip(value, 1);

    if (value.length == 0 || value.at[0] != '~')
        return true;
    if (pattern.length == 0)
        return grammar_say(why, value, "must have a regular expression behind the ~");
    if (checks->pattern == NULL)
        return true;
    builder_add(why, TEXT_OF("must be a regular expression behind the ~: "));
    if (!checks->pattern(pattern, why)) {
        builder_add_byte(why, '.');
        return false;
    }
    builder_clear(why);
    return true;
}

static bool check_header_name(struct text name, struct builder *why)
{
    if (grammar_is_token(name))
        return true;
    return grammar_say(why, name, "must be named by a token, as header names are");
}

bool grammar_check_header_match(struct text name, struct text value, const struct checks *checks,
                                struct builder *why)
{
    if (!check_header_name(name, why))
        return false;
    if (!grammar_is_header_value(value))
        return grammar_say(why, value,
                           "must be a value that a header can have: no control characters, "
                           "no space at the ends");
    return check_match_value(value, checks, why);
}

bool grammar_check_query_match(struct text name, struct text value, const struct checks *checks,
                               struct builder *why)
{
    if (name.length == 0)
        return grammar_say(why, name, "must have the name of a query parameter");
    return check_match_value(value, checks, why);
}

/* Fields that say where a message ends or whose it is: the gateway writes them. */
static const char *const framing[] = {
    "Connection", "Content-Length",   "Host",    "HTTP2-Settings",    "Keep-Alive",
    "TE",         "Proxy-Connection", "Trailer", "Transfer-Encoding", "Upgrade",
};

bool grammar_check_header_name(struct text name, struct text value, const struct checks *checks,
                               struct builder *why)
{
    if (!check_header_name(value, why))
        return false;
    if (text_equals_nocase(value, TEXT_OF("Host")))
        return grammar_say(why, value, "must not be Host; use rewrite.host");
    for (size_t i = 0; i < ARRAY_LENGTH(framing); i++) {
        if (text_equals_nocase(value, text_of(framing[i])))
            return grammar_say(why, value,
                               "must not be a header that the gateway itself writes for each "
                               "connection");
    }
    return true;
}

bool grammar_check_header(struct text name, struct text value, const struct checks *checks,
                          struct builder *why)
{
    if (!grammar_check_header_name(TEXT_EMPTY, name, checks, why))
        return false;
    if (grammar_is_header_value(value))
        return true;
    return grammar_say(why, value,
                       "must be a value that a header can have: no control characters, no "
                       "space at the ends");
}

/* ---- the rest ---- */

bool grammar_check_name(struct text name, struct text value, const struct checks *checks,
                        struct builder *why)
{
    if (resource_is_name(value))
        return true;
    return grammar_say(why, value,
                       "must be a name: 1 to 63 lower-case letters, digits, '.', '_' or '-', "
                       "beginning with a letter or digit");
}

bool grammar_check_scope(struct text name, struct text value, const struct checks *checks,
                         struct builder *why)
{
    bool is_quoted =
        text_find_byte(value, '"') < value.length || text_find_byte(value, '\\') < value.length;

    if (grammar_is_visible(value) && !is_quoted)
        return true;
    return grammar_say(why, value,
                       "must be a scope: visible ASCII characters, no space, '\"' or '\\'");
}

bool grammar_parse_prefixed(struct text t, const char *prefix, struct text *name_out)
{
    struct text name = text_skip(t, strlen(prefix));

    if (!text_starts_with(t, text_of(prefix)) || !grammar_is_token(name))
        return false;
    *name_out = name;
    return true;
}

static bool is_one_of(struct text value, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text_equals(value, text_of(names[i])))
            return true;
    }
    return false;
}

bool grammar_check_by(struct text name, struct text value, const struct checks *checks,
                      struct builder *why)
{
    static const char *const names[] = { "consumer", "key", "ip", "route" };
    struct text header;

    if (is_one_of(value, names, ARRAY_LENGTH(names)) ||
        grammar_parse_prefixed(value, "header:", &header))
        return true;
    return grammar_say(why, value,
                       "must be \"consumer\", \"key\", \"ip\", \"route\" or \"header:NAME\"");
}

bool grammar_check_hash_on(struct text name, struct text value, const struct checks *checks,
                           struct builder *why)
{
    static const char *const names[] = { "client_ip", "consumer", "path" };
    struct text of;

    if (is_one_of(value, names, ARRAY_LENGTH(names)) ||
        grammar_parse_prefixed(value, "header:", &of) ||
        grammar_parse_prefixed(value, "cookie:", &of))
        return true;
    return grammar_say(why, value,
                       "must be \"client_ip\", \"consumer\", \"path\", \"header:NAME\" or "
                       "\"cookie:NAME\"");
}

bool grammar_parse_statuses(struct text t, uint16_t *first_out, uint16_t *last_out)
{
    size_t dash = text_find_byte(t, '-');
    uint64_t first;
    uint64_t last;

    if (!text_parse_u64(text_first(t, dash), &first))
        return false;
    last = first;
    if (dash < t.length && !text_parse_u64(text_skip(t, dash + 1), &last))
        return false;
    if (first < STATUS_MIN || last > STATUS_MAX || first > last)
        return false;
    *first_out = (uint16_t)first;
    *last_out = (uint16_t)last;
    return true;
}

bool grammar_check_statuses(struct text name, struct text value, const struct checks *checks,
                            struct builder *why)
{
    uint16_t first;
    uint16_t last;

    if (grammar_parse_statuses(value, &first, &last))
        return true;
    return grammar_say(
        why, value,
        "must be a status or a range of them within 100-599, as \"204\" or \"200-399\"");
}
