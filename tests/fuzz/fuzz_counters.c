/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_counters.c - any bytes as the file of quota counters. What opens can be read to its end, be
 * appended to, and then says what was appended, too.
 *
 * The first byte can ask for the checksums to be made right before.
 */
#include "cluster/counters.h"
#include "conf/base/mem.h"
#include "tests/fuzz/state_folder.h"

#define MENDS 1

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct seen {
    size_t count;
    bool has_ours;
};

static void on_value(void *arg, struct text identity, struct text value)
{
    struct seen *seen = arg;

    seen->count++;
    seen->has_ours = text_equals(identity, TEXT_OF("ours")) && text_equals(value, TEXT_OF("17"));
}

/* NULL: it was refused, with one problem. */
static struct counters *read_all(struct seen *seen)
{
    enum counters_step step = COUNTERS_DAMAGED;
    struct problems ps;

    problems_init(&ps);
    struct counters *c = counters_open(state_folder_get(), &ps);
    if (c != NULL) {
        do {
            step = counters_read(c, on_value, seen, &ps);
        } while (step == COUNTERS_MORE);
    }
    MUST((step == COUNTERS_DAMAGED) == (ps.count == 1));
    if (c != NULL && step == COUNTERS_DAMAGED)
        counters_close(&c);
    problems_fini(&ps);
    return c;
}

static void append(struct counters *c)
{
    const char *why = NULL;
    struct builder batch;

    builder_init(&batch, SIZE_MAX);
    counters_add(&batch, TEXT_OF("ours"), TEXT_OF("17"));
    MUST(counters_save(c, builder_text(&batch), &why));
    builder_fini(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct seen before = { 0 };
    struct seen after = { 0 };

    if (size == 0)
        return 0;
    char *file = mem_copy_text((const char *)bytes + 1, size - 1);
    if ((bytes[0] & MENDS) != 0)
        state_folder_mend(file, size - 1);
    state_folder_write("counters", text_from(file, size - 1));
    MEM_FREE(&file);
    struct counters *c = read_all(&before);
    if (c == NULL)
        return 0;
    append(c);
    counters_close(&c);
    c = read_all(&after);
    MUST(c != NULL && after.count == before.count + 1 && after.has_ours);
    counters_close(&c);
    return 0;
}
