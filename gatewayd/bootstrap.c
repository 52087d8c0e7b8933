/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootstrap.c - a service for a node without a store: puts the `bootstrap` document in force, and
 * again at SIGHUP. Nothing is kept.
 */
#include "conf/base/mem.h"
#include "conf/config.h"
#include "gatewayd/control.h"
#include "gatewayd/route/pattern.h"
#include "gatewayd/service.h"

static const struct checks checks = { .pattern = pattern_check };

static bool read_document(const struct node_config *node, struct problems *ps,
                          struct config *config_out)
{
    struct doc empty = doc_object();

    if (node->bootstrap.length == 0)
        return config_bind(&empty, &checks, ps, config_out);
    char *file = mem_copy_text(node->bootstrap.at, node->bootstrap.length);
    bool is_right = config_read(file, &checks, ps, config_out);
    MEM_FREE(&file);
    return is_right;
}

static bool check(const struct node_config *node, struct problems *ps)
{
    struct config config;

    if (!read_document(node, ps, &config))
        return false;
    config_fini(&config);
    return true;
}

static void publish(struct control *control, const struct config *config)
{
    for (size_t i = 0; i < config->consumer_count; i++)
        credentials_put_consumer(control_credentials(control), config->consumers[i], 0);
    control_publish(control, config->resources, 0, NULL, NULL);
}

static void reload(struct control *control, const struct node_config *node, struct problems *ps)
{
    struct config config;

    if (!read_document(node, ps, &config))
        return;
    publish(control, &config);
    config_fini(&config);
}

static void start(struct control *control)
{
    struct problems ps;

    problems_init(&ps);
    reload(control, control_node(control), &ps);
    if (!problems_is_empty(&ps))
        control_quit(control, 1);
    problems_fini(&ps);
}

const struct service bootstrap_service = {
    .name = "bootstrap",
    .check = check,
    .start = start,
    .reload = reload,
};
