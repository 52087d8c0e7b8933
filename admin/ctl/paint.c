/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/paint.h"

#include <stdlib.h>
#include <unistd.h>

struct paint paint_for(int descriptor)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool is_refused = no_color != NULL && no_color[0] != '\0';
    bool is_dumb = term == NULL || strcmp(term, "dumb") == 0;

    return (struct paint){ .is_on = !is_refused && !is_dumb && isatty(descriptor) == 1 };
}

void paint_begin(struct paint paint, enum paint_colour colour, struct builder *b)
{
    static const char *const codes[] = {
        [PAINT_PLAIN] = "",       [PAINT_BOLD] = "\033[1m",   [PAINT_DIM] = "\033[2m",
        [PAINT_RED] = "\033[31m", [PAINT_GREEN] = "\033[32m", [PAINT_YELLOW] = "\033[33m",
    };

    MUST(colour < ARRAY_LENGTH(codes));
    if (paint.is_on)
        builder_add(b, text_of(codes[colour]));
}

void paint_end(struct paint paint, enum paint_colour colour, struct builder *b)
{
    if (paint.is_on && colour != PAINT_PLAIN)
        builder_add(b, TEXT_OF("\033[0m"));
}

void paint_add(struct paint paint, enum paint_colour colour, struct text t, struct builder *b)
{
    paint_begin(paint, colour, b);
    builder_add(b, t);
    paint_end(paint, colour, b);
}

enum paint_colour paint_of_state(struct text state)
{
    static const struct {
        struct text state;
        enum paint_colour colour;
    } states[] = {
        { TEXT("ready"), PAINT_GREEN },     { TEXT("up"), PAINT_GREEN },
        { TEXT("active"), PAINT_GREEN },    { TEXT("connected"), PAINT_GREEN },
        { TEXT("starting"), PAINT_YELLOW }, { TEXT("draining"), PAINT_YELLOW },
        { TEXT("drained"), PAINT_YELLOW },  { TEXT("unknown"), PAINT_YELLOW },
        { TEXT("pending"), PAINT_YELLOW },  { TEXT("behind"), PAINT_RED },
        { TEXT("down"), PAINT_RED },        { TEXT("ejected"), PAINT_RED },
        { TEXT("revoked"), PAINT_RED },     { TEXT("expired"), PAINT_RED },
        { TEXT("away"), PAINT_RED },        { TEXT("gone"), PAINT_RED },
        { TEXT("undone"), PAINT_RED },      { TEXT("unreachable"), PAINT_RED },
        { TEXT("unseen"), PAINT_RED },
    };

    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        if (text_equals(state, states[i].state))
            return states[i].colour;
    }
    return PAINT_PLAIN;
}
