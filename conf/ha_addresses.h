/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha_addresses.h - the file of the virtual addresses of a node (ha.addresses of the node file):
 * lines of NAME ADDRESS/LENGTH INTERFACE home|guest, comments from # on. The programs beside
 * keepalived read the same file (ha/site_file.h): what is taken here they take, too.
 *
 * Lifetime: as its owner says; in its own arena, never modified after reading.
 */
#ifndef CONF_HA_ADDRESSES_H
#define CONF_HA_ADDRESSES_H

#include "conf/base/address.h"
#include "conf/base/arena.h"
#include "conf/base/problem.h"

#define HA_ADDRESSES_MOST 256

struct ha_address {
    struct text name;      /* of the VRRP instance */
    struct text text;      /* the bare address, in its canonical form */
    struct text interface; /* that keepalived puts it on */
    struct address at;     /* port 0 */
    unsigned length;       /* of the prefix */
    bool is_home;          /* this node is the one that should hold it */
};

struct ha_addresses {
    struct ha_address *items; /* as in the file */
    size_t count;
    struct arena arena;
};

/* False and problems (file, line, what would do) if anything in it is wrong; then nothing is filled
 * in. A file without addresses is a problem, too. */
MUST_USE bool ha_addresses_parse(struct text text, const char *file, struct problems *ps,
                                 struct ha_addresses *out);
MUST_USE bool ha_addresses_read(const char *file, struct problems *ps, struct ha_addresses *out);
void ha_addresses_fini(struct ha_addresses *a);

#endif
