/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named_files.h - the files that a node configuration names, looked at even when the configuration
 * itself has errors, so that -t reports everything at once.
 */
#ifndef GATEWAYD_NAMED_FILES_H
#define GATEWAYD_NAMED_FILES_H

#include "conf/node.h"

/* Adds a problem for each certificate, key, token file and bootstrap document that is named in
 * `file` and cannot be read. Nothing if `file` cannot be read itself. */
void named_files_check(const char *file, struct problems *ps);

/* False and a problem unless the access log can be written, or made; nothing is made here. */
MUST_USE bool named_files_check_log(const struct node_config *node, struct problems *ps);

#endif
