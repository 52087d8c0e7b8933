/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_h1.c - what parsing and printing heads costs, in nanoseconds a head.
 *
 *     bench_h1 [NAME] [ROUNDS]     all, or one (for callgrind: bench_h1 parse 1000)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gatewayd/http/forwarded.h"
#include "gatewayd/http/h1_chunked.h"
#include "gatewayd/http/h1_print.h"
#include "gatewayd/http/h1_request.h"
#include "gatewayd/http/h1_response.h"
#include "gatewayd/http/request_id.h"

#define LINES 64

/* 400 bytes, as an API client with a bearer token sends it. */
static const char request[] =
    "GET /api/v1/orders/12345?include=items,customer&limit=50 HTTP/1.1\r\n"
    "Host: api.example.com\r\n"
    "User-Agent: orders-client/2.4.1 (linux; x86_64)\r\n"
    "Accept: application/json\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Authorization: Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI"
    "xMjM0NTY3ODkwIn0.c2lnbmF0dXJlLWlzLW5vdC1oZXJl\r\n"
    "X-Request-Id: 7b0c8f5e2d6a4c1b9e3f\r\n"
    "Connection: keep-alive\r\n\r\n";

static const char response[] = "HTTP/1.1 200 OK\r\n"
                               "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                               "Server: origin/1.0\r\n"
                               "Content-Type: application/json; charset=utf-8\r\n"
                               "Content-Length: 1024\r\n"
                               "Cache-Control: private, max-age=0\r\n"
                               "ETag: \"5f2c-1a2b3c4d\"\r\n"
                               "Vary: Accept-Encoding\r\n"
                               "Connection: keep-alive\r\n\r\n";

static const struct h1_limits limits = { .header_bytes = 32768,
                                         .headers = 60,
                                         .target_bytes = 16384 };

static struct header items[LINES];
static struct request_head request_head;
static struct response_head response_head;
static struct arena arena;
static char lent[4096], into[4096];

static void parse_request(void)
{
    struct h1_request p;
    memset(&request_head, 0, sizeof(request_head));
    headers_init(&request_head.headers, items, LINES);
    h1_request_init(&p, &request_head, &arena, &limits);
    MUST(h1_request_parse(&p, text_from(request, sizeof(request) - 1)) == H1_DONE);
}

static void parse_response(void)
{
    static const struct request_head get = { .method = METHOD_GET };
    struct h1_response p;
    memset(&response_head, 0, sizeof(response_head));
    headers_init(&response_head.headers, items, LINES);
    h1_response_init(&p, &response_head, &get, &limits);
    MUST(h1_response_parse(&p, text_from(response, sizeof(response) - 1)) == H1_DONE);
}

static void print_request(void)
{
    MUST(h1_print_request(&request_head, H1_PERSIST, into, sizeof(into)) > 0);
}

static void print_response(void)
{
    MUST(h1_print_response(&response_head, H1_PERSIST, into, sizeof(into)) > 0);
}

static void parse_forward_print(void)
{
    static const struct forwarded_hop hop = { .peer_ip = TEXT("192.0.2.60"),
                                              .authority = TEXT("api.example.com"),
                                              .node = TEXT("gw-a"),
                                              .version = HTTP_1_1 };
    parse_request();
    arena_reset(&arena);
    arena_lend(&arena, lent, sizeof(lent));
    MUST(forwarded_apply(&request_head.headers, &hop, &arena));
    print_request();
}

static void decode_chunks(void)
{
    static const char body[] = "400;sig=abcdef\r\n";
    static char bytes[1100];
    struct h1_chunked c;
    struct text data;
    size_t length = sizeof(body) - 1 + 1024;
    memcpy(bytes, body, sizeof(body) - 1);
    memcpy(bytes + length, "\r\n0\r\n\r\n", 7);
    struct text rest = text_from(bytes, length + 7);
    h1_chunked_init(&c, NULL, &arena);
    while (h1_chunked_parse(&c, &rest, &data) == H1_CHUNKED_DATA)
        ;
    MUST(c.state == H1_CHUNKED_ENDED);
}

static void make_request_id(void)
{
    (void)request_id_print_new(into);
}

static const struct {
    const char *name;
    void (*run)(void);
} benches[] = {
    { "parse_request", parse_request },
    { "print_request", print_request },
    { "parse_response", parse_response },
    { "print_response", print_response },
    { "parse_forward_print", parse_forward_print },
    { "decode_chunk_of_1k", decode_chunks },
    { "request_id", make_request_id },
};

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The best of five: the least disturbed. */
static double measure(void (*run)(void), unsigned rounds)
{
    double best = 0;
    for (int i = 0; i < 5; i++) {
        double begin = now_ns();
        for (unsigned n = 0; n < rounds; n++)
            run();
        double each = (now_ns() - begin) / rounds;
        best = i == 0 || each < best ? each : best;
    }
    return best;
}

int main(int count, char **args)
{
    unsigned rounds = count > 2 ? (unsigned)strtoul(args[2], NULL, 10) : 200000;
    arena_init(&arena, SIZE_MAX);
    parse_request();
    parse_response();
    printf("request of %zu bytes, response of %zu bytes\n", sizeof(request) - 1,
           sizeof(response) - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(benches); i++) {
        if (count < 2 || strncmp(benches[i].name, args[1], strlen(args[1])) == 0)
            printf("%-22s %8.1f ns\n", benches[i].name, measure(benches[i].run, rounds));
    }
    return 0;
}
