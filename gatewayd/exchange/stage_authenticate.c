/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage_authenticate.c - finds out who sent a request, and whether they may, where a route asks.
 *
 * X-API-Key alone counts if it is there; else Authorization: Bearer, if it carries one of our keys
 * or one that is known. The field that carried an accepted key goes no further.
 */
#include "gatewayd/exchange/exchange.h"

#define CHALLENGE         "Bearer realm=\"gatewayd\""
#define CHALLENGE_INVALID "Bearer realm=\"gatewayd\", error=\"invalid_token\""
#define CHALLENGE_SCOPE   "Bearer realm=\"gatewayd\", error=\"insufficient_scope\""
#define STALE_RETRY_AFTER "5"

/* A key as it was sent, and the field it came in. */
struct claim {
    struct text key;
    enum header_id from;
    bool is_there;
    bool counts_unknown; /* a key that nobody knows is an error, not another's credential */
};

static struct claim claim_from_bearer(const struct header *h)
{
    static const struct text scheme = TEXT("Bearer ");
    struct claim claim = { .from = HEADER_AUTHORIZATION };

    if (h == NULL || !text_starts_with_nocase(h->value, scheme))
        return claim;
    claim.is_there = true;
    claim.key = text_trim(text_skip(h->value, scheme.length));
    claim.counts_unknown = text_starts_with(claim.key, TEXT_OF(KEY_MARK));
    return claim;
}

static struct claim find_claim(const struct headers *headers)
{
    const struct header *h = headers_find(headers, HEADER_X_API_KEY);

    if (h == NULL)
        return claim_from_bearer(headers_find(headers, HEADER_AUTHORIZATION));
    struct claim claim = { .from = HEADER_X_API_KEY, .is_there = true, .counts_unknown = true };
    /* Of two it would be guesswork which one is meant: neither. */
    if (headers_find_next(headers, h) == NULL)
        claim.key = h->value;
    return claim;
}

static enum verdict refuse(struct exchange *ex, enum failure failure, const char *challenge)
{
    metrics_add(metrics_node(),
                failure == FAILURE_KEY_MISSING ? METRIC_AUTH_MISSING : METRIC_AUTH_REFUSED, 1);
    exchange_begin_response(ex, failure_get(failure)->status);
    exchange_add_response_header(ex, HEADER_WWW_AUTHENTICATE, text_of(challenge));
    return exchange_fail(ex, failure, "%s", "");
}

/* A key that was revoked meanwhile must not get in; one that was made meanwhile is not unknown. */
static enum verdict defer_stale(struct exchange *ex)
{
    metrics_add(metrics_node(), METRIC_AUTH_REFUSED, 1);
    exchange_begin_response(ex, failure_get(FAILURE_KEYS_STALE)->status);
    exchange_add_response_header(ex, HEADER_RETRY_AFTER, TEXT_OF(STALE_RETRY_AFTER));
    return exchange_fail(ex, FAILURE_KEYS_STALE, "%s", "");
}

/* Not mistyped: somebody may have made it meanwhile. */
static bool could_be_key(struct text key)
{
    enum key_form form = key_form(key);

    return form == KEY_OURS || form == KEY_FOREIGN;
}

static bool has_text(struct texts list, struct text wanted)
{
    for (size_t i = 0; i < list.count; i++) {
        if (text_equals(list.items[i], wanted))
            return true;
    }
    return false;
}

static bool has_any(struct texts list, struct texts wanted)
{
    for (size_t i = 0; i < wanted.count; i++) {
        if (has_text(list, wanted.items[i]))
            return true;
    }
    return wanted.count == 0;
}

static bool has_all(struct texts list, struct texts wanted)
{
    for (size_t i = 0; i < wanted.count; i++) {
        if (!has_text(list, wanted.items[i]))
            return false;
    }
    return true;
}

static enum verdict admit(struct exchange *ex, const struct claim *claim)
{
    const struct route_auth *auth = ex->route->route->auth;

    ex->has_credential = true;
    if (!has_any(ex->credential.groups, auth->groups))
        return refuse(ex, FAILURE_GROUP_MISSING, CHALLENGE);
    if (!has_all(ex->credential.scopes, auth->scopes))
        return refuse(ex, FAILURE_SCOPE_MISSING, CHALLENGE_SCOPE);
    headers_remove(&ex->request.headers, claim->from);
    metrics_add(metrics_node(), METRIC_AUTH_ACCEPTED, 1);
    return VERDICT_NEXT;
}

static enum verdict missing(struct exchange *ex)
{
    if (ex->route->route->auth->optional)
        return VERDICT_NEXT;
    return refuse(ex, FAILURE_KEY_MISSING, CHALLENGE);
}

enum verdict stage_authenticate(struct exchange *ex)
{
    if (ex->route->route->auth == NULL)
        return VERDICT_NEXT;
    struct claim claim = find_claim(&ex->request.headers);
    if (!claim.is_there)
        return missing(ex);
    exchanges_enter_turn(ex->all);
    switch (credentials_find(ex->all->credentials, ex->all->turn, claim.key,
                             clock_wall_ms(&ex->all->loop->clock), &ex->arena, &ex->credential)) {
    case CREDENTIALS_ACTIVE:
        if (UNLIKELY(credentials_is_stale(ex->all->credentials)))
            return defer_stale(ex);
        return admit(ex, &claim);
    case CREDENTIALS_UNKNOWN:
        if (!claim.counts_unknown)
            return missing(ex);
        if (credentials_is_stale(ex->all->credentials) && could_be_key(claim.key))
            return defer_stale(ex);
        return refuse(ex, FAILURE_KEY_UNKNOWN, CHALLENGE_INVALID);
    case CREDENTIALS_REVOKED:
        return refuse(ex, FAILURE_KEY_REVOKED, CHALLENGE_INVALID);
    case CREDENTIALS_EXPIRED:
        return refuse(ex, FAILURE_KEY_EXPIRED, CHALLENGE_INVALID);
    case CREDENTIALS_NO_ROOM:
        break;
    }
    return exchange_fail(ex, FAILURE_GATEWAY_LIMIT, "credential");
}
