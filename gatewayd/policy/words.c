/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/words.h"

#include "conf/base/mem.h"

void words_table_init(struct words_table *t, struct turns_queue *queue)
{
    map_init(&t->map);
    t->queue = queue;
}

void words_table_fini(struct words_table *t)
{
    struct map_entry *entry;
    for (size_t i = 0; map_next(&t->map, &i, &entry);)
        MEM_FREE(&entry->value);
    map_fini(&t->map);
}

/* Two lists have the same bytes only if they are the same: each text stands behind its length. */
static struct words *words_new(struct texts texts)
{
    size_t length = 0;
    for (size_t i = 0; i < texts.count; i++)
        length += sizeof(uint32_t) + texts.items[i].length;
    struct words *words = mem_new(sizeof(*words) + texts.count * sizeof(struct text) + length + 1);
    char *at = (char *)&words->items[texts.count];
    words->whole = text_from(at, length);
    words->count = texts.count;
    for (size_t i = 0; i < texts.count; i++) {
        uint32_t size = (uint32_t)texts.items[i].length;
        memcpy(at, &size, sizeof(size));
        at += sizeof(size);
        words->items[i] = text_from(at, size);
        if (size > 0)
            memcpy(at, texts.items[i].at, size);
        at += size;
    }
    return words;
}

struct words *words_take(struct words_table *t, struct texts texts)
{
    struct words *words = words_new(texts);
    struct words *same = map_find(&t->map, words->whole);
    if (same != NULL) {
        MEM_FREE(&words);
        words = same;
    } else {
        map_set(&t->map, words->whole, words);
    }
    words->uses++;
    return words;
}

static void free_words(void *owner, uint64_t what)
{
    struct words *words = owner;
    MEM_FREE(&words);
}

void words_give(struct words_table *t, struct words *words)
{
    MUST(words->uses > 0);
    if (--words->uses > 0)
        return;
    map_remove(&t->map, words->whole);
    turns_retire(t->queue, free_words, words, 0);
}

size_t words_bytes(const struct words *words, size_t first)
{
    size_t length = 0;
    for (size_t i = first; i < words->count; i++)
        length += words->items[i].length;
    return length;
}

void words_copy(const struct words *words, size_t first, struct text *items, char **bytes)
{
    for (size_t i = first; i < words->count; i++) {
        struct text from = words->items[i];
        memcpy(*bytes, from.at, from.length);
        items[i - first] = text_from(*bytes, from.length);
        *bytes += from.length;
    }
}
