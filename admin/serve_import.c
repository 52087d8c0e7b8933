/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_import.c - many keys in one revision: lines of JSON, read as they come (a piece of the body
 * at a time), bound, digested and committed together or not at all.
 */
#include <stdio.h>

#include "admin/admin_server.h"
#include "admin/change.h"
#include "admin/reply.h"
#include "admin/requests.h"
#include "admin/serve.h"
#include "conf/base/mem.h"
#include "conf/read_json.h"

#define KEYS_MAX 2000000

/* On the heap, because it goes in slices, too, after the call. */
struct import {
    struct change *change;
    struct credentials *credentials;
    struct store_key_change *keys;
    uint32_t *lines; /* on which each stands, from 1 */
    size_t count;
    size_t room;
    size_t key_bytes; /* while it is freed */
    size_t line_bytes;
    uint32_t line;
    struct arena scratch; /* of one line */
    struct problems problems;
    struct store_result known; /* STORE_REVOKED or STORE_EXISTS of a key that is known already */
};

/* One step of freeing; false: all is gone. */
static bool free_some(void *arg)
{
    struct import *import = arg;

    if (MEM_BLOCK_FREE_SOME(&import->keys, &import->key_bytes) ||
        MEM_BLOCK_FREE_SOME(&import->lines, &import->line_bytes)) {
        return true;
    }
    arena_reset(&import->scratch);
    problems_fini(&import->problems);
    MEM_FREE(&import);
    return false;
}

static void free_import(struct call *call)
{
    struct import *import = call->state;

    import->key_bytes = import->room * sizeof(*import->keys);
    import->line_bytes = import->room * sizeof(*import->lines);
    admin_server_dispose(call->server, free_some, import);
}

/* ---- one line ----------------------------------------------------------------------------- */

static void add_key(struct import *import, struct store_key_change key, const char *pointer)
{
    struct arena *arena = &import->change->call->arena;
    struct place *place = arena_alloc(arena, sizeof(*place));

    if (import->count == import->room) {
        size_t room = import->room == 0 ? 256 : 2 * import->room;
        import->keys = mem_block_resize(import->keys, import->room * sizeof(*import->keys),
                                        room * sizeof(*import->keys));
        import->lines = mem_block_resize(import->lines, import->room * sizeof(*import->lines),
                                         room * sizeof(*import->lines));
        import->room = room;
    }
    struct text copy = arena_copy(arena, text_of(pointer));
    *place = (struct place){ .pointer = copy.at, .path = copy.at };
    import->lines[import->count] = import->line;
    key.place = place;
    import->keys[import->count++] = key;
}

static struct texts copy_scopes(struct arena *arena, struct texts scopes)
{
    struct text *items;

    if (scopes.count == 0) {
        return scopes;
    }
    items = arena_alloc(arena, scopes.count * sizeof(*items));
    for (size_t i = 0; i < scopes.count; i++) {
        items[i] = arena_copy(arena, scopes.items[i]);
    }
    return (struct texts){ items, scopes.count };
}

static struct digest digest_of(const struct import *import, const struct requests_key_import *line)
{
    struct digest digest = { { 0 } };

    if (!text_is_empty(line->key)) {
        return credentials_digest(import->credentials, line->key);
    }
    MUST(digest_parse_hex(line->sha256, digest.bytes, sizeof(digest.bytes)));
    return digest;
}

/* One that is known under its other digest, which the store is not told. */
static void look_for_known(struct import *import, struct text key)
{
    struct credentials_key known;

    if (import->known.outcome == STORE_DONE &&
        credentials_get_key_as_sent(import->credentials, key, &known)) {
        import->known.outcome = known.state == KEY_REVOKED ? STORE_REVOKED : STORE_EXISTS;
        import->known.failed_at = import->count;
    }
}

static void keep_line(struct import *import, const struct requests_key_import *line,
                      const char *pointer)
{
    struct arena *arena = &import->change->call->arena;
    int64_t expires_at = requests_time(line->expires_at);
    char prefix[KEY_PREFIX_SIZE] = "";

    if (expires_at != 0 && expires_at <= call_now(import->change->call)) {
        char at[64];

        (void)snprintf(at, sizeof(at), "%s/expires_at", pointer);
        problems_add(&import->problems, (struct place){ .pointer = at, .path = "expires_at" },
                     "expires_at must be in the future.");
        return;
    }
    if (!text_is_empty(line->key)) {
        key_print_prefix(line->key, prefix);
        look_for_known(import, line->key);
    }
    struct store_key_change change = {
        .change = STORE_KEY_ADD,
        .id = key_id_make(),
        .consumer = arena_copy(arena, line->consumer),
        .digest = digest_of(import, line),
        .prefix = arena_copy(arena, text_of(prefix)),
        .scopes = copy_scopes(arena, line->scopes),
        .expires_at = expires_at,
    };
    add_key(import, change, pointer);
}

/* False: replied. */
static bool take_line(struct import *import, struct text text)
{
    struct call *call = import->change->call;
    struct requests_key_import line;
    struct problems ps;
    struct doc doc;
    char pointer[32];

    import->line++;
    if (text.length > 0 && text.at[text.length - 1] == '\r') {
        text.length--;
    }
    if (text_trim(text).length == 0) {
        return true;
    }
    arena_reset(&import->scratch);
    problems_init(&ps);
    if (!read_json(text, &import->scratch, &ps, &doc)) {
        reply_problem(call, 400, "not-json", "Line %u of the body is not JSON: %s", import->line,
                      ps.items[0].sentence);
        problems_fini(&ps);
        return false;
    }
    problems_fini(&ps);
    (void)snprintf(pointer, sizeof(pointer), "/%u", import->line - 1);
    struct place root = { .pointer = pointer, .path = pointer };
    if (schema_bind(&requests_key_import_schema, &doc, &root, NULL, &import->scratch,
                    &import->problems, &line)) {
        keep_line(import, &line, pointer);
    }
    if (import->count > KEYS_MAX) {
        reply_problem(call, 413, "content-too-large", "At most %d keys can be imported at once.",
                      KEYS_MAX);
        return false;
    }
    return true;
}

/* ---- all of them -------------------------------------------------------------------------- */

static struct text place_of(struct change *change, size_t index)
{
    const struct import *import = change->state;

    return index < import->count
               ? arena_print(&change->call->arena, "Line %u: ", import->lines[index])
               : TEXT_OF("");
}

static void on_imported(struct change *change, const struct store_result *r)
{
    const struct import *import = change->state;

    builder_addf(&change->call->out, "{\"imported\":%zu,\"revision\":%llu}", import->count,
                 (unsigned long long)r->revision);
    change_reply(change, r, change->commit.is_dry_run || r->outcome == STORE_UNCHANGED ? 200 : 201);
}

static void commit(struct import *import)
{
    struct change *change = import->change;

    if (!problems_is_empty(&import->problems)) {
        reply_problems(change->call, 422, "invalid",
                       "Some lines have errors; no key was imported. Pointers count lines from 0.",
                       &import->problems);
        return;
    }
    if (import->count == 0) {
        reply_invalid(change->call, "", "There is no key in the body: a line of JSON for each.");
        return;
    }
    change->commit.keys = import->keys;
    change->commit.key_count = import->count;
    change->place = place_of;
    if (import->known.outcome != STORE_DONE) {
        change_refuse(change, &import->known);
        return;
    }
    change_commit(change, on_imported);
}

static void on_lines(struct call *call, struct text lines, bool is_last)
{
    struct import *import = call->state;
    struct text line;

    while (lines.length > 0 && text_cut(&lines, '\n', &line)) {
        if (!take_line(import, line)) {
            return;
        }
    }
    if (is_last) {
        commit(import);
    }
}

void serve_import_keys(struct call *call)
{
    struct change *change = change_new(call);

    if (change == NULL) {
        return;
    }
    struct import *import = mem_new(sizeof(*import));
    import->change = change;
    import->known = (struct store_result){ .outcome = STORE_DONE };
    import->credentials = control_credentials(admin_server_control(call->server));
    arena_init(&import->scratch, SIZE_MAX);
    problems_init(&import->problems);
    change->state = import;
    call->state = import;
    call->on_free = free_import;
    call->on_lines = on_lines;
}
