/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/url.h"

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static void add_encoded(struct builder *b, struct text t)
{
    for (size_t i = 0; i < t.length; i++) {
        if (is_unreserved(t.at[i]))
            builder_add_byte(b, t.at[i]);
        else
            builder_addf(b, "%%%02X", (unsigned char)t.at[i]);
    }
}

/* A segment of dots alone would be resolved away by whoever reads the path. */
static bool is_dots(struct text t)
{
    return text_equals(t, TEXT_OF(".")) || text_equals(t, TEXT_OF(".."));
}

void url_add_segment(struct builder *b, struct text segment)
{
    builder_add_byte(b, '/');
    if (!is_dots(segment)) {
        add_encoded(b, segment);
        return;
    }
    for (size_t i = 0; i < segment.length; i++)
        builder_add(b, TEXT_OF("%2E"));
}

void url_add_query(struct builder *b, const char *name, struct text value)
{
    struct text so_far = builder_text(b);

    builder_add_byte(b, text_find_byte(so_far, '?') == so_far.length ? '?' : '&');
    builder_add(b, text_of(name));
    builder_add_byte(b, '=');
    add_encoded(b, value);
}
