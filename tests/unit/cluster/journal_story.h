/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_story.h - journals whose content follows from the revision, so that any of them can be
 * checked without knowing how it came to be.
 */
#ifndef TESTS_UNIT_CLUSTER_JOURNAL_STORY_H
#define TESTS_UNIT_CLUSTER_JOURNAL_STORY_H

#include "cluster/journal.h"

struct journal_story {
    struct state_dir *dir;
    struct journal *journal;
    struct problems problems;
};

/* Opens and scans; false (with problems) when that is refused. */
MUST_USE bool journal_story_open(struct journal_story *s, const char *path);
void journal_story_close(struct journal_story *s);

/* Appends the next revision; every third one has further parts. */
MUST_USE enum journal_result journal_story_append(struct journal_story *s);

/* Compacts to state "STATE" at the last revision, keeping `keep` entries. */
MUST_USE enum journal_result journal_story_compact(struct journal_story *s, uint64_t keep);

/* Reads everything: entries must be as appended and without gap; the last revision. */
uint64_t journal_story_check(struct journal_story *s);

#endif
