/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_rows.h - the functions behind the rows of verb_rows.c, by the file they are in. What each
 * does is said there.
 */
#ifndef ADMIN_CTL_VERB_ROWS_H
#define ADMIN_CTL_VERB_ROWS_H

#include "admin/ctl/verb.h"

/* verb_get.c */
verb_fn verb_get;
verb_fn verb_keys_list;
verb_fn verb_keys_get;

/* verb_write.c */
verb_fn verb_create;
verb_fn verb_put;
verb_fn verb_patch;
verb_fn verb_delete;

/* verb_edit.c */
verb_fn verb_edit;

/* verb_config.c */
verb_fn verb_apply;
verb_fn verb_config_export;
verb_fn verb_config_diff;

/* verb_keys.c */
verb_fn verb_keys_create;
verb_fn verb_keys_change;
verb_fn verb_keys_revoke;
verb_fn verb_keys_rotate;
verb_fn verb_keys_import;

/* verb_revisions.c */
verb_fn verb_revisions;
verb_fn verb_revision_show;
verb_fn verb_restore;
verb_fn verb_confirm;
verb_fn verb_watch;

/* verb_traffic.c */
verb_fn verb_explain;
verb_fn verb_health;
verb_fn verb_target;

/* verb_top.c */
verb_fn verb_top;

/* verb_node.c */
verb_fn verb_status;
verb_fn verb_nodes;
verb_fn verb_nodes_forget;
verb_fn verb_drain;
verb_fn verb_undrain;
verb_fn verb_upgrade;

/* verb_ha.c */
verb_fn verb_ha_config;

/* verb_cluster.c */
verb_fn verb_cluster_upgrade;

/* verb_self.c */
verb_fn verb_help;
verb_fn verb_completion;
verb_fn verb_version;

#endif
