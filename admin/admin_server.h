/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_server.h - the admin API's listener, connections and tokens, on the control loop.
 *
 * It speaks HTTP with the gateway's own codec: one parser to secure in the process. Lifetime:
 * process; control thread.
 */
#ifndef ADMIN_ADMIN_SERVER_H
#define ADMIN_ADMIN_SERVER_H

#include "conf/tokens.h"
#include "gatewayd/control.h"

struct admin_server;

/* Binds the address, reads tokens and certificates. NULL and problems. */
MUST_USE struct admin_server *admin_server_new(struct control *control, struct problems *ps);

/* Closes what is open. The control loop may run one turn more. */
void admin_server_free(struct admin_server **server);

/* Begins to accept, unless it does, or the process before this one still serves. */
void admin_server_start(struct admin_server *server);

/* Another process accepts from now on; who is connected is answered, and told that it is the last
 * time. Nobody is connected any more: quiet. */
void admin_server_leave(struct admin_server *server);
bool admin_server_is_quiet(const struct admin_server *server);

/* Reads tokens and certificates again; on problems those before stay. */
void admin_server_reload(struct admin_server *server, const struct node_config *node,
                         struct problems *ps);

/* For -t: the tokens file and the certificates. */
MUST_USE bool admin_server_check(const struct node_config *node, struct problems *ps);

struct control *admin_server_control(struct admin_server *server);
struct loop *admin_server_loop(struct admin_server *server);
const struct tokens *admin_server_tokens(const struct admin_server *server);
struct text admin_server_date(struct admin_server *server);

/* 16 hexadecimal digits, another in each process. */
struct text admin_server_incarnation(const struct admin_server *server);

/* Calls `step` in slices of 2 ms until it answers false: for what takes long to free. At the latest
 * when the server is freed. */
void admin_server_dispose(struct admin_server *server, loop_slice_fn *step, void *arg);

/* Each call holds the server up: one that waits for the store may end after the server was freed,
 * which then goes with the last of them. */
void admin_server_add_call(struct admin_server *server);
void admin_server_remove_call(struct admin_server *server);

#endif
