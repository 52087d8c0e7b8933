/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_parted.c - any bytes as the file of what a node had done alone. What is taken can be
 * written, and says the same when it is read again.
 *
 * The first byte can ask for the checksums to be made right before.
 */
#include "cluster/parted.h"

#include "cluster/store_embedded.h"
#include "conf/base/mem.h"
#include "tests/fuzz/state_folder.h"

#define MENDS 1

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static size_t count_parts(const struct parted *p)
{
    size_t count = 0;

    LIST_EACH (node, &p->entries)
        count += 1 + LIST_ITEM(node, struct store_embedded_incoming, node)->part_count;
    return count;
}

static void write_again(const struct parted *p)
{
    struct parted again;
    const char *why = NULL;

    MUST(parted_write(p, state_folder_get(), &why));
    MUST(parted_settle(state_folder_get(), p->settled, &why));
    parted_init(&again);
    MUST(parted_read(&again, state_folder_get(), &why));
    MUST(again.common == p->common && again.newest == p->newest && again.settled == p->settled);
    MUST(again.is_trimmed == p->is_trimmed && entry_id_equals(&again.id, &p->id));
    MUST(count_parts(&again) == count_parts(p));
    parted_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct parted p;
    const char *why = NULL;

    if (size == 0)
        return 0;
    char *file = mem_copy_text((const char *)bytes + 1, size - 1);
    if ((bytes[0] & MENDS) != 0)
        state_folder_mend(file, size - 1);
    state_folder_write("parted", text_from(file, size - 1));
    MEM_FREE(&file);
    parted_init(&p);
    if (parted_read(&p, state_folder_get(), &why))
        write_again(&p);
    else
        MUST(why != NULL);
    parted_fini(&p);
    return 0;
}
