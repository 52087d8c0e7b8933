/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.h - the handlers of the operations, by subject: each answers one call, now or later. What
 * each does is said by its row in operation_table.c. Control thread.
 */
#ifndef ADMIN_SERVE_H
#define ADMIN_SERVE_H

#include "admin/operation.h"

/* serve_resources.c: upstreams, routes, plans, consumers; the kind is the operation's. */
operation_fn serve_list_resources;
operation_fn serve_get_resource;
operation_fn serve_put_resource;
operation_fn serve_patch_resource;
operation_fn serve_delete_resource;
operation_fn serve_patch_target;

/* serve_keys.c */
operation_fn serve_list_keys;
operation_fn serve_get_key;
operation_fn serve_patch_key;
operation_fn serve_revoke_key;
operation_fn serve_create_key;
operation_fn serve_rotate_key;

/* serve_import.c */
operation_fn serve_import_keys;

/* serve_config.c */
operation_fn serve_get_config;
operation_fn serve_put_config;

/* serve_revisions.c */
operation_fn serve_list_revisions;
operation_fn serve_get_revision;
operation_fn serve_restore_revision;
operation_fn serve_confirm_revision;

/* serve_explain.c */
operation_fn serve_explain;

/* serve_node.c */
operation_fn serve_status;
operation_fn serve_own_status;
operation_fn serve_list_nodes;
operation_fn serve_delete_node;
operation_fn serve_drain;
operation_fn serve_undrain;
operation_fn serve_upgrade;

/* serve_health.c */
operation_fn serve_health;
operation_fn serve_own_health;

/* serve_cluster.c */
operation_fn serve_take_revocations;
operation_fn serve_yield;
operation_fn serve_own_addresses;

/* serve_probes.c */
operation_fn serve_livez;
operation_fn serve_readyz;
operation_fn serve_metrics;
operation_fn serve_openapi;

#endif
