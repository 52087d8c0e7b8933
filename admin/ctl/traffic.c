/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/traffic.h"

#include <stdlib.h>

#include "conf/base/mem.h"

struct counting {
    struct traffic *traffic;
    const struct samples *before;
    struct map rows; /* route → index + 1 */
    size_t room;
};

static struct traffic_row *row_of(struct counting *c, struct text route)
{
    struct traffic *t = c->traffic;
    size_t index = (size_t)map_find(&c->rows, route);

    if (index > 0)
        return &t->routes[index - 1];
    if (t->count == c->room) {
        c->room = c->room == 0 ? 16 : c->room * 2;
        t->routes = mem_resize(t->routes, c->room * sizeof(*t->routes));
    }
    t->routes[t->count] = (struct traffic_row){ .route = route };
    t->count++;
    (void)map_set(&c->rows, route, (void *)t->count);
    return &t->routes[t->count - 1];
}

static void add_response(struct traffic_row *row, struct text labels, double increase)
{
    struct text class;

    if (samples_find_label(labels, "class", &class) && class.length > 0 && class.at[0] >= '1' &&
        class.at[0] <= '5')
        row->responses[class.at[0] - '1'] += increase;
}

static void add_bucket(struct traffic_row *row, struct text labels, double increase)
{
    struct traffic_bucket *bucket = &row->buckets[row->bucket_count];
    struct text bound;

    if (row->bucket_count == TRAFFIC_BUCKETS || !samples_find_label(labels, "le", &bound))
        return;
    if (!samples_parse_number(bound, &bucket->bound))
        bucket->bound = -1;
    bucket->count = increase;
    row->bucket_count++;
}

static void count_route(struct counting *c, const struct sample *s, double increase)
{
    struct text route;
    struct traffic_row *row;

    if (!samples_find_label(s->labels, "route", &route))
        return;
    row = row_of(c, route);
    if (text_equals(s->name, TEXT_OF("gatewayd_route_responses_total")))
        add_response(row, s->labels, increase);
    else if (text_equals(s->name, TEXT_OF("gatewayd_route_limited_total")))
        row->limited += increase;
    else if (text_equals(s->name, TEXT_OF("gatewayd_route_duration_seconds_bucket")))
        add_bucket(row, s->labels, increase);
}

static void count_node(struct counting *c, const struct sample *s, double increase)
{
    struct traffic *t = c->traffic;

    if (text_equals(s->name, TEXT_OF("gatewayd_connections")))
        t->connections = s->value;
    else if (text_equals(s->name, TEXT_OF("gatewayd_exchanges")))
        t->exchanges = s->value;
    else if (text_equals(s->name, TEXT_OF("gatewayd_limited_total")))
        t->node.limited += increase;
    else if (text_equals(s->name, TEXT_OF("gatewayd_responses_total")))
        add_response(&t->node, s->labels, increase);
    else if (text_equals(s->name, TEXT_OF("gatewayd_request_duration_seconds_bucket")))
        add_bucket(&t->node, s->labels, increase);
}

double traffic_responses(const struct traffic_row *row)
{
    double sum = 0;

    for (size_t i = 0; i < TRAFFIC_CLASSES; i++)
        sum += row->responses[i];
    return sum;
}

/* The busiest first, then by name. */
static int compare_rows(const void *a, const void *b)
{
    double more = traffic_responses(b) - traffic_responses(a);

    if (more != 0)
        return more > 0 ? 1 : -1;
    return text_compare(((const struct traffic_row *)a)->route,
                        ((const struct traffic_row *)b)->route);
}

void traffic_init(struct traffic *t, const struct samples *before, const struct samples *after)
{
    struct counting c = { .traffic = t, .before = before };
    struct text prefix = TEXT_OF("gatewayd_route_");

    *t = (struct traffic){ 0 };
    map_init(&c.rows);
    for (size_t i = 0; i < after->count; i++) {
        const struct sample *s = &after->items[i];
        double increase = s->value - samples_find(c.before, s);

        /* A counter that went down was begun anew. */
        if (increase < 0)
            increase = s->value;
        if (text_starts_with(s->name, prefix))
            count_route(&c, s, increase);
        else
            count_node(&c, s, increase);
    }
    map_fini(&c.rows);
    if (t->count > 0)
        qsort(t->routes, t->count, sizeof(*t->routes), compare_rows);
}

void traffic_fini(struct traffic *t)
{
    MEM_FREE(&t->routes);
    t->count = 0;
}

double traffic_quantile(const struct traffic_row *row, double share)
{
    double total = row->bucket_count == 0 ? 0 : row->buckets[row->bucket_count - 1].count;
    double below = 0;
    double low = 0;

    if (total <= 0)
        return -1;
    for (size_t i = 0; i < row->bucket_count; i++) {
        const struct traffic_bucket *b = &row->buckets[i];

        if (b->bound < 0)
            return low;
        if (b->count >= share * total)
            return b->count == below
                       ? b->bound
                       : low + (b->bound - low) * (share * total - below) / (b->count - below);
        below = b->count;
        low = b->bound;
    }
    return low;
}
