/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c - lines are well-formed whatever is in them, levels hold, and nothing ever waits. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gatewayd/core/log.h"
#include "gatewayd/core/log_writer.h"

static char folder[] = "/tmp/gatewayd-test-log-XXXXXX";
static char access_path[128];
static char stderr_path[128];

/* ---- lines ---------------------------------------------------------------------------------- */

static json_t *parse(struct text line)
{
    json_error_t error;
    json_t *json = json_loadb(line.at, line.length, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(json);
    return json;
}

static void a_json_line_carries_any_bytes(void **state)
{
    static const char bytes[] =
        "a\"b\\c\n\r\t\x01\x7f \xc3\xa4 \xff \xc3( \xe2\x82\xac \xed\xa0\x80 \xf0\x9f\x98\x80";
    char memory[512];
    struct log_line line;
    log_line_init(&line, memory, sizeof(memory), LOG_FORMAT_JSON);
    log_line_add(&line, "bytes", text_of(bytes));
    log_line_add_u64(&line, "big", 9007199254740993);
    log_line_add_i64(&line, "small", -5);
    log_line_add_bool(&line, "yes", true);
    log_line_add_us(&line, "ms", 1234567);
    log_line_add_time(&line, "time", 0);
    struct text whole = log_line_end(&line);
    assert_int_equal(whole.at[whole.length - 1], '\n');
    assert_ptr_equal(memchr(whole.at, '\n', whole.length), whole.at + whole.length - 1);

    json_t *json = parse(whole);
    assert_string_equal(json_string_value(json_object_get(json, "bytes")),
                        "a\"b\\c\n\r\t\x01\x7f \xc3\xa4 \xef\xbf\xbd \xef\xbf\xbd( \xe2\x82\xac "
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xf0\x9f\x98\x80");
    assert_int_equal(json_integer_value(json_object_get(json, "big")), 9007199254740993);
    assert_int_equal(json_integer_value(json_object_get(json, "small")), -5);
    assert_true(json_is_true(json_object_get(json, "yes")));
    assert_true(json_real_value(json_object_get(json, "ms")) == 1234.567);
    assert_string_equal(json_string_value(json_object_get(json, "time")),
                        "1970-01-01T00:00:00.000Z");
    json_decref(json);
}

static void a_line_that_is_too_long_stays_well_formed(void **state)
{
    char memory[64];
    for (size_t size = 4; size < sizeof(memory); size++) {
        struct log_line line;
        log_line_init(&line, memory, size, LOG_FORMAT_JSON);
        log_line_add(&line, "name", text_of("value \x01 and \xff more"));
        log_line_add_u64(&line, "n", 12345);
        struct text whole = log_line_end(&line);
        assert_true(whole.length <= size);
        json_t *json = parse(whole);
        assert_true(line.is_cut == (json_object_size(json) < 2));
        json_decref(json);
    }
}

static void text_lines_quote_what_needs_it(void **state)
{
    char memory[256];
    struct log_line line;
    log_line_init(&line, memory, sizeof(memory), LOG_FORMAT_TEXT);
    log_line_add(&line, "a", text_of("plain/value"));
    log_line_add(&line, "b", text_of("two words"));
    log_line_add(&line, "c", TEXT_EMPTY);
    log_line_add_u64(&line, "d", 7);
    struct text whole = log_line_end(&line);
    assert_true(text_equals(whole, TEXT_OF("a=plain/value b=\"two words\" c=\"\" d=7\n")));
}

/* ---- levels --------------------------------------------------------------------------------- */

static int evaluated;

static int evaluate(void)
{
    return ++evaluated;
}

static void what_is_off_is_not_evaluated(void **state)
{
    const struct log_scope tls = { .subject = LOG_SUBJECT_tls };
    const struct log_scope auth = { .subject = LOG_SUBJECT_auth };
    log_set_level(LOG_LEVEL_INFO);
    log_debug(&tls, "%d", evaluate());
    assert_int_equal(evaluated, 0);
    assert_true(log_is_on(LOG_LEVEL_INFO, NULL));
    assert_false(log_is_on(LOG_LEVEL_DEBUG, NULL));

    log_set_debug(LOG_SUBJECT_tls, true);
    assert_true(log_is_on(LOG_LEVEL_DEBUG, &tls));
    assert_false(log_is_on(LOG_LEVEL_DEBUG, &auth));
    log_set_debug(LOG_SUBJECT_tls, false);
    assert_false(log_is_on(LOG_LEVEL_DEBUG, &tls));

    log_set_level(LOG_LEVEL_ERROR);
    assert_false(log_is_on(LOG_LEVEL_WARN, &tls));
    log_set_level(LOG_LEVEL_INFO);
}

static void subjects_have_names(void **state)
{
    enum log_subject subject;
    assert_true(log_parse_subject(TEXT_OF("health"), &subject));
    assert_int_equal(subject, LOG_SUBJECT_health);
    assert_string_equal(log_subject_name(subject), "health");
    assert_false(log_parse_subject(TEXT_OF("helth"), &subject));
}

/* ---- the writer ----------------------------------------------------------------------------- */

static char *read_all(const char *path, size_t *size_out)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    char *bytes = calloc(1, (size_t)st.st_size + 1);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *size_out = (size_t)st.st_size;
    return bytes;
}

static int saved_stderr;

static void catch_stderr(void)
{
    int fd = open(stderr_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
    assert_true(fd >= 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static void release_stderr(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
}

static void add_request(const struct log_scope *scope, struct log_line *line)
{
    log_line_add(line, "request", TEXT_OF("r-1"));
}

static void scopes_add_their_fields(void **state)
{
    const struct log_scope worker = { .subject = LOG_SUBJECT_worker,
                                      .name = "worker",
                                      .value = TEXT("3") };
    const struct log_scope exchange = { .parent = &worker,
                                        .print = add_request,
                                        .subject = LOG_SUBJECT_exchange };
    catch_stderr();
    assert_true(log_writer_start(TEXT_OF("off")));
    assert_false(log_access_is_on());
    log_warn(&exchange, "it is %d o'clock", 5);
    log_writer_flush();
    log_writer_stop();
    log_error(NULL, "synchronous again");
    release_stderr();

    size_t size;
    char *bytes = read_all(stderr_path, &size);
    char *second = strchr(bytes, '\n') + 1;
    json_t *json = parse(text_from(bytes, (size_t)(second - bytes)));
    assert_string_equal(json_string_value(json_object_get(json, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(json, "subject")), "exchange");
    assert_string_equal(json_string_value(json_object_get(json, "worker")), "3");
    assert_string_equal(json_string_value(json_object_get(json, "request")), "r-1");
    assert_string_equal(json_string_value(json_object_get(json, "message")), "it is 5 o'clock");
    json_decref(json);
    assert_non_null(strstr(second, "synchronous again"));
    free(bytes);
}

enum { THREADS = 4, LINES = 20000 };

static void *log_many(void *arg)
{
    for (unsigned i = 0; i < LINES; i++) {
        char memory[256];
        struct log_line line;
        log_line_init(&line, memory, sizeof(memory), LOG_FORMAT_JSON);
        log_line_add_u64(&line, "thread", (uint64_t)(uintptr_t)arg);
        log_line_add_u64(&line, "n", i);
        log_access(log_line_end(&line));
        /* Between a hundred lines the writer has a chance to keep up. */
        if (i % 100 == 99)
            usleep(100);
    }
    return NULL;
}

static void lines_of_many_threads_are_whole_and_counted(void **state)
{
    pthread_t threads[THREADS];
    uint64_t lost_before = log_access_lost();
    assert_true(log_writer_start(text_of(access_path)));
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    log_writer_flush();
    log_writer_stop();

    size_t size;
    char *bytes = read_all(access_path, &size);
    unsigned next[THREADS] = { 0 };
    unsigned lines = 0;
    for (char *at = bytes; at < bytes + size; lines++) {
        char *end = strchr(at, '\n');
        json_t *json = parse(text_from(at, (size_t)(end - at)));
        unsigned thread = (unsigned)json_integer_value(json_object_get(json, "thread"));
        unsigned n = (unsigned)json_integer_value(json_object_get(json, "n"));
        assert_true(n >= next[thread]);
        next[thread] = n + 1;
        json_decref(json);
        at = end + 1;
    }
    assert_int_equal(lines + (log_access_lost() - lost_before), THREADS * LINES);
    free(bytes);
    unlink(access_path);
}

/* A reader that stopped reading: lines are dropped, counted, and nobody waits. */
static void a_stuck_reader_stops_nobody(void **state)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    uint64_t lost_before = log_access_lost();
    assert_true(log_writer_start(text_of(path)));
    char memory[1024];
    memset(memory, 'x', sizeof(memory));
    memory[sizeof(memory) - 1] = '\n';
    for (int i = 0; i < 4096; i++)
        log_access(text_from(memory, sizeof(memory)));
    assert_true(log_access_lost() > lost_before);
    close(reader); /* the writer gets EPIPE and goes on */
    log_writer_stop();
    unlink(path);
}

static void a_file_is_opened_again_after_it_was_moved(void **state)
{
    char moved[160];
    snprintf(moved, sizeof(moved), "%s.1", access_path);
    assert_true(log_writer_start(text_of(access_path)));
    log_access(TEXT_OF("one\n"));
    log_writer_flush();
    assert_int_equal(rename(access_path, moved), 0);
    log_access(TEXT_OF("two\n"));
    log_writer_flush();
    log_writer_reopen();
    log_writer_flush();
    log_access(TEXT_OF("three\n"));
    log_writer_flush();
    log_writer_stop();

    size_t size;
    char *bytes = read_all(moved, &size);
    assert_string_equal(bytes, "one\ntwo\n");
    free(bytes);
    bytes = read_all(access_path, &size);
    assert_string_equal(bytes, "three\n");
    free(bytes);
    unlink(moved);
    unlink(access_path);
}

static void a_file_that_cannot_be_opened_is_said_so(void **state)
{
    catch_stderr();
    assert_false(log_writer_start(TEXT_OF("/nowhere/at/all")));
    assert_false(log_access_is_on());
    log_access(TEXT_OF("nothing\n"));
    assert_true(log_writer_set_access(text_of(access_path)));
    assert_true(log_access_is_on());
    log_writer_stop();
    release_stderr();
    size_t size;
    char *bytes = read_all(stderr_path, &size);
    assert_non_null(strstr(bytes, "cannot open the access log /nowhere/at/all"));
    free(bytes);
    unlink(access_path);
}

static int make_folder(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(folder));
    snprintf(access_path, sizeof(access_path), "%s/access.log", folder);
    snprintf(stderr_path, sizeof(stderr_path), "%s/stderr", folder);
    return 0;
}

static int remove_folder(void **state)
{
    unlink(stderr_path);
    rmdir(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_carries_any_bytes),
        cmocka_unit_test(a_line_that_is_too_long_stays_well_formed),
        cmocka_unit_test(text_lines_quote_what_needs_it),
        cmocka_unit_test(what_is_off_is_not_evaluated),
        cmocka_unit_test(subjects_have_names),
        cmocka_unit_test(scopes_add_their_fields),
        cmocka_unit_test(lines_of_many_threads_are_whole_and_counted),
        cmocka_unit_test(a_stuck_reader_stops_nobody),
        cmocka_unit_test(a_file_is_opened_again_after_it_was_moved),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_said_so),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
