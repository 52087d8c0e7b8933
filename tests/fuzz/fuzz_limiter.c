/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_limiter.c - counters as they are saved, and buckets as another process passed them on: lines
 * of IDENTITY, a tab, VALUE. The first byte says which. Whatever they say, a bucket then lets no
 * more through than its limit has.
 */
#include "gatewayd/policy/limiter.h"

#define NOON  1709208000000 /* 2024-02-29T12:00:00Z */
#define BURST 10

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct limiter_now read_clock(void)
{
    return (struct limiter_now){ 1000000000000, NOON };
}

static void keep(void *arg, struct text identity, struct text value)
{
    MUST(identity.length <= 512 && value.length <= 512);
}

static void tell(struct limiter *l, unsigned char what, struct text identity, struct text value)
{
    struct limiter_rest rest = { 0, 0 };
    struct text piece;

    switch (what % 4) {
    case 0:
        (void)limiter_load(l, identity, value, NOON);
        break;
    case 1:
        (void)limiter_receive(l, identity, value);
        break;
    case 2:
        (void)limiter_take_back(l, identity, value);
        if (limiter_rest_of(l, identity, value, &rest))
            MUST(rest.unspent > 0 || rest.untold > 0);
        break;
    default:
        if (text_cut(&value, ' ', &piece) && text_parse_i64(piece, &rest.unspent) &&
            text_parse_i64(value, &rest.untold) && rest.unspent >= 0 && rest.untold >= 0)
            limiter_give(l, identity, rest);
        break;
    }
}

static unsigned ask(struct limiter *l, struct limiter_set *set, struct turns *turns)
{
    struct address a;
    struct arena arena;
    unsigned count = 0;

    MUST(address_parse_ip(TEXT_OF("192.0.2.1"), 1, &a));
    arena_init(&arena, 65536);
    for (int i = 0; i < BURST + 2; i++) {
        struct limiter_request request = { .route = set, .who = { .client = &a } };
        struct limiter_result result;
        arena_reset(&arena);
        count += limiter_take(l, 0, &request, read_clock(), &arena, &result) == LIMITER_ALLOWED;
        turn_leave(turns_get(turns, 0));
    }
    arena_reset(&arena);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct limit items[] = {
        { .name = TEXT("l"),
          .kind = LIMIT_RATE,
          .rate = 1,
          .per = 1000,
          .burst = BURST,
          .cost = 1,
          .by_what = LIMIT_BY_IP },
        { .name = TEXT("q"),
          .kind = LIMIT_QUOTA,
          .period = LIMIT_DAY,
          .quota = 100,
          .cost = 1,
          .by_what = LIMIT_BY_IP },
    };
    struct limits limits = { items, 2 };
    struct text rest = text_from((const char *)bytes, size);
    struct limiter_saving saving = { .all = true };
    struct text line;
    struct text identity;

    if (size == 0)
        return 0;
    rest = text_skip(rest, 1);
    struct turns *turns = turns_new(1);
    struct limiter *l =
        limiter_new(&(struct limiter_settings){ .turns = turns, .clock = read_clock });
    struct limiter_set *set = limiter_set_new(l, LIMITER_ROUTE, TEXT_OF("r"), &limits);
    while (text_cut(&rest, '\n', &line)) {
        if (text_cut(&line, '\t', &identity))
            tell(l, bytes[0], identity, line);
    }
    MUST(ask(l, set, turns) <= BURST);
    while (limiter_save(l, &saving, 16, keep, NULL))
        continue;
    limiter_set_unref(&set);
    limiter_free(&l);
    turns_free(&turns);
    return 0;
}
