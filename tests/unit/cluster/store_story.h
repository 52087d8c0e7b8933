/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_story.h - an embedded store with a loop of its own, and calls that wait for their answer.
 */
#ifndef TESTS_UNIT_CLUSTER_STORE_STORY_H
#define TESTS_UNIT_CLUSTER_STORE_STORY_H

#include "cluster/state_dir.h"
#include "cluster/store_embedded.h"

struct store_story {
    char *path;
    struct loop *loop;
    struct mailbox *mailbox;
    struct turns *turns;
    struct credentials *credentials;
    struct state_dir *dir;
    struct store_embedded *embedded;
    struct store *store;
    struct problems problems;
    size_t history;
    uint64_t compact_least;
    struct authority *authority; /* NULL: none */
    /* The last answer; texts and problems of it are gone but for these: */
    struct store_result result;
    char first_problem[512];
    char first_name[80];
    char resource_set[512];
    uint64_t resource_tag;
    unsigned published; /* how often publish was asked */
    unsigned ended;     /* keys */
    bool holds_ends;    /* that they ended is told by the test: */
    store_embedded_ended_fn *held;
    void *held_arg;
    unsigned answers;
    bool is_loaded;
    uint64_t longest_load_ns; /* the longest turn while it was loaded, in processor time */
};

/* `path` is borrowed. Opens, loads and starts; a failure is a failed test. */
void store_story_open(struct store_story *s, char *path);
MUST_USE bool store_story_try_open(struct store_story *s, char *path);
void store_story_close(struct store_story *s);
void store_story_reopen(struct store_story *s);

/* Runs the loop until `answers` is that many. */
void store_story_wait(struct store_story *s, unsigned answers);
void store_story_done(void *arg, const struct store_result *result); /* a store_done_fn */

/* Each is one commit, waited for; `json` is a resource. */
enum store_outcome store_story_commit(struct store_story *s, struct store_commit *commit);
enum store_outcome store_story_put(struct store_story *s, enum resource_kind kind,
                                   const char *json);
enum store_outcome store_story_delete(struct store_story *s, enum resource_kind kind,
                                      const char *name);
enum store_outcome store_story_restore(struct store_story *s, uint64_t revision);
enum store_outcome store_story_confirm(struct store_story *s, uint64_t revision);
enum store_outcome store_story_add_key(struct store_story *s, uint64_t id, const char *consumer);
enum store_outcome store_story_revoke(struct store_story *s, uint64_t id);

struct resource *store_story_parse(enum resource_kind kind, const char *json);
struct digest store_story_digest(uint64_t id); /* of the key with this id */
bool store_story_has(const struct store_story *s, enum resource_kind kind, const char *name);

#endif
