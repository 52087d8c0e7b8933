/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal.c - what was acknowledged is there after a restart; what is damaged is refused. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "cluster/disk.h"
#include "conf/base/builder.h"
#include "conf/base/mem.h"
#include "tests/unit/cluster/folder.h"
#include "tests/unit/cluster/journal_story.h"

static int make_folder(void **state)
{
    *state = folder_new();
    return 0;
}

static int remove_folder(void **state)
{
    disk_set_fault(NULL);
    char *path = *state;
    folder_remove(&path);
    return 0;
}

static void append_durably(struct journal_story *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(journal_story_append(s), JOURNAL_DONE);
        assert_int_equal(journal_sync(s->journal), JOURNAL_DONE);
    }
}

static void assert_problem_has(const struct journal_story *s, const char *piece)
{
    assert_int_equal(s->problems.count, 1);
    if (strstr(s->problems.items[0].sentence, piece) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", s->problems.items[0].sentence, piece);
}

static void an_empty_folder_gives_an_empty_journal(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    assert_int_equal(journal_last_revision(s.journal), 0);
    assert_int_equal(journal_first_revision(s.journal), 0);
    struct entry_id cluster = journal_cluster_id(s.journal);
    journal_story_close(&s);

    assert_true(journal_story_open(&s, *state));
    struct entry_id again = journal_cluster_id(s.journal);
    assert_true(entry_id_equals(&cluster, &again));
    journal_story_close(&s);
}

static void entries_are_there_after_a_restart(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 10);
    journal_story_close(&s);

    assert_true(journal_story_open(&s, *state));
    assert_int_equal(journal_cut(s.journal), 0);
    assert_int_equal(journal_story_check(&s), 10);
    append_durably(&s, 5);
    assert_int_equal(journal_story_check(&s), 15);
    journal_story_close(&s);
}

static void gather(void *arg, const struct journal_record *record)
{
    builder_add(arg, record->body);
    builder_add_byte(arg, ';');
}

static void one_entry_can_be_read(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 7);
    struct builder b;
    builder_init(&b, SIZE_MAX);
    assert_true(journal_read_entry(s.journal, 6, gather, &b));
    assert_true(text_equals(builder_text(&b), TEXT_OF("part 0 of 6;part 1 of 6;part 2 of 6;")));
    builder_clear(&b);
    assert_true(journal_read_entry(s.journal, 7, gather, &b));
    assert_true(text_equals(builder_text(&b), TEXT_OF("part 0 of 7;")));
    assert_false(journal_read_entry(s.journal, 8, gather, &b));
    assert_null(journal_why(s.journal));
    builder_fini(&b);
    journal_story_close(&s);
}

/* ---- beside the process that writes ---- */

static void scan_beside(struct journal *j, struct problems *ps)
{
    enum journal_step step;
    do
        step = journal_scan(j, 100, ps);
    while (step == JOURNAL_MORE);
    assert_int_equal(step, JOURNAL_FINISHED);
}

static unsigned count_entries(struct journal *j, uint64_t from)
{
    struct journal_reader *r = journal_reader_new_from(j, from);
    struct journal_record record;
    unsigned count = 0;
    do {
        journal_reader_next(r, &record);
        count += record.kind == JOURNAL_ENTRY;
    } while (record.kind != JOURNAL_END);
    journal_reader_free(&r);
    return count;
}

static void a_journal_is_read_beside_the_one_who_writes_it(void **state)
{
    struct journal_story s;
    struct problems ps;
    problems_init(&ps);
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 7);
    struct journal *beside = journal_open_beside(s.dir, &ps);
    assert_non_null(beside);
    append_durably(&s, 2);
    /* As far as it was when it was opened, whatever stands half written behind it. */
    scan_beside(beside, &ps);
    uint64_t at = journal_size(beside);
    assert_int_equal(count_entries(beside, 0), 7);
    assert_int_equal(journal_last_revision(beside), 7);
    append_durably(&s, 3);
    assert_true(journal_take(beside, &ps));
    scan_beside(beside, &ps);
    assert_int_equal(count_entries(beside, at), 5);
    assert_int_equal(journal_last_revision(beside), 12);
    assert_int_equal(journal_cut(beside), 0);
    journal_close(&beside);
    problems_fini(&ps);
    journal_story_close(&s);
}

static void a_journal_written_anew_meanwhile_is_not_taken(void **state)
{
    struct journal_story s;
    struct problems ps;
    problems_init(&ps);
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 7);
    struct journal *beside = journal_open_beside(s.dir, &ps);
    scan_beside(beside, &ps);
    assert_int_equal(journal_story_compact(&s, 3), JOURNAL_DONE);
    assert_false(journal_take(beside, &ps));
    assert_int_equal(ps.count, 1);
    journal_close(&beside);
    problems_fini(&ps);
    journal_story_close(&s);
}

/* ---- tails ---- */

/* Any length of a file whose last group was not yet acknowledged loads, with nothing acknowledged
 * missing. */
static void a_torn_tail_is_cut_at_every_byte(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 2);
    uint64_t durable = journal_size(s.journal);
    for (int i = 0; i < 3; i++)
        assert_int_equal(journal_story_append(&s), JOURNAL_DONE);
    journal_story_close(&s);
    size_t length;
    char *bytes = folder_read(*state, "journal", &length);

    for (size_t cut = (size_t)durable; cut < length; cut++) {
        folder_write(*state, "journal", text_from(bytes, cut));
        assert_true(journal_story_open(&s, *state));
        uint64_t last = journal_story_check(&s);
        assert_in_range(last, 2, 4);
        assert_int_equal(journal_cut(s.journal), cut - journal_size(s.journal));
        append_durably(&s, 2);
        journal_story_close(&s);
        assert_true(journal_story_open(&s, *state));
        assert_int_equal(journal_story_check(&s), last + 2);
        journal_story_close(&s);
    }
    MEM_FREE(&bytes);
}

/* A crash may leave a hole where a page was not written, and later pages of the same group. */
static void a_hole_in_what_was_not_acknowledged_is_cut(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 2);
    uint64_t durable = journal_size(s.journal);
    for (int i = 0; i < 3; i++)
        assert_int_equal(journal_story_append(&s), JOURNAL_DONE);
    journal_story_close(&s);
    size_t length;
    char *bytes = folder_read(*state, "journal", &length);
    memset(bytes + durable, 0, 40);
    folder_write(*state, "journal", text_from(bytes, length));
    assert_true(journal_story_open(&s, *state));
    assert_int_equal(journal_story_check(&s), 2);
    assert_int_equal(journal_cut(s.journal), length - durable);
    journal_story_close(&s);
    MEM_FREE(&bytes);
}

/* ---- damage ---- */

/* Whatever byte changes: refused, or only what was not known to be durable is missing. */
static void every_changed_byte_is_noticed(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 2);
    assert_int_equal(journal_story_compact(&s, 1), JOURNAL_DONE);
    append_durably(&s, 2);
    uint64_t acknowledged = journal_size(s.journal); /* as far as the next frame tells */
    append_durably(&s, 1);
    journal_story_close(&s);
    size_t length;
    char *bytes = folder_read(*state, "journal", &length);

    for (size_t at = 0; at < length; at++) {
        bytes[at] ^= 0x11;
        folder_write(*state, "journal", text_from(bytes, length));
        bool is_open = journal_story_open(&s, *state);
        if (at < acknowledged)
            assert_false(is_open);
        else
            assert_int_equal(journal_story_check(&s), 4);
        journal_story_close(&s);
        bytes[at] ^= 0x11;
    }
    MEM_FREE(&bytes);
}

/* Entries of several frames, and a single frame behind the damage that tells of it. */
static void damage_among_parts_is_noticed(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 6); /* the last one has further parts */
    uint64_t acknowledged = journal_size(s.journal);
    append_durably(&s, 1);
    journal_story_close(&s);
    size_t length;
    char *bytes = folder_read(*state, "journal", &length);

    for (size_t at = 0; at < acknowledged; at++) {
        bytes[at] ^= 0x11;
        folder_write(*state, "journal", text_from(bytes, length));
        assert_false(journal_story_open(&s, *state));
        journal_story_close(&s);
        bytes[at] ^= 0x11;
    }
    MEM_FREE(&bytes);
}

/* With its mark behind it the last entry cannot be damaged unnoticed; a crash that tore entry or
 * mark is still no damage. */
static void the_last_entry_is_told_from_a_torn_tail_by_its_mark(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 3);
    uint64_t before = journal_size(s.journal);
    append_durably(&s, 3);
    uint64_t marked = journal_size(s.journal);
    journal_mark(s.journal);
    journal_story_close(&s);
    size_t length;
    char *bytes = folder_read(*state, "journal", &length);
    assert_true(length > marked);

    for (size_t at = (size_t)before; at < length; at++) {
        bytes[at] ^= 0x11;
        folder_write(*state, "journal", text_from(bytes, length));
        bool is_open = journal_story_open(&s, *state);
        assert_int_equal(is_open, at >= marked);
        if (is_open)
            assert_int_equal(journal_story_check(&s), 6);
        journal_story_close(&s);
        bytes[at] ^= 0x11;
    }
    for (size_t cut = (size_t)marked; cut < length; cut++) {
        folder_write(*state, "journal", text_from(bytes, cut));
        assert_true(journal_story_open(&s, *state));
        assert_int_equal(journal_story_check(&s), 6);
        journal_story_close(&s);
    }
    MEM_FREE(&bytes);
}

static void damage_is_named_with_its_offset(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 1);
    uint64_t at = journal_size(s.journal);
    append_durably(&s, 2);
    journal_story_close(&s);
    size_t length;
    char *bytes = folder_read(*state, "journal", &length);
    bytes[at + 30] ^= 1;
    folder_write(*state, "journal", text_from(bytes, length));
    assert_false(journal_story_open(&s, *state));
    char piece[64];
    snprintf(piece, sizeof(piece), "offset %llu: the checksum is wrong", (unsigned long long)at);
    assert_problem_has(&s, piece);
    assert_non_null(strstr(s.problems.items[0].file, "/journal"));
    journal_story_close(&s);
    MEM_FREE(&bytes);
}

static void a_missing_entry_is_damage(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 1);
    size_t from = (size_t)journal_size(s.journal);
    append_durably(&s, 1);
    size_t to = (size_t)journal_size(s.journal);
    append_durably(&s, 1);
    journal_story_close(&s);
    size_t length;
    char *bytes = folder_read(*state, "journal", &length);
    memmove(bytes + from, bytes + to, length - to);
    folder_write(*state, "journal", text_from(bytes, length - (to - from)));
    assert_false(journal_story_open(&s, *state));
    assert_problem_has(&s, "a revision is missing");
    journal_story_close(&s);
    MEM_FREE(&bytes);
}

static void a_file_that_is_no_journal_is_refused(void **state)
{
    struct journal_story s;
    folder_write(*state, "journal", TEXT_OF("upstreams = ();\n"));
    assert_false(journal_story_open(&s, *state));
    assert_problem_has(&s, "not a journal");
    journal_story_close(&s);
}

static void a_newer_format_is_refused(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    journal_story_close(&s);
    size_t length;
    char *bytes = folder_read(*state, "journal", &length);
    bytes[8] = 2;
    folder_write(*state, "journal", text_from(bytes, length));
    assert_false(journal_story_open(&s, *state));
    assert_problem_has(&s, "a newer gatewayd");
    journal_story_close(&s);
    MEM_FREE(&bytes);
}

static void a_file_open_to_others_is_refused(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    journal_story_close(&s);
    char file[512];
    snprintf(file, sizeof(file), "%s/journal", (char *)*state);
    assert_int_equal(chmod(file, 0644), 0);
    assert_false(journal_story_open(&s, *state));
    assert_problem_has(&s, "chmod 0600");
    journal_story_close(&s);
}

/* ---- the disk ---- */

static unsigned calls_to_pass;
static enum disk_call call_to_fail;
static int error_to_give;

static int fail_after(enum disk_call call, size_t *length)
{
    if (call != call_to_fail)
        return 0;
    if (calls_to_pass > 0) {
        calls_to_pass--;
        return 0;
    }
    *length /= 2;
    return error_to_give;
}

static void fail_disk(enum disk_call call, unsigned after, int error)
{
    call_to_fail = call;
    calls_to_pass = after;
    error_to_give = error;
    disk_set_fault(fail_after);
}

static void a_full_disk_leaves_whole_entries_and_heals(void **state)
{
    for (unsigned after = 0; after < 4; after++) {
        struct journal_story s;
        assert_true(journal_story_open(&s, *state));
        uint64_t before = journal_last_revision(s.journal);
        uint64_t size = journal_size(s.journal);
        fail_disk(DISK_CALL_WRITE, after, ENOSPC);
        enum journal_result result = JOURNAL_DONE;
        while (result == JOURNAL_DONE) {
            before = journal_last_revision(s.journal);
            size = journal_size(s.journal);
            result = journal_story_append(&s);
        }
        assert_int_equal(result, JOURNAL_FULL);
        assert_string_equal(journal_why(s.journal), "No space left on device");
        assert_int_equal(journal_size(s.journal), size);
        size_t length;
        char *bytes = folder_read(*state, "journal", &length);
        assert_int_equal(length, size);
        MEM_FREE(&bytes);
        disk_set_fault(NULL);
        append_durably(&s, 1);
        assert_int_equal(journal_story_check(&s), before + 1);
        journal_story_close(&s);
    }
}

static void what_follows_a_failed_entry_fails_as_well(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 1);
    fail_disk(DISK_CALL_WRITE, 0, ENOSPC);
    assert_int_equal(journal_story_append(&s), JOURNAL_FULL);
    disk_set_fault(NULL);
    struct entry_id second = { { 2 } };
    struct entry_head third = { .revision = 3, .id = { { 3 } }, .prev = second };
    assert_int_equal(journal_append(s.journal, &third, NULL, 0), JOURNAL_FULL);
    append_durably(&s, 1);
    journal_story_close(&s);
}

static void a_limit_of_file_size_is_a_full_disk(void **state)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1000, 1000 });
        struct journal_story s;
        MUST(journal_story_open(&s, *state));
        while (journal_story_append(&s) == JOURNAL_DONE)
            MUST(journal_sync(s.journal) == JOURNAL_DONE);
        MUST(journal_story_append(&s) == JOURNAL_FULL);
        MUST(journal_sync(s.journal) == JOURNAL_DONE);
        _exit((int)journal_last_revision(s.journal));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    assert_int_equal(journal_story_check(&s), WEXITSTATUS(status));
    assert_int_equal(journal_cut(s.journal), 0);
    journal_story_close(&s);
}

static void a_failed_fsync_stops_writing_for_good(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 1);
    assert_int_equal(journal_story_append(&s), JOURNAL_DONE);
    fail_disk(DISK_CALL_SYNC, 0, EIO);
    assert_int_equal(journal_sync(s.journal), JOURNAL_BROKEN);
    disk_set_fault(NULL);
    assert_int_equal(journal_sync(s.journal), JOURNAL_BROKEN);
    assert_int_equal(journal_story_append(&s), JOURNAL_BROKEN);
    assert_string_equal(journal_why(s.journal), "Input/output error");
    journal_story_close(&s);

    assert_true(journal_story_open(&s, *state));
    assert_in_range(journal_story_check(&s), 1, 2);
    append_durably(&s, 1);
    journal_story_close(&s);
}

static void a_failed_cut_stops_writing_for_good(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 1);
    fail_disk(DISK_CALL_TRUNCATE, 0, EIO);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ journal_size(s.journal) + 10, before.rlim_max });
    assert_int_equal(journal_story_append(&s), JOURNAL_BROKEN);
    setrlimit(RLIMIT_FSIZE, &before);
    disk_set_fault(NULL);
    assert_int_equal(journal_story_append(&s), JOURNAL_BROKEN);
    journal_story_close(&s);
    assert_true(journal_story_open(&s, *state));
    assert_int_equal(journal_story_check(&s), 1);
    journal_story_close(&s);
}

/* ---- compaction ---- */

static void compaction_keeps_state_and_the_last_entries(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 100);
    uint64_t size = journal_size(s.journal);
    assert_int_equal(journal_story_compact(&s, 10), JOURNAL_DONE);
    assert_true(journal_size(s.journal) < size / 5);
    assert_int_equal(journal_first_revision(s.journal), 91);
    append_durably(&s, 3);
    journal_story_close(&s);

    assert_true(journal_story_open(&s, *state));
    assert_int_equal(journal_story_check(&s), 103);
    assert_int_equal(journal_first_revision(s.journal), 91);
    assert_int_equal(journal_story_compact(&s, 5), JOURNAL_DONE);
    assert_int_equal(journal_first_revision(s.journal), 99);
    assert_int_equal(journal_story_compact(&s, 1), JOURNAL_DONE);
    assert_int_equal(journal_story_check(&s), 103);
    journal_story_close(&s);
    assert_true(journal_story_open(&s, *state));
    assert_int_equal(journal_story_check(&s), 103);
    append_durably(&s, 1);
    journal_story_close(&s);
}

static void entries_and_notes_taken_during_compaction_follow_it(void **state)
{
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 5);
    assert_int_equal(journal_append_note(s.journal, TEXT_OF("old")), JOURNAL_DONE);
    append_durably(&s, 1);
    assert_int_equal(journal_compact_start(s.journal, 5, 6), JOURNAL_DONE);
    append_durably(&s, 3);
    assert_int_equal(journal_append_note(s.journal, TEXT_OF("new")), JOURNAL_DONE);
    assert_int_equal(journal_compact_add(s.journal, TEXT_OF("STATE")), JOURNAL_DONE);
    append_durably(&s, 1);
    assert_int_equal(journal_compact_finish(s.journal), JOURNAL_DONE);
    assert_int_equal(journal_story_check(&s), 10);
    journal_story_close(&s);

    assert_true(journal_story_open(&s, *state));
    assert_int_equal(journal_story_check(&s), 10);
    struct journal_reader *r = journal_reader_new(s.journal);
    struct journal_record record;
    char order[64] = "";
    for (journal_reader_next(r, &record); record.kind != JOURNAL_END;
         journal_reader_next(r, &record)) {
        size_t used = strlen(order);
        if (record.kind == JOURNAL_ENTRY)
            snprintf(order + used, sizeof(order) - used, "%s%llu ", record.is_history ? "h" : "",
                     (unsigned long long)record.head.revision);
        else if (record.kind == JOURNAL_STATE || record.kind == JOURNAL_NOTE)
            snprintf(order + used, sizeof(order) - used, "%.*s ", TEXT_ARGS(record.body));
    }
    journal_reader_free(&r);
    assert_string_equal(order, "h5 h6 STATE 7 8 9 new 10 ");
    journal_story_close(&s);
}

static void a_failed_compaction_changes_nothing(void **state)
{
    static const enum disk_call calls[] = { DISK_CALL_WRITE, DISK_CALL_SYNC, DISK_CALL_RENAME,
                                            DISK_CALL_CREATE };
    struct journal_story s;
    assert_true(journal_story_open(&s, *state));
    append_durably(&s, 20);
    for (size_t i = 0; i < ARRAY_LENGTH(calls); i++) {
        for (unsigned after = 0; after < 20; after++) {
            fail_disk(calls[i], after, ENOSPC);
            enum journal_result result = journal_story_compact(&s, 5);
            disk_set_fault(NULL);
            if (result == JOURNAL_DONE)
                break;
            assert_int_equal(result, JOURNAL_FULL);
            assert_false(journal_compact_is_running(s.journal));
            append_durably(&s, 1);
        }
    }
    uint64_t last = journal_last_revision(s.journal);
    journal_story_close(&s);
    assert_true(journal_story_open(&s, *state));
    assert_int_equal(journal_story_check(&s), last);
    journal_story_close(&s);
}

/* ---- crashes ---- */

static unsigned calls_to_live;

static int die_after(enum disk_call call, size_t *length)
{
    if (calls_to_live-- > 0)
        return 0;
    if (call == DISK_CALL_WRITE && *length > 20) {
        /* Half of it gets there: the hook is asked again for nothing, so write it here. */
        *length /= 2;
        return EIO;
    }
    kill(getpid(), SIGKILL);
    return EIO;
}

/* Appends and compacts, telling `fd` each revision that is durable. */
static NORETURN void live(const char *path, int fd, unsigned calls)
{
    struct journal_story s;
    calls_to_live = calls;
    disk_set_fault(die_after);
    if (journal_story_open(&s, path)) {
        for (unsigned i = 0; i < 12; i++) {
            if (journal_story_append(&s) != JOURNAL_DONE || journal_sync(s.journal) != JOURNAL_DONE)
                break;
            uint64_t revision = journal_last_revision(s.journal);
            MUST(write(fd, &revision, sizeof(revision)) == sizeof(revision));
            if (i % 4 == 3 && journal_story_compact(&s, 3) != JOURNAL_DONE)
                break;
        }
    }
    kill(getpid(), SIGKILL);
    _exit(1);
}

static uint64_t read_acknowledged(int fd)
{
    uint64_t revision;
    uint64_t last = 0;
    while (read(fd, &revision, sizeof(revision)) == sizeof(revision))
        last = revision;
    return last;
}

static void a_crash_at_any_call_loses_nothing_acknowledged(void **state)
{
    uint64_t last = 0;
    for (unsigned calls = 0; calls < 70; calls++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0)
            live(*state, ends[1], calls);
        close(ends[1]);
        uint64_t acknowledged = read_acknowledged(ends[0]);
        close(ends[0]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        struct journal_story s;
        assert_true(journal_story_open(&s, *state));
        uint64_t found = journal_story_check(&s);
        assert_true(found >= acknowledged && found >= last);
        last = found;
        journal_story_close(&s);
    }
    assert_true(last > 100);
}

/* The process is killed from outside, whenever. */
static void kill_9_in_a_loop_of_appends(void **state)
{
    uint64_t last = 0;
    for (int round = 0; round < 20; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            struct journal_story s;
            MUST(journal_story_open(&s, *state));
            for (;;) {
                MUST(journal_story_append(&s) == JOURNAL_DONE);
                MUST(journal_sync(s.journal) == JOURNAL_DONE);
                uint64_t revision = journal_last_revision(s.journal);
                MUST(write(ends[1], &revision, sizeof(revision)) == sizeof(revision));
                if (revision % 16 == 0)
                    MUST(journal_story_compact(&s, 4) == JOURNAL_DONE);
            }
        }
        close(ends[1]);
        usleep(3000 + (useconds_t)round * 1700);
        kill(child, SIGKILL);
        uint64_t acknowledged = read_acknowledged(ends[0]);
        close(ends[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        struct journal_story s;
        assert_true(journal_story_open(&s, *state));
        uint64_t found = journal_story_check(&s);
        assert_true(found >= acknowledged && found >= last);
        last = found;
        journal_story_close(&s);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_folder_gives_an_empty_journal),
        TEST(entries_are_there_after_a_restart),
        TEST(one_entry_can_be_read),
        TEST(a_journal_is_read_beside_the_one_who_writes_it),
        TEST(a_journal_written_anew_meanwhile_is_not_taken),
        TEST(a_torn_tail_is_cut_at_every_byte),
        TEST(a_hole_in_what_was_not_acknowledged_is_cut),
        TEST(every_changed_byte_is_noticed),
        TEST(damage_among_parts_is_noticed),
        TEST(the_last_entry_is_told_from_a_torn_tail_by_its_mark),
        TEST(damage_is_named_with_its_offset),
        TEST(a_missing_entry_is_damage),
        TEST(a_file_that_is_no_journal_is_refused),
        TEST(a_newer_format_is_refused),
        TEST(a_file_open_to_others_is_refused),
        TEST(a_full_disk_leaves_whole_entries_and_heals),
        TEST(what_follows_a_failed_entry_fails_as_well),
        TEST(a_limit_of_file_size_is_a_full_disk),
        TEST(a_failed_fsync_stops_writing_for_good),
        TEST(a_failed_cut_stops_writing_for_good),
        TEST(compaction_keeps_state_and_the_last_entries),
        TEST(entries_and_notes_taken_during_compaction_follow_it),
        TEST(a_failed_compaction_changes_nothing),
        TEST(a_crash_at_any_call_loses_nothing_acknowledged),
        TEST(kill_9_in_a_loop_of_appends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
