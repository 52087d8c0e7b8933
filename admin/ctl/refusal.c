/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/refusal.h"

#include "admin/ctl/json_lines.h"
#include "admin/ctl/outline.h"

/* The node itself or the nearest one above it that knows its place. */
static unsigned line_in_doc(const struct doc *doc, struct text pointer)
{
    for (;;) {
        const struct doc *node = doc_find_pointer(doc, pointer);

        if (node != NULL && node->line > 0)
            return node->line;
        if (text_is_empty(pointer))
            return 0;
        do
            pointer.length--;
        while (pointer.length > 0 && pointer.at[pointer.length] != '/');
    }
}

/* libconfig files may include others: the node knows which one it stands in. */
static const char *file_in_doc(const struct refusal_source *source, struct text pointer)
{
    const struct doc *node = source->doc == NULL ? NULL : doc_find_pointer(source->doc, pointer);

    return node != NULL && node->file != NULL ? node->file : source->file;
}

static void print_place(const struct refusal_source *source, struct text pointer, struct builder *b)
{
    unsigned line = source->doc == NULL ? 0 : line_in_doc(source->doc, pointer);

    if (source->file == NULL)
        return;
    if (line == 0 && source->json.length > 0)
        line = json_lines_find(source->json, pointer);
    if (line == 0)
        builder_addf(b, "%s: ", source->file);
    else
        builder_addf(b, "%s:%u: ", file_in_doc(source, pointer), line);
}

static void print_error(const struct doc *error, const struct refusal_source *source,
                        struct builder *b)
{
    struct text pointer = doc_find_text(error, TEXT_OF("pointer"));
    struct text message = doc_find_text(error, TEXT_OF("message"));

    builder_add(b, TEXT_OF("  "));
    print_place(source, pointer, b);
    if (pointer.length > 0) {
        outline_print_text(pointer, b);
        builder_add(b, TEXT_OF(": "));
    }
    outline_print_text(message, b);
    builder_add_byte(b, '\n');
}

static void print_hint(unsigned status, struct builder *b)
{
    if (status == 401)
        builder_add(b, TEXT_OF("  Which token is used: --token-file FILE, else GATEWAYCTL_TOKEN, "
                               "else ~/.config/gatewayctl.conf.\n"));
}

void refusal_print(unsigned status, const struct doc *problem, const struct refusal_source *source,
                   struct builder *b)
{
    static const struct refusal_source none = { 0 };
    const struct doc *errors = doc_find(problem, TEXT_OF("errors"));
    struct text sentence = doc_find_text(problem, TEXT_OF("detail"));

    if (text_is_empty(sentence))
        sentence = doc_find_text(problem, TEXT_OF("title"));
    builder_add(b, TEXT_OF("gatewayctl: refused: "));
    if (text_is_empty(sentence))
        builder_add(b, TEXT_OF("the gateway does not say why"));
    outline_print_text(sentence, b);
    builder_addf(b, " (%u)\n", status);
    for (size_t i = 0; errors != NULL && errors->type == DOC_LIST && i < errors->list.count; i++)
        print_error(&errors->list.items[i], source == NULL ? &none : source, b);
    print_hint(status, b);
}
