/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_journal.c - any bytes as a journal, and as items. What opens can be read to its end, be
 * appended to, and be opened again.
 *
 * A checksum keeps nearly every change out, so the first byte can ask for the checksums to be made
 * right before the file is opened.
 */
#include "cluster/item.h"
#include "cluster/journal.h"
#include "conf/base/digest.h"
#include "conf/base/mem.h"
#include "tests/fuzz/state_folder.h"

#define HEAD_SIZE 96
#define MENDS     1
#define ITEMS     2

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void mend(char *file, size_t size)
{
    if (size < HEAD_SIZE)
        return;
    uint32_t crc = digest_crc32c(0, text_from(file, 12));
    crc = digest_crc32c(crc, text_from(file + 16, HEAD_SIZE - 16));
    for (int i = 0; i < 4; i++)
        file[12 + i] = (char)(crc >> 8 * i);
    state_folder_mend(file + HEAD_SIZE, size - HEAD_SIZE);
}

/* What is known of it says the same when it is read again. */
static void print_again(const struct item *item, struct builder *b)
{
    struct arena arena;
    struct item again;
    bool is_bad;
    item_print(item, b);
    struct text printed = builder_text(b);
    arena_init(&arena, SIZE_MAX);
    MUST(item_next(&printed, &arena, &again, &is_bad) && text_is_empty(printed));
    MUST(again.kind == item->kind && !again.is_newer);
    arena_reset(&arena);
}

static void read_items(struct text bytes)
{
    struct arena arena;
    struct item item;
    bool is_bad;
    struct builder b;
    arena_init(&arena, SIZE_MAX);
    builder_init(&b, SIZE_MAX);
    while (item_next(&bytes, &arena, &item, &is_bad)) {
        builder_clear(&b);
        if (item.kind != ITEM_UNKNOWN)
            print_again(&item, &b);
        arena_reset(&arena);
    }
    builder_fini(&b);
    arena_reset(&arena);
}

static void read_all(struct journal *j)
{
    struct journal_reader *reader = journal_reader_new(j);
    struct journal_record record;
    for (journal_reader_next(reader, &record); record.kind != JOURNAL_END;
         journal_reader_next(reader, &record)) {
        MUST(record.kind != JOURNAL_UNREADABLE);
        read_items(record.body);
    }
    journal_reader_free(&reader);
}

static struct journal *open_journal(struct problems *ps)
{
    struct journal *j = journal_open(state_folder_get(), ps);
    enum journal_step step = j == NULL ? JOURNAL_DAMAGED : JOURNAL_MORE;
    while (step == JOURNAL_MORE)
        step = journal_scan(j, 1000, ps);
    MUST((step == JOURNAL_DAMAGED) == (ps->count == 1));
    if (step == JOURNAL_DAMAGED)
        journal_close(&j);
    return j;
}

static void try_journal(void)
{
    struct problems ps;
    problems_init(&ps);
    struct journal *j = open_journal(&ps);
    if (j != NULL) {
        read_all(j);
        uint64_t last = journal_last_revision(j);
        struct entry_head head = { .revision = last + 1, .prev = journal_last_id(j) };
        MUST(journal_append(j, &head, NULL, 0) == JOURNAL_DONE);
        MUST(journal_sync(j) == JOURNAL_DONE);
        journal_close(&j);
        j = open_journal(&ps);
        MUST(j != NULL && journal_last_revision(j) == last + 1 && journal_cut(j) == 0);
        journal_close(&j);
    }
    problems_fini(&ps);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    if ((bytes[0] & ITEMS) != 0) {
        read_items(text_from((const char *)bytes + 1, size - 1));
        return 0;
    }
    char *file = mem_copy_text((const char *)bytes + 1, size - 1);
    if ((bytes[0] & MENDS) != 0)
        mend(file, size - 1);
    state_folder_write("journal", text_from(file, size - 1));
    MEM_FREE(&file);
    try_journal();
    return 0;
}
