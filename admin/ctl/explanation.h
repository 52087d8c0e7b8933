/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explanation.h - the answer of POST /v1/explain, for people.
 */
#ifndef ADMIN_CTL_EXPLANATION_H
#define ADMIN_CTL_EXPLANATION_H

#include "admin/ctl/paint.h"
#include "conf/doc.h"

void explanation_print(const struct doc *explanation, struct paint paint, struct builder *b);

#endif
