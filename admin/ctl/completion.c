/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/completion.h"

#include "admin/ctl/kind.h"
#include "admin/ctl/option.h"
#include "admin/ctl/verb.h"
#include "conf/schema.h"

#define PLAIN_MAX  64
#define OPTION_MAX 64

const char completion_bash[] =
    "# gatewayctl(1) completion for bash: source <(gatewayctl completion bash)\n"
    "_gatewayctl() {\n"
    "    mapfile -t COMPREPLY < <(\"${COMP_WORDS[0]}\" completion words -- \\\n"
    "        \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace; fi\n"
    "}\n"
    "complete -o default -F _gatewayctl gatewayctl\n";

struct completion {
    struct text begun;            /* the word that is being written */
    const char *plain[PLAIN_MAX]; /* the words before it that are no options */
    size_t count;
    completion_names_fn *names;
    void *arg;
    struct builder *b;
};

void completion_add(struct completion *c, struct text candidate)
{
    if (!text_starts_with(candidate, c->begun) || text_is_empty(candidate))
        return;
    builder_add(c->b, candidate);
    builder_add_byte(c->b, '\n');
}

static void add_names(struct completion *c, const char *plural)
{
    if (c->names != NULL)
        c->names(c, plural, c->arg);
}

/* "--output" and its letter; true if what follows is its value. */
static bool takes_value(const char *word, enum option_id *id_out)
{
    struct text whole = text_of(word);

    if (text_starts_with(whole, TEXT_OF("--")))
        return option_find(text_skip(whole, 2), id_out) && option_rows[*id_out].value != NULL;
    return word[0] == '-' && word[1] != '\0' && word[2] == '\0' &&
           option_find_letter(word[1], id_out) && option_rows[*id_out].value != NULL;
}

/* Splits the words before the last; true if the last is the value of *id_out. */
static bool read_words(struct completion *c, const char *const *words, size_t count,
                       enum option_id *id_out)
{
    bool is_value = false;

    for (size_t i = 0; i + 1 < count; i++) {
        if (is_value) {
            is_value = false;
            continue;
        }
        if (words[i][0] != '-' && c->count < PLAIN_MAX)
            c->plain[c->count++] = words[i];
        is_value = takes_value(words[i], id_out);
    }
    return is_value;
}

static void add_option_value(struct completion *c, enum option_id id)
{
    struct text choices = text_of(option_rows[id].value);
    struct text choice;

    if (id == OPTION_CONSUMER)
        add_names(c, "consumers");
    while (id == OPTION_OUTPUT && choices.at != NULL && text_cut(&choices, '|', &choice))
        completion_add(c, choice);
}

static void add_options(struct completion *c, uint64_t options)
{
    char name[OPTION_MAX];

    for (size_t i = 0; i < OPTION_IDS; i++) {
        size_t length = strlen(option_rows[i].name);

        MUST(length + 2 < sizeof(name));
        name[0] = name[1] = '-';
        memcpy(name + 2, option_rows[i].name, length);
        if (option_is_in((enum option_id)i, options))
            completion_add(c, text_from(name, length + 2));
    }
}

/* The words of verbs that go on from those written. */
static void add_verbs(struct completion *c)
{
    struct text last = TEXT_EMPTY;

    for (size_t i = 0; i < verb_count; i++) {
        struct text name = text_of(verb_rows[i].name);
        struct text first = text_first(name, text_find_byte(name, ' '));

        if (c->count == 0) {
            /* "keys" once, although several verbs begin with it. */
            if (!text_equals(first, last))
                completion_add(c, first);
            last = first;
        } else if (c->count == 1 && text_equals(first, text_of(c->plain[0])))
            completion_add(c, text_skip(name, first.length + 1));
    }
}

static void add_kinds(struct completion *c, const struct verb *verb)
{
    /* Only get knows keys: they have verbs of their own. */
    size_t count = strcmp(verb->name, "get") == 0 ? KIND_COUNT : RESOURCE_KINDS;

    for (size_t i = 0; i < count; i++)
        completion_add(c, text_of(kind_get(i).plural));
}

/* The kind that was written as the verb's first argument. */
static bool find_kind(const struct completion *c, size_t used, struct kind *kind_out)
{
    struct builder why;
    bool is_known;

    builder_init(&why, 256);
    is_known = c->count > used && kind_parse(text_of(c->plain[used]), true, kind_out, &why);
    builder_fini(&why);
    return is_known;
}

static void add_fields(struct completion *c, const struct schema *schema)
{
    struct builder b;

    builder_init(&b, 256);
    for (size_t i = 0; schema != NULL && i < schema->count; i++) {
        if (schema->fields[i].type == FIELD_TYPE_NAME)
            continue;
        builder_clear(&b);
        builder_addf(&b, "%s=", schema->fields[i].name);
        completion_add(c, builder_text(&b));
    }
    builder_fini(&b);
}

static void add_argument(struct completion *c, const struct verb *verb, size_t used)
{
    size_t index = c->count - used;
    struct kind kind;

    if (index >= verb->most)
        return;
    switch (verb->takes[index < VERB_ARGUMENTS ? index : VERB_ARGUMENTS - 1]) {
    case VERB_ARGUMENT_KIND:
        add_kinds(c, verb);
        break;
    case VERB_ARGUMENT_NAME:
        if (find_kind(c, used, &kind))
            add_names(c, kind.plural);
        break;
    case VERB_ARGUMENT_FIELD:
        if (find_kind(c, used, &kind))
            add_fields(c, kind.schema);
        break;
    case VERB_ARGUMENT_UPSTREAM:
        add_names(c, "upstreams");
        break;
    case VERB_ARGUMENT_CONSUMER:
        add_names(c, "consumers");
        break;
    case VERB_ARGUMENT_OTHER:
    case VERB_ARGUMENT_FILE:
        break;
    }
}

void completion_print(const char *const *words, size_t count, completion_names_fn *names, void *arg,
                      struct builder *b)
{
    struct completion c = { .names = names, .arg = arg, .b = b };
    const struct verb *verb;
    enum option_id id = OPTION_IDS;
    size_t used = 0;
    bool is_value;

    if (count == 0)
        return;
    is_value = read_words(&c, words, count, &id);
    c.begun = text_of(words[count - 1]);
    verb = verb_find(c.plain, c.count, &used);
    if (is_value)
        add_option_value(&c, id);
    else if (text_starts_with(c.begun, TEXT_OF("-")))
        add_options(&c, option_common | (verb == NULL ? 0 : verb->options));
    else if (verb == NULL || (c.count == 1 && verb_is_prefix(text_of(c.plain[0]))))
        add_verbs(&c);
    if (!is_value && verb != NULL && !text_starts_with(c.begun, TEXT_OF("-")))
        add_argument(&c, verb, used);
}
