/* SPDX-License-Identifier: Apache-2.0 */
/*
 * traceparent.c - "00-<32 hex: trace>-<16 hex: parent>-<2 hex: flags>".
 */
#include "gatewayd/http/traceparent.h"

#include "gatewayd/http/request_id.h"

#define TRACE_AT  3
#define PARENT_AT 36
#define FLAGS_AT  53

/* The value of a digit; -1 for what is none, upper case included. */
static int digit_value(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool is_hex(struct text t)
{
    for (size_t i = 0; i < t.length; i++) {
        if (digit_value(t.at[i]) < 0)
            return false;
    }
    return true;
}

static bool is_id(struct text t)
{
    if (!is_hex(t))
        return false;
    for (size_t i = 0; i < t.length; i++) {
        if (t.at[i] != '0')
            return true;
    }
    return false;
}

bool traceparent_parse(struct text value, struct traceparent *traceparent_out)
{
    if (value.length < TRACEPARENT_SIZE)
        return false;
    const char *at = value.at;
    struct text version = text_from(at, 2), flags = text_from(at + FLAGS_AT, 2);
    struct text trace = text_from(at + TRACE_AT, 32), parent = text_from(at + PARENT_AT, 16);
    if (at[2] != '-' || at[35] != '-' || at[52] != '-' || !is_hex(version) || !is_hex(flags))
        return false;
    if (!is_id(trace) || !is_id(parent) || text_equals(version, TEXT_OF("ff")))
        return false;
    bool is_first_version = text_equals(version, TEXT_OF("00"));
    if (value.length > TRACEPARENT_SIZE && (is_first_version || at[TRACEPARENT_SIZE] != '-'))
        return false;
    *traceparent_out = (struct traceparent){ .trace_id = trace,
                                             .parent_id = parent,
                                             .is_sampled = (digit_value(flags.at[1]) & 1) != 0 };
    return true;
}

/* An id of zeros is none. */
static uint64_t random_not_zero(void)
{
    uint64_t bits;
    do {
        bits = request_id_random();
    } while (bits == 0);
    return bits;
}

struct text traceparent_print_new(char into[TRACEPARENT_SIZE])
{
    memcpy(into, "00-", 3);
    request_id_print_bits(random_not_zero(), into + TRACE_AT);
    request_id_print_bits(request_id_random(), into + TRACE_AT + 16);
    into[35] = '-';
    request_id_print_bits(random_not_zero(), into + PARENT_AT);
    memcpy(into + 52, "-00", 3);
    return text_from(into, TRACEPARENT_SIZE);
}
