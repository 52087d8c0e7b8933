/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources_private.h - what sealed sets are made of, for those who draft them.
 */
#ifndef CONF_RESOURCES_PRIVATE_H
#define CONF_RESOURCES_PRIVATE_H

#include "conf/catalog.h"
#include "conf/resources.h"

/* Upstreams, routes and plans; not consumers. */
#define RESOURCES_KINDS RESOURCE_CONSUMER

struct resources {
    atomic_uint count;
    struct resources *next; /* of those that wait for resources_tidy */
    struct catalog by_name[RESOURCES_KINDS];
    struct catalog references; /* key: the name of an upstream; resource: a route that uses it */
};

const struct catalog *resources_catalog(const struct resources *rs, enum resource_kind kind);

#endif
