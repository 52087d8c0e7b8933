/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key.h - what an API key looks like and which digest is kept of it.
 *
 * A key we made is "gwk_" and 40 base62 characters (0-9A-Za-z): 34 random ones, then the CRC-32
 * (as zlib's) of those 34 as six base62 digits, the most significant first. So a mistyped key is
 * refused without a look-up. A key brought from elsewhere is any 16 to 256 visible ASCII
 * characters. Pure; any thread.
 */
#ifndef GATEWAYD_POLICY_KEY_H
#define GATEWAYD_POLICY_KEY_H

#include "conf/base/digest.h"

#define KEY_MARK         "gwk_"
#define KEY_LENGTH       44 /* of a key we made */
#define KEY_LENGTH_LEAST 16 /* of one brought from elsewhere */
#define KEY_LENGTH_MOST  256
#define KEY_PREFIX_SIZE  9 /* of the longest prefix and its NUL */

/* A new one: KEY_LENGTH characters and a NUL at `into` (KEY_LENGTH + 1 bytes). */
struct text key_make(char *into);

enum key_form {
    KEY_OURS,     /* the mark, the length, the characters and the checksum are right */
    KEY_MISTYPED, /* begins with the mark, but is none of ours: no look-up is needed */
    KEY_FOREIGN,  /* 16 to 256 visible ASCII characters without the mark */
    KEY_NONE,     /* nothing that could be a key */
};
enum key_form key_form(struct text key);

/* Of a key of form KEY_OURS or KEY_FOREIGN. Ours: SHA-256. A foreign one: HMAC-SHA-256 under
 * `secret`, or SHA-256 when that is empty. */
struct digest key_digest(struct text key, struct text secret);

/* What may be shown of it: "gwk_" and four characters, or the first four of a foreign one. */
struct text key_print_prefix(struct text key, char *into); /* KEY_PREFIX_SIZE bytes */

/* Key ids are 64 random bits, printed as 16 lower-case hexadecimal digits; never 0. */
#define KEY_ID_SIZE 17
uint64_t key_id_make(void);
struct text key_id_print(uint64_t id, char *into); /* KEY_ID_SIZE bytes */
MUST_USE bool key_id_parse(struct text t, uint64_t *id_out);

#endif
