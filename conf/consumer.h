/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer.h - who holds keys. There may be a million: they are in no struct resources.
 * Lifetime: its resource.
 */
#ifndef CONF_CONSUMER_H
#define CONF_CONSUMER_H

#include "conf/values.h"

struct schema;

struct consumer {
    struct text name;
    struct text plan;    /* empty: none */
    struct texts groups; /* names, unique */
    struct pairs metadata;
};

extern const struct schema consumer_schema;

#endif
