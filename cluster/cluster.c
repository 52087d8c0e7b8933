/* SPDX-License-Identifier: Apache-2.0 */
/* cluster.c - see cluster.h. */
#include "cluster/cluster.h"

#include "cluster/members.h"

static struct cluster the;

struct cluster *cluster_get(void)
{
    return &the;
}

size_t cluster_member_count(void)
{
    return the.members == NULL ? 1 : members_count(the.members);
}

enum peer_sign_verdict cluster_judge(struct text header, int64_t now_ms,
                                     struct peer_sign_request *request)
{
    if (the.peers == NULL)
        return PEER_SIGN_WRONG;
    return peer_sign_check(&the.guard, &the.key, header, now_ms, request);
}
