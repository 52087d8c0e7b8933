/* SPDX-License-Identifier: Apache-2.0 */
/* hold_line.c - see hold_line.h. */
#include "ha/hold_line.h"

#include <string.h>

#include "ha/digits.h"

/* The next word, parted by one space, into `word`. False: there is none, or it is too long. */
static bool take_word(const char **at, const char *end, char word[SITE_FILE_NAME])
{
    const char *space = memchr(*at, ' ', (size_t)(end - *at));
    const char *stop = space == NULL ? end : space;
    size_t length = (size_t)(stop - *at);

    if (length == 0 || length >= SITE_FILE_NAME || memchr(*at, '\0', length) != NULL)
        return false;
    memcpy(word, *at, length);
    word[length] = '\0';
    *at = space == NULL ? end : space + 1;
    return space == NULL || *at < end;
}

static bool parse_ms(const char *word, unsigned *ms_out)
{
    return digits_parse(word, strlen(word), HOLD_LINE_MS_MOST, ms_out) && *ms_out >= 1;
}

static bool parse_verb(const char *word, enum hold_verb *verb_out)
{
    static const char *const verbs[] = {
        [HOLD_LINE_HOLD] = "hold",
        [HOLD_LINE_RELEASE] = "release",
        [HOLD_LINE_RESET] = "reset",
        [HOLD_LINE_REMOVE] = "remove",
    };

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(word, verbs[i]) == 0) {
            *verb_out = (enum hold_verb)i;
            return true;
        }
    }
    return false;
}

const char *hold_line_parse(const struct site_file *site, const char *line, size_t length,
                            struct hold_line *out)
{
    const char *end = line + length;
    char verb[SITE_FILE_NAME];
    char name[SITE_FILE_NAME];
    char ms[SITE_FILE_NAME];

    if (!take_word(&line, end, verb) || !parse_verb(verb, &out->verb))
        return "a request is hold NAME MILLISECONDS, release NAME, remove NAME or reset";
    out->address = NULL;
    out->ms = 0;
    if (out->verb == HOLD_LINE_RESET)
        return line == end ? NULL : "there is more than one request in the line";
    if (!take_word(&line, end, name))
        return "a name is missing";
    out->address = site_file_find(site, name);
    if (out->address == NULL)
        return "there is no address of that name";
    if (out->verb == HOLD_LINE_HOLD && (!take_word(&line, end, ms) || !parse_ms(ms, &out->ms)))
        return "milliseconds are 1 to 300";
    return line == end ? NULL : "there is more than one request in the line";
}
