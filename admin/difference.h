/* SPDX-License-Identifier: Apache-2.0 */
/*
 * difference.h - the answer to a change of many resources, or to a dry run: what differs.
 *
 *     {"revision":8,"changes":[{"kind":"routes","name":"a","change":"changed",…}],
 *      "change_count":1,"warnings":[…]}
 *
 * Printed in pieces, because there may be very many. Of consumers at most DIFFERENCE_CONSUMERS are
 * listed; change_count counts all.
 */
#ifndef ADMIN_DIFFERENCE_H
#define ADMIN_DIFFERENCE_H

#include "admin/change.h"

#define DIFFERENCE_CONSUMERS 1000

/* A change_answer_fn. */
void difference_reply(struct change *change, const struct store_result *result);

#endif
