/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_id.h - X-Request-Id: 128 random bits in hex, or what a trusted proxy gave.
 *
 * Random bits are drawn from the kernel, many at a time for each thread: cheap, and not to be
 * foreseen.
 */
#ifndef GATEWAYD_HTTP_REQUEST_ID_H
#define GATEWAYD_HTTP_REQUEST_ID_H

#include "conf/base/text.h"

#define REQUEST_ID_SIZE 32
#define REQUEST_ID_MAX  128 /* of one that came in */

/* Prints a new one into `into`, without NUL. */
struct text request_id_print_new(char into[REQUEST_ID_SIZE]);

/* Random bits as sixteen hex digits, in no particular order. */
void request_id_print_bits(uint64_t bits, char into[16]);

/* 1 to REQUEST_ID_MAX letters, digits and "-_.:/+=@": safe in logs, headers and documents. */
bool request_id_is_valid(struct text t);

/* 64 bits from the calling thread's generator. */
uint64_t request_id_random(void);

#endif
