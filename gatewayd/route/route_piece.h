/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_piece.h - one route, compiled: everything an exchange asks of it, ready to use.
 *
 * A piece of a snapshot, kept as long as its resource does not change. Lifetime: counted on the
 * control thread, by snapshots; exchanges borrow it through theirs. Immutable after it was made;
 * `policy` is filled by a hook before the snapshot is published.
 */
#ifndef GATEWAYD_ROUTE_ROUTE_PIECE_H
#define GATEWAYD_ROUTE_ROUTE_PIECE_H

#include "conf/resource.h"
#include "conf/route.h"
#include "gatewayd/core/metrics.h"
#include "gatewayd/route/edits.h"
#include "gatewayd/route/router.h"
#include "gatewayd/route/rule.h"
#include "gatewayd/route/template.h"

/* One upstream that the route goes to. */
struct route_backend {
    struct text upstream;
    unsigned slot; /* snapshot_fleet(snapshot, slot) */
    uint32_t
        until; /* of a split: a number below backend_total picks the first with number < until */
};

/* `respond`, ready to be sent. */
struct route_page {
    unsigned status;
    struct headers headers; /* without Content-Length */
    struct text body;
};

struct route_piece {
    unsigned count;
    struct arena arena;
    struct resource *resource; /* counted */
    const struct route *route; /* as configured: name, timeout, max_body, encoded_slash, auth,
                                  limits, plan_limits are taken from here as they are */
    struct rule *rule;
    enum route_action action;

    struct route_backend *backends; /* ROUTE_TO_UPSTREAM: one; ROUTE_TO_SPLIT: those with weight */
    unsigned backend_count;
    uint32_t backend_total;

    bool strip_prefix;
    bool has_rewrite_path;
    struct template rewrite_path;
    struct text rewrite_host; /* empty: as it is */
    struct template location; /* ROUTE_REDIRECT */
    unsigned redirect_status;
    struct route_page page; /* ROUTE_RESPOND */

    struct edits request_edits;
    struct edits response_edits;

    struct metrics_block *metrics; /* METRICS_ROUTE */
    void *policy;                  /* snapshot_hooks.compile_policy: limits, auth, … */
};

/* NULL and a sentence in `why` when it cannot be compiled. Slots are filled in by the snapshot. */
MUST_USE struct route_piece *route_piece_new(struct resource *resource, struct builder *why);
struct route_piece *route_piece_ref(struct route_piece *piece);
void route_piece_unref(struct route_piece **piece);

/* The backend for a random number. */
const struct route_backend *route_piece_pick(const struct route_piece *piece, uint64_t random);

/* The path for the upstream; the same text when nothing is rewritten. False: the arena is full. */
MUST_USE bool route_piece_rewrite(const struct route_piece *piece, const struct router_match *match,
                                  struct text path, struct arena *arena, struct text *path_out);

/* Where a redirect goes. `scheme` is "http" or "https", `head` the request. False: arena full. */
MUST_USE bool route_piece_locate(const struct route_piece *piece, const struct router_match *match,
                                 const struct request_head *head, struct text scheme,
                                 struct arena *arena, struct text *location_out);

#endif
