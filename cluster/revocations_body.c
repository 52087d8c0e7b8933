/* SPDX-License-Identifier: Apache-2.0 */
/* revocations_body.c - revocations as JSON: {"items":[{"id":"…","digest":"…",…}]} */
#include "cluster/revocations.h"
#include "conf/read_json.h"
#include "gatewayd/policy/key.h"

static const struct {
    const char *name;
    size_t offset;
} times[] = {
    { "created_at", offsetof(struct store_revocation, created_at) },
    { "expires_at", offsetof(struct store_revocation, expires_at) },
    { "revoked_at", offsetof(struct store_revocation, revoked_at) },
};

static void print_one(const struct store_revocation *item, struct builder *b)
{
    char id[KEY_ID_SIZE];
    char digest[2 * DIGEST_SIZE + 1];
    key_id_print(item->id, id);
    digest_print_hex(item->digest.bytes, DIGEST_SIZE, digest);
    builder_addf(b, "{\"id\":\"%s\",\"digest\":\"%s\"", id, digest);
    for (size_t i = 0; i < ARRAY_LENGTH(times); i++)
        builder_addf(b, ",\"%s\":%lld", times[i].name,
                     (long long)*(const int64_t *)((const char *)item + times[i].offset));
    builder_add_byte(b, '}');
}

void revocations_print(const struct store_revocation *items, size_t count, struct builder *b)
{
    builder_add(b, TEXT_OF("{\"items\":["));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            builder_add_byte(b, ',');
        print_one(&items[i], b);
    }
    builder_add(b, TEXT_OF("]}"));
}

static bool parse_one(const struct doc *doc, struct store_revocation *out)
{
    *out = (struct store_revocation){ 0 };
    if (!key_id_parse(doc_find_text(doc, TEXT_OF("id")), &out->id) ||
        !digest_parse_hex(doc_find_text(doc, TEXT_OF("digest")), out->digest.bytes, DIGEST_SIZE))
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
        const struct doc *value = doc_find(doc, text_of(times[i].name));
        if (value == NULL)
            continue;
        if (value->type != DOC_INT || value->integer < 0)
            return false;
        *(int64_t *)((char *)out + times[i].offset) = value->integer;
    }
    return true;
}

bool revocations_parse(struct text json, struct arena *arena, struct store_revocation **items_out,
                       size_t *count_out)
{
    struct problems ps;
    struct doc doc;
    problems_init(&ps);
    bool is_json = read_json(json, arena, &ps, &doc);
    problems_fini(&ps);
    const struct doc *list = is_json ? doc_find(&doc, TEXT_OF("items")) : NULL;
    if (list == NULL || list->type != DOC_LIST || list->list.count == 0 ||
        list->list.count > REVOCATIONS_BODY_MOST)
        return false;
    struct store_revocation *items = arena_alloc(arena, list->list.count * sizeof(*items));
    for (size_t i = 0; i < list->list.count; i++) {
        if (!parse_one(&list->list.items[i], &items[i]))
            return false;
    }
    *items_out = items;
    *count_out = list->list.count;
    return true;
}
