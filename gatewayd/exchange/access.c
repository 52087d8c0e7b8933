/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.c - the columns of the access log.
 */
#include "gatewayd/exchange/access.h"

#include "gatewayd/exchange/exchange.h"

#define LINE_SIZE 4096

/* The longest path, host or agent that is written. */
#define TEXT_MOST 1024

typedef void access_fn(const struct exchange *ex, struct log_line *line, const char *name);

struct access_row {
    const char *name;
    access_fn *print;
    const char *help;
};

/* Absent rather than empty. */
static void add(struct log_line *line, const char *name, struct text value)
{
    if (value.length > 0)
        log_line_add(line, name, text_first(value, TEXT_MOST));
}

/* From one stamp to another; absent when either did not happen. */
static void add_span(struct log_line *line, const char *name, uint64_t from, uint64_t to)
{
    if (from != 0 && to >= from)
        log_line_add_us(line, name, to - from);
}

static void print_time(const struct exchange *ex, struct log_line *line, const char *name)
{
    log_line_add_time(line, name, ex->begun_wall_ms);
}

static void print_node(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->all->settings.node);
}

static void print_listener(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->down->peer->listener->name);
}

static void print_request_id(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->request_id);
}

static void print_trace_id(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->trace_id);
}

static void print_client(const struct exchange *ex, struct log_line *line, const char *name)
{
    char memory[ADDRESS_TEXT_SIZE];
    add(line, name, address_print_ip(&ex->client, memory));
}

static void print_method(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->request.method_name);
}

static void print_host(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->request.host);
}

static void print_path(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->path);
}

static void print_query(const struct exchange *ex, struct log_line *line, const char *name)
{
    if (ex->request.has_query)
        log_line_add_bool(line, name, true);
}

static void print_protocol(const struct exchange *ex, struct log_line *line, const char *name)
{
    static const struct text names[] = {
        [HTTP_1_0] = TEXT("HTTP/1.0"),
        [HTTP_1_1] = TEXT("HTTP/1.1"),
        [HTTP_2] = TEXT("HTTP/2"),
    };
    add(line, name, names[ex->request.version]);
}

static void print_tls(const struct exchange *ex, struct log_line *line, const char *name)
{
    if (ex->down->peer->is_tls)
        add(line, name, socket_tls_version(ex->down->socket));
}

static void print_route(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->route_name);
}

static void print_consumer(const struct exchange *ex, struct log_line *line, const char *name)
{
    if (ex->has_credential)
        add(line, name, ex->credential.consumer);
}

static void print_key(const struct exchange *ex, struct log_line *line, const char *name)
{
    if (ex->has_credential)
        add(line, name, text_of(ex->credential.id));
}

static void print_upstream(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->upstream_name);
}

static void print_target(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->target_name);
}

static void print_status(const struct exchange *ex, struct log_line *line, const char *name)
{
    unsigned status = ex->status;

    if (status == 0 && ex->failure != FAILURE_NONE)
        status = failure_get(ex->failure)->status;
    log_line_add_u64(line, name, status);
}

static void print_failure(const struct exchange *ex, struct log_line *line, const char *name)
{
    if (ex->failure != FAILURE_NONE)
        add(line, name, failure_get(ex->failure)->name);
}

static void print_detail(const struct exchange *ex, struct log_line *line, const char *name)
{
    add(line, name, ex->detail);
}

static void print_bytes_in(const struct exchange *ex, struct log_line *line, const char *name)
{
    log_line_add_u64(line, name, ex->request_flow.moved);
}

static void print_bytes_out(const struct exchange *ex, struct log_line *line, const char *name)
{
    log_line_add_u64(line, name, ex->answer_flow.moved);
}

static void print_retries(const struct exchange *ex, struct log_line *line, const char *name)
{
    if (ex->tries > 1)
        log_line_add_u64(line, name, ex->tries - 1);
}

static void print_duration(const struct exchange *ex, struct log_line *line, const char *name)
{
    log_line_add_us(line, name, exchange_now_us(ex) - ex->begun_us);
}

static void print_head_ms(const struct exchange *ex, struct log_line *line, const char *name)
{
    add_span(line, name, ex->begun_us, ex->request_us);
}

static void print_limit_ms(const struct exchange *ex, struct log_line *line, const char *name)
{
    uint64_t to = ex->stage_us[STAGE_transform];

    if (to == 0)
        to = ex->stage_us[STAGE_respond];
    if (to > ex->stage_us[STAGE_limit])
        add_span(line, name, ex->stage_us[STAGE_limit], to);
}

static void print_connect_ms(const struct exchange *ex, struct log_line *line, const char *name)
{
    add_span(line, name, ex->sent_us, ex->connected_us);
}

static void print_upstream_ms(const struct exchange *ex, struct log_line *line, const char *name)
{
    add_span(line, name, ex->sent_us, ex->head_us);
}

static const struct access_row rows[] = {
    { "time", print_time, "When the first byte of the request came, UTC." },
    { "node", print_node, "The node's name." },
    { "listener", print_listener, "The listener the connection came in by." },
    { "request_id", print_request_id, "X-Request-Id, as it was sent up and down." },
    { "trace_id", print_trace_id, "The trace of `traceparent`." },
    { "client", print_client, "The client's address, as trusted proxies say it." },
    { "method", print_method, "The method." },
    { "host", print_host, "The host asked for, without its port." },
    { "path", print_path, "The path as it was matched, before it was rewritten." },
    { "query", print_query, "`true` if there was a query; the query itself is not written." },
    { "protocol", print_protocol, "The version the client spoke." },
    { "tls", print_tls, "The version of TLS, if any." },
    { "route", print_route, "The route that took the request." },
    { "consumer", print_consumer, "Whose key it was." },
    { "key", print_key, "The id of the key." },
    { "upstream", print_upstream, "The upstream it was sent to." },
    { "target", print_target, "The address of the last target tried." },
    { "status", print_status, "The status sent; 499 when the client went away before one." },
    { "failure", print_failure, "Why it ended badly (failures.def); absent when it did not." },
    { "detail", print_detail, "More about the failure." },
    { "bytes_in", print_bytes_in, "Bytes of the request's body sent on." },
    { "bytes_out", print_bytes_out, "Bytes of the answer's body sent." },
    { "retries", print_retries, "How often it was sent again." },
    { "duration_ms", print_duration,
      "From the first byte of the request to the last of the answer." },
    { "head_ms", print_head_ms, "Until the head of the request was there." },
    { "limit_ms", print_limit_ms, "Waiting for limits." },
    { "connect_ms", print_connect_ms, "Until the last target had a connection." },
    { "upstream_ms", print_upstream_ms, "Until the last target answered." },
};

void access_record(const struct exchange *ex)
{
    char memory[LINE_SIZE];
    struct log_line line;

    if (!log_access_is_on())
        return;
    log_line_init(&line, memory, sizeof(memory), log_get_format());
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        rows[i].print(ex, &line, rows[i].name);
    log_access(log_line_end(&line));
}

void access_print_reference(struct builder *b)
{
    builder_addf(b, "| column | meaning |\n| --- | --- |\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        builder_addf(b, "| `%s` | %s |\n", rows[i].name, rows[i].help);
}
