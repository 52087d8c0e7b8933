/* SPDX-License-Identifier: Apache-2.0 */
/* test_credentials_stress.c - readers that never wait beside a writer that adds, changes, revokes,
 * removes and grows; a million keys: what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/consumer.h"
#include "gatewayd/policy/credentials.h"
#include "gatewayd/policy/holders.h"
#include "tests/unit/gatewayd/policy/credentials_fixture.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOW 20
#else
#define SLOW 1
#endif

#define NOW     1700000000000
#define READERS 3
#define STAYING 200  /* keys that are always there */
#define COMING  5000 /* keys that come and go */

struct stress {
    struct turns *turns;
    struct credentials *c;
    atomic_bool is_over;
    char staying[STAYING][KEY_LENGTH + 1];
    char coming[COMING][KEY_LENGTH + 1];
    _Atomic uint32_t published[COMING]; /* 2n: gone, 2n + 1: there, for the n-th time */
};

struct reader {
    pthread_t thread;
    struct stress *s;
    size_t number;
    uint64_t found;
};

static void check_found(const struct credential *found)
{
    MUST(text_equals(found->consumer, TEXT_OF("one")) ||
         text_equals(found->consumer, TEXT_OF("two")));
    MUST(found->plan.length == 5 && memcmp(found->plan.at, "plan", 4) == 0);
    MUST(found->groups.count == 1 && found->groups.items[0].length == 5);
    /* The plan and the groups of a consumer change together. */
    MUST(found->plan.at[4] == found->groups.items[0].at[4]);
    for (size_t i = 0; i < found->scopes.count; i++)
        MUST(text_starts_with(found->scopes.items[i], TEXT_OF("scope")));
}

static void *read_on(void *arg)
{
    struct reader *r = arg;
    struct stress *s = r->s;
    struct turn *turn = turns_get(s->turns, r->number);
    struct arena arena;
    struct credential found;
    unsigned random = (unsigned)r->number + 1;
    arena_init(&arena, 65536);
    while (!atomic_load_explicit(&s->is_over, memory_order_relaxed)) {
        for (int i = 0; i < 16; i++) {
            random = random * 1664525 + 1013904223;
            unsigned at = (random >> 8) % STAYING;
            struct text key = text_of(s->staying[at]);
            MUST(credentials_find(s->c, turn, key, NOW, &arena, &found) == CREDENTIALS_ACTIVE);
            MUST(found.key_id == at + 1);
            check_found(&found);
            at = (random >> 16) % COMING;
            uint32_t before = atomic_load(&s->published[at]);
            enum credentials_answer answer = CREDENTIALS_ACTIVE;
            if (before % 2 == 1) {
                key = text_from(s->coming[at], KEY_LENGTH);
                answer = credentials_find(s->c, turn, key, NOW, &arena, &found);
                if (atomic_load(&s->published[at]) == before)
                    MUST(answer == CREDENTIALS_ACTIVE && found.key_id == 1000 + at);
            }
            if (answer == CREDENTIALS_ACTIVE)
                check_found(&found);
            r->found++;
            arena_reset(&arena);
        }
        turn_leave(turn);
    }
    return NULL;
}

static void put_consumers(struct credentials *c, unsigned round)
{
    char json[100];
    for (int i = 0; i < 2; i++) {
        snprintf(json, sizeof(json),
                 "{\"name\":\"%s\",\"plan\":\"plan%u\",\"groups\":[\"name%u\"]}",
                 i == 0 ? "one" : "two", round % 7, round % 7);
        fixture_put(c, json, round);
    }
}

static void change_something(struct stress *s, unsigned round, unsigned random)
{
    char name[16];
    unsigned at = random % COMING;
    uint64_t id = 1000 + at;
    uint32_t published = atomic_load(&s->published[at]);
    if (published % 2 == 0 && published < 2) {
        fixture_add(s->c, random & 4096 ? "one" : "two", id, s->coming[at]);
        atomic_store(&s->published[at], published + 1);
        return;
    }
    snprintf(name, sizeof(name), "scope%u", random % 50);
    struct text scopes[] = { text_of(name), TEXT("scope-of-all") };
    credentials_set_scopes(s->c, 1 + random % STAYING, (struct texts){ scopes, 2 }, round);
    if (published % 2 == 1 && random % 3 == 0) {
        atomic_store(&s->published[at], published + 1);
        if (random & 8192)
            credentials_revoke(s->c, id, NOW, round, NULL);
        credentials_remove_key(s->c, id);
    }
    if (round % 97 == 0)
        put_consumers(s->c, round);
}

static void readers_see_only_whole_keys(void **state)
{
    struct stress *s = calloc(1, sizeof(*s));
    struct reader readers[READERS] = { 0 };
    s->turns = turns_new(READERS);
    s->c = credentials_new(s->turns);
    put_consumers(s->c, 0);
    for (unsigned i = 0; i < STAYING; i++)
        fixture_add(s->c, "one", i + 1, s->staying[i]);
    for (size_t i = 0; i < READERS; i++) {
        readers[i].s = s;
        readers[i].number = i;
        pthread_create(&readers[i].thread, NULL, read_on, &readers[i]);
    }
    unsigned random = 99;
    for (unsigned round = 0; round < 200000 / SLOW; round++) {
        random = random * 1664525 + 1013904223;
        change_something(s, round, random >> 4);
        if (round % 16 == 0)
            credentials_tidy(s->c);
    }
    atomic_store(&s->is_over, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_true(readers[i].found > 0);
    }
    while (credentials_tidy(s->c))
        continue;
    credentials_free(&s->c);
    turns_free(&s->turns);
    free(s);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fill(struct credentials *c, unsigned count)
{
    char json[100];
    struct credentials_key key = { .prefix = TEXT("gwk_abcd"), .created_at = NOW };
    for (unsigned i = 0; i < count; i++) {
        unsigned mixed = (unsigned)(i * (uint64_t)7368787 % count); /* any order */
        int length = snprintf(json, sizeof(json), "c%07u", mixed);
        struct text name = text_from(json, (size_t)length);
        struct consumer consumer = { .name = name, .plan = TEXT("gold") };
        struct resource r = { .kind = RESOURCE_CONSUMER, .name = name };
        char set[100];
        r.set = text_from(
            set, (size_t)snprintf(set, sizeof(set), "{\"name\":\"%s\",\"plan\":\"gold\"}", json));
        r.consumer = &consumer;
        MUST(credentials_put_consumer(c, &r, 1) == CREDENTIALS_ADDED);
        key.id = key_id_make();
        key.digest = digest_sha256(name);
        key.consumer = name;
        MUST(credentials_add_key(c, &key) == CREDENTIALS_KEY_ADDED);
        credentials_tidy(c);
    }
}

/* The contract: under 150 bytes for each key of a consumer of its own, besides the name. */
static void a_million_keys_are_small_and_fast(void **state)
{
    const unsigned count = 1000000 / SLOW / SLOW;
    struct turns *turns = turns_new(1);
    struct credentials *c = credentials_new(turns);
    struct credentials_counts counts;
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    double start = seconds();
    fill(c, count);
    double filled = seconds() - start;
    size_t used = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    credentials_count(c, &counts);
    assert_int_equal(counts.consumers, count);
    assert_int_equal(counts.keys, count);

    struct credentials_key key = { .id = 0 };
    start = seconds();
    unsigned revoked = 0;
    for (unsigned i = 0; i < 10000 && credentials_next_key(c, key.id, &key); i++)
        revoked += credentials_revoke(c, key.id, NOW, 1, NULL);
    double revoking = seconds() - start;
    print_message("%u keys: %.1f bytes each (%.1f with names), %.2f us to add, %.2f us to revoke\n",
                  count, (double)counts.bytes / count, (double)used / count, filled * 1e6 / count,
                  revoking * 1e6 / revoked);
    if (SLOW == 1)
        assert_true(counts.bytes < 150ul * count);
    credentials_free(&c);
    turns_free(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_only_whole_keys),
        cmocka_unit_test(a_million_keys_are_small_and_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
