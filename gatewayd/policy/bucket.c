/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/bucket.h"

struct bucket_spec bucket_spec_of(const struct limit *limit)
{
    if (limit->kind == LIMIT_QUOTA)
        return (struct bucket_spec){
            .kind = LIMIT_QUOTA,
            .burst = limit->quota,
            .period = limit->period,
        };
    return (struct bucket_spec){
        .kind = LIMIT_RATE,
        .rate = limit->rate,
        .per = limit->per,
        .burst = limit->burst,
    };
}
