/* SPDX-License-Identifier: Apache-2.0 */
/*
 * site_file.h - the virtual addresses of this node, as /etc/gatewayd/ha.addresses lists them: lines
 * of NAME ADDRESS/LENGTH INTERFACE home|guest, comments from # on.
 *
 * The programs of ha/ stand alone: they use the C library and nothing of the gateway's rooms.
 */
#ifndef HA_SITE_FILE_H
#define HA_SITE_FILE_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define SITE_FILE_MOST    256 /* addresses */
#define SITE_FILE_NAME    64  /* bytes of a name with its NUL */
#define SITE_FILE_LINE    256 /* bytes of a line, at most */
#define SITE_FILE_DEFAULT "/etc/gatewayd/ha.addresses"
#define SITE_FILE_FOLDER  "/run/gatewayd-ha"

struct site_address {
    char name[SITE_FILE_NAME];
    char interface[IFNAMSIZ];
    char text[INET6_ADDRSTRLEN]; /* the address, in the one way that inet_ntop(3) writes it */
    unsigned char bytes[16];     /* 4 or 16 of them, in network order */
    int family;
    unsigned length; /* of the prefix */
    bool is_home;
};

struct site_file {
    struct site_address items[SITE_FILE_MOST];
    size_t count;
};

/* False, and a sentence in `why`, if anything in it is wrong; `site` is then undefined. */
bool site_file_parse(const char *text, size_t length, struct site_file *site, char *why,
                     size_t why_size);
bool site_file_read(const char *file, struct site_file *site, char *why, size_t why_size);

/* NULL: there is none of that name. */
const struct site_address *site_file_find(const struct site_file *site, const char *name);

#endif
