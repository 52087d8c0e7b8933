/* SPDX-License-Identifier: Apache-2.0 */
/* test_tallies.c - one bucket for each subject, whatever workers and keeper do at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include "gatewayd/policy/tallies.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOW 10
#else
#define SLOW 1
#endif

static struct tally_name name_of(char *into, uint32_t family, unsigned subject, bool is_stranger)
{
    struct tally_name name = { .family = family, .is_stranger = is_stranger };
    /* Some are longer than what fits into the record. */
    int width = subject % 3 == 0 ? 60 : 8;
    name.subject = text_from(into, (size_t)snprintf(into, 70, "c%0*u", width, subject));
    name.hash = tallies_hash(family, name.subject);
    return name;
}

static void what_is_made_is_found_again(void **state)
{
    const unsigned count = 300000 / SLOW;
    struct turns *turns = turns_new(1);
    struct tallies *t = tallies_new(turns, 10);
    char into[70];
    for (unsigned i = 0; i < count; i++) {
        struct tally_name name = name_of(into, i % 5, i, false);
        assert_null(tallies_find(t, &name));
        struct tally *tally = tallies_try_get(t, &name);
        assert_non_null(tally);
        atomic_store(&tally->word, i + 1);
        if (i % 256 == 0)
            tallies_tidy(t);
    }
    assert_int_equal(tallies_count(t), count);
    for (unsigned i = 0; i < count; i++) {
        struct tally_name name = name_of(into, i % 5, i, false);
        struct tally *tally = tallies_find(t, &name);
        assert_non_null(tally);
        assert_int_equal(tally->word, i + 1);
        assert_true(text_equals(tally_subject(tally), name.subject));
        assert_ptr_equal(tallies_try_get(t, &name), tally);
    }
    tallies_free(&t);
    turns_free(&turns);
}

static void strangers_are_bounded_and_hurt_nobody(void **state)
{
    struct turns *turns = turns_new(1);
    struct tallies *t = tallies_new(turns, 1000);
    char into[70];
    for (unsigned i = 0; i < 2000; i++) {
        struct tally_name name = name_of(into, 1, i, true);
        assert_int_equal(tallies_try_get(t, &name) != NULL, i < 1000);
    }
    assert_true(tallies_is_crowded(t));
    struct tally_name known = name_of(into, 2, 7, false);
    assert_non_null(tallies_try_get(t, &known));

    /* Ended ones make room, and their memory is used again after a turn. */
    uint32_t position = 0;
    struct tally *tally;
    while ((tally = tallies_next(t, &position)) != NULL) {
        if (!tally->is_stranger)
            continue;
        atomic_store(&tally->word, LIMITS_LOCAL_DEAD);
        tallies_remove(t, tally);
    }
    assert_int_equal(tallies_strangers(t), 0);
    assert_int_equal(tallies_count(t), 1);
    tallies_tidy(t);
    struct tally_name again = name_of(into, 1, 5, true);
    assert_null(tallies_find(t, &again));
    tally = tallies_try_get(t, &again);
    assert_non_null(tally);
    assert_int_equal(tally->word, 0);
    assert_true(tally->number < 1001);
    tallies_free(&t);
    turns_free(&turns);
}

static void marks_are_taken_once(void **state)
{
    struct turns *turns = turns_new(1);
    struct tallies *t = tallies_new(turns, 10);
    char into[70];
    for (unsigned i = 0; i < 3000; i++) {
        struct tally_name name = name_of(into, 1, i, false);
        struct tally *tally = tallies_try_get(t, &name);
        if (i % 7 == 0)
            tallies_mark(t, tally);
    }
    uint32_t position = 0;
    unsigned marked = 0;
    struct tally *tally;
    while ((tally = tallies_next_marked(t, &position)) != NULL) {
        assert_int_equal(tally->number % 7, 0);
        marked++;
    }
    assert_int_equal(marked, 429);
    position = 0;
    assert_null(tallies_next_marked(t, &position));
    tallies_free(&t);
    turns_free(&turns);
}

/* Workers count in buckets of few subjects that come and go; the keeper ends every bucket it meets
 * and adds up what it held. */
#define WORKERS  3
#define SUBJECTS 3000

struct stress {
    struct turns *turns;
    struct tallies *t;
    atomic_bool is_over;
    atomic_uint begun; /* workers that have counted something */
};

struct worker {
    pthread_t thread;
    struct stress *s;
    size_t number;
    uint64_t added;
};

static void *count_on(void *arg)
{
    struct worker *w = arg;
    struct stress *s = w->s;
    struct turn *turn = turns_get(s->turns, w->number);
    unsigned random = (unsigned)w->number + 77;
    char into[70];
    while (!atomic_load_explicit(&s->is_over, memory_order_relaxed)) {
        turn_enter(turn);
        for (int i = 0; i < 8; i++) {
            random = random * 1664525 + 1013904223;
            unsigned subject = (random >> 8) % SUBJECTS;
            struct tally_name name = name_of(into, 3, subject, subject % 2 == 0);
            struct tally *tally = tallies_try_get(s->t, &name);
            if (tally == NULL)
                continue;
            MUST(text_equals(tally_subject(tally), name.subject));
            uint64_t word = atomic_load(&tally->word);
            while (word != LIMITS_LOCAL_DEAD &&
                   !atomic_compare_exchange_weak(&tally->word, &word, word + 1))
                ;
            if (word == LIMITS_LOCAL_DEAD)
                continue;
            if (w->added++ == 0)
                atomic_fetch_add(&s->begun, 1);
        }
        turn_leave(turn);
    }
    return NULL;
}

static uint64_t end_some(struct stress *s, uint32_t *position, unsigned most)
{
    uint64_t counted = 0;
    for (; most > 0; most--) {
        struct tally *tally = tallies_next(s->t, position);
        if (tally == NULL) {
            *position = 0;
            break;
        }
        if (tally->number % 3 == 0 && most % 2 == 0)
            continue;
        counted += atomic_exchange(&tally->word, LIMITS_LOCAL_DEAD);
        tallies_remove(s->t, tally);
    }
    return counted;
}

static void nothing_counted_is_lost(void **state)
{
    struct stress *s = calloc(1, sizeof(*s));
    struct worker workers[WORKERS] = { 0 };
    uint64_t counted = 0;
    uint64_t added = 0;
    uint32_t position = 0;
    s->turns = turns_new(WORKERS);
    s->t = tallies_new(s->turns, 100000);
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i].s = s;
        workers[i].number = i;
        pthread_create(&workers[i].thread, NULL, count_on, &workers[i]);
    }
    /* The last rounds are with all workers there, however late they began. */
    for (int round = 0; round < 20000 / SLOW || atomic_load(&s->begun) < WORKERS; round++) {
        counted += end_some(s, &position, 64);
        tallies_tidy(s->t);
    }
    atomic_store(&s->is_over, true);
    for (size_t i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        added += workers[i].added;
    }
    /* What is left is one bucket for each subject at most. */
    static bool is_seen[SUBJECTS];
    memset(is_seen, 0, sizeof(is_seen));
    struct tally *tally;
    position = 0;
    while ((tally = tallies_next(s->t, &position)) != NULL) {
        uint64_t subject;
        assert_true(text_parse_u64(text_skip(tally_subject(tally), 1), &subject));
        assert_false(is_seen[subject]);
        is_seen[subject] = true;
        counted += atomic_load(&tally->word);
    }
    assert_true(added > 0);
    assert_int_equal(counted, added);
    tallies_free(&s->t);
    turns_free(&s->turns);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_is_found_again),
        cmocka_unit_test(strangers_are_bounded_and_hurt_nobody),
        cmocka_unit_test(marks_are_taken_once),
        cmocka_unit_test(nothing_counted_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
