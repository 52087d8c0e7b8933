/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_top.c - top: requests a second and latencies by route, live. On a terminal the picture is
 * drawn again and again; elsewhere, or with -n, one follows the other.
 */
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "admin/ctl/command.h"
#include "admin/ctl/table.h"
#include "admin/ctl/traffic.h"
#include "admin/ctl/verb_rows.h"

#define INTERVAL_MS    1000
#define INTERVAL_LEAST 100
#define INTERVAL_MOST  3600000
#define ROWS_INITIAL   40
#define PRINTED_MAX    ((size_t)64 << 20)
#define HOME_AND_CLEAR "\033[H\033[J"
#define HEAD_LINES     4

static const char *const titles[] = { "ROUTE", "+REQ/S", "+2XX", "+3XX", "+4XX", "+5XX",
                                      "+429",  "+P50",   "+P95", "+P99", NULL };

struct watching {
    struct command *c;
    struct samples before;
    struct samples after;
    struct timespec read_before;
    struct timespec read_after;
    size_t rows;
    bool is_live;
};

static double seconds_between(const struct watching *w)
{
    return (double)(w->read_after.tv_sec - w->read_before.tv_sec) +
           (double)(w->read_after.tv_nsec - w->read_before.tv_nsec) / 1e9;
}

static void add_time(struct table *t, double seconds)
{
    if (seconds < 0)
        table_add(t, TEXT_EMPTY);
    else if (seconds < 0.01)
        table_addf(t, "%.2fms", seconds * 1e3);
    else if (seconds < 1)
        table_addf(t, "%.0fms", seconds * 1e3);
    else
        table_addf(t, "%.2fs", seconds);
}

static void add_rate(struct table *t, double count, double seconds, enum paint_colour colour)
{
    char cell[TEXT_NUMBER_SIZE];
    double rate = count / seconds;

    (void)snprintf(cell, sizeof(cell), rate < 10 ? "%.1f" : "%.0f", rate);
    table_add_painted(t, count > 0 ? text_of(cell) : TEXT_EMPTY, count > 0 ? colour : PAINT_PLAIN);
}

static void add_row(struct table *t, struct text name, const struct traffic_row *row,
                    double seconds)
{
    table_add(t, name);
    add_rate(t, traffic_responses(row), seconds, PAINT_BOLD);
    add_rate(t, row->responses[1], seconds, PAINT_PLAIN);
    add_rate(t, row->responses[2], seconds, PAINT_PLAIN);
    add_rate(t, row->responses[3], seconds, PAINT_YELLOW);
    add_rate(t, row->responses[4], seconds, PAINT_RED);
    add_rate(t, row->limited, seconds, PAINT_YELLOW);
    add_time(t, traffic_quantile(row, 0.5));
    add_time(t, traffic_quantile(row, 0.95));
    add_time(t, traffic_quantile(row, 0.99));
}

static void print_tables(const struct watching *w, const struct traffic *t, struct builder *b)
{
    double seconds = seconds_between(w);
    struct table table;

    builder_addf(b, "%.*s  %.0f requests/s  %.0f connections  %.0f in flight\n\n",
                 TEXT_ARGS(w->c->settings.server), traffic_responses(&t->node) / seconds,
                 t->connections, t->exchanges);
    table_init(&table, titles);
    add_row(&table, TEXT_OF("(all)"), &t->node, seconds);
    for (size_t i = 0; i < t->count && i < w->rows; i++)
        add_row(&table, t->routes[i].route, &t->routes[i], seconds);
    table_print(&table, w->c->paint, b);
    table_fini(&table);
    if (t->count > w->rows)
        builder_addf(b, "… and %zu routes more\n", t->count - w->rows);
    builder_add_byte(b, '\n');
}

static struct doc row_doc(struct command *c, struct text name, const struct traffic_row *row,
                          double seconds)
{
    static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx" };
    struct doc doc = doc_object();

    doc_add(&doc, &c->arena, TEXT_OF("route"), doc_text(arena_copy(&c->arena, name)));
    for (size_t i = 0; i < TRAFFIC_CLASSES; i++)
        doc_add(&doc, &c->arena, text_of(classes[i]),
                (struct doc){ .type = DOC_REAL, .real = row->responses[i] / seconds });
    doc_add(&doc, &c->arena, TEXT_OF("limited"),
            (struct doc){ .type = DOC_REAL, .real = row->limited / seconds });
    doc_add(&doc, &c->arena, TEXT_OF("p50_seconds"),
            (struct doc){ .type = DOC_REAL, .real = traffic_quantile(row, 0.5) });
    doc_add(&doc, &c->arena, TEXT_OF("p99_seconds"),
            (struct doc){ .type = DOC_REAL, .real = traffic_quantile(row, 0.99) });
    return doc;
}

static void print_json_rows(const struct watching *w, const struct traffic *t)
{
    struct command *c = w->c;
    double seconds = seconds_between(w);
    struct doc doc = doc_object();
    struct doc list = doc_list();

    for (size_t i = 0; i < t->count; i++)
        doc_append(&list, &c->arena, row_doc(c, t->routes[i].route, &t->routes[i], seconds));
    doc_add(&doc, &c->arena, TEXT_OF("node"), row_doc(c, TEXT_EMPTY, &t->node, seconds));
    doc_add(&doc, &c->arena, TEXT_OF("routes"), list);
    command_print_json(&doc);
}

static void show(const struct watching *w)
{
    struct traffic t;
    struct builder b;

    traffic_init(&t, &w->before, &w->after);
    if (command_is_json(w->c))
        print_json_rows(w, &t);
    else {
        builder_init(&b, PRINTED_MAX);
        builder_add(&b, w->is_live ? TEXT_OF(HOME_AND_CLEAR) : TEXT_EMPTY);
        print_tables(w, &t, &b);
        command_flush(&b);
        builder_fini(&b);
    }
    traffic_fini(&t);
}

/* The reading's text lives in an arena of its own: two readings are alive at a time. */
static bool read_samples(struct watching *w, struct arena *arena, enum verb_status *status_out)
{
    const struct http_request request = {
        .method = "GET",
        .path = TEXT_OF("/metrics"),
        .is_text = true,
    };
    struct command *c = w->c;
    struct arena others = c->arena;
    struct command_reply reply;
    bool is_read;

    c->arena = *arena;
    is_read = command_call(c, &request, &reply, status_out);
    *arena = c->arena;
    c->arena = others;
    MUST(clock_gettime(CLOCK_MONOTONIC, &w->read_after) == 0);
    if (is_read)
        samples_parse(reply.answer.body, &w->after);
    return is_read;
}

static void wait_for(int64_t ms)
{
    struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000 };

    (void)nanosleep(&ts, NULL);
}

static size_t rows_of_terminal(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < HEAD_LINES + 4)
        return ROWS_INITIAL;
    return size.ws_row - HEAD_LINES - 2u;
}

static enum verb_status watch(struct watching *w, uint64_t count, int64_t interval)
{
    enum verb_status status;
    struct arena arenas[2];

    arena_init(&arenas[0], SIZE_MAX);
    arena_init(&arenas[1], SIZE_MAX);
    for (size_t turn = 0; read_samples(w, &arenas[turn % 2], &status); turn++) {
        if (turn > 0) {
            show(w);
            arena_reset(&w->c->arena);
        }
        samples_fini(&w->before);
        arena_reset(&arenas[(turn + 1) % 2]);
        w->before = w->after;
        w->after = (struct samples){ 0 };
        w->read_before = w->read_after;
        if (turn == count)
            break;
        wait_for(interval);
    }
    samples_fini(&w->before);
    arena_reset(&arenas[0]);
    arena_reset(&arenas[1]);
    return status;
}

enum verb_status verb_top(struct command *c)
{
    int64_t interval = INTERVAL_MS;
    uint64_t count = UINT64_MAX;
    struct watching w = { .c = c };

    if (!command_number(c, OPTION_COUNT_OF, INT64_MAX, &count) ||
        !command_duration(c, OPTION_INTERVAL, &interval))
        return VERB_USAGE;
    if (interval < INTERVAL_LEAST || interval > INTERVAL_MOST)
        return command_misuse(c, "--interval must be between 100ms and 1h.");
    w.is_live = !args_has(c->args, OPTION_COUNT_OF) && !command_is_json(c) && c->paint.is_on;
    w.rows = w.is_live ? rows_of_terminal() : SIZE_MAX;
    map_init(&w.before.index);
    return watch(&w, count, interval);
}
