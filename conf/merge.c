/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/merge.h"

struct doc merge_patch(const struct doc *target, const struct doc *patch, struct arena *arena)
{
    struct doc merged = doc_object();

    if (patch->type != DOC_OBJECT)
        return *patch;
    if (target != NULL && target->type != DOC_OBJECT)
        target = NULL;
    for (size_t i = 0; target != NULL && i < target->object.count; i++) {
        const struct doc_member *m = &target->object.members[i];

        if (doc_find(patch, m->name) == NULL)
            doc_add(&merged, arena, m->name, m->value);
        else if (doc_find(patch, m->name)->type != DOC_NULL)
            doc_add(&merged, arena, m->name,
                    merge_patch(&m->value, doc_find(patch, m->name), arena));
    }
    for (size_t i = 0; i < patch->object.count; i++) {
        const struct doc_member *m = &patch->object.members[i];

        if (m->value.type == DOC_NULL || doc_find(target, m->name) != NULL)
            continue;
        doc_add(&merged, arena, m->name, merge_patch(NULL, &m->value, arena));
    }
    return merged;
}
