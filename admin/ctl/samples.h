/* SPDX-License-Identifier: Apache-2.0 */
/*
 * samples.h - one reading of /metrics (Prometheus text), and what can be told from two of them.
 *
 * Lifetime: the text it was parsed from. One thread.
 */
#ifndef ADMIN_CTL_SAMPLES_H
#define ADMIN_CTL_SAMPLES_H

#include "conf/base/map.h"
#include "conf/base/text.h"

struct sample {
    struct text name;
    struct text labels; /* between the braces: route="a",class="2xx" */
    double value;
};

struct samples {
    struct sample *items;
    size_t count;
    struct map index; /* "name{labels}" as it stands → sample */
};

/* Lines that are no samples are left out. */
void samples_parse(struct text metrics, struct samples *samples_out);
void samples_fini(struct samples *s);

/* The value of a label, as it stands (escapes are kept); false if it has none. */
MUST_USE bool samples_find_label(struct text labels, const char *name, struct text *value_out);

/* The sample of `before` with the same name and labels, or 0. */
double samples_find(const struct samples *before, const struct sample *like);

/* A number as Prometheus writes it, without infinities. */
MUST_USE bool samples_parse_number(struct text t, double *value_out);

#endif
