/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paint.h - colours, where they are wanted: on a terminal, unless NO_COLOR is set or TERM is dumb.
 */
#ifndef ADMIN_CTL_PAINT_H
#define ADMIN_CTL_PAINT_H

#include "conf/base/builder.h"

enum paint_colour { PAINT_PLAIN, PAINT_BOLD, PAINT_DIM, PAINT_RED, PAINT_GREEN, PAINT_YELLOW };

struct paint {
    bool is_on;
};

/* For what is written to the descriptor. */
struct paint paint_for(int descriptor);

void paint_begin(struct paint paint, enum paint_colour colour, struct builder *b);
void paint_end(struct paint paint, enum paint_colour colour, struct builder *b);
void paint_add(struct paint paint, enum paint_colour colour, struct text t, struct builder *b);

/* A state's colour: green where all is well, red where not. */
enum paint_colour paint_of_state(struct text state);

#endif
