/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/verb.h"

#include <stdio.h>

#define NEAR      2
#define NAME_SIZE 64

const char *verb_group_title(enum verb_group group)
{
    static const char *const titles[VERB_GROUPS] = {
        [VERB_GROUP_RESOURCES] = "Upstreams, routes, plans and consumers",
        [VERB_GROUP_KEYS] = "Keys of consumers",
        [VERB_GROUP_HISTORY] = "The whole configuration and its history",
        [VERB_GROUP_TRAFFIC] = "What happens to requests",
        [VERB_GROUP_NODE] = "Nodes",
        [VERB_GROUP_SELF] = "gatewayctl itself",
    };

    MUST(group < VERB_GROUPS);
    return titles[group];
}

/* How many of the verb's words the given ones begin with: all, or 0. */
static size_t count_words(const struct verb *verb, const char *const *words, size_t count)
{
    struct text rest = text_of(verb->name);
    struct text word;
    size_t used = 0;

    while (rest.at != NULL && text_cut(&rest, ' ', &word)) {
        if (used == count || !text_equals(word, text_of(words[used])))
            return 0;
        used++;
    }
    return used;
}

const struct verb *verb_find(const char *const *words, size_t count, size_t *used_out)
{
    const struct verb *found = NULL;
    size_t most = 0;

    for (size_t i = 0; i < verb_count; i++) {
        size_t used = count_words(&verb_rows[i], words, count);

        if (used <= most)
            continue;
        most = used;
        found = &verb_rows[i];
    }
    if (found != NULL)
        *used_out = most;
    return found;
}

static struct text first_word(const char *name)
{
    struct text t = text_of(name);

    return text_first(t, text_find_byte(t, ' '));
}

bool verb_is_prefix(struct text word)
{
    for (size_t i = 0; i < verb_count; i++) {
        struct text first = first_word(verb_rows[i].name);

        if (first.length < strlen(verb_rows[i].name) && text_equals(first, word))
            return true;
    }
    return false;
}

const char *verb_nearest(const char *const *words, size_t count)
{
    const char *nearest = NULL;
    unsigned best = NEAR + 1;
    char both[NAME_SIZE];

    if (count == 0)
        return NULL;
    (void)snprintf(both, sizeof(both), "%s %s", words[0], count > 1 ? words[1] : "");
    for (size_t i = 0; i < verb_count; i++) {
        struct text name = text_of(verb_rows[i].name);
        bool is_one_word = text_find_byte(name, ' ') == name.length;
        struct text said = is_one_word ? text_of(words[0]) : text_trim(text_of(both));
        unsigned distance = text_distance(said, name, NEAR);

        if (distance >= best || distance >= name.length)
            continue;
        best = distance;
        nearest = verb_rows[i].name;
    }
    return nearest;
}
