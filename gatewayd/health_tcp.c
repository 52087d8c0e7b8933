/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_tcp.c - a target that takes a connection (and shakes hands) is healthy.
 */
#include "gatewayd/health_private.h"

static enum health_verdict begin(struct health_probe *p)
{
    return health_probe_say(p, HEALTH_GOOD, "connected");
}

const struct health_probe_type health_tcp = { .begin = begin };
