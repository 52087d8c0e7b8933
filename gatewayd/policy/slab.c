/* SPDX-License-Identifier: Apache-2.0 */
#include "gatewayd/policy/slab.h"

#include <string.h>

#include "conf/base/mem.h"

void slab_init(struct slab *s, size_t item)
{
    MUST(item >= sizeof(uint32_t));
    memset(s, 0, sizeof(*s));
    s->item = item;
}

void slab_fini(struct slab *s)
{
    for (size_t i = 0; i < s->pages_count; i++) {
        char *page = atomic_load_explicit(&s->pages[i], memory_order_relaxed);
        MEM_FREE(&page);
    }
}

uint32_t slab_take(struct slab *s)
{
    if (s->first_free != 0) {
        uint32_t number = s->first_free - 1;
        memcpy(&s->first_free, slab_get(s, number), sizeof(s->first_free));
        return number;
    }
    if (s->used == s->pages_count * SLAB_PAGE) {
        MUST(s->pages_count < SLAB_PAGES);
        char *page = mem_new_array(SLAB_PAGE, s->item);
        atomic_store_explicit(&s->pages[s->pages_count], page, memory_order_release);
        s->pages_count++;
    }
    return s->used++;
}

void slab_give(struct slab *s, uint32_t number)
{
    memcpy(slab_get(s, number), &s->first_free, sizeof(s->first_free));
    s->first_free = number + 1;
}
