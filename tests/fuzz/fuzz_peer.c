/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_peer.c - what nodes tell each other: what one says of itself, the file of known nodes, the
 * keys that were revoked, and the signature of a request. What is taken of a node prints as text
 * that says the same; nothing that was not signed is good.
 */
#include "cluster/peer.h"

#include "cluster/members.h"
#include "cluster/peer_sign.h"
#include "cluster/revocations.h"

#define TIME INT64_C(1700000000000)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_peer(struct text t)
{
    struct arena arena;
    struct builder b;
    struct builder second;
    struct peer peer;
    struct peer again;

    arena_init(&arena, SIZE_MAX);
    builder_init(&b, SIZE_MAX);
    builder_init(&second, SIZE_MAX);
    if (peer_parse(t, &arena, &peer)) {
        peer_print(&peer, &b);
        MUST(peer_parse(builder_text(&b), &arena, &again));
        peer_print(&again, &second);
        MUST(text_equals(builder_text(&b), builder_text(&second)));
    }
    builder_fini(&second);
    builder_fini(&b);
    arena_reset(&arena);
}

static void read_revocations(struct text t)
{
    struct store_revocation *items;
    struct arena arena;
    size_t count = 0;

    arena_init(&arena, SIZE_MAX);
    if (revocations_parse(t, &arena, &items, &count))
        MUST(count >= 1 && count <= REVOCATIONS_BODY_MOST);
    arena_reset(&arena);
}

static void forget(void *arg, struct text name, struct text incarnation)
{
}

static void read_members(struct text t)
{
    struct loop *loop = loop_new("fuzz");
    struct members *m = members_new(&(struct members_settings){
        .loop = loop, .incarnation = "aa", .forget_after = 3600000, .forget = forget });
    struct peer self = { .name = TEXT("gw-self"), .incarnation = TEXT("aa") };
    struct builder b;

    members_say(m, &self);
    members_load(m, t);
    MUST(members_count(m) >= 1);
    builder_init(&b, SIZE_MAX);
    members_print(m, &b);
    builder_fini(&b);
    members_free(&m);
    loop_free(&loop);
}

static void check_signature(struct text t)
{
    const struct digest key = peer_sign_key(TEXT_OF("a secret of some length"));
    struct peer_sign_request request = { .method = TEXT("POST"),
                                         .target = TEXT("/v1/cluster/yield"),
                                         .to = TEXT("gw-b") };
    struct peer_sign_guard guard;

    peer_sign_guard_init(&guard, 4);
    enum peer_sign_verdict verdict = peer_sign_check(&guard, &key, t, TIME, &request);
    MUST(verdict == PEER_SIGN_MALFORMED || verdict == PEER_SIGN_WRONG);
    MUST(peer_sign_verdict_name(verdict) != NULL);
    peer_sign_guard_fini(&guard);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text t = text_from((const char *)bytes, size);

    if (size == 0)
        return 0;
    t = text_skip(t, 1);
    switch (bytes[0] % 4) {
    case 0:
        read_peer(t);
        break;
    case 1:
        read_revocations(t);
        break;
    case 2:
        read_members(t);
        break;
    default:
        check_signature(t);
        break;
    }
    return 0;
}
