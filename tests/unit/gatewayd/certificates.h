/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certificates.h - a small authority for tests: certificates in files of a folder of its own.
 */
#ifndef TESTS_UNIT_GATEWAYD_CERTIFICATES_H
#define TESTS_UNIT_GATEWAYD_CERTIFICATES_H

#include "gatewayd/net/tls.h"

enum certificates_key { CERTIFICATES_EC, CERTIFICATES_RSA };

struct certificates_wish {
    const char *file;  /* FILE.pem and FILE.key are made */
    const char *names; /* "DNS:a.example,DNS:*.b.example", or NULL */
    const char *common_name;
    enum certificates_key key;
    int days; /* from now; negative: it ended so many days ago */
    bool self_signed;
};

/* Makes the folder and the authority (ca.pem); ends the process if it cannot. */
void certificates_start(void);
void certificates_stop(void); /* removes all of it */

void certificates_make(const struct certificates_wish *wish);

/* "FOLDER/FILE.pem" and "FOLDER/FILE.key"; live until certificates_stop. */
struct tls_certificate certificates_get(const char *file);
struct text certificates_path(const char *file); /* "FOLDER/FILE" */

#endif
