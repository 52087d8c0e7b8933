/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/args.h"

#include "conf/base/mem.h"

struct reading {
    struct args *args;
    const char *const *words;
    size_t count;
    size_t at;
    struct builder *why;
};

/* Options are kept as they come; which of them the verb takes is looked at in the end. */
static bool set_option(struct reading *r, enum option_id id, const char *value)
{
    if (id == OPTION_HEADER)
        r->args->headers[r->args->header_count++] = value;
    else if (args_has(r->args, id) && option_rows[id].value != NULL) {
        builder_addf(r->why, "--%s is there twice.", option_rows[id].name);
        return false;
    }
    r->args->values[id] = value;
    return true;
}

/* The value that follows in the same word, or is the next one. */
static bool take_value(struct reading *r, enum option_id id, const char *inside)
{
    const struct option_row *row = &option_rows[id];

    if (row->value == NULL && inside != NULL) {
        builder_addf(r->why, "--%s takes no value.", row->name);
        return false;
    }
    if (row->value == NULL)
        return set_option(r, id, "");
    if (inside == NULL && r->at + 1 == r->count) {
        builder_addf(r->why, "--%s needs a value: --%s %s.", row->name, row->name, row->value);
        return false;
    }
    return set_option(r, id, inside != NULL ? inside : r->words[++r->at]);
}

static bool refuse_option(struct reading *r, struct text name)
{
    const char *nearest = option_nearest(name, UINT64_MAX);

    if (text_equals(name, TEXT_OF("token"))) {
        builder_addf(r->why, "A token on the command line could be read by everybody on this "
                             "machine: use --token-file FILE or the environment's "
                             "GATEWAYCTL_TOKEN.");
        return false;
    }
    builder_addf(r->why, "There is no option --%.*s.", TEXT_ARGS(name));
    if (nearest != NULL)
        builder_addf(r->why, " Is --%s meant?", nearest);
    return false;
}

static bool read_long(struct reading *r, const char *word)
{
    struct text whole = text_of(word + 2);
    struct text name = text_first(whole, text_find_byte(whole, '='));
    const char *inside = name.length < whole.length ? whole.at + name.length + 1 : NULL;
    enum option_id id;

    if (!option_find(name, &id))
        return refuse_option(r, name);
    return take_value(r, id, inside);
}

/* "-o json", "-ojson", "-yq" */
static bool read_short(struct reading *r, const char *word)
{
    enum option_id id;

    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        if (!option_find_letter(*letter, &id)) {
            builder_addf(r->why, "There is no option -%c.", *letter);
            return false;
        }
        if (option_rows[id].value != NULL)
            return take_value(r, id, letter[1] != '\0' ? letter + 1 : NULL);
        if (!take_value(r, id, NULL))
            return false;
    }
    return true;
}

static bool read_words(struct reading *r)
{
    bool is_end = false;

    for (; r->at < r->count; r->at++) {
        const char *word = r->words[r->at];

        if (is_end || word[0] != '-' || word[1] == '\0') {
            r->args->words[r->args->count++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0)
            is_end = true;
        else if (!(word[1] == '-' ? read_long(r, word) : read_short(r, word)))
            return false;
    }
    return true;
}

static bool is_about_itself(const struct args *args)
{
    return args_has(args, OPTION_HELP) || args_has(args, OPTION_VERSION);
}

/* "keys create, keys list, …" */
static void say_choices(struct reading *r, struct text word)
{
    const char *between = "";

    builder_addf(r->why, "What about %.*s? There are: ", TEXT_ARGS(word));
    for (size_t i = 0; i < verb_count; i++) {
        struct text name = text_of(verb_rows[i].name);

        if (!text_equals(text_first(name, text_find_byte(name, ' ')), word))
            continue;
        builder_addf(r->why, "%s%s", between, verb_rows[i].name);
        between = ", ";
    }
    builder_add_byte(r->why, '.');
}

static void say_unknown(struct reading *r)
{
    const char *nearest = verb_nearest(r->args->words, r->args->count);
    const char *first = r->args->words[0];

    if (verb_is_prefix(text_of(first)) && r->args->count == 1) {
        say_choices(r, text_of(first));
        return;
    }
    if (verb_is_prefix(text_of(first)))
        builder_addf(r->why, "There is no verb \"%s %s\".", first, r->args->words[1]);
    else
        builder_addf(r->why, "There is no verb \"%s\".", first);
    if (nearest != NULL)
        builder_addf(r->why, " Is \"%s\" meant?", nearest);
    builder_addf(r->why, " `gatewayctl --help` lists all there is.");
}

/* The verb's own words are taken off the front of the arguments. */
static bool take_verb(struct reading *r)
{
    struct args *args = r->args;
    size_t used = 0;

    if (args->count == 0)
        return true;
    args->verb = verb_find(args->words, args->count, &used);
    if (args->verb == NULL && is_about_itself(args))
        return true;
    if (args->verb == NULL) {
        say_unknown(r);
        return false;
    }
    args->count -= used;
    memmove(args->words, args->words + used, args->count * sizeof(*args->words));
    return true;
}

static bool check_options(struct reading *r)
{
    uint64_t taken = option_common | (r->args->verb == NULL ? 0 : r->args->verb->options);

    for (size_t i = 0; i < OPTION_IDS; i++) {
        if (r->args->values[i] == NULL || option_is_in((enum option_id)i, taken))
            continue;
        if (r->args->verb == NULL)
            builder_addf(r->why, "--%s needs a verb before it.", option_rows[i].name);
        else
            builder_addf(r->why, "`gatewayctl %s` does not take --%s.", r->args->verb->name,
                         option_rows[i].name);
        return false;
    }
    return true;
}

static bool check_count(struct reading *r)
{
    const struct args *args = r->args;

    if (args->verb == NULL || is_about_itself(args))
        return true;
    if (args->count >= args->verb->least && args->count <= args->verb->most)
        return true;
    builder_addf(r->why, "%s. It is: gatewayctl %s%s%s",
                 args->count < args->verb->least ? "Something is missing" : "That is too much",
                 args->verb->name, args->verb->arguments[0] == '\0' ? "" : " ",
                 args->verb->arguments);
    return false;
}

bool args_parse(const char *const *words, size_t count, struct args *args_out, struct builder *why)
{
    struct reading r = {
        .args = args_out,
        .words = words,
        .count = count,
        .why = why,
    };

    *args_out = (struct args){
        .words = mem_new_array(count + 1, sizeof(*args_out->words)),
        .headers = mem_new_array(count + 1, sizeof(*args_out->headers)),
    };
    if (read_words(&r) && take_verb(&r) && check_options(&r) && check_count(&r))
        return true;
    args_fini(args_out);
    return false;
}

void args_fini(struct args *args)
{
    MEM_FREE(&args->words);
    MEM_FREE(&args->headers);
    *args = (struct args){ 0 };
}
