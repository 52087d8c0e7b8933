/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi_private.h - what the files openapi*.c share.
 */
#ifndef ADMIN_OPENAPI_PRIVATE_H
#define ADMIN_OPENAPI_PRIVATE_H

/* `components:` with the shapes of answers that no schema of the configuration describes; the
 * schemas of the tables go on behind it. */
extern const char openapi_components[];

#endif
