/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy_protocol.c - both versions, from bytes to addresses.
 */
#include "gatewayd/net/proxy_protocol.h"

#define V1_MAX       107 /* with its CR LF */
#define V2_HEAD_SIZE 16
#define V2_IPV4_SIZE 12
#define V2_IPV6_SIZE 36
#define V2_UNIX_SIZE 216
#define V2_PATH_SIZE 108

static const char v1_signature[] = "PROXY ";
static const char v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- version 1 ------------------------------------------------------------------------------ */

/* 0..65535, no leading zero. */
static bool parse_port(struct text t, uint16_t *port_out)
{
    uint64_t value;
    if (t.length > 1 && t.at[0] == '0')
        return false;
    if (!text_parse_u64(t, &value) || value > 65535)
        return false;
    *port_out = (uint16_t)value;
    return true;
}

static bool parse_literal(struct text ip, struct text port, int family, struct address *out)
{
    uint16_t number;
    if (ip.length > 0 && ip.at[0] == '[')
        return false;
    return parse_port(port, &number) && address_parse_ip(ip, number, out) &&
           out->any.sa_family == family;
}

/* Exactly four pieces, one space between. */
static bool parse_v1_addresses(struct text rest, int family, struct proxy_protocol *out)
{
    struct text pieces[4];
    for (int i = 0; i < 4; i++)
        if (!text_cut(&rest, ' ', &pieces[i]))
            return false;
    if (rest.at != NULL)
        return false;
    out->has_addresses = true;
    return parse_literal(pieces[0], pieces[2], family, &out->source) &&
           parse_literal(pieces[1], pieces[3], family, &out->destination);
}

/* The line after "PROXY ", without its CR LF. */
static bool parse_v1_line(struct text line, struct proxy_protocol *out)
{
    struct text unknown = TEXT_OF("UNKNOWN");
    if (text_starts_with(line, TEXT_OF("TCP4 ")))
        return parse_v1_addresses(text_skip(line, 5), AF_INET, out);
    if (text_starts_with(line, TEXT_OF("TCP6 ")))
        return parse_v1_addresses(text_skip(line, 5), AF_INET6, out);
    /* What follows UNKNOWN is to be ignored. */
    return text_starts_with(line, unknown) &&
           (line.length == unknown.length || line.at[unknown.length] == ' ');
}

static enum proxy_protocol_result parse_v1(struct text input, struct proxy_protocol *out,
                                           size_t *used_out)
{
    struct text seen = text_first(input, V1_MAX);
    size_t lf = text_find_byte(seen, '\n');
    if (lf == seen.length)
        return seen.length < V1_MAX ? PROXY_PROTOCOL_MORE : PROXY_PROTOCOL_BAD;
    struct text line = text_skip(text_first(seen, lf), sizeof(v1_signature) - 1);
    if (line.length == 0 || line.at[line.length - 1] != '\r')
        return PROXY_PROTOCOL_BAD;
    line.length--;
    if (text_find_byte(line, '\r') != line.length)
        return PROXY_PROTOCOL_BAD;
    struct proxy_protocol header = { 0 };
    if (!parse_v1_line(line, &header))
        return PROXY_PROTOCOL_BAD;
    *out = header;
    *used_out = lf + 1;
    return PROXY_PROTOCOL_DONE;
}

/* ---- version 2 ------------------------------------------------------------------------------ */

static uint16_t read_u16(const char *at)
{
    return (uint16_t)((unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

static void read_ipv4(const char *ip, const char *port, struct address *out)
{
    *out = (struct address){ .length = sizeof(out->v4) };
    out->v4.sin_family = AF_INET;
    memcpy(&out->v4.sin_addr, ip, 4);
    memcpy(&out->v4.sin_port, port, 2);
}

static void read_ipv6(const char *ip, const char *port, struct address *out)
{
    *out = (struct address){ .length = sizeof(out->v6) };
    out->v6.sin6_family = AF_INET6;
    memcpy(&out->v6.sin6_addr, ip, 16);
    memcpy(&out->v6.sin6_port, port, 2);
}

static void read_unix(const char *path, struct address *out)
{
    *out = (struct address){ .length = sizeof(out->local) };
    out->local.sun_family = AF_UNIX;
    memcpy(out->local.sun_path, path, V2_PATH_SIZE - 1); /* keeps a NUL at the end */
}

/* `body` is what the length announced; a family may be followed by more (TLVs, ignored). */
static bool parse_v2_addresses(unsigned char family, struct text body, struct proxy_protocol *out)
{
    const char *at = body.at;
    out->has_addresses = true;
    switch (family) {
    case 0x00: /* UNSPEC */
        out->has_addresses = false;
        return true;
    case 0x11: /* TCP over IPv4 */
        if (body.length < V2_IPV4_SIZE)
            return false;
        read_ipv4(at, at + 8, &out->source);
        read_ipv4(at + 4, at + 10, &out->destination);
        return true;
    case 0x21: /* TCP over IPv6 */
        if (body.length < V2_IPV6_SIZE)
            return false;
        read_ipv6(at, at + 32, &out->source);
        read_ipv6(at + 16, at + 34, &out->destination);
        return true;
    case 0x31: /* unix stream */
        if (body.length < V2_UNIX_SIZE)
            return false;
        read_unix(at, &out->source);
        read_unix(at + V2_PATH_SIZE, &out->destination);
        return true;
    default: /* datagrams, and what is not assigned */
        return false;
    }
}

static enum proxy_protocol_result parse_v2(struct text input, struct proxy_protocol *out,
                                           size_t *used_out)
{
    if (input.length < V2_HEAD_SIZE)
        return PROXY_PROTOCOL_MORE;
    unsigned char command = (unsigned char)input.at[12];
    size_t length = V2_HEAD_SIZE + (size_t)read_u16(input.at + 14);
    if ((command != 0x20 && command != 0x21) || length > PROXY_PROTOCOL_MAX)
        return PROXY_PROTOCOL_BAD;
    if (input.length < length)
        return PROXY_PROTOCOL_MORE;
    struct proxy_protocol header = { 0 };
    struct text body = text_from(input.at + V2_HEAD_SIZE, length - V2_HEAD_SIZE);
    bool is_local = command == 0x20; /* a health check of the proxy's own: all else is ignored */
    if (!is_local && !parse_v2_addresses((unsigned char)input.at[13], body, &header))
        return PROXY_PROTOCOL_BAD;
    *out = header;
    *used_out = length;
    return PROXY_PROTOCOL_DONE;
}

/* ---- both ----------------------------------------------------------------------------------- */

/* One is the beginning of the other. */
static bool begins_alike(struct text input, struct text signature)
{
    size_t n = input.length < signature.length ? input.length : signature.length;
    return n == 0 || memcmp(input.at, signature.at, n) == 0;
}

enum proxy_protocol_result proxy_protocol_parse(struct text input,
                                                struct proxy_protocol *header_out, size_t *used_out)
{
    struct text v1 = text_from(v1_signature, sizeof(v1_signature) - 1);
    struct text v2 = text_from(v2_signature, sizeof(v2_signature) - 1);
    bool is_v1 = begins_alike(input, v1);
    bool is_v2 = begins_alike(input, v2);
    if (!is_v1 && !is_v2)
        return PROXY_PROTOCOL_BAD;
    if (is_v1 && input.length >= v1.length)
        return parse_v1(input, header_out, used_out);
    if (is_v2 && input.length >= v2.length)
        return parse_v2(input, header_out, used_out);
    return PROXY_PROTOCOL_MORE;
}
