/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_router_random.c - the router against the contract's order written the slow way: random sets
 * of routes, random requests, every answer compared. Also against router_explain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/gatewayd/route_fixture.h"

#define ROUNDS   400
#define REQUESTS 40
#define ROUTES   40
#define LIST     3

/* A route as it was written; everything below works on these texts alone. */
struct plain_route {
    char name[16];
    char hosts[LIST][16];
    char paths[LIST][32];
    char methods[LIST][8];
    char headers[LIST][2][8]; /* name, value */
    char query[LIST][2][8];
    unsigned host_count, path_count, method_count, header_count, query_count;
};

struct plain_request {
    const char *method;
    char host[16];
    char path[64];
    const char *headers[LIST]; /* value of h0, h1, h2; NULL: absent */
    const char *query[LIST];
};

static uint64_t seed = 0x243f6a8885a308d3u;

static unsigned below(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % n;
}

static const char *one_of(const char *const *list, unsigned count)
{
    return list[below(count)];
}

#define ONE_OF(...)                                                                                \
    one_of((const char *const[]){ __VA_ARGS__ },                                                   \
           sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* ---- making ---- */

static void make_path(char *into)
{
    static const char *const regexes[] = { "~^/a",         "~b$",     "~/c/",     "~^/[ab]/.*c",
                                           "~.",           "~^/a/b?", "~^/a/b/c", "~^/(a|c)/b/",
                                           "~^/a/(b|c)/d", "~^/c/a/" };
    unsigned segments = below(4);
    bool is_exact = below(4) == 0;
    char *at = into;

    if (below(4) == 0) {
        strcpy(into, one_of(regexes, ARRAY_LENGTH(regexes)));
        return;
    }
    if (is_exact)
        *at++ = '=';
    for (unsigned i = 0; i < segments; i++) {
        if (!is_exact && below(3) == 0)
            at += sprintf(at, "/{v%u}", i);
        else
            at += sprintf(at, "/%s", ONE_OF("a", "b", "c"));
    }
    if (segments == 0 || below(5) == 0)
        *at++ = '/';
    *at = '\0';
}

static bool is_listed(const struct plain_route *r, const char *method)
{
    for (unsigned i = 0; i < r->method_count; i++) {
        if (strcmp(r->methods[i], method) == 0)
            return true;
    }
    return false;
}

static bool is_host_listed(const struct plain_route *r, const char *host)
{
    for (unsigned i = 0; i < r->host_count; i++) {
        if (strcmp(r->hosts[i], host) == 0)
            return true;
    }
    return false;
}

static void make_route(struct plain_route *r, unsigned number)
{
    memset(r, 0, sizeof(*r));
    sprintf(r->name, "r%02u", number);
    for (unsigned i = below(LIST + 1); i > 0; i--) {
        const char *host = ONE_OF("a.x", "b.x", "*.x", "*.a.x", "x", "c.a.x");

        if (!is_host_listed(r, host))
            strcpy(r->hosts[r->host_count++], host);
    }
    for (unsigned i = below(LIST + 1); i > 0; i--) {
        bool is_new = true;

        make_path(r->paths[r->path_count]);
        for (unsigned j = 0; j < r->path_count; j++)
            is_new &= strcmp(r->paths[j], r->paths[r->path_count]) != 0;
        r->path_count += is_new;
    }
    for (unsigned i = below(3); i > 0; i--) {
        const char *method = ONE_OF("GET", "HEAD", "POST", "LINK");

        if (!is_listed(r, method))
            strcpy(r->methods[r->method_count++], method);
    }
    for (unsigned i = 0; i < 2 && below(3) == 0; i++) {
        sprintf(r->headers[r->header_count][0], "h%u", i);
        strcpy(r->headers[r->header_count++][1], ONE_OF("1", "2", "*", "~[12]"));
    }
    for (unsigned i = 0; i < 2 && below(4) == 0; i++) {
        sprintf(r->query[r->query_count][0], "q%u", i);
        strcpy(r->query[r->query_count++][1], ONE_OF("1", "2", "*", "~[12]"));
    }
}

static void make_request(struct plain_request *q)
{
    unsigned segments = below(5);
    char *at = q->path;

    q->method = ONE_OF("GET", "HEAD", "POST", "LINK", "PUT");
    strcpy(q->host, ONE_OF("a.x", "b.x", "x", "c.a.x", "d.a.x", "d.c.a.x", "y"));
    for (unsigned i = 0; i < segments; i++)
        at += sprintf(at, "/%s", ONE_OF("a", "b", "c", "d"));
    if (segments == 0 || below(5) == 0)
        *at++ = '/';
    *at = '\0';
    for (unsigned i = 0; i < LIST; i++) {
        q->headers[i] = below(2) == 0 ? NULL : ONE_OF("1", "2", "3");
        q->query[i] = below(2) == 0 ? NULL : ONE_OF("1", "2", "3");
    }
}

/* ---- the slow way ---- */

static int host_value(const char *pattern, const char *host)
{
    size_t length = strlen(pattern) - 1;

    if (pattern[0] != '*')
        return strcmp(pattern, host) == 0 ? 1000 : -1;
    if (strlen(host) <= length || strcmp(host + strlen(host) - length, pattern + 1) != 0)
        return -1;
    return (int)length;
}

/* Does what begins both (a segment) fit? Moves both behind it. */
static bool next_fits(const char **pattern, const char **path, char *kind_out)
{
    size_t pattern_length = strcspn(*pattern + 1, "/") + 1;
    size_t path_length = strcspn(*path + 1, "/") + 1;
    bool is_variable = (*pattern)[1] == '{';
    bool fits = is_variable
                    ? path_length > 1
                    : pattern_length == path_length && strncmp(*pattern, *path, path_length) == 0;

    *kind_out = is_variable ? 'v' : 'w';
    *pattern += pattern_length;
    *path += path_length;
    return fits;
}

/* A text that compares larger the better the path is, or "" when it does not match. Exact "4",
 * prefixes and templates "3" and a letter for each segment, regexes "2", "/" "1". */
static void path_value(const char *pattern, const char *path, char *value)
{
    const char *p = pattern;
    bool is_template = strchr(pattern, '{') != NULL;
    char trimmed[32];

    value[0] = '\0';
    if (pattern[0] == '=') {
        strcpy(value, strcmp(pattern + 1, path) == 0 ? "4" : "");
        return;
    }
    if (pattern[0] == '~') {
        struct pattern *compiled = pattern_new(text_of(pattern + 1), NULL);

        strcpy(value, pattern_match(compiled, text_of(path)) == PATTERN_YES ? "2" : "");
        pattern_free(&compiled);
        return;
    }
    strcpy(trimmed, pattern);
    if (!is_template && trimmed[strlen(trimmed) - 1] == '/')
        trimmed[strlen(trimmed) - 1] = '\0';
    if (trimmed[0] == '\0') {
        strcpy(value, "1");
        return;
    }
    for (p = trimmed; *p != '\0' && *path != '\0';) {
        char kind;

        if (!next_fits(&p, &path, &kind)) {
            value[0] = '\0';
            return;
        }
        if (value[0] == '\0')
            strcpy(value, "3");
        strncat(value, &kind, 1);
    }
    if (*p != '\0' || (is_template && *path != '\0'))
        value[0] = '\0';
}

static bool wants_hold(const char wants[LIST][2][8], unsigned count, const char *const *values)
{
    for (unsigned i = 0; i < count; i++) {
        const char *value = values[wants[i][0][1] - '0'];
        const char *want = wants[i][1];

        if (value == NULL)
            return false;
        if (want[0] == '~' ? value[0] > '2' : want[0] != '*' && strcmp(want, value) != 0)
            return false;
    }
    return true;
}

static int method_value(const struct plain_route *r, const char *method)
{
    if (r->method_count == 0)
        return 1;
    if (is_listed(r, method))
        return 3;
    return strcmp(method, "HEAD") == 0 && is_listed(r, "GET") ? 2 : 0;
}

struct value {
    int host;
    char path[16];
    int method;
};

/* Host and path of the best pair; false if none matches. */
static bool value_of(const struct plain_route *r, const struct plain_request *q, struct value *v)
{
    *v = (struct value){ .host = -1, .method = method_value(r, q->method) };
    if (!wants_hold(r->headers, r->header_count, q->headers) ||
        !wants_hold(r->query, r->query_count, q->query))
        return false;
    for (unsigned i = 0; i < r->host_count; i++) {
        int host = host_value(r->hosts[i], q->host);

        v->host = host > v->host ? host : v->host;
    }
    if (r->host_count == 0)
        v->host = 0;
    strcpy(v->path, r->path_count == 0 ? "1" : "");
    for (unsigned i = 0; i < r->path_count; i++) {
        char path[16];

        path_value(r->paths[i], q->path, path);
        if (strcmp(path, v->path) > 0)
            strcpy(v->path, path);
    }
    return v->host >= 0 && v->path[0] != '\0';
}

static bool is_better(const struct plain_route *a, const struct value *x,
                      const struct plain_route *b, const struct value *y)
{
    if (x->host != y->host)
        return x->host > y->host;
    if (strcmp(x->path, y->path) != 0)
        return strcmp(x->path, y->path) > 0;
    if (x->method != y->method)
        return x->method > y->method;
    if (a->header_count != b->header_count)
        return a->header_count > b->header_count;
    if (a->query_count != b->query_count)
        return a->query_count > b->query_count;
    return strcmp(a->name, b->name) < 0;
}

static void reference(const struct plain_route *routes, unsigned count,
                      const struct plain_request *q, char *answer)
{
    const struct plain_route *best = NULL;
    struct value best_value = { .host = -1 };
    bool has_allowed[5] = { false };
    static const char *const methods[] = { "GET", "HEAD", "POST", "LINK" };
    bool has_any = false;

    for (unsigned i = 0; i < count; i++) {
        struct value v;

        if (!value_of(&routes[i], q, &v))
            continue;
        if (v.method == 0) {
            for (unsigned m = 0; m < 4; m++)
                has_allowed[m] |= is_listed(&routes[i], methods[m]);
            has_any = true;
        } else if (best == NULL || is_better(&routes[i], &v, best, &best_value)) {
            best = &routes[i];
            best_value = v;
        }
    }
    strcpy(answer, best != NULL ? best->name : has_any ? "405 " : "404");
    if (best != NULL || !has_any)
        return;
    has_allowed[1] |= has_allowed[0];
    for (unsigned m = 0; m < 4; m++) {
        if (has_allowed[m])
            sprintf(answer + strlen(answer), "%s%s", answer[4] == '\0' ? "" : ", ", methods[m]);
    }
}

/* ---- comparing ---- */

static char *print_list(char *at, const char *name, const char *items, size_t size, unsigned count)
{
    at += sprintf(at, "'%s':[", name);
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "%s'%s'", i == 0 ? "" : ",", items + i * size);
    return at + sprintf(at, "],");
}

static char *print_map(char *at, const char *name, const char items[LIST][2][8], unsigned count)
{
    at += sprintf(at, "'%s':{", name);
    for (unsigned i = 0; i < count; i++)
        at += sprintf(at, "%s'%s':'%s'", i == 0 ? "" : ",", items[i][0], items[i][1]);
    return at + sprintf(at, "}");
}

static void add_route(struct route_fixture *f, const struct plain_route *r, char *json)
{
    char *at = json + sprintf(json, "{'name':'%s','match':{", r->name);

    at = print_list(at, "hosts", r->hosts[0], sizeof(r->hosts[0]), r->host_count);
    at = print_list(at, "paths", r->paths[0], sizeof(r->paths[0]), r->path_count);
    at = print_list(at, "methods", r->methods[0], sizeof(r->methods[0]), r->method_count);
    at = print_map(at, "headers", r->headers, r->header_count);
    at += sprintf(at, ",");
    at = print_map(at, "query", r->query, r->query_count);
    sprintf(at, "},'respond':{}}");
    route_fixture_add(f, json);
}

static struct request_head print_request(struct route_fixture *f, const struct plain_request *q)
{
    char line[160];
    char pairs[LIST][16];
    const char *headers[LIST + 1] = { NULL };
    unsigned count = 0;
    char mark = '?';
    char *at = line + sprintf(line, "%s %s%s", q->method, q->host, q->path);

    for (unsigned i = 0; i < LIST; i++) {
        if (q->query[i] != NULL) {
            at += sprintf(at, "%cq%u=%s", mark, i, q->query[i]);
            mark = '&';
        }
        if (q->headers[i] != NULL) {
            sprintf(pairs[count], "H%u: %s", i, q->headers[i]);
            headers[count] = arena_copy(&f->arena, text_of(pairs[count])).at;
            count++;
        }
    }
    return route_fixture_request(f, line, headers[0], headers[1], headers[2], NULL);
}

static void check_explain(struct route_fixture *f, const struct request_head *head,
                          const char *answer)
{
    size_t count;
    size_t wrong;
    struct router_candidate *found = router_explain(f->router, head, &f->arena, &count, &wrong);

    if (strcmp(answer, "404") == 0)
        assert_int_equal(count, 0);
    else if (answer[0] == '4')
        assert_int_equal(count, wrong);
    else
        assert_true(text_equals(found[0].route->route->name, text_of(answer)));
}

static void check_round(unsigned routes_wanted)
{
    struct plain_route routes[ROUTES];
    struct plain_request request;
    struct route_fixture f;
    char answer[64];
    char json[ROUTES + 2000];

    route_fixture_init(&f);
    for (unsigned i = 0; i < routes_wanted; i++) {
        make_route(&routes[i], i);
        add_route(&f, &routes[i], json);
    }
    route_fixture_build(&f);
    for (unsigned i = 0; i < REQUESTS; i++) {
        struct request_head head;
        const char *found;

        make_request(&request);
        head = print_request(&f, &request);
        reference(routes, routes_wanted, &request, answer);
        found = route_fixture_match(&f, &head);
        if (strcmp(found, answer) != 0) {
            fprintf(stderr, "%s %s%s: %s, should be %s\n", request.method, request.host,
                    request.path, found, answer);
            for (unsigned r = 0; r < routes_wanted; r++)
                fprintf(stderr, "  %.*s\n", TEXT_ARGS(f.pieces[r]->resource->set));
        }
        assert_string_equal(found, answer);
        check_explain(&f, &head, answer);
    }
    route_fixture_fini(&f);
}

/* A route that is said never to win is the answer to nothing. */
static char shadowed[ROUTES * 16];

static void keep_shadowed(void *arg, struct text route, struct text sentence)
{
    strncat(shadowed, route.at, route.length);
    strcat(shadowed, " ");
}

static void check_shadows(void)
{
    struct plain_request request;
    struct plain_route route;
    struct route_fixture f;
    char json[2000];

    route_fixture_init(&f);
    for (unsigned i = 0; i < ROUTES; i++) {
        make_route(&route, i);
        add_route(&f, &route, json);
    }
    route_fixture_build(&f);
    shadowed[0] = '\0';
    for (unsigned i = 0; i < ROUTES; i++) {
        struct text name = f.pieces[i]->route->name;

        if (strlen(shadowed) + 100 < sizeof(shadowed))
            router_warn(f.router, name, keep_shadowed, NULL);
    }
    for (unsigned i = 0; i < 500; i++) {
        struct request_head head;
        const char *found;
        char name[17];

        make_request(&request);
        head = print_request(&f, &request);
        found = route_fixture_match(&f, &head);
        sprintf(name, "%.15s ", found);
        if (found[0] == 'r')
            assert_null(strstr(shadowed, name));
    }
    route_fixture_fini(&f);
}

static void few_routes(void **state)
{
    for (unsigned i = 0; i < ROUNDS; i++)
        check_round(1 + below(6));
}

static void many_routes(void **state)
{
    for (unsigned i = 0; i < ROUNDS; i++)
        check_round(10 + below(ROUTES - 10));
}

static void shadowed_routes_win_nothing(void **state)
{
    for (unsigned i = 0; i < 60; i++)
        check_shadows();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_routes),
        cmocka_unit_test(many_routes),
        cmocka_unit_test(shadowed_routes_win_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
