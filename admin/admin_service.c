/* SPDX-License-Identifier: Apache-2.0 */
/* admin_service.c - the admin API as a service of the process (gatewayd/service.h). */
#include "gatewayd/service.h"

#include "admin/admin_server.h"

static struct admin_server *server;

static bool prepare(struct control *control, struct problems *ps)
{
    server = admin_server_new(control, ps);
    return server != NULL;
}

static void start(struct control *control)
{
    (void)control;
    admin_server_start(server);
}

static void reload(struct control *control, const struct node_config *node, struct problems *ps)
{
    (void)control;
    admin_server_reload(server, node, ps);
}

static void stop(struct control *control)
{
    (void)control;
    admin_server_free(&server);
}

static void resume(struct control *control)
{
    (void)control;
    admin_server_start(server);
}

static void leave(struct control *control)
{
    (void)control;
    admin_server_leave(server);
}

static bool is_quiet(const struct control *control)
{
    (void)control;
    return admin_server_is_quiet(server);
}

const struct service admin_service = {
    .name = "admin",
    .check = admin_server_check,
    .prepare = prepare,
    .start = start,
    .reload = reload,
    .stop = stop,
    .resume = resume,
    .leave = leave,
    .is_quiet = is_quiet,
};
