/* SPDX-License-Identifier: Apache-2.0 */
/* test_peer_sign.c - what was signed is taken, once, in time, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cluster/peer_sign.h"

#define NOW INT64_C(1700000000000)

static struct peer_sign_guard guard;
static struct digest key;

static int set_up(void **state)
{
    peer_sign_guard_init(&guard, 3);
    key = peer_sign_key(TEXT_OF("a secret of the cluster"));
    return 0;
}

static int tear_down(void **state)
{
    peer_sign_guard_fini(&guard);
    return 0;
}

static struct peer_sign_request request_of(const char *body)
{
    return (struct peer_sign_request){
        .method = TEXT("POST"),
        .target = TEXT("/v1/cluster/revocations"),
        .from = TEXT("gw-a"),
        .to = TEXT("gw-b"),
        .body = digest_sha256(text_of(body)),
    };
}

static enum peer_sign_verdict check(struct text header, struct peer_sign_request r, int64_t now)
{
    r.from = TEXT_EMPTY;
    r.body = (struct digest){ { 0 } };
    return peer_sign_check(&guard, &key, header, now, &r);
}

static void a_signature_is_taken_once(void **state)
{
    char into[PEER_SIGN_SIZE];
    struct peer_sign_request r = request_of("[]");
    struct text header = peer_sign_print(&key, &r, NOW, into);
    struct peer_sign_request read = r;
    read.from = TEXT_EMPTY;
    read.body = (struct digest){ { 0 } };
    assert_int_equal(peer_sign_check(&guard, &key, header, NOW + 5, &read), PEER_SIGN_GOOD);
    assert_true(text_equals(read.from, TEXT_OF("gw-a")));
    assert_true(digest_equals(&read.body, &r.body));
    assert_int_equal(check(header, r, NOW + 6), PEER_SIGN_REPLAYED);
}

static void it_is_good_for_a_minute_either_way(void **state)
{
    char into[PEER_SIGN_SIZE];
    struct peer_sign_request r = request_of("");
    assert_int_equal(check(peer_sign_print(&key, &r, NOW, into), r, NOW + 60001),
                     PEER_SIGN_UNTIMELY);
    assert_int_equal(check(peer_sign_print(&key, &r, NOW, into), r, NOW - 60001),
                     PEER_SIGN_UNTIMELY);
    assert_int_equal(check(peer_sign_print(&key, &r, NOW, into), r, NOW + 60000), PEER_SIGN_GOOD);
    assert_int_equal(check(peer_sign_print(&key, &r, NOW, into), r, NOW - 60000), PEER_SIGN_GOOD);
}

static void it_cannot_be_replayed_when_it_is_forgotten(void **state)
{
    char into[PEER_SIGN_SIZE];
    struct peer_sign_request r = request_of("");
    struct text header = peer_sign_print(&key, &r, NOW, into);
    assert_int_equal(check(header, r, NOW - 60000), PEER_SIGN_GOOD);
    for (int64_t at = NOW - 59000; at < NOW + 300000; at += 1000)
        assert_int_not_equal(check(header, r, at), PEER_SIGN_GOOD);
}

static void other_requests_are_not_what_was_signed(void **state)
{
    char into[PEER_SIGN_SIZE];
    struct peer_sign_request r = request_of("");
    struct text header = peer_sign_print(&key, &r, NOW, into);
    struct peer_sign_request other = r;
    other.method = TEXT_OF("PUT");
    assert_int_equal(check(header, other, NOW), PEER_SIGN_WRONG);
    other = r;
    other.target = TEXT_OF("/v1/cluster/health/a");
    assert_int_equal(check(header, other, NOW), PEER_SIGN_WRONG);
    other = r;
    other.to = TEXT_OF("gw-c");
    assert_int_equal(check(header, other, NOW), PEER_SIGN_WRONG);
    key = peer_sign_key(TEXT_OF("another secret"));
    assert_int_equal(check(header, r, NOW), PEER_SIGN_WRONG);
}

/* Each byte of it counts. */
static void a_changed_signature_is_refused(void **state)
{
    char into[PEER_SIGN_SIZE];
    struct peer_sign_request r = request_of("x");
    struct text header = peer_sign_print(&key, &r, NOW, into);
    for (size_t i = 0; i < header.length; i++) {
        char kept = into[i];
        into[i] = kept == '1' ? '2' : '1';
        assert_int_not_equal(check(header, r, NOW), PEER_SIGN_GOOD);
        into[i] = kept;
    }
    for (size_t length = 0; length < header.length; length++)
        assert_int_not_equal(check(text_first(header, length), r, NOW), PEER_SIGN_GOOD);
    assert_int_equal(guard.count, 0);
    assert_int_equal(check(header, r, NOW), PEER_SIGN_GOOD);
}

static void what_is_remembered_is_bounded(void **state)
{
    char into[PEER_SIGN_SIZE];
    struct peer_sign_request r = request_of("");
    for (int i = 0; i < 3; i++)
        assert_int_equal(check(peer_sign_print(&key, &r, NOW, into), r, NOW), PEER_SIGN_GOOD);
    assert_int_equal(check(peer_sign_print(&key, &r, NOW, into), r, NOW), PEER_SIGN_CROWDED);
    int64_t later = NOW + 120001;
    assert_int_equal(check(peer_sign_print(&key, &r, later, into), r, later), PEER_SIGN_GOOD);
    assert_int_equal(guard.count, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_signature_is_taken_once),
        TEST(it_is_good_for_a_minute_either_way),
        TEST(it_cannot_be_replayed_when_it_is_forgotten),
        TEST(other_requests_are_not_what_was_signed),
        TEST(a_changed_signature_is_refused),
        TEST(what_is_remembered_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
