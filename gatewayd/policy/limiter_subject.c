/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limiter_subject.c - whose requests a limit counts together, as a short printable text: a letter
 * for what it is, then the consumer's name, the key's id, the address in hexadecimal digits, the
 * route's name, or the header's value (its SHA-256 unless it is short and plain).
 */
#include "conf/base/digest.h"
#include "gatewayd/policy/limiter_private.h"

#define VALUE_MOST (TALLIES_SUBJECT_MOST - 1)

static struct text print_subject(char kind, struct text value, char *into)
{
    MUST(value.length <= VALUE_MOST);
    into[0] = kind;
    if (value.length > 0)
        memcpy(into + 1, value.at, value.length);
    return text_from(into, value.length + 1);
}

static struct text print_address(const struct address *client, char *into)
{
    static const char digits[] = "0123456789abcdef";
    char bytes[8];
    struct text subject = client == NULL ? TEXT_EMPTY : address_subject(client, bytes);
    into[0] = 'i';
    for (size_t i = 0; i < subject.length; i++) {
        into[1 + 2 * i] = digits[(unsigned char)subject.at[i] >> 4];
        into[2 + 2 * i] = digits[(unsigned char)subject.at[i] & 15];
    }
    return text_from(into, 1 + 2 * subject.length);
}

static bool is_plain(struct text value)
{
    if (value.length > VALUE_MOST)
        return false;
    for (size_t i = 0; i < value.length; i++) {
        char c = value.at[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && c != '-' && c != '.' && c != '_' && c != '~')
            return false;
    }
    return true;
}

static struct text print_value(struct text value, char *into)
{
    if (is_plain(value))
        return print_subject('h', value, into);
    char hex[2 * DIGEST_SIZE + 1];
    struct digest digest = digest_sha256(value);
    digest_print_hex(digest.bytes, sizeof(digest.bytes), hex);
    return print_subject('H', text_from(hex, VALUE_MOST), into);
}

static struct text header_of(const struct limiter_who *who, struct text name)
{
    return who->header == NULL ? TEXT_EMPTY : who->header(who->arg, name);
}

struct text limiter_subject(const struct limiter_rule *rule, enum limiter_scope scope,
                            const struct limiter_who *who, char *into)
{
    enum limit_by by = rule->by;
    if (by == LIMIT_BY_ROUTE && scope == LIMITER_ROUTE)
        return print_subject('r', TEXT_EMPTY, into);
    if (by == LIMIT_BY_ROUTE && !text_is_empty(who->route))
        return print_subject('r', who->route, into);
    if (by == LIMIT_BY_ROUTE)
        by = LIMIT_BY_CONSUMER;
    if (by == LIMIT_BY_CONSUMER && !text_is_empty(who->consumer))
        return print_subject('c', who->consumer, into);
    if (by == LIMIT_BY_KEY && !text_is_empty(who->key))
        return print_subject('k', who->key, into);
    if (by == LIMIT_BY_HEADER) {
        struct text value = header_of(who, rule->header);
        if (!text_is_empty(value))
            return print_value(value, into);
    }
    return print_address(who->client, into);
}

bool limiter_subject_is_stranger(struct text subject)
{
    char kind = subject.length == 0 ? '\0' : subject.at[0];
    return kind == 'i' || kind == 'h' || kind == 'H';
}
