/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_story.c - appends and checks entries that are made from their numbers.
 */
#include "tests/unit/cluster/journal_story.h"

#include <stdio.h>

bool journal_story_open(struct journal_story *s, const char *path)
{
    *s = (struct journal_story){ 0 };
    problems_init(&s->problems);
    s->dir = state_dir_open(text_of(path), &s->problems);
    if (s->dir == NULL || !state_dir_lock(s->dir, &s->problems))
        return false;
    s->journal = journal_open(s->dir, &s->problems);
    if (s->journal == NULL)
        return false;
    enum journal_step step = JOURNAL_MORE;
    while (step == JOURNAL_MORE)
        step = journal_scan(s->journal, 100, &s->problems);
    return step == JOURNAL_FINISHED;
}

void journal_story_close(struct journal_story *s)
{
    journal_close(&s->journal);
    state_dir_close(&s->dir);
    problems_fini(&s->problems);
}

static struct entry_id id_of(uint64_t revision)
{
    struct entry_id id = { { 0 } };
    memcpy(id.bytes, &revision, sizeof(revision));
    return id;
}

static size_t parts_of(uint64_t revision)
{
    return revision % 3 == 0 ? 3 : 1;
}

static struct text part_of(uint64_t revision, size_t part, char into[64])
{
    int length = snprintf(into, 64, "part %zu of %llu", part, (unsigned long long)revision);
    return text_from(into, (size_t)length);
}

enum journal_result journal_story_append(struct journal_story *s)
{
    uint64_t revision = journal_last_revision(s->journal) + 1;
    struct entry_head head = {
        .revision = revision,
        .id = id_of(revision),
        .prev = id_of(revision - 1),
        .time_ms = (int64_t)revision * 1000,
        .author = TEXT("alice"),
        .summary = TEXT("a change"),
    };
    char room[3][64];
    struct text parts[3];
    for (size_t i = 0; i < 3; i++)
        parts[i] = part_of(revision, i, room[i]);
    return journal_append(s->journal, &head, parts, parts_of(revision));
}

enum journal_result journal_story_compact(struct journal_story *s, uint64_t keep)
{
    uint64_t base = journal_last_revision(s->journal);
    uint64_t from = base > keep ? base - keep + 1 : 1;
    enum journal_result result = journal_compact_start(s->journal, from, base);
    if (result == JOURNAL_DONE)
        result = journal_compact_add(s->journal, TEXT_OF("STATE"));
    if (result == JOURNAL_DONE)
        result = journal_compact_finish(s->journal);
    return result;
}

uint64_t journal_story_check(struct journal_story *s)
{
    struct journal_reader *r = journal_reader_new(s->journal);
    struct journal_record record;
    uint64_t last = 0;
    size_t part = 0;
    char room[64];
    for (journal_reader_next(r, &record); record.kind != JOURNAL_END;
         journal_reader_next(r, &record)) {
        MUST(record.kind != JOURNAL_UNREADABLE);
        if (record.kind == JOURNAL_ENTRY) {
            MUST(last == 0 || (record.head.revision == last + 1 && part == parts_of(last) - 1));
            last = record.head.revision;
            part = 0;
            MUST(record.head.time_ms == (int64_t)last * 1000);
            MUST(text_equals(record.head.author, TEXT_OF("alice")));
            MUST(text_equals(record.body, part_of(last, 0, room)));
        } else if (record.kind == JOURNAL_PART) {
            part++;
            MUST(text_equals(record.body, part_of(last, part, room)));
        } else if (record.kind == JOURNAL_STATE) {
            MUST(text_equals(record.body, TEXT_OF("STATE")));
        }
    }
    MUST(last == 0 || part == parts_of(last) - 1);
    journal_reader_free(&r);
    return journal_last_revision(s->journal);
}
