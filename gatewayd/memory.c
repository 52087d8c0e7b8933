/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory.c - the process's memory as the kernel counts it, and the only caller of malloc_trim.
 */
#include "gatewayd/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_MS    ((uint64_t)100)
#define LONGEST_MS ((uint64_t)16 * 1000)

/* Less than this is not worth a trim, nor calls one a success. */
#define WORTH ((uint64_t)8 * 1024 * 1024)

/* Left to itself the allocator keeps ever larger blocks once such have been freed: then they are
 * zeroed, copied and given back in one go of tens of milliseconds. */
#define OWN_MAPPING (1024 * 1024)

void memory_start(void)
{
    mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
    mallopt(M_TRIM_THRESHOLD, 4 * OWN_MAPPING);
}

void memory_freed(size_t bytes)
{
    static _Thread_local size_t freed;

    freed += bytes;
    if (freed < WORTH)
        return;
    freed = 0;
    malloc_trim(0);
}

uint64_t memory_resident(void)
{
    char line[128];
    FILE *f = fopen("/proc/self/statm", "re");
    struct text rest, piece = TEXT_EMPTY;
    uint64_t pages = 0;

    if (f == NULL)
        return 0;
    rest = text_of(fgets(line, sizeof(line), f));
    fclose(f);
    if (rest.at == NULL || !text_cut(&rest, ' ', &piece) || rest.at == NULL ||
        !text_cut(&rest, ' ', &piece) || !text_parse_u64(piece, &pages))
        return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void memory_tidy(struct memory *m, uint64_t now_ms)
{
    if (now_ms < m->next_ms)
        return;
    m->next_ms = now_ms + LOOK_MS;
    uint64_t before = memory_resident();
    if (before < m->least)
        m->least = before;
    if (m->least != 0 && before < m->least + m->least / 8 + WORTH) {
        m->wait_ms = LOOK_MS;
        return;
    }
    malloc_trim(0);
    uint64_t after = memory_resident();
    if (m->least == 0)
        m->least = after;
    bool has_helped = after + WORTH / 2 < before;
    m->wait_ms = has_helped || m->wait_ms == 0 ? LOOK_MS : m->wait_ms * 2;
    if (m->wait_ms > LONGEST_MS)
        m->wait_ms = LONGEST_MS;
    m->next_ms = now_ms + m->wait_ms;
}
