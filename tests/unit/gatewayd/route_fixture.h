/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_fixture.h - routes from JSON and requests from a line, for tests of the router.
 */
#ifndef TESTS_ROUTE_FIXTURE_H
#define TESTS_ROUTE_FIXTURE_H

#include "gatewayd/route/route_piece.h"
#include "gatewayd/route/router.h"

#define ROUTE_FIXTURE_HEADERS 32

struct route_fixture {
    struct arena arena;
    struct route_piece **pieces; /* sorted by name */
    size_t count;
    size_t size;
    struct router *router;
};

void route_fixture_init(struct route_fixture *f);
void route_fixture_fini(struct route_fixture *f);

/* JSON with ' for ". The route must be right. */
void route_fixture_add(struct route_fixture *f, const char *json);
void route_fixture_build(struct route_fixture *f); /* again after further routes */

/* "GET api.example.com/path?query", then "Name: value" pairs up to NULL. */
struct request_head route_fixture_request(struct route_fixture *f, const char *line, ...);

/* The name of the route that wins, or "404", "405 ALLOW", "500". In the arena. */
const char *route_fixture_match(struct route_fixture *f, const struct request_head *head);

#endif
