/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_keys.c - keys: made, shown once, listed without being shown, changed, revoked, replaced.
 * They are read from control's table of credentials and written through the store.
 */
#include "admin/admin_server.h"
#include "admin/change.h"
#include "admin/reply.h"
#include "admin/requests.h"
#include "admin/serve.h"
#include "cluster/cluster.h"
#include "cluster/revocations.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000
#define PIECE        16384

static struct credentials *credentials_of(struct call *call)
{
    return control_credentials(admin_server_control(call->server));
}

/* ---- printing ----------------------------------------------------------------------------- */

static const char *state_name(const struct credentials_key *key, int64_t now)
{
    if (key->state == KEY_REVOKED) {
        return "revoked";
    }
    return key->expires_at != 0 && key->expires_at <= now ? "expired" : "active";
}

static void print_scopes(struct texts scopes, struct builder *b)
{
    builder_add(b, TEXT_OF(",\"scopes\":["));
    for (size_t i = 0; i < scopes.count; i++) {
        if (i > 0) {
            builder_add_byte(b, ',');
        }
        builder_add_json(b, scopes.items[i]);
    }
    builder_add_byte(b, ']');
}

/* {"id":…,"key":…,"consumer":…,"prefix":…,"created_at":…,"expires_at":…,"scopes":[…]
 * `secret` empty: it is not shown. */
static void print_fields(const struct credentials_key *key, struct text secret, struct builder *b)
{
    char id[KEY_ID_SIZE];
    char time[TEXT_NUMBER_SIZE];

    key_id_print(key->id, id);
    builder_addf(b, "{\"id\":\"%s\"", id);
    if (!text_is_empty(secret)) {
        builder_add(b, TEXT_OF(",\"key\":"));
        builder_add_json(b, secret);
    }
    builder_add(b, TEXT_OF(",\"consumer\":"));
    builder_add_json(b, key->consumer);
    builder_add(b, TEXT_OF(",\"prefix\":"));
    builder_add_json(b, key->prefix);
    text_print_time(key->created_at, time);
    builder_addf(b, ",\"created_at\":\"%s\"", time);
    if (key->expires_at != 0) {
        text_print_time(key->expires_at, time);
        builder_addf(b, ",\"expires_at\":\"%s\"", time);
    }
    print_scopes(key->scopes, b);
}

static void print_key(const struct credentials_key *key, int64_t now, struct builder *b)
{
    print_fields(key, TEXT_EMPTY, b);
    builder_addf(b, ",\"state\":\"%s\"}", state_name(key, now));
}

/* ---- lists -------------------------------------------------------------------------------- */

struct list_state {
    struct text consumer; /* empty: of all */
    uint64_t last;
    size_t left;
    bool is_first;
};

static bool next_of(struct call *call, const struct list_state *list, struct credentials_key *out)
{
    struct credentials *c = credentials_of(call);

    return text_is_empty(list->consumer)
               ? credentials_next_key(c, list->last, out)
               : credentials_next_key_of(c, list->consumer, list->last, out);
}

static bool end_list(const struct list_state *list, bool has_more, struct builder *b)
{
    char id[KEY_ID_SIZE];

    builder_add(b, list->is_first ? TEXT_OF("]") : TEXT_OF("\n]"));
    if (has_more) {
        key_id_print(list->last, id);
        builder_addf(b, ",\"next\":\"%s\"", id);
    }
    builder_add(b, TEXT_OF("}\n"));
    return false;
}

static bool produce_list(struct call *call, struct builder *b)
{
    struct list_state *list = call->state;
    size_t end = b->length + PIECE;

    while (b->length < end) {
        struct credentials_key key;
        bool is_there = next_of(call, list, &key);

        if (!is_there || list->left == 0) {
            return end_list(list, is_there, b);
        }
        builder_add(b, list->is_first ? TEXT_OF("\n ") : TEXT_OF(",\n "));
        print_key(&key, call_now(call), b);
        list->is_first = false;
        list->last = key.id;
        list->left--;
    }
    return true;
}

void serve_list_keys(struct call *call)
{
    struct list_state *list = arena_zalloc(&call->arena, sizeof(*list));
    struct text after = call_query(call, "after");
    uint64_t limit = LIST_DEFAULT;

    if (!call_query_number(call, "limit", 1, LIST_MAX, &limit)) {
        return;
    }
    if (!text_is_empty(after) && !key_id_parse(after, &list->last)) {
        reply_problem(call, 400, "bad-parameter", "after must be the id of a key, got \"%.*s\".",
                      TEXT_ARGS(after));
        return;
    }
    list->consumer = call_query(call, "consumer");
    list->left = limit;
    list->is_first = true;
    call->state = list;
    builder_add(&call->out, TEXT_OF("{\"items\":["));
    reply_stream(call, 200, produce_list);
}

/* ---- one ---------------------------------------------------------------------------------- */

/* False: replied 404. */
static bool find_key(struct call *call, struct credentials_key *out)
{
    struct text written = call_variable(call, "id");
    uint64_t id;

    if (key_id_parse(written, &id) && credentials_get_key(credentials_of(call), id, out)) {
        return true;
    }
    reply_problem(call, 404, "not-found", "There is no key %.*s.", TEXT_ARGS(written));
    return false;
}

void serve_get_key(struct call *call)
{
    struct credentials_key key;
    char tag[STORE_TAG_SIZE];

    if (!find_key(call, &key)) {
        return;
    }
    reply_header(call, "ETag", store_tag_print(key.stamp, tag));
    print_key(&key, call_now(call), &call->out);
    reply_json(call, 200);
}

/* ---- making ------------------------------------------------------------------------------- */

struct making {
    struct store_key_change keys[2]; /* the new one; of a rotation the old one, too */
    char secret[KEY_LENGTH + 1];
    char prefix[KEY_PREFIX_SIZE];
    bool is_shown;
};

static void on_made(struct change *change, const struct store_result *r)
{
    struct call *call = change->call;
    const struct making *making = change->state;
    struct credentials_key key;
    char id[KEY_ID_SIZE];
    bool is_there = credentials_get_key(credentials_of(call), making->keys[0].id, &key);

    MUST(is_there);
    change_tag(change, key.stamp);
    key_id_print(key.id, id);
    reply_headerf(call, "Location", "/v1/keys/%s", id);
    print_fields(&key, making->is_shown ? text_of(making->secret) : TEXT_EMPTY, &call->out);
    builder_add_byte(&call->out, '}');
    change_reply(change, r, 201);
}

/* A change that adds one key; NULL: replied. */
static struct making *making_new(struct call *call, struct change **change_out)
{
    struct change *change = change_new(call);

    if (change == NULL) {
        return NULL;
    }
    struct making *making = arena_zalloc(&call->arena, sizeof(*making));
    making->keys[0] = (struct store_key_change){
        .change = STORE_KEY_ADD,
        .id = key_id_make(),
    };
    change->state = making;
    change->commit.keys = making->keys;
    change->commit.key_count = 1;
    *change_out = change;
    return making;
}

static void make_secret(struct call *call, struct making *making)
{
    struct text secret = key_make(making->secret);

    making->is_shown = true;
    making->keys[0].digest = credentials_digest(credentials_of(call), secret);
    making->keys[0].prefix = key_print_prefix(secret, making->prefix);
}

/* Whichever of its digests it is known under. False: replied 409. */
static bool check_unknown(struct change *change, struct text secret)
{
    struct credentials_key known;

    if (!credentials_get_key_as_sent(credentials_of(change->call), secret, &known)) {
        return true;
    }
    change_refuse(change, &(struct store_result){
                              .outcome = known.state == KEY_REVOKED ? STORE_REVOKED : STORE_EXISTS,
                          });
    return false;
}

static bool check_expiry(struct call *call, int64_t expires_at)
{
    if (expires_at == 0 || expires_at > call_now(call)) {
        return true;
    }
    reply_invalid(call, "/expires_at", "expires_at must be in the future.");
    return false;
}

void serve_create_key(struct call *call)
{
    struct text consumer = call_variable(call, "name");
    struct credentials_consumer found;
    struct requests_key request;
    struct change *change;
    struct making *making = making_new(call, &change);

    if (making == NULL || !requests_bind(call, &requests_key_schema, &request, NULL)) {
        return;
    }
    if (!credentials_get_consumer(credentials_of(call), consumer, &found)) {
        reply_problem(call, 404, "not-found", "There is no consumer %.*s.", TEXT_ARGS(consumer));
        return;
    }
    making->keys[0].consumer = consumer;
    making->keys[0].scopes = request.scopes;
    making->keys[0].expires_at = requests_time(request.expires_at);
    if (!check_expiry(call, making->keys[0].expires_at)) {
        return;
    }
    if (text_is_empty(request.key)) {
        make_secret(call, making);
    } else {
        if (!check_unknown(change, request.key)) {
            return;
        }
        making->keys[0].digest = credentials_digest(credentials_of(call), request.key);
        making->keys[0].prefix = key_print_prefix(request.key, making->prefix);
    }
    change_commit(change, on_made);
}

/* ---- replacing ---------------------------------------------------------------------------- */

/* What becomes of the old one; false: it ends as soon by itself. */
static bool end_old(const struct credentials_key *old, int64_t now, int64_t grace,
                    struct store_key_change *change_out)
{
    *change_out = (struct store_key_change){
        .change = grace == 0 ? STORE_KEY_REVOKE : STORE_KEY_CHANGE,
        .id = old->id,
        .expires_at = now + grace,
        .has_expiry = true,
    };
    return grace == 0 || old->expires_at == 0 || old->expires_at > now + grace;
}

void serve_rotate_key(struct call *call)
{
    struct credentials_key old;
    struct requests_rotate request;
    struct change *change;
    struct making *making = making_new(call, &change);

    if (making == NULL || !requests_bind(call, &requests_rotate_schema, &request, NULL) ||
        !find_key(call, &old)) {
        return;
    }
    const char *state = state_name(&old, call_now(call));
    if (strcmp(state, "active") != 0) {
        reply_problem(call, 409, state, "This key is %s and cannot be replaced; make a new one.",
                      state);
        return;
    }
    make_secret(call, making);
    making->keys[0].consumer = arena_copy(&call->arena, old.consumer);
    making->keys[0].expires_at = old.expires_at;
    struct text *scopes = arena_alloc(&call->arena, (old.scopes.count + 1) * sizeof(*scopes));
    for (size_t i = 0; i < old.scopes.count; i++) {
        scopes[i] = arena_copy(&call->arena, old.scopes.items[i]);
    }
    making->keys[0].scopes = (struct texts){ scopes, old.scopes.count };
    if (end_old(&old, call_now(call), request.grace, &making->keys[1])) {
        change->commit.key_count = 2;
    }
    change_commit(change, on_made);
}

/* ---- changing ----------------------------------------------------------------------------- */

struct changing {
    struct store_key_change key;
};

static void on_changed(struct change *change, const struct store_result *r)
{
    struct call *call = change->call;
    const struct changing *changing = change->state;
    struct credentials_key key;

    if (!credentials_get_key(credentials_of(call), changing->key.id, &key)) {
        reply_problem(call, 404, "not-found", "There is no such key any more.");
        return;
    }
    change_tag(change, key.stamp);
    print_key(&key, call_now(call), &call->out);
    change_reply(change, r, 200);
}

static bool find_revocation(const struct change *change, struct store_revocation *out)
{
    const struct changing *changing = change->state;
    struct credentials_key key;

    if (!credentials_get_key(credentials_of(change->call), changing->key.id, &key)) {
        return false;
    }
    *out = (struct store_revocation){ .id = key.id,
                                      .digest = key.digest,
                                      .created_at = key.created_at,
                                      .expires_at = key.expires_at,
                                      .revoked_at = key.revoked_at };
    return true;
}

static void on_revoked(struct change *change, const struct store_result *r)
{
    struct revocations *revocations = cluster_get()->revocations;
    struct store_revocation item;

    if (revocations != NULL && find_revocation(change, &item)) {
        revocations_tell_unseen(revocations, &item);
    }
    change_reply_deleted(change, r);
}

/* ---- revoking while the store is away ----------------------------------------------------- */

static void reply_pending(struct change *change, const struct revocations_outcome *o)
{
    struct call *call = change->call;
    struct text list = TEXT_EMPTY;

    builder_add(&call->out, TEXT_OF("{\"pending\":["));
    for (size_t i = 0; i < o->pending_count; i++) {
        if (i > 0) {
            builder_add_byte(&call->out, ',');
        }
        builder_add_json(&call->out, o->pending[i]);
        list = arena_print(&call->arena, "%.*s%s%.*s", TEXT_ARGS(list), i == 0 ? "" : ", ",
                           TEXT_ARGS(o->pending[i]));
    }
    builder_add(&call->out, TEXT_OF("]}"));
    reply_header(call, "Gatewayd-Pending", list);
    reply_json(call, 202);
}

static void on_told(void *arg, const struct revocations_outcome *o)
{
    struct change *change = arg;
    struct store_result result = { .outcome = o->outcome, .reason = o->reason };

    change->call->revision = 0;
    if (o->outcome != STORE_DONE) {
        change_refuse(change, &result);
    } else if (o->pending_count > 0) {
        reply_pending(change, o);
    } else {
        reply_empty(change->call);
    }
}

static bool revoke_directly(struct change *change, const struct store_result *r)
{
    struct revocations *revocations = cluster_get()->revocations;
    struct store_revocation item;

    (void)r;
    if (revocations == NULL || !find_revocation(change, &item)) {
        return false;
    }
    revocations_revoke(revocations, &item, change->timeout_ms, on_told, change);
    return true;
}

/* NULL: replied. */
static struct changing *changing_new(struct call *call, enum store_key_change_kind kind,
                                     struct change **change_out)
{
    struct change *change = change_new(call);
    struct credentials_key key;

    if (change == NULL || !find_key(call, &key)) {
        return NULL;
    }
    struct changing *changing = arena_zalloc(&call->arena, sizeof(*changing));
    changing->key = (struct store_key_change){
        .change = kind,
        .id = key.id,
        .condition = change->condition,
    };
    change->what = TEXT_OF("such key");
    change->state = changing;
    change->commit.keys = &changing->key;
    change->commit.key_count = 1;
    *change_out = change;
    return changing;
}

void serve_patch_key(struct call *call)
{
    struct requests_key_patch request;
    struct change *change;
    struct doc doc;
    struct changing *changing = changing_new(call, STORE_KEY_CHANGE, &change);

    if (changing == NULL || !requests_bind(call, &requests_key_patch_schema, &request, &doc)) {
        return;
    }
    static const struct place expires_at = { .pointer = "/expires_at", .path = "expires_at" };
    changing->key.place = &expires_at;
    changing->key.has_expiry = doc_find(&doc, TEXT_OF("expires_at")) != NULL;
    changing->key.expires_at = requests_time(request.expires_at);
    changing->key.has_scopes = doc_find(&doc, TEXT_OF("scopes")) != NULL;
    changing->key.scopes = request.scopes;
    change_commit(change, on_changed);
}

void serve_revoke_key(struct call *call)
{
    struct change *change;

    if (changing_new(call, STORE_KEY_REVOKE, &change) != NULL) {
        change->on_away = revoke_directly;
        change_commit(change, on_revoked);
    }
}
