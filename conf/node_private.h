/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_private.h - between the tables of the node file (node.c) and its rules (node_check.c).
 */
#ifndef CONF_NODE_PRIVATE_H
#define CONF_NODE_PRIVATE_H

#include "conf/node.h"
#include "conf/schema.h"

field_check_fn node_check_address; /* that can be listened on */
field_check_fn node_check_network;
field_check_fn node_check_access;

schema_check_fn node_check_tls;
schema_check_fn node_check_listener;
schema_check_fn node_check_admin;
schema_check_fn node_check_redis_tls;
schema_check_fn node_check_state;
schema_check_fn node_check;

#endif
