/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/tokens.h"

#include "conf/read_file.h"
#include "conf/resource.h"

static const char *const roles[] = {
    [TOKENS_VIEWER] = "viewer",
    [TOKENS_OPERATOR] = "operator",
    [TOKENS_ADMIN] = "admin",
};

const char *tokens_role_name(enum tokens_role role)
{
    MUST((size_t)role < ARRAY_LENGTH(roles));
    return roles[role];
}

static bool parse_role(struct text t, enum tokens_role *role_out)
{
    for (size_t i = 0; i < ARRAY_LENGTH(roles); i++) {
        if (!text_equals(t, text_of(roles[i])))
            continue;
        *role_out = (enum tokens_role)i;
        return true;
    }
    return false;
}

/* The next word, parted by spaces and tabs; empty at the end. */
static struct text take_word(struct text *rest)
{
    struct text word;
    size_t end = 0;

    *rest = text_trim(*rest);
    while (end < rest->length && rest->at[end] != ' ' && rest->at[end] != '\t')
        end++;
    word = text_first(*rest, end);
    *rest = text_skip(*rest, end);
    return word;
}

static const struct token *find_digest(const struct tokens *ts, const struct digest *digest)
{
    const struct token *found = NULL;

    for (size_t i = 0; i < ts->count; i++) {
        if (digest_equals(&ts->items[i].digest, digest))
            found = &ts->items[i];
    }
    return found;
}

static void parse_line(struct tokens *ts, struct text line, struct place place, struct problems *ps)
{
    struct token token = { 0 };
    struct text name = take_word(&line);
    struct text role = take_word(&line);
    struct text digest = take_word(&line);

    if (digest.length == 0 || text_trim(line).length > 0)
        problems_add(ps, place, "A line of tokens must be NAME ROLE SHA256-OF-TOKEN-IN-HEX.");
    else if (!resource_is_name(name))
        problems_add(ps, place,
                     "\"%.*s\" must be a name: 1 to 63 lower-case letters, digits, '.', "
                     "'_' or '-', beginning with a letter or digit.",
                     TEXT_ARGS(text_first(name, 100)));
    else if (!parse_role(role, &token.role))
        problems_add(ps, place, "The role of %.*s must be viewer, operator or admin, got \"%.*s\".",
                     TEXT_ARGS(name), TEXT_ARGS(text_first(role, 100)));
    else if (!digest_parse_hex(digest, token.digest.bytes, DIGEST_SIZE))
        problems_add(ps, place,
                     "The token of %.*s must be the SHA-256 of it, 64 hexadecimal "
                     "digits, got %zu characters.",
                     TEXT_ARGS(name), digest.length);
    else if (find_digest(ts, &token.digest) != NULL)
        problems_add(ps, place, "The token of %.*s is that of %s too; each must have its own.",
                     TEXT_ARGS(name), find_digest(ts, &token.digest)->name.at);
    else {
        token.name = arena_copy(&ts->arena, name);
        ts->items[ts->count++] = token;
    }
}

static size_t count_lines(struct text text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.length; i++)
        count += text.at[i] == '\n';
    return count;
}

bool tokens_parse(struct text text, const char *file, struct problems *ps,
                  struct tokens *tokens_out)
{
    struct place place = { .file = file, .pointer = "", .path = "" };
    struct tokens ts = { .count = 0 };
    size_t before = ps->count + ps->dropped;
    struct text line;

    arena_init(&ts.arena, SIZE_MAX);
    ts.items = arena_zalloc(&ts.arena, count_lines(text) * sizeof(*ts.items));
    if (text.at == NULL)
        text.at = "";
    while (text_cut_line(&text, &place.line, &line))
        parse_line(&ts, line, place, ps);
    if (ps->count + ps->dropped != before) {
        arena_reset(&ts.arena);
        return false;
    }
    *tokens_out = ts;
    return true;
}

bool tokens_read(const char *file, struct problems *ps, struct tokens *tokens_out)
{
    struct arena arena;
    struct text text;
    bool is_good;

    arena_init(&arena, SIZE_MAX);
    is_good = read_file_closed(file, NULL, READ_FILE_RIGHTS, &arena, ps, &text) &&
              tokens_parse(text, file, ps, tokens_out);
    arena_reset(&arena);
    return is_good;
}

void tokens_fini(struct tokens *ts)
{
    arena_reset(&ts->arena);
    ts->items = NULL;
    ts->count = 0;
}

const struct token *tokens_find(const struct tokens *ts, struct text secret)
{
    struct digest digest = digest_sha256(secret);

    return find_digest(ts, &digest);
}
