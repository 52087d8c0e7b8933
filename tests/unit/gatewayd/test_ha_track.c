/* SPDX-License-Identifier: Apache-2.0 */
/* test_ha_track.c - whoever reads a track file at any moment sees one of the numbers written. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gatewayd/ha_private.h"

enum { WRITES = 20000, READS = 1000 };

static char folder[] = "/tmp/gatewayd-track-XXXXXX";
static char path[sizeof(folder) + sizeof("/va.track")];
static atomic_bool is_over;
static atomic_uint reads;
static unsigned torn;

/* As keepalived does, which does not mind what stands behind the number. */
static bool is_a_weight(const char *text)
{
    char *end;
    long weight = strtol(text, &end, 10);

    return end != text && strcmp(end, "\n") == 0 &&
           (weight == HA_WEIGHT_SERVING || weight == HA_WEIGHT_YIELDS || weight == HA_WEIGHT_FAULT);
}

static void *run_reader(void *arg)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    MUST(fd >= 0);
    while (!atomic_load(&is_over)) {
        char text[64];
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

        text[n > 0 ? n : 0] = '\0';
        torn += !is_a_weight(text);
        atomic_fetch_add(&reads, 1);
    }
    close(fd);
    return arg;
}

static void no_reader_sees_what_was_not_written(void **state)
{
    struct ha ha = { .folder = folder };
    struct ha_address address = { .name = TEXT("va") };
    struct ha_place place = { .ha = &ha, .address = &address };
    const int weights[] = { HA_WEIGHT_FAULT, HA_WEIGHT_SERVING, HA_WEIGHT_YIELDS,
                            HA_WEIGHT_SERVING };
    char last[16] = "";
    pthread_t reader;

    assert_true(ha_track_write(&place, HA_WEIGHT_FAULT));
    assert_int_equal(pthread_create(&reader, NULL, run_reader, NULL), 0);
    for (unsigned i = 0; i < WRITES || atomic_load(&reads) < READS; i++)
        assert_true(ha_track_write(&place, weights[i % 4]));
    atomic_store(&is_over, true);
    pthread_join(reader, NULL);
    assert_int_equal(torn, 0);

    assert_true(ha_track_write(&place, HA_WEIGHT_SERVING));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, last, sizeof(last) - 1), 5);
    close(fd);
    assert_string_equal(last, "   0\n");
}

static int make_folder(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/va.track", folder);
    return 0;
}

static int remove_folder(void **state)
{
    unlink(path);
    rmdir(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reader_sees_what_was_not_written),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
